"""The TCP proxy between the members of a lab: where links of real processes break.

One port is listened at for each node, and whoever wants that node dials there. Who calls is told by
what it says first (`proxy_talk`, `proxy_rafthttp`), so every connection belongs to links by name.
The member behind is dialled with the first bytes that get through, and not before: on a link that
is cut a new connection is taken, and stays silent.

    caller ── Side ── Session ── Side ── member        two sockets (`proxy_session`)
                        │ a talk, and its pipes (`shaping`)
                      Proxy: listeners, a `LinkState` for each link (`proxy_links`)

What a cut means for connections:

    a frame or message that is understood    is dropped whole, and the stream goes on after the heal
    anything else that it took               the connection stays silent, and is closed on heal
    the end of a connection                  the other side is not told before the heal
    with reset                               connections are closed at once, with a TCP reset

Who does not say its name (TLS, etcd's probes and questions for a version, a member whose id is not
known yet) is a stranger, `?`: it is cut off from a node when that node is cut off from all others.
So with TLS a node can be kept from hearing, and not from dialling.

Bytes of a link that is well go from one socket to the other as they come. A socket that takes no
more stops the reading of the one before it, so memory does not follow what passes.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from walctl.cluster.faults import WELL, Link, LinkFault
from walctl.cluster.lab import Engine
from walctl.cluster.proxy_links import Counters, LinkState
from walctl.cluster.proxy_rafthttp import RaftHttpTalk
from walctl.cluster.proxy_session import ProxyPlace, Session
from walctl.cluster.proxy_talk import STRANGER, PeerTalk, Talk
from walctl.errors import AccessError, UsageError

BACKLOG: Final = 128


class Proxy:
    """Stands between the members of a lab; see the module.

    `draw(n)` gives a number in `[0, n)`. `tell` gets events without their time: `drop` and `dup`,
    with `link`, `count` and `why`, at most one a second for each kind, reason and link.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        draw: Callable[[int], int],
        tell: Callable[[dict[str, object]], None],
    ) -> None:
        self._engine = engine
        self._draw = draw
        self._tell = tell
        self._places: dict[str, ProxyPlace] = {}
        self._names: dict[int, str] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._states: dict[Link, LinkState] = {}
        self._faults: dict[Link, LinkFault] = {}
        self._is_empty = asyncio.Event()
        self.sessions: set[Session] = set()
        self.clock: asyncio.AbstractEventLoop = asyncio.get_running_loop()

    async def start(self, places: Iterable[ProxyPlace]) -> None:
        """Listen for these nodes. Raises: AccessError, when a port is in use; then for none."""
        try:
            for place in places:
                await self.add(place)
        except AccessError:
            await self.close()
            raise

    async def add(self, place: ProxyPlace) -> None:
        """Listen for one node more. Raises: AccessError."""
        try:
            server = await self.clock.create_server(
                lambda: Session(self, place).client, place.host, place.proxy_port, backlog=BACKLOG
            )
        except OSError as error:
            raise AccessError(
                f"{place.host}:{place.proxy_port}: expected a free port for the proxy of"
                f" {place.name}, found it in use or refused: {error.strerror or error}"
            ) from error
        self._places[place.name] = place
        self._servers[place.name] = server
        if place.id is not None:
            self.learn(place.id, place.name)
        self._apply()

    async def remove(self, name: str) -> None:
        """Listen for a node no more, close what leads to it, and take its links' faults off."""
        server = self._servers.pop(name, None)
        self._places.pop(name, None)
        for session in [each for each in self.sessions if each.here == name]:
            session.hang_up(is_reset=True)
        if server:
            server.close()
            await server.wait_closed()
        for link in [each for each in self._faults if name in (each.source, each.target)]:
            del self._faults[link]
        self._apply()

    def learn(self, member_id: int, name: str) -> None:
        """The node of that name calls itself so. What it has dialled before is closed once, so
        that it dials again and is known."""
        self._names[member_id] = name
        for session in [each for each in self.sessions if member_id in each.strangers]:
            session.hang_up()

    def set_fault(self, link: Link, fault: LinkFault) -> None:
        """Put a fault on a link, in place of the one before; `WELL` takes it off."""
        self.set_faults({link: fault})

    def set_faults(self, faults: Mapping[Link, LinkFault]) -> None:
        """Put faults on links, all at one moment; links that are not named stay as they are.

        Raises: UsageError, for a node that is not there.
        """
        for link in faults:
            for name in (link.source, link.target):
                if name not in self._places and name != STRANGER and link not in self._faults:
                    raise UsageError(f"{link}: no node {name!r} behind this proxy")
        self._faults.update(faults)
        self._faults = {link: each for link, each in self._faults.items() if not each.is_none}
        self._apply()

    def faults(self) -> dict[Link, LinkFault]:
        """What is on, in order of links."""
        return dict(sorted(self._faults.items()))

    def counters(self) -> dict[Link, Counters]:
        """What each link did so far, in order of links."""
        return {link: state.counters for link, state in sorted(self._states.items())}

    async def close(self) -> None:
        """Listen no more, and close every connection."""
        for server in self._servers.values():
            server.close()
        for session in list(self.sessions):
            session.hang_up(is_reset=True)
        while self.sessions:
            self._is_empty.clear()
            await self._is_empty.wait()
        for server in self._servers.values():
            await server.wait_closed()
        self._servers.clear()
        for state in self._states.values():
            state.close()

    def talk(self, session: Session) -> Talk:
        """What is expected on a new connection."""
        return PeerTalk(session) if self._engine is Engine.WALCTL else RaftHttpTalk(session)

    def name_of(self, member_id: int) -> str:
        """The node with that id, `STRANGER` where nobody knows."""
        return self._names.get(member_id, STRANGER)

    def state(self, link: Link) -> LinkState:
        """A link, made when it is first asked for."""
        found = self._states.get(link)
        if found is None:
            found = LinkState(link, clock=self.clock, draw=self._draw, tell=self._tell)
            found.put(self._fault_of(link))
            self._states[link] = found
        return found

    def began(self, session: Session) -> None:
        """A connection was taken."""
        self.sessions.add(session)

    def ended(self, session: Session) -> None:
        """Both sockets of a session are gone."""
        self.sessions.discard(session)
        if not self.sessions:
            self._is_empty.set()

    def _fault_of(self, link: Link) -> LinkFault:
        """The fault of a link. Strangers are of no node: what cuts a node off cuts them off."""
        if STRANGER not in (link.source, link.target) or link in self._faults:
            return self._faults.get(link, WELL)
        others = [name for name in self._places if name not in (link.source, link.target)]
        alike = [
            Link(name, link.target) if link.source == STRANGER else Link(link.source, name)
            for name in others
        ]
        found = [self._faults.get(each, WELL) for each in alike]
        if not found or not all(each.is_cut for each in found):
            return WELL
        return LinkFault(is_cut=True, is_reset=all(each.is_reset for each in found))

    def _apply(self) -> None:
        """Let links have the faults that they should have."""
        changed: list[LinkState] = []
        for link, state in self._states.items():
            fault = self._fault_of(link)
            if state.fault != fault:
                state.put(fault)
                changed.append(state)
        for state in changed:
            for session in list(self.sessions):
                session.refresh(state)

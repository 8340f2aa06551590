"""The TCP proxy between the members of a lab: where links of real processes break.

One port is listened at for each node, and whoever wants that node dials there. Who calls is told by
what it says first (`proxy_talk`, `proxy_rafthttp`), so every connection belongs to links by name.
The member behind is dialled with the first bytes that get through, and not before: on a link that
is cut a new connection is taken, and stays silent.

    caller ── _Side ── Session ── _Side ── member      two sockets and what is said on them
                         │ a talk, and its pipes (`shaping`)
                       Proxy: listeners, a `LinkState` for each link

What a cut means for connections:

    a frame or message that is understood    is dropped whole, and the stream goes on after the heal
    anything else that it took               the connection stays silent, and is closed on heal
    the end of a connection                  the other side is not told before the heal
    with reset                               connections are closed at once, with a TCP reset

Bytes of a link that is well go from one socket to the other as they come. A socket that takes no
more stops the reading of the one before it, so memory does not follow what passes.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from formats.errors import FormatError
from walctl.cluster.faults import WELL, Link, LinkFault
from walctl.cluster.lab import HOST, Engine
from walctl.cluster.proxy_rafthttp import RaftHttpTalk
from walctl.cluster.proxy_talk import STRANGER, PeerTalk, RawTalk, Talk
from walctl.cluster.shaping import Counters, Hooks, LinkState, Manner, Pipe
from walctl.errors import AccessError, UsageError

WRITE_BYTES_HIGH: Final = 256 << 10
"""What waits in a socket's buffer before the other side is not read any more."""
BACKLOG: Final = 128
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""A socket that is closed with this sends a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node as the proxy knows it: dialled at `proxy_port`, behind which it has `peer_port`.

    `id` is what it calls itself to its peers, `None` while nobody knows (`Proxy.learn`).
    """

    name: str
    proxy_port: int
    peer_port: int
    id: int | None = None


class _Side(asyncio.Protocol):
    """One of the two sockets of a session, and why it is not read just now."""

    def __init__(self, session: "_Session", take: Callable[[bytes], None]) -> None:
        self._session = session
        self._take = take
        self._holds: set[str] = set()
        self.transport: asyncio.Transport | None = None
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold the socket."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_BYTES_HIGH)
        if self._holds:
            transport.pause_reading()
        self._session.opened(self)

    def data_received(self, data: bytes) -> None:
        """Give bytes to the talk."""
        try:
            self._take(data)
        except FormatError:
            self._session.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self.is_lost = True
        self._session.lost()

    def pause_writing(self) -> None:
        """The socket takes no more."""
        self._session.other(self).hold("writing", True)

    def resume_writing(self) -> None:
        """The socket takes more again."""
        self._session.other(self).hold("writing", False)

    def hold(self, why: str, is_held: bool) -> None:
        """Do not read from the socket, or go on when there is no other reason not to."""
        was_held = bool(self._holds)
        (self._holds.add if is_held else self._holds.discard)(why)
        if self.transport is None or self.is_lost or was_held == bool(self._holds):
            return
        if self._holds:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Write, unless the socket is gone."""
        if self.transport is not None and not self.is_lost:
            self.transport.write(data)

    def close(self, *, is_reset: bool) -> None:
        """Close the socket: what was written still goes, but with a reset."""
        if self.transport is None or self.is_lost:
            return
        if is_reset:
            held: socket.socket = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self.transport.abort()
        else:
            self.transport.close()


class _Session:
    """One connection that was taken, and the one to the member behind; a `proxy_talk.Wire`."""

    def __init__(self, proxy: "Proxy", place: Place) -> None:
        self._proxy = proxy
        self._place = place
        self._pipes: list[Pipe] = []
        self.client = _Side(self, self._from_client)
        self.target = _Side(self, self._from_target)
        self._dialling: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self.strangers: set[int] = set()
        self._is_over = False
        self._is_finishing = False
        self._talk: Talk = proxy.talk(self)

    @property
    def here(self) -> str:
        """The node that was dialled."""
        return self._place.name

    def name_of(self, member_id: int) -> str:
        """The node with that id."""
        name = self._proxy.name_of(member_id)
        if name == STRANGER:
            self.strangers.add(member_id)
        return name

    def link(self, source: str, target: str) -> LinkState:
        """A link by its nodes' names."""
        return self._proxy.state(Link(source, target))

    def pipe(
        self,
        state: LinkState,
        sink: Callable[[bytes], None],
        manner: Manner,
        *,
        on_pass: Callable[[], None] | None = None,
        on_loss: Callable[[], None] | None = None,
    ) -> Pipe:
        """A pipe that is told when its link's fault changes."""
        # Sinks that are not the target's own method (chunks of a stream) lead to the client.
        source = self.client if sink == self.to_target else self.target
        why = f"pipe {len(self._pipes)}"
        hooks = Hooks(
            on_pass=on_pass or _nothing,
            on_loss=on_loss or self.hang_up,
            on_full=lambda: source.hold(why, True),
            on_room=lambda: source.hold(why, False),
            on_idle=self._settle,
        )
        made = Pipe(state, sink, clock=self._proxy.clock, hooks=hooks, manner=manner)
        self._pipes.append(made)
        if state.fault.is_reset:
            self.hang_up(is_reset=True)
        return made

    def to_client(self, data: bytes) -> None:
        """Send to whoever dialled."""
        self.client.send(data)

    def to_target(self, data: bytes) -> None:
        """Send to the member, which is dialled with the first bytes."""
        if self.target.transport is not None:
            self.target.send(data)
        elif not self._is_over:
            self._unsent.append(data)
            if self._dialling is None:
                self.client.hold("dialling", True)
                self._dialling = self._proxy.clock.create_task(self._dial())

    def hold_client(self, is_held: bool) -> None:
        """Read no more from whoever dialled, or go on."""
        self.client.hold("talk", is_held)

    def give_up(self, data: bytes) -> None:
        """Nothing was passed on yet, and nothing will be understood."""
        self._talk = RawTalk(self)
        self._talk.from_client(data)

    def finish(self) -> None:
        """Close once nothing waits and no cut forbids it."""
        self._is_finishing = True
        self._settle()

    def hang_up(self, *, is_reset: bool = False) -> None:
        """Close both ends now."""
        self._is_over = True
        for pipe in self._pipes:
            pipe.close()
        if self._dialling:
            self._dialling.cancel()
        self._unsent.clear()
        self.client.close(is_reset=is_reset)
        self.target.close(is_reset=is_reset)

    def opened(self, side: _Side) -> None:
        """A socket is there."""
        if self._is_over:
            side.close(is_reset=False)
        elif side is self.client:
            self._proxy.sessions.add(self)
        else:
            for data in self._unsent:
                side.send(data)
            self._unsent.clear()
            self.client.hold("dialling", False)

    def lost(self) -> None:
        """A socket is gone."""
        is_gone = self.client.is_lost and (self.target.is_lost or self.target.transport is None)
        if is_gone:
            self.hang_up()
            self._proxy.ended(self)
        else:
            self._settle()

    def other(self, side: _Side) -> _Side:
        """The other socket."""
        return self.target if side is self.client else self.client

    def refresh(self, changed: LinkState) -> None:
        """The fault of a link has changed."""
        mine = [pipe for pipe in self._pipes if pipe.state is changed]
        if self._is_over or not mine:
            return
        if changed.fault.is_reset:
            self.hang_up(is_reset=True)
            return
        for pipe in mine:
            pipe.refresh()
        if not changed.is_cut and any(pipe.is_spoiled for pipe in mine):
            self.hang_up()
        else:
            self._talk.refresh()
            self._settle()

    def _settle(self) -> None:
        """Close what is left of a connection that ended, once the other side may know."""
        is_ending = self._is_finishing or self.client.is_lost or self.target.is_lost
        if not is_ending or self._is_over:
            return
        if all(pipe.is_idle and not pipe.state.is_cut for pipe in self._pipes):
            self.hang_up()

    def _from_client(self, data: bytes) -> None:
        self._talk.from_client(data)

    def _from_target(self, data: bytes) -> None:
        self._talk.from_target(data)

    async def _dial(self) -> None:
        port = self._place.peer_port
        try:
            await self._proxy.clock.create_connection(lambda: self.target, HOST, port)
        except OSError:
            self.hang_up()


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
        self._places: dict[str, Place] = {}
        self._names: dict[int, str] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._states: dict[Link, LinkState] = {}
        self._faults: dict[Link, LinkFault] = {}
        self._is_empty = asyncio.Event()
        self.sessions: set[_Session] = set()
        self.clock = asyncio.get_running_loop()

    async def start(self, places: Iterable[Place]) -> None:
        """Listen for these nodes. Raises: AccessError, when a port is in use; then for none."""
        try:
            for place in places:
                await self.add(place)
        except AccessError:
            await self.close()
            raise

    async def add(self, place: Place) -> None:
        """Listen for one node more. Raises: AccessError."""
        try:
            server = await self.clock.create_server(
                lambda: _Session(self, place).client, HOST, place.proxy_port, backlog=BACKLOG
            )
        except OSError as error:
            raise AccessError(
                f"{HOST}:{place.proxy_port}: expected a free port for the proxy of {place.name},"
                f" found it in use or refused: {error.strerror or error}"
            ) from error
        self._places[place.name] = place
        self._servers[place.name] = server
        if place.id is not None:
            self.learn(place.id, place.name)
        self._apply()

    async def remove(self, name: str) -> None:
        """Listen for a node no more, and close what leads to it."""
        server = self._servers.pop(name, None)
        self._places.pop(name, None)
        if server:
            server.close()
            await server.wait_closed()
        for session in [each for each in self.sessions if each.here == name]:
            session.hang_up()
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

    def talk(self, session: _Session) -> Talk:
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

    def ended(self, session: _Session) -> None:
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


def _nothing() -> None:
    pass

"""One connection through the proxy: its two sockets, when they are dialled, held, and closed.

The member is dialled with the first bytes that get through. A socket that takes no more, or a pipe
in which too much waits, stops the reading of the one before it. The end of one socket is the end of
the other once nothing waits in between, and once no link of the connection is cut: under a cut
nobody is told.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from formats.errors import FormatError
from walctl.cluster.copying.addresses import parsed
from walctl.cluster.faults import Link
from walctl.cluster.lab import HOST, Node
from walctl.cluster.proxy_links import LinkState
from walctl.cluster.proxy_talk import STRANGER, RawTalk, Talk
from walctl.cluster.shaping import Hooks, Manner, Pipe

WRITE_BYTES_HIGH: Final = 256 << 10
"""What waits in a socket's buffer before the other side is not read any more."""
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""A socket that is closed with this sends a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlace:
    """A node as the proxy knows it: dialled at `host` and `proxy_port`, behind which it has
    `peer_port` on the loopback device.

    `id` is what it calls itself to its peers, `None` while nobody knows (`Proxy.learn`).
    """

    name: str
    proxy_port: int
    peer_port: int
    id: int | None = None
    host: str = HOST

    @classmethod
    def of(cls, node: Node) -> "ProxyPlace":
        """A node of a lab."""
        told = None if node.peer_url is None else parsed(node.peer_url)
        return cls(
            name=node.name,
            proxy_port=node.proxy_port,
            peer_port=node.peer_port,
            id=node.id,
            host=HOST if told is None else told.host,
        )


class Side(asyncio.Protocol):
    """One of the two sockets of a session, and why it is not read just now."""

    def __init__(self, session: "Session", take: Callable[[bytes], None]) -> None:
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
        if self.transport is not None and not self.transport.is_closing():
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


class Owner(Protocol):
    """Who has all sessions, and knows links and names."""

    @property
    def clock(self) -> asyncio.AbstractEventLoop:
        """The loop that all of it runs on."""

    def talk(self, session: "Session") -> Talk:
        """What is expected on a new connection."""

    def name_of(self, member_id: int) -> str:
        """The node with that id, `STRANGER` where nobody knows."""

    def state(self, link: Link) -> LinkState:
        """A link."""

    def began(self, session: "Session") -> None:
        """A connection was taken."""

    def ended(self, session: "Session") -> None:
        """Both sockets of a session are gone."""


class Session:
    """One connection that was taken, and the one to the member behind; a `proxy_talk.Wire`."""

    def __init__(self, owner: Owner, place: ProxyPlace) -> None:
        self._owner = owner
        self._place = place
        self._pipes: list[Pipe] = []
        self.client = Side(self, self._from_client)
        self.target = Side(self, self._from_target)
        self._dialling: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self.strangers: set[int] = set()
        self._is_over = False
        self._is_finishing = False
        self._talk: Talk = owner.talk(self)

    @property
    def here(self) -> str:
        """The node that was dialled."""
        return self._place.name

    def name_of(self, member_id: int) -> str:
        """The node with that id."""
        name = self._owner.name_of(member_id)
        if name == STRANGER:
            self.strangers.add(member_id)
        return name

    def link(self, source: str, target: str) -> LinkState:
        """A link by its nodes' names."""
        return self._owner.state(Link(source, target))

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
        made = Pipe(state, sink, clock=self._owner.clock, hooks=hooks, manner=manner)
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
                self._dialling = self._owner.clock.create_task(self._dial())

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

    def opened(self, side: Side) -> None:
        """A socket is there."""
        if self._is_over:
            side.close(is_reset=False)
        elif side is self.client:
            self._owner.began(self)
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
            self._owner.ended(self)
        else:
            self._settle()

    def other(self, side: Side) -> Side:
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
            await self._owner.clock.create_connection(lambda: self.target, HOST, port)
        except OSError:
            self.hang_up()


def _nothing() -> None:
    pass

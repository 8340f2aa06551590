"""What two members say on one connection through the proxy, as far as faults need it; no sockets.

A talk gets the bytes of both ends and hands them on through pipes (`shaping`), one for each stream
of messages, and by the `Wire` that holds the sockets. Here are the talk of walctl's own members,
whose stream is one direction of a link, and that of whatever is not understood (TLS, a stranger):
bytes, which can be cut, delayed and slowed down, but not lost by the message. etcd's is in
`proxy_rafthttp`.
"""

from collections.abc import Callable
from typing import Final, Protocol

from formats.errors import FormatError
from formats.peer import HELLO_BYTES, MAGIC, Purpose, parse_hello
from walctl.cluster.proxy_frames import walctl_borders
from walctl.cluster.proxy_links import LinkState
from walctl.cluster.shaping import Manner, Pipe

STRANGER: Final = "?"
"""Stands for a caller that did not say who it is."""


class Wire(Protocol):
    """The two sockets of a connection, and the links that it may be of."""

    @property
    def here(self) -> str:
        """The node that was dialled."""

    def name_of(self, member_id: int) -> str:
        """The node with that id, `STRANGER` where nobody knows."""

    def link(self, source: str, target: str) -> LinkState:
        """A link by its nodes' names."""

    def pipe(
        self,
        state: LinkState,
        sink: Callable[[bytes], None],
        manner: Manner,
        *,
        on_pass: Callable[[], None] | None = None,
        on_loss: Callable[[], None] | None = None,
    ) -> Pipe:
        """A pipe that is told when its link's fault changes. By default a loss hangs up."""

    def to_client(self, data: bytes) -> None:
        """Send to whoever dialled; nothing happens when it is gone."""

    def to_target(self, data: bytes) -> None:
        """Send to the member; it is dialled with the first bytes, and not before."""

    def hold_client(self, is_held: bool) -> None:
        """Read no more from whoever dialled, or go on."""

    def give_up(self, data: bytes) -> None:
        """What was said so far, from the first byte on, is not understood: pass on bytes."""

    def finish(self) -> None:
        """Close both ends, once nothing waits in a pipe and no cut keeps it silent."""

    def hang_up(self) -> None:
        """Close both ends now."""


class Talk(Protocol):
    """Both directions of one connection."""

    def from_client(self, data: bytes) -> None:
        """Bytes of whoever dialled. Raises: FormatError, when the connection must end."""

    def from_target(self, data: bytes) -> None:
        """Bytes of the member that was dialled. Raises: FormatError, as before."""

    def refresh(self) -> None:
        """Faults have changed; pipes were told before."""


class RawTalk:
    """Bytes that nobody here understands."""

    def __init__(self, wire: Wire, source: str = STRANGER) -> None:
        there, back = wire.link(source, wire.here), wire.link(wire.here, source)
        self._there = wire.pipe(there, wire.to_target, Manner.BYTES)
        self._back = wire.pipe(back, wire.to_client, Manner.BYTES)

    def from_client(self, data: bytes) -> None:
        """Pass them on."""
        self._there.push(data, begins=True, ends=True)

    def from_target(self, data: bytes) -> None:
        """Pass them on."""
        self._back.push(data, begins=True, ends=True)

    def refresh(self) -> None:
        """Pipes know all that there is."""


class PeerTalk:
    """A stream of walctl's members (`formats.peer`): a hello, and then frames to the target alone.

    While the link is cut the hello is kept, so that the target does not learn of the stream.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._head = b""
        self._hello = b""
        self._borders = walctl_borders()
        self._pipe: Pipe | None = None

    def from_client(self, data: bytes) -> None:
        """Hello and frames."""
        if self._pipe is not None:
            self._pipe.feed(data, self._borders)
            return
        self._head += data
        if not MAGIC.startswith(self._head[: len(MAGIC)]):
            self._wire.give_up(self._head)
        elif len(self._head) >= HELLO_BYTES:
            self._begin(self._head[:HELLO_BYTES], self._head[HELLO_BYTES:])

    def from_target(self, data: bytes) -> None:
        """A member says nothing on a stream to it; if it does, that is passed on."""
        self._wire.to_client(data)

    def refresh(self) -> None:
        """A link that is whole again gets the hello."""
        self._greet()

    def _begin(self, hello: bytes, rest: bytes) -> None:
        try:
            said = parse_hello(hello)
        except FormatError:
            self._wire.give_up(hello + rest)
            return
        wire = self._wire
        state = wire.link(wire.name_of(said.source), wire.here)
        is_free = said.purpose is Purpose.MESSAGES
        manner = Manner.MESSAGES if is_free else Manner.SEQUENCE
        self._hello = hello
        self._pipe = wire.pipe(state, wire.to_target, manner, on_pass=self._greet)
        self._greet()
        if rest:
            self._pipe.feed(rest, self._borders)

    def _greet(self) -> None:
        if self._hello and self._pipe and not self._pipe.state.is_cut:
            hello, self._hello = self._hello, b""
            self._wire.to_target(hello)

"""Messages between the nodes of a lab: `formats.peer` on TCP, a stream for each direction.

A node dials every peer that it has something to say to, and listens for those that speak to it.
What is said in one turn of the loop goes out as one write, for all groups together. Nothing is kept
for a peer that does not answer: Raft says it again, and is told that the peer is not reached.

A snapshot has a stream of its own, so that heartbeats pass it. The peer answers every piece, so a
slow link is told from one that is dead, and delivered is what the peer said that it has.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import crc32c

from formats.errors import FormatError, WireError
from formats.peer import (
    ACKNOWLEDGED,
    HELLO_BYTES,
    LENGTH_BYTES,
    PIECE_BYTES,
    Frame,
    FrameKind,
    Hello,
    Purpose,
    build_frame,
    build_hello,
    frame_bytes,
    parse_frame,
    parse_hello,
)
from formats.raftpb import MessageType
from walctl.cluster.messages import message_bytes, parse_message
from walctl.errors import ClusterError
from walctl.raft.types import Message

Address = tuple[str, int]

UNSENT_BYTES_MAX: Final = 32 << 20
"""What may wait for a peer that does not read; more is not said at all."""
UNDIALLED_COUNT_MAX: Final = 1_000
"""Messages that may wait for a connection that is being made."""
REDIAL_SECONDS: Final = 0.1
DIAL_SECONDS: Final = 2.0
STALL_SECONDS: Final = 20.0
"""A snapshot of which nothing arrives for so long has failed."""
PIECES_ON_WAY_MAX: Final = 16
"""Frames of a snapshot that are sent before the first one is answered."""
_CRC_BYTES: Final = 4
_SIZE_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the transport tells a node: by group, from or about a peer."""

    receive: Callable[[str, Message], None]
    unreachable: Callable[[str, int], None]
    snapshot: Callable[[str, int, bool], None]


class Transport:
    """See the module. `peers` are addresses by id; they may change at any time."""

    def __init__(self, own: int, hooks: Hooks) -> None:
        self.own = own
        self.hooks = hooks
        self.peers: dict[int, Address] = {}
        self._lines: dict[int, _Line] = {}
        self._server: asyncio.Server | None = None
        self._incoming: set[asyncio.BaseTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def listen(self, address: Address) -> None:
        """Take what peers send. Raises: ClusterError, when the port is in use."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Incoming(self), *address)
        except OSError as error:
            raise ClusterError(
                f"{address[0]}:{address[1]}: no listening for peers here: {error.strerror}"
            ) from error

    def set_peers(self, peers: Mapping[int, Address]) -> None:
        """From now on these are there, and nobody else is spoken to."""
        self.peers = dict(peers)
        for node in [each for each in self._lines if each not in self.peers]:
            self._lines.pop(node).close()

    def send(self, group: str, messages: Sequence[Message]) -> None:
        """Send them, or lose them."""
        for message in messages:
            target = message.target
            if target not in self.peers:
                self.hooks.unreachable(group, target)
            elif message.type is MessageType.SNAP:
                self._spawn(self._send_snapshot(group, message, self.peers[target]))
            else:
                frame = build_frame(Frame(FrameKind.MESSAGE, group, message_bytes(message)))
                self._line(target).send(group, frame)

    async def close(self) -> None:
        """Stop listening, and let all connections go."""
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._lines.values():
            line.close()
        for connection in list(self._incoming):
            connection.close()
        if self._server is not None:
            await self._server.wait_closed()

    def _line(self, target: int) -> "_Line":
        if target not in self._lines:
            self._lines[target] = _Line(self, target)
        return self._lines[target]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_snapshot(self, group: str, message: Message, address: Address) -> None:
        is_done = False
        try:
            await self._stream_snapshot(group, message, address)
            is_done = True
        except (OSError, TimeoutError, EOFError):
            pass  # Raft is told, and tries again
        finally:
            self.hooks.snapshot(group, message.target, is_done)

    async def _stream_snapshot(self, group: str, message: Message, address: Address) -> None:
        """Raises: OSError, TimeoutError, EOFError."""
        async with asyncio.timeout(DIAL_SECONDS):
            reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(build_hello(Hello(self.own, message.target, Purpose.SNAPSHOT)))
            on_way = 0
            for frame in _snapshot_frames(group, message):
                writer.write(frame)
                on_way += 1
                if on_way > PIECES_ON_WAY_MAX:
                    on_way -= await _acknowledged(reader)
            while on_way:
                on_way -= await _acknowledged(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _acknowledged(reader: asyncio.StreamReader) -> int:
    """How many frames more the peer has now. Raises: TimeoutError, EOFError, OSError."""
    async with asyncio.timeout(STALL_SECONDS):
        data = await reader.read(PIECES_ON_WAY_MAX)
    if not data:
        raise EOFError("the peer went away")
    return len(data)


def _snapshot_frames(group: str, message: Message) -> Iterator[bytes]:
    """What carries a snapshot, in order."""
    snapshot = message.snapshot
    assert snapshot is not None, "a message of this type has one"
    data = memoryview(snapshot.data or b"")
    size = len(data).to_bytes(_SIZE_BYTES, "big")
    head = message_bytes(replace(message, snapshot=replace(snapshot, data=None)))
    yield build_frame(Frame(FrameKind.SNAPSHOT_BEGIN, group, size + head))
    for start in range(0, len(data), PIECE_BYTES):
        piece = bytes(data[start : start + PIECE_BYTES])
        yield build_frame(Frame(FrameKind.SNAPSHOT_PIECE, group, piece))
    crc = crc32c.crc32c(data).to_bytes(_CRC_BYTES, "big")
    yield build_frame(Frame(FrameKind.SNAPSHOT_END, group, crc))


class _Line(asyncio.Protocol):
    """What is said to one peer: dialled when there is something to say, and again when it broke."""

    def __init__(self, owner: Transport, target: int) -> None:
        self._owner = owner
        self._target = target
        self._pending: list[bytes] = []
        self._groups: set[str] = set()
        self._connection: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._is_closed = False

    def send(self, group: str, frame: bytes) -> None:
        """Say it in this turn of the loop, or never."""
        if self._connection is None:
            self._groups.add(group)
            if self._dialling is None:
                self._dialling = self._owner._spawn(self._dial())
            if len(self._pending) < UNDIALLED_COUNT_MAX:
                self._pending.append(frame)
            return
        if self._connection.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._owner.hooks.unreachable(group, self._target)
            return
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(frame)

    def close(self) -> None:
        """Say nothing any more."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.abort()
        if self._dialling is not None:
            self._dialling.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer went, or the link broke."""
        self._connection = None
        self._pending.clear()

    def _flush(self) -> None:
        if self._connection is not None and self._pending:
            self._connection.write(b"".join(self._pending))
        self._pending.clear()

    async def _dial(self) -> None:
        """Try once; whoever has something to say next tries again, not too soon."""
        loop = asyncio.get_running_loop()
        try:
            address = self._owner.peers[self._target]
            async with asyncio.timeout(DIAL_SECONDS):
                connection, _ = await loop.create_connection(lambda: self, *address)
        except (OSError, TimeoutError, KeyError):
            self._pending.clear()
            for group in self._groups:
                self._owner.hooks.unreachable(group, self._target)
            await asyncio.sleep(REDIAL_SECONDS)
        else:
            connection.write(build_hello(Hello(self._owner.own, self._target)))
            self._connection = connection
            self._flush()
            if self._is_closed:
                connection.abort()
        finally:
            self._groups.clear()
            self._dialling = None


class _Incoming(asyncio.Protocol):
    """One stream from a peer. What does not parse ends it: the peer dials again."""

    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self._connection: asyncio.Transport | None = None
        self._rest = bytearray()
        self._hello: Hello | None = None
        self._snapshot: _Arriving | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody dialled."""
        assert isinstance(transport, asyncio.Transport)
        self._connection = transport
        if self._owner._is_closed:  # it was accepted just before the end
            transport.abort()
            return
        self._owner._incoming.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if self._connection is not None:
            self._owner._incoming.discard(self._connection)

    def data_received(self, data: bytes) -> None:
        """Take the whole frames that are there."""
        self._rest += data
        try:
            position = self._take()
        except FormatError:
            assert self._connection is not None, "it was made"
            self._connection.abort()
            return
        del self._rest[:position]

    def _take(self) -> int:
        """Raises: FormatError."""
        position = 0
        with memoryview(self._rest) as rest:
            if self._hello is None:
                if len(rest) < HELLO_BYTES:
                    return 0
                self._hello = parse_hello(rest[:HELLO_BYTES])
                if self._hello.target != self._owner.own:
                    raise WireError("meant for another node", offset=0)
                position = HELLO_BYTES
            while len(rest) - position >= LENGTH_BYTES:
                size = frame_bytes(rest[position : position + LENGTH_BYTES])
                if len(rest) - position < size:
                    break
                self._hear(parse_frame(rest[position : position + size]))
                position += size
        return position

    def _hear(self, frame: Frame) -> None:
        """Raises: FormatError."""
        if frame.kind is FrameKind.MESSAGE:
            self._owner.hooks.receive(frame.group, parse_message(frame.body))
            return
        assert self._connection is not None, "it was made"
        if frame.kind is FrameKind.SNAPSHOT_BEGIN:
            size = int.from_bytes(frame.body[:_SIZE_BYTES], "big")
            self._snapshot = _Arriving(parse_message(frame.body[_SIZE_BYTES:]), size)
        elif self._snapshot is None:
            raise WireError("a piece of no snapshot", offset=0)
        elif frame.kind is FrameKind.SNAPSHOT_PIECE:
            self._snapshot.add(frame.body)
        else:
            message = self._snapshot.whole(frame.body)
            self._snapshot = None
            self._owner.hooks.receive(frame.group, message)
        self._connection.write(ACKNOWLEDGED)


class _Arriving:
    """A snapshot on its way in."""

    def __init__(self, message: Message, size: int) -> None:
        if message.snapshot is None:
            raise WireError("a snapshot's message without one", offset=0)
        self._message = message
        self._size = size
        self._data = bytearray()

    def add(self, piece: bytes) -> None:
        """The next piece. Raises: WireError."""
        self._data += piece
        if len(self._data) > self._size:
            raise WireError("a snapshot that is longer than was said", offset=0)

    def whole(self, crc: bytes) -> Message:
        """The message, with all its data. Raises: WireError."""
        found = crc32c.crc32c(self._data).to_bytes(_CRC_BYTES, "big")
        if len(self._data) != self._size or found != crc:
            raise WireError("a snapshot of which a part is missing", offset=0)
        assert self._message.snapshot is not None, "it was looked at"
        snapshot = replace(self._message.snapshot, data=bytes(self._data))
        return replace(self._message, snapshot=snapshot)

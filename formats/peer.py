"""What the members of a lab say to each other: one stream of frames for each direction of a link.

    hello       "walctl-peer/1\\n" (14 bytes) | purpose u8 | zero u8 | source u64 | target u64
    frame       length u32 | kind u8 | group length u8 | group | body

All numbers are big-endian; `length` counts what follows it. Whoever dials says hello, and then
frames flow from source to target alone: a stream is one direction of a link. `purpose` is 0 for
messages and 1 for a stream that carries one snapshot, so that a large one delays no heartbeat.

    kind 0      a message: body is a `raftpb.Message`, whole
    kind 1      a snapshot begins: body is a message whose snapshot has no data, behind the data's
                size as u64
    kind 2      a piece of its data, in order
    kind 3      its end: body is the CRC-32C of the data as u32

On a stream with a snapshot the target answers each frame with one byte, 06, once it has it; so the
sender knows how far it came, and that all of it is there. A snapshot of which a piece is missing
ends the stream: the sender begins anew.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

from formats.errors import LimitError, TruncatedError, WireError

MAGIC: Final = b"walctl-peer/1\n"
_HELLO = struct.Struct(">14sBBQQ")
_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">BB")

HELLO_BYTES: Final = _HELLO.size
LENGTH_BYTES: Final = _LENGTH.size
FRAME_BYTES_MAX: Final = 64 << 20
"""The longest frame that is read: more than a message may have, by far."""
PIECE_BYTES: Final = 1 << 16
"""How much of a snapshot one frame carries."""
ACKNOWLEDGED: Final = b"\x06"
"""What answers a frame on a stream with a snapshot."""
GROUP_BYTES_MAX: Final = 255


class Purpose(enum.IntEnum):
    """What a stream is for."""

    MESSAGES = 0
    SNAPSHOT = 1


class FrameKind(enum.IntEnum):
    """What a frame carries."""

    MESSAGE = 0
    SNAPSHOT_BEGIN = 1
    SNAPSHOT_PIECE = 2
    SNAPSHOT_END = 3


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks to whom on a stream, by Raft's ids."""

    source: int
    target: int
    purpose: Purpose = Purpose.MESSAGES


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `group` is the name of the Raft group that it is for."""

    kind: FrameKind
    group: str
    body: bytes


def build_hello(hello: Hello) -> bytes:
    """What a stream begins with."""
    return _HELLO.pack(MAGIC, hello.purpose, 0, hello.source, hello.target)


def parse_hello(data: bytes | memoryview) -> Hello:
    """The hello at the start of `data`. Raises: TruncatedError, WireError."""
    if len(data) < HELLO_BYTES:
        raise TruncatedError("unexpected EOF")
    magic, purpose, zero, source, target = _HELLO.unpack_from(data)
    if magic != MAGIC or zero or purpose not in Purpose.__members__.values():
        raise WireError("no hello of a lab's member", offset=0)
    return Hello(source, target, Purpose(purpose))


def build_frame(frame: Frame) -> bytes:
    """The bytes of a frame. Raises: LimitError."""
    group = frame.group.encode()
    size = _HEAD.size + len(group) + len(frame.body)
    if len(group) > GROUP_BYTES_MAX or size > FRAME_BYTES_MAX:
        raise LimitError(f"a frame of {size} bytes for group {frame.group!r} is too long")
    return b"".join((_LENGTH.pack(size), _HEAD.pack(frame.kind, len(group)), group, frame.body))


def frame_bytes(data: bytes | memoryview) -> int:
    """How many bytes the frame at the start of `data` takes, its length field included.

    Raises: TruncatedError, with less than a length field; LimitError, for one that is too long.
    """
    if len(data) < LENGTH_BYTES:
        raise TruncatedError("unexpected EOF")
    size: int = _LENGTH.unpack_from(data)[0]
    if size > FRAME_BYTES_MAX:
        raise LimitError(f"{size} bytes are more than a frame may have")
    return LENGTH_BYTES + size


def parse_frame(data: bytes | memoryview) -> Frame:
    """A frame, which must be all of `data`, length field included. Raises: FormatError."""
    if frame_bytes(data) != len(data):
        raise WireError("the length is not that of the frame", offset=0)
    body = bytes(data[LENGTH_BYTES:])
    if len(body) < _HEAD.size:
        raise WireError("a frame without a head", offset=LENGTH_BYTES)
    kind, group_bytes = _HEAD.unpack_from(body)
    start = _HEAD.size + group_bytes
    if kind not in FrameKind.__members__.values() or start > len(body):
        raise WireError("no frame of a lab's member", offset=LENGTH_BYTES)
    try:
        group = body[_HEAD.size : start].decode()
    except UnicodeDecodeError as error:
        raise WireError("the group's name is no UTF-8", offset=LENGTH_BYTES) from error
    return Frame(FrameKind(kind), group, body[start:])

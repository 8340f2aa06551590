"""Where messages end in the streams between members: what a proxy has to know, and no more.

A stream is fed in whatever pieces it arrives; `ends` says behind which bytes of a piece a message
ends. Nothing is copied or kept but a length field that is not whole yet, however long a message is.

    walctl      length u32 | that many bytes                          (`formats.peer`)
    message     length u64 | a raftpb.Message                         (etcd's rafthttp)
    msgapp      0 | nothing: a heartbeat of the link
                1 | count u64 | count times (length u64 | an entry) | commit u64
                2 | length u64 | a raftpb.Message

All numbers are big-endian. The streams of etcd lie in HTTP's chunks (`Chunks`), whose borders mean
nothing: a chunk may hold several messages or a part of one.

Source: etcd 3.5 server/etcdserver/api/rafthttp, message and msgappv2 codecs as described in their
documentation and seen on the wire; RFC 9112, section 7.1.
"""

import enum
import re
from typing import Final, Protocol

from formats.errors import LimitError, WireError
from formats.peer import FRAME_BYTES_MAX

ETCD_MESSAGE_BYTES_MAX: Final = 512 << 20
"""The longest message that etcd's own reader takes."""
CHUNK_LINE_BYTES_MAX: Final = 4096
TRAILER_BYTES_MAX: Final = 16 << 10

_COMMIT_BYTES: Final = 8
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,15}")


class Borders(Protocol):
    """Finds the ends of messages in one stream. Raises: FormatError, for what is no such stream."""

    @property
    def is_inside(self) -> bool:
        """Whether a message has begun that has not ended yet."""

    def ends(self, data: bytes) -> list[int]:
        """The positions in `data`, ascending, behind which a message ends."""


class LengthBorders:
    """Messages behind a length field: the streams of walctl, and etcd's `message`."""

    def __init__(self, *, field_bytes: int, bytes_max: int) -> None:
        self._field_bytes = field_bytes
        self._bytes_max = bytes_max
        self._field = b""
        self._lack = 0

    @property
    def is_inside(self) -> bool:
        """Whether a message has begun that has not ended yet."""
        return bool(self._lack or self._field)

    def ends(self, data: bytes) -> list[int]:
        """The positions in `data` behind which a message ends."""
        found: list[int] = []
        size, at = len(data), 0
        if self._lack:
            if self._lack > size:
                self._lack -= size
                return found
            at, self._lack = self._lack, 0
            found.append(at)
        while True:
            need = self._field_bytes - len(self._field)
            if size - at < need:
                self._field += data[at:]
                return found
            length = int.from_bytes(self._field + data[at : at + need], "big")
            if length > self._bytes_max:
                raise LimitError(
                    f"a message of {length} bytes is longer than any may be", offset=at
                )
            self._field = b""
            at += need + length
            if at > size:
                self._lack = at - size
                return found
            found.append(at)


class _Phase(enum.Enum):
    """Which field of a `msgapp` message comes next."""

    TYPE = enum.auto()
    COUNT = enum.auto()
    ENTRY = enum.auto()
    WHOLE = enum.auto()


class MsgAppBorders:
    """The messages of etcd's `msgapp` stream."""

    def __init__(self) -> None:
        self._phase = _Phase.TYPE
        self._field = b""
        self._skip = 0
        self._entries = 0

    @property
    def is_inside(self) -> bool:
        """Whether a message has begun that has not ended yet."""
        return self._phase is not _Phase.TYPE or self._skip > 0

    def ends(self, data: bytes) -> list[int]:
        """The positions in `data` behind which a message ends."""
        found: list[int] = []
        size, at = len(data), 0
        while at < size:
            if self._skip:
                step = min(self._skip, size - at)
                self._skip -= step
                at += step
            else:
                width = 1 if self._phase is _Phase.TYPE else 8
                part = data[at : at + width - len(self._field)]
                at += len(part)
                self._field += part
                if len(self._field) < width:
                    return found
                value, self._field = int.from_bytes(self._field, "big"), b""
                self._read(value, at)
            if not self.is_inside:
                found.append(at)
        return found

    def _read(self, value: int, at: int) -> None:
        """Go on behind a field: to the next one, or over bytes that no one looks at."""
        match self._phase:
            case _Phase.TYPE if value <= 2:
                self._phase = (_Phase.TYPE, _Phase.COUNT, _Phase.WHOLE)[value]
            case _Phase.COUNT:
                self._entries = value
                self._phase = _Phase.ENTRY
                if not value:
                    self._skip, self._phase = _COMMIT_BYTES, _Phase.TYPE
            case (_Phase.ENTRY | _Phase.WHOLE) as phase if value <= ETCD_MESSAGE_BYTES_MAX:
                self._skip = value
                self._entries -= phase is _Phase.ENTRY
                if phase is _Phase.WHOLE:
                    self._phase = _Phase.TYPE
                elif not self._entries:
                    self._skip, self._phase = value + _COMMIT_BYTES, _Phase.TYPE
            case phase:
                raise WireError(f"{value} is no {phase.name.lower()} of msgapp", offset=at)


class Chunks:
    """The body of an HTTP message in chunks: what is in them, and its end.

    `ending` are the bytes that end the body, with whatever trailers it has, once it ended.
    """

    def __init__(self) -> None:
        self._line = b""
        self._data = 0  # bytes of the chunk that are to come, with its line end
        self._is_last = False
        self.ending = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The payload, and what follows the body, which is `None` while it goes on."""
        payload: list[bytes] = []
        at = 0
        while at < len(data):
            if self._data:
                part = data[at : at + self._data]
                at += len(part)
                # The two bytes of the chunk's line end are no payload.
                payload.append(part[: max(self._data - 2, 0)])
                self._data -= len(part)
                continue
            line, at = self._take_line(data, at)
            if line is None:
                break
            if not self._is_last:
                self._begin(line)
            elif line == b"\r\n":
                self.ending += line
                return b"".join(payload), data[at:]
            else:
                self.ending += line
                if len(self.ending) > TRAILER_BYTES_MAX:
                    raise LimitError("trailers are longer than any may be", offset=at)
        return b"".join(payload), None

    def _take_line(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """The line that ends next, `None` while it has no end; and the position behind it."""
        stop = data.find(b"\n", at) + 1 or len(data)
        self._line += data[at:stop]
        if len(self._line) > CHUNK_LINE_BYTES_MAX:
            raise LimitError("a chunk's line is longer than any may be", offset=at)
        if not self._line.endswith(b"\n"):
            return None, stop
        line, self._line = self._line, b""
        return line, stop

    def _begin(self, line: bytes) -> None:
        size = line.partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise WireError("no size of a chunk")
        length = int(size, 16)
        if length:
            self._data = length + 2
        else:
            self._is_last, self.ending = True, line


def chunk(payload: bytes) -> bytes:
    """One chunk of an HTTP body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def walctl_borders() -> LengthBorders:
    """Of a stream of `formats.peer`, behind its hello."""
    return LengthBorders(field_bytes=4, bytes_max=FRAME_BYTES_MAX)


def etcd_borders(stream: str) -> Borders | None:
    """Of a stream of etcd by its name in the path; `None` for one that is not known."""
    match stream:
        case "message":
            return LengthBorders(field_bytes=8, bytes_max=ETCD_MESSAGE_BYTES_MAX)
        case "msgapp":
            return MsgAppBorders()
        case _:
            return None

"""What etcd's members say to each other through the proxy: HTTP/1.1, and Raft's messages in it.

Which link an exchange is of is told by what it carries, not by who dialled. With i calling j:

    POST /raft                      i->j   one message; an answer without a message comes back
    POST /raft/snapshot             i->j   a snapshot, as bytes
    GET /raft/stream/message|msgapp j->i   messages, in the body of the answer
    anything else                   i->j the request, j->i the answer, as bytes

A cut takes what its link carries. A request for a stream waits until the stream's link is whole,
since the caller asks again anyway. A POST that a cut took gets no answer, and its connection is
closed on heal. One that is lost by chance is answered as if it had been taken, because that is what
the loss of a message is; of one that is doubled the second answer is kept back. `msgapp` counts on
each message before, so the loss of one closes the stream.

The caller is whom `X-Server-From` names, in this request or an earlier one of the connection;
etcd's probes and questions for the version do not say. Bodies of streams are taken out of their
chunks and put into chunks of our own, so that the border of a message may become one of a chunk.
A request with a body that is not looked into is made the last one of its connection.

Source: etcd 3.5.1 on the wire; RFC 9112.
"""

import enum
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from formats.errors import LimitError, WireError
from walctl.cluster.proxy_frames import ETCD_MESSAGE_BYTES_MAX, Borders, Chunks, chunk, etcd_borders
from walctl.cluster.proxy_links import LinkState
from walctl.cluster.proxy_talk import STRANGER, Wire
from walctl.cluster.shaping import Manner, Pipe

HEAD_BYTES_MAX: Final = 64 << 10
EARLY_BYTES_MAX: Final = 64 << 10
"""What a caller may send before the answer to its last request has come."""
TAKEN: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
"""What etcd answers to a message that Raft took."""

_END: Final = b"\r\n\r\n"
_METHOD: Final = re.compile(rb"[A-Z]+")
_METHOD_BYTES_MAX: Final = 16
_MEMBER_ID: Final = re.compile(r"[0-9a-f]{1,16}")
_REQUEST: Final = re.compile(r"([A-Z]+) (\S+) HTTP/1\.[01]")
_STATUS: Final = re.compile(r"HTTP/1\.[01] ([0-9]{3})\b.*")
_STREAM: Final = "/raft/stream/"
_NO_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request or an answer; names of fields in small letters."""

    data: bytes
    first: str
    fields: dict[str, str]

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.fields.get("transfer-encoding", "").lower() == "chunked"

    @property
    def length(self) -> int | None:
        """How long the body is, where that is said. Raises: WireError."""
        text = self.fields.get("content-length")
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise WireError(f"{text!r} is no length of a body")
        return int(text)


class _Kind(enum.Enum):
    MESSAGE = enum.auto()
    STREAM = enum.auto()
    SNAPSHOT = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class _Awaited:
    """An answer that is to come. `is_shown`: the caller is to see it. `pipe`: what it, or the
    stream in it, goes through; `None` where nothing can happen to it."""

    kind: _Kind
    method: str
    is_shown: bool = True
    pipe: Pipe | None = None
    borders: Borders | None = None


class RaftHttpTalk:
    """One connection between two members of etcd."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._caller = STRANGER
        self._pipes: dict[tuple[LinkState, _Kind], Pipe] = {}
        self._is_first = True
        # What came of the next request, and how much of this one's body is to come.
        self._early = b""
        self._lack = 0
        self._message: Pipe | None = None
        self._copies = 0
        self._splice: Pipe | None = None
        self._held: tuple[LinkState, bytes] | None = None
        self._is_busy = False
        self._awaited: deque[_Awaited] = deque()
        self._answers = _Answers(wire, self._awaited, self._answered)

    def from_client(self, data: bytes) -> None:
        """Requests."""
        if self._splice:
            self._splice.push(data, begins=True, ends=True)
            return
        if self._lack and self._message:
            part, data = data[: self._lack], data[self._lack :]
            self._lack -= len(part)
            self._message.push(part, begins=False, ends=not self._lack)
        self._early += data
        self._next()

    def from_target(self, data: bytes) -> None:
        """Answers."""
        self._answers.feed(data)

    def refresh(self) -> None:
        """A request that waits for its link goes once that is whole."""
        if self._held and not self._held[0].is_cut:
            (_, data), self._held = self._held, None
            self._wire.to_target(data)

    def _next(self) -> None:
        """Begin with the next request, once the one before is over and its head is whole."""
        while self._early and not self._is_busy:
            if self._is_first and not _may_be_request(self._early):
                self._wire.give_up(self._early)
                return
            stop = self._early.find(_END) + len(_END)
            if stop < len(_END):
                if len(self._early) > HEAD_BYTES_MAX:
                    raise LimitError("the head of a request is longer than any may be")
                return
            head, self._early = parse_head(self._early[:stop]), self._early[stop:]
            self._is_first = False
            self._begin(head)
        if len(self._early) > EARLY_BYTES_MAX:
            self._wire.hold_client(True)

    def _begin(self, head: Head) -> None:
        found = _REQUEST.fullmatch(head.first)
        if found is None:
            raise WireError(f"{head.first!r} is no request")
        method, path = found[1], found[2]
        self._name_caller(head)
        self._is_busy = True
        has_body = head.is_chunked or bool(head.length)
        if method == "POST" and path == "/raft" and not head.is_chunked:
            self._begin_message(head)
        elif method == "GET" and path.startswith(_STREAM) and not has_body:
            self._begin_stream(head, path.removeprefix(_STREAM).partition("/")[0])
        else:
            self._begin_other(head, method, path, has_body=has_body)

    def _name_caller(self, head: Head) -> None:
        said = head.fields.get("x-server-from", "")
        if _MEMBER_ID.fullmatch(said):
            self._caller = self._wire.name_of(int(said, 16))

    def _begin_message(self, head: Head) -> None:
        length = head.length or 0
        if length > ETCD_MESSAGE_BYTES_MAX:
            raise LimitError(f"a message of {length} bytes is longer than any may be")
        there = self._wire.link(self._caller, self._wire.here)
        self._message = self._pipe(there, _Kind.MESSAGE)
        body, self._early = self._early[:length], self._early[length:]
        self._lack, self._copies = length - len(body), 0
        self._message.push(head.data + body, begins=True, ends=not self._lack)

    def _passes(self) -> None:
        """A copy of a message goes to the target: one answer is the caller's."""
        self._awaited.append(_Awaited(_Kind.MESSAGE, "POST", is_shown=self._copies == 0))
        self._copies += 1

    def _lost(self) -> None:
        """A message is lost: for the caller it was taken."""
        self._wire.to_client(TAKEN)
        self._is_busy = False

    def _begin_stream(self, head: Head, stream: str) -> None:
        back = self._wire.link(self._wire.here, self._caller)
        borders = etcd_borders(stream)
        manner = Manner.MESSAGES if stream == "message" else Manner.SEQUENCE
        pipe = self._wire.pipe(
            back,
            lambda data: self._wire.to_client(chunk(data)),
            manner if borders else Manner.BYTES,
        )
        self._awaited.append(_Awaited(_Kind.STREAM, "GET", pipe=pipe, borders=borders))
        self._held = (back, head.data)
        self.refresh()

    def _begin_other(self, head: Head, method: str, path: str, *, has_body: bool) -> None:
        there = self._wire.link(self._caller, self._wire.here)
        back = self._wire.link(self._wire.here, self._caller)
        kind = _Kind.SNAPSHOT if path == "/raft/snapshot" else _Kind.OTHER
        answer = None if kind is _Kind.SNAPSHOT else self._pipe(back, kind)
        self._awaited.append(_Awaited(kind, method, pipe=answer))
        request, data = self._pipe(there, _Kind.SNAPSHOT), head.data
        if has_body:
            self._splice = request
            data = data.removesuffix(_END) + b"\r\nConnection: close" + _END + self._early
            self._early = b""
        request.push(data, begins=True, ends=True)

    def _pipe(self, state: LinkState, kind: _Kind) -> Pipe:
        """The pipe of this connection for requests (`SNAPSHOT`), answers or messages of a link."""
        if (state, kind) not in self._pipes:
            wire = self._wire
            if kind is _Kind.MESSAGE:
                pipe = wire.pipe(
                    state,
                    wire.to_target,
                    Manner.REQUESTS,
                    on_pass=self._passes,
                    on_loss=self._lost,
                )
            else:
                sink = wire.to_client if kind is _Kind.OTHER else wire.to_target
                pipe = wire.pipe(state, sink, Manner.BYTES)
            self._pipes[state, kind] = pipe
        return self._pipes[state, kind]

    def _answered(self) -> None:
        """The caller has its answer, and may ask again."""
        self._is_busy = False
        self._wire.hold_client(False)
        self._next()


class _Answers:
    """The answers of one connection, one after another."""

    def __init__(
        self, wire: Wire, awaited: deque[_Awaited], on_answered: Callable[[], None]
    ) -> None:
        self._wire = wire
        self._awaited = awaited
        self._on_answered = on_answered
        self._head = b""
        self._chunks: Chunks | None = None
        self._is_stream = False
        self._lack: int | None = 0
        self._is_in_body = False

    def feed(self, data: bytes) -> None:
        """Take bytes of the target."""
        while data:
            if not self._is_in_body:
                data = self._feed_head(data)
            elif self._chunks:
                data = self._feed_chunks(self._chunks, data)
            elif self._lack is None:
                self._show(data)
                return
            else:
                part, data = data[: self._lack], data[self._lack :]
                self._lack -= len(part)
                self._show(part)
                if not self._lack:
                    self._end()

    def _feed_head(self, data: bytes) -> bytes:
        """Take bytes of an answer's head; what is behind it."""
        self._head += data
        stop = self._head.find(_END) + len(_END)
        if stop < len(_END):
            if len(self._head) > HEAD_BYTES_MAX:
                raise LimitError("the head of an answer is longer than any may be")
            return b""
        head, rest = parse_head(self._head[:stop]), self._head[stop:]
        self._head = b""
        found = _STATUS.fullmatch(head.first)
        if found is None or not self._awaited:
            raise WireError(f"{head.first!r} is no answer to a request")
        self._show(head.data)
        if int(found[1]) >= 200:
            self._begin_body(head, status=int(found[1]))
        return rest

    def _begin_body(self, head: Head, *, status: int) -> None:
        awaited = self._awaited[0]
        self._is_in_body = True
        self._lack = head.length
        self._chunks = Chunks() if head.is_chunked else None
        self._is_stream = awaited.kind is _Kind.STREAM and status == 200 and head.is_chunked
        is_empty = awaited.method == "HEAD" or status in _NO_BODY
        if is_empty or (self._chunks is None and self._lack == 0):
            self._end()

    def _feed_chunks(self, chunks: Chunks, data: bytes) -> bytes:
        """Take bytes of a body in chunks; what is behind it."""
        payload, rest = chunks.feed(data)
        pipe, borders = self._awaited[0].pipe, self._awaited[0].borders
        if not payload:
            pass  # and an empty chunk would end the body
        elif not self._is_stream or pipe is None:
            self._show(chunk(payload))
        elif borders:
            pipe.feed(payload, borders)
        else:
            pipe.push(payload, begins=True, ends=True)
        if rest is None:
            return b""
        if self._is_stream and pipe and not (pipe.is_clear and pipe.is_idle):
            self._wire.finish()  # its last messages are on their way, and its end waits for them
            return b""
        self._show(chunks.ending)
        self._end()
        return rest

    def _show(self, data: bytes) -> None:
        awaited = self._awaited[0]
        if not awaited.is_shown or not data:
            return
        if awaited.kind is _Kind.OTHER and awaited.pipe:
            awaited.pipe.push(data, begins=True, ends=True)
        else:
            self._wire.to_client(data)

    def _end(self) -> None:
        self._is_in_body = False
        self._chunks = None
        if self._awaited.popleft().is_shown:
            self._on_answered()


def parse_head(data: bytes) -> Head:
    """The head at whose end `data` ends. Raises: WireError."""
    first, *lines = data.removesuffix(_END).decode("latin-1").split("\r\n")
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise WireError(f"{line[:80]!r} is no field of a head")
        fields[name.strip().lower()] = value.strip()
    return Head(data, first, fields)


def _may_be_request(data: bytes) -> bool:
    """Whether a request may begin like this."""
    method = data[:_METHOD_BYTES_MAX].partition(b" ")[0]
    is_whole = b" " in data[:_METHOD_BYTES_MAX] or len(data) < _METHOD_BYTES_MAX
    return is_whole and _METHOD.fullmatch(method) is not None

"""Rows as JSON lines, from templates where a record is usual: the bytes `json.dumps` would give."""

import json
from binascii import b2a_base64
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from walctl.inspect.document import bytes_fields, row_document
from walctl.inspect.row import Row
from walctl.payload.base import Privacy, Redaction
from walctl.render.piece_lines import PutFields

if TYPE_CHECKING:  # it needs every declaration of etcd's requests
    from walctl.render.request_json import RequestJson

_COMMON = (
    b'"v":1,"kind":"record","type":"%b","segment":%b,"offset":%%d,"length":%%d,'
    b'"crc":%%d,"crc_computed":%%d,"check":"verified",'
)
_ENTRY = (
    _COMMON + b'"term":%%d,"index":%%d,"entry_type":"normal","size":%%d,"data":"%%b",'
    b'"status":"%%b","request":%%b}\n'
)
_REQUEST = b'"request":%b'
_PUT = (
    b'"request":{"decoder":"etcd","type":"put","id":"%x","header":{"ID":"%x"},'
    b'"put":{"key":%b,"value":%b%b}}'
)
_STATE = _COMMON + b'"term":%%d,"vote":"%%x","commit":%%d}\n'

PLAIN = bytes(sorted({*range(0x20, 0x7F)} - {ord('"'), ord("\\")}))
"""ASCII that is printable and that JSON does not escape."""

encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class JsonLines:
    """One JSON object a row, ASCII only: a `Form`.

    With several logs each row says in front of all which `path` it is of. `object_root`: see
    `RequestJson`, which is only made when a request comes that is no plain put.
    """

    def __init__(
        self,
        redaction: Redaction,
        *,
        path: Path | None = None,
        object_root: bytes | None = None,
    ) -> None:
        self._redaction = redaction
        self._path = None if path is None else str(path)
        self._object_root = object_root
        self._hides_values = redaction.hides(Privacy.VALUE)
        self._entry_line = self._put_line = self._state_line = b""

    def begin(self, segment: str) -> None:
        """What comes next is of this segment."""
        name = encode(segment).encode("ascii").replace(b"%", b"%%")
        head = b"{"
        if self._path is not None:
            head += b'"path":' + encode(self._path).encode("ascii").replace(b"%", b"%%") + b","
        self._entry_line = head + _ENTRY % (b"entry", name)
        self._put_line = self._entry_line.replace(_REQUEST, _PUT)
        self._state_line = head + _STATE % (b"state", name)

    def put(
        self,
        offset: int,
        length: int,
        crc: int,
        term: int,
        index: int,
        payload: bytes,
        fields: PutFields,
        status: str,
    ) -> bytes | None:
        """The line of a put. Its payload has a newline in it, as the tag of the key: no text."""
        if self._hides_values:
            return None
        key, value, lease, request_id = fields
        return self._put_line % (
            offset,
            length,
            crc,
            crc,
            term,
            index,
            len(payload),
            b2a_base64(payload, newline=False),
            status.encode("ascii"),
            request_id,
            request_id,
            blob(key),
            blob(value),
            b',"lease":"%x"' % lease if lease else b"",
        )

    def request(
        self,
        offset: int,
        length: int,
        crc: int,
        term: int,
        index: int,
        payload: bytes,
        status: str,
    ) -> bytes | None:
        """The line of another request of etcd. It has a header, whose tag is no printable text."""
        text = self._requests.text(payload)
        if text is None:
            return None
        data = b2a_base64(payload, newline=False)
        where = (offset, length, crc, crc, term, index)
        return self._entry_line % (*where, len(payload), data, status.encode("ascii"), text)

    @cached_property
    def _requests(self) -> "RequestJson":
        from walctl.render.request_json import RequestJson

        return RequestJson(self._redaction, object_root=self._object_root)

    def state(
        self, offset: int, length: int, crc: int, term: int, vote: int, commit: int
    ) -> bytes | None:
        """The line of a hard state."""
        return self._state_line % (offset, length, crc, crc, term, vote, commit)

    def row(self, row: Row) -> bytes:
        """The line of any row, by its document."""
        document = row_document(row, self._redaction)
        if self._path is not None:
            document = {"path": self._path, **document}
        return encode(document).encode("ascii") + b"\n"


def blob(data: bytes) -> bytes:
    """A bytes field: base64, and the text where it is printable."""
    if not data.translate(None, PLAIN):
        return b'{"data":"%b","text":"%b"}' % (b2a_base64(data, newline=False), data)
    return encode(dict(bytes_fields(data))).encode("ascii")

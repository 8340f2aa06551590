"""The decoder of raftexample's entries: every proposal stores one pair.

Members of a lab of ours also delete and swap, by payloads that no raftexample writes
(`formats.kvpb`).

Source: raftexample notes 4; see `formats.gob`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from formats.errors import FormatError
from formats.gob import parse_pair
from formats.kvpb import KvRequest, Op, is_marked, parse_request
from walctl.model.record import EntryKind
from walctl.payload.base import (
    Blob,
    KeyRange,
    Node,
    Privacy,
    Request,
    key_blob,
    payload_error,
    value_blob,
)
from walctl.payload.confchange import decode_conf_change

PUT: Final = "put"
DELETE: Final = "delete"
SWAP: Final = "cas"

_ABSENT: Final = "nothing"
"""What stands for a key that is not there."""


@dataclass(frozen=True, slots=True)
class RaftexampleDecoder:
    """Reads what raftexample's members log."""

    name: str = "raftexample"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The request in the payload of an entry of this kind; `None` for a kind of nobody's.

        A raftexample dies of a payload that does not parse, at every start. Raises: PayloadError.
        """
        if kind is EntryKind.UNKNOWN:
            return None
        if kind is not EntryKind.NORMAL:
            return decode_conf_change(payload, kind)
        try:
            if is_marked(payload):
                return self._ours(parse_request(payload))
            pair = parse_pair(payload)
        except FormatError as error:
            raise payload_error(error) from None
        key, value = key_blob(pair.key), value_blob(pair.value)
        words = (f"{PUT} ", key, " = ", value)
        return self._request(PUT, pair.key, {"key": key, "value": value}, words)

    def _ours(self, found: KvRequest) -> Request:
        """A delete or a swap."""
        key = found.key or b""
        shown = key_blob(key)
        if found.op == Op.DELETE:
            return self._request(DELETE, key, {"key": shown}, (f"{DELETE} ", shown))
        sides = {"expected": found.expected, "value": found.value}
        told = {name: value_blob(side) for name, side in sides.items() if side is not None}
        expected, value = (told.get(name, _ABSENT) for name in sides)
        words = (f"{SWAP} ", shown, ": ", expected, " -> ", value)
        return self._request(SWAP, key, {"key": shown, **told}, words)

    def _request(
        self, name: str, key: bytes, fields: Mapping[str, Node], words: tuple[str | Blob, ...]
    ) -> Request:
        return Request(
            decoder=self.name,
            type=name,
            body={name: fields},
            words=words,
            keys=(KeyRange(key),),
            unsaid=Privacy.VALUE,  # fields of other names are passed over, and ones given twice
        )

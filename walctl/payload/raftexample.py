"""The decoder of raftexample's entries: every proposal stores one pair.

Source: raftexample notes 4; see `formats.gob`.
"""

from dataclasses import dataclass
from typing import Final

from formats.errors import FormatError
from formats.gob import parse_pair
from walctl.model.record import EntryKind
from walctl.payload.base import (
    KeyRange,
    Privacy,
    Request,
    key_blob,
    payload_error,
    value_blob,
)
from walctl.payload.confchange import decode_conf_change

PUT: Final = "put"


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
            pair = parse_pair(payload)
        except FormatError as error:
            raise payload_error(error) from None
        key, value = key_blob(pair.key), value_blob(pair.value)
        return Request(
            decoder=self.name,
            type=PUT,
            body={PUT: {"key": key, "value": value}},
            words=(f"{PUT} ", key, " = ", value),
            keys=(KeyRange(pair.key),),
            unsaid=Privacy.VALUE,  # fields of other names are passed over
        )

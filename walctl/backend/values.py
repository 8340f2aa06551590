"""What single values of etcd's buckets mean: revisions, ids, members, memberships; no tree here.

Every parser raises `ValueError`, and nothing else, for bytes that do not fit; its words are the
evidence, the caller adds the place.

Source: etcd-data-dir notes 8.2-8.4; the JSON keys as seen in databases of etcd 3.4.23 and 3.5.1.
"""

import json
import re
from dataclasses import dataclass

from formats.limits import DB_JSON_BYTES_MAX
from walctl.model.member import Member
from walctl.model.record import ConfState

_U64_BYTES = 8
_U64_MASK = (1 << 64) - 1
_I64_MAX = (1 << 63) - 1
_REVISION_BYTES = 17
_TOMBSTONE = b"t"
_HEX_ID = re.compile(rb"[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True, order=True)
class Revision:
    """A revision of the key space: `main` counts transactions, `sub` the changes inside one."""

    main: int
    sub: int


def parse_revision(data: bytes) -> Revision:
    """The revision that a key of bucket `key` begins with; a tombstone's final `t` is taken.

        8 bytes main, big-endian   5f   8 bytes sub, big-endian   [74: a tombstone]

    Raises: ValueError.
    """
    is_sized = len(data) == _REVISION_BYTES or (
        len(data) == _REVISION_BYTES + 1 and data.endswith(_TOMBSTONE)
    )
    if not is_sized:
        raise ValueError(f"expected a revision of {_REVISION_BYTES} bytes, found {len(data)}")
    main = int.from_bytes(data[:8], "big")
    sub = int.from_bytes(data[9:17], "big")
    if data[8:9] != b"_" or main > _I64_MAX or sub > _I64_MAX:
        raise ValueError(f"expected a revision, found {data.hex()}")
    return Revision(main, sub)


def parse_u64(data: bytes) -> int:
    """Eight bytes, big-endian.

    Raises: ValueError.
    """
    if len(data) != _U64_BYTES:
        raise ValueError(f"expected {_U64_BYTES} bytes, found {len(data)}")
    return int.from_bytes(data, "big")


def parse_text(data: bytes) -> str:
    """UTF-8 text.

    Raises: ValueError.
    """
    return data.decode()


def _hex_id(key: bytes) -> int:
    if _HEX_ID.fullmatch(key) is None:
        raise ValueError("expected a member id in lower-case hex digits as the key")
    return int(key, 16)


def parse_removed(key: bytes, value: bytes) -> int:
    """The member id of a row of `members_removed`; its value says nothing.

    Raises: ValueError.
    """
    return _hex_id(key)


def parse_member(key: bytes, value: bytes) -> Member:
    """A row of `members`.

    Raises: ValueError.
    """
    found = _object(value)
    member = Member(
        id=_id(found.get("id", 0)),
        name=_string(found.get("name", "")),
        peer_urls=_strings(found.get("peerURLs")),
        client_urls=_strings(found.get("clientURLs")),
        is_learner=_flag(found.get("isLearner", False)),
    )
    if member.id != _hex_id(key):
        raise ValueError(f"the key says member {key.decode()}, its value {member.id:x}")
    return member


def parse_conf_state(data: bytes) -> ConfState:
    """The value of `confState`.

    Raises: ValueError.
    """
    found = _object(data)
    return ConfState(
        voters=_ids(found.get("voters")),
        learners=_ids(found.get("learners")),
        voters_outgoing=_ids(found.get("voters_outgoing")),
        learners_next=_ids(found.get("learners_next")),
        auto_leave=_flag(found.get("auto_leave", False)),
    )


def _object(data: bytes) -> dict[str, object]:
    """A JSON object.

    Raises: ValueError.
    """
    if len(data) > DB_JSON_BYTES_MAX:
        raise ValueError(f"{len(data)} bytes of JSON are more than {DB_JSON_BYTES_MAX}")
    try:
        found: object = json.loads(data)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def _id(found: object) -> int:
    # bool is an int to Python, and `true` is no id to Go.
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= _U64_MASK:
        raise ValueError("expected an id, a whole number of 64 bits")
    return found


def _ids(found: object) -> tuple[int, ...]:
    return tuple(_id(each) for each in _list(found))


def _string(found: object) -> str:
    """A JSON string; `null` leaves it empty, as it does in Go."""
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ValueError("expected a JSON string")
    return found


def _strings(found: object) -> tuple[str, ...]:
    return tuple(_string(each) for each in _list(found))


def _list(found: object) -> list[object]:
    """A JSON list; `null` and an absent key are an empty one."""
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError("expected a JSON list")
    return found


def _flag(found: object) -> bool:
    if not isinstance(found, bool):
        raise ValueError("expected true or false")
    return found

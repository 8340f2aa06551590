"""The rows in which a database names the members of its cluster, as etcd writes them.

    members           ID -> {"id": ..., "peerURLs": [...], "isLearner": true?, "name": "..."?,
                             "clientURLs": [...]?}
    members_removed   ID -> removed
    meta/confState    {"voters": [...], "learners": [...]?, ..., "auto_leave": false}, from 3.5 on

ID is a member id in lower-case hex digits without padding. Beside them, in bucket meta, stands up
to where the log has been applied. A forced new cluster writes all of it anew: `CLEARED` says what
is emptied before. The v2 store of a snapshot file names the members too: `walctl.snap.store_build`.

Source: etcd-data-dir notes 8.2-8.4 and 9.9; rows of etcd 3.4.23 and 3.5.1 come back byte for byte.
"""

from collections.abc import Iterable
from typing import Final

from formats import gojson
from formats.memberjson import member_json
from walctl.backend.rebuild import Edit
from walctl.backend.schema import (
    CONF_STATE,
    CONSISTENT_INDEX,
    MEMBERS,
    MEMBERS_REMOVED,
    META,
    TERM,
)
from walctl.model.member import Member
from walctl.model.record import ConfState

CLEARED: Final = (MEMBERS, MEMBERS_REMOVED)
"""The buckets that hold nothing but members; what they held is not to be in a new cluster."""
_REMOVED: Final = b"removed"


def member_rows(members: Iterable[Member], *, removed: Iterable[int] = ()) -> tuple[Edit, ...]:
    """A row for each member, and one for each id that may never come back.

    Raises: FormatError, for a name or URL that is no Unicode text.
    """
    there = (Edit(MEMBERS, _id(each.id), member_json(each)) for each in members)
    gone = (Edit(MEMBERS_REMOVED, _id(each), _REMOVED) for each in removed)
    return (*there, *gone)


def conf_state_row(found: ConfState) -> Edit:
    """Raft's membership, which etcd keeps here from 3.5 on."""
    return Edit(META, CONF_STATE, conf_state_json(found))


def applied_rows(*, index: int, term: int | None) -> tuple[Edit, ...]:
    """That the log has been applied up to `index`, of `term`; `None` leaves the term as it is.

    etcd 3.4 keeps no term: give it none, or the file passes for one of 3.5.
    """
    said = () if term is None else (Edit(META, TERM, _u64(term)),)
    return (Edit(META, CONSISTENT_INDEX, _u64(index)), *said)


def conf_state_json(found: ConfState) -> bytes:
    """The value of `confState`; empty lists are left out."""
    lists = {
        "voters": found.voters,
        "learners": found.learners,
        "voters_outgoing": found.voters_outgoing,
        "learners_next": found.learners_next,
    }
    told: dict[str, object] = {name: list(ids) for name, ids in lists.items() if ids}
    return gojson.build({**told, "auto_leave": found.auto_leave})


def _id(member: int) -> bytes:
    return b"%x" % member


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")

"""A Raft node started on a result before that counts: its invariants asked by Raft itself.

The reading path says that the bytes are whole and the records fit; here the snapshot, the hard
state and every entry behind it are taken up as a member takes them up when it starts.
"""

import re

from walctl.fs.base import FileSystem
from walctl.inspect.verify import Examination
from walctl.model.finding import Verdict
from walctl.raft.types import HardState
from walctl.repair.stated import NUMBER_MAX
from walctl.repair.strict import Part
from walctl.replay.load import Started, start

_HEX_ID = re.compile(r"[0-9a-f]{1,16}")


def first_start(disk: FileSystem, found: Examination) -> Started | None:
    """With what a node starts on what was found; `None` where there is no log, or one that is
    damaged still, because that was asked for.

    Raises: CorruptionError, with what keeps it from starting; AccessError.
    """
    if found.survey.layout.wal_dir is None or found.report.verdict is Verdict.DAMAGED:
        return None
    return start(disk, found.survey)


def started_document(started: Started) -> dict[str, object]:
    """The same for JSON."""
    return {
        "snapshot_index": started.snapshot_index,
        "first_index": started.first_index,
        "last_index": started.last_index,
        "term": started.hard_state.term,
        "vote": f"{started.hard_state.vote:x}",
        "commit": started.hard_state.commit,
    }


def started_of(part: Part) -> Started:
    """What such a document says. Raises: UsageError."""
    inside = part.members("snapshot_index", "first_index", "last_index", "term", "vote", "commit")
    return Started(
        snapshot_index=inside["snapshot_index"].integer(0, NUMBER_MAX),
        first_index=inside["first_index"].integer(0, NUMBER_MAX),
        last_index=inside["last_index"].integer(0, NUMBER_MAX),
        hard_state=HardState(
            term=inside["term"].integer(0, NUMBER_MAX),
            vote=int(inside["vote"].matched(_HEX_ID, "an id in hex digits"), 16),
            commit=inside["commit"].integer(0, NUMBER_MAX),
        ),
    )

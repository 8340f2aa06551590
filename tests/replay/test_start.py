"""A node that is started on a directory says what keeps it from starting."""

from pathlib import Path

import pytest

from tests.wal.builders import ENTRY, STATE, Builder, entry, state
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import CorruptionError
from walctl.fs.memory import MemoryFileSystem
from walctl.raft.types import HardState
from walctl.replay.load import Started, start
from walctl.wal.names import format_name

WAL = Path("/m/wal")


def started(commit: int) -> Started:
    """What starts on three entries and a hard state that commits so many."""
    builder = Builder()
    for index in (1, 2, 3):
        builder.add(ENTRY, entry(index, 1))
    builder.add(STATE, state(1, 1, commit))
    disk = MemoryFileSystem({WAL / format_name(seq=0, index=0): builder.done()})
    return start(disk, survey(disk, understand(disk, WAL)))


def test_it_says_with_what_it_starts() -> None:
    assert started(3) == Started(
        snapshot_index=0,
        first_index=1,
        last_index=3,
        hard_state=HardState(term=1, vote=1, commit=3),
    )


def test_a_commit_that_the_log_does_not_reach_keeps_it_from_starting() -> None:
    words = r"/m/wal: no Raft node starts on it: .*commit 4 is out of range \[0, 3\]"
    with pytest.raises(CorruptionError, match=words):
        started(4)

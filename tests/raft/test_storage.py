"""Raft's storages, in memory and over the log on a disk: what they give, forget, and refuse.

Every rule holds for both; the one on the disk is closed and opened again where a test says so.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.raft.harness import log_of
from walctl.fs.memory import MemoryFileSystem
from walctl.raft.errors import (
    CompactedError,
    RaftPanic,
    SnapshotOutOfDateError,
    UnavailableError,
)
from walctl.raft.sizes import encoding_bytes
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import UNLIMITED, ConfState, Entry, HardState, Snapshot
from walctl.replay.walstorage import WalStorage

WAL, SNAP = Path("/m/wal"), Path("/m/snap")
Kind = MemoryStorage | WalStorage
Make = Callable[..., Kind]


def on_a_disk() -> WalStorage:
    """A new log whose segments are cut often."""
    disk = MemoryFileSystem()
    disk.make_directory(Path("/m"))
    return WalStorage.create(disk, WAL, SNAP, metadata=None, segment_bytes=400)


@pytest.fixture(params=[MemoryStorage, on_a_disk], ids=["memory", "wal"])
def storage(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes a storage of entries of these terms, the first of which is `first`."""
    made: list[Kind] = []

    def make(*terms: int, first: int = 1) -> Kind:
        new: Kind = request.param()
        made.append(new)
        if first > 1:
            conf = ConfState(voters=(1,))
            new.apply_snapshot(Snapshot(index=first - 1, term=1, conf_state=conf))
        entries = log_of(*terms)
        new.append([Entry(e.term, e.index + first - 1, None, e.data) for e in entries])
        return new

    yield make
    for each in made:
        if isinstance(each, WalStorage):
            each.close()


def terms_of(made: Kind) -> list[int]:
    last = made.last_index()
    return [e.term for e in made.entries(made.first_index(), last + 1, UNLIMITED)]


def test_a_new_one_is_empty_and_says_so(storage: Make) -> None:
    made = storage()
    assert (made.first_index(), made.last_index(), made.term(0)) == (1, 0, 0)
    assert made.initial_state()[0].is_empty
    with pytest.raises(UnavailableError):
        made.entries(1, 1, UNLIMITED)


@pytest.mark.parametrize(
    ("index", "error"), [(2, CompactedError), (8, UnavailableError), (100, UnavailableError)]
)
def test_terms_are_known_from_one_before_the_first_entry_to_the_last(
    storage: Make, index: int, error: type[Exception]
) -> None:
    made = storage(1, 2, 3, 4, first=4)
    assert [made.term(each) for each in range(3, 8)] == [1, 1, 2, 3, 4]
    with pytest.raises(error):
        made.term(index)


def test_entries_are_cut_to_the_size_but_never_to_none(storage: Make) -> None:
    made = storage(1, 1, 1)
    size = encoding_bytes(made.entries(1, 2, UNLIMITED)[0])
    assert len(made.entries(1, 4, 0)) == 1
    assert len(made.entries(1, 4, 2 * size)) == 2
    assert len(made.entries(1, 4, 2 * size - 1)) == 1
    assert len(made.entries(1, 4, 3 * size)) == 3


@pytest.mark.parametrize(
    ("index", "terms", "expected"),
    [
        (5, (9,), [1, 1, 1, 9]),
        (3, (9, 9), [1, 9, 9]),
        (2, (7, 7, 7), [7, 7, 7]),
        (1, (8, 8, 8), [8, 8]),
        (1, (8,), [1, 1, 1]),
    ],
)
def test_an_append_takes_the_place_of_all_from_its_first_index_on(
    storage: Make, index: int, terms: tuple[int, ...], expected: list[int]
) -> None:
    made = storage(1, 1, 1, first=2)
    made.append([Entry(term, index + at) for at, term in enumerate(terms)])
    assert terms_of(made) == expected


def test_an_append_that_leaves_a_gap_is_a_broken_invariant(storage: Make) -> None:
    with pytest.raises(RaftPanic, match=r"missing log entry \[last: 3, append at: 5\]"):
        storage(1, 1, 1).append([Entry(1, 5)])


def test_what_was_handed_out_does_not_change(storage: Make) -> None:
    made = storage(1, 1, 1)
    handed = made.entries(1, 4, UNLIMITED)
    made.append([Entry(2, 2)])
    made.compact(1)
    assert [entry.term for entry in handed] == [1, 1, 1]


def test_compaction_keeps_the_last_term_and_all_behind_it(storage: Make) -> None:
    made = storage(1, 2, 3)
    made.compact(2)
    assert (made.first_index(), made.last_index(), made.term(2)) == (3, 3, 2)
    for index in (1, 2):
        with pytest.raises(CompactedError):
            made.compact(index)
    with pytest.raises(RaftPanic):
        made.compact(4)


def test_a_snapshot_replaces_the_log_unless_it_is_older(storage: Make) -> None:
    made = storage(1, 1, first=5)
    with pytest.raises(SnapshotOutOfDateError):
        made.apply_snapshot(Snapshot(index=4, term=1))
    made.apply_snapshot(Snapshot(index=9, term=3))
    assert (made.first_index(), made.last_index(), made.term(9)) == (10, 9, 3)


def test_a_snapshot_of_an_entry_keeps_the_log_and_the_membership_unless_told(storage: Make) -> None:
    made = storage(1, 1, 2, first=2)
    taken = made.create_snapshot(4, None, b"state")
    assert (taken.term, taken.conf_state.voters, taken.data) == (2, (1,), b"state")
    assert made.last_index() == 4
    with pytest.raises(SnapshotOutOfDateError):
        made.create_snapshot(4, None, b"")
    with pytest.raises(RaftPanic):
        made.create_snapshot(5, None, b"")


def test_a_snapshot_below_what_is_compacted_is_a_broken_invariant(storage: Make) -> None:
    made = storage(1, 1, 2, 3, first=2)
    made.compact(4)
    with pytest.raises(RaftPanic, match="compacted up to 4"):
        made.create_snapshot(3, None, b"")
    assert made.create_snapshot(4, None, b"").term == 2


def test_a_save_takes_snapshot_entries_and_hard_state_together(storage: Make) -> None:
    made = storage(1, 1)
    state = HardState(term=3, vote=2, commit=9)
    snapshot = Snapshot(index=9, term=3, conf_state=ConfState(voters=(1, 2)), data=b"nine")
    made.save(state, [Entry(3, 10), Entry(3, 11)], snapshot)
    assert made.initial_state() == (state, snapshot.conf_state)
    assert made.snapshot() == snapshot
    assert (made.first_index(), made.last_index(), terms_of(made)) == (10, 11, [3, 3])

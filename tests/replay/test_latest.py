"""The entries that a log was given last: those of the disk, or none."""

from hypothesis import given
from hypothesis import strategies as st

from formats.raftpb import EntryType
from tests.replay.stored import created, new_disk, typed
from walctl.fs.memory import MemoryFileSystem
from walctl.raft.sizes import limited
from walctl.raft.types import UNLIMITED, Entry, HardState, Snapshot
from walctl.replay.latest import Latest
from walctl.replay.storedlog import StoredLog
from walctl.replay.walstorage import WalStorage

BYTES_MAX = 2_000
DATA = st.one_of(st.none(), st.binary(max_size=90), st.just(b"\xff" * 900), st.just(b"\0" * 1100))
PUTS = st.lists(st.tuples(st.integers(0, 12), st.lists(DATA, min_size=1, max_size=9)), max_size=9)


@given(PUTS)
def test_what_is_given_is_the_end_of_the_log_as_it_was_put_last(
    puts: list[tuple[int, list[bytes | None]]],
) -> None:
    latest, log = Latest(BYTES_MAX), list[Entry]()
    for term, (back, data) in enumerate(puts, start=1):
        first = max(1, len(log) + 1 - back)
        entries = [Entry(term, index, None, each) for index, each in enumerate(data, first)]
        log[first - 1 :] = entries
        latest.put(entries)
        for low in range(1, len(log) + 1):
            found = latest.between(low, len(log) + 1)
            assert found is None or list(found) == list(map(typed, log[low - 1 :]))
        assert latest.between(len(log) + 1, len(log) + 2) is None


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=40))
def test_the_newest_half_of_what_may_be_kept_is_always_there(sizes: list[int]) -> None:
    latest = Latest(BYTES_MAX)
    for index, size in enumerate(sizes, start=1):
        latest.put([Entry(1, index, 0, bytes(size))])
        kept = [at for at in range(1, index + 1) if latest.between(at, index + 1) is not None]
        total = sum(
            len(each.data or b"") for at in kept for each in latest.between(at, at + 1) or ()
        )
        assert total <= BYTES_MAX
        if size <= BYTES_MAX // 4:
            assert index in kept


def test_an_entry_that_was_saved_a_moment_ago_is_not_read_from_the_disk() -> None:
    disk, storage = two_entries()
    reads = disk.reads
    assert storage.entries(1, 3, UNLIMITED) == [Entry(1, 1, 0, b"a"), Entry(1, 2, 0, b"b")]
    assert storage.entries(1, 3, 1) == [Entry(1, 1, 0, b"a")]
    assert disk.reads == reads
    assert list(StoredLog.read(storage, 1, 3)) == storage.entries(1, 3, UNLIMITED)
    assert disk.reads > reads


def test_the_type_of_an_entry_is_the_number_that_the_disk_has() -> None:
    _, storage = two_entries()
    storage.save(None, [Entry(1, 3, EntryType.CONF_CHANGE, b"")])
    (found,) = storage.entries(3, 4, UNLIMITED)
    assert type(found.type) is int
    assert [found] == list(StoredLog.read(storage, 3, 4))
    assert repr(found) == repr(next(StoredLog.read(storage, 3, 4)))


def test_a_leaders_snapshot_leaves_nothing_of_what_was_there() -> None:
    _, storage = two_entries()
    storage.save(HardState(term=2, commit=2), (), Snapshot(index=2, term=2))
    storage.save(None, [Entry(2, 3, 0, b"c")])
    assert storage.first_index() == 3
    assert storage.entries(3, 4, UNLIMITED) == [Entry(2, 3, 0, b"c")]


@given(st.integers(0, 200))
def test_a_bound_cuts_what_is_kept_as_it_cuts_what_is_read(bytes_max: int) -> None:
    _, storage = two_entries()
    storage.save(None, [Entry(1, index, 0, bytes(index)) for index in range(3, 9)])
    read = list(StoredLog.read(storage, 1, 9))
    assert storage.entries(1, 9, bytes_max) == limited(read, bytes_max)
    assert StoredLog.entries(storage, 1, 9, bytes_max) == limited(read, bytes_max)


def two_entries() -> tuple[MemoryFileSystem, WalStorage]:
    """A log that holds two entries, one without a type."""
    disk = new_disk()
    storage = created(disk)
    storage.save(HardState(term=1, vote=1), [Entry(1, 1, None, b"a"), Entry(1, 2, 0, b"b")])
    return disk, storage

"""Raft's storage over its own log: it is the one in memory, and it is still there afterwards."""

import contextlib
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.replay.stored import SNAP, WAL, created, everything, new_disk, opened, typed
from walctl.errors import AccessError, RefusedError
from walctl.fs.crash import KEPT, LOST, Crash, Sampled
from walctl.fs.faults import KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import READING, Call
from walctl.raft.sizes import total_bytes
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import UNLIMITED, ConfState, Entry, HardState, Snapshot

VOTERS = ConfState(voters=(1, 2, 3), learners=(4,), auto_leave=True)
CRASHES = st.one_of(st.just(LOST), st.just(KEPT), st.builds(Sampled, st.integers(0, 1 << 32)))
DATA = st.one_of(st.none(), st.binary(max_size=90), st.just(b"\xff" * 300))


OUTCOMES: list[Crash] = [LOST, KEPT, *map(Sampled, range(6))]


def log(first: int, last: int, term: int = 1) -> list[Entry]:
    return [Entry(term, index, 0, b"%d" % index) for index in range(first, last + 1)]


class Stored(RuleBasedStateMachine):
    """One storage on a disk beside one in memory, given the same things as a node would."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = new_disk()
        self.storage = created(self.disk)
        self.memory = MemoryStorage()
        self.state = HardState()
        self.synced = HardState()

    def save(self, entries: list[Entry], snapshot: Snapshot | None = None) -> None:
        must_sync = (self.state.term, self.state.vote) != (self.synced.term, self.synced.vote)
        for each in (self.storage, self.memory):
            each.save(self.state, entries, snapshot)
        if entries or snapshot or must_sync:
            self.synced = self.state

    @initialize()
    def begin(self) -> None:
        self.state = HardState(term=1, vote=1)
        self.save([])

    @rule(back=st.integers(0, 4), data=st.lists(DATA, max_size=8), is_later=st.booleans())
    def append(self, back: int, data: list[bytes | None], is_later: bool) -> None:
        """Entries behind the committed ones, perhaps in the place of others."""
        first = max(self.state.commit + 1, self.memory.last_index() + 1 - back)
        term = self.state.term + is_later
        self.state = HardState(term=term, vote=self.state.vote, commit=self.state.commit)
        self.save([Entry(term, index, 0, each) for index, each in enumerate(data, first)])

    @rule(share=st.floats(0, 1))
    def commit(self, share: float) -> None:
        low, high = self.state.commit, self.memory.last_index()
        commit = low + int((high - low) * share)
        self.state = HardState(term=self.state.term, vote=self.state.vote, commit=commit)
        self.save([])

    @precondition(lambda self: self.state.commit > self.memory.snapshot().index)
    @rule(data=DATA, keeps=st.booleans(), behind=st.integers(0, 3))
    def snapshot(self, data: bytes | None, keeps: bool, behind: int) -> None:
        index = self.state.commit
        conf = None if keeps else VOTERS
        made = [each.create_snapshot(index, conf, data) for each in (self.storage, self.memory)]
        self.synced = self.state
        assert made[0] == made[1]
        if index - behind >= self.memory.first_index():
            for each in (self.storage, self.memory):
                each.compact(index - behind)

    @rule(ahead=st.integers(-3, 9), data=DATA, entries=st.integers(0, 3))
    def install(self, ahead: int, data: bytes | None, entries: int) -> None:
        """A leader of a later term sends what this log does not have."""
        index = max(self.state.commit + 1, self.memory.last_index() + ahead)
        term = self.state.term + 1
        self.state = HardState(term=term, vote=0, commit=index)
        snapshot = Snapshot(index=index, term=term, conf_state=VOTERS, data=data)
        self.save(log(index + 1, index + entries, term), snapshot)

    @rule()
    def restart(self) -> None:
        self.storage.close()
        self.synced = self.state
        self.reload()

    @rule(crash=CRASHES)
    def cut_the_power(self, crash: Crash) -> None:
        self.storage.close()
        self.disk = self.disk.crash(crash)
        self.reload()

    def reload(self) -> None:
        """Start again: what was compacted before the snapshot is not asked for any more."""
        snapshot = self.memory.snapshot()
        behind = [each for each in everything(self.memory) if each.index > snapshot.index]
        self.memory = MemoryStorage()
        self.memory.save(None, behind, None if snapshot.is_empty else snapshot)
        self.storage = opened(self.disk)
        found, _ = self.storage.initial_state()
        assert (found.term, found.vote) == (self.state.term, self.state.vote)
        assert self.synced.commit <= found.commit <= self.state.commit
        self.state = found
        self.memory.set_hard_state(found)

    @invariant()
    def they_are_the_same(self) -> None:
        one, other = self.storage, self.memory
        assert (one.first_index(), one.last_index()) == (other.first_index(), other.last_index())
        assert one.initial_state() == other.initial_state()
        assert one.snapshot() == other.snapshot()
        low, high = one.first_index(), one.last_index() + 1
        assert [one.term(i) for i in range(low - 1, high)] == [
            other.term(i) for i in range(low - 1, high)
        ]
        entries = everything(other)
        assert everything(one) == entries
        if entries:
            room = total_bytes(entries) * 2 // 3
            assert list(one.entries(low, high, room)) == list(other.entries(low, high, room))
            middle = (low + high) // 2
            assert list(one.entries(middle, high, UNLIMITED)) == entries[middle - low :]

    def teardown(self) -> None:
        self.storage.close()


Stored.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAStorageOnADiskIsTheOneInMemory = Stored.TestCase


@pytest.mark.slow
def test_a_storage_on_a_disk_is_the_one_in_memory_ten_thousand_times() -> None:
    many = settings(max_examples=10_000, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(Stored, settings=many)


def saved(disk: MemoryFileSystem) -> None:
    """A node's life: a Ready of everything, snapshots of both kinds, a log that is cut."""
    storage = created(disk)
    storage.save(HardState(term=1, vote=1), log(1, 6))
    storage.save(HardState(term=1, vote=1, commit=6))
    storage.create_snapshot(5, VOTERS, b"five")
    storage.compact(4)
    storage.save(HardState(term=2, commit=6), log(7, 9, 2))
    snapshot = Snapshot(index=8, term=3, conf_state=VOTERS, data=b"eight")
    storage.save(HardState(term=3, commit=8), log(9, 9, 3), snapshot)
    storage.close()


STATES = [
    (HardState(), 0, []),
    (HardState(term=1, vote=1), 0, log(1, 6)),
    (HardState(term=1, vote=1, commit=6), 0, log(1, 6)),
    (HardState(term=1, vote=1, commit=6), 5, log(6, 6)),
    (HardState(term=2, commit=6), 5, [*log(6, 6), *log(7, 9, 2)]),
    (HardState(term=3, commit=8), 8, log(9, 9, 3)),
]
"""What that life is after each of its calls: hard state, snapshot, entries behind it."""


def test_a_node_that_dies_at_any_call_has_all_of_a_ready_or_nothing_that_it_would_miss() -> None:
    """A Save writes its entries before its state: the entries alone may be there, and then the
    node has not promised anything yet."""
    seen = set()
    for number in count():
        disk = new_disk()
        disk.on_call = kill = KillAt(number, frozenset(Call) - READING)
        with contextlib.suppress(Killed):
            saved(disk)
        disk.on_call = None
        disk.end_process()
        for outcome in OUTCOMES:
            after = disk.crash(outcome)
            if not after.exists(WAL):
                continue
            with opened(after) as storage:
                state, _ = storage.initial_state()
                index, entries = storage.snapshot().index, everything(storage)
            reached = [at for at, each in enumerate(STATES) if each[:2] == (state, index)]
            assert reached, (state, index)
            # The next Ready's entries may be there, or its first ones, without its state.
            coming = STATES[max(reached) : max(reached) + 2]
            assert any(entries == each[: len(entries)] for _, _, each in coming), (state, entries)
            assert len(entries) >= len(STATES[min(reached)][2])
            seen.add(max(reached))
        if not kill.is_dead:
            break
    # The commit of state 2 waits for the next sync, which is that of the marker: then it is 3.
    assert seen >= {0, 1, 3, 4, 5}


def test_entries_that_a_snapshot_has_replaced_do_not_come_back() -> None:
    disk = new_disk()
    with created(disk) as storage:
        storage.save(HardState(term=1, vote=1), log(1, 20))
        snapshot = Snapshot(index=15, term=2, conf_state=VOTERS, data=b"x")
        storage.save(HardState(term=2, commit=15), (), snapshot)
        assert (storage.last_index(), storage.term(15)) == (15, 2)
    with opened(disk) as storage:
        assert (storage.first_index(), storage.last_index(), storage.term(15)) == (16, 15, 2)
        storage.append(log(16, 17, 2))
    with opened(disk) as storage:
        assert everything(storage) == log(16, 17, 2)


def test_entries_that_were_overwritten_below_a_snapshot_do_not_come_back() -> None:
    disk = new_disk()
    with created(disk) as storage:
        storage.save(HardState(term=1, vote=1), log(1, 20))
        storage.save(HardState(term=2, commit=15), log(12, 15, 2))
        storage.create_snapshot(15, VOTERS, b"x")
    with opened(disk) as storage:
        assert (storage.first_index(), storage.last_index(), storage.term(15)) == (16, 15, 2)


def test_entries_behind_a_snapshot_of_ones_own_stay() -> None:
    disk = new_disk()
    with created(disk) as storage:
        storage.save(HardState(term=1, vote=1, commit=18), log(1, 20))
        storage.create_snapshot(15, VOTERS, b"x")
        storage.compact(15)
    with opened(disk) as storage:
        assert everything(storage) == log(16, 20)


def test_a_snapshot_that_no_hard_state_commits_is_not_started_from() -> None:
    disk = new_disk()
    with created(disk) as storage:
        storage.save(HardState(term=1, vote=1))
        for index in range(1, 21):
            storage.append(log(index, index))
        held = storage._wal.held_segments
        storage.apply_snapshot(Snapshot(index=30, term=2, conf_state=VOTERS))
        storage.append(log(31, 32, 2))
        storage.compact(31)
        assert storage._wal.held_segments[: len(held)] == held
    with opened(disk) as storage:
        assert everything(storage)[:20] == log(1, 20)


def test_a_snapshot_that_a_save_has_taken_outlives_a_power_cut() -> None:
    """Its commit is all that is new in the hard state, and such a one is written lazily."""
    disk = new_disk()
    storage = created(disk)
    storage.save(HardState(term=2, vote=1, commit=1), log(1, 1, 2))
    snapshot = Snapshot(index=5, term=2, conf_state=VOTERS, data=b"five")
    storage.save(HardState(term=2, vote=1, commit=5), (), snapshot)
    with opened(disk.crash(LOST)) as storage:
        assert storage.snapshot() == snapshot
        assert storage.initial_state()[0].commit == 5


def test_what_is_compacted_and_covered_by_a_snapshot_may_be_purged() -> None:
    disk = new_disk()
    with created(disk) as storage:
        storage.save(HardState(term=1, vote=1, commit=90))
        for index in range(1, 91):
            storage.append(log(index, index))
        held = storage._wal.held_segments
        storage.create_snapshot(80, VOTERS, b"x")
        assert storage._wal.held_segments == held
        storage.compact(40)
        assert everything(storage) == log(41, 90)
        assert 1 < len(storage._wal.held_segments) < len(held)
        for gone in set(held) - set(storage._wal.held_segments):
            disk.remove(WAL / gone)
        assert everything(storage) == log(41, 90)
    with opened(disk) as storage:
        assert everything(storage) == log(81, 90)


def test_a_membership_before_the_first_entry_has_no_place_in_a_log() -> None:
    with (
        created(new_disk()) as storage,
        pytest.raises(RefusedError, match="expected a snapshot of some entry"),
    ):
        storage.apply_snapshot(Snapshot(conf_state=VOTERS))


def test_a_snapshot_whose_file_is_gone_or_changed_is_an_error_with_its_path() -> None:
    disk = new_disk()
    with created(disk) as storage:
        storage.save(HardState(term=1, vote=1, commit=3), log(1, 3))
        storage.create_snapshot(3, VOTERS, b"state")
        [name] = disk.names(SNAP)
        disk.write_at(SNAP / name, 12, b"?")
        with pytest.raises(AccessError, match=r"/m/snap/.*changed meanwhile"):
            storage.snapshot()
        disk.remove(SNAP / name)
        with pytest.raises(AccessError, match="/m/snap/"):
            storage.snapshot()


def test_only_what_is_asked_for_is_read() -> None:
    disk = new_disk()
    with created(disk) as storage:
        for index in range(1, 200):
            storage.append([Entry(1, index, 0, b"x" * 500)])
        before = disk.bytes_read
        assert [each.index for each in storage.entries(100, 101, UNLIMITED)] == [100]
        assert disk.bytes_read - before < 600
        assert storage.term(150) == 1
        assert disk.bytes_read - before < 600


def test_an_entry_without_type_reads_back_as_a_normal_one() -> None:
    with created(new_disk()) as storage:
        given = [Entry(1, 1, None, b"x"), Entry(1, 2, None, None), Entry(1, 3, 2, b"")]
        storage.append(given)
        assert everything(storage) == [typed(each) for each in given]

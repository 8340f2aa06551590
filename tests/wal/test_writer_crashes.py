"""The writer is killed, and the power cut, at every call, with every loss that a disk may have.

A small log is written on a disk in memory that keeps of what was not synced whatever it likes:
sectors, sizes and names in nearly any order. Before each call of the writer to the disk it is
ended; then all that the disk may hold afterwards is looked at. Every entry of a Save that had
returned must be read back; what had not been synced may be there, in part or not at all, but
always as it was meant, and never in the way of what is before it.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.wal.writing import METADATA, VOTERS, cut_tail, put, puts, state
from walctl.errors import AccessError, CorruptionError
from walctl.fs.faults import Fault, KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import READING, Call
from walctl.model.record import Entry, HardState, SnapshotMark
from walctl.wal.owner import NO_STATE
from walctl.wal.writer import Opened, Wal

FOLDER = Path("/member/wal")
SEGMENT = 1024
OUTCOMES_MAX = 20_000
WRITING = frozenset(Call) - READING
MARK = SnapshotMark(index=3, term=1, conf_state=VOTERS)


@dataclass(slots=True)
class Told:
    """What the writer had been asked, and what it had answered, when it ended.

    `asked` are the logs that there may be, one for each number of Saves, `states` the hard states;
    `kept` and `kept_state` are the positions of those that were promised to be on the disk.
    """

    asked: list[list[Entry]] = field(default_factory=lambda: [[]])
    states: list[HardState] = field(default_factory=lambda: [NO_STATE])
    kept: int = 0
    kept_state: int = 0
    is_created: bool = False

    def save(self, wal: Wal, hard_state: HardState, entries: list[Entry]) -> None:
        before, last = self.asked[-1], self.states[-1]
        after = [each for each in before if not entries or each.index < entries[0].index]
        self.asked.append([*after, *entries])
        if hard_state != NO_STATE:
            self.states.append(hard_state)
        wal.save(hard_state, entries)
        if entries or (hard_state.term, hard_state.vote) != (last.term, last.vote):
            self.promised()

    def promised(self) -> None:
        """Everything so far is on the disk."""
        self.kept, self.kept_state = len(self.asked) - 1, len(self.states) - 1

    def may_be(self, found: list[Entry], hard_state: HardState) -> bool:
        """Whether a log holds everything that was promised, and nothing that was not asked.

        Of a Save that had not returned the first entries may be there.
        """
        if hard_state not in self.states[self.kept_state :]:
            return False
        logs = self.asked[self.kept :]
        pairs = pairwise(logs)
        return found in logs or any(_is_between(found, before, after) for before, after in pairs)


def _is_between(found: list[Entry], before: list[Entry], after: list[Entry]) -> bool:
    """Whether `found` is `before` with the first of what `after` has more, or has instead."""
    new = [each for each in after if each not in before]
    for position in range(len(new) + 1):
        some = new[:position]
        old = [each for each in before if not some or each.index < some[0].index]
        if found == [*old, *some]:
            return True
    return False


def disk_of_a_member() -> MemoryFileSystem:
    """A disk with the member's folder on it, safe from every power cut."""
    disk = MemoryFileSystem()
    disk.make_directory(FOLDER.parent)
    disk.sync_dir(Path("/"))
    return disk


def write(disk: MemoryFileSystem, told: Told) -> None:
    """Everything that a writer does: cuts, an overwrite, a marker, states that wait."""
    with Wal.create(disk, FOLDER, metadata=METADATA, segment_bytes=SEGMENT) as wal:
        told.is_created = True
        told.save(wal, state(commit=0), puts(1, 3, size=100))
        told.save(wal, state(commit=3), [])
        wal.save_snapshot(MARK)
        told.promised()
        told.save(wal, state(commit=3), puts(4, 6, size=150))
        told.save(wal, NO_STATE, [put(7, payload=b"seven" * 60)])
        told.save(wal, state(term=2, commit=3), puts(6, 9, term=2, size=60))
        told.save(wal, state(term=2, commit=7), [])
        told.save(wal, state(term=2, commit=8), puts(10, 12, term=2, size=320))
        told.save(wal, state(term=2, commit=12), [put(13, term=2)])
    told.promised()


def write_on(disk: MemoryFileSystem, told: Told) -> None:
    """The same log taken up again, its torn end cut off where that is in the way."""
    with opened_after(disk) as opened:
        contents, wal = opened.contents, opened.wal
        told.asked, told.states = [list(contents.entries())], [contents.hard_state]
        told.is_created = True
        told.promised()
        last = contents.last or 0
        told.save(wal, state(term=3, commit=last), puts(last + 1, last + 2, term=3, size=90))
        told.save(wal, state(term=3, commit=last + 1), [])
        told.save(wal, state(term=3, commit=last + 1), puts(last + 3, last + 9, term=3, size=200))
        told.save(wal, state(term=3, commit=last + 8), [put(last + 10, term=3)])
        told.save(wal, state(term=3, commit=last + 9), [])
    told.promised()


Script: TypeAlias = Callable[[MemoryFileSystem, Told], None]
Scene: TypeAlias = tuple[MemoryFileSystem, Told]


def deaths(make: Callable[[], Scene], script: Script) -> Iterator[Scene]:
    """What the script leaves when it is killed before each of its calls, and at its end."""
    for number in count():
        disk, told = make()
        disk.on_call = kill = KillAt(number, WRITING)
        with contextlib.suppress(Killed):
            script(disk, told)
        disk.on_call = None
        disk.end_process()
        yield disk, told
        if not kill.is_dead:
            return


@contextlib.contextmanager
def opened_after(disk: MemoryFileSystem) -> Iterator[Opened]:
    """The log opened; where that is refused, what a repair would do is done before."""
    try:
        opened = Wal.open(disk, FOLDER, index=0, term=0, segment_bytes=SEGMENT)
    except CorruptionError as error:
        cut_tail(disk, FOLDER, error.message)
        opened = Wal.open(disk, FOLDER, index=0, term=0, segment_bytes=SEGMENT)
    with opened.wal:
        yield opened


def expect_kept(disk: MemoryFileSystem, told: Told) -> None:
    """Open what is left, and hold it against what was promised."""
    if not told.is_created and not disk.exists(FOLDER):
        # The creation was broken off: it can be begun again.
        Wal.create(disk, FOLDER, metadata=METADATA, segment_bytes=SEGMENT).close()
    with opened_after(disk) as opened:
        found, hard_state = list(opened.contents.entries()), opened.contents.hard_state
    words = [(each.index, each.term) for each in found], hard_state, told.kept, told.kept_state
    assert told.may_be(found, hard_state), words


def new() -> Scene:
    """A disk with the member's folder on it, safe from every power cut."""
    disk = MemoryFileSystem()
    disk.make_directory(FOLDER.parent)
    disk.sync_dir(Path("/"))
    return disk, Told()


def written() -> Scene:
    """A log that was written and closed."""
    disk, told = new()
    write(disk, told)
    disk.end_process()
    return disk, told


@pytest.mark.parametrize(("make", "script"), [(new, write), (written, write_on)])
def test_a_power_cut_at_any_call_keeps_every_save_that_had_returned(
    make: Callable[[], Scene], script: Script
) -> None:
    places = checked = 0
    for disk, told in deaths(make, script):
        places += 1
        for outcome in disk.outcomes(count_max=OUTCOMES_MAX):
            checked += 1
            expect_kept(disk.crash(outcome), told)
    assert places > 25
    assert checked > 5 * places


def test_what_was_read_or_saved_after_a_kill_outlives_a_power_cut() -> None:
    for disk, _ in deaths(new, write):
        if not disk.exists(FOLDER):
            continue
        with opened_after(disk) as opened:
            contents = opened.contents
            told = Told(
                asked=[list(contents.entries())], states=[contents.hard_state], is_created=True
            )
            for outcome in disk.outcomes(count_max=OUTCOMES_MAX):
                expect_kept(disk.crash(outcome), told)
            told.save(opened.wal, state(term=3, commit=0), [put((contents.last or 0) + 1, term=3)])
            for outcome in disk.outcomes(count_max=OUTCOMES_MAX):
                expect_kept(disk.crash(outcome), told)


@pytest.mark.slow
def test_whatever_a_kill_left_is_written_on_and_outlives_a_power_cut() -> None:
    for killed, told in deaths(new, write):
        if not killed.exists(FOLDER):
            continue
        write_on(killed, told)
        for outcome in killed.outcomes(count_max=OUTCOMES_MAX):
            expect_kept(killed.crash(outcome), told)


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["Input/output error", "No space left on device"])
def test_an_error_at_any_call_stops_the_writer_and_keeps_every_save(reason: str) -> None:
    disk, told = new()
    disk.on_call = counting = KillAt(None, WRITING)
    write(disk, told)
    for number in range(counting.count):
        disk, told = new()
        disk.fail_call(Fault(number=number, calls=WRITING, reason=reason))
        with contextlib.suppress(AccessError):
            write(disk, told)
        disk.end_process()
        if not told.is_created:
            continue
        for outcome in disk.outcomes(count_max=OUTCOMES_MAX):
            expect_kept(disk.crash(outcome), told)

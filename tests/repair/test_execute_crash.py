"""Killed or cut off at any call, an application leaves the old member or the new one.

Exhaustive over the calls that change the disk, for each of the ways in which a result is put in
place, with what was not synced kept, lost, or torn; the slow ones go over every call there is.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.repair.disks import MEMBER, PLANS, memory_disk, world
from walctl.errors import WalctlError
from walctl.fs.crash import Crash, Kept, Lost, Sampled
from walctl.fs.faults import Fault, KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import READING, Call
from walctl.repair.apply import apply
from walctl.repair.backup import packed_path, read_manifest
from walctl.repair.packing import unpacked
from walctl.repair.receipt import Receipt, read_receipt
from walctl.repair.resume import Outcome, resume
from walctl.repair.undo import undo

CHANGING = frozenset(Call) - READING
ALL = frozenset(Call)
CRASHES: tuple[Crash | None, ...] = (None, Lost(), Kept(), Sampled(1), Sampled(2), Sampled(3))
"""`None`: only the program ends, and the disk loses nothing."""


def do_apply(disk: MemoryFileSystem, kind: str) -> Receipt:
    return apply(world(disk), PLANS[kind](disk))


def do_undo(disk: MemoryFileSystem, kind: str) -> Receipt:
    folder = MEMBER.parent / "n1.walctl"
    (name,) = disk.names(folder)
    return undo(world(disk), folder / name / "receipt.json")


Tree = dict[str, bytes | Path | None]


def tree(disk: MemoryFileSystem) -> Tree:
    """All that a member's directory holds, by path in it; but for a work folder."""
    return {
        str(path.relative_to(MEMBER)): data
        for path, data in disk.everything().items()
        if path.is_relative_to(MEMBER) and ".walctl-work" not in str(path)
    }


Act = Callable[[MemoryFileSystem, str], Receipt]
ACTS: dict[str, Act] = {"apply": do_apply, "undo": do_undo}


def started(act: str, kind: str) -> MemoryFileSystem:
    """A disk of one's own on which `act` is the next thing to do; all of it is durable."""
    return _first(act, kind).crash(Kept())


@functools.cache
def _first(act: str, kind: str) -> MemoryFileSystem:
    disk = memory_disk()
    disk.write(MEMBER / "member" / "wal.tmp" / "0.wal", b"what comes along")
    if act == "undo":
        do_apply(disk, kind)
    return disk


@functools.cache
def both_ends(act: str, kind: str) -> tuple[Tree, Tree]:
    """What the two folders hold before and after."""
    disk = started(act, kind)
    before = tree(disk)
    ACTS[act](disk, kind)
    after = tree(disk)
    assert before != after
    return before, after


def killed(act: str, kind: str, calls: frozenset[Call]) -> Iterator[tuple[int, MemoryFileSystem]]:
    """The disk as the program left it, killed before each of its calls in turn."""
    number = 0
    while True:
        disk = started(act, kind)
        disk.on_call = KillAt(number, calls)
        try:
            ACTS[act](disk, kind)
        except Killed:
            pass
        else:
            assert number > 4, "it has hardly done anything"
            return
        disk.on_call = None
        disk.end_process()
        yield number, disk
        number += 1


def expect_old_or_new(disk: MemoryFileSystem, act: str, kind: str) -> str:
    """Resume, and hold what is there then against the two ends; which one it is."""
    before, after = both_ends(act, kind)
    found = tree(disk)
    assert found in (before, after), "neither old nor new, before anybody resumed"
    done = resume(world(disk), MEMBER)
    assert tree(disk) == found, "resuming changed the member"
    left = [str(path) for path in disk.everything() if ".walctl-work" in str(path)]
    assert left == []
    assert resume(world(disk), MEMBER).outcome is Outcome.NOTHING
    if found == before:
        assert done.outcome in (Outcome.ROLLED_BACK, Outcome.NOTHING)
        expect_no_half_backup(disk, act)
        return "old"
    root = MEMBER.parent / "n1.walctl"
    (newest,) = [name for name in disk.names(root) if ("undo" in name) == (act == "undo")]
    assert done.receipt in (None, root / newest / "receipt.json")
    expect_whole_backup(disk, root / newest / "receipt.json", before)
    return "new"


def expect_no_half_backup(disk: MemoryFileSystem, act: str) -> None:
    """What was rolled back has left nothing."""
    root = MEMBER.parent / "n1.walctl"
    kept = disk.names(root) if disk.exists(root) else []
    assert [name for name in kept if act == "apply" or "undo" in name] == []


def expect_whole_backup(disk: MemoryFileSystem, path: Path, before: Tree) -> None:
    """The receipt is there, and the backup beside it holds every byte of before."""
    receipt = read_receipt(disk, path)
    manifest = read_manifest(disk, receipt.backup)
    held = {}
    for name in manifest.files:
        with disk.open(packed_path(receipt.backup, name)) as file:
            held[f"member/{name}"] = b"".join(unpacked(file, bytes_max=1 << 30))
    rooms = ("member/wal/", "member/snap/")
    assert held == {name: data for name, data in before.items() if name.startswith(rooms)}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("act", ACTS)
def test_killed_before_any_change_to_the_disk_it_leaves_old_or_new(act: str, kind: str) -> None:
    seen = {expect_old_or_new(disk, act, kind) for _, disk in killed(act, kind, CHANGING)}
    assert seen == {"old", "new"}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("crash", CRASHES[1:], ids=str)
@pytest.mark.slow
def test_a_power_cut_at_any_change_leaves_old_or_new(act: str, kind: str, crash: Crash) -> None:
    seen = {
        expect_old_or_new(disk.crash(crash), act, kind) for _, disk in killed(act, kind, CHANGING)
    }
    assert seen == {"old", "new"}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.slow
def test_killed_before_any_call_at_all_it_leaves_old_or_new(act: str, kind: str) -> None:
    seen = {expect_old_or_new(disk, act, kind) for _, disk in killed(act, kind, ALL)}
    assert seen == {"old", "new"}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.slow
def test_every_outcome_of_a_power_cut_around_the_one_step_is_old_or_new(
    act: str, kind: str
) -> None:
    seen = []
    calls = frozenset({Call.RENAME, Call.EXCHANGE, Call.REMOVE, Call.SYNC_DIR})
    for _, disk in killed(act, kind, calls):
        crashes: Iterable[Crash] = disk.outcomes(count_max=1 << 20, torn=False)
        crashes = itertools.islice(crashes, 500)  # the first of many, where much is not synced
        seen += [expect_old_or_new(disk.crash(crash), act, kind) for crash in crashes]
    assert len(seen) > 100
    assert set(seen) == {"old", "new"}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.slow
def test_a_resume_that_is_killed_itself_is_resumed(kind: str) -> None:
    for _, disk in killed("apply", kind, frozenset({Call.RENAME, Call.EXCHANGE, Call.REMOVE})):
        number = 0
        while True:
            again = disk.crash(Kept())
            again.on_call = KillAt(number, CHANGING)
            try:
                resume(world(again), MEMBER)
            except Killed:
                again.on_call = None
                again.end_process()
                for crash in (Kept(), Lost()):
                    expect_old_or_new(again.crash(crash), "apply", kind)
                number += 1
            else:
                break


def failed(
    act: str, kind: str, calls: frozenset[Call], reason: str, *, is_lasting: bool
) -> Iterator[tuple[MemoryFileSystem, WalctlError]]:
    """The disk and the error, where each call in turn is refused."""
    number = 0
    while True:
        disk = started(act, kind)
        plan = PLANS[kind](disk) if act == "apply" else None
        disk.fail_call(Fault(number=number, calls=calls, reason=reason, is_lasting=is_lasting))
        try:
            if plan is not None:
                apply(world(disk), plan)
            else:
                do_undo(disk, kind)
        except WalctlError as error:
            yield disk, error
        else:
            if number > 60:
                return
        number += 1


def expect_told(disk: MemoryFileSystem, error: WalctlError, act: str, kind: str) -> None:
    """One line; old bytes, or new ones and the line says so; `disk` is in order again."""
    before, after = both_ends(act, kind)
    assert "\n" not in error.message
    assert error.exit_status in (4, 5)
    mended = disk.crash(Kept())
    found = tree(mended)
    assert found == (after if "in place" in error.message else before)
    expect_old_or_new(mended, act, kind)


@pytest.mark.parametrize("kind", PLANS)
def test_a_call_that_the_disk_refuses_once_is_one_line_and_changes_nothing(kind: str) -> None:
    for disk, error in failed("apply", kind, CHANGING, "Input/output error", is_lasting=False):
        expect_told(disk, error, "apply", kind)


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("is_lasting", [False, True])
@pytest.mark.slow
def test_any_call_that_fails_is_one_line_and_changes_nothing(
    act: str, kind: str, is_lasting: bool
) -> None:
    for disk, error in failed(act, kind, ALL, "Input/output error", is_lasting=is_lasting):
        expect_told(disk, error, act, kind)


SPACE = frozenset({Call.CREATE, Call.WRITE, Call.ALLOCATE, Call.HARD_LINK})


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.slow
def test_a_disk_that_is_full_from_any_moment_on_gets_its_old_bytes_back(
    act: str, kind: str
) -> None:
    reason = "No space left on device"
    for disk, error in failed(act, kind, SPACE, reason, is_lasting=True):
        assert reason in error.message
        expect_told(disk, error, act, kind)
        if "in place" not in error.message:
            left = [path for path in disk.everything() if "walctl-work" in str(path)]
            assert left == [], "what was made stays on a full disk"

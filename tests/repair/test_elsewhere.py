"""The result in a directory of its own: the same bytes as in place, and the member untouched."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.repair.disks import MEMBER, PLANS, everything, memory_disk, tree, world
from walctl.errors import AccessError, RefusedError, StoppedError, UsageError
from walctl.fs.faults import Fault
from walctl.fs.memory import MemoryFileSystem
from walctl.model.finding import Verdict
from walctl.repair.apply import apply
from walctl.repair.elsewhere import write_elsewhere
from walctl.repair.plan import Plan
from walctl.repair.planning import make_plan

RESCUE = Path("/rescue")
TARGET = RESCUE / "new"


def prepared(name: str = "both folders") -> tuple[MemoryFileSystem, Plan]:
    disk = memory_disk()
    disk.make_directory(RESCUE)
    return disk, PLANS[name](disk)


@pytest.mark.parametrize("name", PLANS)
def test_the_result_has_the_bytes_that_it_would_have_in_place(name: str) -> None:
    disk, plan = prepared(name)
    before = everything(disk, MEMBER)
    report = write_elsewhere(world(disk), plan, TARGET)
    assert report.verdict in (Verdict.CLEAN, Verdict.HARMLESS)
    assert everything(disk, MEMBER) == before
    other, same = prepared(name)
    apply(world(other), same)
    assert tree(disk, TARGET) == tree(other, MEMBER)


def test_an_empty_directory_may_be_there_and_any_other_is_refused() -> None:
    disk, plan = prepared()
    disk.make_directory(TARGET)
    write_elsewhere(world(disk), plan, TARGET)
    with pytest.raises(UsageError, match="expected a new or an empty directory"):
        write_elsewhere(world(disk), plan, TARGET)


@pytest.mark.parametrize(
    "target", [MEMBER, MEMBER / "member" / "new", MEMBER / "member" / "wal" / "x", MEMBER.parent]
)
def test_it_never_lies_in_the_member_nor_the_member_in_it(target: Path) -> None:
    disk, plan = prepared()
    with pytest.raises(UsageError, match="lies in the member"):
        write_elsewhere(world(disk), plan, target)


def test_a_member_that_changed_since_the_plan_is_refused() -> None:
    disk, plan = prepared()
    disk.write(MEMBER / "member/snap/0000000000000009-0000000000000009.snap", b"new")
    with pytest.raises(AccessError, match="changed since the plan was made"):
        write_elsewhere(world(disk), plan, TARGET)
    assert disk.names(RESCUE) == []


def test_a_plan_that_needs_consent_is_refused_without_it() -> None:
    disk = memory_disk()
    disk.make_directory(RESCUE)
    log = MEMBER / "member/wal/0000000000000000-0000000000000000.wal"
    disk.truncate(log, 4096)  # the database knows of more
    plan = make_plan(disk, MEMBER)
    with pytest.raises(RefusedError, match="--accept-loss"):
        write_elsewhere(world(disk), plan, TARGET)
    write_elsewhere(world(disk), plan, TARGET, accept_loss=plan.accept)
    assert disk.names(TARGET) == ["member"]


def test_a_full_disk_is_told_before_a_byte_is_written() -> None:
    disk, plan = prepared()
    disk.capacity_bytes = 1 << 40
    used = (1 << 40) - disk.free_bytes(RESCUE)
    disk.capacity_bytes = used + 4096
    with pytest.raises(AccessError, match="the result may take"):
        write_elsewhere(world(disk), plan, TARGET)
    assert disk.names(RESCUE) == []


def test_whatever_call_fails_what_was_made_is_taken_away_and_the_member_is_as_it_was() -> None:
    disk, plan = prepared("one file")
    start = disk.calls
    write_elsewhere(world(disk), plan, TARGET)
    calls = disk.calls - start
    wanted = tree(disk, TARGET)
    for number in range(0, calls, 7):
        disk, plan = prepared("one file")
        before = everything(disk, MEMBER)
        disk.fail_call(Fault(number=number, reason="Input/output error"))
        with suppress(AccessError):  # whether a lock is held may go unanswered, for one
            write_elsewhere(world(disk), plan, TARGET)
        assert everything(disk, MEMBER) == before
        # Behind the last rename the result is whole; only its folder may not be synced.
        if disk.exists(TARGET) and disk.names(TARGET):
            assert disk.names(TARGET) == ["member"]
            assert tree(disk, TARGET) == wanted


def test_a_wish_to_stop_takes_away_what_was_made() -> None:
    disk, plan = prepared()
    asked: list[int] = []

    def is_stopped() -> bool:
        asked.append(1)
        return len(asked) > 30

    with pytest.raises(StoppedError):
        write_elsewhere(world(disk, is_stopped=is_stopped), plan, TARGET)
    assert disk.names(RESCUE) == []

"""apply: what the result is like, what is kept, and when nothing comes of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.repair.disks import (
    BIT,
    FLIPPED,
    MEMBER,
    OLDEST,
    PLANS,
    SEGMENT,
    attributes,
    away,
    both_folders,
    bound,
    expect_refused,
    flip_back,
    leftover,
    memory_disk,
    one_file,
    one_folder,
    plan_of,
    read,
    renamed,
    small_member,
    tree,
    world,
)
from walctl.errors import (
    AccessError,
    CorruptionError,
    ExitStatus,
    RefusedError,
    StoppedError,
    UnsupportedError,
    UsageError,
    WalctlError,
)
from walctl.fs.crash import Kept
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict
from walctl.raft.errors import RaftPanic
from walctl.repair.apply import apply
from walctl.repair.pieces import Copy, Literal
from walctl.repair.plan import Act, Drop, Plan, Step
from walctl.repair.receipt import read_receipt, receipt_document, receipt_of
from walctl.repair.resume import Outcome, resume
from walctl.repair.undo import undo
from walctl.repair.world import TrialReport

WAL_DIR = MEMBER / "member" / "wal"
SNAP_DIR = MEMBER / "member" / "snap"
SEGMENT_PATH = MEMBER / "member" / SEGMENT
LONE = Path("/data/lone")
"""A folder of segments alone."""


@pytest.mark.parametrize("kind", PLANS)
def test_the_result_is_what_the_plan_says_and_nothing_else_changes(kind: str) -> None:
    disk = memory_disk()
    plan = PLANS[kind](disk)
    before, old_attributes = tree(disk), attributes(disk)
    receipt = apply(world(disk), plan)
    wanted = dict(bound(disk).files)
    assert wanted == receipt.after
    for step in plan.steps:
        assert wanted.get(step.file) == step.after
    untouched = wanted.keys() - {step.file for step in plan.steps}
    assert {name: tree(disk)[name] for name in untouched} == {
        name: before[name] for name in untouched
    }
    now = attributes(disk)
    assert {name: now[name] for name in untouched} == {
        name: old_attributes[name] for name in untouched
    }
    assert verify(disk, MEMBER).verdict is not Verdict.DAMAGED
    assert receipt.comparison.kept == 124
    assert receipt.comparison.dropped == 0
    assert disk.names(MEMBER.parent) == ["n1", "n1.walctl"]
    assert disk.names(MEMBER) == ["member"]
    assert disk.names(MEMBER / "member") == ["snap", "wal"]


def test_owner_mode_and_extended_attributes_of_a_changed_file_and_of_folders_stay() -> None:
    disk = memory_disk()
    for path in (SEGMENT_PATH, WAL_DIR, SNAP_DIR, MEMBER / "member"):
        had = disk.attributes(path)
        marked = replace(had, mode=0o640, uid=123, gid=45, extended=(("user.note", b"mine"),))
        disk.set_attributes(path, marked)
    old = {path: disk.attributes(path) for path in (SEGMENT_PATH, WAL_DIR, MEMBER / "member")}
    apply(world(disk), both_folders(disk))
    for path, had in old.items():
        has = disk.attributes(path)
        assert replace(has, mtime_ns=None, links=1) == replace(had, mtime_ns=None, links=1)
    new = disk.attributes(SNAP_DIR / "note.broken")
    assert (new.uid, new.gid) == (0, 0) or (new.uid, new.gid) == (123, 45)


def test_a_new_file_belongs_to_whom_the_files_like_it_belong_to() -> None:
    disk = memory_disk()
    disk.set_attributes(
        SEGMENT_PATH, replace(disk.attributes(SEGMENT_PATH), uid=123, gid=45, mode=0o620)
    )
    found = bound(disk)
    step = replace(leftover(), file="wal/a.wal.wal")
    apply(world(disk), plan_of(disk, found, flip_back(disk, found), step))
    has = disk.attributes(MEMBER / "member" / step.file)
    assert (has.uid, has.gid, has.mode) == (123, 45, 0o620)


def test_zeros_that_a_plan_does_not_name_take_no_room_unless_they_took_some_before() -> None:
    disk = memory_disk()
    with_hole = bytes(1 << 20)
    size = len(read(disk, SEGMENT_PATH))
    disk.truncate(SEGMENT_PATH, size + len(with_hole))
    apply(world(disk), one_file(disk))
    stat = disk.stat(SEGMENT_PATH)
    assert stat.size == size + len(with_hole)
    assert stat.allocated_bytes is not None
    assert stat.allocated_bytes <= size


def test_the_receipt_comes_back_as_it_was_written() -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_folder(disk), tool="walctl 9.9")
    assert read_receipt(disk, receipt.path) == receipt
    assert receipt_of(receipt_document(receipt), receipt.path) == receipt
    assert receipt.tool == "walctl 9.9"
    assert set(receipt.changed) == {SEGMENT, "wal/note.broken"}


def test_a_renamed_and_a_removed_file_are_one_rename_each_and_come_back() -> None:
    for step in (renamed(), away()):
        disk = memory_disk()
        disk.write(SEGMENT_PATH, read(disk, SEGMENT_PATH))
        apply(world(disk), one_file(disk))
        before = tree(disk)
        seen: list[Call] = []
        disk.on_call = lambda call, path, seen=seen: seen.append(call)
        receipt = apply(world(disk), plan_of(disk, bound(disk), step))
        assert Call.EXCHANGE not in seen
        assert OLDEST not in tree(disk)
        undo(world(disk), receipt.path)
        assert tree(disk) == before


def test_names_may_change_places_in_one_exchange() -> None:
    disk = memory_disk()
    apply(world(disk), one_file(disk))
    before = tree(disk)
    first, second = sorted(name for name in before if name.endswith(".snap"))[:2]
    plan = plan_of(disk, bound(disk), renamed(first, second), renamed(second, first))
    receipt = apply(world(disk), plan)
    swapped = {**before, first: before[second], second: before[first]}
    assert tree(disk) == swapped
    undo(world(disk), receipt.path)
    assert tree(disk) == before


def test_a_file_may_be_set_aside_and_another_one_take_its_name() -> None:
    disk = memory_disk()
    before = tree(disk)
    found = bound(disk)
    aside = renamed(SEGMENT, f"{SEGMENT}.broken")
    receipt = apply(world(disk), plan_of(disk, found, aside, flip_back(disk, found)))
    assert tree(disk)[f"{SEGMENT}.broken"] == before[SEGMENT]
    assert tree(disk)[SEGMENT] != before[SEGMENT]
    undo(world(disk), receipt.path)
    assert tree(disk) == before


def test_a_result_that_is_damaged_still_is_not_put_in_place() -> None:
    disk = memory_disk()
    error = expect_refused(
        disk, plan_of(disk, bound(disk), leftover()), CorruptionError, "crc-mismatch"
    )
    assert "nothing was changed" in error.message
    assert error.exit_status is ExitStatus.DAMAGE


def test_a_result_that_lacks_what_the_plan_does_not_list_is_not_put_in_place() -> None:
    disk = memory_disk()
    found = bound(disk)
    cut = Step(
        act=Act.WRITE,
        file=SEGMENT,
        reason="cut",
        words="cut",
        pieces=(Copy(source=SEGMENT, start=0, stop=10072),),
        size=found.files[SEGMENT].size,
    )
    snaps = [away(name) for name in found.files if name.endswith(".snap") and "15" not in name[-9:]]
    error = expect_refused(
        disk, plan_of(disk, found, cut, *snaps[1:]), WalctlError, "entry 43|nothing was changed"
    )
    assert isinstance(error, RefusedError | CorruptionError)


def test_what_a_plan_lists_may_be_dropped_and_nothing_else() -> None:
    disk = MemoryFileSystem({LONE / SEGMENT_PATH.name: small_member()[f"member/{SEGMENT}"]})
    short = _shortened(disk, Drop(kind="entry", count=1, first=124, last=124))
    expect_refused(disk, short, RefusedError, "would not have entry 12[0-3]")
    for first, last in ((1, 200), (118, 124)):
        disk = disk.crash(Kept())
        plan = _shortened(disk, Drop(kind="entry", count=7, first=first, last=last))
        receipt = apply(world(disk), plan)
        ((start, stop),) = receipt.comparison.dropped_runs
        assert 118 < start <= stop == 124
        undo(world(disk), receipt.path)


def _shortened(disk: MemoryFileSystem, drop: Drop) -> Plan:
    """A folder of segments alone, whose log is whole and ends some entries earlier."""
    found = bound(disk, LONE)
    (name,) = found.files
    data = bytearray(read(disk, LONE / SEGMENT_PATH.name).rstrip(b"\0"))
    data[FLIPPED] ^= 1 << BIT
    stop = _frame_starts(bytes(data))[-6]
    step = Step(
        act=Act.WRITE,
        file=name,
        reason="cut",
        words="the log ends earlier",
        pieces=(Literal(data=bytes(data[:stop])),),
        size=found.files[name].size,
        drops=(drop,),
    )
    return plan_of(disk, found, step)


def _frame_starts(data: bytes) -> list[int]:
    starts, offset = [], 0
    while offset + 8 <= len(data) and any(data[offset : offset + 8]):
        starts.append(offset)
        field = int.from_bytes(data[offset : offset + 8], "little")
        padding = (field >> 56) & 7 if field >> 63 else 0
        offset += 8 + (field & ((1 << 56) - 1)) + padding
    return starts


# Space.


def test_too_little_room_is_said_with_numbers_before_anything_is_written() -> None:
    disk = memory_disk()
    plan = one_file(disk)
    disk.capacity_bytes = 1 << 20
    error = expect_refused(disk, plan, AccessError, "--backup-to")
    assert "bytes and the backup" in error.message
    disk.mount(Path("/big"))
    # The memory disk is of one size wherever it is asked, so more room is a bigger disk.
    disk.capacity_bytes = None
    receipt = apply(world(disk), plan, backup_to=Path("/big"))
    assert receipt.path.parent.parent == Path("/big")
    assert disk.names(MEMBER.parent) == ["n1"]


def test_a_backup_within_what_changes_is_refused() -> None:
    disk = memory_disk()
    for place in (WAL_DIR, SNAP_DIR / "backups"):
        expect_refused(
            disk,
            one_file(disk),
            UsageError,
            "choose another place",
            lambda disk, plan, place=place: apply(  # type: ignore[misc]
                world(disk), plan, backup_to=place
            ),
        )


# Stopping and trying.


def test_a_wish_to_stop_before_the_step_rolls_back_and_behind_it_is_too_late() -> None:
    assert StoppedError.exit_status is ExitStatus.INTERRUPTED
    ends = set()
    old = tree(memory_disk())
    for number in range(1000):
        disk = memory_disk()
        asked = 0

        def is_stopped(number: int = number) -> bool:
            nonlocal asked
            asked += 1
            return asked > number

        try:
            apply(world(disk, is_stopped=is_stopped), both_folders(disk))
        except StoppedError:
            ends.add("stopped")
            assert tree(disk) == old
            assert disk.names(MEMBER.parent) == ["n1"]
            assert disk.names(MEMBER) == ["member"]
        else:
            ends.add("done")
            break
    assert ends == {"stopped", "done"}
    assert number > 20


def test_a_server_that_does_not_start_on_a_copy_is_a_refusal() -> None:
    disk = memory_disk()
    plan = one_folder(disk)
    tried: list[dict[str, bytes]] = []

    def trial(directory: Path) -> TrialReport:
        tried.append(tree(disk, directory))
        disk.write_at(directory / "member" / SEGMENT, 0, b"xxxx")  # a server writes
        disk.write(directory / "member" / "wal" / "0.tmp", b"a server's")
        return TrialReport(is_good=len(tried) > 1, words="panic: no")

    def do(disk: MemoryFileSystem, plan: Plan) -> object:
        return apply(world(disk, trial=trial), plan, is_trial=True)

    expect_refused(disk, plan, RefusedError, "panic: no", do)
    receipt = do(disk, plan)
    assert tried[0] == tried[1] == tree(disk)
    assert getattr(receipt, "trial", None) == "panic: no"
    expect_refused(
        memory_disk(),
        plan,
        UnsupportedError,
        "no server",
        lambda disk, plan: apply(world(disk), plan, is_trial=True),
    )


class Liar(MemoryFileSystem):
    """A disk that takes the one step and says that it did not."""

    def exchange(self, first: Path, second: Path) -> None:
        super().exchange(first, second)
        if ".walctl-work" not in str(first):
            raise AccessError(f"{first}: Input/output error")

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        if target.parent in (WAL_DIR, SNAP_DIR):
            raise AccessError(f"{source}: Input/output error")


@pytest.mark.parametrize("kind", PLANS)
def test_a_step_that_was_taken_though_the_disk_says_no_is_not_rolled_back(kind: str) -> None:
    disk = Liar({MEMBER / name: data for name, data in small_member().items()})
    with pytest.raises(AccessError, match=r"error; the result is in place; .* --resume"):
        apply(world(disk), PLANS[kind](disk))
    new = tree(disk)
    assert new != tree(memory_disk())
    done = resume(world(disk), MEMBER)
    assert done.outcome is Outcome.FINISHED
    assert done.receipt is not None
    assert tree(disk) == new
    assert bound(disk).files == read_receipt(disk, done.receipt).after


def test_a_raft_node_starts_on_the_result_and_the_receipt_says_with_what() -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_folder(disk))
    summary = verify(disk, MEMBER).summary
    assert summary is not None
    assert summary.hard_state is not None
    started = receipt.started
    assert started is not None
    newest = max(index for index, _ in summary.snapshots)
    assert (started.snapshot_index, started.first_index) == (newest, newest + 1)
    assert started.last_index == summary.last_index
    assert started.hard_state.commit == summary.hard_state.commit
    document = receipt_document(receipt)
    assert receipt_of(document, receipt.path) == receipt
    del document["started"]
    assert receipt_of(document, receipt.path) == replace(receipt, started=None)


def test_a_result_that_no_raft_node_starts_on_is_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(options: object, draw: object) -> None:
        raise RaftPanic("state.commit 9 is out of range [0, 3]")

    monkeypatch.setattr("walctl.replay.load.RawNode", never)
    disk = memory_disk()
    words = r"no Raft node starts on it: state\.commit 9"
    expect_refused(disk, one_folder(disk), CorruptionError, words)

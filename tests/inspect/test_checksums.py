"""A member against a list of checksums; the lists are those that sha256sum itself makes."""

import os
import subprocess
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from walctl.errors import AccessError, ExitStatus, TimeOverError, UnsupportedError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.checksums import (
    LIST_BYTES_MAX,
    Checksums,
    Comparison,
    Listed,
    Unlike,
    read_checksums,
)
from walctl.inspect.reading import Depth
from walctl.inspect.report import Report, gate
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict

DISK = RealFileSystem()
FIRST = "0000000000000000-0000000000000000.wal"
WAL, DB = f"member/wal/{FIRST}", "member/snap/db"
LOG_BYTES = 1 << 18
HASH = "0123456789abcdef" * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the members n1 and n2, one from a fixture each."""
    for name in ("n1", "n2"):
        member = unpack("etcd-3.5-three-puts", tmp_path / name)
        os.truncate(member / WAL, LOG_BYTES)  # what is preallocated need not be hashed each time
    return tmp_path


def sums(at: Path, *names: str | Path, options: tuple[str, ...] = ()) -> Path:
    """The list that sha256sum makes when it is run in `at`; it lies in the folder of members."""
    done = subprocess.run(
        ["sha256sum", *options, "--", *names], cwd=at, capture_output=True, check=True
    )
    path = at / "SHA256SUMS" if at.name not in ("n1", "wal") else at.parent / "SHA256SUMS"
    path.write_bytes(done.stdout)
    return path


def against(path: Path, listed: Path, here: Path = Path()) -> Report:
    return verify(DISK, path, checksums=read_checksums(DISK, listed, here=here))


def compared(report: Report) -> Comparison:
    assert report.comparison is not None, report.error
    return report.comparison


def told(comparison: Comparison) -> list[tuple[str, Unlike]]:
    return [(each.name, each.kind) for each in comparison.differences]


@pytest.mark.parametrize("options", [(), ("--binary",), ("--tag",)])
@pytest.mark.parametrize("base", ["the member", "the list's folder", "absolute"])
def test_a_member_is_as_listed_however_the_list_was_made(
    folder: Path, options: tuple[str, ...], base: str
) -> None:
    names = {"the member": (WAL, f"./{DB}"), "the list's folder": (f"n1/{WAL}", f"./n1/{DB}")}
    absolute = (folder / "n1" / WAL, folder / "n1" / DB)
    at = folder / "n1" if base == "the member" else folder
    listed = sums(at, *names.get(base, absolute), options=options)
    report = against(folder / "n1", listed)
    assert compared(report) == Comparison(path=listed, same=2, elsewhere=0, differences=())
    assert (report.verdict, report.exit_status) == (Verdict.CLEAN, ExitStatus.CLEAN)


def test_absolute_names_fit_a_relative_path_once_it_is_known_where_that_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = sums(folder, folder / "n1" / WAL)
    monkeypatch.chdir(folder / "n2")
    assert compared(against(Path("../n1"), listed, here=Path.cwd())).same == 1


def test_a_file_that_differs_one_that_lacks_and_one_that_is_new_are_each_told(folder: Path) -> None:
    member = folder / "n1"
    listed = sums(member, WAL, DB)
    with listed.open("a") as more:
        more.write(f"{HASH.upper()}  member/snap/gone.snap\n")
    data = bytearray((member / DB).read_bytes())
    data[-1] ^= 1  # in a page that nothing reaches: no finding of verify's own
    (member / DB).write_bytes(data)
    (member / "member/snap/new.snap.broken").touch()
    report = against(member, listed)
    comparison = compared(report)
    assert comparison.same == 1
    assert told(comparison) == [
        (DB, Unlike.DIFFERS),
        ("member/snap/gone.snap", Unlike.MISSING),
        ("member/snap/new.snap.broken", Unlike.UNLISTED),
    ]
    assert comparison.differences[1].expected == HASH
    assert report.verdict is Verdict.HARMLESS  # the leftover alone
    assert report.exit_status is ExitStatus.DAMAGE


def test_one_bit_anywhere_is_a_difference_also_where_etcd_has_no_checksum(folder: Path) -> None:
    """The length field of the first frame, a record, and the zeros behind the log's end."""
    member = folder / "n1"
    listed = sums(member, WAL, DB)
    size = (member / WAL).stat().st_size
    for offset in (0, 70, size // 2, size - 1):
        with (member / WAL).open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 4]))
            file.flush()
            assert told(compared(against(member, listed))) == [(WAL, Unlike.DIFFERS)]
            file.seek(offset)
            file.write(byte)
    assert compared(against(member, listed)).differences == ()


def test_a_list_of_several_members_speaks_of_each_its_own_files(folder: Path) -> None:
    listed = sums(folder, *(f"{name}/{part}" for name in ("n1", "n2") for part in (WAL, DB)))
    (folder / "n2" / DB).unlink()
    first, second = (compared(against(folder / name, listed)) for name in ("n1", "n2"))
    assert (first.same, first.elsewhere, first.differences) == (2, 2, ())
    assert told(second) == [(DB, Unlike.MISSING)]


def test_a_list_of_one_folder_does_not_pass_for_one_of_the_member(folder: Path) -> None:
    report = against(folder / "n1", sums(folder / "n1", f"./{DB}"))
    assert compared(report).same == 1
    assert told(compared(report)) == [(WAL, Unlike.UNLISTED)]
    assert (report.verdict, report.exit_status) == (Verdict.CLEAN, ExitStatus.DAMAGE)
    assert told(compared(against(folder / "n1", sums(folder / "n1", WAL)))) == [
        (DB, Unlike.UNLISTED)
    ]
    wal = folder / "n1/member/wal"
    assert compared(against(wal, sums(folder, f"n1/{WAL}"))).differences == ()


def test_a_list_in_a_folder_that_it_lists_is_no_new_file(folder: Path) -> None:
    snaps = folder / "n1/member/snap"
    listed = sums(snaps, "db", "../wal/" + FIRST)
    report = against(folder / "n1", listed)
    assert compared(report).differences == ()


@pytest.mark.parametrize("part", [WAL, DB])
def test_one_file_is_held_against_its_own_line(folder: Path, part: str) -> None:
    comparison = compared(against(folder / "n1" / part, sums(folder, f"n1/{WAL}", f"n1/{DB}")))
    assert (comparison.same, comparison.elsewhere, comparison.differences) == (1, 1, ())


def test_a_log_elsewhere_is_compared_where_it_is(folder: Path) -> None:
    listed = sums(folder, f"n1/{DB}", f"n2/{WAL}")
    (folder / "n2/member/wal/0.tmp").touch()
    report = verify(
        DISK,
        folder / "n1",
        wal_dir=folder / "n2/member/wal",
        checksums=read_checksums(DISK, listed),
    )
    assert compared(report).same == 2
    assert told(compared(report)) == [(str(folder / "n2/member/wal/0.tmp"), Unlike.UNLISTED)]


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "back\\n", "plain", "\u00e9 *x", "tail)"])
@pytest.mark.parametrize("options", [(), ("--tag",)])
def test_every_name_is_read_as_sha256sum_writes_it(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(b"x")
    listed = sums(tmp_path, name, options=options)
    assert [row.name for row in read_checksums(DISK, listed).rows] == [name]


@pytest.mark.parametrize(
    "line",
    [
        f"{HASH}  db\r\n",
        f"# made by hand\n\n{HASH}  db",
        f"SHA256(db)= {HASH}\n",
        f"\\{HASH.upper()} *db\n",
    ],
)
def test_lists_of_other_programs_are_read(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sums"
    path.write_text(line, newline="")
    assert read_checksums(DISK, path).rows == (Listed("db", HASH),)


@pytest.mark.parametrize(
    "line",
    [
        HASH,
        f"{HASH} db",
        f"{HASH}  ",
        f"{HASH[:-1]}  db",
        f"{HASH}0  db",
        f"g{HASH[1:]}  db",
        f"\\{HASH}  d\\b",
        f"\\{HASH}  db\\",
        f"SHA512 (db) = {HASH}",
        f"{HASH}  d\0b",
        "",
        "# nothing",
    ],
)
def test_a_file_with_a_line_that_is_none_of_a_list_is_refused_whole(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "sums"
    path.write_text(line)
    with pytest.raises(UnsupportedError, match="sha256sum"):
        read_checksums(DISK, path)
    if line and line[0] != "#":
        path.write_text(f"{HASH}  db\n{line}\n{HASH}  db\n")
        with pytest.raises(UnsupportedError, match=":2: expected a line of sha256sum"):
            read_checksums(DISK, path)


def test_a_list_is_bounded_and_has_to_be_there(tmp_path: Path) -> None:
    disk = MemoryFileSystem()
    disk.write(Path("/sums"), b"#" * (LIST_BYTES_MAX + 1))
    with pytest.raises(UnsupportedError, match="at most"):
        read_checksums(disk, Path("/sums"))
    with pytest.raises(AccessError):
        read_checksums(DISK, tmp_path)


def test_a_list_that_names_no_file_of_the_member_gives_no_answer(folder: Path) -> None:
    report = against(folder / "n1", sums(folder, f"n2/{WAL}"))
    assert report.error is not None
    assert "none of its 1 names is a file of" in report.error
    assert report.exit_status is ExitStatus.UNFINISHED


@pytest.mark.parametrize("name", ["../n2/member/snap/db", "/etc/hostname", "member"])
def test_names_that_lead_out_of_the_member_are_not_its_files(folder: Path, name: str) -> None:
    row = Listed(name, HASH)
    checksums = Checksums(
        path=folder / "n1/list", here=Path(), rows=(row, Listed(DB, HASH), Listed(WAL, HASH))
    )
    comparison = compared(verify(DISK, folder / "n1", checksums=checksums))
    expected = {(DB, Unlike.DIFFERS), (WAL, Unlike.DIFFERS)}
    if name == "member":
        expected.add(("member", Unlike.MISSING))
    assert set(told(comparison)) == expected
    assert comparison.elsewhere == (0 if name == "member" else 1)


def test_a_gate_stays_shut_for_files_that_are_not_as_listed(folder: Path) -> None:
    listed = sums(folder / "n1", WAL, DB)
    assert gate([against(folder / "n1", listed)], is_strict=True).is_open
    (folder / "n1" / "member/wal/0.tmp").touch()
    shut = gate([against(folder / "n1", listed)], is_strict=False)
    assert (shut.is_open, shut.status) == (False, ExitStatus.DAMAGE)
    assert shut.reason == "files are not as listed"


def test_a_time_limit_ends_the_comparison_too(folder: Path) -> None:
    checksums = read_checksums(DISK, sums(folder / "n1", WAL))
    depth = Depth(is_over=lambda: True)  # a log of one segment is read all the same
    report = verify(DISK, folder / "n1", depth=depth, checksums=checksums)
    assert report.error == f"time is over: comparing {FIRST} with the list"
    assert report.exit_status is TimeOverError.exit_status


def test_what_is_preallocated_is_hashed_as_the_zeros_that_it_is(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    assert (member / WAL).stat().st_size == 64_000_000
    assert compared(against(member, sums(member, WAL))).same == 1

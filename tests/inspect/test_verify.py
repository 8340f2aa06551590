"""verify as an engine: what it reads, what it leaves alone, and what moves under it."""

import os
from collections.abc import Callable
from pathlib import Path

import crc32c
import pytest

from fixtures.unpack import unpack
from tests.corpus import copy_of, fingerprint, needs_corpus, unpacked
from tests.wal.builders import bytes_field, varint
from walctl.datadir.layout import understand
from walctl.errors import ExitStatus
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.doctor import doctor
from walctl.inspect.reading import Depth
from walctl.inspect.report import Report, worst
from walctl.inspect.select import Selection, rows
from walctl.inspect.verify import examine, verify
from walctl.model.finding import Code, Finding, Severity, Verdict
from walctl.model.record import HardState
from walctl.repair.newlog import Chain

DISK = RealFileSystem()
QUICK = Depth(is_quick=True)
WAL = Path("member/wal")
SNAP = Path("member/snap")
FIRST = "0000000000000000-0000000000000000.wal"
NEXT = "0000000000000001-0000000000000100.wal"


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-snapshots", tmp_path / "member.etcd")


@pytest.fixture
def two_segments(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-two-segments", tmp_path / "member.etcd")


def codes(report: Report) -> list[Code]:
    return [finding.code for finding in report.findings]


def test_a_whole_member_is_clean_with_its_figures(member: Path) -> None:
    report = verify(DISK, member)
    assert (report.verdict, report.exit_status, report.findings) == (Verdict.CLEAN, 0, ())
    assert report.is_whole_member
    assert not report.is_partial
    assert report.summary is not None
    assert report.summary.first_index == 1
    assert report.summary.last_index == report.summary.applied_index


NO_FILES: dict[str, Callable[[Path], object]] = {
    "a directory": Path.mkdir,
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_a_name_of_a_segment_without_a_file_behind_it_is_damage(
    member: Path, make: Callable[[Path], object]
) -> None:
    """A real etcd 3.5.1 does not come up with any of these."""
    make(member / WAL / NEXT)
    report = verify(DISK, member)
    assert codes(report) == [Code.SEGMENT_MISSING]
    assert report.findings[0].place.segment == NEXT
    assert "do not start" in report.findings[0].consequence


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_a_log_whose_only_segment_is_no_file_is_not_taken_for_a_new_member(
    member: Path, make: Callable[[Path], object]
) -> None:
    (member / WAL / FIRST).unlink()
    make(member / WAL / FIRST)
    (finding,) = verify(DISK, member).findings
    assert (finding.code, finding.place.segment) == (Code.SEGMENT_MISSING, FIRST)
    assert "new member" not in finding.detail


def test_a_log_without_any_segment_says_that_etcd_takes_it_for_a_new_member(member: Path) -> None:
    (member / WAL / FIRST).unlink()
    (finding,) = verify(DISK, member).findings
    assert (finding.code, finding.severity) == (Code.SEGMENT_MISSING, Severity.DAMAGE)
    assert "new member" in finding.detail


def test_segments_that_a_quick_check_passes_over_are_not_missed(two_segments: Path) -> None:
    report = verify(DISK, two_segments, depth=QUICK)
    assert report.verdict is Verdict.CLEAN
    assert report.is_partial


def snapshot_file(index: int, term: int, voter: int) -> bytes:
    """A `.snap` file that reads, made by hand."""
    conf = b"\x08" + varint(voter) + b"\x28\x00"
    place = bytes_field(1, conf) + b"\x10" + varint(index) + b"\x18" + varint(term)
    body = bytes_field(1, b"{}") + bytes_field(2, place)
    return b"\x08" + varint(crc32c.crc32c(body)) + bytes_field(2, body)


def test_a_quick_check_is_no_worse_than_a_whole_one_when_the_newest_snapshot_is_not_marked(
    two_segments: Path,
) -> None:
    """etcd died between writing the file and its marker; a start goes back to an older one."""
    summary = verify(DISK, two_segments).summary
    assert summary is not None
    path = two_segments / SNAP / "0000000000000002-0000000000000032.snap"
    path.write_bytes(snapshot_file(50, 2, summary.node_id or 0))
    whole, quick = verify(DISK, two_segments), verify(DISK, two_segments, depth=QUICK)
    assert codes(whole) == codes(quick) == [Code.SNAP_UNMARKED]
    assert whole.start_points == quick.start_points != ()


@pytest.mark.parametrize("count", [1, 5, 100])
def test_a_crowd_of_harmless_findings_never_hides_damage(
    member: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("walctl.inspect.verify.FINDINGS_MAX", 5)
    for number in range(count):
        (member / WAL / f"stray-{number}").touch()
    (member / SNAP / "db").write_bytes(b"\xa5" * 65536)
    report = verify(DISK, member)
    assert report.verdict is Verdict.DAMAGED
    assert len(report.findings) == min(count + 1, 5)
    assert any("only 5 are kept" in note for note in report.notes) is (count + 1 > 5)


@needs_corpus
def test_a_quick_check_reads_only_what_a_start_from_the_newest_snapshot_needs() -> None:
    path = unpacked("c-snapshots-segments-35") / "n1"
    quick, whole = verify(DISK, path, depth=QUICK), verify(DISK, path)
    assert quick.summary is not None
    assert whole.summary is not None
    assert quick.is_partial
    assert quick.summary.segments < whole.summary.segments
    assert quick.summary.last_index == whole.summary.last_index
    assert quick.summary.hard_state == whole.summary.hard_state
    assert any("were not read" in note for note in quick.notes)


@needs_corpus
def test_a_check_that_runs_out_of_time_says_how_far_it_came_and_gives_no_verdict() -> None:
    path = unpacked("c-snapshots-segments-35") / "n1"
    report = verify(DISK, path, depth=Depth(is_over=lambda: True))
    assert report.error is not None
    assert "read up to 0000000000000000-0000000000000000.wal, 1 of 3" in report.error
    assert (report.exit_status, report.findings, report.summary) == (
        ExitStatus.UNFINISHED,
        (),
        None,
    )


@needs_corpus
@pytest.mark.parametrize("name", ["c-snapshots-segments-35", "x-renamed-seq-35"])
def test_two_processes_give_the_report_of_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walctl.inspect.reading.PARALLEL_BYTES_MIN", 0)
    path = unpacked(name) / "n1"
    told: list[tuple[int, int]] = []
    two = Depth(jobs=2, on_segment=lambda done, total: told.append((done, total)))
    assert verify(DISK, path, depth=two) == verify(DISK, path)
    assert told == [(1, 3), (2, 3), (3, 3)]


def ended(status: ExitStatus) -> Report:
    """A report that ends a command with `status`."""
    if status is ExitStatus.UNFINISHED:
        return Report(path=Path("x"), understood_as="", error="x: No such file or directory")
    severity = {
        ExitStatus.CLEAN: Severity.INFO,
        ExitStatus.HARMLESS: Severity.HARMLESS,
        ExitStatus.DAMAGE: Severity.DAMAGE,
    }[status]
    finding = Finding(code=Code.LEFTOVER, severity=severity, detail="x")
    return Report(path=Path("x"), understood_as="", findings=(finding,))


def test_of_several_paths_the_status_is_4_over_1_over_3_over_0() -> None:
    order = [ExitStatus.CLEAN, ExitStatus.HARMLESS, ExitStatus.DAMAGE, ExitStatus.UNFINISHED]
    assert [report.exit_status for report in map(ended, order)] == order
    for higher, status in enumerate(order):
        for other in order[: higher + 1]:
            assert worst([ended(status), ended(other)]) is status
            assert worst([ended(other), ended(status)]) is status


UNWRITTEN = [
    "a-single-20puts-35",
    "c-snapshots-segments-35",
    "d3-snapshot-received-35",
    "x-flip-length-low-35",
    "x-snap-flip-34",
    "x-torn-in-data-35",
    "x-zero-page-mid-34",
]


@needs_corpus
@pytest.mark.parametrize("name", UNWRITTEN)
def test_no_command_changes_a_byte_a_time_or_a_name(name: str) -> None:
    folder = unpacked(name)
    before = fingerprint(folder)
    for path in sorted(folder.glob("n*")):
        layout = understand(DISK, path)
        seen = examine(DISK, layout).survey
        assert verify(DISK, path).error is None
        assert doctor(DISK, path).steps
        assert sum(1 for _ in rows(DISK, layout, seen, Selection(limit=500)))
    assert fingerprint(folder) == before


@needs_corpus
@pytest.mark.parametrize("name", ["x-snap-flip-35", "x-torn-in-data-34"])
def test_a_directory_that_nobody_may_write_to_gets_the_same_answer(
    name: str, tmp_path: Path
) -> None:
    folder = copy_of(name, tmp_path)
    expected = verify(DISK, folder / "n1")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = fingerprint(folder)
    assert verify(DISK, folder / "n1") == expected
    assert fingerprint(folder) == before
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


HERE = Path("/member.etcd")
SMALL_BYTES = 1 << 16


def in_memory(
    member: Path, on_read: Callable[[MemoryFileSystem, Path, int], None] | None = None
) -> MemoryFileSystem:
    """The member on a disk in memory, its segments without most of their zeros."""
    files = {
        HERE / path.relative_to(member): path.read_bytes()[:SMALL_BYTES]
        if path.suffix == ".wal"
        else path.read_bytes()
        for path in member.rglob("*")
        if path.is_file()
    }
    disk = MemoryFileSystem(files)
    if on_read is not None:
        disk.on_read = lambda path, offset, _size: on_read(disk, path, offset)
    return disk


def once(
    change: Callable[[MemoryFileSystem, Path], None],
) -> Callable[[MemoryFileSystem, Path, int], None]:
    """Do `change` at the first read of the segment."""
    done: list[Path] = []

    def hook(disk: MemoryFileSystem, path: Path, _offset: int) -> None:
        if path.suffix == ".wal" and not done:
            done.append(path)
            change(disk, path)

    return hook


CHANGES: dict[str, Callable[[MemoryFileSystem, Path], None]] = {
    "grows": lambda disk, path: disk.write_at(path, 2 * SMALL_BYTES, b"\0"),
    "shrinks": lambda disk, path: disk.truncate(path, SMALL_BYTES // 2),
    "is renamed": lambda disk, path: disk.rename(path, path.with_name("gone.tmp")),
    "is removed": lambda disk, path: disk.remove(path),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_segment_that_changes_while_it_is_read_is_told_as_a_moving_target(
    member: Path, change: Callable[[MemoryFileSystem, Path], None]
) -> None:
    report = verify(in_memory(member, once(change)), HERE)
    assert report.error is None
    assert any(note.startswith("moving target: ") for note in report.notes)


@pytest.mark.parametrize("step", [40, 100, 1000])
def test_a_log_that_a_server_goes_on_writing_is_never_taken_for_damaged(
    member: Path, step: int
) -> None:
    """Every read finds some more of it written, in order, as a busy server does."""
    disk = in_memory(member)
    path = HERE / WAL / FIRST
    with disk.open(path) as file:
        final = file.read_at(0, SMALL_BYTES)
    written = [4096]
    disk.write(path, final[: written[0]] + bytes(SMALL_BYTES - written[0]))

    def write_more(read: Path, _offset: int, _size: int) -> None:
        if read == path:
            disk.write_at(path, written[0], final[written[0] : written[0] + step])
            written[0] += step

    disk.on_read = write_more
    report = verify(disk, HERE / WAL)
    assert report.summary is not None
    assert {finding.code for finding in report.findings} <= {Code.TORN_TAIL}
    assert any(note.startswith("moving target") for note in report.notes)


def test_the_small_copy_in_memory_is_clean_and_does_not_move(member: Path) -> None:
    report = verify(in_memory(member), HERE)
    assert (report.verdict, report.notes) == (Verdict.CLEAN, ())


def test_a_device_that_fails_while_it_is_read_gives_no_verdict(member: Path) -> None:
    disk = in_memory(member)
    disk.fail_reads(HERE / WAL / FIRST, 4096, 8192)
    report = verify(disk, HERE)
    assert report.error is not None
    assert "Input/output error" in report.error
    assert report.exit_status is ExitStatus.UNFINISHED


@pytest.mark.parametrize("cut", [0, 1, 100, 4095, 4096, 8191, 8192])
def test_a_database_that_is_cut_short_is_damage(member: Path, cut: int) -> None:
    os.truncate(member / SNAP / "db", cut)
    report = verify(DISK, member)
    assert Code.DB_PAGE in codes(report)
    assert report.exit_status is ExitStatus.DAMAGE


def test_a_database_of_garbage_is_damage_and_blocks_every_start_point(member: Path) -> None:
    (member / SNAP / "db").write_bytes(b"\xa5" * 65536)
    report = verify(DISK, member)
    assert codes(report) == [Code.DB_PAGE]
    assert report.exit_status is ExitStatus.DAMAGE
    assert report.start_points
    assert not any(point.usable for point in report.start_points)


def spoil_meta(path: Path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * 4096 + 16)
            file.write(bytes(64))


def test_a_database_with_both_metas_bad_is_damage_and_with_one_bad_a_note(member: Path) -> None:
    spoil_meta(member / SNAP / "db", 1)
    one = verify(DISK, member)
    assert (one.verdict, one.findings) == (Verdict.CLEAN, ())
    assert any("meta" in note for note in one.notes)
    spoil_meta(member / SNAP / "db", 0)
    both = verify(DISK, member)
    assert codes(both) == [Code.DB_PAGE]
    assert both.exit_status is ExitStatus.DAMAGE


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (Path("."), "data directory"),
        (Path("member"), "member directory"),
        (WAL, "folder of segments"),
        (WAL / FIRST, "one segment"),
        (SNAP / "db", "one database"),
    ],
)
def test_every_part_of_a_whole_member_is_clean_by_itself(
    member: Path, part: Path, shape: str
) -> None:
    report = verify(DISK, member / part)
    assert (report.understood_as, report.verdict, report.findings) == (shape, Verdict.CLEAN, ())
    assert report.is_whole_member is (shape in ("data directory", "member directory"))


def test_every_snapshot_file_of_a_whole_member_is_clean_by_itself(member: Path) -> None:
    found = sorted((member / SNAP).glob("*.snap"))
    assert len(found) == 5
    for path in found:
        report = verify(DISK, path)
        assert (report.understood_as, report.findings) == ("one snapshot file", ())


def test_a_segment_by_itself_is_not_judged_by_what_lies_beside_it(two_segments: Path) -> None:
    (two_segments / WAL / "x.broken").write_bytes(b"")
    (two_segments / WAL / "odd name.wal").write_bytes(b"")
    for segment in sorted((two_segments / WAL).glob("0*.wal")):
        assert verify(DISK, segment).findings == ()


def test_a_split_layout_is_put_together_by_its_options(member: Path, tmp_path: Path) -> None:
    expected = verify(DISK, member)
    (member / WAL).rename(tmp_path / "fast")
    report = verify(DISK, member, wal_dir=tmp_path / "fast")
    assert (report.verdict, report.summary) == (Verdict.CLEAN, expected.summary)
    (member / SNAP).rename(tmp_path / "slow")
    report = verify(DISK, member, wal_dir=tmp_path / "fast", snap_dir=tmp_path / "slow")
    assert (report.verdict, report.summary) == (Verdict.CLEAN, expected.summary)


@pytest.mark.parametrize(
    ("term", "severity"),
    [(2, Severity.HARMLESS), (1, Severity.DAMAGE)],
)
def test_a_commit_that_alone_goes_back_is_harmless_while_its_entries_are_there(
    member: Path, term: int, severity: Severity
) -> None:
    seen = examine(DISK, understand(DISK, member)).survey
    assert seen.last_state is not None
    last, crc = seen.last_state.state, seen.segments[-1].digest.last_crc
    assert crc is not None
    lower = Chain(crc).state(HardState(term=term, vote=last.vote, commit=last.commit - 5)).data
    with (member / WAL / FIRST).open("r+b") as file:
        file.seek(seen.segments[-1].digest.end)
        file.write(lower)
    found = verify(DISK, member).findings
    assert [(each.code, each.severity) for each in found] == [(Code.STATE_REGRESSION, severity)]

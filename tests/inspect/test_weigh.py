"""Nothing is harmless that a witness, or a predicted start, speaks against."""

import struct
from pathlib import Path

import crc32c
import pytest

from fixtures.unpack import unpack
from tests.corpus import copy_of, names, needs_corpus, unpacked
from tests.wal.test_kernel import by_definition
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.advice import copy_command, copy_commands, quoted_word
from walctl.inspect.doctor import doctor
from walctl.inspect.reading import Depth
from walctl.inspect.report import gate
from walctl.inspect.starts import starts_of
from walctl.inspect.verify import Examination, examine, verify
from walctl.model.finding import Code, Severity, Verdict

DISK = RealFileSystem()
FIRST = "0000000000000000-0000000000000000.wal"
ELSE = "/SOMEWHERE/ELSE/member.copy"


def examined(path: Path) -> Examination:
    return examine(DISK, understand(DISK, path))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@needs_corpus
@pytest.mark.parametrize("offset", [64928656])
def test_zeros_over_the_last_record_of_a_sealed_segment_are_damage(
    tmp_path: Path, offset: int
) -> None:
    member = copy_of("m-segments-nosnap-35", tmp_path / "m") / "n1"
    segment = member / "member" / "wal" / FIRST
    overwrite(segment, offset, bytes(8))
    assert verify(DISK, member).verdict is Verdict.DAMAGED


def rewritten(path: Path, offset: int, crc: int, records: list[tuple[int, bytes]]) -> list[int]:
    """Write records with good checksums from `offset` on, zeros behind; their offsets."""
    places = []
    out = bytearray()
    for raw_type, data in records:
        crc = crc32c.crc32c(data, crc)
        places.append(offset + len(out))
        record = b"\x08" + bytes([raw_type]) + b"\x10" + varint(crc)
        record += b"\x1a" + varint(len(data)) + data
        padding = -len(record) % 8
        top = (0x80 | padding) << 56 if padding else 0
        out += struct.pack("<Q", len(record) | top) + record + bytes(padding)
    overwrite(path, offset, bytes(out) + bytes(8192))
    return places


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def test_entries_behind_a_tear_do_not_vouch_for_it(tmp_path: Path) -> None:
    """The last batch holds two entries and the first is torn: etcd cuts both, and both count."""
    member = unpack("etcd-3.5-three-puts", tmp_path / "m")
    before = verify(DISK, member).summary
    assert before is not None
    assert before.last_index is not None
    last = before.last_index
    segment = member / "member" / "wal" / FIRST
    rows = by_definition(segment.read_bytes()[: before.bytes])
    at = max(number for number, row in enumerate(rows) if row.kind == 2)
    vote = before.hard_state.vote if before.hard_state else 0
    entries = [
        (2, b"\x08\x00\x10\x02\x18" + varint(index) + b"\x22\x90\x4e" + b"v" * 10000)
        for index in (last, last + 1)
    ]
    state = (3, b"\x08\x02\x10" + varint(vote) + b"\x18" + varint(last + 1))
    places = rewritten(segment, rows[at].start, rows[at - 1].crc, [*entries, state])
    hole = (places[0] + 4096) // 512 * 512
    overwrite(segment, hole, bytes(512))
    report = verify(DISK, member)
    assert report.verdict is Verdict.DAMAGED
    assert Code.TORN_TAIL in {each.code for each in report.of(Severity.DAMAGE)}


def test_a_quick_look_opens_no_gate(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    assert gate([verify(DISK, member)], is_strict=True).is_open
    quick = verify(DISK, member, depth=Depth(is_quick=True))
    answer = gate([quick], is_strict=False)
    assert (answer.is_open, int(answer.status)) == (False, 4)


def test_a_database_of_no_bytes_is_no_panic(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "m")
    (member / "member" / "snap" / "db").write_bytes(b"")
    report = verify(DISK, member)
    assert report.verdict is Verdict.DAMAGED
    assert "panics" not in report.boots


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/a/n1", "test ! -e /a/n1.copy && cp -aLT --sparse=always -- /a/n1 /a/n1.copy"),
        (".", f"test ! -e {ELSE} && cp -aLT --sparse=always -- . {ELSE}"),
        ("../..", f"test ! -e {ELSE} && cp -aLT --sparse=always -- ../.. {ELSE}"),
        ("-q", "test ! -e -q.copy && cp -aLT --sparse=always -- -q -q.copy"),
        ("/a b", "test ! -e '/a b.copy' && cp -aLT --sparse=always -- '/a b' '/a b.copy'"),
    ],
)
def test_the_copy_goes_beside_the_original_and_never_into_it(path: str, command: str) -> None:
    assert copy_command(Path(path)) == command


def test_a_name_that_no_screen_shows_is_one_word_of_a_shell() -> None:
    assert quoted_word("n\x1b[1m'\n") == "$'n\\x1b[1m\\x27\\x0a'"


def test_an_empty_database_below_a_snapshot_is_behind_it(tmp_path: Path) -> None:
    """What etcd leaves when it did not find its database: it panics on that at each start."""
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    young = unpack("etcd-3.5-killed", tmp_path / "young")  # its database has applied nothing
    database = member / "member" / "snap" / "db"
    database.write_bytes((young / "member" / "snap" / "db").read_bytes())
    report = verify(DISK, member)
    assert report.summary is not None
    assert report.summary.applied_index is None
    assert Code.DB_BEHIND in {each.code for each in report.of(Severity.DAMAGE)}
    assert "panics" in report.boots
    assert not gate([report], is_strict=False).is_open


def test_a_log_that_ends_before_its_snapshots_is_damage_even_without_a_database(
    tmp_path: Path,
) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    (member / "member" / "snap" / "db").unlink()
    segment = member / "member" / "wal" / FIRST
    rows = by_definition(segment.read_bytes()[: verify(DISK, member).summary.bytes])  # type: ignore[union-attr]
    cut = next(row.start for row in rows if row.kind == 2 and row.value.index == 15)
    overwrite(segment, cut, bytes(1 << 16))
    report = verify(DISK, member)
    assert report.verdict is Verdict.DAMAGED
    assert Code.SNAP_UNMARKED in {each.code for each in report.of(Severity.DAMAGE)}
    assert not any(point.usable for point in report.start_points)


def test_a_hole_over_the_membership_makes_no_member_the_only_one(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-members", tmp_path / "m")
    segment = member / "member" / "wal" / FIRST
    rows = by_definition(segment.read_bytes()[: verify(DISK, member).summary.bytes])  # type: ignore[union-attr]
    lost = [row for row in rows if row.kind == 2 and row.value.index in (2, 3)]
    overwrite(segment, lost[0].start, bytes(lost[-1].stop - lost[0].start))
    diagnosis = doctor(DISK, member)
    assert diagnosis.report.verdict is Verdict.DAMAGED
    assert diagnosis.membership.size == 3
    assert not any("--data-dir" in step.command for step in diagnosis.steps)
    assert any("member remove" in step.command for step in diagnosis.steps)


@needs_corpus
@pytest.mark.parametrize("name", names())
def test_no_verdict_lets_a_server_start_that_no_version_would_serve(name: str) -> None:
    for folder in unpacked(name).iterdir():
        if (folder / "member").is_dir():
            report = verify(DISK, folder)
            starts = starts_of(DISK, examined(folder).survey)
            if not starts.some_serve or not any(point.usable for point in report.start_points):
                assert report.verdict is Verdict.DAMAGED


def test_a_log_at_another_place_is_copied_too(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "m")
    elsewhere = tmp_path / "fast"
    (member / "member" / "wal").rename(elsewhere)
    layout = understand(DISK, member, wal_dir=elsewhere)
    assert [each.split()[-1] for each in copy_commands(layout)] == [
        f"{member}.copy",
        f"{elsewhere}.copy",
    ]


def test_the_database_of_another_cluster_is_no_witness(tmp_path: Path) -> None:
    member = unpack("torn-tail-mid-sector", tmp_path / "m")
    assert verify(DISK, member).verdict is Verdict.HARMLESS
    other = unpack("etcd-3.5-three-puts", tmp_path / "other")
    database = member / "member" / "snap" / "db"
    database.write_bytes((other / "member" / "snap" / "db").read_bytes())
    report = verify(DISK, member)
    damage = {each.code for each in report.of(Severity.DAMAGE)}
    assert {Code.CLUSTER_MISMATCH, Code.TORN_TAIL} <= damage


def test_snapshots_without_any_entry_of_their_log_are_damage(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    report = verify(DISK, member)
    assert report.summary is not None
    log = tmp_path / "kv"
    log.mkdir()
    data = (member / "member" / "wal" / FIRST).read_bytes()
    rows = by_definition(data[: report.summary.bytes])
    (log / FIRST).write_bytes(data[: rows[2].start])
    snaps = tmp_path / "kv-snap"
    snaps.mkdir()
    for path in (member / "member" / "snap").glob("*.snap"):
        (snaps / path.name).write_bytes(path.read_bytes())
    found = verify(DISK, log)
    assert found.understood_as == "raftexample directory"
    assert Code.SNAP_UNMARKED in {each.code for each in found.of(Severity.DAMAGE)}

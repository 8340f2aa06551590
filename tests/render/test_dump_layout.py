"""Each byte of a record with its field: all of them, once, and as etcd's own reader has them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import internalpb, raftpb, rpcpb, walpb
from formats.fields import UnknownField
from formats.frame import build_frame
from tests.corpus import names, needs_corpus, unpacked
from tests.render.decoded import decoded_rows, entry_row, made_row
from tests.render.drawing import CASES, Paper, laid
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import Check, Checkpoint, Entry, Frame, Span
from walctl.payload.base import PayloadError, Redaction, Request
from walctl.payload.etcd import EtcdDecoder
from walctl.render.dump_layout import ETCD_PAYLOADS, Piece, lines, pieces
from walctl.render.frame_bytes import hidden_bytes
from walctl.render.text import columns

CLEAN = (
    "a-single-20puts-34",
    "b-single-allops-34",
    "b-single-allops-35",
    pytest.param("d-cluster3-35", marks=pytest.mark.slow),
)


def drawn(*rows: Row, redaction: Redaction = Redaction.NONE, columns_max: int = 200) -> list[str]:
    paper = Paper()
    lines(paper, rows, redaction=redaction, columns_max=columns_max)
    return paper.text.splitlines()


def assert_partition(found: list[Piece], size: int) -> None:
    """No byte left out, none told twice, in order."""
    position = 0
    for piece in found:
        assert piece.span.start == position
        assert piece.span.stop > position
        position = piece.span.stop
    assert position == size


def rows_of_all(case: Path) -> Iterator[Row]:
    members = [path for path in case.iterdir() if path.name != "truth"]
    for member in sorted(members):
        logs = [member] if (member / "member").is_dir() or member.name.startswith("n") else []
        for each in logs:
            yield from decoded_rows(each)


@needs_corpus
@pytest.mark.parametrize("name", CLEAN)
def test_every_byte_of_a_real_log_is_told_once_and_by_a_field_that_is_declared(name: str) -> None:
    count = 0
    for row in decoded_rows(unpacked(name) / "n1"):
        found = pieces(row)
        assert_partition(found, len(row.raw))
        odd = [piece for piece in found if re.search("unknown|stops|rest", piece.name)]
        assert odd == []
        count += 1
    assert count > 20


@pytest.mark.slow
@needs_corpus
@pytest.mark.parametrize("name", [each for each in names() if each.startswith("x-")])
def test_every_byte_of_a_damaged_log_is_told_once(name: str) -> None:
    rows = list(rows_of_all(unpacked(name)))
    for row in rows:
        assert_partition(pieces(row), len(row.raw))
    assert rows


@pytest.mark.parametrize(
    "case",
    ["etcd-3.5-three-puts", *(pytest.param(each, marks=pytest.mark.slow) for each in CASES)],
)
def test_every_byte_of_the_fixtures_is_told_once(case: str) -> None:
    for row in decoded_rows(laid(case)):
        for redaction in (Redaction.NONE, Redaction.KEYS):
            found = pieces(row, hidden_bytes(row, redaction))
            assert_partition(found, len(row.raw))


@needs_corpus
@pytest.mark.parametrize("name", CLEAN)
def test_the_words_are_those_of_etcds_own_reader(name: str) -> None:
    """Its recorded lines say where each record lies, its checksum, and the fields in it."""
    rows = [row for row in decoded_rows(unpacked(name) / "n1") if isinstance(row, RecordRow)]
    told = (unpacked(name) / "truth" / "n1.walrecords.txt").read_text().splitlines()
    assert told[len(rows)].startswith("END")
    for row, line in zip(rows, told, strict=False):
        segment, start, stop, kind, *fields = line.split()
        said = dict(each.split("=") for each in fields if "=" in each)
        found = pieces(row)
        top = {piece.name: piece.words for piece in found if piece.depth == 0}
        inner = {piece.name: piece.words for piece in found if piece.depth == 1}
        assert row.frame.segment == segment
        assert found[-1].span.stop == int(stop) - int(start)
        assert top["type"].split(" = ")[1] == kind
        assert top["crc"].startswith(said["crc"])
        if "data" in top:
            assert count_of(top["data"]) == said["bytes"]
        for each in ("term", "index", "vote", "commit"):
            assert inner.get(each) == said.get(each)
        if "data" in inner:
            assert count_of(inner["data"]) == said["len"]


def count_of(words: str) -> str:
    """The number that words begin with."""
    return words.split(" ")[0].replace(",", "")


def framed(record: walpb.Record) -> bytes:
    return build_frame(walpb.RECORD.build(record))


def entry_of(payload: bytes, *, raw_type: int = 0) -> RecordRow:
    """A row around a frame that holds an entry with this payload."""
    entry = raftpb.ENTRY.build(raftpb.Entry(type=raw_type, term=2, index=7, data=payload))
    raw = framed(walpb.Record(type=2, crc=0x1A, data=entry))
    row = entry_row(payload)
    assert isinstance(row.frame.record, Entry)
    span = Span(80, 80 + len(raw))
    return replace(row, raw=raw, frame=replace(row.frame, span=span))


def put(key: bytes, value: bytes) -> bytes:
    return internalpb.INTERNAL_RAFT_REQUEST.build(
        internalpb.InternalRaftRequest(
            header=internalpb.RequestHeader(id=0x3C12A),
            put=rpcpb.PutRequest(key=key, value=value, lease=0x694D),
        )
    )


def decoded(payload: bytes) -> RecordRow:
    row = entry_of(payload)
    assert isinstance(row.frame.record, Entry)
    return replace(row, request=EtcdDecoder().decode(payload, row.frame.record.kind))


def test_a_put_is_told_field_by_field() -> None:
    text = drawn(decoded(put(b"k/000", b"third")))[2:]
    assert [line[38:].strip() for line in text] == [
        "length                41 bytes of record, 7 of padding",
        "type                  2 = entry",
        "crc                   0000001a, verified",
        "data                  35 bytes under the checksum: Entry",
        "type                0 = normal",
        "term                2",
        "index               7",
        "data                27 bytes: InternalRaftRequest",
        "put               18 bytes of PutRequest",
        'key             "k/000"',
        'value           "third"',
        "lease           694d",
        "header            4 bytes of RequestHeader",
        "ID              3c12a",
        "padding               zeros, up to a multiple of 8",
    ]


def test_without_a_decoder_and_with_somebody_elses_a_payload_is_bytes() -> None:
    row = entry_of(put(b"k", b"v"))
    other = replace(row, request=Request(decoder="raftexample", type="put", body={}))
    for each in (row, other):
        assert "InternalRaftRequest" not in "\n".join(drawn(each))
        assert_partition(pieces(each), len(each.raw))


def test_a_payload_that_does_not_decode_is_told_up_to_where_it_stops() -> None:
    payload = put(b"k", b"v") + b"\xff\x01\x01"
    row = replace(entry_of(payload), problem=PayloadError("x"))
    found = pieces(row)
    assert_partition(found, len(row.raw))
    (stop,) = [piece for piece in found if piece.name == "stops"]
    assert "proto: illegal wireType 7" in stop.words
    assert row.raw[stop.span.start : stop.span.stop] == b"\xff\x01\x01"
    assert '"k"' in [piece.words for piece in found]


def test_a_field_that_nobody_declared_is_named_by_its_number() -> None:
    other = UnknownField(number=999, wire_type=2, data=b"\xba\x3e\x03abc")
    payload = internalpb.INTERNAL_RAFT_REQUEST.build(
        internalpb.InternalRaftRequest(unknown=(other,))
    )
    (line,) = [each for each in drawn(decoded(payload)) if "unknown field" in each]
    assert line.endswith("unknown field 999  bytes: InternalRaftRequest has no such field")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check.VERIFIED, "0000001a, verified"),
        (Check.FAILED, "0000001a, failed: the data gives 0000002b"),
        (Check.IMPLIED, "0000001a, implied: the chain goes on from it"),
        (Check.UNVERIFIABLE, "0000001a, nothing vouches for it"),
    ],
)
def test_a_checksum_says_what_is_known_of_it(check: Check, words: str) -> None:
    row = made_row(Checkpoint(value=0), check=check)
    frame: Frame = row.frame
    raw = framed(walpb.Record(type=3, crc=0x1A, data=b"\x08\x01"))
    found = {piece.name: piece.words for piece in pieces(replace(row, raw=raw, frame=frame))}
    assert found["crc"] == words


def test_what_etcd_would_not_have_written_is_told() -> None:
    row = entry_of(b"")
    raw = framed(walpb.Record(type=2, crc=1, data=b"\x08\x00\x10\x01"))
    assert raw[7] == 0x86
    odd = raw[:-1] + b"\1"
    words = {piece.name: piece.words for piece in pieces(replace(row, raw=odd))}
    assert words["padding"] == "not zero, but nobody looks at it, up to a multiple of 8"
    odd = raw[:7] + b"\xc6" + raw[8:]
    words = {piece.name: piece.words for piece in pieces(replace(row, raw=odd))}
    assert words["length"] == "10 bytes of record, 6 of padding; not as etcd writes it"


def damage(raw: bytes, *, stop: int = 0) -> FindingRow:
    finding = Finding(
        code=Code.BAD_LENGTH,
        severity=Severity.DAMAGE,
        place=Place(segment="0.wal", offset=80),
        stop=stop or 80 + len(raw),
        detail="It is wrong.",
    )
    return FindingRow(finding=finding, raw=raw)


def test_damage_is_told_as_far_as_it_reads() -> None:
    raw = framed(walpb.Record(type=2, crc=1, data=b"abcdefgh"))
    assert len(raw) == 24
    text = drawn(damage(raw[:-6], stop=9999))
    assert text[1] == "        80  !! bad-length: It is wrong."
    assert text[2].endswith("14 bytes of record, 2 of padding; here are 10")
    assert "no Record from here on: unexpected EOF" in text[-2]
    assert text[-1].strip() == "and 9,901 bytes more"


@pytest.mark.parametrize(
    ("raw", "names_of_pieces"),
    [
        (b"\x01\x02", ["length"]),
        (bytes(8), ["length"]),
        (bytes(24), ["length", "rest"]),
        (b"\xff" * 24, ["length", "stops"]),
    ],
)
def test_damage_that_is_no_frame_is_told_too(raw: bytes, names_of_pieces: list[str]) -> None:
    found = pieces(damage(raw))
    assert_partition(found, len(raw))
    assert [piece.name for piece in found] == names_of_pieces


@given(st.binary(max_size=80), st.binary(max_size=60))
def test_any_bytes_are_told_once_and_harmlessly(raw: bytes, record: bytes) -> None:
    row = replace(entry_of(b"x"), problem=PayloadError(""))
    whole = build_frame(record)
    entry = entry_of(record, raw_type=len(raw) % 4)
    for each in (
        replace(row, raw=raw),
        replace(row, raw=whole),
        replace(entry, problem=PayloadError("")),
        damage(raw),
        damage(whole),
    ):
        for redaction in (Redaction.NONE, Redaction.AUTH, Redaction.VALUES):
            assert_partition(pieces(each, hidden_bytes(each, redaction)), len(each.raw))
            assert all(line.isprintable() for line in drawn(each, redaction=redaction))


def test_messages_inside_one_another_stay_on_the_screen() -> None:
    inner = rpcpb.TxnRequest()
    for _ in range(20):
        inner = rpcpb.TxnRequest(success=(rpcpb.RequestOp(request_txn=inner),))
    payload = internalpb.INTERNAL_RAFT_REQUEST.build(internalpb.InternalRaftRequest(txn=inner))
    row = decoded(payload)
    assert_partition(pieces(row), len(row.raw))
    assert max(piece.depth for piece in pieces(row)) > 40
    assert max(map(columns, drawn(row, columns_max=100))) <= 100


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_line_is_never_wider_than_the_terminal(width: int) -> None:
    row = decoded(put(b"k" * 300, b"v" * 300))
    assert max(map(columns, drawn(row, columns_max=width))) <= width


def test_what_a_redaction_hides_says_only_how_long_it_is() -> None:
    row = decoded(put(b"k/000", b"third"))
    text = {line[38:].split()[0]: line for line in drawn(row, redaction=Redaction.VALUES)[2:]}
    assert text["key"].endswith('"k/000"')
    assert text["value"].endswith("<redacted 5 bytes>")
    assert "12 05 -- -- -- -- --" in text["value"]
    text = {line[38:].split()[0]: line for line in drawn(row, redaction=Redaction.KEYS)[2:]}
    assert "0a 05 -- -- -- -- -- " in text["key"]
    assert text["lease"].endswith("694d")


def test_a_payload_whose_fields_cannot_be_told_is_hidden_as_a_whole() -> None:
    row = decoded(put(b"k/000", b"third"))
    assert row.request is not None
    packed = replace(row.request, body={**row.request.body, "compressed": "gzip"})
    other = replace(row.request, decoder="mine")
    for request in (packed, other, None):
        text = "\n".join(drawn(replace(row, request=request), redaction=Redaction.VALUES)[2:])
        assert "<redacted 27 bytes>" in text
        assert "22 1b -- -- -- -- -- --…" in text


def test_the_table_of_payloads_has_every_kind_of_entry() -> None:
    assert set(ETCD_PAYLOADS) == set(raftpb.EntryType)

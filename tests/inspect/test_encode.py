"""Rows back to bytes: real segments to the byte, requests to their payloads, and refusals."""

import base64
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.unpack import unpack
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.limits import RECORD_BYTES_MAX
from formats.rpcpb import PutRequest
from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import logs_in, of_kind
from tests.strategies import messages
from tests.wal import builders
from walctl.datadir.layout import understand
from walctl.errors import UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect import encode
from walctl.inspect.document import request_document, row_document
from walctl.inspect.encode import (
    Encoded,
    Skipped,
    encode_lines,
    encode_row,
    parse_seed,
    split_lines,
)
from walctl.inspect.encode_request import Era, build_payload
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import RecordRow
from walctl.inspect.select import Selection, rows
from walctl.model.record import Entry, EntryKind
from walctl.payload.base import PayloadError, Redaction
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.k8s import K8sDecoder

DECODER = EtcdDecoder()
FIRST = "0000000000000000-0000000000000000.wal"

Document = dict[str, Any]


def documents(disk: Any, folder: Path, redaction: Redaction = Redaction.NONE) -> list[Document]:
    """Rows as dump prints them, payloads decoded."""
    layout = understand(disk, folder)
    seen = survey_of(disk, layout, depth=ONE_PROCESS)
    found = []
    for row in rows(disk, layout, seen, Selection()):
        if isinstance(row, RecordRow) and isinstance(row.frame.record, Entry):
            entry = row.frame.record
            try:
                request = DECODER.decode(entry.payload, entry.kind) if entry.payload else None
            except PayloadError:
                request = None
            row = replace(row, request=request)
        document: Document = json.loads(json.dumps(row_document(row, redaction)))
        found.append(document)
    return found


def lines_of(found: list[Document]) -> list[bytes]:
    return [json.dumps(row).encode() + b"\n" for row in found]


def records(found: list[Document], **how: Any) -> list[Encoded]:
    return [each for each in encode_lines(lines_of(found), **how) if isinstance(each, Encoded)]


def assert_gives_segments_again(found: list[Document], folder: Path) -> None:
    made = records(found)
    assert [each.note for each in made] == [None] * len(found)
    names = list(dict.fromkeys(row["segment"] for row in found))
    for name, group in itertools.groupby(zip(found, made, strict=True), lambda p: p[0]["segment"]):
        written = b"".join(each.frame for _, each in group)
        (path,) = folder.rglob(name)
        data = path.read_bytes()
        assert data[: len(written)] == written
        assert not data[len(written) :].strip(b"\0")
    assert names == sorted(path.name for path in folder.rglob("*.wal"))


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", of_kind("scenario"))
def test_the_rows_of_a_clean_log_give_every_segment_again_to_the_byte(name: str) -> None:
    for member in logs_in(name):
        folder = unpacked(name) / member
        assert_gives_segments_again(documents(RealFileSystem(), folder), folder)


@pytest.mark.parametrize(
    "name",
    [pytest.param("etcd-3.5-two-segments", marks=pytest.mark.slow), "etcd-3.5-three-puts"],
)
def test_the_rows_of_a_fixture_give_every_segment_again_to_the_byte(
    name: str, tmp_path: Path
) -> None:
    folder = unpack(name, tmp_path / name)
    assert_gives_segments_again(documents(RealFileSystem(), folder), folder)


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in of_kind("scenario") if not n.startswith("f-")])
def test_requests_alone_give_the_payloads_that_etcd_wrote(name: str) -> None:
    built = set()
    for member in logs_in(name):
        for row in documents(RealFileSystem(), unpacked(name) / member):
            if row["type"] != "entry" or row["request"] is None:
                continue
            edited = {key: row[key] for key in row if key not in ("data", "text")}
            assert encode_row(edited).payload == base64.b64decode(row["data"]), row
            built.add(row["request"]["type"])
    assert {"put"} <= built
    if name.startswith("b-"):
        assert {"delete_range", "txn", "compaction", "lease_grant", "lease_revoke"} <= built
        assert {
            "conf_change",
            "v2_put",
            "auth_user_add",
            "auth_role_grant_permission",
            "alarm",
            "auth_enable",
        } <= built


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(messages(InternalRaftRequest))
def test_any_request_that_the_decoder_shows_is_built_so_that_it_shows_the_same(
    message: InternalRaftRequest,
) -> None:
    """Bytes may differ: a tree does not tell an absent value from a zero where etcd does not."""
    data = INTERNAL_RAFT_REQUEST.build(message)
    first = DECODER.decode(data or b"\x08\0", EntryKind.NORMAL)
    document: Any = json.loads(json.dumps(request_document(first, Redaction.NONE)))
    payload = build_payload(document, Era.GOGO)
    if not payload:
        assert set(document) == {"decoder", "type", "id"}
        return
    second = DECODER.decode(payload, EntryKind.NORMAL)
    assert json.loads(json.dumps(request_document(second, Redaction.NONE))) == document


VECTOR = """
04000000000000840804100000000000
0e00000000000082080110a9f6f0ac0c1a04080110020000
0e0000000000008208051099cffffd0d1a04080010000000
1800000000000000080210a08ab4ec0a1a0e0801100118012206080010001801
1000000000000000080310cbf3b583081a06080110001801
100000000000000008021086c8c7ea061a06080010021802
1d00000000000083080210d09dae990c1a1310021803220d22060a016b120176a206020807000000
1000000000000000080310d8e79fb10b1a06080210011803
"""
"""Source: etcd-data-dir notes 11.3, a log in the style of etcd 3.7 but for its entries 1 and 2."""


def test_the_eras_differ_in_the_type_of_ordinary_entries() -> None:
    frames = [bytes.fromhex(line) for line in VECTOR.split()]
    disk = MemoryFileSystem({Path("/wal") / FIRST: b"".join(frames) + bytes(64)})
    found = documents(disk, Path("/wal"))
    old, new = records(found), records(found, era=Era.APIV2)
    for number, frame in enumerate(frames):
        # Entry 3 alone was written without a type; entry 2 is an ordinary one with a type.
        index = found[number].get("index")
        for made, odd in ((old, 3), (new, 2)):
            data = made[number].body.data
            assert data is None or (builders.bytes_field(3, data) in frame) is (index != odd)
    assert old[6].body.data == b"\x08\0" + (new[6].body.data or b"")
    assert [each.line for each in old if each.note] == [7]
    assert [each.line for each in new if each.note] == [6]


# --- checksums


@pytest.fixture
def some() -> list[Document]:
    """Rows of two small segments, the second behind the first."""
    first = builders.fresh().puts(1, 3)
    second = builders.Builder(first.crc).puts(4, 6)
    second_name = "0000000000000001-0000000000000004.wal"
    files = {FIRST: first.done(64), second_name: second.done(64)}
    disk = MemoryFileSystem({Path("/wal") / name: data for name, data in files.items()})
    return documents(disk, Path("/wal"))


def test_every_selection_of_rows_keeps_the_bytes_of_each_record(some: list[Document]) -> None:
    whole = records(some)
    for step in (2, 3, 5):
        part = records(some[::step])
        assert [each.frame for each in part] == [each.frame for each in whole[::step]]
        assert not any(each.note for each in part)
    for start in range(len(some)):
        part = records(some[start:])
        assert [each.frame for each in part] == [each.frame for each in whole[start:]]
        assert not any(each.note for each in part)


def edit(row: Document, **fields: Any) -> Document:
    return {**row, **fields}


def test_a_changed_row_changes_all_checksums_behind_it_and_only_itself_is_named(
    some: list[Document],
) -> None:
    whole = records(some)
    number = next(n for n, row in enumerate(some) if row.get("index") == 2)
    data = base64.b64encode(b"other").decode()
    changed = edit(some[number], data=data)
    changed.pop("text", None)
    some[number] = changed
    made = records(some)
    assert [each.line for each in made if each.note] == [number + 1]
    assert re.search(r"crc is [0-9a-f]{8}, the row says [0-9a-f]{8}", made[number].note or "")
    assert all(a.frame == b.frame for a, b in zip(made[:number], whole, strict=False))
    assert all(a.frame != b.frame for a, b in zip(made[number:], whole[number:], strict=True))
    joined = b"".join(each.frame for each in made)
    first = [n for n, row in enumerate(some) if row["offset"] == 0][1]
    assert joined == b"".join(each.frame for each in records(some, seed=0))
    assert made[first].body.data is None  # the head of the second segment goes on from ours
    assert made[first].record == b"\x08\x04\x10" + builders.varint(crc_of(made[first - 1]))


def crc_of(made: Encoded) -> int:
    record = made.record
    value = shift = 0
    for byte in record[3:]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value


def test_a_seed_makes_one_chain_of_rows_from_anywhere(some: list[Document]) -> None:
    entries = [row for row in some if row["type"] == "entry"]
    made = records(entries, seed=0xDEAD)
    built = builders.Builder(0xDEAD)
    for row in entries:
        built.add(builders.ENTRY, builders.entry(row["index"], 1, base64.b64decode(row["data"])))
    assert b"".join(each.frame for each in made) == bytes(built.data[built.frames[0].stop :])
    assert [each.line for each in made if each.note] == [1]


def test_rows_by_hand_need_a_seed_and_no_places() -> None:
    row = {"type": "state", "term": 1, "vote": "7", "commit": 3}
    with pytest.raises(UsageError, match="line 1: no checksum to go on from: give --seed"):
        records([row])
    made = records([row, row], seed=5)
    built = builders.Builder(5).add(builders.STATE, builders.state(1, 7, 3))
    built.add(builders.STATE, builders.state(1, 7, 3))
    assert b"".join(each.frame for each in made) == bytes(built.data[built.frames[0].stop :])
    head = {"type": "crc", "value": 77}
    assert records([head])[0].frame == bytes(builders.Builder(77).data)


@pytest.mark.slow
def test_damage_is_left_out_and_what_is_behind_it_keeps_its_own_checksums(tmp_path: Path) -> None:
    folder = unpack("zero-page", tmp_path / "member")
    found = documents(RealFileSystem(), folder)
    made = list(encode_lines(lines_of(found)))
    skipped = [each.line for each in made if isinstance(each, Skipped)]
    assert skipped == [n for n, row in enumerate(found, start=1) if row["kind"] == "finding"]
    (path,) = folder.rglob("*.wal")
    data = path.read_bytes()
    for each in made:
        if isinstance(each, Encoded):
            row = found[each.line - 1]
            is_whole = data[row["offset"] :].startswith(each.frame)
            assert is_whole is (each.note is None) is (row["check"] != "failed")


def test_a_record_that_is_broken_is_made_whole_and_named(tmp_path: Path) -> None:
    folder = unpack("flipped-bit-in-data", tmp_path / "member")
    found = documents(RealFileSystem(), folder)
    (failed,) = [n for n, row in enumerate(found, start=1) if row.get("check") == "failed"]
    notes = [each.line for each in records(found) if each.note]
    assert failed in notes


def test_a_record_that_was_written_in_another_way_is_named_by_its_length() -> None:
    built = builders.fresh()
    built.add(builders.ENTRY, builders.entry(1, 1, b"x" * 20), wide=5)
    disk = MemoryFileSystem({Path("/wal") / FIRST: built.done(64)})
    (*_, last) = records(documents(disk, Path("/wal")))
    assert "the record was written in another way" in (last.note or "")


# --- what is refused


ENTRY: Document = {"v": 1, "kind": "record", "type": "entry", "term": 1, "index": 2, "crc": 7}


def asking(**tree: Any) -> Document:
    return {**ENTRY, "request": {"decoder": "etcd", "type": "put", **tree}}


def joining(context: Document) -> Document:
    change = {"type": "ADD_NODE", "node_id": "1", "context": context}
    return {**ENTRY, "request": {"decoder": "raft", "conf_change": change}}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("nonsense", "line 1: no JSON: expected a row as dump -o ndjson prints it, one a line"),
        ("[" * 100_000, "line 1: no JSON"),
        ("9" * 5000, "line 1: no JSON"),
        ("\udcff", "line 1: no JSON"),
        ([], "expected a row, found a list"),
        (5, "expected a row, found 5"),
        ({**ENTRY, "v": 2}, "a row of version 2; this walctl knows 1"),
        ({}, "type: expected one of metadata, entry, state, crc, snapshot, found nothing"),
        ({"type": "type 9"}, 'found "type 9"'),
        ({"type": ["entry"]}, "found a list"),
        ({**ENTRY, "redacted": True, "data": None}, "hidden; dump the rows with --redact none"),
        ({**ENTRY, "index": None}, "index: expected a number, found nothing"),
        ({**ENTRY, "index": True}, "index: expected a number, found true"),
        ({**ENTRY, "index": 1.5}, "index: expected a number, found 1.5"),
        ({**ENTRY, "index": 2**64}, "does not fit 64 bits unsigned"),
        ({**ENTRY, "term": -1}, "does not fit 64 bits unsigned"),
        ({**ENTRY, "crc": 2**32}, "does not fit 32 bits unsigned"),
        ({**ENTRY, "crc": "x"}, 'crc: expected a number, found "x"'),
        ({**ENTRY, "entry_type": "unknown"}, "entry_type: expected one of normal, conf-change"),
        ({**ENTRY, "entry_type": []}, "found a list"),
        ({**ENTRY, "data": "?"}, "data: what is under data is no base64"),
        ({**ENTRY, "data": 5}, "expected base64 under data, found 5"),
        ({**ENTRY, "data": "YQ==", "text": "b"}, "data and text differ"),
        ({**ENTRY, "text": "\ud800"}, "half a character"),
        ({**ENTRY, "size": 5}, "data: missing, and there is no request to build it from"),
        ({**ENTRY, "request": []}, "request: expected an object, found a list"),
        ({**ENTRY, "request": {"decoder": "mine"}}, 'made by the decoder "mine"; only those of'),
        ({**ENTRY, "request": {"decoder": "raft"}}, "expected one of conf_change, conf_change_v2"),
        (asking(pet={}), 'request: it has no field "pet"; did you mean put?'),
        (asking(put={"kei": "a"}), 'request.put: it has no field "kei"; did you mean key?'),
        (asking(put=5), "request.put: expected an object, found 5"),
        (asking(put={"key": 5}), "request.put.key: expected an object, found 5"),
        (asking(put={"key": {}}), "request.put.key: expected data (base64) or text"),
        (asking(put={"key": {"date": "x"}}), "request.put.key: expected data (base64) or text"),
        (asking(put={"key": {"data": None}}), "request.put.key: expected data (base64) or text"),
        (asking(put={"key": {"redacted": True, "size": 3}}), "request.put.key: it is hidden here"),
        (asking(put={"prev_kv": 1}), "request.put.prev_kv: expected true or false, found 1"),
        (asking(put={"lease": "x"}), 'request.put.lease: expected an id in hex, found "x"'),
        (asking(put={"lease": 2**63}), "does not fit 64 bits signed"),
        (asking(compaction={"revision": []}), "request.compaction.revision: expected a number"),
        (asking(txn={"compare": {}}), "request.txn.compare: expected a list, found an object"),
        (asking(txn={"compare": [{"result": "MORE"}]}), "is none of EQUAL, GREATER"),
        (
            asking(txn={"success": [{"request_put": {}, "request_range": {}}]}),
            "request.txn.success[0]: request_put and request_range exclude each other",
        ),
        (asking(put={}, header={"ID": "7"}, id="8"), 'request.id: "8" is not the id'),
        (asking(unknown=[5]), "request.unknown[0]: expected an object"),
        ({"type": "state", "crc": 1, "term": 1, "vote": None, "commit": 1}, "vote: expected an id"),
        ({"type": "state", "crc": 1, "term": 1, "vote": "1" * 17, "commit": 1}, "vote: expected"),
        ({"type": "state", "crc": 1, "term": 10**5000, "vote": "1", "commit": 1}, "line 1: "),
        ({"type": "snapshot", "crc": 1, "index": 1, "term": 1, "conf_state": 5}, "conf_state"),
        (
            {"type": "snapshot", "crc": 1, "index": 1, "term": 1, "conf_state": {"voters": ["x"]}},
            "conf_state.voters: expected an id in hex",
        ),
        ({"type": "metadata", "crc": 1, "node_id": "1"}, "cluster_id: expected an id in hex"),
        (joining({"id": "zz"}), 'context.id: expected an id in hex, found "zz"'),
        (joining({"id": "1", "weight": float("inf")}), "context.weight: inf is no number of JSON"),
        (joining({"id": "1", "\ud800": 1}), "context: a name: a text that holds half a character"),
    ],
)
def test_what_says_no_record_is_refused_with_its_line_and_place(row: Any, reason: str) -> None:
    if isinstance(row, str):
        line = row.encode("utf-8", "surrogateescape")
    else:
        try:
            line = json.dumps(row).encode()
        except ValueError:  # Python does not write the number either
            line = b'{"type":"state","term":' + b"9" * 5000 + b"}"
    with pytest.raises(UsageError) as caught:
        list(encode_lines([line]))
    assert reason in caught.value.message
    assert caught.value.message.startswith("line 1: ")
    assert "\n" not in caught.value.message
    assert caught.value.exit_status == 2


def test_a_transaction_inside_itself_without_end_is_refused() -> None:
    tree: Any = {"compare": []}
    for _ in range(200):
        tree = {"success": [{"request_txn": tree}]}
    with pytest.raises(UsageError, match="nested too deeply"):
        build_payload({"decoder": "etcd", "txn": tree}, Era.GOGO)


def test_what_is_hidden_is_refused_wherever_it_is_hidden(tmp_path: Path) -> None:
    folder = unpack("etcd-3.5-three-puts", tmp_path / "member")
    found = documents(RealFileSystem(), folder, Redaction.ALL)
    hidden = [row for row in found if row.get("redacted")]
    assert len(hidden) > 3
    for row in hidden:
        with pytest.raises(UsageError, match="--redact none"):
            encode_row(row)
        row.pop("redacted")
        if row["request"] is not None and row["request"]["type"] != "v2_put":
            with pytest.raises(UsageError, match="--redact none"):
                encode_row(row)


def test_a_row_may_be_put_together_from_words_that_a_person_types() -> None:
    payload = build_payload(
        {
            "decoder": "etcd",
            "txn": {
                "compare": [{"target": "mod", "result": "GREATER", "key": "k", "mod_revision": 0}],
                "success": [{"request_put": {"key": "k", "value": {"text": "v"}, "lease": "-1"}}],
                "failure": [{"request_delete_range": {"key": {"data": "aw=="}, "prev_kv": True}}],
            },
            "header": {"ID": "0x7"},
        },
        Era.GOGO,
    )
    request = DECODER.decode(payload, EntryKind.NORMAL)
    assert request is not None
    assert request.request_id == 7
    document: Any = request_document(request, Redaction.NONE)
    assert document["txn"]["compare"][0]["mod_revision"] == 0
    assert document["txn"]["success"][0]["request_put"]["lease"] == "-1"
    assert document["txn"]["failure"][0]["request_delete_range"]["prev_kv"] is True


def test_what_is_said_of_an_object_of_kubernetes_is_not_built() -> None:
    value = b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n"}}'
    put = PutRequest(key=b"/registry/pods/n/p", value=value)
    payload = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(put=put))
    request = K8sDecoder().decode(payload, EntryKind.NORMAL)
    document: Any = request_document(request, Redaction.NONE)
    assert "kubernetes" in document["put"]
    assert document["decoder"] == "k8s"
    assert build_payload(document, Era.GOGO) == payload


# --- lines and seeds


@given(
    st.lists(st.binary(max_size=6).map(lambda raw: raw.replace(b"\n", b"")), max_size=6),
    st.integers(1, 5),
)
def test_lines_are_the_same_in_pieces_of_any_size(lines: list[bytes], size: int) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert list(split_lines(pieces)) == lines
    assert list(split_lines([whole + b"end"])) == [*lines, b"end"]


def test_a_line_that_never_ends_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encode, "LINE_BYTES_MAX", 100)
    given_out = 0

    def endless() -> Iterator[bytes]:
        nonlocal given_out
        yield b"a\nb\n"
        while True:
            given_out += 1
            yield b"x" * 10

    with pytest.raises(UsageError, match="line 3: more than 100 bytes are no row"):
        list(split_lines(endless()))
    assert given_out == 11


def test_a_record_that_etcd_would_not_read_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**ENTRY, "data": base64.b64encode(bytes(100)).decode()}
    assert records([row])
    assert RECORD_BYTES_MAX > 100
    monkeypatch.setattr("formats.limits.RECORD_BYTES_MAX", 100)
    with pytest.raises(UsageError, match="more than 100 bytes are no record"):
        records([row])


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("4294967295", 2**32 - 1), ("0xffffffff", 2**32 - 1)]
)
def test_a_seed_is_a_number(text: str, value: int) -> None:
    assert parse_seed(text) == value


@pytest.mark.parametrize("text", ["", "x", "ff", "-1", "4294967296", "0x", "0x123456789", "٣"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no CRC-32C"):
        parse_seed(text)


NAMES = "data text redacted put key header ID voters txn success request_put unknown number v2"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 2**64), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(NAMES.split()),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
FIELDS = ["data", "text", "size", "crc", "raw_type", "conf_state", "node_id", "entry_type", "v"]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["entry", "state", "snapshot", "metadata", "crc", "type 9"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2),
    st.one_of(st.none(), JSON),
    st.sampled_from(["etcd", "raft"]),
)
def test_whatever_a_row_holds_ends_in_bytes_or_in_one_line(
    kind: str, fields: Document, tree: Any, decoder: str
) -> None:
    row = {"type": kind, "index": 1, "term": 1, "vote": "1", "commit": 1, "crc": 5, **fields}
    if isinstance(tree, dict):
        row["request"] = {**tree, "decoder": decoder}
    message = ""
    try:
        assert all(isinstance(each, Encoded) for each in encode_lines([json.dumps(row).encode()]))
    except UsageError as error:
        message = error.message
    assert "\n" not in message


@pytest.mark.parametrize("edit", ["key", "value"])
def test_a_request_that_was_changed_beside_its_bytes_is_refused(edit: str) -> None:
    payload = b"\x22\x06\x0a\x01k\x12\x01v\xa2\x06\x02\x08\x07"
    request = request_document(EtcdDecoder().decode(payload, EntryKind.NORMAL), Redaction.NONE)
    assert request is not None
    row = {"type": "entry", "term": 1, "index": 2, "data": base64.b64encode(payload).decode()}
    same = encode_row({**row, "request": json.loads(json.dumps(request))})
    assert same.payload == payload
    changed = json.loads(json.dumps(request))
    changed["put"][edit] = {"text": "other"}
    with pytest.raises(UsageError, match="request: says other than data"):
        encode_row({**row, "request": changed})
    built = encode_row({**row, "data": None, "request": changed})
    assert b"other" in (built.payload or b"")

"""Filters: what each wish lets through, that a look at the bytes never loses a row, and windows."""

import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixtures.unpack import unpack
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.rpcpb import DeleteRangeRequest, PutRequest
from tests.corpus import needs_corpus, unpacked
from tests.strategies import hostile, messages
from walctl.datadir.layout import understand
from walctl.errors import UsageError
from walctl.fs.real import RealFileSystem
from walctl.inspect.filter_words import (
    RECORD_TYPES,
    REQUEST_TYPES,
    list_types,
    parse_grep,
    parse_key,
    parse_request_id,
    parse_statuses,
    parse_terms,
    parse_types,
)
from walctl.inspect.filters import (
    Filter,
    Gap,
    TermRange,
    around_damage,
    chosen,
    has_id,
    is_damage,
    last,
    put_header,
)
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import NOOP, UNDECODED, FindingRow, RecordRow, Row
from walctl.inspect.select import Selection, rows
from walctl.inspect.where import parse_where
from walctl.model.record import Entry, EntryKind, HardState, SnapshotMark
from walctl.payload.base import PayloadError, Redaction, Request
from walctl.payload.etcd import EtcdDecoder, type_names
from walctl.wal.records import name_of

DECODER = EtcdDecoder()


def decoded(row: Row) -> Row:
    """The row as dump would have it: with its payload read."""
    if not (isinstance(row, RecordRow) and isinstance(row.frame.record, Entry)):
        return row
    entry = row.frame.record
    if not entry.payload:
        return row
    try:
        return replace(row, request=DECODER.decode(entry.payload, entry.kind))
    except PayloadError as error:
        return replace(row, problem=error)


def rows_of(folder: Path) -> list[Row]:
    disk = RealFileSystem()
    layout = understand(disk, folder)
    seen = survey_of(disk, layout, depth=ONE_PROCESS)
    return [decoded(row) for row in rows(disk, layout, seen, Selection())]


def entry_of(row: Row) -> Entry | None:
    record = row.frame.record if isinstance(row, RecordRow) else None
    return record if isinstance(record, Entry) else None


def request_of(row: Row) -> Request | None:
    return row.request if isinstance(row, RecordRow) else None


def payload_of(row: Row) -> bytes:
    entry = entry_of(row)
    return (entry.payload or b"") if entry else b""


def slow_type(row: Row) -> str | None:
    entry, request = entry_of(row), request_of(row)
    if entry is None:
        return None
    return NOOP if not entry.payload else UNDECODED if request is None else request.type


def slow_touches(row: Row, keys: tuple[bytes, ...], prefixes: tuple[bytes, ...] = ()) -> bool:
    request = request_of(row)
    ranges = () if request is None else request.keys
    return any(r.covers(key) for r in ranges for key in keys) or any(
        r.meets_prefix(prefix) for r in ranges for prefix in prefixes
    )


def term_of(row: Row) -> int | None:
    record = row.frame.record if isinstance(row, RecordRow) else None
    return record.term if isinstance(record, Entry | HardState | SnapshotMark) else None


Means = Callable[[Row], bool]


def touches(*keys: bytes, prefix: bytes | None = None) -> Means:
    prefixes = () if prefix is None else (prefix,)
    return lambda row: slow_touches(row, keys, prefixes)


def asks(*types: str) -> Means:
    return lambda row: slow_type(row) in types


def has(request_id: int) -> Means:
    return lambda row: getattr(request_of(row), "request_id", None) == request_id


def is_of(name: str) -> Means:
    return lambda row: isinstance(row, RecordRow) and name_of(row.frame.record) == name


def has_status(status: str) -> Means:
    return lambda row: isinstance(row, RecordRow) and row.status == status


def both(one: Means, other: Means) -> Means:
    return lambda row: one(row) and other(row)


def either(one: Means, other: Means) -> Means:
    return lambda row: one(row) or other(row)


def is_put_behind_10(row: Row) -> bool:
    entry, request = entry_of(row), request_of(row)
    if entry is None or request is None or request.type != "put":
        return False
    return entry.index > 10 and request.keys[0].key.startswith(b"k")


def some(found: set[Any]) -> list[Any]:
    """A few of them, spread."""
    ordered = sorted(found)
    return ordered[:: max(1, len(ordered) // 3)]


def wishes(found: list[Row]) -> Iterator[tuple[Filter, Means]]:
    """Filters for what is in some log, each with what it means, worked out row by row."""
    requests = [each for row in found if (each := request_of(row)) is not None]
    for key in (*some({r.key for each in requests for r in each.keys}), b"k/0", b"", b"\xff"):
        prefix = key[:3]
        yield Filter(keys=(key,)), touches(key)
        yield Filter(prefixes=(prefix,)), touches(prefix=prefix)
        put = Filter(keys=(b"?",), prefixes=(prefix,), request_types=frozenset({"put"}))
        yield put, both(asks("put"), touches(b"?", prefix=prefix))
    for each in (*some({each.request_id or 0 for each in requests}), 1):
        yield Filter(request_ids=frozenset({each})), has(each)
    for kind in {slow_type(row) for row in found} - {None}:
        assert kind is not None
        yield Filter(request_types=frozenset({kind})), asks(kind)
    for name in RECORD_TYPES:
        wish = Filter(types=frozenset({name}), request_types=frozenset({"txn"}))
        yield wish, either(is_of(name), asks("txn"))
    terms = (TermRange(2, 2), TermRange(4, None))
    yield Filter(terms=terms), lambda row: term_of(row) == 2 or (term_of(row) or 0) >= 4
    for status in ("committed", "uncommitted", "overwritten"):
        yield Filter(statuses=frozenset({status})), has_status(status)
    pattern = re.compile(rb"(?i)FOO|k/\d")
    grep = Filter(grep=pattern, types=frozenset({"entry"}))
    yield grep, lambda row: pattern.search(payload_of(row)) is not None
    where = parse_where('request.put.key startswith "k" and index > 10')
    yield Filter(where=where, request_types=frozenset({"put", "txn"})), is_put_behind_10


def assert_wishes(found: list[Row]) -> None:
    shown = 0
    for wanted, means in wishes(found):
        expected = [id(row) for row in found if isinstance(row, FindingRow) or means(row)]
        for vouched in (False, True):
            wish = pickle.loads(pickle.dumps(replace(wanted, payloads_are_etcds=vouched)))
            assert [id(row) for row in chosen(found, wish, Redaction.NONE)] == expected
            assert not wish.is_empty
        shown += len(expected)
    assert shown > len(found)


@needs_corpus
@pytest.mark.parametrize(
    "name", ["b-single-allops-35", "b-single-allops-34", "d-cluster3-35", "f-raftexample-35"]
)
@pytest.mark.slow
def test_every_wish_gives_what_it_gives_row_by_row_in_real_logs(name: str) -> None:
    folder = unpacked(name)
    for member in sorted(each for each in folder.iterdir() if each.name in ("n1", "raftexample-1")):
        assert_wishes(rows_of(member))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["etcd-3.5-snapshots", "flipped-bit-in-data"])
def test_every_wish_gives_what_it_gives_row_by_row_in_fixtures(name: str, tmp_path: Path) -> None:
    assert_wishes(rows_of(unpack(name, tmp_path / name)))


def test_no_wish_lets_everything_through(tmp_path: Path) -> None:
    found = rows_of(unpack("zero-page", tmp_path / "member"))
    assert Filter().is_empty
    assert Filter(damage_only=True).is_empty
    assert not Filter().needs_decoding
    assert list(chosen(found, Filter())) == found
    assert list(chosen(found, Filter(damage_only=True))) == found


@pytest.mark.parametrize(
    ("wish", "needs"),
    [
        (Filter(types=frozenset({"entry"})), False),
        (Filter(request_types=frozenset({NOOP})), False),
        (Filter(terms=(TermRange(1, 2),), statuses=frozenset({"committed"})), False),
        (Filter(grep=re.compile(b"x")), False),
        (Filter(where=parse_where("index > 5")), False),
        (Filter(where=parse_where("request.put")), True),
        (Filter(where=parse_where('text ~ "x"')), True),
        (Filter(request_types=frozenset({"put"})), True),
        (Filter(keys=(b"",)), True),
        (Filter(prefixes=(b"",)), True),
        (Filter(request_ids=frozenset({0})), True),
    ],
)
def test_what_needs_payloads_to_be_decoded_says_so(wish: Filter, needs: bool) -> None:
    assert wish.needs_decoding is needs
    assert not wish.is_empty


def test_a_condition_that_speaks_of_findings_chooses_among_them_and_no_other_does(
    tmp_path: Path,
) -> None:
    found = rows_of(unpack("zero-page", tmp_path / "member"))
    findings = [row for row in found if isinstance(row, FindingRow)]
    assert findings

    def chosen_by(text: str) -> list[Row]:
        return list(chosen(found, Filter(where=parse_where(text))))

    assert chosen_by("index == 1000000") == findings
    assert chosen_by('code == "zero-hole"') == findings
    assert chosen_by('code == "torn-tail"') == []
    assert chosen_by('kind == "record"') == [row for row in found if row not in findings]


def test_a_condition_does_not_see_what_is_hidden(tmp_path: Path) -> None:
    found = rows_of(unpack("etcd-3.5-three-puts", tmp_path / "member"))
    wish = Filter(where=parse_where('request.put.key ~ "." or text ~ "."'))
    assert len(list(chosen(found, wish, Redaction.AUTH))) >= 3
    assert list(chosen(found, wish, Redaction.ALL)) == []


# --- what the bytes tell before decoding


def answers(payload: bytes) -> Request | None:
    try:
        return DECODER.decode(payload, EntryKind.NORMAL)
    except PayloadError:
        return None


def assert_nothing_is_lost(payload: bytes, key: bytes, request_id: int) -> None:
    """What decoding finds, the look at the bytes lets through."""
    request = answers(payload)
    kind = UNDECODED if request is None else request.type
    keys = () if request is None else request.keys
    made = Filter(payloads_are_etcds=True)
    assert replace(made, request_types=frozenset({kind})).wants_payload(payload)
    if any(each.covers(key) for each in keys):
        assert replace(made, keys=(b"other", key)).wants_payload(payload)
    if any(each.meets_prefix(key) for each in keys):
        assert replace(made, prefixes=(key,)).wants_payload(payload)
    if request is not None and request.request_id is not None:
        ids = frozenset({request_id, request.request_id})
        assert replace(made, request_ids=ids).wants_payload(payload)


puts = st.builds(
    lambda put, header, ranged: InternalRaftRequest(put=put, header=header, delete_range=ranged),
    messages(PutRequest),
    st.one_of(st.none(), messages(RequestHeader)),
    st.one_of(st.none(), st.none(), messages(DeleteRangeRequest)),
)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        puts.map(INTERNAL_RAFT_REQUEST.build),
        messages(InternalRaftRequest).map(INTERNAL_RAFT_REQUEST.build),
        hostile(INTERNAL_RAFT_REQUEST),
        st.binary(max_size=12).map(lambda tail: b"\x22\x04\x0a\x02ab\xa2\x06" + tail),
    ),
    st.binary(max_size=2),
    st.integers(0, 300),
)
@example(bytes.fromhex("2200a20602088100"), b"", 1)
@example(bytes.fromhex("2200a206040801" + "0805"), b"", 5)
@example(bytes.fromhex("2200a2060408810000"), b"", 1)
def test_nothing_that_decoding_would_find_is_lost(
    payload: bytes, key: bytes, request_id: int
) -> None:
    if payload:
        assert_nothing_is_lost(payload, key, request_id)


def test_a_range_that_covers_a_key_is_not_lost_for_want_of_its_bytes() -> None:
    ranged = InternalRaftRequest(delete_range=DeleteRangeRequest(key=b"a", range_end=b"c"))
    payload = INTERNAL_RAFT_REQUEST.build(ranged)
    assert Filter(keys=(b"bbb",), payloads_are_etcds=True).wants_payload(payload)
    other = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(put=PutRequest(key=b"a")))
    assert not Filter(keys=(b"bbb",), payloads_are_etcds=True).wants_payload(other)
    assert Filter(keys=(b"bbb",)).wants_payload(other)


@needs_corpus
@pytest.mark.slow
def test_most_puts_of_a_real_log_are_told_by_their_bytes() -> None:
    """Otherwise every entry would be decoded for one key."""
    found = rows_of(unpacked("m-segments-nosnap-35") / "n1")
    puts_there = [row for row in found if slow_type(row) == "put"]
    assert len(puts_there) > 100
    for row in puts_there:
        header = put_header(payload_of(row))
        request = request_of(row)
        assert header
        assert request is not None
        assert request.request_id is not None
        assert has_id(header, request.request_id)
        assert not has_id(header, request.request_id ^ 1)


# --- windows


def numbered(damaged: str) -> list[Row]:
    """A row for each letter: `x` is damage."""
    from walctl.model.finding import Code, Finding, Place, Severity
    from walctl.model.record import Check, Checkpoint, Frame, Span

    made: list[Row] = []
    for number, letter in enumerate(damaged):
        if letter == "x" and number % 2:
            place = Place(offset=number)
            found = Finding(code=Code.BAD_RECORD, severity=Severity.DAMAGE, place=place, detail="")
            made.append(FindingRow(finding=found))
            continue
        frame = Frame(
            segment="",
            span=Span(number, number + 1),
            payload=None,
            record=Checkpoint(value=0),
            check=Check.FAILED if letter == "x" else Check.VERIFIED,
            stored=0,
            computed=0,
        )
        made.append(RecordRow(frame=frame))
    return made


def slow_window(found: list[Row], context: int) -> list[Row | Gap]:
    hits = [at for at, row in enumerate(found) if is_damage(row)]
    shown: list[Row | Gap] = []
    missing = 0
    for at, row in enumerate(found):
        if any(abs(at - hit) <= context for hit in hits):
            shown += [Gap(missing)] if missing else []
            missing = 0
            shown.append(row)
        else:
            missing += 1
    return shown + ([Gap(missing)] if missing and hits else [])


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("...x"), max_size=30), st.integers(0, 6))
def test_damage_comes_with_its_surroundings_each_row_once(text: str, context: int) -> None:
    found = numbered(text)
    assert list(around_damage(iter(found), context)) == slow_window(found, context)


def test_a_window_keeps_no_more_rows_than_it_may_show() -> None:
    alive: list[int] = []

    class Seen:
        """A row that is counted while something holds it."""

        frame = numbered(".")[0].frame  # type: ignore[union-attr]

        def __init__(self) -> None:
            alive.append(1)

        def __del__(self) -> None:
            alive.pop()

    def many() -> Iterator[Any]:
        for _ in range(500):
            assert len(alive) <= 5 + 2
            yield Seen()

    assert list(around_damage(many(), 5)) == []
    assert len(list(last(many(), 5))) == 5


@pytest.mark.parametrize("count", [0, 1, 3, 10])
def test_the_last_rows_come_in_order(count: int) -> None:
    found = numbered(".....")
    assert list(last(iter(found), count)) == (found[-count:] if count else [])


# --- what is typed


def test_every_type_that_a_request_of_etcd_can_have_is_listed_with_words() -> None:
    assert set(type_names()) | {NOOP, UNDECODED} == set(REQUEST_TYPES)
    names = [(each.name, each.kind) for each in list_types()]
    assert len(set(names)) == len(names) == len(RECORD_TYPES) + len(REQUEST_TYPES)
    assert all(each.what for each in list_types())


def test_types_are_a_list_with_commas_or_several() -> None:
    found = parse_types(["state,put", "txn", "put", " entry "])
    assert found.records == {"state", "entry"}
    assert found.requests == {"put", "txn"}
    assert not any(parse_types([]))
    assert all(each == {"unknown"} for each in parse_types(["unknown"]))
    foreign = parse_types(["put,secret_santa,crc"], is_open=True)
    assert foreign.records == {"crc"}
    assert foreign.requests == {"put", "secret_santa"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["pt"], "pt is no type of a record or request; did you mean put? (`-r list`"),
        (["delete-range"], "did you mean delete_range"),
        (["STATE"], "did you mean state"),
        (
            ["qqqqq"],
            "there are metadata, entry, state, crc, snapshot, unknown, noop, undecoded, put",
        ),
        (["put,"], "an empty word is no type"),
        ([""], "an empty word is no type"),
    ],
)
def test_a_type_that_there_is_not_is_refused_with_those_that_are(
    words: list[str], reason: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        parse_types(words)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("3", TermRange(3, 3)),
        ("2-4", TermRange(2, 4)),
        ("5-", TermRange(5, None)),
        ("0", TermRange(0, 0)),
        (str(2**64 - 1), TermRange(2**64 - 1, 2**64 - 1)),
    ],
)
def test_terms_are_ranges_with_both_ends(word: str, expected: TermRange) -> None:
    assert parse_terms([word]) == (expected,)
    assert parse_terms([f"{word},7"]) == (expected, TermRange(7, 7))


@pytest.mark.parametrize("word", ["", "-", "-3", "4-2", "x", "1-2-3", "٣", "9" * 21, str(2**64)])
def test_what_is_no_term_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no term: expected 3, 2-4 or 5-"):
        parse_terms([word])


@pytest.mark.parametrize("word", ["64f3a20784248205", "0x64F3A20784248205", "00064f3a20784248205"])
def test_an_id_is_hex_however_it_is_written(word: str) -> None:
    assert parse_request_id(word) == 0x64F3A20784248205


@pytest.mark.parametrize("word", ["", "0x", "x", "-1", "1" * 17, "1_0", " 1"])
def test_what_is_no_id_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no request id"):
        parse_request_id(word)


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("/registry/a", b"/registry/a"),
        ("é\udcff", b"\xc3\xa9\xff"),
        ("hex:6b2F", b"k/"),
        ("base64:ay8=", b"k/"),
        ("hex:6865783a61", b"hex:a"),
        ("other:x", b"other:x"),
        ("hex", b"hex"),
        ("", b""),
    ],
)
def test_a_key_is_text_or_bytes(word: str, key: bytes) -> None:
    assert parse_key(word) == key


@pytest.mark.parametrize("word", ["hex:6", "hex:xx", "base64:a", "base64:?", "\ud800"])
def test_what_is_no_key_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no key"):
        parse_key(word)


@pytest.mark.parametrize("word", ["(", "[", "(" * 5000, "a{99999999999}", "\ud800", "x" * 10_001])
def test_what_is_no_pattern_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="--grep: ") as caught:
        parse_grep(word)
    assert "\n" not in caught.value.message


def test_a_pattern_is_of_bytes_and_warns_nobody() -> None:
    assert parse_grep("[[é]").search(b"\xc3")
    assert parse_grep("(?i)KEY").search(b"a key")


def test_statuses_are_those_of_rows() -> None:
    assert parse_statuses(["committed,unknown", "overwritten"]) == {
        "committed",
        "unknown",
        "overwritten",
    }
    with pytest.raises(UsageError, match="lost is no status: committed, uncommitted"):
        parse_statuses(["lost"])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12))
def test_whatever_is_typed_ends_in_a_wish_or_in_one_line(text: str) -> None:
    for read in (parse_request_id, parse_key, parse_grep):
        try:
            read(text)
        except UsageError as error:
            assert_one_line(error, text)
    for read_words in (parse_types, parse_terms, parse_statuses):
        try:
            read_words([text])
        except UsageError as error:
            assert_one_line(error, text)


def assert_one_line(error: UsageError, text: str) -> None:
    assert "\n" not in error.message.replace(text, "").replace(text.strip(), "")

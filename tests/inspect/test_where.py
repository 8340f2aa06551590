"""`--where`: what is understood, what it means, and what is refused with its place.

The meaning is held against a slow evaluation that shares nothing with the shipped one.
"""

import base64
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixtures.unpack import unpack
from tests.cli.commands import ROOT
from tests.corpus import needs_corpus, unpacked
from tests.inspect.slow_where import slow, written
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.document import row_document
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.select import Selection, rows
from walctl.inspect.where import NESTING_MAX, PARTS_MAX, parse_where
from walctl.inspect.where_fields import FIELDS
from walctl.inspect.where_words import TEXT_CHARS_MAX, WhereError

PUT: dict[str, Any] = {
    "v": 1,
    "kind": "record",
    "type": "entry",
    "segment": "0000000000000000-0000000000000000.wal",
    "offset": 512,
    "index": 12,
    "term": 2,
    "entry_type": "normal",
    "size": 99,
    "status": "committed",
    "crc": 0xFF,
    "request": {
        "decoder": "etcd",
        "type": "put",
        "id": "64f3a20784248205",
        "header": {"ID": "64f3a20784248205"},
        "put": {
            "key": {"data": "L3JlZ2lzdHJ5L3BvZHMvYQ==", "text": "/registry/pods/a"},
            "value": {"data": base64.b64encode(b"\x00k8s\xff").decode()},
            "lease": "694d",
            "prev_kv": True,
            "name": {"redacted": True, "size": 7},
            "odd.name": 1.5,
        },
    },
}
TXN: dict[str, Any] = {
    "type": "entry",
    "index": 13,
    "request": {
        "txn": {
            "success": [
                {"request_put": {"key": {"data": "YQ==", "text": "a"}, "lease": "1f"}},
                {"request_delete_range": {"key": {"data": "Yg==", "text": "b"}}},
            ],
            "failure": [],
        }
    },
}
STATE: dict[str, Any] = {"type": "state", "term": 2, "vote": "8e9e05c52164694d", "commit": 12}
MARK: dict[str, Any] = {
    "type": "snapshot",
    "index": 5,
    "conf_state": {"voters": ["1", "8e9e05c52164694d"], "auto_leave": False},
}


def holds(text: str, document: dict[str, Any] = PUT) -> bool:
    return parse_where(text).matches(document)


@pytest.mark.parametrize(
    "text",
    [
        "index == 12",
        "index == 0xC",
        "index >= 12 and index <= 12 and not index > 12 and not index < 12",
        "index != 11 or false == true",
        "index > -1 and index < 12.5",
        "crc == 0xff",
        'request.put.key == "/registry/pods/a"',
        "request.put.key == '/registry/pods/a'",
        'request["put"]["key"] == "\\x2fregistry\\u002fpods/\\U00000061"',
        'request.put.key startswith "/registry/" and request.put.key endswith "s/a"',
        'request.put.key contains "pods"',
        r'request.put.key ~ "^/reg\w+/(pods|nodes)/"',
        r'request.put.key !~ "^/registry/\d"',
        'request.put.key.data == "L3JlZ2lzdHJ5L3BvZHMvYQ=="',
        r'request.put.value == "\0k8s\xff"',
        r'request.put.value endswith "\xff" and request.put.value ~ "k8s"',
        'request.put.key >= "/registry/" and request.put.key < "/registry0"',
        'request.put["odd.name"] == 1.5 and request.put["odd.name"] > 1',
        'status in ("uncommitted", "committed") and index in (1, 12, null)',
        'status not in ("overwritten", 3)',
        "exists(request.put.lease) and has(request.put.prev_kv) and not exists(request.txn)",
        "request.put.prev_kv and request.put and not request.put.ignore_lease",
        "size(request.put.key) == 16 and size(request.put.value) == 5 and size(request.put) == 6",
        "size == 99 and size > 98",
        "request.put.gone == null and request.put.key != null and commit == null",
        "request.put.name == null and exists(request.put.name) and size(request.put.name) == 7",
        "size(status) == 9",
        'request.put.lease == "694d" and request.put.lease == "0x694D" and not vote == "694d"',
        "request.put.lease == 0x694d and request.put.lease > 0x694c and request.put.lease != 0",
        'request.put.lease == "00694d" and request.put.lease startswith "69"',
        "request.id == 0x64F3A20784248205 and request.id == request.header.ID",
        "not (index == 1 or not (index == 12))",
        "\t(((index==12)))\n",
        "index == 12 or index == 1 and index == 2",
        "not index == 1 and index == 12",
        "12 == index and 11 < index",
    ],
)
def test_what_is_true_of_a_put(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        'index == "12"',
        "index < null or index > null or index <= null",
        "commit < 5 or commit >= 0 or commit <= null",
        "request.put.prev_kv == 1",
        "request.put.key == 5",
        "request.put == request.put",
        'request contains "put"',
        'request.put.key.text.more == "x"',
        "index[0] == 12 or index[*] == 12",
        'request.put.key == "/REGISTRY/PODS/A"',
        'request.put.name == "7" or request.put.name ~ "."',
        'index ~ "12" or index contains 1',
        "exists(vote) or size(index) == 2 or size(vote) == 0",
    ],
)
def test_what_is_of_another_kind_hidden_or_missing_is_neither_equal_nor_ordered(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('request.txn.success[0].request_put.key == "a"', True),
        ('request.txn.success[-1].request_delete_range.key == "b"', True),
        ('request.txn.success[1].request_put.key == "b"', False),
        ("request.txn.success[7] == null and request.txn.success[-3] == null", True),
        ('request.txn.success[*].request_put.key == "a"', True),
        ('request.txn.success[*].request_put.key != "a"', False),
        ('request.txn.success[*].request_put.key == "c"', False),
        ("request.txn.success[*].request_put.key == null", True),
        ("request.txn.failure[*].request_put.key == null", False),
        ('request.txn.success[*].request_put.key ~ "^a$"', True),
        ('request.txn.success[*].request_put.key !~ "^a$"', False),
        ("request.txn.success[*].request_put.lease == 0x1f", True),
        ("size(request.txn.success) == 2 and size(request.txn.failure) == 0", True),
        ("size(request.txn.success[*].request_put.key) == 1", True),
        ("exists(request.txn.success[*].request_delete_range)", True),
        ("exists(request.txn.failure[*])", False),
    ],
)
def test_an_element_is_any_element_or_the_one_at_its_position(text: str, answer: bool) -> None:
    assert holds(text, TXN) is answer


def test_ids_are_the_same_however_they_are_written() -> None:
    for way in ('"8e9e05c52164694d"', '"0x8E9E05C52164694D"', "0x8e9e05c52164694d"):
        assert holds(f"vote == {way} and vote in (0, {way})", STATE)
        assert holds(f"conf_state.voters contains {way}", MARK)
        assert holds(f"conf_state.voters[*] == {way}", MARK)
    assert holds("conf_state.voters contains 1 and not conf_state.voters contains 2", MARK)
    assert holds("vote != 0 and node_id == null", STATE)


def test_a_lease_of_a_negative_number_is_found_as_etcdctl_prints_it() -> None:
    document = {"request": {"put": {"lease": "-1a"}}}
    assert holds('request.put.lease == "-1a" and request.put.lease == -0x1a', document)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 1, "expected a value at the end"),
        ("index > and term == 2", 9, "expected a value at character 9: and term == 2"),
        ("index >", 8, "expected a value at the end"),
        ("index == 5 term", 12, "expected an operator, and, or, or the end at character 12: term"),
        ("(index == 5", 12, "expected ) at the end"),
        ("index == 5)", 11, "the end at character 11: )"),
        ('index == "a', 10, "a text without its closing quote"),
        ("index == 'a\\'", 10, "a text without its closing quote"),
        ("index == 99x", 10, "no number"),
        ("index == -", 10, "no number"),
        ("index == " + "9" * 41, 10, "a number of more than 40 characters"),
        ('type = "state"', 6, "(write == for =) at character 6"),
        ('type == "state" && index > 1', 17, "(write and for &&)"),
        ('"state"', 8, "expected a comparison, such as ==, at the end"),
        ("true and index", 6, "expected a comparison"),
        ("size(request) and index", 15, "expected a comparison"),
        ("type == entry", 9, 'a text needs quotes: "entry"'),
        ("requst.put", 1, "requst is no field of a row; did you mean request?"),
        ("foo", 1, "foo is no field of a row; there are check, cluster_id, code,"),
        ("exists(5)", 8, "expected a field"),
        ("exists(requst)", 8, "did you mean request?"),
        ("request..put", 9, 'expected a name (others: ["…"])'),
        ("request[put]", 9, "expected a position, *, or a name in quotes"),
        ("request[1.5]", 9, "expected a position"),
        ("request[0", 10, "expected ] at the end"),
        ("index in 3", 10, "expected ("),
        ("index in (term)", 11, "expected a number, a text, true, false or null"),
        ("index in ()", 11, "expected a number"),
        ("index in (1,", 13, "expected a number"),
        ('type ~ "("', 9, "no pattern: missing ), unterminated subpattern"),
        ('type ~ "a(b|"', 10, "no pattern"),
        ("type ~ entry", 8, "expected a pattern in quotes"),
        (r'type == "a\q"', 11, "no such escape"),
        (r'type == "\ud800"', 10, "no character has this number"),
        (r'type == "\U00110000"', 10, "no character has this number"),
        (r'type == "\x1"', 10, "no such escape"),
        ("type == 'a\ud800'", 11, "half a character"),
        ("vote == 694", 9, 'ids are hex: write "694", or "2b6" for the decimal 694'),
        ("10 == request.put.lease", 1, 'write "10", or "a"'),
        ("request.id in (0x10, 16)", 22, "ids are hex"),
        ("conf_state.voters contains 77", 28, "ids are hex"),
        ("request.a[*] == request.b[*]", 1, "[*] may stand on one side only"),
        ("size(request.a[*]) == size(request.b[*])", 1, "[*] may stand on one side only"),
        ("index == 1 and é", 16, "expected a field, a value or an operator"),
        ("index == 1; type", 11, "expected a field, a value or an operator"),
        ("not " * (NESTING_MAX + 1) + "index", 4 * NESTING_MAX + 1, "inside one another"),
        ("(" * 5000, NESTING_MAX + 1, "inside one another"),
        (
            "a" * (TEXT_CHARS_MAX + 1),
            TEXT_CHARS_MAX + 1,
            "10001 characters, at most 10000, at character 10001: a",
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, position: int, words: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse_where(text)
    assert caught.value.message.startswith("--where: ")
    assert words in caught.value.message
    assert caught.value.position == position
    assert caught.value.exit_status == 2
    assert caught.value.message.count("\n") == 0


def test_parts_are_counted() -> None:
    texts = ["index in (" + ",".join(["1"] * count) + ")" for count in (PARTS_MAX - 1, PARTS_MAX)]
    parse_where(texts[0])
    with pytest.raises(WhereError, match="more than 1000 parts"):
        parse_where(texts[1])


def test_as_deep_as_is_allowed_is_understood() -> None:
    text = "(" * NESTING_MAX + "index == 12" + ")" * NESTING_MAX
    assert holds(text)


def test_an_expression_can_be_sent_to_another_process() -> None:
    where = parse_where('index in (1, 12) and request.put.key ~ "p.ds" or size(text) != null')
    sent = pickle.loads(pickle.dumps(where))
    assert sent == where
    assert sent.matches(PUT)
    assert where.fields == {"index", "request", "text"}


def test_words_of_the_language_may_be_names_below_the_first() -> None:
    document = {"request": {"in": {"not": {"size": 5}}}, "size": 2}
    assert holds("request.in.not.size == 5 and size == 2", document)


def test_the_manual_s_examples_are_understood() -> None:
    page = (ROOT / "man" / "walctl.7").read_text()
    section = page.partition(".SH CONDITIONS\n")[2].partition(".SH ")[0]
    examples = section.partition(".nf\n")[2].partition(".fi")[0].splitlines()
    assert len(examples) >= 5
    typed = {"\\[aq]": "'", "\\[ti]": "~", "\\[ha]": "^", "\\-": "-"}
    for line in examples:
        for escape, char in typed.items():
            line = line.replace(escape, char)
        assert "\\" not in line
        parse_where(line)


# --- against a slow evaluation


NAMES = ["put", "key", "list", "a-b", 'q"\\']
FIRST = ["request", "index", "term", "text"]
short = st.text(st.sampled_from("abé\0\U0001f600"), max_size=2)
blobs = st.binary(max_size=3).map(lambda raw: {"data": base64.b64encode(raw).decode()})
hidden = st.integers(0, 3).map(lambda size: {"redacted": True, "size": size})
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0]), short, blobs, hidden
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(FIRST), values)
literals = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(0.5),
    st.binary(max_size=3).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    short,
).map(lambda value: ("literal", value))


def paths(*, with_any: bool) -> st.SearchStrategy[list[Any]]:
    steps: list[st.SearchStrategy[Any]] = [st.sampled_from(NAMES), st.integers(-2, 2)]
    steps += [st.just("*")] if with_any else []
    tail = st.lists(st.one_of(*steps), max_size=3)
    return st.builds(lambda first, rest: [first, *rest], st.sampled_from(FIRST), tail)


def operands(*, with_any: bool) -> st.SearchStrategy[Any]:
    places = paths(with_any=with_any)
    kinds = st.sampled_from(["path", "path", "size"])
    return st.one_of(literals, st.tuples(kinds, places), st.tuples(kinds, places))


comparing = st.sampled_from(
    ["==", "!=", "<", "<=", ">", ">=", "contains", "startswith", "endswith"]
)
conditions = st.recursive(
    st.one_of(
        st.tuples(st.just("exists"), paths(with_any=True)),
        st.tuples(st.just("is"), paths(with_any=True)),
        st.tuples(st.just("compare"), comparing, operands(with_any=True), operands(with_any=False)),
        st.tuples(
            st.just("in"), operands(with_any=True), st.lists(literals, min_size=1, max_size=3)
        ),
        st.tuples(st.just("~"), operands(with_any=True), st.sampled_from(["a", "^b", "é$", ""])),
    ),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: ("and", *parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: ("or", *parts)),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(conditions, st.lists(documents, min_size=1, max_size=4))
def test_any_expression_means_what_a_slow_evaluation_says(
    tree: Any, rows_given: list[dict[str, Any]]
) -> None:
    where = parse_where(written(tree))
    for document in rows_given:
        assert where.matches(document) is slow(tree, document)


PIECES = r"""index request vote exists size contains in not and or true null . [ ] ( ) { , *
== != ~ !~ 12 - 0x 99999999 " ' \ "a" 'b' [[a (?i)x é"""
WORDS = st.sampled_from(PIECES.split())


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join)))
@example('type ~ "[[a]"')
@example('type ~ "' + "(" * 3000 + '"')
@example('type ~ "a{99999999999}"')
@example("\ud800")
def test_garbage_is_refused_by_one_error_alone(text: str) -> None:
    position = 1
    try:
        parse_where(text).matches(PUT)
    except WhereError as error:
        position = error.position
    assert 1 <= position <= len(text) + 1


# --- real rows


def documents_of(folder: Any) -> list[dict[str, Any]]:
    disk = RealFileSystem()
    layout = understand(disk, folder)
    seen = survey_of(disk, layout, depth=ONE_PROCESS)
    return [row_document(row) for row in rows(disk, layout, seen, Selection())]


@pytest.mark.slow
def test_every_field_that_a_real_row_has_may_be_asked_for(tmp_path: Any) -> None:
    for name in ("etcd-3.5-two-segments", "zero-page", "flipped-bit-in-data"):
        found = documents_of(unpack(name, tmp_path / name))
        assert {"finding", "record"} >= {row["kind"] for row in found}
        assert {field for row in found for field in row} <= FIELDS


ASKED: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
    ('type == "state" and commit > 10', lambda row: row["type"] == "state" and row["commit"] > 10),
    ("term in (2, 3) and index", lambda row: row.get("term") in (2, 3) and "index" in row),
    ('text ~ "foo"', lambda row: "foo" in row.get("text", "")),
    ("size(data) > 200", lambda row: len(row.get("data") or "") > 200),
    ('not status == "committed"', lambda row: row.get("status") != "committed"),
    ('entry_type == "conf-change"', lambda row: row.get("entry_type") == "conf-change"),
    ("vote != null and vote != 0", lambda row: row.get("vote") not in (None, "0")),
    ("not redacted and check", lambda row: not row.get("redacted")),
]


@needs_corpus
@pytest.mark.parametrize("name", ["a-single-20puts-35", "d-cluster3-35"])
def test_real_rows_are_chosen_as_python_chooses_them(name: str) -> None:
    found = documents_of(unpacked(name) / "n1")
    for text, choose in ASKED:
        where = parse_where(text)
        assert [row for row in found if where.matches(row)] == [r for r in found if choose(r)]

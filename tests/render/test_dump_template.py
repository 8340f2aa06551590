"""A line a row in the person's own form: fields, widths, hex; and wrong templates told where."""

import base64
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.decoded import entry_row, made_row
from tests.render.drawing import Paper
from walctl.errors import UsageError
from walctl.inspect.document import row_document
from walctl.inspect.row import FindingRow, Row
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import HardState
from walctl.payload.base import Node, Redaction, Request, key_blob, value_blob
from walctl.render.dump_template import WIDTH_MAX, lines, parse_template
from walctl.render.text import columns


def asked(body: dict[str, Node]) -> Row:
    request = Request(decoder="etcd", type="put", request_id=0x3C12A, body=body)
    return entry_row(b"\x08\x01", request=request)


PUT = asked({"put": {"key": key_blob(b"k/000"), "value": value_blob(b"\x00third"), "lease": "69"}})


def drawn(template: str, *rows: Row, redaction: Redaction = Redaction.AUTH) -> str:
    paper = Paper()
    lines(paper, rows, parse_template(template), redaction=redaction)
    return paper.text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{index} {term} {request.put.key}", "7 2 k/000"),
        ("{index:>5}|{index:<5}|{index:^5}|{index:5}|", "    7|7    |  7  |    7|"),
        ("{type:8}|{type:>8}|{type:*^9}|", "entry   |   entry|**entry**|"),
        ("{crc:x} {crc:08x} {crc:05}", "1a 0000001a 00026"),
        ("{request.put.key:x}", "6b2f303030"),
        ("{request.put.value}", "hex:007468697264"),
        ("{request.put.key:.3}", "k/…"),
        ("{request.put.key.text} {request.put.key.data}", "k/000 ay8wMDA="),
        ("{request.id} {request.put.lease}", "3c12a 69"),
        ("{request.put.nothing}{request.nothing.at[0].all}{vote}", ""),
        ("{{{index}}}", "{7}"),
        (r"{index}\t{term}\n\\", "7\t2\n\\"),
        ("tab\there", "tab\there"),
        ("{request.put}", '{"key":{"data":"ay8wMDA=","text":"k/000"},'),
        ('{request["put"]["key"]}', "k/000"),
        ("no field", "no field"),
    ],
)
def test_a_template_prints_fields_where_they_stand(template: str, text: str) -> None:
    assert drawn(template, PUT).removesuffix("\n").startswith(text)
    if template != "{request.put}":
        assert drawn(template, PUT) == text + "\n"


def test_elements_of_a_list_are_reached_one_by_one_and_all_at_once() -> None:
    operations: list[Node] = [{"request_put": {"key": key_blob(key)}} for key in (b"a", b"b")]
    row = asked({"txn": {"success": operations}})
    assert drawn("{request.txn.success[1].request_put.key}", row) == "b\n"
    assert drawn("{request.txn.success[*].request_put.key}", row) == "a,b\n"
    assert drawn("{request.txn.success[9].request_put.key}", row) == "\n"


def test_what_is_hidden_says_so() -> None:
    assert drawn("{request.put.value}", PUT, redaction=Redaction.VALUES) == "<redacted 6 bytes>\n"
    assert drawn("{data} {redacted}", PUT, redaction=Redaction.VALUES) == " true\n"


def test_truth_is_written_as_in_json() -> None:
    assert drawn("{request.put.prev_kv}", asked({"put": {"prev_kv": True}})) == "true\n"


def damage() -> FindingRow:
    finding = Finding(
        code=Code.CRC_MISMATCH,
        severity=Severity.DAMAGE,
        place=Place(segment="0.wal", offset=1192),
        detail="It is \x1b[31mwrong.",
    )
    return FindingRow(finding=finding)


def test_damage_is_told_beside_a_template_that_does_not_ask_for_it() -> None:
    paper = Paper()
    lines(paper, [PUT, damage(), PUT], parse_template("{index} {segment}"))
    assert paper.text == "7 0.wal\n7 0.wal\n"
    assert isinstance(paper.stderr, io.StringIO)
    assert paper.stderr.getvalue() == ("walctl: 0.wal:1192: crc-mismatch: It is \\x1b[31mwrong.\n")


def test_damage_is_a_line_of_a_template_that_asks_for_it() -> None:
    text = drawn(
        "{offset} {code} {detail}", damage(), made_row(HardState(term=1, vote=0, commit=1))
    )
    assert text == "1192 crc-mismatch It is \\x1b[31mwrong.\n80  \n"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{index", "a { without its }; write {{ for one that is printed, at character 1: {index"),
        ("{index:>5", "a { without its }; write {{ for one that is printed, at character 1"),
        ("a}", "a } without its {; write }} for one that is printed, at character 2: }"),
        ("{}", "expected a field of the row at character 2: }"),
        ("{", "expected a field of the row at the end"),
        ("{ index}", "expected a field of the row at character 2:  index}"),
        ("{indx}", "indx is no field of a row; did you mean index? at character 2: indx}"),
        ("{index:q}", "no such format (it is [[fill]<>^][0][width][.most][x]), at character 8: q}"),
        ("{index.}", "expected } at character 7: .}"),
        ("{index!r}", "expected } at character 7: !r}"),
        ("{request[x]}", "expected } at character 9: [x]}"),
        (r"\q", r"no such escape (there are \t, \n and \\), at character 1: \q"),
        ("a\\", "no such escape (there are \\t, \\n and \\\\), at character 2: \\"),
        ("{index:1001}", "more than 1000 columns at character 8: 1001}"),
        ("x" * 10_001, "10001 characters, at most 10000"),
    ],
)
def test_a_wrong_template_says_where_and_why(template: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_template(template)
    assert message in caught.value.message
    assert caught.value.message.startswith("--template: ")


def test_a_name_like_no_other_gives_the_names_there_are() -> None:
    with pytest.raises(UsageError, match=r"there are .*crc_computed, .*request, .*status"):
        parse_template("{zzzzzz}")


@given(st.text(alphabet='{}:.[]*"\\nt<>^0x19 ainde' + string.punctuation, max_size=30))
def test_any_text_is_a_template_or_a_wrong_command_line(text: str) -> None:
    try:
        template = parse_template(text)
    except UsageError:
        return
    assert template.line(row_document(PUT)).replace("\t", "").replace("\n", "").isprintable()


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(codec=None, exclude_categories=()), max_size=20),
        st.builds(lambda data: {"data": base64.b64encode(data).decode()}, st.binary(max_size=20)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["key", "data", "text", "a"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(VALUES, st.integers(0, 40), st.integers(1, 40), st.sampled_from(["", "<", ">", "^"]))
def test_no_value_reaches_the_terminal_raw_and_widths_are_kept(
    value: object, width: int, most: int, align: str
) -> None:
    document = {"request": {"put": value}}
    form = f"{align}{width or ''}.{max(width, most)}"
    text = parse_template(f"{{request.put:{form}}}").line(document)
    assert text.isprintable()
    assert width <= columns(text) <= max(width, most)


def test_a_width_is_bounded() -> None:
    assert len(drawn(f"{{index:{WIDTH_MAX}}}", PUT)) == WIDTH_MAX + 1

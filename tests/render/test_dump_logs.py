"""`-o dump-logs` against the recorded outputs of etcd-dump-logs, of every member of the corpus."""

import functools
import hashlib
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb
from formats.etcdserverpb import REQUEST, Request
from formats.fields import ALWAYS, Kind, spec_of
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.rpcpb import AuthUserAddRequest, PutRequest
from tests.corpus import names, needs_corpus, unpacked
from tests.inspect.answers import DISK, examined
from tests.render.drawing import Paper, laid
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import CorruptionError
from walctl.model.record import Entry, EntryKind
from walctl.payload.base import Redaction
from walctl.render.dump_logs import (
    EntryPrinter,
    decoder_columns,
    lines,
    show,
    table_head,
)

LONG = re.compile(r"(.*)\.\.\.\[line of (\d+) bytes, sha256 ([0-9a-f]{62,64})\]")
"""A line that the recorder cut, with the length and the hash of the whole of it."""
OF_THE_PROGRAM = '{"level":'
"""A line that its logger wrote to the same stream."""

VERSION = "3.5.1"
LATER = "3.6.14.start-index-1"
"""The only recording with a start index is of a later release; what differs is named below."""

REMOVED = 'password:"<value removed>"'


def recorded(version: str) -> list[tuple[str, str]]:
    """Directories and members whose output by that version was recorded."""
    return [
        (name, path.name.split(".")[0])
        for name in names()
        for path in sorted((unpacked(name) / "truth").glob(f"*.dump-logs-{version}.txt"))
    ]


def expected(name: str, member: str, version: str) -> list[str]:
    path = unpacked(name) / "truth" / f"{member}.dump-logs-{version}.txt"
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [line for line in text.split("\n") if not line.startswith(OF_THE_PROGRAM)]


@functools.cache
def shown(
    name: str, member: str, redaction: Redaction, start_index: int | None = None
) -> tuple[list[str], str]:
    """What walctl prints for a member, by lines, and what it says on standard error."""
    seen = examined(name, member).survey
    paper = Paper()
    count = show(paper, DISK, seen.layout, seen, start_index=start_index, redaction=redaction)
    assert isinstance(paper.stderr, io.StringIO)
    printed = paper.text.split("\n")
    assert printed[-2].endswith(f" : {count}") or count == 0
    return printed, paper.stderr.getvalue()


def as_recorded(line: str, told: str) -> str:
    """A line as the recorder would have kept it, cut where it cut this one."""
    cut = LONG.fullmatch(told)
    if cut is None:
        return line
    kept, size, digest = cut.groups()
    data = line.encode()
    is_same = (len(data), hashlib.sha256(data).hexdigest()[: len(digest)]) == (int(size), digest)
    return told if is_same and line.startswith(kept) else line


@needs_corpus
@pytest.mark.parametrize(("name", "member"), recorded(VERSION))
def test_every_recorded_output_is_printed_byte_for_byte(name: str, member: str) -> None:
    told = expected(name, member, VERSION)
    printed, error = shown(name, member, Redaction.NONE)
    assert len(printed) == len(told)
    assert [as_recorded(*pair) for pair in zip(printed, told, strict=True)] == told
    # Where that program panicked it had printed no table.
    assert (error == "") == (told[-2] != "WAL entries:")


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize(("name", "member"), recorded(LATER))
def test_with_a_start_index_the_output_is_the_recorded_one(name: str, member: str) -> None:
    told = expected(name, member, LATER)
    if len(told) == 2:
        # It could not read the log from there: a snapshot was installed, and left a gap.
        seen = examined(name, member).survey
        with pytest.raises(CorruptionError, match="wal: slice bounds out of range"):
            show(Paper(), DISK, seen.layout, seen, start_index=1)
        return
    printed, error = shown(name, member, Redaction.NONE, 1)
    # 3.6 prints how many entries it has read, the table also without any, and no new password.
    told = [re.sub(r"^WAL entries: \d+$", "WAL entries:", line) for line in told]
    if error:
        assert error.startswith("walctl: the log has no entry above index 1; ")
        told = [*told[: told.index("WAL entries:") + 1], ""]
    printed = [
        re.sub(r'password:"[^"]*"', REMOVED, ours) if REMOVED in theirs else ours
        for ours, theirs in zip(printed, told, strict=True)
    ]
    assert [as_recorded(*pair) for pair in zip(printed, told, strict=True)] == told


THREE_PUTS = """\
Snapshot:
empty
Start dumping log entries from snapshot.
WAL metadata:
nodeID=799928778dcb07df clusterID=5cd459230430312e term=2 commitIndex=7 vote=799928778dcb07df
WAL entries:
lastIndex=7
term\t     index\ttype\tdata
   1\t         1\tconf\tmethod=ConfChangeAddNode id=799928778dcb07df
   2\t         2\tnorm\t
   2\t         3\tnorm\tmethod=PUT path="/0/members/799928778dcb07df/attributes" \
val="{\\"name\\":\\"n1\\",\\"clientURLs\\":[\\"http://127.0.0.1:53383\\"]}"
   2\t         4\tnorm\tmethod=PUT path="/0/version" val="3.5.0"
   2\t         5\tnorm\theader:<ID:567350234574824710 > put:<key:"one" value:"1" >\x20
   2\t         6\tnorm\theader:<ID:567350234574824711 > put:<key:"two" value:"2" >\x20
   2\t         7\tnorm\theader:<ID:567350234574824712 > put:<key:"three" value:"3" >\x20

Entry types (Normal,ConfigChange) count is : 7
"""


def printed_of(case: str, *, start_index: int | None = None) -> tuple[str, str]:
    layout = understand(DISK, laid(case))
    paper = Paper()
    show(paper, DISK, layout, survey(DISK, layout), start_index=start_index)
    assert isinstance(paper.stderr, io.StringIO)
    return paper.text, paper.stderr.getvalue()


def test_a_member_with_three_puts_is_printed_in_the_form_of_the_recordings() -> None:
    assert printed_of("etcd-3.5-three-puts") == (THREE_PUTS, "")
    head, *entries = THREE_PUTS.split("WAL metadata:\n")[1].split("   1\t")
    later = entries[0].splitlines(keepends=True)[3:]
    text, _ = printed_of("etcd-3.5-three-puts", start_index=4)
    assert text.startswith("Start dumping log entries from index 4.\nWAL metadata:\n" + head)
    assert text.endswith("".join(later).replace("is : 7", "is : 3"))


def test_what_stands_behind_damage_is_not_printed_but_told() -> None:
    text, error = printed_of("zero-page")
    assert "lastIndex=51\n" in text
    assert error == (
        "walctl: etcd's reader does not come to entries 52–124 that stand behind damage;"
        " the other outputs of dump do\n"
    )


def test_the_later_recordings_are_there_if_the_corpus_is() -> None:
    assert len(recorded(VERSION)) == len(recorded(LATER))
    assert bool(recorded(VERSION)) == bool(names())


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35"])
def test_by_default_secrets_and_nothing_else_are_hidden(name: str) -> None:
    plain, _ = shown(name, "n1", Redaction.NONE)
    hidden, _ = shown(name, "n1", Redaction.AUTH)
    changed = [(a, b) for a, b in zip(plain, hidden, strict=True) if a != b]
    secret = re.compile(r'\b(password|hashedPassword|simple_token):"[^"]*"')
    assert len(changed) >= 5
    assert [b for _, b in changed] == [secret.sub(r'\1:"<redacted>"', a) for a, _ in changed]
    assert all(secret.search(a) is None for a in plain if a not in dict(changed))


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35"])
def test_each_level_hides_what_it_names(name: str) -> None:
    values, keys, everything = (
        "\n".join(shown(name, "n1", level)[0])
        for level in (Redaction.VALUES, Redaction.KEYS, Redaction.ALL)
    )
    assert 'put:<key:"k/000" value:"<redacted>" >' in values
    assert 'path="/0/version" val="<redacted>"' in values
    assert 'put:<key:"<redacted>" value:"<redacted>" >' in keys
    assert 'path="<redacted>" val="<redacted>"' in keys
    assert 'username:"root"' in keys
    shown_texts = set(re.findall(r'(\w+[:=])"(?!<redacted>")', everything))
    assert shown_texts <= {"ver:", "time="}


def entry(payload: bytes | None, kind: EntryKind = EntryKind.NORMAL) -> Entry:
    return Entry(index=5, term=2, kind=kind, raw_kind=0, payload=payload)


def v2(**fields: Any) -> bytes:
    """A v2 request as etcd writes it: with every field that it always writes."""
    zeros: dict[str, Any] = {
        field.name: {Kind.STRING: "", Kind.BOOL: False}.get(field.kind, 0)
        for field in spec_of(Request).fields
        if field.presence is ALWAYS
    }
    return REQUEST.build(Request(**(zeros | {"id": 1} | fields)))


def text_of(payload: bytes | None, redaction: Redaction = Redaction.NONE) -> str:
    return EntryPrinter(redaction).text(entry(payload))


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (None, ""),
        (b"", ""),
        (v2(method=""), "noop"),
        (v2(method="SYNC", time=0), 'method=SYNC time="1970-01-01 00:00:00 +0000 UTC"'),
        (
            v2(method="SYNC", time=1_795_423_194_185_176_659),
            'method=SYNC time="2026-11-23 08:39:54.185176659 +0000 UTC"',
        ),
        (
            v2(method="SYNC", time=1_795_423_194_500_000_000),
            'method=SYNC time="2026-11-23 08:39:54.5 +0000 UTC"',
        ),
        (
            v2(method="SYNC", time=-1),
            'method=SYNC time="1969-12-31 23:59:59.999999999 +0000 UTC"',
        ),
        (
            v2(method="SYNC", time=-(1 << 63)),
            'method=SYNC time="1677-09-21 00:12:43.145224192 +0000 UTC"',
        ),
        (v2(method="QGET", path="/a b"), 'method=QGET path="/a b"'),
        (v2(method="DELETE", path="/\t\x00", val="v"), r'method=DELETE path="/\t\x00"'),
        (v2(method="PUT", path="/a", val='é\u2028"'), r'method=PUT path="/a" val="é\u2028\""'),
        (v2(method="POST", path="/\udcff", val="\a\v"), r'method=POST path="/\xff" val="\a\v"'),
        (
            v2(method="PUT", path="p" * 128, val="v" * 128),
            f'method=PUT path="{"p" * 128}" val="{"v" * 128}"',
        ),
        (
            v2(method="PUT", path="p" * 64 + "m" + "q" * 64, val="v" * 128 + "w"),
            f'method=PUT path="{"p" * 64}"..."{"q" * 64}" val="{"v" * 128}"...""',
        ),
        # A letter that is cut in two is no UTF-8 any more.
        (
            v2(method="PUT", path="é" * 65, val="v" * 127 + "é"),
            f'method=PUT path="{"é" * 32}"..."{"é" * 32}" val="{"v" * 127}\\xc3"...""',
        ),
        (v2(method="\x1b[31m", path="/"), r'method=\x1b[31m path="/" val=""'),
        (b"\xff", "???"),
        (b"\x20\xff\x81\x03", "???"),
    ],
)
def test_a_normal_entry_is_printed_as_what_etcd_takes_it_for(
    payload: bytes | None, text: str
) -> None:
    assert text_of(payload) == text


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("0801 1000 18efcdab01", "method=ConfChangeAddNode id=2ae6ef"),
        ("1001 1801", "method=ConfChangeRemoveNode id=1"),
        ("1002 1801", "method=ConfChangeUpdateNode id=1"),
        ("1003 1801", "method=ConfChangeAddLearnerNode id=1"),
        ("1009 1801", "method=9 id=1"),
        ("", "method=ConfChangeAddNode id=0"),
        ("10", "???"),
    ],
)
def test_a_change_of_the_membership_is_printed_by_its_name(payload: str, text: str) -> None:
    change = entry(bytes.fromhex(payload), EntryKind.CONF_CHANGE)
    assert EntryPrinter(Redaction.ALL).text(change) == text


def test_entries_of_other_kinds_are_not_printed() -> None:
    kinds = [EntryKind.CONF_CHANGE_V2, EntryKind.NORMAL, EntryKind.UNKNOWN, EntryKind.CONF_CHANGE]
    printed = list(lines((entry(b"", kind) for kind in kinds), Redaction.NONE))
    assert printed == [
        "   2\t         5\tnorm\t",
        "   2\t         5\tconf\tmethod=ConfChangeAddNode id=0",
    ]


def test_a_number_wider_than_its_column_is_printed_whole() -> None:
    wide = Entry(index=12345678901, term=12345, kind=EntryKind.NORMAL, raw_kind=0, payload=None)
    assert list(lines([wide], Redaction.NONE)) == ["12345\t12345678901\tnorm\t"]


def test_where_the_v2_store_keeps_its_users_values_are_secrets() -> None:
    user = v2(method="PUT", path="/2/users/root", val="$2a$10$hash")
    assert text_of(user, Redaction.AUTH) == 'method=PUT path="/2/users/root" val="<redacted>"'
    other = v2(method="PUT", path="/2/x", val="$2a$10$hash")
    assert text_of(other, Redaction.AUTH) == text_of(other)
    inside = InternalRaftRequest(v2=Request(method="PUT", path="/2/users/root", val="$2a$10$hash"))
    told = text_of(INTERNAL_RAFT_REQUEST.build(inside), Redaction.AUTH)
    assert told == 'v2:<Method:"PUT" Path:"/2/users/root" Val:"<redacted>" > '


PUT = INTERNAL_RAFT_REQUEST.build(
    InternalRaftRequest(put=PutRequest(key=b"k", value=b"v"), header=RequestHeader(id=7))
)
USER = INTERNAL_RAFT_REQUEST.build(
    InternalRaftRequest(auth_user_add=AuthUserAddRequest(name="bob", password="secret"))
)


@pytest.mark.parametrize(
    ("answer", "status", "data"),
    [
        ("OK|all of it", "OK", "all of it"),
        ("|", "", ""),
        ("no bar", "decoder output format is not right, print output anyway", "no bar"),
        ("", "decoder output format is not right, print output anyway", ""),
        (
            "OK|a|b|",
            "OK(*WARNING: data might contain deliminator used by etcd-dump-logs)",
            "ab",
        ),
        ("OK|a\tb\x1b[31m\udcff", "OK", r"a" + "\t" + r"b\x1b[31m\xff"),
    ],
)
def test_the_line_of_a_decoder_makes_two_columns(answer: str, status: str, data: str) -> None:
    assert decoder_columns(answer, is_shown=True) == (status, data)
    assert decoder_columns(answer, is_shown=False) == (status, '"<redacted>"')


def test_a_decoder_is_asked_of_every_entry_that_is_printed() -> None:
    asked = []

    def answer(payload: bytes) -> str:
        asked.append(payload)
        return f"OK|{payload.hex()}"

    kinds = [EntryKind.NORMAL, EntryKind.CONF_CHANGE_V2, EntryKind.NORMAL]
    entries = [entry(data, kind) for data, kind in zip([PUT, b"x", None], kinds, strict=True)]
    printed = list(lines(entries, Redaction.NONE, answer))
    assert asked == [PUT, b""]
    text = 'header:<ID:7 > put:<key:"k" value:"v" > '
    assert printed == [
        f"   2\t         5\tnorm\t{text}\tOK\t{PUT.hex()}",
        "   2\t         5\tnorm\t\tOK\t",
    ]
    head = "term\t     index\ttype\tdata"
    assert table_head(has_decoder=False) == head
    assert table_head(has_decoder=True) == f"{head}\tdecoder_status\tdecoded_data"


@pytest.mark.parametrize(
    ("payload", "hidden_from"),
    [
        (PUT, Redaction.VALUES),
        (USER, Redaction.AUTH),
        (b"\xff\xfe", Redaction.VALUES),
        (b"\xff\xe2\x44", Redaction.AUTH),  # no request, but it may be the rest of one
    ],
)
def test_what_a_decoder_says_of_a_hidden_entry_is_hidden(
    payload: bytes, hidden_from: Redaction
) -> None:
    for level in Redaction:
        (line,) = lines([entry(payload)], level, lambda data: f"OK|{data.hex()}")
        is_hidden = list(Redaction).index(level) >= list(Redaction).index(hidden_from)
        assert line.endswith('\tOK\t"<redacted>"' if is_hidden else f"\tOK\t{payload.hex()}")


@given(st.binary(max_size=60), st.sampled_from(list(EntryKind)), st.sampled_from(list(Redaction)))
def test_any_payload_is_one_harmless_line(data: bytes, kind: EntryKind, level: Redaction) -> None:
    for payload in (data, raftpb.CONF_CHANGE.build(raftpb.ConfChange(context=data))):
        for line in lines([entry(payload, kind)], level):
            assert line.replace("\t", "").isprintable()
            assert line.count("\t") == 3

"""`walctl encode` as it is typed: forms, parts, what goes where, and how it ends."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import ROOT, SECONDS_MAX, WALCTL, Tell, environment
from tests.corpus import fingerprint
from walctl.model.record import EntryKind
from walctl.payload.etcd import EtcdDecoder

NAME = "0000000000000000-0000000000000000.wal"


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("etcd-3.5-three-puts", tmp_path_factory.mktemp("encode") / "member.etcd")


@pytest.fixture(scope="module")
def segment(member: Path) -> bytes:
    """The segment, without the zeros behind its records."""
    data = (member / "member/wal" / NAME).read_bytes()
    return data[: -(-len(data.rstrip(b"\0")) // 8) * 8]


@pytest.fixture
def rows(tell: Tell, member: Path, tmp_path: Path) -> Path:
    """A file of rows, as dump prints them."""
    told = tell("dump", "-o", "ndjson", member)
    assert told.status == 0
    path = tmp_path / "rows.ndjson"
    path.write_text(told.out)
    return path


def fed(text: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """walctl as a process, with `text` on its standard input."""
    return subprocess.run(
        [*WALCTL, "encode", *words],
        input=text,
        capture_output=True,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        env=environment(),
        check=False,
    )


def test_every_form_has_the_same_bytes_and_they_are_the_segment_s(
    tell: Tell, rows: Path, segment: bytes
) -> None:
    in_hex = tell("encode", rows)
    assert (in_hex.status, in_hex.err) == (0, "")
    assert bytes.fromhex(in_hex.out) == segment[: len(bytes.fromhex(in_hex.out))]
    in_base64 = tell("encode", "-o", "base64", rows)
    lines = zip(in_hex.out.splitlines(), in_base64.out.splitlines(), strict=True)
    assert all(bytes.fromhex(one) == base64.b64decode(other) for one, other in lines)
    assert len(bytes.fromhex(in_hex.out)) in range(len(segment), len(segment) + 9)


@pytest.mark.slow
def test_raw_bytes_from_a_pipe_are_the_segment(member: Path, rows: Path, segment: bytes) -> None:
    before = fingerprint(member)
    for words in (("-o", "raw"), ("-o", "raw", "-"), ("-o", "raw", "--seed", "0x0")):
        done = fed(rows.read_bytes(), *words)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.rstrip(b"\0") == segment.rstrip(b"\0")
    assert fingerprint(member) == before


def test_parts_lie_inside_one_another(tell: Tell, rows: Path) -> None:
    told = [tell("encode", "--part", part, rows) for part in ("frame", "record", "data", "payload")]
    assert {each.status for each in told} == {0}
    for frame, record, data, payload in zip(*(each.out.splitlines() for each in told), strict=True):
        assert frame[16:].startswith(record)
        assert record.endswith(data)
        assert data.endswith(payload)


def test_an_edited_request_is_built_and_what_differs_is_said(
    tell: Tell, rows: Path, tmp_path: Path
) -> None:
    found: list[dict[str, Any]] = [json.loads(line) for line in rows.read_text().splitlines()]
    row = next(each for each in reversed(found) if each.get("data"))
    number = found.index(row) + 1
    tree = {"decoder": "etcd", "type": "put", "put": {"key": "k", "value": {"text": "new"}}}
    edited = {name: row[name] for name in row if name not in ("data", "text")} | {"request": tree}
    path = tmp_path / "edited.ndjson"
    path.write_text("".join(json.dumps(edited if e is row else e) + "\n" for e in found))
    told = tell("encode", "--part", "payload", path)
    assert told.status == 1
    assert told.err.startswith(f"walctl: line {number}: crc is ")
    assert told.err.count("\n") == 1
    payload = bytes.fromhex(told.out.splitlines()[number - 1])
    request = EtcdDecoder().decode(payload, EntryKind.NORMAL)
    assert request is not None
    assert [touched.key for touched in request.keys] == [b"k"]


def test_many_differences_are_counted_not_listed(tell: Tell, rows: Path) -> None:
    normal = rows.read_text().count('"entry_type":"normal"')
    rows.write_text(rows.read_text() * 3)
    told = tell("encode", "--era", "3.7", rows)
    assert told.status == 1
    *differing, more = told.err.splitlines()
    assert len(differing) == 10
    assert more == f"walctl: and {normal * 3 - 10} more lines"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"type":"entry","redacted":true,"data":null}', "--redact none"),
        (b"\nx", "line 2: no JSON"),
        (b'{"v":1,"records":[', "line 1: no JSON: expected a row as dump -o ndjson prints it"),
        (b'{"type":"state"}', "line 1: term: expected a number, found nothing"),
        (b"\x00\x1b[31m\xff", "line 1: no JSON"),
        (b'{"type":"\\u001b[31m"}', "line 1: type: expected one of"),
    ],
)
def test_a_row_that_says_no_record_ends_it_with_its_line(
    tell: Tell, tmp_path: Path, text: bytes, reason: str
) -> None:
    path = tmp_path / "rows"
    path.write_bytes(text)
    told = tell("encode", path)
    assert (told.status, told.out) == (2, "")
    assert reason in told.err
    assert told.err.count("\n") == 1
    assert "\x1b" not in told.err


def test_rows_of_damage_and_events_are_left_out_and_told(tell: Tell, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text('{"kind":"finding","code":"torn-tail"}\n{"kind":"event"}\n')
    told = tell("encode", path)
    assert (told.status, told.out) == (1, "")
    lines = [
        f"walctl: line {n}: left out, as it is no record: {kind}\n"
        for n, kind in ((1, "finding"), (2, "event"))
    ]
    assert told.err == "".join(lines)


def test_nothing_gives_nothing(tell: Tell, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("\n\n")
    assert tell("encode", path) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["missing.ndjson"], 4, "missing.ndjson: No such file"),
        (["/"], 4, "/: "),
        (["--seed", "x", "-"], 2, "x is no CRC-32C: expected a number or 0x…"),
        (["-o", "xml"], 2, "xml"),
        (["--era", "3.5"], 2, "3.5"),
        (["a", "b"], 2, "unexpected extra argument"),
    ],
)
def test_what_cannot_be_is_one_line(tell: Tell, words: list[str], status: int, reason: str) -> None:
    told = tell("encode", *words)
    assert (told.status, told.out) == (status, "")
    assert reason in told.err
    assert told.err.count("\n") == 1


@pytest.mark.slow
def test_raw_bytes_never_reach_a_terminal(rows: Path) -> None:
    controller, terminal = os.openpty()
    done = subprocess.run(
        [*WALCTL, "encode", "-o", "raw", str(rows)],
        stdout=terminal,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        env=environment(),
        check=False,
    )
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"raw bytes would reach the terminal" in done.stderr


@pytest.mark.slow
def test_a_standard_input_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    words = ["sh", "-c", '"$@" 0> "$FILE"', "sh", *WALCTL, "encode"]
    done = subprocess.run(
        words,
        capture_output=True,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        env=environment(FILE=str(tmp_path / "write-only")),
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, b"")
    assert done.stderr == b"walctl: standard input: Bad file descriptor\n"


@pytest.mark.slow
def test_without_any_standard_input_there_are_no_rows() -> None:
    words = ["sh", "-c", '"$@" <&-', "sh", *WALCTL, "encode"]
    done = subprocess.run(
        words, capture_output=True, cwd=ROOT, timeout=SECONDS_MAX, env=environment(), check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

"""What `walctl dump` lets out: no secret, no control sequence and no line that is too wide."""

import base64
import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ROOT, SECONDS_MAX, WALCTL, environment
from tests.cli.dumping import CLEAN, DAMAGED, dump, entries, member, request_type, rows, whole
from tests.corpus import needs_corpus
from tests.wal.builders import ENTRY, STATE, bytes_field, entry, fresh, state, varint
from walctl.render.text import columns
from walctl.wal.names import format_name

VIEWS = {
    "text": (),
    "full": ("--full",),
    "ndjson": ("-o", "ndjson"),
    "json": ("-o", "json"),
    "csv": ("-o", "csv"),
    "hex": ("-o", "hex"),
    "hexdump": ("-x",),
    "explain": ("--explain",),
    "template": ("--template", "{offset} {request} {data} {text}"),
    "dump-logs": ("-o", "dump-logs"),
    "full hexdump": ("-x", "--full"),
    "full explain": ("--explain", "--full"),
}
SECRETS = frozenset({"password", "hashedpassword", "hashed_password", "simple_token", "token"})
SECRET_BYTES_MIN = 4
"""A shorter secret stands in the bytes of a log by chance."""
WITHOUT_SECRETS = frozenset({"text", "full", "csv"})
"""Views that say of such requests whom they are about, and no more."""
ALLOPS = ["b-single-allops-35/n1", "b-single-allops-34/n1"]


def secrets_in(node: Any) -> Iterator[bytes]:
    """What is under a name of a secret anywhere in a row."""
    if isinstance(node, list):
        for each in node:
            yield from secrets_in(each)
    elif isinstance(node, dict):
        for name, each in node.items():
            if name.lower() in SECRETS:
                found = base64.b64decode(each["data"]) if isinstance(each, dict) else each.encode()
                if len(found) >= SECRET_BYTES_MIN:
                    yield found
            yield from secrets_in(each)


HEXDUMP = re.compile(r"^ *[0-9]+  ((?:[0-9a-f]{2} {1,2})+) ", re.MULTILINE)
PAIRS = re.compile(r"(?<![0-9a-z])(?:[0-9a-f]{2} ?)+(?![0-9a-z])")


def digits_of(text: str) -> str:
    """All bytes that a hexdump or an `--explain` shows as pairs, one behind the other."""
    found = HEXDUMP.findall(text) or PAIRS.findall(text)
    return "".join(found).replace(" ", "")


def spellings(secret: bytes) -> list[str]:
    """How a secret may look in an output; base64 of it inside other bytes too, at each offset."""
    found = [secret.decode(), secret.hex()]
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + secret).decode().rstrip("=")
        found.append(coded[4 if shift else 0 : -2])
    return [each for each in found if len(each) >= SECRET_BYTES_MIN]


def shows(text: str, secret: bytes) -> bool:
    joined = digits_of(text)
    return any(each in text for each in spellings(secret)) or secret.hex() in joined


def secretive(name: str, view: str) -> tuple[str, ...]:
    """The selection of the requests that have secrets, where the view takes one."""
    kinds = {request_type(row) for row in whole(name) if any(secrets_in(row))}
    return () if view == "dump-logs" else ("-r", ",".join(sorted(filter(None, kinds))))


SLOW_VIEWS = [
    pytest.param(view, marks=pytest.mark.slow) if view == "dump-logs" else view for view in VIEWS
]


@needs_corpus
@pytest.mark.parametrize("name", ALLOPS)
@pytest.mark.parametrize("view", SLOW_VIEWS)
def test_no_form_shows_a_password_unless_asked(name: str, view: str) -> None:
    found = sorted({each for row in whole(name) for each in secrets_in(row)})
    assert len(found) > 5
    words = (*VIEWS[view], *secretive(name, view))
    everything = dump(*words, "--redact", "none", member(name)).out
    shown = [each for each in found if shows(everything, each)]
    assert view in WITHOUT_SECRETS or len(shown) == len(found)
    for level in ((), ("--redact", "auth"), ("--redact", "values"), ("--redact", "all")):
        told = dump(*words, *level, member(name))
        assert (told.status, told.out.count("\n") > 10) == (0, True)
        assert [each for each in found if shows(told.out, each)] == []


@needs_corpus
@pytest.mark.parametrize("name", ALLOPS)
def test_no_saved_payload_has_a_password_unless_asked(name: str, tmp_path: Path) -> None:
    found = {each for row in whole(name) for each in secrets_in(row)}
    for level in ("auth", "none"):
        folder = tmp_path / level
        told = dump("--save-payloads", folder, "--redact", level, member(name))
        assert told.status == 0
        saved = b"".join(path.read_bytes() for path in folder.iterdir())
        assert any(each in saved for each in found) == (level == "none")


@needs_corpus
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("level", "hidden"),
    [("values", b"third"), ("keys", b"k/004"), ("keys", b"third"), ("all", b"k/004")],
)
def test_what_a_level_hides_is_in_no_form(view: str, level: str, hidden: bytes) -> None:
    name = ALLOPS[0]
    wish: tuple[str, ...] = ("-r", "put,delete_range,txn", "--where", "size < 2000")
    wish = () if view == "dump-logs" else wish
    assert shows(dump(*VIEWS[view], *wish, "--redact", "none", member(name)).out, hidden)
    told = dump(*VIEWS[view], *wish, "--redact", level, member(name))
    assert told.status == 0
    assert not shows(told.out, hidden)


# --- control sequences


EVIL = [
    b"a\x1b[31mred\x1b]0;title\x07",
    b"cr\rover\nnext\ttab\x00nul\x7f",
    b"c1\xc2\x9b31m\xc2\x85",
    "bidi\u202e\u2066\u200b\ufeff".encode(),
    b"bad\xff\xfe\xed\xa0\x80",
    b"=cmd|' /C calc'!A0",
    "\u2028line\u2029".encode(),
]


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose keys and values, users and payloads would change the terminal."""
    folder = tmp_path_factory.mktemp("evil") / "wal"
    folder.mkdir()
    builder = fresh()
    payloads: list[bytes] = list(EVIL)
    for bad in EVIL:
        put = bytes_field(1, bad) + bytes_field(2, bad)
        header = bytes_field(100, b"\x08" + varint(7) + bytes_field(2, bad))
        payloads.append(bytes_field(4, put) + header)
        payloads.append(bytes_field(5, bytes_field(1, bad) + bytes_field(2, bad + b"x")) + header)
        payloads.append(bytes_field(1100, bytes_field(1, bad) + bytes_field(2, bad)) + header)
        payloads.append(bytes_field(2, bytes_field(2, b"PUT") + bytes_field(3, bad)))
    for index, payload in enumerate(payloads, start=1):
        builder.add(ENTRY, entry(index, 1, payload)).add(STATE, state(1, 7, index))
    (folder / format_name(seq=0, index=0)).write_bytes(builder.done(4096))
    return folder


@pytest.mark.parametrize("decoder", ["auto", "etcd", "none", "k8s", "raftexample"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_control_sequence_of_a_log_reaches_the_output(
    evil: Path, view: str, decoder: str
) -> None:
    words = () if view == "dump-logs" else ("--decoder", decoder)
    told = dump(*VIEWS[view], *words, "--redact", "none", evil)
    assert told.status == 0, told.err
    assert len(told.out.splitlines()) > len(EVIL)
    separators = "\n\t" if view == "dump-logs" else "\n"
    for text in (told.out, told.err):
        bad = {char for char in text if not char.isprintable() and char not in separators}
        assert bad == set()
    if view in ("json", "ndjson"):
        assert told.out.isascii()


def test_no_cell_of_a_table_is_a_formula(evil: Path) -> None:
    told = dump("-o", "csv", evil)
    cells = [cell for line in csv.reader(io.StringIO(told.out)) for cell in line]
    assert any(cell.startswith("'=cmd") for cell in cells)
    assert [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@")] == []


# --- width


def on_a_terminal(width: int, *words: str | Path, **more: str) -> tuple[int, str]:
    """Run walctl with a terminal of `width` columns as its output; status and what it showed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        [*WALCTL, "dump", *words],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(TERM="xterm", **more),
    )
    os.close(theirs)
    shown = bytearray()
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # a terminal that nobody writes to any more
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(SECONDS_MAX), shown.decode().replace("\r\n", "\n")


STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.slow
@pytest.mark.parametrize("name", [CLEAN[0], *DAMAGED[:2]])
@pytest.mark.parametrize(
    ("width", "words"),
    # A hexdump is what it is: sixteen bytes a line, as every tool that reads one expects.
    [(40, ()), (40, ("--explain",)), (40, ("--reverse",)), (80, ()), (80, ("-x",))],
    ids=str,
)
def test_no_line_is_wider_than_the_terminal(name: str, words: tuple[str, ...], width: int) -> None:
    status, shown = on_a_terminal(width, *words, member(name))
    assert status == 0
    plain = STYLE.sub("", shown)
    assert "\x1b" not in plain
    lines = plain.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if columns(line) > width] == []


@pytest.mark.slow
def test_colours_are_for_terminals_that_want_them(evil: Path) -> None:
    name = DAMAGED[0]
    assert "\x1b[" in on_a_terminal(80, member(name))[1]
    assert "\x1b" not in on_a_terminal(80, member(name), NO_COLOR="1")[1]
    assert "\x1b" not in dump(member(name)).out
    left = STYLE.sub("", on_a_terminal(80, evil)[1])
    assert {char for char in left if not char.isprintable()} == {"\n"}


@pytest.mark.slow
def test_a_wide_terminal_changes_nothing_in_json() -> None:
    _, shown = on_a_terminal(40, "-o", "ndjson", member(CLEAN[0]))
    found = [json.loads(line) for line in shown.splitlines()]
    assert found == rows(member(CLEAN[0]))


@pytest.mark.parametrize("name", CLEAN)
def test_full_cuts_no_value_short(name: str) -> None:
    shown = dump("--full", member(name)).out
    for row in entries(whole(name)):
        put = (row["request"] or {}).get("put", {})
        if "text" in put.get("value", {}):
            text = put["value"]["text"]
            assert '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' in shown

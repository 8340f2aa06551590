"""No damage brings out a password: one wrong byte must not hide the tag that tells it, and so on.

The log is made here: one entry adds a user, and its frame is damaged in every place.
"""

import base64
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from tests.render.test_redacted_views import VIEWS
from tests.wal.builders import STATE, bytes_field, fresh, state, varint
from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.reading import ONE_PROCESS, flow_of
from walctl.inspect.row import FindingRow, Row
from walctl.inspect.select import Choice
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Redaction
from walctl.render.dump_json import JsonLines
from walctl.render.screen import Screen
from walctl.wal.names import format_name

FOLDER = Path("/wal")
PASSWORD = b"Secret0Passw0rdXYZ!12345"
HASH = b"$2a$10$QWERTYuiopASDFGHjkl"
SEEN_BYTES = 8
"""So many bytes of a secret, one behind the other, are seen by nobody."""
AUTH_USER_ADD = 1100
HEADER = bytes_field(100, b"\x08" + varint(0x1122334455667788))


def user_add() -> bytes:
    user = bytes_field(1, b"alice") + bytes_field(2, PASSWORD) + bytes_field(4, HASH)
    return HEADER + bytes_field(AUTH_USER_ADD, user)


def log() -> tuple[bytes, range]:
    """A segment, and where the frame with the secrets lies."""
    builder = fresh()
    for index in range(1, 9):
        plain = bytes_field(4, bytes_field(1, b"key") + bytes_field(2, b"value")) + HEADER
        builder.put(index, 1, user_add() if index == 4 else plain)
        builder.add(STATE, state(1, 7, index - 1))
    frame = builder.frames[3 + 2 * 3]
    assert PASSWORD in (frame.payload or b"")
    return builder.done(64), range(frame.start, frame.stop)


def rows_of(data: bytes, *, decoded: bool = True) -> list[Row]:
    disk = MemoryFileSystem({FOLDER / format_name(seq=0, index=0): data})
    flow = flow_of(disk, understand(disk, FOLDER), depth=ONE_PROCESS)
    decoder = AutoDecoder(strict=True) if decoded else None
    choice = Choice(disk=disk, folder=FOLDER, decoder=decoder)
    return [row for item in flow.items() for row in choice.rows(item)]


def by_json(screen: Screen, rows: Sequence[Row], redaction: Redaction) -> None:
    form = JsonLines(redaction)
    for row in rows:
        screen.stdout.write(form.row(row).decode("ascii"))


ALL_VIEWS: dict[str, Callable[[Screen, Sequence[Row], Redaction], None]] = {
    **VIEWS,
    "json": by_json,
}


def said(rows: Sequence[Row], redaction: Redaction = Redaction.AUTH) -> bytes:
    """What all views say together, with the bytes that hex and base64 in it stand for."""
    paper = io.StringIO()
    for draw in ALL_VIEWS.values():
        draw(Screen(paper, paper, width=120), rows, redaction)
    text = paper.getvalue()
    pairs = re.findall(r"^ +[0-9]+  ((?:(?:[0-9a-f]{2}|--)  ?)+)", text, re.MULTILINE)
    text += "\n" + "".join(line[64:] for line in text.splitlines())
    text += "\n" + re.sub(r"\s", "", "".join(pairs))
    found = [text.encode()]
    found += [base64.b64decode(each) for each in re.findall(r'"data":"([A-Za-z0-9+/=]+)"', text)]
    found += [bytes.fromhex(each) for each in re.findall(r"(?:[0-9a-f]{2}){8,}", text)]
    return b"\n".join(found)


def secrets_in(shown: bytes) -> list[bytes]:
    """Every piece of a secret that was shown."""
    return [
        secret[at : at + SEEN_BYTES]
        for secret in (PASSWORD, HASH)
        for at in range(len(secret) - SEEN_BYTES + 1)
        if secret[at : at + SEEN_BYTES] in shown
    ]


def test_without_a_redaction_they_are_seen_so_that_the_others_look_in_the_right_place() -> None:
    data, _ = log()
    shown = said(rows_of(data), Redaction.NONE)
    assert PASSWORD in shown
    assert HASH in shown
    assert not secrets_in(said(rows_of(data)))


def flipped(data: bytes, position: int, bits: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= bits
    return bytes(changed)


def zeroed(data: bytes, position: int, count: int) -> bytes:
    return data[:position] + bytes(count) + data[position + count :]


def damaged(data: bytes, frame: range) -> Iterable[tuple[object, bytes]]:
    """Every bit, every cut, and holes of zeros."""
    for at in frame:
        for bit in range(8):
            yield (at - frame.start, bit), flipped(data, at, 1 << bit)
        yield ("cut", at - frame.start), data[:at]
        for count in (1, 8, 16, 32):
            yield ("zeros", at - frame.start, count), zeroed(data, at, count)


@pytest.mark.parametrize(
    ("offset", "bits"),
    [
        pytest.param(13, 0x80, id="size-of-the-data"),
        pytest.param(16, 0x20, id="tag-of-the-data"),
        pytest.param(24, 0x40, id="tag-of-the-payload"),
        pytest.param(25, 0x40, id="size-of-the-payload"),
        pytest.param(39, 0x01, id="wire-type-of-the-request"),
        pytest.param(40, 0x80, id="tag-of-the-request"),
    ],
)
def test_one_wrong_bit_brings_out_no_secret(offset: int, bits: int) -> None:
    data, frame = log()
    for decoded in (True, False):
        rows = rows_of(flipped(data, frame.start + offset, bits), decoded=decoded)
        assert any(isinstance(row, FindingRow) for row in rows)
        assert not secrets_in(said(rows))


@pytest.mark.slow
def test_no_damage_brings_out_a_secret() -> None:
    data, frame = log()
    for name, changed in damaged(data, frame):
        for decoded in (True, False):
            found = secrets_in(said(rows_of(changed, decoded=decoded)))
            assert (name, found) == (name, [])


def test_zeros_of_damage_are_shown_since_they_are_no_secret() -> None:
    data, frame = log()
    rows = rows_of(data[: frame.start] + bytes(64) + data[frame.stop :])
    (row,) = (row for row in rows if isinstance(row, FindingRow))
    assert row.raw
    assert not row.hides_bytes(Redaction.ALL)
    assert FindingRow(finding=row.finding, raw=b"\0a").hides_bytes(Redaction.AUTH)
    assert not FindingRow(finding=row.finding, raw=b"\0a").hides_bytes(Redaction.NONE)

"""`walctl dump` run in this process, and its rows chosen again in plain Python; for tests only.

Nothing of walctl is imported but its front door: what a selection should show is worked out from
the JSON of the whole log alone.
"""

import base64
import contextlib
import functools
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import Told
from tests.corpus import CORPUS, unpacked
from tests.render.drawing import folder
from walctl.cli.main import run

Row = dict[str, Any]

CLEAN = ["etcd-3.5-snapshots", "etcd-3.5-three-members"]
TWO_SEGMENTS = "etcd-3.5-two-segments"
"""With values that make it long to read."""
DAMAGED = ["zero-page", "flipped-bit-in-data", "torn-tail-mid-sector", "chain-break"]
OF_CORPUS = ["b-single-allops-35/n1", "b-single-allops-34/n1", "h-20-small-segments-34/n1"]


@functools.cache
def member(name: str) -> Path:
    """The data directory of a fixture, or of a member `NAME/MEMBER` of the corpus."""
    directory, slash, inner = name.partition("/")
    if slash:
        return unpacked(directory) / inner
    return unpack(directory, folder() / f"dump-{directory}")


def clean() -> list[str]:
    """Members without damage: of the fixtures, and of the corpus where it is there."""
    return CLEAN + (OF_CORPUS if CORPUS is not None else [])


def clean_and_long() -> list[Any]:
    """Those, and one of two segments."""
    return [*clean(), pytest.param(TWO_SEGMENTS, marks=pytest.mark.slow)]


def dump(*words: str | Path) -> Told:
    """Run `walctl dump` to its end in this process; its output is no terminal."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(["dump", *map(str, words)])
    return Told(status, out.getvalue(), err.getvalue())


def rows(path: Path, *words: str) -> list[Row]:
    """The rows of a dump, which has to go well; a note that there are none is no error."""
    told = dump("-o", "ndjson", *words, path)
    assert told.status == 0, told
    assert told.err == "" or not told.out, told
    return [json.loads(line) for line in told.out.splitlines()]


@functools.cache
def whole(name: str) -> tuple[Row, ...]:
    """Every row of a member, with what its secrets are."""
    return tuple(rows(member(name), "--redact", "none"))


def reached(given: Iterable[Row]) -> Iterator[tuple[int, Row]]:
    """Each row with the index that it stands at: its own, or what the log has reached by then."""
    at = 0
    for row in given:
        if row.get("type") == "entry":
            at = row["index"]
        if row.get("type") == "snapshot":
            yield row["index"], row
            at = max(at, row["index"])  # one of the member's own comes behind later entries
        else:
            yield at, row


def entries(given: Iterable[Row]) -> list[Row]:
    return [row for row in given if row.get("type") == "entry"]


def request_type(row: Row) -> str | None:
    """As `-r` takes it."""
    if row.get("type") != "entry":
        return None
    if not row["size"]:
        return "noop"
    return "undecoded" if row["request"] is None else str(row["request"]["type"])


def payload(row: Row) -> bytes:
    """What an entry carries."""
    return base64.b64decode(row.get("data") or "")


def frame(name: str, row: Row) -> bytes:
    """All bytes of a record, out of its file."""
    (path,) = member(name).rglob(row["segment"])
    with path.open("rb") as file:
        file.seek(row["offset"])
        return file.read(row["length"])


def touched(row: Row) -> list[tuple[bytes, bytes | None]]:
    """The keys `[key, end)` that a request touches; `None` for a single one."""
    request = row.get("request") or {}
    if str(request.get("type", "")).startswith("v2_"):
        found = _bytes_of(request["v2"].get("Path"))
        return [(found, None)] if found else []
    if request.get("type") not in ("put", "delete_range", "txn"):
        return []
    return list(_ranges(request[request["type"]]))


def _ranges(node: Any) -> Iterator[tuple[bytes, bytes | None]]:
    if isinstance(node, list):
        for each in node:
            yield from _ranges(each)
    elif isinstance(node, dict):
        if "key" in node:
            yield _bytes_of(node["key"]), _bytes_of(node.get("range_end")) or None
        for each in node.values():
            yield from _ranges(each)


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, dict):
        return base64.b64decode(value["data"])
    return str(value or "").encode()


def touches(row: Row, key: bytes) -> bool:
    return any(
        first == key if end is None else first <= key and (end == b"\0" or key < end)
        for first, end in touched(row)
    )


def touches_prefix(row: Row, prefix: bytes) -> bool:
    """Whether a key with this beginning is touched; tried out with single keys."""
    return any(
        first.startswith(prefix)
        or (end is not None and first <= prefix + b"\xff" * 40 and (end == b"\0" or end > prefix))
        for first, end in touched(row)
    )

"""Salvages for tests, and the truth that they are held against; the truth is etcd's own."""

import hashlib
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests.corpus import manifest, unpacked
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey, survey
from walctl.fs.base import FileSystem
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.model.record import Entry
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Redaction
from walctl.render.salvage import record_lines, report_bytes
from walctl.repair.coverage import live_entries
from walctl.repair.salvage import Salvage, salvage
from walctl.repair.world import World

DISK = RealFileSystem()

Truth = dict[int, tuple[int, str]]
"""Term, and SHA-256 of the payload, of every entry that counts, by index."""


def world(disk: WritableFileSystem = DISK, **more: object) -> World:
    """A world without a clock, whose new ids are 0xA001 (a cluster) and 0xA002 (a member)."""
    ids = count(0xA001)
    parts = {"disk": disk, "now": lambda: 0.0, "sleep": lambda _: None, "token": lambda: next(ids)}
    return World(**{**parts, **more})  # type: ignore[arg-type]


def surveyed(path: Path, disk: FileSystem = DISK) -> Survey:
    """What a member's files say."""
    return survey(disk, understand(disk, path))


def salvaged(
    path: Path,
    target: Path,
    *,
    in_world: World | None = None,
    skips_holes: bool = False,
    redaction: Redaction = Redaction.AUTH,
) -> Salvage:
    """The member at `path`, salvaged as the command does it."""
    here = in_world or world()
    layout = understand(here.disk, path)
    decoder = AutoDecoder(strict=True)
    return salvage(
        here,
        layout,
        target,
        decoder=decoder,
        rows=lambda seen: record_lines(here.disk, layout, decoder, redaction, seen),
        report=lambda result: report_bytes(result, redaction),
        skips_holes=skips_holes,
    )


def truth_of(name: str, member: str) -> Truth:
    """What etcd's own reader read in a directory of the corpus."""
    folder = unpacked(name) / "truth"
    path = folder / f"{member}.waljson.from0.json"
    if not path.is_file():
        path = folder / f"{member}.waljson.latest.json"
    entries = json.loads(path.read_bytes())["entries"]
    return {each["index"]: (each["term"], each["sha256"]) for each in entries}


def told_by(entries: Iterator[Entry]) -> Truth:
    """The same of entries of ours."""
    return {
        each.index: (each.term, hashlib.sha256(each.payload or b"").hexdigest()) for each in entries
    }


def live_truth(seen: Survey, disk: FileSystem = DISK) -> Truth:
    """Every readable entry of a surveyed member."""
    return told_by(live_entries(disk, seen))


def undestroyed(name: str) -> set[int]:
    """Indexes whose frames a damaged directory still has byte for byte, wherever they stand.

    By etcd's own list of the records of the directory that it was made from.
    """
    base = manifest(name)["base"]
    found: set[int] = set()
    damaged = unpacked(name) / "n1/member/wal"
    haystack = [path.read_bytes() for path in sorted(damaged.glob("*.wal"))]
    lines = (unpacked(base) / "truth/n1.walrecords.txt").read_text().splitlines()
    for line in lines:
        words = line.split()
        if len(words) < 4 or words[3] != "entry":
            continue
        source = unpacked(base) / "n1/member/wal" / words[0]
        start, stop = int(words[1]), int(words[2])
        with source.open("rb") as file:
            file.seek(start)
            frame = file.read(stop - start)
        # In its place, where a file has it; a renamed file has another place in the list.
        if any(each[start:stop] == frame for each in haystack):
            index = next(int(w.removeprefix("index=")) for w in words if w.startswith("index="))
            found.add(index)
    return found


def frame_spans(data: bytes) -> dict[int, tuple[int, int]]:
    """Where the frame of each entry stands, by a walk of lengths that knows nothing of walctl."""
    spans: dict[int, tuple[int, int]] = {}
    at, index = 0, 0
    while at + 8 <= len(data):
        word = int.from_bytes(data[at : at + 8], "little")
        if word == 0:
            break
        size = word & ((1 << 56) - 1)
        padding = (word >> 56) & 7 if word >> 63 else 0
        stop = at + 8 + size + padding
        if data[at + 8 : at + 10] == b"\x08\x02":
            index += 1
            spans[index] = (at, stop)
        at = stop
    return spans

"""Entries of the corpus where etcd's own decoder found them; found by its list, not by our scan."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from formats import raftpb, walpb
from tests.corpus import manifest, unpacked
from walctl.model.record import EntryKind

KINDS = {
    "EntryNormal": EntryKind.NORMAL,
    "EntryConfChange": EntryKind.CONF_CHANGE,
    "EntryConfChangeV2": EntryKind.CONF_CHANGE_V2,
}
_LINE = re.compile(r"(\S+\.wal) (\d+) \d+ entry .* (Entry\w+) term=(\d+) index=(\d+) len=(\d+)")


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry with what the lister says of it."""

    index: int
    kind: EntryKind
    payload: bytes


def members(name: str) -> list[str]:
    """The members of a directory whose records are listed."""
    truth = unpacked(name) / "truth"
    return [path.name.removesuffix(".walrecords.txt") for path in truth.glob("*.walrecords.txt")]


def is_etcd(name: str) -> bool:
    """Whether etcd wrote the directory, and not raftexample."""
    return bool(manifest(name).get("layout", "etcd") == "etcd")


def logged(name: str, member: str) -> Iterator[Logged]:
    """Every entry that etcd reads, in the order of the log, those overwritten later included."""
    folder = unpacked(name)
    home = folder / member
    wal = home / "member" / "wal" if is_etcd(name) else home
    for line in (folder / "truth" / f"{member}.walrecords.txt").read_text().splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        file, start, kind, term, index, size = found.groups()
        entry = _entry(wal / file, int(start))
        payload = entry.data or b""
        assert (entry.term, entry.index, len(payload)) == (int(term), int(index), int(size))
        yield Logged(int(index), KINDS[kind], payload)


def _entry(segment: Path, start: int) -> raftpb.Entry:
    with segment.open("rb") as file:
        file.seek(start)
        head = file.read(8)
        record = walpb.RECORD.parse(file.read(int.from_bytes(head[:7], "little")))
    return raftpb.ENTRY.parse(record.data or b"")

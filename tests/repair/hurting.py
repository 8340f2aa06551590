"""Real members made small enough to be hurt often: their logs taken apart and put together anew.

A member is its files by their names in a plan. Logs lose most of their zeros, databases their
keys: no plan looks at them. `rewritten` gives a log other ends, joints and records, with the
frames that etcd had written and checksums that fit; `noted` sets back what a database has applied,
as one that a server was killed on.
"""

import functools
import struct
from collections.abc import Sequence
from pathlib import Path

from formats import raftpb, walpb
from tests import corpus
from tests.repair.members import Frame, frames, index_of
from tests.wal.builders import ENTRY, METADATA, SNAPSHOT, STATE, Builder
from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.verify import examine
from walctl.repair.case import Case
from walctl.repair.pieces import Rebuild, Row, composed
from walctl.repair.plan import Plan
from walctl.repair.planning import case_of, plan_for

HERE = Path("/m/member")
RESERVED_BYTES = 1 << 14
Files = dict[str, bytes]
Item = tuple[int, bytes]
"""A record's type and payload."""


@functools.cache
def _small(name: str, member: str) -> Files:
    folder = corpus.unpacked(name) / member / "member"
    found = {}
    for room in ("wal", "snap"):
        for path in sorted((folder / room).iterdir()):
            data = path.read_bytes()
            if path.suffix == ".wal":
                data = data.rstrip(b"\0")
                data += bytes(-len(data) % 8 + (RESERVED_BYTES if path.stat().st_size else 0))
            found[f"{room}/{path.name}"] = _emptied(data) if path.name == "db" else data
    return found


def member_of(name: str, member: str = "n1") -> Files:
    """The files of a member of the corpus."""
    return dict(_small(name, member))


def _emptied(data: bytes, *rows: Row) -> bytes:
    """A database without its keys, and with some rows of its own."""
    disk = MemoryFileSystem({Path("/db"): data})
    with disk.open(Path("/db")) as file:
        piece = Rebuild(source="/db", cleared=(b"key",), rows=rows)
        return b"".join(composed((piece,), lambda _: file))


def noted(files: Files, applied: int, term: int | None) -> Files:
    """The same with a database that has applied this; `term` is `None` for etcd 3.4."""
    rows = [Row(bucket=b"meta", key=b"consistent_index", value=struct.pack(">Q", applied))]
    if term is not None:
        rows.append(Row(bucket=b"meta", key=b"term", value=struct.pack(">Q", term)))
    return {**files, "snap/db": _emptied(files["snap/db"], *rows)}


def segments(files: Files) -> list[str]:
    """The names of the segments, in order."""
    return sorted(name for name in files if name.endswith(".wal"))


def frames_of(files: Files, position: int = -1) -> list[Frame]:
    """The frames of one segment."""
    return list(frames(files[segments(files)[position]]))


def frame_of(files: Files, index: int, position: int = -1) -> Frame:
    """The frame of an entry, the last one with this index."""
    found = [
        each
        for each in frames_of(files, position)
        if each.kind == ENTRY and each.payload is not None and index_of(each.payload)[1] == index
    ]
    return found[-1]


def items_of(files: Files) -> list[Item]:
    """The records of a log of one segment, behind its metadata."""
    first = frames_of(files, 0)
    return [(each.kind, each.payload) for each in first if each.payload is not None][1:]


def until(items: Sequence[Item], index: int) -> int:
    """Where the entry `index` stands among records."""
    return next(at for at, (kind, data) in enumerate(items) if is_entry(kind, data, index))


def is_entry(kind: int, data: bytes, index: int) -> bool:
    return kind == ENTRY and index_of(data)[1] == index


def rewritten(files: Files, items: Sequence[Item], cuts: Sequence[int] = ()) -> Files:
    """The same member with these records as its log; a new segment begins in front of each cut.

    Snapshot files that the log does not mark go.
    """
    metadata = next(each.payload for each in frames_of(files, 0) if each.kind == METADATA)
    assert metadata is not None
    builder, begins, reached, last_state = Builder(0).add(METADATA, metadata), 0, 0, b""
    made: Files = {}
    marks = set()
    for at, (kind, data) in enumerate(items):
        if at in cuts:
            made[f"wal/{len(made):016x}-{begins:016x}.wal"] = builder.done()
            begins = reached + 1
            builder = Builder(builder.crc).add(METADATA, metadata).add(STATE, last_state)
        builder.add(kind, data)
        reached = index_of(data)[1] if kind == ENTRY else reached
        last_state = data if kind == STATE else last_state
        if kind == SNAPSHOT:
            mark = walpb.SNAPSHOT.parse(data)
            marks.add(f"snap/{mark.term or 0:016x}-{mark.index or 0:016x}.snap")
    made[f"wal/{len(made):016x}-{begins:016x}.wal"] = builder.done(RESERVED_BYTES)
    kept = {name: data for name, data in files.items() if name in marks or name == "snap/db"}
    return {**made, **kept}


def last_state(items: Sequence[Item]) -> raftpb.HardState:
    """The last hard state among records."""
    return raftpb.HARD_STATE.parse([data for kind, data in items if kind == STATE][-1])


def changed(files: Files, name: str, start: int, data: bytes) -> Files:
    """The same with other bytes from `start` on."""
    was = files[name]
    return {**files, name: was[:start] + data + was[start + len(data) :]}


def without(files: Files, *names: str) -> Files:
    """The same without some files."""
    return {name: data for name, data in files.items() if name not in names}


def disk_of(files: Files) -> MemoryFileSystem:
    """A disk with the member on it."""
    disk = MemoryFileSystem({HERE / name: data for name, data in files.items()})
    for room in ("wal", "snap"):
        disk.make_directory(HERE / room)
    return disk


def planned(files: Files) -> tuple[Case, Plan]:
    """The case and the plan of a member with these files."""
    disk = disk_of(files)
    case = case_of(disk, understand(disk, HERE))
    return case, plan_for(case)


def is_clean(files: Files) -> bool:
    """Whether verify finds no damage; a test asks it of what it is about to hurt."""
    disk = disk_of(files)
    report = examine(disk, understand(disk, HERE)).report
    return not report.exit_status or report.exit_status == 3

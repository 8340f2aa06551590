"""Members that are edited in tests, real and built ones in memory; and what became of them.

Records are read by `members.frames`, which knows nothing of walctl.
"""

import functools
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fixtures.unpack import unpack
from tests.repair.disks import MEMBER, read, tree, world
from tests.repair.members import frames, written
from tests.wal.builders import bytes_field, entry, state, varint
from walctl.backend.rebuild import Edit as BucketEdit
from walctl.backend.rebuild import rebuilt
from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.verify import Examination, examine
from walctl.model.finding import Severity
from walctl.model.record import ConfState
from walctl.repair.apply import apply
from walctl.repair.case import Case
from walctl.repair.operable import case_to_edit
from walctl.repair.plan import Plan
from walctl.repair.undo import undo
from walctl.snap.writer import Snapshot, snap_bytes

PAGE_BYTES = 4096
METADATA, ENTRY, STATE, CRC, SNAPSHOT = range(1, 6)
WAL, SNAP = MEMBER / "member" / "wal", MEMBER / "member" / "snap"

Edit = Callable[[Case], Plan]


class Record(NamedTuple):
    """A record but for its checksum, with the segment that it is in."""

    segment: str
    kind: int
    payload: bytes | None


class Edited(NamedTuple):
    """A plan that was carried out, and the member before and after."""

    plan: Plan
    before: list[Record]
    after: list[Record]
    examination: Examination


@functools.cache
def _files_of(fixture: str) -> dict[str, bytes]:
    """The files of a fixture, its last segment without the zeros behind it."""
    with tempfile.TemporaryDirectory() as folder:
        root = unpack(fixture, Path(folder) / "n1")
        return {
            str(path.relative_to(root)): _trimmed(path)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def _trimmed(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".wal" or data[-1:] != b"\0":
        return data
    data = data.rstrip(b"\0")
    return data + bytes(-len(data) % PAGE_BYTES + PAGE_BYTES)


def fixture(name: str) -> MemoryFileSystem:
    """A fixture's member in memory."""
    return MemoryFileSystem({MEMBER / name: data for name, data in _files_of(name).items()})


def with_older_database(name: str, applied: int) -> MemoryFileSystem:
    """A fixture's member whose database says that it has applied less than the log has: as if it
    were copied earlier. Its snapshots beyond that are gone."""
    disk = fixture(name)
    number = applied.to_bytes(8, "big")
    with disk.open(SNAP / "db") as file:
        rows = [BucketEdit(b"meta", b"consistent_index", number)]
        data = b"".join(rebuilt(file, cleared=(), rows=rows))
    files = {MEMBER / each: content for each, content in _files_of(name).items()}
    files[SNAP / "db"] = data
    for path in list(files):
        if path.suffix == ".snap" and int(path.stem.partition("-")[2], 16) > applied:
            del files[path]
    return MemoryFileSystem(files)


def folder(path: Path) -> MemoryFileSystem:
    """A member of the real disk in memory; its large empty segment ends are left out."""
    files = {MEMBER / each.relative_to(path): each for each in path.rglob("*") if each.is_file()}
    disk = MemoryFileSystem({name: _trimmed(each) for name, each in sorted(files.items())})
    if not disk.exists(SNAP):
        disk.make_directory(SNAP)
    return disk


def built(
    items: Sequence[tuple[int, bytes]], cuts: Iterable[int] = (), *, snaps: Sequence[Snapshot] = ()
) -> MemoryFileSystem:
    """A member whose log has these records, segments cut in front of those at `cuts`."""
    with tempfile.TemporaryDirectory() as root:
        written(Path(root) / "wal", items, cuts)
        files = {WAL / each.name: each.read_bytes() for each in (Path(root) / "wal").iterdir()}
    for snap in snaps:
        files[SNAP / f"{snap.term:016x}-{snap.index:016x}.snap"] = snap_bytes(snap)
    disk = MemoryFileSystem(files)
    if not snaps:
        disk.make_directory(SNAP)
    return disk


def put(index: int) -> bytes:
    """A request of etcd's: to put a key that tells the index."""
    body = bytes_field(1, b"key %d" % index) + bytes_field(2, b"value %d" % index)
    return bytes_field(4, body) + bytes_field(100, b"\x08" + varint(index))


def puts(
    first: int, last: int, term: int, vote: int, *, commit: int | None = None
) -> list[tuple[int, bytes]]:
    """Entries in Saves of their own, as `members.puts`, with requests that etcd knows."""
    items = []
    for index in range(first, last + 1):
        items.append((ENTRY, entry(index, term, put(index))))
        items.append((STATE, state(term, vote, index - 1 if commit is None else commit)))
    return items


def snap(index: int, term: int, voters: tuple[int, ...]) -> Snapshot:
    """A snapshot file without a store."""
    conf = ConfState(voters=voters)
    return Snapshot(index=index, term=term, conf_state=conf, data=b"{}")


def records(disk: MemoryFileSystem) -> list[Record]:
    """Every record of the log but the checksum records, in order."""
    found = []
    for name in sorted(each for each in disk.names(WAL) if each.endswith(".wal")):
        for frame in frames(read(disk, WAL / name)):
            if frame.kind != CRC:
                found.append(Record(name, frame.kind, frame.payload))
    return found


def planned(disk: MemoryFileSystem, edit: Edit) -> Plan:
    """The plan of an edit."""
    return edit(case_to_edit(disk, MEMBER))


def edited(disk: MemoryFileSystem, edit: Edit) -> Edited:
    """Plan an edit, carry it out by the engine, and look at the result.

    The result has no damage but what the plan leaves on purpose. Then the edit is taken back, every
    byte is again as it was, and the edit is made once more: the plan is the same.
    """
    old, before = tree(disk), records(disk)
    plan = planned(disk, edit)
    receipt = apply(world(disk), plan, accept_loss=plan.accept)
    undo(world(disk), receipt.path)
    assert tree(disk) == old
    again = planned(disk, edit)
    assert again == plan
    apply(world(disk), again, accept_loss=again.accept)
    seen = examine(disk, understand(disk, MEMBER))
    assert {each.code for each in seen.report.of(Severity.DAMAGE)} <= set(plan.leaves)
    return Edited(plan, before, records(disk), seen)

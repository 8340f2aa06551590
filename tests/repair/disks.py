"""Members for the engine's tests: real ones that fit in memory, and plans for them made by hand.

The member is the fixture whose log has one flipped bit, its segment without the zeros at its end:
an etcd that was killed there would have left it as long. Plans are of every kind that the engine
puts in place in a way of its own.
"""

import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fixtures import unpack
from walctl.datadir.layout import understand
from walctl.errors import WalctlError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.writable import Attributes, WritableFileSystem
from walctl.repair.apply import apply
from walctl.repair.pieces import Copy, Literal
from walctl.repair.plan import SNAP, WAL, Act, Bound, Plan, PlanClass, Stamp, Step
from walctl.repair.stamps import Sources, bind, stamp_pieces
from walctl.repair.world import World

MEMBER = Path("/data/n1")
ROOMS = (MEMBER / "member" / WAL, MEMBER / "member" / SNAP)
SEGMENT = "wal/0000000000000000-0000000000000000.wal"
OLDEST = "snap/0000000000000002-0000000000000015.snap"
FLIPPED, BIT = 10182, 3
"""Where the fixture's manifest says that a bit was turned round."""
NOW = 2_000_000_000.0

Tree = dict[str, bytes]


@functools.cache
def small_member() -> Mapping[str, bytes]:
    """The files of a member that has one flipped bit, by their paths in its directory."""
    with tempfile.TemporaryDirectory() as folder:
        root = unpack.unpack("flipped-bit-in-data", Path(folder) / "n1")
        files = {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
    segment = files[f"member/{SEGMENT}"].rstrip(b"\0")
    files[f"member/{SEGMENT}"] = segment + bytes(-len(segment) % 4096 + 4096)
    return files


def memory_disk() -> MemoryFileSystem:
    """A disk in memory with the small member at `MEMBER`."""
    return MemoryFileSystem({MEMBER / name: data for name, data in small_member().items()})


def put_on(root: Path) -> Path:
    """The small member on the machine's own disk, as the new directory `root`."""
    for name, data in small_member().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(data)
        path.chmod(0o600)
    return root


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    seconds: float = NOW

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def world(disk: WritableFileSystem, **wishes: object) -> World:
    """The outside, with a clock of its own."""
    clock = Clock()
    made = World(disk=disk, now=clock.now, sleep=clock.sleep, token=lambda: 4)
    return replace(made, **wishes)  # type: ignore[arg-type]


def bound(disk: FileSystem, directory: Path = MEMBER) -> Bound:
    """A member as it is."""
    return bind(disk, understand(disk, directory))


def plan_of(disk: FileSystem, bound: Bound, *steps: Step) -> Plan:
    """A free plan of these steps, each with the stamps that it needs."""
    return Plan(
        bound=bound,
        plan_class=PlanClass.FREE,
        strategy="by-hand",
        summary="made for a test",
        steps=tuple(_stamped(disk, bound, step) for step in steps),
    )


def _stamped(disk: FileSystem, bound: Bound, step: Step) -> Step:
    before = bound.files.get(step.file)
    after: Stamp | None = None
    if step.act is Act.RENAME:
        after = before
    if step.act is Act.WRITE:
        with Sources(disk, {"": bound}) as sources:
            after = stamp_pieces(step.pieces, step.size, sources)
    return replace(step, before=before, after=after)


def flip_back(disk: FileSystem, bound: Bound) -> Step:
    """The bit put back where it was."""
    size = bound.files[SEGMENT].size
    folder = bound.folder(WAL)
    assert folder is not None
    with disk.open(folder / SEGMENT.partition("/")[2]) as file:
        was = file.read_at(FLIPPED, 1)
    return Step(
        act=Act.WRITE,
        file=SEGMENT,
        reason="flipped-bit",
        words="one bit is put back",
        size=size,
        pieces=(
            Copy(source=SEGMENT, start=0, stop=FLIPPED),
            Literal(data=bytes([was[0] ^ (1 << BIT)])),
            Copy(source=SEGMENT, start=FLIPPED + 1, stop=size),
        ),
    )


def leftover(room: str = WAL) -> Step:
    """A new file that no server looks at."""
    name = f"{room}/note.broken"
    pieces = (Literal(data=b"a leftover" * 10),)
    return Step(
        act=Act.WRITE, file=name, reason="test", words="a new file", pieces=pieces, size=8192
    )


def away(name: str = OLDEST) -> Step:
    """A file taken out of its folder."""
    return Step(act=Act.REMOVE, file=name, reason="test", words="a file goes")


def renamed(name: str = OLDEST, target: str | None = None) -> Step:
    """A file under another name in its folder."""
    target = f"{name}.broken" if target is None else target
    return Step(act=Act.RENAME, file=name, target=target, reason="test", words="a new name")


def one_file(disk: FileSystem, directory: Path = MEMBER) -> Plan:
    """A plan that renames one file into its place."""
    found = bound(disk, directory)
    return plan_of(disk, found, flip_back(disk, found))


def one_folder(disk: FileSystem, directory: Path = MEMBER) -> Plan:
    """A plan that exchanges `wal`."""
    found = bound(disk, directory)
    return plan_of(disk, found, flip_back(disk, found), leftover())


def both_folders(disk: FileSystem, directory: Path = MEMBER) -> Plan:
    """A plan that exchanges the folder which holds `wal` and `snap`."""
    found = bound(disk, directory)
    return plan_of(disk, found, flip_back(disk, found), away(), leftover(SNAP))


PLANS: dict[str, Callable[[FileSystem], Plan]] = {
    "one file": one_file,
    "one folder": one_folder,
    "both folders": both_folders,
}


def tree(disk: FileSystem, directory: Path = MEMBER) -> Tree:
    """What the two folders of a member hold, by name as in a plan."""
    return {
        f"{folder.name}/{name}": read(disk, folder / name)
        for folder in (directory / "member" / WAL, directory / "member" / SNAP)
        for name in disk.names(folder)
    }


def everything(disk: FileSystem, folder: Path) -> dict[str, bytes | None]:
    """All that lies below a folder; `None` for a folder."""
    found: dict[str, bytes | None] = {}
    for path, kind in _walk(disk, folder):
        found[str(path)] = read(disk, path) if kind is Kind.FILE else None
    return found


def _walk(disk: FileSystem, folder: Path) -> Iterator[tuple[Path, Kind]]:
    for name in disk.names(folder):
        kind = disk.stat(folder / name).kind
        yield folder / name, kind
        if kind is Kind.DIRECTORY:
            yield from _walk(disk, folder / name)


def read(disk: FileSystem, path: Path) -> bytes:
    with disk.open(path) as file:
        return file.read_at(0, file.stat().size)


def attributes(disk: WritableFileSystem, directory: Path = MEMBER) -> dict[str, Attributes]:
    """Owner, mode, times and extended attributes of every file, by name as in a plan."""
    return {
        f"{folder.name}/{name}": replace(disk.attributes(folder / name), links=1)
        for folder in (directory / "member" / WAL, directory / "member" / SNAP)
        for name in disk.names(folder)
    }


def expect_refused(
    disk: MemoryFileSystem,
    plan: Plan,
    kind: type[WalctlError],
    words: str,
    do: Callable[[MemoryFileSystem, Plan], object] | None = None,
) -> WalctlError:
    """The plan is refused in one line, and nothing of the disk is other than before."""
    before = disk.everything()
    do = do or (lambda disk, plan: apply(world(disk), plan))
    with pytest.raises(kind, match=words) as caught:
        do(disk, plan)
    assert disk.everything() == before
    assert "\n" not in caught.value.message
    return caught.value

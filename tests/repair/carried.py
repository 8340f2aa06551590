"""A plan carried out in the plainest way: for tests of what is planned, not of how it is done.

The files of a member are read whole, changed, and put on a disk in memory. Nothing of the engine
takes part but what composes pieces, so that a plan can be judged without it.
"""

from pathlib import Path

from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.verify import Examination, examine
from walctl.repair.case import Case
from walctl.repair.pieces import composed
from walctl.repair.plan import Act, Plan


def carried_out(case: Case, plan: Plan) -> dict[str, bytes]:
    """Every file of the member's two folders as the plan leaves it, by its name in the plan."""
    with case.sources() as sources:
        files = {}
        for name in case.bound.files:
            with case.disk.open(sources.path(name)) as file:
                files[name] = file.read_at(0, file.stat().size)
        for step in plan.steps:
            match step.act:
                case Act.WRITE:
                    data = b"".join(composed(step.pieces, sources))
                    files[step.file] = data + bytes(step.size - len(data))
                case Act.REMOVE:
                    del files[step.file]
                case Act.RENAME:
                    assert step.target is not None
                    files[step.target] = files.pop(step.file)
    return files


def read_back(files: dict[str, bytes]) -> tuple[MemoryFileSystem, Examination]:
    """A member with just these files, examined; and the disk that it is on."""
    here = Path("/after/member")
    disk = MemoryFileSystem({here / name: data for name, data in files.items()})
    for room in ("wal", "snap"):
        disk.make_directory(here / room)
    return disk, examine(disk, understand(disk, here))

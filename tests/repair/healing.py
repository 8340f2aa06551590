"""Heals a directory on the real disk as a test wants it, and puts the result in its place."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.verify import examine
from walctl.model.record import Entry
from walctl.repair.heal import Healing, Unhealed, heal
from walctl.repair.peers import read_peers
from walctl.repair.pieces import composed
from walctl.repair.stamps import Sources, bind, stamp_file
from walctl.wal.entry_frames import entries_of

DISK = RealFileSystem()
NO_IDS: Mapping[Path, int] = MappingProxyType({})


def attempt(path: Path, *peers: Path, ids: Mapping[Path, int] = NO_IDS) -> Healing | Unhealed:
    """What healing says of a directory; nothing is written. `ids` say whose directories are whose,
    for logs that do not."""
    layout = understand(DISK, path)
    read = read_peers(DISK, peers, ids=ids)
    return heal(examine(DISK, layout), bind(DISK, layout), read, DISK, own_id=ids.get(path))


def healed(path: Path, *peers: Path, ids: Mapping[Path, int] = NO_IDS) -> Healing:
    """Heal a directory and write the result over it."""
    found = attempt(path, *peers, ids=ids)
    assert isinstance(found, Healing), found.reasons
    apply(path, found)
    return found


def apply(path: Path, found: Healing) -> None:
    """Write the result of a healing over a directory, each file held against its stamps."""
    layout = understand(DISK, path)
    own = bind(DISK, layout)
    made = {}
    with Sources(DISK, {"": own, **found.peers}) as sources:
        for step in found.steps:
            data = b"".join(composed(step.pieces, sources))
            assert step.before == own.files.get(step.file)
            made[step.file] = data + bytes(step.size - len(data))
    for step in found.steps:
        room, name = step.file.split("/")
        folder = own.folder(room)
        assert folder is not None
        (folder / name).write_bytes(made[step.file])
        assert stamp_file(DISK, folder / name) == step.after


def verdict(path: Path) -> list[str]:
    """Codes of what verify finds that is more than information."""
    report = examine(DISK, understand(DISK, path)).report
    return [str(each.code) for each in report.findings if each.severity != "info"]


def entries(path: Path) -> dict[int, Entry]:
    """Every live entry of a directory's log."""
    survey = examine(DISK, understand(DISK, path)).survey
    folder = survey.layout.wal_dir
    assert folder is not None
    found = {}
    for run in survey.log.live:
        with DISK.open(folder / run.segment) as file:
            for each in entries_of(file, run, first=run.first, last=run.last):
                found[each.index] = each
    return found


def hard_state(path: Path) -> tuple[int, int, int]:
    """Term, vote and commit of the last hard state."""
    last = examine(DISK, understand(DISK, path)).survey.last_state
    assert last is not None
    return last.state.term, last.state.vote, last.state.commit

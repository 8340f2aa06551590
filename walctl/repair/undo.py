"""undo: an application taken back, as long as nobody has written since.

The old bytes come from the backup that lies beside the receipt, go through the same engine as a
repair, and leave a backup and a receipt themselves, so that an undo can be undone.
"""

from pathlib import Path

from walctl.errors import AccessError, UsageError
from walctl.fs.base import FileSystem, Kind
from walctl.inspect.advice import path_word
from walctl.repair.backup import (
    BACKUP_NAME,
    BACKUPS_SUFFIX,
    RECEIPT,
    Kept,
    packed_path,
    read_manifest,
)
from walctl.repair.execute import carry_out
from walctl.repair.job import Blocks, Change, Job, Move, Put, Take, room_of
from walctl.repair.packing import unpacked
from walctl.repair.plan import Bound, PlanClass, Stamp
from walctl.repair.receipt import Receipt, read_receipt
from walctl.repair.world import World


def undo(
    world: World, receipt: Path, *, backup_to: Path | None = None, tool: str = "walctl"
) -> Receipt:
    """Give a member back every byte, name and attribute that an application changed.

    `receipt` may be the folder of the backup that it lies in.

    Raises: AccessError, when the member is not as the application left it, or is in use, or the
    backup does not open; UsageError, when `receipt` is none; StoppedError.
    """
    receipt = _receipt_at(world.disk, receipt)
    old = read_receipt(world.disk, receipt)
    manifest = read_manifest(world.disk, receipt.parent)
    for name, stamp in old.bound.files.items():
        kept = manifest.files.get(name)
        if kept is None or kept.stamp != stamp:
            raise UsageError(f"{receipt}: {name}: receipt and manifest of the backup differ")
    if not old.changed:
        raise UsageError(f"{receipt}: it says that nothing changed: there is nothing to take back")
    directory = _directory_of(world.disk, old)
    stale = f"not as the {old.kind} left it (the server has written since?)"
    if directory != old.bound.directory:
        stale += f", which was of {old.bound.directory}"
    job = Job(
        kind="undo",
        bound=Bound(
            directory=directory,
            wal=old.bound.wal,
            snap=old.bound.snap,
            files=old.after,
        ),
        changes=tuple(_changes(world.disk, old, dict(manifest.files))),
        stale=stale,
        plan_class=PlanClass.FREE,
        strategy="undo",
        summary=f"takes back: {old.summary or old.strategy}",
        undoes=receipt,
        tool=tool,
    )
    return carry_out(world, job, backup_to=backup_to)


def _receipt_at(disk: FileSystem, path: Path) -> Path:
    """The receipt that a path is, or that the backup at that path has.

    Raises: UsageError, for another folder, saying what lists those that can be taken back.
    """
    if not disk.exists(path) or disk.stat(path).kind is not Kind.DIRECTORY:
        return path
    if disk.exists(path / RECEIPT):
        return path / RECEIPT
    if BACKUP_NAME.fullmatch(path.name):
        raise UsageError(
            f"{path}: no {RECEIPT} in it: what this backup was made for never took place, so there"
            " is nothing to take back (zstd -d opens each of its files)"
        )
    member = path.with_name(path.name.removesuffix(BACKUPS_SUFFIX)) if path.name else path
    raise UsageError(
        f"{path}: a folder, and not that of one backup: walctl clean {path_word(member)} lists what"
        " can be taken back"
    )


def _directory_of(disk: FileSystem, old: Receipt) -> Path:
    """The member's directory: where it was, or else what the backup lies beside.

    A repaired copy is moved into its place, and its backups with it; whether the files are those
    of the receipt is asked before anything is done. Raises: AccessError.
    """
    wanted = old.bound.directory
    if disk.exists(wanted):
        return wanted
    root = old.backup.parent
    if root.name.endswith(BACKUPS_SUFFIX) and root.name != BACKUPS_SUFFIX:
        beside = root.with_name(root.name.removesuffix(BACKUPS_SUFFIX))
        if disk.exists(beside):
            return beside
    raise AccessError(
        f"{wanted}: not there any more; to take it back, have the member there again, or have its"
        f" directory NAME and its backups NAME{BACKUPS_SUFFIX} side by side"
    )


def _changes(disk: FileSystem, old: Receipt, kept: dict[str, Kept]) -> list[Change]:
    """What leads back: renamed files get their names again, new ones go, the rest is unpacked."""
    given_up = {name: after for name, (before, after) in old.changed.items() if before is None}
    missing = {name: before for name, (before, after) in old.changed.items() if after is None}
    changes: list[Change] = []
    for name, stamp in missing.items():
        assert stamp is not None
        source = _renamed(name, stamp, given_up, missing)
        if source is None:
            changes.append(_put(disk, old, name, kept[name]))
        else:
            del given_up[source]
            changes.append(Move(name=source, target=name))
    changes += [Take(name=name) for name in given_up]
    for name, (before, after) in old.changed.items():
        if before is not None and after is not None:
            changes.append(_put(disk, old, name, kept[name]))
    return changes


def _renamed(
    name: str,
    stamp: Stamp,
    given_up: dict[str, Stamp | None],
    missing: dict[str, Stamp | None],
) -> str | None:
    """The one new name in the same folder under which the bytes of a missing file lie."""
    found = [each for each, other in given_up.items() if other == stamp]
    wanted = [each for each, other in missing.items() if other == stamp]
    is_one = len(found) == 1 and len(wanted) == 1 and room_of(found[0]) == room_of(name)
    return found[0] if is_one else None


def _put(disk: FileSystem, old: Receipt, name: str, kept: Kept) -> Put:
    path = packed_path(old.backup, name)
    if not disk.exists(path):
        raise AccessError(f"{path}: the backup does not have it: nothing can be taken back")

    def blocks() -> Blocks:
        with disk.open(path) as file:
            yield from unpacked(file, bytes_max=kept.stamp.size)

    return Put(
        name=name,
        stamp=kept.stamp,
        blocks=blocks,
        bytes_max=kept.stamp.size,
        attributes=kept.attributes,
        is_allocated=kept.is_allocated,
    )

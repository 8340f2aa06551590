"""clean: old backups, listed, and taken away when somebody says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from walctl.datadir.layout import understand
from walctl.datadir.unfinished import unfinished
from walctl.errors import AccessError, UnsupportedError, UsageError, WalctlError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.writable import WritableFileSystem
from walctl.fs.zstd import SUFFIX
from walctl.repair.backup import BACKUP_NAME, DOCUMENTS, MANIFEST, RECEIPT, backups_folder
from walctl.repair.plan import SNAP, WAL
from walctl.repair.receipt import read_receipt
from walctl.repair.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup of a member.

    `made` is when, as in its name; `size` what it takes on the disk. `receipt` is `None` where
    there is none that `undo` could read, and `words` says what is known of it.
    """

    name: str
    path: Path
    made: str
    kind: str
    size: int
    receipt: Path | None
    words: str


def backups(disk: FileSystem, directory: Path) -> list[Backup]:
    """The backups beside a member's directory, oldest first.

    Raises: AccessError.
    """
    root = backups_folder(directory)
    if not disk.exists(root):
        return []
    return [
        _backup(disk, root / name)
        for name in disk.names(root)
        if BACKUP_NAME.fullmatch(name) and disk.stat(root / name).kind is Kind.DIRECTORY
    ]


def demand_member(
    disk: FileSystem, directory: Path, *, wal_dir: Path | None = None, snap_dir: Path | None = None
) -> None:
    """Hold a path against what can have backups: a member's directory, or what has some still.

    To say of anything else that it has none would let a slip pass for an answer.
    Raises: AccessError, UnsupportedError, UsageError.
    """
    if disk.exists(backups_folder(directory)):
        return  # also those of a member that is gone
    layout = understand(disk, directory, wal_dir=wal_dir, snap_dir=snap_dir)
    if disk.stat(layout.path).kind is not Kind.DIRECTORY:
        raise UnsupportedError(
            f"{directory}: {layout.shape}: expected a member's directory, beside which its backups"
            " lie"
        )


def remove_backups(world: World, directory: Path, names: Sequence[str]) -> int:
    """Take these backups away; the bytes that they took.

    Raises: UsageError, for a name that is no backup's, or one with files that are not ours;
    AccessError, also where an interrupted application may still need one.
    """
    disk = world.disk
    known = {backup.name: backup for backup in backups(disk, directory)}
    for name in names:
        if name not in known:
            raise UsageError(f"{backups_folder(directory) / name}: no backup of this member")
    for work in unfinished(disk, directory, (directory / "wal", directory / "member" / "wal")):
        raise AccessError(
            f"{work}: an application was interrupted and may need its backup: finish it or roll it"
            f" back first, with walctl repair {directory} --resume"
        )
    chosen = [known[name] for name in dict.fromkeys(names)]
    contents = [_contents(disk, backup.path) for backup in chosen]
    for backup, files in zip(chosen, contents, strict=True):
        _remove(disk, backup.path, files)
    root = backups_folder(directory)
    if chosen:
        disk.sync_dir(root)
    return sum(backup.size for backup in chosen)


def _backup(disk: FileSystem, path: Path) -> Backup:
    made, kind = path.name.split("-")[:2]
    receipt: Path | None = path / RECEIPT
    try:
        if disk.exists(path / RECEIPT):
            words = read_receipt(disk, path / RECEIPT).summary
        else:
            words = "never finished"
            if disk.exists(path / MANIFEST):
                words = "rolled back: no receipt, zstd -d opens its files"
            receipt = None
    except WalctlError as error:
        words, receipt = f"its receipt does not read: {error.message}", None
    return Backup(
        name=path.name,
        path=path,
        made=made,
        kind=kind,
        size=_size(disk, path),
        receipt=receipt,
        words=words,
    )


def _size(disk: FileSystem, path: Path) -> int:
    total = 0
    for folder in (path, path / WAL, path / SNAP):
        if disk.exists(folder):
            for name in disk.names(folder):
                stat = disk.stat(folder / name)
                if stat.kind is Kind.FILE:
                    total += stat.size
    return total


def _contents(disk: WritableFileSystem, path: Path) -> list[Path]:
    """The files of a backup, documents first: half of one is none.

    Raises: UsageError, when anything is there that we did not make.
    """
    found: list[Path] = []
    for folder in (path, path / WAL, path / SNAP):
        if not disk.exists(folder):
            continue
        if disk.attributes(folder).is_link:
            raise UsageError(f"{folder}: a symbolic link: what it leads to stays as it is")
        for name in disk.names(folder):
            each = folder / name
            attributes = disk.attributes(each)
            if folder == path and name in (WAL, SNAP) and attributes.is_directory:
                continue
            is_ours = name in DOCUMENTS if folder == path else name.endswith(SUFFIX)
            if not is_ours or attributes.is_directory or attributes.is_link:
                raise UsageError(f"{each}: not of walctl's making: the backup stays as it is")
            found.append(each)
    return sorted(found, key=lambda each: (each.parent != path, each.name != RECEIPT))


def _remove(disk: WritableFileSystem, path: Path, files: Sequence[Path]) -> None:
    for file in files:
        disk.remove(file)
    for folder in (path / WAL, path / SNAP, path):
        if disk.exists(folder):
            disk.remove_dir(folder)

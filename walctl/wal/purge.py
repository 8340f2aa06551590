"""Segments that are needed no more: which would go, and letting them go as etcd's purge does.

The newest stay, by name; of the rest the oldest goes first, and the first that somebody holds
ends it: what is behind is needed too. etcd counts every name that ends in `wal`, whatever it is.

Source: etcd-data-dir note 1.5.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from walctl.errors import AccessError, UsageError
from walctl.fs.writable import Lock, WritableFileSystem

SUFFIX = "wal"
KEPT = 5
"""How many etcd keeps unless it is told otherwise (`--max-wals`, `--max-snapshots`)."""


def beyond(names: Iterable[str], *, suffix: str = SUFFIX, keep: int = KEPT) -> list[str]:
    """The names with this end that are too many, oldest first; order is that of strings.

    `keep` is how many stay, at least one. Raises: UsageError.
    """
    if keep < 1:
        raise UsageError(f"expected to keep one file or more, found {keep}")
    found = sorted(name for name in names if name.endswith(suffix))
    return found[: max(0, len(found) - keep)]


def purgeable(
    names: Iterable[str], *, keep: int = KEPT, held: Collection[str] = frozenset()
) -> list[str]:
    """The names out of a log's folder that a purge would remove, in its order.

    `keep` is as in `beyond`; `held` are those that somebody holds a lock on.

    Raises: UsageError.
    """
    oldest = beyond(names, keep=keep)
    stop = next((at for at, name in enumerate(oldest) if name in held), len(oldest))
    return oldest[:stop]


def purge(disk: WritableFileSystem, folder: Path, *, keep: int = KEPT) -> list[str]:
    """Remove what is needed no more from the log in `folder`; the names that went.

    A segment goes only once its lock was taken, and it is gone from the disk before the next one
    goes: a crash leaves no hole between those that are left.

    Raises: AccessError, when a segment may not be removed; UsageError.
    """
    gone: list[str] = []
    for name in purgeable(disk.names(folder), keep=keep):
        path = folder / name
        try:
            file = disk.open_file(path)
        except AccessError:
            break
        with file:
            try:
                file.lock(Lock.RECORD)
            except AccessError:
                break
            disk.remove(path)
            disk.sync_dir(folder)
        gone.append(name)
    return gone

"""One owner: nobody but us has the member while it is changed, and it is what the plan was made of.

The locks are those that etcd takes, on the segments and on the database, and they are held until
the result is in place. They bind only who asks for them, so whoever has a file open, and whatever
was written a moment ago, is a reason to refuse as well.
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from walctl.errors import AccessError, UnsupportedError
from walctl.fs.base import Kind
from walctl.fs.hashing import blocks_of
from walctl.fs.writable import Lock
from walctl.repair.job import folders_of, paced, path_of
from walctl.repair.plan import SNAP, WAL, Bound, Stamp
from walctl.repair.stamps import stamp_of
from walctl.repair.world import World
from walctl.snap.names import DB_NAME

QUIET_SECONDS = 2.0
"""A file that was written less than this ago may be in the middle of being written."""
_NS = 1_000_000_000
Look: TypeAlias = tuple[int, int, int]
"""Size, time of the last change, and inode of a file."""
_LOCKED_SUFFIXES = (".wal", ".tmp")
"""Of names in `wal/` that etcd locks: segments, and the one that it keeps ready."""


class Guard:
    """Holds a member's locks; a context manager.

    Entering raises AccessError when somebody has the member, or is writing to it.
    """

    def __init__(self, world: World, bound: Bound) -> None:
        self._world = world
        self._bound = bound
        self._stack = ExitStack()
        self._seen: dict[Path, Look] = {}

    def __enter__(self) -> "Guard":
        with ExitStack() as stack:
            self._demand_plain()
            self._demand_nobody()
            self._lock(stack)
            self._wait_for_quiet()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def demand_unchanged(self, stale: str) -> None:
        """Read every file and hold it against the stamps.

        Raises: AccessError, naming the first file that differs and saying `stale` of it.
        """
        demand_stamps(self._world, self._bound, None, stale)

    def demand_untouched(self) -> None:
        """Hold what the folders hold against what they held when the guard was entered.

        By names, sizes and times, which costs nothing: it is asked once more right before the
        result takes their place. Raises: AccessError.
        """
        self._demand_same(self._seen, self._look(), "somebody wrote to it meanwhile")

    def _look(self) -> dict[Path, Look]:
        stats = {path: self._world.disk.stat(path) for path in self._files()}
        return {path: (stat.size, stat.mtime_ns, stat.inode) for path, stat in stats.items()}

    def _demand_same(self, old: dict[Path, Look], new: dict[Path, Look], words: str) -> None:
        for path in sorted({*old, *new}):
            if old.get(path) != new.get(path):
                raise AccessError(f"{path}: {words}: stop the server")

    def _files(self) -> list[Path]:
        """Every plain file of the two folders as they are now."""
        return [path_of(self._bound, name) for name in _names(self._world, self._bound)]

    def _demand_plain(self) -> None:
        """Links lead out of what the plan is bound to, so there may be none on the way."""
        disk = self._world.disk
        if not self._bound.directory.is_absolute():
            raise UnsupportedError(f"{self._bound.directory}: expected an absolute path")
        for folder in (self._bound.directory, *folders_of(self._bound).values()):
            found = disk.attributes(folder)
            if found.is_link:
                raise UnsupportedError(
                    f"{folder}: a symbolic link: name the folder that it leads to"
                    " (--wal-dir, --snap-dir)"
                )
            if not found.is_directory:
                raise AccessError(f"{folder}: Not a directory")
        for path in self._files():
            if disk.attributes(path).is_link:
                raise UnsupportedError(f"{path}: a symbolic link: nothing is changed beside it")

    def _demand_nobody(self) -> None:
        holders = self._world.disk.holders(list(folders_of(self._bound).values()))
        if holders:
            shown = ", ".join(map(str, holders[:5]))
            raise AccessError(
                f"{self._bound.directory}: process {shown} has files of it open: stop the server"
            )

    def _lock(self, stack: ExitStack) -> None:
        """Take every lock that a server would take; the kinds do not see each other."""
        disk = self._world.disk
        for path in self._files():
            is_segment = path.parent == self._bound.folder(WAL) and path.name.endswith(
                _LOCKED_SUFFIXES
            )
            is_database = path.parent == self._bound.folder(SNAP) and path.name == DB_NAME
            if is_segment:
                with disk.open(path) as asked:
                    is_held = asked.is_locked()
                if is_held:
                    raise AccessError(f"{path}: locked by another process: stop the server")
            if is_segment or is_database:
                file = disk.open_file(path)
                stack.callback(file.close)
                file.lock(Lock.RECORD if is_segment else Lock.FLOCK)

    def _wait_for_quiet(self) -> None:
        """Once; what is still being written then will be for long."""
        world = self._world
        self._seen = self._look()
        edge = (world.now() - QUIET_SECONDS) * _NS
        if any(mtime_ns > edge for _, mtime_ns, _ in self._seen.values()):
            world.say("written to a moment ago: waiting until it is quiet")
            world.sleep(QUIET_SECONDS)
            self._demand_same(self._seen, self._look(), "somebody is writing to it")


def demand_stamps(world: World, bound: Bound, only: set[str] | None, stale: str) -> None:
    """Read the files of a member and hold them against its stamps; `only`: no others.

    Raises: AccessError.
    """
    wanted = {name: bound.files.get(name) for name in (bound.files if only is None else only)}
    if only is None:
        for name in _names(world, bound):
            if name not in wanted:
                raise AccessError(f"{path_of(bound, name)}: {stale}: it was not there")
    for name, stamp in wanted.items():
        path = path_of(bound, name)
        if stamp is None or not world.disk.exists(path):
            raise AccessError(f"{path}: {stale}: it is not there")
        found = world.disk.stat(path).size
        if found != stamp.size:
            raise AccessError(f"{path}: {stale}: expected {stamp.size} bytes, found {found}")
        with world.disk.open(path) as file:
            _demand_equal(path, stamp, stamp_of(paced(world, blocks_of(file))), stale)


def _demand_equal(path: Path, wanted: Stamp, found: Stamp, stale: str) -> None:
    if wanted != found:
        raise AccessError(
            f"{path}: {stale}: expected SHA-256 {wanted.sha256[:16]}…, found {found.sha256[:16]}…"
        )


def _names(world: World, bound: Bound) -> list[str]:
    """The plain files of the two folders, links to files included, as a plan names them."""
    return [
        f"{room}/{name}"
        for room, folder in folders_of(bound).items()
        for name in world.disk.names(folder)
        if world.disk.stat(folder / name).kind is Kind.FILE
    ]

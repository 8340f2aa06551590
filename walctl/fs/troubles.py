"""The faults that are set on a disk, and what each call that meets one is told; see `failing`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from walctl.errors import AccessError
from walctl.fs import words
from walctl.fs.crash import SECTOR_BYTES, Crash
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind, Draw, crash_of
from walctl.fs.faults import Killed
from walctl.fs.unsynced import Toll, Unsynced
from walctl.fs.unsynced_file import UnsyncedFile
from walctl.fs.writable import WritableFileSystem

PENDING_BYTES_MAX: Final = 64 << 20
"""As much is remembered of what was not synced; see `unsynced` for what is behind it."""

Told: TypeAlias = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Armed:
    """A fault that was set, and how much of it is left."""

    fault: DiskFault

    def hit(self) -> None:
        """One call less."""
        if self.fault.count is not None:
            self.fault = replace(self.fault, count=self.fault.count - 1)

    @property
    def is_over(self) -> bool:
        return self.fault.count is not None and self.fault.count <= 0


@dataclass(slots=True)
class _ArmedCut:
    """A power cut to come, in the place of the `left`-th sync from now."""

    mode: CrashMode
    left: int
    draw: Draw
    group: str | None


def _ignored(event: dict[str, Any]) -> None:
    """Nobody wants to know."""


class Troubles:
    """What is wrong with the disk of one node, and what of it is not durable (`unsynced`).

    See `FailingFileSystem` for the arguments.
    """

    def __init__(
        self,
        disk: WritableFileSystem,
        root: Path,
        *,
        sleep: Callable[[float], None] = lambda seconds: None,
        on_event: Told = _ignored,
        on_dead: Callable[[], None] = lambda: None,
        pending_bytes_max: int = PENDING_BYTES_MAX,
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        self.guard = nullcontext() if guard is None else guard
        self._disk = disk
        self._root = root
        self._sleep = sleep
        self._on_event = on_event
        self._on_dead = on_dead
        self._armed: list[_Armed] = []
        self._cut: _ArmedCut | None = None
        self.unsynced = Unsynced(disk, bytes_max=pending_bytes_max)
        self._is_dead = False
        self._is_bound_told = False

    # Faults.

    def set(self, fault: DiskFault) -> None:
        """Let the disk do this from now on, in the place of a fault of that kind and group."""
        self.clear(fault.kind, group=fault.group)
        self._armed.append(_Armed(fault))

    def clear(self, kind: DiskFaultKind | None = None, *, group: str | None = None) -> None:
        """Take off the fault of this kind and group; `None` for the kind: all there are."""
        self._armed = [
            each
            for each in self._armed
            if kind is not None and (each.fault.kind, each.fault.group) != (kind, group)
        ]

    def faults(self) -> list[DiskFault]:
        """What is on, with what is left of it."""
        return [each.fault for each in self._armed]

    # The end of power.

    def power_cut(self, mode: CrashMode, draw: Draw) -> Toll:
        """Leave on the disk what a power cut of this mode may leave; the program is dead then."""
        with self.guard:
            crash = crash_of(mode, self.unsynced.nodes, self.unsynced.names, draw)
            return self.crash(crash, words=mode)

    def crash(self, crash: Crash, *, words: str = "") -> Toll:
        """The same by what survives, as `crash` counts it."""
        with self.guard:
            self._is_dead = True
            toll = self.unsynced.cut(crash)
            self._on_event({"k": "crash", "mode": words, "lost": toll.lost, "kept": toll.kept})
            self._on_dead()
        return toll

    def arm_power_cut(
        self, mode: CrashMode, *, at_sync: int, draw: Draw, group: str | None = None
    ) -> None:
        """Cut the power by itself, in the place of the sync of a file that is the `at_sync`-th from
        now (1: the next), of this group's files (`None`: of any). It is one at a time."""
        self._cut = _ArmedCut(mode, at_sync, draw, group)

    def disarm(self) -> None:
        """Take back what `arm_power_cut` said."""
        self._cut = None

    def close(self) -> None:
        """Let go of what is held open here, when the program has ended."""
        with self.guard:
            self._is_dead = True
            self.unsynced.close()

    # For the open files.

    @contextmanager
    def alive(self, path: Path) -> Iterator[None]:
        """Around what changes the disk; see `demand_alive`."""
        with self.guard:
            self.demand_alive(path)
            yield

    def demand_alive(self, path: Path) -> None:
        """Raise Killed, once the power was cut."""
        if self._is_dead:
            raise Killed(f"{path}: the power was cut")

    def demand_writable(self, path: Path, *, call: str, offset: int | None) -> None:
        """Raise AccessError, when a write fails."""
        if self._armed and (error := self._fault(DiskFaultKind.WRITE_ERROR, path)) is not None:
            self._refuse(error, path, call=call, offset=offset)

    def fitting(self, path: Path, size: int, offset: int | None = None) -> int:
        """How many of `size` bytes more there is room for; they are taken.

        File systems give room by blocks: of a write at `offset` that does not fit, what is written
        ends at the border of one.
        """
        if not self._armed or (full := self._fault(DiskFaultKind.FULL, path)) is None:
            return size
        count = min(size, full.fault.bytes_left)
        if count < size and offset is not None:
            count = max(0, count - (offset + count) % SECTOR_BYTES)
        full.fault = replace(full.fault, bytes_left=full.fault.bytes_left - count)
        return count

    def take_room(self, path: Path, size: int, *, call: str) -> None:
        """Take room for all of `size` bytes. Raises: AccessError, and then it takes none."""
        count = self.fitting(path, size)
        if count < size:
            self.give_room(path, count)
            self.refuse_full(path, call=call, offset=None)

    def give_room(self, path: Path, size: int) -> None:
        """So many bytes of a file were cut off."""
        if self._armed and (full := self._fault(DiskFaultKind.FULL, path)) is not None:
            full.fault = replace(full.fault, bytes_left=full.fault.bytes_left + max(0, size))

    def refuse_full(self, path: Path, *, call: str, offset: int | None) -> None:
        """Raise AccessError: there is no room."""
        if (full := self._fault(DiskFaultKind.FULL, path)) is not None:
            self._refuse(full, path, call=call, offset=offset)

    def slowed_or_lied(self, path: Path) -> bool:
        """Take as long as a sync takes; whether it is to be left out without a word."""
        if not self._armed:
            return False
        if (slow := self._fault(DiskFaultKind.SLOW_SYNC, path)) is not None:
            self._count(slow)
            self._sleep(slow.fault.delay_us / 1_000_000)
        if (lie := self._fault(DiskFaultKind.LYING_SYNC, path)) is not None:
            self._count(lie)
        return lie is not None

    def before_sync(self, path: Path, shadow: UnsyncedFile) -> bool:
        """A file is to be synced; whether that is to be done."""
        with self.alive(path):
            cut = self._cut
            if cut is not None and self._is_of(cut.group, path):
                cut.left -= 1
                if cut.left <= 0:
                    self.power_cut(cut.mode, cut.draw)
                    self.demand_alive(path)
            if self._armed and (error := self._fault(DiskFaultKind.FAIL_SYNC, path)) is not None:
                self.unsynced.lose(shadow)
                self._refuse(error, path, call="sync", offset=None)
        return not self.slowed_or_lied(path)

    def note_bound(self) -> None:
        """Say once that more is not synced than is remembered, until all of it is."""
        if self.unsynced.is_bound_hit and not self._is_bound_told:
            self._on_event(
                {"k": "note", "what": "too much is not synced: a power cut keeps the oldest of it"}
            )
        self._is_bound_told = self.unsynced.is_bound_hit

    def fault(self, kind: DiskFaultKind, path: Path) -> DiskFault | None:
        """The fault of that kind that calls for `path` meet."""
        found = self._fault(kind, path)
        return None if found is None else found.fault

    # Below here: what hits whom.

    def _fault(self, kind: DiskFaultKind, path: Path) -> _Armed | None:
        """The fault of that kind that such a call meets; that of its group is asked first."""
        found = [
            each
            for each in self._armed
            if each.fault.kind is kind and self._is_of(each.fault.group, path)
        ]
        return max(found, key=lambda each: each.fault.group is not None, default=None)

    def _is_of(self, group: str | None, path: Path) -> bool:
        return group is None or path.is_relative_to(self._root / group)

    def _count(self, armed: _Armed) -> None:
        armed.hit()
        if armed.is_over:
            self._armed.remove(armed)

    def _refuse(self, armed: _Armed, path: Path, *, call: str, offset: int | None) -> None:
        """Tell it, and raise AccessError."""
        self._count(armed)
        kind = armed.fault.kind
        reason = words.NO_SPACE if kind is DiskFaultKind.FULL else words.IO_ERROR
        self._on_event({**self._event_of(path), "call": call, "on": str(kind), "why": reason})
        place = "" if offset is None else f" at byte {offset}"
        raise AccessError(f"{path}: {reason}{place}")

    def _event_of(self, path: Path) -> dict[str, Any]:
        if not path.is_relative_to(self._root):
            return {"k": "fserr", "f": str(path)}
        parts = path.relative_to(self._root).parts
        return {"k": "fserr", "g": parts[0] if parts else "", "f": "/".join(parts[1:])}

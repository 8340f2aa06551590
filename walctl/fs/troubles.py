"""What the calls of a program meet on a disk that fails, and how its power ends; see `failing`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walctl.errors import UsageError
from walctl.fs.crash import Crash
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind, Draw, crash_of
from walctl.fs.faults import Killed
from walctl.fs.set_faults import SetFaults, Told, ignored
from walctl.fs.unsynced import Toll, Unsynced
from walctl.fs.unsynced_file import UnsyncedFile
from walctl.fs.writable import WritableFileSystem

PENDING_BYTES_MAX: Final = 64 << 20
"""As much is remembered of what was not synced; see `unsynced` for what is behind it."""


@dataclass(slots=True)
class _ArmedCut:
    """A power cut to come, in the place of the `left`-th sync from now."""

    mode: CrashMode
    left: int
    draw: Draw
    group: str | None


class Troubles(SetFaults):
    """What is wrong with the disk of one node, and what of it is not durable (`unsynced`).

    See `FailingFileSystem` for the arguments.
    """

    def __init__(
        self,
        disk: WritableFileSystem,
        root: Path,
        *,
        sleep: Callable[[float], None] = lambda seconds: None,
        on_event: Told = ignored,
        on_dead: Callable[[], None] = lambda: None,
        pending_bytes_max: int = PENDING_BYTES_MAX,
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        super().__init__(root, on_event=on_event)
        self.guard = nullcontext() if guard is None else guard
        self._disk = disk
        self._sleep = sleep
        self._on_dead = on_dead
        self._cut: _ArmedCut | None = None
        self.unsynced = Unsynced(disk, bytes_max=pending_bytes_max)
        self._is_dead = False
        self._is_bound_told = False

    def set(self, fault: DiskFault) -> None:
        """See `SetFaults.set`. Raises: UsageError, for what only a simulated disk does."""
        if fault.kind is DiskFaultKind.MISDIRECTED:
            raise UsageError(
                f"disk {fault.kind}: a real disk is not made to do that; the simulator's is, and"
                " disk flip or zero damages a node that does not run"
            )
        super().set(fault)

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

    def slowed_or_lied(self, path: Path) -> bool:
        """Take as long as a sync takes; whether it is to be left out without a word."""
        if (slow := self.hit(DiskFaultKind.SLOW_SYNC, path)) is not None:
            self._sleep(slow.delay_us / 1_000_000)
        return self.hit(DiskFaultKind.LYING_SYNC, path) is not None

    def before_sync(self, path: Path, shadow: UnsyncedFile) -> bool:
        """A file is to be synced; whether that is to be done."""
        with self.alive(path):
            cut = self._cut
            if cut is not None and self._is_of(cut.group, path):
                cut.left -= 1
                if cut.left <= 0:
                    self.power_cut(cut.mode, cut.draw)
                    self.demand_alive(path)
            if self.fault(DiskFaultKind.FAIL_SYNC, path) is not None:
                self.unsynced.lose(shadow)
                self.refuse(DiskFaultKind.FAIL_SYNC, path, call="sync")
        return not self.slowed_or_lied(path)

    def note_bound(self) -> None:
        """Say once that more is not synced than is remembered, until all of it is."""
        if self.unsynced.is_bound_hit and not self._is_bound_told:
            self._on_event(
                {"k": "note", "what": "too much is not synced: a power cut keeps the oldest of it"}
            )
        self._is_bound_told = self.unsynced.is_bound_hit

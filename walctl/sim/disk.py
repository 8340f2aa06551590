"""The disk of one simulated node: the disk in memory, which takes virtual time and loses power."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from walctl.cluster.deeds import Damage
from walctl.cluster.events import EventKind
from walctl.errors import UnsupportedError
from walctl.fs.crash import KEPT, LOST, Crash, These
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind
from walctl.fs.faults import Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import READING, Call
from walctl.sim.chance import Streams

Tell: TypeAlias = Callable[[EventKind, Mapping[str, Any]], None]
_SYNCS: Final = frozenset({Call.SYNC, Call.SYNC_DIR})
_COMING: Final = "disks of the simulator do not do this yet"


@dataclass(frozen=True, slots=True)
class Toll:
    """What a power cut took and left, by kind of file."""

    lost: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)


class SimDisk:
    """See the module. `lag_us` is the time that calls took since somebody set it to 0."""

    def __init__(
        self,
        node: str,
        *,
        streams: Streams,
        sync_us: int,
        sync_jitter_us: int,
        now_us: Callable[[], int],
        tell: Tell | None,
    ) -> None:
        self.fs = MemoryFileSystem()
        self.lag_us = 0
        self._syncs = streams[f"sync/{node}"]
        self._sync_us, self._jitter_us = sync_us, sync_jitter_us
        self._calls_left: int | None = None
        self.fs.on_call = self._called

    def _called(self, call: Call, path: Path) -> None:
        if call in _SYNCS:
            self.lag_us += self._syncs.around(self._sync_us, self._jitter_us)
        if self._calls_left is not None and call not in READING:
            self._calls_left -= 1
            if self._calls_left <= 0:
                raise Killed(f"{path}: killed before {call}")

    def arm(self, mode: CrashMode, *, call: int, keep: tuple[int, ...] | None = None) -> None:
        """Let the program die before its `call`-th change from now."""
        self._calls_left = call

    def crash(self, mode: CrashMode, keep: tuple[int, ...] | None = None) -> Toll:
        """The power goes."""
        self.end_process()
        how: Crash = LOST if mode is not CrashMode.CLEAN else KEPT
        self.fs = self.fs.crash(how if keep is None else These(frozenset(keep)))
        self.fs.on_call = self._called
        return Toll()

    def end_process(self) -> None:
        """The program ends; no byte is lost by it."""
        self._calls_left = None
        self.fs.end_process()

    def set(self, fault: DiskFault) -> None:
        """Let the disk do this from now on."""
        raise UnsupportedError(_COMING)

    def clear(self, kind: DiskFaultKind | None = None, group: str | None = None) -> None:
        """Take off the faults of a kind."""

    def damage(self, deed: Damage, *, group: str) -> str:
        """Damage a file at rest."""
        raise UnsupportedError(_COMING)

    def wipe(self, group: str | None) -> None:
        """An empty disk takes the place of this one."""
        raise UnsupportedError(_COMING)

    def keep(self, name: str) -> None:
        """Copy all that there is."""
        raise UnsupportedError(_COMING)

    def rewind(self, name: str, group: str | None) -> None:
        """A copy takes the place of all that there is."""
        raise UnsupportedError(_COMING)

    def copy(self, node: str) -> "SimDisk":
        """Another disk with the same files."""
        raise UnsupportedError(_COMING)

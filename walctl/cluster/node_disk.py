"""The disk of one node's process: its real one, which fails on command, and dies with the power.

What is set and taken off is told as it happens, as events `fault` and `heal` of `disk`; a fault
that was for so many calls is told to be over when it is. A power cut ends the process: it leaves
what a power cut may leave, tells the toll, and sends itself SIGKILL.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from walctl.cluster.events import EventKind
from walctl.errors import UsageError
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind, Draw
from walctl.fs.failing import FailingFileSystem
from walctl.fs.writable import WritableFileSystem

DELAY_US_MAX: Final = 60_000_000
SYNCS_MAX: Final = 1_000_000
_NUMBERS = ("delay_us", "bytes_left", "count")

EventSink = Callable[[Mapping[str, Any]], None]


class NodeDisk:
    """The disk of a node whose files are below `root`. `die` ends the process at once."""

    def __init__(
        self,
        disk: WritableFileSystem,
        root: Path,
        *,
        draw: Draw,
        sleep: Callable[[float], None],
        tell: EventSink,
        die: Callable[[], None],
    ) -> None:
        self._draw = draw
        self._sleep = sleep
        self._tell = tell
        self._on: set[tuple[DiskFaultKind, str | None]] = set()
        self.disk = FailingFileSystem(
            disk,
            root,
            sleep=self._slept,
            on_event=self._happened,
            on_dead=die,
            guard=threading.RLock(),
        )

    def set(self, fault: DiskFault) -> None:
        """Let the disk do this from now on."""
        self.disk.set(fault)
        self._on.add((fault.kind, fault.group))
        self._tell({"k": EventKind.FAULT, "on": "disk", **args_of(fault)})

    def clear(self, kind: DiskFaultKind | None = None) -> None:
        """Take off the faults of this kind, of all kinds for `None`."""
        for fault in self.disk.faults():
            if kind is None or fault.kind is kind:
                self.disk.clear(fault.kind, group=fault.group)
        self._tell_what_is_over()

    def faults(self) -> list[dict[str, Any]]:
        """What is on, with what is left of it."""
        return [asdict(fault) for fault in self.disk.faults()]

    def cut_power(self, mode: CrashMode, *, at_sync: int, group: str | None = None) -> None:
        """End the process as a power cut does: at once for 0, else in the place of a sync."""
        if at_sync == 0:
            self.disk.power_cut(mode, self._draw)
            return
        self.disk.arm_power_cut(mode, at_sync=at_sync, draw=self._draw, group=group)
        args = {"mode": mode, "at_sync": at_sync, "g": group}
        self._tell({"k": EventKind.FAULT, "on": "power-cut", "args": _without_none(args)})

    def disarm(self) -> None:
        """No power cut is to come."""
        self.disk.disarm()
        self._tell({"k": EventKind.HEAL, "on": "power-cut", "args": {}})

    def _happened(self, event: dict[str, Any]) -> None:
        self._tell(event)
        self._tell_what_is_over()

    def _slept(self, seconds: float) -> None:
        self._tell_what_is_over()
        self._sleep(seconds)

    def _tell_what_is_over(self) -> None:
        on = {(fault.kind, fault.group) for fault in self.disk.faults()}
        for kind, group in sorted(self._on - on, key=str):
            args = _without_none({"kind": kind, "g": group})
            self._tell({"k": EventKind.HEAL, "on": "disk", "args": args})
        self._on &= on


def args_of(fault: DiskFault) -> dict[str, Any]:
    """A fault of a disk as an event's `args`."""
    amounts = {
        DiskFaultKind.SLOW_SYNC: {"delay_us": fault.delay_us},
        DiskFaultKind.FULL: {"bytes_left": fault.bytes_left},
    }
    told = {"kind": fault.kind, **amounts.get(fault.kind, {}), "count": fault.count}
    return {"args": _without_none({**told, "g": fault.group})}


def fault_of(fields: Mapping[str, Any]) -> DiskFault:
    """The fault that a request asks for. Raises: UsageError."""
    try:
        numbers = {name: int(fields[name]) for name in _NUMBERS if fields.get(name) is not None}
        group = fields.get("group")
        fault = DiskFault(
            kind=DiskFaultKind(fields["kind"]),
            group=None if group is None else str(group),
            **numbers,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"expected a fault of a disk, found something else: {error}") from error
    if not 0 <= fault.delay_us <= DELAY_US_MAX or fault.bytes_left < 0:
        raise UsageError("a sync takes up to a minute more, and room is never less than nothing")
    if fault.kind is DiskFaultKind.MISDIRECTED:
        raise UsageError(f"{fault.kind}: the disk of a real process does not do this")
    if fault.count is not None and fault.count < 1:
        raise UsageError(f"expected a fault for one call at least, found {fault.count}")
    return fault


def _without_none(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value is not None}

"""The faults that are set on a disk, counted as they hit; what each of them does says `failing`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from walctl.errors import AccessError
from walctl.fs import words
from walctl.fs.crash import SECTOR_BYTES
from walctl.fs.disk_faults import DiskFault, DiskFaultKind

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


def ignored(event: dict[str, Any]) -> None:
    """Nobody wants to know."""


class SetFaults:
    """The faults of the disk of one node, whose files lie below `root`, a folder a group.

    `on_event` is told of every refusal (`fserr`).
    """

    def __init__(self, root: Path, *, on_event: Told = ignored) -> None:
        self._root = root
        self._on_event = on_event
        self._armed: list[_Armed] = []

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

    # For the calls of a program.

    def demand_writable(self, path: Path, *, call: str, offset: int | None) -> None:
        """Raise AccessError, when a write fails."""
        self.refuse(DiskFaultKind.WRITE_ERROR, path, call=call, offset=offset)

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
        self.refuse(DiskFaultKind.FULL, path, call=call, offset=offset)

    def refuse(
        self, kind: DiskFaultKind, path: Path, *, call: str, offset: int | None = None
    ) -> None:
        """Tell it and raise AccessError, where there is a fault of that kind."""
        if not self._armed or (armed := self._fault(kind, path)) is None:
            return
        self._count(armed)
        reason = words.NO_SPACE if kind is DiskFaultKind.FULL else words.IO_ERROR
        self._on_event({**self._event_of(path), "call": call, "on": str(kind), "why": reason})
        place = "" if offset is None else f" at byte {offset}"
        raise AccessError(f"{path}: {reason}{place}")

    def hit(self, kind: DiskFaultKind, path: Path) -> DiskFault | None:
        """The fault of that kind that a call for `path` meets now; it counts."""
        if not self._armed or (found := self._fault(kind, path)) is None:
            return None
        fault = found.fault
        self._count(found)
        return fault

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

    def _event_of(self, path: Path) -> dict[str, Any]:
        if not path.is_relative_to(self._root):
            return {"k": "fserr", "f": str(path)}
        parts = path.relative_to(self._root).parts
        return {"k": "fserr", "g": parts[0] if parts else "", "f": "/".join(parts[1:])}

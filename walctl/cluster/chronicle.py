"""The event file of a lab that runs: opened behind its last whole line, with the lab's clock.

A line that a dead supervisor left half written is cut off. The clock goes on where the last line
stands: what is written now is later than all that is there.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from walctl.cluster.events import LINE_BYTES_MAX, EventFile, header
from walctl.cluster.lab import Lab
from walctl.errors import AccessError
from walctl.fs.writable import WritableFile, WritableFileSystem
from walctl.version import VERSION

_LOOKED_AT: Final = 2 * LINE_BYTES_MAX
"""Bytes at the end of a file in which its last lines are."""


class Chronicle:
    """Writes what happens, with the time of the lab.

    `origin_us` is the moment of the machine's clock at which the lab's stood at 0: who knows it
    tells the same time. Raises: AccessError.
    """

    def __init__(self, disk: WritableFileSystem, lab: Lab, *, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        path = lab.events_path
        self._file = disk.open_file(path) if disk.exists(path) else disk.create_file(path)
        try:
            size, seq, t = _end_of(self._file)
            if size == 0:
                first = header(
                    tool=VERSION, engine=lab.engine, seed=None, scenario=None, options={}
                )
                self._file.truncate(0)
                self._file.write_at(0, first)
                size = len(first)
            self._file.truncate(size)
        except AccessError:
            self._file.close()
            raise
        self._events = EventFile(self._file, seq=seq, size=size)
        self.origin_us = now_us() - t

    def now(self) -> int:
        """Microseconds since the lab began."""
        return self._now_us() - self.origin_us

    def write(self, *events: Mapping[str, Any]) -> None:
        """Write events; those without a time happen now. Raises: AccessError."""
        now = self.now()
        self._events.write({"t": now, **each} for each in events)

    def close(self) -> None:
        """Let the file go, with all of it on the disk."""
        self._file.sync()
        self._file.close()


def _end_of(file: WritableFile) -> tuple[int, int, int]:
    """Where the last whole line ends, the number of the next line, and the next free moment."""
    size = file.stat().size
    start = max(0, size - _LOOKED_AT)
    data = file.read_at(start, size - start)
    whole = data.rfind(b"\n") + 1
    if whole == 0:
        return 0, 0, 0
    seq, t = 0, 0
    for line in data[:whole].splitlines():
        try:
            found = json.loads(line)
            seq = max(seq, int(found["i"]) + 1)
            t = max(t, int(found["t"]) + 1)
        except (ValueError, KeyError, TypeError):
            continue  # the header, the rest of a line at the front of what was read, or no line
    return start + whole, seq, t

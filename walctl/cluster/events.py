"""The one file of all that happened in a lab: its lines, and who writes them.

    {"walctl_trace":1,"tool":"0.4.0","engine":"walctl","seed":null,"scenario":null,"options":{…}}
    {"i":7,"t":1203145,"n":"n1","g":"g1","k":"role","to":"candidate","term":1}
    {"i":90,"t":2500000,"k":"fault","on":"cut","args":{"links":["n1->n2"]}}
    {"i":99,"t":2700000,"c":4,"k":"invoke","op":17,"f":"put","g":"g1","key":"x","v":"c4-17"}
    {"i":120,"t":2750110,"c":4,"k":"ok","op":17,"rev":31}

`i` counts the lines, `t` is microseconds since the lab began, on a clock that no one sets: it does
not stand still or jump while the machine runs, and goes on behind the last line after a restart.
`n` is a node, `g` a group, `c` a client, `k` the kind. Values and keys that are no UTF-8 are under
`v64`, `expect64` and `key64`, in base64.

One process writes the file: the supervisor. Nodes and clients tell it; what a client did is written
by the time of its own clock, which is the same, so lines may stand a little out of order.
"""

import base64
import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from walctl.fs.writable import WritableFile

TRACE_VERSION: Final = 1
LINE_BYTES_MAX: Final = 1 << 21


class EventKind(enum.StrEnum):
    """What happened. `invoke`, `ok`, `fail` and `info` are a client's, with `op` to match them."""

    START = "start"
    STOP = "stop"
    CRASH = "crash"
    TICK = "tick"
    ROLE = "role"
    TERM = "term"
    VOTE = "vote"
    PROPOSE = "propose"
    APPEND = "append"
    TRUNCATE = "truncate"
    COMMIT = "commit"
    APPLY = "apply"
    CONF = "conf"
    SNAP_MAKE = "snap_make"
    SNAP_SEND = "snap_send"
    SNAP_RECV = "snap_recv"
    WRITE = "write"
    FSYNC = "fsync"
    FSERR = "fserr"
    SEND = "send"
    RECV = "recv"
    DROP = "drop"
    DUP = "dup"
    FAULT = "fault"
    HEAL = "heal"
    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    INFO = "info"
    NOTE = "note"
    VIOLATION = "violation"


def header(
    *,
    tool: str,
    engine: str,
    seed: str | None,
    scenario: str | None,
    options: Mapping[str, Any],
) -> bytes:
    """The first line of an event file."""
    fields = {
        "walctl_trace": TRACE_VERSION,
        "tool": tool,
        "engine": engine,
        "seed": seed,
        "scenario": scenario,
        "options": options,
    }
    return line_of(fields)


def packed(name: str, value: bytes) -> dict[str, str]:
    """Bytes as the file has them: text, or base64 under `NAME64`."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}64": base64.b64encode(value).decode()}


def line_of(fields: Mapping[str, Any]) -> bytes:
    """One line, with its end."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class EventFile:
    """Writes lines at the end of an open event file; the caller holds the file and its lock.

    `seq` is the number of the next line, `size` where it goes.
    """

    def __init__(self, file: WritableFile, *, seq: int, size: int) -> None:
        self._file = file
        self._size = size
        self.seq = seq

    def write(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Append events, each with its `t` and `k`; they get their `i` here.

        Raises: AccessError, when the disk refuses; then nothing may have been written.
        """
        lines: list[bytes] = []
        for event in events:
            lines.append(line_of({"i": self.seq + len(lines), **event}))
        if lines:
            data = b"".join(lines)
            self._file.write_at(self._size, data)
            self._size += len(data)
            self.seq += len(lines)

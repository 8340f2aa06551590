"""What a member will do when it is started, told before; and whether it then did that.

For etcd it is the prediction of `datadir.boot`, which follows the steps of a real start; for our
own engine its start is gone through (`rehearsal`). A forecast is of one member alone: what the
others do to it comes later, but for one thing that is told with it: a follower whose log has lost
what it acknowledged dies when it is told a commit.
"""

import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from walctl.datadir.boot import Boot, BootKind
from walctl.datadir.survey import Survey
from walctl.errors import ExitStatus, UnsupportedError
from walctl.fs.base import FileSystem
from walctl.inspect.starts import starts_of
from walctl.wal.decoder import Version

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_PANIC_STATUS, _FATAL_STATUS = 2, 1
"""How a Go program ends by a panic, and etcd by a fatal line."""
OWN: Final = "walctl"
_OWN_STATUS = int(ExitStatus.UNFINISHED)
"""How a node of ours ends when its member cannot go on, for whatever reason."""


class Outcome(enum.StrEnum):
    """How a start ends."""

    STARTS = "starts"
    REPAIRS = "repairs itself"
    """It starts, and has cut or overwritten the end of its log before."""
    BEGINS_ANEW = "begins anew"
    """It starts with an empty log, whatever lay beside it."""
    PANICS = "panics"
    DOES_NOT_START = "does not start"


_OUTCOMES = {
    BootKind.START: Outcome.STARTS,
    BootKind.CUT_AND_START: Outcome.REPAIRS,
    BootKind.FRESH: Outcome.BEGINS_ANEW,
    BootKind.PANIC: Outcome.PANICS,
    BootKind.REFUSE: Outcome.DOES_NOT_START,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a start will do.

    `words` are what the last line says, each a part of it (empty where it starts). `cut` is
    segment and byte where its log is cut, `dropped` the entries that go with it, both included.
    `may_panic` are the words of a panic that can follow once there is a leader. `exit_status` is
    `None` where it stays up.
    """

    outcome: Outcome
    sentence: str
    words: tuple[str, ...] = ()
    exit_status: int | None = None
    cut: tuple[str, int] | None = None
    dropped: tuple[int, int] | None = None
    may_panic: str | None = None
    by: str = ""
    """Who starts it: `etcd 3.5.1`, or `OWN`."""

    @property
    def serves(self) -> bool:
        """Whether the process stays up."""
        return self.exit_status is None

    @property
    def document(self) -> dict[str, Any]:
        """The forecast for JSON."""
        return asdict(self)


def matches(forecast: Forecast, exit_status: int | None, lines: Sequence[str]) -> bool:
    """Whether a member did what was told of it.

    `exit_status` is `None` where it is still up, or was ended by us; `lines` are the last that it
    printed. The words count only together with the status: a server prints much.
    """
    said = "\n".join(_plain(line) for line in lines)
    if exit_status is None:
        return forecast.serves
    if forecast.serves:
        panicked = exit_status == (_OWN_STATUS if forecast.by == OWN else _PANIC_STATUS)
        return forecast.may_panic is not None and panicked and forecast.may_panic in said
    return exit_status == forecast.exit_status and all(word in said for word in forecast.words)


def from_document(found: Mapping[str, Any]) -> Forecast:
    """The forecast in a document that `Forecast.document` gave. Raises: KeyError, TypeError."""
    cut, dropped = found["cut"], found["dropped"]
    return Forecast(
        **{
            **found,
            "outcome": Outcome(found["outcome"]),
            "words": tuple(found["words"]),
            "cut": None if cut is None else (cut[0], cut[1]),
            "dropped": None if dropped is None else (dropped[0], dropped[1]),
        }
    )


def etcd_forecast(disk: FileSystem, survey: Survey, version: str) -> Forecast:
    """What etcd of `version` (`3.5.1`) does with the member as it lies there.

    Raises: AccessError.
    """
    return _of_boot(starts_of(disk, survey).boots[release(version)], f"etcd {version}")


def _of_boot(boot: Boot, by: str) -> Forecast:
    status = {BootKind.PANIC: _PANIC_STATUS, BootKind.REFUSE: _FATAL_STATUS}.get(boot.kind)
    cut = None
    if boot.repair is not None and boot.repair.cut_to is not None:
        cut = (boot.repair.segment or "", boot.repair.cut_to)
    outcome = _OUTCOMES[boot.kind]
    if outcome is Outcome.STARTS and (cut is not None or boot.is_wiped):
        outcome = Outcome.REPAIRS
    return Forecast(
        outcome=outcome,
        sentence=boot.sentence,
        words=tuple(each for each in (boot.message, boot.error) if each) if status else (),
        exit_status=status,
        cut=cut,
        dropped=boot.dropped,
        may_panic=boot.follower_panic,
        by=by,
    )


def release(version: str) -> Version:
    """Which releases read a log as this one does. Raises: UnsupportedError."""
    found = _VERSION.match(version)
    if found is None:
        raise UnsupportedError(f"expected etcd's version, found {version!r}")
    number = tuple(int(each) for each in found.groups())
    starts = (
        ((3, 6, 0), Version.V3_6),
        ((3, 5, 7), Version.V3_5_7),
        ((3, 5, 5), Version.V3_5_5),
        ((3, 5, 0), Version.V3_5_0),
    )
    return next((each for start, each in starts if number >= start), Version.V3_4)


def _plain(line: str) -> str:
    """A line of etcd's log without the quoting of JSON: its message and its error."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(found, dict):
        return line
    return "\n".join(str(each) for each in found.values())

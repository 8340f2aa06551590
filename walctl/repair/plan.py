"""What a plan is: steps on files, what they drop, the certificate, and the ways out; values only.

A plan is made by `strategies` from evidence and never touches a file; `apply` carries it out. It
is bound to the files that it was made from by their hashes, so that the same plan gives the same
bytes or nothing. Names of files are relative to the member: `wal/NAME` and `snap/NAME`, wherever
the two folders lie.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from walctl.errors import ExitStatus
from walctl.repair.pieces import Piece

WAL, SNAP = "wal", "snap"
"""The two folders of a member, as names in a plan begin."""


class PlanClass(enum.StrEnum):
    """What carrying a plan out can cost, from nothing to acknowledged writes; in this order."""

    NOTHING = "nothing"
    """There is nothing to repair."""
    FREE = "free"
    """Nothing that can have been acknowledged is lost."""
    LOSS_POSSIBLE = "loss-possible"
    """Something may have been acknowledged that the result does not have: the end of a sole voter's
    log is gone, or a hard state alone counts entries that nobody has seen."""
    LOSS_PROVEN = "loss-proven"
    """Something that was acknowledged, or that a leader may have counted, is not in the result, or
    it cannot be proven that it is."""

    @property
    def needs_consent(self) -> bool:
        """Whether it is refused unless the person says which cluster's loss is accepted."""
        return self in (PlanClass.LOSS_POSSIBLE, PlanClass.LOSS_PROVEN)


class Act(enum.StrEnum):
    """What a step does with one file."""

    WRITE = "write"
    """The file gets the bytes that `pieces` give, whether it was there or not."""
    RENAME = "rename"
    """The file keeps its bytes and gets the name `target`, which nobody has."""
    REMOVE = "remove"
    """The file is taken out of its folder; the backup has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a file holds: its size, and the SHA-256 of all its bytes in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Bytes of a file that become others: at `offset`, `was` before and `now` after."""

    offset: int
    was: bytes
    now: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Records that the result does not have: a run of entries, or records of one other kind.

    `kind` is `entry`, `state`, `snapshot` or `bytes` (no record that could be read, `count` of
    them then bytes). Indexes and terms are of entries, `None` where unknown.
    """

    kind: str
    count: int
    first: int | None = None
    last: int | None = None
    term: int | None = None
    is_readable: bool = True
    """Whether its bytes could be read, so that the backup holds them for whoever wants them."""
    kept_by: str = ""
    """Where its effect lives on (`database`, `peer1`), empty when nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """A record that nobody wrote before: P10 wants each listed, with its place in the log."""

    kind: str
    words: str
    index: int | None = None
    term: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one file.

    `file` is its name in the plan; `target` only with `RENAME`. `reason` is a stable word,
    `words` a sentence. With `WRITE` the file holds what `pieces` give and then zeros up to `size`.
    `before` is `None` for a file that is new, `after` for one that is removed.
    """

    act: Act
    file: str
    reason: str
    words: str
    target: str | None = None
    pieces: tuple[Piece, ...] = ()
    size: int = 0
    before: Stamp | None = None
    after: Stamp | None = None
    changes: tuple[Change, ...] = ()
    drops: tuple[Drop, ...] = ()
    synthetic: tuple[Synthetic, ...] = ()


class Says(enum.StrEnum):
    """What a witness says of the entries up to its index."""

    ACKNOWLEDGED = "acknowledged"
    """They were committed, so their clients may have been told."""
    STORED = "stored"
    """They were on this disk, synced: a leader may have counted them."""
    WRITTEN = "written"
    """They were written, and nothing says that they were synced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """One witness of what the log once held: up to which index, where it stands, in words."""

    source: str
    """`hard-state`, `entries`, `marker`, `snapshot-file`, `database`, `peer`, `sealed-segment`."""
    says: Says
    index: int
    term: int | None
    place: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """All that was asked whether what a plan drops can have been acknowledged.

    `kept` is the index up to which the result has everything, as entries or in the database;
    `witnessed` the highest index that any witness names, acknowledged or stored; `is_end_known`
    says whether the end of the log was seen, so that nothing beyond can have been written and
    synced. `words` are the conclusion, most important first.
    """

    testimonies: tuple[Testimony, ...] = ()
    kept: int = 0
    witnessed: int = 0
    is_end_known: bool = True
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way out where a plan costs something, best first: heal, rejoin, restore, last-survivor.

    `commands` are to be typed as they are, but for words in CAPITALS.
    """

    name: str
    is_possible: bool
    words: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The directory that a plan or receipt is bound to, and the files that it was made from.

    `directory` is absolute; `wal` and `snap` are where the two folders of names lie, relative to
    it where they lie below it, else absolute; `None` for a part that is not there. `files` are the
    stamps of every file in the two folders, by name in the plan.
    """

    directory: Path
    wal: Path | None
    snap: Path | None
    files: Mapping[str, Stamp] = field(default_factory=dict)

    def folder(self, room: str) -> Path | None:
        """Where `wal` or `snap` lies, absolute."""
        part = self.wal if room == WAL else self.snap
        return None if part is None else self.directory / part


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do about a member, and what it costs.

    `accept` is the argument that `--accept-loss` wants, `None` where none is needed. `peers` are
    the helpers whose bytes the pieces name, `peer1` and so on. `strategy` is a stable word.
    """

    bound: Bound
    plan_class: PlanClass
    strategy: str = "nothing"
    summary: str = ""
    steps: tuple[Step, ...] = ()
    certificate: Certificate = Certificate()
    options: tuple[Option, ...] = ()
    peers: Mapping[str, Bound] = field(default_factory=dict)
    accept: str | None = None
    leaves: tuple[str, ...] = ()
    """Codes of findings that the result has on purpose: an edit that takes a commit back is one."""
    verify_status: ExitStatus = ExitStatus.CLEAN
    """What `verify` says of the directory as it is; a repair that applies nothing ends with it."""

    @property
    def exit_status(self) -> ExitStatus:
        """What `repair` without an application ends with: 0 when there is nothing to do."""
        return ExitStatus.CLEAN if self.plan_class is PlanClass.NOTHING else self.verify_status

"""A whole server start, as etcd of a version would do it with one member's directory.

The steps are etcd's, in its order; each may end the start:

    1  open the database                       panic when it does not open; made when it is missing
    2  no `*.wal` file at all                  starts as a new member, whatever else is there
    3  ValidSnapshotEntries on all segments    an error: "discovery failed"
    4  the newest `.snap` that reads and that the log knows; those that do not read are renamed
    5  database older than that snapshot       its `.snap.db` takes the place of `db`, or panic
    6  ReadAll from the snapshot on            an unexpected EOF: Repair, then once more
    7  a database that was missing             refused when there was a snapshot
    8  metadata, hard state and entries        panic when they contradict each other

Behind a start stands what it costs: what was cut or wiped, and entries that the database has
applied but the log does not hold. Raft gives their indexes to new entries and commits them, and
the database passes over them: their clients time out. A follower that is told a commit beyond its
log panics. Nothing is written or opened here: it is a prediction from facts. What is true of the
directory is the business of others.

Source: etcd-data-dir notes 6.5, 7.3, 7.4 and 9.2, checked against the starts of etcd 3.4.23 and
3.5.1 on every damaged directory of the corpus; what is said of other releases rests on source.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from formats import etcdserverpb
from formats.errors import FormatError
from walctl.wal.decoder import Source, Version
from walctl.wal.owner import (
    NOT_FOUND,
    Failure,
    Reading,
    Repaired,
    read_all,
    repair,
    repaired,
    valid_snapshots,
    written_bytes,
)

DISCOVERY_FAILED = "discovery failed"
FIRST_ENTRIES = 2
"""A member that becomes leader writes an empty entry and its attributes before any client can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapFact:
    """One `.snap` file: what it says, or etcd's words of why it does not read (`problem`)."""

    name: str
    index: int | None = None
    term: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFacts:
    """What a start depends on.

    `sources` are all segments in etcd's order, `snaps` all `.snap` files with the newest name
    first, `snapdb_indexes` the indexes of the `.snap.db` files. `has_log` is whether any name ends
    in `.wal`, also one that is no segment's (`None`: as `sources` says). `db_consistent_index` and
    `db_term` are `None` where unknown; `db_problem` is what etcd says when it cannot open the
    file. `members` is the number of members of the cluster, `None` when unknown.
    """

    sources: Sequence[Source]
    snaps: Sequence[SnapFact] = ()
    snapdb_indexes: frozenset[int] = frozenset()
    has_log: bool | None = None
    db_exists: bool = True
    db_path: str = "member/snap/db"
    db_consistent_index: int | None = None
    db_term: int | None = None
    db_problem: str | None = None
    members: int | None = None


class BootKind(enum.StrEnum):
    """How a start ends."""

    START = "start"
    CUT_AND_START = "cut-and-start"
    """It serves, and log entries or bytes that it could not read are gone from the segment."""
    REFUSE = "refuse"
    """It ends itself with a fatal line, exit status 1."""
    PANIC = "panic"
    """It dies of a panic, exit status 2."""
    FRESH = "fresh"
    """It finds no log and begins a new one at index 1."""


class Act(enum.StrEnum):
    """What is done to a file."""

    CREATE = "create"
    RENAME = "rename"
    COPY = "copy"
    CUT = "cut"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAct:
    """One file that a start changes: `target` is the new name, `size` the new length."""

    act: Act
    name: str
    target: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What a start does. Indexes are the log's; a pair of them is (first, last), both included.

    `message` and `error` are the fields `msg` and `error` of the line it ends with. `started_from`
    is index and term of the snapshot, (0, 0) without one. `first_index..last_index` is the log
    that Raft gets (`last_index` is the snapshot's without entries, `first_index` then `None`).
    `dropped` are entries that the scan can read and the start throws away. `hangs_until` is the
    index that new entries must pass before the database takes them; `follower_panic` is what the
    member dies of when a leader tells it a commit beyond its log. `sentence` is all of it in words.
    """

    kind: BootKind
    message: str | None = None
    error: str | None = None
    started_from: tuple[int, int] | None = None
    first_index: int | None = None
    last_index: int | None = None
    dropped: tuple[int, int] | None = None
    repair: Repaired | None = None
    is_wiped: bool = False
    """Whether what lies behind the end of the log is overwritten with zeros without a word."""
    acts: tuple[FileAct, ...] = ()
    hangs_until: int | None = None
    follower_panic: str | None = None
    sentence: str = ""

    @property
    def serves(self) -> bool:
        """Whether the process stays up."""
        return self.kind not in (BootKind.REFUSE, BootKind.PANIC)


@dataclass(slots=True)
class _Start:
    """A start under way: what it has done so far."""

    facts: BootFacts
    version: Version
    acts: list[FileAct] = field(default_factory=list)
    snapshot: tuple[int, int] = (0, 0)
    is_db_received: bool = False
    repair: Repaired | None = None

    def refuse(self, message: str, error: str) -> Boot:
        return self._end(BootKind.REFUSE, message, error)

    def panic(self, message: str, error: str | None = None) -> Boot:
        return self._end(BootKind.PANIC, message, error)

    def fail(self, message: str, failure: Failure) -> Boot:
        """Refuse with what a pass over the log said, or die of it."""
        return (
            self.panic(failure.words) if failure.is_panic else self.refuse(message, failure.words)
        )

    def _end(self, kind: BootKind, message: str, error: str | None) -> Boot:
        verb = "panics" if kind is BootKind.PANIC else "refuses to start"
        told = [verb, *_renamings(self.acts)]
        if self.repair is not None and self.repair.cut_to is not None:
            told.insert(0, f"cuts {self.repair.segment} at byte {self.repair.cut_to}")
        words = message if error is None else f"{message}: {error}"
        return Boot(
            kind=kind,
            message=message,
            error=error,
            repair=self.repair,
            acts=tuple(self.acts),
            sentence=f"{', '.join(told)}: {words}",
        )


def boot(facts: BootFacts, version: Version) -> Boot:
    """What a start of etcd of `version` does with this directory. Never raises for bytes."""
    start = _Start(facts, version)
    if not facts.db_exists:
        start.acts.append(FileAct(act=Act.CREATE, name="db"))
    elif facts.db_problem is not None:
        return start.panic("failed to open database", facts.db_problem)
    has_log = bool(facts.sources) if facts.has_log is None else facts.has_log
    if not has_log:
        return _fresh(start)
    if not facts.sources:
        return start.refuse(DISCOVERY_FAILED, NOT_FOUND)
    ended = _choose_snapshot(start) or _install_database(start)
    if ended is not None:
        return ended
    reading = _read_log(start)
    if isinstance(reading, Boot):
        return reading
    if not facts.db_exists and start.snapshot[0]:
        start.acts.append(FileAct(act=Act.DELETE, name="db"))
        error = f"database file ({facts.db_path}) of the backend is missing"
        return start.refuse(DISCOVERY_FAILED, error)
    words = _contradiction(start, reading)
    return start.panic(words) if words is not None else _started(start, reading)


def consequence(boots: Mapping[Version, Boot]) -> str:
    """One line for all versions, equal sentences told once: "3.4, 3.5.0-3.5.4: …; 3.6: …"."""
    by_sentence: dict[str, list[Version]] = {}
    for version in sorted(boots, key=list(Version).index):
        by_sentence.setdefault(boots[version].sentence, []).append(version)
    if len(by_sentence) == 1 and len(boots) == len(Version):
        return f"every version {next(iter(by_sentence))}"
    return "; ".join(f"{', '.join(which)}: {sentence}" for sentence, which in by_sentence.items())


def _fresh(start: _Start) -> Boot:
    """Without a log: with the flags of a new cluster it begins one, on top of what is there."""
    facts = start.facts
    until = facts.db_consistent_index if facts.db_exists else None
    told = "starts as a new member with an empty log"
    if facts.db_exists:
        told += " on top of the old database"
    if until:
        told += f", then client writes time out until the index has passed {until}"
    return Boot(
        kind=BootKind.FRESH,
        acts=tuple(start.acts),
        hangs_until=until or None,
        sentence=told,
    )


def _choose_snapshot(start: _Start) -> Boot | None:
    """Steps 3 and 4."""
    valid = valid_snapshots(start.facts.sources, start.version)
    if valid.error is not None:
        return start.fail(DISCOVERY_FAILED, valid.error)
    known = {(mark.index, mark.term) for mark in valid.marks}
    for snap in start.facts.snaps:
        if snap.problem is not None:
            target = f"{snap.name}.broken"
            start.acts.append(FileAct(act=Act.RENAME, name=snap.name, target=target))
            continue
        place = (snap.index or 0, snap.term or 0)
        if place in known:
            start.snapshot = place
            return None
    return None


def _install_database(start: _Start) -> Boot | None:
    """Step 5: a database older than the snapshot gives way to the one that came with it."""
    facts, index = start.facts, start.snapshot[0]
    applied = facts.db_consistent_index if facts.db_exists else 0
    if applied is None or index <= applied:
        return None
    if index not in facts.snapdb_indexes:
        return start.panic(
            "failed to recover v3 backend from snapshot",
            "failed to find database snapshot file (snap: snapshot file doesn't exist)",
        )
    start.acts.append(FileAct(act=Act.RENAME, name=f"{index:016x}.snap.db", target="db"))
    start.is_db_received = True
    if start.version is not Version.V3_5_0:
        return None
    # Seen with 3.5.1; 3.4.23 starts at once. The next start finds the database in its place.
    ended = start.panic("assertion failed: tx closed")
    return replace(ended, sentence=f"{ended.sentence}; the start after that one goes well")


def _read_log(start: _Start) -> Reading | Boot:
    """Step 6."""
    sources = start.facts.sources
    reading = _read(start, sources)
    if reading.error is None:
        return reading
    if reading.error.is_on_opening:
        return start.refuse("failed to open WAL", reading.error.words)
    if reading.error.is_unexpected_eof:
        outcome = repair(sources, start.version)
        if not outcome.returned:
            return start.refuse("failed to repair WAL", reading.error.words)
        start.repair = outcome
        if outcome.backup is not None and outcome.segment is not None:
            segment, size = outcome.segment, outcome.cut_to
            start.acts.append(FileAct(act=Act.COPY, name=segment, target=outcome.backup))
            start.acts.append(FileAct(act=Act.CUT, name=segment, size=size))
        reading = _read(start, repaired(sources, outcome))
    if reading.error is not None:
        return start.fail("failed to read WAL, cannot be repaired", reading.error)
    return reading


def _read(start: _Start, sources: Sequence[Source]) -> Reading:
    index, term = start.snapshot
    return read_all(sources, index=index, term=term, version=start.version, for_write=True)


def _contradiction(start: _Start, reading: Reading) -> str | None:
    """Step 8: what the server dies of when it hands the log to Raft."""
    raw = reading.metadata.raw if reading.metadata is not None else None
    try:
        node_id = etcdserverpb.METADATA.parse(raw or b"").node_id or 0
    except FormatError as error:
        return f"unmarshal should never fail ({error.message})"
    if node_id == 0:
        return "cannot use none as id"
    state, (index, _) = reading.hard_state, start.snapshot
    last = reading.last or index
    is_empty = (state.term, state.vote, state.commit) == (0, 0, 0)
    if is_empty or index <= state.commit <= last:
        return None
    return f"{node_id:x} state.commit {state.commit} is out of range [{index}, {last}]"


def _started(start: _Start, reading: Reading) -> Boot:
    """A start that succeeds, and what it costs."""
    last = reading.last or start.snapshot[0]
    source = start.facts.sources[-1]
    is_cut = start.repair is not None and start.repair.cut_to is not None
    # What stands in front of the end is read; what is cut off is no longer there to be wiped.
    is_wiped = not is_cut and written_bytes(source) > (reading.end_offset or 0)
    dropped = _readable_behind(source, reading.end_offset or 0, last)
    applied = start.facts.db_consistent_index if start.facts.db_exists else None
    until = applied if applied and applied > last and not start.is_db_received else None
    is_alone = start.facts.members == 1
    panic = None
    if until is not None and not is_alone:
        panic = (
            f"tocommit({until}) is out of range [lastIndex({last})]."
            " Was the raft log corrupted, truncated, or lost?"
        )
    result = Boot(
        kind=BootKind.CUT_AND_START if is_cut or dropped else BootKind.START,
        started_from=start.snapshot,
        first_index=reading.first,
        last_index=last,
        dropped=dropped,
        repair=start.repair,
        is_wiped=is_wiped,
        acts=tuple(start.acts),
        hangs_until=until,
        follower_panic=panic,
    )
    return replace(result, sentence=_sentence(result, reading))


def _readable_behind(source: Source, offset: int, last: int) -> tuple[int, int] | None:
    """Entries above `last` that the scan can read behind `offset`, from the first one missing."""
    highest = max(
        (
            run.last
            for stretch in source.digest.stretches
            for run in stretch.runs
            if run.stop > offset
        ),
        default=last,
    )
    return (last + 1, highest) if highest > last else None


def _sentence(start: Boot, reading: Reading) -> str:
    """A successful start in plain words, most important first."""
    last = start.last_index or 0
    told = ["starts", *_renamings(start.acts)]
    cut = start.repair
    if cut is not None and cut.cut_to is not None:
        what = f"everything from entry {last + 1} on" if start.dropped else "the unfinished end"
        told.append(f"cuts {what} without asking (copy in {cut.backup})")
    elif start.dropped is not None:
        told.append(f"wipes everything from entry {last + 1} on without a word")
    elif start.is_wiped:
        told.append(f"wipes what lies behind byte {reading.end_offset} of {reading.segment}")
    if start.dropped is None:
        told.append(f"its log ends at {last}")
    if start.hangs_until is not None:
        ahead = start.hangs_until - last
        if ahead <= FIRST_ENTRIES:
            which = "entry" if ahead == 1 else f"{ahead} entries"
            told.append(f"does not apply the first {which} that it writes")
        else:
            told.append(
                f"then client writes time out until the index has passed {start.hangs_until}"
            )
        if start.follower_panic is not None:
            told.append(f"or, told of a later commit by a leader, panics: {start.follower_panic}")
    return ", ".join(told)


def _renamings(acts: Sequence[FileAct]) -> list[str]:
    return [f"renames {act.name} to {act.target}" for act in acts if act.act is Act.RENAME]

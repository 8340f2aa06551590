"""The state that a member's files amount to: replayed from the log, up to an index.

Two ways may lead there: from nothing by the whole log, and from the database by the rest of it.
Where both do, the log is replayed to the index that the database has applied, and the two states
are held against each other (`db-differs`); then it goes on with the log's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from walctl.datadir.survey import Survey
from walctl.errors import CorruptionError, ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.advice import quoted_word
from walctl.inspect.positions import index_of
from walctl.machine.base import Machine, Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.replay.apply import Applied, Stop, Watch, apply_entries, committed, entry_of_revision
from walctl.replay.differences import Agreement, agreement
from walctl.replay.ground import (
    Base,
    Ground,
    Kind,
    from_database,
    from_nothing,
    from_snapshot,
    kind_of,
)

_MAKERS: dict[Kind, Callable[[], Machine]] = {Kind.ETCD: Etcd, Kind.KV: Kv}
AUTO = "auto"


def _nobody(ground: Ground) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for.

    `until` is a position (`None`: what is committed). `machine` is `auto` or a `Kind`; with `make`
    it is the name of a machine that somebody else brings. `base` forces one of the ways (`None`:
    whatever there is). `is_uncommitted` applies what a member would not. `on_ground` is told what
    is gone on from, `watch` then of every entry that is applied to it; both begin anew where the
    first way ended before its time.
    """

    until: str | None = None
    machine: str = AUTO
    make: Callable[[], Machine] | None = None
    base: Base | None = None
    is_uncommitted: bool = False
    watch: Watch | None = None
    on_ground: Callable[[Ground], None] = _nobody
    on_step: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A state, and how it came about.

    `kind` names the machine in a word; `machine` is `None` where nobody knows what the entries
    hold. `base` is what the state was built on, `obstacles` why the other ways were not gone.
    `agreement` is `None` where only one way led to the state.
    """

    seen: Survey
    kind: str
    until: int
    machine: Machine | None = None
    base: Base | None = None
    built_from: int = 0
    applied: Applied | None = None
    agreement: Agreement | None = None
    obstacles: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def exit_status(self) -> ExitStatus:
        """1 where the two ways differ, or applying ended before its time."""
        is_damaged = any(each.severity is Severity.DAMAGE for each in self.findings)
        return ExitStatus.DAMAGE if is_damaged else ExitStatus.CLEAN


def replayed(disk: FileSystem, seen: Survey, wish: Wish) -> Replayed:
    """Rebuild the state.

    Raises: UsageError; CorruptionError, when no way leads there, with all reasons; AccessError.
    """
    until = until_of(seen, wish)
    kind, make = _machine(disk, seen, wish)
    if make is None:
        return Replayed(seen=seen, kind=kind, until=until)
    grounds, obstacles = _grounds(disk, seen, wish, kind, make, until)
    if not grounds:
        reasons = "; ".join(obstacles) or "nothing to build it on"
        raise CorruptionError(f"{seen.layout.path}: the state at {until} is not there: {reasons}")
    ground, *others = grounds
    result = Replayed(
        seen=seen,
        kind=kind,
        until=until,
        base=ground.base,
        built_from=ground.applied,
        obstacles=tuple(obstacles),
    )
    if others and kind == Kind.ETCD:
        return _by_both(disk, result, wish, ground, others[0])
    return _ended(result, ground.machine, _advanced(disk, seen, wish, ground, until))


def _by_both(
    disk: FileSystem, result: Replayed, wish: Wish, ground: Ground, stored: Ground
) -> Replayed:
    """From nothing to where the database is, a look at both, and on; or, where the log does not
    lead there, from the database."""
    seen, mine = result.seen, ground.machine
    assert isinstance(mine, Etcd), "only etcd has a database"
    assert isinstance(stored.machine, Etcd), "only etcd has a database"
    first = _advanced(disk, seen, wish, ground, stored.applied)
    if first.stop is not None:
        words = f"from entry 1 the log leads to {first.last} only: {first.stop.words}"
        result = replace(result, base=stored.base, built_from=stored.applied, obstacles=(words,))
        return _ended(result, stored.machine, _advanced(disk, seen, wish, stored, result.until))
    found = agreement(mine, stored.machine)
    if found.first_revision is not None:
        index = entry_of_revision(disk, seen, found.first_revision, stored.applied)
        found = replace(found, first_index=index)
    rest = Ground(base=ground.base, applied=stored.applied, machine=mine)
    second = _advanced(disk, seen, replace(wish, on_ground=_nobody), rest, result.until)
    second.counts += first.counts
    second.hazards = [*first.hazards, *second.hazards]
    second.hazards_count += first.hazards_count
    is_doubtful = second.hazards_count > 0
    findings = tuple(_differing(found, seen.layout.path, is_doubtful=is_doubtful))
    result = replace(result, agreement=found, findings=findings)
    return _ended(result, mine, second)


def _ended(result: Replayed, machine: Machine, applied: Applied) -> Replayed:
    findings = result.findings
    if applied.stop is not None:
        findings = (*findings, _stopped(applied.stop))
    return replace(result, machine=machine, applied=applied, findings=findings)


def _advanced(disk: FileSystem, seen: Survey, wish: Wish, ground: Ground, until: int) -> Applied:
    wish.on_ground(ground)
    return apply_entries(
        disk,
        seen,
        ground.machine,
        first=ground.applied + 1,
        last=until,
        watch=wish.watch,
        on_step=wish.on_step,
    )


def until_of(seen: Survey, wish: Wish) -> int:
    """The index up to which entries are to be applied. Raises: UsageError."""
    safe = committed(seen)
    if wish.until is None:
        last = seen.log.last or 0
        return max(safe, last) if wish.is_uncommitted else safe
    text = f"commit{wish.until}" if wish.until.startswith("-") else wish.until
    found = index_of(text, seen, commit=safe)
    if found > safe and not wish.is_uncommitted:
        raise UsageError(
            f"--until {wish.until}: entry {found} is not committed, as far as this member knows:"
            f" the last one that is is {safe}; --uncommitted applies the others too"
        )
    return found


def _machine(
    disk: FileSystem, seen: Survey, wish: Wish
) -> tuple[str, Callable[[], Machine] | None]:
    """What the state machine is called, and how it is made. Raises: UsageError."""
    if wish.machine == AUTO:
        kind = kind_of(disk, seen)
        return kind.value, _MAKERS.get(kind)
    if wish.make is not None:
        return wish.machine, wish.make
    if wish.machine not in set(Kind):
        raise UsageError(f"{wish.machine}: expected {AUTO}, {', '.join(Kind)}, or MODULE:CLASS")
    return wish.machine, _MAKERS.get(Kind(wish.machine))


def _grounds(
    disk: FileSystem,
    seen: Survey,
    wish: Wish,
    kind: str,
    make: Callable[[], Machine],
    until: int,
) -> tuple[list[Ground], list[str]]:
    """All that the state could be built on, what reaches furthest back first; and why not more."""
    ways: dict[Base, Callable[[], Ground | str]] = {
        Base.NOTHING: lambda: from_nothing(seen, make, until=until)
    }
    if kind == Kind.ETCD:
        ways[Base.DATABASE] = lambda: from_database(disk, seen)
    elif kind == Kind.KV:
        ways[Base.SNAPSHOT] = lambda: from_snapshot(disk, seen, until=until)
    grounds: list[Ground] = []
    obstacles: list[str] = []
    for base, way in ways.items():
        if wish.base is not None and base is not wish.base:
            continue
        found = way()
        if isinstance(found, str):
            obstacles.append(found)
        elif found.applied > until:
            obstacles.append(f"the {base} has applied {found.applied} already")
        else:
            grounds.append(found)
    if wish.base is not None and wish.base not in ways:
        raise UsageError(f"--base {wish.base}: a machine of {kind} is never built on that")
    return grounds, obstacles


def _differing(found: Agreement, path: Path, *, is_doubtful: bool) -> list[Finding]:
    """`db-differs`, once, where the two states are not the same.

    `is_doubtful`: the log has entries with which real members did different things.
    """
    if found.is_equal:
        return []
    first = found.differences[0]
    words = (
        f"Replayed from entry 1 to {found.index}, which the database has applied, the log makes"
        f" another state: {found.count} differences, the first in bucket {first.bucket}:"
        f" the log has {first.in_log or 'nothing'}, the database {first.in_database or 'nothing'}."
    )
    if is_doubtful:
        words += " Members do different things with some entries of this log, so it may be right."
    return [
        Finding(
            code=Code.DB_DIFFERS,
            severity=Severity.INFO if is_doubtful else Severity.DAMAGE,
            place=Place(index=found.first_index),
            detail=words,
            next=f"walctl replay {quoted_word(str(path))}",
            consequence="3.4-3.6: start, and answer with what the database has; the corruption"
            " check of 3.5 and later raises an alarm where the other members differ",
        )
    ]


def _stopped(stop: Stop) -> Finding:
    code = {
        Outcome.UNDECODABLE: Code.PAYLOAD_UNDECODABLE,
        Outcome.FATAL: Code.PAYLOAD_UNDECODABLE,
        None: Code.INDEX_GAP,
    }[stop.outcome]
    words = f"Applying stopped at entry {stop.index}: {stop.words}."
    consequence = "" if stop.outcome is None else "a member panics when it applies the entry"
    return Finding(
        code=code,
        severity=Severity.DAMAGE,
        place=Place(segment=stop.segment, index=stop.index),
        detail=words,
        consequence=consequence,
    )

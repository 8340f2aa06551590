"""What the members' own logs say of a history: the fate of operations that nobody saw the end of,
and whether what was acknowledged is there.

Somebody else reads the logs, and hands over what a majority committed. A write is found there by
its key and value, so clients had better write each value once; one whose answer named an index is
looked for at that index first. What is found is done, and its index is a hint for the order: it
took effect before anything that stands behind it in the log was answered. What is unknown and in no
log never happened. What was acknowledged and is in no log is lost: a finding of its own, whatever
the history looks like.

A log may begin behind compacted entries. What can have been among those is not judged.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from walctl.checker.history import Fate, Function, History, Operation, Value
from walctl.checker.linearizable import Judgement, Limits, Verdict, check

NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One committed write: `value` is what a client gave to be written or appended, `None` where it
    asked for a delete. `is_done` is whether it changed anything, for one on a condition; `None`
    where nobody knows."""

    index: int
    key: bytes
    value: Value
    is_done: bool | None = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedLog:
    """All writes that a group has committed in `[first, last]`; `last` is what was committed when
    the log was read, after the last answer of the history."""

    group: str
    first: int
    last: int
    writes: tuple[Logged, ...]


class Doubt(enum.StrEnum):
    """What history and log disagree on."""

    ACKED_NOT_IN_LOG = "acked-not-in-log"
    """A write was acknowledged, and no log has it."""
    INDEX_DIFFERS = "index-differs"
    """The log has it elsewhere than the answer said."""
    LOGGED_TWICE = "logged-twice"
    """One request is in the log more than once."""
    FAILED_IN_LOG = "failed-in-log"
    """A client was told that it was not done, and the log has it done."""
    LOG_ORDER = "log-order"
    """It stands in the log before a write that had been answered before it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A doubt about one operation. `index` is where the log has it; `other` the operation that it
    stands in contradiction to, for the order."""

    doubt: Doubt
    operation: Operation
    index: int | None = None
    other: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A history after the logs were asked.

    Of the operations of unknown fate `found` are in the logs, `absent` in none and left out of
    `history`; `left` are still unknown. `foreign` entries of the logs belong to no operation.
    """

    history: History
    found: int
    absent: int
    left: int
    foreign: int
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WithLogs:
    """The second verdict: of the settled history, in the order of the logs."""

    settled: Settled
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """Of the history and the logs together."""
        if self.settled.contradictions:
            return Verdict.NOT_LINEARIZABLE
        return self.judgement.verdict


@dataclass(slots=True)
class _Group:
    """The writes of one group while they are matched with its log; by numbers of operations."""

    log: CommittedLog
    writes: list[Operation]
    failed: list[Operation]
    matched: dict[int, Logged] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    doubts: list[Contradiction] = field(default_factory=list)
    foreign: int = 0


def settle(history: History, logs: Iterable[CommittedLog]) -> Settled:
    """The same history with what the logs know of it. Groups without a log stay as they are."""
    groups = []
    for log in logs:
        asked = [
            each
            for each in history.operations
            if each.group == log.group and not each.function.is_read
        ]
        group = _Group(
            log,
            writes=[each for each in asked if each.fate is not Fate.FAIL],
            failed=[each for each in asked if each.fate is Fate.FAIL],
        )
        _match(group)
        groups.append(group)
    changed: dict[int, Operation] = {}
    for group in groups:
        changed |= _known(group, history)
        group.doubts += _order(group)
    absent = {number for group in groups for number in group.absent}
    unknown = [
        each
        for each in history.operations
        if each.fate is Fate.UNKNOWN and not each.function.is_read
    ]
    found = {number for group in groups for number in group.matched}
    kept = [changed.get(each.number, each) for each in history.operations]
    return Settled(
        history=replace(
            history, operations=tuple(each for each in kept if each.number not in absent)
        ),
        found=sum(each.number in found for each in unknown),
        absent=len(absent),
        left=sum(each.number not in found and each.number not in absent for each in unknown),
        foreign=sum(group.foreign for group in groups),
        contradictions=tuple(each for group in groups for each in group.doubts),
    )


def with_logs(history: History, logs: Iterable[CommittedLog], limits: Limits) -> WithLogs:
    """Settle a history and judge it again."""
    settled = settle(history, logs)
    judgement = check(settled.history, limits=limits, is_ordered=True)
    return WithLogs(settled=settled, judgement=judgement)


def _identity(operation: Operation) -> tuple[bytes, Value]:
    is_delete = operation.function is Function.DELETE
    return operation.key, None if is_delete else operation.value


def _match(group: _Group) -> None:
    """Which entry of the log is which operation."""
    at = {each.index: each for each in group.log.writes}
    for each in group.writes:
        logged = at.get(each.index) if each.index is not None and each.fate is Fate.OK else None
        if logged is not None and (logged.key, logged.value) == _identity(each):
            group.matched[each.number] = at.pop(logged.index)
    entries: dict[tuple[bytes, Value], list[Logged]] = {}
    for logged in at.values():
        entries.setdefault((logged.key, logged.value), []).append(logged)
    asked: dict[tuple[bytes, Value], list[Operation]] = {}
    has_matched: set[tuple[bytes, Value]] = set()
    for each in group.writes:
        if each.number in group.matched:
            has_matched.add(_identity(each))
        else:
            asked.setdefault(_identity(each), []).append(each)
    for identity, operations in asked.items():
        _match_alike(group, operations, entries.pop(identity, []))
    _doubt_failed(group, entries)
    for identity, rest in entries.items():
        twice = _matched_of(group, identity) if identity in has_matched else []
        if len(twice) == 1 and identity[1] is not None:
            (doubled,) = twice
            group.doubts.append(
                Contradiction(doubt=Doubt.LOGGED_TWICE, operation=doubled, index=rest[0].index)
            )
        else:
            group.foreign += len(rest)


def _doubt_failed(group: _Group, entries: dict[tuple[bytes, Value], list[Logged]]) -> None:
    """What was told to have failed, and is done in an entry of `entries` that is nobody else's.

    Deletes look alike, and so may be somebody's of whom this history does not know. That an entry
    is there and did nothing is as it should be.
    """
    asked: dict[tuple[bytes, Value], list[Operation]] = {}
    for each in group.failed:
        if each.function is not Function.DELETE:
            asked.setdefault(_identity(each), []).append(each)
    others = {_identity(each) for each in group.writes}
    for identity, operations in asked.items():
        if identity in others:
            continue
        rest = entries.pop(identity, [])
        done = next((each for each in rest if each.is_done), None)
        if len(operations) == 1 and done is not None:
            group.doubts.append(
                Contradiction(doubt=Doubt.FAILED_IN_LOG, operation=operations[0], index=done.index)
            )
        elif len(operations) > 1:
            group.foreign += len(rest)


def _matched_of(group: _Group, identity: tuple[bytes, Value]) -> list[Operation]:
    return [
        each
        for each in group.writes
        if each.number in group.matched and _identity(each) == identity
    ]


def _match_alike(group: _Group, operations: Sequence[Operation], entries: Sequence[Logged]) -> None:
    """Operations that ask for the same, and entries that say it, none of which is matched."""
    if not entries:
        for each in operations:
            _miss(group, each)
    elif len(operations) == 1:
        (operation,) = operations
        group.matched[operation.number] = entries[0]
        if operation.index is not None and operation.fate is Fate.OK:
            group.doubts.append(
                Contradiction(
                    doubt=Doubt.INDEX_DIFFERS, operation=operation, index=entries[0].index
                )
            )
        if len(entries) > 1 and operation.function is not Function.DELETE:
            group.doubts.append(
                Contradiction(doubt=Doubt.LOGGED_TWICE, operation=operation, index=entries[1].index)
            )
    # Of several that look alike nobody can say which is in the log; they stay as they are.


def _miss(group: _Group, operation: Operation) -> None:
    """An operation that no entry of the log can be."""
    if not _is_within(group, operation):
        return
    if operation.fate is Fate.OK:
        group.doubts.append(Contradiction(doubt=Doubt.ACKED_NOT_IN_LOG, operation=operation))
    else:
        group.absent.add(operation.number)


def _is_within(group: _Group, operation: Operation) -> bool:
    """Whether its entry, if it has one, must be among those that the log still has."""
    first = group.log.first
    if first <= 1:
        return True
    if operation.fate is Fate.OK and operation.index is not None:
        return operation.index >= first
    # Whatever was asked after an answer stands behind it in the log.
    answered = [
        each.end
        for each in group.writes
        if each.index is not None and each.index >= first - 1 and each.end is not None
    ]
    return bool(answered) and operation.call > min(answered)


def _known(group: _Group, history: History) -> dict[int, Operation]:
    """The operations that the log says more of, by number."""
    last = 1 + max((max(each.call, each.end or 0) for each in history.operations), default=0)
    ends = _ends_behind(group)
    found: dict[int, Operation] = {}
    for each in group.writes:
        logged = group.matched.get(each.number)
        if logged is None:
            continue
        if each.fate is Fate.OK or logged.is_done is None:
            found[each.number] = replace(each, index=logged.index)
        else:
            is_done = logged.is_done or each.function is not Function.CAS
            found[each.number] = replace(
                each,
                fate=Fate.OK if is_done else Fate.FAIL,
                is_mismatch=not is_done,
                index=logged.index,
                end=max(min(ends[each.number], last), each.call),
            )
    return found


def _by_index(group: _Group) -> list[tuple[int, Operation]]:
    return sorted(
        (
            (group.matched[each.number].index, each)
            for each in group.writes
            if each.number in group.matched
        ),
        key=lambda pair: pair[0],
        reverse=True,
    )


def _ends_behind(group: _Group) -> Mapping[int, int]:
    """For each matched operation the earliest answer to one that stands behind it in the log."""
    earliest = NEVER
    ends: dict[int, int] = {}
    for _, each in _by_index(group):
        ends[each.number] = earliest
        if each.end is not None and each.fate is Fate.OK:
            earliest = min(earliest, each.end)
    return ends


def _order(group: _Group) -> Iterator[Contradiction]:
    """Operations that were asked after one was answered that stands behind them in the log."""
    earliest: Operation | None = None
    for index, each in _by_index(group):
        if earliest is not None and earliest.end is not None and each.call > earliest.end:
            yield Contradiction(doubt=Doubt.LOG_ORDER, operation=each, index=index, other=earliest)
        is_earlier = earliest is None or (
            each.end is not None and earliest.end is not None and each.end < earliest.end
        )
        if each.end is not None and each.fate is Fate.OK and is_earlier:
            earliest = each

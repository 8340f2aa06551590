"""What somebody wants to see of a trace, and what there is: nodes, and the event it is about.

A trace is read twice. `survey` reads all of it, so that a line that makes no sense is refused
wherever it is, and finds the event that the picture is about; `walctl.sim.trace_cut` keeps what is
near that.
"""

import enum
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from walctl.cluster.events import EventKind
from walctl.cluster.quantities import parse_duration
from walctl.errors import UsageError
from walctl.sim.trace_file import Event, Trace

LANES_MAX: Final = 64
_INVARIANT: Final = re.compile(r"[IL][0-9]{1,2}")
_EVENT: Final = re.compile(r"event[ :#]*([0-9]{1,12})")


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """A node; in a trace of several groups a member, which is a node and its group."""

    node: str
    group: str | None = None

    def __str__(self) -> str:
        return self.node if self.group is None else f"{self.node}/{self.group}"


class Aim(enum.Enum):
    """What a picture may be about."""

    VIOLATION = enum.auto()
    TIME = enum.auto()
    EVENT = enum.auto()


@dataclass(frozen=True, slots=True)
class Around:
    """What the picture is about: the first violation (of `invariant`, if one is named), the moment
    `number` microseconds, or the event `number`."""

    aim: Aim
    number: int = 0
    invariant: str | None = None

    def __str__(self) -> str:
        match self.aim:
            case Aim.TIME:
                return f"{self.number / 1_000_000:g} s"
            case Aim.EVENT:
                return f"event {self.number:,}"
            case _:
                return f"the violation of {self.invariant}" if self.invariant else "the violation"


def parse_around(text: str) -> Around:
    """`violation`, `I7`, `12.3s` or `event 812`. Raises: UsageError."""
    word = text.strip()
    if word == "violation":
        return Around(Aim.VIOLATION)
    if _INVARIANT.fullmatch(word):
        return Around(Aim.VIOLATION, invariant=word)
    if found := _EVENT.fullmatch(word):
        return Around(Aim.EVENT, int(found[1]))
    try:
        return Around(Aim.TIME, parse_duration(word))
    except UsageError:
        raise UsageError(
            f"--around: expected violation, I7, 12.3s or 'event 812', found {text!r}"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to see; empty and `None`: all of it, as far as it fits."""

    around: Around | None = None
    window_us: int | None = None
    nodes: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What all of a trace says. `target` is the event that the picture is about, if one is."""

    lanes: tuple[Lane, ...]
    starts: frozenset[Lane]
    """Lanes whose first event is a start: they are not there before."""
    events: int
    messages: int
    first_us: int
    last_us: int
    target: Event | None
    behind: int
    """How many events come behind it."""
    around: Around | None


def survey(trace: Trace, wish: Wish) -> Survey:
    """Read all of a trace.

    Raises: AccessError; UsageError, for a line that makes no sense, and for a wish that nothing in
    the trace fulfils.
    """
    seen: dict[Lane, EventKind] = {}
    kinds: Counter[EventKind] = Counter()
    first_us, last_us, count = None, 0, 0
    target: Event | None = None
    position = 0
    around = wish.around
    found: list[str] = []
    for event in trace.events():
        count += 1
        kinds[event.kind] += 1
        first_us = event.time_us if first_us is None else min(first_us, event.time_us)
        last_us = max(last_us, event.time_us)
        if event.node is not None:
            lane = Lane(event.node, event.group)
            if lane not in seen:
                _demand_lanes(trace, event, seen)
                seen[lane] = event.kind
        if event.kind is EventKind.VIOLATION and len(found) < LANES_MAX:
            found.append(str(event.fields.get("id", "?")))
        if target is None and _is_meant(event, around):
            target, position = event, count
    if target is None and around is not None:
        raise _missing(trace, around, found, count, last_us)
    if target is None and wish.window_us is not None:
        raise UsageError("--window: expected --around as well: the trace has no violation")
    lanes = _lanes(seen)
    _demand_known(trace, wish, lanes, groups={each.group for each in seen if each.group})
    return Survey(
        lanes=lanes,
        starts=_starts(seen, lanes),
        events=count,
        messages=kinds[EventKind.SEND],
        first_us=first_us or 0,
        last_us=last_us,
        target=target,
        behind=0 if target is None else count - position,
        around=around or (None if target is None else Around(Aim.VIOLATION)),
    )


def _is_meant(event: Event, around: Around | None) -> bool:
    """Whether the picture is about this event: without a wish, it is about the violation."""
    if around is None or around.aim is Aim.VIOLATION:
        is_one = event.kind is EventKind.VIOLATION
        invariant = None if around is None else around.invariant
        return is_one and invariant in (None, event.fields.get("id"))
    if around.aim is Aim.EVENT:
        return event.number == around.number
    return event.time_us >= around.number


def _missing(
    trace: Trace, around: Around, found: list[str], count: int, last_us: int
) -> UsageError:
    words = f"of {', '.join(dict.fromkeys(found))}" if found else "none"
    if around.aim is Aim.EVENT:
        words = f"{count:,} events"
    elif around.aim is Aim.TIME:
        words = f"an end at {last_us / 1_000_000:.6f} s"
    return UsageError(f"{trace.path}: expected {around}, found {words}")


def _demand_lanes(trace: Trace, event: Event, seen: dict[Lane, EventKind]) -> None:
    if len(seen) >= LANES_MAX:
        raise UsageError(
            f"{trace.path}:{event.line}: expected at most {LANES_MAX} nodes and groups, found more"
        )


def _lanes(seen: Iterable[Lane]) -> tuple[Lane, ...]:
    """One for each node; in a trace of several groups one for each member."""
    groups = {each.group for each in seen} - {None}
    found = set(seen)
    if len(groups) <= 1:
        found = {Lane(each.node) for each in found}
    else:
        # What is told of a node alone is told of all its members.
        members = {each.node for each in found if each.group is not None}
        found = {each for each in found if each.group is not None or each.node not in members}
    return tuple(sorted(found, key=lambda each: (natural(each.node), natural(each.group or ""))))


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """What to sort names by, so that n10 stands behind n9."""
    return tuple(
        (int(part), "") if part.isdecimal() and len(part) < 10 else (-1, part)
        for part in re.split(r"([0-9]+)", name)
        if part
    )


def _starts(seen: dict[Lane, EventKind], lanes: tuple[Lane, ...]) -> frozenset[Lane]:
    first: dict[str, EventKind] = {}
    for lane, kind in seen.items():
        first.setdefault(lane.node, kind)
    return frozenset(each for each in lanes if first[each.node] is EventKind.START)


def _demand_known(trace: Trace, wish: Wish, lanes: tuple[Lane, ...], *, groups: set[str]) -> None:
    nodes = list(dict.fromkeys(each.node for each in lanes))
    for node in wish.nodes:
        if node not in nodes:
            there = ", ".join(nodes) or "none"
            raise UsageError(f"--nodes: expected nodes of {trace.path} ({there}), found {node!r}")
    if wish.group is not None and groups and wish.group not in groups:
        there = ", ".join(sorted(groups, key=natural))
        raise UsageError(f"--group: expected one of {there}, found {wish.group!r}")

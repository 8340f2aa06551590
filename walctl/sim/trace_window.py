"""Which part of a trace is drawn: around what, how much, and which heartbeats are folded into one.

The trace is read twice. `survey` reads all of it, so that a line that makes no sense is refused
wherever it is, and finds the nodes and the event that the picture is about; `cut` keeps what is
near that event. Memory is that of what is drawn: `MESSAGES_MAX` messages and `MARKS_MAX` other
events. Where there are more messages, heartbeats are folded; where there still are, what is far
from the event is left out. Of the room at most a quarter is kept for what comes behind it.
"""

import enum
import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from walctl.cluster.events import EventKind
from walctl.cluster.quantities import parse_duration
from walctl.errors import UsageError
from walctl.sim.diagram_state import Look, Stand, State, after, message_of
from walctl.sim.trace_file import Event, Header, Trace, name_of

MESSAGES_MAX: Final = 2_000
MARKS_MAX: Final = 6_000
LANES_MAX: Final = 64
WINDOW_US: Final = 2_000_000
"""So long before and after an event, where it is not said."""
BEHIND_SHARE: Final = 4
"""One part of so many is kept for what comes behind the event, if as much comes."""
FOLD_ROWS: Final = 60
"""Behind so many other events a new fold begins, so that none stands for what is far away."""
HEARTBEATS: Final = frozenset({"MsgHeartbeat", "MsgHeartbeatResp"})
_BREAKS: Final = frozenset(
    {
        EventKind.START,
        EventKind.STOP,
        EventKind.CRASH,
        EventKind.ROLE,
        EventKind.CONF,
        EventKind.FAULT,
        EventKind.HEAL,
        EventKind.SNAP_SEND,
        EventKind.VIOLATION,
    }
)
_MESSAGES: Final = frozenset({EventKind.SEND, EventKind.RECV, EventKind.DROP, EventKind.DUP})
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


@dataclass(slots=True)
class Fold:
    """Heartbeats between two lanes, and their answers, that are drawn as one."""

    source: Lane
    target: Lane
    time_us: int
    last_us: int
    count: int = 1
    dropped: int = 0
    born: int = 0


Item: TypeAlias = Event | Fold


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is drawn, and how things stood before it. `items` are in the order of time."""

    header: Header
    survey: Survey
    lanes: tuple[Lane, ...]
    stands: dict[Lane, Stand]
    state: State
    items: tuple[Item, ...]
    folded: int
    is_cut_before: bool
    is_cut_after: bool
    is_torn: bool
    window_us: int | None
    messages: int


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
    _demand_known(trace, wish, lanes)
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


def _demand_known(trace: Trace, wish: Wish, lanes: tuple[Lane, ...]) -> None:
    nodes = list(dict.fromkeys(each.node for each in lanes))
    for node in wish.nodes:
        if node not in nodes:
            there = ", ".join(nodes) or "none"
            raise UsageError(f"--nodes: expected nodes of {trace.path} ({there}), found {node!r}")
    groups = list(dict.fromkeys(each.group for each in lanes if each.group is not None))
    if wish.group is not None and groups and wish.group not in groups:
        there = ", ".join(groups)
        raise UsageError(f"--group: expected one of {there}, found {wish.group!r}")


def cut(trace: Trace, wish: Wish, seen: Survey) -> Cut:
    """Read the part that is drawn. Raises: as `survey`."""
    lanes = tuple(
        each
        for each in seen.lanes
        if (not wish.nodes or each.node in wish.nodes)
        and (wish.group is None or each.group in (None, wish.group))
    )
    gathering = Gathering(lanes, seen)
    window_us = wish.window_us
    if window_us is None and wish.around is not None:
        window_us = WINDOW_US
    low, high = 0, seen.last_us
    if window_us is not None and seen.target is not None:
        moment = seen.target.time_us
        if wish.around is not None and wish.around.aim is Aim.TIME:
            moment = wish.around.number
        low, high = moment - window_us, moment + window_us
    target_line = seen.target.line if seen.target is not None else 0
    for event in trace.events():
        if wish.group is not None and event.group not in (None, wish.group):
            continue
        if event.time_us < low:
            gathering.pass_by(event)
        elif event.time_us > high:
            gathering.is_cut_after = True
        elif not gathering.take(event, is_before=event.line <= target_line):
            break
    return Cut(
        header=trace.header,
        survey=seen,
        lanes=lanes,
        stands=gathering.stands,
        state=gathering.state,
        items=tuple(sorted(gathering.items, key=lambda each: each.time_us)),
        folded=gathering.folded,
        is_cut_before=gathering.is_cut_before,
        is_cut_after=gathering.is_cut_after,
        is_torn=trace.is_torn,
        window_us=window_us,
        messages=gathering.messages,
    )


@dataclass(slots=True)
class _Folding:
    """Folds that still grow, and the messages that are in one."""

    growing: dict[tuple[Lane, Lane], Fold] = field(default_factory=dict)
    inside: dict[object, Fold] = field(default_factory=dict)
    added: int = 0


class Gathering:
    """Takes events up to a bound, from before an event on, and keeps those that are near it."""

    def __init__(self, lanes: tuple[Lane, ...], seen: Survey) -> None:
        self.items: deque[Item] = deque()
        self.state = State()
        self.stands = {
            lane: Stand(Look.DOWN if lane in seen.starts else Look.UNKNOWN) for lane in lanes
        }
        self.messages = self.marks = self.folded = 0
        self.is_cut_before = self.is_cut_after = False
        self._behind = seen.behind
        self._lanes = frozenset(lanes)
        self._nodes = frozenset(each.node for each in lanes)
        self._folding: _Folding | None = None

    def pass_by(self, event: Event) -> None:
        """An event before the picture."""
        self.is_cut_before = True
        self.state.take(event)
        for lane in self.lanes_of(event):
            self.stands[lane] = after(self.stands[lane], event)

    def take(self, event: Event, *, is_before: bool) -> bool:
        """An event of the picture, or before it; false when there is no room for it."""
        if not self._is_wanted(event):
            return True
        self._add(event)
        kept = self._behind if is_before else 0
        if not self._is_over(kept):
            return True
        if self._folding is None:
            self._fold()
        if not is_before and self._is_over(kept):
            self._count(self.items.pop(), -1)
            self.is_cut_after = True
            return False
        while self._is_over(kept):
            self._let_go()
        return True

    def lanes_of(self, event: Event) -> list[Lane]:
        """The lanes that an event is drawn on: that of its member, or all of its node."""
        if event.node is None:
            return []
        for lane in (Lane(event.node, event.group), Lane(event.node)):
            if lane in self._lanes:
                return [lane]
        if event.group is not None:
            return []
        return [each for each in self.stands if each.node == event.node]

    def _is_wanted(self, event: Event) -> bool:
        if event.kind is EventKind.TICK:
            return False
        if event.node is None:
            return True
        other = {EventKind.SEND: "to", EventKind.RECV: "from"}.get(event.kind)
        peer = name_of(event.fields.get(other)) if other is not None else None
        return event.node in self._nodes and (peer is None or peer in self._nodes)

    def _is_over(self, kept: int) -> bool:
        """Whether there is more than room, of which so many events' is kept free."""
        messages = MESSAGES_MAX - min(kept, MESSAGES_MAX // BEHIND_SHARE)
        marks = MARKS_MAX - min(kept, MARKS_MAX // BEHIND_SHARE)
        return self.messages > messages or self.marks > marks

    def _count(self, item: Item, by: int) -> None:
        if isinstance(item, Fold) or item.kind is EventKind.SEND:
            self.messages += by
        elif item.kind not in _MESSAGES:
            self.marks += by

    def _add(self, event: Event) -> None:
        if self._folding is not None and self._is_folded(self._folding, event):
            return
        self._append(event)

    def _append(self, item: Item) -> None:
        self.items.append(item)
        self._count(item, 1)
        if self._folding is not None:
            self._folding.added += 1

    def _fold(self) -> None:
        """From here on, and in what is there already, heartbeats are folded."""
        self._folding = _Folding()
        items, self.items = self.items, deque()
        self.messages = self.marks = 0
        for item in items:
            assert not isinstance(item, Fold)
            self._add(item)

    def _is_folded(self, folding: _Folding, event: Event) -> bool:
        """Whether an event went into a fold."""
        if event.kind in _BREAKS:
            folding.growing.clear()
        if event.kind not in _MESSAGES:
            return False
        number = message_of(event)
        if event.kind is not EventKind.SEND:
            fold = folding.inside.get(number)
            if fold is not None and event.kind is not EventKind.DUP:
                fold.last_us = event.time_us
                fold.dropped += event.kind is EventKind.DROP
                del folding.inside[number]
            flown = self.state.flying.get(number)
            return fold is not None or (flown is not None and flown.fields.get("y") in HEARTBEATS)
        if event.fields.get("y") not in HEARTBEATS:
            return False
        pair = self._pair(event)
        if pair is None:
            return False
        self._grow(folding, event, number, pair)
        return True

    def _grow(
        self, folding: _Folding, event: Event, number: object, pair: tuple[Lane, Lane]
    ) -> None:
        key = (min(pair), max(pair))
        fold = folding.growing.get(key)
        if fold is None or folding.added - fold.born > FOLD_ROWS:
            fold = Fold(*pair, event.time_us, event.time_us, born=folding.added)
            folding.growing[key] = fold
            self._append(fold)
        else:
            fold.count += 1
            fold.last_us = event.time_us
        self.folded += 1
        if len(folding.inside) >= LANES_MAX * MESSAGES_MAX:
            folding.inside.clear()  # a trace that never tells of arrivals
        folding.inside[number] = fold

    def _pair(self, event: Event) -> tuple[Lane, Lane] | None:
        target = name_of(event.fields.get("to"))
        sources = self.lanes_of(event)
        if target is None or not sources or target not in self._nodes:
            return None
        lane = Lane(target, sources[0].group)
        return (sources[0], lane) if lane in self._lanes else None

    def _let_go(self) -> None:
        """The oldest is not drawn after all."""
        item = self.items.popleft()
        self._count(item, -1)
        self.is_cut_before = True
        if not isinstance(item, Fold):
            self.pass_by(item)
        elif self._folding is not None:
            self.folded -= item.count
            for key in [key for key, fold in self._folding.growing.items() if fold is item]:
                del self._folding.growing[key]

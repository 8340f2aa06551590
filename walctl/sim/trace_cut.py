"""The part of a trace that is drawn: what is near an event, and heartbeats folded into one.

Memory is that of what is drawn: `MESSAGES_MAX` messages and `MARKS_MAX` other events. Where there
are more messages, heartbeats are folded; where there still are, what is far from the event is left
out. Of the room at most a quarter is kept for what comes behind it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from walctl.cluster.events import EventKind
from walctl.sim.diagram_state import Look, Stand, State, after, message_of
from walctl.sim.trace_file import Event, Header, Trace, name_of
from walctl.sim.trace_window import LANES_MAX, Aim, Lane, Survey, Wish

MESSAGES_MAX: Final = 2_000
MARKS_MAX: Final = 6_000
WINDOW_US: Final = 2_000_000
"""So long before and after an event, where it is not said."""
BEHIND_SHARE: Final = 4
"""One part of so many is kept for what comes behind the event, if as much comes."""
FOLD_ROWS: Final = 60
"""Behind so many other events a new fold begins, so that none stands for what is far away."""
SIMULATOR: Final = "sim"
"""The engine of a run without processes."""
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


def cut(trace: Trace, wish: Wish, seen: Survey) -> Cut:
    """Read the part that is drawn. Raises: as `survey`."""
    lanes = tuple(
        each
        for each in seen.lanes
        if (not wish.nodes or each.node in wish.nodes)
        and (wish.group is None or each.group in (None, wish.group))
    )
    gathering = Gathering(lanes, seen, is_lab=trace.header.engine != SIMULATOR)
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

    def __init__(self, lanes: tuple[Lane, ...], seen: Survey, *, is_lab: bool) -> None:
        self.items: deque[Item] = deque()
        self.state = State(is_lab=is_lab)
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

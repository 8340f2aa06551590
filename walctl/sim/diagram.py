"""A space-time picture as values: what stands in which lane, how far down. Nothing is drawn here.

Time goes down, by the rank of events and not by the clock: whatever happens later stands lower by
at least a few units, and a long silence takes a little more room than a short one. What happens at
one time stands at one height, if it does not get into its own way. Units are those of a page at its
natural size (CSS pixels); 0 is the moment before the first event that is drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log10
from typing import Final

from walctl.cluster.events import EventKind
from walctl.sim.diagram_shapes import (
    Arrow,
    Band,
    Bar,
    Course,
    Diagram,
    Folded,
    Instant,
    Mark,
    Moment,
    Segment,
    Tick,
)
from walctl.sim.diagram_state import (
    Faults,
    OpenFault,
    after,
    message_of,
    node_of,
    remember,
    request_of,
)
from walctl.sim.trace_cut import Cut, Fold, Item
from walctl.sim.trace_file import Event, name_of
from walctl.sim.trace_window import Lane, natural

FIRST: Final = 34.0
"""Where the first event stands; above it is how things stood before."""
REST: Final = 40.0
GAP: Final = 8.0
"""Between two times at least."""
MESSAGE_ROOM: Final = 6.0
LABEL_ROOM: Final = 13.0
"""Between two things with words in one lane at least."""
GAP_ROOM: Final = 26.0
"""Between the end of a node and its next start at least: the gap is to be seen."""
SILENCE: Final = 5.0
"""So much lower for each tenfold of the time that passed, above a millisecond."""
SILENCE_US: Final = 250_000
"""A silence that is told, for which there is some room."""
SILENCE_ROOM: Final = 8.0
CLIENTS_MAX: Final = 40
MARK_EVENTS_MAX: Final = 4
_TICKS: Final = frozenset({EventKind.WRITE, EventKind.FSYNC})
_ENDS: Final = frozenset({EventKind.OK, EventKind.FAIL, EventKind.INFO})
_MOVES: Final = frozenset({EventKind.SEND, EventKind.RECV, EventKind.DROP, EventKind.DUP})
_PLACES: Final = frozenset({EventKind.START, EventKind.STOP, EventKind.CRASH})


def lay_out(cut: Cut) -> Diagram:
    """Say where everything stands."""
    asked = {each.client for each in cut.items if isinstance(each, Event)}
    asked |= {client for client, _ in cut.state.asked}
    clients = sorted((each for each in asked if each), key=natural)
    made = Diagram(
        cut=cut,
        clients=tuple(clients[:CLIENTS_MAX]),
        clients_left=max(len(clients) - CLIENTS_MAX, 0),
    )
    layout = _Layout(made)
    for item in cut.items:
        layout.take(item)
    layout.finish()
    return made


@dataclass(slots=True)
class _Rows:
    """How far down things stand; only ever further."""

    made: Diagram
    y: float = FIRST
    time_us: int | None = None
    taken: dict[object, float] = field(default_factory=dict)

    def at(self, time_us: int, slot: object, room: float) -> float:
        """Where something stands that wants so much room below what is in its slot already."""
        if time_us != self.time_us:
            silence = 0 if self.time_us is None else time_us - self.time_us
            if self.time_us is not None:
                self.y += GAP + SILENCE * log10(1 + silence / 1_000)
                self.y += SILENCE_ROOM if silence >= SILENCE_US else 0
            self.time_us = time_us
            self.made.moments.append(Moment(y=self.y, time_us=time_us, silence_us=silence))
        before = self.taken.get(slot)
        if before is not None:
            self.y = max(self.y, before + room)
        self.taken[slot] = self.y
        return self.y

    def below_words(self, lane: int) -> None:
        """Go on below what was last said in a lane, unless that stands at this very height."""
        said = self.taken.get(("mark", lane))
        if said is not None and said < self.y:
            self.y = max(self.y, said + LABEL_ROOM)


@dataclass(slots=True)
class _Flight:
    """A message that was drawn as sent; it may arrive more than once."""

    event: Event
    top: float | None
    has_ended: bool = False


class _Layout:
    """One pass over what is drawn."""

    def __init__(self, made: Diagram) -> None:
        cut = made.cut
        self._made = made
        self._rows = _Rows(made)
        self._lanes = {lane: position for position, lane in enumerate(cut.lanes)}
        self._of_node: dict[str, list[int]] = {}
        for lane, position in self._lanes.items():
            self._of_node.setdefault(lane.node, []).append(position)
        self._clients = {name: position for position, name in enumerate(made.clients)}
        self._stands = [(0.0, cut.stands[lane]) for lane in cut.lanes]
        self._flights = {key: _Flight(event, None) for key, event in cut.state.flying.items()}
        self._asked: dict[object, tuple[float, Event]] = {
            key: (0.0, event) for key, event in cut.state.asked.items()
        }
        self._faults = Faults(is_lab=cut.state.faults.is_lab)
        self._bands: dict[int, tuple[float, int]] = {}
        self._last: dict[int, tuple[int, Mark]] = {}
        for each in cut.state.faults:
            self._begin(each.event, 0.0)

    def take(self, item: Item) -> None:
        """The next thing."""
        if isinstance(item, Fold):
            y = self._rows.at(item.time_us, ("fold", item.source, item.target), LABEL_ROOM)
            source, target = self._lanes[item.source], self._lanes[item.target]
            self._made.folds.append(Folded(source=source, target=target, y=y, fold=item))
        elif item.kind in _MOVES:
            self._move(item)
        elif item.kind in _TICKS:
            for lane in self._own(item):
                y = self._rows.at(item.time_us, ("tick", lane), MESSAGE_ROOM)
                self._made.ticks.append(Tick(lane=lane, y=y, event=item))
        elif item.kind is EventKind.INVOKE or item.kind in _ENDS:
            self._ask(item)
        elif item.kind in (EventKind.FAULT, EventKind.HEAL):
            self._fault(item)
        elif item.node is None or item.kind is EventKind.VIOLATION:
            self._instant(item)
        else:
            self._mark(item)

    def finish(self) -> None:
        """Close what is still open."""
        bottom = self._rows.y + REST
        self._made.height = bottom
        for lane, (top, stand) in enumerate(self._stands):
            self._made.segments.append(Segment(lane=lane, top=top, bottom=bottom, stand=stand))
        for flight in self._flights.values():
            if not flight.has_ended and flight.top is not None:
                self._arrow(flight, bottom - 10, Course.LEAVING, None)
        for key in self._asked:
            self._bar(key, bottom, None)
        for fault in self._faults:
            self._band(fault, bottom, is_open=True)

    # Lanes.

    def _own(self, event: Event) -> list[int]:
        """The lanes of an event that is a member's or a node's."""
        if event.node is None:
            return []
        for lane in (Lane(event.node, event.group), Lane(event.node)):
            if lane in self._lanes:
                return [self._lanes[lane]]
        return [] if event.group is not None else self._of_node.get(event.node, [])

    def _mark(self, event: Event) -> None:
        for lane in self._own(event):
            time, mark = self._last.get(lane, (-1, None))
            is_free = event.kind not in _PLACES and event.kind is not EventKind.FSERR
            if mark and time == event.time_us and len(mark.events) < MARK_EVENTS_MAX and is_free:
                mark.events.append(event)
            else:
                room = GAP_ROOM if event.kind is EventKind.START else LABEL_ROOM
                y = self._rows.at(event.time_us, ("mark", lane), room)
                mark = Mark(lane=lane, y=y, events=[event])
                self._made.marks.append(mark)
                self._last[lane] = (event.time_us, mark)
            self._turn(lane, event, mark.y)
        if event.kind in _PLACES:
            for fault in self._faults.end(event):
                self._band(fault, self._rows.y)

    def _turn(self, lane: int, event: Event, y: float) -> None:
        """A lane goes on in another way, perhaps."""
        top, stand = self._stands[lane]
        then = after(stand, event)
        if then != stand:
            if y > top:
                self._made.segments.append(Segment(lane=lane, top=top, bottom=y, stand=stand))
            self._stands[lane] = (y, then)

    # Messages.

    def _move(self, event: Event) -> None:
        key = message_of(event)
        if event.kind is EventKind.SEND:
            source, target = self._ends(event, event.node, name_of(event.fields.get("to")))
            if source is not None and target is not None:
                y = self._message_y(event, ("out", source, target), source)
                remember(self._flights, key, _Flight(event, y))
            return
        flight = self._flights.get(key)
        if event.kind is EventKind.RECV:
            self._arrive(event, flight)
        elif event.kind is EventKind.DROP and flight is not None and not flight.has_ended:
            flight.has_ended = True
            if flight.top is not None:
                self._arrow(flight, flight.top, Course.DROPPED, event)
        elif event.kind is EventKind.DROP and "link" in event.fields:
            self._drop_of_link(event)

    def _message_y(self, event: Event, slot: object, lane: int) -> float:
        """Where a message touches a lane: not through the words that stand there."""
        rows = self._rows
        y = rows.at(event.time_us, slot, MESSAGE_ROOM)
        rows.below_words(lane)
        if rows.y > y:
            rows.taken[slot] = rows.y
        return rows.y

    def _arrive(self, event: Event, flight: _Flight | None) -> None:
        source, target = self._ends(event, name_of(event.fields.get("from")), event.node)
        if target is None:
            return
        if source is None and flight is not None:
            source, _ = self._ends(flight.event, flight.event.node, None)
        if source is None:
            return
        y = self._message_y(event, ("in", target, source), target)
        if flight is None or flight.top is None:
            sent = None if flight is None else flight.event
            self._made.arrows.append(
                Arrow(
                    source=source,
                    target=target,
                    top=max(y - FIRST / 2, 0.0),
                    bottom=y,
                    course=Course.ENTERING,
                    sent=sent,
                    ended=event,
                )
            )
        else:
            self._arrow(flight, y, Course.AGAIN if flight.has_ended else Course.ARRIVED, event)
        if flight is not None:
            flight.has_ended = True

    def _ends(
        self, event: Event, source: str | None, target: str | None
    ) -> tuple[int | None, int | None]:
        """The lanes of two nodes, in the group of the event where there are several."""

        def lane(node: str | None) -> int | None:
            if node is None:
                return None
            found = self._lanes.get(Lane(node, event.group))
            if found is None:
                found = self._lanes.get(Lane(node))
            return found

        return lane(source), lane(target)

    def _arrow(self, flight: _Flight, y: float, course: Course, ended: Event | None) -> None:
        sent = flight.event
        source, target = self._ends(sent, sent.node, name_of(sent.fields.get("to")))
        assert flight.top is not None
        if source is not None and target is not None:
            self._made.arrows.append(
                Arrow(
                    source=source,
                    target=target,
                    top=flight.top,
                    bottom=y,
                    course=course,
                    sent=sent,
                    ended=ended,
                )
            )

    def _drop_of_link(self, event: Event) -> None:
        """A lab's proxy tells how many messages it lost, and not which."""
        names = str(event.fields["link"]).partition("->")
        source, target = self._ends(event, names[0], names[2])
        if source is None or target is None:
            return
        y = self._rows.at(event.time_us, ("out", source, target), LABEL_ROOM)
        self._made.arrows.append(
            Arrow(
                source=source,
                target=target,
                top=y,
                bottom=y,
                course=Course.DROPPED,
                sent=None,
                ended=event,
            )
        )

    # Clients, faults, and what is of the whole cluster.

    def _ask(self, event: Event) -> None:
        client = self._clients.get(event.client or "")
        if client is None:
            return
        key = request_of(event)
        is_begin = event.kind is EventKind.INVOKE
        y = self._rows.at(event.time_us, ("client", client), LABEL_ROOM if is_begin else GAP)
        if is_begin:
            if key in self._asked:  # it asks anew; what it asked before has no end
                self._bar(key, y, None)
            self._asked[key] = (y, event)
        elif key in self._asked:
            self._bar(key, y, event)
            del self._asked[key]
        else:
            self._made.bars.append(Bar(client=client, top=0.0, bottom=y, asked=None, ended=event))

    def _bar(self, key: object, bottom: float, ended: Event | None) -> None:
        top, asked = self._asked[key]
        client = self._clients.get(asked.client or "")
        if client is not None:
            self._made.bars.append(
                Bar(client=client, top=top, bottom=bottom, asked=asked, ended=ended)
            )

    def _fault(self, event: Event) -> None:
        lanes = self._of_node.get(node_of(event) or "", [])
        if node_of(event) is not None and not lanes:
            return  # of a node that is not drawn
        slots: list[object] = [("mark", lane) for lane in lanes]
        y = max(self._rows.at(event.time_us, slot, LABEL_ROOM) for slot in slots or ["all"])
        for lane in lanes:
            self._turn(lane, event, y)
        if event.kind is EventKind.HEAL:
            for fault in self._faults.end(event):
                self._band(fault, y)
            if not lanes:
                self._made.instants.append(Instant(y=y, event=event))
        elif not self._begin(event, y):
            self._made.marks += [Mark(lane=lane, y=y, events=[event]) for lane in lanes]
            if not lanes:
                self._made.instants.append(Instant(y=y, event=event))

    def _begin(self, event: Event, y: float) -> bool:
        """Open the band of a fault, in the first column that is free; false if it has none."""
        node = node_of(event)
        if node is not None and node not in self._of_node:
            return False
        if not self._faults.begin(event):
            return False
        used = {column for _, column in self._bands.values()}
        column = next(each for each in range(len(used) + 1) if each not in used)
        self._bands[event.line] = (y, column)
        return True

    def _band(self, fault: OpenFault, bottom: float, *, is_open: bool = False) -> None:
        top, column = self._bands.pop(fault.event.line)
        lanes: list[int | None] = [*self._of_node.get(node_of(fault.event) or "", [])]
        for lane in lanes or [None]:
            self._made.bands.append(
                Band(
                    lane=lane,
                    top=top,
                    bottom=bottom,
                    column=column,
                    event=fault.event,
                    is_open=is_open,
                )
            )

    def _instant(self, event: Event) -> None:
        y = self._rows.at(event.time_us, "all", LABEL_ROOM)
        lanes = tuple(self._named(event)) if event.kind is EventKind.VIOLATION else ()
        self._made.instants.append(Instant(y=y, event=event, lanes=lanes))

    def _named(self, event: Event) -> Iterator[int]:
        nodes = event.fields.get("nodes")
        for each in nodes if isinstance(nodes, list) else ():
            for lane in self._of_node.get(name_of(each) or "", ()):
                if event.group is None or self._made.cut.lanes[lane].group in (None, event.group):
                    yield lane

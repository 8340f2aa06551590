"""What a space-time picture is made of, as values: `walctl.sim.diagram` says where they stand.

Heights are in units of a page at its natural size (CSS pixels); 0 is the moment before the first
event that is drawn. Lanes and clients are positions in those of the picture.
"""

import enum
from dataclasses import dataclass, field

from walctl.cluster.events import EventKind
from walctl.sim.diagram_state import Stand
from walctl.sim.trace_cut import Cut, Fold
from walctl.sim.trace_file import Event


class Course(enum.StrEnum):
    """What became of a message."""

    ARRIVED = "arrived"
    DROPPED = "dropped"
    AGAIN = "again"
    """It arrived once more."""
    LEAVING = "leaving"
    """It is on its way when the picture ends."""
    ENTERING = "entering"
    """It was sent before the picture begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A lane between two changes."""

    lane: int
    top: float
    bottom: float
    stand: Stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A message. `sent` is `None` where that is not known; `ended` is its arrival or its loss."""

    source: int
    target: int
    top: float
    bottom: float
    course: Course
    sent: Event | None
    ended: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Heartbeats that are drawn as one line."""

    source: int
    target: int
    y: float
    fold: Fold


@dataclass(slots=True, kw_only=True)
class Mark:
    """What happens in a lane, with words; `events` happen at one time."""

    lane: int
    y: float
    events: list[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A write or a sync."""

    lane: int
    y: float
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A client's request; an end that is `None` lies outside of the picture."""

    client: int
    top: float
    bottom: float
    asked: Event | None
    ended: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A fault while it is on: of a lane, or (`None`) of all. `column` tells apart those that are on
    at the same time. `is_open`: it is still on when the picture ends."""

    lane: int | None
    top: float
    bottom: float
    column: int
    event: Event
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """Something of the whole cluster that is over at once: a heal, a note, a violation."""

    y: float
    event: Event
    lanes: tuple[int, ...] = ()
    """Lanes that it names."""

    @property
    def is_violation(self) -> bool:
        """Whether it is why the run was stopped."""
        return self.event.kind is EventKind.VIOLATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a time stands; `silence_us` is what passed since the one before."""

    y: float
    time_us: int
    silence_us: int


@dataclass(slots=True, kw_only=True)
class Diagram:
    """The picture."""

    cut: Cut
    clients: tuple[str, ...]
    clients_left: int
    """Clients there is no room for."""
    height: float = 0.0
    segments: list[Segment] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    folds: list[Folded] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    instants: list[Instant] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

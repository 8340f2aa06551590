"""How things stand between two events of a trace: nodes, faults, requests, messages on their way.

A picture that begins in the middle of a trace begins with this. Bounded, whatever the trace holds:
of what never ends, the oldest is forgotten.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from walctl.cluster.events import EventKind
from walctl.cluster.faults import PASSING
from walctl.sim.trace_file import Event

OPEN_MAX: Final = 10_000
"""Messages on their way, and requests without an end, that are remembered."""
FAULTS_MAX: Final = 200
PAUSE: Final = "pause"
_OF_PROCESS: Final = frozenset({PAUSE, "power-cut"})
"""Faults that end with the process that has them, wherever it runs."""
MESSAGE: Final = "m"
_EVERYTHING: Final = frozenset({"heal", "restore", "all", "links", "net", "network"})
"""What a heal is called that is not the end of one fault alone."""

K = TypeVar("K")
V = TypeVar("V")


class Look(enum.StrEnum):
    """What a node is, as far as the trace tells."""

    DOWN = "down"
    UNKNOWN = "unknown"
    """It runs, in a role that nothing was told of."""
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    """Also one that asks before it stands for election (pre-vote)."""
    LEADER = "leader"
    LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class Stand:
    """One lane at one moment; `term` is `None` where nothing was told of it."""

    look: Look
    term: int | None = None
    is_paused: bool = False


ROLES: Final[Mapping[str, Look]] = {
    "follower": Look.FOLLOWER,
    "precandidate": Look.CANDIDATE,
    "candidate": Look.CANDIDATE,
    "leader": Look.LEADER,
    "learner": Look.LEARNER,
}


def after(stand: Stand, event: Event) -> Stand:
    """How a lane stands behind an event that is its own."""
    fields = event.fields
    match event.kind:
        case EventKind.START:
            return Stand(Look.FOLLOWER, number_of(fields, "term"))
        case EventKind.STOP | EventKind.CRASH:
            return Stand(Look.DOWN)
        case EventKind.ROLE:
            word = str(fields.get("to")).replace("-", "").replace("_", "").lower()
            term = number_of(fields, "term")
            look = ROLES.get(word, Look.UNKNOWN)
            return replace(stand, look=look, term=stand.term if term is None else term)
        case EventKind.TERM:
            term = number_of(fields, "term")
            return replace(stand, term=stand.term if term is None else term)
        case EventKind.FAULT if fields.get("on") == PAUSE:
            return replace(stand, is_paused=True)
        case EventKind.HEAL if fields.get("on") == PAUSE:
            return replace(stand, is_paused=False)
    return stand


@dataclass(slots=True)
class OpenFault:
    """A fault that is on; `links` are those of it that are not well yet."""

    event: Event
    links: set[str]


class Faults:
    """The faults that are on, in the order in which they began.

    `is_lab`: every fault of a node is within its process there, and ends with it.
    """

    def __init__(self, *, is_lab: bool) -> None:
        self.is_lab = is_lab
        self._open: list[OpenFault] = []

    def __iter__(self) -> Iterator[OpenFault]:
        return iter(self._open)

    def begin(self, event: Event) -> bool:
        """Take up a fault that lasts; false for one that is over at once."""
        if on_of(event) in PASSING or len(self._open) >= FAULTS_MAX:
            return False
        self._open.append(OpenFault(event, set(_links(event))))
        return True

    def end(self, event: Event) -> list[OpenFault]:
        """Those that a heal, or the end of a process, ends; they are taken out."""
        if event.kind is EventKind.HEAL:
            ended = [each for each in self._open if _ends(event, each)]
        else:
            ended = [
                each
                for each in self._open
                if event.node is not None
                and event.node == each.event.node
                and (self.is_lab or on_of(each.event) in _OF_PROCESS)
            ]
        self._open = [each for each in self._open if each not in ended]
        return ended


def _ends(event: Event, fault: OpenFault) -> bool:
    """Whether a heal ends a fault."""
    begun = fault.event
    on = on_of(event)
    if node_of(event) != node_of(begun):
        return False
    well = set(_links(event))
    if well and fault.links:
        fault.links -= well
        return not fault.links
    if on != on_of(begun) and not (event.node is None and on in _EVERYTHING):
        return False
    kind, begun_kind = _args(event).get("kind"), _args(begun).get("kind")
    return kind is None or begun_kind is None or kind == begun_kind


def on_of(event: Event) -> str:
    """What a fault or a heal is called."""
    return str(event.fields.get("on", ""))


def node_of(event: Event) -> str | None:
    """Whose fault it is: said of the event, or among its arguments; `None`: of the cluster."""
    found = event.node or _args(event).get("node")
    return found if isinstance(found, str) else None


def _args(event: Event) -> Mapping[str, Any]:
    args = event.fields.get("args")
    return args if isinstance(args, dict) else {}


def _links(event: Event) -> list[str]:
    links = _args(event).get("links")
    return [str(each) for each in links] if isinstance(links, list) else []


class State:
    """Where a trace stands: `lanes` by their keys, faults, requests and messages that are open."""

    def __init__(self, *, is_lab: bool) -> None:
        self.faults = Faults(is_lab=is_lab)
        self.asked: dict[tuple[str, object], Event] = {}
        self.flying: dict[object, Event] = {}

    def take(self, event: Event) -> None:
        """Go on behind an event; what it does to lanes is `after`."""
        match event.kind:
            case EventKind.SEND:
                remember(self.flying, message_of(event), event)
            case EventKind.RECV | EventKind.DROP:
                self.flying.pop(message_of(event), None)
            case EventKind.INVOKE:
                remember(self.asked, request_of(event), event)
            case EventKind.OK | EventKind.FAIL | EventKind.INFO:
                self.asked.pop(request_of(event), None)
            case EventKind.FAULT:
                self.faults.begin(event)
            case EventKind.HEAL | EventKind.START | EventKind.STOP | EventKind.CRASH:
                self.faults.end(event)


def remember(open_: dict[K, V], key: K, value: V) -> None:
    """Add what may never end; of too many, the oldest goes."""
    if len(open_) >= OPEN_MAX:
        del open_[next(iter(open_))]
    open_[key] = value


def message_of(event: Event) -> object:
    """The number of a message; events without one are alone."""
    number = event.fields.get(MESSAGE)
    return number if isinstance(number, int | str) else (event.line,)


def request_of(event: Event) -> tuple[str, object]:
    """The client and its number for a request."""
    number = event.fields.get("op")
    return event.client or "", number if isinstance(number, int | str) else None


def number_of(fields: Mapping[str, Any], name: str) -> int | None:
    """A whole number; `None` where there is none."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None

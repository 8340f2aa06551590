"""Clients of the simulated cluster: a request at a moment, and what the client hears of it.

A client asks the node that it last took for the leader, or first the one that it is told to ask. A
node that certainly did nothing (it does not lead, it does not run) is left for the leader that it
names, or the next one; one that may have proposed something is waited for, until the answer comes,
the connection breaks or the time is over: then the fate of a write is unknown, and a read has
failed. This is what `walctl.cluster.client` does over HTTP.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from walctl.checker.history import Fate as SeenFate
from walctl.checker.history import Function, History, Operation
from walctl.cluster.answers import Fate, Read
from walctl.cluster.deeds import Ask
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind, packed
from walctl.cluster.quoting import bytes_of
from walctl.cluster.service import Service
from walctl.cluster.waiting import Tell, Told
from walctl.raft.types import NOBODY
from walctl.sim.chance import Streams
from walctl.sim.clockwork import Clockwork, Rank
from walctl.sim.site import Seat, Site

TIMEOUT_US: Final = 2_000_000
WAY_US: Final = 200
"""One way between a client and a node, at least; as much again may come on top."""
RETRY_US: Final = 20_000
_FUNCTIONS: Final = {
    "put": Function.PUT,
    "get": Function.GET,
    "del": Function.DELETE,
    "cas": Function.CAS,
}
_KINDS: Final = {
    Fate.OK: EventKind.OK,
    Fate.FAIL: EventKind.FAIL,
    Fate.UNKNOWN: EventKind.INFO,
}


class Served(Protocol):
    """What clients are given of the world."""

    clock: Clockwork
    streams: Streams

    @property
    def sites(self) -> Mapping[str, Site]:
        """The nodes, by name."""

    def hosts(self, group: str) -> list[str]:
        """The nodes that hold a group now."""

    def node_name(self, node_id: int) -> str | None:
        """The name of a node's id; `None`: nobody's."""

    def tell(
        self, kind: EventKind, fields: Mapping[str, Any], *, node: str | None, group: str | None
    ) -> None:
        """Something happened."""

    def answered(self, seat: Seat, request: "Request", told: Told) -> None:
        """A member gives an answer."""


@dataclass(slots=True, eq=False)
class Request:
    """One request, and what is known of it. `is_handed_over` tells nobody that it was done:
    raftexample's way, a write that is forgotten at once."""

    number: int
    client: int
    group: str
    ask: Ask
    call_us: int
    key: bytes
    value: bytes | None
    expected: bytes | None
    is_handed_over: bool = False
    end_us: int | None = None
    fate: Fate | None = None
    words: str = ""
    output: bytes | None = None
    index: int | None = None
    is_mismatch: bool = False
    tries: int = 0
    node: str = ""
    on_end: Callable[[], None] | None = None
    """Called once, when the client knows as much as it ever will."""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.ask.verb == "get"

    def operation(self) -> Operation:
        """For the checker; what has no end yet may still happen."""
        fate = SeenFate(self.fate or Fate.UNKNOWN)
        return Operation(
            number=self.number,
            client=str(self.client),
            function=_FUNCTIONS[self.ask.verb],
            group=self.group,
            key=self.key,
            call=self.call_us,
            end=None if fate is SeenFate.UNKNOWN else self.end_us,
            fate=fate,
            value=self.value,
            expected=self.expected,
            output=self.output,
            is_mismatch=self.is_mismatch,
            index=self.index,
        )


class Clients:
    """All of them. `requests` are all that were ever asked, by number."""

    def __init__(self, world: Served) -> None:
        self.requests: list[Request] = []
        self.counts: dict[Fate, int] = dict.fromkeys(Fate, 0)
        self._world = world
        self._leaders: dict[tuple[int, str], str] = {}
        self._next: dict[tuple[int, str], int] = {}

    def ask(self, ask: Ask, group: str, *, is_handed_over: bool = False) -> Request:
        """A client asks now; without a number it is one of its own."""
        number = len(self.requests)
        client = ask.client if ask.client is not None else number
        request = Request(
            number=number,
            client=client,
            group=group,
            ask=ask,
            call_us=self._world.clock.now_us,
            key=bytes_of(ask.key),
            value=_bytes(ask.value),
            expected=_bytes(ask.expected),
            is_handed_over=is_handed_over,
        )
        self.requests.append(request)
        self._world.tell(EventKind.INVOKE, _invoked(request), node=None, group=group)
        self._world.clock.after(TIMEOUT_US, Rank.CLIENT, lambda: self._time_out(request))
        self._try(request)
        return request

    @property
    def open_count(self) -> int:
        """Requests that have no end yet."""
        return len(self.requests) - sum(self.counts.values())

    def history(self) -> History:
        """What the checker judges."""
        return History(tuple(each.operation() for each in self.requests), format="simulator")

    def _way_us(self, request: Request) -> int:
        """Drawn for the moment, so that a request less changes no other one's way."""
        drawn = request.call_us * 7919 + request.client * 15485863 + request.tries * 104729
        return WAY_US + drawn % WAY_US

    def _try(self, request: Request) -> None:
        """Send it to the node that is likely to lead."""
        name = self._chosen(request)
        if name is None:
            # Told later, as every answer is: who asks again at once must not do so for ever.
            words = f"nobody holds {request.group}"
            self._world.clock.after(
                WAY_US, Rank.CLIENT, lambda: self._end(request, Told(fate=Fate.FAIL, words=words))
            )
            return
        request.tries += 1
        request.node = name
        self._world.clock.after(
            self._way_us(request), Rank.CLIENT, lambda: self._arrive(request, name)
        )

    def _chosen(self, request: Request) -> str | None:
        is_bound = request.is_handed_over or request.ask.read == Read.LOCAL
        if request.ask.via is not None and (is_bound or request.tries == 0):
            return request.ask.via
        place = request.client, request.group
        hosts = self._world.hosts(request.group)
        leader = self._leaders.get(place)
        if leader in hosts:
            return leader
        if not hosts:
            return None
        turn = self._next[place] = self._next.get(place, request.client) + 1
        return hosts[turn % len(hosts)]

    def _arrive(self, request: Request, name: str) -> None:
        """It reaches the node."""
        if request.fate is not None:
            return
        site = self._world.sites.get(name)
        if site is None:
            self._refused(request, "no such node")
            return
        seat = site.seats.get(request.group)
        deed = self._deed(request)
        words = site.ask(request.group, deed, lambda told: self._reply(request, site, seat, told))
        if words:
            self._refused(request, words)

    def _deed(self, request: Request) -> Callable[[Driver, Tell], None]:
        if request.is_read:
            match request.ask.read:
                case Read.LOCAL:
                    return lambda driver, tell: tell(Told(fate=Fate.OK, index=driver.applied))
                case Read.LEASE:
                    return lambda driver, tell: driver.read_by_lease(tell)
            return lambda driver, tell: driver.read(tell)
        if request.is_handed_over:
            return lambda driver, tell: _handed_over(
                driver, payload_of(driver.service, request), tell
            )
        return lambda driver, tell: driver.propose(payload_of(driver.service, request), tell)

    def _reply(self, request: Request, site: Site, seat: Seat | None, told: Told) -> None:
        """The node knows what became of it; the answer is on its way when its disk is done."""
        if request.fate is not None:
            return
        output = None
        if told.fate is Fate.OK:
            if request.is_read and seat is not None and seat.driver is not None:
                output = seat.driver.service.read(request.key)
                told = replace(told, index=seat.driver.applied)
            if seat is not None and not request.is_handed_over:
                self._world.answered(seat, request, told)
        late_us = max(0, site.busy_until_us - self._world.clock.now_us) + site.disk.lag_us
        way_us = late_us + self._way_us(request)
        lead = NOBODY if seat is None or seat.driver is None else seat.driver.lead
        leader = self._world.node_name(lead)
        self._world.clock.after(
            way_us, Rank.CLIENT, lambda: self._hear(request, site.name, told, output, leader)
        )

    def _hear(
        self, request: Request, name: str, told: Told, output: bytes | None, leader: str | None
    ) -> None:
        """The answer has come; `leader` is whom the node takes for that."""
        if request.fate is not None:
            return
        place = request.client, request.group
        if told.fate is Fate.OK:
            self._leaders[place] = name
            request.output = output
        elif told.fate is Fate.FAIL and told.index is None and not request.is_handed_over:
            self._refused(request, told.words, leader)
            return
        elif told.fate is Fate.FAIL and request.ask.verb == "cas":
            request.is_mismatch = True
        if request.is_read and told.fate is Fate.UNKNOWN:
            self._refused(request, told.words, leader)
            return
        self._end(request, told)

    def _refused(self, request: Request, words: str, leader: str | None = None) -> None:
        """Certainly nothing was done: somebody else is asked, after a while."""
        self._leaders.pop((request.client, request.group), None)
        if leader is not None:
            self._leaders[request.client, request.group] = leader
        request.words = words
        if request.is_handed_over:
            self._end(request, Told(fate=Fate.FAIL, words=words))
            return
        request.node = ""
        self._world.clock.after(RETRY_US, Rank.CLIENT, lambda: self._try_again(request))

    def _try_again(self, request: Request) -> None:
        if request.fate is None:
            self._try(request)

    def _time_out(self, request: Request) -> None:
        if request.fate is None:
            self._leaders.pop((request.client, request.group), None)
            is_certain = request.is_read or not request.node
            fate = Fate.FAIL if is_certain else Fate.UNKNOWN
            words = f"timed out: {request.words}" if request.words else "timed out"
            self._end(request, Told(fate=fate, words=words))

    def _end(self, request: Request, told: Told) -> None:
        """The client knows as much as it ever will."""
        fate = told.fate
        if request.is_handed_over and fate is Fate.OK:
            fate = Fate.UNKNOWN  # nobody said that it will ever be committed
        request.fate, request.words = fate, told.words
        request.index = told.index if fate is not Fate.UNKNOWN else None
        request.end_us = self._world.clock.now_us
        self.counts[fate] += 1
        self._world.tell(_KINDS[fate], _ended(request), node=None, group=request.group)
        if request.on_end is not None:
            request.on_end()


def payload_of(service: Service, request: Request) -> bytes:
    """The entry that a write becomes."""
    match request.ask.verb:
        case "put":
            return service.put(request.key, request.value or b"")
        case "del":
            return service.delete(request.key)
    return service.swap(request.key, request.expected, request.value)


def _handed_over(driver: Driver, data: bytes, tell: Tell) -> None:
    taken = driver.hand_over(data)
    words = "handed to Raft" if taken else driver.not_leading
    tell(Told(fate=Fate.OK if taken else Fate.FAIL, words=words))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes_of(text)


def _invoked(request: Request) -> dict[str, Any]:
    ask = request.ask
    fields: dict[str, Any] = {
        "c": request.client,
        "op": request.number,
        "f": str(_FUNCTIONS[ask.verb]),
        **packed("key", bytes_of(ask.key)),
    }
    if ask.value is not None:
        fields |= packed("v", bytes_of(ask.value))
    if ask.expected is not None:
        fields |= packed("expect", bytes_of(ask.expected))
    return fields


def _ended(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = {"c": request.client, "op": request.number}
    if request.index is not None:
        fields["rev"] = request.index
    if request.is_read and request.fate is Fate.OK and request.output is not None:
        fields |= packed("v", request.output)
    if request.node:
        fields["by"] = request.node
    if request.words:
        fields["why"] = request.words
    return fields

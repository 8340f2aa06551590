"""The simulated network: links between nodes, what is wrong with them, and messages on their way.

A message leaves when its node's disk is done with what it promises, and arrives one link delay
later. Messages of a link arrive in the order in which they were sent, as on a TCP stream, but for
those that a fault lets be overtaken, and for snapshots, which have a stream of their own. A link
that is cut loses what it is given and what is on its way.

What a link does is a `LinkFault`, as for the proxies of real processes; the draws come from streams
of the link. What was drawn for a single message can be told and repeated as a deed (`OneMessage`):
a message is known by its link, group, type and term, and by how many of these there were before,
so that it is the same message when other things are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from formats.raftpb import MessageType
from walctl.cluster.deeds import Lot, OneMessage
from walctl.cluster.events import EventKind
from walctl.cluster.faults import WELL, Link, LinkFault
from walctl.raft.describe import message_name
from walctl.raft.types import Message
from walctl.sim.chance import Stream, Streams
from walctl.sim.clockwork import Clockwork, Rank

SNAPSHOT_BYTES_PER_SECOND: Final = 100_000_000
SNAPSHOT_STALL_US: Final = 2_000_000
"""So long after a snapshot was lost its sender gives it up."""
DOUBLE_US: Final = 300_000
"""How much later the second of a doubled message comes, on the average."""
UNREACHED_US: Final = 1_000
"""So long after a message met a node that is not there its sender is told."""


class Sites(Protocol):
    """Who is at the ends of links."""

    def arrive(self, target: str, group: str, message: Message) -> bool:
        """A message arrives; false: nobody is there."""

    def unreached(self, source: str, group: str, message: Message) -> None:
        """A message did not reach its target, and its sender can see that."""

    def snapshot_over(self, source: str, group: str, message: Message, *, is_done: bool) -> None:
        """A snapshot has got through, or never will."""


class Told(Protocol):
    """Takes events of the network."""

    def __call__(
        self, kind: EventKind, fields: dict[str, Any], *, node: str | None, group: str
    ) -> None:
        """One event."""


@dataclass(slots=True)
class _Wire:
    """One direction between two nodes."""

    link: Link
    delays: Stream
    losses: Stream
    fault: LinkFault
    types: frozenset[MessageType] | None = None
    """What a cut is about; `None`: everything."""
    last_us: int = 0
    """When the last message that keeps the order arrives."""
    counts: dict[tuple[str, int, int], int] = field(default_factory=dict)

    def is_cut_for(self, message: Message) -> bool:
        """Whether it loses this message for certain."""
        return self.fault.is_cut and (self.types is None or message.type in self.types)


class Network:
    """See the module. `base` is what a link that is well does: its delay and jitter.

    `on_event` is told of all that happens to messages; `None`: nobody wants to know. `drawn`
    collects what chance did to single messages, if it is a list.
    """

    def __init__(
        self, clock: Clockwork, streams: Streams, sites: Sites, *, base: LinkFault = WELL
    ) -> None:
        self.base = base
        self.messages = 0
        self.on_event: Told | None = None
        self.drawn: list[OneMessage] | None = None
        self._clock = clock
        self._streams = streams
        self._sites = sites
        self._wires: dict[tuple[str, str], _Wire] = {}
        self._lots: dict[tuple[str, str, str, int, int, int], OneMessage] = {}

    # What is wrong.

    def faults(self) -> dict[Link, LinkFault]:
        """What is on, by link; those that are well are not there."""
        return {wire.link: wire.fault for wire in self._wires.values() if not wire.fault.is_none}

    def set(
        self, link: Link, fault: LinkFault, types: frozenset[MessageType] | None = None
    ) -> None:
        """Let a link do this from now on; `types` are those that a cut is about."""
        wire = self._wire(link.source, link.target)
        wire.fault, wire.types = fault, types

    def decide(self, lot: OneMessage) -> None:
        """What becomes of one message that is to come."""
        type_, nth, group = _TYPES[lot.type], lot.nth, lot.group or ""
        if lot.is_from_now:
            nth += self._wire(lot.source, lot.target).counts.get((group, type_, lot.term), 0)
        key = (lot.source, lot.target, group, type_, lot.term, nth)
        self._lots[key] = lot

    def forget_lots(self) -> None:
        """What was decided of messages to come counts no more."""
        self._lots.clear()

    # Messages.

    def send(self, source: str, target: str, group: str, message: Message, at_us: int) -> None:
        """A message leaves at `at_us`, which may lie ahead."""
        number = self.messages
        self.messages += 1
        wire = self._wire(source, target)
        kind = (group, message.type, message.term)
        nth = wire.counts[kind] = wire.counts.get(kind, 0) + 1
        if self.on_event is not None:
            self._tell_send(wire, group, message, number, at_us)
        if self._lots:
            key = (source, target, group, message.type, message.term, nth)
            lot = self._lots.get(key) or self._lots.get((*key[:2], "", *key[3:]))
            if lot is not None:
                self._by_lot(wire, group, message, number, at_us, lot)
                return
        if wire.is_cut_for(message):
            self._lose(wire, group, message, number, "cut", at_us)
            return
        base, fault = self.base, wire.fault
        arrival = at_us + wire.delays.around(base.delay_us, base.jitter_us)
        if not fault.is_none:
            if fault.loss_ppm and wire.losses.happens(fault.loss_ppm):
                self._note(wire, group, message, nth, Lot.DROP)
                self._lose(wire, group, message, number, "loss", at_us)
                return
            arrival += self._more_delay(wire, message)
            if fault.duplicate_ppm and wire.losses.happens(fault.duplicate_ppm):
                self._note(wire, group, message, nth, Lot.DOUBLE)
                self._double(wire, group, message, number, arrival)
            if fault.reorder_ppm and wire.losses.happens(fault.reorder_ppm):
                arrival += 2 * (base.delay_us + fault.delay_us) + UNREACHED_US
                self._note(wire, group, message, nth, Lot.LATE, arrival - at_us)
                self._fly(wire, group, message, number, arrival)
                return
        if message.type == MessageType.SNAP:
            self._fly(wire, group, message, number, arrival + self._snapshot_us(wire, message))
            return
        wire.last_us = arrival = max(arrival, wire.last_us)
        self._fly(wire, group, message, number, arrival)

    def _wire(self, source: str, target: str) -> _Wire:
        wire = self._wires.get((source, target))
        if wire is None:
            link = Link(source, target)
            wire = self._wires[source, target] = _Wire(
                link, self._streams[f"delay/{link}"], self._streams[f"loss/{link}"], WELL
            )
        return wire

    def _more_delay(self, wire: _Wire, message: Message) -> int:
        fault = wire.fault
        more = 0
        if fault.delay_us or fault.jitter_us:
            more = wire.delays.around(fault.delay_us, fault.jitter_us)
        if fault.bytes_per_second is not None and message.type != MessageType.SNAP:
            more += 1_000_000 * (_FRAME_BYTES + _data_bytes(message)) // fault.bytes_per_second
        return more

    def _snapshot_us(self, wire: _Wire, message: Message) -> int:
        rate = wire.fault.bytes_per_second or SNAPSHOT_BYTES_PER_SECOND
        return 1_000_000 * _data_bytes(message) // rate

    def _by_lot(
        self, wire: _Wire, group: str, message: Message, number: int, at_us: int, lot: OneMessage
    ) -> None:
        """What was decided for this very message; a cut loses it all the same."""
        if lot.lot is Lot.DROP or wire.is_cut_for(message):
            self._lose(wire, group, message, number, "drop", at_us)
            return
        arrival = at_us + wire.delays.around(self.base.delay_us, self.base.jitter_us)
        if lot.lot is Lot.DOUBLE:
            self._double(wire, group, message, number, arrival)
        elif lot.lot is Lot.AGAIN:
            self._fly(wire, group, message, number, at_us + lot.late_us)
        else:
            arrival = at_us + lot.late_us
        self._fly(wire, group, message, number, arrival)

    def _double(
        self, wire: _Wire, group: str, message: Message, number: int, arrival_us: int
    ) -> None:
        if self.on_event is not None:
            self.on_event(EventKind.DUP, {"m": number}, node=None, group=group)
        # What is sent twice may come again at any later time.
        later = arrival_us + wire.losses.exponential(DOUBLE_US)
        self._fly(wire, group, message, number, later)

    def _fly(self, wire: _Wire, group: str, message: Message, number: int, arrival_us: int) -> None:
        """It arrives then, unless the link is cut meanwhile."""

        def land() -> None:
            if wire.fault.is_cut and wire.is_cut_for(message):
                self._lose(wire, group, message, number, "cut", self._clock.now_us)
                return
            source, target = wire.link.source, wire.link.target
            if self.on_event is not None:
                fields = {"from": source, "m": number}
                self.on_event(EventKind.RECV, fields, node=target, group=group)
            is_there = self._sites.arrive(target, group, message)
            if message.type == MessageType.SNAP:
                self._sites.snapshot_over(source, group, message, is_done=is_there)
            elif not is_there:
                self._after(UNREACHED_US, lambda: self._sites.unreached(source, group, message))

        self._clock.at(arrival_us, Rank.NETWORK, land)

    def _lose(
        self, wire: _Wire, group: str, message: Message, number: int, why: str, at_us: int
    ) -> None:
        if self.on_event is not None:
            self.on_event(EventKind.DROP, {"m": number, "why": why}, node=None, group=group)
        source = wire.link.source
        late = at_us - self._clock.now_us
        if message.type == MessageType.SNAP:
            self._after(
                late + SNAPSHOT_STALL_US,
                lambda: self._sites.snapshot_over(source, group, message, is_done=False),
            )
        elif wire.fault.is_reset:
            self._after(late + UNREACHED_US, lambda: self._sites.unreached(source, group, message))

    def _after(self, delay_us: int, deed: Callable[[], None]) -> None:
        self._clock.after(delay_us, Rank.NETWORK, deed)

    def _note(
        self, wire: _Wire, group: str, message: Message, nth: int, lot: Lot, late_us: int = 0
    ) -> None:
        """Chance had it that way."""
        if self.drawn is not None:
            self.drawn.append(
                OneMessage(
                    source=wire.link.source,
                    target=wire.link.target,
                    type=message_name(message.type),
                    term=message.term,
                    nth=nth,
                    lot=lot,
                    late_us=late_us,
                    group=group,
                )
            )

    def _tell_send(
        self, wire: _Wire, group: str, message: Message, number: int, at_us: int
    ) -> None:
        assert self.on_event is not None, "asked by the caller"
        fields: dict[str, Any] = {
            "to": wire.link.target,
            "m": number,
            "y": message_name(message.type),
            "term": message.term,
            "idx": message.index,
        }
        if message.entries:
            fields["count"] = len(message.entries)
        if message.reject:
            fields["reject"] = True
        if at_us != self._clock.now_us:
            fields["leaves"] = at_us
        self.on_event(EventKind.SEND, fields, node=wire.link.source, group=group)


_FRAME_BYTES: Final = 64
"""About what a message has besides its entries."""
_TYPES: Final = {message_name(each): each for each in MessageType}


def _data_bytes(message: Message) -> int:
    size = sum(len(entry.data or b"") + _FRAME_BYTES for entry in message.entries)
    if message.snapshot is not None and message.snapshot.data is not None:
        size += len(message.snapshot.data)
    return size

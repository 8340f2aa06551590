"""The simulated world: nodes, links, clients and their clock, and what may be done to them at once.

    Clockwork ── one queue of virtual time
    Streams   ── chance, by purpose and place
    Network   ── links, their faults, messages on their way
    Site      ── a node: SimDisk below, a Driver for each of its groups
    Clients   ── requests and what became of them

`do` carries out a deed that is done at once; what takes time (a load, a wait, a change of members)
is `play`'s. Nothing here knows of checks: whoever wants to see is an `Onlooker`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from formats.raftpb import MessageType
from walctl.cluster.deeds import (
    Ask,
    Clock,
    Damage,
    Deed,
    Directories,
    DiskOff,
    DiskOn,
    MakeCluster,
    Net,
    OneMessage,
    Process,
    Propose,
    RaftVerb,
    Repair,
    Twin,
)
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.faults import LinkFault
from walctl.cluster.topology import change, resolve
from walctl.cluster.waiting import Told
from walctl.errors import AccessError, ClusterError, UsageError
from walctl.fs.disk_faults import CrashMode, DiskFaultKind
from walctl.raft.describe import message_type
from walctl.raft.types import NOBODY, Message
from walctl.sim.chance import Streams
from walctl.sim.clients import Clients, Request
from walctl.sim.clockwork import Clockwork
from walctl.sim.disk import SimDisk
from walctl.sim.network import Network
from walctl.sim.onlooker import Onlooker
from walctl.sim.recorder import Recorder
from walctl.sim.repairing import Repaired, repair
from walctl.sim.site import Seat, Site, Ways

LINK: Final = LinkFault(delay_us=1_000, jitter_us=500)
"""What a link that is well does."""
_FIRST_SEED: Final = 0


class World:
    """A cluster as `made`, nobody of which runs yet; `begin` starts all.

    `recorder` takes the events of a run that is to be told; `None`: nobody wants to know.
    """

    def __init__(
        self,
        made: MakeCluster,
        *,
        onlooker: Onlooker | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.made = made
        self.ways = _ways(made)
        self.clock = Clockwork()
        self.streams = Streams(made.seed if made.seed is not None else _FIRST_SEED)
        self.onlooker = onlooker or Onlooker()
        self.recorder = recorder
        self.elections: dict[str, int] = {}
        """How often a member of each group became leader."""
        self.network = Network(self.clock, self.streams, self, base=made.link or LINK)
        self.clients = Clients(self)
        self.sites: dict[str, Site] = {}
        self.repairs: list[Repaired] = []
        """What became of every repair, in their order."""
        self.groups: dict[str, list[str]] = {}
        """The nodes that each group began with."""
        self._names: dict[int, str] = {}
        if recorder is not None:
            self.network.on_event = self.tell
        for name in made.names:
            self.add_site(name)
        for group in made.groups:
            self.found(group, made.names)

    def begin(self) -> None:
        """Start every node."""
        for site in self.sites.values():
            site.start()

    # What is there.

    def add_site(self, name: str) -> Site:
        """One more node, which holds nothing and does not run. Raises: UsageError."""
        if name in self.sites:
            raise UsageError(f"expected a new node, found {name}, which is there")
        node_id = number_of(name)
        site = self.sites[name] = Site(name, node_id, self, self._disk(name))
        self._names.setdefault(node_id, name)
        return site

    def found(self, group: str, names: Iterable[str]) -> None:
        """A new group, which these nodes begin."""
        if group in self.groups:
            raise UsageError(f"expected a new group, found {group}, which is there")
        self.groups[group] = list(names)
        for name in self.groups[group]:
            self.site(name).host(group, is_founder=True)

    def site(self, name: str) -> Site:
        """The node of a name. Raises: UsageError."""
        if name not in self.sites:
            raise UsageError(f"no node {name!r}; there are {', '.join(self.sites)}")
        return self.sites[name]

    def group(self, name: str | None) -> str:
        """The group that is meant; `None`: the first. Raises: UsageError."""
        if name is None:
            return next(iter(self.groups))
        if name not in self.groups:
            raise UsageError(f"no group {name!r}; there are {', '.join(self.groups)}")
        return name

    def hosts(self, group: str) -> list[str]:
        """The nodes that hold a group."""
        return [name for name, site in self.sites.items() if group in site.hosted]

    def founders(self, group: str) -> Sequence[int]:
        """The ids of the members that a group began with."""
        return [self.sites[name].id for name in self.groups[group]]

    def drivers(self, group: str) -> dict[str, Driver]:
        """The members of a group that run, by their nodes."""
        return {
            name: seat.driver
            for name, site in self.sites.items()
            if site.is_up and (seat := site.seats.get(group)) is not None and seat.driver
        }

    def leader(self, group: str) -> str | None:
        """The node whose member leads, of the highest term where several think so."""
        best: tuple[int, str] | None = None
        for name, driver in self.drivers(group).items():
            term = driver.node.raft.term
            if driver.is_leader and (best is None or term > best[0]):
                best = term, name
        return None if best is None else best[1]

    def node_name(self, node_id: int) -> str | None:
        """The name of a node's id."""
        return self._names.get(node_id)

    def name(self, word: str, group: str | None = None) -> str:
        """The node that a word means now. Raises: UsageError, ClusterError."""
        which = self.group(group)
        if word == "leader":
            leader = self.leader(which)
            if leader is None:
                raise ClusterError(f"nobody leads {which}")
            return leader
        if word in ("follower", "random"):
            leader = self.leader(which) if word == "follower" else None
            free = [each for each in self.drivers(which) if each != leader]
            if not free:
                raise ClusterError(f"no {word} of {which} runs")
            return self.streams.fresh(f"role/{word}/{self.clock.now_us}").choice(free)
        return self.site(word).name

    # What happens.

    def tell(
        self,
        kind: EventKind,
        fields: Mapping[str, Any],
        *,
        node: str | None,
        group: str | None,
    ) -> None:
        """One event of the trace."""
        if kind is EventKind.ROLE and fields["to"] == "leader":
            place = group or ""
            self.elections[place] = self.elections.get(place, 0) + 1
        if self.recorder is not None:
            self.recorder.tell(self.clock.now_us, kind, fields, node=node, group=group)

    def send(self, source: Site, group: str, message: Message, at_us: int) -> None:
        """A message leaves a node; one for nobody we know goes nowhere."""
        target = self._names.get(message.target)
        if target is not None:
            self.network.send(source.name, target, group, message, at_us)

    def arrive(self, target: str, group: str, message: Message) -> bool:
        """See `network.Sites`."""
        return self.sites[target].receive(group, message)

    def unreached(self, source: str, group: str, message: Message) -> None:
        """See `network.Sites`."""
        self.sites[source].do(group, lambda driver: driver.report_unreachable(message.target))

    def snapshot_over(self, source: str, group: str, message: Message, *, is_done: bool) -> None:
        """See `network.Sites`."""
        self.sites[source].do(
            group, lambda driver: driver.report_snapshot(message.target, is_done=is_done)
        )

    def answered(self, seat: Seat, request: Request, told: Told) -> None:
        """See `clients.Served`."""
        self.onlooker.answered(seat, request, told)

    # What is done.

    def do(self, deed: Deed) -> str:
        """Do it now; what was done, in words. Raises: UsageError, ClusterError, where it cannot be
        done, and nothing was."""
        match deed:
            case Net():
                return self._net(deed)
            case OneMessage():
                group = self.group(deed.group) if deed.is_from_now else deed.group
                self.network.decide(replace(deed, group=group))
                return deed.words
            case Process():
                return self._process(deed)
            case DiskOn() | DiskOff():
                return self._disk_fault(deed)
            case Damage() | Directories():
                return self._at_rest(deed)
            case Repair():
                return repair(self, deed)
            case Clock():
                return self._clock(deed)
            case RaftVerb():
                return self._raft(deed)
            case Twin():
                return self._twin(deed)
            case Ask():
                self.clients.ask(self._placed(deed), self.group(deed.group))
                return ""
            case Propose():
                group = self.group(deed.group)
                via = self.name(deed.node, group)
                ask = Ask(verb="put", key=deed.key, value=deed.value, via=via)
                self.clients.ask(ask, group, is_handed_over=True)
                return ""
        raise UsageError(f"{deed.words}: takes time, and is not done at once")

    def heal(self) -> None:
        """Every link is well, and nothing is decided of messages to come."""
        self.network.forget_lots()
        for link in list(self.network.faults()):
            self.network.set(link, LinkFault())
        self.tell(EventKind.HEAL, {"on": "net", "args": {}}, node=None, group=None)

    def _net(self, deed: Net) -> str:
        words = tuple(filter(_is_between_two, resolve((deed.verb, *deed.rest), self.name)))
        made = change(words, nodes=list(self.sites), on=self.network.faults())
        types = frozenset(_type(each) for each in deed.types) if deed.types else None
        for link, fault in made.faults.items():
            self.network.set(link, fault, types if fault.is_cut else None)
        is_heal = deed.verb == "heal" or deed.rest[-1:] == ("off",)
        kind = EventKind.HEAL if is_heal else EventKind.FAULT
        args = {"words": " ".join(words), "links": list(made.links)}
        self.tell(kind, {"on": made.on, "args": args}, node=None, group=None)
        return " ".join(words)

    def _process(self, deed: Process) -> str:
        site = self.site(self.name(deed.node))
        fault = EventKind.FAULT
        match deed.verb:
            case "start" | "restart" if site.barred:
                raise ClusterError(f"{site.name}: not started: {site.barred}")
            case "start" | "restart":
                if deed.verb == "restart":
                    site.stop()
                site.start()
            case "stop":
                site.stop()
            case "pause" if site.is_up:
                site.pause()
                self._fault(fault, site, "pause")
            case "resume":
                site.resume()
                self._fault(EventKind.HEAL, site, "pause")
            case _ if not site.is_up:
                return f"{deed.verb} {site.name}: does not run"
            case _ if deed.call is not None:
                site.arm(deed.mode, call=deed.call, keep=deed.keep)
                self._fault(fault, site, "power-cut", mode=str(deed.mode), call=deed.call)
            case _ if deed.mode is CrashMode.CLEAN and deed.keep is None:
                site.kill()
            case _:
                site.cut_power(deed.mode, deed.keep)
        return f"{deed.verb} {site.name}"

    def _disk_fault(self, deed: DiskOn | DiskOff) -> str:
        site = self.site(self.name(deed.node))
        if isinstance(deed, DiskOn):
            site.disk.set(deed.fault)
            if deed.fault.kind in _FORGETFUL:
                # What it writes from now on may be gone, whatever it is told.
                self.onlooker.tampered(site, str(deed.fault.kind))
            self._fault(EventKind.FAULT, site, "disk", kind=str(deed.fault.kind))
        else:
            site.disk.clear(deed.kind)
            self._fault(EventKind.HEAL, site, "disk", kind=str(deed.kind or "all"))
        return deed.words

    def _at_rest(self, deed: Damage | Directories) -> str:
        site = self.site(self.name(deed.node))
        is_copy = isinstance(deed, Directories) and deed.verb == "keep"
        if site.is_up:
            raise ClusterError(f"{site.name}: expected a node that does not run, found it running")
        words, group, is_mendable = deed.words, deed.group, False
        if isinstance(deed, Damage):
            group = self.group(deed.group)
            try:
                args = site.disk.damage(
                    replace(deed, group=group), is_honest=not self.made.is_unbounded
                )
            except AccessError as error:  # what has rotted before cannot be read
                raise ClusterError(error.message) from error
            words = f"{words}: {args}"
            is_mendable = "lie" not in args
        elif deed.verb == "wipe":
            site.disk.wipe(deed.group)
        elif is_copy:
            site.disk.keep(deed.name or deed.KEPT)
        else:
            site.disk.rewind(deed.name or deed.KEPT, deed.group, part=deed.part)
        if not is_copy:
            site.barred = ""
            self._fault(EventKind.FAULT, site, deed.verb, words=words)
            self.onlooker.tampered(site, deed.verb, group=group, is_mendable=is_mendable)
        return words

    def _clock(self, deed: Clock) -> str:
        site = self.site(self.name(deed.node))
        rate = 100 if deed.rate_percent is None and deed.jump_us is None else deed.rate_percent
        if rate is not None:
            site.set_rate(rate)
            kind = EventKind.HEAL if rate == 100 else EventKind.FAULT
            self._fault(kind, site, "clock", rate_percent=rate)
        if deed.jump_us:
            self._fault(EventKind.FAULT, site, "clock-jump", jump_us=deed.jump_us)
            site.jump(deed.jump_us)
        return deed.words

    def _raft(self, deed: RaftVerb) -> str:
        group = self.group(deed.group)
        name = self.name(deed.node, group)
        if deed.verb == "transfer":
            leader, target = self.name("leader", group), self.site(name).id
            self.site(leader).do(group, lambda driver: driver.transfer(target))
            return f"{leader} hands {group} to {name}"
        deeds: dict[str, Callable[[Driver], object]] = {
            "campaign": Driver.campaign,
            "snapshot": _want_snapshot,
            "compact": lambda driver: driver.compact(driver.snapshot_index),
        }
        if not self.site(name).do(group, lambda driver: _done(deeds[deed.verb](driver))):
            raise ClusterError(f"{name}: no member of {group} runs there")
        return deed.words

    def _twin(self, deed: Twin) -> str:
        site = self.site(deed.node)
        if deed.name in self.sites:
            raise UsageError(f"{deed.name}: expected a new name for the twin, found a node")
        disk = site.disk.copy(deed.name)
        twin = self.sites[deed.name] = Site(deed.name, site.id, self, disk)
        for group in site.hosted:
            twin.host(group)
        self._fault(EventKind.FAULT, site, "twin", name=deed.name)
        twin.start()
        return deed.words

    def _placed(self, ask: Ask) -> Ask:
        if ask.via is None:
            return ask
        return replace(ask, via=self.name(ask.via, ask.group))

    def _fault(self, event: EventKind, site: Site, what: str, **args: object) -> None:
        self.tell(event, {"on": what, "args": args}, node=site.name, group=None)

    def _disk(self, name: str) -> SimDisk:
        def tell(kind: EventKind, fields: Mapping[str, Any]) -> None:
            self.tell(kind, fields, node=name, group=None)

        return SimDisk(
            name,
            streams=self.streams,
            sync_us=self.ways.sync_us,
            sync_jitter_us=self.ways.sync_jitter_us,
            now_us=lambda: self.clock.now_us,
            tell=tell,
            is_chatty=self.recorder is not None,
        )


_FORGETFUL: Final = frozenset({DiskFaultKind.LYING_SYNC, DiskFaultKind.MISDIRECTED})


def number_of(name: str) -> int:
    """The id of the node of a name. Raises: UsageError, for a name without a number."""
    digits = name.lstrip("abcdefghijklmnopqrstuvwxyz-_")
    if not digits.isdecimal() or int(digits) == NOBODY:
        raise UsageError(f"expected a node's name with its number, as n4, found {name!r}")
    return int(digits)


def _is_between_two(word: str) -> bool:
    """Not so where `leader->n1` is about n1 alone, which leads."""
    source, arrow, target = word.partition("->")
    return not arrow or source != target


def _done(result: object) -> None:
    """What a member answers is not asked here."""


def _want_snapshot(driver: Driver) -> None:
    driver.wants_snapshot = True


def _type(name: str) -> MessageType:
    found = message_type(name)
    if found is None:
        raise UsageError(f"expected a type of message, as MsgApp, found {name!r}")
    return found


def _ways(made: MakeCluster) -> Ways:
    """What a scenario's first line says of members; what it leaves out is as usual."""
    usual = Ways()
    return Ways(
        tick_us=usual.tick_us if made.tick_ms is None else made.tick_ms * 1000,
        election_ticks=made.election_ticks or usual.election_ticks,
        pre_vote=usual.pre_vote if made.pre_vote is None else made.pre_vote,
        check_quorum=usual.check_quorum if made.check_quorum is None else made.check_quorum,
        snapshot_count=made.snapshot_count or usual.snapshot_count,
        catch_up_entries=usual.catch_up_entries
        if made.catch_up_entries is None
        else made.catch_up_entries,
        segment_bytes=made.segment_bytes or usual.segment_bytes,
        message_bytes=usual.message_bytes if made.message_bytes is None else made.message_bytes,
        sync_us=usual.sync_us if made.sync_us is None else made.sync_us,
        sync_jitter_us=made.sync_jitter_us if made.sync_us is not None else usual.sync_jitter_us,
    )

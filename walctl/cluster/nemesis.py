"""A nemesis: a mix of faults over time, drawn from a seed before anything is done.

Every interval something begins: a node is killed (and started again), paused, loses its power
within a write, has a disk or a clock that goes wrong; links are cut, slow, or lose messages; a
member comes or goes. Each ends again within about an interval, and at the end all is well. The
plan is a value: the same wish and the same seed make the same plan, anywhere.

Budget: at every moment at most a minority of the nodes, `hurt_max`, are killed, paused, torn, or
on a disk that fails; so a majority is there, and what is lost on a node's disk (only what was not
synced) nobody relied on. What would lose more than that (a wiped disk, a flipped bit, a disk that
lies) is not among the faults. One thing at a time is wrong with the network.

Source of the words: `fault_words`, `topology`; deeds can be written as a scenario.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from walctl.cluster.deeds import (
    Clock,
    Deed,
    DiskOff,
    MemberVerb,
    Net,
    Process,
)
from walctl.cluster.fault_words import clock, disk
from walctl.cluster.faults import CrashMode
from walctl.cluster.lab import Engine
from walctl.errors import UsageError
from walctl.raft.core import Draw

INTERVAL_US_MIN: Final = 100_000
STEPS_MAX: Final = 100_000
FAULTS: Final = (
    "kill",
    "pause",
    "torn",
    "partition",
    "delay",
    "loss",
    "disk",
    "clock",
    "member",
)
"""What a nemesis may do, in the order of the manual."""
ETCD_FAULTS: Final = ("kill", "pause", "partition", "delay", "loss", "member")
"""What it may do to real etcds."""
_TORN: Final = (CrashMode.TORN, CrashMode.LOSE_ALL, CrashMode.PREFIX)
_SLOW: Final = ("slow-fsync 100ms", "slow-fsync 500ms")
_REFUSING: Final = ("fail-fsync count=1", "eio count=1", "full 4KiB")
_CLOCK: Final = ("rate 50%", "rate 300%", "jump +2s")
_DELAY: Final = ("20ms±10ms", "100ms±50ms", "300ms±200ms")
_LOSS: Final = ("1%", "10%", "30%")


@dataclass(frozen=True, slots=True, kw_only=True)
class NemesisWish:
    """What a nemesis is to do: to these `nodes`, for `for_us`, something new every `interval_us`.

    `next_number` is that of the first node that it may add: `n4`.
    """

    faults: tuple[str, ...]
    nodes: tuple[str, ...]
    interval_us: int = 5_000_000
    for_us: int = 60_000_000
    next_number: int = 4

    @property
    def hurt_max(self) -> int:
        """How many nodes may be hurt at once: fewer than half."""
        return (len(self.nodes) - 1) // 2


@dataclass(frozen=True, slots=True)
class Timed:
    """A deed and its moment, in microseconds from the beginning; `is_heal` ends an earlier one."""

    at_us: int
    deed: Deed
    is_heal: bool = False


def faults_of(words: str, engine: Engine) -> tuple[str, ...]:
    """`kill,pause,partition` as names of faults; `all` are those the engine takes.

    Raises: UsageError.
    """
    known = ETCD_FAULTS if engine is Engine.ETCD else FAULTS
    if words == "all":
        return tuple(each for each in known if each != "member")
    names = tuple(dict.fromkeys(filter(None, words.split(","))))
    for name in names:
        if name not in known:
            which = "" if name not in FAULTS else f" of engine {engine}"
            raise UsageError(f"expected faults{which} ({', '.join(known)}), found {name!r}")
    if not names:
        raise UsageError(f"expected faults ({', '.join(known)}), found none")
    return names


def plan(wish: NemesisWish, draw: Draw) -> tuple[Timed, ...]:
    """All that is to be done, in the order of time. `draw` gives numbers below its argument.

    Raises: UsageError, for a wish that cannot be.
    """
    if wish.interval_us < INTERVAL_US_MIN or wish.for_us < wish.interval_us:
        raise UsageError("expected an interval from 100ms on, and a time that it fits into")
    if wish.for_us // wish.interval_us > STEPS_MAX:
        raise UsageError(f"expected at most {STEPS_MAX:,} intervals")
    planner = _Planner(wish, draw)
    steps = range(0, wish.for_us - wish.interval_us // 2, wish.interval_us)
    timed = [each for at in steps for each in planner.step(at)]
    timed += [Timed(wish.for_us, _member("remove", node), is_heal=True) for node in planner.added]
    return tuple(sorted(timed, key=lambda each: each.at_us))


@dataclass(slots=True)
class _Planner:
    """What is wrong until when, while a plan is made."""

    wish: NemesisWish
    draw: Draw
    hurt: dict[str, int] = field(default_factory=dict)
    net_until: int = 0
    clock_until: int = 0
    added: list[str] = field(default_factory=list)
    count: int = 0

    def step(self, at: int) -> Iterator[Timed]:
        """What begins at this moment, and its end; nothing, when all that may be is going on."""
        self.hurt = {node: until for node, until in self.hurt.items() if until > at}
        names = list(self.wish.faults)
        while names:
            fault = names.pop(self.draw(len(names)))
            begun = self._begun(fault, at)
            if begun:
                yield from begun
                return

    def _begun(self, fault: str, at: int) -> list[Timed]:
        makers: dict[str, Callable[[int], list[Timed]]] = {
            "partition": self._partition,
            "delay": self._delay,
            "loss": self._loss,
            "clock": self._clock,
            "member": self._member,
        }
        return makers[fault](at) if fault in makers else self._hurt(fault, at)

    def _end_of(self, at: int) -> int:
        """When what begins now is to end: after half an interval up to one and a half, and before
        all is over."""
        interval = self.wish.interval_us
        return min(at + interval // 2 + self.draw(interval + 1), self.wish.for_us)

    def _hurt(self, fault: str, at: int) -> list[Timed]:
        """Something is done to one node, which a majority must be able to do without."""
        free = [node for node in self.wish.nodes if node not in self.hurt]
        if len(self.hurt) >= self.wish.hurt_max or not free:
            return []
        node, end = free[self.draw(len(free))], self._end_of(at)
        self.hurt[node] = end
        heal: Deed = Process(verb="start", node=node)
        match fault:
            case "kill":
                deed: Deed = Process(verb="kill", node=node)
            case "torn":
                mode = _TORN[self.draw(len(_TORN))]
                deed = Process(verb="kill", node=node, mode=mode)
            case "pause":
                deed, heal = Process(verb="pause", node=node), Process(verb="resume", node=node)
            case _:
                return self._disk(node, at, end)
        return [Timed(at, deed), Timed(end, heal, is_heal=True)]

    def _disk(self, node: str, at: int, end: int) -> list[Timed]:
        """A member that its disk refused has ended, as it must: its node is started again."""
        kinds = (*_SLOW, *_REFUSING)
        words = kinds[self.draw(len(kinds))]
        heal: Deed = DiskOff(node=node)
        if words in _REFUSING:
            heal = Process(verb="restart", node=node)
        return [Timed(at, disk([node, *words.split()])), Timed(end, heal, is_heal=True)]

    def _net(self, at: int, words: str) -> list[Timed]:
        self.net_until = self._end_of(at)
        verb, *rest = words.split()
        heal = Net(verb="heal", rest=("--all",))
        deed = Net(verb=verb, rest=tuple(rest))
        return [Timed(at, deed), Timed(self.net_until, heal, is_heal=True)]

    def _partition(self, at: int) -> list[Timed]:
        if self.net_until > at or len(self.wish.nodes) < 2:
            return []
        nodes = self._shuffled(self.wish.nodes)
        first, second, *_ = nodes
        small = nodes[: 1 + self.draw(max(1, len(nodes) // 2))]
        large = [node for node in nodes if node not in small]
        kinds = [
            f"isolate {first}",
            f"isolate {first} reset",
            f"cut {first}->{second}",
            f"cut {first}<->{second}",
            # As cuts, for a member that came meanwhile is in neither part.
            f"cut {' '.join(f'{a}<->{b}' for a in small for b in large)}",
        ]
        if len(nodes) > 2:
            kinds.append(f"bridge {first}")
        if len(nodes) > 3:
            kinds.append("ring")
        return self._net(at, kinds[self.draw(len(kinds))])

    def _delay(self, at: int) -> list[Timed]:
        return self._on_links(at, "delay", _DELAY)

    def _loss(self, at: int) -> list[Timed]:
        return self._on_links(at, "loss", _LOSS)

    def _on_links(self, at: int, verb: str, amounts: Sequence[str]) -> list[Timed]:
        if self.net_until > at or len(self.wish.nodes) < 2:
            return []
        first, second, *_ = self._shuffled(self.wish.nodes)
        links = ("all", f"{first}->{second}", f"{first}->all", f"all->{first}")
        return self._net(at, f"{verb} {links[self.draw(4)]} {amounts[self.draw(len(amounts))]}")

    def _clock(self, at: int) -> list[Timed]:
        if self.clock_until > at:
            return []
        self.clock_until = self._end_of(at)
        node = self.wish.nodes[self.draw(len(self.wish.nodes))]
        deed = clock([node, *_CLOCK[self.draw(len(_CLOCK))].split()])
        begun = [Timed(at, deed)]
        if deed.jump_us is None:
            begun.append(Timed(self.clock_until, Clock(node=node), True))
        return begun

    def _member(self, at: int) -> list[Timed]:
        """A member comes, or the one that came last goes; those that there were stay."""
        if self.added:
            node = self.added.pop()
            return [Timed(at, _member("remove", node))]
        node = f"n{self.wish.next_number + self.count}"
        self.count += 1
        self.added.append(node)
        return [Timed(at, _member("add", node))]

    def _shuffled(self, nodes: Sequence[str]) -> list[str]:
        left = list(nodes)
        return [left.pop(self.draw(len(left))) for _ in nodes]


def _member(verb: str, node: str) -> MemberVerb:
    return MemberVerb(verb=verb, node=node)

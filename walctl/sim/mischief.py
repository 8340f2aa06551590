"""What goes wrong in a planned run: one fault at a time, with its end, drawn from a stream.

Budget: whatever is lost of a node's disk was never synced, or is one of a minority of nodes whose
disks may rot, which are then repaired from the others before they run again; so all that was
acknowledged has to survive any number of these, at any moments. The kinds of `UNBOUNDED` take more
than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from walctl.cluster.deeds import (
    Clock,
    Damage,
    Deed,
    Directories,
    DiskOff,
    DiskOn,
    GroupVerb,
    MakeCluster,
    MemberVerb,
    Net,
    Process,
    Propose,
    RaftVerb,
    Repair,
)
from walctl.cluster.faults import CrashMode, DiskFault, DiskFaultKind
from walctl.sim.chance import Stream

FAULTS: Final = (
    "kill",
    "power",
    "blackout",
    "pause",
    "partition",
    "oneway",
    "delay",
    "loss",
    "dup",
    "reorder",
    "slow-disk",
    "disk-error",
    "disk-full",
    "clock",
    "transfer",
    "snapshot",
    "churn",
    "figure-8",
    "member",
    "rot",
)
"""Kinds of faults that a cluster has to survive."""
UNBOUNDED: Final = ("wipe", "rewind", "lie", "rot-all")
"""Kinds by which acknowledged data may be lost: then it must be noticed."""
_MODES: Final = (
    CrashMode.LOSE_ALL,
    CrashMode.PREFIX,
    CrashMode.TORN,
    CrashMode.REORDER,
    CrashMode.META_AHEAD,
    CrashMode.DIR_LOST,
)
_CALLS_MAX: Final = 12
"""A node that dies within a write does so before one of its next calls, up to this one."""


_REPAIR_CALLS_MAX: Final = 60
"""A repair makes about so many changes of the disk."""
_ROTS: Final = ("flip", "flip", "zero", "zero", "truncate", "drop", "stale")
_LATENT_PPM: Final = 30_000
"""Of a file that cannot be read nothing is repaired: its node stays away."""
_SNAP_ROTS: Final = frozenset({"flip", "zero", "truncate", "drop"})


class Timed(NamedTuple):
    """A deed and its moment."""

    at_us: int
    deed: Deed


@dataclass(slots=True)
class Mischief:
    """Draws faults for one cluster; `stream` is where all of it comes from."""

    cluster: MakeCluster
    kinds: tuple[str, ...]
    interval_us: int
    stream: Stream
    kept: str | None = None
    rotten: str | None = None
    added: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    newest: int = 0
    stage_until: int = 0
    """Until then several acts play, which nothing else may disturb."""

    def __post_init__(self) -> None:
        """All that the cluster begins with are its members at first."""
        self.newest = self.cluster.nodes
        # A majority of them stays, so that a group never depends on the new ones alone.
        self.members = self.nodes[: (self.cluster.nodes - 1) // 2]

    def begun(self, at_us: int, end_us: int) -> list[Timed]:
        """What begins at this moment, with its end, which may lie behind `end_us`."""
        makers: dict[str, Callable[[int], list[Timed]]] = {
            "kill": self._kill,
            "power": self._power,
            "blackout": self._blackout,
            "pause": self._pause,
            "partition": self._partition,
            "oneway": self._one_way,
            "delay": lambda at: self._net(at, "delay", ("20ms±10ms", "200ms±100ms", "1s±500ms")),
            "loss": lambda at: self._net(at, "loss", ("1%", "10%", "30%")),
            "dup": lambda at: self._net(at, "dup", ("1%", "10%", "50%")),
            "reorder": lambda at: self._net(at, "reorder", ("1%", "10%", "50%")),
            "slow-disk": self._slow_disk,
            "disk-error": self._disk_error,
            "disk-full": self._disk_full,
            "clock": self._clock,
            "transfer": self._transfer,
            "snapshot": self._snapshot,
            "churn": self._churn,
            "figure-8": self._figure_8,
            "member": self._member,
            "rot": self._rot,
            "wipe": self._wipe,
            "rewind": self._rewind,
            "lie": self._lie,
            "rot-all": self._rot_any,
        }
        if at_us < self.stage_until:
            return []
        return makers[self.stream.choice(self.kinds)](at_us)

    # Nodes.

    @property
    def nodes(self) -> list[str]:
        """All that the cluster begins with."""
        return list(self.cluster.names)

    def _node(self) -> str:
        return self.stream.choice(self.nodes)

    def _somebody(self) -> str:
        """A node, or whoever leads then."""
        return "leader" if self.stream.happens(400_000) else self._node()

    def _later(self, at_us: int) -> int:
        return at_us + 50_000 + self.stream.exponential(self.interval_us)

    def _starts(self, at_us: int) -> list[Timed]:
        """Every node that does not run is started: it is not known which ones will have died."""
        return [Timed(at_us, Process(verb="start", node=node)) for node in self.nodes]

    def _kill(self, at_us: int) -> list[Timed]:
        deed = Process(verb="kill", node=self._somebody())
        return [Timed(at_us, deed), *self._starts(self._later(at_us))]

    def _power(self, at_us: int) -> list[Timed]:
        """The power of one node goes, mostly within a write."""
        mode = self.stream.choice(_MODES)
        call = 1 + self.stream.below(_CALLS_MAX) if self.stream.happens(800_000) else None
        deed = Process(verb="kill", node=self._somebody(), mode=mode, call=call)
        return [Timed(at_us, deed), *self._starts(self._later(at_us))]

    def _blackout(self, at_us: int) -> list[Timed]:
        """The power of all goes at once."""
        found = [
            Timed(at_us, Process(verb="kill", node=node, mode=self.stream.choice(_MODES)))
            for node in self.nodes
        ]
        return [*found, *self._starts(self._later(at_us))]

    def _pause(self, at_us: int) -> list[Timed]:
        node, end = self._node(), self._later(at_us)
        return [
            Timed(at_us, Process(verb="pause", node=node)),
            Timed(end, Process(verb="resume", node=node)),
        ]

    # Links.

    def _heal(self, at_us: int) -> Timed:
        return Timed(self._later(at_us), Net(verb="heal", rest=("--all",)))

    def _partition(self, at_us: int) -> list[Timed]:
        nodes = self.stream.shuffled(self.nodes)
        if len(nodes) < 2:
            return []
        kind = self.stream.below(5)
        if kind == 0:
            deed = Net(verb="isolate", rest=("leader",))
        elif kind == 1:
            deed = Net(verb="isolate", rest=(nodes[0],))
        elif kind == 2 and len(nodes) > 2:
            deed = Net(verb="bridge", rest=(nodes[0],))
        elif kind == 3 and len(nodes) > 3:
            deed = Net(verb="ring")
        else:
            size = 1 + self.stream.below(len(nodes) - 1)
            deed = self._split(nodes[:size], nodes[size:])
        return [Timed(at_us, deed), self._heal(at_us)]

    def _split(self, first: Sequence[str], second: Sequence[str]) -> Net:
        """Two parts that do not hear each other. A split has to name every node that there is, and
        whether one that was to come has come is not known here: then the links are named."""
        if self.newest == self.cluster.nodes:
            return Net(verb="split", rest=(f"{','.join(first)}/{','.join(second)}",))
        pairs = [(each, other) for each in first for other in second]
        links = [link for one, two in pairs for link in (f"{one}->{two}", f"{two}->{one}")]
        return Net(verb="cut", rest=tuple(links))

    def _one_way(self, at_us: int) -> list[Timed]:
        """Some links are cut in one direction, perhaps for some kinds of messages alone."""
        nodes = self.stream.shuffled(self.nodes)
        if len(nodes) < 2:
            return []
        links = [f"{nodes[0]}->{nodes[1]}"]
        if self.stream.happens(500_000):
            links += [f"{each}->{nodes[0]}" for each in nodes[2:]]
        types = self.stream.choice(
            ((), (), ("MsgApp",), ("MsgAppResp",), ("MsgVoteResp",), ("MsgHeartbeat",))
        )
        deed = Net(verb="cut", rest=tuple(links), types=types)
        return [Timed(at_us, deed), self._heal(at_us)]

    def _net(self, at_us: int, verb: str, amounts: tuple[str, ...]) -> list[Timed]:
        first, *others = self.stream.shuffled(self.nodes)
        if not others:
            return []
        where = self.stream.choice(("all", "all", f"{first}->{others[0]}", f"{first}->all"))
        deed = Net(verb=verb, rest=(where, self.stream.choice(amounts)))
        return [Timed(at_us, deed), self._heal(at_us)]

    # Disks and clocks.

    def _slow_disk(self, at_us: int) -> list[Timed]:
        node = self._node()
        delay_us = self.stream.choice((20_000, 200_000, 1_000_000))
        fault = DiskFault(kind=DiskFaultKind.SLOW_SYNC, delay_us=delay_us)
        return [
            Timed(at_us, DiskOn(node=node, fault=fault)),
            Timed(self._later(at_us), DiskOff(node=node)),
        ]

    def _refusing(self, at_us: int, fault: DiskFault) -> list[Timed]:
        """A member that its disk refuses ends, as it must; its node is started again."""
        node, end = self._node(), self._later(at_us)
        return [
            Timed(at_us, DiskOn(node=node, fault=fault)),
            Timed(end, DiskOff(node=node)),
            *self._starts(end),
        ]

    def _disk_error(self, at_us: int) -> list[Timed]:
        kind = self.stream.choice((DiskFaultKind.FAIL_SYNC, DiskFaultKind.WRITE_ERROR))
        return self._refusing(at_us, DiskFault(kind=kind, count=1))

    def _disk_full(self, at_us: int) -> list[Timed]:
        left = self.stream.below(8_192)
        return self._refusing(at_us, DiskFault(kind=DiskFaultKind.FULL, bytes_left=left))

    def _clock(self, at_us: int) -> list[Timed]:
        node = self._node()
        if self.stream.happens(500_000):
            return [Timed(at_us, Clock(node=node, jump_us=self.stream.between(1, 5) * 1_000_000))]
        rate = self.stream.choice((50, 80, 120, 300))
        return [
            Timed(at_us, Clock(node=node, rate_percent=rate)),
            Timed(self._later(at_us), Clock(node=node)),
        ]

    # Operators.

    def _transfer(self, at_us: int) -> list[Timed]:
        return [Timed(at_us, RaftVerb(verb="transfer", node=self._node()))]

    def _snapshot(self, at_us: int) -> list[Timed]:
        return [Timed(at_us, RaftVerb(verb="snapshot", node=self._somebody()))]

    def _churn(self, at_us: int) -> list[Timed]:
        """One leader after the other reaches a single follower with its entries, and is gone: so
        logs come to differ, and old entries to be brought through by later leaders."""
        found: list[Timed] = []
        for _ in range(self.stream.between(3, 6)):
            nodes = self.stream.shuffled(self.nodes)
            if len(nodes) < 3:
                return []
            links = tuple(f"leader->{each}" for each in nodes[2:])
            gap_us = self.stream.between(50, 400) * 1_000
            found += [
                Timed(at_us, Net(verb="cut", rest=links, types=("MsgApp",))),
                Timed(at_us + gap_us, Process(verb="kill", node="leader")),
                Timed(at_us + gap_us, Net(verb="heal", rest=("--all",))),
                *self._starts(at_us + 2 * gap_us),
            ]
            at_us += 2 * gap_us + self.stream.between(100, 1_500) * 1_000
        return found

    def _figure_8(self, at_us: int) -> list[Timed]:
        """Two leaders in turn put entries into their own logs alone, and the first comes back to
        bring its older ones through, and is gone in the middle of that.

        Source: Raft paper, figure 8.
        """
        if len(self.nodes) < 3:
            return []
        first, second, *_ = self.stream.shuffled(self.nodes)

        tick_us = (self.cluster.tick_ms or 100) * 1_000
        ticks = self.cluster.election_ticks or 10
        everybody = [each for each in self.nodes if each != first]
        half = tuple(f"{first}->{each}" for each in everybody)
        heal = Net(verb="heal", rest=("--all",))
        loss = Net(verb="loss", rest=(f"{first}->all", "50%"))
        acts: list[list[Deed]] = [
            [RaftVerb(verb="campaign", node=first)],
            [Net(verb="cut", rest=half, types=("MsgApp",)), self._proposal(first, at_us)],
            [Process(verb="kill", node=first), heal, *self._cut_from(second)],
            [RaftVerb(verb="campaign", node=second)],
            [Process(verb="kill", node=second), heal, Process(verb="start", node=first)],
            # The first time it learns of the term that it has missed.
            [RaftVerb(verb="campaign", node=first), loss],
            [RaftVerb(verb="campaign", node=first)],
            [Process(verb="kill", node=first), heal, Process(verb="start", node=second)],
            [RaftVerb(verb="campaign", node=second)],
            [RaftVerb(verb="campaign", node=second)],
        ]
        found: list[Timed] = []
        for act in acts:
            found += [Timed(at_us, deed) for deed in act]
            # In less than an election timeout, so that nobody else comes in between.
            is_short = act in acts[5:7] or act is acts[8]
            at_us += tick_us * (self.stream.between(1, 2 if is_short else ticks))
        self.stage_until = at_us
        return [*found, *self._starts(at_us)]

    def _cut_from(self, node: str) -> list[Deed]:
        """What it puts into its log stays there, if it leads."""
        links = tuple(f"{node}->{each}" for each in self.nodes if each != node)
        return [Net(verb="cut", rest=links, types=("MsgApp",))]

    @staticmethod
    def _proposal(node: str, at_us: int) -> Deed:
        """A write that nobody waits for; its value is like no other."""
        return Propose(node=node, key="k1", value=f"p{at_us}")

    def _member(self, at_us: int) -> list[Timed]:
        """A member comes, first without a vote perhaps, takes the place of another, or goes."""
        if self.added and self.stream.happens(400_000):
            node = self.added.pop(self.stream.below(len(self.added)))
            return [Timed(at_us, MemberVerb(verb="remove", node=node))]
        self.newest += 1
        node = f"n{self.newest}"
        kind = self.stream.below(3)
        if kind == 0 and self.members:
            old = self.members.pop(self.stream.below(len(self.members)))
            self.added.append(node)
            return self._replaced(at_us, old, node)
        self.added.append(node)
        found = [Timed(at_us, MemberVerb(verb="add", node=node, is_learner=kind == 1))]
        if kind == 1:
            promote = MemberVerb(verb="promote", node=node)
            found.append(Timed(self._later(at_us), promote))
        return found

    def _replaced(self, at_us: int, old: str, new: str) -> list[Timed]:
        """A member takes the place of another, perhaps with the leader gone in the middle of it."""
        then = at_us + self.interval_us
        move = GroupVerb(verb="move", group=self.cluster.groups[0], source=old, target=new)
        found = [
            Timed(at_us, MemberVerb(verb="add", node=new, is_learner=True)),
            Timed(then, move),
        ]
        if self.stream.happens(500_000):
            # About when the group is in both memberships at once.
            soon = then + self.stream.between(1, 60) * 1_000
            links = tuple(f"leader->{each}" for each in (*self.nodes, new) if self.stream.below(2))
            if links:
                cut = Net(verb="cut", rest=links, types=("MsgApp",))
                found += [Timed(soon, cut), self._heal(soon)]
            gone = soon + self.stream.between(1, 1_000) * 1_000
            found += [
                Timed(gone, Process(verb="kill", node="leader")),
                *self._starts(self._later(gone)),
            ]
        return found

    def _rot(self, at_us: int) -> list[Timed]:
        """The disk of one node, always the same, rots while it is off; it is repaired from the
        others before it runs again."""
        if len(self.nodes) < 3:
            return []
        if self.rotten is None:
            self.rotten = self._node()
        return self._rotting(at_us, self.rotten)

    def _rotting(self, at_us: int, node: str, *, is_repaired: bool = True) -> list[Timed]:
        """It is off for a while; then all happens at one moment, so that nobody starts it between
        the damage and the repair. Sometimes the power goes in the middle of the repair."""
        end = self._later(at_us)
        found = [Timed(at_us, Process(verb="stop", node=node))]
        found.append(Timed(end, Process(verb="stop", node=node)))
        group = self.stream.choice(self.cluster.groups)
        for _ in range(self.stream.choice((1, 1, 1, 2, 3))):
            verb = "latent" if self.stream.happens(_LATENT_PPM) else self.stream.choice(_ROTS)
            is_snap = verb in _SNAP_ROTS and self.stream.happens(150_000)
            file = "snap" if is_snap else None
            found.append(Timed(end, Damage(verb=verb, node=node, group=group, file=file)))
        if is_repaired:
            others = tuple(each for each in self.nodes if each != node)
            mode, call = CrashMode.CLEAN, None
            if self.stream.happens(250_000):
                mode, call = self.stream.choice(_MODES), 1 + self.stream.below(_REPAIR_CALLS_MAX)
            deed = Repair(node=node, sources=others, group=group, mode=mode, call=call)
            found.append(Timed(end, deed))
        return [*found, Timed(end, Process(verb="start", node=node))]

    # More than a cluster survives.

    def _wipe(self, at_us: int) -> list[Timed]:
        node = self._node()
        return [
            Timed(at_us, Process(verb="stop", node=node)),
            Timed(at_us, Directories(verb="wipe", node=node)),
            Timed(self._later(at_us), Process(verb="start", node=node)),
        ]

    def _rewind(self, at_us: int) -> list[Timed]:
        """An older copy takes the place of a node's files; the first time it is made."""
        node = self.kept or self._node()
        verb = "keep" if self.kept is None else "rewind"
        self.kept = node
        return [
            Timed(at_us, Process(verb="stop", node=node)),
            Timed(at_us, Directories(verb=verb, node=node, name=Directories.KEPT)),
            Timed(at_us, Process(verb="start", node=node)),
        ]

    def _lie(self, at_us: int) -> list[Timed]:
        """A disk says that it has synced, and then its power goes."""
        node, end = self._node(), self._later(at_us)
        return [
            Timed(at_us, DiskOn(node=node, fault=DiskFault(kind=DiskFaultKind.LYING_SYNC))),
            Timed(end, Process(verb="kill", node=node, mode=CrashMode.LOSE_ALL)),
            Timed(end, DiskOff(node=node)),
            *self._starts(end + 1),
        ]

    def _rot_any(self, at_us: int) -> list[Timed]:
        """Any node's disk, in any way; mostly somebody tries to repair it."""
        return self._rotting(at_us, self._node(), is_repaired=self.stream.happens(800_000))

"""What can be done to a cluster and claimed of it, as frozen data: nothing is done here.

Commands, scenarios and the nemesis are made of these, for real processes and for the simulator
alike. A `node` is a name, or one of the words that stand for a node (`topology.ROLES`), which
whoever does the deed looks up then. A `group` that is `None` is the first. `words` of a deed are
the line of a scenario that would do it: read again (`scenario.deed_of`), they are the same deed.
"""

import enum
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from walctl.cluster.claim import Claim
from walctl.cluster.faults import CrashMode, DiskFault, DiskFaultKind, LinkFault
from walctl.cluster.quantities import show_duration, show_size, show_spread
from walctl.cluster.quoting import in_quotes, line, listed, option, quoted

TICK_MS: Final = 100
"""Of a cluster that says nothing of it."""
CLIENTS: Final = 5
RATE: Final = 100
KEYS: Final = 10
OFF: Final = "off"
NONE: Final = "none"
NO_KEY: Final = "-"

# A class a kind of deed: what does them matches on the class.


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeCluster:
    """`cluster N [NAME=VALUE…]`: what the cluster is; the first line of a scenario.

    What follows `checks` is for the simulator: `seed` of all that is drawn; `is_unbounded`: more
    may go wrong than a cluster survives, and then it must be noticed; how long a link and a sync
    take; sizes that make logs and snapshots small enough to be met.
    """

    nodes: int
    groups: tuple[str, ...] = ("g1",)
    engine: str | None = None
    tick_ms: int | None = None
    election_ticks: int | None = None
    snapshot_count: int | None = None
    pre_vote: bool | None = None
    check_quorum: bool | None = None
    checks: tuple[str, ...] = ()
    seed: int | None = None
    is_unbounded: bool = False
    link: LinkFault | None = None
    sync_us: int | None = None
    sync_jitter_us: int = 0
    segment_bytes: int | None = None
    catch_up_entries: int | None = None
    message_bytes: int | None = None

    @property
    def words(self) -> str:
        """See the module."""
        net = self.link and show_spread(self.link.delay_us, self.link.jitter_us)
        sync_us = self.sync_us
        size = self.segment_bytes
        options = {
            "groups": ",".join(self.groups) if self.groups != ("g1",) else None,
            "engine": self.engine,
            "tick": None if self.tick_ms is None else show_duration(self.tick_ms * 1000),
            "election": None if self.election_ticks is None else show_duration(self.election_us),
            "snapshot-count": self.snapshot_count,
            "prevote": _switch(self.pre_vote),
            "checkquorum": _switch(self.check_quorum),
            "check": ",".join(self.checks) or None,
            "seed": None if self.seed is None else f"{self.seed:#x}",
            "budget": "off" if self.is_unbounded else None,
            "net": net,
            "sync": None if sync_us is None else show_spread(sync_us, self.sync_jitter_us),
            "segment": None if size is None else show_size(size),
            "catch-up": self.catch_up_entries,
            "message": None if self.message_bytes is None else show_size(self.message_bytes),
        }
        told = [word for name, value in options.items() for word in option(name, value)]
        return line("cluster", str(self.nodes), *told)

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes that it begins with."""
        return tuple(f"n{number}" for number in range(1, self.nodes + 1))

    @property
    def election_us(self) -> int:
        """How long an election timeout is; where nothing is said of one, 0."""
        return (self.election_ticks or 0) * (self.tick_ms or TICK_MS) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Words about links (`topology`); `types` are the messages that are meant, none: all."""

    verb: str
    rest: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """See the module."""
        return line(self.verb, *map(quoted, self.rest), *listed("type", self.types))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`kill`, `pause`, `resume`, `restart`, `start` or `stop` a node; a kill may cut its power.

    `call` and `keep` are for the simulator: the node dies before the `call`-th change of its disk
    from now (1: the next), and of what was not synced the pieces at the positions `keep` survive,
    as `walctl.fs.crash` counts them, whatever `mode` would draw.
    """

    verb: str
    node: str
    mode: CrashMode = CrashMode.CLEAN
    call: int | None = None
    keep: tuple[int, ...] | None = None

    @property
    def words(self) -> str:
        """See the module."""
        mode = None if self.mode is CrashMode.CLEAN else self.mode
        keep = None if self.keep is None else ",".join(map(str, self.keep)) or NONE
        options = (*option("mode", mode), *option("call", self.call), *option("keep", keep))
        return line(self.verb, self.node, *options)


class Lot(enum.StrEnum):
    """What becomes of one message."""

    DROP = "drop"
    DOUBLE = "dup"
    LATE = "late"
    AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMessage:
    """What becomes of one message, in the simulator: the `nth` (1: the first) of its type and term
    on the link. `late_us` is when it arrives, or arrives once more: so long after it was sent."""

    source: str
    target: str
    type: str
    term: int
    nth: int
    lot: Lot
    late_us: int = 0
    group: str | None = None
    is_from_now: bool = False
    """Those that were sent before do not count."""

    @property
    def words(self) -> str:
        """See the module."""
        nth = f"nth={'+' * self.is_from_now}{self.nth}"
        which = (self.type, f"term={self.term}", nth)
        is_timed = self.lot in (Lot.LATE, Lot.AGAIN)
        lot = f"{self.lot}={show_duration(self.late_us)}" if is_timed else self.lot
        return line(
            "message", f"{self.source}->{self.target}", *which, lot, *option("group", self.group)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Our own repair of a node that does not run: planned, and applied where its plan is `free`.

    `sources` are nodes whose directories it may take from. With `call` the power is cut before its
    `call`-th change of the disk (1: the first), in this `mode`, and the repair resumed behind that.
    """

    node: str
    sources: tuple[str, ...] = ()
    group: str | None = None
    is_forced: bool = False
    """Also where acknowledged data may be lost by it."""
    mode: CrashMode = CrashMode.CLEAN
    call: int | None = None

    @property
    def words(self) -> str:
        """See the module."""
        force = ["force"] if self.is_forced else []
        mode = None if self.mode is CrashMode.CLEAN else self.mode
        crash = (*option("mode", mode), *option("call", self.call))
        options = (*listed("from", self.sources), *force, *crash, *option("group", self.group))
        return line("repair", self.node, *options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A copy of a node's directories, started as a second process that says it is the same."""

    node: str
    name: str

    @property
    def words(self) -> str:
        """See the module."""
        return line("twin", self.node, *option("as", self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Converge:
    """Faults are over: `nodes` (none: those that are members) are well for ever, and all others
    gone; they have to elect, to be alike and to take a write within the usual bound."""

    nodes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """See the module."""
        return line("converge", *filter(None, [",".join(self.nodes)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOn:
    """A fault of a running node's disk begins."""

    node: str
    fault: DiskFault

    @property
    def words(self) -> str:
        """See the module."""
        fault = self.fault
        amounts = {
            DiskFaultKind.SLOW_SYNC: show_duration(fault.delay_us),
            DiskFaultKind.FULL: show_size(fault.bytes_left) if fault.bytes_left else "",
        }
        amount = filter(None, [amounts.get(fault.kind)])
        options = (*option("count", fault.count), *option("group", fault.group))
        return line("disk", self.node, fault.kind, *amount, *options)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOff:
    """Faults of a running node's disk end: those of a kind, or (`None`) all."""

    node: str
    kind: DiskFaultKind | None = None

    @property
    def words(self) -> str:
        """See the module."""
        return line("disk", self.node, *filter(None, [self.kind]), OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """`flip`, `zero`, `truncate` or `drop`: done to the files of a node that does not run.

    In the simulator also `latent`: reading those bytes fails; and `stale`: they are as they were
    at an earlier sync.
    """

    verb: str
    node: str
    group: str | None = None
    file: str | None = None
    offset: int | None = None
    bit: int | None = None
    size: int | None = None
    count: int | None = None
    """Of `truncate`: so many bytes off the end."""

    @property
    def words(self) -> str:
        """See the module."""
        is_cut = self.verb == "truncate"
        where = (*option("group", self.group), *option("file", self.file))
        what = (*option("offset", self.offset), *option("bit", self.bit))
        size = None if self.size is None else show_size(self.size)
        count = [] if self.count is None else [show_size(self.count)]
        options = (*count, *where, *what, *option("to" if is_cut else "size", size))
        return line("disk", self.node, self.verb, *options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directories:
    """`wipe`, `keep` or `rewind` what a node that does not run has on its disk."""

    KEPT: ClassVar[str] = "copy"
    """What a copy is called that is given no name."""

    verb: str
    node: str
    name: str | None = None
    group: str | None = None
    part: str | None = None
    """Of a rewind: `wal` or `snap` alone, in the simulator."""

    @property
    def words(self) -> str:
        """See the module."""
        name = [quoted(self.name)] if self.name else []
        options = (*option("part", self.part), *option("group", self.group))
        return line(self.verb, self.node, *name, *options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A node's clock goes at another rate, or jumps; neither: it goes right again."""

    node: str
    rate_percent: int | None = None
    jump_us: int | None = None

    @property
    def words(self) -> str:
        """See the module."""
        what = [OFF]
        if self.rate_percent is not None:
            what = ["rate", f"{self.rate_percent}%"]
        elif self.jump_us is not None:
            what = ["jump", f"+{show_duration(self.jump_us)}"]
        return line("clock", self.node, *what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request of a client: `put`, `get`, `del` or `cas` (`expected`: `None` for no such key)."""

    verb: str
    key: str
    value: str | None = None
    expected: str | None = None
    via: str | None = None
    group: str | None = None
    client: int | None = None
    read: str | None = None
    """`index`, `lease` or `local`; `None`: the first."""

    @property
    def words(self) -> str:
        """See the module."""
        told = [quoted(self.key)]
        if self.verb == "cas":
            # What is not in quotes says that there is to be no such key.
            bare = self.expected is None
            told.append(NO_KEY if bare else _quoted_but(self.expected or "", NO_KEY))
        if self.value is not None:
            told.append(quoted(self.value))
        options = {"via": self.via, "group": self.group, "client": self.client, "read": self.read}
        told += [word for name, value in options.items() for word in option(name, value)]
        return line(self.verb, *told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """A put that is handed to one node, and not waited for."""

    node: str
    key: str
    value: str
    group: str | None = None

    @property
    def words(self) -> str:
        """See the module."""
        pair = f"{quoted(self.key)}={quoted(self.value)}"
        return line("propose", self.node, pair, *option("group", self.group))


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftVerb:
    """`campaign`, `transfer`, `snapshot` or `compact`: asked of a member's Raft."""

    verb: str
    node: str
    group: str | None = None

    @property
    def words(self) -> str:
        """See the module."""
        return line(self.verb, self.node, *option("group", self.group))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVerb:
    """`member add`, `promote` or `remove` a node."""

    verb: str
    node: str | None = None
    group: str | None = None
    is_learner: bool = False

    @property
    def words(self) -> str:
        """See the module."""
        told = [self.node] if self.node else []
        told += ["learner"] if self.is_learner else []
        return line("member", self.verb, *told, *option("group", self.group))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupVerb:
    """`group add`, `move` or `drop` a group.

    `steps` is for the simulator: whoever moves it dies once so many steps are done.
    """

    verb: str
    group: str
    nodes: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    steps: int | None = None

    @property
    def words(self) -> str:
        """See the module."""
        options = (
            *listed("on", self.nodes),
            *option("from", self.source),
            *option("to", self.target),
            *option("steps", self.steps),
        )
        return line("group", self.verb, quoted(self.group), *options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Clients ask for `for_us`; with `is_beside` the next command is done meanwhile."""

    clients: int = CLIENTS
    rate: int | None = RATE
    keys: int = KEYS
    for_us: int = 1_000_000
    is_beside: bool = False

    @property
    def words(self) -> str:
        """See the module."""
        options: list[str] = []
        options += option("clients", self.clients) if self.clients != CLIENTS else []
        options += option("rate", self.rate or "max") if self.rate != RATE else []
        options += option("keys", self.keys) if self.keys != KEYS else []
        beside = ["&"] if self.is_beside else []
        return line("load", *options, "for", show_duration(self.for_us), *beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilize:
    """Wait until one node leads, and all that run have applied what it has committed."""

    @property
    def words(self) -> str:
        """See the module."""
        return "stabilize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Let time pass: so long, or until a claim holds, at most so long (`None`: as usual)."""

    for_us: int | None = None
    until: Claim | None = None

    @property
    def words(self) -> str:
        """See the module."""
        time = [] if self.for_us is None else [show_duration(self.for_us)]
        if self.until is None:
            return line("run", "for", *time)
        return line("run", "until", self.until.words, *(["within", *time] if time else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """A claim holds now."""

    claim: Claim

    @property
    def words(self) -> str:
        """See the module."""
        return line("expect", self.claim.words)


Deed: TypeAlias = (
    MakeCluster
    | Net
    | Process
    | OneMessage
    | Repair
    | Twin
    | Converge
    | DiskOn
    | DiskOff
    | Damage
    | Directories
    | Clock
    | Ask
    | Propose
    | RaftVerb
    | MemberVerb
    | GroupVerb
    | Load
    | Stabilize
    | Run
    | Expect
)
"""Anything that a line of a scenario may say."""


def _switch(value: bool | None) -> str | None:
    return None if value is None else "on" if value else OFF


def _quoted_but(text: str, meant: str) -> str:
    """As a word that is not taken for one with a meaning of its own."""
    return in_quotes(text) if text == meant else quoted(text)

"""What can be done to a cluster and claimed of it, as frozen data: nothing is done here.

Commands, scenarios and the nemesis are made of these, for real processes and for the simulator
alike. A `node` is a name, or one of the words that stand for a node (`topology.ROLES`), which
whoever does the deed looks up then. A `group` that is `None` is the first. `words` of a deed are
the line of a scenario that would do it.
"""

import enum
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from walctl.cluster.faults import CrashMode, DiskFault, DiskFaultKind, LinkFault

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
    words: str = field(default="", compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes that it begins with."""
        return tuple(f"n{number}" for number in range(1, self.nodes + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Words about links (`topology`); `types` are the messages that are meant, none: all."""

    verb: str
    rest: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """See the module."""
        types = [f"type={each}" for each in self.types]
        return " ".join((self.verb, *self.rest, *types))


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
        mode = f" mode={self.mode}" if self.mode is not CrashMode.CLEAN else ""
        call = f" call={self.call}" if self.call is not None else ""
        keep = "" if self.keep is None else f" keep={','.join(map(str, self.keep)) or 'none'}"
        return f"{self.verb} {self.node}{mode}{call}{keep}"


class Lot(enum.StrEnum):
    """What becomes of one message."""

    DROP = "drop"
    DOUBLE = "dup"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMessage:
    """What becomes of one message, in the simulator: the `nth` (1: the first) of its type and term
    on the link. `late_us` is when it arrives: so long after it was sent."""

    source: str
    target: str
    type: str
    term: int
    nth: int
    lot: Lot
    late_us: int = 0
    group: str | None = None
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Our own repair of a node that does not run: planned, and applied where its plan is `free`.

    `sources` are nodes whose directories it may take from.
    """

    node: str
    sources: tuple[str, ...] = ()
    group: str | None = None
    is_forced: bool = False
    """Also where acknowledged data may be lost by it."""
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A copy of a node's directories, started as a second process that says it is the same."""

    node: str
    name: str
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converge:
    """Faults are over: `nodes` (none: those that are members) are well for ever, and all others
    gone; they have to elect, to be alike and to take a write within the usual bound."""

    nodes: tuple[str, ...] = ()
    words: str = field(default="converge", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOn:
    """A fault of a running node's disk begins."""

    node: str
    fault: DiskFault
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOff:
    """Faults of a running node's disk end: those of a kind, or (`None`) all."""

    node: str
    kind: DiskFaultKind | None = None

    @property
    def words(self) -> str:
        """See the module."""
        return f"disk {self.node} {'' if self.kind is None else f'{self.kind} '}off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """`flip`, `zero`, `truncate` or `drop`, and on a simulated disk `latent` or `stale`: done to
    the files of a node that does not run."""

    verb: str
    node: str
    group: str | None = None
    file: str | None = None
    offset: int | None = None
    bit: int | None = None
    size: int | None = None
    count: int | None = None
    """Of `truncate`: so many bytes off the end."""
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directories:
    """`wipe`, `keep` or `rewind` what a node that does not run has on its disk."""

    KEPT: ClassVar[str] = "copy"
    """What a copy is called that is given no name."""

    verb: str
    node: str
    name: str | None = None
    group: str | None = None

    @property
    def words(self) -> str:
        """See the module."""
        name = [self.name] if self.name else []
        group = [f"group={self.group}"] if self.group else []
        return " ".join((self.verb, self.node, *name, *group))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A node's clock goes at another rate, or jumps; neither: it goes right again."""

    node: str
    rate_percent: int | None = None
    jump_us: int | None = None
    words: str = field(default="", compare=False)


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
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """A put that is handed to one node, and not waited for."""

    node: str
    key: str
    value: str
    group: str | None = None
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftVerb:
    """`campaign`, `transfer`, `snapshot` or `compact`: asked of a member's Raft."""

    verb: str
    node: str
    group: str | None = None
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVerb:
    """`member add`, `promote` or `remove` a node."""

    verb: str
    node: str | None = None
    group: str | None = None
    is_learner: bool = False
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupVerb:
    """`group add`, `move` or `drop` a group."""

    verb: str
    group: str
    nodes: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Clients ask for `for_us`; with `is_beside` the next command is done meanwhile."""

    clients: int = 5
    rate: int | None = 100
    keys: int = 10
    for_us: int = 1_000_000
    is_beside: bool = False
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilize:
    """Wait until one node leads, and all that run have applied what it has committed."""

    words: str = "stabilize"


class ClaimKind(enum.StrEnum):
    """What a claim is about."""

    LEADER = "leader"
    """A node leads (`None`: any)."""
    ROLE = "role"
    TERM = "term"
    COMMIT = "commit"
    APPLIED = "applied"
    VALUE = "value"
    """A linearizable read finds this."""
    COMMITTED = "committed"
    """A node has this in its own state."""
    OUTCOME = "outcome"
    """The last request of a client ended so."""
    LINEARIZABLE = "linearizable"
    VIOLATION = "violation"
    VERIFY = "verify"
    """Every directory is clean, or at most harmless."""
    DIGESTS = "digests"
    """The state machines of all that run are equal."""
    EXIT = "exit"
    """A node's process has ended, with these words among its last."""
    UP = "up"
    """A node runs, and answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that holds of a cluster, or does not.

    A number is compared by `relation`; `text` is a role, a key, a fate, a verdict or words, `value`
    what a key holds (`None`: it is not there).
    """

    what: ClaimKind
    node: str | None = None
    group: str | None = None
    relation: str = ""
    number: int = 0
    text: str = ""
    value: str | None = None
    is_not: bool = False
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Let time pass: so long, or until a claim holds, at most so long (`None`: as usual)."""

    for_us: int | None = None
    until: Claim | None = None
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """A claim holds now."""

    claim: Claim
    words: str = field(default="", compare=False)


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

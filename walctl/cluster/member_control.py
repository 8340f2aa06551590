"""What operators may ask of a node's members, by verb, whoever runs the node.

status                                      all that the node knows of itself and its members
campaign    group                           try to become leader
transfer    group, to                       hand leadership to a node of that id
snapshot    group                           make a snapshot now
compact     group, index (null: all)        forget entries up to the newest snapshot
change      group, changes, transition      propose a membership, and wait for it
digest      group                           of the state machine, with what it has applied

`node_control` has what else there is to ask of a node that is a process. Nothing here knows an
event loop: what is waited for is `Host.change` and `Pace`, and the simulator has its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.held import Held, state_of
from walctl.cluster.talk import LateError, Pace
from walctl.cluster.waiting import Told
from walctl.errors import ClusterError
from walctl.raft.types import Change, ChangeKind, ConfChange, Transition

CHANGE_SECONDS: Final = 10.0
SNAPSHOT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02

Fields = dict[str, Any]
T = TypeVar("T")


class Host(Protocol):
    """A node that runs, and holds members."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def id(self) -> int:
        """Raft's id of its members."""

    @property
    def members(self) -> Mapping[str, Held]:
        """What it holds, by group."""

    def driver(self, group: str) -> Driver:
        """See `held.driver_in`."""

    def do(self, group: str, deed: Callable[[Driver], T]) -> T:
        """Let a member do what an operator wants. Raises: UsageError; ClusterError, when it has
        ended, also just now, of that."""

    def wake(self, group: str) -> None:
        """Let a member work."""

    async def change(self, group: str, change: ConfChange) -> Told:
        """What became of a membership change. Raises: UsageError, ClusterError."""

    def node_name(self, node_id: int) -> str:
        """The name of the node of an id, empty for nobody's."""


class MemberControl:
    """Does it for one node. What is called may raise WalctlError, and KeyError or ValueError for
    fields that make no sense."""

    def __init__(self, host: Host, pace: Pace) -> None:
        self._host = host
        self._pace = pace
        self.verbs: dict[str, Callable[[Fields], Awaitable[Fields]]] = {
            "status": self._status,
            "campaign": self._campaign,
            "transfer": self._transfer,
            "snapshot": self._snapshot,
            "compact": self._compact,
            "change": self._change,
            "digest": self._digest,
        }

    async def _status(self, fields: Fields) -> Fields:
        return host_status(self._host)

    async def _campaign(self, fields: Fields) -> Fields:
        self._host.do(str(fields["group"]), Driver.campaign)
        return {}

    async def _transfer(self, fields: Fields) -> Fields:
        group, target = str(fields["group"]), int(fields["to"], 16)
        driver = self._host.driver(group)
        if not driver.is_leader:
            raise ClusterError(f"group {group}: {self._host.name} is {driver.not_leading}")
        if target not in driver.conf_state.voters:
            name = self._host.node_name(target) or f"{target:x}"
            raise ClusterError(f"group {group}: {name} is no voter, and cannot lead")
        self._host.do(group, lambda each: each.transfer(target))
        return {}

    async def _snapshot(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        driver = self._host.driver(group)
        index = driver.applied
        if driver.snapshot_index < index:
            driver.wants_snapshot = True
            self._host.wake(group)
            words = f"group {group}: no snapshot of entry {index} within {SNAPSHOT_SECONDS:g} s"
            async with self._pace.within(SNAPSHOT_SECONDS, words):
                while self._host.driver(group).snapshot_index < index:
                    await self._pace.pause(POLL_SECONDS)
        return {"index": driver.snapshot_index}

    async def _compact(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        driver = self._host.driver(group)
        index = fields.get("index")
        last = driver.snapshot_index if index is None else int(index)
        self._host.do(group, lambda each: each.compact(last))
        return {"first": driver.storage.first_index(), "last": driver.storage.last_index()}

    async def _change(self, fields: Fields) -> Fields:
        group, change = str(fields["group"]), _change_in(fields)
        try:
            async with self._pace.within(CHANGE_SECONDS, "timed out: no quorum?"):
                told = await self._host.change(group, change)
        except LateError as late:
            return {"fate": Fate.UNKNOWN, "words": late.message, "index": None}
        return {"fate": told.fate, "words": told.words, "index": told.index}

    async def _digest(self, fields: Fields) -> Fields:
        driver = self._host.driver(str(fields["group"]))
        return {"applied": driver.applied, "digest": driver.service.digest()}


def host_status(host: Host) -> Fields:
    """All that a node knows of itself and its members."""
    return {
        "v": 1,
        "node": host.name,
        "id": f"{host.id:x}",
        "groups": [member_status(each, host.node_name) for each in host.members.values()],
    }


def driver_status(driver: Driver, node_name: Callable[[int], str]) -> Fields:
    """How a member stands."""
    raft = driver.node.raft
    conf = driver.conf_state
    return {
        "role": raft.role.word,
        "term": raft.term,
        "lead": f"{raft.lead:x}",
        "leader": node_name(raft.lead),
        "vote": f"{raft.vote:x}",
        "commit": raft.log.committed,
        "applied": driver.applied,
        "first": driver.storage.first_index(),
        "last": driver.storage.last_index(),
        "snapshot": driver.snapshot_index,
        "segments": driver.storage.segment_count,
        "sync_us": driver.sync_us,
        "is_learner": raft.is_learner,
        "voters": [f"{each:x}" for each in conf.voters],
        "learners": [f"{each:x}" for each in conf.learners],
        "outgoing": [f"{each:x}" for each in conf.voters_outgoing],
        "progress": {
            f"{peer:x}": {"match": each.match, "next": each.next, "state": each.state}
            for peer, each in driver.node.status().progress.items()
        },
    }


def member_status(member: Held, node_name: Callable[[int], str]) -> Fields:
    """The same with the group's name, and of a member that has ended why it has."""
    head = {"group": member.group, "state": state_of(member), "words": member.words}
    return head if member.driver is None else {**head, **driver_status(member.driver, node_name)}


def _change_in(fields: Fields) -> ConfChange:
    """Raises: KeyError, ValueError."""
    changes = tuple(
        Change(kind=ChangeKind[each["kind"]], node_id=int(each["id"], 16))
        for each in fields["changes"]
    )
    transition = Transition[fields.get("transition", "AUTO")]
    is_v1 = len(changes) == 1 and transition is Transition.AUTO
    return ConfChange(
        changes=changes, transition=Transition.AUTO if is_v1 else transition, is_v1=is_v1
    )

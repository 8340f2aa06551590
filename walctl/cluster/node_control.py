"""What operators may ask of a node, by verb: the lab's own commands use it, and nobody else.

status                                      as GET /status
campaign    group                           try to become leader
transfer    group, to                       hand leadership to a node of that id
snapshot    group                           make a snapshot now
compact     group, index (null: all)        forget entries up to the newest snapshot
change      group, changes, transition      propose a membership, and wait for it
reload                                      the lab's file has changed
clock       rate_percent, jump_us
digest      group                           of the state machine, with what it has applied
disk        fault (null: all off)           see `faults.DiskFault`
power-cut   mode, at_sync                   lose the power at the so-manieth sync from now
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from walctl.cluster.answers import Fate
from walctl.cluster.faults import ClockFault
from walctl.cluster.node import Instance, load_again
from walctl.cluster.node_status import node_status
from walctl.errors import ClusterError, UsageError
from walctl.fs.writable import WritableFileSystem
from walctl.raft.types import Change, ChangeKind, ConfChange, Transition

CHANGE_SECONDS: Final = 10.0
SNAPSHOT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02
RATE_PERCENT_MAX: Final = 10_000
JUMP_US_MAX: Final = 3_600_000_000

Fields = dict[str, Any]


class Control:
    """Does it for one node. `disk` is where the lab's file is read again.

    What is called may raise WalctlError, and KeyError or ValueError for fields that make no sense.
    """

    def __init__(self, node: Instance, disk: WritableFileSystem) -> None:
        self._node = node
        self._disk = disk
        self._verbs: dict[str, Callable[[Fields], Awaitable[Fields]]] = {
            "status": self._status,
            "campaign": self._campaign,
            "transfer": self._transfer,
            "snapshot": self._snapshot,
            "compact": self._compact,
            "change": self._change,
            "reload": self._reload,
            "clock": self._clock,
            "digest": self._digest,
        }

    async def __call__(self, verb: str, fields: Fields) -> Fields:
        """Do one. Raises: UsageError, for a verb that there is not."""
        if verb not in self._verbs:
            raise UsageError(f"no verb {verb!r}; there are {', '.join(self._verbs)}")
        return await self._verbs[verb](fields)

    async def _status(self, fields: Fields) -> Fields:
        return node_status(self._node)

    async def _campaign(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        self._node.driver(group).campaign()
        self._node.wake(group)
        return {}

    async def _transfer(self, fields: Fields) -> Fields:
        group, target = str(fields["group"]), int(fields["to"], 16)
        driver = self._node.driver(group)
        if not driver.is_leader:
            raise ClusterError(f"group {group}: {self._node.own.name} is {driver.not_leading}")
        if target not in driver.conf_state.voters:
            name = self._node.node_name(target) or f"{target:x}"
            raise ClusterError(f"group {group}: {name} is no voter, and cannot lead")
        driver.transfer(target)
        self._node.wake(group)
        return {}

    async def _snapshot(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        driver = self._node.driver(group)
        index = driver.applied
        if driver.snapshot_index < index:
            driver.wants_snapshot = True
            self._node.wake(group)
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                while self._node.driver(group).snapshot_index < index:
                    await asyncio.sleep(POLL_SECONDS)
        return {"index": driver.snapshot_index}

    async def _compact(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        driver = self._node.driver(group)
        index = fields.get("index")
        driver.compact(driver.snapshot_index if index is None else int(index))
        return {"first": driver.storage.first_index(), "last": driver.storage.last_index()}

    async def _change(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        changes = tuple(
            Change(kind=ChangeKind[each["kind"]], node_id=int(each["id"], 16))
            for each in fields["changes"]
        )
        transition = Transition[fields.get("transition", "AUTO")]
        is_v1 = len(changes) == 1 and transition is Transition.AUTO
        change = ConfChange(
            changes=changes, transition=Transition.AUTO if is_v1 else transition, is_v1=is_v1
        )
        try:
            async with asyncio.timeout(CHANGE_SECONDS):
                told = await self._node.change(group, change)
        except TimeoutError:
            return {"fate": Fate.UNKNOWN, "words": "timed out: no quorum?", "index": None}
        return {"fate": told.fate, "words": told.words, "index": told.index}

    async def _reload(self, fields: Fields) -> Fields:
        self._node.reload(load_again(self._disk, self._node.lab))
        await self._node.quiet()
        return {"groups": sorted(self._node.members)}

    async def _clock(self, fields: Fields) -> Fields:
        clock = ClockFault(
            rate_percent=int(fields.get("rate_percent", 100)), jump_us=int(fields.get("jump_us", 0))
        )
        if not 1 <= clock.rate_percent <= RATE_PERCENT_MAX or not 0 <= clock.jump_us <= JUMP_US_MAX:
            raise UsageError("a clock goes at 1 to 10,000 percent, and jumps at most an hour ahead")
        self._node.jump(clock)
        return {}

    async def _digest(self, fields: Fields) -> Fields:
        driver = self._node.driver(str(fields["group"]))
        return {"applied": driver.applied, "digest": driver.service.digest()}

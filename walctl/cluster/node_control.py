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
disk        set (fields of a fault), clear (a kind, null: all), or neither: what is on
power-cut   mode, at_sync, group            lose the power at the so-manieth sync from now; 0: now,
            off                             or not at all
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.faults import ClockFault, CrashMode, DiskFaultKind
from walctl.cluster.lab import load
from walctl.cluster.node import Instance, TellEvent
from walctl.cluster.node_disk import SYNCS_MAX, NodeDisk, fault_of
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
    """Does it for one node. `disk` is where the lab's file is read again, `faults` what is wrong
    with the node's own; `tell` takes events.

    What is called may raise WalctlError, and KeyError or ValueError for fields that make no sense.
    """

    def __init__(
        self, node: Instance, disk: WritableFileSystem, *, faults: NodeDisk, tell: TellEvent
    ) -> None:
        self._node = node
        self._disk = disk
        self._faults = faults
        self._tell = tell
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
            "disk": self._disk_faults,
            "power-cut": self._power_cut,
        }

    async def __call__(self, verb: str, fields: Fields) -> Fields:
        """Do one. Raises: UsageError, for a verb that there is not."""
        if verb not in self._verbs:
            raise UsageError(f"no verb {verb!r}; there are {', '.join(self._verbs)}")
        return await self._verbs[verb](fields)

    async def _status(self, fields: Fields) -> Fields:
        return node_status(self._node)

    async def _campaign(self, fields: Fields) -> Fields:
        self._node.do(str(fields["group"]), Driver.campaign)
        return {}

    async def _transfer(self, fields: Fields) -> Fields:
        group, target = str(fields["group"]), int(fields["to"], 16)
        driver = self._node.driver(group)
        if not driver.is_leader:
            raise ClusterError(f"group {group}: {self._node.own.name} is {driver.not_leading}")
        if target not in driver.conf_state.voters:
            name = self._node.node_name(target) or f"{target:x}"
            raise ClusterError(f"group {group}: {name} is no voter, and cannot lead")
        self._node.do(group, lambda each: each.transfer(target))
        return {}

    async def _snapshot(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        driver = self._node.driver(group)
        index = driver.applied
        if driver.snapshot_index < index:
            driver.wants_snapshot = True
            self._node.wake(group)
            try:
                async with asyncio.timeout(SNAPSHOT_SECONDS):
                    while self._node.driver(group).snapshot_index < index:
                        await asyncio.sleep(POLL_SECONDS)
            except TimeoutError:
                raise ClusterError(
                    f"group {group}: no snapshot of entry {index} within {SNAPSHOT_SECONDS:g} s"
                ) from None
        return {"index": driver.snapshot_index}

    async def _compact(self, fields: Fields) -> Fields:
        group = str(fields["group"])
        driver = self._node.driver(group)
        index = fields.get("index")
        last = driver.snapshot_index if index is None else int(index)
        self._node.do(group, lambda each: each.compact(last))
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
        self._node.reload(load(self._disk, self._node.lab.path))
        await self._node.quiet()
        return {"groups": sorted(self._node.members)}

    async def _clock(self, fields: Fields) -> Fields:
        before = self._node.clock
        clock = ClockFault(
            rate_percent=int(fields.get("rate_percent", before.rate_percent)),
            jump_us=int(fields.get("jump_us", 0)),
        )
        if not 1 <= clock.rate_percent <= RATE_PERCENT_MAX or not 0 <= clock.jump_us <= JUMP_US_MAX:
            raise UsageError("a clock goes at 1 to 10,000 percent, and jumps at most an hour ahead")
        await self._node.jump(clock)
        if clock.rate_percent != before.rate_percent:
            args = {"rate_percent": clock.rate_percent}
            kind = EventKind.HEAL if clock.rate_percent == 100 else EventKind.FAULT
            self._tell({"k": kind, "on": "clock", "args": args})
        if clock.jump_us:
            args = {"jump_us": clock.jump_us}
            self._tell({"k": EventKind.FAULT, "on": "clock-jump", "args": args})
        return {}

    async def _digest(self, fields: Fields) -> Fields:
        driver = self._node.driver(str(fields["group"]))
        return {"applied": driver.applied, "digest": driver.service.digest()}

    async def _disk_faults(self, fields: Fields) -> Fields:
        if "set" in fields:
            fault = fault_of(dict(fields["set"]))
            if fault.group is not None:
                self._node.lab.group(fault.group)
            self._faults.set(fault)
        elif "clear" in fields:
            kind = fields["clear"]
            self._faults.clear(None if kind is None else DiskFaultKind(kind))
        return {"faults": self._faults.faults()}

    async def _power_cut(self, fields: Fields) -> Fields:
        if fields.get("off"):
            self._faults.disarm()
            return {}
        mode, at_sync = CrashMode(fields["mode"]), int(fields.get("at_sync", 1))
        if not 0 <= at_sync <= SYNCS_MAX:
            raise UsageError(f"expected a sync from now up to the {SYNCS_MAX:,}th, found {at_sync}")
        group = fields.get("group")
        self._faults.cut_power(mode, at_sync=at_sync, group=None if group is None else str(group))
        return {}

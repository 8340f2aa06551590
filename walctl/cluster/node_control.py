"""What operators may ask of a node, by verb: the lab's own commands use it, and nobody else.

What is asked of its members is in `member_control`; besides that:

status                                      as GET /status
reload                                      the lab's file has changed
clock       rate_percent, jump_us
disk        set (fields of a fault), clear (a kind, null: all), or neither: what is on
power-cut   mode, at_sync, group            lose the power at the so-manieth sync from now; 0: now,
            off                             or not at all
"""

from collections.abc import Awaitable, Callable
from typing import Final

from walctl.cluster.events import EventKind
from walctl.cluster.faults import ClockFault, CrashMode, DiskFaultKind
from walctl.cluster.lab import load
from walctl.cluster.member_control import Fields, MemberControl
from walctl.cluster.node import Instance, TellEvent
from walctl.cluster.node_disk import SYNCS_MAX, NodeDisk, fault_of
from walctl.cluster.node_status import node_status
from walctl.cluster.pace import LoopPace
from walctl.errors import UsageError
from walctl.fs.writable import WritableFileSystem

RATE_PERCENT_MAX: Final = 10_000
JUMP_US_MAX: Final = 3_600_000_000


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
            **MemberControl(node, LoopPace()).verbs,
            "status": self._status,
            "reload": self._reload,
            "clock": self._clock,
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

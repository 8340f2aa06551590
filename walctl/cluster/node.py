"""A node: one process that holds a member of each of its groups, and lets them work.

All members share one loop, one transport and one clock. What comes in wakes a member; in the same
turn of the loop everything that woke it is done together: one append, one sync, one write to each
peer. A member that fails (its disk, a broken invariant, a log that does not read) ends alone, and
says why; the others go on. When none is left, so does the process.

The process itself, its signals and its output are the caller's (`walctl cluster node`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from formats.errors import FormatError
from walctl.cluster import lab as labs
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.faults import ClockFault
from walctl.cluster.held import (
    Member,
    coming,
    driver_in,
    ended,
    first_ids,
    holders,
    leaving,
    place_of,
)
from walctl.cluster.lab import HOST, Group, Lab, MachineKind, Node
from walctl.cluster.service import KvService, Service, first_request_id
from walctl.cluster.surroundings import Job, Surroundings
from walctl.cluster.taking_up import etcd_service
from walctl.cluster.transport import Hooks, Transport
from walctl.cluster.waiting import Told
from walctl.errors import ClusterError, RefusedError, UsageError, WalctlError
from walctl.fs.writable import WritableFileSystem
from walctl.raft.core import Draw
from walctl.raft.errors import RaftPanic
from walctl.raft.types import ConfChange, Message

TOLD: Final = frozenset(
    {
        EventKind.ROLE,
        EventKind.TERM,
        EventKind.VOTE,
        EventKind.CONF,
        EventKind.SNAP_MAKE,
        EventKind.SNAP_SEND,
        EventKind.SNAP_RECV,
        EventKind.START,
        EventKind.STOP,
        EventKind.CRASH,
        EventKind.FSERR,
    }
)
"""What a node tells of by itself; the rest is in its log, and would be many lines a second."""
LOOK_SECONDS: Final = 1.0
"""How often at most the lab's file is read again for a member that nobody told us of."""

T = TypeVar("T")
TellEvent = Callable[[Mapping[str, Any]], None]


class Instance:
    """See the module. `clock_us` is a clock that no one sets, `wall_ms` tells the date."""

    def __init__(
        self,
        lab: Lab,
        name: str,
        *,
        disk: WritableFileSystem,
        draw: Draw,
        clock_us: Callable[[], int],
        wall_ms: Callable[[], int],
        tell: TellEvent,
    ) -> None:
        self.lab = lab
        self.own: Node = lab.node(name)
        if self.own.id is None:
            raise UsageError(f"{lab.path}: node {name} has no id")
        self.id: int = self.own.id
        self.members: dict[str, Member] = {}
        self.clock = ClockFault()
        self.is_over = asyncio.Event()
        self.clock_us = clock_us
        self._wall_ms = wall_ms
        self._disk = disk
        self._draw = draw
        self._tell_line = tell
        self._awake: dict[str, None] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._next_look = 0.0
        self._transport = Transport(
            self.id, Hooks(receive=self._receive, unreachable=self._lost, snapshot=self._sent)
        )

    @property
    def name(self) -> str:
        """What it is called."""
        return self.own.name

    # Its life.

    async def start(self) -> None:
        """Take up every member, and listen for peers. Raises: ClusterError, when none starts."""
        self._transport.set_peers(self._peers())
        for group in self.lab.hosted_by(self.own.name):
            self._begin(group)
        failed = [each for each in self.members.values() if each.driver is None]
        if failed and len(failed) == len(self.members):
            raise ClusterError(failed[0].words)
        await self._transport.listen((HOST, self.own.peer_port))
        self._wake_all()

    async def tick_for_ever(self) -> None:
        """Let time pass for the members, at the rate of this node's clock."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            tick = self.lab.settings.timing.tick_ms / 1000 * 100 / self.clock.rate_percent
            # A tick that was missed (the process was stopped, the disk slow) is not made up for.
            due = max(due + tick, loop.time())
            await asyncio.sleep(due - loop.time())
            self._tick()

    async def close(self) -> None:
        """End every member, and all connections."""
        for job in list(self._jobs):
            await asyncio.wait([job])
        for member in self.members.values():
            if member.driver is not None:
                try:
                    member.driver.end("the node was stopped")
                except WalctlError as error:
                    member.words = error.message
                member.driver = None
        await self._transport.close()

    async def jump(self, clock: ClockFault) -> None:
        """Set the clock's rate, and let it jump once."""
        self.clock = clock
        ticks = clock.jump_us // 1000 // self.lab.settings.timing.tick_ms
        for _ in range(max(0, ticks)):
            self._tick()
            await asyncio.sleep(0)  # what a tick calls for is done before the next one

    def reload(self, lab: Lab) -> None:
        """The lab's file has changed: nodes and groups came or went."""
        self.lab = lab
        self._transport.set_peers(self._peers())
        for name in leaving(self.members, lab, self.own.name):
            taken = self.members.pop(name)
            taken.is_removed = True  # a node without members stays, and may be given others
            self._end(taken, "the group was taken from this node")
        for group in coming(self.members, lab, self.own.name):
            self._begin(group)
        self._wake_all()

    # What clients and operators ask.

    def driver(self, group: str) -> Driver:
        """See `driver_in`."""
        return driver_in(self.members, self.lab, self.own.name, group)

    async def propose(self, group: str, data: bytes) -> Told:
        """What became of a proposal. Raises: UsageError, ClusterError."""
        future = self._future()
        self.driver(group).propose(data, _settle(future))
        self.wake(group)
        return await future

    async def change(self, group: str, change: ConfChange) -> Told:
        """What became of a membership change. Raises: UsageError, ClusterError."""
        future = self._future()
        self.driver(group).change(change, _settle(future))
        self.wake(group)
        return await future

    async def read(self, group: str, *, by_lease: bool = False) -> Told:
        """Wait until a linearizable read may be made. Raises: UsageError, ClusterError."""
        future = self._future()
        driver = self.driver(group)
        if by_lease:
            driver.read_by_lease(_settle(future))
        else:
            driver.read(_settle(future))
        self.wake(group)
        return await future

    def holders(self, group: str) -> Iterator[Node]:
        """The other nodes that are to hold a member of a group, as far as this one was told."""
        return holders(self.lab, self.own.name, group)

    async def quiet(self) -> None:
        """Wait until nothing is written for members that have ended."""
        for job in list(self._jobs):
            await asyncio.wait([job])

    def do(self, group: str, deed: Callable[[Driver], T]) -> T:
        """Let a member do what an operator wants. Raises: UsageError; ClusterError, when it has
        ended, also just now, of that."""
        self.driver(group)
        member = self.members[group]
        results: list[T] = []
        if not self._let(member, lambda driver: results.append(deed(driver))):
            raise ended(member, self.own.name)
        self.wake(group)
        return results[0]

    def wake(self, group: str) -> None:
        """Let a member work, in this turn of the loop, when all that came is there."""
        if not self._awake:
            asyncio.get_running_loop().call_soon(self._work)
        self._awake[group] = None

    def client_url(self, node_id: int) -> str | None:
        """Where clients reach another node."""
        for each in self.lab.nodes:
            if each.id == node_id:
                return f"http://{HOST}:{each.client_port}"
        return None

    def node_name(self, node_id: int) -> str:
        """The name of the node of an id, empty for nobody's."""
        return next((each.name for each in self.lab.nodes if each.id == node_id), "")

    # How it works.

    def _future(self) -> "asyncio.Future[Told]":
        return asyncio.get_running_loop().create_future()

    def _peers(self) -> dict[int, tuple[str, int]]:
        return {
            each.id: (HOST, each.proxy_port)
            for each in self.lab.nodes
            if each.id not in (None, self.id) and not each.is_removed
        }

    def _wake_all(self) -> None:
        for name in self.members:
            self.wake(name)

    def _tick(self) -> None:
        for name, member in list(self.members.items()):
            if not self._let(member, Driver.tick) or member.driver is None:
                continue
            if member.driver.needs_work:
                self.wake(name)

    def _work(self) -> None:
        awake, self._awake = self._awake, {}
        for name in awake:
            member = self.members.get(name)
            if member is None or not self._let(member, Driver.work) or member.driver is None:
                continue
            if member.driver.is_removed:
                member.is_removed = True
                self._end(member, "removed from the group")
            elif member.driver.is_snapshot_due:
                self._let(member, partial(self._make, member))

    def _make(self, member: Member, driver: Driver) -> None:
        """Begin a snapshot, and let it be built beside."""
        task = asyncio.get_running_loop().create_task(
            self._finish_snapshot(member, driver, driver.begin_snapshot())
        )
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _finish_snapshot(self, member: Member, driver: Driver, job: Job) -> None:
        try:
            await asyncio.to_thread(job.run)
        except (RefusedError, ValueError, MemoryError) as error:
            # It cannot be made of this state; the member goes on with its log.
            driver.fail_snapshot()
            why = str(error) or "no memory"
            self._tell(member.group, EventKind.NOTE, {"what": "no snapshot", "why": why})
        except WalctlError as error:
            if member.driver is driver:
                self._fail(member, str(error))
        else:
            if member.driver is driver:
                self._let(member, lambda each: each.end_snapshot(job))

    def _begin(self, group: Group) -> None:
        """Take up a member where its directory is, else begin or join."""
        name = group.name
        try:
            driver = self._driver_of(group)
        except (WalctlError, RaftPanic) as error:
            self.members[name] = Member(name, None, words=str(error))
            self._tell(name, EventKind.CRASH, {"why": str(error)})
            return
        self.members[name] = Member(name, driver)
        state = driver.node.raft.hard_state
        self._tell(
            name,
            EventKind.START,
            {
                "term": state.term,
                "vote": state.vote,
                "commit": state.commit,
                "last": driver.storage.last_index(),
            },
        )

    def _driver_of(self, group: Group) -> Driver:
        """Raises: AccessError, CorruptionError, RaftPanic."""
        place = place_of(self.lab, self.own.name, group.name)
        service, has_state = self._service(group.name)

        def tell(kind: EventKind, fields: Mapping[str, Any]) -> None:
            if kind in TOLD:
                self._tell(group.name, kind, fields)

        def send(messages: Sequence[Message]) -> None:
            self._transport.send(group.name, messages)

        world = Surroundings(
            disk=self._disk, draw=self._draw, now_us=self.clock_us, send=send, tell=tell
        )
        if self._disk.exists(place.wal) and self._disk.names(place.wal):
            driver = Driver.take_up(
                self.id, place=place, service=service, world=world, has_state=has_state
            )
        else:
            driver = Driver.join(self.id, place=place, service=service, world=world)
        peers = first_ids(self.lab, group, self.own.name)
        if peers and driver.is_blank:
            driver.bootstrap(peers)
        return driver

    def _service(self, group: str) -> tuple[Service, bool]:
        """The machine's face, and whether it has a state already. Raises: AccessError,
        CorruptionError."""
        if self.lab.settings.machine is not MachineKind.ETCD:
            return KvService(), False
        request_id = first_request_id(self.id, self._wall_ms())
        data = self.lab.data_path(self.own.name, group)
        taken = etcd_service(self._disk, data, request_id=request_id)
        return taken.service, not taken.is_own

    def _look_again(self) -> None:
        """A member that nobody told us of, as when this node stood still: the file may know it."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_look:
            return
        self._next_look = loop.time() + LOOK_SECONDS

        def look() -> None:
            # Whatever is wrong with the file, this node goes on as it is.
            with contextlib.suppress(WalctlError):
                self.reload(labs.load(self._disk, self.lab.path))

        loop.call_soon(look)

    def _fail(self, member: Member, words: str) -> None:
        self._tell(member.group, EventKind.CRASH, {"why": words})
        self._end(member, words)

    def _end(self, member: Member, words: str) -> None:
        """This member ends; the others go on."""
        driver, member.driver, member.words = member.driver, None, words
        if driver is not None:
            try:
                driver.end(words)
            except WalctlError as error:
                member.words = f"{words}; {error.message}"
            self._tell(member.group, EventKind.STOP, {"why": member.words})
        is_left = any(each.driver is not None for each in self.members.values())
        if not is_left and not member.is_removed:
            self.is_over.set()

    def _tell(self, group: str, kind: EventKind, fields: Mapping[str, Any]) -> None:
        self._tell_line({"k": str(kind), "g": group, **fields})

    # What the transport tells.

    def _receive(self, group: str, message: Message) -> None:
        member = self.members.get(group)
        if member is not None and self._let(member, lambda driver: driver.receive(message)):
            self.wake(group)

    def _lost(self, group: str, node: int) -> None:
        if node not in self._transport.peers:
            self._look_again()
        member = self.members.get(group)
        if member is not None:
            self._let(member, lambda driver: driver.report_unreachable(node))

    def _sent(self, group: str, node: int, is_done: bool) -> None:
        member = self.members.get(group)
        if member is not None and self._let(
            member, lambda driver: driver.report_snapshot(node, is_done=is_done)
        ):
            self.wake(group)

    def _let(self, member: Member, deed: Callable[[Driver], None]) -> bool:
        """Let a member do something; false when it has ended, also just now, of that."""
        if member.driver is None:
            return False
        try:
            deed(member.driver)
        except (WalctlError, FormatError, RaftPanic) as error:
            self._fail(member, str(error))
            return False
        return True


def _settle(future: "asyncio.Future[Told]") -> Callable[[Told], None]:
    """Who waits may have gone away meanwhile."""

    def tell(told: Told) -> None:
        if not future.done():
            future.set_result(told)

    return tell

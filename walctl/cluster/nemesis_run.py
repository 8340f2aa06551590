"""A nemesis at work on a lab that is up: its plan carried out, and all made well at its end.

Deeds are done one after the other, and changes of members, which take their time, beside them; one
that is late does not move the others. What cannot be done
(a node that died meanwhile, a change that finds no quorum) is told, and the rest goes on. However
it ends, by its time, by Ctrl-C or by an error, the end is the same: links, disks and clocks are
well, and every node runs.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from walctl.cluster import runtime
from walctl.cluster.deeds import Clock, DiskOff, MemberVerb, Net, Process
from walctl.cluster.events import EventKind
from walctl.cluster.hands import Hands, hands_on
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.nemesis import NemesisWish, Timed, plan
from walctl.cluster.playing import Player, playing
from walctl.cluster.runtime import seeded
from walctl.cluster.standing import NodeState
from walctl.errors import ClusterError, UsageError, WalctlError
from walctl.fs.writable import WritableFileSystem

PROGRESS_SECONDS: Final = 0.2
NAME: Final = "nemesis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A deed of the plan that was done, or could not be."""

    timed: Timed
    at_us: int
    words: str
    is_done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Havoc:
    """What a nemesis did. `is_early`: it was told to end before its time. `left` is what it could
    not make well again, empty in the end, as a rule."""

    seed: int
    struck: tuple[Struck, ...]
    is_early: bool
    left: tuple[str, ...]

    @property
    def faults(self) -> int:
        """How many faults were done."""
        return sum(each.is_done and not each.timed.is_heal for each in self.struck)


OnStruck = Callable[[Struck], None]
OnTime = Callable[[int, int], None]
"""Is told how much of the time has passed, and all of it, in microseconds."""


def unleash(
    disk: WritableFileSystem,
    lab: Lab,
    wish: NemesisWish,
    *,
    seed: int,
    on_begin: Callable[[], None],
    on_struck: OnStruck,
    on_time: OnTime,
) -> Havoc:
    """Do all of it. `on_begin` is called once it is certain that it can be begun.

    Raises: UsageError; ClusterError, when the lab is not up or goes down.
    """
    steps = plan(wish, seeded(seed))

    async def run() -> Havoc:
        async with (
            hands_on(disk, lab, draw=runtime.draw()) as hands,
            playing(hands, name=NAME) as player,
            _heeded_signals() as asked,
        ):
            args = {"seed": seed, "faults": list(wish.faults), "interval_us": wish.interval_us}
            note = {"k": EventKind.NOTE, "what": "nemesis begins", "args": args}
            await hands.control.tell([note])
            on_begin()
            rage = _Rage(player, asked, on_struck, on_time)
            left: tuple[str, ...] = ()
            try:
                await rage.all(steps, wish.for_us)
            finally:
                left = await _heal_all(hands)
                await rage.end_members()  # which now have a quorum
                args = {"seed": seed, "left": list(left)}
                note = {"k": EventKind.NOTE, "what": "nemesis ends", "args": args}
                await hands.control.tell([note])
            return Havoc(seed=seed, struck=tuple(rage.struck), is_early=asked.is_set(), left=left)

    return asyncio.run(run())


class _Rage:
    """The plan being carried out."""

    def __init__(
        self, player: Player, asked: asyncio.Event, on_struck: OnStruck, on_time: OnTime
    ) -> None:
        self.struck: list[Struck] = []
        self._player = player
        self._asked = asked
        self._on_struck = on_struck
        self._on_time = on_time
        self._began = runtime.now_us()
        self._members: asyncio.Task[None] | None = None

    async def all(self, steps: Sequence[Timed], for_us: int) -> None:
        """Each in its time, until somebody wants an end."""
        for timed in steps:
            await self._wait(timed.at_us, for_us)
            if self._asked.is_set():
                return
            if isinstance(timed.deed, MemberVerb):
                self._members = asyncio.create_task(self._after(self._members, timed))
            else:
                await self._strike(timed)
        await self._wait(for_us, for_us)

    async def end_members(self) -> None:
        """Wait for the changes of members that are under way."""
        if self._members is not None:
            await self._members

    async def _after(self, earlier: "asyncio.Task[None] | None", timed: Timed) -> None:
        if earlier is not None:
            await earlier
        await self._strike(timed)

    async def _strike(self, timed: Timed) -> None:
        words, is_done = await self._do(timed)
        at_us = runtime.now_us() - self._began
        struck = Struck(timed=timed, at_us=at_us, words=words, is_done=is_done)
        self.struck.append(struck)
        self._on_struck(struck)

    async def _do(self, timed: Timed) -> tuple[str, bool]:
        deed = timed.deed
        try:
            if timed.is_heal and isinstance(deed, Process | DiskOff | Clock):
                state = await self._player.hands.state(deed.node)
                is_there = state in (NodeState.RUNNING, NodeState.PAUSED)
                is_start = isinstance(deed, Process) and deed.verb == "start"
                is_moot = is_there if is_start else not is_there
                if is_moot and getattr(deed, "verb", "") != "restart":
                    return f"{deed.words}: is {state} already", True
            return (await self._player.do(deed)).words, True
        except (ClusterError, UsageError) as error:
            await self._player.hands.control.info()  # without a supervisor there is no going on
            return error.message, False

    async def _wait(self, at_us: int, for_us: int) -> None:
        while not self._asked.is_set():
            now = runtime.now_us() - self._began
            self._on_time(min(now, for_us), for_us)
            if now >= at_us:
                return
            left = min(PROGRESS_SECONDS, (at_us - now) / 1e6)
            try:
                await asyncio.wait_for(self._asked.wait(), left)
            except TimeoutError:
                continue


async def _heal_all(hands: Hands) -> tuple[str, ...]:
    """Make all of it well; what could not be, in words."""
    left: list[str] = []

    async def tried(deed: Net | Process | DiskOff | Clock) -> None:
        try:
            await hands.do(deed)
        except WalctlError as error:
            # It may be well by now all the same: a change of members has started it, say.
            if isinstance(deed, Process) and await hands.state(deed.node) is NodeState.RUNNING:
                return
            left.append(error.message)

    await tried(Net(verb="heal", rest=("--all",)))
    standing = await hands.standing()
    failed = {node.name for node in standing.nodes for each in node.groups if each.role == "failed"}
    for each in (await hands.control.info())["nodes"]:
        name, state = each["name"], NodeState(each["state"])
        if state is NodeState.PAUSED:
            await tried(Process(verb="resume", node=name))
        elif state is not NodeState.RUNNING:
            if any(hands.lab.hosted_by(name)):
                await tried(Process(verb="start", node=name))
            continue
        if name in failed:
            await tried(Process(verb="restart", node=name))
        elif hands.lab.engine is Engine.WALCTL:
            await tried(DiskOff(node=name))
            await tried(Clock(node=name))
            await _disarm(hands, name)
    return tuple(left)


async def _disarm(hands: Hands, node: str) -> None:
    """A power cut that was to come does not."""
    try:
        await hands.ask_node(node, "power-cut", {"off": True})
    except ClusterError:
        return  # it has died, and comes back without


@asynccontextmanager
async def _heeded_signals() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set, while the block runs."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers: tuple[Any, ...] = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)

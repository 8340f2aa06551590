"""A scenario played against real processes: a lab made for it, its commands done, an account given.

It ends at the first expectation that does not hold, and at the first command that cannot be done.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from walctl.cluster import runtime
from walctl.cluster.deeds import Expect, MakeCluster, Net
from walctl.cluster.events import EventKind
from walctl.cluster.hands import hands_on
from walctl.cluster.lab import Engine, Lab, Settings, Timing, load
from walctl.cluster.making import NewLab, make
from walctl.cluster.playing import Player, playing
from walctl.cluster.quantities import show_spread
from walctl.cluster.scenario import Command, Scenario
from walctl.cluster.steps import Done, Step
from walctl.cluster.up_down import down, up_detached
from walctl.errors import ExitStatus, UnsupportedError, WalctlError
from walctl.fs.writable import WritableFileSystem

SIMULATED: Final = "sim"
"""The engine that is no process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How a scenario went. `count` is how many commands it has."""

    scenario: Scenario
    lab: Path
    engine: Engine
    steps: tuple[Step, ...]

    @property
    def expected(self) -> int:
        """How many expectations were looked at."""
        return sum(step.done.holds is not None for step in self.steps)

    @property
    def exit_status(self) -> ExitStatus:
        """0 where all that was expected holds, 1 where it does not, 4 where it broke off."""
        if any(step.is_error for step in self.steps):
            return ExitStatus.UNFINISHED
        broken = any(step.is_broken for step in self.steps)
        return ExitStatus.DAMAGE if broken else ExitStatus.CLEAN


OnStep = Callable[[Step], None]


def wish_of(cluster: MakeCluster, path: Path, *, engine: Engine, program: str | None) -> NewLab:
    """The lab that a scenario asks for."""
    settings = Settings()
    timing = Timing(
        tick_ms=cluster.tick_ms or settings.timing.tick_ms,
        election_ticks=cluster.election_ticks or settings.timing.election_ticks,
    )
    settings = replace(settings, timing=timing)
    if cluster.pre_vote is not None:
        settings = replace(settings, pre_vote=cluster.pre_vote)
    if cluster.check_quorum is not None:
        settings = replace(settings, check_quorum=cluster.check_quorum)
    if cluster.snapshot_count is not None:
        settings = replace(settings, snapshot_count=cluster.snapshot_count)
    if cluster.segment_bytes is not None:
        settings = replace(settings, segment_bytes=cluster.segment_bytes)
    if cluster.catch_up_entries is not None:
        settings = replace(settings, catch_up_entries=cluster.catch_up_entries)
    return NewLab(
        path=path,
        nodes=cluster.nodes,
        groups=cluster.groups,
        engine=engine,
        settings=settings,
        program=program,
    )


def is_simulated(cluster: MakeCluster, wished: str | None) -> bool:
    """Whether the simulator is to play it, and no processes."""
    return (wished or cluster.engine) == SIMULATED


def engine_of(cluster: MakeCluster, wished: str | None) -> Engine:
    """Whose members are to play it. Raises: UnsupportedError, where the simulator is."""
    if is_simulated(cluster, wished):
        raise UnsupportedError("engine=sim: this scenario is for the simulator, not for processes")
    return Engine(wished or cluster.engine or Engine.WALCTL)


def left_out(cluster: MakeCluster, engine: Engine) -> tuple[str, ...]:
    """What a scenario says of its cluster that means nothing to processes of this engine."""
    told = {
        "seed": cluster.seed is not None,
        "budget": cluster.is_unbounded,
        "sync": cluster.sync_us is not None,
        "message": cluster.message_bytes is not None,
        "segment": cluster.segment_bytes is not None and engine is Engine.ETCD,
        "catch-up": cluster.catch_up_entries is not None and engine is Engine.ETCD,
    }
    return tuple(name for name, is_said in told.items() if is_said)


def play(disk: WritableFileSystem, scenario: Scenario, wish: NewLab, *, on_step: OnStep) -> Account:
    """Make the lab, play the scenario, and end all that runs; the lab's folder stays.

    Raises: WalctlError, when the lab cannot be made or does not come up.
    """
    lab = make(
        disk, wish, token=runtime.token(), draw=runtime.draw(), port_fault=runtime.port_fault
    )
    with _ended(disk, lab):
        up_detached(disk, lab, only=())
        steps = asyncio.run(_played(disk, load(disk, lab.path), scenario, on_step))
    return Account(scenario=scenario, lab=lab.path, engine=lab.engine, steps=tuple(steps))


@contextlib.contextmanager
def _ended(disk: WritableFileSystem, lab: Lab) -> Iterator[None]:
    """Whatever runs of the lab is ended when the block does."""
    try:
        yield
    finally:
        down(disk, load(disk, lab.path), is_hard=True)


async def _played(
    disk: WritableFileSystem, lab: Lab, scenario: Scenario, on_step: OnStep
) -> list[Step]:
    steps: list[Step] = []
    async with hands_on(disk, lab, draw=runtime.draw()) as hands, playing(hands) as player:
        await _prepared(player, scenario.cluster)
        began = runtime.now_us()
        for command in scenario.commands:
            await _until(command, began)
            note = {"k": EventKind.NOTE, "what": f"line {command.line}: {command.words}"}
            await hands.control.tell([note])
            is_error = False
            doing = player.do if command.at_us is None else player.begin
            try:
                done = await doing(command.deed)
            except WalctlError as error:
                done, is_error = Done(error.message), True
            at_us = runtime.now_us() - began
            step = Step(command=command, at_us=at_us, done=done, is_error=is_error)
            steps.append(step)
            on_step(step)
            if step.is_broken:
                if isinstance(command.deed, Expect):
                    event = {"k": EventKind.NOTE, "what": f"does not hold: {done.words}"}
                    await hands.control.tell([event])
                break
    return steps


async def _prepared(player: Player, cluster: MakeCluster) -> None:
    """The links as the scenario says they are, and a note of what is left out."""
    names = left_out(cluster, player.lab.engine)
    if names:
        note = {"k": EventKind.NOTE, "what": f"for the simulator, left out: {', '.join(names)}"}
        await player.hands.control.tell([note])
    if cluster.link is not None and cluster.link.delay_us and cluster.nodes > 1:
        spread = show_spread(cluster.link.delay_us, cluster.link.jitter_us)
        await player.do(Net(verb="delay", rest=("all", spread)))


async def _until(command: Command, began_us: int) -> None:
    """The moment of a command comes; at once, where it has none, or it is over."""
    if command.at_us is not None:
        await asyncio.sleep(max(0, began_us + command.at_us - runtime.now_us()) / 1e6)

"""What the simulator does in a second, and how soon it sees that a protection is missing.

The peer is the same event loop with no Raft in it: as many messages between as many nodes, each
planned, delivered and counted. Virtual seconds are those of three nodes whose clients ask 50 times
a second, with every promise checked. Of every safeguard that runs can miss: the first swarm seed
whose run breaks a promise without it, which promise, and what `shrink` leaves of that run.
"""

import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.machine import Row
from walctl.cluster.deeds import Ask, MakeCluster
from walctl.sim.chance import Streams
from walctl.sim.clockwork import Clockwork, Rank
from walctl.sim.many import in_order
from walctl.sim.planning import SimWish, plan
from walctl.sim.run import Report, run_seed
from walctl.sim.safeguard import Safeguard
from walctl.sim.safeguards import SAFEGUARDS, named
from walctl.sim.shrink import shrink
from walctl.sim.trial import Limits
from walctl.sim.watching import Watching
from walctl.sim.world import World

SECOND_US = 1_000_000
VIRTUAL_SECONDS = 60
RATE = 50
SEEDS = 40
SEEDS_MAX = 500
SWARM_US = 10 * SECOND_US


def bench_simulating(row: Row) -> None:
    """The rows of the table."""
    seconds, messages = _steady(is_watched=True)
    peer = _toy(messages)
    row(f"{messages:,} messages of an event loop with no Raft", peer, "peer")
    told = f"{messages / seconds:,.0f} messages/s, {VIRTUAL_SECONDS / seconds:.0f} virtual s/s"
    row("the same of a simulated cluster, all promises checked", seconds, told)
    bare, _ = _steady(is_watched=False)
    row("  with nobody looking on", bare, f"{seconds / bare:.2f} × that when all is checked")
    one, two = _seeds(jobs=1), _seeds(jobs=2)
    row(f"{SEEDS} swarm seeds, one process", one, f"{SEEDS / one:.1f} seeds/s")
    row(f"{SEEDS} swarm seeds, two processes", two, f"{one / two:.2f} × as many a second")
    for safeguard in SAFEGUARDS:
        if safeguard.breaks:
            _bench_missing(row, safeguard)


def _steady(*, is_watched: bool) -> tuple[float, int]:
    """CPU seconds of a calm minute, and its messages."""
    world = World(MakeCluster(nodes=3, seed=1))
    if is_watched:
        world.onlooker = Watching(world)
    world.begin()
    world.clock.run_to(3 * SECOND_US)
    before, began = world.network.messages, time.process_time()
    for number in range(VIRTUAL_SECONDS * RATE):
        ask = Ask(verb="put", key=f"k{number % 10}", value=f"{number:0100}", client=number % 5)
        world.do(ask)
        world.clock.run_to(world.clock.now_us + SECOND_US // RATE)
    return time.process_time() - began, world.network.messages - before


def _toy(messages: int) -> float:
    """CPU seconds for so many messages among three nodes that only count them."""
    clock, streams = Clockwork(), Streams(1)
    heard = {"n1": 0, "n2": 0, "n3": 0}
    left = messages

    def arrive(name: str) -> None:
        nonlocal left
        heard[name] += 1
        for target in heard:
            if target != name and left > 0:
                left -= 1
                delay_us = streams[f"delay/{name}->{target}"].around(1_000, 500)
                clock.after(delay_us, Rank.NETWORK, partial(arrive, target))

    began = time.process_time()
    arrive("n1")
    while sum(heard.values()) < messages:
        clock.step()
    return time.process_time() - began


def _wish(seed: int) -> SimWish:
    return SimWish(seed=seed, is_swarm=True, time_us=SWARM_US)


def _seeds(*, jobs: int) -> float:
    began = time.perf_counter()
    wishes = [_wish(seed) for seed in range(SEEDS)]
    assert len(list(in_order(run_seed, wishes, jobs=jobs, lost=_lost))) == SEEDS
    return time.perf_counter() - began


def _lost(wish: SimWish, words: str) -> Report:
    raise AssertionError(f"{wish.name}: {words}")


def first_broken(names: Sequence[str], *, seeds_max: int = SEEDS_MAX) -> Report | None:
    """The first seed whose run breaks a promise without these safeguards."""
    for seed in range(seeds_max):
        report = run_seed(_wish(seed), names)
        if report.violation is not None:
            return report
    return None


def _bench_missing(row: Row, safeguard: Safeguard) -> None:
    began = time.perf_counter()
    report = first_broken([safeguard.name])
    seconds = time.perf_counter() - began
    if report is None or report.violation is None:
        row(f"without {safeguard.name}", seconds, f"not seen in {SEEDS_MAX} seeds")
        return
    found = report.violation
    row(f"without {safeguard.name}", seconds, f"{found.id} at seed {report.seed}")
    small = shrink(
        plan(_wish(report.seed)),
        seconds=time.monotonic,
        watch=Watching,
        without=named([safeguard.name]),
        limits=Limits(),
    )
    row("  shrunk", small.seconds, f"{small.before} to {small.after} decisions, {small.runs} runs")

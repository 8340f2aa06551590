"""What `walctl cluster sim` is asked for: options into a job, and a run of it into words again."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from walctl.cluster.quantities import parse_duration, show_duration
from walctl.sim.campaign import FOLDER
from walctl.sim.planning import SimWish


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run, and where traces go. Fields are named as options are."""

    wish: SimWish
    seeds: range
    without: tuple[str, ...]
    jobs: int
    folder: Path
    trace: Path | None

    def again(self, seed: int) -> str:
        """The command that does one of these runs once more."""
        return shlex.join(["walctl", "cluster", "sim", *words_of(self.wish, seed, self.without)])


def words_of(wish: SimWish, seed: int, without: Iterable[str]) -> list[str]:
    """The options that make such a run; what is as it is by default is left out."""
    usual = SimWish(seed=seed)
    words = ["--seed", f"{seed:#x}"]
    if wish.time_us != usual.time_us:
        words += ["--time", show_duration(wish.time_us)]
    for name in ("rate", "nodes", "groups"):
        if getattr(wish, name) != getattr(usual, name):
            words += [f"--{name}", str(getattr(wish, name))]
    if wish.faults is not None:
        words += ["--faults", ",".join(wish.faults)]
    words += ["--unbounded"] * wish.is_unbounded + ["--swarm"] * wish.is_swarm
    return [*words, *(word for name in without for word in ("--without", name))]


def job_of(
    *,
    without: tuple[str, ...],
    seed: int | None,
    seeds: int | None,
    first: int | None,
    jobs: int,
    time_: str,
    rate: int,
    nodes: int,
    groups: int,
    faults: str | None,
    unbounded: bool,
    swarm: bool,
    trace: Path | None,
    output_dir: Path | None,
) -> Job:
    """What the options ask for. Raises: click.UsageError, UsageError."""
    if seed is not None and seeds is not None:
        raise click.UsageError("--seed is one run, --seeds are many: give one of them.")
    if first is not None and seeds is None:
        raise click.UsageError("--first is the first of --seeds: give both.")
    if seed is None and seeds is None:
        from walctl.cluster.runtime import new_seed  # brings asyncio, which nothing else here needs

        seed = new_seed()
    begin = seed if seed is not None else 1 if first is None else first
    wish = SimWish(
        seed=begin,
        nodes=nodes,
        groups=groups,
        time_us=parse_duration(time_),
        rate=rate,
        faults=None if faults is None else tuple(filter(None, faults.split(","))),
        is_unbounded=unbounded,
        is_swarm=swarm,
    )
    return Job(
        wish=wish,
        seeds=range(begin, begin + (seeds or 1)),
        without=without,
        jobs=jobs,
        folder=FOLDER if output_dir is None else output_dir,
        trace=trace,
    )

"""A run once more, and at each death of a node every state that a power cut may leave its disk in.

A run draws one of these states and goes on with it; here all are looked at, each by the member that
ships, while the run itself is as it was: see `crash_states`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from walctl.fs.base import FileSystem
from walctl.sim.crash_states import Row, Verdict, rows
from walctl.sim.play import Outcome
from walctl.sim.replaying import scenario_of
from walctl.sim.run import run
from walctl.sim.site import Site
from walctl.sim.trace_file import Trace
from walctl.sim.watching import Watching
from walctl.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """One death of a node: how many states there are, in how many of them a member refuses to
    start, and those in which something durable is lost, or something was never written."""

    node: str
    time_us: int
    states: int
    refused: int
    bad: tuple[Row, ...]


OnCrash = Callable[[Crash], None]


class CrashLooker(Watching):
    """Looks on as always, and longer where a node dies."""

    def __init__(self, world: World, on_crash: OnCrash) -> None:
        super().__init__(world)
        self._around = world
        self._on_crash = on_crash

    def dying(self, site: Site) -> None:
        """See `Onlooker`."""
        super().dying(site)
        found = list(rows(site.disk, list(site.hosted)))
        refused = sum(any(each.verdict is Verdict.REFUSED for each in row.judged) for row in found)
        crash = Crash(
            node=site.name,
            time_us=self._around.clock.now_us,
            states=len(found),
            refused=refused,
            bad=tuple(row for row in found if not row.is_fine),
        )
        self._on_crash(crash)


def look_at_crashes(disk: FileSystem, path: Path, on_crash: OnCrash) -> Outcome:
    """Play the run of a trace; `on_crash` is told of each death of a node.

    Raises: AccessError; UsageError, for a trace that makes no sense.
    """
    scenario, without = scenario_of(Trace(disk, path))
    return run(scenario, without=without, watch=lambda world: CrashLooker(world, on_crash))

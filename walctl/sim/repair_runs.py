"""Runs in which disks rot and our own repair is what brings their members back.

    within   one node's disk rots, again and again, and power goes meanwhile; the promise of a plan
             is put to the test: where it said `free`, every invariant holds of that member as of
             any other, and clients see one order
    beyond   any disk rots, in any way: loss may happen, and has to be named, by a plan that is not
             free, or by damage that no program could see (`rot.Rot.is_lie`)

A seed decides all of it. What came of a run is a value; whoever counts them is elsewhere.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from walctl.cluster.scenario import Scenario
from walctl.sim.chance import Streams
from walctl.sim.planning import SimWish, plan
from walctl.sim.play import Outcome, Player
from walctl.sim.repairing import Repaired
from walctl.sim.watching import Watching
from walctl.sim.world import World

WITHIN: Final = ("rot", "rot", "power", "kill", "partition")
BEYOND: Final = ("rot-all", "rot-all", "power", "kill")
TIME_US: Final = 8_000_000
_NO_QUORUM: Final = frozenset({"L1", "L2", "L3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRun:
    """One run. `away` are the nodes that did not run when it was to converge, each with why: its
    repair was refused, or the member itself refuses what is in its files. `voters` are how many
    there are."""

    seed: int
    outcome: Outcome
    repairs: tuple[Repaired, ...]
    away: dict[str, str]
    voters: int

    @property
    def classes(self) -> Counter[str]:
        """How many plans were of each class; `none`: none could be made."""
        return Counter(each.kind for each in self.repairs)

    @property
    def is_named(self) -> bool:
        """Whether it is said what was lost: too many members are known to be beyond repair for the
        rest to go on, or who broke the promise had lost what no program could see."""
        found = self.outcome.violation
        if found is None:
            return True
        if found.id in _NO_QUORUM and 2 * (self.voters - len(self.away)) <= self.voters:
            return True
        return bool(found.suspects)

    @property
    def complaint(self) -> str:
        """What is wrong with the tool, empty when nothing is."""
        found = self.outcome.violation
        broken = self.outcome.broken
        if found is not None and not self.is_named:
            return found.line
        if broken is not None:
            return f"{broken.command.deed.words}: {broken.done.words}"
        silent = next((each for each in self.repairs if not each.words), None)
        return "" if silent is None else f"a plan of class {silent.kind} says nothing"


def planned(seed: int, *, is_within: bool) -> Scenario:
    """The run of a seed: 3 nodes, or 5, with small segments and snapshots at any pace."""
    stream = Streams(seed)["repair-run"]
    nodes = stream.choice((3, 3, 3, 5))
    wish = SimWish(
        seed=seed,
        nodes=nodes,
        time_us=TIME_US,
        rate=stream.choice((10, 30, 60)),
        interval_us=stream.choice((400_000, 800_000)),
        faults=WITHIN if is_within else BEYOND,
        is_unbounded=not is_within,
    )
    scenario = plan(wish)
    cluster = replace(
        scenario.cluster,
        snapshot_count=stream.choice((10, 50, 200, 1_000)),
        catch_up_entries=stream.choice((0, 5, 20, 200)),
        segment_bytes=stream.choice((4_096, 8_192, 16_384)),
    )
    return replace(scenario, cluster=cluster)


def run(seed: int, *, is_within: bool) -> RepairRun:
    """Play it, with every invariant watched."""
    scenario = planned(seed, is_within=is_within)
    world = World(scenario.cluster)
    world.onlooker = Watching(world)
    outcome = Player(world, scenario, lambda step: None).play()
    return RepairRun(
        seed=seed,
        outcome=outcome,
        repairs=tuple(world.repairs),
        away={
            name: site.barred or site.words for name, site in world.sites.items() if not site.is_up
        },
        voters=len(scenario.cluster.names),
    )

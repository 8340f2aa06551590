"""Our own repair under the simulator: the shipped one, on the disk of a node that does not run.

    lent      the directories of the other members stand beside, as copies of what they are now
    planned   `make_plan`, with whose directories they are: such logs name no member
    carried   `apply`, where its class is `free` (or it is forced); the power may go in the middle
              of it, and then `resume` and another plan follow, as an operator would have it
    left      copies and backup are taken elsewhere; the node may start

A plan that costs something is an answer and no error: the node is barred then, as whoever has read
it would not start it, until its files become others. Where nothing can have been lost, whoever
looks on is told, and holds the member to everything it had promised.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from walctl.cluster.deeds import Repair
from walctl.cluster.events import EventKind
from walctl.errors import ClusterError, WalctlError
from walctl.fs.faults import Killed
from walctl.repair.apply import apply
from walctl.repair.backup import BACKUPS_SUFFIX
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.planning import make_plan
from walctl.repair.resume import resume
from walctl.repair.world import World as Outside
from walctl.sim.chance import Stream
from walctl.sim.clockwork import Clockwork
from walctl.sim.disk import ROOT, SimDisk
from walctl.sim.site import Site

if TYPE_CHECKING:
    from walctl.sim.world import World

BEGAN_SECONDS: Final = 1_700_000_000
"""What the date is when a run begins, as it stands in the names of backups."""
TRIES_MAX: Final = 3
"""A repair that the power has cut is resumed, and what was rolled back is begun again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of one: the plan (`None`: none could be made), whether it was carried out, and
    why not. `crashes` are how often the power went meanwhile."""

    plan: Plan | None
    is_done: bool
    words: str
    crashes: int = 0

    @property
    def kind(self) -> str:
        """The plan's class, or `none`."""
        return "none" if self.plan is None else str(self.plan.plan_class)


def repair(world: "World", deed: Repair) -> str:
    """Plan and carry out; what came of it, in words.

    Raises: UsageError; ClusterError, for a node that runs.
    """
    site, group = world.site(world.name(deed.node, deed.group)), world.group(deed.group)
    if site.is_up:
        raise ClusterError(f"{site.name}: expected a node that does not run, found it running")
    sources = [world.site(each) for each in deed.sources]
    found = _Attempt(world.clock, site, group, sources, deed, _stream(world, site)).run()
    site.barred = ""
    if found.plan is None or (found.plan.plan_class is not PlanClass.NOTHING and not found.is_done):
        site.barred = f"its repair was refused: {found.words}"
    elif not found.plan.plan_class.needs_consent:
        world.onlooker.mended(site, group, is_whole=_is_whole(found.plan))
    world.repairs.append(found)
    _tell(world, site, group, found)
    return f"{deed.words}: {found.kind}: {found.words}"


class _Attempt:
    """One repair under way."""

    def __init__(
        self,
        clock: Clockwork,
        site: Site,
        group: str,
        sources: list[Site],
        deed: Repair,
        stream: Stream,
    ) -> None:
        self._site = site
        self._disk: SimDisk = site.disk
        self._group = group
        self._deed = deed
        self._clock = clock
        self._stream = stream
        self._sources = {f"from-{each.name}": each for each in sources}
        self._crashes = 0

    def run(self) -> Repaired:
        """All of it; the disk has nothing else on it behind that than in front."""
        with self._disk.unseen():
            for name, source in self._sources.items():
                self._disk.lend(name, source.disk, self._group)
            try:
                return self._tried()
            finally:
                self._disk.disarm()
                self._disk.take_away(*self._sources, f"{self._group}{BACKUPS_SUFFIX}")

    def _tried(self) -> Repaired:
        if self._deed.call is not None:
            self._disk.arm(self._deed.mode, call=self._deed.call)
        while True:
            try:
                return self._once()
            except Killed:
                self._crashes += 1
                self._disk.crash()
            assert self._crashes < TRIES_MAX, "the power goes once"

    def _once(self) -> Repaired:
        plan: Plan | None = None
        try:
            if self._crashes:
                resume(self._outside(), self._path)
            plan = make_plan(
                self._disk.fs,
                self._path,
                peers=[ROOT / name for name in self._sources],
                ids=self._ids,
            )
            if plan.plan_class is PlanClass.NOTHING:
                return self._ended(plan, plan.summary)
            if plan.plan_class.needs_consent and not self._deed.is_forced:
                return self._ended(plan, plan.summary, is_refused=True)
            receipt = apply(self._outside(), plan, accept_loss=plan.accept)
        except WalctlError as error:
            return self._ended(plan, error.message, is_refused=True)
        return self._ended(plan, receipt.summary)

    def _ended(self, plan: Plan | None, words: str, *, is_refused: bool = False) -> Repaired:
        is_done = not is_refused and plan is not None and bool(plan.steps)
        return Repaired(plan=plan, is_done=is_done, words=words, crashes=self._crashes)

    @property
    def _path(self) -> Path:
        return ROOT / self._group

    @property
    def _ids(self) -> dict[Path, int]:
        others = {ROOT / name: source.id for name, source in self._sources.items()}
        return {self._path: self._site.id, **others}

    def _outside(self) -> Outside:
        return Outside(
            disk=self._disk.fs,
            now=lambda: BEGAN_SECONDS + self._clock.now_us // 1_000_000,
            sleep=lambda seconds: None,
            token=lambda: 1 + self._stream.below((1 << 62) - 1),
        )


def _stream(world: "World", site: Site) -> Stream:
    return world.streams.fresh(f"repair/{site.name}/{world.clock.now_us}")


def _is_whole(plan: Plan) -> bool:
    """Whether it has back all that was there; else it is proven that nobody needs the rest."""
    return not any(made.kind == "state" for step in plan.steps for made in step.synthetic)


def _tell(world: "World", site: Site, group: str, found: Repaired) -> None:
    plan = found.plan
    steps = () if plan is None or not found.is_done else plan.steps
    drops = [f"{drop.count} {drop.kind}" for step in steps for drop in step.drops if drop.count]
    args = {
        "class": found.kind,
        "strategy": None if plan is None else plan.strategy,
        "dropped": drops or None,
        "crashes": found.crashes or None,
        "words": found.words,
    }
    kind = EventKind.FAULT if site.barred else EventKind.HEAL
    fields = {"on": "repair", "args": {key: each for key, each in args.items() if each is not None}}
    world.tell(kind, fields, node=site.name, group=group)

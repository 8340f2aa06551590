"""The second phase of a run: faults are over, and a healed quorum has to come together.

    L1   a leader within 10 election timeouts
    L3   a write that is tried now is done
    L2   all that run have applied the same, and have the same state
    L4   no leader is replaced while all is calm
    L5   nobody is sent one snapshot after the other

Nodes that are not among those that are to converge are dead for good.
"""

from collections.abc import Callable
from typing import Final

from walctl.checker.violation import Violated, Violation
from walctl.cluster.answers import Fate
from walctl.cluster.deeds import Ask, Converge
from walctl.sim.world import World

ELECTIONS_MAX: Final = 10
"""Election timeouts until somebody has to lead."""
TRIES_US: Final = 30_000_000
"""How long a write may take that is tried again and again, and members to be alike."""
CALM_US: Final = 10_000_000
PROBE: Final = "walctl-probe"
_STEP_US: Final = 10_000


def converge(world: World, deed: Converge) -> str:
    """Heal the world, and demand that it comes together. Raises: Violated."""
    _heal(world, deed.nodes)
    world.onlooker.healed()
    timeout_us = world.ways.tick_us * world.ways.election_ticks
    for group in world.groups:
        _come_together(world, group, leader_us=ELECTIONS_MAX * timeout_us)
    _settle(world, 3 * timeout_us)
    world.onlooker.calmed()
    world.clock.run_to(world.clock.now_us + CALM_US)
    return "converged"


def _settle(world: World, quiet_us: int) -> None:
    """Elections that are under way come to their end: one who lacks entries that nobody has
    committed campaigns in vain, until somebody else does."""
    end_us = world.clock.now_us + TRIES_US
    while world.clock.now_us < end_us:
        before = [_leads(world, group) for group in world.groups]
        world.clock.run_to(world.clock.now_us + quiet_us)
        if before == [_leads(world, group) for group in world.groups]:
            return
    _fail("L1", next(iter(world.groups)), "nobody leads for long, with all faults over", world)


def _leads(world: World, group: str) -> tuple[str | None, int]:
    terms = [each.node.raft.term for each in world.drivers(group).values()]
    return world.leader(group), max(terms, default=0)


def _come_together(world: World, group: str, *, leader_us: int) -> None:
    if not _until(world, lambda: world.leader(group) is not None, leader_us):
        _fail("L1", group, "nobody was elected after all faults were over", world)
    _probe(world, group)
    if not _until(world, lambda: not differences(world, group), TRIES_US):
        _fail("L2", group, differences(world, group), world)


def _heal(world: World, core: tuple[str, ...]) -> None:
    world.heal()
    for name, site in world.sites.items():
        site.disk.clear()
        site.disk.disarm()
        if site.rate_percent != 100:
            site.set_rate(100)
        if core and name not in core:
            site.kill()
            continue
        site.resume()
        site.start()


def _probe(world: World, group: str) -> None:
    """A write that is tried until it is done, and then read."""
    end = world.clock.now_us + TRIES_US
    number = 0
    while world.clock.now_us < end:
        number += 1
        ask = Ask(verb="put", key=PROBE, value=f"{group}-{number}")
        request = world.clients.ask(ask, group)
        while request.fate is None:
            world.clock.step()
        if request.fate is Fate.OK:
            return
    _fail("L3", group, "no write was done after all faults were over", world)


def differences(world: World, group: str) -> str:
    """In what the members that run differ, empty when in nothing; a leader says who they are."""
    leader = world.leader(group)
    if leader is None:
        return "nobody leads"
    found: dict[tuple[int, str], list[str]] = {}
    members = world.drivers(group)[leader].members
    for name, driver in world.drivers(group).items():
        if driver.id in members:
            found.setdefault((driver.applied, driver.service.digest()), []).append(name)
    if len(found) == 1:
        return ""
    return "; ".join(f"{'+'.join(names)} at {at}" for (at, _), names in found.items())


def _until(world: World, holds: Callable[[], bool], within_us: int) -> bool:
    end = world.clock.now_us + within_us
    while not holds():
        if world.clock.now_us >= end:
            return False
        world.clock.run_to(world.clock.now_us + _STEP_US)
    return True


def _fail(id_: str, group: str, words: str, world: World) -> None:
    nodes = tuple(world.drivers(group))
    time_us = world.clock.now_us
    raise Violated(Violation(id=id_, words=words, group=group, nodes=nodes, time_us=time_us))

"""The simulated world: the shipped members under virtual time."""

import hashlib
from collections.abc import Callable

import pytest

from walctl.cluster.answers import Fate
from walctl.cluster.deeds import Ask, MakeCluster, Process
from walctl.errors import WalctlError
from walctl.sim import clockwork
from walctl.sim.converging import differences
from walctl.sim.recorder import Recorder
from walctl.sim.world import World

SECOND_US = 1_000_000


def begun(*, nodes: int = 3, seed: int = 1, recorder: Recorder | None = None) -> World:
    world = World(MakeCluster(nodes=nodes, seed=seed), recorder=recorder)
    world.begin()
    return world


def until(world: World, holds: Callable[[], bool], *, within_us: int = 10 * SECOND_US) -> None:
    end = world.clock.now_us + within_us
    while not holds():
        assert world.clock.now_us < end, "it never holds"
        world.clock.step()


def put(world: World, key: str, value: str) -> None:
    world.do(Ask(verb="put", key=key, value=value))


def test_three_nodes_elect_one_and_do_what_clients_ask() -> None:
    world = begun()
    until(world, lambda: world.leader("g1") is not None)
    put(world, "k", "v")
    until(world, lambda: world.clients.counts[Fate.OK] == 1)
    world.clock.run_to(world.clock.now_us + SECOND_US)
    assert {driver.service.read(b"k") for driver in world.drivers("g1").values()} == {b"v"}


def test_members_are_not_alike_while_nobody_leads_who_could_say_which_they_are() -> None:
    world = begun()
    assert differences(world, "g1") == "nobody leads"
    until(world, lambda: world.leader("g1") is not None)
    put(world, "k", "v")
    until(world, lambda: not differences(world, "g1"))
    assert len({each.applied for each in world.drivers("g1").values()}) == 1


def test_a_killed_leader_is_replaced_and_comes_back_with_all_it_had() -> None:
    world = begun()
    until(world, lambda: world.leader("g1") is not None)
    old = world.name("leader")
    put(world, "k", "v")
    until(world, lambda: world.clients.counts[Fate.OK] == 1)
    world.do(Process(verb="kill", node=old))
    until(world, lambda: world.leader("g1") not in (None, old))
    world.do(Process(verb="start", node=old))
    world.clock.run_to(world.clock.now_us + 3 * SECOND_US)
    assert world.drivers("g1")[old].service.read(b"k") == b"v"
    assert world.leader("g1") != old


def recorded(seed: int) -> tuple[str, str]:
    """The hash of all lines of a short run, by the recorder and by us."""
    own = hashlib.sha256()
    recorder = Recorder(own.update)
    world = begun(seed=seed, recorder=recorder)
    for number in range(50):
        put(world, f"k{number % 3}", f"v{number}")
        world.clock.run_to((number + 1) * 50_000)
    return recorder.digest, own.hexdigest()


def test_a_run_is_the_same_again_and_another_seed_is_another_run() -> None:
    first, again, other = recorded(1), recorded(1), recorded(2)
    assert first[0] == first[1]
    assert first == again
    assert first != other


@pytest.mark.parametrize("node", ["n1", "n2", "n3"])
def test_a_paused_node_does_nothing_and_goes_on_where_it_was(node: str) -> None:
    world = begun()
    until(world, lambda: world.leader("g1") is not None)
    world.clock.run_to(world.clock.now_us + SECOND_US)
    world.do(Process(verb="pause", node=node))
    before = world.drivers("g1")[node].node.raft.log.last_index()
    others = [each for each in world.sites if each != node]
    until(world, lambda: any(world.drivers("g1")[each].is_leader for each in others))
    leader = next(each for each in others if world.drivers("g1")[each].is_leader)
    world.do(Ask(verb="put", key="k", value="v", via=leader))
    until(world, lambda: world.clients.counts[Fate.OK] == 1)
    assert world.drivers("g1")[node].node.raft.log.last_index() == before
    world.do(Process(verb="resume", node=node))
    world.clock.run_to(world.clock.now_us + 2 * SECOND_US)
    assert world.drivers("g1")[node].service.read(b"k") == b"v"


def test_that_nobody_holds_a_group_is_told_later_and_not_while_it_is_asked() -> None:
    world = begun()
    for site in world.sites.values():
        site.hosted.clear()
    request = world.clients.ask(Ask(verb="put", key="k", value="v"), "g1")
    assert request.fate is None
    until(world, lambda: request.fate is Fate.FAIL)


def test_time_that_stands_still_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "AT_ONCE_MAX", 100)
    clock = clockwork.Clockwork()

    def again() -> None:
        clock.after(0, clockwork.Rank.TICK, again)

    again()
    with pytest.raises(WalctlError, match="time stands still"):
        clock.run_to(1)

"""From the world to the promises: honest members keep them, and unprotected ones do not."""

from random import Random

import pytest

from walctl.checker.violation import Violated, Violation
from walctl.cluster.answers import Fate
from walctl.cluster.deeds import Ask, Directories, MakeCluster, Net, Process, RaftVerb, Twin
from walctl.fs.disk_faults import CrashMode
from walctl.sim.log_bytes import ENTRY, MARK, STATE, Item
from walctl.sim.recorder import Recorder
from walctl.sim.safeguards import SAFEGUARDS
from walctl.sim.watching import Watching, start_of
from walctl.sim.world import World

MODES = tuple(each for each in CrashMode if not each.startswith("lying"))
"""What a member has to survive."""
STEP_US = 50_000
FAST_US = 20_000


def watched(seed: int, nodes: int = 3, **other: bool | int) -> tuple[World, Watching]:
    world = World(MakeCluster(nodes=nodes, seed=seed, **other))  # type: ignore[arg-type]
    watching = world.onlooker = Watching(world)
    world.begin()
    return world, watching


def storm(seed: int, seconds: int = 12) -> tuple[World, Watching]:
    """Crashes, cuts and campaigns without a pause, then peace."""
    random = Random(seed)
    world, watching = watched(
        seed,
        nodes=random.choice((3, 3, 5)),
        snapshot_count=random.choice((10, 50, 1000)),
        catch_up_entries=random.choice((0, 5)),
        pre_vote=random.random() < 0.5,
        check_quorum=random.random() < 0.5,
    )
    names = list(world.sites)
    for step in range(1, seconds * 20):
        world.clock.run_to(step * STEP_US)
        world.do(Ask(verb="put", key=f"k{step % 5}", value=f"v{step}"))
        mischief(world, random.choice(names), random)
    world.heal()
    for name in names:
        world.do(Process(verb="start", node=name))
    world.clock.run_to(world.clock.now_us + 4_000_000)
    for name in names:
        world.do(Process(verb="stop", node=name))
    watching.finished()
    return world, watching


def mischief(world: World, name: str, random: Random) -> None:
    """One of many things that may happen to a node, or nothing."""
    draw = random.randrange(100)
    if draw < 6:
        world.do(Process(verb="kill", node=name, mode=random.choice(MODES)))
    elif draw < 20:
        world.do(Process(verb="start", node=name))
    elif draw < 28:
        world.do(Net(verb="isolate", rest=(name,)))
    elif draw < 40:
        world.heal()
    elif draw < 45 and name in world.drivers("g1"):
        world.do(RaftVerb(verb="campaign", node=name))
    elif 45 <= draw < 54:
        world.do(Net(verb=random.choice(("reorder", "dup", "loss")), rest=("all", "10%")))


def calm(seed: int = 1, **other: bool | int) -> tuple[World, Watching]:
    """Three members that have done what ten requests asked."""
    world, watching = watched(seed, **other)
    for step in range(10):
        world.clock.run_to((step + 1) * FAST_US)
        world.do(Ask(verb="put", key="k", value=f"v{step}"))
    world.clock.run_to(4_000_000)
    assert world.clients.counts[Fate.OK] == 10
    return world, watching


@pytest.mark.parametrize("seed", [0, pytest.param(range(1, 60), marks=pytest.mark.slow)])
def test_honest_members_break_no_promise_whatever_happens_to_them(seed: int | range) -> None:
    for each in seed if isinstance(seed, range) else [seed]:
        world, _ = storm(each)
        assert world.clients.counts[Fate.OK] > 50


@pytest.mark.parametrize(
    ("name", "invariant"),
    [
        pytest.param("one-vote-a-term", "I7", marks=pytest.mark.slow),
        pytest.param("up-to-date-candidates", "I4", marks=pytest.mark.slow),
        ("majorities-elect", "I1"),
        ("commit-before-apply", "I6"),
        ("log-matching", "I3"),
        ("only-conflicts-truncate", "I2"),
        pytest.param("lower-terms-are-past", "I6", marks=pytest.mark.slow),
        ("heartbeats-up-to-match", "I6"),
        ("votes-are-synced", "I8"),
        ("entries-are-synced", "I8"),
        ("directories-are-synced", "I8"),
        ("saving-before-sending", "I8"),
        ("acknowledged-when-committed", "I8"),
        ("snapshot-files-are-synced", "I14"),
    ],
)
def test_without_a_protection_its_promise_is_broken_soon(name: str, invariant: str) -> None:
    (safeguard,) = (each for each in SAFEGUARDS if each.name == name)
    found = None
    with safeguard.removed():
        for seed in range(20):
            try:
                storm(seed)
            except Violated as error:
                found = error.violation
                break
    assert found is not None
    assert invariant in found.ids
    assert found.group == "g1"


def test_looking_on_changes_nothing() -> None:
    digests = []
    for is_watched in (False, True):
        world = World(MakeCluster(nodes=3, seed=5, snapshot_count=10), recorder=Recorder())
        if is_watched:
            world.onlooker = Watching(world)
        world.begin()
        for step in range(40):
            world.clock.run_to((step + 1) * FAST_US)
            world.do(Ask(verb="put", key="k", value=f"v{step}"))
        world.do(Process(verb="kill", node="n1", mode=CrashMode.TORN))
        world.do(Process(verb="start", node="n1"))
        world.clock.run_to(3_000_000)
        assert world.recorder is not None
        digests.append(world.recorder.digest)
    assert digests[0] == digests[1]


def stopped(world: World, node: str) -> Violation:
    with pytest.raises(Violated) as caught:
        world.do(Process(verb="stop", node=node))
    return caught.value.violation


def test_a_clean_stop_is_held_against_the_files() -> None:
    world, watching = calm()
    world.do(Process(verb="stop", node="n1"))
    watching.watchers["g1"]._members["n2"].commit += 1
    found = stopped(world, "n2")
    assert (found.id, found.nodes) == ("I14", ("n2",))
    assert "commit of n2 was" in found.words


def test_a_member_that_was_wiped_is_a_suspect_and_may_begin_anew() -> None:
    world, watching = calm()
    world.do(Process(verb="stop", node="n3"))
    world.do(Directories(verb="wipe", node="n3"))
    world.do(Process(verb="start", node="n3"))
    assert watching.watchers["g1"].is_suspect("n3")
    assert not watching.watchers["g1"].is_suspect("n1")


def test_a_copy_that_votes_too_is_found_out() -> None:
    world, _ = calm(pre_vote=False, check_quorum=False)
    world.do(Twin(node="n2", name="twin"))
    leader = world.name("leader")
    target = next(each for each in ("n1", "n3") if each != leader)
    world.do(Net(verb="isolate", rest=("twin",)))
    with pytest.raises(Violated) as caught:
        campaigns(world, ("n2", "twin", target))
    assert caught.value.violation.id in ("I1", "I7")


def campaigns(world: World, names: tuple[str, ...]) -> None:
    """These want to lead, again and again."""
    for _ in range(100):
        for name in names:
            world.site(name).do("g1", lambda driver: driver.campaign())
        world.clock.run_to(world.clock.now_us + STEP_US)


def items(*said: tuple[int, int, int, int]) -> list[Item]:
    return [(*each, 0) for each in said]


def test_a_start_is_behind_the_last_snapshot_that_is_committed() -> None:
    log = [(ENTRY, 1, 1, 10), (ENTRY, 2, 1, 20), (STATE, 1, 0, 2), (MARK, 2, 1, 0)]
    found = start_of(items(*log, (ENTRY, 3, 1, 30)))
    assert found == ((2, 1), (1, 0, 2), [(3, 1, 30)])
    assert start_of([]) == ((0, 0), (0, 0, 0), [])


def test_a_marker_that_no_commit_index_reaches_does_not_count() -> None:
    log = items((ENTRY, 1, 1, 10), (ENTRY, 2, 1, 20), (STATE, 1, 0, 1), (MARK, 9, 2, 0))
    assert start_of(log) == ((0, 0), (1, 0, 1), [(1, 1, 10), (2, 1, 20)])


def test_what_a_leaders_snapshot_has_replaced_is_gone() -> None:
    log = [(ENTRY, each, 1, 10 * each) for each in range(1, 8)]
    sent = items(*log, (MARK, 5, 3, 0), (STATE, 3, 0, 5))
    assert start_of(sent) == ((5, 3), (3, 0, 5), [])
    assert start_of([*sent, (ENTRY, 6, 3, 66, 0)]).entries == [(6, 3, 66)]
    own = items(*log, (STATE, 1, 0, 5), (MARK, 5, 1, 0))
    assert start_of(own).entries == [(6, 1, 60), (7, 1, 70)]


def test_an_entry_takes_the_place_of_all_from_there_on() -> None:
    log = [(ENTRY, each, 1, 10 * each) for each in range(1, 5)]
    assert start_of(items(*log, (ENTRY, 2, 2, 22))).entries == [(1, 1, 10), (2, 2, 22)]

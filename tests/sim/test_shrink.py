"""A failing run made small, by a fake look at elections and by what clients saw."""

import itertools
from collections.abc import Callable

import pytest

from walctl.checker.violation import Violated, Violation
from walctl.cluster.scenario import Scenario, parse
from walctl.cluster.service import Done
from walctl.errors import ClusterError, ExitStatus
from walctl.raft.types import Entry
from walctl.sim.onlooker import Onlooker
from walctl.sim.planning import SimWish, plan
from walctl.sim.play import Watch, play
from walctl.sim.safeguard import Safeguard
from walctl.sim.safeguards import BY_NAME
from walctl.sim.shrink import End, Shrunk, shrink
from walctl.sim.site import Seat, Site
from walctl.sim.trial import Limits
from walctl.sim.world import World

NOISY = """\
cluster 4 engine=sim tick=20ms election=100ms seed=0x5 snapshot-count=200 net=2ms±1ms
at 300ms put a 1 client=1
at 400ms put b 2 client=2
at 500ms isolate n4
at 550ms transfer n2
at 600ms get a client=1
at 650ms loss all 10%
at 700ms kill n1
at 710ms kill n2 mode=torn
at 720ms kill n3
at 1s start n1
at 1s start n2
at 1s start n3
at 1200ms heal --all
at 1400ms put b 3 client=3
at 1600ms put a 4 client=3
at 3s converge
expect linearizable
"""


class Superstition(Onlooker):
    """Holds a made-up promise: two crashes of n1 and n2, and nobody applies anything to a after.

    It needs a crash of each, a start of one of them and the put; nothing else of what is done.
    """

    def __init__(self, world: World) -> None:
        self.crashed_ones: set[str] = set()

    def crashed(self, site: Site, *, is_power_cut: bool) -> None:
        self.crashed_ones.add(site.name)

    def applied(self, seat: Seat, entry: Entry, done: Done) -> None:
        data = entry.data or b""
        if {"n1", "n2"} <= self.crashed_ones and b"a" in data and b"4" in data:
            raise Violated(Violation(id="I9", words=f"{seat.name} applies it", group=seat.group))


class TwoLeaders(Onlooker):
    """I1 alone, as simple as can be."""

    def __init__(self, world: World) -> None:
        self.led: dict[tuple[str, int], str] = {}

    def worked(self, seat: Seat) -> None:
        if seat.driver is None or not seat.driver.is_leader:
            return
        term = seat.driver.node.raft.term
        first = self.led.setdefault((seat.group, term), seat.name)
        if first != seat.name:
            words = f"{first} and {seat.name} lead in term {term}"
            raise Violated(Violation(id="I1", words=words, group=seat.group))


def safeguard(name: str) -> Safeguard:
    return BY_NAME[name]


ELECT = safeguard("majorities-elect")


def fake_seconds() -> Callable[[], float]:
    """A clock that stands still."""
    return lambda: 0.0


def shrunk(scenario: Scenario, limits: Limits | None = None, **kwargs: object) -> Shrunk:
    return shrink(
        scenario,
        seconds=fake_seconds(),
        watch=Superstition,
        limits=limits,
        **kwargs,  # type: ignore[arg-type]
    )


def replayed(text: str, watch: Watch | None = Superstition) -> ExitStatus:
    """How the file plays by itself."""
    return play(parse(text, name="small.scn"), watch=watch).exit_status


@pytest.fixture(scope="module")
def small() -> Shrunk:
    return shrunk(parse(NOISY, name="noisy.scn"))


def test_a_failing_scenario_becomes_small_and_fails_in_the_same_way_from_its_file(
    small: Shrunk,
) -> None:
    assert small.end is End.DONE
    assert small.violation is not None
    assert small.violation.id == "I9"
    assert (small.before, small.after) == (16, 4)
    text = small.scenario.text
    assert text.splitlines()[-1].endswith("expect violation I9")
    assert text.startswith("# Shrunk from noisy.scn: 16 decisions to 4. I9 acknowledged writes")
    assert replayed(text) is ExitStatus.CLEAN
    assert replayed(text, None) is ExitStatus.DAMAGE


def test_of_what_is_left_no_decision_can_go(small: Shrunk) -> None:
    lines = small.scenario.text.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("cluster"))
    for at in range(first + 1, len(lines) - 1):
        text = "\n".join((*lines[:at], *lines[at + 1 :]))
        assert replayed(text) is not ExitStatus.CLEAN, f"it fails without {lines[at]!r} too"


@pytest.mark.slow
def test_shrinking_twice_gives_the_same_file(small: Shrunk) -> None:
    assert shrunk(parse(NOISY, name="noisy.scn")).scenario.text == small.scenario.text


def test_what_is_small_already_stays_as_it_is(small: Shrunk) -> None:
    again = shrunk(small.scenario).scenario
    assert again.cluster == small.scenario.cluster
    assert again.commands == small.scenario.commands


@pytest.mark.parametrize("runs_max", [3, 5, 8])
def test_when_the_runs_are_used_up_the_best_until_then_is_given(runs_max: int) -> None:
    small = shrunk(parse(NOISY, name="noisy.scn"), Limits(runs_max=runs_max))
    assert small.end is End.SPENT
    assert small.runs <= runs_max
    assert replayed(small.scenario.text) is ExitStatus.CLEAN


def test_when_the_seconds_are_used_up_the_best_until_then_is_given() -> None:
    clock = itertools.count()
    small = shrink(
        parse(NOISY, name="noisy.scn"),
        seconds=lambda: float(next(clock)),
        watch=Superstition,
        limits=Limits(seconds_max=20),
    )
    assert small.end is End.SPENT
    assert replayed(small.scenario.text) is ExitStatus.CLEAN


def test_ctrl_c_ends_it_with_the_best_until_then() -> None:
    told = itertools.count()

    def interrupt(progress: object) -> None:
        if next(told) == 6:
            raise KeyboardInterrupt

    small = shrunk(parse(NOISY, name="noisy.scn"), on_progress=interrupt)
    assert small.end is End.INTERRUPTED
    assert replayed(small.scenario.text) is ExitStatus.CLEAN


def test_a_run_that_breaks_nothing_is_refused() -> None:
    sound = parse("cluster 3; stabilize; put k v; expect linearizable", name="sound.scn")
    with pytest.raises(ClusterError, match=r"sound.scn: expected a run that breaks a promise"):
        shrink(sound, seconds=fake_seconds())


def test_a_run_that_ends_for_another_reason_says_which() -> None:
    broken = parse("cluster 3; stabilize\nput k v; expect value k=w", name="other.scn")
    with pytest.raises(ClusterError, match=r"other.scn: .*it ended at line 2: k is b'v'"):
        shrink(broken, seconds=fake_seconds())


def failing() -> Scenario:
    """The run of the first seed in which two lead."""
    with ELECT.removed():
        for seed in range(1, 30):
            scenario = plan(SimWish(seed=seed, is_swarm=True, time_us=20_000_000))
            if play(scenario, watch=TwoLeaders).violation is not None:
                return scenario
    raise AssertionError("two leaders of a term are not seen")


@pytest.mark.slow
def test_a_run_of_a_seed_becomes_a_page() -> None:
    small = shrink(
        failing(),
        seconds=fake_seconds(),
        watch=TwoLeaders,
        without=(ELECT,),
    )
    text = small.scenario.text
    assert small.before > 100
    assert small.after <= 8
    assert "# Without majorities-elect: I1 -- " in text
    assert vars(ELECT.owner)[ELECT.attribute] is not ELECT.without, "it is there again"
    assert replayed(text, TwoLeaders) is ExitStatus.DAMAGE
    with ELECT.removed():
        assert replayed(text, TwoLeaders) is ExitStatus.CLEAN

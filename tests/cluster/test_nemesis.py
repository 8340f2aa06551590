"""The plan of a nemesis: the same for the same seed, within its budget, and healed at its end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walctl.cluster.deeds import Clock, DiskOff, DiskOn, MemberVerb, Net, Process
from walctl.cluster.faults import CrashMode, DiskFaultKind
from walctl.cluster.lab import Engine
from walctl.cluster.nemesis import FAULTS, NemesisWish, Timed, faults_of, plan
from walctl.cluster.runtime import seeded
from walctl.cluster.scenario import parse
from walctl.errors import UsageError

WISHES = st.builds(
    NemesisWish,
    faults=st.lists(st.sampled_from(FAULTS), min_size=1, unique=True).map(tuple),
    nodes=st.integers(1, 7).map(lambda count: tuple(f"n{at}" for at in range(1, count + 1))),
    interval_us=st.integers(100_000, 3_000_000),
    for_us=st.integers(3_000_000, 60_000_000),
    next_number=st.just(8),
)
SEEDS = st.integers(0, 1 << 40)


@given(WISHES, SEEDS)
def test_the_same_seed_makes_the_same_plan(wish: NemesisWish, seed: int) -> None:
    assert plan(wish, seeded(seed)) == plan(wish, seeded(seed))


def test_a_plan_stays_what_it_is() -> None:
    """With every Python and on every machine: a seed in somebody's report is to be of use."""
    wish = NemesisWish(faults=("kill", "torn", "partition", "disk"), nodes=("n1", "n2", "n3"))
    timed = plan(wish, seeded(42))
    assert [(each.at_us, each.deed.words) for each in timed[:6]] == [
        (0, "cut n1<->n2 n1<->n3"),
        (5_000_000, "kill n2"),
        (6_960_898, "heal --all"),
        (7_648_986, "start n2"),
        (10_000_000, "kill n2"),
        (12_632_679, "start n2"),
    ]


@given(WISHES, SEEDS)
def test_at_every_moment_a_majority_is_unhurt(wish: NemesisWish, seed: int) -> None:
    hurt: set[str] = set()
    for timed in plan(wish, seeded(seed)):
        deed = timed.deed
        if isinstance(deed, Process | DiskOn | DiskOff):
            (hurt.discard if timed.is_heal else hurt.add)(deed.node)
            assert len(hurt) * 2 < len(wish.nodes)


@given(WISHES, SEEDS)
def test_nothing_loses_what_had_been_synced(wish: NemesisWish, seed: int) -> None:
    for timed in plan(wish, seeded(seed)):
        if isinstance(timed.deed, DiskOn):
            assert timed.deed.fault.kind is not DiskFaultKind.LYING_SYNC
        if isinstance(timed.deed, Process):
            assert timed.deed.mode is not CrashMode.REORDER


@given(WISHES, SEEDS)
def test_at_its_end_everything_is_healed_within_the_time(wish: NemesisWish, seed: int) -> None:
    on: dict[tuple[str, str], Timed] = {}
    for timed in plan(wish, seeded(seed)):
        assert 0 <= timed.at_us <= wish.for_us
        match timed.deed:
            case Net():
                key = ("net", "")
            case Clock(jump_us=None) as deed:
                key = ("clock", deed.node)
            case Process() | DiskOn() | DiskOff() as deed:
                key = ("node", deed.node)
            case _:
                continue
        if timed.is_heal:
            del on[key]
        else:
            assert key not in on
            on[key] = timed
    assert on == {}


@given(WISHES, SEEDS)
@settings(max_examples=20)
def test_a_plan_can_be_written_as_a_scenario(wish: NemesisWish, seed: int) -> None:
    timed = plan(wish, seeded(seed))
    added = "".join(
        f"member add {each.deed.node}\n"
        for each in timed
        if isinstance(each.deed, MemberVerb) and each.deed.verb == "add"
    )
    text = f"cluster {len(wish.nodes)}\n{added}" + "\n".join(each.deed.words for each in timed)
    commands = parse(text, name="plan").commands[added.count("\n") :]
    assert [each.deed for each in commands] == [each.deed for each in timed]


def test_engines_take_what_they_can() -> None:
    assert "torn" in faults_of("all", Engine.WALCTL)
    assert "torn" not in faults_of("all", Engine.ETCD)
    with pytest.raises(UsageError, match="expected faults of engine etcd"):
        faults_of("kill,torn", Engine.ETCD)
    with pytest.raises(UsageError, match="found 'earthquake'"):
        faults_of("earthquake", Engine.WALCTL)

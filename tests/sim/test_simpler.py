"""What is tried when a case is made smaller: still scenarios, and simpler ones."""

from dataclasses import replace

import pytest

from walctl.cluster.deeds import Deed, Process
from walctl.cluster.faults import CrashMode
from walctl.cluster.scenario import deed_of, parse
from walctl.sim.case import Case, decisions, violation_of
from walctl.sim.fewer_nodes import without_node
from walctl.sim.planning import SimWish, plan
from walctl.sim.simpler import (
    anchored,
    calm,
    earlier_ends,
    fewer_clients,
    fewer_groups,
    fewer_keys,
    gaps,
    headers,
    plain_requests,
    rounded,
    rounded_one,
    simpler,
    small_logs,
    windows,
)

SECOND_US = 1_000_000


def case_of(text: str) -> Case:
    scenario = parse(text, name="case.scn")
    return Case(
        cluster=scenario.cluster,
        commands=tuple(replace(each, line=0) for each in scenario.commands),
        goal=violation_of("I7"),
    )


def lines(case: Case) -> list[str]:
    """Its commands as they are written, without the end."""
    return [each.words for each in case.commands]


def planned(seed: int) -> Case:
    scenario = plan(SimWish(seed=seed, nodes=5, groups=2, is_swarm=True, time_us=10 * SECOND_US))
    timed = tuple(replace(each, line=0) for each in scenario.commands if each.at_us is not None)
    return Case(
        cluster=scenario.cluster,
        commands=timed,
        goal=violation_of("I7"),
        end_us=11 * SECOND_US,
    )


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_tried_are_scenarios_that_read_as_they_are_written(seed: int) -> None:
    case = planned(seed)
    half = len(case.commands) // 2
    tried = [
        anchored(case),
        calm(case),
        rounded(case, 100_000),
        *earlier_ends(case),
        *fewer_clients(case),
        *fewer_keys(case),
        *fewer_groups(case),
        *gaps(case, half),
        *headers(case),
        *plain_requests(case),
        *rounded_one(case, half),
        *small_logs(case),
        *windows(case, 64),
        *(without_node(case, gone) for gone in range(1, 6)),
    ]
    assert len(tried) > 40
    for each in tried:
        scenario = each.scenario("tried")
        again = parse(scenario.text, name="tried")
        assert (again.cluster, again.commands) == (scenario.cluster, scenario.commands)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("kill n2", None),
        ("kill n3 mode=torn", "kill n2 mode=torn"),
        ("kill leader", "kill leader"),
        ("isolate n2", None),
        ("isolate n4 reset", "isolate n3 reset"),
        ("bridge n5", "bridge n4"),
        ("ring", "ring"),
        ("heal --all", "heal --all"),
        ("cut n1->n2 n3->n4", "cut n2->n3"),
        ("cut n2->n1 type=MsgApp", None),
        ("cut n1 n3", "cut n1 n2"),
        ("cut n1 n2", None),
        ("delay n3->all 20ms", "delay n2->all 20ms"),
        ("loss all 10%", "loss all 10%"),
        ("split n1,n2/n3,n4,n5", "split n1/n2,n3,n4"),
        ("split n2/n1,n3,n4,n5", None),
        ("message n1->n3 MsgApp term=3 nth=2 drop", "message n1->n2 MsgApp term=3 nth=2 drop"),
        ("message n1->n2 MsgApp term=3 nth=2 drop", None),
        ("repair n3 from=n1,n2,n4", "repair n2 from=n1,n3"),
        ("converge n1,n2,n3", "converge n1,n2"),
        ("put k v via=n2", "put k v"),
        ("put k v via=n3 client=2", "put k v via=n2 client=2"),
        ("clock n3 jump +5s", "clock n2 jump +5s"),
    ],
)
def test_without_a_node_the_others_move_up(before: str, after: str | None) -> None:
    found = without_node(case_of(f"cluster 5\n{before}\n"), 2)
    assert found.cluster.nodes == 4
    assert lines(found) == ([] if after is None else [after])


def test_a_group_less_is_everything_done_to_one_of_them() -> None:
    text = "cluster 3 groups=g1,g2\nput a 1\nput b 2 group=g2\nkill n1\ntransfer n2 group=g2\n"
    first, second = map(lines, fewer_groups(case_of(text)))
    assert first == ["put a 1", "kill n1"]
    assert second == ["put b 2", "kill n1", "transfer n2"]


def test_of_a_power_cut_the_simplest_loss_is_tried_first() -> None:
    tried = [each.words for each in simpler(kill("kill n1 mode=reorder call=3"))]
    assert tried[:4] == [
        "kill n1",
        "kill n1 call=3",
        "kill n1 mode=lose-all",
        "kill n1 mode=lose-all call=3",
    ]
    assert tried.index("kill n1 mode=prefix call=3") < tried.index("kill n1 call=3 keep=none")
    assert tried.index("kill n1 call=3 keep=none") < tried.index("kill n1 call=3 keep=0")
    assert tried.index("kill n1 call=3 keep=0") < tried.index("kill n1 call=3 keep=0,1")
    assert tried.index("kill n1 mode=reorder call=1") < tried.index("kill n1 mode=reorder call=2")


def kill(words: str) -> Deed:
    return deed_of(words.split())


@pytest.mark.parametrize("mode", [CrashMode.CLEAN, CrashMode.LOSE_ALL, CrashMode.PREFIX])
def test_nothing_that_is_less_simple_is_tried(mode: CrashMode) -> None:
    order = [CrashMode.CLEAN, CrashMode.LOSE_ALL, CrashMode.PREFIX]
    for each in simpler(Process(verb="kill", node="n1", mode=mode)):
        assert isinstance(each, Process)
        assert order.index(each.mode) < order.index(mode)


def test_a_gap_is_closed_as_far_as_can_be_and_all_behind_it_comes_earlier() -> None:
    case = case_of("cluster 3\nat 1s kill n1\nat 4500ms start n1\nat 5s put a b\n")
    found = [lines(each) for each in gaps(case, 1)]
    assert found[0] == ["at 1s kill n1", "at 1s start n1", "at 1500ms put a b"]
    assert found[-1] == ["at 1s kill n1", "at 3s start n1", "at 3500ms put a b"]


def test_a_part_of_a_run_begins_early_with_the_members_that_there_are_by_then() -> None:
    text = (
        "cluster 3\nat 2s put a 1\nat 3s member add n4\nat 7s kill n1\nat 8s put a 2\n"
        "at 9s start n1\nat 9500ms put a 3\n"
    )
    found = next(iter(windows(case_of(text), 2)))
    assert lines(found) == ["at 1s member add n4", "at 1500ms start n1", "at 2s put a 3"]
    assert found.end_us == 2 * SECOND_US


def test_a_time_becomes_as_round_as_its_neighbours_let_it() -> None:
    case = case_of("cluster 3\nat 1300ms kill n1\nat 1412345us start n1\nat 1500ms put a b\n")
    times = [each.commands[1].words for each in rounded_one(case, 1)]
    assert times[:3] == ["at 1400ms start n1", "at 1500ms start n1", "at 1410ms start n1"]
    assert list(rounded_one(case_of("cluster 3\nat 2s kill n1\n"), 0)) == []


def test_values_stay_different_and_what_a_swap_expects_is_renamed_with_them() -> None:
    text = "cluster 3\nput a x7\nput b x9\ncas a x7 x8\n"
    found = next(iter(plain_requests(case_of(text))))
    assert lines(found) == ["put a v1", "put b v2", "cas a v1 v3"]


def test_decisions_are_neither_waits_nor_expectations() -> None:
    text = "cluster 3\nstabilize\nput a b\nrun for 1s\nkill n1\nexpect leader\nconverge\n"
    assert decisions(parse(text, name="case.scn").commands) == 3

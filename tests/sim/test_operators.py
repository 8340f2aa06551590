"""Members and groups that change under virtual time, by the commands that real labs use."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from walctl.cluster.answers import Fate
from walctl.cluster.deeds import Ask, GroupVerb, MakeCluster, MemberVerb, Net, Process, RaftVerb
from walctl.cluster.lab import load
from walctl.cluster.member_flow import Flow, replaced
from walctl.cluster.scenario import parse
from walctl.errors import ClusterError, ExitStatus, UsageError
from walctl.sim.clockwork import Rank
from walctl.sim.lab_book import LabBook
from walctl.sim.operators import Command, Operator
from walctl.sim.play import play
from walctl.sim.recorder import Recorder
from walctl.sim.world import World

SECOND_US = 1_000_000
LIMIT_US = 120 * SECOND_US


class Stage:
    """A cluster that is led, and somebody who types commands to it."""

    def __init__(self, nodes: int = 3, *, recorder: Recorder | None = None, **wishes: Any) -> None:
        made = MakeCluster(nodes=nodes, seed=7, snapshot_count=40, catch_up_entries=5, **wishes)
        self.world = World(made, recorder=recorder)
        self.world.begin()
        self.book = LabBook(self.world)
        self.operator = Operator(self.book)
        self.until(lambda: self.world.leader("g1") is not None)

    def until(self, holds: Callable[[], bool], within_us: int = LIMIT_US) -> None:
        end = self.world.clock.now_us + within_us
        while not holds():
            assert self.world.clock.now_us < end, "it never holds"
            self.world.clock.step()

    def rest(self, seconds: int = 1) -> None:
        self.world.clock.run_to(self.world.clock.now_us + seconds * SECOND_US)

    def ended(self, command: Command[Any]) -> Command[Any]:
        self.until(lambda: command.is_over)
        return command

    def done(self, deed: MemberVerb | GroupVerb | RaftVerb) -> str:
        """What a command says that did what it should."""
        command = self.ended(self.operator.begin(deed))
        if command.error is not None:
            raise command.error
        assert command.result is not None
        return str(command.result)

    def ask(self, count: int = 1, group: str = "g1", verb: str = "put") -> None:
        """So many puts, each of which is done."""
        for number in range(count):
            wanted = self.world.clients.counts[Fate.OK] + 1
            ask = Ask(verb=verb, key=f"k{number}", value=f"v{number}", group=group)
            self.world.do(ask)
            self.until(partial(self._has_done, wanted))

    def _has_done(self, count: int) -> bool:
        return self.world.clients.counts[Fate.OK] == count

    def voters(self, group: str = "g1") -> dict[str, tuple[int, ...]]:
        """The membership as each member has it."""
        drivers = self.world.drivers(group)
        return {name: tuple(sorted(each.conf_state.voters)) for name, each in drivers.items()}

    def demand_alike(self, hosts: tuple[str, ...], group: str) -> None:
        """The file, the nodes and the group's own log agree about who has it, and the state is one
        and whole."""
        self.rest()
        ids = tuple(int(each[1:]) for each in hosts)
        assert load(self.book.disk, self.book.lab.path) == self.book.lab
        assert sorted(self.book.lab.group(group).hosts) == list(hosts)
        assert self.voters(group) == dict.fromkeys(hosts, ids)
        drivers = self.world.drivers(group).values()
        assert not any(each.conf_state.voters_outgoing for each in drivers)
        assert len({each.service.digest() for each in drivers}) == 1
        assert all(each.service.read(b"k9") == b"v9" for each in drivers)


def moved(source: str = "n1", target: str = "n4", group: str = "g2") -> GroupVerb:
    return GroupVerb(verb="move", group=group, source=source, target=target)


def with_g2(stage: Stage, nodes: tuple[str, ...]) -> Stage:
    """The same with a group g2 on these nodes, which holds something."""
    assert stage.done(GroupVerb(verb="add", group="g2", nodes=nodes)) == "g2 began"
    stage.ask(10, "g2")
    return stage


def test_a_member_comes_as_a_learner_takes_a_snapshot_and_gets_its_vote() -> None:
    stage = Stage()
    stage.ask(60)
    assert stage.done(MemberVerb(verb="add", is_learner=True)) == "n4 is a learner"
    stage.rest()
    assert stage.world.drivers("g1")["n4"].conf_state.learners == (4,)
    assert stage.done(MemberVerb(verb="promote", node="n4")) == "n4 is a voter"
    stage.demand_alike(("n1", "n2", "n3", "n4"), "g1")
    assert stage.world.drivers("g1")["n4"].snapshot_index > 0


def test_a_leader_is_removed_and_another_leads() -> None:
    stage = Stage()
    stage.ask(10)
    leader = stage.world.leader("g1")
    assert stage.done(MemberVerb(verb="remove", node="leader")) == f"{leader} was removed"
    assert stage.world.leader("g1") not in (None, leader)
    assert not stage.world.site(str(leader)).is_up
    assert stage.book.lab.node(str(leader)).is_removed
    stage.demand_alike(tuple(each for each in ("n1", "n2", "n3") if each != leader), "g1")


def test_a_member_is_replaced_by_one_joint_change_while_a_node_is_cut_off() -> None:
    stage = Stage()
    stage.ask(10)
    stage.world.do(Net(verb="isolate", rest=("n3",)))

    async def work(flow: Flow) -> object:
        return await replaced(flow, None, "n1", None)

    command = stage.ended(stage.operator.run(work))
    assert command.error is None
    assert stage.book.lab.node("n1").is_removed
    stage.world.heal()
    stage.rest(3)
    stage.demand_alike(("n2", "n3", "n4"), "g1")


def test_the_lead_is_handed_on_and_members_do_what_operators_ask() -> None:
    stage = Stage()
    stage.ask(10)
    for node in ("n1", "n2", "n3"):
        assert stage.done(RaftVerb(verb="transfer", node=node)) == f"{node} leads g1"
        assert stage.world.leader("g1") == node
    applied = stage.world.drivers("g1")["n2"].applied
    assert stage.done(RaftVerb(verb="snapshot", node="n2")) == f"index {applied}"
    assert stage.done(RaftVerb(verb="compact", node="n2")).startswith(f"first {applied + 1}, ")
    assert stage.done(RaftVerb(verb="campaign", node="n2")) == "asked"


def test_groups_begin_move_and_end_and_names_are_not_given_again() -> None:
    stage = with_g2(Stage(4), ("n1", "n2", "n3"))
    assert stage.done(moved()) == "g2 moved from n1 to n4"
    stage.demand_alike(("n2", "n3", "n4"), "g2")
    assert "g2" not in stage.world.site("n1").seats
    assert stage.done(GroupVerb(verb="drop", group="g2")) == "g2 was dropped"
    assert not stage.world.drivers("g2")
    with pytest.raises(UsageError, match="had a group g2, which was dropped"):
        stage.done(GroupVerb(verb="add", group="g2", nodes=("n1",)))


@pytest.mark.parametrize("hosts", [("n1",), ("n1", "n2", "n3")])
@pytest.mark.parametrize("is_heard", [True, False])
def test_a_move_goes_on_from_wherever_it_was_killed(hosts: tuple[str, ...], is_heard: bool) -> None:
    """After every single step in turn, answered or not: there and back again."""
    stage = with_g2(Stage(4), hosts)
    others, place, other, kills = hosts[1:], "n1", "n4", 0
    for point in range(1, 100):
        command = stage.operator.begin(moved(place, other), kill_at=point, is_heard=is_heard)
        kills += stage.ended(command).was_killed
        stage.rest()  # what it had asked for by then arrives before it is typed again
        assert stage.done(moved(place, other)) == f"g2 moved from {place} to {other}"
        stage.demand_alike(tuple(sorted((*others, other))), "g2")
        place, other = other, place
        if kills < point:
            break
    assert kills >= 10


@pytest.mark.parametrize(
    "hosts", [("n1",), pytest.param(("n1", "n2", "n3"), marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("victim", ["n1", "n4"])
def test_a_node_dies_behind_any_step_of_a_move_and_the_move_goes_on(
    hosts: tuple[str, ...], victim: str
) -> None:
    point = 1
    while dies_at(point, victim, with_g2(Stage(4), hosts), tuple(sorted((*hosts[1:], "n4")))):
        point += 1
    assert point > 8


def dies_at(point: int, victim: str, stage: Stage, hosts: tuple[str, ...]) -> bool:
    """Whether a move has such a step; it ends well though a node dies behind that."""
    is_reached = False

    def back() -> None:
        stage.world.do(Process(verb="start", node=victim))

    def kill(number: int, words: str) -> None:
        nonlocal is_reached
        if number == point:
            is_reached = True
            stage.world.do(Process(verb="kill", node=victim))
            stage.world.clock.after(SECOND_US // 2, Rank.CRASH, back)

    stage.ended(stage.operator.begin(moved(), on_step=kill))
    if is_reached:
        stage.rest()
        stage.done(moved())
        stage.demand_alike(hosts, "g2")
    return is_reached


def test_a_group_without_a_majority_is_not_changed_and_the_command_says_what_is_down() -> None:
    stage = Stage()
    for node in ("n2", "n3"):
        stage.world.do(Process(verb="kill", node=node))
    stage.rest(5)
    began = stage.world.clock.now_us
    with pytest.raises(ClusterError, match=r"group g1 has no leader.* walctl cluster start"):
        stage.done(MemberVerb(verb="add"))
    assert stage.world.clock.now_us - began > 10 * SECOND_US
    assert stage.book.lab.group("g1").hosts == ("n1", "n2", "n3")


def test_a_paused_node_answers_when_it_goes_on_and_one_that_dies_never() -> None:
    stage = Stage()
    stage.ask(1)
    stage.world.do(Process(verb="pause", node="n2"))
    command = stage.operator.begin(RaftVerb(verb="snapshot", node="n2"))
    stage.rest(5)
    assert not command.is_over
    stage.world.do(Process(verb="resume", node="n2"))
    assert stage.ended(command).error is None
    stage.world.do(Process(verb="kill", node="n2"))
    command = stage.ended(stage.operator.begin(RaftVerb(verb="snapshot", node="n2")))
    assert str(command.error) == "n2: no answer: nobody listens there"


def test_a_node_that_dies_while_it_does_something_breaks_the_connection() -> None:
    stage = Stage()
    stage.ask(1)
    stage.world.do(Net(verb="split", rest=("n1/n2/n3",)))
    leader = stage.world.name("leader")

    async def work(flow: Flow) -> object:
        members: Any = flow.membership
        changes = [{"kind": "ADD_LEARNER_NODE", "id": "9"}]
        return await members.talk.do(flow.lab, leader, "change", group="g1", changes=changes)

    command = stage.operator.run(work)
    stage.world.clock.run_to(stage.world.clock.now_us + SECOND_US // 10)
    assert not command.is_over
    stage.world.do(Process(verb="kill", node=leader))
    assert str(stage.ended(command).error) == f"{leader}: no answer: the connection broke"


def test_a_move_is_the_same_again() -> None:
    def told() -> tuple[str, list[str]]:
        recorder = Recorder()
        stage = with_g2(Stage(4, recorder=recorder), ("n1", "n2", "n3"))
        command = stage.ended(stage.operator.begin(moved()))
        return recorder.digest, command.steps

    first = told()
    assert first == told()
    assert len(first[1]) > 8


MOVE_MID_WRITES = """
cluster 4 snapshot-count=40
group add g2 on=n1,n2,n3
stabilize
load clients=4 rate=200 keys=5 for 8s &
run for 1s
group move g2 from=n1 to=n4
run for 2s
group move g2 from=n2 to=n1
member remove n3 group=g2
expect linearizable
expect digests equal
"""


def test_groups_and_members_change_under_load_as_a_scenario_says() -> None:
    outcome = play(parse(MOVE_MID_WRITES, name="move"))
    told = [(step.command.deed.words, step.done.words, step.is_error) for step in outcome.steps]
    assert outcome.exit_status is ExitStatus.CLEAN, told
    assert told[4][1] == "g2 moved from n1 to n4"
    counts = outcome.counts
    assert counts[Fate.OK] > 500
    assert counts[Fate.FAIL] + counts[Fate.UNKNOWN] < counts[Fate.OK] / 2


def test_a_command_that_cannot_be_done_ends_a_scenario_with_its_words() -> None:
    text = "cluster 3\nstabilize\ngroup move g1 from=n1 to=n1\n"
    outcome = play(parse(text, name="wrong"))
    assert outcome.exit_status is ExitStatus.UNFINISHED
    assert outcome.broken is not None
    assert outcome.broken.done.words == "--from n1 --to n1: expected two nodes"

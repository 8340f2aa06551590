"""Who is in a group of our own engine, changed while it works."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.cluster.keeping import client, flowing, judged, kept, loaded, own
from walctl.checker.linearizable import Verdict
from walctl.cluster import own_members
from walctl.cluster.answers import Fate, Wait
from walctl.cluster.lab import Lab
from walctl.cluster.member_flow import Changed, Flow, added, removed, replaced
from walctl.cluster.quorum_left import QuorumLeft
from walctl.cluster.standing import LabStanding, NodeStanding, NodeState, Standing
from walctl.errors import ClusterError, RefusedError, UsageError

Story = Callable[[Flow], Awaitable[None]]
SNAPSHOTS = {"snapshot_count": 20, "catch_up_entries": 5}


def play(folder: Path, story: Story, *, nodes: int = 3, groups: int = 1) -> None:
    async def whole() -> None:
        async with flowing(folder, nodes=nodes, groups=groups, **SNAPSHOTS) as flow:
            await story(flow)

    asyncio.run(whole())


def standing(flow: Flow, *, role: str = "follower") -> LabStanding:
    """How the nodes stand, as `quorum_left` asks."""
    there, lab = kept(flow).here.nodes, flow.again()
    return LabStanding(
        name="lab",
        engine="walctl",
        pid=1,
        nodes=tuple(
            NodeStanding(
                name=each.name,
                state=NodeState.RUNNING if each.name in there else NodeState.STOPPED,
                client_port=each.client_port,
                groups=tuple(
                    Standing(group=group.name, role=role)
                    for group in lab.hosted_by(each.name)
                    if each.name in there
                ),
            )
            for each in lab.nodes
        ),
    )


def no_warning(node: str, left: QuorumLeft) -> None:
    pass


async def remove(flow: Flow, node: str, group: str | None = None) -> Changed:
    return await removed(flow, group, node, standing(flow), no_warning)


async def voters(flow: Flow, group: str = "g1") -> list[str]:
    rows = await flow.membership.listed(flow.again(), group)
    return [row.node for row in rows if not row.is_learner]


async def put(flow: Flow, lab: Lab | None = None, count: int = 1) -> list[Fate]:
    async with client(lab or flow.again()) as found:
        return [
            (await found.put(b"/%d" % each, b"v", group="g1", wait=Wait.COMMIT)).fate
            for each in range(count)
        ]


def test_a_member_comes_as_a_learner_takes_the_state_and_gets_its_vote(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        here = kept(flow).here
        await put(flow, count=60)  # so many that it needs a snapshot
        changed = await added(flow, None, None, is_learner=True)
        assert (changed.node, changed.done) == ("n4", "is a learner")
        assert await voters(flow) == ["n1", "n2", "n3"]
        await here.until(lambda: here.nodes["n4"].driver("g1").service.read(b"/59") == b"v")
        changed = await added(flow, None, "n4", is_learner=False)
        assert [row.is_learner for row in changed.members] == [False] * 4
        assert here.nodes["n4"].driver("g1").snapshot_index > 0

    play(tmp_path, story)


def test_a_leader_is_removed_and_another_leads(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        leader = (await own(flow).lead(flow.lab, "g1")).node
        await remove(flow, leader)
        left = await voters(flow)
        assert leader not in left
        assert len(left) == 2
        assert leader not in kept(flow).here.nodes
        assert flow.again().node(leader).is_removed
        assert await put(flow) == [Fate.OK]
        with pytest.raises(UsageError, match="was removed; a node that was is not a member again"):
            await added(flow, None, leader, is_learner=False)

    play(tmp_path, story)


def test_a_leader_that_is_told_to_remove_itself_steps_down(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        here = kept(flow).here
        leader = await here.led()
        url = here.url(leader.own.name, f"/{leader.id}")
        async with here.session.delete(url) as answer:
            assert answer.status == 204
        await here.until(lambda: leader.members["g1"].is_removed)
        lab = flow.lab
        found = await own(flow).lead(lab, "g1")
        assert leader.id not in found.members
        assert await put(flow, lab) == [Fate.OK]

    play(tmp_path, story)


def test_a_member_that_is_down_is_removed_while_a_majority_of_the_rest_is_up(
    tmp_path: Path,
) -> None:
    async def story(flow: Flow) -> None:
        here = kept(flow).here
        await here.stop("n3")
        seen: list[QuorumLeft] = []
        await removed(flow, None, "n3", standing(flow), lambda node, left: seen.append(left))
        assert seen == [QuorumLeft(voters=("n1", "n2"), up=("n1", "n2"))]
        assert (seen[0].spare, seen[0].needed) == (0, 2)
        assert await voters(flow) == ["n1", "n2"]

    play(tmp_path, story)


def test_a_removal_that_leaves_no_majority_is_refused_with_the_way_out(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        await kept(flow).here.stop("n3")
        leader = (await own(flow).lead(flow.lab, "g1")).node
        with pytest.raises(RefusedError) as caught:
            await remove(flow, leader)
        assert caught.value.message == (
            f"{leader}: not removed from g1: of the 2 voters that are left, 2 have to be up, and 1"
            f" is; start n3 first (walctl cluster start {flow.lab.path} n3)"
        )
        assert len(await voters(flow)) == 3
        await kept(flow).here.start("n3")
        with pytest.raises(RefusedError, match="and 0 are"):  # they run, and their members do not
            await removed(flow, None, "n3", standing(flow, role="failed"), no_warning)

    play(tmp_path, story)


def test_without_a_leader_nothing_is_changed_and_it_is_said_what_would_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(flow: Flow) -> None:
        for name in ("n2", "n3"):
            await kept(flow).here.stop(name)
        await kept(flow).here.until(lambda: not kept(flow).here.nodes["n1"].driver("g1").is_leader)
        with pytest.raises(ClusterError) as caught:
            await own(flow).lead(flow.lab, "g1", seconds=0.1)
        assert caught.value.message == (
            "group g1 has no leader; of its nodes n1, n2, n3 these answer: n1: it needs a majority"
            f" of its voters; walctl cluster start {flow.lab.path} n2"
        )

    play(tmp_path, story)


def test_the_only_voter_is_not_removed(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        with pytest.raises(UsageError, match="is the only voter of g1"):
            await remove(flow, "n1")

    play(tmp_path, story, nodes=1)


def test_a_node_leaves_one_group_and_stays_in_the_other(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        here = kept(flow).here
        await remove(flow, "n1", "g2")
        assert await voters(flow, "g2") == ["n2", "n3"]
        assert await voters(flow, "g1") == ["n1", "n2", "n3"]
        assert sorted(here.nodes["n1"].members) == ["g1"]
        # And comes back, to a log in which its own removal stands.
        await added(flow, "g2", "n1", is_learner=False)
        assert await voters(flow, "g2") == ["n1", "n2", "n3"]

    play(tmp_path, story, groups=2)


def test_a_node_has_the_place_of_another_that_is_down_while_clients_ask(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        here = kept(flow).here
        async with loaded(flow, "g1") as seen:
            await asyncio.sleep(0.2)
            await here.stop("n2")
            changed = await replaced(flow, None, "n2", None)
        assert (changed.node, changed.done) == ("n4", "has the place of n2")
        assert [row.node for row in changed.members] == ["n1", "n3", "n4"]
        assert flow.again().node("n2").is_removed
        changes = [each for each in here.events if each["k"] == "conf" and each.get("outgoing")]
        assert {tuple(each["outgoing"]) for each in changes} == {(1, 2, 3)}
        assert judged(seen).verdict is Verdict.LINEARIZABLE
        again = await replaced(flow, None, "n2", "n4")
        assert again.members == changed.members

    play(tmp_path, story)


def test_a_learner_that_does_not_come_nearer_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(flow: Flow) -> None:
        await added(flow, None, None, is_learner=True)
        await kept(flow).here.stop("n4")
        await put(flow, count=5)
        monkeypatch.setattr(own_members, "LAG_ENTRIES_MAX", 0)
        with pytest.raises(ClusterError, match=r"n4: does not answer, and nothing moved for 0.2 s"):
            await flow.membership.promote(flow.again(), "g1", "n4", seconds=0.2)
        assert await voters(flow) == ["n1", "n2", "n3"]

    play(tmp_path, story)


def test_the_lead_is_handed_on_and_to_no_learner(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        for name in ("n1", "n2", "n3"):
            await flow.membership.transfer(flow.lab, "g1", name, seconds=5)
            assert (await own(flow).lead(flow.lab, "g1")).node == name
        await added(flow, None, None, is_learner=True)
        with pytest.raises(UsageError, match="n4: is a learner of g1, and cannot lead it"):
            await flow.membership.transfer(flow.again(), "g1", "n4", seconds=5)

    play(tmp_path, story)


def test_a_node_that_missed_who_came_reads_it_as_soon_as_it_has_to_speak_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(flow: Flow) -> None:
        here = kept(flow).here
        leader = (await own(flow).lead(flow.lab, "g1")).node
        deaf = here.nodes[next(each for each in ("n1", "n2", "n3") if each != leader)]
        monkeypatch.setattr(deaf, "reload", lambda lab: None)
        await added(flow, None, None, is_learner=False)
        monkeypatch.undo()
        assert "n4" not in [each.name for each in deaf.lab.nodes]
        await flow.membership.transfer(flow.lab, "g1", "n4", seconds=5)
        await here.until(lambda: deaf.node_name(4) == "n4")
        assert await put(flow) == [Fate.OK]

    play(tmp_path, story)

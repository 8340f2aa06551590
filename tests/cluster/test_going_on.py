"""Changes of members whose command was killed, and typed again in the same words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.keeping import KilledError, flowing, kept, own
from walctl.cluster import own_members
from walctl.cluster.lab import Lab
from walctl.cluster.member_flow import Flow, added, replaced
from walctl.cluster.node_talk import NodeTalk
from walctl.errors import ClusterError, UsageError

POINTS_MAX = 60
Kill = Callable[[int], None]


@asynccontextmanager
async def killable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, nodes: int = 1, groups: int = 1
) -> AsyncIterator[tuple[Flow, Kill]]:
    """A lab, and what lets a change of it be killed once it has had so many things done.

    Nothing is killed behind `set_added`: by that an addition is done, and the next is another.
    """
    left = [0]

    def counted(do: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def count(*words: Any, **fields: Any) -> Any:
            found = await do(*words, **fields)
            if "status" not in words:
                left[0] -= 1
                if left[0] == 0:
                    raise KilledError
            return found

        return count

    def kill(point: int) -> None:
        left[0] = point

    monkeypatch.setattr(NodeTalk, "do", counted(NodeTalk.do))
    async with flowing(folder, nodes=nodes, groups=groups) as flow:
        for each in ("put_group", "add_node", "set_removed", "act"):
            monkeypatch.setattr(kept(flow), each, counted(getattr(kept(flow), each)))
        yield flow, kill


async def killed_and_again(kill: Kill, point: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Kill a change at a point, and do it again; whether it came so far."""
    kill(point)
    try:
        await work()
    except KilledError:
        kill(0)
        await work()
        return True
    kill(0)
    return False


def members(lab: Lab) -> dict[str, tuple[str, ...]]:
    """Who is in which group."""
    return {each.name: each.hosts for each in lab.groups}


@pytest.mark.parametrize("groups", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_replacement_without_a_name_makes_one_node_wherever_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: int
) -> None:
    async def story() -> int:
        async with killable(tmp_path, monkeypatch, groups=groups) as (flow, kill):
            for point in range(1, POINTS_MAX):
                old, new = f"n{point}", f"n{point + 1}"
                work = partial(replaced, flow, None, old, None)
                is_killed = await killed_and_again(kill, point, work)
                lab = flow.again()
                assert [each.name for each in lab.nodes if not each.is_removed] == [new]
                assert lab.nodes[-1].name == new
                assert set(members(lab).values()) == {(new,)}
                if not is_killed:
                    return point
        raise AssertionError("it has an end")

    assert asyncio.run(story()) > 10


def test_an_addition_without_a_name_makes_one_node_wherever_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> int:
        async with killable(tmp_path, monkeypatch, groups=2) as (flow, kill):
            for point in range(1, POINTS_MAX):
                new = f"n{point + 1}"
                work = partial(added, flow, None, None, is_learner=False)
                is_killed = await killed_and_again(kill, point, work)
                lab = flow.again()
                there = [each.name for each in lab.nodes if not each.is_removed]
                assert there == ["n1", new]
                for group in ("g1", "g2"):
                    rows = await flow.membership.listed(lab, group)
                    assert [(row.node, row.is_learner) for row in rows] == [
                        ("n1", False),
                        (new, False),
                    ]
                    await flow.membership.remove(flow.keeper, flow.again(), group, new)
                await flow.retired(new)
                if not is_killed:
                    return point
        raise AssertionError("it has an end")

    assert asyncio.run(story()) > 8


def test_an_addition_that_is_done_is_done_and_the_next_makes_another(tmp_path: Path) -> None:
    async def story() -> None:
        async with flowing(tmp_path, nodes=1) as flow:
            assert (await added(flow, None, None, is_learner=True)).node == "n2"
            assert (await added(flow, None, None, is_learner=True)).node == "n3"
            assert (await added(flow, None, "n2", is_learner=False)).node == "n2"
            assert (await added(flow, None, None, is_learner=False)).node == "n4"

    asyncio.run(story())


def test_who_is_out_and_still_hosted_is_ended_before_anybody_is_made(tmp_path: Path) -> None:
    async def story() -> None:
        async with flowing(tmp_path, nodes=2) as flow:
            await flow.membership.transfer(flow.lab, "g1", "n1", seconds=5)
            await own(flow)._change(
                flow.lab, "g1", lambda view: 2 not in view.members, [("REMOVE_NODE", 2)]
            )
            changed = await replaced(flow, None, "n2", None)
            assert (changed.node, changed.done) == ("n2", "was out already")
            lab = flow.again()
            assert [each.name for each in lab.nodes] == ["n1", "n2"]
            assert (lab.node("n2").is_removed, members(lab)) == (True, {"g1": ("n1",)})
            with pytest.raises(UsageError, match="n2: is in no group"):
                await replaced(flow, None, "n2", None)

    asyncio.run(story())


def test_a_learner_that_is_down_has_not_caught_up_whatever_the_leader_knows(tmp_path: Path) -> None:
    async def story() -> None:
        async with flowing(tmp_path, nodes=1) as flow:
            await added(flow, None, None, is_learner=True)
            await own(flow)._caught_up(flow.again(), "g1", "n2", seconds=5)
            await kept(flow).here.stop("n2")
            with pytest.raises(ClusterError, match=r"n2: does not answer, .* cluster restart "):
                await flow.membership.promote(flow.again(), "g1", "n2", seconds=0.2)
            rows = await flow.membership.listed(flow.again(), "g1")
            assert [row.is_learner for row in rows] == [False, True]

    asyncio.run(story())


@pytest.mark.parametrize("is_back", [True, False])
def test_a_node_that_dies_before_the_joint_change_is_waited_for(
    tmp_path: Path, is_back: bool
) -> None:
    async def story() -> None:
        async with flowing(tmp_path, nodes=1) as flow:
            here = kept(flow).here
            tasks: list[asyncio.Task[None]] = []

            async def back() -> None:
                await asyncio.sleep(own_members.POLL_SECONDS)
                await here.start("n2")

            async def note(words: str) -> None:
                if words.startswith("n2 has the state"):
                    await here.stop("n2")
                    if is_back:
                        tasks.append(asyncio.create_task(back()))

            own(flow)._note = note
            name = await flow.usable(None)
            work = flow.membership.replace(
                flow.keeper, flow.again(), "g1", "n1", name, seconds=5 if is_back else 0.2
            )
            if is_back:
                await work
                await asyncio.gather(*tasks)
                assert members(flow.again()) == {"g1": ("n2",)}
            else:
                with pytest.raises(ClusterError, match="n2: does not answer"):
                    await work
                view = await own(flow).lead(flow.again(), "g1")  # and the group works on
                assert view.voters == {1}
                assert not view.outgoing

    asyncio.run(story())

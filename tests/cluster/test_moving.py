"""A group that moves while it is written to, whoever dies meanwhile, and clients that go after it.

What clients saw is judged by the checker; the state in the end is what they were told last.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.keeping import KilledError, client, flowing, judged, kept, loaded, own, shown
from walctl.checker.linearizable import Verdict
from walctl.cluster.answers import Fate, Wait
from walctl.cluster.group_flow import begun, dropped, moved
from walctl.cluster.lab import Group, load
from walctl.cluster.member_flow import Flow
from walctl.cluster.node_talk import NodeTalk
from walctl.errors import ClusterError, UsageError
from walctl.fs.real import RealFileSystem

DISK = RealFileSystem()
SNAPSHOTS = {"snapshot_count": 40, "catch_up_entries": 5}
STEPS = 7
"""Steps of a move of which somebody is told."""

Events = Sequence[Mapping[str, Any]]
Story = Callable[[Flow], Awaitable[None]]


def play(folder: Path, story: Story, *, nodes: int = 4, **wishes: Any) -> None:
    """Run a story with a lab whose group g2 is on n1 alone, and g3 on n1, n2 and n3."""

    async def whole() -> None:
        async with flowing(folder, nodes=nodes, **{**SNAPSHOTS, **wishes}) as flow:
            await begun(flow, "g2", ["n1"])
            await begun(flow, "g3", ["n1", "n2", "n3"])
            await story(flow)

    asyncio.run(whole())


async def move(flow: Flow, group: str, source: str = "n1", target: str = "n4") -> None:
    await moved(flow, DISK, group, source, target, is_delete=False)


def leaders_of(events: Events) -> Counter[tuple[str, int]]:
    """How many different nodes led a group in a term."""
    led = {
        (each["g"], each["term"], each["lead"])
        for each in events
        if each["k"] == "role" and each["to"] == "leader"
    }
    return Counter((group, term) for group, term, _ in led)


async def demand_right(flow: Flow, group: str, seen: Events) -> None:
    """What clients saw has an order, nothing was done twice, and the members are alike."""
    judgement = judged(seen)
    assert judgement.verdict is Verdict.LINEARIZABLE, judgement.bad
    asked = {(each["c"], each["op"]): each for each in seen if each["k"] == "invoke"}
    done = [each for each in seen if each["k"] == "ok"]
    writes = [each for each in done if asked[each["c"], each["op"]]["f"] != "get"]
    assert len(writes) > 10
    assert max(Counter(each["rev"] for each in writes).values()) == 1
    here = kept(flow).here
    assert set(leaders_of(here.events).values()) == {1}
    hosts = flow.again().group(group).hosts
    await here.until(lambda: len({here.nodes[each].driver(group).applied for each in hosts}) == 1)
    digests = {here.nodes[each].driver(group).service.digest() for each in hosts}
    assert len(digests) == 1


@pytest.mark.parametrize("group", ["g2", pytest.param("g3", marks=pytest.mark.slow)])
def test_a_group_moves_under_load_and_its_clients_go_with_it(tmp_path: Path, group: str) -> None:
    async def story(flow: Flow) -> None:
        async with loaded(flow, group) as seen:
            await asyncio.sleep(0.3)
            await move(flow, group)
            before = len(seen)
            await kept(flow).here.until(lambda: len(seen) > before + 40)
        hosts = {"g2": ("n4",), "g3": ("n2", "n3", "n4")}[group]
        assert flow.again().group(group) == Group(name=group, first=(), hosts=hosts)
        assert group not in kept(flow).here.nodes["n1"].members
        await demand_right(flow, group, seen)
        fates = Counter(each["k"] for each in seen)
        assert fates["fail"] + fates["info"] < fates["ok"] / 2

    play(tmp_path, story)


def test_a_move_goes_on_from_wherever_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every single thing that the command has anybody do, in turn: there and back again."""
    left = [0]
    do = NodeTalk.do

    def count(is_counted: bool) -> None:
        left[0] -= is_counted
        if left[0] == 0 and is_counted:
            raise KilledError

    async def counted(self: NodeTalk, lab: Any, node: str, verb: str, **fields: Any) -> Any:
        found = await do(self, lab, node, verb, **fields)
        count(verb != "status")
        return found

    monkeypatch.setattr(NodeTalk, "do", counted)

    async def story(flow: Flow) -> None:
        keeper = kept(flow)
        put = keeper.put_group

        async def put_and_count(group: Group, *, was: Sequence[str]) -> None:
            await put(group, was=was)
            count(True)

        monkeypatch.setattr(keeper, "put_group", put_and_count)
        place, other, kills = "n1", "n4", 0
        async with loaded(flow, "g2") as seen:
            for point in range(1, 100):
                left[0] = point
                try:
                    await move(flow, "g2", place, other)
                except KilledError:
                    kills += 1
                left[0] = -1
                await move(flow, "g2", place, other)
                place, other = other, place
                expected = {**shown(flow.again())["g2"], "hosts": (place,), "first": ()}
                assert shown(flow.lab)["g2"] == expected
                if kills < point:
                    break
        assert kills >= 10
        await demand_right(flow, "g2", seen)

    play(tmp_path, story)


@pytest.mark.slow
@pytest.mark.parametrize("group", ["g2", "g3"])
@pytest.mark.parametrize("victim", ["n1", "n4"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_node_dies_at_any_step_of_a_move_and_the_move_goes_on(
    tmp_path: Path, group: str, victim: str, step: int
) -> None:
    async def story(flow: Flow) -> None:
        here, steps = kept(flow).here, [0]
        tasks: list[asyncio.Task[None]] = []

        async def back() -> None:
            await asyncio.sleep(0.3)
            await here.start(victim)

        async def note(words: str) -> None:
            steps[0] += 1
            if steps[0] == step:
                await here.stop(victim)
                tasks.append(asyncio.create_task(back()))

        own(flow)._note = note
        async with loaded(flow, group) as seen:
            await asyncio.sleep(0.1)
            for _ in range(5):
                try:
                    await move(flow, group)
                except (ClusterError, UsageError):
                    await asyncio.gather(*tasks)  # the same command again, when it runs
                else:
                    break
            await asyncio.gather(*tasks)
            await move(flow, group)
        hosts = {"g2": ("n4",), "g3": ("n2", "n3", "n4")}[group]
        assert flow.again().group(group).hosts == hosts
        await here.until(lambda: group not in here.nodes["n1"].members)
        await demand_right(flow, group, seen)

    play(tmp_path, story)


def test_a_client_of_long_ago_finds_a_group_that_is_on_a_node_it_never_heard_of(
    tmp_path: Path,
) -> None:
    async def story(flow: Flow) -> None:
        async with client(flow.again()) as found:
            told = await found.put(b"/k", b"v", group="g2", wait=Wait.COMMIT)
            assert (told.fate, told.node) == (Fate.OK, "n1")
            name = await flow.usable(None)
            await move(flow, "g2", "n1", name)
            assert name == "n5"
            for via in (None, "n1"):
                read = await found.get(b"/k", group="g2", via=via)
                assert (read.fate, read.value, read.node) == (Fate.OK, b"v", "n5")
            here = kept(flow).here
            async with here.session.get(here.url("n1", "/groups/g2/k?read=index")) as answer:
                port = here.lab.node("n5").client_port
                assert answer.status == 410
                assert answer.headers["X-Walctl-Hosts"] == f"n5={port}"
                assert await answer.text() == "group g2 is not on n1: n5 has it\n"
            gone = await found.get(b"/k", group="g9")
            assert (gone.fate, "no group 'g9'" in gone.words) == (Fate.FAIL, True)

    play(tmp_path, story)


def test_what_a_group_leaves_behind_stays_or_is_removed_and_is_used_again(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        path = flow.lab.data_path("n1", "g2")
        told = await moved(flow, DISK, "g2", "n1", "n4", is_delete=False)
        assert (told.kept, told.removed, path.exists()) == ((str(path),), (), True)
        # It comes back to its old log, in which its own removal stands.
        await move(flow, "g2", "n4", "n1")
        assert kept(flow).here.nodes["n1"].driver("g2").is_leader
        told = await moved(flow, DISK, "g2", "n1", "n4", is_delete=True)
        assert (told.removed, path.exists()) == ((str(path),), False)
        told = await moved(flow, DISK, "g2", "n1", "n4", is_delete=True)
        assert (told.removed, told.kept) == ((), ())

    play(tmp_path, story)


@pytest.mark.slow
def test_a_directory_stays_while_a_member_may_still_ask_its_owner_for_a_vote(
    tmp_path: Path,
) -> None:
    async def story(flow: Flow) -> None:
        await kept(flow).here.stop("n3")
        told = await moved(flow, DISK, "g3", "n1", "n4", is_delete=True)
        assert told.words == "stays until n3 knows of the move; then do this again"
        await kept(flow).here.start("n3")
        here = kept(flow).here
        await here.until(lambda: here.nodes["n3"].driver("g3").members == {2, 3, 4})
        told = await moved(flow, DISK, "g3", "n1", "n4", is_delete=True)
        assert told.removed == (str(flow.lab.data_path("n1", "g3")),)

    play(tmp_path, story)


def test_a_group_whose_beginning_was_cut_off_begins_when_it_is_asked_for_again(
    tmp_path: Path,
) -> None:
    async def story(flow: Flow) -> None:
        hosts = ("n1", "n2", "n3")
        # Written down, and one node came up with it before the command was killed.
        await kept(flow).put_group(Group(name="g4", first=hosts, hosts=hosts), was=())
        await kept(flow).here.stop("n2")
        await kept(flow).here.start("n2")
        assert (await begun(flow, "g4", hosts)).hosts == hosts
        lead = await own(flow).lead(flow.lab, "g4")
        assert lead.voters == {1, 2, 3}

    play(tmp_path, story)


def test_groups_begin_and_end_and_their_names_are_not_given_again(tmp_path: Path) -> None:
    async def story(flow: Flow) -> None:
        again = await begun(flow, "g2", ["n1"])
        assert again.hosts == ("n1",)
        with pytest.raises(UsageError, match="has a group g2 already, on n1"):
            await begun(flow, "g2", ["n2"])
        told = await dropped(flow, DISK, "g2", is_delete=False)
        path = flow.lab.data_path("n1", "g2")
        assert told.kept == (str(path),)
        assert "g2" not in kept(flow).here.nodes["n1"].members
        assert (await dropped(flow, DISK, "g2", is_delete=True)).removed == (str(path),)
        with pytest.raises(UsageError, match="no group 'g2'"):
            await dropped(flow, DISK, "g2", is_delete=True)
        # Clients that asked the one and the other would have one history of two stores.
        with pytest.raises(UsageError, match="had a group g2, which was dropped"):
            await begun(flow, "g2", ["n1", "n2"])
        assert load(DISK, flow.lab.path).dropped == ("g2",)
        path = flow.lab.data_path("n2", "g9")
        DISK.make_dir(path)
        with pytest.raises(Exception, match=r"found that of an earlier group g9"):
            await begun(flow, "g9", ["n1", "n2"])

    play(tmp_path, story)

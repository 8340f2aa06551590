"""A node's HTTP API: raftexample's as it is, and the strict one, which tells what became of it.

What raftexample answers is from the notes on its 3.4.23 build.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from tests.cluster.instances import Here, new_lab, running
from walctl.cluster.compat import member_id

Story = Callable[[Here], Awaitable[None]]


def play(folder: Path, story: Story, *, nodes: int = 1, **wishes: Any) -> None:
    """Run a story with the nodes of a new lab, once they have a leader."""

    async def whole() -> None:
        async with running(new_lab(folder / "lab", nodes=nodes, **wishes)) as here:
            await here.led()
            await story(here)

    asyncio.run(whole())


async def call(
    here: Here, method: str, path: str, body: bytes | None = None, *, node: str = "n1", **more: Any
) -> tuple[int, bytes, dict[str, str]]:
    url = URL(here.url(node, path), encoded=True)
    async with here.session.request(
        method, url, data=io.BytesIO(body or b""), allow_redirects=False, **more
    ) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


def test_raftexamples_own_requests_get_its_own_answers(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        assert (await call(here, "PUT", "/my-key", b"hello"))[:2] == (204, b"")
        await here.until(lambda: here.nodes["n1"].driver("g1").service.read(b"/my-key"))
        assert (await call(here, "GET", "/my-key"))[:2] == (200, b"hello")
        assert (await call(here, "GET", "/none"))[:2] == (404, b"Failed to GET\n")
        assert (await call(here, "PUT", "/empty", b""))[0] == 204
        await here.until(lambda: here.nodes["n1"].driver("g1").service.read(b"/empty") is not None)
        assert (await call(here, "GET", "/empty"))[:2] == (200, b"")
        for method in ("PATCH", "OPTIONS"):
            status, body, _ = await call(here, method, "/my-key")
            assert (status, body) == (405, b"Method not allowed\n")
        assert (await call(here, "HEAD", "/my-key"))[0] == 405
        assert (await call(here, "POST", "/x", b"http://h:1"))[:2] == (400, b"Failed on POST\n")
        assert (await call(here, "DELETE", "/x"))[:2] == (400, b"Failed on DELETE\n")

    play(tmp_path, story)


def test_a_key_is_the_target_exactly_as_it_was_sent(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        service = here.nodes["n1"].driver("g1").service
        for number, key in enumerate(("/a%20b", "/a%20b?c=1", "/a?wait=now&x", "//", "/?x=%ff")):
            assert (await call(here, "PUT", key, b"%d" % number))[0] == 204
            await here.until(lambda key=key: service.read(key.encode()) is not None)
            assert (await call(here, "GET", key))[:2] == (200, b"%d" % number)

    play(tmp_path, story)


def test_a_strict_put_is_there_when_it_is_answered(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        status, _, heads = await call(here, "PUT", "/a?wait=commit", b"1")
        assert (status, heads["X-Walctl-Fate"]) == (204, "ok")
        index = int(heads["X-Walctl-Index"])
        status, body, heads = await call(here, "GET", "/a?read=index")
        assert (status, body) == (200, b"1")
        assert int(heads["X-Walctl-Index"]) >= index
        for read in ("lease", "local"):
            assert (await call(here, "GET", f"/a?read={read}"))[1] == b"1"
        assert (await call(here, "GET", "/b?read=index"))[0] == 404

    play(tmp_path, story)


def test_a_condition_that_does_not_hold_is_told_with_what_is_there(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        assert (await call(here, "PUT", "/a?wait=commit&absent", b"\xff\x00"))[0] == 204
        assert (await call(here, "PUT", "/a?wait=commit&absent", b"2"))[:2] == (412, b"\xff\x00")
        assert (await call(here, "PUT", "/a?wait=commit&expect=%FF%00", b"3"))[0] == 204
        status, body, heads = await call(here, "PUT", "/a?wait=commit&expect=x", b"4")
        assert (status, body, heads["X-Walctl-Fate"]) == (412, b"3", "fail")
        assert (await call(here, "DELETE", "/a?wait=commit"))[0] == 204
        status, _, heads = await call(here, "PUT", "/a?wait=commit&expect=", b"5")
        assert (status, heads["X-Walctl-Fate"]) == (412, "fail")

    play(tmp_path, story)


def test_what_no_client_may_repeat_by_itself_can_be_posted(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        assert (await call(here, "POST", "/a?wait=commit", b"1"))[0] == 204
        assert (await call(here, "GET", "/a?read=index"))[1] == b"1"
        assert (await call(here, "POST", "/a?wait=commit&expect=2", b"3"))[0] == 412
        assert (await call(here, "POST", "/a?wait=commit&delete"))[0] == 204
        assert (await call(here, "GET", "/a?read=index"))[0] == 404

    play(tmp_path, story)


def test_a_range_has_every_key_that_begins_so(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        for key in ("/a/1", "/a/2", "/b"):
            await call(here, "PUT", f"{key}?wait=commit", key.encode())
        url = here.url("n1", "/a/?read=index&prefix&limit=5")
        async with here.session.get(url) as answer:
            found = await answer.json()
        assert [each["key"] for each in found["pairs"]] == ["L2EvMQ==", "L2EvMg=="]

    play(tmp_path, story)


def test_a_follower_sends_writes_to_the_leader_and_reads_for_itself(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        leader = (await here.led()).own.name
        other = next(name for name in here.nodes if name != leader)
        status, body, heads = await call(here, "PUT", "/a?wait=commit", b"1", node=other)
        assert (status, heads["X-Walctl-Leader"], heads["X-Walctl-Fate"]) == (307, leader, "fail")
        assert body == b"not the leader\n"
        await call(here, "PUT", "/a?wait=commit", b"1", node=leader)
        assert (await call(here, "GET", "/a?read=index", node=other))[:2] == (200, b"1")
        # raftexample's own put is passed on by Raft.
        assert (await call(here, "PUT", "/b", b"2", node=other))[0] == 204
        await here.until(lambda: here.nodes[other].driver("g1").service.read(b"/b") == b"2")

    play(tmp_path, story, nodes=3)


def test_a_change_that_raftexample_takes_anywhere_is_passed_on_to_the_leader(
    tmp_path: Path,
) -> None:
    async def story(here: Here) -> None:
        leader = (await here.led()).own.name
        other = next(name for name in here.nodes if name != leader)
        gone = next(name for name in here.nodes if name not in (leader, other))
        number = here.nodes[gone].id
        assert (await call(here, "DELETE", f"/{number}", node=other))[0] == 204
        await here.until(lambda: number not in here.nodes[leader].driver("g1").members)

    play(tmp_path, story, nodes=3)


def test_each_group_has_keys_of_its_own(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        await here.led("g2")
        await call(here, "PUT", "/groups/g2/a?wait=commit", b"2")
        assert (await call(here, "GET", "/a?read=index"))[0] == 404
        assert (await call(here, "GET", "/groups/g2/a"))[1] == b"2"
        status, body, _ = await call(here, "GET", "/groups/g9/a")
        assert (status, body) == (404, b"no group 'g9' on n1; there are g1, g2\n")

    play(tmp_path, story, groups=2)


def test_status_and_metrics_say_what_the_members_are(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        async with here.session.get(here.url("n1", "/status")) as answer:
            found = await answer.json()
        assert (found["v"], found["node"]) == (1, "n1")
        (group,) = found["groups"]
        assert (group["role"], group["leader"], group["voters"]) == ("leader", "n1", ["1"])
        text = (await call(here, "GET", "/metrics"))[1].decode()
        assert 'walctl_raft_is_leader{group="g1"} 1\n' in text
        assert "# TYPE walctl_raft_commit gauge\n" in text

    play(tmp_path, story)


@pytest.mark.parametrize(
    "heads",
    [
        {"Host": "example.org"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://example.org"},
        {"Origin": "null"},
    ],
)
def test_who_comes_from_elsewhere_is_not_answered(tmp_path: Path, heads: dict[str, str]) -> None:
    async def story(here: Here) -> None:
        assert (await call(here, "PUT", "/a", b"1", headers=heads))[0] == 403
        assert here.nodes["n1"].driver("g1").service.read(b"/a") is None

    play(tmp_path, story)


def test_operators_need_the_labs_token(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        assert (await call(here, "POST", "/control/campaign", b'{"group":"g1"}'))[0] == 403
        await here.control("n1", "campaign", group="g1")

    play(tmp_path, story)


def test_a_value_that_is_too_long_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    async def story(here: Here) -> None:
        status, body, _ = await call(here, "PUT", "/a?wait=commit", bytes(2_000_000))
        assert (status, body) == (413, b"expected a value of at most 1572864 bytes\n")
        assert (await call(here, "PUT", "/a?wait=commit", bytes(1_500_000)))[0] == 204

    play(tmp_path, story)


def test_without_a_quorum_nobody_is_told_that_it_was_done(tmp_path: Path) -> None:
    async def whole() -> None:
        lab = new_lab(tmp_path / "lab", nodes=3)
        async with running(lab, "n1") as here:
            status, _, heads = await call(here, "PUT", "/a?wait=commit", b"1")
            assert (status, heads["X-Walctl-Fate"]) == (503, "fail")
            status, _, heads = await call(here, "GET", "/a?read=index&timeout=50")
            assert (status, heads["X-Walctl-Fate"]) == (504, "fail")

    asyncio.run(whole())


def test_bytes_of_any_kind_outlive_a_snapshot_and_a_restart(tmp_path: Path) -> None:
    values = [b"", b"\xff", bytes(range(256)), "\ufffd".encode()]

    async def whole() -> None:
        lab = new_lab(tmp_path / "lab")
        async with running(lab) as here:
            await here.led()
            for number, value in enumerate(values):
                await call(here, "PUT", f"/{number}?wait=commit", value)
            assert (await here.control("n1", "snapshot", group="g1"))["index"] >= len(values)
        async with running(lab) as here:
            await here.led()
            assert here.nodes["n1"].driver("g1").snapshot_index > 0
            for number, value in enumerate(values):
                assert (await call(here, "GET", f"/{number}?read=index"))[1] == value

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"4", 4),
        (b"0x4", 4),
        (b"0b100", 4),
        (b"1_0", 10),
        (b"010", 8),
        (b"0o10", 8),
        (b"0", 0),
        (b"0x_f", 15),
        (b"18446744073709551615", (1 << 64) - 1),
    ],
)
def test_an_id_is_read_as_go_reads_it(text: bytes, number: int) -> None:
    assert member_id(text) == number


@pytest.mark.parametrize(
    "text", [b"", b"x", b"_1", b"1_", b"1__0", b"-1", b"+1", b" 1", b"08", b"0b2", b"1e3", b"0x"]
)
def test_what_go_does_not_take_is_no_id(text: bytes) -> None:
    assert member_id(text) is None


@given(st.binary(max_size=8))
def test_any_text_is_an_id_or_none(text: bytes) -> None:
    found = member_id(text)
    assert found is None or 0 <= found < 1 << 64

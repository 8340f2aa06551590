"""A whole lab of real etcds, by the commands that a person types."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import WALCTL, Tell, environment, ran
from tests.cluster.labs import DISK, again, ended, made, needs_etcd, pids, wait_for
from walctl.cluster import running, runtime
from walctl.cluster.answers import Answer, Fate, Read, Wait
from walctl.cluster.etcd_client import EtcdClient
from walctl.cluster.lab import Lab
from walctl.cluster.standing import LabStanding
from walctl.cluster.up_down import act, down, status, up_detached

pytestmark = needs_etcd


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab that is up, for tests that leave it whole; and what it leaves is looked at."""
    lab = made(tmp_path_factory.mktemp("labs") / "demo")
    with ended(lab):
        up_detached(DISK, lab, only=())
        yield lab
    for node in again(lab).nodes:
        told = ran("verify", lab.path / node.name / "etcd", "-q")
        assert told.status in (0, 3), (node.name, told)


@pytest.fixture
def whole(demo: Lab) -> Lab:
    """The same with all of it running and a leader known, whatever the test before did."""
    up_detached(DISK, again(demo), only=())
    return again(demo)


def asked(lab: Lab, question: Callable[[EtcdClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        client = EtcdClient(lab)
        try:
            return await question(client)
        finally:
            await client.close()

    return asyncio.run(run())


def standing(lab: Lab) -> LabStanding:
    return status(DISK, again(lab))


def leader(lab: Lab) -> str | None:
    return standing(lab).leader("etcd")


def events(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.events_path.read_text().splitlines()[1:]]


def test_a_lab_is_made_started_looked_at_and_ended(tmp_path: Path, whole: Lab, tell: Tell) -> None:
    assert tell("cluster", "new", tmp_path / "other", "--engine", "etcd").status == 0
    assert tell("cluster", "rm", tmp_path / "other").status == 0
    shown = json.loads(tell("cluster", "status", whole.path, "-o", "json").out)
    roles = sorted(node["groups"][0]["role"] for node in shown["nodes"])
    assert roles == ["follower", "follower", "leader"]
    assert {node["state"] for node in shown["nodes"]} == {"running"}
    assert all(node.id is not None for node in whole.nodes)
    assert tell("cluster", "rm", whole.path).status == 4
    assert tell("cluster", "up", whole.path).err.count("is up already") == 1
    told = tell("cluster", "logs", whole.path, "n1")
    assert "ready to serve client requests" in told.out


def test_what_is_put_is_read_by_every_member(whole: Lab) -> None:
    async def question(client: EtcdClient) -> list[Answer]:
        put = await client.put(b"k\0\xff", b"\xfe one", group="etcd", wait=Wait.COMMIT)
        reads = [
            await client.get(b"k\0\xff", group="etcd", via=node.name, read=Read.INDEX)
            for node in whole.nodes
        ]
        return [put, *reads]

    put, *reads = asked(whole, question)
    assert put.fate is Fate.OK
    assert [each.value for each in reads] == [b"\xfe one"] * 3
    assert {each.index for each in reads} == {put.index}


def test_a_value_is_swapped_only_for_the_one_that_was_expected(whole: Lab) -> None:
    async def question(client: EtcdClient) -> list[tuple[Fate, bytes | None]]:
        found: list[Answer] = [
            await client.swap(b"s", b"", b"1", group="etcd"),
            await client.swap(b"s", None, b"1", group="etcd"),
            await client.swap(b"s", None, b"2", group="etcd"),
            await client.swap(b"s", b"0", b"2", group="etcd"),
            await client.swap(b"s", b"1", b"2", group="etcd"),
            await client.get(b"s", group="etcd", read=Read.INDEX),
            await client.delete(b"s", group="etcd"),
            await client.get(b"s", group="etcd", read=Read.INDEX),
        ]
        return [(each.fate, each.value) for each in found]

    fates = [Fate.FAIL, Fate.OK, Fate.FAIL, Fate.FAIL, Fate.OK, Fate.OK, Fate.OK, Fate.OK]
    values = [None, None, None, None, None, b"2", None, None]
    assert asked(whole, question) == list(zip(fates, values, strict=True))


@pytest.mark.parametrize("prefix", [b"p/", b"\xff", b"\xff\xff", b"q\xff"])
def test_a_range_has_what_begins_with_the_prefix_and_no_more(whole: Lab, prefix: bytes) -> None:
    inside = {prefix + each: each for each in (b"", b"a", b"\xff", b"\xff\xff")}
    outside = [b"0", b"p", b"p0", b"r", b"q"]

    async def question(client: EtcdClient) -> dict[bytes, bytes]:
        for key in (*inside, *outside):
            await client.put(key, inside.get(key, b"-"), group="etcd", wait=Wait.COMMIT)
        return (await client.range(prefix, group="etcd", read=Read.INDEX))[1]

    found = asked(whole, question)
    assert {key: found[key] for key in inside} == inside
    assert all(key.startswith(prefix) for key in found)


def test_a_killed_leader_is_replaced_and_comes_back(whole: Lab, tell: Tell) -> None:
    first = leader(whole)
    assert first is not None
    assert (
        tell("cluster", "kill", whole.path, "leader").out
        == f"{first}: crashed (killed by SIGKILL)\n"
    )
    wait_for(lambda: leader(whole) not in (None, first), "another leader")

    async def question(client: EtcdClient) -> tuple[Answer, Answer]:
        there = await client.put(b"after", b"kill", group="etcd", wait=Wait.COMMIT)
        dead = await client.put(b"to", b"dead", group="etcd", via=first, wait=Wait.COMMIT)
        return there, dead

    there, dead = asked(whole, question)
    assert there.fate is Fate.OK
    assert (dead.fate, "nobody listens" in dead.words) == (Fate.FAIL, True)
    assert tell("cluster", "kill", whole.path, first).status == 2
    assert tell("cluster", "start", whole.path, first).status == 0
    wait_for(lambda: all(node.is_up for node in standing(whole).nodes), "all of them")
    mine = [each["k"] for each in events(whole) if each.get("n") == first]
    assert mine[mine.index("crash") - 1 :][:3] == ["fault", "crash", "start"]


def test_a_paused_node_answers_nobody_until_it_goes_on(whole: Lab, tell: Tell) -> None:
    assert tell("cluster", "pause", whole.path, "n2").out.startswith("n2: paused, process ")
    found = standing(whole)
    assert [node.state for node in found.nodes] == ["running", "paused", "running"]
    assert found.faults == ("n2: pause",)
    stat = Path(f"/proc/{pids(whole)['n2']}/stat").read_text()
    assert stat.rpartition(")")[2].split()[0] == "T"
    assert tell("cluster", "resume", whole.path, "n2").status == 0
    assert tell("cluster", "resume", whole.path, "n2").status == 2
    wait_for(lambda: standing(whole).nodes[1].is_up, "its answer")
    assert standing(whole).faults == ()


def test_a_node_is_restarted_as_another_process(whole: Lab, tell: Tell) -> None:
    before = pids(whole)
    assert tell("cluster", "restart", whole.path, "follower").status == 0
    after = pids(whole)
    assert len(set(before.items()) - set(after.items())) == 1
    assert before.keys() == after.keys()


def test_a_node_or_an_action_that_is_not_there_is_told(whole: Lab, tell: Tell) -> None:
    told = tell("cluster", "kill", whole.path, "n9")
    assert (told.status, "there are n1, n2, n3" in told.err) == (2, True)


def without_its_supervisor(lab: Lab) -> dict[str, int]:
    """Bring a lab up and kill its supervisor alone; the processes that there were.

    Two nodes stand still: one that goes on ends by itself, as soon as it has something to print.
    """
    up_detached(DISK, again(lab), only=())
    for name in ("n2", "n3"):
        act(lab, name, "pause")
    before = pids(lab)
    os.kill(before["supervisor"], signal.SIGKILL)
    wait_for(lambda: "supervisor" not in pids(lab), "the supervisor's end")
    return before


def test_a_supervisor_that_was_killed_leaves_nothing_that_down_does_not_end(
    tmp_path: Path,
) -> None:
    lab = made(tmp_path / "demo")
    with (
        ended(lab),
        subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger,
    ):
        before = without_its_supervisor(lab)
        os.killpg(before["n1"], signal.SIGKILL)
        # A node that died, and whose id somebody else got: it is not touched.
        running.note_process(DISK, lab, "n1", runtime.Process(stranger.pid, "another moment"))
        found = standing(lab)
        assert found.pid is None
        assert [node.state for node in found.nodes] == ["stopped", "running", "running"]
        assert sorted(down(DISK, again(lab), is_hard=True)) == ["n2", "n3"]
        assert pids(lab) == {}
        assert not any(runtime.identify(each) for each in before.values())
        assert stranger.poll() is None
        stranger.kill()
        # What it left in `run` is no hindrance: here with nodes that are still there.
        middle = without_its_supervisor(lab)
        (lab.run_path / "n2.json").unlink()
        up_detached(DISK, again(lab), only=())
        assert not set(middle.values()) & set(pids(lab).values())
        seqs = [each["i"] for each in events(lab)]
        assert seqs == list(range(len(seqs)))


def test_a_copy_of_a_lab_that_runs_ends_nothing_of_it(
    tmp_path: Path, whole: Lab, tell: Tell
) -> None:
    before = pids(whole)
    copy = shutil.copytree(whole.path, tmp_path / "copy", ignore=_sockets)
    assert "was not up" in tell("cluster", "down", copy).out
    assert pids(whole) == before
    assert tell("cluster", "up", copy, "-d").err.count("is in use by another program") == 1
    assert tell("cluster", "rm", copy).status == 0
    assert pids(whole) == before


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".sock")]


def test_a_lab_in_the_foreground_ends_with_ctrl_c(tmp_path: Path) -> None:
    lab = made(tmp_path / "demo", nodes=1)
    with (
        ended(lab),
        subprocess.Popen(
            [*WALCTL, "cluster", "up", lab.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(line == "n1: leader of term 2\n" for line in lines)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1] == f"{lab.path}: is down"
        assert pids(lab) == {}
    assert [each["k"] for each in events(lab)][-1] == "stop"


def test_a_port_that_is_in_use_is_named_with_the_way_out(tmp_path: Path, tell: Tell) -> None:
    lab = made(tmp_path / "demo", nodes=1)
    with ended(lab):
        for port in (lab.nodes[0].client_port, lab.nodes[0].proxy_port):
            with socket.create_server(("127.0.0.1", port)):
                for words in (("-d",), ()):
                    told = tell("cluster", "up", lab.path, *words)
                    assert told.status == 4
                    assert f"n1: port {port} on 127.0.0.1" in told.err
                    assert "walctl cluster new LAB --base-port P" in told.err
                    assert len(told.err.splitlines()) == 1
        assert pids(lab) == {}


def test_a_minority_starts_and_waits_and_a_program_that_dies_is_told(
    tmp_path: Path, tell: Tell
) -> None:
    lab = made(tmp_path / "demo")
    with ended(lab):
        assert tell("cluster", "up", lab.path, "-d", "--only", "n1").status == 0
        assert sorted(pids(lab)) == ["n1", "supervisor"]
        # n2's place is taken by what etcd cannot use.
        (lab.path / "n2").mkdir()
        (lab.path / "n2" / "etcd").write_text("no folder")
        told = tell("cluster", "up", lab.path, "-d", "--only", "n2")
        assert told.status == 4
        assert told.err.startswith("walctl: n2: died (exit status 1): ")
        assert "walctl cluster logs" in told.err


def test_a_program_that_is_none_is_told(tmp_path: Path, tell: Tell) -> None:
    lab = made(tmp_path / "demo", nodes=1)
    text = (lab.path / "lab.json").read_text()
    (lab.path / "lab.json").write_text(text.replace(str(lab.program), "/no/such/etcd"))
    with ended(lab):
        told = tell("cluster", "up", lab.path, "-d")
    assert told == (
        4,
        "",
        "walctl: n1: /no/such/etcd cannot be started: No such file or directory\n",
    )


def test_members_are_added_take_the_lead_and_are_removed(whole: Lab, tell: Tell) -> None:
    told = tell("cluster", "member", "add", whole.path)
    assert (told.status, told.out.splitlines()[0]) == (0, "n4 is a voter"), told
    assert tell("cluster", "transfer", whole.path, "n4").status == 0
    assert leader(whole) == "n4"
    told = tell("cluster", "member", "remove", whole.path, "leader")
    assert (told.status, told.out.splitlines()[0]) == (0, "n4 was removed"), told
    assert "n4" not in pids(whole)
    rows = json.loads(tell("cluster", "member", "list", whole.path, "-o", "json").out)["members"]
    assert sorted(row["node"] for row in rows) == ["n1", "n2", "n3"]
    assert tell("cluster", "start", whole.path, "n4").status == 2


def test_a_directory_is_kept_wiped_and_rewound_while_its_node_is_down(
    whole: Lab, tell: Tell
) -> None:
    told = tell("cluster", "wipe", whole.path, "n3")
    assert (told.status, "expected a node that is down" in told.err) == (2, True)
    assert tell("cluster", "kill", whole.path, "n3").status == 0
    wal = whole.data_path("n3", "etcd") / "member" / "wal"
    before = {path.name: path.read_bytes() for path in wal.iterdir()}
    for words in (("keep",), ("wipe",), ("rewind",)):
        assert tell("cluster", *words, whole.path, "n3").status == 0
        assert wal.exists() == (words != ("wipe",))
    assert {path.name: path.read_bytes() for path in wal.iterdir()} == before
    assert tell("cluster", "start", whole.path, "n3").status == 0
    wait_for(lambda: all(node.is_up for node in standing(whole).nodes), "all of them")
    assert standing(whole).faults == ()
    mine = [each["on"] for each in events(whole) if each.get("n") == "n3" and "on" in each]
    assert mine[-4:] == ["kill", "keep", "wipe", "rewind"]


def test_a_learner_is_promoted_has_the_place_of_another_and_old_revisions_go(
    whole: Lab, tell: Tell
) -> None:
    told = tell("cluster", "member", "add", whole.path, "--learner")
    assert told.status == 0, told
    name = told.out.split()[0]
    assert f"{name} is a learner" in told.out
    assert tell("cluster", "member", "promote", whole.path, name).status == 0
    told = tell("cluster", "member", "replace", whole.path, name)
    assert (told.status, f"has the place of {name}" in told.out) == (0, True), told
    newer = told.out.split()[0]
    assert {name, newer} & set(pids(whole)) == {newer}
    told = tell("cluster", "compact", whole.path, "leader")
    assert (told.status, "has no revisions before" in told.out) == (0, True), told
    assert tell("cluster", "member", "remove", whole.path, newer).status == 0
    for words in (("campaign", "n1"), ("snapshot", "n1")):
        told = tell("cluster", words[0], whole.path, words[1])
        assert (told.status, len(told.err.splitlines())) == (4, 1), told
    told = tell("cluster", "group", "list", whole.path)
    assert "engine etcd has one group" in told.err

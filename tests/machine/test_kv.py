"""raftexample's map: requests, members, snapshots of any bytes; and a real member's directory."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError
from formats.gob import Pair, build_pair
from formats.kvpb import MARK, Op, build_delete, build_swap
from formats.raftpb import (
    CONF_CHANGE,
    CONF_CHANGE_V2,
    ConfChange,
    ConfChangeSingle,
    ConfChangeV2,
)
from tests.corpus import needs_corpus, unpacked
from tests.machine.replays import DISK, entries, replayed
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.machine.base import Outcome, Result
from walctl.machine.kv import IS_NOT_THERE, IS_OTHER, IS_THERE, Kv, parse_proposal
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


KEYS = st.sampled_from([b"", b"/a", b"/a/b", b"/b", b"\xff"])
VALUES = st.sampled_from([None, b"", b"1", b"\xff"])
PAYLOADS = st.one_of(
    st.builds(lambda key, value: (build_pair(Pair(key, value)), key), KEYS, st.binary(max_size=1)),
    st.builds(lambda key: (build_delete(key), key), KEYS),
    st.builds(lambda key, had, value: (build_swap(key, had, value), key), KEYS, VALUES, VALUES),
)
Model = dict[bytes, bytes]


def carried_out(model: Model, payload: bytes) -> tuple[Model, Result]:
    """What a request does to a plain dictionary."""
    request = parse_proposal(payload)
    if isinstance(request, Pair):
        return model | {request.key: request.value}, Result(Outcome.APPLIED, "put")
    assert request.key is not None
    had = model.get(request.key)
    without = {key: value for key, value in model.items() if key != request.key}
    if request.op == Op.DELETE:
        return without, Result(Outcome.UNCHANGED if had is None else Outcome.APPLIED, "delete")
    if had != request.expected:
        words = IS_OTHER if had is not None else IS_NOT_THERE
        words = IS_THERE if request.expected is None else words
        return model, Result(Outcome.REFUSED, "cas", words)
    after = without if request.value is None else without | {request.key: request.value}
    return after, Result(Outcome.UNCHANGED if after == model else Outcome.APPLIED, "cas")


@given(st.lists(PAYLOADS, max_size=12), st.booleans(), KEYS, st.integers(0, 4))
def test_requests_do_to_the_map_what_they_do_to_a_dictionary(
    payloads: list[tuple[bytes, bytes]], is_ordered: bool, prefix: bytes, limit: int
) -> None:
    machine, model = Kv(), dict[bytes, bytes]()
    if is_ordered:
        machine.keep_order()
    for index, (payload, _) in enumerate(payloads, 1):
        model, expected = carried_out(model, payload)
        assert machine.apply(Entry(1, index, None, payload)) == expected
        assert machine.pairs == model
    found = sorted(each for each in model.items() if each[0].startswith(prefix))
    assert machine.range(prefix, limit) == found[:limit]
    other = Kv()
    other.restore(machine.snapshot())
    assert (other.pairs, other.digest()) == (model, machine.digest())


def test_the_digest_of_a_map_is_what_it_always_was() -> None:
    machine = Kv()
    machine.apply(pair(1, b"/b", b"2"))
    machine.apply(pair(2, b"/a", b"\xff"))
    assert machine.digest() == hashlib.sha256(b"2 1 /a\xff" + b"2 1 /b2").hexdigest()


def test_what_is_frozen_stays_while_the_map_goes_on() -> None:
    machine = Kv()
    machine.apply(pair(1, b"/a", b"1"))
    frozen, digest = machine.freeze(), machine.digest()
    machine.apply(pair(2, b"/b", b"2"))
    machine.apply(Entry(1, 3, None, build_delete(b"/a")))
    assert (frozen.build(), frozen.digest()) == (b'{"/a":"1"}', digest)
    assert b"".join(machine.freeze().chunks()) == machine.snapshot() == b'{"/b":"2"}'


def test_a_marked_payload_that_is_no_request_is_told() -> None:
    found = Kv().apply(Entry(1, 1, None, MARK))
    assert found == Result(Outcome.UNDECODABLE, words="operation None is not known")


def test_several_members_may_come_and_go_at_once() -> None:
    machine = Kv(members=(1, 2))
    steps = (ConfChangeSingle(type=1, node_id=1), ConfChangeSingle(type=0, node_id=3))
    data = CONF_CHANGE_V2.build(ConfChangeV2(changes=steps))
    assert machine.apply(Entry(1, 1, 2, data)) == Result(Outcome.APPLIED, "conf_change_v2")
    assert machine.members == {2, 3}
    assert machine.apply(Entry(1, 2, 2, None)) == Result(Outcome.UNCHANGED, "conf_change_v2")
    assert machine.apply(Entry(1, 3, 2, b"x")).outcome is Outcome.UNDECODABLE

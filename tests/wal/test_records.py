"""What a payload says, by its type, and by the other types when that one does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import etcdserverpb, raftpb, walpb
from formats.walpb import RecordType
from tests.strategies import hostile, messages
from tests.wal.builders import bytes_field, entry, mark, metadata, state, varint
from walctl.model.record import (
    Checkpoint,
    ConfState,
    Entry,
    EntryKind,
    HardState,
    Metadata,
    SnapshotMark,
    Unknown,
)
from walctl.wal.records import lift, name_of, readings, type_name

U64 = st.integers(0, (1 << 64) - 1)
POSITIVE = st.integers(1, (1 << 64) - 1)


@given(
    POSITIVE,
    POSITIVE,
    st.one_of(st.none(), st.binary(max_size=40)),
    st.sampled_from([None, 0, 1, 2]),
)
def test_an_entry_is_what_was_written(
    index: int, term: int, data: bytes | None, kind: int | None
) -> None:
    kinds = [EntryKind.NORMAL, EntryKind.CONF_CHANGE, EntryKind.CONF_CHANGE_V2]
    assert lift(2, entry(index, term, data, kind=kind), 0) == Entry(
        index=index, term=term, kind=kinds[kind or 0], raw_kind=kind or 0, payload=data
    )


@given(U64, U64, U64)
def test_a_state_is_what_was_written(term: int, vote: int, commit: int) -> None:
    expected = HardState(term=term, vote=vote, commit=commit)
    assert lift(3, state(term, vote, commit), 0) == expected


@given(U64, U64, st.lists(U64, max_size=3).map(tuple))
def test_a_marker_is_what_was_written(index: int, term: int, voters: tuple[int, ...]) -> None:
    conf = ConfState(voters=voters) if voters else None
    assert lift(5, mark(index, term, voters), 0) == SnapshotMark(
        index=index, term=term, conf_state=conf
    )


@given(U64, U64)
def test_metadata_of_etcd_has_ids_and_any_other_has_its_bytes(node: int, cluster: int) -> None:
    raw = metadata(node, cluster)
    assert lift(1, raw, 0) == Metadata(node_id=node, cluster_id=cluster, raw=raw)
    for foreign in (None, b"", b"me", raw + b"\x18\x01", varint(node)):
        found = lift(1, foreign, 0)
        assert isinstance(found, Metadata)
        assert found.raw == foreign
        assert (found.node_id is None) == (found.cluster_id is None)
    assert lift(1, b"me", 0) == Metadata(node_id=None, cluster_id=None, raw=b"me")


def test_a_checksum_record_carries_its_checksum_and_no_data() -> None:
    assert lift(4, None, 0xABC) == Checkpoint(value=0xABC)
    found = lift(4, state(1, 2, 3), 0xABC)
    assert isinstance(found, Unknown)
    assert found.reason.startswith("a crc record carries no data")


@pytest.mark.parametrize("raw_type", [2, 3, 5])
def test_a_record_that_must_have_data_and_has_none_is_suspicious(raw_type: int) -> None:
    found = lift(raw_type, None, 0)
    assert isinstance(found, Unknown)
    assert found.reason == f"a {type_name(raw_type)} record without data"


@pytest.mark.parametrize(
    ("raw_type", "payload", "fits"),
    [
        (3, entry(5, 2, b"x"), "entry"),
        (2, mark(5, 2, (1, 2)), "snapshot"),
        (5, state(3, 7, 9), "state"),
        (5, entry(5, 2, b"x"), "entry"),
        (7, state(3, 7, 9), "state"),
        (0, entry(5, 2, b"x"), "entry"),
        (None, mark(5, 2), "snapshot"),
    ],
)
def test_a_payload_under_the_wrong_type_is_held_against_the_others(
    raw_type: int | None, payload: bytes, fits: str
) -> None:
    found = lift(raw_type, payload, 0)
    assert isinstance(found, Unknown)
    assert f"the payload fits: {fits}" in found.reason
    assert (found.raw_type, found.payload) == (raw_type, payload)


def test_entries_of_unknown_kind_are_kept_with_their_number() -> None:
    found = lift(2, entry(5, 2, b"x", kind=9), 0)
    assert isinstance(found, Entry)
    assert (found.kind, found.raw_kind) == (EntryKind.UNKNOWN, 9)


def test_an_unknown_field_makes_no_entry_suspicious_that_fits_nothing_else() -> None:
    found = lift(2, entry(5, 2, b"x") + bytes_field(15, b"?"), 0)
    assert isinstance(found, Entry)
    assert found.payload == b"x"


def test_a_payload_that_is_no_message_says_what_the_parser_said() -> None:
    found = lift(2, b"\x08", 0)
    assert found == Unknown(raw_type=2, payload=b"\x08", reason="unexpected EOF")


@given(
    st.one_of(st.none(), st.integers(-3, 9)),
    st.one_of(
        st.none(),
        hostile(raftpb.ENTRY),
        hostile(raftpb.HARD_STATE),
        hostile(walpb.SNAPSHOT),
        hostile(etcdserverpb.METADATA),
    ),
)
def test_any_payload_of_any_type_is_a_record_or_has_a_reason(
    raw_type: int | None, payload: bytes | None
) -> None:
    found = lift(raw_type, payload, 7)
    if isinstance(found, Unknown):
        assert found.reason
        assert (found.raw_type, found.payload) == (raw_type, payload)
    else:
        assert type_name(raw_type) == name_of(found)


@given(messages(raftpb.Entry))
def test_what_reads_as_an_entry_has_all_that_etcd_always_writes(message: raftpb.Entry) -> None:
    payload = raftpb.ENTRY.build(message)
    found = readings(payload).get(RecordType.ENTRY)
    is_strict = bool(message.index and message.term) and (message.type or 0) in (0, 1, 2)
    assert (found is not None) == (is_strict and not message.unknown)


def test_readings_leave_out_the_type_they_are_told_to() -> None:
    assert set(readings(state(3, 7, 9))) == {RecordType.STATE}
    assert readings(state(3, 7, 9), but_not=RecordType.STATE) == {}
    assert readings(None) == {}


@pytest.mark.parametrize(
    ("raw_type", "word"),
    [(1, "metadata"), (2, "entry"), (3, "state"), (4, "crc"), (5, "snapshot"), (6, "type 6")],
)
def test_a_type_has_the_word_of_the_field(raw_type: int, word: str) -> None:
    assert type_name(raw_type) == word
    assert type_name(None) == "type 0"


def test_a_state_of_term_one_or_two_without_more_is_an_entry_as_well() -> None:
    # Its term reads as the kind of a membership change without data; only the log can tell.
    both = {RecordType.ENTRY, RecordType.STATE}
    assert [set(readings(state(term, 7, 9))) == both for term in (0, 1, 2, 3)] == [
        True,
        True,
        True,
        False,
    ]

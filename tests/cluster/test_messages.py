"""Raft's messages as bytes: equal to what the declared codec writes and reads, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb
from formats.errors import WireError
from formats.raftpb import MESSAGE, MessageType
from walctl.cluster.messages import message_bytes, parse_message
from walctl.raft.types import ConfState, Entry, Message, Snapshot

NUMBERS = st.integers(0, (1 << 64) - 1)
IDS = st.lists(NUMBERS, max_size=4).map(tuple)
ENTRIES = st.builds(
    Entry, NUMBERS, NUMBERS, st.sampled_from([None, 1, 2]), st.none() | st.binary(max_size=40)
)
SNAPSHOTS = st.builds(
    Snapshot,
    index=NUMBERS,
    term=NUMBERS,
    conf_state=st.builds(
        ConfState, voters=IDS, learners=IDS, voters_outgoing=IDS, auto_leave=st.booleans()
    ),
)
MESSAGES = st.builds(
    Message,
    st.sampled_from(MessageType),
    NUMBERS,
    NUMBERS,
    term=NUMBERS,
    log_term=NUMBERS,
    index=NUMBERS,
    entries=st.lists(ENTRIES, max_size=4).map(tuple),
    commit=NUMBERS,
    snapshot=st.none() | SNAPSHOTS,
    reject=st.booleans(),
    reject_hint=NUMBERS,
    context=st.binary(max_size=20),
)


def declared(message: Message) -> raftpb.Message:
    """The message as the declaration has it, by hand."""
    snapshot = None
    if message.snapshot is not None:
        conf = message.snapshot.conf_state
        metadata = raftpb.SnapshotMetadata(
            conf_state=raftpb.ConfState(
                voters=conf.voters,
                learners=conf.learners,
                voters_outgoing=conf.voters_outgoing,
                learners_next=conf.learners_next,
                auto_leave=conf.auto_leave,
            ),
            index=message.snapshot.index,
            term=message.snapshot.term,
        )
        snapshot = raftpb.Snapshot(metadata=metadata)
    return raftpb.Message(
        type=message.type,
        to=message.target,
        from_=message.source,
        term=message.term,
        log_term=message.log_term,
        index=message.index,
        entries=tuple(
            raftpb.Entry(type=each.type or 0, term=each.term, index=each.index, data=each.data)
            for each in message.entries
        ),
        commit=message.commit,
        snapshot=snapshot,
        reject=message.reject,
        reject_hint=message.reject_hint,
        context=message.context or None,
    )


@given(MESSAGES)
def test_a_message_is_written_as_the_definition_writes_it(message: Message) -> None:
    assert message_bytes(message) == MESSAGE.build(declared(message))


@given(MESSAGES)
def test_what_was_written_is_read_back(message: Message) -> None:
    assert parse_message(message_bytes(message)) == message


@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_refused_or_read(data: bytes) -> None:
    try:
        message = parse_message(data)
    except WireError:
        return
    assert parse_message(message_bytes(message)) == message


def test_a_message_of_no_known_type_is_refused() -> None:
    with pytest.raises(WireError):
        parse_message(MESSAGE.build(raftpb.Message(type=99)))

"""The values that Raft works on, as far as they do anything."""

from dataclasses import fields, replace

from formats.raftpb import MessageType
from walctl.raft.types import Entry, Message, Snapshot


def test_a_message_that_is_sent_keeps_all_but_its_source_and_term() -> None:
    message = Message(
        MessageType.APP,
        target=2,
        source=3,
        term=4,
        log_term=5,
        index=6,
        entries=(Entry(7, 8),),
        commit=9,
        vote=10,
        snapshot=Snapshot(index=11),
        reject=True,
        reject_hint=12,
        context=b"context",
        responses=(Message(MessageType.BEAT),),
    )
    given = [getattr(message, each.name) for each in fields(Message)]
    unset = Message(MessageType.HUP)
    assert all(getattr(unset, each.name) not in given for each in fields(Message))
    assert message.sent(21, 22) == replace(message, source=21, term=22)

"""Node 1 of three voters, by itself: what it says to the others is all that is looked at."""

from collections.abc import Sequence
from typing import Any

from formats.raftpb import MessageType
from tests.raft.harness import Node, elected, node, storage_with
from walctl.raft.types import Entry, HardState, Message


def one(
    *,
    entries: Sequence[Entry] = (),
    state: HardState | None = None,
    learners: Sequence[int] = (),
    **wishes: Any,
) -> Node:
    """Node 1 of three voters."""
    storage = storage_with(1, 2, 3, learners=learners, entries=entries, state=state or HardState())
    return node(1, storage, **wishes)


def leading(*, match: int = 1, **wishes: Any) -> Node:
    """Node 1, which leads term 1, with its first entry known to be at node 2."""
    here = elected(one(**wishes))
    here.step(Message(MessageType.APP_RESP, 1, 2, 1, index=match))
    here.work()
    return here


def sent(here: Node, *kinds: MessageType) -> list[Message]:
    """What it has to say of these types; all else that it has to do is done."""
    return [message for message in here.work() if message.type in kinds]

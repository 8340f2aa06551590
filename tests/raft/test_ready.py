"""Whatever a node was handed to be remembered, it is the same node when it starts again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.raft.grounds import Grounds
from tests.raft.harness import Node
from tests.raft.test_random import DEEDS, GROUNDS, KINDS, QUICK, WHOLE, WISHES
from tests.raft.world import Hostile
from tests.replay.stored import typed
from walctl.raft.types import UNLIMITED, Entry, HardState, Snapshot


def remembered(each: Node, first: int) -> tuple[HardState, Snapshot, list[Entry]]:
    """What must not be forgotten of a node: its log from `first` on."""
    log = each.raw.raft.log
    entries = log.slice(first, log.last_index() + 1, UNLIMITED)
    return each.raw.raft.hard_state, each.storage.snapshot(), [typed(entry) for entry in entries]


def restarted(count: int, ground: Grounds, wishes: dict[str, Any], deeds: list[int]) -> None:
    """Run a world, then start each of its nodes again, and hold it against itself."""
    world = Hostile(count, ground, **wishes)
    world.run(deeds)
    world.finish()
    for number in list(world.nodes):
        before = world.nodes[number]
        first = before.storage.snapshot().index + 1
        was = remembered(before, first)
        members, applied = before.raw.raft.tracker.config, before.raw.raft.log.applied
        world.restart(number)
        after = world.nodes[number]
        assert remembered(after, first) == was
        assert after.raw.raft.log.applied <= applied
        # Membership is as of what was applied: the snapshot's, and the changes behind it again.
        world.finish()
        again = world.nodes[number].raw.raft
        assert again.log.applied == applied
        assert again.tracker.config.conf_state.is_equivalent(members.conf_state)


@GROUNDS
@KINDS
@QUICK
@given(count=st.sampled_from([1, 2, 3]), wishes=WISHES, deeds=DEEDS)
def test_a_node_that_starts_again_is_the_one_that_ended(
    ground: Grounds, is_async: bool, count: int, wishes: dict[str, Any], deeds: list[int]
) -> None:
    restarted(count, ground, {**wishes, "is_async": is_async}, deeds)


@pytest.mark.slow
@GROUNDS
@KINDS
@WHOLE
@given(count=st.sampled_from([1, 2, 3]), wishes=WISHES, deeds=DEEDS)
def test_ten_thousand_nodes_that_start_again_are_those_that_ended(
    ground: Grounds, is_async: bool, count: int, wishes: dict[str, Any], deeds: list[int]
) -> None:
    restarted(count, ground, {**wishes, "is_async": is_async}, deeds)

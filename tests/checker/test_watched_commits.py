"""What is committed: what is legal though it looks odd, and what breaks I4, I5, I9, I10, I12."""

from typing import Any

import pytest

from tests.checker.broken import broken, led, stand, wrote
from tests.checker.honest import Group

# I4 and I9


def forgetful(**kinds: Any) -> Group:
    """A group of which n2 and n3 have lost the last entry of their logs, and say nothing."""
    group = led(**kinds)
    last = group["n1"].last - 1
    for name in ("n2", "n3"):
        group.crash(name)
        node = group[name]
        kept = [(i, e.term, e.digest) for i, e in node.log.items() if i <= last]
        group.watcher.survived(
            name, raft_id=node.id, entries=kept, state=(2, node.vote, last), snapshot=(0, 0)
        )
        group.watcher.forgave(name)
        group.watcher.started(
            name, raft_id=node.id, term=2, vote=1, commit=last, last=last, applied=0
        )
        group.watcher.configured(name, 0, (1, 2, 3))
    wrote(group, "n2", term=3, vote=2, commit=last)
    wrote(group, "n3", term=3, vote=2, commit=last)
    group.watcher.granted("n3", 3, 2)
    return group


def test_a_leader_without_what_a_client_was_told_of() -> None:
    group = forgetful()
    with broken("I9", "n2 leads term 3 without entry 5 of term 2") as found:
        group.watcher.leader_said("n2", 3)
    assert found.violation.also == ("I4",)
    assert found.violation.suspects == ("n2", "n3")
    assert "n1 acknowledged 5" in found.violation.witnesses[0]


def test_a_leader_without_what_was_committed_though_no_client_knows_of_it() -> None:
    group = forgetful(puts=0)
    assert not group.watcher._scene.acked
    with broken("I4", "without entry 2 of term 2, which was committed"):
        group.watcher.leader_said("n2", 3)


def test_a_leader_of_an_earlier_term_need_not_have_what_a_later_one_committed() -> None:
    group = led(5)
    # n4 is elected in term 3 and hears of it late: n5 has led term 4 in between.
    for name in ("n2", "n3", "n4"):
        wrote(group, name, term=3, vote=4, commit=5)
        if name != "n4":
            group.watcher.granted(name, 3, 4)
    for node in group.nodes.values():
        node.term, node.vote = (3, 4) if node.name in ("n2", "n3", "n4") else (2, node.vote)
    group["n5"].term = 3
    assert group.elect("n5", deaf=("n4",))
    group.put(b"k", b"of term 4")
    group.feed("n2")
    group.feed("n3")
    assert group["n5"].commit == 7
    group.watcher.leader_said("n4", 3)


def test_at_the_end_the_leader_has_all_that_was_acknowledged() -> None:
    group = led()
    group.watcher.finished()
    group.watcher._members["n1"].cut_from(5)
    with broken("I9", "n1 leads at the end without entry 5"):
        group.watcher.finished()


def test_at_the_end_somebody_has_all_that_was_acknowledged() -> None:
    group = led()
    for name, node in group.nodes.items():
        group.crash(name)
        group.watcher.survived(name, raft_id=node.id)
    with broken("I9", "nobody has entry 5 at the end"):
        group.watcher.finished()


# I5


def test_two_that_apply_different_entries() -> None:
    group = led(puts=0)
    group.watcher.applied("n1", 3, 2, b"one")
    with broken("I5", "n2 and n1 applied different entries at 3"):
        group.watcher.applied("n2", 3, 2, b"other")


@pytest.mark.parametrize(("term", "kind"), [(3, 0), (2, 1)])
def test_an_entry_of_another_term_or_kind_is_another(term: int, kind: int) -> None:
    group = led(puts=0)
    group.watcher.applied("n1", 3, 2, b"one")
    with broken("I5"):
        group.watcher.applied("n2", 3, term, b"one", kind)


def test_an_entry_that_is_left_out() -> None:
    group = led()
    with broken("I5", "n2 applied 7 right behind 5"):
        group.watcher.applied("n2", 7, 2, b"")


def test_what_is_applied_again_behind_a_restart_is_legal() -> None:
    group = led()
    group.crash("n2")
    group.start("n2")
    assert group["n2"].applied == group["n2"].commit > 1


def test_two_that_take_different_entries_for_committed() -> None:
    group = led()
    group.put(b"k", b"six")
    group.feed("n3")
    group.watcher.wrote_entry("n2", 6, 1, 4711)
    group.watcher.synced("n2")
    with broken("I5", "takes entry 6 of term 1 for committed"):
        stand(group, "n2", commit=6, last=6)


# I10 and I12


def test_a_commit_of_what_is_on_a_minority() -> None:
    group = led(5)
    group.put(b"k", b"six")
    group.feed("n2")
    with broken("I10", "durable on n1 and n2 alone"):
        stand(group, "n1", commit=6)


def test_a_commit_of_what_a_quorum_has_written_and_not_synced() -> None:
    group = led()
    group.put(b"k", b"six")
    for name in ("n2", "n3"):
        group.watcher.wrote_entry(name, 6, 2, group["n1"].log[6].digest)
    with broken("I10"):
        stand(group, "n1", commit=6)


def test_a_commit_of_what_others_have_in_another_term() -> None:
    group = led()
    group.put(b"k", b"six")
    for name in ("n2", "n3"):
        group.watcher.wrote_entry(name, 6, 1, 4711)
        group.watcher.synced(name)
    with broken("I10", "durable on n1 alone"):
        stand(group, "n1", commit=6)


def test_a_commit_that_one_half_of_a_joint_membership_lacks() -> None:
    group = led(5)
    group.watcher.configured("n1", 6, (1, 2, 3), (3, 4, 5))
    stand(group, "n1")
    group.put(b"k", b"six")

    def take(name: str) -> None:
        group.watcher.wrote_entry(name, 6, 2, group["n1"].log[6].digest)
        group.watcher.synced(name)

    take("n2")
    with broken("I10", "durable on n1 and n2 alone"):
        stand(group, "n1", commit=6)
    take("n4")
    with broken("I10"):
        stand(group, "n1", commit=6)
    take("n3")
    stand(group, "n1", commit=6)


def test_a_commit_that_learners_have_made() -> None:
    group = led(3, spare=2)
    assert group.reconfigure((1, 2, 3), (4, 5))
    for name in ("n2", "n3", "n4", "n5"):
        group.feed(name)
        group.feed(name)
    group.put(b"k", b"more")
    for name in ("n4", "n5"):
        group.feed(name)
    with broken("I10") as found:
        stand(group, "n1", commit=group["n1"].last)
    assert found.violation.also == ("I12",)


def test_a_commit_counted_before_a_membership_took_effect_is_legal() -> None:
    group = led(2, spare=1)
    # The entry that adds n3 is committed by n1 and n2, and applied in the same round.
    assert group.reconfigure((1, 2, 3))
    group.feed("n2")
    assert group["n1"].voters == (1, 2, 3)


def test_a_learner_that_campaigns() -> None:
    group = led(3, spare=1)
    group.reconfigure((1, 2, 3), (4,))
    for name in ("n2", "n4", "n4"):
        group.feed(name)
    with broken("I12", "n4 campaigns in term 3 and is a learner"):
        group.watcher.campaigned("n4", 3)


def test_a_stranger_that_campaigns() -> None:
    group = led(3, spare=1)
    group.watcher.configured("n4", 6, (1, 2, 3))
    with broken("I12", "is no voter"):
        group.watcher.campaigned("n4", 3)


def test_a_learner_that_was_promoted_may_campaign_and_one_that_does_not_know_it_may_vote() -> None:
    group = led(3, spare=1)
    group.reconfigure((1, 2, 3), (4,))
    for name in ("n2", "n4", "n4"):
        group.feed(name)
    group.reconfigure((1, 2, 3, 4))
    for name in ("n2", "n3", "n2"):
        group.feed(name)
    group.crash("n1")
    wrote(group, "n4", term=3, vote=2, commit=6)
    group.watcher.granted("n4", 3, 2)
    group["n4"].term, group["n4"].vote = 3, 2
    assert group.elect("n2")
    group.feed("n4")
    group.watcher.campaigned("n4", 9)


def test_a_leader_by_the_vote_of_a_learner() -> None:
    group = led(3, spare=2)
    group.reconfigure((1, 2, 3), (4, 5))
    for name in ("n2", "n4", "n5", "n2", "n4", "n5"):
        group.feed(name)
    for name in ("n2", "n4", "n5"):
        wrote(group, name, term=3, vote=2, commit=6)
        if name != "n2":
            group.watcher.granted(name, 3, 2)
    with broken("I12", "by votes of n2, n4 and n5 alone"):
        group.watcher.leader_said("n2", 3)

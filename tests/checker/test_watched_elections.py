"""Elections, memberships: what is legal though odd, and what breaks I1, I7, I8, I11 and I12."""

import pytest

from tests.checker.broken import broken, led, stand, wrote
from walctl.checker.memberships import meet

# I1


def test_two_that_say_what_leaders_say_in_one_term() -> None:
    group = led()
    with broken("I1", "n1 and n3 both lead term 2") as found:
        group.watcher.leader_said("n3", 2)
    assert found.violation.nodes == ("n1", "n3")
    assert found.violation.term == 2
    assert "n1 led term 2" in found.violation.witnesses[0]


def test_two_that_stand_as_leaders_of_one_term() -> None:
    group = led()
    with broken("I1"):
        stand(group, "n2", is_leader=True)


def test_a_leader_of_a_term_that_was_ended_by_a_restart_is_remembered() -> None:
    group = led()
    group.crash("n1")
    group.start("n1")
    with broken("I1"):
        group.watcher.leader_said("n2", 2)


def test_a_leader_that_speaks_on_while_a_new_term_has_begun_is_legal() -> None:
    group = led()
    assert group.elect("n2", deaf=("n1",))
    group.watcher.leader_said("n1", 2)


def test_a_leader_by_fewer_votes_than_a_majority() -> None:
    group = led(5)
    wrote(group, "n2", term=3, vote=2, commit=5)
    with broken("I1", "n2 leads term 3 by votes of n2 alone"):
        group.watcher.leader_said("n2", 3)


def test_a_leader_that_was_elected_by_both_halves_of_a_joint_membership() -> None:
    group = led(5)
    for name in group.nodes:
        group.watcher.configured(name, 6, (1, 2, 3), (3, 4, 5))
        stand(group, name)
    wrote(group, "n3", term=3, vote=3, commit=5)
    for voter in ("n1", "n2"):
        wrote(group, voter, term=3, vote=3, commit=5)
        group.watcher.granted(voter, 3, 3)
    with broken("I1", "votes of n1, n2 and n3") as found:
        group.watcher.leader_said("n3", 3)
    assert "of the outgoing n3, n4 and n5" in found.violation.witnesses[0]
    wrote(group, "n4", term=3, vote=3, commit=5)
    group.watcher.granted("n4", 3, 3)
    group.watcher._members["n3"].lead_term = 0
    group.watcher.leader_said("n3", 3)


# I7 and I8


def test_two_votes_in_a_term() -> None:
    group = led()
    wrote(group, "n2", term=3, vote=1)
    group.watcher.granted("n2", 3, 1)
    wrote(group, "n2", term=3, vote=3)
    with broken("I7", "n2 voted for n1 and n3 in term 3") as found:
        group.watcher.granted("n2", 3, 3)
    assert "n2 voted for n1" in found.violation.witnesses[0]


def test_a_second_vote_for_the_same_is_legal_also_after_a_restart() -> None:
    group = led()
    wrote(group, "n2", term=3, vote=1, commit=5)
    group.watcher.granted("n2", 3, 1)
    group.watcher.granted("n2", 3, 1)
    group["n2"].term, group["n2"].vote = 3, 1
    group.crash("n2")
    group.start("n2")
    group.watcher.granted("n2", 3, 1)


def test_a_vote_for_another_by_one_who_has_won() -> None:
    group = led()
    with broken("I7", "n1 voted for n1 and n3 in term 2"):
        group.watcher.granted("n1", 2, 3)


def test_a_vote_by_a_copy_of_a_member_is_a_second_vote() -> None:
    group = led()
    group.watcher.started("twin", raft_id=2, term=2, vote=1)
    wrote(group, "n2", term=3, vote=1)
    group.watcher.granted("n2", 3, 1)
    group.watcher.wrote_state("twin", 3, 3, 0)
    group.watcher.synced("twin")
    with broken("I7") as found:
        group.watcher.granted("twin", 3, 3)
    assert found.violation.nodes == ("twin", "n2")


@pytest.mark.parametrize("state", [None, (3, 0), (3, 3), (2, 1)])
def test_a_vote_that_is_not_durable(state: tuple[int, int] | None) -> None:
    group = led()
    if state is not None:
        wrote(group, "n2", term=state[0], vote=state[1])
    group.watcher.wrote_state("n2", 3, 1, 5)  # and no sync
    with broken("I8", "n2 voted for n1 in term 3 before that was durable"):
        group.watcher.granted("n2", 3, 1)


def test_a_vote_that_was_overtaken_by_a_higher_term_need_not_be_durable() -> None:
    group = led()
    wrote(group, "n2", term=4)
    group.watcher.granted("n2", 3, 1)


def test_an_acceptance_of_what_is_not_durable() -> None:
    group = led()
    group.put(b"k", b"six")
    entry = group["n1"].log[6]
    group.watcher.wrote_entry("n2", 6, 2, entry.digest)
    with broken("I8", "n2 accepted entries to 6 in term 2 before they were durable"):
        group.watcher.accepted("n2", 2, 6)


def test_an_acceptance_in_a_term_that_is_not_durable() -> None:
    group = led()
    with broken("I8", "n2 accepted entries to 5 in term 3"):
        group.watcher.accepted("n2", 3, 5)


def test_an_acceptance_of_a_snapshot_that_nobody_would_start_with() -> None:
    group = led()
    group.watcher.wrote_snapshot("n2", 9, 2)
    group.watcher.synced("n2")  # the commit index that makes it count is not there
    with broken("I8"):
        group.watcher.accepted("n2", 2, 9)


def test_an_acceptance_that_rests_on_a_snapshot_is_legal() -> None:
    group = led()
    group.watcher.wrote_snapshot("n2", 9, 2)
    wrote(group, "n2", term=2, vote=1, commit=9)
    group.watcher.accepted("n2", 2, 9)
    assert not group.watcher.passed


def test_an_acknowledgement_of_what_one_member_has() -> None:
    group = led()
    group.put(b"k", b"six")
    with broken("I8", "n1 acknowledged 6 of term 2, which is durable on n1 alone"):
        group.watcher.acknowledged("n1", 6, 2)


def test_an_acknowledgement_of_another_entry_than_stands_there() -> None:
    group = led()
    with broken("I9", "another entry stands there"):
        group.watcher.acknowledged("n1", 5, 1)


# I11


def test_a_second_change_while_the_first_one_is_not_applied() -> None:
    group = led(3, spare=2)
    first = group.reconfigure((1, 2, 3), (4,))
    with broken("I11", f"while that at {first} is not applied"):
        group.watcher.proposed_config("n1", 2, first + 1, applied=first - 1)


def test_a_change_while_entries_of_former_leaders_are_not_applied() -> None:
    group = led()
    with broken("I11", "has not applied entry 4 of term 2"):
        group.watcher.proposed_config("n2", 3, 7, applied=3)


def test_a_change_that_an_old_leader_left_behind_is_seen() -> None:
    group = led(4)
    index = group.reconfigure((1, 2, 3))
    group.feed("n2")
    assert group.elect("n2", deaf=("n1",))
    with broken("I11"):
        group.watcher.proposed_config("n2", 3, index + 2, applied=index - 1)


def test_a_change_that_was_overwritten_holds_nobody_up() -> None:
    group = led(4)
    index = group.reconfigure((1, 2, 3))
    assert group.elect("n2", deaf=("n1",))
    for name in ("n3", "n4"):
        group.feed(name)
    assert group["n2"].applied == index  # by an entry of its own
    assert group.reconfigure((1, 2, 4))


def test_a_membership_that_is_another_elsewhere() -> None:
    group = led()
    group.watcher.configured("n1", 6, (1, 2))
    with broken("I11", "n2 has voters n2 and n3 at 6, and n1 voters n1 and n2"):
        group.watcher.configured("n2", 6, (2, 3))


def test_a_membership_whose_quorums_need_not_meet_the_former_one() -> None:
    group = led(5)
    with broken("I11", "need not meet"):
        group.watcher.configured("n1", 6, (1, 2, 3))
        group.watcher.configured("n1", 7, (3, 4, 5))


def test_a_joint_membership_leads_from_any_to_any() -> None:
    group = led(3, spare=3)
    group.watcher.configured("n1", 6, (4, 5, 6), (1, 2, 3))
    group.watcher.configured("n2", 6, (6, 5, 4), (3, 2, 1))
    group.watcher.configured("n1", 7, (4, 5, 6))
    with broken("I11"):
        group.watcher.configured("n1", 8, (1, 2, 3))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((1, 2, 3), (1, 2, 3, 4), True),
        ((1, 2, 3, 4), (1, 2, 3), True),
        ((1,), (1, 2), True),
        ((1, 2), (2,), True),
        ((1,), (2,), False),
        ((1, 2, 3), (3, 4, 5), False),
        ((1, 2, 3), (1, 2, 4), False),
        ((1, 2, 3), (1, 2, 3, 4, 5), False),
        ((1, 2, 3, 4), (1, 2, 3, 5), True),
    ],
)
def test_whether_majorities_meet_as_counted_out(
    one: tuple[int, ...], other: tuple[int, ...], expected: bool
) -> None:
    def majorities(voters: tuple[int, ...]) -> list[set[int]]:
        subsets = [
            {each for at, each in enumerate(voters) if mask >> at & 1}
            for mask in range(1 << len(voters))
        ]
        return [each for each in subsets if 2 * len(each) > len(voters)]

    counted = all(a & b for a in majorities(one) for b in majorities(other))
    assert meet((one, (), ()), (other, (), ())) is counted is expected
    many = tuple(range(100, 112))  # too many to be counted out
    assert meet((one, (), ()), (other, many, ())) is expected

"""How far the logs of a group are committed, and by whose entries."""

from collections.abc import Mapping

from walctl.cluster.agreed import Held, Voters, agreed_last, extent

THREE = Voters(index=10, incoming=frozenset({1, 2, 3}))


def log(node: int, *, committed: int, term: int, tail: Mapping[int, int] | None = None) -> Held:
    """A log of ten entries of term 1 and a tail."""
    terms = {**dict.fromkeys(range(1, 11), 1), **(tail or {})}
    return Held(id=node, committed=committed, term=term, terms=terms)


def test_the_tail_of_a_majority_counts_and_not_that_of_who_said_the_highest_commit() -> None:
    isolated = log(1, committed=10, term=3, tail={11: 3, 12: 3})
    others = [log(node, committed=9, term=4, tail={11: 4, 12: 4}) for node in (2, 3)]
    found = extent([isolated, *others], [THREE])
    assert (found.last, found.holder.id) == (12, 2)
    assert agreed_last(isolated, found) == 10
    assert [agreed_last(each, found) for each in others] == [12, 12]


def test_what_was_written_down_as_committed_is_though_a_newer_term_has_less() -> None:
    said = log(1, committed=12, term=3, tail={11: 3, 12: 3})
    late = log(2, committed=10, term=4, tail={11: 3})
    found = extent([said, late], [Voters(index=12, incoming=frozenset({1, 2, 3}))])
    assert (found.last, found.holder.id) == (12, 1)
    assert agreed_last(late, found) == 11


def test_learners_are_no_majority_and_do_not_make_one_harder() -> None:
    leader = log(1, committed=10, term=2, tail={11: 2})
    learner = log(4, committed=10, term=2, tail={11: 2})
    assert extent([leader, learner], [THREE]).last == 10
    voter = log(2, committed=10, term=2, tail={11: 2})
    learners = [log(node, committed=0, term=2) for node in (4, 5, 6)]
    assert extent([leader, voter, *learners], [THREE]).last == 11


def test_both_halves_of_a_joint_membership_must_hold_it() -> None:
    joint = Voters(index=10, incoming=frozenset({1, 2, 4}), outgoing=frozenset({1, 2, 3}))
    logs = [log(node, committed=10, term=2, tail={11: 2}) for node in (1, 4)]
    assert extent(logs, [joint]).last == 10
    logs.append(log(3, committed=10, term=2, tail={11: 2}))
    assert extent(logs, [joint]).last == 11


def test_behind_a_change_that_a_majority_holds_the_changed_membership_decides() -> None:
    tail = {11: 2, 12: 2, 13: 2}
    logs = [log(node, committed=10, term=2, tail=tail) for node in (1, 2)]
    five = Voters(index=12, incoming=frozenset({1, 2, 3, 4, 5}))
    assert extent(logs, [THREE]).last == 13
    assert extent(logs, [THREE, five]).last == 12
    logs.append(log(5, committed=10, term=2, tail=tail))
    assert extent(logs, [THREE, five]).last == 13


def test_where_nobody_knows_who_votes_only_what_was_said_counts() -> None:
    logs = [log(node, committed=10, term=2, tail={11: 2}) for node in (1, 2, 3)]
    assert extent(logs, []).last == 10
    assert extent(logs, [Voters(index=10, incoming=frozenset())]).last == 10

"""Logs, states, files: what is legal though it looks odd, and what breaks I2, I3, I6, I13, I14."""

import pytest

from tests.checker.broken import broken, led, stand, wrote
from tests.checker.honest import Group
from walctl.checker.invariants import WATCHED, Watcher
from walctl.checker.violation import NAMES


def test_every_invariant_has_a_name() -> None:
    assert {*WATCHED, "I15", "I16", "L1", "L2", "L3", "L4", "L5"} == set(NAMES)


# I2


def test_a_leader_that_takes_an_entry_back() -> None:
    group = led()
    group.put(b"k", b"more")
    last = group["n1"].last
    with broken("I2", "while it led term 2"):
        group.watcher.wrote_entry("n1", last, 3, 99)
        group.watcher.synced("n1")


def test_a_leader_whose_log_ends_earlier() -> None:
    group = led()
    group.put(b"k", b"more")
    with broken("I2", "went back"):
        stand(group, "n1", last=group["n1"].last - 1)


def test_a_leader_of_the_past_that_is_overwritten_in_a_new_term_is_legal() -> None:
    group = led()
    group.put(b"k", b"nobody has it")
    assert group.elect("n2", deaf=("n1",))
    group.put(b"k", b"this instead")
    assert group.feed("n1")
    assert group["n1"].log[6].term == 3


def test_entries_of_old_terms_over_those_of_a_leader_are_legal_once_a_term_is_over() -> None:
    group = led()
    group.put(b"k", b"nobody has it")
    group.elect("n2", deaf=("n1", "n3"))  # in vain
    wrote(group, "n1", term=4, vote=0, commit=5)
    group.watcher.wrote_entry("n1", 6, 3, 77)  # by a leader of term 4, from an older term
    group.watcher.synced("n1")


def test_a_follower_that_takes_back_what_it_has_accepted_in_the_term() -> None:
    group = led(5)
    group.put(b"k", b"six")
    group.put(b"k", b"seven")
    group.feed("n2")
    entry = group["n1"].log[6]
    with broken("I2", "that it had accepted in term 2"):
        group.watcher.wrote_entry("n2", 6, 2, entry.digest)
        group.watcher.synced("n2")


def test_a_follower_that_takes_back_what_is_committed() -> None:
    group = led()
    entry = group["n1"].log[4]
    with broken("I10", "which is committed") as found:
        group.watcher.wrote_entry("n2", 4, 2, entry.digest)
    assert found.violation.also == ("I2",)


# I3


def test_another_entry_of_the_same_index_and_term() -> None:
    group = led()
    group.put(b"k", b"six")
    with broken("I3", "n2 and n1 have different logs up to 6 of term 2") as found:
        group.watcher.wrote_entry("n2", 6, 2, 12345)
    assert "n1 wrote 6 of term 2" in found.violation.witnesses[0]


def test_an_equal_entry_with_another_log_in_front() -> None:
    group = Group(3)
    group.watcher.wrote_entry("n1", 2, 2, 20)
    group.watcher.wrote_entry("n1", 3, 3, 30)
    group.watcher.wrote_entry("n2", 2, 1, 21)
    with broken("I3", "different logs"):
        group.watcher.wrote_entry("n2", 3, 3, 30)


def test_an_acceptance_of_what_the_leader_has_otherwise() -> None:
    group = led()
    group.put(b"k", b"six")
    group.watcher.wrote_entry("n2", 6, 1, 12345)
    group.watcher.synced("n2")
    with broken("I3", "has others than n1"):
        group.watcher.accepted("n2", 2, 6)


def test_entries_behind_a_snapshot_are_held_against_the_log_of_others() -> None:
    group = led()
    group.crash("n3")
    group.put(b"k", b"more")
    group.feed("n2")
    group.snapshot("n1")
    group.snapshot("n2")
    group.start("n3")
    group.feed("n3")  # a snapshot takes the place of its shorter log
    group.put(b"k", b"behind it")
    assert group.feed("n3")
    with broken("I3"):
        group.put(b"k", b"another")
        group.watcher.wrote_entry("n3", group["n1"].last, 2, 4711)


# I6


@pytest.mark.parametrize("what", ["term", "commit", "applied"])
def test_what_goes_back_in_a_life(what: str) -> None:
    group = led()
    with broken("I6", f"{what} of n2 goes back"):
        stand(group, "n2", **{what: getattr(group["n2"], what) - 1})


@pytest.mark.parametrize("other", [{"applied": 6, "last": 7}, {"commit": 6}])
def test_applied_commit_and_last_are_in_order(other: dict[str, int]) -> None:
    group = led()
    with broken("I6"):
        stand(group, "n2", **other)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ((1, 0, 5), "starts in term 1, and term 2 was durable"),
        ((2, 0, 5), "a vote for nobody in term 2, and that for n1 was durable"),
        ((2, 3, 5), "a vote for n3 in term 2, and that for n1 was durable"),
        ((2, 1, 3), "starts with commit 3, and 5 was durable"),
    ],
)
def test_what_was_durable_and_is_less_after_a_restart(
    state: tuple[int, int, int], words: str
) -> None:
    group = led()
    group.crash("n2")
    term, vote, commit = state
    with broken("I6", words):
        group.watcher.started("n2", raft_id=2, term=term, vote=vote, commit=commit, last=5)


def test_a_commit_index_that_was_never_synced_may_be_lost() -> None:
    group = led()
    group.watcher.wrote_state("n2", 2, 1, 5)
    group["n2"].durable_commit = group["n2"].commit
    group.crash("n2")
    group.start("n2")


def test_what_was_forgiven_may_go_back() -> None:
    group = led()
    group.crash("n2")
    group.watcher.survived("n2", raft_id=2)
    group.watcher.forgave("n2")
    group.watcher.started("n2", raft_id=2)


def test_what_is_synced_after_that_is_a_promise_again_whatever_was_forgiven() -> None:
    group = led()
    group.crash("n2")
    group.watcher.survived("n2", raft_id=2, state=(2, 1, 0))
    group.watcher.forgave("n2")
    group.watcher.started("n2", raft_id=2, term=2, vote=1)
    group.watcher.synced("n2")
    group.watcher.stopped("n2")
    group.watcher.survived("n2", raft_id=2)
    with broken("I6", "starts in term 0, and term 2 was durable"):
        group.watcher.started("n2", raft_id=2)


def test_what_was_on_its_way_and_has_survived_a_crash_is_a_promise_once_it_is_synced() -> None:
    group = led()
    group.crash("n2")
    entries = [(i, e.term, e.digest) for i, e in group["n2"].log.items()]
    group.watcher.survived("n2", raft_id=2, entries=entries, state=(3, 2, 5))
    group.watcher.started("n2", raft_id=2, term=3, vote=2, commit=5, last=5)
    group.watcher.synced("n2")
    group.crash("n2")
    with broken("I6", "a vote for n3 in term 3, and that for n2 was durable"):
        group.watcher.started("n2", raft_id=2, term=3, vote=3, commit=5, last=5)


def test_what_is_applied_twice() -> None:
    group = led()
    with broken("I6", "n2 applied 5 again"):
        group.watcher.applied("n2", 5, 2, b"")


@pytest.mark.parametrize(
    ("words", "invariant"),
    [
        ("tocommit(9) is out of range [lastIndex(4)]. Was the raft log corrupted?", "I6"),
        ("2 state.commit 9 is out of range [0, 4]", "I6"),
        ("entry 4 conflicts with committed entry [committed(5)]", "I4"),
        ("append at 4, and 5 is committed", "I4"),
        ("unable to restore config: removed all voters", "I11"),
        ("invalid transition [leader -> candidate]", "I1"),
        ("snapshot 9 is out of bound lastindex(4)", "I13"),
        ("something that nobody has thought of", "I6"),
    ],
)
def test_what_the_core_says_when_it_stops_names_an_invariant(words: str, invariant: str) -> None:
    with broken(invariant, words):
        led().watcher.panicked("n2", words)


# I13


def test_a_snapshot_that_is_not_what_the_log_leads_to() -> None:
    group = led()
    group["n2"].machine.pairs[b"k"] = b"\xef\xbf\xbd"
    with broken("I13", "n2 made a snapshot of 5"):
        group.snapshot("n2")


def test_a_snapshot_of_one_that_lags_is_replayed_too() -> None:
    group = led()
    group.snapshot("n1", keep=10)
    group.put(b"k", b"six")
    group.feed("n2")
    group.put(b"k", b"seven")
    group.feed("n3")
    group.snapshot("n1", keep=10)
    group.feed("n2")
    group["n3"].machine.pairs[b"x"] = b"y"
    with broken("I13", "n3 made a snapshot of 6"):
        group.snapshot("n3")


def test_a_snapshot_that_is_restored_as_something_else() -> None:
    group = led()
    group.snapshot("n1")
    with broken("I13", "n2 restored a snapshot of 5"):
        group.watcher.snapshot_restored("n2", 5, 2, "other")


def test_a_snapshot_of_a_term_that_its_entry_is_not_of() -> None:
    group = led()
    with broken("I13", "whose entry is of 2"):
        group.watcher.snapshot_made("n1", 5, 1, group["n1"].machine.digest())


def test_where_nothing_can_be_replayed_snapshots_are_held_against_each_other() -> None:
    watcher = Watcher(now_us=lambda: 1, replays=False)
    for number in (1, 2):
        watcher.started(f"n{number}", raft_id=number)
    watcher.snapshot_made("n1", 5, 2, "one")
    watcher.snapshot_made("n2", 5, 2, "one")
    with broken("I13", "n2 and n1 have different snapshots of 5"):
        watcher.snapshot_restored("n2", 5, 2, "other")


# I14


def test_a_member_that_does_not_start() -> None:
    with broken("I14", "n2 does not start: crc mismatch"):
        led().watcher.refused("n2", "crc mismatch")


def test_a_member_that_starts_with_less_than_was_durable() -> None:
    group = led()
    group.crash("n2")
    with broken("I14", "n2 starts with entries up to 4, and those up to 5 were durable"):
        group.watcher.started("n2", raft_id=2, term=2, vote=1, commit=4 + 1, last=4)


def test_a_disk_that_has_lost_what_was_synced_is_told_by_the_start() -> None:
    group = led()
    node = group["n2"]
    group.watcher.stopped("n2")
    kept = [(i, e.term, e.digest) for i, e in node.log.items() if i < 5]
    group.watcher.survived("n2", raft_id=2, entries=kept, state=(2, 1, 5), snapshot=(0, 0))
    with broken("I14"):
        group.watcher.started("n2", raft_id=2, term=2, vote=1, commit=5, last=4)


@pytest.mark.parametrize("what", ["term", "vote", "commit", "last"])
def test_files_that_say_something_else_than_the_member_did(what: str) -> None:
    group = led()
    node = group["n2"]
    told = {name: getattr(node, name) for name in ("term", "vote", "commit", "last")}
    group.watcher.stopped("n2")
    group.watcher.examined("n2", **told)
    with broken("I14", f"{what} of n2 was"):
        group.watcher.examined("n2", **{**told, what: told[what] - 1})


def test_damage_after_a_clean_stop() -> None:
    with broken("I14", "was stopped cleanly, and its log is damaged: torn"):
        led().watcher.examined("n2", term=2, vote=1, commit=5, last=5, words="torn")


def test_a_log_with_a_hole() -> None:
    group = led()
    with broken("I14", "wrote entry 8 behind 5"):
        group.watcher.wrote_entry("n2", 8, 2, 4711)


# What is watched.


def test_what_is_not_watched_is_noted_and_the_run_goes_on() -> None:
    group = led(only=("I7",))
    group.watcher.wrote_state("n2", 3, 1, 5)
    group.watcher.granted("n2", 3, 1)
    assert [each.id for each in group.watcher.passed] == ["I8"]
    with broken("I7"):
        group.watcher.granted("n2", 3, 3)


def test_a_violation_is_a_line_and_says_who_has_forgotten() -> None:
    group = led()
    group.watcher.forgave("n3")
    with broken("I1") as found:
        group.watcher.leader_said("n3", 2)
    assert found.violation.suspects == ("n3",)
    assert found.violation.line == "I1 election safety: n1 and n3 both lead term 2"
    assert found.violation.group == "g1"


# What is durable in part.


def test_of_what_is_synced_in_part_only_the_front_counts() -> None:
    group = led()
    watcher = group.watcher
    group.put(b"k", b"six")
    group.put(b"k", b"seven")
    for index in (6, 7):
        watcher.wrote_entry("n2", index, 2, group["n1"].log[index].digest)
    watcher.part_synced("n2", unsynced_from=7, state=(2, 1, 5), snapshot=(0, 0))
    watcher.accepted("n2", 2, 6)
    with broken("I8", "n2 accepted entries to 7"):
        watcher.accepted("n2", 2, 7)
    watcher.part_synced("n2", unsynced_from=None, state=(2, 1, 5), snapshot=(0, 0))
    watcher.accepted("n2", 2, 7)


# Snapshot markers.


def test_a_marker_of_an_older_snapshot_than_the_last_one() -> None:
    group = led()
    group.snapshot("n2")
    with broken("I6", "n2 marked a snapshot of 4 behind that of 5"):
        group.watcher.wrote_snapshot("n2", 4, 2)


def test_a_snapshot_that_takes_committed_entries_away() -> None:
    group = led()
    with broken("I10", "n2 took entry 5 back for a snapshot of 4"):
        group.watcher.wrote_snapshot("n2", 4, 9)


# Damage, and a repair that says what it brought back.


def hurt(*, last: int, is_whole: bool) -> None:
    """n3 is off, its files are damaged and repaired, and it starts with entries up to `last`."""
    group = led()
    watcher = group.watcher
    watcher.stopped("n3")
    watcher.forgave("n3", is_mendable=True)
    terms = [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]
    watcher.survived("n3", raft_id=3, entries=[(*each, 0) for each in terms if each[0] <= last],
                     state=(2, 1, 3))  # fmt: skip
    watcher.mended("n3", is_whole=is_whole)
    assert not watcher.is_suspect("n3")
    watcher.started("n3", raft_id=3, term=2, vote=1, commit=3, last=last, applied=3)


def test_who_is_said_to_be_whole_again_has_to_have_all_that_was_durable() -> None:
    with broken("I6", "n3 starts with commit 3"):
        hurt(last=3, is_whole=True)


def test_who_is_proven_to_be_needed_for_nothing_else_starts_with_what_there_is() -> None:
    hurt(last=3, is_whole=False)


def test_who_ran_on_damaged_files_is_a_suspect_whatever_a_repair_says() -> None:
    group = led()
    group.watcher.stopped("n3")
    group.watcher.forgave("n3", is_mendable=True)
    group.watcher.started("n3", raft_id=3)
    group.watcher.stopped("n3")
    group.watcher.mended("n3", is_whole=True)
    assert group.watcher.is_suspect("n3")

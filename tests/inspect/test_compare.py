"""compare on logs that were made for it: a sentence for each way in which members can stand."""

from pathlib import Path

import pytest

from tests.inspect.comparing import (
    VOTERS,
    codes,
    compared,
    compared_logs,
    knows,
    made,
    member,
    said,
    spans,
    standings,
)
from tests.repair.members import puts, written
from tests.wal.builders import ENTRY, SNAPSHOT, entry, mark, varint
from walctl.errors import ExitStatus, UsageError
from walctl.inspect.comparing.judging import Standing
from walctl.inspect.comparing.sections import Holds

A, B, C = VOTERS
COMMON = puts(4, 20, 2, A)
DAMAGE, HARMLESS, INFO = "damage", "harmless", "info"


def test_three_members_that_hold_the_same_are_one_whole_and_any_one_may_be_replaced(
    tmp_path: Path,
) -> None:
    found = compared_logs(tmp_path, *(member(node, COMMON, knows(2, A, 20)) for node in VOTERS))
    assert spans(found) == [(1, 3, "equal"), (4, 20, "equal")]
    assert standings(found) == ["newest-safe", "safe", "safe"]
    assert all(each.may_be_replaced for each in found.judgements)
    assert (found.quorum.held_to, found.quorum.committed_to) == (20, 20)
    assert (found.exit_status, found.findings) == (ExitStatus.CLEAN, ())


def test_a_member_that_is_behind_may_be_replaced_but_none_of_the_two_that_are_not(
    tmp_path: Path,
) -> None:
    found = compared_logs(
        tmp_path,
        member(A, COMMON, knows(2, A, 20)),
        member(B, COMMON),
        member(C, puts(4, 15, 2, A)),
    )
    assert standings(found) == ["newest-safe", "safe", "behind"]
    assert [each.may_be_replaced for each in found.judgements] == [False, False, True]
    assert "only 1 of the other voters" in said(found, "n1").why
    assert found.exit_status is ExitStatus.CLEAN


def test_an_uncommitted_tail_that_a_new_leader_has_replaced_elsewhere_is_harmless(
    tmp_path: Path,
) -> None:
    found = compared_logs(
        tmp_path,
        member(A, COMMON, puts(21, 23, 2, A, commit=20)),
        member(B, COMMON, puts(21, 30, 3, B), knows(3, B, 30)),
        member(C, COMMON, puts(21, 30, 3, B)),
    )
    assert codes(found) == [("diverged-tail", HARMLESS)]
    assert found.divergences[0].is_allowed
    assert (found.divergences[0].first, found.divergences[0].last) == (21, 23)
    assert standings(found) == ["stale-tail", "newest-safe", "safe"]
    assert found.exit_status is ExitStatus.HARMLESS


@pytest.mark.parametrize(
    ("why", "one", "other"),
    [
        ("both know it", [*puts(21, 25, 2, A), *knows(2, A, 25)], [*puts(21, 30, 3, B)]),
        (
            "a later leader lacked a committed entry",
            [*puts(21, 25, 2, A), *knows(2, A, 25)],
            puts(21, 25, 3, B, commit=20),
        ),
    ],
)
def test_different_terms_where_one_was_committed_contradict_each_other(
    tmp_path: Path, why: str, one: list[tuple[int, bytes]], other: list[tuple[int, bytes]]
) -> None:
    found = compared_logs(
        tmp_path, member(A, COMMON, one), member(B, COMMON, other), member(C, COMMON)
    )
    assert ("diverged-committed", DAMAGE) in codes(found), why
    first = found.first_divergence
    assert first is not None
    assert (first.first, first.is_same_term, first.is_allowed) == (21, False, False)
    assert found.newest_safe is None
    assert not any(each.may_be_replaced for each in found.judgements)
    assert found.exit_status is ExitStatus.DAMAGE


def test_two_entries_of_one_term_are_the_worst_and_the_byte_is_told(tmp_path: Path) -> None:
    other = [*puts(4, 9, 2, A), *puts(10, 12, 2, A, salt=b"!"), *puts(13, 20, 2, A)]
    found = compared_logs(
        tmp_path, member(A, COMMON, knows(2, A, 20)), member(B, other), member(C, COMMON)
    )
    assert spans(found)[1:] == [(4, 9, "equal"), (10, 12, "differs"), (13, 20, "equal")]
    (each,) = found.divergences
    assert (each.is_same_term, each.differs_at) == (True, len(b"payload 10"))
    assert [variant.holders for variant in each.variants] == [(0, 2), (1,)]
    assert codes(found) == [("diverged-committed", DAMAGE)]


def test_two_entries_of_one_term_above_every_commit_are_a_diverged_tail_and_damage(
    tmp_path: Path,
) -> None:
    found = compared_logs(
        tmp_path,
        member(A, COMMON, puts(21, 22, 3, A, commit=20)),
        member(B, COMMON, puts(21, 22, 3, B, commit=20, salt=b"?")),
        member(C, COMMON),
    )
    assert codes(found) == [("diverged-tail", DAMAGE)]
    assert standings(found) == ["diverged", "diverged", "aside"]


def test_what_stands_in_front_of_a_snapshot_that_was_installed_is_no_matter(tmp_path: Path) -> None:
    stale = [*puts(4, 8, 2, A), *puts(9, 10, 1, A, commit=8)]
    lagging = [*member(C, stale), (SNAPSHOT, mark(18, 2, VOTERS)), *puts(19, 20, 2, A)]
    found = compared_logs(tmp_path, member(A, COMMON, knows(2, A, 20)), member(B, COMMON), lagging)
    assert [(each.is_allowed, each.is_passed) for each in found.divergences] == [(True, True)]
    assert ("diverged-tail", INFO) in codes(found)
    cells = {(each.first, each.last): each.cells[2].holds for each in found.sections}
    assert cells[(11, 18)] is Holds.SNAPSHOT


def test_committed_entries_that_too_few_hold_make_those_suspect_who_lack_them(
    tmp_path: Path,
) -> None:
    short = puts(4, 15, 2, A)
    found = compared_logs(
        tmp_path, member(A, COMMON, knows(2, A, 20)), member(B, short), member(C, short)
    )
    assert codes(found) == [("diverged-tail", DAMAGE)]
    assert [str(each) for each in found.quorum.short] == ["16–20"]
    assert standings(found) == ["newest-safe", "suspect", "suspect"]
    assert not any(each.may_be_replaced for each in found.judgements)


def test_a_voter_that_was_not_given_may_be_the_one_that_has_them(tmp_path: Path) -> None:
    found = compared_logs(
        tmp_path, member(A, COMMON, knows(2, A, 20)), member(B, puts(4, 15, 2, A))
    )
    assert found.quorum.absent == (C,)
    assert found.quorum.short == ()
    assert found.findings == ()
    assert not any(each.may_be_replaced for each in found.judgements)


def test_entries_that_nobody_holds_though_one_knows_that_they_were_committed(
    tmp_path: Path,
) -> None:
    found = compared_logs(
        tmp_path, member(A, COMMON, knows(2, A, 25)), member(B, COMMON), member(C, COMMON)
    )
    assert [str(each) for each in found.quorum.lost] == ["21–25"]
    assert codes(found) == [("commit-beyond-log", DAMAGE)]
    assert not any(each.may_be_replaced for each in found.judgements)


@pytest.mark.parametrize(
    ("given", "possible"), [((A, B, C), 22), ((A, B), 24)], ids=["all voters", "one is missing"]
)
def test_written_entries_may_be_committed_as_far_as_a_majority_may_have_them(
    tmp_path: Path, given: tuple[int, ...], possible: int
) -> None:
    tails = {A: puts(21, 24, 2, A, commit=20), B: puts(21, 22, 2, A, commit=20), C: []}
    found = compared_logs(tmp_path, *(member(node, COMMON, tails[node]) for node in given))
    quorum = found.quorum
    assert (quorum.committed_to, quorum.possible_to, quorum.written_to) == (20, possible, 24)


def test_a_directory_of_another_cluster_is_not_compared(tmp_path: Path) -> None:
    found = compared_logs(
        tmp_path, member(A, COMMON), member(B, COMMON), member(C, COMMON, cluster=0xC1)
    )
    assert codes(found) == [("cluster-mismatch", DAMAGE)]
    assert [each.name for each in found.members] == ["n1", "n2"]
    assert said(found, "n3").standing is Standing.FOREIGN
    assert found.exit_status is ExitStatus.DAMAGE


def test_two_copies_of_one_member_count_once_and_the_better_log_is_the_member(
    tmp_path: Path,
) -> None:
    found = compared_logs(
        tmp_path, member(A, puts(4, 10, 2, A)), member(A, COMMON), member(B, COMMON)
    )
    assert codes(found) == [("cluster-mismatch", INFO)]
    assert standings(found)[0] == "copy"
    assert said(found, "n1").words == "an older copy of n2"
    assert dict(found.quorum.present) == {A: 1, B: 2}


def test_copies_that_voted_for_two_in_one_term_show_a_double_vote(tmp_path: Path) -> None:
    found = compared_logs(
        tmp_path,
        member(A, COMMON, knows(3, A, 20)),
        member(A, COMMON, knows(3, B, 20)),
        member(B, COMMON, knows(3, B, 20)),
    )
    assert ("double-vote", DAMAGE) in codes(found)
    row = next(each for each in found.terms if each.term == 3)
    assert {at: ballot.votes for at, ballot in row.ballots.items()} == {0: [A], 1: [B], 2: [B]}
    assert row.leaders(found.quorum.needed) == [B]


def test_a_leader_of_a_term_is_whom_a_majority_voted_for(tmp_path: Path) -> None:
    found = compared_logs(tmp_path, *(member(node, COMMON) for node in VOTERS))
    assert [(each.term, each.first, each.last) for each in found.terms] == [(1, 1, 3), (2, 4, 20)]
    assert found.terms[1].leaders(found.quorum.needed) == [A]


def test_logs_cut_into_segments_elsewhere_are_the_same_entries(tmp_path: Path) -> None:
    first, second = (
        made(tmp_path / name, member(node, COMMON), cuts=cuts)[0]
        for name, node, cuts in (("x", A, (9, 20)), ("y", B, (15, 30)))
    )
    found = compared(first, second)
    assert spans(found) == [(1, 3, "equal"), (4, 20, "equal")]


def test_what_cannot_be_read_of_a_member_is_damaged_and_not_missing(
    tmp_path: Path,
) -> None:
    paths = made(tmp_path, *(member(node, COMMON, knows(2, A, 20)) for node in VOTERS))
    segment = next((paths[0] / "member" / "wal").iterdir())
    data = bytearray(segment.read_bytes())
    at = data.index(b"payload 12")
    data[at - 40 : at] = bytes(40)
    segment.write_bytes(data)
    found = compared(*paths)
    assert said(found, "n1").standing is Standing.DAMAGED
    assert said(found, "n1").next.startswith(f"walctl repair {paths[0]}")
    assert Holds.DAMAGED in {each.cells[0].holds for each in found.sections}
    assert found.exit_status is ExitStatus.DAMAGE


def test_a_member_that_was_removed_is_said_to_be(tmp_path: Path) -> None:
    found = compared_logs(
        tmp_path,
        *(member(node, COMMON, voters=(A, B, C)) for node in (A, B)),
        member(0xA4, COMMON, voters=(A, B, C)),
    )
    assert standings(found)[2] == "removed"
    assert dict(found.quorum.present) == {A: 0, B: 1}


def test_an_empty_log_holds_nothing_and_no_voter_counts_by_it(tmp_path: Path) -> None:
    paths = [tmp_path / "n1", tmp_path / "n2"]
    written(paths[0], member(A, COMMON))
    written(paths[1], member(B)[:2])
    found = compared(*paths)
    assert standings(found) == ["newest-safe", "empty"]
    assert found.quorum.absent == (B, C)


def test_what_is_no_member_is_told_and_the_others_are_compared(tmp_path: Path) -> None:
    paths = [*made(tmp_path, member(A, COMMON), member(B, COMMON)), tmp_path / "nowhere"]
    found = compared(*paths)
    assert standings(found)[2] == "unreadable"
    assert [each.name for each in found.members] == ["n1", "n2"]
    assert found.exit_status is ExitStatus.UNFINISHED


def test_a_directory_without_a_log_is_compared_with_nothing_to_show(tmp_path: Path) -> None:
    paths = made(tmp_path, member(A, COMMON), member(B, COMMON))
    (tmp_path / "n3" / "member" / "wal").mkdir(parents=True)
    found = compared(*paths, tmp_path / "n3")
    assert standings(found)[2] == "empty"
    assert spans(found) == [(1, 3, "equal"), (4, 20, "equal")]


def test_an_empty_database_is_said_to_be_unreadable(tmp_path: Path) -> None:
    paths = made(tmp_path, member(A, COMMON), member(B, COMMON))
    (paths[0] / "member" / "snap" / "db").write_bytes(b"")
    found = compared(*paths)
    assert "cannot be read" in found.spaces.found[0].problem
    assert found.spaces.found[1].problem == "no database"
    assert found.spaces.revision is None


def test_one_directory_or_the_same_twice_is_a_usage_error(tmp_path: Path) -> None:
    (path,) = made(tmp_path, member(A, COMMON))
    (tmp_path / "link").symlink_to(path)
    for paths in ([path], [path, path], [path, path / "member"], [path, tmp_path / "link"]):
        with pytest.raises(UsageError):
            compared(*paths)


def test_entries_from_before_a_voter_was_added_are_not_asked_of_it(tmp_path: Path) -> None:
    """They were committed by fewer voters; a new one that is still catching up has lost nothing."""
    added = [(ENTRY, entry(10, 2, b"\x08\x00\x10\x00\x18" + varint(B), kind=1))]
    alone = [*puts(2, 9, 2, A, commit=1), *added, *knows(2, A, 10)]
    found = compared_logs(
        tmp_path,
        member(A, alone, voters=(A,)),
        member(B, puts(2, 5, 2, A, commit=1), voters=(A,)),
    )
    assert found.quorum.voters == {A, B}
    assert found.quorum.short == ()
    assert found.findings == ()
    assert standings(found) == ["newest-safe", "behind"]


def test_logs_that_name_other_voters_at_one_index_differ_in_membership(tmp_path: Path) -> None:
    found = compared_logs(
        tmp_path,
        member(A, COMMON, knows(2, A, 20)),
        member(B, COMMON, knows(2, A, 20), voters=(A, B, 0xA9)),
    )
    assert ("membership-differs", DAMAGE) in codes(found)

"""Healing from peers: what is put in is what stood there, and what is free can be proven."""

import shutil
from pathlib import Path

import pytest

from tests.corpus import copy_tree
from tests.repair.healing import DISK, apply, attempt, entries, hard_state, healed, verdict
from tests.repair.members import Frame, bootstrap, frames, index_of, puts, written
from tests.wal.builders import ENTRY, METADATA, STATE, entry, state
from walctl.datadir.layout import understand
from walctl.errors import AccessError
from walctl.inspect.verify import examine
from walctl.repair.heal import Healing, Unhealed, heal
from walctl.repair.peers import read_peers
from walctl.repair.plan import Drop
from walctl.repair.stamps import bind

SEGMENT = "0000000000000000-0000000000000000.wal"
Items = list[tuple[int, bytes]]


def zero(path: Path, start: int, stop: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(stop - start))


def head_of(path: Path) -> bytes:
    """A segment's data; none of these is longer."""
    with path.open("rb") as file:
        return file.read(1 << 20)


def entry_frames(path: Path, *indexes: int) -> list[Frame]:
    found = [each for each in frames(head_of(path)) if each.kind == ENTRY]
    return [each for each in found if index_of(each.payload or b"")[1] in indexes]


def refusal(found: Healing | Unhealed) -> str:
    assert isinstance(found, Unhealed)
    return "; ".join(found.reasons)


def log_of(node: int, last: int = 30, *, voters: tuple[int, ...] = (1, 2, 3)) -> Items:
    return bootstrap(node, voters) + puts(len(voters) + 1, last, 2, 1)


@pytest.fixture
def trio(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Three members with the same thirty entries, each with a log of one segment."""
    paths = tmp_path / "own", tmp_path / "second", tmp_path / "third"
    for node, path in enumerate(paths, start=1):
        written(path, log_of(node))
    return paths


# Holes.


def test_a_hole_is_filled_with_what_stood_there_and_one_peer_is_enough(
    trio: tuple[Path, Path, Path],
) -> None:
    own, second, _ = trio
    truth, before = entries(own), hard_state(own)
    first, last = entry_frames(own / SEGMENT, 10, 12)
    zero(own / SEGMENT, first.start, last.stop)
    found = healed(own, second)
    assert found.is_free
    assert not found.is_exact
    assert [(each.first, each.last, each.peer) for each in found.filled] == [(10, 12, "peer1")]
    assert (entries(own), hard_state(own), verdict(own)) == (truth, before, [])
    assert found.synthetic == ()


def test_a_payload_that_a_peer_has_gives_back_every_byte_of_the_segment(
    trio: tuple[Path, Path, Path],
) -> None:
    own, second, _ = trio
    truth = head_of(own / SEGMENT)
    (at,) = entry_frames(own / SEGMENT, 17)
    zero(own / SEGMENT, at.stop - 12, at.stop - 4)
    found = healed(own, second)
    assert found.is_exact
    assert found.is_free
    assert head_of(own / SEGMENT) == truth


def test_two_holes_are_filled_from_whoever_has_the_entries(tmp_path: Path) -> None:
    own, short, late = tmp_path / "own", tmp_path / "short", tmp_path / "late"
    written(own, log_of(1))
    written(short, log_of(2, 15))
    items = log_of(3)
    mark = (5, b"\x08\x0f\x10\x02\x1a\x08\x08\x01\x08\x02\x08\x03\x28\x00")
    written(late, [*items[:2], mark, *[each for each in items if _index(each) > 15]])
    truth = entries(own)
    for at in entry_frames(own / SEGMENT, 8, 22):
        zero(own / SEGMENT, at.start, at.stop)
    found = healed(own, short, late)
    assert [(each.first, each.peer) for each in found.filled] == [(8, "peer1"), (22, "peer2")]
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)


def _index(item: tuple[int, bytes]) -> int:
    return index_of(item[1])[1] if item[0] == ENTRY else 0


def test_a_peer_that_ends_in_the_hole_and_knows_nothing_committed_proves_nothing(
    tmp_path: Path,
) -> None:
    own, second = tmp_path / "own", tmp_path / "second"
    written(own, log_of(1))
    written(second, log_of(2, 12))
    first, last = entry_frames(own / SEGMENT, 11, 12)
    zero(own / SEGMENT, first.start, last.stop)
    assert "entries 12 are missing" not in refusal(attempt(own, second))
    assert "entries 11–12 are missing, and no peer has them proven" in refusal(attempt(own, second))


def test_what_both_know_to_be_committed_is_proof_without_an_entry_behind(tmp_path: Path) -> None:
    own, second = tmp_path / "own", tmp_path / "second"
    written(own, log_of(1))
    written(second, [*log_of(2, 12), (STATE, state(2, 1, 12))])
    truth = entries(own)
    first, last = entry_frames(own / SEGMENT, 11, 12)
    zero(own / SEGMENT, first.start, last.stop)
    found = healed(own, second)
    assert "both members know entry 12 to be committed" in found.words[0]
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)


def test_entries_that_the_lost_ones_had_replaced_are_replaced_again(tmp_path: Path) -> None:
    own, second = tmp_path / "own", tmp_path / "second"
    base, new = log_of(1, 8), puts(9, 20, 3, 2, salt=b" again")
    written(own, [*base, *puts(9, 10, 2, 1, commit=8), *new])
    written(second, [*log_of(2, 8), *new])
    truth = entries(own)
    assert truth[9].term == 3
    first, last = (entry_frames(own / SEGMENT, index)[-1] for index in (9, 11))
    zero(own / SEGMENT, first.start, last.stop)
    found = healed(own, second)
    assert [(each.first, each.last) for each in found.filled] == [(9, 11)]
    assert Drop(kind="entry", count=2, first=9, last=10, term=2) in found.drops
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)


def test_without_a_hard_state_behind_the_hole_every_other_voter_has_to_be_given(
    trio: tuple[Path, Path, Path],
) -> None:
    own, second, third = trio
    shutil.rmtree(own)
    written(own, [*log_of(1), (ENTRY, entry(31, 2, b"the last one"))])
    at = [each for each in frames(head_of(own / SEGMENT)) if each.kind == STATE][-1]
    zero(own / SEGMENT, at.start, at.stop)
    alone = attempt(own, second)
    assert isinstance(alone, Healing)
    assert not alone.is_free
    for node, path in ((2, second), (3, third)):
        shutil.rmtree(path)
        written(path, [*log_of(node), (ENTRY, entry(31, 2, b"the last one"))])
    found = healed(own, second, third)
    assert found.is_free
    assert found.synthetic[0].kind == "state"
    assert (hard_state(own), verdict(own)) == ((2, 1, 29), [])


# The end.


def test_a_lost_end_is_free_with_all_other_voters_and_not_with_one(
    trio: tuple[Path, Path, Path],
) -> None:
    own, second, third = trio
    truth = entries(own)
    (at,) = entry_frames(own / SEGMENT, 25)
    zero(own / SEGMENT, at.start + 24, SEGMENT_END)
    alone = attempt(own, second)
    assert isinstance(alone, Healing)
    assert not alone.is_free
    assert "1 of the 2 other voters are given" in alone.reasons[0]
    found = healed(own, second, third)
    assert found.is_free
    assert found.last == 30
    assert entries(own) == truth
    assert verdict(own) == []


SEGMENT_END = 1 << 12


@pytest.mark.parametrize(
    ("own_vote", "peer_term", "expected"),
    [(3, 2, (2, 3)), (0, 2, (2, 1)), (3, 4, (4, 1))],
    ids=["a vote of the last term stands", "no vote is our own", "a later term is our own"],
)
def test_the_vote_after_a_lost_end(
    tmp_path: Path, own_vote: int, peer_term: int, expected: tuple[int, int]
) -> None:
    own, second, third = (tmp_path / name for name in ("own", "second", "third"))
    written(own, bootstrap(1, (1, 2, 3)) + puts(4, 20, 2, own_vote))
    more = puts(21, 22, peer_term, 2) if peer_term > 2 else []
    for node, path in ((2, second), (3, third)):
        written(path, bootstrap(node, (1, 2, 3)) + puts(4, 20, 2, 3) + more)
    (at,) = entry_frames(own / SEGMENT, 20)
    zero(own / SEGMENT, at.start + 24, SEGMENT_END)
    found = healed(own, second, third)
    assert found.is_free
    assert (hard_state(own)[:2], verdict(own)) == (expected, [])


def test_a_majority_of_five_is_not_enough_for_a_forgotten_vote(tmp_path: Path) -> None:
    voters = (1, 2, 3, 4, 5)
    paths = [tmp_path / f"n{node}" for node in voters]
    for node, path in zip(voters, paths, strict=True):
        written(path, log_of(node, voters=voters))
    (at,) = entry_frames(paths[0] / SEGMENT, 28)
    zero(paths[0] / SEGMENT, at.start + 24, SEGMENT_END)
    three, two = attempt(*paths[:4]), attempt(*paths[:3])
    assert isinstance(three, Healing)
    assert isinstance(two, Healing)
    assert "voter 5 is not among the given: it may hold a vote" in three.reasons[0]
    assert "2 of the 4 other voters" in two.reasons[0]
    assert healed(*paths).is_free


def test_our_own_entries_that_a_later_leader_replaced_give_way(tmp_path: Path) -> None:
    own, second, third = (tmp_path / name for name in ("own", "second", "third"))
    written(own, [*log_of(1, 17), *puts(18, 20, 2, 1, commit=17)])
    for node, path in ((2, second), (3, third)):
        written(path, [*log_of(node, 17), *puts(18, 25, 3, 2, salt=b" other")])
    (at,) = entry_frames(own / SEGMENT, 20)
    zero(own / SEGMENT, at.start + 24, SEGMENT_END)
    found = healed(own, second, third)
    assert found.is_free
    assert Drop(kind="entry", count=2, first=18, last=19, term=2) in found.drops
    assert any("entries 18–19 of this member were never committed" in each for each in found.words)
    assert (entries(own), verdict(own)) == (entries(second), [])


def test_a_peer_that_does_not_reach_what_this_member_knows_of_does_not_count(
    tmp_path: Path,
) -> None:
    own, second, third = (tmp_path / name for name in ("own", "second", "third"))
    written(own, log_of(1, 30))
    written(second, log_of(2, 30))
    written(third, log_of(3, 20))
    (at,) = entry_frames(own / SEGMENT, 30)
    zero(own / SEGMENT, at.start + 24, SEGMENT_END)
    found = attempt(own, second, third)
    assert isinstance(found, Healing)
    assert not found.is_free
    assert any("its log ends at 20" in each for each in found.reasons)


def test_a_membership_change_among_what_was_lost_is_not_free(tmp_path: Path) -> None:
    own, second, third = (tmp_path / name for name in ("own", "second", "third"))
    change = (ENTRY, entry(21, 2, b"\x08\x00\x10\x00\x18\x09", kind=1))
    for node, path in ((1, own), (2, second), (3, third)):
        written(path, [*log_of(node, 20), change, *puts(22, 25, 2, 1)])
    (at,) = entry_frames(own / SEGMENT, 20)
    zero(own / SEGMENT, at.start + 24, SEGMENT_END)
    found = attempt(own, second, third)
    assert isinstance(found, Healing)
    assert not found.is_free
    assert any("entry 21 changes the membership" in each for each in found.reasons)


# Several segments.


def _several(tmp_path: Path) -> tuple[Path, Path]:
    own, second = tmp_path / "own", tmp_path / "second"
    items = log_of(1, 60)
    cuts = [position for position, each in enumerate(items) if _index(each) in (20, 35, 50)]
    written(own, items, cuts)
    written(second, log_of(2, 60))
    return own, second


def _names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


@pytest.mark.parametrize("gone", [(1,), (2,), (1, 2)], ids=str)
def test_a_missing_segment_is_made_anew_under_its_name(
    tmp_path: Path, gone: tuple[int, ...]
) -> None:
    own, second = _several(tmp_path)
    names, truth, before = _names(own), entries(own), hard_state(own)
    assert verdict(own) == []
    for position in gone:
        (own / names[position]).unlink()
    found = healed(own, second)
    assert found.is_free
    assert (entries(own), hard_state(own), verdict(own)) == (truth, before, [])
    assert [each[:16] for each in _names(own)] == [each[:16] for each in names]
    if len(gone) == 1:
        assert _names(own) == names


def test_a_missing_beginning_is_made_anew(tmp_path: Path) -> None:
    own, second = _several(tmp_path)
    names, truth = _names(own), entries(own)
    (own / names[0]).unlink()
    found = healed(own, second)
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)
    assert _names(own) == names


def test_segments_in_front_of_a_hole_stay_and_those_behind_it_are_chained_anew(
    tmp_path: Path,
) -> None:
    own, second = _several(tmp_path)
    names, truth = _names(own), entries(own)
    first, last = entry_frames(own / names[1], 25, 27)
    zero(own / names[1], first.start, last.stop)
    found = healed(own, second)
    assert [each.file for each in found.steps] == [f"wal/{name}" for name in names[1:]]
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)


def test_the_end_of_a_sealed_segment_is_found_again(tmp_path: Path) -> None:
    own, second = _several(tmp_path)
    names, truth = _names(own), entries(own)
    data = (own / names[1]).read_bytes()
    (at,) = entry_frames(own / names[1], 32)
    (own / names[1]).write_bytes(data[: at.start])
    found = healed(own, second)
    assert [each.first for each in found.filled] == [32]
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)


def test_a_lost_head_of_a_segment_comes_back_with_the_metadata(tmp_path: Path) -> None:
    own, second = _several(tmp_path)
    names, truth = _names(own), entries(own)
    zero(own / names[2], 0, 160)
    found = healed(own, second)
    assert (entries(own), verdict(own), found.is_free) == (truth, [], True)


def test_a_sector_that_is_zeroed_anywhere_is_healed_or_refused(tmp_path: Path) -> None:
    own, second = _several(tmp_path)
    third = tmp_path / "third"
    written(third, log_of(3, 60))
    peers = read_peers(DISK, [second, third])
    truth, term = entries(own), hard_state(own)[0]
    refused = 0
    for name in _names(own):
        intact = head_of(own / name)
        data_bytes = max(each.stop for each in frames(intact))
        for start in range(0, data_bytes, 256):
            work = tmp_path / "work"
            copy_tree(own, work)
            zero(work / name, start, min(start + 256, data_bytes))
            layout = understand(DISK, work)
            found = heal(examine(DISK, layout), bind(DISK, layout), peers, DISK)
            if isinstance(found, Unhealed):
                # A log that ends between two frames looks whole, and nothing else is here to ask.
                assert "nothing is missing" in refusal(found)
                assert start in {each.start for each in frames(intact)}
                assert start + 256 >= data_bytes
                refused += 1
            else:
                apply(work, found)
                assert found.is_free, (name, start, found.reasons)
                assert verdict(work) == []
                assert entries(work) == truth, (name, start)
                assert hard_state(work)[0] == term
            shutil.rmtree(work)
    assert refused <= 1


# What is refused.


def test_nothing_to_heal_is_said(trio: tuple[Path, Path, Path]) -> None:
    own, second, _ = trio
    assert "nothing is missing" in refusal(attempt(own, second))


def test_another_cluster_the_same_member_and_one_member_twice_are_refused(
    trio: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    own, second, third = trio
    (at,) = entry_frames(own / SEGMENT, 17)
    zero(own / SEGMENT, at.start, at.stop)
    stranger, twin = tmp_path / "stranger", tmp_path / "twin"
    written(stranger, bootstrap(4, (1, 2, 3), cluster=0xD1) + puts(4, 30, 2, 1))
    written(twin, log_of(2))
    assert "is of cluster d1, this member of c0" in refusal(attempt(own, second, stranger))
    written(tmp_path / "self", log_of(1))
    assert "is the same member, 1" in refusal(attempt(own, tmp_path / "self"))
    assert "are both of member 2" in refusal(attempt(own, second, third, twin))


def test_a_peer_with_another_entry_of_the_same_term_ends_it(
    trio: tuple[Path, Path, Path],
) -> None:
    own, second, third = trio
    items = [(kind, data.replace(b"payload 22", b"payload 2x")) for kind, data in log_of(3)]
    shutil.rmtree(third)
    written(third, items)
    (at,) = entry_frames(own / SEGMENT, 17)
    zero(own / SEGMENT, at.start, at.stop)
    said = refusal(attempt(own, second, third))
    assert "has another entry 22 than this member, of the same term" in said


def test_peers_that_contradict_each_other_end_it(trio: tuple[Path, Path, Path]) -> None:
    own, second, third = trio
    shutil.rmtree(third)
    written(third, [(k, d.replace(b"payload 28", b"payload 2x")) for k, d in log_of(3)])
    (at,) = entry_frames(own / SEGMENT, 25)
    zero(own / SEGMENT, at.start + 24, SEGMENT_END)
    assert "have different entries 28" in refusal(attempt(own, second, third))


def test_logs_that_differ_in_front_of_an_entry_that_both_have_end_it(tmp_path: Path) -> None:
    own, second = tmp_path / "own", tmp_path / "second"
    written(own, [*log_of(1, 20), *puts(21, 30, 4, 1)])
    written(second, [*log_of(2, 15), *puts(16, 20, 3, 1), *puts(21, 30, 4, 1)])
    (at,) = entry_frames(own / SEGMENT, 8)
    zero(own / SEGMENT, at.start, at.stop)
    said = refusal(attempt(own, second))
    assert "has entry 16 with another term than this member" in said


def test_a_peer_that_is_damaged_itself_does_not_help(trio: tuple[Path, Path, Path]) -> None:
    own, second, third = trio
    for path, index in ((own, 17), (second, 12)):
        (at,) = entry_frames(path / SEGMENT, index)
        zero(path / SEGMENT, at.start, at.stop)
    said = refusal(attempt(own, second))
    assert "second: is damaged itself: zero-hole at" in said
    assert healed(own, second, third).filled[0].peer == "peer2"


def test_a_log_that_does_not_say_whose_it_is_is_refused(trio: tuple[Path, Path, Path]) -> None:
    own, second, _ = trio
    zero(own / SEGMENT, 0, 64)
    assert "does not say" in refusal(attempt(own, second))


# Logs that name nobody, as raftexample's: whose they are is said by whoever asks.


def unnamed(items: Items) -> Items:
    """The same in a log of raftexample's."""
    return [(METADATA, b""), *items[1:]]


@pytest.fixture
def nameless(tmp_path: Path) -> tuple[Path, Path]:
    """Two members with the same thirty entries, of which the first one's has a hole at 10 to 12."""
    own, second = tmp_path / "nameless" / "own", tmp_path / "nameless" / "second"
    for node, path in enumerate((own, second), start=1):
        written(path, unnamed(log_of(node)))
    first, last = entry_frames(own / SEGMENT, 10, 12)
    zero(own / SEGMENT, first.start, last.stop)
    return own, second


def test_a_log_that_names_nobody_is_healed_once_it_is_said_whose_it_is(
    nameless: tuple[Path, Path],
) -> None:
    own, second = nameless
    assert "does not say" in refusal(attempt(own, second))
    found = healed(own, second, ids={own: 1, second: 2})
    assert found.is_free
    assert [(each.first, each.last) for each in found.filled] == [(10, 12)]
    assert entries(own) == entries(second)
    assert verdict(own) == []


def test_what_is_said_of_nameless_logs_has_to_make_sense(nameless: tuple[Path, Path]) -> None:
    own, second = nameless
    assert "second: does not say whose log it is" in refusal(attempt(own, second, ids={own: 1}))
    said = refusal(attempt(own, second, ids={own: 1, second: 1}))
    assert "second: is the same member, 1" in said


def test_a_nameless_log_that_shares_no_entry_may_be_of_another_cluster(
    nameless: tuple[Path, Path], tmp_path: Path
) -> None:
    own, _ = nameless
    stranger = tmp_path / "stranger"
    written(stranger, [*unnamed(log_of(2))[:2], *puts(1, 30, 7, 1)])
    said = refusal(attempt(own, stranger, ids={own: 1, stranger: 2}))
    assert "names no cluster, and shares no entry with this member" in said


def test_what_is_said_of_a_log_counts_for_nothing_where_the_log_says_it_itself(
    trio: tuple[Path, Path, Path],
) -> None:
    own, second, _ = trio
    (at,) = entry_frames(own / SEGMENT, 17)
    zero(own / SEGMENT, at.start, at.stop)
    assert isinstance(attempt(own, second, ids={own: 2, second: 2}), Healing)


def test_a_nameless_log_does_not_help_one_that_names_its_cluster(
    trio: tuple[Path, Path, Path], nameless: tuple[Path, Path]
) -> None:
    own, (_, stranger) = trio[0], nameless
    assert "is of cluster 0, this member of c0" in refusal(
        attempt(own, stranger, ids={stranger: 2})
    )


def test_a_peer_that_changed_since_it_was_read_is_seen(trio: tuple[Path, Path, Path]) -> None:
    own, second, _ = trio
    (at,) = entry_frames(own / SEGMENT, 17)
    zero(own / SEGMENT, at.start, at.stop)
    layout = understand(DISK, own)
    peers = read_peers(DISK, [second])
    zero(second / SEGMENT, 0, SEGMENT_END)
    with pytest.raises(AccessError, match="changed"):
        heal(examine(DISK, layout), bind(DISK, layout), peers, DISK)

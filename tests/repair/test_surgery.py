"""Every verb of surgery: what it changes, that nothing else changes, and when it is refused.

Edits are carried out by the engine on a disk in memory; `edited` proves for each that the result
verifies and that undo brings back every byte. What records became is read by hand-made code.
"""

from collections import Counter

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK
from tests.repair.disks import MEMBER, read, tree
from tests.repair.editing import (
    ENTRY,
    METADATA,
    SNAP,
    SNAPSHOT,
    STATE,
    WAL,
    Edit,
    Edited,
    Record,
    built,
    edited,
    fixture,
    folder,
    planned,
    put,
    puts,
    with_older_database,
)
from tests.repair.members import bootstrap
from tests.wal.builders import entry, mark, metadata, state
from walctl.datadir.start import newest_start
from walctl.errors import CorruptionError, RefusedError, UnsupportedError, UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.model.finding import Code, Verdict
from walctl.repair import cutting, surgery
from walctl.repair.operable import case_to_edit
from walctl.repair.plan import Act, PlanClass
from walctl.repair.strategy import Place

SNAPSHOTS = "etcd-3.5-snapshots"
"""124 entries of term 2 behind the first, snapshots at 21, 42, 63, 84 and 105."""
FIRST = "0000000000000000-0000000000000000.wal"


def set_commit(index: int) -> Edit:
    return lambda case: surgery.set_commit(case, index)


def bump_term(term: int) -> Edit:
    return lambda case: surgery.bump_term(case, term)


def cut_after(index: int) -> Edit:
    return lambda case: cutting.cut_after(case, index)


def drop_before(index: int) -> Edit:
    return lambda case: cutting.drop_before(case, index)


def add_marker(index: int) -> Edit:
    return lambda case: surgery.add_marker(case, index)


def drop_marker(index: int) -> Edit:
    return lambda case: surgery.drop_marker(case, index)


def new_cluster_id(chosen: int | None) -> Edit:
    return lambda case: surgery.new_cluster_id(case, chosen)


def rechain(*over: Place) -> Edit:
    return lambda case: surgery.rechain(case, over)


def vote_of(disk: MemoryFileSystem) -> int:
    placed = case_to_edit(disk, MEMBER).seen.last_state
    assert placed is not None
    return placed.state.vote


def only_added(done: Edited) -> list[tuple[int, bytes | None]]:
    """The records behind those that were there before, which are all there still, in order."""
    assert done.after[: len(done.before)] == done.before
    return [(each.kind, each.payload) for each in done.after[len(done.before) :]]


# ---- hard states ----


def test_a_commit_is_set_lower_and_higher_again_by_a_hard_state_and_nothing_else() -> None:
    disk = fixture(SNAPSHOTS)
    vote = vote_of(disk)
    lower = edited(disk, set_commit(110))
    assert only_added(lower) == [(STATE, state(2, vote, 110))]
    assert lower.plan.plan_class is PlanClass.FREE
    assert lower.plan.leaves == (Code.STATE_REGRESSION,)
    higher = edited(disk, set_commit(124))
    assert only_added(higher) == [(STATE, state(2, vote, 124))]
    assert higher.plan.leaves == ()
    assert higher.examination.survey.commit == 124


@pytest.mark.parametrize("index", [0, 104, 125, 124])
def test_a_commit_is_from_the_snapshot_to_the_log_s_end_and_another_than_now(index: int) -> None:
    with pytest.raises(UsageError, match=r"from 105 .* to 124 .*, other than 124"):
        planned(fixture(SNAPSHOTS), set_commit(index))


def test_more_is_committed_for_nothing_by_a_sole_voter_only() -> None:
    for voters, wanted in ((1,), PlanClass.FREE), ((1, 2, 3), PlanClass.LOSS_POSSIBLE):
        items = [*bootstrap(1, voters), *puts(len(voters) + 1, 9, 1, 1, commit=3)]
        done = edited(built(items), set_commit(7))
        assert done.plan.plan_class is wanted
        assert only_added(done) == [(STATE, state(1, 1, 7))]


@pytest.mark.parametrize(
    ("voters", "wanted"), [((1,), PlanClass.LOSS_POSSIBLE), ((1, 2), PlanClass.LOSS_PROVEN)]
)
def test_a_commit_that_is_clamped_to_the_log_tells_what_is_lost(
    voters: tuple[int, ...], wanted: PlanClass
) -> None:
    items = [*bootstrap(1, voters), *puts(len(voters) + 1, 9, 1, 1), (STATE, state(1, 1, 12))]
    done = edited(built(items), set_commit(9))
    assert done.plan.plan_class is wanted
    assert "entries 10–12 are witnessed" in done.plan.summary
    assert done.plan.accept == "c0"
    assert done.examination.survey.commit == 9


def test_a_term_is_raised_and_its_vote_is_nobody_s() -> None:
    done = edited(fixture(SNAPSHOTS), bump_term(9))
    assert only_added(done) == [(STATE, state(9, 0, 124))]
    assert done.plan.plan_class is PlanClass.FREE
    assert done.examination.report.verdict is Verdict.CLEAN


@pytest.mark.parametrize("term", [0, 1, 2, 1 << 63, (1 << 64) - 1])
def test_a_term_goes_up_and_not_so_high_that_the_next_would_begin_at_0(term: int) -> None:
    with pytest.raises(UsageError, match="expected a term from 3 to 9223372036854775807"):
        planned(fixture(SNAPSHOTS), bump_term(term))


def test_the_term_of_an_entry_that_was_replaced_counts_too() -> None:
    items = [*bootstrap(1, (1,)), *puts(2, 6, 4, 1, commit=2), *puts(5, 6, 7, 1, commit=4)]
    with pytest.raises(UsageError, match="from 8"):
        planned(built(items), bump_term(7))
    assert planned(built(items), bump_term(8)).plan_class is PlanClass.FREE


# ---- markers ----


def test_a_dropped_marker_is_the_only_record_that_goes_and_can_be_put_back() -> None:
    disk = fixture(SNAPSHOTS)
    gone = edited(disk, drop_marker(105))
    (missing,) = set(gone.before) - set(gone.after)
    assert missing.kind == SNAPSHOT
    assert gone.after == [each for each in gone.before if each != missing]
    assert newest_start(gone.examination.survey) == 84
    assert gone.examination.report.verdict is Verdict.HARMLESS
    back = edited(disk, add_marker(105))
    assert only_added(back) == [(SNAPSHOT, missing.payload)]
    assert newest_start(back.examination.survey) == 105
    assert back.examination.report.verdict is Verdict.CLEAN


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (105, "marks snapshot 105 of term 2 already"),
        (100, "no readable .snap file"),
        (0, "from 1 to 124"),
        (125, "from 1 to 124"),
    ],
)
def test_a_marker_is_added_for_a_file_that_is_there_and_not_marked(index: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        planned(fixture(SNAPSHOTS), add_marker(index))


def test_a_marker_goes_whose_snapshot_the_database_does_not_reach() -> None:
    disk = with_older_database(SNAPSHOTS, 90)
    name = f"{2:016x}-{105:016x}.snap"
    data = read(fixture(SNAPSHOTS), SNAP / name)
    with disk.create_file(SNAP / name) as file:
        file.write_at(0, data)
    with pytest.raises(CorruptionError, match="db-behind"):
        planned(disk, bump_term(9))
    with pytest.raises(RefusedError, match=r"start from snapshot 105, and the database has .* 90"):
        planned(disk, drop_marker(84))
    done = edited(disk, drop_marker(105))
    assert newest_start(done.examination.survey) == 84
    assert done.examination.report.verdict is Verdict.HARMLESS


@pytest.mark.parametrize("index", [0, 100])
def test_a_marker_that_is_not_there_or_that_every_log_has_is_not_dropped(index: int) -> None:
    with pytest.raises(UsageError, match="no marker"):
        planned(fixture(SNAPSHOTS), drop_marker(index))


def test_every_marker_of_an_index_goes_from_every_segment() -> None:
    items = [*bootstrap(1, (1,)), *puts(2, 20, 1, 1)]
    items[10:10] = items[25:25] = [(SNAPSHOT, mark(3, 1))]
    items.append((SNAPSHOT, mark(3, 1)))
    disk = built(items, cuts=(18, 30))
    done = edited(disk, drop_marker(3))
    assert Counter(done.before) - Counter(done.after) == Counter(
        {each: 1 for each in done.before if each.payload == mark(3, 1)}
    )
    assert len(done.before) == len(done.after) + 3
    assert [each for each in done.before if each.payload != mark(3, 1)] == done.after
    assert sum(drop.count for step in done.plan.steps for drop in step.drops) == 3


def test_a_marker_of_another_term_is_not_put_beside_one() -> None:
    items = [*bootstrap(1, (1,)), *puts(2, 9, 2, 1), (SNAPSHOT, mark(4, 1))]
    with pytest.raises(RefusedError, match="snapshot 4 with term 1, and the entry has term 2"):
        planned(built(items), add_marker(4))


# ---- the end of the log ----


def test_a_cut_keeps_all_in_front_of_it_and_closes_with_a_hard_state() -> None:
    disk = with_older_database(SNAPSHOTS, 110)
    vote = vote_of(disk)
    done = edited(disk, cut_after(112))
    assert done.plan.plan_class is PlanClass.LOSS_PROVEN
    assert done.plan.accept is not None
    assert done.after[-1] == Record(FIRST, STATE, state(2, vote, 112))
    assert done.after[:-1] == done.before[: len(done.after) - 1]
    assert done.examination.survey.log.last == 112
    (drop,) = done.plan.steps[0].drops
    assert (drop.kind, drop.first, drop.last, drop.count, drop.term) == ("entry", 113, 124, 12, 2)
    assert done.examination.report.verdict is Verdict.CLEAN


def test_a_marker_behind_the_cut_is_written_again_when_its_snapshot_lies_in_front() -> None:
    disk = with_older_database(SNAPSHOTS, 105)
    done = edited(disk, cut_after(105))
    *_, marker, closing = done.after
    assert marker in done.before
    assert (marker.kind, closing.kind) == (SNAPSHOT, STATE)
    assert newest_start(done.examination.survey) == 105
    assert [each.kind for each in done.plan.steps[0].synthetic] == ["snapshot", "state"]


def test_a_cut_in_a_batch_of_several_entries_ends_with_a_whole_batch() -> None:
    items = bootstrap(1, (1, 2, 3))
    items += [(ENTRY, entry(index, 2, put(index))) for index in range(4, 9)]
    items.append((STATE, state(2, 3, 8)))
    done = edited(built(items), cut_after(6))
    assert done.after[-1].payload == state(2, 3, 6)
    assert done.examination.survey.log.last == 6
    assert done.plan.plan_class is PlanClass.LOSS_PROVEN


def test_a_term_and_a_vote_behind_the_cut_are_not_forgotten() -> None:
    items = [*bootstrap(1, (1, 2, 3)), *puts(4, 9, 2, 3, commit=3), (STATE, state(5, 2, 3))]
    done = edited(built(items), cut_after(6))
    assert done.after[-1].payload == state(5, 2, 3)
    assert done.plan.plan_class is PlanClass.LOSS_POSSIBLE


def test_a_vote_is_not_taken_over_into_a_later_term() -> None:
    items = [*bootstrap(1, (1, 2, 3)), *puts(4, 6, 2, 3, commit=3)]
    items.append((ENTRY, entry(7, 4, put(7))))
    done = edited(built(items), cut_after(6))
    assert done.after[-1].payload == state(4, 0, 3)


@pytest.mark.parametrize("index", range(2, 40))
def test_a_cut_behind_any_entry_of_several_segments_leaves_a_log_up_to_there(index: int) -> None:
    items = [*bootstrap(1, (1,)), *puts(2, 15, 1, 1), *puts(12, 25, 2, 1), *puts(26, 40, 3, 1)]
    items = [each for each in items if each[0] != STATE]
    items.append((STATE, state(3, 1, 40)))
    disk = built(items, cuts=(9, 17, 30, 38))
    done = edited(disk, cut_after(index))
    assert done.after[:-1] == done.before[: len(done.after) - 1]
    assert done.after[-1].payload == state(3, 1, index)
    survey = done.examination.survey
    assert survey.log.last == index
    live = {(run.first, run.last, run.term) for run in survey.log.live}
    assert all(last <= index for _, last, _ in live)
    gone = [step.file for step in done.plan.steps if step.act is Act.REMOVE]
    names = sorted({f"wal/{each.segment}" for each in done.before})
    assert gone == names[len(names) - len(gone) :]
    assert names[len(names) - len(gone) - 1] == f"wal/{done.after[-1].segment}"


def test_what_would_make_the_server_pass_over_new_writes_is_refused() -> None:
    with pytest.raises(RefusedError, match="has applied entry 124"):
        planned(fixture(SNAPSHOTS), cut_after(123))
    with pytest.raises(RefusedError, match="has applied entry 110"):
        planned(with_older_database(SNAPSHOTS, 110), cut_after(109))


def test_a_snapshot_that_was_installed_is_not_cut_away_from_under_the_entries() -> None:
    items = [*bootstrap(1, (1,)), *puts(2, 5, 1, 1), (SNAPSHOT, mark(50, 2)), *puts(6, 9, 2, 1)]
    with pytest.raises(RefusedError, match="a marker in front of entry 7 names snapshot 50"):
        planned(built(items), cut_after(7))


@needs_corpus
def test_a_snapshot_file_beyond_the_cut_is_a_reason_to_refuse() -> None:
    case = case_to_edit(DISK, unpacked("f-raftexample-35") / "raftexample-1")
    with pytest.raises(RefusedError, match="a snapshot file of entry 10001, which is behind 9000"):
        cutting.cut_after(case, 9000)
    assert cutting.cut_after(case, 10470).plan_class is PlanClass.LOSS_PROVEN


def test_an_entry_that_the_log_does_not_have_or_ends_with_is_no_place_to_cut() -> None:
    for index in (0, 125):
        with pytest.raises(UsageError, match="has no entry"):
            planned(fixture(SNAPSHOTS), cut_after(index))
    with pytest.raises(UsageError, match="already"):
        planned(fixture(SNAPSHOTS), cut_after(124))


def test_a_database_that_does_not_read_is_no_witness_of_how_far_it_came() -> None:
    files = {MEMBER / "member" / name: data for name, data in tree(fixture(SNAPSHOTS)).items()}
    files[SNAP / "db"] = bytes(8192)
    with pytest.raises(CorruptionError, match="db-page: a cut behind entry 112 does not take it"):
        planned(MemoryFileSystem(files), cut_after(112))


def test_damage_behind_the_cut_goes_with_it_and_damage_in_front_is_refused() -> None:
    items = [*bootstrap(1, (1, 2)), *puts(3, 30, 1, 1)]
    disk = built(items)
    data = bytearray(read(disk, WAL / FIRST))
    at = data.index(b"value 20") + 3
    data[at] ^= 0x41  # two bits of one payload: no single bit explains it
    hurt = MemoryFileSystem({WAL / FIRST: bytes(data)})
    hurt.make_directory(SNAP)
    with pytest.raises(CorruptionError, match=rf"{FIRST}:\d+: crc-mismatch"):
        planned(hurt, cut_after(25))
    done = edited(hurt, cut_after(15))
    assert done.examination.survey.log.last == 15
    assert {drop.kind for drop in done.plan.steps[0].drops} >= {"entry"}


# ---- whose log it is ----


def test_another_cluster_id_is_in_every_segment_and_nothing_else_changes() -> None:
    items = [*bootstrap(7, (7,)), *puts(2, 30, 1, 7)]
    done = edited(built(items, cuts=(12, 30)), new_cluster_id(0xBEEF))
    assert done.plan.plan_class is PlanClass.FREE
    wanted = [
        each._replace(payload=metadata(7, 0xBEEF)) if each.kind == METADATA else each
        for each in done.before
    ]
    assert done.after == wanted
    assert sum(each.kind == METADATA for each in wanted) == 3


def test_a_new_cluster_id_is_made_from_the_files_and_is_free_for_a_sole_voter_only() -> None:
    one = planned(fixture(SNAPSHOTS), new_cluster_id(None))
    assert one.plan_class is PlanClass.FREE
    several = planned(fixture("etcd-3.5-three-members"), new_cluster_id(None))
    assert several.plan_class is PlanClass.LOSS_POSSIBLE
    assert several.accept is not None


def test_a_cluster_id_that_is_none_or_the_same_is_refused() -> None:
    case = case_to_edit(fixture(SNAPSHOTS), MEMBER)
    for wrong in (0, case.cluster_id, 1 << 64):
        with pytest.raises(UsageError, match="expected a cluster id other than"):
            surgery.new_cluster_id(case, wrong)
        with pytest.raises(UsageError, match="expected a cluster id other than"):
            surgery.rewrite_membership(case, [], cluster_id=wrong)


def test_a_membership_is_rewritten_in_every_place_that_says_it() -> None:
    name = "etcd-3.5-three-members"
    own = case_to_edit(fixture(name), MEMBER).membership.own_id
    assert own is not None
    done = edited(fixture(name), lambda case: surgery.rewrite_membership(case, []))
    assert done.plan.plan_class is PlanClass.LOSS_POSSIBLE
    seen = done.examination.survey
    assert {each.metadata.node_id for each in seen.metadata} == {own}
    assert seen.marks[-1].mark.conf_state is not None
    assert seen.marks[-1].mark.conf_state.voters == (own,)
    assert seen.snaps[0].conf_state is not None
    assert seen.snaps[0].conf_state.voters == (own,)
    assert seen.database is not None
    assert [each.id for each in seen.database.members] == [own]
    assert len(seen.database.removed_members) == 2
    assert seen.last_state is not None
    assert seen.last_state.state.term > 2


def test_two_members_are_kept_under_an_id_that_both_can_be_given() -> None:
    name = "etcd-3.5-three-members"
    case = case_to_edit(fixture(name), MEMBER)
    own = case.membership.own_id
    assert own is not None
    assert case.membership.best is not None
    other = next(peer.id for peer in case.membership.best.peers if peer.id != own)
    plan = surgery.rewrite_membership(case, [own, other], cluster_id=0xF00)
    assert "--cluster-id f00" in plan.summary
    done = edited(
        fixture(name), lambda c: surgery.rewrite_membership(c, [own, other], cluster_id=0xF00)
    )
    assert done.examination.survey.snaps[0].conf_state is not None
    assert set(done.examination.survey.snaps[0].conf_state.voters) == {own, other}
    assert {each.metadata.cluster_id for each in done.examination.survey.metadata} == {0xF00}


def test_a_member_that_nobody_knows_or_all_but_this_one_cannot_be_kept() -> None:
    case = case_to_edit(fixture("etcd-3.5-three-members"), MEMBER)
    own = case.membership.own_id
    assert own is not None
    with pytest.raises(UsageError, match="123 is not known"):
        surgery.rewrite_membership(case, [own, 0x123])
    with pytest.raises(UsageError, match="this member has to be one"):
        surgery.rewrite_membership(case, [0x123])


# ---- checksums ----


def test_the_checksums_of_a_whole_log_come_out_as_they_are() -> None:
    for name in (SNAPSHOTS, "etcd-3.5-three-members", "etcd-3.5-killed"):
        plan = planned(fixture(name), rechain())
        assert plan.plan_class is PlanClass.NOTHING
        assert plan.steps == ()


def hurt_twice() -> tuple[MemoryFileSystem, int]:
    """A log with two wrong bits in one payload, and where its frame begins."""
    items = [*bootstrap(1, (1,)), *puts(2, 30, 1, 1)]
    data = bytearray(read(built(items, cuts=(40,)), WAL / FIRST))
    disk = built(items, cuts=(40,))
    at = data.index(b"value 12") + 3
    data[at] ^= 0x41
    with disk.open_file(WAL / FIRST) as file:
        file.write_at(at, bytes(data[at : at + 1]))
    (named,) = case_to_edit(disk, MEMBER).seen.named
    return disk, named.damage.start


def test_a_record_that_its_checksum_does_not_fit_is_taken_over_only_if_it_is_named() -> None:
    disk, start = hurt_twice()
    with pytest.raises(CorruptionError, match=f"{FIRST}:{start}: crc-mismatch"):
        planned(disk, rechain())
    done = edited(disk, rechain((FIRST, start)))
    assert done.after == done.before
    assert done.plan.plan_class is PlanClass.LOSS_POSSIBLE
    (made,) = done.plan.steps[0].synthetic
    assert made.kind == "checksum"
    assert f"{FIRST}:{start}" in made.words
    assert done.plan.steps[1].synthetic == ()


def test_a_place_without_damage_or_with_another_one_is_not_taken_over() -> None:
    disk, start = hurt_twice()
    with pytest.raises(UsageError, match="no damage is there"):
        planned(disk, rechain((FIRST, start), (FIRST, start + 8)))
    for name, words in (
        ("flipped-bit-in-data", "which bit is wrong"),
        ("torn-tail-mid-sector", "found torn-tail"),
    ):
        disk = fixture(name)
        (named,) = case_to_edit(disk, MEMBER).seen.named
        with pytest.raises(CorruptionError, match=words):
            planned(disk, rechain((named.damage.segment, named.damage.start)))


# ---- what an edit needs ----

EDITS: dict[str, Edit] = {
    "set-commit": set_commit(40),
    "bump-term": bump_term(9),
    "add-marker": add_marker(42),
    "drop-marker": drop_marker(42),
    "new-cluster-id": new_cluster_id(None),
    "rechain": rechain(),
}


@pytest.mark.parametrize("verb", EDITS)
@pytest.mark.parametrize("name", ["zero-page", "torn-tail-mid-sector", "trailing-garbage"])
def test_nothing_is_built_on_a_log_that_does_not_read(verb: str, name: str) -> None:
    with pytest.raises(CorruptionError, match="an edit goes on from what reads"):
        planned(fixture(name), EDITS[verb])


@pytest.mark.parametrize("verb", [*EDITS, "cut-after"])
def test_a_log_that_breaks_the_rules_of_raft_is_evidence(verb: str) -> None:
    items = [*bootstrap(1, (1, 2, 3)), *puts(4, 9, 2, 3), (STATE, state(2, 2, 8))]
    with pytest.raises(CorruptionError, match="double-vote: a log that breaks Raft's rules"):
        planned(built(items), {**EDITS, "cut-after": cut_after(6)}[verb])


def test_a_part_of_a_member_is_not_edited() -> None:
    disk = fixture(SNAPSHOTS)
    for path in (SNAP, WAL / FIRST, SNAP / "db", WAL):
        with pytest.raises(UnsupportedError):
            case_to_edit(disk, path)
    assert case_to_edit(disk, WAL, snap_dir=SNAP).is_etcd


def test_an_empty_log_is_nothing_to_edit() -> None:
    disk = MemoryFileSystem({WAL / FIRST: bytes(4096)})
    disk.make_directory(SNAP)
    for edit in (*EDITS.values(), cut_after(1), drop_before(1)):
        with pytest.raises((UsageError, CorruptionError)):
            planned(disk, edit)


# ---- real directories ----


@needs_corpus
def test_twenty_segments_with_entries_that_were_replaced_are_cut_wherever_it_is_wanted() -> None:
    disk = folder(unpacked("h-20-small-segments-34") / "n1")
    before = tree(disk)
    for index in (349, 1000, 1695, 3000, 5598):
        done = edited(disk, cut_after(index))
        seen = done.examination.survey
        assert seen.log.last == index
        assert seen.last_state is not None
        assert (seen.last_state.state.term, seen.last_state.state.commit) == (29, index)
        there = {each.mark.index for each in seen.marks}
        assert there == {each for each in marked(before) if each <= index}
        disk = folder(unpacked("h-20-small-segments-34") / "n1")


def marked(files: dict[str, bytes]) -> set[int]:
    disk = MemoryFileSystem({MEMBER / "member" / name: data for name, data in files.items()})
    if not disk.exists(SNAP):
        disk.make_directory(SNAP)
    return {each.mark.index for each in case_to_edit(disk, MEMBER).seen.marks}


@needs_corpus
def test_twenty_segments_get_another_cluster_id_and_nothing_else() -> None:
    done = edited(folder(unpacked("h-20-small-segments-34") / "n1"), new_cluster_id(0xABC))
    assert Counter(each.kind for each in done.after) == Counter(each.kind for each in done.before)
    others = [(each, new) for each, new in zip(done.before, done.after, strict=True) if each != new]
    assert len(others) == 20
    assert {each.kind for each, _ in others} == {METADATA}


@needs_corpus
def test_the_marker_of_an_installed_snapshot_is_not_dropped() -> None:
    with pytest.raises(RefusedError, match="from snapshot 101 the log reaches entry 158"):
        planned(folder(unpacked("d3-snapshot-received-35") / "n2"), drop_marker(5382))


@needs_corpus
@pytest.mark.parametrize("name", ["x-missing-middle-35", "x-renamed-seq-35", "x-missing-first-35"])
@pytest.mark.slow
def test_the_checksums_of_a_log_that_lacks_segments_are_not_joined(name: str) -> None:
    with pytest.raises(CorruptionError, match="an edit goes on from what reads"):
        planned(folder(unpacked(name) / "n1"), rechain())


@needs_corpus
@pytest.mark.slow
def test_a_log_that_begins_with_a_later_segment_keeps_the_checksum_that_it_begins_with() -> None:
    disk = folder(unpacked("x-purged-first-two-35") / "n1")
    assert planned(disk, rechain()).plan_class is PlanClass.NOTHING
    done = edited(disk, new_cluster_id(0xABC))
    assert done.examination.report.verdict is Verdict.CLEAN
    with pytest.raises(RefusedError, match="no server could start then"):
        planned(disk, drop_marker(1111))


@needs_corpus
@pytest.mark.slow
def test_segments_in_front_of_a_snapshot_go_and_the_rest_stays_as_it_is() -> None:
    done = edited(folder(unpacked("c-snapshots-segments-35") / "n1"), drop_before(1111))
    assert [step.act for step in done.plan.steps] == [Act.REMOVE, Act.REMOVE]
    assert done.after == [each for each in done.before if each.segment.startswith("0" * 15 + "2")]
    assert done.examination.report.verdict is Verdict.CLEAN
    for index, error in ((300, UsageError), (1100, RefusedError)):
        with pytest.raises(error):
            planned(folder(unpacked("c-snapshots-segments-35") / "n1"), drop_before(index))

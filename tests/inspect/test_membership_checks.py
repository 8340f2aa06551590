"""membership-differs: said of places that are wrong, and of no place that is merely older.

Members are real ones, in memory; one of their places is edited, with the tools that repairs use.
"""

import functools
import json
import struct
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.unpack import names as fixtures
from fixtures.unpack import unpack
from formats import raftpb
from formats.memberjson import member_json
from tests import corpus
from tests.corpus import needs_corpus
from tests.inspect.answers import DISK, examined, logs_in, of_kind
from tests.render.drawing import Paper
from tests.repair.hurting import (
    HERE,
    Files,
    disk_of,
    items_of,
    member_of,
    noted,
    rewritten,
)
from tests.wal.builders import ENTRY, SNAPSHOT, STATE, entry, mark, state
from walctl.backend.membership import conf_state_row, member_rows
from walctl.backend.rebuild import Edit, rebuilt
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.doctor import doctor
from walctl.inspect.member_sides import Source, Trait, sides
from walctl.inspect.verify import examine
from walctl.model.finding import Code, Finding, Severity, Verdict
from walctl.model.member import Member
from walctl.model.record import ConfState
from walctl.render import doctor as render
from walctl.snap.reader import judge
from walctl.snap.store_build import built_store
from walctl.snap.writer import Snapshot, snap_bytes

A, B, C = 0x3EF246BA09B391E4, 0x6108B05185126E3A, 0xC090C19AB0D86820
"""The members of the fixture; its log ends at 68, its snapshot is 63."""
NEW = 0x77
LAST, TERM = 68, 2


@functools.cache
def _whole() -> Files:
    with tempfile.TemporaryDirectory() as folder:
        root = unpack("etcd-3.5-three-members", Path(folder) / "m") / "member"
        found = {}
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            data = path.read_bytes()
            if path.suffix == ".wal":
                data = data.rstrip(b"\0")
                data += bytes(-len(data) % 8 + 4096)
            found[str(path.relative_to(root))] = data
        return found


def whole() -> Files:
    return dict(_whole())


def surveyed(files: Files) -> Survey:
    disk = disk_of(files)
    return examine(disk, understand(disk, HERE)).survey


def verdict(files: Files) -> Verdict:
    disk = disk_of(files)
    return examine(disk, understand(disk, HERE)).report.verdict


def found(files: Files) -> list[Finding]:
    disk = disk_of(files)
    report = examine(disk, understand(disk, HERE)).report
    return [each for each in report.findings if each.code is Code.MEMBERSHIP_DIFFERS]


def differing(survey: Survey) -> dict[Source, set[tuple[Trait, int, str, str]]]:
    return {
        side.source: {(d.trait, d.member, d.said, d.expected) for d in side.differences}
        for side in sides(survey)
        if side.differences
    }


def with_rows(files: Files, *rows: Edit, cleared: Iterable[bytes] = ()) -> Files:
    """The same with rows of the database replaced."""
    disk = MemoryFileSystem({Path("/db"): files["snap/db"]})
    with disk.open(Path("/db")) as file:
        data = b"".join(rebuilt(file, cleared=cleared, rows=rows))
    return {**files, "snap/db": data}


def without_member(files: Files, member: int) -> Files:
    return with_rows(files, Edit(b"members", b"%x" % member, None))


def listed(files: Files) -> dict[int, Member]:
    witness = surveyed(files).database
    assert witness is not None
    return {each.id: each for each in witness.members}


def with_snapshot(files: Files, change: Callable[[Snapshot, list[Member]], Snapshot]) -> Files:
    """The same with another newest `.snap`."""
    name = max(each for each in files if each.endswith(".snap"))
    was = judge(Path(name), files[name])
    assert was.conf_state is not None
    assert was.store is not None
    snapshot = Snapshot(
        index=was.index or 0, term=was.term or 0, conf_state=was.conf_state, data=None
    )
    return {**files, name: snap_bytes(change(snapshot, list(was.store.members)))}


def stored(members: Iterable[Member], *, removed: Iterable[int] = ()) -> bytes:
    return built_store(members, removed=removed, cluster_version="3.5.0")


def change_entry(index: int, kind: int, node: int, context: dict[str, object] | None) -> bytes:
    data = raftpb.CONF_CHANGE.build(
        raftpb.ConfChange(
            id=None,
            type=kind,
            node_id=node,
            context=None if context is None else json.dumps(context).encode(),
        )
    )
    return entry(index, TERM, data, kind=1)


ADD, REMOVE, UPDATE, ADD_LEARNER = range(4)


def logged(files: Files, *changes: tuple[int, int, dict[str, object] | None]) -> Files:
    """The same with these changes behind the last entry of its log, committed."""
    items = [*items_of(files)]
    vote = raftpb.HARD_STATE.parse([data for kind, data in items if kind == STATE][-1])
    for index, (kind, node, context) in enumerate(changes, start=LAST + 1):
        items.append((ENTRY, change_entry(index, kind, node, context)))
        items.append((STATE, state(vote.term or 0, vote.vote or 0, index)))
    return rewritten(files, items)


def joined(node: int) -> dict[str, object]:
    return {"id": node, "peerURLs": [f"http://127.0.0.1:{node}"], "name": ""}


def test_the_member_that_the_tests_edit_is_as_they_say() -> None:
    survey = surveyed(whole())
    assert found(whole()) == []
    assert survey.log.last == LAST == survey.applied
    said = {side.source: side for side in sides(survey)}
    assert set(said) == set(Source)
    assert {side.base for side in said.values()} == {None, 0}
    assert said[Source.LOG].said.ids == {A, B, C}
    assert all(side.said.ids == {A, B, C} for side in said.values())


PROMOTED = 0x5DD9846502CFC8F9
QUIRKS = {("d-cluster3-35", member) for member in ("n1", "n2", "n4")}
"""Databases of 3.5.1 that were never told of a promotion: the bytes differ, nothing is lost."""


@needs_corpus
@pytest.mark.parametrize("name", of_kind("scenario"))
def test_a_clean_directory_has_no_such_finding_but_for_a_learner_that_was_promoted(
    name: str,
) -> None:
    for member in logs_in(name):
        report = examined(name, member).report
        said = [each for each in report.findings if each.code is Code.MEMBERSHIP_DIFFERS]
        assert bool(said) is ((name, member) in QUIRKS), (member, said)
        for finding in said:
            assert finding.severity is Severity.INFO
            assert "3.5.1–3.5.19 do not write a promotion" in finding.detail
            assert "(entry 689)" in finding.detail
        if said:
            wrong = (Trait.VOTE, PROMOTED, "learner", "voter")
            assert differing(examined(name, member).survey) == {Source.DATABASE: {wrong}}


@needs_corpus
@pytest.mark.parametrize("name", of_kind("damage"))
def test_damage_elsewhere_is_no_reason_to_doubt_members(name: str) -> None:
    for member in logs_in(name):
        assert differing(examined(name, member).survey) == {}


@pytest.mark.parametrize("case", fixtures())
def test_a_fixture_names_its_members_alike_everywhere(case: str, tmp_path: Path) -> None:
    layout = understand(DISK, unpack(case, tmp_path / case))
    assert differing(examine(DISK, layout).survey) == {}


@needs_corpus
def test_the_places_of_a_member_that_joined_later_are_held_against_the_snapshot_it_got() -> None:
    said = {side.source: side for side in sides(examined("d-cluster3-35", "n4").survey)}
    assert {side.base for side in said.values()} == {None, 687}
    expected = said[Source.DATABASE].expected
    assert expected is not None
    assert expected.removed == {0xD2A16BF1CC2DD496}


def test_a_member_that_the_database_lacks_is_harmless_to_a_server_of_35() -> None:
    files = without_member(whole(), C)
    (finding,) = found(files)
    assert finding.severity is Severity.HARMLESS
    assert verdict(files) is Verdict.HARMLESS
    assert finding.place.segment == "db"
    assert finding.place.index == LAST
    assert f"member {C:x} is no member, not a voter (entry 3)" in finding.detail
    assert "3.6, 3.7: the database counts" in finding.consequence
    assert finding.next.startswith("etcdctl --endpoints=")
    assert finding.next.endswith(" member list")


def test_the_same_is_damage_where_the_cluster_is_of_36() -> None:
    files = with_rows(without_member(whole(), C), Edit(b"cluster", b"clusterVersion", b"3.6.0"))
    (finding,) = found(files)
    assert finding.severity is Severity.DAMAGE


def test_a_removed_member_that_is_back_in_the_database_is_named_as_removed() -> None:
    removed = logged(whole(), (REMOVE, C, None))
    gone = with_rows(
        noted(removed, LAST + 1, TERM),
        Edit(b"members", b"%x" % C, None),
        Edit(b"members_removed", b"%x" % C, b"removed"),
        conf_state_row(ConfState(voters=(A, B))),
    )
    assert found(gone) == []
    back = with_rows(gone, *member_rows([listed(whole())[C]]))
    assert differing(surveyed(back)) == {Source.DATABASE: {(Trait.MEMBER, C, "voter", "removed")}}
    (finding,) = found(back)
    assert f"member {C:x} is a voter, not removed (entry 69)" in finding.detail
    assert finding.severity is Severity.HARMLESS
    assert "removed are back" in finding.consequence


def test_without_a_log_a_list_is_still_held_against_its_own_removed_members() -> None:
    both = with_rows(whole(), Edit(b"members_removed", b"%x" % C, b"removed"))
    alone = {name: data for name, data in both.items() if name == "snap/db"}
    (finding,) = found(alone)
    assert f"differs from its own list of removed members: member {C:x}" in finding.detail


def test_a_change_that_the_database_has_applied_but_does_not_show_is_found() -> None:
    files = noted(logged(whole(), (ADD, NEW, joined(NEW))), LAST + 1, TERM)
    said = differing(surveyed(files))
    assert said[Source.DATABASE] == {(Trait.MEMBER, NEW, "no member", "voter")}
    assert Source.CONF_STATE not in said, "it is written one change late at most"


def test_a_change_that_the_database_has_not_applied_yet_is_no_difference() -> None:
    assert found(logged(whole(), (ADD_LEARNER, NEW, joined(NEW)), (REMOVE, C, None))) == []


def test_a_change_that_etcd_refused_changes_nobody() -> None:
    """The address is another member's, and the removed one may not come back."""
    taken = {**joined(NEW), "peerURLs": list(listed(whole())[A].peer_urls)}
    files = noted(logged(whole(), (ADD, NEW, taken), (REMOVE, NEW, None)), LAST + 2, TERM)
    assert found(files) == []


def test_a_change_that_is_in_the_log_twice_and_overwritten_counts_once() -> None:
    """A leader replaced entry 69: the first one was never committed."""
    files = whole()
    items = [*items_of(files)]
    items.append((ENTRY, change_entry(LAST + 1, REMOVE, A, None)))
    items.append((ENTRY, change_entry(LAST + 1, REMOVE, B, None)))
    items.append((STATE, state(TERM, B, LAST + 1)))
    files = noted(rewritten(files, items), LAST + 1, TERM)
    said = differing(surveyed(files))
    assert said[Source.DATABASE] == {(Trait.MEMBER, B, "voter", "removed")}


def test_a_learner_flag_alone_is_information_and_the_member_stays_clean() -> None:
    learner = replace(listed(whole())[B], is_learner=True)
    files = with_rows(whole(), Edit(b"members", b"%x" % B, member_json(learner)))
    (finding,) = found(files)
    assert finding.severity is Severity.INFO
    assert f"member {B:x} is a learner, not a voter (entry 2)" in finding.detail
    assert finding.next == "walctl explain membership-differs"
    assert verdict(files) is Verdict.CLEAN


def test_a_new_peer_url_that_the_database_was_not_told_of_is_information() -> None:
    updated = {"id": B, "peerURLs": ["http://10.0.0.2:2380"]}
    files = noted(logged(whole(), (UPDATE, B, updated)), LAST + 1, TERM)
    (finding,) = found(files)
    assert finding.severity is Severity.INFO
    assert "not http://10.0.0.2:2380 (entry 69)" in finding.detail


def test_other_voters_in_the_snapshot_are_damage_as_raft_starts_with_them() -> None:
    files = with_snapshot(
        whole(), lambda was, members: replace(was, conf_state=ConfState(voters=(A,)), data=None)
    )
    said = differing(surveyed(files))
    lacking = {(Trait.MEMBER, each, "no member", "voter") for each in (B, C)}
    assert said == {Source.SNAPSHOT: lacking}
    (finding,) = found(files)
    assert finding.severity is Severity.DAMAGE
    assert finding.place.index == 63
    assert (finding.place.segment or "").endswith("3f.snap")
    assert "two leaders may be elected" in finding.consequence


def test_a_store_that_names_others_than_raft_does_in_the_same_file_is_damage() -> None:
    files = with_snapshot(
        whole(),
        lambda was, members: replace(
            was, data=stored([each for each in members if each.id != C], removed=[C])
        ),
    )
    said = differing(surveyed(files))
    assert said == {Source.STORE: {(Trait.MEMBER, C, "removed", "voter")}}
    assert [each.severity for each in found(files)] == [Severity.DAMAGE]
    alone = {name: data for name, data in files.items() if name.endswith(".snap")}
    (finding,) = found(alone)
    assert "differs from Raft's membership in the same file" in finding.detail


def test_a_removed_id_that_a_store_has_forgotten_is_information() -> None:
    files = with_snapshot(whole(), lambda was, members: replace(was, data=stored(members)))
    assert found(files) == []
    files = with_snapshot(
        whole(), lambda was, members: replace(was, data=stored(members, removed=[NEW]))
    )
    (finding,) = found(files)
    assert finding.severity is Severity.INFO
    assert f"member {NEW:x} is removed, not unknown" in finding.detail


def test_a_marker_with_other_voters_is_harmless_as_nobody_starts_with_it() -> None:
    files = whole()
    items = [
        (kind, mark(63, TERM, (A, B)) if kind == SNAPSHOT and data[1] == 63 else data)
        for kind, data in items_of(files)
    ]
    (finding,) = found(rewritten(files, items))
    assert finding.severity is Severity.HARMLESS
    assert f"member {C:x} is no member, not a voter (entry 3)" in finding.detail
    assert "no version starts with it" in finding.consequence
    assert finding.place.offset


def test_what_a_restore_leaves_of_the_old_cluster_is_no_difference() -> None:
    """Nobody rewrites confState at `snapshot restore`: its log begins with a marker behind the
    members. As soon as a later change was applied it would have been written."""
    old = with_rows(whole(), conf_state_row(ConfState(voters=(0x1, 0x2))))
    (finding,) = found(old)
    assert finding.severity is Severity.INFO
    assert "confState in the database" in finding.detail
    items = items_of(old)
    behind = next(at for at, (kind, _) in enumerate(items) if kind == STATE) + 1
    items.insert(behind, (SNAPSHOT, mark(3, 1, (A, B, C))))
    restored = rewritten(old, items)
    assert found(restored) == []
    later = noted(logged(restored, (REMOVE, C, None)), LAST + 1, TERM)
    assert Source.CONF_STATE in differing(surveyed(later))


@needs_corpus
def test_a_database_of_34_may_be_newer_than_the_index_it_names() -> None:
    files = member_of("s-small-snaps-34")
    assert differing(surveyed(noted(files, 0, None))) == {}
    assert differing(surveyed(without_member(files, 0x285F553E5535865A)))


def test_a_database_of_35_is_as_of_its_index_alone() -> None:
    files = noted(whole(), 2, 1)
    assert Source.DATABASE in differing(surveyed(files))


def test_a_forced_new_cluster_is_told_where_the_database_still_has_the_others() -> None:
    """The removals are entries of the log as any other; here the rows of the others stayed."""
    removed = logged(whole(), (REMOVE, A, None), (REMOVE, C, None))
    files = noted(removed, LAST + 2, TERM)
    said = differing(surveyed(files))
    assert said[Source.DATABASE] == {(Trait.MEMBER, each, "voter", "removed") for each in (A, C)}


def test_a_list_that_does_not_read_is_damage_of_its_own_and_no_other_membership() -> None:
    files = with_rows(whole(), Edit(b"members", b"%x" % C, b"{no json"))
    assert found(files) == []
    disk = disk_of(files)
    report = examine(disk, understand(disk, HERE)).report
    assert Code.DB_PAGE in {each.code for each in report.findings}


def test_a_bit_that_flips_in_a_database_raises_nothing_and_accuses_no_other_place() -> None:
    """A row that still reads, with another URL or flag, does differ; nothing else is to blame."""
    files = whole()
    data = files["snap/db"]
    row = data.rindex(b'"peerURLs"')
    for at in range(row - 60, row + 60):
        flipped = bytearray(data)
        flipped[at] ^= 0x04
        said = differing(surveyed({**files, "snap/db": bytes(flipped)}))
        assert set(said) <= {Source.DATABASE, Source.CONF_STATE}


def test_a_change_that_does_not_read_ends_the_comparison_and_nothing_else() -> None:
    items = [*items_of(whole()), (ENTRY, entry(LAST + 1, TERM, b"\xff\xff", kind=1))]
    items.append((STATE, state(TERM, B, LAST + 1)))
    files = noted(rewritten(whole(), items), LAST + 1, TERM)
    survey = surveyed(files)
    assert differing(survey) == {}
    said = {side.source: side for side in sides(survey)}
    assert said[Source.SNAPSHOT].expected is not None
    assert said[Source.DATABASE].base == 63 or said[Source.DATABASE].expected is None


def test_what_no_base_leads_to_is_not_compared() -> None:
    files = {name: data for name, data in whole().items() if name == "snap/db"}
    (database, conf) = sides(surveyed(files))
    assert (database.expected, conf.expected) == (None, None)
    assert differing(surveyed(without_member(files, C))) == {}


def test_doctor_shows_the_places_side_by_side_when_one_differs_and_says_what_to_do() -> None:
    disk = disk_of(without_member(whole(), C))
    diagnosis = doctor(disk, HERE)
    paper = Paper(100)
    render.screenful(paper, diagnosis)
    text = paper.text
    assert "places        log         68  3 voters\n" in text
    assert "              snapshot    63  as it should be\n" in text
    assert f"              database    68  {C:x} is no member, not voter\n" in text
    assert "3.5.26" in diagnosis.steps[-1].text
    places = json.loads(json.dumps(render.document(diagnosis)))["membership"]["places"]
    odd = [each for each in places if each["differences"]]
    assert [(each["source"], each["index"], each["segment"]) for each in odd] == [
        ("database", 68, "db")
    ]
    assert odd[0]["differences"] == [
        {"trait": "member", "member": f"{C:x}", "said": "no member", "expected": "voter"}
    ]


@needs_corpus
def test_a_promotion_that_the_database_lacks_is_a_step_before_an_upgrade_and_no_damage() -> None:
    diagnosis = doctor(DISK, corpus.unpacked("d-cluster3-35") / "n1")
    assert diagnosis.report.verdict is Verdict.CLEAN
    first, last = diagnosis.steps
    assert "can be started" in first.text
    assert last.text.startswith("Before an upgrade to 3.6")
    assert last.command == "walctl explain membership-differs"


def test_doctor_shows_no_places_where_all_agree() -> None:
    paper = Paper(100)
    render.screenful(paper, doctor(disk_of(whole()), HERE))
    assert "places" not in paper.text


def test_applied_is_a_number_of_eight_bytes() -> None:
    """What `noted` writes, so that the tests above edit what they mean to."""
    survey = surveyed(noted(whole(), 5, 1))
    assert survey.applied == struct.unpack(">Q", bytes(7) + b"\x05")[0]

"""salvage: what comes out holds what went in; what could not be finished leaves nothing."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.corpus import copy_tree, fingerprint, needs_corpus, unpacked
from tests.repair.salvaging import (
    DISK,
    frame_spans,
    live_truth,
    salvaged,
    surveyed,
    truth_of,
    world,
)
from walctl.datadir.layout import understand
from walctl.errors import AccessError, ExitStatus, StoppedError, UnsupportedError, UsageError
from walctl.inspect.verify import examine
from walctl.model.finding import Verdict
from walctl.model.record import Check, EntryKind
from walctl.payload.base import Redaction
from walctl.repair.coverage import live_entries, readable
from walctl.repair.foundation import Ground
from walctl.repair.salvage import RECORDS, REPORT

HOLE = range(231, 242)
"""What x-zero-page-mid-35 has lost."""


@pytest.fixture
def zeroed(tmp_path: Path) -> Path:
    """A small member with a zeroed page, and no database."""
    member = unpack("zero-page", tmp_path / "source")
    (member / "member/snap/db").unlink()
    return member


def without_database(name: str, target: Path) -> Path:
    member = copy_tree(unpacked(name) / "n1", target)
    (member / "member/snap/db").unlink()
    return member


@needs_corpus
def test_on_a_whole_database_the_member_stands_where_that_has_come_to(tmp_path: Path) -> None:
    source = unpacked("x-zero-page-mid-35") / "n1"
    before = fingerprint(source)
    result = salvaged(source, tmp_path / "out")
    assert fingerprint(source) == before
    made = result.survivor
    assert made is not None
    assert (made.foundation.ground, made.foundation.index, made.last) == (Ground.DATABASE, 477, 477)
    assert (result.lost, result.left_out) == ((), None)
    seen = surveyed(tmp_path / "out")
    assert (seen.applied, seen.last_index, seen.log.live) == (477, 477, [])
    assert seen.database is not None
    assert [member.id for member in seen.database.members] == [made.node_id]
    assert seen.database.conf_state is not None
    assert seen.database.conf_state.voters == (made.node_id,)
    assert seen.last_state is not None
    assert (seen.last_state.state.vote, seen.last_state.state.commit) == (0, 477)
    report = examine(DISK, understand(DISK, tmp_path / "out")).report
    assert report.verdict in (Verdict.CLEAN, Verdict.HARMLESS)


@needs_corpus
def test_entries_behind_an_older_database_are_taken_over_as_they_were(tmp_path: Path) -> None:
    source = unpacked("x-db-older-than-snap-35") / "n1"
    result = salvaged(source, tmp_path / "out")
    made = result.survivor
    assert made is not None
    assert made.foundation.ground is Ground.DATABASE
    old, new = live_truth(surveyed(source)), live_truth(surveyed(tmp_path / "out"))
    assert set(new) == set(range(made.foundation.index + 1, max(old) + 1))
    emptied = {
        i
        for each in made.invented
        if each.kind == "empty" and each.first and each.last
        for i in range(each.first, each.last + 1)
    }
    assert {i: each for i, each in new.items() if i not in emptied} == {
        i: each for i, each in old.items() if i in new and i not in emptied
    }
    assert made.kept == len(new) - len(emptied)


@needs_corpus
def test_a_database_that_a_leader_sent_and_nobody_put_in_place_is_found(tmp_path: Path) -> None:
    made = salvaged(unpacked("d2-snapdb-crash-35-b") / "n2", tmp_path / "out").survivor
    assert made is not None
    assert (made.foundation.ground, made.foundation.index) == (Ground.SENT, 5382)


@needs_corpus
def test_without_a_database_the_log_is_taken_up_to_the_hole(tmp_path: Path) -> None:
    source = without_database("x-zero-page-mid-35", tmp_path / "source")
    result = salvaged(source, tmp_path / "out")
    made = result.survivor
    assert made is not None
    assert (made.foundation.ground, made.first, made.last) == (Ground.BEGINNING, 1, 230)
    assert result.left_out == (242, 477)
    assert [(each.first, each.last) for each in result.lost] == [(231, 241)]
    truth = truth_of("s-small-snaps-35", "n1")
    new = live_truth(surveyed(tmp_path / "out"))
    assert set(new) == set(range(1, 231))
    assert {i for i in new if new[i] != truth[i]} == {1, 3}, "the old member's own entries"


@needs_corpus
def test_with_holes_skipped_empty_entries_stand_in_and_all_others_are_as_they_were(
    tmp_path: Path,
) -> None:
    source = without_database("x-zero-page-mid-35", tmp_path / "source")
    made = salvaged(source, tmp_path / "out", skips_holes=True).survivor
    assert made is not None
    truth = truth_of("s-small-snaps-35", "n1")
    seen = surveyed(tmp_path / "out")
    new = live_truth(seen)
    assert set(new) == set(truth)
    assert {i for i in new if new[i] != truth[i]} == {1, 3, *HOLE}
    filled = list(live_entries(DISK, seen, first=HOLE.start, last=HOLE.stop - 1))
    assert all(
        (each.term, each.payload, each.kind) == (2, None, EntryKind.NORMAL) for each in filled
    )
    listed = [(each.first, each.last) for each in made.invented if each.words.startswith("lost")]
    assert listed == [(HOLE.start, HOLE.stop - 1)]


@needs_corpus
@pytest.mark.slow
def test_without_database_and_beginning_there_is_no_member_and_it_says_why(tmp_path: Path) -> None:
    source = without_database("x-missing-first-35", tmp_path / "source")
    result = salvaged(source, tmp_path / "out")
    assert result.survivor is None
    assert result.exit_status is ExitStatus.UNFINISHED
    assert result.refusals == ("there is no database", "the log begins at entry 183, not at 1")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [RECORDS, REPORT]
    made = salvaged(source, tmp_path / "skipped", skips_holes=True).survivor
    assert made is not None
    assert (made.first, made.last, made.kept) == (1, 460, 460 - 182)


@needs_corpus
@pytest.mark.slow
def test_what_is_not_etcds_is_only_read(tmp_path: Path) -> None:
    result = salvaged(unpacked("f-raftexample-35") / "raftexample-1", tmp_path / "out")
    assert result.survivor is None
    assert "only its records" in result.refusals[0]
    assert (tmp_path / "out" / RECORDS).stat().st_size > 0


@needs_corpus
def test_of_a_member_of_three_nobody_but_itself_is_left(tmp_path: Path) -> None:
    source = copy_tree(unpacked("d-cluster3-35") / "n1", tmp_path / "source")
    (source / "member/snap/db").unlink()
    result = salvaged(source, tmp_path / "out")
    assert result.cluster_size == 3
    made = result.survivor
    assert made is not None
    seen = surveyed(tmp_path / "out")
    (change,) = seen.conf_changes
    assert change.entry.index == 1
    assert made.node_id.to_bytes(2, "big") == b"\xa0\x02"
    assert seen.metadata[0].metadata.node_id == made.node_id != result.old_node_id
    assert seen.metadata[0].metadata.cluster_id == made.cluster_id != result.old_cluster_id
    old = surveyed(source)
    assert old.last_state is not None
    assert made.term >= old.last_state.state.term
    for each in live_entries(DISK, seen):
        assert b"/0/members/" not in (each.payload or b"")


def test_a_log_with_nothing_lost_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    source = unpack("etcd-3.5-three-puts", tmp_path / "source")
    for name in ("one", "two"):
        salvaged(source, tmp_path / name)
        (tmp_path / name / REPORT).unlink()  # it names the directory
    one, two = fingerprint(tmp_path / "one"), fingerprint(tmp_path / "two")
    assert {k: v.sha256 for k, v in one.items()} == {k: v.sha256 for k, v in two.items()}


def test_with_any_sector_zeroed_the_member_holds_what_was_written_or_says_what_is_ours(
    tmp_path: Path,
) -> None:
    source = unpack("etcd-3.5-three-puts", tmp_path / "source")
    (source / "member/snap/db").unlink()
    (segment,) = (source / "member/wal").glob("*.wal")
    whole = live_truth(surveyed(source))
    with segment.open("rb") as file:
        data = file.read(1 << 16).rstrip(b"\0")
    made_once = 0
    for start in range(0, len(data), 512):
        with segment.open("r+b") as file:
            file.write(data[:start] + bytes(512) + data[start + 512 :])
        target = tmp_path / f"out-{start}"
        made = salvaged(source, target, skips_holes=True).survivor
        if made is None:
            continue
        made_once += 1
        found = live_truth(surveyed(target))
        ours = {
            index
            for each in made.invented
            if each.kind in ("empty", "conf-change") and each.first and each.last
            for index in range(each.first, each.last + 1)
        }
        assert sorted(found) == list(range(1, made.last + 1))
        assert {i for i in found if found[i] != whole[i]} <= ours
    assert made_once


def test_a_lone_record_that_nothing_vouches_for_is_not_built_upon(tmp_path: Path) -> None:
    source = unpack("etcd-3.5-three-puts", tmp_path / "source")
    (source / "member/snap/db").unlink()
    (segment,) = (source / "member/wal").glob("*.wal")
    with segment.open("rb") as file:
        data = file.read(1 << 16).rstrip(b"\0")
    spans = frame_spans(data)
    last = max(spans)
    start, stop = spans[last]
    lost = spans[last - 1][0]
    # What stood in front of the last entry is gone, and the hard state behind it.
    with segment.open("r+b") as file:
        file.write(data[:lost] + bytes(start - lost) + data[start:stop])
        file.write(bytes(len(data) + 8 - stop))
    parts = {part.last: part.check for part in readable(surveyed(source))}
    assert parts[last] is Check.UNVERIFIABLE
    made = salvaged(source, tmp_path / "out", skips_holes=True).survivor
    assert made is not None
    assert made.last == last - 2


def test_the_report_is_json_with_all_that_was_found(zeroed: Path, tmp_path: Path) -> None:
    result = salvaged(zeroed, tmp_path / "out")
    report = json.loads((tmp_path / "out" / REPORT).read_bytes())
    assert report["v"] == 1
    ranges = report["coverage"]["readable"]
    told = {i for each in ranges for i in range(each["first"], each["last"] + 1)}
    assert told == set(live_truth(surveyed(zeroed)))
    assert report["coverage"]["missing"][0]["effect"] == "lost"
    assert result.survivor is not None
    assert report["survivor"]["last"] == result.survivor.last
    kinds = [each["kind"] for each in report["survivor"]["synthetic"]]
    assert kinds == ["metadata", "conf-change", "empty", "state"]


def test_a_report_that_hides_keys_names_no_prefix(zeroed: Path, tmp_path: Path) -> None:
    salvaged(zeroed, tmp_path / "out", redaction=Redaction.KEYS)
    report = json.loads((tmp_path / "out" / REPORT).read_bytes())
    prefixes = [row["prefix"] for row in report["coverage"]["prefixes"]]
    assert prefixes
    assert all(each["redacted"] for each in prefixes)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("source/rescued", "lies within the member"),
        ("source/member/rescued", "lies within a member"),
        ("source/member/wal/rescued", "lies within the member"),
        ("other/rescued", "lies within a data directory"),
        ("other/member/rescued", "lies within a member"),
        ("link/rescued", "lies within the member"),
        ("full", "found it in use"),
        ("file", "found a file"),
    ],
)
def test_a_target_in_the_way_or_within_a_member_is_refused(
    zeroed: Path, tmp_path: Path, place: str, words: str
) -> None:
    copy_tree(zeroed, tmp_path / "other")
    (tmp_path / "link").symlink_to(zeroed)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/anything").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    before = fingerprint(tmp_path)
    with pytest.raises(UsageError, match=words):
        salvaged(zeroed, tmp_path / place)
    assert fingerprint(tmp_path) == before


def test_a_single_database_has_no_records_to_salvage(zeroed: Path, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "other")
    with pytest.raises(UnsupportedError, match="holds no log"):
        salvaged(member / "member/snap/db", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert zeroed.exists()


def test_a_directory_above_that_may_not_be_listed_is_no_obstacle(
    zeroed: Path, tmp_path: Path
) -> None:
    class Private:
        """The real disk, on which only new directories and the member may be listed."""

        def __getattr__(self, name: str) -> object:
            return getattr(DISK, name)

        def names(self, path: Path) -> object:
            if zeroed not in (path, *path.parents) and tmp_path / "out" not in (
                path,
                *path.parents,
            ):
                raise AccessError(f"{path}: Permission denied")
            return DISK.names(path)

    assert salvaged(zeroed, tmp_path / "out", in_world=world(Private())).survivor  # type: ignore[arg-type]


def test_reading_ends_too_when_somebody_asks_for_it(
    zeroed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it went on behind the first segment")

    monkeypatch.setattr("walctl.repair.salvage.choose", never)
    with pytest.raises(StoppedError):
        salvaged(zeroed, tmp_path / "out", in_world=world(is_stopped=lambda: True))
    assert not (tmp_path / "out").exists()


def test_missing_entries_that_are_not_listed_any_more_are_said_to_be(
    zeroed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(name: str) -> tuple[int, bool]:
        salvaged(zeroed, tmp_path / name)
        found = json.loads((tmp_path / name / REPORT).read_bytes())["coverage"]
        return len(found["missing"]), found["missing_cut"]

    assert listed("all") == (1, False)
    monkeypatch.setattr("walctl.repair.coverage.FINDINGS_MAX", 0)
    assert listed("none") == (0, True)


@pytest.mark.parametrize("stride", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_stopped_at_any_moment_nothing_is_left(zeroed: Path, tmp_path: Path, stride: int) -> None:
    """Asked to stop at the k-th question, for every k until it runs to its end."""
    target = tmp_path / "out"
    before = fingerprint(zeroed)
    for patience in range(0, 10_000, stride):
        is_there = patience % 2 == 0
        if is_there:
            target.mkdir()
        asked = iter(range(patience))
        stopping = world(is_stopped=lambda asked=asked: next(asked, None) is None)
        try:
            result = salvaged(zeroed, target, in_world=stopping)
        except StoppedError:
            assert target.exists() == is_there
            if is_there:
                target.rmdir()
            continue
        assert result.survivor is not None
        assert patience > 10
        break
    else:
        pytest.fail("it never came to its end")
    assert fingerprint(zeroed) == before


def test_a_disk_without_room_is_refused_before_anything_is_written(
    zeroed: Path, tmp_path: Path
) -> None:
    class Full:
        """The real disk, but for how much fits on it."""

        def __getattr__(self, name: str) -> object:
            return getattr(DISK, name)

        def free_bytes(self, _path: Path) -> int:
            return 1000

    with pytest.raises(AccessError, match="expected room for some"):
        salvaged(zeroed, tmp_path / "out", in_world=world(Full()))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_member_whose_log_is_gone_stands_on_its_database_and_the_loss_is_told(
    tmp_path: Path,
) -> None:
    source = unpack("etcd-3.5-three-puts", tmp_path / "source")
    applied = surveyed(source).applied
    assert applied is not None
    shutil.rmtree(source / "member/wal")
    result = salvaged(source, tmp_path / "out")
    made = result.survivor
    assert made is not None
    assert (made.foundation.ground, made.foundation.index) == (Ground.DATABASE, applied)
    assert [(each.first, each.last) for each in result.lost] == [(applied + 1, None)]


def test_a_disk_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    source = unpack("etcd-3.5-three-puts", tmp_path / "source")

    class Failing:
        """The real disk, which does not rename."""

        def __getattr__(self, name: str) -> object:
            return getattr(DISK, name)

        def rename(self, source: Path, _target: Path) -> None:
            raise AccessError(f"{source}: Input/output error")

    with pytest.raises(AccessError, match="Input/output error"):
        salvaged(source, tmp_path / "out", in_world=world(Failing()))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.fixture(autouse=True)
def no_part_is_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a test did: no unfinished member lies about."""
    yield
    assert not list(tmp_path.rglob("member.part"))

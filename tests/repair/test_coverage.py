"""What of a log can be read, held against what etcd's own programs read before it was damaged."""

from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.corpus import manifest, names, needs_corpus, unpacked
from tests.repair.salvaging import (
    DISK,
    frame_spans,
    live_truth,
    surveyed,
    truth_of,
    undestroyed,
)
from walctl.datadir.survey import Survey
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.row import OVERWRITTEN
from walctl.payload.auto import AutoDecoder
from walctl.repair.coverage import Coverage, Effect, coverage, readable

DAMAGED = [n for n in names() if manifest(n)["kind"] == "damage" and manifest(n)["base"] in names()]
CLEAN = [
    n for n in names() if manifest(n)["kind"] == "scenario" and not n.startswith(("f-", "d2-"))
]
SECTOR = 512


def covered(path: Path) -> Coverage:
    seen = surveyed(path)
    return coverage(DISK, seen, AutoDecoder(strict=True), applied=seen.applied)


@needs_corpus
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) for n in DAMAGED])
def test_every_entry_that_was_not_destroyed_is_read_as_etcd_wrote_it(name: str) -> None:
    base = manifest(name)["base"]
    truth = truth_of(base, "n1")
    seen = surveyed(unpacked(name) / "n1")
    found = live_truth(seen)
    assert {index: found[index] for index in found if index in truth} == {
        index: truth[index] for index in found if index in truth
    }
    assert not set(found) - set(truth)
    assert undestroyed(name) <= set(found)
    if not name.startswith("x-forged-gap"):  # its frames were chained anew behind the gap
        assert found


@needs_corpus
def test_behind_a_zeroed_page_everything_is_read_and_what_is_missing_is_told() -> None:
    name = "x-zero-page-mid-35"
    found = live_truth(surveyed(unpacked(name) / "n1"))
    truth = truth_of("s-small-snaps-35", "n1")
    lost = set(range(231, 242))
    assert found == {index: each for index, each in truth.items() if index not in lost}
    (missing,) = covered(unpacked(name) / "n1").missing
    assert (missing.first, missing.last, missing.effect) == (231, 241, Effect.KEPT)
    assert (missing.term_before, missing.term_after, missing.offset) == (2, 2, 130536)
    assert [row.name for row in missing.near] == [b"key/"]


@needs_corpus
def test_a_bit_that_is_put_back_gives_the_entry_that_etcd_wrote() -> None:
    found = live_truth(surveyed(unpacked("x-flip-entry-mid-35") / "n1"))
    assert found == truth_of("s-small-snaps-35", "n1")
    mended = [
        each
        for each in readable(surveyed(unpacked("x-flip-entry-mid-35") / "n1"))
        if each.is_mended
    ]
    assert [(each.first, each.last) for each in mended] == [(201, 201)]


@needs_corpus
@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("x-missing-middle-35", [(183, 361, "kept")]),
        ("x-missing-first-35", [(1, 182, "kept")]),
        ("x-torn-nonlast-35", [(176, 182, "kept")]),
        ("x-zero-length-last-35", [(362, 460, "kept"), (461, None, "lost")]),
        ("x-zero-last-sector-35", [(476, 477, "kept"), (478, None, "lost")]),
        ("x-forged-gap-35", [(450, 450, "kept")]),
        ("x-forged-commit-beyond-last-35", [(478, 487, "lost"), (488, None, "lost")]),
        ("x-db-older-than-snap-35", []),
        # Nobody can say that these bytes were no record.
        ("x-garbage-after-tail-35", [(478, None, "lost")]),
    ],
)
def test_what_is_missing_says_whether_its_effect_is_kept(
    name: str, lost: list[tuple[int, int | None, str]]
) -> None:
    found = covered(unpacked(name) / "n1").missing
    assert [(each.first, each.last, str(each.effect)) for each in found] == lost


@needs_corpus
@pytest.mark.parametrize("name", CLEAN)
def test_of_a_whole_member_nothing_is_lost(name: str) -> None:
    for member in manifest(name)["members"]:
        found = covered(unpacked(name) / member)
        assert found.lost == ()
        assert found.doubtful == ()


@needs_corpus
@pytest.mark.parametrize("member", ["n1", "n2", "n3"])
def test_ranges_have_every_entry_once_with_its_fate(member: str) -> None:
    seen = surveyed(unpacked("d-cluster3-35") / member)
    parts = list(readable(seen))
    live = [i for p in parts if p.status != OVERWRITTEN for i in range(p.first, p.last + 1)]
    assert sorted(live) == sorted(live_truth(seen))
    assert sum(p.last - p.first + 1 for p in parts) == seen.entries


def small_log(tmp_path: Path) -> tuple[Path, bytes, MemoryFileSystem]:
    """A real member of a few entries, on a disk in memory, its log without most of its zeros."""
    unpack("etcd-3.5-three-puts", tmp_path / "m")
    here = tmp_path / "m/member"
    (segment,) = (here / "wal").glob("*.wal")
    disk = MemoryFileSystem()
    data = segment.read_bytes().rstrip(b"\0")
    return segment, data + bytes(-len(data) % 8 + 4096), disk


def on_disk(disk: MemoryFileSystem, segment: Path, data: bytes) -> Survey:
    disk.write(segment, data)
    return surveyed(segment.parent, disk)


def test_with_any_sector_zeroed_every_whole_frame_outside_is_salvaged(tmp_path: Path) -> None:
    segment, data, disk = small_log(tmp_path)
    whole = live_truth(on_disk(disk, segment, data), disk)
    assert len(whole) >= 7
    spans = frame_spans(data)
    for start in range(0, len(data) - 4096, SECTOR):
        stop = start + SECTOR
        hurt = data[:start] + bytes(stop - start) + data[stop:]
        found = live_truth(on_disk(disk, segment, hurt), disk)
        kept = {index for index, (low, high) in spans.items() if hurt[low:high] == data[low:high]}
        assert kept <= set(found), (start, kept - set(found))
        assert {index: whole[index] for index in found} == found

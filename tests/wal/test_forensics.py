"""What damage is called: by the whole log behind it, and by the corpus's own account of it."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from formats.limits import FINDINGS_MAX
from tests.corpus import manifest, names, needs_corpus, unpacked
from tests.wal.builders import ENTRY, SNAPSHOT, STATE, Builder, entry, fresh, mark, state
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.model.finding import Code, Severity
from walctl.wal.fold import Digest, digest
from walctl.wal.forensics import Named, name_all
from walctl.wal.tear import has_zero_sector

FIRST = "0000000000000000-0000000000000000.wal"
SECOND = "0000000000000001-0000000000000015.wal"


def name(*segments: bytes) -> list[Named]:
    """The damages of a log of one or two segments, each scanned with the checksum before it."""
    texts = [FIRST, SECOND][: len(segments)]
    paths = [Path("/wal") / text for text in texts]
    disk = MemoryFileSystem(dict(zip(paths, segments, strict=True)))
    with contextlib.ExitStack() as stack:
        files = {path.name: stack.enter_context(disk.open(path)) for path in paths}
        digests: list[Digest] = []
        for text in texts:
            seed = digests[-1].last_crc if digests else 0
            digests.append(digest(files[text], segment=text, seed=seed))
        return name_all(digests, files)


def one(*segments: bytes) -> Named:
    (found,) = name(*segments)
    return found


def second(first: Builder, last: int) -> Builder:
    return Builder(first.crc).puts(last + 1, last + 5)


def saves(last: int, size: int = 900) -> Builder:
    """Entries 1..`last`, each in a Save of its own."""
    return fresh().puts(1, last, size=size)


# A tear.


@pytest.mark.parametrize("back", [1, 8, 100, 600])
def test_a_cut_in_the_last_batch_of_the_last_segment_is_a_torn_tail(back: int) -> None:
    log = saves(9).put(10, 1, b"q" * 900)
    found = one(log.done()[:-back])
    assert found.code is Code.TORN_TAIL
    assert found.lost == (10, None)
    assert not found.is_mended
    assert found.finding().severity is Severity.DAMAGE


def test_a_zeroed_sector_in_the_last_batch_is_a_torn_tail() -> None:
    log = saves(9).put(10, 1, b"q" * 2000)
    data = bytearray(log.done(zeros=600))
    at = (log.frames[-1].start // 512 + 2) * 512
    data[at : at + 512] = bytes(512)
    found = one(bytes(data))
    assert found.code is Code.TORN_TAIL
    assert f"{512:,} bytes from {at} on are zero" in found.detail


def test_the_same_cut_in_a_sealed_segment_is_no_tear() -> None:
    log = saves(20).put(21, 1, b"q" * 900)
    found = one(log.done()[:-100], Builder(log.crc).puts(22, 25).done())
    assert found.code is Code.BAD_LENGTH
    assert "this sealed segment ends" in found.detail
    assert "had been synced, so this is no torn write" in found.detail
    assert found.behind.later_batch
    assert (found.behind.first_index, found.behind.last_index) == (22, 25)
    assert found.lost == (21, 21)


def test_a_zeroed_sector_with_a_later_save_behind_it_is_no_tear() -> None:
    log = saves(4).put(5, 1, b"q" * 2000).add(STATE, state(1, 7, 4)).puts(6, 9)
    data = bytearray(log.done(zeros=600))
    damaged = next(each for each in log.frames if each.stop - each.start > 2000)
    at = (damaged.start // 512 + 2) * 512
    data[at : at + 512] = bytes(512)
    found = one(bytes(data))
    assert found.code in (Code.ZERO_HOLE, Code.CRC_MISMATCH)
    assert found.behind.later_batch
    assert found.behind.entries == 4
    assert (found.behind.first_index, found.behind.last_index) == (6, 9)
    assert found.lost == (5, 5)


def test_whole_frames_of_the_same_save_behind_a_damage_prove_nothing() -> None:
    log = saves(4)
    for index in (5, 6, 7):
        log.put(index, 1, b"q" * 2000)
    log.add(STATE, state(1, 7, 4))
    data = bytearray(log.done(zeros=600))
    damaged = next(each for each in log.frames if each.stop - each.start > 2000)
    at = (damaged.start // 512 + 2) * 512
    data[at : at + 512] = bytes(512)
    found = one(bytes(data))
    assert found.code is Code.TORN_TAIL
    assert not found.behind.later_batch
    assert "all of the same batch" in found.detail


def test_garbage_in_the_last_batch_is_no_tear() -> None:
    log = saves(9).put(10, 1, b"q" * 900)
    data = bytearray(log.done(zeros=600))
    start = log.frames[-1].start
    data[start : start + 300] = b"\xee" * 300
    assert one(bytes(data)).code in (Code.BAD_LENGTH, Code.BAD_RECORD)


# What is no tear and no loss.


def test_bytes_behind_a_page_of_zeros_are_harmless_garbage() -> None:
    log = saves(3)
    data = bytearray(log.done(zeros=4096)) + b"\xee" * 40 + bytes(60)
    found = one(bytes(data))
    assert found.code is Code.TRAILING_GARBAGE
    assert found.lost is None
    assert found.finding().severity is Severity.HARMLESS
    assert f"up to {len(data) - 61}" in found.detail


def with_zeroed_head(log: Builder, count: int) -> bytes:
    data = bytearray(log.done(zeros=64))
    start = log.frames[-1].start
    data[start : start + count] = bytes(count)
    return bytes(data)


@pytest.mark.parametrize("count", [8, 9, 60])
def test_a_last_frame_without_its_head_is_damage(count: int) -> None:
    log = saves(9).put(10, 1, b"q" * 5000)
    found = one(with_zeroed_head(log, count))
    assert found.code is Code.ZERO_HOLE
    assert found.finding().severity is Severity.DAMAGE
    assert found.lost == (10, None)
    assert f"{count:,} zero bytes stand where a frame should be, and bytes up to" in found.detail
    assert "No record can be read behind it" in found.detail


def test_a_last_frame_whose_first_sector_was_not_written_is_a_torn_tail() -> None:
    log = saves(9).put(10, 1, b"q" * 5000)
    start = log.frames[-1].start
    found = one(with_zeroed_head(log, 512 - start % 512))
    assert found.code is Code.TORN_TAIL
    assert found.lost == (10, None)


def test_in_a_sealed_segment_a_zeroed_last_frame_is_a_hole_and_breaks_the_chain() -> None:
    log = saves(20).put(21, 1, b"q" * 5000)
    hole, head = name(with_zeroed_head(log, 4999), Builder(log.crc).puts(22, 25).done())
    assert hole.code is Code.ZERO_HOLE
    assert hole.lost == (21, 21)
    assert head.code is Code.CHAIN_BREAK
    assert (head.damage.start, head.lost) == (0, None)


def test_garbage_behind_a_sealed_segment_is_harmless_when_the_next_one_continues_the_log() -> None:
    log = saves(20)
    data = log.done(zeros=16) + b"\xee" * 40
    found = one(data, Builder(log.crc).puts(21, 25).done())
    assert found.code is Code.TRAILING_GARBAGE
    assert found.lost is None


def test_two_states_behind_a_damage_are_two_saves() -> None:
    log = saves(4).put(5, 1, b"q" * 2000).add(STATE, state(1, 7, 4))
    damaged = log.frames[-2]
    at = (damaged.start // 512 + 2) * 512
    for states, code in ((0, Code.TORN_TAIL), (1, Code.CRC_MISMATCH)):
        for _ in range(states):
            log.add(STATE, state(1, 7, 5))
        data = bytearray(log.done(zeros=600))
        data[at : at + 512] = bytes(512)
        found = one(bytes(data))
        assert found.code is code
        assert found.behind.later_batch is bool(states)


def test_two_states_with_damage_between_them_are_two_saves() -> None:
    log = saves(4).put(5, 1, b"q" * 2000).add(STATE, state(1, 7, 4))
    spoilt = [log.frames[-2]]
    log.put(6, 1, b"q" * 2000).add(STATE, state(1, 7, 5))
    spoilt.append(log.frames[-2])
    data = bytearray(log.done(zeros=600))
    for each in spoilt:
        at = (each.start // 512 + 2) * 512
        data[at : at + 512] = bytes(512)
    assert [each.behind.later_batch for each in name(bytes(data))] == [True, False]


# What is lost.


def test_without_an_entry_in_front_the_name_of_the_segment_says_what_is_lost() -> None:
    log = Builder(5).puts(21, 25)
    data = bytearray(log.done(zeros=64))
    hit = log.frames[1]
    data[hit.start : hit.stop] = b"\xee" * (hit.stop - hit.start)
    path = Path("/wal") / SECOND
    with MemoryFileSystem({path: bytes(data)}).open(path) as file:
        (found,) = name_all([digest(file, segment=SECOND, seed=5)], {SECOND: file})
    assert found.before is None
    assert found.lost == (21, 21)


@pytest.mark.parametrize(("kind", "payload"), [(STATE, state(1, 7, 1)), (SNAPSHOT, mark(1, 1))])
def test_a_whole_record_that_is_no_entry_costs_no_entry(kind: int, payload: bytes) -> None:
    log = fresh().put(1).add(kind, payload).put(5)
    hit = log.frames[-2]
    data = bytearray(log.done(zeros=64))
    last = data.index(payload, hit.start) + len(payload) - 1
    for at in (last, last - 2):
        data[at] ^= 6
    found = one(bytes(data))
    assert found.damage.stop == hit.stop
    assert not found.is_mended
    assert (found.before and found.before.last, found.after and found.after.first) == (1, 5)
    assert found.lost is None


def test_frames_behind_a_hole_of_zeros_are_counted_with_their_indexes() -> None:
    log = saves(9)
    data = bytearray(log.done(zeros=64))
    gone = [each for each in log.frames if each.kind == ENTRY][4]
    data[gone.start : gone.stop] = bytes(gone.stop - gone.start)
    found = one(bytes(data))
    assert found.code is Code.ZERO_HOLE
    assert (found.before and found.before.last, found.after and found.after.first) == (4, 6)
    assert found.lost == (5, 5)
    assert f"{gone.stop - gone.start:,} zero bytes" in found.detail


@pytest.mark.parametrize(
    ("position", "bit", "code"),
    [
        (0, 6, Code.BAD_LENGTH),
        (5, 2, Code.BAD_LENGTH),
        (9, 3, Code.TYPE_SUSPECT),
        (12, 0, Code.CRC_MISMATCH),
        (300, 7, Code.CRC_MISMATCH),
    ],
)
def test_one_wrong_bit_is_named_by_its_place_and_mended(
    position: int, bit: int, code: Code
) -> None:
    log = saves(9)
    hit = [each for each in log.frames if each.kind == ENTRY][4]
    data = bytearray(log.done(zeros=64))
    data[hit.start + position] ^= 1 << bit
    found = one(bytes(data))
    assert found.code is code
    assert found.is_mended
    assert found.lost is None
    place = found.finding().place
    assert (place.segment, place.offset, place.index, place.term) == (FIRST, hit.start, 5, 1)
    assert f"bit {bit} of byte {hit.start + position}" in found.detail


@pytest.mark.parametrize(("size", "says"), [(100, "explains it"), (5000, "would explain it")])
def test_a_wrong_bit_of_much_data_comes_with_the_chance_that_it_is_none(
    size: int, says: str
) -> None:
    log = fresh().puts(1, 3).put(4, 1, b"q" * size).put(5)
    hit = log.frames[-2]
    data = bytearray(log.done(zeros=64))
    data[hit.start + 60] ^= 4
    found = one(bytes(data))
    assert found.is_mended
    assert f"One bit {says}: bit 2 of byte {hit.start + 60} (data)" in found.detail
    assert ("by chance" in found.detail) is (size == 5000)


def test_a_wrong_bit_in_the_head_of_a_later_segment_is_a_broken_chain() -> None:
    log = saves(20)
    data = bytearray(second(log, 20).done())
    data[12] ^= 1
    found = one(log.done(), bytes(data))
    assert found.code is Code.CHAIN_BREAK
    assert found.damage.start == 0
    assert found.damage.flip is not None
    assert found.damage.flip.offset == 12


def test_an_entry_whose_type_says_state_is_told_from_a_state() -> None:
    log = fresh()
    for index in range(1, 6):
        log.add(ENTRY, entry(index, 1, b"v"))
    data = bytearray(log.done(zeros=64))
    data[log.frames[4].start + 9] ^= 1
    found = one(bytes(data))
    assert found.code is Code.TYPE_SUSPECT
    assert found.finding().place.index == 2
    assert found.lost is None
    assert "the payload fits: entry" in found.detail


def test_two_damages_are_two_and_each_knows_its_neighbours() -> None:
    log = saves(9)
    data = bytearray(log.done(zeros=64))
    hits = [each for each in log.frames if each.kind == ENTRY]
    for hit in (hits[2], hits[6]):
        data[hit.start : hit.stop] = b"\xee" * (hit.stop - hit.start)
    found = name(bytes(data))
    assert [each.lost for each in found] == [(3, 3), (7, 7)]
    assert [each.behind.entries for each in found] == [5, 2]


def test_a_whole_log_has_no_names() -> None:
    assert name(saves(20).done(zeros=64)) == []
    assert FINDINGS_MAX > 0


@pytest.mark.parametrize(
    ("data", "offset", "expected"),
    [
        (b"", 0, False),
        (b"x" * 512, 0, False),
        (bytes(512), 0, True),
        (b"x" * 512 + bytes(512), 0, True),
        (b"x" * 512 + bytes(511) + b"x", 0, False),
        (b"x" * 100 + bytes(412), 0, False),
        (bytes(412) + b"x" * 100, 100, True),
        (b"x" * 512 + bytes(7), 0, False),
        (b"x" * 512 + bytes(8), 0, True),
    ],
)
def test_a_zero_sector_is_cut_where_the_disk_cuts_it(
    data: bytes, offset: int, expected: bool
) -> None:
    assert has_zero_sector(data, offset) is expected


# The corpus.

KINDS = {
    "x-flip-crc-field": Code.CRC_MISMATCH,
    "x-flip-crc-record": Code.CHAIN_BREAK,
    "x-flip-entry-mid": Code.CRC_MISMATCH,
    "x-flip-entry-nonlast": Code.CRC_MISMATCH,
    "x-flip-length-high": Code.BAD_LENGTH,
    "x-flip-length-low": Code.BAD_LENGTH,
    "x-flip-metadata": Code.CRC_MISMATCH,
    "x-flip-snapshot-record": Code.CRC_MISMATCH,
    "x-flip-state": Code.CRC_MISMATCH,
    "x-flip-type-entry-to-state": Code.TYPE_SUSPECT,
    "x-flip-type-unknown": Code.TYPE_SUSPECT,
    "x-torn-in-data": Code.TORN_TAIL,
    "x-torn-in-length": Code.TORN_TAIL,
    "x-torn-nonlast": Code.BAD_LENGTH,
    "x-zero-last-sector": Code.TORN_TAIL,
    "x-zero-page-mid": Code.ZERO_HOLE,
    "x-garbage-after-tail": Code.BAD_LENGTH,
    "x-garbage-appended": Code.TRAILING_GARBAGE,
}


def rows(kind: str = "x-") -> list[Any]:
    return [
        pytest.param(each, marks=[pytest.mark.slow] if "nonlast" in each else [])
        for each in names()
        if each.startswith(kind) and each.rpartition("-")[0] in KINDS
    ]


def named_in(case: str) -> list[Named]:
    folder = unpacked(case) / manifest(case)["members"][0] / "member" / "wal"
    disk = RealFileSystem()
    with contextlib.ExitStack() as stack:
        digests: list[Digest] = []
        files = {}
        for text in sorted(each.name for each in folder.glob("*.wal")):
            files[text] = stack.enter_context(disk.open(folder / text))
            seed = digests[-1].last_crc if digests else None
            digests.append(digest(files[text], segment=text, seed=seed))
        return name_all(digests, files)


@needs_corpus
@pytest.mark.parametrize("case", rows())
def test_damage_of_the_corpus_gets_its_code_and_place(case: str) -> None:
    expected = manifest(case)["expected"].get("first_bad", manifest(case)["damage"])
    found = named_in(case)[0]
    assert found.code is KINDS[case.rpartition("-")[0]]
    assert found.damage.segment == Path(expected["file"]).name
    if "garbage-appended" not in case:
        assert found.damage.start == expected["offset"]


@needs_corpus
@pytest.mark.parametrize("case", rows("x-flip-"))
def test_a_flipped_bit_of_the_corpus_is_named(case: str) -> None:
    damage = manifest(case)["damage"]
    (found,) = named_in(case)
    assert found.damage.flip is not None
    assert found.damage.flip.offset == damage["offset"]
    assert f"bit {found.damage.flip.bit} flipped" == damage["kind"]
    assert found.is_mended
    index = manifest(case)["expected"]["first_bad"]["index"]
    if manifest(case)["expected"]["first_bad"]["record"] == "entry":
        assert found.finding().place.index == index
    assert found.lost is None


@needs_corpus
@pytest.mark.parametrize("case", [each for each in rows() if "flip" not in each.values[0]])
def test_the_last_entry_in_front_of_damage_of_the_corpus_is_known(case: str) -> None:
    found = named_in(case)[0]
    good = manifest(case)["expected"]["last_good_index"] if "garbage" not in case else None
    if good is not None:
        assert found.before is not None
        assert found.before.last == good

"""The scan past damage: what is whole is kept, what lies behind is found, what is wrong is named.

The small space is exhausted over a log that a real etcd wrote: cut at every byte, every bit of it
flipped. Kinds of damage that take more room are tried at every sector of a built one.
"""

import functools
import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.unpack import FIXTURES, opened
from formats.limits import WINDOW_BYTES
from tests.wal.builders import ENTRY, STATE, Builder, Written, entry, frame, fresh, state, varint
from tests.wal.test_kernel import Row, by_definition
from walctl.fs.memory import MemoryFileSystem
from walctl.model.batch import Batch
from walctl.wal.fold import Digest, digest
from walctl.wal.kernel import Halt
from walctl.wal.scan import Damage, GoesOn, longest_zeros, scan
from walctl.wal.window import Window

SEGMENT = "0000000000000000-0000000000000000.wal"
PATH = Path("/wal") / SEGMENT
BITS = 8


def read(data: bytes, *, seed: int | None = 0, window_bytes: int = WINDOW_BYTES) -> Digest:
    file = MemoryFileSystem({PATH: data}).open(PATH)
    return digest(file, segment=SEGMENT, seed=seed, window_bytes=window_bytes)


def frames_in(data: bytes, *, seed: int | None = 0) -> list[int]:
    """Offsets of all frames that are whole or whose record is known."""
    file = MemoryFileSystem({PATH: data}).open(PATH)
    found = []
    for item in scan(file, segment=SEGMENT, seed=seed):
        if isinstance(item, Batch):
            found += [item.base + offset for offset in item.offsets]
        elif isinstance(item, Damage) and item.recovered is not None:
            found.append(item.start)
    return found


@functools.cache
def real_log() -> tuple[bytes, list[Row]]:
    """The log that etcd 3.5 wrote for three puts, with some of the zeros behind it."""
    with opened(FIXTURES / "etcd-3.5-three-puts" / "member" / "wal" / SEGMENT) as source:
        data = source.read(1 << 14)
    rows = by_definition(data)
    return data[: rows[-1].stop + 600], rows


# Cut at every byte.


def assert_a_cut_keeps_what_is_before_it(cuts: range) -> None:
    data, rows = real_log()
    for cut in cuts:
        whole = [row for row in rows if row.stop <= cut]
        assert frames_in(data[:cut]) == [row.start for row in whole], cut
        found = read(data[:cut])
        end = whole[-1].stop if whole else 0
        assert found.end == end
        if cut == end:
            assert not found.damages
        else:
            (damage,) = found.damages
            assert (damage.start, damage.goes_on) == (end, GoesOn.NOT)
            assert end < damage.stop <= cut
            assert not any(data[damage.stop : cut])
            assert damage.flip is None


def test_a_cut_at_many_bytes_keeps_every_whole_frame_before_it() -> None:
    assert_a_cut_keeps_what_is_before_it(range(0, real_log()[1][-1].stop, 11))


@pytest.mark.slow
def test_a_cut_at_any_byte_keeps_every_whole_frame_before_it() -> None:
    assert_a_cut_keeps_what_is_before_it(range(real_log()[1][-1].stop))


# Every bit flipped.


def excuse(offset: int, bit: int, data: bytes, row: Row) -> str | None:
    """Why a flip there may go unnamed, `None` when it may not."""
    position = offset - row.start
    record_bytes = int.from_bytes(data[row.start : row.start + 7], "little")
    if position >= 8 + record_bytes:
        return "padding is under no checksum, and nobody reads it"
    if position == 7 and 3 <= bit <= 6:
        return "etcd ignores these bits of a length field"
    if position == 7 and data[offset] == 0:
        return "a count without its flag, and a flag without a count, both say: no padding"
    if position == 15 and 4 <= bit <= 6 and row.crc >> 28:
        return "a checksum has 32 bits: these lie beyond it"
    if position == 10 and bit in (5, 6) and row.crc == 0:
        return "an absent checksum reads as the zero that is stored"
    if position == 9 and bit == 2 and row.kind in (1, 5):
        return "a marker and metadata have one shape: two numbers"
    return None


def assert_flips_are_named(bits: range) -> int:
    """Flip each of `bits`: it is named, or excused; no frame is lost. The number of the named."""
    data, rows = real_log()
    by_offset = [row for row in rows for _ in range(row.start, row.stop)]
    everything = [row.start for row in rows]
    named = 0
    for place in bits:
        offset, bit = divmod(place, BITS)
        flipped = bytearray(data)
        flipped[offset] ^= 1 << bit
        assert frames_in(bytes(flipped)) == everything, (offset, bit)
        found = read(bytes(flipped))
        if excuse(offset, bit, data, by_offset[offset]) is not None:
            assert not found.damages, (offset, bit)
            continue
        assert len(found.damages) == 1, (offset, bit)
        damage = found.damages[0]
        assert damage.flip is not None, (offset, bit)
        assert (damage.flip.offset, damage.flip.bit) == (offset, bit)
        assert (damage.start, damage.stop) == (by_offset[offset].start, by_offset[offset].stop)
        named += 1
    return named


def test_many_single_wrong_bits_are_named_and_cost_no_frame() -> None:
    assert assert_flips_are_named(range(3, real_log()[1][-1].stop * BITS, 83)) > 60


@pytest.mark.slow
def test_any_single_wrong_bit_is_named_and_costs_no_frame() -> None:
    data, rows = real_log()
    bits = rows[-1].stop * BITS
    named = assert_flips_are_named(range(bits))
    by_offset = [row for row in rows for _ in range(row.start, row.stop)]
    excused = [excuse(place // BITS, place % BITS, data, by_offset[place // BITS])
               for place in range(bits)]  # fmt: skip
    assert named == excused.count(None)
    assert named > 0.93 * bits


@pytest.mark.slow
def test_without_the_checksum_in_front_a_wrong_bit_costs_one_frame_of_the_head() -> None:
    data, rows = real_log()
    for place in range(rows[-1].stop * BITS):
        flipped = bytearray(data)
        flipped[place // BITS] ^= 1 << place % BITS
        lost = {row.start for row in rows} - set(frames_in(bytes(flipped), seed=None))
        assert len(lost) <= 1, place
        assert lost <= {rows[0].start, rows[1].start}, place


def test_a_wrong_checksum_in_a_trusted_head_looks_like_wrong_data_behind_it() -> None:
    # Not under any checksum itself, it changes the next one as a bit of the data there would.
    data, rows = real_log()
    flipped = bytearray(data)
    flipped[11] ^= 1
    (damage,) = read(bytes(flipped), seed=None).damages
    assert damage.start == rows[1].start
    (damage,) = read(bytes(flipped), seed=0).damages
    assert damage.start == 0


@pytest.mark.parametrize("bit", range(8))
def test_padding_bits_of_the_next_to_last_frame_do_not_cost_the_last(bit: int) -> None:
    log = fresh().puts(1, 3)
    data = bytearray(log.done(zeros=64))
    data[log.frames[-2].start + 7] ^= 1 << bit
    assert frames_in(bytes(data)) == [each.start for each in log.frames]


def test_bytes_of_the_next_frame_are_not_taken_for_fields_of_a_longer_record() -> None:
    # A length of 26 for 24 bytes swallows the next length field's `28 00`: an unknown field.
    data, rows = real_log()
    lengths = [int.from_bytes(data[row.start : row.start + 8], "little") for row in rows]
    position = next(at for at, word in enumerate(lengths) if word == 24 and lengths[at + 1] == 40)
    flipped = bytearray(data)
    flipped[rows[position].start] ^= 2
    (damage,) = read(bytes(flipped)).damages
    assert damage.start == rows[position].start
    assert damage.flip is not None


# Sectors, garbage, doubled blocks.


@functools.cache
def three_pages() -> Builder:
    log = fresh()
    index = 0
    while len(log.data) < 3 * 4096 - 700:
        index += 1
        log.put(index, 1, bytes([index % 250 + 1]) * (17 * index % 600))
        log.add(STATE, state(1, 7, index))
    return log


def intact(log: Builder, data: bytes) -> list[int]:
    """Offsets of the frames of `log` of which `data` has every byte, but for padding."""
    return [each.start for each in log.frames if same(each, log.data, data)]


def same(each: Written, left: bytes | bytearray, right: bytes) -> bool:
    stop = each.start + 8 + int.from_bytes(left[each.start : each.start + 7], "little")
    return left[each.start : stop] == right[each.start : stop]


def zeroed(data: bytearray, start: int, stop: int) -> None:
    data[start:stop] = bytes(stop - start)


def garbage(data: bytearray, start: int, stop: int) -> None:
    data[start:stop] = random.Random(start).randbytes(stop - start)


@pytest.mark.parametrize("spoil", [zeroed, garbage])
@pytest.mark.parametrize("size", [512, 4096])
def test_a_lost_sector_or_page_costs_the_frames_it_touches_and_no_other(
    spoil: Callable[[bytearray, int, int], None], size: int
) -> None:
    log = three_pages()
    whole = log.done(zeros=700)
    for start in range(0, len(log.data), size):
        data = bytearray(whole)
        spoil(data, start, min(start + size, len(log.data)))
        kept = [each for each in frames_in(bytes(data)) if each in intact(log, bytes(data))]
        assert kept == intact(log, bytes(data)), start
        found = read(bytes(data))
        assert found.damages[0].start <= start + size
        for damage in found.damages:
            assert damage.start < start + size + 1024, damage


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x" + bytes(511) + b"x", None),
        (b"x" + bytes(512) + b"x", (1, 513)),
        (bytes(512) + b"x" + bytes(700) + b"x" + bytes(600), (513, 1213)),
    ],
)
def test_the_longest_run_of_zeros_counts_from_a_sector_on(
    data: bytes, expected: tuple[int, int] | None
) -> None:
    file = MemoryFileSystem({PATH: data}).open(PATH)
    assert longest_zeros(Window(file, size=len(data)), 0, len(data)) == expected


def test_many_runs_of_zeros_are_looked_at_once() -> None:
    data = (bytes(600) + b"x") * 1500
    file = MemoryFileSystem({PATH: data}).open(PATH)
    tracemalloc.start()
    try:
        longest_zeros(Window(file, size=len(data)), 0, len(data))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * len(data) + (1 << 18)


def test_a_zeroed_sector_is_shown_with_its_place() -> None:
    log = three_pages()
    data = bytearray(log.done(zeros=700))
    zeroed(data, 2048, 4096)
    holes = [damage.zeros for damage in read(bytes(data)).damages]
    assert any(hole and hole[0] <= 2048 + 600 and hole[1] >= 4096 for hole in holes)


@pytest.mark.parametrize("start", range(0, 3 * 4096 - 1024, 512))
def test_a_doubled_block_costs_the_frames_it_covers_and_no_other(start: int) -> None:
    log = three_pages()
    data = bytearray(log.done(zeros=700))
    data[start + 512 : start + 1024] = data[start : start + 512]
    whole = intact(log, bytes(data))
    found = frames_in(bytes(data))
    assert set(whole) <= set(found)
    # What else is found are the copies, which lie in the block that was written twice.
    assert all(start + 512 <= each < start + 1024 for each in set(found) - set(whole))


@settings(max_examples=60)
@given(st.data())
def test_the_scan_of_anything_ends_and_moves_forward(data: st.DataObject) -> None:
    whole = bytearray(fresh().puts(1, 4).done(zeros=40))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole)))
        match data.draw(st.integers(0, 3)):
            case 0:
                whole[at : at + 3] = data.draw(st.binary(max_size=12))
            case 1:
                del whole[at : at + data.draw(st.integers(1, 30))]
            case 2:
                whole[at:at] = whole[: data.draw(st.integers(0, 80))]
            case _:
                whole[at : at + 9] = bytes(9)
    reach = 0
    seed = data.draw(st.sampled_from([None, 0]))
    found = read(bytes(whole), seed=seed, window_bytes=data.draw(st.sampled_from([64, 4096])))
    for item in found.items:
        if isinstance(item, Damage):
            assert reach <= item.start < item.stop <= len(whole)
            reach = item.start
            if item.recovered is None:
                reach = item.stop
        else:
            assert reach <= item.span.start < item.span.stop
            reach = item.span.stop
    assert found.end <= found.size == len(whole)


@given(st.binary(max_size=300))
def test_the_scan_of_noise_ends(noise: bytes) -> None:
    found = read(noise, seed=None, window_bytes=64)
    assert found.end <= len(noise)
    if noise.strip(b"\0"):
        assert found.items


# Places where a frame may stand.


def test_a_log_that_etcds_repair_went_on_at_an_unaligned_offset_is_read_whole() -> None:
    # A cleared sign bit made etcd lose the padding; its repair cut there, and it wrote on.
    log = fresh().puts(1, 2).put(3, 1, b"three")
    cut = log.frames[-1]
    padding = log.data[cut.start + 7] & 7
    assert padding
    log.data[cut.start + 7] &= 0x7F
    del log.data[-padding:]
    log.puts(4, 9)
    data = log.done(zeros=640)
    found = read(data)
    assert not found.damages
    assert [(run.first, run.last) for each in found.stretches for run in each.runs] == [(1, 9)]
    assert found.odd_padding == [cut.start]


def test_damage_before_an_unaligned_part_does_not_hide_it() -> None:
    log = fresh().puts(1, 3)
    log.data += b"\xaa\xaa\xaa"
    start = len(log.data)
    log.puts(4, 9)
    found = read(log.done(zeros=640))
    (damage,) = found.damages
    assert (damage.start, damage.stop) == (start - 3, start)
    assert found.stretches[-1].runs[-1].last == 9


@pytest.mark.parametrize("has_head", [True, False])
@pytest.mark.parametrize("shift", range(8))
def test_a_log_inside_a_value_is_not_taken_for_the_log(shift: int, has_head: bool) -> None:
    """By its place at seven in eight; at the eighth by its head, or by the log that follows."""
    written = fresh().puts(500, 520)
    inner = written.done()[0 if has_head else written.frames[3].start :]
    log = fresh().puts(1, 3)
    big = len(log.frames)
    head = len(frame(b""))
    for filler in range(16):
        trial = Builder(crc=log.crc, data=bytearray(log.data), frames=list(log.frames))
        trial.data, trial.crc = bytearray(log.data), log.crc
        value = b"\xff" * filler + inner + b"\xff" * 50
        trial.put(4, 1, value).puts(5, 9)
        inside = trial.data.index(inner)
        if inside % 8 == shift:
            break
    else:
        pytest.fail("no filler puts the inner log there")
    target = trial.frames[big] if trial.frames[big].kind == ENTRY else trial.frames[-11]
    data = bytearray(trial.done(zeros=640))
    data[target.start : target.start + head + 4] = b"\xee" * (head + 4)
    found = read(bytes(data))
    indexes = {run.first for each in found.stretches for run in each.runs}
    assert max(indexes) < 500
    assert found.stretches[-1].runs[-1].last == 9


def test_a_log_inside_a_value_whose_own_checksum_is_wrong_is_passed_over() -> None:
    inner = fresh().puts(500, 520).done()
    log = fresh().puts(1, 3).put(4, 1, inner).puts(5, 9)
    data = bytearray(log.done(zeros=64))
    at = data.index(inner) + 100
    data[at : at + 2] = b"\xee\xee"
    found = read(bytes(data))
    assert len(found.damages) == 1
    assert [run.first for each in found.stretches for run in each.runs] == [1, 5]


def test_a_wrong_bit_in_the_data_is_not_believed_where_a_sector_is_zero() -> None:
    log = fresh().puts(1, 3).put(4, 1, b"q" * 4000).put(5)
    hit = log.frames[-2]
    data = bytearray(log.done(zeros=64))
    at = (hit.start // 512 + 2) * 512
    data[at : at + 512] = bytes(512)
    assert hit.payload is not None
    harmed = data[hit.stop - len(hit.payload) - 7 : hit.stop]
    harmed = harmed[harmed.index(hit.payload[:4]) :][: len(hit.payload)]
    # The checksum field is made to differ from that of the zeroed data by one bit's pattern.
    other = bytearray(harmed)
    other[1000] ^= 1
    stored = crc32c.crc32c(bytes(other), log.frames[-3].crc)
    data = data.replace(varint(hit.crc, size=5), varint(stored, size=5))
    damage = read(bytes(data)).damages[0]
    assert damage.zeros is not None
    assert damage.flip is None


def test_a_wrong_bit_that_gives_an_entry_of_no_place_here_is_not_believed() -> None:
    log = fresh().puts(1, 3).put(4, 1, b"q" * 40).put(5)
    hit = log.frames[-2]
    assert hit.payload is not None
    far = entry(44, 1, b"q" * 40)
    assert len(far) == len(hit.payload)
    harmed = bytearray(far)
    harmed[20] ^= 1
    data = log.done(zeros=64).replace(hit.payload, bytes(harmed))
    data = data.replace(
        varint(hit.crc, size=5), varint(crc32c.crc32c(far, log.frames[-3].crc), size=5)
    )
    damage = read(data).damages[0]
    assert (damage.start, damage.halt) == (hit.start, Halt.CRC)
    assert damage.flip is None


def stale(log: Builder) -> Iterator[int]:
    yield from (each.start for each in log.frames if each.kind == ENTRY)


def test_an_entry_whose_payload_was_never_written_is_no_frame() -> None:
    log = fresh().puts(1, 3)
    payload = entry(4, 1, b"w" * 4000)
    log.add(ENTRY, payload)
    data = bytearray(log.done())
    start = list(stale(log))[-1]
    zeroed(data, start + 600, len(data))
    (damage,) = read(bytes(data)).damages
    assert (damage.start, damage.goes_on, damage.flip) == (start, GoesOn.NOT, None)

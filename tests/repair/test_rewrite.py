"""Logs written anew: what stays byte for byte, how checksums go on, and what is no whole frame."""

from dataclasses import replace

import pytest

from tests.repair.disks import MEMBER, read
from tests.repair.editing import STATE, WAL, built, fixture, puts
from tests.repair.members import bootstrap
from tests.repair.members import frames as frames_by_hand
from tests.wal.builders import ENTRY, Builder, entry, state
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem
from walctl.fs.memory import MemoryFileSystem
from walctl.model.log import Run
from walctl.model.record import HardState
from walctl.repair.newlog import Chain, build_metadata
from walctl.repair.operable import case_to_edit
from walctl.repair.pieces import Copy, Literal, composed
from walctl.repair.plan import Step
from walctl.repair.rewrite import LogEdit, SegmentEdit, frames, rewritten
from walctl.wal.entry_frames import entry_offset

ITEMS = [*bootstrap(1, (1,)), *puts(2, 40, 1, 1)]
CUTS = (20, 40, 60)


def closed(chain: Chain) -> Chain:
    return chain.state(HardState(term=9, vote=0, commit=40))


def log() -> MemoryFileSystem:
    """Four segments, the last with zeros behind it."""
    disk = built(ITEMS, cuts=CUTS)
    assert len(disk.names(WAL)) == 4
    return disk


def steps_of(disk: MemoryFileSystem, edit: LogEdit) -> dict[str, tuple[Step, bytes]]:
    """Every step by its segment, with the bytes that it writes."""
    case = case_to_edit(disk, MEMBER)
    with case.sources() as sources:
        steps = rewritten(case, sources, edit, reason="test", words="for a test")
        made = {}
        for step in steps:
            data = b"".join(composed(step.pieces, sources))
            assert step.after is not None
            assert step.after.size == step.size >= len(data)
            made[step.file.removeprefix("wal/")] = (step, data + bytes(step.size - len(data)))
    return made


def names_of(disk: FileSystem) -> list[str]:
    return sorted(disk.names(WAL))


def test_what_is_appended_leaves_all_in_front_as_it_is() -> None:
    disk = log()
    last = names_of(disk)[-1]
    old = read(disk, WAL / last)
    end = list(frames_by_hand(old))[-1].stop
    made = steps_of(disk, LogEdit(segments={last: SegmentEdit(append=closed)}))
    ((step, data),) = made.values()
    assert data[:end] == old[:end]
    assert len(data) == len(old)
    assert isinstance(step.pieces[0], Copy)
    assert isinstance(step.pieces[1], Literal)
    *_, new = frames_by_hand(data)
    assert (new.kind, new.payload, new.start) == (STATE, state(9, 0, 40), end)


def test_segments_in_front_of_the_first_change_are_not_touched() -> None:
    disk = log()
    names = names_of(disk)
    frame = next(each for each in frames_by_hand(read(disk, WAL / names[1])) if each.kind == ENTRY)
    made = steps_of(
        disk, LogEdit(segments={names[1]: SegmentEdit(without=frozenset({frame.start}))})
    )
    assert list(made) == names[1:]
    running = list(frames(opened(disk, names[0]), 0, size_of(disk, names[0])))[-1].crc
    for name in names[1:]:
        new = [(each.kind, each.payload) for each in frames_by_hand(made[name][1])]
        old = [(each.kind, each.payload) for each in frames_by_hand(read(disk, WAL / name))]
        if name == names[1]:
            old.remove((frame.kind, frame.payload))
        assert new == old
        after = MemoryFileSystem({WAL / name: made[name][1]})
        stop = list(frames_by_hand(made[name][1]))[-1].stop
        heads = list(frames(opened(after, name), 0, stop))
        assert heads[0].crc == running
        running = heads[-1].crc


def opened(disk: MemoryFileSystem, name: str) -> File:
    return disk.open(WAL / name)


def size_of(disk: MemoryFileSystem, name: str) -> int:
    return disk.stat(WAL / name).size


def test_what_is_appended_to_a_sealed_segment_goes_on_in_all_behind_it() -> None:
    disk = log()
    names = names_of(disk)
    made = steps_of(disk, LogEdit(segments={names[2]: SegmentEdit(append=closed)}))
    assert list(made) == names[2:]


def test_other_metadata_are_in_every_segment_and_no_size_is_lost() -> None:
    disk = log()
    raw = build_metadata(node_id=1, cluster_id=0xC1)
    made = steps_of(disk, LogEdit(metadata=raw))
    assert list(made) == names_of(disk)
    for name, (_, data) in made.items():
        assert [each.payload for each in frames_by_hand(data) if each.kind == 1] == [raw]
        end = list(frames_by_hand(data))[-1].stop
        assert len(data) == (size_of(disk, name) if name == names_of(disk)[-1] else end)


def test_a_log_that_is_written_anew_without_a_change_needs_no_step() -> None:
    assert steps_of(log(), LogEdit(is_whole=True)) == {}
    assert steps_of(fixture("etcd-3.5-snapshots"), LogEdit(is_whole=True)) == {}
    assert steps_of(log(), LogEdit()) == {}


def test_a_log_that_begins_later_keeps_the_checksum_that_it_begins_with() -> None:
    disk = log()
    names = names_of(disk)
    later = MemoryFileSystem({WAL / name: read(disk, WAL / name) for name in names[2:]})
    later.make_directory(MEMBER / "member" / "snap")
    assert steps_of(later, LogEdit(is_whole=True)) == {}


def test_frames_are_whole_or_an_error_that_says_where() -> None:
    data = Builder().put(1).put(2).done()
    whole = MemoryFileSystem({WAL / "a.wal": data})
    stops = [each.stop for each in frames(opened(whole, "a.wal"), 0, len(data))]
    assert stops == [each.stop for each in frames_by_hand(data)]
    for stop in range(len(data)):
        if stop in (0, *stops):
            assert len(list(frames(opened(whole, "a.wal"), 0, stop))) == len(
                [each for each in stops if each <= stop]
            )
            continue
        with pytest.raises(AccessError, match=r"a\.wal:\d+: expected a whole frame"):
            list(frames(opened(whole, "a.wal"), 0, stop))


def test_a_frame_that_is_no_record_is_an_error_that_says_where() -> None:
    broken = Builder().put(1).done()[:16] + (8).to_bytes(8, "little") + b"\xff" * 8
    disk = MemoryFileSystem({WAL / "a.wal": broken})
    with pytest.raises(AccessError, match=r"a\.wal:16: "):
        list(frames(opened(disk, "a.wal"), 0, len(broken)))


@pytest.mark.parametrize("wide", [1, 2, 9])
def test_an_entry_is_found_by_counting_in_whatever_form_it_is_written(wide: int) -> None:
    builder = Builder()
    for index in range(1, 30):
        builder.add(ENTRY, entry(index, 1), wide=wide)
        builder.add(STATE, state(1, 1, index))
    data = builder.done(100)
    disk = MemoryFileSystem({WAL / "a.wal": data})
    entries = [each for each in builder.frames if each.kind == ENTRY]
    run = Run(
        segment="a.wal",
        first=1,
        last=29,
        term=1,
        start=entries[0].start,
        stop=entries[-1].stop,
    )
    for index in range(1, 30):
        assert entry_offset(opened(disk, "a.wal"), run, index) == entries[index - 1].start
    longer = replace(run, last=30)
    with pytest.raises(AccessError, match="entry 30 is gone"):
        entry_offset(opened(disk, "a.wal"), longer, 30)


def test_an_entry_whose_type_is_written_in_two_bytes_is_an_entry() -> None:
    payload = entry(2, 1)
    record = b"\x08\x82\x00\x10\x05\x1a" + bytes([len(payload)]) + payload
    padding = -len(record) % 8
    first = Builder().put(1)
    start = len(first.data)
    frame = (len(record) | (0x80 | padding) << 56).to_bytes(8, "little") + record + bytes(padding)
    data = first.done() + frame
    disk = MemoryFileSystem({WAL / "a.wal": data})
    run = Run(segment="a.wal", first=1, last=2, term=1, start=16, stop=len(data))
    assert entry_offset(opened(disk, "a.wal"), run, 2) == start

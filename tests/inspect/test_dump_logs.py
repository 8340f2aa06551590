"""What etcd's reader hands back, held against ReadAll of etcd 3.5.1 on the whole corpus."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK, damaged_member, examined, logs_in, of_kind, said
from tests.wal.builders import (
    ENTRY,
    SNAPSHOT,
    STATE,
    Builder,
    bytes_field,
    entry,
    fresh,
    mark,
    state,
    varint,
)
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import AccessError, CorruptionError, UnsupportedError
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.dump_logs import Dump, dump_logs
from walctl.model.record import Entry, EntryKind, HardState

KINDS = {
    "EntryNormal": EntryKind.NORMAL,
    "EntryConfChange": EntryKind.CONF_CHANGE,
    "EntryConfChangeV2": EntryKind.CONF_CHANGE_V2,
}
OLD_LIMIT = "wal: max entry size limit exceeded"
"""What 3.5.1 says of a length that is too large; since 3.5.7 it takes that for a torn end."""
EVERY = [(name, member) for name in of_kind("scenario") for member in logs_in(name)]
EVERY += [(name, damaged_member(name)) for name in of_kind("damage")]


def told(name: str, member: str) -> list[dict[str, Any]]:
    """What etcd's ReadAll gave for one member, from the beginning and from a snapshot."""
    folder = unpacked(name) / "truth"
    paths = sorted(folder.glob(f"{member}.waljson.*.json"))
    assert paths
    return [json.loads(path.read_bytes()) for path in paths]


def as_told(found: Entry) -> tuple[int, int, EntryKind, int, str]:
    payload = found.payload or b""
    digest = hashlib.sha256(payload).hexdigest()
    return found.index, found.term, found.kind, len(payload), digest


@needs_corpus
@pytest.mark.parametrize(("name", "member"), EVERY)
def test_entries_and_hard_state_are_those_of_etcd_or_its_words_are(name: str, member: str) -> None:
    seen = examined(name, member).survey
    for truth in told(name, member):
        start = truth["start_index"]
        error = truth.get("open_error") or truth.get("readall_error")
        if error == OLD_LIMIT:
            last = said(name)["expected"]["last_good_index"]
            assert dump_logs(DISK, seen.layout, seen, start_index=start).last_index == last
            continue
        if error is not None:
            with pytest.raises(CorruptionError) as caught:
                dump_logs(DISK, seen.layout, seen, start_index=start)
            assert f": {error} (the other outputs" in caught.value.message
            continue
        dump = dump_logs(DISK, seen.layout, seen, start_index=start)
        state = dump.hard_state
        assert truth["hardstate"] == {
            "term": state.term,
            "vote": f"{state.vote:x}",
            "commit": state.commit,
        }
        entries = truth["entries"] or []
        assert dump.last_index == (entries[-1]["index"] if entries else None)
        assert [as_told(found) for found in dump.entries] == [
            (each["index"], each["term"], KINDS[each["type"]], each["len"], each["sha256"])
            for each in entries
        ]


@needs_corpus
@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("s-small-snaps-35", 404),
        ("x-snap-flip-35", 303),
        ("x-snap-newest-missing-35", 303),
        ("x-snap-all-missing-35", None),
        ("a-single-20puts-35", None),
    ],
)
def test_the_log_is_read_from_the_newest_snapshot_that_is_whole(
    name: str, index: int | None
) -> None:
    seen = examined(name, "n1").survey
    dump = dump_logs(DISK, seen.layout, seen)
    assert (dump.snapshot.index if dump.snapshot else None) == index
    assert next(dump.entries).index == (index or 0) + 1


FOLDER = Path("/log")
FIRST = FOLDER / "0000000000000000-0000000000000000.wal"
SECOND = FOLDER / "0000000000000001-0000000000000004.wal"


class Log:
    """Segments on a disk in memory; the second one's name says index 4."""

    def __init__(self, *segments: bytes, names: tuple[Path, ...] = (FIRST, SECOND)) -> None:
        self.disk = MemoryFileSystem(dict(zip(names, segments, strict=False)))

    def dump(self, start_index: int | None = None) -> Dump:
        layout = understand(self.disk, FOLDER)
        return dump_logs(self.disk, layout, survey(self.disk, layout), start_index=start_index)

    def entries(self, start_index: int | None = None) -> list[tuple[int, int, bytes | None]]:
        """Index, term and payload of what is handed back."""
        return [(e.index, e.term, e.payload) for e in self.dump(start_index).entries]


def test_of_overwritten_entries_the_last_are_handed_back() -> None:
    first = fresh().put(1, 1, b"a").put(2, 1, b"b").put(3, 1, b"c").put(2, 2, b"B")
    second = Builder(first.crc).put(3, 2, b"C").put(4, 3, b"D").put(4, 4, b"DD")
    log = Log(first.done(512), second.done())
    wanted = [(1, 1, b"a"), (2, 2, b"B"), (3, 2, b"C"), (4, 4, b"DD")]
    for start in range(5):
        dump = log.dump(start)
        assert [(e.index, e.term, e.payload) for e in dump.entries] == wanted[start:]
        assert dump.last_index == (4 if start < 4 else None)


def test_what_a_shorter_log_took_away_is_not_handed_back() -> None:
    built = fresh().puts(1, 9).put(4, 2, b"new")
    assert [index for index, _, _ in Log(built.done()).entries()] == [1, 2, 3, 4]


@pytest.mark.parametrize("wide", [1, 2, 10])
@pytest.mark.parametrize("record_wide", [1, 3])
@pytest.mark.parametrize("kind", [None, 0, 1])
@pytest.mark.parametrize("data", [None, b"", b"x", b"y" * 300])
def test_an_entry_of_any_form_is_handed_back_as_it_is(
    wide: int, record_wide: int, kind: int | None, data: bytes | None
) -> None:
    built = fresh().put(1)
    built.add(ENTRY, entry(2, 1, data, kind=kind, wide=wide), wide=record_wide)
    built.add(STATE, state(1, 7, 2), wide=record_wide).put(3)
    found = list(Log(built.done(64)).dump().entries)
    assert [each.index for each in found] == [1, 2, 3]
    assert found[1].payload == data
    assert found[1].raw_kind == (kind or 0)
    assert found[1].kind is (EntryKind.CONF_CHANGE if kind else EntryKind.NORMAL)


def test_fields_that_come_twice_or_are_unknown_do_not_shift_the_payload() -> None:
    twice = bytes_field(4, b"first") + entry(2, 1, b"last")
    unknown = entry(3, 1, b"third") + bytes_field(9, b"new") + b"\x10" + varint(1)
    built = fresh().put(1).add(ENTRY, twice).add(ENTRY, unknown).put(4)
    wanted = [(1, 1, b"x"), (2, 1, b"last"), (3, 1, b"third"), (4, 1, b"x")]
    assert Log(built.done()).entries() == wanted


def test_a_frame_longer_than_a_window_is_read_whole() -> None:
    long = bytes(range(256)) * (17 << 10)
    built = fresh().put(1).put(2, 1, long).put(3).puts(4, 160, size=30_000)
    found = list(Log(built.done()).dump().entries)
    assert found[1].payload == long
    assert [each.index for each in found] == list(range(1, 161))
    assert {len(each.payload or b"") for each in found[3:]} == {30_000}


@pytest.mark.parametrize("start", [1, 5, 9])
def test_entries_are_read_one_after_the_other_and_not_before_they_are_asked_for(start: int) -> None:
    log = Log(fresh().puts(1, 9).done())
    dump = log.dump(start - 1)
    log.disk.fail_reads(FIRST, 0, 1 << 20)
    with pytest.raises(AccessError):
        next(dump.entries)


@pytest.mark.parametrize("change", ["shorter", "zeros", "other"])
def test_a_segment_that_changes_meanwhile_is_an_error_at_its_place(change: str) -> None:
    built = fresh().puts(1, 9)
    log = Log(built.done())
    dump = log.dump()
    place = next(each.start for each in built.frames[12:] if each.kind == ENTRY)
    if change == "shorter":
        log.disk.truncate(FIRST, place + 5)
    elif change == "zeros":
        log.disk.write_at(FIRST, place, bytes(len(built.data) - place))
    else:
        log.disk.write_at(FIRST, place + 8, b"\x08\x02\x10\x00\x1a\x03\x18\x63\x10")
    found = []
    with pytest.raises(AccessError, match=f"{FIRST}: changed while it was read") as caught:
        found += [each.index for each in dump.entries]
    assert caught.value.exit_status == 4


def test_entries_behind_what_etcd_takes_for_a_torn_end_are_left_out_aloud() -> None:
    built = fresh().puts(1, 9)
    damaged = bytearray(built.done())
    place = next(each for each in built.frames[8:] if each.kind == ENTRY)
    # The parser then finds the record too short, which is no error to a reader of etcd.
    damaged[place.start + 8 + 9] ^= 0x40
    dump = Log(bytes(damaged)).dump()
    assert dump.last_index is not None
    assert [each.index for each in dump.entries] == list(range(1, dump.last_index + 1))
    assert dump.left_out == (dump.last_index + 1, 9)
    assert Log(built.done()).dump().left_out is None


def test_an_index_with_a_marker_of_a_later_term_can_be_started_from() -> None:
    # etcd refuses to open a log at a marker when it is told another term than the marker's.
    built = fresh().puts(1, 3).puts(4, 6, term=5).add(SNAPSHOT, mark(4, 5)).puts(7, 8, term=5)
    assert [index for index, _, _ in Log(built.done()).entries(4)] == [5, 6, 7, 8]


def test_a_log_without_entries_has_no_last_index() -> None:
    dump = Log(fresh().done(512)).dump()
    assert (dump.last_index, list(dump.entries)) == (None, [])
    assert dump.hard_state == HardState(term=0, vote=0, commit=0)
    assert dump.metadata is not None
    assert dump.metadata.node_id == 0x1234


def test_a_log_whose_beginning_was_purged_needs_a_start_index() -> None:
    first = fresh().puts(1, 3)
    log = Log(Builder(first.crc).puts(4, 6).done(), names=(SECOND,))
    with pytest.raises(CorruptionError, match=r"^/log: etcd .*: wal: file not found "):
        log.dump()
    assert [index for index, _, _ in log.entries(4)] == [5, 6]


def test_a_gap_stops_etcd_at_its_place() -> None:
    built = fresh().puts(1, 3)
    place = len(built.data)
    log = Log(built.puts(5, 6).done())
    with pytest.raises(CorruptionError) as caught:
        log.dump()
    assert caught.value.message.startswith(f"{FIRST.name}:{place}: ")
    assert ": wal: slice bounds out of range (" in caught.value.message


def test_a_path_without_a_log_is_told() -> None:
    disk = MemoryFileSystem({Path("/snap/db"): b""})
    layout = understand(disk, Path("/snap"))
    with pytest.raises(UnsupportedError, match="/snap: folder of snapshots, which holds no log"):
        dump_logs(disk, layout, survey(disk, layout))

"""Log and state told row by row: each entry once, in order, with what became of it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.unpack import unpack
from tests.corpus import copy_tree, needs_corpus, unpacked
from tests.machine.replays import surveyed
from walctl.errors import StoppedError
from walctl.fs.real import RealFileSystem
from walctl.inspect.export import Sinks, export
from walctl.inspect.export_rows import ENTRIES, KEYS, REQUESTS, Row, Table
from walctl.inspect.state import Wish, replayed
from walctl.machine.base import Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.replay.apply import committed
from walctl.replay.ground import Base
from walctl.wal.entry_frames import entry_offset

DISK = RealFileSystem()


@dataclass
class Kept:
    """Keeps the rows by the names of their columns."""

    table: Table
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: Row) -> None:
        names = (column.name for column in self.table.columns)
        self.rows.append(dict(zip(names, row, strict=True)))

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def told(path: Path, **wish: Any) -> tuple[Kept, Kept, Kept]:
    sinks = Kept(ENTRIES), Kept(REQUESTS), Kept(KEYS)
    taker = Sinks(entries=sinks[0], requests=sinks[1], keys=sinks[2])
    export(DISK, surveyed(path), Wish(**wish), taker)
    return sinks


def test_every_entry_is_told_once_with_its_frame(tmp_path: Path) -> None:
    path = unpack("etcd-3.5-two-segments", tmp_path / "n1")
    seen = surveyed(path)
    entries, requests, _ = told(path)
    assert entries.column("index") == list(range(1, (seen.log.last or 0) + 1))
    assert len(set(entries.column("segment"))) == 2
    for row in entries.rows:
        run = seen.log.run_of(row["index"])
        assert run is not None
        with DISK.open(path / "member/wal" / run.segment) as file:
            assert row["segment"] == run.segment
            assert row["offset"] == entry_offset(file, run, row["index"])
        assert row["bytes"] % 8 == 0
        assert row["payload_bytes"] < row["bytes"]
    kinds = dict(zip(entries.column("index"), entries.column("request_kind"), strict=True))
    for row in requests.rows:
        if row["ordinal"] == 0:
            assert kinds.pop(row["index"]) == row["kind"]
    assert set(kinds.values()) <= {"noop"}


def test_revisions_are_those_of_the_state(tmp_path: Path) -> None:
    path = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    entries, _, keys = told(path)
    machine = replayed(DISK, surveyed(path), Wish()).machine
    assert isinstance(machine, Etcd)
    made = [each for each in entries.column("revision") if each is not None]
    assert made == list(range(2, machine.store.revision + 1))
    assert {row["key"]: row["mod_revision"] for row in keys.rows} == {
        row.key: row.mod_revision for row in machine.store.range(b"\0", b"\0")
    }


def test_until_ends_the_tables(tmp_path: Path) -> None:
    path = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    last = (surveyed(path).log.last or 0) - 1
    entries, requests, _ = told(path, until=str(last), base=Base.NOTHING)
    assert entries.column("index") == list(range(1, last + 1))
    assert max(requests.column("index")) <= last


def test_what_is_not_committed_is_told_as_such_and_without_an_outcome(tmp_path: Path) -> None:
    path = unpack("etcd-3.5-killed", tmp_path / "n1")
    seen = surveyed(path)
    safe, last = committed(seen), seen.log.last or 0
    placed = seen.last_state
    assert placed is not None
    state = replace(placed, state=replace(placed.state, commit=safe - 2))
    cut = replace(seen, last_state=state, database=None, database_exists=False)
    kept = Kept(ENTRIES), Kept(REQUESTS), Kept(KEYS)
    sinks = Sinks(entries=kept[0], requests=kept[1], keys=kept[2])
    export(DISK, cut, Wish(), sinks)
    statuses = dict(zip(kept[0].column("index"), kept[0].column("status"), strict=True))
    assert statuses[safe - 2] == "committed"
    assert {statuses[index] for index in range(safe - 1, last + 1)} == {"uncommitted"}
    assert {row["outcome"] for row in kept[0].rows if row["status"] == "uncommitted"} == {None}


def test_who_asks_to_stop_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walctl.inspect.export.STEP_ENTRIES", 4)
    path = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    kept = Kept(ENTRIES), Kept(REQUESTS), Kept(KEYS)
    sinks = Sinks(entries=kept[0], requests=kept[1], keys=kept[2])
    with pytest.raises(StoppedError, match="at entry 4"):
        export(DISK, surveyed(path), Wish(), sinks, is_stopped=lambda: True)
    assert kept[0].column("index") == [1, 2, 3]


@needs_corpus
def test_where_the_first_way_ends_its_outcomes_stay_and_nothing_is_told_twice() -> None:
    entries, requests, keys = told(unpacked("x-zero-page-mid-35") / "n1")
    indexes = entries.column("index")
    assert indexes == sorted(set(indexes))
    applied = [row["index"] for row in entries.rows if row["outcome"] is not None]
    assert applied == list(range(1, 231))
    assert indexes[-1] == 477
    assert set(requests.column("index")) <= set(indexes)
    assert len(keys.rows) == 57


@needs_corpus
def test_an_entry_that_ends_the_replay_says_so(tmp_path: Path) -> None:
    path = unpacked("b-single-allops-35") / "n1"

    class Stubborn(Etcd):
        def apply(self, entry: Any) -> Any:
            result = super().apply(entry)
            is_end = entry.index == 40
            return result._replace(outcome=Outcome.FATAL, words="no") if is_end else result

    entries, _, _ = told(path, make=Stubborn, machine="x:Y", base=None)
    row = entries.rows[39]
    assert (row["index"], row["outcome"], row["words"]) == (40, "fatal", "no")
    assert {each["outcome"] for each in entries.rows[40:]} == {None}


@needs_corpus
def test_a_map_without_revisions_has_keys_and_values() -> None:
    path = unpacked("f-raftexample-35") / "raftexample-1"
    _, requests, keys = told(path)
    machine = replayed(DISK, surveyed(path), Wish()).machine
    assert isinstance(machine, Kv)
    assert {row["key"]: row["value"] for row in keys.rows} == machine.pairs
    assert {row["mod_revision"] for row in keys.rows} == {None}
    assert {"put", "conf_change"} == set(requests.column("kind"))


@needs_corpus
@pytest.mark.parametrize("machine", ["none"])
def test_without_a_machine_the_log_is_told_alone(machine: str, tmp_path: Path) -> None:
    path = copy_tree(unpacked("a-single-20puts-35") / "n1", tmp_path / "n1")
    entries, requests, keys = told(path, machine=machine)
    assert entries.column("index") == list(range(1, len(entries.rows) + 1))
    assert set(entries.column("outcome")) == {None}
    assert (bool(requests.rows), keys.rows) == (True, [])


@needs_corpus
def test_an_entry_in_a_damaged_frame_is_left_out_and_no_other(tmp_path: Path) -> None:
    """The database has its effect; what is behind it is applied all the same."""
    path = tmp_path / "n1"
    copy_tree(unpacked("x-follower-tail-lost-34") / "n3", path)
    (segment,) = (path / "member/wal").glob("*.wal")
    seen = surveyed(path)
    run = seen.log.run_of(97)
    assert run is not None
    with DISK.open(segment) as file:
        offset = entry_offset(file, run, 97)
    data = bytearray(segment.read_bytes())
    data[offset + 40] ^= 1
    segment.write_bytes(data)
    entries, _, _ = told(path)
    last = seen.log.last or 0
    assert entries.column("index") == [each for each in range(1, last + 1) if each != 97]
    outcomes = dict(zip(entries.column("index"), entries.column("outcome"), strict=True))
    assert outcomes[last] is not None

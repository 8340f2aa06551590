"""Logs of a lab's own map: every command reads its deletes, its swaps and its marked snapshots."""

import json
from pathlib import Path

import pytest

from formats.gob import Pair, build_pair
from formats.kvpb import build_delete, build_swap
from formats.raftpb import CONF_CHANGE, ConfChange
from tests.cli.commands import Tell
from walctl.fs.real import RealFileSystem
from walctl.machine.kv import Kv
from walctl.model.record import ConfState, Entry, EntryKind, HardState, SnapshotMark
from walctl.raft.types import Entry as Committed
from walctl.snap.writer import Snapshot, write_snap
from walctl.wal.writer import Wal

DISK = RealFileSystem()
CONF = ConfState(voters=(1,))
PAYLOADS = [
    CONF_CHANGE.build(ConfChange(type=0, node_id=1)),
    build_pair(Pair(b"/bin", b"\xff\xfe")),
    build_pair(Pair(b"/a", b"old-value")),
    build_swap(b"/a", b"old-value", b"new-value"),
    build_swap(b"/a", b"old-value", b"refused"),
    build_swap(b"/b", None, b"fresh"),
    build_delete(b"/a"),
    build_delete(b"/a"),
]
MARKED_AT = 4
"""A snapshot is taken after this entry."""
KINDS = (EntryKind.NORMAL, EntryKind.CONF_CHANGE)


def log_entries() -> list[Entry]:
    return [
        Entry(index=index, term=1, kind=KINDS[index == 1], raw_kind=index == 1, payload=payload)
        for index, payload in enumerate(PAYLOADS, 1)
    ]


def state_at(index: int) -> Kv:
    machine = Kv()
    for at, payload in enumerate(PAYLOADS[:index], 1):
        machine.apply(Committed(1, at, int(at == 1), payload))
    return machine


@pytest.fixture(params=["raftexample-1", "member/wal"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What a command is given: raftexample's pair of folders, or etcd's layout."""
    name: str = request.param
    wal_dir = tmp_path / name
    snap_dir = tmp_path / ("member/snap" if "/" in name else f"{name}-snap")
    snap_dir.mkdir(parents=True)
    mark = SnapshotMark(index=MARKED_AT, term=1, conf_state=CONF)
    with Wal.create(DISK, wal_dir, metadata=None) as wal:
        wal.save(HardState(term=1, vote=1, commit=MARKED_AT), log_entries()[:MARKED_AT])
        data = state_at(MARKED_AT).snapshot()
        write_snap(DISK, snap_dir, Snapshot(index=MARKED_AT, term=1, conf_state=CONF, data=data))
        wal.save_snapshot(mark)
        wal.save(HardState(term=1, vote=1, commit=len(PAYLOADS)), log_entries()[MARKED_AT:])
    return tmp_path if "/" in name else wal_dir


def test_dump_names_the_requests_with_key_and_value(tell: Tell, log: Path) -> None:
    told = tell("dump", log, "-o", "ndjson")
    rows = [json.loads(line) for line in told.out.splitlines()]
    found = [row["request"] for row in rows if row.get("request")]
    kinds = "conf_change put put cas cas cas delete delete"
    assert [each["type"] for each in found] == kinds.split()
    assert found[3]["cas"] == {
        "key": {"data": "L2E=", "text": "/a"},
        "expected": {"data": "b2xkLXZhbHVl", "text": "old-value"},
        "value": {"data": "bmV3LXZhbHVl", "text": "new-value"},
    }
    assert "expected" not in found[5]["cas"]
    assert found[6]["delete"] == {"key": {"data": "L2E=", "text": "/a"}}
    text = tell("dump", log).out
    assert 'cas "/a": "old-value" -> "new-value"' in text
    assert 'cas "/b": nothing -> "fresh"' in text
    assert 'delete "/a"' in text


@pytest.mark.parametrize("output", ["text", "ndjson", "hex", "csv"])
def test_what_is_redacted_is_in_no_output(tell: Tell, log: Path, output: str) -> None:
    told = tell("dump", log, "-o", output, "--redact", "values")
    for hidden in ("value", "fresh", "b2xkLXZhbHVl", "6f6c642d"):
        assert f"old-{hidden}" not in told.out
        assert hidden == "value" or hidden not in told.out


def test_replay_follows_them(tell: Tell, log: Path) -> None:
    found = json.loads(tell("replay", log, "-o", "json").out)
    assert found["machine"]["kind"] == "kv"
    assert found["machine"]["digest"] == state_at(len(PAYLOADS)).digest()
    assert found["machine"]["requests"] == {
        "conf_change": {"applied": 1},
        "put": {"applied": 2},
        "cas": {"applied": 2, "refused": 1},
        "delete": {"applied": 1, "unchanged": 1},
    }
    assert tell("replay", log, "--keys").out.splitlines() == [
        '"/b" = "fresh"',
        r'"/bin" = "\xff\xfe"',
    ]


def test_the_history_of_a_key_has_its_end(tell: Tell, log: Path) -> None:
    told = tell("replay", log, "--key", "/a", "--history").out
    assert [line.strip() for line in told.splitlines()[1:]] == [
        'entry 3 (term 1) put: "old-value"',
        'entry 4 (term 1) cas: "new-value"',
        "entry 7 (term 1) delete: deleted",
    ]


def test_a_member_whose_log_begins_at_a_marked_snapshot_is_replayed_from_it(
    tell: Tell, tmp_path: Path
) -> None:
    wal_dir, snap_dir = tmp_path / "raftexample-1", tmp_path / "raftexample-1-snap"
    snap_dir.mkdir()
    with Wal.create(DISK, wal_dir, metadata=None) as wal:
        data = state_at(MARKED_AT).snapshot()
        assert data.startswith(b'{"walctl":1,')
        write_snap(DISK, snap_dir, Snapshot(index=MARKED_AT, term=1, conf_state=CONF, data=data))
        wal.save(HardState(term=1, vote=1, commit=MARKED_AT), [])
        wal.save_snapshot(SnapshotMark(index=MARKED_AT, term=1, conf_state=CONF))
        wal.save(HardState(term=1, vote=1, commit=len(PAYLOADS)), log_entries()[MARKED_AT:])
    found = json.loads(tell("replay", wal_dir, "-o", "json").out)
    assert (found["machine"]["base"], found["machine"]["built_from"]) == ("snapshot", MARKED_AT)
    assert found["machine"]["digest"] == state_at(len(PAYLOADS)).digest()


def test_stats_counts_them_and_verify_finds_nothing(tell: Tell, log: Path) -> None:
    told = tell("stats", log)
    assert told.status == 0
    assert {"cas", "delete", "put"} <= set(told.out.split())
    told = tell("verify", log)
    assert told.status == 0, told.out
    assert "raftexample directory" in " ".join(told.out.split())

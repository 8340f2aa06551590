"""Real directories loaded as a starting member would, beside what etcd's own code read of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK, examined, logs_in, of_kind, said
from tests.replay.stored import everything
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import UsageError
from walctl.raft.types import Entry
from walctl.replay.load import load, start
from walctl.replay.storedlog import StoredLog

pytestmark = needs_corpus
KINDS = {"EntryNormal": 0, "EntryConfChange": 1, "EntryConfChangeV2": 2}


def members() -> list[tuple[str, str]]:
    return [(name, member) for name in of_kind("scenario") for member in logs_in(name)]


def truth_of(name: str, member: str) -> dict[str, Any]:
    """What etcd's ReadAll gave: from the log's beginning, else from the newest snapshot."""
    folder = unpacked(name) / "truth"
    for point in ("from0", "latest"):
        path = folder / f"{member}.waljson.{point}.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        if not found.get("readall_error"):
            break
    assert isinstance(found, dict)
    return found


def row_of(entry: Entry) -> tuple[int, int, int, int, str]:
    data = entry.data or b""
    kind = entry.type or 0
    return entry.index, entry.term, kind, len(data), hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("name", "member"), members())
def test_a_whole_directory_loads_as_etcd_reads_it(name: str, member: str) -> None:
    storage = load(DISK, examined(name, member).survey)
    truth, manifest = truth_of(name, member), said(name)["per_member"][member]["truth"]
    state, conf = storage.initial_state()
    assert state.term == manifest["wal"]["hardstate"]["term"]
    assert f"{state.vote:x}" == manifest["wal"]["hardstate"]["vote"]
    assert state.commit == manifest["wal"]["hardstate"]["commit"]
    snapshot = storage.snapshot()
    if not snapshot.is_empty:
        file = manifest["snap_files"][f"{snapshot.term:016x}-{snapshot.index:016x}.snap"]
        assert (snapshot.index, snapshot.term) == (file["index"], file["term"])
        assert list(conf.voters) == file["conf_state"].get("voters", [])
        assert hashlib.sha256(snapshot.data or b"").hexdigest() == file["data_sha256"]
    entries = everything(storage)
    expected = [
        (each["index"], each["term"], KINDS[each["type"]], each["len"], each["sha256"])
        for each in truth["entries"]
        if each["index"] > snapshot.index
    ]
    assert [row_of(each) for each in entries] == expected
    assert storage.last_index() == max(manifest["wal"]["last_index"] or 0, snapshot.index)


@pytest.mark.parametrize(("name", "member"), members())
def test_the_log_itself_is_the_same_storage(name: str, member: str) -> None:
    seen = examined(name, member).survey
    memory = load(DISK, seen)
    with StoredLog.of(DISK, seen) as stored:
        assert stored.initial_state() == memory.initial_state()
        assert stored.snapshot() == memory.snapshot()
        low, high = memory.first_index(), memory.last_index() + 1
        assert (stored.first_index(), stored.last_index() + 1) == (low, high)
        assert everything(stored) == everything(memory)
        assert [stored.term(i) for i in range(low - 1, high)] == [
            memory.term(i) for i in range(low - 1, high)
        ]


@pytest.mark.parametrize(("name", "member"), members())
def test_a_node_starts_on_it(name: str, member: str) -> None:
    truth = said(name)["per_member"][member]["truth"]["wal"]
    started = start(DISK, examined(name, member).survey)
    assert started.hard_state.commit == truth["hardstate"]["commit"]
    assert started.last_index == max(truth["last_index"] or 0, started.snapshot_index)


def test_behind_a_gap_there_is_nothing_for_a_starting_member(tmp_path: Path) -> None:
    name = "m-segments-nosnap-35"
    source = unpacked(name) / logs_in(name)[0] / "member" / "wal"
    names = sorted(each.name for each in source.glob("*.wal"))
    for each in (names[0], *names[2:]):
        (tmp_path / each).symlink_to(source / each)
    storage = load(DISK, survey(DISK, understand(DISK, tmp_path)))
    assert storage.last_index() == int(names[1].split("-")[1].split(".")[0], 16) - 1


def test_what_has_no_log_says_so() -> None:
    path = unpacked("a-single-20puts-35") / "n1" / "member" / "snap" / "db"
    with pytest.raises(UsageError, match="expected a log, found one database"):
        load(DISK, survey(DISK, understand(DISK, path)))

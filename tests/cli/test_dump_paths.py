"""What `walctl dump` is pointed at: several logs, parts of one, nothing, and what is no log."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.dumping import CLEAN, TWO_SEGMENTS, dump, member, rows, whole
from tests.corpus import copy_tree, needs_corpus, unpacked

FIRST, SECOND = CLEAN[0], "etcd-3.5-killed"


def log_below(name: str, target: Path) -> Path:
    """A copy of a member's segments at `target`."""
    return copy_tree(member(name) / "member" / "wal", target)


def test_several_logs_of_text_come_one_after_the_other_each_under_its_path() -> None:
    first, second = member(FIRST), member(SECOND)
    told = dump(first, second)
    alone = [dump(path).out for path in (first, second)]
    assert (told.status, told.err) == (0, "")
    assert told.out == f"{first}:\n{alone[0]}\n{second}:\n{alone[1]}"


def test_several_logs_of_json_say_with_each_row_whose_it_is() -> None:
    paths = [member(FIRST), member(SECOND)]
    expected = [
        {"path": str(path), **row} for path in paths for row in rows(path, "--redact", "none")
    ]
    lines = dump("-o", "ndjson", "--redact", "none", *paths)
    assert [json.loads(line) for line in lines.out.splitlines()] == expected
    document = dump("-o", "json", "--redact", "none", *paths)
    assert json.loads(document.out) == {"v": 1, "records": expected}
    assert (lines.status, document.status) == (0, 0)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("output", ["text", "ndjson", "json"])
def test_a_missing_one_is_told_and_the_others_are_shown(
    tmp_path: Path, place: int, output: str
) -> None:
    paths = [member(FIRST), member(SECOND)]
    missing = tmp_path / "missing"
    both = dump("-o", output, *paths)
    told = dump("-o", output, *paths[:place], missing, *paths[place:])
    assert told.out == both.out
    assert told.status == 4
    assert told.err == f"walctl: {missing}: No such file or directory\n"


def test_what_holds_no_log_is_told_among_others_too() -> None:
    path = member(FIRST)
    database = path / "member" / "snap" / "db"
    told = dump("-o", "ndjson", database, path)
    assert told.status == 4
    assert told.err == f"walctl: {database}: one database, which holds no log\n"
    assert len(told.out.splitlines()) == len(whole(FIRST))


def test_rows_are_counted_for_each_log_by_itself() -> None:
    paths = [member(FIRST), member(SECOND)]
    found = rows(paths[0], "-n", "3"), rows(paths[1], "-n", "3")
    assert [len(each) for each in found] == [3, 3]
    lines = dump("-o", "ndjson", "-n", "3", *paths).out.splitlines()
    assert len(lines) == 6


@pytest.mark.parametrize("output", ["csv", "hex", "dump-logs"])
def test_forms_without_a_path_take_one_log(output: str) -> None:
    told = dump("-o", output, member(FIRST), member(SECOND))
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)


# --- Fabric


@pytest.fixture
def orderer(tmp_path: Path) -> Path:
    """What a Fabric orderer has: a folder of segments and one of snapshots for each channel."""
    folder = tmp_path / "etcdraft"
    for channel, name in (("audit", SECOND), ("orders", FIRST)):
        log_below(name, folder / "wal" / channel)
        snaps = folder / "snapshot" / channel
        snaps.mkdir(parents=True)
        for path in member(name).rglob("*.snap"):
            shutil.copy(path, snaps)
    return folder


@pytest.mark.parametrize("at", ["", "wal"])
def test_the_channels_of_an_orderer_are_several_logs(orderer: Path, at: str) -> None:
    told = dump("-o", "ndjson", orderer / at)
    assert (told.status, told.err) == (0, "")
    found = [json.loads(line) for line in told.out.splitlines()]
    paths = [str(orderer / "wal" / channel) for channel in ("audit", "orders")]
    assert list(dict.fromkeys(row["path"] for row in found)) == paths
    assert len(found) == len(whole(FIRST)) + len(whole(SECOND))


def test_one_channel_is_one_log_and_has_its_snapshots(orderer: Path) -> None:
    snap = rows(orderer / "wal" / "orders", "--snap-dir", str(orderer / "snapshot" / "orders"))
    assert len(snap) == len(whole(FIRST))
    begun = dump("-s", "snap", "-o", "ndjson", orderer)
    of_orders = [
        row
        for row in map(json.loads, begun.out.splitlines())
        if row["path"].endswith("orders") and row["type"] == "entry"
    ]
    newest = max(int(path.stem[17:], 16) for path in (orderer / "snapshot/orders").iterdir())
    assert of_orders[0]["index"] == newest


def test_a_channel_that_cannot_be_read_does_not_hide_the_others(orderer: Path) -> None:
    segment = next((orderer / "wal" / "audit").glob("*.wal"))
    segment.unlink()
    segment.mkdir()
    told = dump("-o", "ndjson", orderer)
    assert told.status == 4
    assert told.err.count("\n") == 1
    assert len(told.out.splitlines()) == len(whole(FIRST))


# --- parts, and what is none


@pytest.mark.parametrize("part", ["", "member", "member/wal"])
def test_a_member_may_be_named_by_its_parts(part: str) -> None:
    assert rows(member(FIRST) / part, "--redact", "none") == list(whole(FIRST))


@pytest.mark.slow
def test_one_segment_is_shown_alone() -> None:
    (path, *_) = sorted(member(TWO_SEGMENTS).rglob("*.wal"))
    expected = [row for row in whole(TWO_SEGMENTS) if row["segment"] == path.name]
    found = rows(path, "--redact", "none")
    assert [row["offset"] for row in found] == [row["offset"] for row in expected]


def test_a_split_layout_is_put_together(tmp_path: Path) -> None:
    log = log_below(FIRST, tmp_path / "elsewhere")
    data = tmp_path / "data"
    copy_tree(member(FIRST) / "member" / "snap", data / "member" / "snap")
    assert rows(data, "--wal-dir", str(log), "--redact", "none") == list(whole(FIRST))
    snap = rows(data, "--wal-dir", str(log), "-s", "snap")
    assert snap == rows(member(FIRST), "-s", "snap")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("member/snap/db", "one database, which holds no log"),
        ("member/snap", "folder of snapshots, which holds no log"),
        ("snap-file", "one snapshot file, which holds no log"),
        ("nothing", "No such file or directory"),
    ],
)
@pytest.mark.parametrize("output", ["text", "json", "dump-logs"])
def test_what_holds_no_log_is_one_line_and_4(path: str, words: str, output: str) -> None:
    at = member(FIRST) / path
    if path == "snap-file":
        (at, *_) = sorted(member(FIRST).rglob("*.snap"))
    told = dump("-o", output, at)
    assert (told.status, told.out) == (4, "")
    assert told.err == f"walctl: {at}: {words}\n"


def test_a_foreign_file_and_a_foreign_folder_are_one_line_and_4(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("nothing of etcd's\n" * 10)
    for path in (notes, tmp_path, Path("/dev/null")):
        told = dump(path)
        assert (told.status, told.out, told.err.count("\n")) == (4, "", 1)
        assert str(path) in told.err


@pytest.mark.parametrize("output", ["text", "ndjson", "json", "csv", "hex"])
def test_an_empty_log_has_no_rows_in_any_form(tmp_path: Path, output: str) -> None:
    (tmp_path / "member" / "wal").mkdir(parents=True)
    told = dump("-o", output, tmp_path)
    assert told.status == 0
    if output == "json":
        assert json.loads(told.out) == {"v": 1, "records": []}
    elif output == "csv":
        assert told.out.startswith("kind,")
        assert told.out.count("\n") == 1
    else:
        assert told.out == ""
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("name", ["empty", "zeros"])
def test_a_segment_without_a_record_is_told_by_its_damage_or_not_at_all(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "0000000000000000-0000000000000000.wal").write_bytes(
        b"" if name == "empty" else bytes(4096)
    )
    told = dump("-o", "json", tmp_path)
    assert told.status == 0
    assert all(row["kind"] == "finding" for row in json.loads(told.out)["records"])


@pytest.mark.parametrize("words", [(), ("--tail", "3"), ("--damage-only",), ("-n", "0")])
@pytest.mark.parametrize("name", [FIRST, "zero-page"])
def test_json_is_one_document_whatever_is_chosen(name: str, words: tuple[str, ...]) -> None:
    told = dump("-o", "json", *words, member(name))
    found = json.loads(told.out)["records"]
    assert found == rows(member(name), *words)
    checked = subprocess.run(
        [sys.executable, "-m", "json.tool"],
        input=told.out.encode(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, b"")


# --- what etcd-dump-logs prints


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-35", "s-small-snaps-35"])
def test_dump_logs_is_what_was_recorded(name: str) -> None:
    """All but long lines, of which the recorder kept the beginning."""
    recorded = (unpacked(name) / "truth" / "n1.dump-logs-3.5.1.txt").read_text()
    told = dump("-o", "dump-logs", "--redact", "none", unpacked(name) / "n1")
    assert (told.status, told.err) == (0, "")
    expected = [line for line in recorded.split("\n") if not line.startswith('{"level":')]
    found = told.out.split("\n")
    assert len(found) == len(expected)
    same = 0
    for line, want in zip(found, expected, strict=True):
        begin, cut, _ = want.partition("...[line of ")
        if "<value removed>" in want:
            begin, _, _ = want.partition("<value removed>")
            cut = "removed"
        assert line.startswith(begin) if cut else line == want
        same += not cut
    assert same > 50


# --- programs that read payloads


def program(tmp_path: Path, text: str) -> str:
    path = tmp_path / "decoder.py"
    path.write_text(textwrap.dedent(text))
    return f"{sys.executable} {path}"


DIES_AT_ONCE = "raise SystemExit(3)"
DIES_LATER = """
    import sys
    for number, line in enumerate(sys.stdin):
        if number == 5:
            raise SystemExit("no more")
        print('{"type":"put","key":"k"}', flush=True)
"""
NONSENSE = """
    import sys
    for line in sys.stdin:
        print("nonsense \\x1b[31m", flush=True)
"""
NO_END = """
    import sys
    for line in sys.stdin:
        while True:
            sys.stdout.write("x" * 65536)
"""
HANGS = """
    import sys, time
    for line in sys.stdin:
        time.sleep(60)
"""
GOOD = """
    import base64, json, sys
    for line in sys.stdin:
        size = len(base64.b64decode(json.loads(line)["data"]))
        print(json.dumps({"type": "sized", "size": size}), flush=True)
"""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(DIES_AT_ONCE, id="dies at once"),
        pytest.param(DIES_LATER, id="dies later"),
        pytest.param(NONSENSE, id="nonsense"),
        pytest.param(NO_END, id="no end", marks=pytest.mark.slow),
        pytest.param(HANGS, id="hangs", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("output", ["text", "ndjson"])
def test_a_decoder_that_fails_is_one_line_and_4(tmp_path: Path, text: str, output: str) -> None:
    told = dump("-o", output, "--decoder-cmd", program(tmp_path, text), member(FIRST))
    assert told.status == 4
    assert told.err.startswith("walctl: ")
    assert told.err.count("\n") == 1
    assert "\x1b" not in told.out + told.err
    if text is DIES_LATER:
        assert "put" in told.out


def test_a_program_that_is_not_there_is_one_line_and_4() -> None:
    told = dump("--decoder-cmd", "/no/such/program", member(FIRST))
    assert (told.status, told.err.count("\n")) == (4, 1)
    assert "/no/such/program" in told.err


def test_a_decoder_that_works_says_what_each_payload_is(tmp_path: Path) -> None:
    found = rows(member(FIRST), "--decoder-cmd", program(tmp_path, GOOD), "-r", "entry")
    assert found
    for row in found:
        if row["size"]:
            assert row["request"]["size"] == row["size"]
            assert row["request"]["type"] == "sized"


STREAM = """
    import sys
    for line in sys.stdin:
        print("OK|" + str(len(line.strip()) // 2) + " bytes", flush=True)
"""


def test_a_decoder_of_etcd_dump_logs_works_in_every_form(tmp_path: Path) -> None:
    command = program(tmp_path, STREAM)
    found = rows(member(FIRST), "--stream-decoder", command, "-r", "entry", "--redact", "none")
    for row in found:
        if row["size"]:
            assert row["request"]["data"] == f"{row['size']} bytes"
    logs = dump("-o", "dump-logs", "--stream-decoder", command, member(FIRST))
    assert (logs.status, logs.err) == (0, "")
    assert logs.out.count(" bytes") > 10


def test_no_process_of_a_decoder_is_left(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"""
        import os, pathlib, sys
        pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))
        for line in sys.stdin:
            print('{{"type":"put","key":"k"}}', flush=True)
    """
    assert dump("-n", "20", "--decoder-cmd", program(tmp_path, text), member(FIRST)).status == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)

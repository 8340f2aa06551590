"""`walctl dump` as it is typed: which records, in which form, and how it ends."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import ROOT, WALCTL, Tell, Told, environment
from tests.corpus import fingerprint

FIRST = "0000000000000000-0000000000000000.wal"


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("etcd-3.5-snapshots", tmp_path_factory.mktemp("dump") / "member.etcd")


@pytest.fixture
def dumped(tell: Tell, member: Path) -> Any:
    """The rows of a dump with some options, as objects."""

    def told(*words: str) -> list[dict[str, Any]]:
        answer = tell("dump", "-o", "ndjson", *words, member)
        assert (answer.status, answer.err) == (0, "")
        return [json.loads(line) for line in answer.out.splitlines()]

    return told


def test_every_form_has_the_same_rows_and_nothing_is_written(tell: Tell, member: Path) -> None:
    before = fingerprint(member)
    text = tell("dump", member).out
    lines = tell("dump", "-o", "ndjson", member).out.splitlines()
    document = json.loads(tell("dump", "-o", "json", member).out)
    assert document["records"] == [json.loads(line) for line in lines]
    assert len(text.splitlines()) == len(lines) + 1  # the segment's name
    assert fingerprint(member) == before


def test_positions_are_indexes_and_both_ends_are_included(dumped: Any) -> None:
    found = dumped("-s", "40", "-e", "44", "-r", "entry")
    assert [row["index"] for row in found] == [40, 41, 42, 43, 44]
    assert {row["status"] for row in found} == {"committed"}


def test_positions_are_offsets_too_as_errors_print_them(dumped: Any) -> None:
    some = dumped("-n", "20")
    start, stop = some[7]["offset"], some[11]["offset"]
    found = dumped("-s", f"{FIRST}:{start}", "-e", f"{FIRST}:{stop}")
    assert found == some[7:12]


def test_snap_is_the_newest_snapshot_that_a_start_would_take(dumped: Any) -> None:
    newest = max(mark["index"] for mark in dumped("-r", "snapshot"))
    found = dumped("-s", "snap")
    assert found == dumped("-s", str(newest))
    assert found[0]["index"] == newest
    entries = [row["index"] for row in found if row["type"] == "entry"]
    assert entries == list(range(newest, entries[-1] + 1))


def test_types_and_limit_choose_rows(dumped: Any) -> None:
    assert {row["type"] for row in dumped("-r", "state", "-r", "crc")} == {"state", "crc"}
    assert len(dumped("-n", "3")) == 3


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        ("x", "x is no position"),
        ("-5", "is no position"),
        ("٣", "is no position"),
        ("other.wal:5", "no segment is called other.wal"),
        (f"{FIRST}:", "is no position"),
        (f"{FIRST}:-1", "is no position"),
        ("", "is no position"),
        ("9" * 21, "is no position"),
        ("9" * 5000, "is no position"),
        (f"{FIRST}:{'9' * 5000}", "is no position"),
    ],
)
def test_a_wrong_position_is_a_wrong_command_line(
    tell: Tell, member: Path, position: str, reason: str
) -> None:
    told = tell("dump", f"--start={position}", member)
    assert (told.status, told.out) == (2, "")
    assert reason in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("position", ["999999", str(2**64 - 1)])
def test_a_position_behind_the_end_gives_no_rows(tell: Tell, member: Path, position: str) -> None:
    told = tell("dump", "-s", position, member)
    note = "walctl: no record there; the log holds entries 1–124\n"
    assert (told.status, told.out, told.err) == (0, "", note)


@pytest.mark.parametrize("part", ["member/snap/db", "member/snap"])
def test_what_holds_no_log_cannot_be_dumped(tell: Tell, member: Path, part: str) -> None:
    told = tell("dump", member / part)
    assert (told.status, told.out) == (4, "")
    assert "holds no log" in told.err


def test_damage_is_shown_and_does_not_change_the_status(tell: Tell, tmp_path: Path) -> None:
    path = unpack("zero-page", tmp_path / "member.etcd")
    told = tell("dump", path)
    assert (told.status, told.err) == (0, "")
    assert "!! zero-hole: " in told.out


def test_a_reader_that_has_seen_enough_ends_it_without_a_word(member: Path) -> None:
    """As with `| head -1`; the records are more than a pipe holds."""
    process = subprocess.Popen(
        [*WALCTL, "dump", "-o", "ndjson", member],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    status = process.wait(20)
    assert json.loads(line)["type"] == "crc"
    assert err == b""
    assert status in (-signal.SIGPIPE, 0)


def test_quiet_prints_no_text_but_what_scripts_asked_for(tell: Tell, member: Path) -> None:
    assert tell("dump", "-q", member) == Told(0, "", "")
    assert tell("dump", "-q", "-s", "100000", member) == Told(0, "", "")
    assert json.loads(tell("dump", "-q", "-n", "1", "-o", "json", member).out)["records"]

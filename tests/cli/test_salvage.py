"""`walctl salvage` as it is typed: exit statuses, output, and what it leaves where."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import ROOT, WALCTL, Tell, environment
from tests.corpus import copy_tree, fingerprint, needs_corpus, unpacked


@pytest.fixture
def zeroed(tmp_path: Path) -> Path:
    """A member with a zeroed page and no database."""
    member = unpack("zero-page", tmp_path / "m.etcd")
    (member / "member/snap/db").unlink()
    return member


def test_a_member_is_made_beside_and_the_source_is_only_read(
    tell: Tell, zeroed: Path, tmp_path: Path
) -> None:
    before = fingerprint(zeroed)
    told = tell("salvage", zeroed, "--output-dir", tmp_path / "out")
    assert (told.status, told.err) == (0, "")
    assert fingerprint(zeroed) == before
    assert "acknowledged data may be" in told.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "member",
        "records.ndjson",
        "report.json",
    }
    assert tell("verify", "-q", tmp_path / "out").status in (0, 3)


@pytest.mark.parametrize(
    "command", [["repair"], ["salvage", "--output-dir", "out"], ["surgery", "bump-term"]]
)
def test_a_bundle_is_not_repaired_and_it_is_told_how_its_member_is(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    unpack("etcd-3.5-three-puts", tmp_path / "n1")
    assert tell("bundle", "n1", "--output", "n1.tar.zst").status == 0
    told = tell(*command, "n1.tar.zst", *(["9"] if command[0] == "surgery" else []))
    assert (told.status, told.out) == (4, "")
    assert "a bundle can be looked at as it is, but not be repaired: unpack it first" in told.err
    assert "tar --zstd -xf" in told.err
    assert tell("verify", "-q", "n1.tar.zst").status == 0
    # As the hint says:
    (tmp_path / "new").mkdir()
    subprocess.run(["tar", "--zstd", "-xf", "n1.tar.zst", "-C", "new"], check=True)
    assert tell("repair", "-q", "new").status == 0


def test_the_records_are_what_dump_prints(tell: Tell, zeroed: Path, tmp_path: Path) -> None:
    tell("salvage", zeroed, "--output-dir", tmp_path / "out")
    dumped = tell("dump", "-o", "ndjson", zeroed)
    assert (tmp_path / "out/records.ndjson").read_text() == dumped.out
    tell("salvage", zeroed, "--output-dir", tmp_path / "hidden", "--redact", "values")
    dumped = tell("dump", "-o", "ndjson", "--redact", "values", zeroed)
    assert (tmp_path / "hidden/records.ndjson").read_text() == dumped.out


@needs_corpus
@pytest.mark.parametrize("name", ["d-cluster3-35", "b-single-allops-35", "x-flip-type-unknown-35"])
@pytest.mark.slow
def test_the_records_of_any_log_are_what_dump_prints(tell: Tell, name: str, tmp_path: Path) -> None:
    source = unpacked(name) / "n1"
    tell("salvage", source, "--output-dir", tmp_path / "out")
    assert (tmp_path / "out/records.ndjson").read_text() == tell("dump", "-o", "ndjson", source).out


def test_json_is_the_report(tell: Tell, zeroed: Path, tmp_path: Path) -> None:
    told = tell("salvage", zeroed, "--output-dir", tmp_path / "out", "-o", "json", "-q")
    assert json.loads(told.out) == json.loads((tmp_path / "out/report.json").read_bytes())


def test_without_a_member_to_start_the_status_is_4_and_the_records_are_there(
    tell: Tell, tmp_path: Path
) -> None:
    member = unpack("etcd-3.5-two-segments", tmp_path / "m")
    (member / "member/snap/db").unlink()
    sorted((member / "member/wal").glob("*.wal"))[0].unlink()
    told = tell("salvage", member, "--output-dir", tmp_path / "out")
    assert told.status == 4
    assert "none can be made that would start" in told.out
    assert (tmp_path / "out/records.ndjson").stat().st_size > 0
    assert tell("salvage", "-q", member, "--output-dir", tmp_path / "b", "--skip-holes") == (
        0,
        "",
        "",
    )


@pytest.mark.parametrize("place", ["m.etcd/out", "m.etcd/member/wal/out", "m.etcd"])
def test_a_target_within_the_member_is_a_mistake_of_the_command_line(
    tell: Tell, zeroed: Path, tmp_path: Path, place: str
) -> None:
    before = fingerprint(zeroed)
    told = tell("salvage", zeroed, "--output-dir", tmp_path / place)
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert fingerprint(zeroed) == before


def test_the_target_is_no_option_to_leave_out(tell: Tell, zeroed: Path) -> None:
    told = tell("salvage", zeroed)
    assert told.status == 2
    assert "--output-dir" in told.err


def test_a_path_that_is_not_there_is_one_line(tell: Tell, tmp_path: Path) -> None:
    told = tell("salvage", tmp_path / "gone", "--output-dir", tmp_path / "out")
    assert (told.status, told.out) == (4, "")
    assert told.err.endswith("gone: No such file or directory\n")
    assert not (tmp_path / "out").exists()


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.6, 1.2, 2.0])
def test_a_signal_ends_it_with_130_and_nothing_left(
    tmp_path: Path, number: signal.Signals, seconds: float
) -> None:
    source = copy_tree(unpacked("m-segments-nosnap-35") / "n1", tmp_path / "source")
    (source / "member/snap/db").unlink()
    process = subprocess.Popen(
        [*WALCTL, "salvage", source, "--output-dir", tmp_path / "out"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(seconds)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:  # it was faster
        assert (tmp_path / "out/report.json").is_file()
        return
    assert process.returncode == 130
    assert out == b""
    assert err.splitlines()[-1] == b"walctl: stopped: nothing of it was left"
    assert not (tmp_path / "out").exists()

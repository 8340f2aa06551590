"""`walctl bundle` as it is typed: what it prints, what it ends with, and who reads the result."""

import json
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import Tell, Told
from walctl.cli.main import run


@pytest.fixture
def tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Tell:
    """Run a command in this process, in a directory of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def told(*words: str | Path) -> Told:
        status = run([str(word) for word in words])
        return Told(status, *capsys.readouterr())

    return told


def test_a_bundle_is_read_by_every_command(tell: Tell, tmp_path: Path) -> None:
    member = unpack("zero-page", tmp_path / "n1")
    told = tell("bundle", member)
    assert (told.status, told.err) == (0, "")
    assert "said of the member: damaged" in told.out
    name = "n1-bundle.tar.zst"
    assert tell("verify", "-q", name).status == 1
    assert tell("doctor", "-q", name).status == tell("doctor", "-q", member).status == 1
    dumped = tell("dump", name, "--tail", "2", "-o", "ndjson")
    row = json.loads(dumped.out.splitlines()[-1])
    assert row["segment"] == "0000000000000000-0000000000000000.wal"
    assert tell("stats", name).status == tell("stats", member).status
    again = tell("bundle", member)
    assert again.status == 4
    assert again.err.endswith("nothing is ever written over\n")


def test_the_json_says_what_was_given_of_each_file(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    told = tell("bundle", member, "--output", tmp_path / "b.tar.zst", "-o", "json")
    found = json.loads(told.out)
    assert (found["v"], found["redact"], found["differences"]) == (1, "keys", [])
    assert {each["content"] for each in found["files"] if each["size"]} <= {"redacted", "left out"}


def test_minimise_says_what_it_took_away(tell: Tell, tmp_path: Path) -> None:
    member = unpack("flipped-bit-in-data", tmp_path / "n1")
    told = tell("bundle", member, "--minimise", "--output", tmp_path / "b.tar.zst")
    assert told.status == 0
    assert "the log alone shows it" in told.out
    assert tell("verify", "-q", tmp_path / "b.tar.zst").status == 1


def test_what_makes_no_sense_is_one_line(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    for words, status in (
        (["bundle", str(member), "--minimise"], 2),
        (["bundle", str(member), "--output", "b.zip"], 2),
        (["bundle", str(tmp_path / "gone")], 4),
        (["bundle", str(member), "--redact", "auth"], 2),
    ):
        told = tell(*words)
        assert (told.status, told.out, told.err.count("\n")) == (status, "", 1)
    assert list(Path.cwd().iterdir()) == []

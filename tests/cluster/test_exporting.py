"""A lab in one file: read as it is, whole by its hashes, and never in the place of anything."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import Told, ran


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab of one node that clients have used, down again."""
    path = tmp_path_factory.mktemp("labs") / "demo"
    quick = ("--tick", "20", "--election", "200")
    assert ran("cluster", "new", path, "--nodes", "1", *quick).status == 0
    try:
        assert ran("cluster", "up", path, "-d").status == 0
        load = ("--clients", "2", "--rate", "30", "--for", "1s")
        assert ran("cluster", "load", path, *load).status == 0
    finally:
        assert ran("cluster", "down", path).status == 0
    return path


def exported(lab: Path, *words: str | Path) -> Told:
    return ran("cluster", "export", lab, *words)


def test_an_export_holds_every_file_as_its_list_says_and_no_token(
    lab: Path, tmp_path: Path
) -> None:
    file = tmp_path / "case.tar.zst"
    told = exported(lab, "--output", file)
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith(f"{file}: ")
    subprocess.run(["tar", "--zstd", "-xf", file, "-C", tmp_path], check=True)
    there = tmp_path / "demo"
    note = json.loads((there / "export.json").read_text())
    assert {"demo/events.jsonl"} < {each["name"] for each in note["files"]}
    for each in note["files"]:
        data = (tmp_path / each["name"]).read_bytes()
        assert data == (lab.parent / each["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == each["sha256"]
    found = json.loads((there / "lab.json").read_text())
    mine = json.loads((lab / "lab.json").read_text())
    assert mine["token"]
    assert found == {**mine, "token": ""}
    assert not (there / "run").exists()


def test_members_and_history_are_read_in_it_as_they_are(lab: Path, tmp_path: Path) -> None:
    file = tmp_path / "case.tar.zst"
    assert exported(lab, "--output", file).status == 0
    assert ran("verify", file / "demo" / "n1" / "g1").status == 0
    assert ran("dump", file / "demo" / "n1" / "g1").out == ran("dump", lab / "n1" / "g1").out
    checked = ran("cluster", "check", file / "demo")
    assert (checked.status, checked.err) == (0, "")


def test_nothing_is_written_over_nor_into_the_lab(lab: Path, tmp_path: Path) -> None:
    file = tmp_path / "case.tar.zst"
    file.write_bytes(b"mine")
    for words in (("--output", file), ("--to", "edn", "--output", file)):
        told = exported(lab, *words)
        assert (told.status, told.out) == (4, "")
        assert "nothing is ever written over" in told.err
    within = exported(lab, "--output", lab / "case.tar.zst")
    assert (within.status, within.out) == (2, "")
    assert file.read_bytes() == b"mine"
    assert exported(lab).status == 2
    assert exported(lab, "--output", tmp_path / "case.zip").status == 2


@pytest.mark.parametrize("to", ["porcupine", "edn"])
def test_the_history_alone_is_judged_as_the_lab_is(lab: Path, tmp_path: Path, to: str) -> None:
    told = exported(lab, "--to", to)
    assert (told.status, told.err) == (0, "")
    file = tmp_path / "history.edn"
    assert exported(lab, "--to", to, "--output", file).out == ""
    assert file.read_text() == told.out
    assert told.out.count(":invoke") >= 10
    assert ran("cluster", "check", file).status == 0

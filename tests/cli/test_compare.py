"""`walctl compare` as it is typed."""

import json
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import Tell, ran
from tests.corpus import fingerprint
from tests.inspect.comparing import VOTERS, knows, member
from tests.repair.members import puts, written

A, B, C = VOTERS


@pytest.fixture
def members(tmp_path: Path) -> list[Path]:
    """Three members that hold the same."""
    paths = [tmp_path / f"n{number}" for number in (1, 2, 3)]
    for path, node in zip(paths, VOTERS, strict=True):
        written(path, member(node, puts(4, 9, 2, A), knows(2, A, 9)))
    return paths


def test_text_json_and_ndjson_say_the_same_and_change_nothing(
    tell: Tell, members: list[Path]
) -> None:
    before = [fingerprint(path) for path in members]
    told = tell("compare", *members)
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith("cluster c0, 3 of 3 voters")
    document = json.loads(tell("compare", *members, "-o", "json").out)
    line = tell("compare", *members, "-o", "ndjson").out
    assert line.count("\n") == 1
    assert json.loads(line) == document
    assert document["newest_safe"] == "n1"
    assert tell("compare", "-q", *members) == (0, "", "")
    assert [fingerprint(path) for path in members] == before


def test_a_difference_is_exit_1_and_an_unreadable_path_exit_4(
    tell: Tell, members: list[Path], tmp_path: Path
) -> None:
    written(tmp_path / "n4", member(B, puts(4, 9, 2, A, salt=b"!"), knows(2, A, 9)))
    assert tell("compare", "-q", members[0], tmp_path / "n4").status == 1
    told = tell("compare", *members, tmp_path / "nowhere")
    assert told.status == 4
    assert "could not be read" in told.out
    assert told.err.startswith("walctl: ")
    assert "nowhere" in told.err


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_directories_are_a_usage_error(
    tell: Tell, members: list[Path], count: int
) -> None:
    told = tell("compare", *members[:count])
    assert (told.status, told.out) == (2, "")


def test_the_same_directory_twice_is_a_usage_error(tell: Tell, members: list[Path]) -> None:
    told = tell("compare", members[0], members[1], members[0])
    assert (told.status, told.out) == (2, "")
    assert "the same directory" in told.err


def test_foreign_paths_are_told_one_by_one(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no log\n")
    told = tell("compare", tmp_path / "notes.txt", tmp_path / "nothing")
    assert (told.status, told.out) == (4, "")
    assert told.err.count("\n") == 2


def test_pictures_are_new_files_outside_of_what_is_compared(
    tell: Tell, members: list[Path], tmp_path: Path
) -> None:
    page, drawing = tmp_path / "map.html", tmp_path / "map.svg"
    told = tell("compare", *members, "--html", page, "--svg", drawing)
    assert told.status == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert drawing.read_text().startswith("<?xml ")
    assert told.err == f"drawn: {page}\ndrawn: {drawing}\n"
    again = tell("compare", *members, "--svg", drawing)
    assert again.status == 4
    assert "nothing is ever written over" in again.err
    inside = tell("compare", *members, "--svg", members[0] / "map.svg")
    assert inside.status == 2
    assert not (members[0] / "map.svg").exists()
    same = tell("compare", *members, "--svg", tmp_path / "x", "--html", tmp_path / "x")
    assert same.status == 2


def test_a_damaged_copy_of_a_member_is_told_from_the_whole_one(tell: Tell, tmp_path: Path) -> None:
    """The two members of the README."""
    paths = (
        unpack("zero-page", tmp_path / "member.etcd"),
        unpack("etcd-3.5-snapshots", tmp_path / "busy.etcd"),
    )
    document = json.loads(tell("compare", *paths, "-o", "json").out)
    assert [each["name"] for each in document["members"]] == ["member", "busy"]
    assert document["verdict"] == "damaged"
    assert document["first_divergence"] is None
    assert document["hash"]["equal"] is True


def test_it_runs_as_a_process(members: list[Path]) -> None:
    told = ran("compare", *members)
    assert (told.status, told.err) == (0, "")

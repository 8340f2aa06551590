"""`walctl explain` as it is typed."""

import json

import pytest

from walctl.cli.main import run
from walctl.errors import ExitStatus
from walctl.inspect.explain import PAGES


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "torn-tail"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("torn-tail: ")
    assert err == ""


def test_an_exit_status_is_explained_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "3", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["v"], told["topic"], told["group"]) == (1, "exit-3", "exit status")


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    text = capsys.readouterr().out
    assert run(["explain", "-o", "json"]) == 0
    topics = [entry["topic"] for entry in json.loads(capsys.readouterr().out)["topics"]]
    assert topics == [page.topic for page in PAGES]
    assert all(f"  {topic}" in text for topic in topics)


def test_an_unknown_code_is_one_line_with_what_comes_closest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain", "torn-tial\x1b[1m"]) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "torn-tail" in err
    assert "\x1b" not in err

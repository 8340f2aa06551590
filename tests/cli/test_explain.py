"""`walctl explain` as it is typed."""

import io
import json
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from walctl.cli.main import run
from walctl.errors import ExitStatus
from walctl.inspect import panics
from walctl.inspect.explain import PAGES

PANIC = "panic: tocommit(148) is out of range [lastIndex(123)]. Was the raft log corrupted?"


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    return unpack("flipped-bit-in-data", tmp_path / "damaged.etcd")


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


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
    told = json.loads(capsys.readouterr().out)
    topics = [entry["topic"] for entry in told["topics"]]
    assert topics == [page.topic for page in PAGES]
    assert all(f"  {topic}" in text for topic in topics)
    assert [entry["topic"] for entry in told["messages"]] == list(panics.BY_TOPIC)
    assert "tocommit(X) is out of range [lastIndex(Y)]" in text


def test_an_unknown_code_is_one_line_with_what_comes_closest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain", "torn-tial\x1b[1m"]) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "torn-tail" in err
    assert "\x1b" not in err


def test_a_panic_is_explained_by_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", PANIC]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("tocommit-out-of-range: ")
    assert "commit 148, last_index 123" in out
    assert "Causes, by the text alone" in out
    assert err == ""


def test_a_message_is_held_against_a_directory_and_its_damage_is_no_exit_status(
    capsys: pytest.CaptureFixture[str], damaged: Path
) -> None:
    text = '{"level":"fatal","msg":"discovery failed","error":"walpb: crc mismatch"}'
    assert run(["explain", text, str(damaged), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["v"], told["kind"], told["pattern"]) == (1, "panic", "walpb-crc-mismatch")
    assert told["causes"][0]["cause"] == "content-changed"
    assert told["causes"][0]["verdict"] == "fits"
    assert told["foretold"].startswith("walctl foretells exactly this message")
    assert {each["verdict"] for each in told["causes"]} <= {"fits", "does-not-fit", "cannot-tell"}
    assert told["do"]
    assert told["do_not"]


def test_a_page_of_a_message_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "tocommit-out-of-range"]) == 0
    assert "words         tocommit(X) is out of range" in capsys.readouterr().out


def test_a_whole_log_comes_by_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = b"I | etcdserver: \xff\xfe nothing of note\n" * 1000
    feed(monkeypatch, noise + PANIC.encode() + b"\n" + noise)
    assert run(["explain", "-", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pattern"], told["line"]) == ("tocommit-out-of-range", 1001)
    assert told["numbers"] == {"commit": 148, "last_index": 123}


def test_a_log_without_a_known_message_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"", b"nothing\n" * 5000, b"\0\x1b[1m"):
        feed(monkeypatch, content)
        assert run(["explain", "-"]) == ExitStatus.USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert "\x1b" not in err


def test_standard_input_that_is_closed_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert run(["explain", "-"]) == ExitStatus.UNFINISHED
    assert capsys.readouterr().err == "walctl: standard input is closed\n"


@pytest.mark.parametrize("text", ["the cat sat on the mat\x1b[1m", "wal read error EOF of sorts"])
def test_an_unknown_message_is_one_line_and_no_guess(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", text]) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "no known message in" in err
    assert "\x1b" not in err


def test_a_path_that_cannot_be_read_ends_with_4(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["explain", PANIC, str(tmp_path / "gone")]) == ExitStatus.UNFINISHED
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_a_code_goes_without_a_path(capsys: pytest.CaptureFixture[str], damaged: Path) -> None:
    assert run(["explain", "torn-tail", str(damaged)]) == ExitStatus.USAGE
    assert f"walctl doctor {damaged}" in capsys.readouterr().err


def test_control_characters_of_a_text_never_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain", f"\x1b]0;x\x07{PANIC}\x1b[31m\u202e"]) == 0
    out, _ = capsys.readouterr()
    assert all(char == "\n" or char.isprintable() for char in out)

"""`walctl cluster script` as it is typed: what goes where, and how it ends."""

from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.cli.commands import Tell, Told
from walctl.cli.main import run

GOOD = "# a comment\nvote\n----\nVoteWon\n"
TOLD = "vote\n----\nVoteWon\n\nvote cfg=(1) votes=(n)\n----\nVoteLost\n"
WRONG = TOLD.replace("Won", "Lost")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run a command in this process."""

    def told(*words: str | Path) -> Told:
        status = run(["cluster", *map(str, words)])
        return Told(status, *capsys.readouterr())

    return told


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Where a test puts its script."""
    return tmp_path / "a.txt"


@pytest.fixture
def fed(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Told]:
    """Run a script that comes on standard input."""

    def told(text: bytes) -> Told:
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
        return tell("script", "-")

    return told


def test_a_script_that_prints_what_it_should_is_printed_and_ends_with_0(
    tell: Tell, fed: Callable[[bytes], Told], written: Path
) -> None:
    written.write_text(GOOD)
    assert tell("script", written) == Told(0, GOOD, "")
    assert fed(GOOD.encode()) == Told(0, GOOD, "")


def test_an_output_that_differs_ends_with_1_and_is_named(
    tell: Tell, fed: Callable[[bytes], Told], written: Path
) -> None:
    written.write_text(WRONG)
    assert tell("script", written) == Told(1, TOLD, f"{written}:1: vote: the output differs\n")
    assert tell("script", written, "-q") == Told(1, "", "")
    assert fed(WRONG.encode()).err == "<stdin>:1: vote: the output differs\n"


def test_many_that_differ_are_counted(tell: Tell, written: Path) -> None:
    written.write_text("vote\n----\n\n" * 12)
    told = tell("script", written)
    assert told.status == 1
    assert told.err.count("differs") == 10
    assert told.err.endswith(f"{written}: and 2 more\n")


def test_a_panic_of_the_core_ends_with_1_behind_what_was_printed(tell: Tell, written: Path) -> None:
    text = "log-level info\n----\nok\n\nadd-nodes 1 inflight=0\n----\n"
    written.write_text(text)
    reason = "the core panicked: max inflight messages must be greater than 0"
    shown = text.removesuffix("----\n")
    assert tell("script", written) == Told(1, shown, f"walctl: {written}:5: {reason}\n")


@pytest.mark.parametrize(
    ("text", "line", "reason", "shown"),
    [
        ("vote cfg=(1\n", 1, "a list has no closing parenthesis", ""),
        (
            "vote\n----\nVoteWon\n\n# c\nvote cfg=x\n----\n",
            6,
            "expected a number, found 'x'",
            "vote\n----\nVoteWon\n\n# c\nvote cfg=x\n",
        ),
    ],
)
def test_a_bad_script_ends_with_2_and_one_line_that_says_where(
    tell: Tell, written: Path, text: str, line: int, reason: str, shown: str
) -> None:
    written.write_text(text)
    assert tell("script", written) == Told(2, shown, f"walctl: {written}:{line}: {reason}\n")


def test_bytes_that_are_no_text_are_a_bad_script(
    tell: Tell, fed: Callable[[bytes], Told], written: Path
) -> None:
    written.write_bytes(b"vote\n----\n\xff\n")
    told = tell("script", written)
    assert told == Told(2, "", f"walctl: {written}:3: here is a byte that is no UTF-8\n")
    assert fed(b"\xff").err == "walctl: <stdin>:1: here is a byte that is no UTF-8\n"


def test_a_script_that_is_not_there_ends_with_4(tell: Tell, written: Path) -> None:
    told = tell("script", written)
    assert told == Told(4, "", f"walctl: {written}: No such file or directory\n")


def test_a_closed_standard_input_is_no_empty_script(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert tell("script", "-") == Told(4, "", "walctl: standard input is closed\n")


# Rewriting.


def test_rewritten_the_file_holds_what_was_printed(tell: Tell, written: Path) -> None:
    written.write_text(WRONG)
    written.chmod(0o640)
    told = tell("script", written, "--rewrite")
    assert told == Told(0, "", f"{written}: 1 of 2 outputs were others\n")
    assert written.read_text() == TOLD
    assert written.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in written.parent.iterdir()] == ["a.txt"]
    assert tell("script", written).status == 0


def test_a_file_that_is_right_is_not_touched(tell: Tell, written: Path) -> None:
    written.write_text(GOOD)
    before = written.stat()
    assert tell("script", "--rewrite", "-q", written) == Told(0, "", "")
    after = written.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_a_link(tell: Tell, written: Path) -> None:
    written.write_text(WRONG)
    link = written.with_name("link.txt")
    link.symlink_to("a.txt")
    assert tell("script", "--rewrite", link).status == 0
    assert link.is_symlink()
    assert written.read_text() == TOLD


@pytest.mark.parametrize("text", ["vote\n----\nx\n\nvote cfg=x\n", "add-nodes 1 inflight=0\n"])
def test_a_script_that_was_stopped_is_not_rewritten(tell: Tell, written: Path, text: str) -> None:
    written.write_text(text)
    told = tell("script", written, "--rewrite")
    assert told.status in (1, 2)
    assert told.out == ""
    assert written.read_text() == text


def test_standard_input_cannot_be_rewritten(tell: Tell) -> None:
    told = tell("script", "-", "--rewrite")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("walctl: --rewrite wants a FILE to write into.")


# The group.


def test_without_a_command_the_help_goes_to_stderr(tell: Tell) -> None:
    told = tell()
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("Usage: walctl cluster")


def test_a_command_that_there_is_not_is_one_line(tell: Tell) -> None:
    told = tell("scrpt", "x")
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1


def test_the_help_has_examples_and_says_how_it_ends(tell: Tell) -> None:
    told = tell("script", "-h")
    assert told.status == 0
    assert "\n    walctl cluster script - < election.txt\n" in told.out
    assert "Exits 0 when" in told.out

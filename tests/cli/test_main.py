"""The edge of the program: every way a command can end, and the way in for paths."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from tests.cli.stubs import group_of
from walctl.cli.main import COMMANDS, FRONT_DOOR, main, run
from walctl.cli.options import PATH
from walctl.errors import AccessError, CorruptionError, ExitStatus, UsageError, WalctlError
from walctl.version import VERSION

ROOT = Path(__file__).parents[2]
WALCTL = [sys.executable, "-c", "import sys; from walctl.cli.main import run; sys.exit(run())"]


def raiser(error: BaseException) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error

    return command


def ended(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    return run(["boom"], group=group_of(monkeypatch, boom=raiser(error)))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AccessError("d/0.wal: permission denied"), ExitStatus.UNFINISHED),
        (UsageError("no such code"), ExitStatus.USAGE),
        (CorruptionError("0.wal:1192: crc-mismatch"), ExitStatus.DAMAGE),
    ],
)
def test_an_error_of_ours_is_one_line_and_its_own_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: WalctlError,
    status: ExitStatus,
) -> None:
    assert ended(monkeypatch, error) == status
    assert capsys.readouterr() == ("", f"walctl: {error.message}\n")


def test_a_hostile_name_in_an_error_cannot_reach_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(monkeypatch, AccessError("\x1b[2J\nall is well\udcff"))
    assert capsys.readouterr().err == "walctl: \\x1b[2J\\x0aall is well\\xff\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_told_by_its_status_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    assert ended(monkeypatch, error) == 130
    assert capsys.readouterr().err.strip() == ""


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("maximum recursion depth")])
def test_running_out_of_memory_or_stack_is_one_line_and_unfinished(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    assert ended(monkeypatch, error) == ExitStatus.UNFINISHED
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bug_of_ours_says_so_and_hides_the_traceback_until_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WALCTL_TRACEBACK", raising=False)
    assert ended(monkeypatch, KeyError("segment\x1b")) == ExitStatus.UNFINISHED
    line = capsys.readouterr().err
    assert re.match(r"walctl: internal error: KeyError at \w+\.py:\d+ \(this is a bug", line)
    assert "segment" not in line, "it may be a secret"
    assert "WALCTL_TRACEBACK=1" in line
    assert line.count("\n") == 1
    monkeypatch.setenv("WALCTL_TRACEBACK", "1")
    ended(monkeypatch, KeyError("segment"))
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_a_disk_error_that_escaped_the_seam_is_not_blamed_on_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, FileNotFoundError(2, "No such file", "x")) == ExitStatus.UNFINISHED
    assert "internal error: FileNotFoundError" in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 1, 3, 5])
def test_the_status_that_a_command_exits_with_is_kept(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def command() -> None:
        click.get_current_context().exit(status)

    assert run(["end"], group=group_of(monkeypatch, end=command)) == status


def test_a_command_that_says_nothing_of_its_status_is_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(["end"], group=group_of(monkeypatch, end=lambda: None)) == 0
    assert run(["end"], group=group_of(monkeypatch, end=lambda: "text")) == 0


def seen_by_doctor(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, list[Path]]:
    seen: list[Path] = []

    @click.command("doctor")
    @click.argument("paths", nargs=-1, type=PATH)
    @click.option("-o", "--output")
    def doctor(paths: tuple[Path, ...], output: str | None) -> None:
        seen.extend(paths)

    def verify() -> None: ...

    return run(arguments, group=group_of(monkeypatch, doctor=doctor, verify=verify)), seen


@pytest.mark.parametrize(
    "word", ["./x", "a/b", "/", "..", ".", "gone.etcd", "0000-0000.wal", "1-1.snap"]
)
def test_a_word_that_looks_like_a_path_is_for_the_doctor_even_if_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    assert seen_by_doctor(monkeypatch, word, "-o", "json") == (0, [Path(word)])


def test_a_plain_word_is_for_the_doctor_if_it_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert seen_by_doctor(monkeypatch, "infra0")[0] == ExitStatus.USAGE
    (tmp_path / "infra0").mkdir()
    assert seen_by_doctor(monkeypatch, "infra0") == (0, [Path("infra0")])
    (tmp_path / "verify").mkdir()
    assert seen_by_doctor(monkeypatch, "verify") == (0, []), "a command wins over a path"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("verfy", "walctl: 'verfy' is neither a command nor a path that exists. "
         "Did you mean 'verify'? (`walctl --help` tells more)\n"),
        ("", "walctl: '' is neither a command nor a path that exists. "
         "(`walctl --help` tells more)\n"),
    ],
)  # fmt: skip
def test_a_word_that_is_neither_is_one_line_with_what_comes_closest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, told: str
) -> None:
    assert seen_by_doctor(monkeypatch, word)[0] == ExitStatus.USAGE
    assert capsys.readouterr().err == told


def test_without_a_word_the_help_goes_to_stderr_and_nothing_passes_for_clean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([]) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: walctl")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_with_its_line(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert run([flag]) == 0
    out = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in out
        assert entry.short_help[:40] in out
    assert all(f"\n    {status.value} " in out for status in ExitStatus), "every exit status"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_table_is_the_command_s_own(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.short_help == COMMANDS[name].short_help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_in_sentences_and_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "-h"]) == 0
    help_text = capsys.readouterr().out
    assert f"\n    walctl {name} " in help_text, "an example block"
    assert COMMANDS[name].short_help.endswith(".")
    command = main.get_command(click.Context(main), name)
    assert command is not None
    unhelped = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert unhelped == []


def test_the_front_door_is_a_name_that_no_path_check_can_shadow() -> None:
    assert FRONT_DOOR == "doctor"


def test_the_version_is_the_package_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def walctl(*arguments: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*WALCTL, *arguments], text=True, capture_output=True, check=False, **settings
    )


def test_the_version_imports_nothing_that_draws_or_reads() -> None:
    code = (
        "import sys, json; from walctl.cli.main import run; status = run(['--version']);"
        "heavy = {'rich', 'construct', 'google.protobuf', 'crc32c', 'importlib.metadata',"
        " 'formats', 'json', 'asyncio'};"
        "print(json.dumps([status, sorted(heavy & (set(sys.modules) - {'json'}))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    version, facts = done.stdout.splitlines()
    assert version == f"walctl {VERSION}"
    assert json.loads(facts) == [0, []]


def test_a_reader_that_goes_away_ends_us_by_sigpipe_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*WALCTL, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_an_answer_that_could_not_be_written_is_not_success() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*WALCTL, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == ExitStatus.UNFINISHED
    assert done.stderr == "walctl: cannot write the output: No space left on device\n"


def test_a_terminal_that_knows_only_ascii_gets_escapes_and_no_traceback() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = walctl("käse-\udcff", env=environ)
    assert done.returncode == ExitStatus.USAGE
    assert done.stderr.startswith("walctl: 'k\\xe4se-\\\\xff' is neither a command")


def test_closed_streams_are_no_crash() -> None:
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *WALCTL, "--help"], check=False)
    assert done.returncode == 0


def test_completion_offers_commands_and_then_files() -> None:
    ctx = click.Context(main)
    assert [item.value for item in main.shell_complete(ctx, "exp")] == ["explain"]
    assert [item.type for item in main.shell_complete(ctx, "default.et")] == ["file"]
    assert "--version" in [item.value for item in main.shell_complete(ctx, "--v")]


def test_a_shell_can_ask_for_its_completion_script_and_for_words() -> None:
    script = walctl(env={**os.environ, "_WALCTL_COMPLETE": "bash_source"})
    assert (script.returncode, "_WALCTL_COMPLETE=bash_complete" in script.stdout) == (0, True)
    asked = {"_WALCTL_COMPLETE": "bash_complete", "COMP_WORDS": "walctl exp", "COMP_CWORD": "1"}
    words = walctl(env={**os.environ, **asked})
    assert words.stdout == "plain,explain\n"

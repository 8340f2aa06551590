"""What commands share: how paths are taken, and what the environment does to the screen."""

from pathlib import Path

import click
import pytest

from tests.cli.stubs import group_of
from walctl.cli.main import run
from walctl.cli.options import (
    jobs,
    one_path,
    output,
    pass_disk,
    pass_screen,
    paths,
    quiet,
    split_layout,
)
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.render.screen import Screen

Seen = dict[str, object]


def run_sample(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, disk: FileSystem | None = None
) -> tuple[int, Seen]:
    seen: Seen = {}

    @click.command("sample")
    @paths
    @split_layout
    @jobs
    @output("text", "json", "csv")
    @quiet
    @pass_disk
    @pass_screen
    @click.pass_context
    def sample(ctx: click.Context, screen: Screen, disk: FileSystem, /, **values: object) -> None:
        """Sample."""
        seen.update(values, screen=screen, disk=disk)
        ctx.exit(0)

    group = group_of(monkeypatch, sample=sample)
    return run(["sample", *arguments], group=group, disk=disk), seen


def test_a_command_gets_its_paths_options_disk_and_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, seen = run_sample(
        monkeypatch, "a", "b c", "--wal-dir", "w", "-j", "3", "-o", "csv", "-q"
    )
    assert status == 0
    assert seen["paths"] == (Path("a"), Path("b c"))
    assert (seen["wal_dir"], seen["snap_dir"], seen["jobs"]) == (Path("w"), None, 3)
    assert isinstance(seen["disk"], RealFileSystem)
    assert isinstance(seen["screen"], Screen)
    assert (seen["screen"].output, seen["screen"].quiet) == ("csv", True)


def test_defaults_are_text_loud_and_a_job_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    _, seen = run_sample(monkeypatch, "a")
    assert isinstance(seen["screen"], Screen)
    assert (seen["screen"].output, seen["screen"].quiet) == ("text", False)
    assert isinstance(seen["jobs"], int)
    assert seen["jobs"] >= 1


def test_a_test_may_hand_in_another_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryFileSystem()
    assert run_sample(monkeypatch, "a", disk=disk)[1]["disk"] is disk


@pytest.mark.parametrize(
    "arguments", [(), ("",), ("a\0b",), ("a", "-o", "xml"), ("a", "-j", "0"), ("a", "--nope")]
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    assert run_sample(monkeypatch, *arguments) == (ExitStatus.USAGE, {})
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("walctl: ")
    assert err.endswith("(`walctl sample --help` tells more)\n")
    assert err.count("\n") == 1


def test_a_name_that_is_no_utf8_stays_the_name_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_sample(monkeypatch, "caf\udce9")[1]["paths"] == (Path("caf\udce9"),)


def test_one_path_takes_exactly_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    @click.command("single")
    @one_path
    def single(path: Path) -> None:
        seen.append(path)

    group = group_of(monkeypatch, single=single)
    assert run(["single", "a"], group=group) == 0
    assert run(["single", "a", "b"], group=group) == ExitStatus.USAGE
    assert seen == [Path("a")]


def test_a_pipe_has_eighty_columns_and_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    screen = run_sample(monkeypatch, "a")[1]["screen"]
    assert isinstance(screen, Screen)
    assert (screen.width, screen.colour) == (80, False)


@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_has_its_own_width_and_colour_unless_the_environment_says_no(
    tmp_path: Path, environ: dict[str, str], colour: bool
) -> None:
    import fcntl
    import os
    import struct
    import subprocess
    import sys
    import termios

    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 47, 0, 0))
    code = (
        "import sys, click; from walctl.cli.options import screen_of;"
        "screen = screen_of(click.Context(click.Command('x')));"
        f"open({str(tmp_path / 'facts')!r}, 'w').write(f'{{screen.width}} {{screen.colour}}')"
    )
    base = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    subprocess.run(
        [sys.executable, "-c", code],
        stdout=terminal,
        check=True,
        env={**base, "TERM": "xterm", **environ},
    )
    os.close(terminal)
    os.close(controller)
    assert (tmp_path / "facts").read_text() == f"47 {colour}"

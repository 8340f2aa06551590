"""The README shows what walctl prints, and its commands do what it says of them."""

import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import ROOT, WALCTL, environment
from walctl.cli.main import run
from walctl.inspect.advice import copy_command

README = (ROOT / "README.md").read_text(encoding="utf-8")
LEFT_OUT = "…"
MEMBER = "/var/lib/etcd"
"""Stands for a member's directory in examples; `here` has one."""

SECONDS_MAX = 60


class Example(NamedTuple):
    """A command line as it is typed, and the lines shown below it; `None` where none are."""

    line: str
    shown: list[str] | None

    @property
    def is_plain(self) -> bool:
        """Whether it is walctl alone, and ends by itself."""
        return " | " not in self.line and not self.follows

    @property
    def follows(self) -> bool:
        """Whether it goes on until Ctrl-C."""
        return " -f " in self.line


def examples() -> Iterator[Example]:
    """Every command of a block that shows output too."""
    for block in re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            yield Example(line, shown.splitlines() or None)


def mentioned() -> Iterator[Example]:
    """Commands with arguments in the text, and in blocks without output; but no placeholders."""
    spans = re.findall(r"`(walctl (?:explain|[a-z]+ [^`]+))`", README)
    lines = re.findall(r"^    (walctl .*|test .*walctl .*)", README, re.MULTILINE)
    for line in [*spans, *lines]:
        if not re.search(r"\b[A-Z]{4,}\b|…", line):
            yield Example(line, None)


EXAMPLES = list(examples())
MENTIONED = list(mentioned())


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three members, as the README has them unpacked."""
    folder = tmp_path_factory.mktemp("here")
    found = re.findall(r'unpack\("([^"]+)", Path\("([^"]+)"\)\)', README)
    assert len(found) == 3
    for case, name in found:
        unpack(case, folder / name)
    return folder


def in_shell(line: str, folder: Path, tools: Path) -> "subprocess.CompletedProcess[str]":
    """A line of the README run by bash in `folder`, with walctl among the commands."""
    tools.mkdir(exist_ok=True)
    command = tools / "walctl"
    command.write_text(f'#!/bin/sh\nexec {WALCTL[0]} -c "{WALCTL[2]}" "$@"\n')
    command.chmod(0o755)
    variables = environment(LC_ALL="C.UTF-8")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={**variables, "PATH": f"{tools}:{variables['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def assert_shown(found: list[str], shown: list[str]) -> None:
    """Each line is as shown; where the last one is `…`, there are more."""
    if shown[-1] == LEFT_OUT:
        assert len(found) > len(shown)
        found, shown = found[: len(shown) - 1], shown[:-1]
    assert found == shown


@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES if each.is_plain], ids=lambda e: e[0]
)
def test_what_is_shown_is_what_is_printed(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    example: Example,
) -> None:
    monkeypatch.chdir(here)
    words = shlex.split(example.line)
    assert words[0] == "walctl"
    assert run(words[1:]) != 2
    out, err = capsys.readouterr()
    assert err == ""
    assert example.shown is not None
    assert_shown(out.splitlines(), example.shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES if " | " in each.line], ids=lambda each: each.line
)
def test_what_is_shown_of_a_pipe_is_what_it_prints(
    here: Path, tmp_path: Path, example: Example
) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq: not found")
    done = in_shell(example.line, here, tmp_path / "tools")
    assert done.stderr == ""
    assert example.shown is not None
    assert_shown(done.stdout.splitlines(), example.shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "example", [each for each in MENTIONED if not each.follows], ids=lambda each: each.line
)
def test_a_command_in_the_text_runs(here: Path, tmp_path: Path, example: Example) -> None:
    member = str(here / "default.etcd")
    done = in_shell(example.line.replace(MEMBER, member), here, tmp_path / "tools")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [each.line for each in [*EXAMPLES, *MENTIONED] if each.follows], ids=str
)
def test_a_command_that_follows_runs_until_ctrl_c(here: Path, line: str) -> None:
    words = shlex.split(line.replace(MEMBER, str(here / "default.etcd")))
    words = [word.replace("/registry/pods/", "t") for word in words]  # keys that there are
    with subprocess.Popen(
        [*WALCTL, *words[1:]], env=environment(), cwd=here, stdout=subprocess.PIPE, text=True
    ) as follower:
        watch = Timer(SECONDS_MAX, follower.kill)
        watch.start()
        assert follower.stdout is not None
        assert any('"three"' in row for row in follower.stdout), "it ended before the last row"
        follower.send_signal(signal.SIGINT)
        assert follower.wait() == 0
        watch.cancel()


def test_every_command_that_there_is_is_in_the_readme() -> None:
    lines = [each.line for each in [*EXAMPLES, *MENTIONED]]
    assert len(EXAMPLES) >= 10
    for name in ("verify", "dump", "stats", "compare", "explain"):
        assert any(line.startswith(f"walctl {name}") for line in lines), name
    assert any("walctl verify --gate" in line for line in lines)


def test_the_copy_is_advised_in_the_words_of_explain() -> None:
    assert f"    {copy_command(Path(MEMBER))}\n" in README


def traces(folder: Path) -> dict[str, tuple[object, ...]]:
    """What a copy has to keep of each file, links followed."""
    found: dict[str, tuple[object, ...]] = {}
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(root, name)
            seen = path.stat()
            kept = (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, int(seen.st_mtime))
            found[str(path.relative_to(folder))] = (*kept, path.read_bytes())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("way", ["cp ", "tar ", "rsync "])
def test_each_way_to_copy_keeps_bytes_holes_links_and_traces(tmp_path: Path, way: str) -> None:
    """The log lies behind a link, as on a disk of its own."""
    (line,) = re.findall(rf"^    (?:test .* && )?({way}.*)", README, re.MULTILINE)
    if shutil.which(way.strip()) is None:
        pytest.skip(f"{way}: not found")
    member = unpack("etcd-3.5-snapshots", tmp_path / "etcd")
    (member / "member" / "wal").rename(tmp_path / "fast")
    (member / "member" / "wal").symlink_to(tmp_path / "fast")
    for path in (tmp_path / "fast").iterdir():
        os.utime(path, (1, 1_000_000_000))
    (tmp_path / "backup").mkdir()
    near = line.replace("/var/lib", str(tmp_path)).replace("/backup", str(tmp_path / "backup"))
    near = near.replace("host:", "").replace("ssh host", "sh -c")
    done = in_shell(near, tmp_path, tmp_path / "tools")
    assert (done.returncode, done.stderr) == (0, "")
    copy = tmp_path / "etcd.copy" if way == "cp " else tmp_path / "backup" / "etcd"
    assert traces(copy) == traces(member)
    used = sum(path.stat().st_blocks for path in copy.rglob("*")) * 512
    assert used < 1 << 24, "the zeros of the segment, 64 MB, were written out"

    first, second = re.findall(r"^    (\(cd .*)", README, re.MULTILINE)
    check = f"{first}\n{second}".replace("/var/lib/etcd.copy", str(copy))
    check = check.replace(MEMBER, str(member))
    assert in_shell(check, tmp_path, tmp_path / "tools").stdout == "the same\n"
    with next(copy.rglob("*.wal")).open("r+b") as segment:
        segment.write(b"x")
    assert "the same" not in in_shell(check, tmp_path, tmp_path / "tools").stdout


def test_the_lab_of_the_readme_lives_and_ends_as_it_is_told(tmp_path: Path) -> None:
    """What is printed has ports, process ids and times in it; that every step succeeds is shown."""
    (block,) = re.findall(
        r"^```text\n(\$ walctl cluster new.*?)^```", README, re.MULTILINE | re.DOTALL
    )
    lines = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    assert lines[-1] == "walctl cluster rm demo"
    end = "trap 'status=$?; walctl cluster down demo >/dev/null 2>&1; exit $status' EXIT"
    done = in_shell("\n".join(["set -e", end, *lines]), tmp_path, tmp_path / "tools")
    assert done.returncode == 0, done.stderr
    assert "\nblue\n" in done.stdout
    assert "linearizable" in done.stdout
    assert not (tmp_path / "demo").exists()

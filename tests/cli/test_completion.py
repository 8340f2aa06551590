"""What the shells may offer: driven as they do it, and held against the commands themselves."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, WALCTL, environment, ran
from walctl.cli import cluster, completion_build
from walctl.cli.main import COMMANDS, run
from walctl.inspect.filter_words import list_types
from walctl.payload.registry import names

BASH = shutil.which("bash")


Offered = Callable[..., list[str]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Offered:
    """What bash is offered for the last of some words; files are `<file>`."""

    def ask(*words: str) -> list[str]:
        monkeypatch.setenv("_WALCTL_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        assert run([]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        pairs = [line.partition(",")[::2] for line in out.splitlines() if line]
        return [value if kind == "plain" else f"<{kind}>" for kind, value in pairs]

    return ask


def test_the_table_is_what_the_commands_say() -> None:
    for path, built in completion_build.tables().items():
        kept = path.read_text(encoding="utf-8")
        assert kept == built, "run `python -m walctl.cli.completion_build`"


def test_commands_are_offered_and_options_of_each_and_of_the_front_door(offered: Offered) -> None:
    assert offered("walctl", "") == list(COMMANDS)
    for name in COMMANDS:
        assert ("--output" in offered("walctl", name, "--o")) == (name != "cluster")
        assert "--help" in offered("walctl", name, "--h")
    assert offered("walctl", "default.etcd", "--qu") == ["--quiet"]


def test_an_option_is_offered_again_only_if_it_may_be_given_again(
    offered: Offered,
) -> None:
    assert offered("walctl", "dump", "--reverse", "--re") == ["--request-id", "--redact"]
    assert "--key" in offered("walctl", "dump", "--key", "a", "--k")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["dump", "x", "-o", "nd"], ["ndjson"]),
        (["dump", "x", "--output", "=", "nd"], ["ndjson"]),
        (["dump", "x", "--redact", "v"], ["values"]),
        (["stats", "x", "--redact", "au"], ["auth"]),
        (["encode", "--part", "pa"], ["payload"]),
        (["dump", "x", "-r", "snapshot,lease_g"], ["snapshot,lease_grant"]),
        (["dump", "x", "-r", "put,pu"], []),
        (["dump", "x", "--status", "committed,un"], ["committed,uncommitted", "committed,unknown"]),
        (["dump", "x", "-s", "sn"], ["snap"]),
        (["explain", "torn"], ["torn-tail"]),
        (["explain", "exit-1"], ["exit-1", "exit-130"]),
        (["explain", "tocommit"], ["tocommit-out-of-range"]),
        (["explain", "torn-tail", ""], ["<file>"]),
        (["dump", ""], ["<file>"]),
        (["cluster", "scr"], ["script"]),
        (["cluster", "script", "--re"], ["--rewrite"]),
        (["cluster", "script", ""], ["<file>"]),
        (["verify", "n1", "n"], ["<file>"]),
        (["default.e"], ["<file>"]),
        (["dump", "--proto", "s"], ["<file>"]),
        (["dump", "x", "--wal-dir", ""], ["<dir>"]),
        (["dump", "x", "--where", ""], []),
        (["dump", "--nonsense", ""], ["<file>"]),
    ],
)
def test_values_are_offered_where_there_is_a_list_of_them(
    offered: Offered, words: list[str], expected: list[str]
) -> None:
    assert offered("walctl", *words) == expected


def test_commands_below_a_command_are_offered(offered: Offered) -> None:
    shown = [name for name, entry in cluster.COMMANDS.items() if not entry.is_hidden]
    assert offered("walctl", "cluster", "") == shown


def test_types_and_decoders_are_those_that_dump_takes(offered: Offered) -> None:
    types = dict.fromkeys(word.name for word in list_types())
    assert offered("walctl", "dump", "x", "--type", "") == [*types, "list"]
    assert offered("walctl", "dump", "x", "--decoder", "") == list(names())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_whole_words_and_their_meaning(shell: str) -> None:
    told = ran(
        _WALCTL_COMPLETE=f"{shell}_complete",
        COMP_WORDS="walctl dump -r put,txn",
        COMP_CWORD={"zsh": "3", "fish": "put,txn"}[shell],
    )
    assert "put,txn" in told.out
    assert "a transaction: compares, then writes and deletes" in told.out
    told = ran(
        _WALCTL_COMPLETE=f"{shell}_complete",
        COMP_WORDS="walctl dump --output=nd",
        COMP_CWORD={"zsh": "2", "fish": "--output=nd"}[shell],
    )
    assert "--output=ndjson" in told.out


def test_fish_cuts_at_the_first_comma_only() -> None:
    script = ran(_WALCTL_COMPLETE="fish_source").out
    assert 'string split --max 1 ","' in script
    assert 'string split ","' not in script


def test_words_are_offered_without_loading_what_reads_logs() -> None:
    code = (
        "import sys, json; from walctl.cli.main import run; run([]); print(json.dumps("
        "sorted({each.partition('.')[0] for each in sys.modules}) + sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(
            _WALCTL_COMPLETE="bash_complete", COMP_WORDS="walctl dump -", COMP_CWORD="2"
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "walctl.cli.completion" in loaded
    heavy = {"formats", "rich", "construct", "google", "crc32c", "walctl.inspect", "walctl.wal"}
    assert loaded & heavy == set()


def test_a_try_by_hand_is_no_bug() -> None:
    told = ran(_WALCTL_COMPLETE="bash_complete")
    assert (told.status, told.err) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(BASH is None, reason="bash: not found")
def test_bash_itself_completes(tmp_path: Path) -> None:
    """The function of the script, called as bash calls it; only `compopt` needs a key press."""
    command = tmp_path / "walctl"
    command.write_text(f'#!/bin/sh\nexec {WALCTL[0]} -c "{WALCTL[2]}" "$@"\n')
    command.chmod(0o755)
    script = """
        eval "$(_WALCTL_COMPLETE=bash_source walctl)"
        complete -p walctl
        COMP_WORDS=(walctl dump x --redact va) COMP_CWORD=4
        _walctl_completion walctl
        echo "${COMPREPLY[*]}"
        COMPREPLY=() COMP_WORDS=(walctl dump x --status "") COMP_CWORD=4
        _walctl_completion walctl
        echo "${COMPREPLY[*]}"
    """
    assert BASH is not None
    variables = environment()
    done = subprocess.run(
        [BASH, "--norc", "--noprofile", "-c", script],
        cwd=ROOT,
        env={**variables, "PATH": f"{tmp_path}:{variables['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, *found = done.stdout.splitlines()
    assert first.endswith("-F _walctl_completion walctl")
    assert found == ["values", "committed uncommitted overwritten unknown"]

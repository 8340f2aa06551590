"""What a shell may offer behind `walctl`: answered from a table, in the time between two keys.

To ask the commands themselves would import them, with all that they need to read logs: half a
second on a slow machine. So `completion_words` (and `completion_cluster_words`, for what is below
`cluster`) holds their options and values as text, built by `python -m walctl.cli.completion_build`
and compared with the commands by a test. Here commands without a body are made of it, and click
does the rest.

A line of the table is a parameter, `NAMES | VALUE` or `NAMES | VALUE | HELP`, where NAMES are an
option's, or one word for an argument. VALUE is `flag`, `text`, `file`, `dir`, a list of words in
brackets, or the name of a function here; `*` behind it says that there may be several. For the word
of a command below the command VALUE is `command`, and its own lines stand under both names.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
)
from click.shell_completion import shell_complete as answered_by_click

from walctl.cli import completion_cluster_words as cluster_words
from walctl.cli import completion_words as words

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_COMMAND = " | command | "
"""Between the word of a command below a command and its line."""

POSITIONS = (
    ("first", "the first entry"),
    ("last", "the last entry"),
    ("commit", "the last entry that is committed"),
    ("snap", "the snapshot that etcd would take"),
    ("@", "the first record of a term"),
)


class Bash(BashComplete):
    """bash gives `--output=js` as three words; click knows that only of `--output=`."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is being typed, and that."""
        args, begun = super().get_completion_args()
        return [word for word in args if word != "="], begun


class Zsh(ZshComplete):
    """zsh and fish give `--output=js` as one word, and want the whole word back."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may stand there, with the name of the option where that is part of the word."""
        return _whole_words(super().get_completions(args, incomplete), incomplete)


class Fish(FishComplete):
    """click's script for fish cuts words and texts at their first comma; `-r` takes such words."""

    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """As for zsh."""
        return _whole_words(super().get_completions(args, incomplete), incomplete)


def answer(group: click.Group, variable: str, instruction: str) -> int:
    """Print what the shell asks for in `instruction`, a word such as `bash_complete`."""
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)
    # Without these somebody tries it by hand; there is nothing to complete then.
    for name, value in (("COMP_WORDS", ""), ("COMP_CWORD", "0")):
        os.environ.setdefault(name, value)
    return answered_by_click(group, {}, "walctl", variable, instruction)


def _whole_words(found: list[CompletionItem], begun: str) -> list[CompletionItem]:
    name, equals, _ = begun.partition("=")
    if not equals or not name.startswith("--"):
        return found
    return [
        CompletionItem(f"{name}={each.value}", type=each.type, help=each.help)
        if each.type == "plain"
        else each
        for each in found
    ]


class _Ordered(click.Group):
    """A group that lists its commands in the table's order, as the real one does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names as they came."""
        return list(self.commands)


def bodiless(name: str, line: str | None = None) -> click.Command | None:
    """The command's options and arguments, without what it does; `None` if there is no such."""
    section = words.COMMANDS.get(name) or cluster_words.COMMANDS.get(name)
    if section is None:
        return None
    lines = [each for each in section.split("\n") if each]
    params = [_parameter(each) for each in lines if _COMMAND not in each]
    below = {}
    for each in lines:
        word, is_command, what = each.partition(_COMMAND)
        found = bodiless(f"{name} {word}", what) if is_command else None
        if found is not None:
            below[word] = found
    if below:
        return _Ordered(name, params=params, commands=below, short_help=line)
    return click.Command(name, params=params, short_help=line)


def _parameter(line: str) -> click.Parameter:
    names, value, *rest = line.split(" | ", 2)
    kind = value.removesuffix("*")
    settings: dict[str, Any] = {} if kind in ("flag", "text") else {"shell_complete": _of(kind)}
    is_many = kind != value
    if not names.startswith("-"):
        return click.Argument([names], nargs=-1 if is_many else 1, required=False, **settings)
    if kind == "flag":
        settings["is_flag"] = True
    return click.Option(names.split(), multiple=is_many, help="".join(rest), **settings)


def _of(kind: str) -> Complete:
    """What completes values of a kind."""
    if kind in ("file", "dir"):
        return lambda _ctx, _param, begun: [CompletionItem(begun, type=kind)]
    if kind.startswith("["):
        offered = [(word, None) for word in kind[1:-1].split()]
        return lambda _ctx, _param, begun: _beginning(offered, begun)
    return KINDS[kind]


def _positions(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    return _beginning(POSITIONS, begun)


def _types(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    return _listed(words.TYPES, begun)


def _statuses(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    return _listed(words.STATUSES, begun)


def _topics(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    return _beginning(_pairs(words.TOPICS), begun)


def _decoders(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Ours, and those that installed packages bring: these are asked for now."""
    from walctl.payload.registry import names

    return _beginning(((name, None) for name in names()), begun)


KINDS: dict[str, Complete] = {
    "decoders": _decoders,
    "positions": _positions,
    "statuses": _statuses,
    "topics": _topics,
    "types": _types,
}


def _listed(table: str, begun: str) -> list[CompletionItem]:
    """Words of an option that takes several with commas: the last one, behind those before it."""
    before, comma, last = begun.rpartition(",")
    given = before.split(",")
    offered = [pair for pair in _pairs(table) if pair[0] not in given]
    return _beginning(offered, last, before=before + comma)


def _pairs(table: str) -> Iterator[tuple[str, str]]:
    """Words and what they mean, from the lines of a table."""
    for line in table.split("\n"):
        if line:
            name, _, what = line.partition(" | ")
            yield name, what


def _beginning(
    offered: Iterable[tuple[str, str | None]], begun: str, *, before: str = ""
) -> list[CompletionItem]:
    """Those words that begin so, behind what stands `before` them in the same word."""
    return [
        CompletionItem(before + name, help=what) for name, what in offered if name.startswith(begun)
    ]

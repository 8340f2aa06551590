"""Groups of commands that import a command's module when the command is called.

So `walctl --version`, `--help` and completion cost nothing of what the commands need. A group has
a table of its commands: adding one is one line there, and a module that calls it `command`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from walctl.errors import AccessError
from walctl.render.text import printable


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not imported yet: its module, which calls it `command`, and one line.

    `may_write`: whether it may change a member's directory. `is_hidden`: not for people, so no
    list, page or shell names it.
    """

    module: str
    short_help: str
    may_write: bool = False
    is_hidden: bool = False


_NEITHER = "neither a command nor a path that exists."


class Commands(click.Group):
    """A group that looks its commands up in a table and opens the front door for paths.

    `front_door` is the command that a path in a command's place stands for; `None`: a path is none.
    """

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, Lazy],
        front_door: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.table = table
        self.front_door = front_door

    @property
    def shown(self) -> Mapping[str, Lazy]:
        """What lists and pages name, in the table's order."""
        return {name: entry for name, entry in self.table.items() if not entry.is_hidden}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(self.shown)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; this imports its module, but for a shell that asks for words."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        if ctx.resilient_parsing:
            from walctl.cli.completion import bodiless

            above = ctx.command_path.split()[1:]  # without the program's own name
            found = bodiless(" ".join([*above, cmd_name]))
            if found is not None:
                return found
        command = import_module(entry.module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in self.shown.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands and options that begin so, without importing any; else names of files."""
        found = [
            CompletionItem(name, help=entry.short_help)
            for name, entry in self.shown.items()
            if name.startswith(incomplete)
        ]
        found += click.Command.shell_complete(self, ctx, incomplete)
        return found or [CompletionItem(incomplete, type="file")]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; a path calls the front door."""
        word = args[0]
        if word not in self.table:
            if self.front_door is not None and is_path(word, ctx):
                args = [self.front_door, *args]
            elif not ctx.resilient_parsing:  # resilient: a shell asks for completions
                raise click.UsageError(self._unknown(word), ctx)
        return super().resolve_command(ctx, args)

    def _unknown(self, word: str) -> str:
        from difflib import get_close_matches

        text = f"{printable(word, width_max=60)!r} is "
        text += "no command." if self.front_door is None else _NEITHER
        close = get_close_matches(word, self.shown, n=1)
        return f"{text} Did you mean {close[0]!r}?" if close else text


def is_path(word: str, ctx: click.Context) -> bool:
    """Whether `word`, which is no command, is meant as a path: it looks like one, or exists."""
    if os.sep in word or word.startswith(".") or word.endswith((".etcd", ".wal", ".snap", ".db")):
        return True
    if not word or word.startswith("-") or "\0" in word:
        return False
    from pathlib import Path

    from walctl.cli.options import disk_of

    try:
        return disk_of(ctx).exists(Path(word))
    except AccessError:
        return True  # something is there; the command says what stops us


def below_of(command: click.Command, ctx: click.Context) -> dict[str, click.Command]:
    """The commands of a group that lists show, by name; of any other command none. Imports them.

    `ctx` is the context of `command` itself.
    """
    if not isinstance(command, click.Group):
        return {}
    found = {name: command.get_command(ctx, name) for name in command.list_commands(ctx)}
    return {name: each for name, each in found.items() if each is not None}

"""Builds the table of what a shell may offer: `python -m walctl.cli.completion_build`.

To be run when options, types or codes have changed; a test says so.
"""

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from walctl.cli.lazy import Commands, below_of
from walctl.cli.main import main
from walctl.cli.options import PathType
from walctl.inspect import explain, panics
from walctl.inspect.filter_words import STATUSES, list_types

TABLE = Path(__file__).with_name("completion_words.py")
CLUSTER_TABLE = Path(__file__).with_name("completion_cluster_words.py")
LINE_CHARS_MAX = 100

KINDS = {
    "--decoder": "decoders",
    "--end": "positions",
    "--proto": "file",
    "--start": "positions",
    "--status": "statuses",
    "--type": "types",
    "topic": "topics",
}
"""What completes values that click cannot tell from text, by the longest name."""

HEAD = '''\
"""What each command takes, for the shell; see `completion`.

Built by `python -m walctl.cli.completion_build` from the commands; do not edit.
"""

COMMANDS = {
'''


def tables(group: Commands = main) -> dict[Path, str]:
    """The texts of the modules: those below `cluster` are many, and have one of their own."""
    ctx = click.Context(group, info_name="walctl", **group.context_settings)
    commands: dict[str, list[str]] = {}
    for name, command in below_of(group, ctx).items():
        commands |= _sections(name, command, ctx)
    of_cluster = {name: lines for name, lines in commands.items() if name.startswith("cluster ")}
    others = {name: lines for name, lines in commands.items() if name not in of_cluster}
    return {
        TABLE: f"{HEAD}{_drawn(others)}}}\n\n{_words()}",
        CLUSTER_TABLE: f"{HEAD}{_drawn(of_cluster)}}}\n",
    }


def _drawn(commands: Mapping[str, list[str]]) -> str:
    """Sections as items of a dict of Python."""
    return "".join(f'    "{name}": {_text(lines)},\n' for name, lines in commands.items())


def _words() -> str:
    """Types, statuses and topics, as literals of Python."""
    # One word may be a record and a request; the first has it.
    types: dict[str, str] = {}
    for word in list_types():
        types.setdefault(word.name, word.what)
    types["list"] = "show what all of these are"
    topics = {page.topic: page.title for page in explain.PAGES}
    topics |= {page.topic: page.title for page in panics.PAGES}
    return (
        f"TYPES = {_text(map(' | '.join, types.items()))}\n\n"
        f"STATUSES = {_text(STATUSES)}\n\n"
        f"TOPICS = {_text(map(' | '.join, topics.items()))}\n"
    )


def _sections(name: str, command: click.Command, ctx: click.Context) -> dict[str, list[str]]:
    """The lines of a command's parameters, and of each command below it; click adds --help."""
    inner = click.Context(command, info_name=name, parent=ctx)
    below = below_of(command, inner)
    lines = [f"{word} | command | {each.short_help}" for word, each in below.items()]
    found = {name: [*lines, *map(_parameter, command.params)]}
    for word, each in below.items():
        found |= _sections(f"{name} {word}", each, inner)
    return found


def _parameter(param: click.Parameter) -> str:
    is_many = param.multiple or param.nargs != 1
    names = sorted([*param.opts, *param.secondary_opts], key=len)
    help_text = getattr(param, "help", None) or ""
    line = f"{' '.join(names)} | {_kind(param, names[-1])}{'*' * is_many}"
    return f"{line} | {_first_sentence(help_text)}" if help_text else line


def _kind(param: click.Parameter, name: str) -> str:
    if isinstance(param, click.Option) and (param.is_flag or param.count):
        return "flag"
    if isinstance(param.type, click.Choice):
        return f"[{' '.join(map(str, param.type.choices))}]"
    if isinstance(param.type, PathType):
        return "dir" if param.metavar == "DIR" else "file"
    return KINDS.get(name, "text")


def _first_sentence(text: str) -> str:
    """A shell shows one line of it."""
    words = " ".join(inspect.cleandoc(text).replace("`", "").split())
    return words.partition(". ")[0].removesuffix(".")


def _text(lines: Iterable[str]) -> str:
    """Lines as one literal of Python; what is too long for a line of source is cut."""
    limit = LINE_CHARS_MAX
    cut = [line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…" for line in lines]
    body = "".join(f"{line}\n" for line in cut)
    assert "\\" not in body
    assert '"""' not in body
    return f'"""\n{body}"""'


if __name__ == "__main__":
    for path, text in tables().items():
        with click.open_file(str(path), "w", encoding="utf-8") as module:
            module.write(text)

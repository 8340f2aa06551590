"""The manual pages of section 1, built from the commands' own help: `python -m walctl.cli.man man`.

walctl.7 (concepts) and walctl-formats.5 (layouts) lie in the same folder and are written by hand.
A test builds the pages again and compares, so a page cannot go stale. Only what we state is
printed (no date, no width of a terminal), and nothing that depends on the version of click.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from walctl.cli.lazy import Commands, below_of
from walctl.cli.main import COMPLETE_VARIABLE, TRACEBACK_VARIABLE, main
from walctl.errors import ExitStatus
from walctl.version import VERSION

LITERAL_MARK = "\b"
"""A paragraph that begins with it is printed as it stands (click's own convention)."""

SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\[aq]", "`": r"\[ga]", "^": r"\[ha]", "~": r"\[ti]"}
QUOTED = re.compile(r"`([^`]*)`")

ENVIRONMENT = (
    ("NO_COLOR", "If it is not empty, nothing is coloured."),
    ("TERM", "If it is `dumb`, nothing is coloured."),
    (
        TRACEBACK_VARIABLE,
        "If it is not empty, an internal error is printed with its traceback, for a bug report.",
    ),
    (
        COMPLETE_VARIABLE,
        f"With `bash_source`, `zsh_source` or `fish_source`, walctl prints the script that lets "
        f'the shell complete its words: `eval "$({COMPLETE_VARIABLE}=bash_source walctl)"`.',
    ),
)


def pages(group: Commands = main) -> dict[str, str]:
    """File names and content of all pages of section 1."""
    ctx = click.Context(group, info_name="walctl", **group.context_settings)
    built = {"walctl.1": _group_page(group, ctx)}
    for name, command in below_of(group, ctx).items():
        built |= _command_pages(name, command, ctx)
    return built


def _command_pages(name: str, command: click.Command, ctx: click.Context) -> dict[str, str]:
    """The page of one command, and of each command below it; `name` has those above it."""
    inner = click.Context(command, info_name=f"walctl {name}", parent=ctx)
    page = f"walctl-{name.replace(' ', '-')}"
    below = below_of(command, inner)
    parts = [
        _head(page, command.short_help or "", inner, command),
        *_help(command),
        *_commands((f"{page}-{word}", each.short_help or "") for word, each in below.items()),
        *_options(command, inner),
        *_exit_status(),
        *_see_also(("walctl", 1), ("walctl", 7), ("walctl-formats", 5)),
    ]
    built = {f"{page}.1": _joined(parts)}
    for word, each in below.items():
        built |= _command_pages(f"{name} {word}", each, ctx)
    return built


def roff(text: str) -> str:
    """`text` as roff prints it unchanged; every hyphen is the one that can be typed again."""
    escaped = "".join(
        SPECIAL.get(char) or (char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text
    )
    # A dot or quotation mark at the start of a line would make a request of it.
    return re.sub(r"^(?=[.'])", r"\\&", escaped, flags=re.MULTILINE)


def prose(text: str) -> str:
    """One paragraph for roff; what stands in backquotes is set bold."""
    pieces = QUOTED.split(" ".join(text.split()))
    # split gives plain and quoted pieces in turn
    marked = (
        rf"\fB{roff(piece)}\fR" if number % 2 else roff(piece).removeprefix(r"\&")
        for number, piece in enumerate(pieces)
    )
    line = "".join(marked)
    return rf"\&{line}" if line.startswith(".") else line


def _group_page(group: Commands, ctx: click.Context) -> str:
    commands = _commands((f"walctl-{name}", each.short_help) for name, each in group.shown.items())
    environment = [".SH ENVIRONMENT"]
    for name, what in ENVIRONMENT:
        environment += [".TP", rf"\fB{roff(name)}\fR", prose(what)]
    return _joined(
        [
            _head("walctl", "See what an etcd member's directory holds.", ctx, group),
            *_help(group),
            *commands,
            *_options(group, ctx),
            *environment,
            *_see_also(("walctl", 7), ("walctl-formats", 5)),
        ]
    )


def _commands(pages: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A list of pages with their lines; nothing where there are none."""
    for number, (page, line) in enumerate(pages):
        if not number:
            yield ".SH COMMANDS"
        yield from (".TP", rf"\fB{roff(page)}\fR(1)", prose(line))


def _head(name: str, line: str, ctx: click.Context, command: click.Command) -> str:
    usage = " ".join([ctx.info_name or name, *command.collect_usage_pieces(ctx)])
    line = line.removesuffix(".")
    return _joined(
        [
            r".\" Built by `python -m walctl.cli.man man` from the command's help; do not edit.",
            f'.TH {roff(name.upper())} 1 "" "walctl {roff(VERSION)}" "walctl manual"',
            ".SH NAME",
            rf"{roff(name)} \- {roff(line[0].lower() + line[1:])}",
            ".SH SYNOPSIS",
            rf"\fB{roff(ctx.info_name or name)}\fR{roff(usage.removeprefix(ctx.info_name or ''))}",
            ".SH DESCRIPTION",
        ]
    ).rstrip("\n")


def _help(command: click.Command) -> Iterator[str]:
    """The help's paragraphs; a literal one whose first line ends with a colon is a section."""
    for number, paragraph in enumerate(_paragraphs(command)):
        if not paragraph.startswith(LITERAL_MARK):
            if number:
                yield ".PP"
            yield prose(paragraph)
            continue
        lines = paragraph.splitlines()[1:]
        if lines[0].endswith(":"):
            yield f".SH {roff(lines.pop(0)[:-1].upper())}"
        else:
            yield ".PP"
        yield from (".RS 4", ".nf", *(roff(line) for line in _dedented(lines)), ".fi", ".RE")


def _paragraphs(command: click.Command) -> list[str]:
    text = inspect.cleandoc(command.help or "")
    return [paragraph for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]


def _dedented(lines: list[str]) -> list[str]:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:].rstrip() for line in lines]


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    yield ".SH OPTIONS"
    for option in command.get_params(ctx):
        if not isinstance(option, click.Option) or option.hidden:
            continue
        names = sorted([*option.opts, *option.secondary_opts], key=lambda name: name.count("-"))
        yield ".TP"
        yield ", ".join(rf"\fB{roff(name)}\fR" for name in names) + _metavar(option)
        yield prose(f"{option.help or ''} {_default(option)}")


def _metavar(option: click.Option) -> str:
    if option.is_flag or option.count:
        return ""
    if isinstance(option.type, click.Choice):
        return rf" \fI{roff('|'.join(map(str, option.type.choices)))}\fR"
    return rf" \fI{roff(option.metavar or option.type.name.upper())}\fR"


def _default(option: click.Option) -> str:
    """The default, where the option's own help would show it too."""
    if not option.show_default:
        return ""
    shown = option.show_default if isinstance(option.show_default, str) else option.default
    return f"Default: {shown}."


def _exit_status() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    yield prose(
        "The same for every command: "
        + ", ".join(str(status.value) for status in ExitStatus)
        + ". `walctl explain STATUS` and walctl(7) tell what they mean."
    )


def _see_also(*references: tuple[str, int]) -> Iterator[str]:
    yield ".SH SEE ALSO"
    yield ", ".join(rf"\fB{roff(name)}\fR({section})" for name, section in references)


def _joined(parts: list[str]) -> str:
    return "\n".join(parts) + "\n"


def build(folder: Path) -> list[str]:
    """Write the pages into `folder`, which exists; gives their names."""
    built = pages()
    for name, text in built.items():
        with click.open_file(str(folder / name), "w", encoding="utf-8") as page:
            page.write(text)
    return list(built)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m walctl.cli.man FOLDER")
    build(Path(sys.argv[1]))

"""What commands that ask a lab as a client share: their arguments, and how an answer is told."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from walctl.cli.cluster_lab import named, opened
from walctl.cluster.answers import Answer, Fate, Read
from walctl.cluster.asking import Deed, ask, key_of
from walctl.cluster.lab import Lab
from walctl.cluster.looking import CHOSEN_WORDS
from walctl.cluster.up_down import status
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import cluster_answer as render
from walctl.render.screen import Screen

F = TypeVar("F", bound=Callable[..., Any])
_FATES = {Fate.FAIL: "not done", Fate.UNKNOWN: "nobody can tell whether it was done"}
EXITS = {
    Fate.OK: ExitStatus.CLEAN,
    Fate.FAIL: ExitStatus.DAMAGE,
    Fate.UNKNOWN: ExitStatus.UNFINISHED,
}


def key_argument(function: F) -> F:
    """`KEY`, as `key: str`."""
    return click.argument("key", metavar="KEY")(function)


def group_option(function: F) -> F:
    """`--group`, as `group: str | None`."""
    text = "Which group; the first one, if left out."
    return click.option("--group", metavar="NAME", help=text)(function)


def via_option(function: F) -> F:
    """`--via`, as `via: str | None`."""
    text = "The node to ask; the leader, if left out."
    return click.option("--via", metavar="NODE", help=text)(function)


def timeout_option(function: F) -> F:
    """`--timeout`, as `timeout: float`."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0.01, 600),
        default=5.0,
        show_default=True,
        metavar="S",
        help="Seconds until nobody is waited for any more.",
    )(function)


def read_option(function: F) -> F:
    """`--read`, as `read: str`."""
    return click.option(
        "--read",
        type=click.Choice([each.value for each in Read]),
        default=Read.INDEX.value,
        show_default=True,
        help="How it is made sure that nothing older is given: index asks a quorum, lease trusts"
        " the leader's clock, local takes what the node has.",
    )(function)


def told(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    path: Path,
    deed: Callable[[Lab, str, str | None], Deed[Answer]],
    *,
    group: str | None,
    via: str | None,
    timeout: float,
    is_read: bool = False,
) -> None:
    """Ask, say what came of it, and end: 0 done, 1 certainly not done, 4 nobody can tell.

    A read: 1 when there is no such key, 4 when there was no answer.
    """
    lab, name, node = _asked(disk, path, group, via)
    answer = ask(lab, deed(lab, name, node), seconds=timeout)
    screen.show(answer, text=render.answer_text, document=render.answer_document)
    status = EXITS[answer.fate]
    if is_read:
        status = ExitStatus.CLEAN if answer.fate is Fate.OK else ExitStatus.UNFINISHED
        if answer.fate is Fate.OK and answer.value is None:
            screen.error(f"{lab.path}: there is no such key in group {name}")
            status = ExitStatus.DAMAGE
    if answer.fate is not Fate.OK:
        screen.error(f"{lab.path}: {_FATES[answer.fate]}: {answer.words}")
    ctx.exit(status)


def ask_prefix(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    path: Path,
    prefix: str,
    *,
    read: Read,
    group: str | None,
    via: str | None,
    timeout: float,
) -> None:
    """Show every key that begins so, and end."""
    lab, name, node = _asked(disk, path, group, via)
    found = ask(
        lab,
        lambda client: client.range(words_of(lab, prefix), group=name, via=node, read=read),
        seconds=timeout,
    )
    answer, _ = found
    if answer.fate is not Fate.OK:
        screen.error(f"{lab.path}: {_FATES[answer.fate]}: {answer.words}")
        ctx.exit(ExitStatus.UNFINISHED)
    screen.show(found, text=render.range_text, document=render.range_document)
    ctx.exit(ExitStatus.CLEAN)


def _asked(
    disk: FileSystem, path: Path, group: str | None, via: str | None
) -> tuple[Lab, str, str | None]:
    """The lab, the group and the node that are meant. Raises: AccessError, UsageError."""
    lab = opened(disk, path)
    name = lab.group(group).name
    if via is None:
        return lab, name, None
    if via in CHOSEN_WORDS:
        return lab, name, named(lab, status(disk, lab), via, group=name)
    return lab, name, lab.node(via).name


def words_of(lab: Lab, key: str) -> bytes:
    """A key as it was typed."""
    return key_of(lab, os.fsencode(key))

"""What commands that ask a lab as a client share: their options, and how an answer is told."""

import functools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from walctl.cli.cluster_lab import node_meant, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.answers import Answer, Client, Fate, Read
from walctl.cluster.asking import ask, ask_told, key_of
from walctl.cluster.client import PROPOSED
from walctl.cluster.lab import Lab
from walctl.cluster.running import supervisor_of
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import cluster_answer as render
from walctl.render.screen import Screen

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Deed = Callable[[Client, bytes, str, str | None], Awaitable[T]]
"""What is asked of a client: given the key, the group and the node to begin with."""

_FATES = {Fate.FAIL: "not done", Fate.UNKNOWN: "nobody can tell whether it was done"}
EXITS = {
    Fate.OK: ExitStatus.CLEAN,
    Fate.FAIL: ExitStatus.DAMAGE,
    Fate.UNKNOWN: ExitStatus.UNFINISHED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a lab is asked as its clients ask it, and where the answer goes."""

    ctx: click.Context
    screen: Screen
    disk: FileSystem
    lab: Lab
    key: bytes
    group: str
    via: str | None
    seconds: float

    def ask(self, deed: Deed[T]) -> T:
        """What comes of it."""
        return ask(
            self.lab,
            lambda client: deed(client, self.key, self.group, self.via),
            seconds=self.seconds,
        )

    def write(self, deed: Deed[Answer]) -> None:
        """Ask, tell what came of it, and end: 0 done, 1 certainly not done, 4 nobody can tell."""
        answer = ask_told(
            self.lab,
            lambda client: deed(client, self.key, self.group, self.via),
            seconds=self.seconds,
        )
        self.screen.show(answer, text=render.answer_text, document=render.answer_document)
        if answer.words == PROPOSED:
            self.screen.note(PROPOSED)
            self.ctx.exit(ExitStatus.CLEAN)
        self.complain(answer)
        self.ctx.exit(EXITS[answer.fate])

    def complain(self, answer: Answer) -> None:
        """Say why an answer is not ok."""
        if answer.fate is Fate.OK:
            return
        path, why = self.lab.path, answer.words
        if supervisor_of(self.disk, self.lab) is None:
            why = f"it is not up; walctl cluster up {path} starts it ({why})"
        self.screen.error(f"{path}: {_FATES[answer.fate]}: {why}")


def asks(function: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that ask a lab; the command gets a `Question` for LAB and KEY."""

    @click.option("--group", metavar="NAME", help="Which group; the first one, if left out.")
    @click.option("--via", metavar="NODE", help="The node to ask; the leader, if left out.")
    @click.option(
        "--timeout",
        type=click.FloatRange(0.01, 600),
        default=5.0,
        show_default=True,
        metavar="S",
        help="Seconds until nobody is waited for any more.",
    )
    @output("text", "json")
    @quiet
    @pass_disk
    @pass_screen
    @click.pass_context
    @functools.wraps(function)
    def asking(
        ctx: click.Context,
        screen: Screen,
        disk: FileSystem,
        /,
        lab: Path,
        key: str,
        group: str | None,
        via: str | None,
        timeout: float,
        **others: Any,
    ) -> None:
        found = opened(disk, lab)
        name = found.group(group).name
        question = Question(
            ctx=ctx,
            screen=screen,
            disk=disk,
            lab=found,
            key=key_of(found, os.fsencode(key)),
            group=name,
            via=None if via is None else found.node(node_meant(disk, found, via, group=name)).name,
            seconds=timeout,
        )
        function(question, **others)

    return asking


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


def key_argument(function: F) -> F:
    """`KEY`, as `key: str`."""
    return click.argument("key", metavar="KEY")(function)

"""`walctl cluster get`."""

import click

from walctl.cli.cluster_ask import Question, asks, key_argument, read_option
from walctl.cli.cluster_lab import lab_argument
from walctl.cluster.answers import Fate, Read
from walctl.errors import ExitStatus
from walctl.render import cluster_answer as render


@click.command("get", short_help="Read a value from a lab.")
@lab_argument
@key_argument
@click.option("--prefix", "is_prefix", is_flag=True, help="Every key that begins with KEY.")
@read_option
@asks
def command(question: Question, is_prefix: bool, read: str) -> None:
    """Print what LAB, which is up, holds under KEY.

    Exits 0 with the value; 1 when there is no such key; 4 when there was no answer. What is no
    text is printed escaped; -o json has every byte. Our own engine lists keys as it stores them,
    %-escaped like URLs.

    \b
    Examples:
      walctl cluster get demo colour
      walctl cluster get demo colour --via n2 --read local
      walctl cluster get demo / --prefix -o json
    """
    if is_prefix:
        _every(question, Read(read))
    else:
        _one(question, Read(read))


def _one(question: Question, read: Read) -> None:
    """Show the value, and end."""
    answer = question.ask(
        lambda client, key, group, via: client.get(key, group=group, via=via, read=read)
    )
    question.screen.show(answer, text=render.value_text, document=render.answer_document)
    question.complain(answer)
    if answer.fate is not Fate.OK:
        question.ctx.exit(ExitStatus.UNFINISHED)
    if answer.value is None:
        question.screen.error(
            f"{question.lab.path}: there is no such key in group {question.group}"
        )
        question.ctx.exit(ExitStatus.DAMAGE)
    question.ctx.exit(ExitStatus.CLEAN)


def _every(question: Question, read: Read) -> None:
    """Show every key that begins so, and end."""
    found = question.ask(
        lambda client, key, group, via: client.range(key, group=group, via=via, read=read)
    )
    answer, _ = found
    question.complain(answer)
    if answer.fate is not Fate.OK:
        question.ctx.exit(ExitStatus.UNFINISHED)
    question.screen.show(found, text=render.range_text, document=render.range_document)
    question.ctx.exit(ExitStatus.CLEAN)

"""Options that commands of the simulator share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from walctl.cluster.simulator_words import seed_of
from walctl.errors import UsageError
from walctl.sim.safeguards import named

F = TypeVar("F", bound=Callable[..., Any])

LIST = "list"
"""In the place of a protection: show them all."""


def without_option(function: F) -> F:
    """`--without`, as `without: tuple[str, ...]`: names that there are, or `list` among them."""
    return click.option(
        "--without",
        multiple=True,
        metavar="SAFEGUARD",
        callback=_known,
        help="Take this protection away, may be repeated; list: show what there is.",
    )(function)


def seed_value(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A seed, in decimal or as 0x2f."""
    if text is None:
        return None
    try:
        return seed_of(text)
    except UsageError as error:
        raise click.BadParameter(error.message) from error


def _known(
    ctx: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    if LIST in names:
        return (LIST,)
    try:
        return tuple(each.name for each in named(list(dict.fromkeys(names))))
    except UsageError as error:
        raise click.BadParameter(error.message) from error

"""A case with a node less: what was done to that one is gone, and those behind it move up."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from walctl.cluster.deeds import Deed, Net
from walctl.cluster.scenario import Command
from walctl.sim.case import Case

_NODE: Final = re.compile(r"n([1-9][0-9]*)")
_SEPARATOR: Final = re.compile(r"(<->|->|,|/)")
_ONE: Final = ("node", "source", "target", "via")
_SEVERAL: Final = ("nodes", "sources")


def without_node(case: Case, gone: int) -> Case:
    """The case without node `gone`, from 1 on."""
    cluster = replace(case.cluster, nodes=case.cluster.nodes - 1)
    return replace(case, cluster=cluster, commands=tuple(_left(case.commands, gone)))


def _left(commands: Sequence[Command], gone: int) -> Iterator[Command]:
    for command in commands:
        deed = _moved(command.deed, gone)
        if deed is not None:
            yield replace(command, deed=deed)


def _moved(deed: Deed, gone: int) -> Deed | None:
    """The deed with nodes as they are called now; `None` where it was done to the one that is
    gone."""
    if isinstance(deed, Net):
        return _net(deed, gone)
    changed: dict[str, Any] = {}
    for field in fields(deed):
        value = getattr(deed, field.name)
        if field.name in _ONE and isinstance(value, str):
            name = _name(value, gone)
            if name is None and field.name != "via":
                return None
            changed[field.name] = name
        elif field.name in _SEVERAL and value:
            left = tuple(name for each in value if (name := _name(each, gone)) is not None)
            if not left:
                return None
            changed[field.name] = left
    return replace(deed, **changed)


def _net(deed: Net, gone: int) -> Net | None:
    """Links and parts without the node."""
    if deed.verb == "split":
        parts = [
            ",".join(name for each in part.split(",") if (name := _name(each, gone)) is not None)
            for part in "".join(deed.rest).split("/")
        ]
        left = [each for each in parts if each]
        return replace(deed, rest=("/".join(left),)) if len(left) > 1 else None
    words: list[str] = []
    for word in deed.rest:
        named = [_name(part, gone) for part in _SEPARATOR.split(word)]
        if None not in named:
            words.append("".join(each or "" for each in named))
        elif "->" not in word:
            return None  # one of the two ends of a link, or all that it is about
    is_about_links = any("->" in word for word in deed.rest)
    if is_about_links and not any("->" in word for word in words):
        return None
    return replace(deed, rest=tuple(words))


def _name(word: str, gone: int) -> str | None:
    """What a node is called now; words that name none stay."""
    found = _NODE.fullmatch(word)
    if found is None:
        return word
    number = int(found[1])
    if number == gone:
        return None
    return f"n{number - 1}" if number > gone else word

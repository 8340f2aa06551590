"""What a scenario is about: the comment that it opens with, read and written.

    # The leader is cut off while …                        the story, in free text
    # Source: https://github.com/etcd-io/etcd/issues/…     where it comes from
    # Tags: elections, smoke
    # Expect: The old leader steps down, …                 the right behaviour, in a sentence
    # Without check-quorum: I15 L1 -- it answers old reads
    #   to those who still ask it.

`Without` names a safeguard; a run without it fails with one of the invariants that follow. It may
stand several times, the others once. A line that is indented goes on with the one before it.

Pure.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from walctl.cluster.claim_words import INVARIANT
from walctl.errors import UsageError

LINE_MAX: Final = 100
_FIELD: Final = re.compile(r"(Source|Tags|Expect|Without)\b ?([^:]*):(.*)")
_TAG: Final = re.compile(r"[a-z][a-z0-9-]*")
_WITHOUT: Final = re.compile(r"([A-Z0-9 ,]+?) -- (.+)")


@dataclass(frozen=True, slots=True)
class Broken:
    """What happens without a safeguard: one of the invariants `ids` does not hold, as `words`
    tell. That the safeguard is one of ours is not known here."""

    safeguard: str
    ids: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """See the module; `right` is the right behaviour. What is not said is empty."""

    text: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    right: str = ""
    broken: tuple[Broken, ...] = ()


def read(text: str, *, name: str) -> Story:
    """The story of a scenario's text. Raises: UsageError, `NAME:LINE: expected …, found …`."""
    free: list[str] = []
    found: dict[str, str] = {}
    broken: list[Broken] = []
    for line, told in _parts(text):
        field = _FIELD.fullmatch(told)
        if field is None or (field[2] and field[1] != "Without"):
            free.append(told)
            continue
        verb, safeguard, value = field[1], field[2].strip(), field[3].strip()
        try:
            if verb == "Without":
                broken.append(_broken(safeguard, value))
                continue
            if verb in found or not value:
                raise UsageError(f"expected {verb}: once, with what it is; found {told!r}")
            found[verb] = value
            if verb == "Tags":
                _demand_tags(_tags(value))
        except UsageError as error:
            raise UsageError(f"{name}:{line}: {error.message}") from error
    return Story(
        text=" ".join(each for each in free if each),
        source=found.get("Source", ""),
        tags=_tags(found.get("Tags", "")),
        right=found.get("Expect", ""),
        broken=tuple(broken),
    )


def written(story: Story) -> list[str]:
    """The lines of that comment."""
    fields = [
        ("Source", story.source),
        ("Tags", ", ".join(story.tags)),
        ("Expect", story.right),
        *((f"Without {each.safeguard}", _words(each)) for each in story.broken),
    ]
    lines = textwrap.wrap(story.text, LINE_MAX - 2, break_on_hyphens=False, break_long_words=False)
    for name, value in fields:
        if value:
            lines += textwrap.wrap(
                f"{name}: {value}",
                LINE_MAX - 2,
                subsequent_indent="  ",
                break_on_hyphens=False,
                break_long_words=False,
            )
    return [f"# {line}" for line in lines]


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """What the comment at the top says, part by part, with the line that each begins in."""
    began, told = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("#"):
            break
        inside = line[1:]
        goes_on = bool(told) and inside.startswith("  ") and bool(inside.strip())
        if goes_on:
            told = f"{told} {inside.strip()}"
            continue
        if told:
            yield began, told
        began, told = number, inside.strip()
    if told:
        yield began, told


def _broken(safeguard: str, value: str) -> Broken:
    usage = "Without SAFEGUARD: I4 I5 -- what goes wrong"
    found = _WITHOUT.fullmatch(value)
    if found is None or _TAG.fullmatch(safeguard) is None:
        raise UsageError(f"expected {usage}, found {f'Without {safeguard}: {value}'!r}")
    ids = tuple(found[1].replace(",", " ").split())
    for each in ids:
        if INVARIANT.fullmatch(each) is None:
            raise UsageError(f"expected invariants (I1 to I16, L1 to L5), found {each!r}")
    return Broken(safeguard, ids, found[2].strip())


def _words(broken: Broken) -> str:
    return f"{' '.join(broken.ids)} -- {broken.words}"


def _tags(value: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in value.split(",") if each.strip())


def _demand_tags(tags: Sequence[str]) -> None:
    for tag in tags:
        if _TAG.fullmatch(tag) is None:
            raise UsageError(f"expected tags, as: elections, smoke; found {tag!r}")

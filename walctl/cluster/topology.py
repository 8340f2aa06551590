"""Words about the network of a cluster, made into faults of links; and the way back.

    cut A B [one way] [reset]    cut A->B         nothing arrives; with reset, connections close
    isolate A [reset]                             A hears nobody, and nobody hears A
    split n1,n2/n3,n4,n5                          nothing crosses the stroke
    bridge n3                                     the others in two halves, which n3 alone joins
    ring                                          each hears its two neighbours alone
    delay A->B 50ms±20ms · loss A->B 5% · dup A->B 1% · reorder A->B 2% · slow A->B 10KB/s
    heal [A->B | A B | A]                         all is well again, or all of these links

A link is `A->B`, both its directions `A<->B` or `A B`; several with arrows may be given. `all`
stands for every node on either side, and alone for every link. `off` instead of an amount takes
that fault off. Faults of one link add up; `split`, `bridge` and `ring` say which links are cut and
which are not, so each takes the place of all cuts before it.

Pure: values in, values out. Whoever knows who leads says what `leader`, `follower` and `random`
stand for (`resolve`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, TypeAlias

from walctl.cluster.faults import WELL, Link, LinkFault
from walctl.cluster.quantities import (
    parse_percent,
    parse_rate,
    parse_spread,
    show_percent,
    show_rate,
    show_spread,
)
from walctl.errors import UsageError

Faults: TypeAlias = Mapping[Link, LinkFault]
"""What is on: a link that is not there is well."""

ALL: Final = "all"
OFF: Final = "off"
ROLES: Final = frozenset({"leader", "follower", "random"})
"""Words that stand for a node that is to be found."""

_SEPARATOR: Final = re.compile(r"(<->|->|,|/)")

_ONE_WAY: Final = (("one", "way"), ("one-way",), ("--one-way",))
_RESET: Final = (("reset",), ("--reset",))


@dataclass(frozen=True, slots=True)
class _Amount:
    """A fault with an amount: the fields of `LinkFault` it sets, how they are typed and shown."""

    fields: tuple[str, ...]
    parse: Callable[[str], tuple[int, ...]]
    show: Callable[..., str]
    example: str


def _one(parse: Callable[[str], int]) -> Callable[[str], tuple[int, ...]]:
    return lambda text: (parse(text),)


_AMOUNTS: Final[Mapping[str, _Amount]] = {
    "delay": _Amount(("delay_us", "jitter_us"), parse_spread, show_spread, "50ms±20ms"),
    "loss": _Amount(("loss_ppm",), _one(parse_percent), show_percent, "5%"),
    "dup": _Amount(("duplicate_ppm",), _one(parse_percent), show_percent, "1%"),
    "reorder": _Amount(("reorder_ppm",), _one(parse_percent), show_percent, "2%"),
    "slow": _Amount(("bytes_per_second",), _one(parse_rate), show_rate, "10KB/s"),
}

VERBS: Final = ("cut", "isolate", "split", "bridge", "ring", *_AMOUNTS, "heal")


@dataclass(frozen=True, slots=True)
class Change:
    """What words ask for: the new state of the links that change, in order of links.

    `on` is the verb, for the event; a link that becomes well is in `faults` as `WELL`.
    """

    on: str
    faults: Faults

    @property
    def links(self) -> tuple[str, ...]:
        """The links that change, as they are written in events."""
        return tuple(str(link) for link in self.faults)


def links_among(nodes: Iterable[str]) -> tuple[Link, ...]:
    """Every link between different nodes."""
    names = list(nodes)
    return tuple(Link(a, b) for a in names for b in names if a != b)


def resolve(words: str | Sequence[str], lookup: Callable[[str], str]) -> tuple[str, ...]:
    """The words with a node's name wherever one stands for it, as in `cut leader->n2`.

    `lookup` is asked once for each of `ROLES` that occurs, in the order of the words.
    """
    found: dict[str, str] = {}

    def named(part: str) -> str:
        if part not in ROLES:
            return part
        if part not in found:
            found[part] = lookup(part)
        return found[part]

    each = words.split() if isinstance(words, str) else words
    return tuple("".join(map(named, _SEPARATOR.split(word))) for word in each)


def change(words: str | Sequence[str], *, nodes: Sequence[str], on: Faults) -> Change:
    """What these words do to a cluster of `nodes` with the faults `on`.

    Raises: UsageError, in one line with the way out.
    """
    verb, *rest = (words.split() if isinstance(words, str) else words) or ("",)
    asked: Faults
    match verb:
        case "cut":
            asked = _cut(rest, nodes, on)
        case "isolate":
            asked = _isolate(rest, nodes, on)
        case "split":
            asked = _shape(on, nodes, _halves(rest, nodes))
        case "bridge":
            asked = _shape(on, nodes, _bridged(rest, nodes))
        case "ring":
            asked = _shape(on, nodes, _ring(rest, nodes))
        case "heal":
            asked = dict.fromkeys(_to_heal(rest, nodes, on), WELL)
        case _ if verb in _AMOUNTS:
            asked = _amount(verb, rest, nodes, on)
        case _:
            raise UsageError(f"{verb!r} is nothing to do to a network: expected {', '.join(VERBS)}")
    changed = {link: fault for link, fault in asked.items() if on.get(link, WELL) != fault}
    return Change(verb, dict(sorted(changed.items())))


def after(on: Faults, made: Change) -> dict[Link, LinkFault]:
    """The faults that are on once a change is made; links that are well are not in it."""
    both = {**on, **made.faults}
    return {link: fault for link, fault in sorted(both.items()) if not fault.is_none}


def describe(on: Faults, *, nodes: Sequence[str]) -> str:
    """One line on all faults that are on, as words that would make them; empty when all is well."""
    parts = _cut_words(on, nodes)
    for verb, amount in _AMOUNTS.items():
        amounts: dict[str, list[Link]] = {}
        for link, fault in sorted(on.items()):
            values = [getattr(fault, field) for field in amount.fields]
            if any(values):
                amounts.setdefault(amount.show(*values), []).append(link)
        parts += [
            f"{verb} {' '.join(_link_words(links, nodes))} {shown}"
            for shown, links in amounts.items()
        ]
    return "; ".join(parts)


def _cut(words: Sequence[str], nodes: Sequence[str], on: Faults) -> Faults:
    rest, is_reset = _without_flag(words, _RESET)
    rest, is_one_way = _without_flag(rest, _ONE_WAY)
    if is_one_way and len(rest) == 2:
        rest = (f"{rest[0]}->{rest[1]}",)
    return {link: _cutting(on, link, is_reset) for link in _some_links(rest, nodes, "cut n1 n2")}


def _isolate(words: Sequence[str], nodes: Sequence[str], on: Faults) -> Faults:
    rest, is_reset = _without_flag(words, _RESET)
    if len(rest) != 1:
        raise UsageError("isolate: expected one node, as in: isolate n1")
    name = _node(rest[0], nodes)
    links = [link for link in links_among(nodes) if name in (link.source, link.target)]
    return {link: _cutting(on, link, is_reset) for link in links}


def _cutting(on: Faults, link: Link, is_reset: bool) -> LinkFault:
    return replace(on.get(link, WELL), is_cut=True, is_reset=is_reset)


def _shape(on: Faults, nodes: Sequence[str], joined: frozenset[frozenset[str]]) -> Faults:
    """Links within `joined` pairs are whole, all others are cut; other faults stay as they are."""
    return {
        link: replace(
            on.get(link, WELL),
            is_cut=frozenset((link.source, link.target)) not in joined,
            is_reset=False,
        )
        for link in links_among(nodes)
    }


def _pairs(*parts: Iterable[str]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair) for part in parts for pair in combinations(part, 2))


def _halves(words: Sequence[str], nodes: Sequence[str]) -> frozenset[frozenset[str]]:
    parts = [
        [_node(name.strip(), nodes) for name in part.split(",")]
        for part in "".join(words).split("/")
        if part
    ]
    named = [name for part in parts for name in part]
    if len(parts) < 2 or len(set(named)) != len(named):
        raise UsageError("split: expected parts with each node once, as in: split n1,n2/n3,n4,n5")
    if missing := [name for name in nodes if name not in named]:
        raise UsageError(f"split: expected every node in a part, {', '.join(missing)} is in none")
    return _pairs(*parts)


def _bridged(words: Sequence[str], nodes: Sequence[str]) -> frozenset[frozenset[str]]:
    if len(words) != 1:
        raise UsageError("bridge: expected one node, as in: bridge n3")
    name = _node(words[0], nodes)
    others = [each for each in nodes if each != name]
    half = (len(others) + 1) // 2
    return _pairs((*others[:half], name), (*others[half:], name))


def _ring(words: Sequence[str], nodes: Sequence[str]) -> frozenset[frozenset[str]]:
    if words:
        raise UsageError(f"ring: expected nothing behind it, found {words[0]!r}")
    return _pairs(*zip(nodes, (*nodes[1:], *nodes[:1]), strict=True))


def _to_heal(words: Sequence[str], nodes: Sequence[str], on: Faults) -> tuple[Link, ...]:
    """The links that are named, or all that there are, those of nodes that are gone too."""
    if words and words[-1] not in (ALL, f"--{ALL}"):
        return _some_links(words, nodes)
    return tuple(on)


def _amount(verb: str, words: Sequence[str], nodes: Sequence[str], on: Faults) -> Faults:
    amount = _AMOUNTS[verb]
    example = f"{verb} n1->n2 {amount.example}"
    if len(words) < 2:
        raise UsageError(f"{verb}: expected a link and an amount, as in: {example}")
    *where, text = words
    links = _some_links(where, nodes, example)
    if text == OFF:
        values = tuple(getattr(WELL, field) for field in amount.fields)
    else:
        values = amount.parse(text)
    fields = dict(zip(amount.fields, values, strict=True))
    return {link: replace(on.get(link, WELL), **fields) for link in links}


def _some_links(
    words: Sequence[str], nodes: Sequence[str], example: str = "heal n1->n2"
) -> tuple[Link, ...]:
    """The links that words name: `A->B`, `A<->B`, `A B`, `all`, or the links of one node."""
    match words:
        case [source, "->", target]:
            return _one_way(source, target, nodes)
        case [source, "<->", target]:
            return _both_ways(source, target, nodes)
        case [_, *_] if all("->" in word for word in words):
            return tuple(dict.fromkeys(link for word in words for link in _written(word, nodes)))
        case [one]:
            return _both_ways(one, ALL, nodes)
        case [source, target]:
            return _both_ways(source, target, nodes)
        case _:
            found = " ".join(words) or "nothing"
            raise UsageError(f"expected links, as in: {example}; found {found}")


def _written(word: str, nodes: Sequence[str]) -> tuple[Link, ...]:
    """The links of one word with an arrow."""
    arrow, links = ("<->", _both_ways) if "<->" in word else ("->", _one_way)
    source, _, target = word.partition(arrow)
    return links(source, target, nodes)


def _one_way(source: str, target: str, nodes: Sequence[str]) -> tuple[Link, ...]:
    froms = nodes if source == ALL else (_node(source, nodes),)
    to = nodes if target == ALL else (_node(target, nodes),)
    links = tuple(Link(a, b) for a in froms for b in to if a != b)
    if not links:
        raise UsageError(f"{source}->{target} is no link: expected two different nodes")
    return links


def _both_ways(source: str, target: str, nodes: Sequence[str]) -> tuple[Link, ...]:
    return tuple(
        dict.fromkeys((*_one_way(source, target, nodes), *_one_way(target, source, nodes)))
    )


def _node(name: str, nodes: Sequence[str]) -> str:
    if name not in nodes:
        raise UsageError(f"no node {name!r} in this cluster; there are {', '.join(nodes)}")
    return name


def _without_flag(
    words: Sequence[str], flags: Iterable[tuple[str, ...]]
) -> tuple[tuple[str, ...], bool]:
    """The words without the flag at their end, and whether it was there."""
    for flag in flags:
        if tuple(words[-len(flag) :]) == flag:
            return tuple(words[: -len(flag)]), True
    return tuple(words), False


def _cut_words(on: Faults, nodes: Sequence[str]) -> list[str]:
    """The cuts, those that isolate a node first."""
    words: list[str] = []
    for is_reset in (False, True):
        end = " reset" if is_reset else ""
        left = {link for link, fault in on.items() if fault.is_cut and fault.is_reset is is_reset}
        for name in nodes:
            its = {link for link in links_among(nodes) if name in (link.source, link.target)}
            if its and its <= left:
                words.append(f"isolate {name}{end}")
                left -= its
        if left:
            words.append(f"cut {' '.join(_link_words(sorted(left), nodes))}{end}")
    return words


def _link_words(links: Sequence[Link], nodes: Sequence[str]) -> list[str]:
    """Links as a person would name them."""
    left = dict.fromkeys(links)
    every = links_among(nodes)
    if every and set(every) == set(left):
        return [ALL]
    words: list[str] = []
    while left:
        link = next(iter(left))
        back = Link(link.target, link.source)
        words.append(f"{link.source}<->{link.target}" if back in left else str(link))
        left.pop(link)
        left.pop(back, None)
    return words

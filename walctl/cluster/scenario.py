"""Scenarios: the text form of what is done to a cluster, one command a line or parted by `;`.

    # a comment
    cluster 3 tick=20ms; stabilize
    put k before
    kill leader mode=torn
    run until leader within 10s
    expect value k=before; expect linearizable

The same file is played against real processes (`playing`) and by the simulator. Here it is read:
text into `Command`s, each with its line. Words in double quotes may hold blanks, `;` and `#`.
Nodes are `n1` or `1`, or `leader`, `follower`, `random`.

    cluster N [groups=g1,g2] [engine=walctl|etcd|sim] [tick=20ms] [election=300ms]
              [snapshot-count=N] [prevote=on|off] [checkquorum=on|off] [check=all]
    put K V · get K · del K · cas K OLD NEW        [via=n2] [group=g1]; put K=V too; OLD -: no key
    propose n1 k=v · campaign n1 · transfer n2 · snapshot n1 · compact n1          [group=g1]
    stabilize
    cut, isolate, split, bridge, ring, delay, loss, dup, reorder, slow, heal       see `topology`
    kill n1 [mode=torn] (also: crash) · pause · resume · restart · start · stop
    disk, clock, wipe, keep, rewind                                                see `fault_words`
    member add [n4] [learner] · member promote n4 · member remove n1               [group=g1]
    group add g3 on=n1,n2 · group move g2 from=n1 to=n4 · group drop g3
    load [clients=5] [rate=100|max] [keys=10] for 5s [&]          &: goes on beside what follows
    run for 5s · run until CLAIM [within 10s]
    expect CLAIM                                                                   see `claim_words`

Pure: no file, no clock, no process.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from walctl.cluster.deeds import Deed, Expect, MakeCluster, MemberVerb, Net
from walctl.cluster.quantities import show_duration
from walctl.cluster.scenario_words import COMMANDS
from walctl.cluster.topology import ROLES, change, resolve
from walctl.errors import UsageError

SCENARIO_BYTES_MAX: Final = 1 << 20
COMMANDS_MAX: Final = 10_000
_TOKEN: Final = re.compile(
    r'[ \t\r]*(?:(?P<comment>\#.*)|(?P<end>;)|(?P<word>(?:"(?:[^"\\]|\\.)*"|[^\s;"])+)|(?P<bad>\S))'
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Command:
    """What one command says, and the line that it stands in, from 1 on.

    `at_us`: it is done so long after the beginning, and nobody waits for what comes of it; `None`:
    as soon as the one before it is done.
    """

    line: int
    deed: Deed
    at_us: int | None = None

    @property
    def words(self) -> str:
        """The command as it may be written again."""
        at = "" if self.at_us is None else f"at {show_duration(self.at_us)} "
        return f"{at}{self.deed.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario: `cluster` is its first command; `about` the comment that it opens with."""

    name: str
    cluster: MakeCluster
    commands: tuple[Command, ...]
    about: str = ""


def parse(text: str, *, name: str) -> Scenario:
    """The scenario in a text; `name` is its file's, for messages.

    Raises: UsageError, `NAME:LINE: expected …, found …`.
    """
    commands: list[Command] = []
    for line, words in _split(text, name):
        with _placed(name, line):
            commands.append(Command(line, deed_of(words)))
        if len(commands) > COMMANDS_MAX:
            raise UsageError(f"{name}:{line}: expected at most {COMMANDS_MAX:,} commands")
    if not commands or not isinstance(commands[0].deed, MakeCluster):
        line = commands[0].line if commands else 1
        found = commands[0].words if commands else "nothing"
        raise UsageError(f"{name}:{line}: expected cluster N first, found {found!r}")
    cluster = commands[0].deed
    _check_order(name, cluster, commands[1:])
    return Scenario(name=name, cluster=cluster, commands=tuple(commands[1:]), about=_about(text))


def deed_of(words: Sequence[str]) -> Deed:
    """The deed of one command. Raises: UsageError."""
    verb, *rest = words
    if verb not in COMMANDS:
        raise UsageError(f"expected a command ({', '.join(COMMANDS)}), found {verb!r}")
    return COMMANDS[verb](rest)


def _split(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The words of each command, with its line."""
    for number, line in enumerate(text.split("\n"), start=1):
        words: list[str] = []
        for found in _TOKEN.finditer(line.rstrip()):
            if found["bad"] is not None:
                raise UsageError(
                    f"{name}:{number}: expected a second quote, found {line.strip()!r}"
                )
            if found["word"] is not None:
                words.append(_QUOTED.sub(_unquoted, found["word"]))
            elif found["end"] is not None and words:
                yield number, words
                words = []
        if words:
            yield number, words


def _unquoted(found: "re.Match[str]") -> str:
    return _ESCAPED.sub(r"\1", found[1])


def _about(text: str) -> str:
    """The comment at the top."""
    told: list[str] = []
    for line in text.split("\n"):
        if not line.startswith("#"):
            break
        told.append(line.lstrip("#").strip())
    return " ".join(each for each in told if each)


def _check_order(name: str, cluster: MakeCluster, commands: Sequence[Command]) -> None:
    """What can be known of nodes and links before anything is played. Raises: UsageError."""
    nodes = list(cluster.names)
    for command in commands:
        with _placed(name, command.line):
            match command.deed:
                case MakeCluster():
                    raise UsageError("expected one cluster, found another")
                case MemberVerb(verb="add", node=None):
                    nodes.append(f"n{len(nodes) + 1}")
                case MemberVerb(verb="add", node=str(node)) if node not in nodes:
                    nodes.append(node)
                case Net() as net:
                    _demand_links(net, nodes)
                case Expect(claim=claim) if claim.node is not None:
                    _demand_node(claim.node, nodes)
                case deed:
                    named = getattr(deed, "node", None)
                    if isinstance(named, str):
                        _demand_node(named, nodes)


def _demand_links(net: Net, nodes: Sequence[str]) -> None:
    """Words about links are tried on a cluster in which all is well."""
    words = (net.verb, *net.rest)
    # Which node a role will be is not known: here it is one more. Where every node has to be in
    # its place, that cannot be tried.
    roles = list(dict.fromkeys(_roles_in(words)))
    if net.verb != "split" or not roles:
        change(words, nodes=[*nodes, *roles], on={})


def _roles_in(words: Sequence[str]) -> list[str]:
    """The words that stand for nodes among these, in their order."""
    found: list[str] = []

    def seen(role: str) -> str:
        found.append(role)
        return role

    resolve(words, seen)
    return found


def _demand_node(node: str, nodes: Sequence[str]) -> None:
    if node not in nodes and node not in ROLES:
        raise UsageError(f"expected a node ({', '.join(nodes)}), found {node!r}")


@contextmanager
def _placed(name: str, line: int) -> Iterator[None]:
    """Errors within the block get the file and the line."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{name}:{line}: {error.message}") from error

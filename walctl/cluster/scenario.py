"""Scenarios: the text form of what is done to a cluster, one command a line or parted by `;`.

    # a comment
    cluster 3 tick=20ms; stabilize
    put k before
    kill leader mode=torn
    run until leader within 10s
    expect value k=before; expect linearizable

The same file is played against real processes (`playing`) and by the simulator. Here it is read:
text into `Command`s, each with its line; and written. Words in double quotes may hold blanks, `;`
and `#` (`quoting`). Nodes are `n1` or `1`, or `leader`, `follower`, `random`. The comment that it
opens with says what it is about (`story`).

    cluster N [groups=g1,g2] [engine=walctl|etcd|sim] [tick=20ms] [election=300ms]
              [snapshot-count=N] [prevote=on|off] [checkquorum=on|off] [check=all]
              [seed=0x2f] [budget=on|off] [net=1ms±500us] [sync=500us±200us] [segment=16KiB]
              [catch-up=N] [message=1MiB]
    at 1.2s COMMAND                                so long after the beginning; see below
    put K V · get K · del K · cas K OLD NEW        [via=n2] [group=g1] [client=3]; put K=V too;
                                                   OLD -: no key; get: [read=index|lease|local]
    propose n1 k=v · campaign n1 · transfer n2 · snapshot n1 · compact n1          [group=g1]
    stabilize
    cut, isolate, split, bridge, ring, delay, loss, dup, reorder, slow, heal       see `topology`
    kill (also: crash), pause, resume, restart, start, stop                        see `fault_words`
    disk, clock, wipe, keep, rewind                                                see `fault_words`
    message, repair, twin, converge                                            see `simulator_words`
    member add [n4] [learner] · member promote n4 · member remove n1               [group=g1]
    group add g3 on=n1,n2 · group move g2 from=n1 to=n4 · group drop g3
    load [clients=5] [rate=100|max] [keys=10] for 5s [&]          &: goes on beside what follows
    run for 5s · run until CLAIM [within 10s]
    expect CLAIM                                                                   see `claim_words`

A command with `at` is done at its moment, and nobody waits for what comes of it: a request goes on,
a load too, while the next command is done. Moments never go back. A command without `at` is done
after the one before it.

Some words are the simulator's alone. Real processes refuse `type=`, `call=`, `keep=`, `steps=`,
`part=`, `message`, `repair`, `twin`, `converge`, and disks that are `latent`, `stale` or
`misdirect`.
`seed`, `budget`, `sync` and `message` of `cluster` mean nothing to them, nor `segment` and
`catch-up` to etcds: the scenario is played without, and it is said so. `net` is a delay on the
links that they begin with. To `client` they pay no heed: each request is of a client of its own.

Pure: no file, no clock, no process.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from walctl.cluster import story
from walctl.cluster.claim import Claim
from walctl.cluster.deeds import (
    Converge,
    Deed,
    Expect,
    MakeCluster,
    MemberVerb,
    Net,
    OneMessage,
    Repair,
    Run,
    Twin,
)
from walctl.cluster.quantities import parse_duration, show_duration
from walctl.cluster.quoting import shown, split
from walctl.cluster.scenario_words import COMMANDS
from walctl.cluster.story import Story
from walctl.cluster.topology import ROLES, change, resolve
from walctl.errors import UsageError

SCENARIO_BYTES_MAX: Final = 1 << 20
COMMANDS_MAX: Final = 10_000
AT: Final = "at"


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
    """A scenario: `cluster` is its first command; `story` the comment that it opens with."""

    name: str
    cluster: MakeCluster
    commands: tuple[Command, ...]
    story: Story = field(default_factory=Story)

    @property
    def text(self) -> str:
        """The scenario as a file: read again, it says the same."""
        lines = (*story.written(self.story), self.cluster.words)
        return "".join(f"{line}\n" for line in (*lines, *(each.words for each in self.commands)))


def parse(text: str, *, name: str) -> Scenario:
    """The scenario in a text; `name` is its file's, for messages.

    Raises: UsageError, `NAME:LINE: expected …, found …`.
    """
    commands: list[Command] = []
    for line, words in split(text, name=name):
        with _placed(name, line):
            commands.append(_command_of(line, words))
        if len(commands) > COMMANDS_MAX:
            raise UsageError(f"{name}:{line}: expected at most {COMMANDS_MAX:,} commands")
    if not commands or not isinstance(commands[0].deed, MakeCluster):
        line = commands[0].line if commands else 1
        found = shown(commands[0].words) if commands else "nothing"
        raise UsageError(f"{name}:{line}: expected cluster N first, found {found}")
    cluster, at_us = commands[0].deed, commands[0].at_us
    if at_us is not None:
        raise UsageError(f"{name}:{commands[0].line}: expected cluster without at, found it later")
    _check_order(name, cluster, commands[1:])
    return Scenario(
        name=name,
        cluster=cluster,
        commands=tuple(commands[1:]),
        story=story.read(text, name=name),
    )


def deed_of(words: Sequence[str]) -> Deed:
    """The deed of one command. Raises: UsageError."""
    verb, *rest = words
    if verb not in COMMANDS:
        raise UsageError(f"expected a command ({', '.join(COMMANDS)}), found {shown(verb)}")
    return COMMANDS[verb](rest)


def _command_of(line: int, words: Sequence[str]) -> Command:
    """One command, with its moment where it has one."""
    if words[0] != AT:
        return Command(line, deed_of(words))
    if len(words) < 3:
        raise UsageError(f"expected at 1.2s COMMAND, found {' '.join(words)!r}")
    return Command(line, deed_of(words[2:]), parse_duration(words[1]))


def _check_order(name: str, cluster: MakeCluster, commands: Sequence[Command]) -> None:
    """What can be known of nodes and links before anything is played. Raises: UsageError."""
    nodes = list(cluster.names)
    passed_us = 0
    for command in commands:
        with _placed(name, command.line):
            if command.at_us is not None:
                if command.at_us < passed_us:
                    found, least = show_duration(command.at_us), show_duration(passed_us)
                    raise UsageError(f"expected a moment from {least} on, found at {found}")
                passed_us = command.at_us
            _demand_known(command.deed, nodes)
            nodes += _added(command.deed, nodes)


def _added(deed: Deed, nodes: Sequence[str]) -> Iterator[str]:
    """The node that there is from now on."""
    match deed:
        case MemberVerb(verb="add", node=None):
            yield f"n{len(nodes) + 1}"
        case MemberVerb(verb="add", node=str(node)) if node not in nodes:
            yield node
        case Twin(name=node):
            if node in nodes or node in ROLES:
                raise UsageError(f"expected a name that no node has, found {node!r}")
            yield node


def _demand_known(deed: Deed, nodes: Sequence[str]) -> None:
    """Every node that a command names is there. Raises: UsageError."""
    match deed:
        case MakeCluster():
            raise UsageError("expected one cluster, found another")
        case MemberVerb(verb="add"):
            return
        case Net() as net:
            _demand_links(net, nodes)
            return
        case Expect(claim=claim) | Run(until=Claim() as claim):
            named: tuple[str | None, ...] = (claim.node,)
        case OneMessage():
            named = (deed.source, deed.target)
        case Repair():
            named = (deed.node, *deed.sources)
        case Converge():
            named = deed.nodes
        case _:
            named = (getattr(deed, "node", None),)
    for node in named:
        if node is not None:
            _demand_node(node, nodes)


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

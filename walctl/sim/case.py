"""A failing run while it is made smaller: a cluster, what is done to it, and what must fail.

Commands fall into four kinds: faults (all that is done to nodes, links, disks, clocks and members),
operations of clients, waits, and expectations. What somebody decided are the first two.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.deeds import (
    Ask,
    Deed,
    Expect,
    Load,
    MakeCluster,
    OneMessage,
    Propose,
    Run,
    Stabilize,
)
from walctl.cluster.scenario import Command, Scenario
from walctl.cluster.story import Story
from walctl.sim.site import Ways

_CLUSTER_LINES: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`commands` hold no expectation; `goal` is the one that ends the run, and is what fails.

    `end_us`: it is looked at then; `None`: when the last command is done.
    """

    cluster: MakeCluster
    commands: tuple[Command, ...]
    goal: Claim
    end_us: int | None = None

    @property
    def decisions(self) -> int:
        """How much somebody decided: neither waits nor expectations, nor what the cluster is."""
        return decisions(self.commands)

    def scenario(self, name: str, story: Story | None = None) -> Scenario:
        """As it is played and written; lines are counted as in a file without a story."""
        end = Command(line=0, deed=Expect(claim=self.goal), at_us=self.end_us)
        told = (
            replace(each, line=line)
            for line, each in enumerate((*self.commands, end), start=1 + _CLUSTER_LINES)
        )
        return Scenario(
            name=name, cluster=self.cluster, commands=tuple(told), story=story or Story()
        )

    def with_commands(self, commands: Iterable[Command]) -> "Case":
        """The same with other commands."""
        return replace(self, commands=tuple(commands))

    def with_seed(self, seed: int | None) -> "Case":
        """The same with other chances."""
        return replace(self, cluster=replace(self.cluster, seed=seed))


def election_us(case: Case) -> int:
    """How long an election timeout is."""
    usual, made = Ways(), case.cluster
    tick_us = usual.tick_us if made.tick_ms is None else made.tick_ms * 1_000
    return tick_us * (made.election_ticks or usual.election_ticks)


def violation_of(id_: str) -> Claim:
    """The claim that this invariant is broken."""
    return Claim(what=ClaimKind.VIOLATION, text=id_)


def decisions(commands: Iterable[Command]) -> int:
    """See `Case.decisions`."""
    return sum(not is_wait(each.deed) and not isinstance(each.deed, Expect) for each in commands)


def is_wait(deed: Deed) -> bool:
    """Whether it only lets time pass."""
    return isinstance(deed, Run | Stabilize)


def is_operation(deed: Deed) -> bool:
    """Whether clients do it."""
    return isinstance(deed, Ask | Propose | Load)


def is_message(deed: Deed) -> bool:
    """Whether it is about a single message."""
    return isinstance(deed, OneMessage)


def is_fault(deed: Deed) -> bool:
    """Whether somebody does it to the cluster."""
    return not (is_wait(deed) or is_operation(deed) or isinstance(deed, Expect))


def kind_of(deed: Deed) -> str:
    """The class of faults or operations that it is one of: its first word, mostly."""
    words = deed.words.split()
    return " ".join((words[0], words[2])) if words[0] in ("disk", "clock") else words[0]

"""A broken promise as a value: which one, in a line for a person, and what contradicts it.

I1   election safety          at most one leader in a term
I2   leader append-only       a leader takes nothing back in its term, nor does who accepted it
I3   log matching             one index and term: one entry, and one prefix
I4   leader completeness      a new leader holds what was committed in earlier terms
I5   state machine safety     an index is applied with one payload, for ever, in order
I6   nothing goes back        term, vote, commit, applied; applied <= commit <= last
I7   one vote a term          as sent
I8   persist before send      votes, acceptances and acknowledgements rest on what is durable
I9   acknowledged survives    every later leader has it
I10  committed is durable     on a quorum, and nobody of it takes it back
I11  config safety            one change at a time; quorums of neighbours meet
I12  learners do not count    and do not campaign
I13  snapshot is the prefix   its digest is that of the log's replay
I14  file truth               what is on the disk is read back, or named as damaged
I15  linearizability          by group and key
I16  one owner                at each moment, who is a member has its place in the lab's file
L1…L5                         leader, convergence, probe, calm, no endless snapshots
"""

from dataclasses import dataclass
from typing import Final

NAMES: Final = {
    "I1": "election safety",
    "I2": "leader append-only",
    "I3": "log matching",
    "I4": "leader completeness",
    "I5": "state machine safety",
    "I6": "nothing goes back",
    "I7": "one vote a term",
    "I8": "persist before send",
    "I9": "acknowledged writes survive",
    "I10": "committed is durable",
    "I11": "config safety",
    "I12": "learners do not count",
    "I13": "a snapshot is the applied prefix",
    "I14": "file truth",
    "I15": "linearizability",
    "I16": "one owner",
    "L1": "a leader is found",
    "L2": "members converge",
    "L3": "a probe is acknowledged",
    "L4": "no storm of elections",
    "L5": "a snapshot lets a follower catch up",
}
"""All invariants, and what they are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken promise.

    `words` are one line. `nodes` are those that it is about, `witnesses` what was seen before that
    contradicts it, a line each, with its time. `also` are further invariants that the same event
    breaks. `suspects` are nodes that have forgotten what they had promised by a fault that nobody
    has to survive: where there are any, whoever runs the group decides what this is worth.
    `time_us` is virtual; `term` and `index` are 0 where they say nothing.
    """

    id: str
    words: str
    group: str = ""
    nodes: tuple[str, ...] = ()
    time_us: int = 0
    term: int = 0
    index: int = 0
    witnesses: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Id, name and words."""
        return f"{self.id} {NAMES[self.id]}: {self.words}"

    @property
    def ids(self) -> tuple[str, ...]:
        """All invariants that are broken, the one it is named after first."""
        return (self.id, *self.also)


class Violated(BaseException):
    """An invariant does not hold. As with `RaftPanic`, what handles errors must not catch it on its
    way up through a member."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.line)
        self.violation = violation


def moment(time_us: int) -> str:
    """A virtual time as witnesses say it: `t=3.204000 s`."""
    return f"t={time_us // 1_000_000}.{time_us % 1_000_000:06d} s"


def named(names: tuple[str, ...]) -> str:
    """`n1`, `n1 and n2`, `n1, n2 and n3`; `nobody`."""
    if not names:
        return "nobody"
    head, last = names[:-1], names[-1]
    return f"{', '.join(head)} and {last}" if head else last

"""Quorum scripts: what majorities have committed, and how their votes stand.

Every directive stands for itself. A committed index is shown under a picture of who holds how much,
in which each voter's bar is as long as there are voters that hold less.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from walctl.cluster.script_text import Directive, ScriptError
from walctl.cluster.script_values import number, pairs
from walctl.raft.quorum import INFINITE, joint_committed_index, joint_vote_result

_UNKNOWN = "_"
_VOTES = {"y": 2, "n": 1, _UNKNOWN: 0}


@dataclass(slots=True)
class _Asked:
    """The arguments of a directive; what is not known is 0."""

    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    votes: list[int] = field(default_factory=list)

    @property
    def voters(self) -> list[int]:
        """Everybody, in the order in which they are first named."""
        return list(dict.fromkeys([*self.first, *self.second]))


class Quorum:
    """Answers the directives of a quorum script."""

    def __call__(self, directive: Directive) -> str:
        """What the directive prints. Raises: ScriptError, without a line."""
        asked = _asked(directive)
        match directive.name:
            case "committed":
                items, answer = asked.indexes, _committed
            case "vote":
                items, answer = asked.votes, _vote
            case _:
                raise ScriptError(f"{directive.name} is no directive of a quorum script")
        if len(items) != len(asked.voters):
            voters = " ".join(f"{voter}:{{}}" for voter in sorted(asked.voters))
            told = " ".join(map(_index_text, items))
            return f"error: mismatched input (explicit or _) for voters map[{voters}]: [{told}]"
        return answer(asked)


def _asked(directive: Directive) -> _Asked:
    asked = _Asked()
    for key, value in pairs(directive.arguments):
        match key:
            case "cfg":
                asked.first.append(number(value))
            case "cfgj":
                if value != "zero":  # the second majority is there, and has no members
                    asked.second.append(number(value))
            case "idx":
                asked.indexes.append(_index(value))
            case "votes":
                if value not in _VOTES:
                    raise ScriptError(f"expected y, n or _, found {value!r}")
                asked.votes.append(_VOTES[value])
            case _:
                raise ScriptError(f"there is no argument {key!r} here")
    return asked


def _index(text: str) -> int:
    index = 0 if text == _UNKNOWN else number(text)
    if index == 0 and text != _UNKNOWN:
        raise ScriptError("an index of 0 is written as _")
    return index


def _index_text(index: int) -> str:
    return "∞" if index == INFINITE else str(index)


def _committed(asked: _Asked) -> str:
    given = zip(asked.voters, asked.indexes, strict=True)
    acked = {voter: index for voter, index in given if index}
    found = joint_committed_index(
        set(asked.first), set(asked.second), lambda voter: acked.get(voter, 0)
    )
    return "".join(_picture(asked.voters, acked)) + _index_text(found)


def _vote(asked: _Asked) -> str:
    given = zip(asked.voters, asked.votes, strict=True)
    votes = {voter: vote == _VOTES["y"] for voter, vote in given if vote}
    return str(joint_vote_result(set(asked.first), set(asked.second), votes))


def _picture(voters: Sequence[int], acked: Mapping[int, int]) -> Iterator[str]:
    """Who holds how much; without voters it is no line of its own."""
    if not voters:
        yield "<empty majority quorum>"
        return
    width = len(voters)
    bars = _bars(voters, acked)
    yield " " * (width + 4) + "idx\n"
    for voter in sorted(voters):
        bar = "x" * bars[voter] + ">" if voter in acked else "?"
        yield f"{bar:<{width + 1}} {acked.get(voter, 0):>5}    (id={voter:x})\n"


def _bars(voters: Sequence[int], acked: Mapping[int, int]) -> dict[int, int]:
    """How many voters hold less, for each of them."""
    ranked = sorted(acked.get(voter, 0) for voter in voters)
    return {voter: ranked.index(acked.get(voter, 0)) for voter in voters}

"""Words of claims about a cluster, for `expect` and `run until`.

    leader · leader(n1) · leader(n1,g2) · up(n1)          somebody leads; this node does; it answers
    role(n1)=follower                                     leader, follower, candidate, learner, …
    term(n1)>=3 · commit(n1)>=10 · applied(n1)=12         also <=, <, >
    value k=v · value k absent                            as a linearizable read finds it
    committed(n1) has k=v · committed(n1) lacks k         in the node's own state
    ok · fail · unknown                                   how the last request ended
    linearizable · violation · violation I7|I1 · digests equal
    verify clean · verify harmless                        harmless: at most that
    exit(n3) · exit(n3) has "tocommit"                    it has ended; among its last words
    refused(n1) · refused(n1) has "crc-mismatch"          it did not start because of its files
    finding(n1) crc-mismatch                              verify of a stopped node reports this
    plan(n1) free|loss-possible|loss-proven|nothing       what a repair of it would cost
    elections<=3                                          how often a node became leader, until now
    not CLAIM

Pure.
"""

import re
from collections.abc import Sequence
from typing import Final

from walctl.cluster.claim import ABSENT, COUNTED, Claim, ClaimKind
from walctl.cluster.quoting import parted
from walctl.cluster.word_parts import choice_of, demand_none, node_of, number_of
from walctl.errors import UsageError
from walctl.model.finding import Code
from walctl.repair.plan import PlanClass

ROLES: Final = ("leader", "follower", "candidate", "pre-candidate", "learner", "failed", "removed")
FATES: Final = ("ok", "fail", "unknown")
INVARIANT: Final = re.compile(r"I([1-9]|1[0-6])|L[1-5]")
"""What a violation is of: I1 to I16, L1 to L5."""
_OF_NODE: Final = frozenset(
    {"role", "term", "commit", "applied", "committed", "exit", "up", "refused", "finding", "plan"}
)
_HEAD: Final = re.compile(r"([a-z-]+)(?:\(([^()]*)\))?(.*)")
_COMPARED: Final = re.compile(r"(>=|<=|=|<|>)\s*([0-9]+)")
_EXAMPLES: Final = "leader(n1), applied(n1)>=10, value k=v, linearizable, verify clean"


def claim(words: Sequence[str]) -> Claim:
    """The claim that these words make. Raises: UsageError."""
    is_not = bool(words) and words[0] == "not"
    rest = list(words[1:] if is_not else words)
    if not rest:
        raise UsageError(f"expected a claim ({_EXAMPLES}), found nothing")
    head = _HEAD.fullmatch(rest[0])
    name = "" if head is None else head[1]
    if head is None or (name not in FATES and name not in set(ClaimKind) - {ClaimKind.OUTCOME}):
        raise UsageError(f"expected a claim ({_EXAMPLES}), found {rest[0]!r}")
    node, group = _place(name, head[2])
    if name in FATES:
        demand_none([each for each in (head[3], *rest[1:]) if each], command=name)
        return Claim(what=ClaimKind.OUTCOME, text=name, is_not=is_not)
    tail = [*filter(None, [head[3]]), *rest[1:]]
    relation, number, kind_text, value = _tail(ClaimKind(name), tail)
    return Claim(
        what=ClaimKind(name),
        node=node,
        group=group,
        relation=relation,
        number=number,
        text=kind_text,
        value=value,
        is_not=is_not,
    )


def _place(name: str, inside: str | None) -> tuple[str | None, str | None]:
    """The node and the group between parentheses; of most claims there has to be a node."""
    if inside is None:
        if name in _OF_NODE:
            raise UsageError(f"expected a node, as in {name}(n1), found {name!r}")
        return None, None
    if name not in _OF_NODE and name != "leader":
        raise UsageError(f"expected {name} with no parentheses, found ({inside})")
    node, _, group = (part.strip() for part in inside.partition(","))
    return node_of(node), group or None


def _tail(kind: ClaimKind, words: list[str]) -> tuple[str, int, str, str | None]:
    """What stands behind: relation, number, text and value."""
    if kind in COUNTED:
        found = _COMPARED.fullmatch(" ".join(words))
        if found is None:
            place = "" if kind is ClaimKind.ELECTIONS else "(n1)"
            raise UsageError(f"expected {kind}{place}>=10 or the like, found {' '.join(words)!r}")
        return found[1], number_of(found[2], "a number"), "", None
    match kind:
        case ClaimKind.ROLE:
            role = " ".join(words).removeprefix("=").strip()
            return "=", 0, choice_of(role, ROLES, "a role"), None
        case ClaimKind.VALUE:
            return "", 0, *_pair(words, absent=ABSENT, usage="value k=v or value k absent")
        case ClaimKind.COMMITTED:
            usage = "committed(n1) has k=v or committed(n1) lacks k"
            match words:
                case ["has", pair]:
                    return "", 0, *_pair([pair], absent="", usage=usage)
                case ["lacks", key]:
                    return "", 0, key, None
            raise UsageError(f"expected {usage}, found {' '.join(words)!r}")
        case ClaimKind.VERIFY:
            text = choice_of(" ".join(words), ("clean", "harmless"), "a verdict")
            return "", 0, text, None
        case ClaimKind.DIGESTS:
            choice_of(" ".join(words), ("equal",), "digests equal")
            return "", 0, "equal", None
        case ClaimKind.EXIT | ClaimKind.REFUSED:
            match words:
                case []:
                    return "", 0, "", None
                case ["has", text]:
                    return "", 0, text, None
            raise UsageError(f'expected {kind}(n3) has "WORDS", found {" ".join(words)!r}')
        case ClaimKind.VIOLATION if words:
            return "", 0, _invariants(words), None
        case ClaimKind.FINDING:
            return "", 0, _finding(words), None
        case ClaimKind.PLAN:
            return "", 0, choice_of(" ".join(words), list(PlanClass), "what it costs"), None
    demand_none(words, command=kind)
    return "", 0, "", None


def _invariants(words: Sequence[str]) -> str:
    """Which invariants a violation is of."""
    found = " ".join(words)
    for each in found.split("|"):
        if INVARIANT.fullmatch(each) is None:
            raise UsageError(f"expected invariants (I1 to I16, L1 to L5; I7|I1), found {found!r}")
    return found


def _finding(words: Sequence[str]) -> str:
    """A code of a finding. Not all of them are told: there are too many for a line."""
    found = " ".join(words)
    if found not in set(Code):
        raise UsageError(f"expected a code of verify, as crc-mismatch, found {found!r}")
    return found


def _pair(words: Sequence[str], *, absent: str, usage: str) -> tuple[str, str | None]:
    match list(words):
        case [key, last] if last == absent:
            return key, None
        case [pair] if "=" in pair:
            key, equals, value = parted(pair)
            if equals:
                return key, value
    raise UsageError(f"expected {usage}, found {' '.join(words)!r}")

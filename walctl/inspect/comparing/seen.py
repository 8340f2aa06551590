"""What compare has found, as findings: between members, not within one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from walctl.inspect.agreement import Range
from walctl.inspect.comparing.divergence import Divergence
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.hashes import KeySpaces
from walctl.inspect.comparing.quorum import Quorum
from walctl.inspect.comparing.timeline import Term, vote_findings
from walctl.inspect.membership import View, is_foreign_database, log_view
from walctl.machine.mvcc import NEVER
from walctl.model.finding import Code, Finding, Place, Severity

FINDINGS_MAX: Final = 1000
_GRAVITY = {Severity.DAMAGE: 0, Severity.HARMLESS: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A finding, and the names of the directories that it is about."""

    finding: Finding
    names: tuple[str, ...]


def findings_of(
    read: Sequence[Given],
    members: Sequence[Given],
    quorum: Quorum,
    parted: Sequence[Divergence],
    terms: Sequence[Term],
    spaces: KeySpaces,
) -> list[Seen]:
    """Everything that was found between members, the worst first."""
    found = [
        *_clusters(read, members),
        *(_divergence(members, each) for each in parted),
        *_unheld(members, quorum),
        *(
            Seen(finding=finding, names=tuple(members[at].name for at in who))
            for finding, who in vote_findings(members, terms)
        ),
        *_memberships(members, quorum),
        *_hashes(members, spaces),
        *_copies(members),
    ]
    found.sort(key=lambda each: _GRAVITY[each.finding.severity])
    return found[:FINDINGS_MAX]


def _seen(
    code: Code,
    severity: Severity,
    names: Sequence[str],
    detail: str,
    *,
    index: int | None = None,
    term: int | None = None,
) -> Seen:
    finding = Finding(
        code=code,
        severity=severity,
        place=Place(index=index, term=term),
        detail=detail,
        next=f"walctl explain {code}",
    )
    return Seen(finding=finding, names=tuple(names))


def _clusters(read: Sequence[Given], members: Sequence[Given]) -> Iterator[Seen]:
    """Directories of other clusters than that of most."""
    names = {each.name for each in members}
    here = ", ".join(each.name for each in members if each.cluster_id is not None) or "the rest"
    for given in read:
        if given.name in names:
            continue
        if given.cluster_id is None:
            words = f"{given.name} names nobody whom {here} know, and no cluster: it is"
        else:
            words = f"{given.name} is of cluster {given.cluster_id:x}, and {here} of another one:"
            words += " it is"
        yield _seen(Code.CLUSTER_MISMATCH, Severity.DAMAGE, [given.name], f"{words} not compared.")


def _copies(members: Sequence[Given]) -> Iterator[Seen]:
    """Members of whom more than one directory was given."""
    by_node: dict[int, list[str]] = {}
    for given in members:
        if given.node_id is not None:
            by_node.setdefault(given.node_id, []).append(given.name)
    for node, names in by_node.items():
        if len(names) > 1:
            words = f"{' and '.join(names)} are copies of one member, {node:x}; it counts once."
            yield _seen(Code.CLUSTER_MISMATCH, Severity.INFO, names, words)


def names_at(members: Sequence[Given], positions: Sequence[int]) -> str:
    """`n1`, `n1 and n2`, `n1, n2 and n3`."""
    names = [members[at].name for at in positions]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _divergence(members: Sequence[Given], each: Divergence) -> Seen:
    """What differs, between whom, and whether that is allowed."""
    span = Range(first=each.first, last=each.last)
    several = "entry" if each.first == each.last else "entries"
    told = "; ".join(
        f"{names_at(members, variant.holders)}: term {variant.term}"
        + (f", {variant.payload_bytes:,} bytes" if variant.payload_bytes is not None else "")
        for variant in each.variants
    )
    words = f"Of {several} {span} there are {len(each.variants)} ({told}). {_sense(each)}"
    if each.differs_at is not None:
        words += f" The payloads of {each.first} part at byte {each.differs_at}."
    involved = [at for variant in each.variants for at in variant.holders]
    return _seen(
        each.code,
        each.severity,
        [members[at].name for at in sorted(involved)],
        words,
        index=each.first,
        term=each.variants[each.winner].term,
    )


def _sense(each: Divergence) -> str:
    """What it means."""
    if each.is_same_term:
        words = "Two entries of one term at one index: there were two leaders in that term, or"
        return f"{words} one log was written by somebody else."
    if not each.is_allowed:
        why = "an entry of them was committed" if each.is_committed else "what follows is the same"
        return f"No two logs of one cluster have that: {why}."
    if each.is_passed:
        return "A snapshot stands for them; the entries in front of it do not count."
    return "Those of the older term were never committed; a leader replaces them."


def _unheld(members: Sequence[Given], quorum: Quorum) -> Iterator[Seen]:
    """Committed entries that nobody holds, or fewer than must have held them."""
    by = "" if quorum.committed_by is None else members[quorum.committed_by].name
    for span in quorum.lost:
        words = f"No given member has {_entries(span)}, which {by} knows to be committed."
        yield _seen(Code.COMMIT_BEYOND_LOG, Severity.DAMAGE, [by], words, index=span.first)
    for span in quorum.short:
        if any(each.first <= span.first and span.last <= each.last for each in quorum.lost):
            continue
        words = (
            f"{_entries(span).capitalize()} were committed ({by} knows it), so {quorum.needed} of"
            f" {len(quorum.voters)} voters had them; fewer have now. A voter has lost what it had"
            " acknowledged."
        )
        yield _seen(
            Code.DIVERGED_TAIL,
            Severity.DAMAGE,
            [members[at].name for at in quorum.present.values()],
            words,
            index=span.first,
        )


def _entries(span: Range) -> str:
    return f"entry {span}" if span.first == span.last else f"entries {span}"


def _memberships(members: Sequence[Given], quorum: Quorum) -> Iterator[Seen]:
    """Who votes by the logs at one index, and by the databases that are past the last change."""
    common = min((each.seen.commit for each in members if each.seen.commit), default=0)
    logs = [(given, log_view(given.seen, common)) for given in members if given.seen.commit]
    yield from _unlike(logs, f"as of entry {common}", Severity.DAMAGE)
    last = max(
        (
            placed.entry.index
            for given in members
            for placed in given.seen.conf_changes
            if placed.entry.index <= quorum.committed_to
        ),
        default=0,
    )
    databases = [
        (given, next((v for v in given.membership.views if v.source == "database"), None))
        for given in members
        if (given.seen.applied or 0) >= last and not is_foreign_database(given.seen)
    ]
    yield from _unlike(databases, "in the databases", Severity.HARMLESS)


def _unlike(
    found: Sequence[tuple[Given, View | None]], where: str, severity: Severity
) -> Iterator[Seen]:
    """A finding where two of these views name other voters."""
    told: dict[frozenset[int], list[str]] = {}
    for given, view in found:
        if view is not None:
            told.setdefault(view.voters, []).append(given.name)
    if len(told) < 2:
        return
    lists = "; ".join(
        f"{' and '.join(names)}: {', '.join(f'{each:x}' for each in sorted(voters)) or 'nobody'}"
        for voters, names in told.items()
    )
    names = [name for each in told.values() for name in each]
    yield _seen(
        Code.MEMBERSHIP_DIFFERS, severity, names, f"The voters {where} are not the same: {lists}."
    )


def _hashes(members: Sequence[Given], spaces: KeySpaces) -> Iterator[Seen]:
    """Key spaces that differ at one revision."""
    if not spaces.differ:
        return
    groups: dict[int, list[int]] = {}
    for at, each in enumerate(spaces.found):
        if each.hash is not None:
            groups.setdefault(each.hash, []).append(at)
    told = "; ".join(f"{names_at(members, who)}: {value}" for value, who in groups.items())
    words = f"The key spaces at revision {spaces.revision} have different hashes ({told})."
    if spaces.parts_at is not None:
        words += f" The first revision that differs is {spaces.parts_at}."
    elif spaces.compacted != NEVER:
        words += f" They differ at or before revision {spaces.compacted}, which is compacted."
    involved = [at for who in groups.values() for at in who]
    yield _seen(
        Code.HASH_DIFFERS, Severity.DAMAGE, [members[at].name for at in sorted(involved)], words
    )

"""Where logs differ, and whether Raft allows it.

Two entries of one index and one term are the same entry, always. Entries of different terms may
stand at one index while nobody knows that index to be committed, or where the older one is a
leader's whom nobody followed: a leader will replace it. Three things no two logs of one cluster do:

    both holders know their entry to be committed
    one knows it, and the other's is of a later term: its leader would have had the first one
    both have the same entry right behind the different ones (Log Matching)

What stands in front of a gap that a snapshot bridges is vouched for by nothing, and is no matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from walctl.fs.base import FileSystem
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.quorum import knows_committed, winning
from walctl.inspect.comparing.sections import Section, entry_at, split_at
from walctl.model.finding import Code, Severity
from walctl.model.record import EntryKind

DESCRIBED_MAX: Final = 100
"""Divergences whose entries are looked at once more; the others are told by index and term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of the entries at an index: who has it (positions), and what can be said of it."""

    term: int
    holders: tuple[int, ...]
    kind: EntryKind | None = None
    payload_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Indexes `first..last` at which members hold different entries.

    `is_allowed`: Raft does that, and brings them into line. `winner` is the position in `variants`
    of the entry that counts, as far as can be told. `differs_at` is the byte of the payloads at
    which two entries of one term part.
    """

    first: int
    last: int
    variants: tuple[Variant, ...]
    winner: int
    is_committed: bool
    is_same_term: bool
    is_allowed: bool
    is_passed: bool
    """All but the winner stand in front of a gap that a snapshot bridges."""
    differs_at: int | None = None

    @property
    def code(self) -> Code:
        """What it is called."""
        is_worst = self.is_committed and not self.is_allowed
        return Code.DIVERGED_COMMITTED if is_worst else Code.DIVERGED_TAIL

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        if not self.is_allowed:
            return Severity.DAMAGE
        return Severity.INFO if self.is_passed else Severity.HARMLESS


def divergences(
    disk: FileSystem, members: Sequence[Given], sections: Sequence[Section], *, committed: int
) -> list[Divergence]:
    """Every stretch at which members differ, ascending. Raises: AccessError."""
    cuts = {*(each.commit for each in members), *(each.vouched_from - 1 for each in members)}
    pieces = list(split_at(sections, cuts))
    found: list[Divergence] = []
    for at, section in enumerate(pieces):
        if section.variants < 2:
            continue
        after = pieces[at + 1] if at + 1 < len(pieces) else None
        each = _judged(members, section, after, committed)
        before = found[-1] if found else None
        if before is not None and _goes_on(before, each):
            found[-1] = replace(before, last=each.last)
        else:
            found.append(each)
    told = [_described(disk, members, each) for each in found[:DESCRIBED_MAX]]
    return told + found[DESCRIBED_MAX:]


def _judged(
    members: Sequence[Given], section: Section, after: Section | None, committed: int
) -> Divergence:
    winner = winning(members, section)
    assert winner is not None, "a section with two variants has one"
    numbers = sorted({section.cells[at].variant or 0 for at in section.holders})
    variants = [_variant(section, number) for number in numbers]
    first = section.first
    passed = [
        all(first < members[at].vouched_from for at in variant.holders) for variant in variants
    ]
    wrong = section.same_term_differs or any(
        _contradicts(members, section, after, variants[winner], variant)
        for number, variant in enumerate(variants)
        if number != winner and not passed[number]
    )
    return Divergence(
        first=first,
        last=section.last,
        variants=tuple(variants),
        winner=winner,
        is_committed=first <= committed,
        is_same_term=section.same_term_differs,
        is_allowed=not wrong,
        is_passed=all(each for number, each in enumerate(passed) if number != winner),
    )


def _variant(section: Section, number: int) -> Variant:
    holders = tuple(at for at in section.holders if section.cells[at].variant == number)
    return Variant(term=section.cells[holders[0]].term or 0, holders=holders)


def _contradicts(
    members: Sequence[Given],
    section: Section,
    after: Section | None,
    winner: Variant,
    other: Variant,
) -> bool:
    """Whether no two logs of one cluster have these two entries at one index."""
    is_known = any(knows_committed(members[at], section.first) for at in winner.holders)
    if is_known and other.term > winner.term:
        return True
    if any(knows_committed(members[at], section.first) for at in other.holders):
        return True  # the winner's holder knows the same of its own, or it would not be the winner
    if after is None or after.first != section.last + 1:
        return False
    both = {
        number: {
            after.cells[at].variant
            for at in variant.holders
            if section.first >= members[at].vouched_from
        }
        - {None}
        for number, variant in enumerate((winner, other))
    }
    return bool(both[0] & both[1])


def _goes_on(before: Divergence, after: Divergence) -> bool:
    """Whether the later one is the same thing, only further."""

    def shape(each: Divergence) -> tuple[object, ...]:
        told = tuple((variant.term, variant.holders) for variant in each.variants)
        return told, each.winner, each.is_same_term, each.code, each.severity

    return before.last + 1 == after.first and shape(before) == shape(after)


def _described(disk: FileSystem, members: Sequence[Given], found: Divergence) -> Divergence:
    """With kind and size of the entries at its first index."""
    entries = [entry_at(disk, members[each.holders[0]], found.first) for each in found.variants]
    variants = tuple(
        Variant(
            term=each.term,
            holders=each.holders,
            kind=None if entry is None else entry.kind,
            payload_bytes=None if entry is None else len(entry.payload or b""),
        )
        for each, entry in zip(found.variants, entries, strict=True)
    )
    at = None
    if found.is_same_term:
        by_term: dict[int, bytes] = {}
        for entry in entries:
            if entry is not None:
                payload = entry.payload or b""
                first = by_term.setdefault(entry.term, payload)
                at = _parting(first, payload) if first != payload and at is None else at
    return replace(found, variants=variants, differs_at=at)


def _parting(one: bytes, other: bytes) -> int:
    """The first byte at which two different payloads differ."""
    pairs: Iterator[tuple[int, int]] = zip(one, other, strict=False)
    return next(
        (at for at, (here, there) in enumerate(pairs) if here != there), min(len(one), len(other))
    )

"""What the strategies share: the face of one, and how a step on a segment is made.

A strategy looks at a case and gives a plan, or in words why it does not help. It touches no file
but to read it, and never looks at what another strategy says: the choice among them is made in
`planning`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from walctl.model.finding import Finding
from walctl.repair.case import Case
from walctl.repair.pieces import Copy, Literal, Piece
from walctl.repair.plan import Act, Bound, Change, Drop, Step
from walctl.repair.stamps import Sources, data_end, stamp_pieces
from walctl.wal.forensics import Named
from walctl.wal.writer import SEGMENT_BYTES

Place: TypeAlias = tuple[str, int]
"""A segment's name and an offset in it."""


def place_of(finding: Finding) -> Place:
    """Where a finding of a segment's bytes stands."""
    return finding.place.segment or "", finding.place.offset or 0


def place_of_named(named: Named) -> Place:
    """Where a damage stands."""
    return named.damage.segment, named.damage.start


def patched(
    sources: Sources, name: str, changes: Sequence[Change], *, cut: int | None = None
) -> tuple[tuple[Piece, ...], int]:
    """The pieces of a file with some bytes changed and, with `cut`, nothing behind that offset;
    and its size.

    `changes` ascend and do not overlap. A segment that was reserved whole stays so.
    """
    file = sources(name)
    size = file.stat().size
    stop = data_end(file) if cut is None else cut
    pieces: list[Piece] = []
    position = 0
    for change in changes:
        pieces.append(Copy(source=name, start=position, stop=change.offset))
        pieces.append(Literal(data=change.now))
        position = change.offset + len(change.was)
    pieces.append(Copy(source=name, start=position, stop=max(position, stop)))
    if cut is not None:
        size = min(size, SEGMENT_BYTES) if size >= SEGMENT_BYTES >= cut else cut
    return tuple(each for each in pieces if not is_empty(each)), max(size, stop)


def is_empty(piece: Piece) -> bool:
    """Whether a piece gives no bytes."""
    match piece:
        case Copy(start=start, stop=stop):
            return start >= stop
        case Literal(data=data):
            return not data
        case _:
            return False


def write_step(
    case: Case,
    sources: Sources,
    name: str,
    pieces: tuple[Piece, ...],
    size: int,
    *,
    reason: str,
    words: str,
) -> Step:
    """The step that writes a file; what it changes and drops is for the caller to add."""
    return Step(
        act=Act.WRITE,
        file=name,
        reason=reason,
        words=words,
        pieces=pieces,
        size=size,
        before=case.bound.files.get(name),
        after=stamp_pieces(pieces, size, sources),
    )


def remove_step(
    bound: Bound, name: str, *, reason: str, words: str, drops: tuple[Drop, ...] = ()
) -> Step:
    """The step that takes a file out of its folder."""
    return Step(
        act=Act.REMOVE,
        file=name,
        reason=reason,
        words=words,
        before=bound.files.get(name),
        drops=drops,
    )


def rename_step(bound: Bound, name: str, target: str, *, reason: str, words: str) -> Step:
    """The step that gives a file its right name."""
    stamp = bound.files.get(name)
    return Step(
        act=Act.RENAME,
        file=name,
        target=target,
        reason=reason,
        words=words,
        before=stamp,
        after=stamp,
    )


def with_details(step: Step, *, changes: tuple[Change, ...], drops: tuple[Drop, ...]) -> Step:
    """The step, told what it changes and drops."""
    return replace(step, changes=changes, drops=drops)

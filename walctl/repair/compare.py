"""Old and new log against each other, entry by entry, as runs: their number follows the leaders,
not the log.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from walctl.datadir.survey import Survey
from walctl.errors import RefusedError
from walctl.inspect.agreement import shared
from walctl.model.log import Run
from walctl.repair.plan import Drop

RUNS_SHOWN_MAX = 1000
"""Runs of dropped entries that are kept in a receipt; the counts are of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of the entries that counted before, by their indexes.

    `changed` are those whose place an entry of another term has, `added` those that only the new
    log has. `dropped_runs` are indexes `first..last`, both included.
    """

    kept: int = 0
    dropped: int = 0
    changed: int = 0
    added: int = 0
    dropped_runs: tuple[tuple[int, int], ...] = ()

    def document(self) -> dict[str, object]:
        """The same for JSON."""
        return {
            "kept": self.kept,
            "dropped": self.dropped,
            "changed": self.changed,
            "added": self.added,
            "dropped_runs": [list(run) for run in self.dropped_runs],
        }


def compared(before: Survey, after: Survey) -> Comparison:
    """The live entries of both logs."""
    old, new = before.log.live, after.log.live
    kept = changed = 0
    for one, other, span in shared(before.log, after.log):
        count = span.last - span.first + 1
        if one.term == other.term:
            kept += count
        else:
            changed += count
    dropped = list(_missing(old, new))
    return Comparison(
        kept=kept,
        changed=changed,
        dropped=sum(last - first + 1 for first, last in dropped),
        added=sum(last - first + 1 for first, last in _missing(new, old)),
        dropped_runs=tuple(dropped[:RUNS_SHOWN_MAX]),
    )


def demand_listed(before: Survey, after: Survey, drops: Iterable[Drop]) -> None:
    """Hold what the result lacks against what the plan says that it drops.

    Raises: RefusedError, naming the first entry that is in no list.
    """
    listed = sorted(
        (drop.first, drop.last)
        for drop in drops
        if drop.kind == "entry" and drop.first is not None and drop.last is not None
    )
    lost = [*_missing(before.log.live, after.log.live)]
    lost += [
        (span.first, span.last)
        for one, other, span in shared(before.log, after.log)
        if one.term != other.term
    ]
    for first, last in sorted(lost):
        index = first
        for start, stop in listed:
            if start <= index <= stop:
                index = stop + 1
        if index <= last:
            raise RefusedError(
                f"the result would not have entry {index}, which can be read now, and the plan"
                " does not list it among what it drops"
            )


def _missing(old: Sequence[Run], new: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """Indexes that `old` has and `new` has not, as `first..last`, ascending as both are."""
    position = 0
    for run in old:
        index = run.first
        while position < len(new) and new[position].last < index:
            position += 1
        ahead = position
        while ahead < len(new) and new[ahead].first <= run.last:
            if new[ahead].first > index:
                yield index, new[ahead].first - 1
            index = max(index, new[ahead].last + 1)
            ahead += 1
        if index <= run.last:
            yield index, run.last

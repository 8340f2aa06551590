"""Counting by key, by prefix and by lease, of a log of any size, in memory that does not follow it.

A tally counts exactly until it has more rows than it may keep. Then it keeps the larger half and
lets the others go: into a sum, so that no total is ever wrong. A row that comes later may have been
let go before, so it says by how much it may be too low, and what matters (the rows at the top) is
there, usually exact. Tallies of parts of a log are merged to one of the whole.

    column   writes   deletes   bytes
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bytes, int)

_FIELD_BITS = 64
_FIELD = (1 << _FIELD_BITS) - 1


class Row(NamedTuple, Generic[K]):
    """One row as it is told: how often it was written and deleted, and the bytes written.

    `missing_max` is by how much the figure that the tally ranks by may be too low; where it is not
    0, the others may be too low as well.
    """

    name: K
    writes: int
    deletes: int
    bytes: int
    missing_max: int = 0


@dataclass(slots=True)
class Tally(Generic[K]):
    """Rows ranked by their writes, or by their bytes; at most twice `kept_max` of them.

    The three columns of a row are one number, the column that ranks on top, so that adding to a row
    is one addition and the numbers sort as the rows do. `lost` is the largest rank that a row which
    is not here can have had; `late` has what it was when a row that is here came (back).
    """

    kept_max: int
    by_bytes: bool = False
    rows: dict[K, int] = field(default_factory=dict)
    late: dict[K, int] = field(default_factory=dict)
    lost: int = 0
    gone: int = 0
    """The sum of the rows that were let go."""

    @property
    def is_approximate(self) -> bool:
        """Whether rows were let go."""
        return self.gone > 0

    def unit(self, *, writes: int = 0, deletes: int = 0, size: int = 0) -> int:
        """The three columns as the number that is added to a row."""
        high, low = (size, writes) if self.by_bytes else (writes, size)
        return (high << _FIELD_BITS | deletes) << _FIELD_BITS | low

    def add(self, name: K, unit: int) -> None:
        """Add to one row."""
        rows = self.rows
        if name in rows:
            rows[name] += unit
            return
        rows[name] = unit
        if self.lost:
            self.late[name] = self.lost
        self._keep_bound()

    def add_all(self, counts: Mapping[K, int], unit: int) -> None:
        """Add `unit` to each row, as often as it is counted."""
        rows = self.rows
        held = rows.get
        if self.lost:
            self.late.update((name, self.lost) for name in counts if name not in rows)
        for name, count in counts.items():
            rows[name] = held(name, 0) + count * unit
        self._keep_bound()

    def merge(self, other: "Tally[K]") -> None:
        """Add what another part of the log was counted to."""
        for name in self.rows.keys() | other.rows.keys():
            missing = self._missing(name) + other._missing(name)
            if missing:
                self.late[name] = missing
        for name, value in other.rows.items():
            self.rows[name] = self.rows.get(name, 0) + value
        self.lost += other.lost
        self.gone += other.gone
        self._keep_bound()

    def top(self, count: int) -> list[Row[K]]:
        """The first rows; of equal ones those that came first."""
        ranked = sorted(self.rows.items(), key=itemgetter(1), reverse=True)[:count]
        return [self._row(name, value, self.late.get(name, 0)) for name, value in ranked]

    def total(self) -> tuple[int, int, int]:
        """Writes, deletes and bytes of all rows, those that were let go included."""
        return self._columns(sum(self.rows.values()) + self.gone)

    def _missing(self, name: K) -> int:
        return self.late.get(name, 0) if name in self.rows else self.lost

    def _columns(self, value: int) -> tuple[int, int, int]:
        low, middle = value & _FIELD, value >> _FIELD_BITS & _FIELD
        high = value >> 2 * _FIELD_BITS
        return (low, middle, high) if self.by_bytes else (high, middle, low)

    def _row(self, name: K, value: int, missing: int) -> Row[K]:
        return Row(name, *self._columns(value), missing)

    def _keep_bound(self) -> None:
        """Let the smaller rows go when there are too many."""
        if len(self.rows) <= 2 * self.kept_max:
            return
        ranked = sorted(self.rows.items(), key=itemgetter(1), reverse=True)
        kept, dropped = ranked[: self.kept_max], ranked[self.kept_max :]
        self.gone += sum(value for _, value in dropped)
        # A row that goes again takes with it what it had lost before.
        lost = max(self._rank(value) + self.late.get(name, 0) for name, value in dropped)
        self.rows = dict(kept)
        self.late = {name: self.late[name] for name in self.rows if name in self.late}
        self.lost = max(self.lost, lost)

    def _rank(self, value: int) -> int:
        return value >> 2 * _FIELD_BITS

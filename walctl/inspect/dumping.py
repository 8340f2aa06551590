"""The rows of a dump in the order and number that a person asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from walctl.inspect.event import Event
from walctl.inspect.filters import Gap, around_damage
from walctl.inspect.flow import Covers, Item
from walctl.inspect.row import RecordRow, Row
from walctl.inspect.select import Choice
from walctl.inspect.standing import index_behind, index_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How many rows, and which way: `limit` the first, `tail` the last so many.

    `context`: only damage, with so many rows before and behind it. `is_reversed`: the last first.
    """

    limit: int | None = None
    tail: int | None = None
    context: int | None = None
    is_reversed: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether every row is shown, in the order of the file."""
        return self == Order()


def ordered(items: Iterable[Item], choice: Choice, order: Order) -> Iterator[Row | Gap]:
    """The rows of the items that were asked for.

    Only the items are kept where the last rows come first: a few numbers for each.
    """
    if order.context is not None:
        rows = (row for item in items for row in choice.rows(item))
        yield from islice(around_damage(rows, order.context), order.limit)
    elif order.tail is not None:
        found = list(islice(_backwards(items, choice), order.tail))
        yield from islice(found if order.is_reversed else reversed(found), order.limit)
    elif order.is_reversed:
        yield from islice(_backwards(items, choice), order.limit)
    else:
        rows = (row for item in items for row in choice.rows(item))
        yield from islice(rows, order.limit)


def chosen_events(items: Iterable[Row | Event], choice: Choice) -> Iterator[Row | Event]:
    """What is shown of a log that is followed: every event, and the rows that were asked for."""
    reached = 0
    for item in items:
        if isinstance(item, RecordRow):
            record, frame = item.frame.record, item.frame
            index, reached = index_of(record, reached), index_behind(record, reached)
            covers = Covers(index, index)
            if not choice.bounds.has(frame.segment, frame.span.start, frame.span.stop, covers):
                continue
            if not choice.wants(item):
                continue
        yield item


def _backwards(items: Iterable[Item], choice: Choice) -> Iterator[Row]:
    for item in reversed(list(items)):
        yield from reversed(list(choice.rows(item)))

"""What happens to a log while it is followed, beside the records that are written: plain values.

{"v":1,"kind":"event","event":…,"segment":…,"offset":…,"first":…,"last":…,"term":…,
 "replaced_term":…,"detail":…}
"""

import enum
from dataclasses import dataclass


class EventKind(enum.StrEnum):
    """Stable words for what can happen."""

    OVERWRITTEN = "overwritten"
    """Entries `first..last` of `replaced_term` are replaced by a leader of `term`. It comes in
    front of the first entry that does so."""
    SEGMENT = "segment"
    """The segment in front is complete; the log goes on in `segment`."""
    PURGED = "purged"
    """A segment was removed from the directory, as the server does with old ones."""
    REWOUND = "rewound"
    """The file was cut or written anew: what was shown of `segment` from `offset` on is no longer
    there, and what follows takes its place. `first..last` are entries that went with it."""
    ENDED = "ended"
    """Following ended here, because it was told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, and where; what a kind has no use for is `None`.

    `first` and `last` are Raft indexes, both included.
    """

    kind: EventKind
    segment: str | None = None
    offset: int | None = None
    first: int | None = None
    last: int | None = None
    term: int | None = None
    replaced_term: int | None = None
    detail: str = ""


def event_document(event: Event) -> dict[str, object]:
    """One event for JSON."""
    return {
        "v": 1,
        "kind": "event",
        "event": str(event.kind),
        "segment": event.segment,
        "offset": event.offset,
        "first": event.first,
        "last": event.last,
        "term": event.term,
        "replaced_term": event.replaced_term,
        "detail": event.detail,
    }

"""What happens in a run, told as the lines of an event file; and the hash of them.

The lines are those of a lab (`walctl.cluster.events`), with messages, writes and syncs besides. A
run that nobody records formats nothing: it is done again, recorded, when somebody wants to know.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from walctl.cluster.events import EventKind, line_of


class Recorder:
    """Counts events, hashes them, and passes on their lines to `sink` (`None`: to nobody)."""

    def __init__(self, sink: Callable[[bytes], None] | None = None) -> None:
        self.count = 0
        self._sink = sink
        self._hash = hashlib.sha256()

    def tell(
        self,
        time_us: int,
        kind: EventKind,
        fields: Mapping[str, Any],
        *,
        node: str | None = None,
        group: str | None = None,
    ) -> int:
        """One more event; its number."""
        line: dict[str, Any] = {"i": self.count, "t": time_us}
        if node is not None:
            line["n"] = node
        if group is not None:
            line["g"] = group
        data = line_of({**line, "k": kind, **fields})
        self._hash.update(data)
        if self._sink is not None:
            self._sink(data)
        self.count += 1
        return self.count - 1

    @property
    def digest(self) -> str:
        """The hash of all lines so far, in hex."""
        return self._hash.hexdigest()

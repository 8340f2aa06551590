"""What a protection is, and how it is taken away for a while."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Safeguard:
    """One protection: its name, what it guards against, and what replaces it when it is gone.

    `owner` has the rule under `attribute`; `without` takes its place. `breaks` are the promises of
    which one is broken without it, as runs of the simulator show; none: it costs time alone, or
    matters where a log is written in a way of which the simulator has none.
    """

    name: str
    words: str
    owner: Any
    attribute: str
    without: Any
    breaks: tuple[str, ...] = ()

    @contextmanager
    def removed(self) -> Iterator[None]:
        """Let the protection be gone while the block runs."""
        before = vars(self.owner)[self.attribute]
        setattr(self.owner, self.attribute, self.without)
        try:
            yield
        finally:
            setattr(self.owner, self.attribute, before)


@contextmanager
def without(safeguards: Iterable[Safeguard]) -> Iterator[None]:
    """Let all of these be gone while the block runs."""
    with ExitStack() as stack:
        for each in safeguards:
            stack.enter_context(each.removed())
        yield

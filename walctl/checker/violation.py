"""A broken promise, as a value; and the exception that stops whoever runs the system."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Which promise (`I1` … `I16`, `L1` … `L5`), in words, by whom, and what else tells of it.

    `suspects` are nodes that had lost data by a fault that no member has to survive.
    """

    id: str
    words: str
    nodes: tuple[str, ...] = ()
    group: str = ""
    term: int | None = None
    index: int | None = None
    witnesses: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()


class ViolatedError(Exception):
    """A promise was broken just now."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(f"{violation.id} {violation.words}")
        self.violation = violation

"""Invocations and completions of a file, line by line, into operations.

What all formats have in common: a line that begins an operation, a later one that ends it, and some
that never end.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from walctl.checker.history import Fate, Function, HistoryError, Operation, Value, numbered


@dataclass(slots=True)
class Pairing:
    """Collects operations. `pending` maps who asked to the position of what is not ended yet."""

    operations: list[Operation] = field(default_factory=list)
    pending: dict[Hashable, int] = field(default_factory=dict)

    def begin(self, who: Hashable, operation: Operation) -> None:
        """An invocation; its fate is unknown until a later line says more."""
        self.pending[who] = len(self.operations)
        self.operations.append(operation)

    def find(self, who: Hashable, function: Function | None, line: int) -> Operation:
        """What `who` asked last, without an end yet.

        Raises: HistoryError, when there is no such thing, or it was another function.
        """
        position = self.pending.get(who)
        if position is None:
            raise HistoryError(line, "expected an invocation before its completion, found none")
        found = self.operations[position]
        if function is not None and function is not found.function:
            raise HistoryError(
                line, f"expected the completion of a {found.function}, found one of a {function}"
            )
        return found

    def end(
        self,
        who: Hashable,
        *,
        time: int,
        fate: Fate,
        output: Value = None,
        is_mismatch: bool = False,
        index: int | None = None,
    ) -> None:
        """The completion of what `find` found; of unknown fate is what has no end."""
        position = self.pending.pop(who)
        self.operations[position] = replace(
            self.operations[position],
            end=None if fate is Fate.UNKNOWN else time,
            fate=fate,
            output=output,
            is_mismatch=is_mismatch,
            index=index,
        )

    def all(self) -> tuple[Operation, ...]:
        """Every operation, by its call."""
        return numbered(self.operations)

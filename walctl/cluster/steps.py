"""What came of the commands of a scenario, whoever played it: values."""

from dataclasses import dataclass

from walctl.cluster.scenario import Command


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a deed: words, and whether what was claimed holds (`None`: nothing was)."""

    words: str = ""
    holds: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command that was done: when it ended, counted from the first, and what came of it."""

    command: Command
    at_us: int
    done: Done
    is_error: bool = False

    @property
    def is_broken(self) -> bool:
        """Whether an expectation does not hold, or it could not be done."""
        return self.is_error or self.done.holds is False

"""The verdict on a history as a violation (I15), with the operations that tell of it."""

from typing import Final

from walctl.checker.history import Operation
from walctl.checker.linearizable import Judged, Judgement, Verdict
from walctl.checker.violation import Violation, moment

WITNESSES_MAX: Final = 6
SHOWN_BYTES_MAX: Final = 40


def violation(judgement: Judgement) -> Violation | None:
    """The first key of a history that is not linearizable; `None` where there is none.

    Witnesses are the last operations that could be placed, and the one that could not. Times of
    the history are virtual microseconds.
    """
    if judgement.verdict is not Verdict.NOT_LINEARIZABLE:
        return None
    bad = judgement.bad[0]
    group, key = bad.place
    seen = () if bad.stuck is None else (bad.stuck,)
    placed = bad.order[-(WITNESSES_MAX - len(seen)) :]
    ends = [each.end for each in (*placed, *seen) if each.end is not None]
    return Violation(
        id="I15",
        words=f"what clients saw of {_shown(key)} has no order{_why(bad)}",
        group=group,
        time_us=max(ends, default=0),
        index=next((each.index for each in seen if each.index is not None), 0),
        witnesses=(
            *(_told(each) for each in placed),
            *(f"{_told(each)}: nowhere behind these" for each in seen),
        ),
    )


def _why(bad: Judged) -> str:
    if bad.stuck is None:
        return ""
    return f": {bad.stuck.function} of client {bad.stuck.client} fits nowhere"


def _told(operation: Operation) -> str:
    """One operation in a line."""
    end = "no answer" if operation.end is None else moment(operation.end)
    value = operation.output if operation.function.is_read else operation.value
    words = f"{operation.function} {_shown(operation.key)}"
    words += f" {'->' if operation.function.is_read else '='} {_shown(value)}"
    return f"{moment(operation.call)} to {end}: client {operation.client}: {words}"


def _shown(value: bytes | None) -> str:
    """Bytes of clients as ASCII, not too long."""
    if value is None:
        return "nothing"
    text = ascii(value[:SHOWN_BYTES_MAX])[2:-1]
    return f"{text}…" if len(value) > SHOWN_BYTES_MAX else text

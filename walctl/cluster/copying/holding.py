"""A forecast held against what then happened, once for each copied member: at its first start.

What came of it is kept in `lab.json`, beside the forecast. A member that was foretold to start and
did may die later of what was foretold as possible; then that is what came of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from walctl.cluster.copying.forecast import Forecast, from_document, matches
from walctl.cluster.lab import Lab
from walctl.cluster.standing import Foretold
from walctl.cluster.trial import last_words
from walctl.errors import AccessError

_HELD: Final = "held"


def forecast_of(lab: Lab, name: str) -> Forecast | None:
    """What was told of a node before its first start; `None` where nothing was.

    Raises: AccessError, when the lab's file says it in words that are not ours.
    """
    found = _member(lab, name)
    if found is None:
        return None
    try:
        return from_document(found["forecast"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AccessError(f"{lab.path}: expected a forecast of {name}, found none") from error


def held_of(lab: Lab) -> tuple[Foretold, ...]:
    """What came of each forecast that was held against a start."""
    found = ((_member(lab, node.name) or {}).get(_HELD) for node in lab.nodes)
    return tuple(Foretold(**each) for each in found if each is not None)


def held(lab: Lab, name: str) -> Foretold | None:
    """The same of one node; `None` before it."""
    return next((each for each in held_of(lab) if each.name == name), None)


def with_held(lab: Lab, told: Foretold) -> Lab:
    """The same lab, with this written down."""
    origin = dict(lab.origin or {})
    member = {**origin["members"][told.name], _HELD: asdict(told)}
    origin["members"] = {**origin["members"], told.name: member}
    return replace(lab, origin=origin)


def judged(lab: Lab, name: str, exit_status: int | None, lines: Sequence[str]) -> Foretold | None:
    """What came of a node's forecast, where that is to be written down now: it is up
    (`exit_status` is `None`), or has ended so. Raises: AccessError."""
    forecast = forecast_of(lab, name)
    if forecast is None:
        return None
    before = held(lab, name)
    is_right = matches(forecast, exit_status, lines)
    is_later = before is not None and before.is_up and exit_status is not None
    if before is not None and not (is_later and is_right and forecast.may_panic):
        return None
    return Foretold(
        name=name,
        is_as_foretold=is_right,
        is_up=exit_status is None,
        words=_words(forecast, exit_status, lines, is_right=is_right),
    )


def _words(
    forecast: Forecast, exit_status: int | None, lines: Sequence[str], *, is_right: bool
) -> str:
    end = None if exit_status is None else f"exit status {exit_status}: {last_words(list(lines))}"
    if is_right:
        if end is None:
            return str(forecast.outcome)
        what = "panics" if forecast.serves else str(forecast.outcome)
        return f"{what}: {end}"
    came = "it started" if end is None else f"it ended with {end}"
    return f"told: {forecast.sentence}; {came}"


def _member(lab: Lab, name: str) -> dict[str, Any] | None:
    found = (lab.origin or {}).get("members", {}).get(name)
    return found if isinstance(found, dict) else None

"""Durations, percentages and rates as a person types them, and as they are shown again.

    50ms  1.5s  200us  2m        whole microseconds
    50ms±20ms  50ms+-20ms        a mean, and how far from it
    5%  0.01%                    millionths
    10KB/s  1.5MiB/s  800B/s     whole bytes a second; K is 1,000 and Ki 1,024

Exact: what does not come out in whole microseconds, millionths or bytes is refused, and what is
shown reads as the same value again.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from walctl.cluster.faults import PPM
from walctl.errors import UsageError

DURATION_US_MAX: Final = 3_600_000_000
RATE_MAX: Final = 1 << 40

_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)"
_DURATION: Final = re.compile(_NUMBER + r"\s*(us|µs|μs|ms|s|m)")
_SPREAD: Final = re.compile(r"\s*(?:±|\+-|\+/-)\s*")
_PERCENT: Final = re.compile(_NUMBER + r"\s*%")
_RATE: Final = re.compile(_NUMBER + r"\s*(B|[kK]B|KiB|MB|MiB|GB|GiB)(?:/s|ps)")

_TIMES: Final[Mapping[str, int]] = {
    "us": 1,
    "µs": 1,
    "μs": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
}
_SIZES: Final[Mapping[str, int]] = {
    "B": 1,
    "kB": 1_000,
    "KB": 1_000,
    "KiB": 1 << 10,
    "MB": 1_000_000,
    "MiB": 1 << 20,
    "GB": 1_000_000_000,
    "GiB": 1 << 30,
}
_SHOWN_TIMES: Final = (("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1))
_SHOWN_BYTES: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1))
_SHOWN_SIZES: Final = (("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1))


def parse_duration(text: str) -> int:
    """Microseconds, at most an hour. Raises: UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no duration: expected one like 50ms, 1.5s or 200us")
    value = _whole(found[1], _TIMES[found[2]], text, "microseconds")
    if value > DURATION_US_MAX:
        raise UsageError(f"{text!r} is too long: expected at most an hour")
    return value


def parse_spread(text: str) -> tuple[int, int]:
    """A mean and how far from it, in microseconds; the latter is 0 where none is said.

    Raises: UsageError.
    """
    mean, *spread = _SPREAD.split(text.strip())
    if len(spread) > 1:
        raise UsageError(f"{text!r} is no delay: expected one like 50ms or 50ms±20ms")
    delay, jitter = parse_duration(mean), parse_duration(spread[0]) if spread else 0
    if jitter > delay:
        raise UsageError(f"{text!r}: a message cannot arrive before it is sent; expected ±{mean}")
    return delay, jitter


def parse_percent(text: str) -> int:
    """Millionths, `[0, 1_000_000]`. Raises: UsageError."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no percentage: expected one like 5% or 0.1%")
    value = _whole(found[1], PPM // 100, text, "millionths")
    if value > PPM:
        raise UsageError(f"{text!r} is too much: expected at most 100%")
    return value


def parse_rate(text: str) -> int:
    """Bytes a second, at least one. Raises: UsageError."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no rate: expected one like 10KB/s, 1MiB/s or 800B/s")
    value = _whole(found[1], _SIZES[found[2]], text, "bytes")
    if not 0 < value <= RATE_MAX:
        raise UsageError(f"{text!r}: expected a rate above 0 and up to 1024GiB/s; cut lets no byte")
    return value


def show_duration(value_us: int) -> str:
    """Microseconds in the largest unit that needs no point."""
    return _shown(value_us, _SHOWN_TIMES)


def show_spread(mean_us: int, spread_us: int) -> str:
    """A mean, and how far from it where that is not 0."""
    spread = f"±{show_duration(spread_us)}" if spread_us else ""
    return show_duration(mean_us) + spread


def show_percent(value_ppm: int) -> str:
    """Millionths as a percentage."""
    whole, rest = divmod(value_ppm, PPM // 100)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".") + "%"


def show_rate(value: int) -> str:
    """Bytes a second in the largest unit that needs no point."""
    return _shown(value, _SHOWN_SIZES) + "/s"


def show_size(value: int) -> str:
    """Bytes in the largest of KiB, MiB and GiB that needs no point, else as a number."""
    return _shown(value, _SHOWN_BYTES)


def _whole(number: str, unit: int, text: str, what: str) -> int:
    value = Fraction(number) * unit
    if value.denominator != 1:
        raise UsageError(f"{text!r} is too fine: expected whole {what}")
    return value.numerator


def _shown(value: int, units: tuple[tuple[str, int], ...]) -> str:
    for name, unit in units:
        if value and value % unit == 0:
            return f"{value // unit}{name}"
    return f"0{units[-1][0]}"

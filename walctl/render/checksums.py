"""How files stand against a list of checksums: on a screen, and as JSON."""

from walctl.inspect.checksums import Comparison, Difference, Unlike
from walctl.render.prose import labelled
from walctl.render.screen import Screen
from walctl.render.text import counted

SHOWN_MAX = 20
"""Files of one kind that a screen names; JSON has them all."""
_LABELS = {Unlike.DIFFERS: "differs", Unlike.MISSING: "missing", Unlike.UNLISTED: "not listed"}
_DIGITS = 16
"""Of a hash, on a screen: enough to tell two apart."""


def lines(screen: Screen, comparison: Comparison, *, column: int) -> None:
    """How many are as listed, and each that is not."""
    words = f"{counted(comparison.same, 'file')} as listed in {comparison.path}"
    if comparison.elsewhere:
        words += f"; {counted(comparison.elsewhere, 'line')} of it about files elsewhere"
    labelled(screen, "manifest", words, column=column)
    for kind, label in _LABELS.items():
        found = comparison.of(kind)
        for difference in found[:SHOWN_MAX]:
            labelled(screen, f"  {label}", _line(difference), column=column)
        if len(found) > SHOWN_MAX:
            labelled(screen, "", f"{len(found) - SHOWN_MAX:,} more in -o json", column=column)


def _line(difference: Difference) -> str:
    if difference.expected is None or difference.found is None:
        return difference.name
    expected, found = difference.expected[:_DIGITS], difference.found[:_DIGITS]
    return f"{difference.name}: expected {expected}…, found {found}…"


def document(comparison: Comparison | None) -> dict[str, object] | None:
    """A comparison for JSON."""
    if comparison is None:
        return None
    return {
        "list": str(comparison.path),
        "same": comparison.same,
        "elsewhere": comparison.elsewhere,
        "differences": [
            {
                "name": difference.name,
                "kind": str(difference.kind),
                "expected": difference.expected,
                "found": difference.found,
            }
            for difference in comparison.differences
        ],
    }

"""How archived and restored segments look: a line each, and the same as JSON."""

from walctl.render.screen import Screen
from walctl.render.text import counted
from walctl.repair.archive import Outcome


def lines(screen: Screen, outcome: Outcome) -> None:
    """Every segment with its sizes, then what was left out, then the sum."""
    for each in outcome.done:
        ratio = f", {each.size / each.packed_bytes:.1f} to 1" if each.packed_bytes else ""
        already = ", was there already" if each.was_there else ""
        sizes = f"{each.size:,} bytes, packed {each.packed_bytes:,}{ratio}{already}"
        screen.line(f"{each.path}  {sizes}")
        screen.line(f"  sha256 {each.sha256}, read back")
    for kept in outcome.kept:
        screen.line(f"{kept.source}  not archived: {kept.why}", style="dim")
    what = counted(len(outcome.done), "segment")
    plain = sum(each.size for each in outcome.done)
    packed = sum(each.packed_bytes for each in outcome.done)
    verb = "restored" if outcome.is_restored else "archived"
    untouched = "" if outcome.is_restored else "; the originals are as they were"
    screen.line(f"{verb} {what}: {plain:,} bytes, packed {packed:,}{untouched}", style="bold")


def document(outcome: Outcome) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "restored": outcome.is_restored,
        "segments": [
            {
                "source": str(each.source),
                "path": str(each.path),
                "size": each.size,
                "packed_bytes": each.packed_bytes,
                "sha256": each.sha256,
                "was_there": each.was_there,
            }
            for each in outcome.done
        ],
        "kept": [{"source": str(each.source), "why": each.why} for each in outcome.kept],
    }

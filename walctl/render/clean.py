"""How backups look, which of them are taken away, and what a server's own purge would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from walctl.errors import ExitStatus
from walctl.inspect.advice import quoted_word
from walctl.inspect.purge import Purge
from walctl.render.prose import labelled, paragraph
from walctl.render.repair import COLUMN, ending
from walctl.render.screen import Screen
from walctl.render.text import byte_count, counted, printable
from walctl.repair.cleaning import Backup

NAMES_MAX = 4
"""Files of one kind that a screen names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """The backups of a member, and what is done about them.

    `chosen` are the names that somebody wants taken away; `freed_bytes` is what they took, `None`
    while they are there. `command` is what takes them away.
    """

    path: Path
    found: Sequence[Backup]
    chosen: tuple[str, ...] = ()
    freed_bytes: int | None = None
    command: str = ""


def show(screen: Screen, cleaning: Cleaning) -> None:
    """The backups in the screen's form."""
    screen.show(cleaning, text=text, document=document)


def document(cleaning: Cleaning) -> dict[str, object]:
    """The backups for JSON."""
    return {
        "v": 1,
        "path": str(cleaning.path),
        "backups": [
            {
                "name": each.name,
                "path": str(each.path),
                "made": each.made,
                "kind": each.kind,
                "bytes": each.size,
                "receipt": None if each.receipt is None else str(each.receipt),
                "words": each.words,
                "chosen": each.name in cleaning.chosen,
            }
            for each in cleaning.found
        ],
        "removed": cleaning.freed_bytes is not None,
        "freed_bytes": cleaning.freed_bytes,
    }


def text(screen: Screen, cleaning: Cleaning) -> None:
    """The backups on a screen, oldest first."""
    total = sum(each.size for each in cleaning.found)
    count = counted(len(cleaning.found), "backup")
    told = f"{count}, {byte_count(total)}" if cleaning.found else "no backups"
    paragraph(screen, f"{cleaning.path}: {told}", indent=2, first="", style="bold")
    for each in cleaning.found:
        mark = "- " if each.name in cleaning.chosen else "  "
        paragraph(screen, f"{each.name}  {byte_count(each.size)}", indent=4, first=mark)
        if each.words:
            paragraph(screen, each.words, indent=6)
        if each.receipt is not None and each.name not in cleaning.chosen:
            command = f"walctl undo {quoted_word(str(each.receipt))}"
            screen.line(f"{' ' * 6}{command}", style="cyan")
    _ending(screen, cleaning)


def _ending(screen: Screen, cleaning: Cleaning) -> None:
    if cleaning.freed_bytes is not None:
        gone = counted(len(cleaning.chosen), "backup")
        words = f"{gone} taken away, {byte_count(cleaning.freed_bytes)} freed"
    elif cleaning.chosen:
        paragraph(
            screen,
            "What is marked would be taken away for good: a repair that it is of could not be"
            " taken back any more.",
        )
        screen.line(f"{'do it'.ljust(COLUMN)}{cleaning.command}", style="cyan")
        words = "nothing was changed"
    else:
        words = "nothing was changed"
    ending(screen, words, ExitStatus.CLEAN)


def show_purge(screen: Screen, path: Path, purge: Purge) -> None:
    """What etcd's own purge would take away, in the screen's form."""
    screen.show(
        purge,
        text=lambda screen, purge: purge_text(screen, path, purge),
        document=lambda purge: purge_document(path, purge),
    )


def purge_document(path: Path, purge: Purge) -> dict[str, object]:
    """The same for JSON."""
    return {
        "v": 1,
        "path": str(path),
        "purge": {
            "segments": list(purge.segments),
            "held": list(purge.held),
            "snapshots": list(purge.snapshots),
            "databases": list(purge.databases),
            "start": purge.start,
        },
    }


def purge_text(screen: Screen, path: Path, purge: Purge) -> None:
    """The same on a screen."""
    gone = len(purge.segments) + len(purge.snapshots) + len(purge.databases)
    told = f"etcd's own purge would remove {counted(gone, 'file')}"
    paragraph(screen, f"{path}: {told}", indent=2, first="", style="bold")
    for label, names in (
        ("wal", purge.segments),
        ("snap", purge.snapshots),
        ("snap.db", purge.databases),
    ):
        labelled(screen, label, _names(names), column=COLUMN)
    if purge.held:
        needed = f"snapshot {purge.start}" if purge.start else "the beginning of the log"
        words = f"{_names(purge.held)}: too many, but a start from {needed} needs them"
        labelled(screen, "stays", words, column=COLUMN)
    ending(screen, "nothing was changed", ExitStatus.CLEAN)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:NAMES_MAX])
    hidden = len(names) - NAMES_MAX
    return f"{shown} and {hidden:,} more" if hidden > 0 else shown

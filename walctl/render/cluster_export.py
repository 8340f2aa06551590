"""What `cluster export` made, in a few lines and in JSON."""

from dataclasses import asdict

from walctl.cluster.exporting import Exported
from walctl.render.screen import Screen
from walctl.render.text import counted


def text(screen: Screen, made: Exported) -> None:
    """The file, and what is to be said of a lab that ran."""
    screen.line(
        f"{made.path}: {counted(made.files, 'file')}, {made.plain_bytes:,} bytes in {made.size:,};"
        " read back"
    )
    if made.is_up:
        screen.line(
            f"{', '.join(made.is_up)} ran meanwhile: logs may end early in it, and their members"
            " need not be of one moment"
        )


def document(made: Exported) -> object:
    """The same for programs."""
    return {"v": 1, **asdict(made), "path": str(made.path)}

"""What is told of payloads that were saved: on stderr, since what is shown goes to stdout."""

from walctl.inspect.payload_files import PayloadFiles
from walctl.render.screen import Screen
from walctl.render.text import byte_count, counted


def told(screen: Screen, files: PayloadFiles) -> None:
    """How many payloads lie where now, and how many a redaction kept back."""
    saved = counted(files.saved, "payload")
    screen.note(f"walctl: {saved} saved to {files.folder}, {byte_count(files.saved_bytes)}")
    if files.hidden:
        kept = counted(files.hidden, "payload")
        screen.note(
            f"walctl: {kept} not saved: hidden by --redact {files.redaction.value}"
            " (`--redact none` saves them)"
        )

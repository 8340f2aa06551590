"""How a new bundle looks: what is in it, what is hidden, what survived; and the same as JSON."""

from walctl.render.prose import labelled
from walctl.render.screen import Screen
from walctl.render.text import counted
from walctl.render.verify import COLUMN
from walctl.repair.bundle import Bundle

_HIDDEN = {
    "none": "nothing: passwords and tokens are in it as they were. Do not send it to a stranger.",
    "values": "values, passwords and tokens; keys and names are shown",
    "keys": "keys, values, passwords and tokens; names of members and users are shown",
    "all": "keys, values, passwords, tokens, names and addresses",
}


def lines(screen: Screen, bundle: Bundle) -> None:
    """One screen."""
    plain = sum(item.size for item in bundle.items)
    files = counted(sum(1 for item in bundle.items if item.size), "file")
    screen.line(f"{bundle.path}", style="bold")
    labelled(screen, "holds", f"{files}, {plain:,} bytes in {bundle.size:,}", column=COLUMN)
    labelled(screen, "hidden", _HIDDEN[bundle.redaction.value], column=COLUMN)
    left_out = [item.name for item in bundle.items if item.content == "left out" and item.size]
    if left_out:
        text = f"of {counted(len(left_out), 'file')} only name and size are in it: {left_out[0]}"
        labelled(screen, "left out", text + (", …" if left_out[1:] else ""), column=COLUMN)
    for number, step in enumerate(bundle.steps):
        labelled(screen, "" if number else "taken away", step, column=COLUMN)
    for name, offset in bundle.longer:
        text = f"{name}:{offset}: this frame is 8 bytes longer than it was; those behind it moved"
        labelled(screen, "note", text, column=COLUMN)
    found = counted(len(bundle.report.findings), "finding")
    if bundle.differences:
        for each in bundle.differences:
            labelled(screen, "differs", each, column=COLUMN)
    else:
        text = f"verify says of it what it said of the member: {bundle.report.verdict}, {found}"
        labelled(screen, "read back", text, column=COLUMN)
    labelled(screen, "look at it", f"walctl {bundle.path}", column=COLUMN)


def document(bundle: Bundle) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "path": str(bundle.path),
        "size": bundle.size,
        "redact": bundle.redaction.value,
        "verdict": str(bundle.report.verdict),
        "findings": len(bundle.report.findings),
        "files": [
            {"name": item.name, "size": item.size, "content": item.content} for item in bundle.items
        ],
        "taken_away": list(bundle.steps),
        "longer_frames": [{"segment": name, "offset": offset} for name, offset in bundle.longer],
        "differences": list(bundle.differences),
    }

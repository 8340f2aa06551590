"""Words and tips of arrows in a space-time picture, and what its lines and colours mean."""

from html import escape
from math import cos, sin

from walctl.render.diagram_look import kind_of
from walctl.render.text import printable
from walctl.sim.diagram_shapes import Course, Diagram

_CROSS = '<path d="M0 5L14 10"/><path class="x" d="M10 6l8 8m0 -8l-8 8"/>'
_RING = '<line x1="0" x2="22" y1="8" y2="8"/><circle cx="11" cy="8" r="6"/>'
_FAULT = (
    '<rect class="whole" width="22" height="14"/><rect class="stripe" width="3.5" height="14"/>'
)
_FATES = (("ok", "request: done"), ("fail", "refused"), ("info", "end unknown"))
_MESSAGES = {
    "append": "append",
    "vote": "vote",
    "beat": "heartbeat",
    "snap": "snapshot",
    "other": "other message",
}
_LOOKS = {
    "leader": "leader",
    "candidate": "candidate",
    "follower": "follower",
    "learner": "learner",
    "down": "not running",
}


def text_of(text: str, *, letters: int | None = None) -> str:
    """Text of a trace for XML and HTML."""
    return escape(printable(text, width_max=letters))


def lines_of(text: str) -> str:
    """The same for text of several lines of ours."""
    return "\n".join(text_of(each) for each in text.split("\n"))


def label(x: float, y: float, text: str, kind: str = "", *, letters: int | None = None) -> str:
    """Words at a place."""
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{name}>{text_of(text, letters=letters)}</text>'


def tip(x: float, y: float, angle: float) -> str:
    """The head of an arrow."""
    corners = " ".join(
        f"{x - 7 * cos(angle + turn):.1f},{y - 7 * sin(angle + turn):.1f}" for turn in (0.42, -0.42)
    )
    return f'<polygon class="a" points="{x:.1f},{y:.1f} {corners}"/>'


def legend(made: Diagram) -> str:
    """Two rows, 32 high; of roles and messages, those there are."""
    rows = (_of_lanes(made), _of_the_rest(made))
    return "".join(_row(row, 17.0 * at) for at, row in enumerate(rows))


def _of_lanes(made: Diagram) -> list[tuple[str, str]]:
    """Roles and messages, each as it is drawn and what it is called."""
    looks = {each.stand.look.value for each in made.segments}
    row = [
        (f'<path class="lane {look}" d="M0 8H22"/>', name)
        for look, name in _LOOKS.items()
        if look in looks
    ]
    kinds = {kind_of(each) for each in made.arrows}
    for kind, name in _MESSAGES.items():
        if kind in kinds:
            line = f'<g class="msg {kind}"><path d="M0 4L18 11"/>{tip(22, 12.5, 0.37)}</g>'
            row.append((line, name))
    if any(each.course is Course.DROPPED for each in made.arrows):
        row.append((f'<g class="msg append dropped">{_CROSS}</g>', "lost"))
    return row


def _of_the_rest(made: Diagram) -> list[tuple[str, str]]:
    row = []
    if made.ticks:
        row.append(('<g class="tick"><path d="M8 8H14"/></g>', "write"))
        row.append(('<g class="tick"><path d="M6 8H17"/><path d="M6 5.5v5"/></g>', "sync"))
    if made.bands:
        row.append((_FAULT, "fault"))
    if made.bars:
        for fate, name in _FATES:
            box = '<rect x="6" width="9" height="14" rx="2"/>'
            row.append((f'<g class="bar {fate}">{box}</g>', name))
    if any(each.is_violation for each in made.instants):
        row.append((f'<g class="wrong">{_RING}</g>', "violation"))
    return row


def _row(row: list[tuple[str, str]], y: float) -> str:
    x, parts = 0.0, []
    for drawn, name in row:
        parts.append(
            f'<g transform="translate({x:.0f},{y:.0f})">{drawn}{label(28, 11.5, name, "s")}</g>'
        )
        x += 28 + len(name) * 5.3 + 16
    return "".join(parts)

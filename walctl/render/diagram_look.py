"""How a space-time picture looks: its colours by day and by night, sizes, and where lanes stand.

Plain classes and no variables, so that programs that draw an SVG and are no browser can do it too.
Colours that have to be told apart are so for people who see red and green alike, and every one has
another sign beside it: a width, a dash, a word.
"""

from collections.abc import Iterator
from typing import Final

from walctl.sim.diagram_shapes import Arrow, Course, Diagram

MARGIN: Final = 18.0
GUTTER: Final = 104.0
"""Right edge of the times."""
COLUMN: Final = 5.0
"""Between the stripes of faults that are on at the same time."""
BESIDE: Final = 74.0
"""Left of the first lane: words of faults begin there."""
WORDS: Final = 150.0
"""Right of the last lane: its words."""
WIDTH_MIN: Final = 760.0
_STEPS: Final = ((3, 230.0), (5, 200.0), (9, 160.0), (1 << 62, 130.0))
"""Up to so many lanes, so far from one to the next."""
_CLIENTS: Final = ((3, 150.0), (6, 116.0), (10, 76.0), (1 << 62, 14.0))
"""Up to so many clients, so much for each; the last has no room for words."""
CLIENT_WORDS_MIN: Final = 70.0
LETTER: Final = 5.6
"""Width of a letter of a label."""

_DAY: Final = {
    "ground": "#ffffff",
    "ink": "#1f2430",
    "dim": "#6b7280",
    "hair": "#eceff3",
    "down": "#b6bdc8",
    "unknown": "#c3cad4",
    "follower": "#8296b0",
    "candidate": "#e3a31c",
    "leader": "#17925a",
    "learner": "#a58bd6",
    "append": "#2563c9",
    "vote": "#8a3fc7",
    "beat": "#9aa4b2",
    "snap": "#c8620a",
    "other": "#0d7f86",
    "red": "#c8102e",
    "fault": "#e8a317",
    "faultword": "#8a5a00",
    "ok": "#9ccfb0",
    "fail": "#ccd2da",
    "info": "#f2d38a",
}
_NIGHT: Final = {
    "ground": "#14171d",
    "ink": "#e6e9ef",
    "dim": "#98a2b3",
    "hair": "#232833",
    "down": "#4b5463",
    "unknown": "#566072",
    "follower": "#6f86a6",
    "candidate": "#f0b83f",
    "leader": "#35c483",
    "learner": "#b79ff0",
    "append": "#6ea2ff",
    "vote": "#c792f5",
    "beat": "#717c8d",
    "snap": "#ff9d4d",
    "other": "#45c3c9",
    "red": "#ff5b6e",
    "fault": "#e8a317",
    "faultword": "#f0c368",
    "ok": "#3c7d59",
    "fail": "#4a5361",
    "info": "#8b6c22",
}
LANES: Final = ("leader", "candidate", "follower", "learner", "unknown", "down")
MESSAGES: Final = ("append", "vote", "beat", "snap", "other")
FATES: Final = ("ok", "fail", "info")

_SHAPE: Final = (
    ".map text{font:11px ui-sans-serif,system-ui,'Helvetica Neue',Arial,sans-serif}"
    ".map .h{font-size:17px;font-weight:600}.map .n{font-size:14px;font-weight:700}"
    ".map .b{font-weight:700}.map .s{font-size:9.5px}.map .e{text-anchor:end}"
    ".map .m{text-anchor:middle}"
    ".map .t{font-size:10px;font-family:ui-monospace,Menlo,Consolas,monospace;text-anchor:end}"
    ".map .o{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}"
    ".map path,.map line{fill:none}"
    ".lane{stroke-linecap:butt}.lane.leader{stroke-width:9}.lane.candidate{stroke-width:7;"
    "stroke-dasharray:7 2}.lane.follower{stroke-width:4}.lane.learner{stroke-width:4;"
    "stroke-dasharray:4 2}.lane.unknown{stroke-width:3}.lane.down{stroke-width:1.4;"
    "stroke-dasharray:2 5}.lane.paused{stroke-dasharray:2 3}"
    ".msg path{stroke-width:1.3}.msg.beat path{stroke-width:1}.msg.again path,"
    ".msg.entering path,.msg.leaving path{stroke-dasharray:4 3}.map .msg .a{stroke:none}"
    ".map .msg.dropped .x{stroke-width:2}.fold path{stroke-width:1.2;stroke-dasharray:1 3}"
    ".tick path{stroke-width:1.5}.whole{fill-opacity:.09}.own{fill-opacity:.16}"
    ".stripe{fill-opacity:.75}.edge{stroke-dasharray:3 3;stroke-width:1}"
    ".wrong line{stroke-width:1.6}.wrong circle{fill:none;stroke-width:2.4}"
    ".bar rect{stroke-width:1}.bar .open{stroke-dasharray:3 2}"
)


def _colours(colours: dict[str, str]) -> str:
    c = colours
    rules = [
        f".ground{{fill:{c['ground']}}}.map text{{fill:{c['ink']}}}",
        f".map .o{{stroke:{c['ground']}}}.map .s,.map .t{{fill:{c['dim']}}}",
        f".hair{{stroke:{c['hair']}}}.map .tick path{{stroke:{c['dim']}}}",
        f".map .tick.bad path,.wrong line,.wrong circle,.msg.dropped .x{{stroke:{c['red']}}}",
        f".map .red{{fill:{c['red']}}}",
        f".whole,.stripe,.own{{fill:{c['fault']}}}.edge{{stroke:{c['fault']}}}",
        f".map .dot{{fill:{c['ink']};stroke:{c['ground']};stroke-width:.8}}",
        f".map .f{{fill:{c['faultword']}}}.bar rect{{stroke:{c['dim']}}}",
        f".fold path{{stroke:{c['beat']}}}",
    ]
    rules += [f".lane.{name}{{stroke:{c[name]}}}.map .r-{name}{{fill:{c[name]}}}" for name in LANES]
    for name in MESSAGES:
        rules.append(
            f".msg.{name} path{{stroke:{c[name]}}}.map .msg.{name} .a,.map .msg.{name} text"
            f"{{fill:{c[name]}}}"
        )
    rules += [f".bar.{name} rect{{fill:{c[name]}}}" for name in FATES]
    rules.append(f".map .msg.dropped text{{fill:{c['red']}}}")
    return "".join(rules)


STYLE: Final = (
    f"{_SHAPE}{_colours(_DAY)}@media (prefers-color-scheme:dark){{{_colours(_NIGHT)}}}"
    f"@media print{{{_colours(_DAY)}}}"
)


class Places:
    """How far from the left things stand."""

    def __init__(self, made: Diagram) -> None:
        count = len(made.cut.lanes)
        self.columns = max((each.column + 1 for each in made.bands if each.lane is None), default=0)
        self._step = next(step for most, step in _STEPS if count <= most)
        self._client = next(step for most, step in _CLIENTS if len(made.clients) <= most)
        self._first = GUTTER + 10 + COLUMN * self.columns + BESIDE
        self.lanes_right = self._first + self._step * max(count - 1, 0) + WORDS
        right = self.lanes_right + 14 + self._client * len(made.clients) + MARGIN
        self.width = max(right, WIDTH_MIN)
        self.has_client_words = self._client >= CLIENT_WORDS_MIN

    def lane(self, position: int) -> float:
        """The middle of a lane."""
        return self._first + self._step * position

    def client(self, position: int) -> float:
        """The left edge of a client's bars."""
        return self.lanes_right + 14 + self._client * position

    @property
    def fault_words(self) -> float:
        """Where words of faults of the whole cluster begin."""
        return self.stripe(self.columns) + 2

    @property
    def client_bar(self) -> float:
        """How wide a bar is."""
        return 9.0

    @property
    def client_letters(self) -> int:
        """How many letters fit beside a bar."""
        return max(int((self._client - self.client_bar - 8) / LETTER), 1)

    def stripe(self, column: int) -> float:
        """The left edge of the stripe of a fault."""
        return GUTTER + 10 + COLUMN * column


class Taken:
    """Where words stand already, coarsely: words of messages keep away from there."""

    WIDE, HIGH = 16.0, 5.0
    HALF = 4.0
    """Half of the height of a letter."""

    def __init__(self) -> None:
        self._cells: set[tuple[int, int]] = set()

    def take(self, x: float, y: float, letters: int) -> None:
        """Words that begin here."""
        self._cells.update(self._of(x, y, 1.0, 0.0, letters))

    def is_free(self, x: float, y: float, dx: float, dy: float, letters: int) -> bool:
        """Whether words fit that begin here and go on in a direction; they are taken up then."""
        cells = set(self._of(x, y, dx, dy, letters))
        if cells & self._cells:
            return False
        self._cells |= cells
        return True

    def _of(
        self, x: float, y: float, dx: float, dy: float, letters: int
    ) -> Iterator[tuple[int, int]]:
        for step in range(0, letters + 2, 2):
            column = int((x + dx * step * LETTER) / self.WIDE)
            middle = y + dy * step * LETTER
            for edge in (middle - self.HALF, middle, middle + self.HALF):
                yield column, int(edge / self.HIGH)


def kind_of(arrow: Arrow) -> str:
    """What colour a message has."""
    name = str(arrow.sent.fields.get("y", "")) if arrow.sent is not None else ""
    if "Vote" in name:
        return "vote"
    if "Heartbeat" in name:
        return "beat"
    if "Snap" in name:
        return "snap"
    return "append" if name.startswith("MsgApp") else "other"


def classes(arrow: Arrow) -> str:
    """The classes of a message."""
    course = "" if arrow.course is Course.ARRIVED else f" {arrow.course}"
    return f"msg {kind_of(arrow)}{course}"

"""Which room may look into which: the table, and the check that holds every module to it."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.tidy.source import Module, expect_none, imports, is_in, parsed, recipes, shipped

# From what a person types down to bytes; rooms on one line do not import each other.
LINES: tuple[tuple[str, ...], ...] = (
    ("walctl.cli",),
    ("walctl.render",),
    ("walctl.sim",),
    ("walctl.cluster",),
    ("walctl.repair",),
    ("walctl.inspect",),
    ("walctl.replay", "walctl.checker"),
    ("walctl.datadir", "walctl.machine"),
    ("walctl.wal", "walctl.snap", "walctl.backend", "walctl.raft", "walctl.payload"),
    ("walctl.model",),
    ("walctl.fs",),
    ("walctl.errors", "walctl.version"),
    ("formats",),
)

_BYTES = frozenset({"formats", "walctl.errors"})
_FILES = _BYTES | {"walctl.fs", "walctl.model"}
_DATADIR = _FILES | {"walctl.wal", "walctl.snap", "walctl.backend", "walctl.payload"}
_REPLAY = _DATADIR | {"walctl.datadir", "walctl.machine", "walctl.raft"}
_INSPECT = _REPLAY | {"walctl.replay"}
_REPAIR = _INSPECT | {"walctl.inspect"}
# The event file of a lab says which walctl wrote it.
_CLUSTER = _REPAIR | {"walctl.repair", "walctl.checker", "walctl.version"}
_RENDER = _CLUSTER | {"walctl.cluster", "walctl.sim"}

MAY_IMPORT: dict[str, frozenset[str]] = {
    "formats": frozenset(),
    "walctl.version": frozenset(),
    "walctl.errors": frozenset({"formats.errors"}),
    "walctl.fs": frozenset({"walctl.errors"}),
    "walctl.model": frozenset({"walctl.errors"}),
    "walctl.wal": _FILES,
    "walctl.snap": _FILES,
    "walctl.backend": _FILES,
    "walctl.payload": _BYTES | {"walctl.model"},
    "walctl.raft": frozenset({"formats.raftpb", "formats.errors", "walctl.errors"}),
    "walctl.datadir": _DATADIR,
    # Who a member is, is said in one place; of records and logs a machine knows nothing.
    "walctl.machine": _BYTES | {"walctl.model.member"},
    "walctl.replay": _REPLAY,
    "walctl.checker": frozenset({"walctl.machine", "walctl.errors"}),
    "walctl.inspect": _INSPECT,
    "walctl.repair": _REPAIR,
    "walctl.cluster": _CLUSTER,
    # The simulator runs the shipped member, but never the asyncio world around it.
    "walctl.sim": _REPAIR
    | {
        "walctl.checker",
        "walctl.repair",
        "walctl.version",
        # The member itself, and the words for what is done to a cluster: nothing that runs one.
        "walctl.cluster.answers",
        "walctl.cluster.claim",
        "walctl.cluster.claim_words",
        "walctl.cluster.deeds",
        "walctl.cluster.driver",
        "walctl.cluster.events",
        "walctl.cluster.fault_words",
        "walctl.cluster.faults",
        "walctl.cluster.membership",
        "walctl.cluster.messages",
        "walctl.cluster.quantities",
        "walctl.cluster.quoting",
        "walctl.cluster.recovery",
        "walctl.cluster.scenario",
        "walctl.cluster.scenario_words",
        "walctl.cluster.service",
        "walctl.cluster.shipped",
        "walctl.cluster.steps",
        "walctl.cluster.simulator_words",
        "walctl.cluster.story",
        "walctl.cluster.surroundings",
        "walctl.cluster.topology",
        "walctl.cluster.waiting",
        "walctl.cluster.word_parts",
        # Changes of members and groups, which wait for what they are handed and know no loop.
        "walctl.cluster.group_flow",
        "walctl.cluster.held",
        "walctl.cluster.holding_back",
        "walctl.cluster.lab",
        "walctl.cluster.member_control",
        "walctl.cluster.member_flow",
        "walctl.cluster.own_members",
        "walctl.cluster.quorum_left",
        "walctl.cluster.standing",
        "walctl.cluster.talk",
    },
    "walctl.render": _RENDER,
    "walctl.cli": _RENDER | {"walctl.render"},
}
"""What each room may import besides itself: rooms, or single modules of one."""

IMPORT_NOTHING = frozenset(
    {
        "formats.errors",
        "formats.limits",
        "walctl.version",
        "walctl.raft.quorum",
        "walctl.raft.inflights",
        "walctl.raft.readonly",
        "walctl.machine.keyindex",
        "walctl.machine.lease",
    }
)
"""Modules that import nothing of ours, not even of their own room."""


def room_of(name: str) -> str:
    """`formats`, or `walctl.` and the first name below it."""
    parts = name.split(".")
    return parts[0] if parts[0] == "formats" else ".".join(parts[:2])


def layer_complaints(module: Module) -> Iterator[str]:
    """Imports of ours that the table does not allow."""
    room = room_of(module.name)
    if room == "walctl" and module.is_package:
        room_allows = frozenset[str]()
    elif room not in MAY_IMPORT:
        yield f"{module.place}:1: room {room} is not in the table"
        return
    else:
        room_allows = MAY_IMPORT[room] | {room}
    allowed = frozenset[str]() if module.name in IMPORT_NOTHING else room_allows
    for use in imports(module):
        is_ours = is_in(use.name, "walctl") or is_in(use.name, "formats")
        if is_ours and not any(is_in(use.name, scope) for scope in allowed):
            yield f"{module.place}:{use.line}: {module.name} may not import {use.name}"


def modules_below(room: str) -> list[str]:
    """The modules of a room."""
    return [each.name for each in shipped() if is_in(each.name, room)]


def recipe_complaints(module: Module) -> Iterator[str]:
    """Imports of ours in a fixture's recipe: it would prove us by ourselves."""
    for use in imports(module):
        if is_in(use.name, "walctl") or is_in(use.name, "formats"):
            yield f"{module.place}:{use.line}: a recipe may not import {use.name}"


def test_every_import_goes_downwards() -> None:
    expect_none(each for module in shipped() for each in layer_complaints(module))


def test_what_the_simulator_imports_brings_no_event_loop() -> None:
    """The table says what it may import; what that imports in turn is seen where it is loaded."""
    names = modules_below("walctl.sim")
    code = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
print(*sorted({{"asyncio", "aiohttp", "walctl.cluster.runtime"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert len(names) > 5
    assert done.stdout.split() == []


def test_recipes_import_nothing_of_ours() -> None:
    expect_none(each for module in recipes() for each in recipe_complaints(module))


def test_the_table_has_every_room_of_the_lines_and_no_other() -> None:
    assert {room for line in LINES for room in line} == set(MAY_IMPORT)


def test_the_table_itself_only_goes_downwards() -> None:
    height = {room: -position for position, line in enumerate(LINES) for room in line}
    upward = [
        (room, other)
        for room, others in MAY_IMPORT.items()
        for other in others
        if height[room_of(other)] >= height[room]
    ]
    assert upward == []


def test_the_shipped_modules_are_seen() -> None:
    assert {"walctl.errors", "walctl.fs.real", "formats.limits"} <= {m.name for m in shipped()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("formats.frame", "import walctl.errors"),
        ("formats.frame", "from walctl.errors import WalctlError"),
        ("formats.limits", "from formats.errors import FormatError"),
        ("walctl.errors", "from formats.limits import WINDOW_BYTES"),
        ("walctl.fs.real", "from walctl.model.record import Span"),
        ("walctl.fs.real", "import formats.errors"),
        ("walctl.model.record", "from walctl.fs.base import File"),
        ("walctl.model.record", "from formats.walpb import Record"),
        ("walctl.wal.scan", "from walctl.snap.reader import read"),
        ("walctl.wal.scan", "from walctl import snap"),
        ("walctl.wal.scan", "from walctl import version"),
        ("walctl.wal.scan", "def f():\n    from walctl.inspect.verify import verify"),
        ("walctl.wal.scan", "if TYPE_CHECKING:\n    import walctl.datadir.survey as survey"),
        (
            "walctl.wal.scan",
            "try:\n    from walctl.raft.core import step\nexcept OSError:\n    ...",
        ),
        ("walctl.raft.core", "from formats.walpb import Record"),
        ("walctl.raft.core", "from formats import walpb"),
        ("walctl.raft.quorum", "from walctl.raft.progress import Progress"),
        ("walctl.datadir.survey", "from walctl.raft.storage import MemoryStorage"),
        ("walctl.machine.etcd", "from walctl.datadir.survey import Survey"),
        ("walctl.checker.history", "from walctl.replay.load import load"),
        ("walctl.inspect.verify", "from walctl.repair.plan import plan"),
        ("walctl.inspect.verify", "from walctl.checker.history import History"),
        ("walctl.inspect.verify", "from walctl.render.text import shown"),
        ("walctl.sim.world", "from walctl.cluster.runtime import run"),
        ("walctl.cluster.driver", "from walctl.sim.world import World"),
        ("walctl.render.screen", "from walctl.cli.main import run"),
        ("walctl.nonsense.room", "import re"),
        ("walctl.stray", ""),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_found(name: str, text: str) -> None:
    assert len(list(layer_complaints(parsed(name, text)))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("formats.frame", "from formats.errors import FormatError\nimport construct"),
        ("walctl.errors", "from formats.errors import FormatError"),
        ("walctl.wal.scan", "from walctl.wal.names import parse\nfrom formats import frame"),
        ("walctl.raft.core", "from formats.raftpb import Entry\nfrom formats import raftpb"),
        ("walctl.sim.world", "from walctl.cluster.driver import Driver"),
        ("walctl.sim.world", "from walctl.fs.memory import MemoryFileSystem"),
        ("walctl.render.verify", "from walctl.inspect.verify import Report"),
        ("walctl.cli.main", "from walctl.render import screen\nfrom walctl.version import VERSION"),
        ("walctl.wal.scan", "import formatsomething, walctlish"),
    ],
)
def test_an_import_that_goes_down_is_allowed(name: str, text: str) -> None:
    assert list(layer_complaints(parsed(name, text))) == []


def test_a_recipe_that_uses_our_code_is_found() -> None:
    bad = parsed("fixtures.recipes.torn_tail", "from formats.frame import LENGTH_FIELD")
    assert len(list(recipe_complaints(bad))) == 1

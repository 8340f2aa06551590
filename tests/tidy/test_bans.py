"""What may be used only in certain rooms, and what nowhere: the table, and the checks."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy.source import Module, expect_none, is_in, parsed, shipped, uses

NOWHERE: tuple[str, ...] = ()
_CLI = ("walctl.cli",)
# Sharing blocks (FICLONE) is no call of the seam: a disk that cannot do it copies.
_DISK = ("walctl.fs.real", "walctl.fs.clone")
# Clock, randomness and the operating system are arguments everywhere else.
_WORLDS = ("walctl.cli", "walctl.fs.real", "walctl.cluster.runtime", "walctl.sim.chance")
_CLUSTER = ("walctl.cluster",)
_INSPECT = ("walctl.inspect",)
_FORMATS = ("formats",)
# Where processes are: those that read pieces of a log, and those that play seeds beside each other
# (each run is one thread, and knows nothing of it).
_PROCESSES = (*_INSPECT, "walctl.sim.many")
# Decoders that are programs of somebody else; all that there is of processes outside clusters.
_PROGRAMS = ("walctl.payload.process",)

ONLY_IN: dict[str, tuple[str, ...]] = {
    # Packages, each for one purpose.
    "click": _CLI,
    "rich": ("walctl.render",),
    "construct": _FORMATS,
    # A person's own descriptor file is read by the package that defines such files.
    "google": (*_FORMATS, "walctl.payload.descriptor"),
    "aiohttp": _CLUSTER,
    # Tables for other programs: an extra, so one module alone knows of it.
    "pyarrow": ("walctl.render.tables",),
    # What an application packed itself is opened in one place, which has bounds.
    "zstandard": ("walctl.payload.compressed", "walctl.repair.packing", "walctl.fs.zstd"),
    "zlib": ("walctl.payload.compressed",),
    "gzip": NOWHERE,  # its reader has no bound on what comes out
    # The disk.
    # Process ids, signals and the sockets' folder of a lab are the runtime's.
    "os": (*_CLI, *_DISK, "walctl.cluster.runtime"),
    "shutil": (*_CLI, *_DISK),
    "fcntl": _DISK,
    # A lab that nobody gave a place is in a folder of the system's choice.
    "tempfile": (*_DISK, "walctl.cluster.runtime"),
    "posix": NOWHERE,
    "glob": NOWHERE,
    "mmap": NOWHERE,
    "ctypes": ("walctl.fs.libc",),  # calls of the C library that Python's own `os` lacks
    "fileinput": NOWHERE,
    "linecache": NOWHERE,
    "io.open": NOWHERE,
    "io.open_code": NOWHERE,
    "io.FileIO": NOWHERE,
    "codecs.open": NOWHERE,
    "builtins.open": ("walctl.cli.main",),  # puts the null device where a stream was closed
    "pathlib.Path.cwd": _CLI,
    "pathlib.Path.home": _CLI,
    # Clock and randomness.
    "time": _WORLDS,
    "random": _WORLDS,
    "secrets": _WORLDS,
    "uuid": _WORLDS,
    "datetime.datetime.now": _WORLDS,
    "datetime.datetime.utcnow": _WORLDS,
    "datetime.datetime.today": _WORLDS,
    "datetime.date.today": _WORLDS,
    # What runs beside.
    "asyncio": _CLUSTER,
    "multiprocessing": _PROCESSES,
    "concurrent": _INSPECT,
    "threading": _CLUSTER,
    "socket": _CLUSTER,
    "select": (*_CLUSTER, *_PROGRAMS),
    "selectors": (*_CLUSTER, *_PROGRAMS),
    "subprocess": (*_CLUSTER, *_PROGRAMS),
    "signal": (*_CLI, *_CLUSTER),
    # The process itself.
    "builtins.print": _CLI,
    "builtins.input": NOWHERE,
    "builtins.exit": NOWHERE,
    "builtins.quit": NOWHERE,
    "builtins.breakpoint": NOWHERE,
    "sys.exit": _CLI,
    "sys.argv": _CLI,
    "sys.stdin": _CLI,
    "sys.stdout": _CLI,
    "sys.stderr": _CLI,
    # Bytes from outside never become code, and imports can be seen.
    "pickle": NOWHERE,
    "marshal": NOWHERE,
    "builtins.eval": NOWHERE,
    "builtins.exec": NOWHERE,
    "builtins.__import__": NOWHERE,
    "importlib.import_module": _CLI,
    "importlib.metadata": ("walctl.payload.registry",),  # decoders that other packages bring
}
"""Dotted names (with all that lies below them), and where they may be imported or used."""

EXCEPT_IN: dict[str, tuple[str, ...]] = {
    "asyncio": (
        "walctl.cluster.driver",
        # Coroutines that wait for what they are handed: the simulator drives them by hand.
        "walctl.cluster.group_flow",
        "walctl.cluster.member_control",
        "walctl.cluster.member_flow",
        "walctl.cluster.own_members",
    )
}
"""Modules that a name is kept from, though their room may use it."""

PATH_CALLS = frozenset(
    {
        "absolute",
        "chmod",
        "expanduser",
        "glob",
        "hardlink_to",
        "is_block_device",
        "is_char_device",
        "is_dir",
        "is_fifo",
        "is_file",
        "is_mount",
        "is_socket",
        "is_symlink",
        "iterdir",
        "lchmod",
        "lstat",
        "mkdir",
        "read_bytes",
        "read_text",
        "readlink",
        "resolve",
        "rglob",
        "rmdir",
        "samefile",
        "symlink_to",
        "touch",
        "unlink",
        "write_bytes",
        "write_text",
    }
)
"""Methods of `pathlib.Path` that touch a disk, by names that nothing else of ours has."""

PATH_NAMES = frozenset({"path", "paths", "directory", "folder", "parent"})
"""What a path is likely to be called, where the method's name alone does not tell."""


def ban_complaints(module: Module) -> Iterator[str]:
    """Names used outside the rooms that may use them."""
    for use in dict.fromkeys(uses(module)):
        for banned in _bans_on(use.name):
            rooms = ONLY_IN[banned]
            is_excepted = any(is_in(module.name, each) for each in EXCEPT_IN.get(banned, ()))
            if is_excepted or not any(is_in(module.name, room) for room in rooms):
                where = ", ".join(rooms) or "nothing of ours"
                yield f"{module.place}:{use.line}: {use.name} is for {where}"


def _bans_on(name: str) -> Iterator[str]:
    """The rows of the table that `name` or something it lies within has."""
    while name:
        if name in ONLY_IN:
            yield name
        name = name.rpartition(".")[0]


def path_complaints(module: Module) -> Iterator[str]:
    """Calls of `pathlib.Path` methods that touch a disk past the file system."""
    if module.name in _DISK:
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=method, value=receiver)):
                if _touches_disk(method, receiver, node):
                    yield f"{module.place}:{node.lineno}: .{method}(): ask a FileSystem"
            case _:
                pass


def _touches_disk(method: str, receiver: ast.expr, call: ast.Call) -> bool:
    """Whether `receiver.method(...)` is a call of a `Path`; `FileSystem` and `File` have like ones.

    Theirs are `exists(path)`, `stat(path)`, `open(path)`, `rename(source, target)` and, on an
    open file, `stat()`.
    """
    count = len(call.args) + len(call.keywords)
    match method:
        case "exists":
            return count == 0
        case "stat":
            return count == 0 and _is_like_a_path(receiver)
        case "open":
            has_mode = any(isinstance(each, ast.Constant) for each in call.args)
            return has_mode or (count == 0 and _is_like_a_path(receiver))
        case "rename" | "replace":
            return len(call.args) == 1 and not call.keywords
        case _:
            return method in PATH_CALLS


def _is_like_a_path(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Call(func=ast.Name(id=name)):
            return name.lower().rpartition("_")[2] in PATH_NAMES
        case ast.BinOp(op=ast.Div()):
            return True
        case _:
            return False


def test_nothing_is_used_outside_the_rooms_it_is_for() -> None:
    expect_none(each for module in shipped() for each in ban_complaints(module))


def test_only_the_real_file_system_touches_a_disk() -> None:
    expect_none(each for module in shipped() for each in path_complaints(module))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("walctl.render.screen", "import click"),
        ("walctl.cli.main", "from rich.console import Console"),
        ("walctl.wal.scan", "from construct import Struct"),
        ("walctl.wal.scan", "import google.protobuf.message as message"),
        ("walctl.cluster.driver", "import asyncio"),
        ("walctl.cluster.own_members", "import asyncio"),
        ("walctl.sim.world", "from asyncio import run"),
        ("walctl.fs.memory", "import os"),
        ("walctl.fs.memory", "import os.path"),
        ("walctl.fs.memory", "def f():\n    from os import strerror"),
        ("walctl.fs.real", "import mmap"),
        ("walctl.fs.real", "from ctypes import CDLL"),
        ("walctl.wal.scan", "from io import open"),
        ("walctl.wal.scan", "import io as streams\nstreams.open('x')"),
        ("walctl.wal.scan", "open('x')"),
        ("walctl.wal.scan", "reader = open"),
        ("walctl.wal.scan", "import time"),
        ("walctl.raft.core", "from random import Random"),
        ("walctl.render.screen", "from datetime import datetime\ndatetime.now()"),
        ("walctl.render.screen", "import datetime as dt\nx = dt.datetime.now"),
        ("walctl.render.screen", "import datetime\ndatetime.date.today()"),
        ("walctl.wal.scan", "from concurrent.futures import ProcessPoolExecutor"),
        ("walctl.wal.scan", "import multiprocessing"),
        ("walctl.sim.world", "from multiprocessing import get_context"),
        ("walctl.raft.core", "import threading"),
        ("walctl.wal.scan", "print(1)"),
        ("walctl.wal.scan", "import sys\nsys.exit(1)"),
        ("walctl.wal.scan", "from sys import exit as leave"),
        ("walctl.render.screen", "import sys\nout = sys.stdout.buffer.raw"),
        ("walctl.wal.scan", "import os as system\n"),
        ("walctl.wal.scan", "exec('1')"),
        ("walctl.wal.scan", "import importlib\nimportlib.import_module('os')"),
        ("walctl.cli.main", "import pickle"),
        ("walctl.payload.external", "import subprocess"),
        ("walctl.payload.auto", "import zlib"),
        ("walctl.payload.compressed", "from gzip import decompress"),
        ("walctl.cli.main", "from importlib.metadata import entry_points"),
    ],
)
def test_a_banned_name_is_found(name: str, text: str) -> None:
    assert list(ban_complaints(parsed(name, text))) != []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("walctl.cli.main", "import click, os, sys, time\nos.environ\nsys.exit(1)\nprint(1)"),
        ("walctl.render.screen", "import rich.table\nfrom io import StringIO"),
        ("formats.fast", "from google.protobuf import descriptor_pb2"),
        ("walctl.fs.real", "import os\nos.open('x', 0)"),
        ("walctl.fs.libc", "import ctypes"),
        ("walctl.cluster.runtime", "import asyncio, random, time"),
        ("walctl.inspect.verify", "from concurrent.futures import ProcessPoolExecutor"),
        ("walctl.sim.many", "from multiprocessing.connection import Connection, wait"),
        ("walctl.wal.scan", "def f(disk, path):\n    return disk.open(path).stat()"),
        ("walctl.wal.scan", "from datetime import datetime\ndatetime.fromtimestamp(1)"),
        ("walctl.wal.scan", "import sys\nsys.byteorder\nimport timeit_of_ours, osmosis"),
        ("walctl.wal.scan", "import re\nre.compile('x')\nshown.print()"),
        ("walctl.payload.process", "import select, selectors, subprocess"),
        ("walctl.payload.compressed", "import zlib, zstandard"),
        ("walctl.repair.packing", "import zstandard"),
        ("walctl.payload.registry", "from importlib.metadata import entry_points"),
    ],
)
def test_a_name_in_its_room_is_allowed(name: str, text: str) -> None:
    assert list(ban_complaints(parsed(name, text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "path.read_bytes()",
        "Path('x').write_text('y')",
        "(folder / name).iterdir()",
        "path.exists()",
        "report.path.stat()",
        "wal_folder.stat()",
        "(folder / 'x').stat()",
        "Path('x').open()",
        "path.open('rb')",
        "segment.open(mode) if 0 else x.open('r')",
        "path.rename(other)",
        "path.replace(other)",
        "path.resolve()",
        "[each for each in folder.glob('*')]",
    ],
)
def test_a_path_that_touches_the_disk_is_found(text: str) -> None:
    assert len(list(path_complaints(parsed("walctl.wal.scan", text)))) == 1
    assert list(path_complaints(parsed("walctl.fs.real", text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "disk.open(path)",
        "disk.exists(path)",
        "disk.stat(path)",
        "file.stat()",
        "self._file.stat()",
        "disk.rename(source, target)",
        "text.replace('a', 'b')",
        "moment.replace(tzinfo=UTC)",
        "replace(config, term=1)",
        "path.with_name(name).suffix",
        "path.parent / path.name",
        "pattern.match(line).group()",
    ],
)
def test_a_path_used_as_a_name_is_allowed(text: str) -> None:
    assert list(path_complaints(parsed("walctl.wal.scan", text))) == []

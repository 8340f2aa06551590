"""Screens of a given width, without colour, and fixtures to draw on them; for tests only."""

import atexit
import contextlib
import functools
import io
import shutil
import tempfile
from pathlib import Path

from fixtures.unpack import names, unpack
from walctl.fs.real import RealFileSystem
from walctl.inspect.doctor import Diagnosis, doctor
from walctl.inspect.report import Report
from walctl.render.screen import Screen

DISK = RealFileSystem()
CASES = names()
NARROW = 40


class Paper(Screen):
    """A screen whose text can be read back."""

    def __init__(self, width: int = 80, *, colour: bool = False, output: str = "text") -> None:
        self.paper = io.StringIO()
        super().__init__(self.paper, io.StringIO(), width=width, colour=colour, output=output)

    @property
    def text(self) -> str:
        return self.paper.getvalue()


@functools.cache
def folder() -> Path:
    """Where fixtures are unpacked for this session; nobody writes to them."""
    path = Path(tempfile.mkdtemp(prefix="walctl-render-"))
    atexit.register(shutil.rmtree, path)
    return path


@functools.cache
def laid(case: str) -> Path:
    """The data directory of a fixture, under its own name."""
    return unpack(case, folder() / case)


@functools.cache
def diagnosed(case: str) -> Diagnosis:
    """What doctor, and with it verify, says of a fixture by its bare name."""
    path = laid(case)
    with contextlib.chdir(path.parent):
        return doctor(DISK, Path(path.name))


def reported(case: str) -> Report:
    """What verify says of a fixture by its bare name."""
    return diagnosed(case).report


def too_long(text: str, width: int, *commands: str) -> list[str]:
    """Lines over `width` that could have been broken: of several words, and no command."""
    return [
        line
        for line in text.splitlines()
        if len(line) > width and " " in line.strip() and line.strip() not in commands
    ]

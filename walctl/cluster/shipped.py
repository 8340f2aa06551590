"""Scenarios in files, and those that come with walctl."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from walctl.cluster.scenario import SCENARIO_BYTES_MAX, Scenario, parse
from walctl.errors import AccessError, UsageError
from walctl.fs.base import FileSystem

SHIPPED: Final = Path(__file__).parent / "scenarios"
SUFFIX: Final = ".scn"


def shipped(disk: FileSystem) -> list[str]:
    """The names of the scenarios that come with walctl."""
    names = [Path(name) for name in disk.names(SHIPPED)]
    return sorted(name.stem for name in names if name.suffix == SUFFIX)


def read(disk: FileSystem, word: str, path: Path) -> Scenario:
    """The scenario in the file `path`, or of the name `word` among the shipped ones.

    Raises: UsageError, AccessError.
    """
    if disk.exists(path):
        return _parsed(disk, path, word)
    if word not in shipped(disk):
        raise AccessError(
            f"{word}: no such file, and no scenario of that name; there are"
            f" {', '.join(shipped(disk))}"
        )
    return _parsed(disk, SHIPPED / f"{word}{SUFFIX}", f"{word}{SUFFIX}")


def read_shipped(disk: FileSystem, name: str) -> Scenario:
    """A scenario that comes with walctl, under its plain name. Raises: UsageError, AccessError."""
    if name not in shipped(disk):
        there = ", ".join(shipped(disk))
        raise UsageError(f"no scenario of the name {name!r} comes with walctl; there are {there}")
    found = _parsed(disk, SHIPPED / f"{name}{SUFFIX}", f"{name}{SUFFIX}")
    return replace(found, name=name)


def _parsed(disk: FileSystem, path: Path, name: str) -> Scenario:
    with disk.open(path) as file:
        data = file.read_at(0, SCENARIO_BYTES_MAX + 1)
    if len(data) > SCENARIO_BYTES_MAX:
        raise UsageError(f"{name}: expected at most {SCENARIO_BYTES_MAX:,} bytes, found more")
    try:
        return parse(data.decode("utf-8"), name=name)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{name}:{line}: expected UTF-8, found another byte") from error

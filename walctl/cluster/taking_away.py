"""The end of a lab, or of one member's directory: taken away.

First all of it is looked at, and only then anything is removed: a name that no lab makes, or a
link, stops it before the first one is gone. The lab's file goes last, so that a removal that was
broken off can be repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from walctl.cluster.lab import EVENTS_FILE, HALF_MADE, KEPT_FOLDER, LAB_FILE, RUN_FOLDER, Lab
from walctl.errors import AccessError
from walctl.fs.base import Kind
from walctl.fs.writable import WritableFileSystem


@dataclass(frozen=True, slots=True)
class Removal:
    """What is taken away, in the order in which it is: what lies in a folder before the folder."""

    files: int
    size: int
    names: tuple[tuple[Path, bool], ...]


def removal(disk: WritableFileSystem, lab: Lab) -> Removal:
    """All that goes with a lab, looked at and not touched.

    Raises: AccessError, with the first name that a lab does not make.
    """
    known = set(_top_names(lab))
    names: list[tuple[Path, bool]] = []
    size = 0
    for name in disk.names(lab.path):
        path = lab.path / name
        if name not in known:
            raise AccessError(
                f"{path}: expected only what the lab made, found this: nothing was removed;"
                " move it elsewhere and try again"
            )
        for each, is_folder, held in _walk(disk, path, is_running=name == RUN_FOLDER):
            names.append((each, is_folder))
            size += held
    names.sort(key=lambda each: each[0] == lab.path / LAB_FILE)
    files = sum(not is_folder for _, is_folder in names)
    return Removal(files, size, (*names, (lab.path, True)))


def removal_of(disk: WritableFileSystem, folder: Path) -> Removal:
    """One member's directory, looked at and not touched. Raises: AccessError."""
    found = list(_walk(disk, folder, is_running=False))
    names = tuple((path, is_folder) for path, is_folder, _ in found)
    files = sum(not is_folder for _, is_folder in names)
    return Removal(files, sum(size for _, _, size in found), names)


def remove(disk: WritableFileSystem, plan: Removal) -> None:
    """Take it away. Raises: AccessError; what is left then is still a lab."""
    for path, is_folder in plan.names:
        if is_folder:
            disk.remove_dir(path)
        else:
            disk.remove(path)


def _top_names(lab: Lab) -> Iterator[str]:
    yield from (LAB_FILE, *HALF_MADE, EVENTS_FILE, RUN_FOLDER, KEPT_FOLDER)
    for node in lab.nodes:
        yield node.name
        yield lab.log_path(node.name).name
        yield f"{lab.log_path(node.name).name}.1"


def _walk(
    disk: WritableFileSystem, path: Path, *, is_running: bool
) -> Iterator[tuple[Path, bool, int]]:
    """Everything at and below a name, what lies in a folder first: path, whether a folder, bytes.

    Raises: AccessError, for a link or a device: a lab makes none (sockets lie in `run`).
    """
    found = disk.attributes(path)
    if found.is_directory:
        for name in disk.names(path):
            yield from _walk(disk, path / name, is_running=is_running)
        yield path, True, 0
        return
    kind = Kind.OTHER if found.is_link else disk.stat(path).kind
    if found.is_link or (kind is not Kind.FILE and not is_running):
        what = "a link" if found.is_link else "no plain file"
        raise AccessError(
            f"{path}: is {what}, and a lab makes none: nothing was removed; take it away yourself"
        )
    yield path, False, disk.stat(path).size

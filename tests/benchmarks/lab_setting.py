"""Labs for benchmarks: of three nodes with the settings that everybody gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fixtures.recipes import etcd
from walctl.cluster import runtime
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.making import NewLab, make
from walctl.cluster.up_down import down, up_detached
from walctl.fs.real import RealFileSystem

DISK: Final = RealFileSystem()


def engines() -> tuple[Engine, ...]:
    """Those that can be run here; ours comes last."""
    return (Engine.ETCD, Engine.WALCTL) if etcd.folder() is not None else (Engine.WALCTL,)


def new_lab(path: Path, engine: Engine, *, groups: tuple[str, ...] = ("g1",)) -> Lab:
    """One that is not up yet."""
    program = str(etcd.binary("etcd")) if engine is Engine.ETCD else None
    wish = NewLab(path=path, nodes=3, groups=groups, engine=engine, program=program)
    return make(
        DISK,
        wish,
        token=runtime.token(),
        draw=runtime.draw(),
        port_fault=runtime.port_fault,
    )


@contextmanager
def up(lab: Lab) -> Iterator[Lab]:
    """The lab is up while the block runs."""
    try:
        up_detached(DISK, lab, only=())
        yield lab
    finally:
        down(DISK, lab, is_hard=True)

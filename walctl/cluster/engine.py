"""What differs between the engines, as seen by whoever starts their nodes.

    command     what starts a node
    told        what a line that it printed means
    standing    how it stands: asked of the node itself

All else (processes, faults, events, commands) is the same for every engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

from walctl.cluster.lab import Engine, Lab, Node
from walctl.cluster.standing import Standing
from walctl.errors import AccessError
from walctl.fs.base import FileSystem

SEGMENT_SUFFIX: Final = ".wal"


@dataclass(frozen=True, slots=True)
class LineMeaning:
    """What a printed line means: `event` without its time and node, `None` for none.

    `is_kept`: whether the line belongs to the node's log. `member_id` is what the node is called
    by Raft, where the line says so.
    """

    event: Mapping[str, Any] | None = None
    is_kept: bool = True
    member_id: int | None = None


class EngineKind(Protocol):
    """One engine."""

    def command(self, lab: Lab, node: Node) -> list[str]:
        """What starts this node. Raises: AccessError."""

    def told(self, lab: Lab, line: bytes) -> LineMeaning:
        """What a line means; never raises."""

    async def standing(
        self, session: aiohttp.ClientSession, disk: FileSystem, lab: Lab, node: Node
    ) -> tuple[Standing, ...]:
        """How the node's members stand. Raises: ClusterError, when it gives no answer."""


def log_size(disk: FileSystem, data: Path) -> tuple[int | None, int | None]:
    """How many segments the log of a data directory has, and their bytes; `None` where there is no
    such folder."""
    folder = data / "member" / "wal"
    try:
        sizes = [disk.stat(folder / name).size for name in disk.names(folder) if is_segment(name)]
    except AccessError:
        return None, None
    return len(sizes), sum(sizes)


def is_segment(name: str) -> bool:
    """Whether a file of a log is a segment, by its name."""
    return name.endswith(SEGMENT_SUFFIX)


def engine_kind(lab: Lab) -> EngineKind:
    """The engine of a lab."""
    if lab.engine is Engine.ETCD:
        from walctl.cluster.etcd import EtcdKind

        return EtcdKind()
    from walctl.cluster.own_engine import WalctlKind

    return WalctlKind()

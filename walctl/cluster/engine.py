"""What differs between the engines, as seen by whoever starts their nodes.

    command     what starts a node
    told        what a line that it printed means
    standing    how it stands: asked of the node itself

All else (processes, faults, events, commands) is the same for every engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from walctl.cluster.lab import Engine, Lab, Node
from walctl.cluster.standing import Standing
from walctl.fs.base import FileSystem


@dataclass(frozen=True, slots=True)
class Told:
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

    def told(self, lab: Lab, line: bytes) -> Told:
        """What a line means; never raises."""

    async def standing(
        self, session: aiohttp.ClientSession, disk: FileSystem, lab: Lab, node: Node
    ) -> tuple[Standing, ...]:
        """How the node's members stand. Raises: ClusterError, when it gives no answer."""


def engine_kind(lab: Lab) -> EngineKind:
    """The engine of a lab."""
    if lab.engine is Engine.ETCD:
        from walctl.cluster.etcd import EtcdKind

        return EtcdKind()
    from walctl.cluster.own_engine import WalctlKind

    return WalctlKind()

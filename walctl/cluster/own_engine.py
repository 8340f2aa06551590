"""Engine walctl: how our own node is started, and what it says of itself.

A node prints what happens in it as JSON lines that begin with `{"k":`; all else is for its log.
"""

import json
from typing import Any, Final

import aiohttp

from walctl.cluster import runtime
from walctl.cluster.engine import LineMeaning, log_size
from walctl.cluster.lab import HOST, Lab, Node
from walctl.cluster.standing import Standing
from walctl.errors import ClusterError
from walctl.fs.base import FileSystem

ANSWER_SECONDS: Final = 2.0
_EVENT: Final = b'{"k":'
_ROLES: Final = {"precandidate": "pre-candidate"}


class WalctlKind:
    """See `EngineKind`."""

    def command(self, lab: Lab, node: Node) -> list[str]:
        """See `EngineKind.command`."""
        return runtime.own_command("cluster", "node", str(lab.path), node.name)

    def told(self, lab: Lab, line: bytes) -> LineMeaning:
        """See `EngineKind.told`."""
        if not line.startswith(_EVENT):
            return LineMeaning()
        try:
            event = json.loads(line)
        except ValueError:
            return LineMeaning()
        return LineMeaning(event, is_kept=False)

    async def standing(
        self, session: aiohttp.ClientSession, disk: FileSystem, lab: Lab, node: Node
    ) -> tuple[Standing, ...]:
        """See `EngineKind.standing`."""
        url = f"http://{HOST}:{node.client_port}/status"
        try:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            async with session.get(url, timeout=timeout) as asked:
                found = await asked.json(content_type=None)
            return tuple(_standing(disk, lab, node, each) for each in found["groups"])
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            words = f"nothing within {ANSWER_SECONDS:g} s" if not str(error) else str(error)
            raise ClusterError(f"{node.name}: no answer at {url}: {words}") from error


def _standing(disk: FileSystem, lab: Lab, node: Node, found: dict[str, Any]) -> Standing:
    if found["state"] != "running":
        return Standing(group=found["group"], role=found["state"])
    segments, wal_bytes = log_size(disk, lab.data_path(node.name, found["group"]))
    role = "learner" if found["is_learner"] else found["role"]
    return Standing(
        group=found["group"],
        role=_ROLES.get(role, role),
        term=found["term"],
        leader=found["leader"] or None,
        commit=found["commit"],
        applied=found["applied"],
        first=found["first"],
        last=found["last"],
        segments=segments,
        wal_bytes=wal_bytes,
        sync_us=found["sync_us"],
    )

"""Engine etcd: how a real etcd is started as a node of a lab, and what it says of itself.

It listens for its peers at `peer_port`, and tells them `proxy_port`, where the lab's proxy stands;
so what one member sends another always goes through the proxy. The nodes that a lab began with
form a cluster; one that came later joins it, and takes what it has to know from the others.
"""

import hashlib
import re
from typing import Any, Final

import aiohttp

from walctl.cluster import etcd_log
from walctl.cluster.engine import LineMeaning, log_size
from walctl.cluster.lab import ETCD_GROUP, HOST, Lab, Node
from walctl.cluster.standing import Standing
from walctl.errors import AccessError, ClusterError
from walctl.fs.base import FileSystem

ANSWER_SECONDS: Final = 2.0
_METRIC: Final = re.compile(r"^etcd_disk_wal_fsync_duration_seconds_(sum|count) (\S+)$", re.M)


class EtcdKind:
    """See `EngineKind`."""

    def command(self, lab: Lab, node: Node) -> list[str]:
        """See `EngineKind.command`."""
        if lab.program is None:
            raise AccessError(f"{lab.path}: expected the path of an etcd in lab.json, found none")
        timing = lab.settings.timing
        client = client_url(node)
        return [
            lab.program,
            f"--name={node.name}",
            f"--data-dir={lab.data_path(node.name, ETCD_GROUP)}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://{HOST}:{node.peer_port}",
            f"--initial-advertise-peer-urls={peer_url(node)}",
            f"--initial-cluster={_initial_cluster(lab, node)}",
            f"--initial-cluster-state={'new' if _is_first(lab, node) else 'existing'}",
            f"--initial-cluster-token={_cluster_token(lab)}",
            f"--heartbeat-interval={timing.tick_ms * timing.heartbeat_ticks}",
            f"--election-timeout={timing.tick_ms * timing.election_ticks}",
            f"--snapshot-count={lab.settings.snapshot_count}",
            f"--pre-vote={'true' if lab.settings.pre_vote else 'false'}",
            "--logger=zap",
            "--log-outputs=stderr",
            "--log-level=info",
        ]

    def told(self, lab: Lab, line: bytes) -> LineMeaning:
        """See `EngineKind.told`."""
        return etcd_log.told(line, lambda hexadecimal: node_named(lab, hexadecimal))

    async def standing(
        self, session: aiohttp.ClientSession, disk: FileSystem, lab: Lab, node: Node
    ) -> tuple[Standing, ...]:
        """See `EngineKind.standing`."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        url = client_url(node)
        try:
            async with session.post(
                f"{url}/v3/maintenance/status", json={}, timeout=timeout
            ) as asked:
                found = await asked.json(content_type=None)
            async with session.get(f"{url}/metrics", timeout=timeout) as asked:
                metrics = await asked.text()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ClusterError(f"{node.name}: no answer at {url}: {_reason(error)}") from error
        if not isinstance(found, dict) or "header" not in found:
            raise ClusterError(f"{node.name}: {url} answers, and not as etcd does")
        segments, wal_bytes = log_size(disk, lab.data_path(node.name, ETCD_GROUP))
        commit, applied = (_number(found, each) for each in ("raftIndex", "raftAppliedIndex"))
        return (
            Standing(
                group=ETCD_GROUP,
                role=_role(found),
                term=_number(found, "raftTerm"),
                leader=_leader(lab, found),
                commit=commit,
                applied=applied,
                segments=segments,
                wal_bytes=wal_bytes,
                sync_us=_sync_us(metrics),
            ),
        )


def client_url(node: Node) -> str:
    """Where a node takes clients' requests."""
    return f"http://{HOST}:{node.client_port}"


def peer_url(node: Node) -> str:
    """What the others know a node by: the proxy before it, or what a copied member was told."""
    return node.peer_url or f"http://{HOST}:{node.proxy_port}"


def node_named(lab: Lab, hexadecimal: str) -> str:
    """The name of the node with this id; the id where no node of the lab has it."""
    for node in lab.nodes:
        if node.id is not None and f"{node.id:x}" == hexadecimal:
            return node.name
    return hexadecimal


def _is_first(lab: Lab, node: Node) -> bool:
    return node.name in lab.group(ETCD_GROUP).first


def _initial_cluster(lab: Lab, node: Node) -> str:
    """The members that a node is told of: those that began, or those that are there now."""
    group = lab.group(ETCD_GROUP)
    names = group.first if _is_first(lab, node) else group.hosts
    return ",".join(
        f"{each.name}={peer_url(each)}"
        for each in lab.nodes
        if each.name in names and (_is_first(lab, node) or not each.is_removed)
    )


def _cluster_token(lab: Lab) -> str:
    """What tells this cluster from others; of the lab's secret, and not the secret: it is shown."""
    return f"walctl-{hashlib.sha256(lab.token.encode()).hexdigest()[:16]}"


def _number(found: dict[str, Any], name: str) -> int:
    """A number of protobuf's JSON, where 0 is left out."""
    try:
        return int(found.get(name, 0))
    except (TypeError, ValueError):
        return 0


def _role(found: dict[str, Any]) -> str:
    if found.get("isLearner"):
        return "learner"
    is_leader = _number(found, "leader") == _number(found["header"], "member_id")
    return "leader" if is_leader else "follower"


def _leader(lab: Lab, found: dict[str, Any]) -> str | None:
    leader = _number(found, "leader")
    return node_named(lab, f"{leader:x}") if leader else None


def _sync_us(metrics: str) -> int | None:
    """What one sync of the log takes on average, by the member's own count."""
    found = {name: float(value) for name, value in _METRIC.findall(metrics)}
    count = found.get("count", 0.0)
    return round(found.get("sum", 0.0) / count * 1_000_000) if count else None


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {ANSWER_SECONDS:g} s"
    return "connection refused" if isinstance(error, aiohttp.ClientConnectorError) else str(error)

"""What a node says of itself: as JSON for programs, and as Prometheus's text."""

from collections.abc import Iterator
from typing import Any

from walctl.cluster.member_control import driver_status, host_status, member_status
from walctl.cluster.node import Instance
from walctl.errors import UsageError

METRICS = {
    "term": "Raft's term.",
    "commit": "Index of the last entry that is committed.",
    "applied": "Index of the last entry that was applied.",
    "first": "Index of the first entry that the log holds.",
    "last": "Index of the last entry that the log holds.",
    "snapshot": "Index of the newest snapshot, 0 without one.",
    "segments": "Segments of the log that are held.",
    "sync_us": "Microseconds that a write that has to be durable takes of late.",
}
"""Numbers of a member that are metrics as well, with their help."""


def node_status(node: Instance) -> dict[str, Any]:
    """All that a node knows of itself and its members."""
    clock = {"rate_percent": node.clock.rate_percent, "jump_us": node.clock.jump_us}
    return {**host_status(node), "clock": clock}


def group_status(node: Instance, group: str) -> dict[str, Any]:
    """The member of one group. Raises: UsageError."""
    member = node.members.get(group)
    if member is None:
        raise UsageError(f"no group {group!r} on {node.own.name}")
    return member_status(member, node.node_name)


def metrics(node: Instance) -> str:
    """The same for Prometheus (text format 0.0.4)."""
    return "".join(f"{line}\n" for line in _metric_lines(node))


def _metric_lines(node: Instance) -> Iterator[str]:
    members = {
        name: driver_status(member.driver, node.node_name)
        for name, member in node.members.items()
        if member.driver is not None
    }
    for key, words in METRICS.items():
        yield f"# HELP walctl_raft_{key} {words}"
        yield f"# TYPE walctl_raft_{key} gauge"
        for name, status in members.items():
            yield f'walctl_raft_{key}{{group="{name}"}} {status[key]}'
    yield "# HELP walctl_raft_is_leader Whether this member leads its group."
    yield "# TYPE walctl_raft_is_leader gauge"
    for name, status in members.items():
        yield f'walctl_raft_is_leader{{group="{name}"}} {int(status["role"] == "leader")}'

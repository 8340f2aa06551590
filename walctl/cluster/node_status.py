"""What a node says of itself: as JSON for programs, and as Prometheus's text."""

from collections.abc import Iterator
from typing import Any

from walctl.cluster.driver import Driver
from walctl.cluster.node import Instance, Member
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
    return {
        "v": 1,
        "node": node.own.name,
        "id": f"{node.id:x}",
        "clock": {"rate_percent": node.clock.rate_percent, "jump_us": node.clock.jump_us},
        "groups": [group_status(node, name) for name in node.members],
    }


def group_status(node: Instance, group: str) -> dict[str, Any]:
    """The member of one group. Raises: UsageError."""
    member = node.members.get(group)
    if member is None:
        raise UsageError(f"no group {group!r} on {node.own.name}")
    head = {"group": group, "state": _state(member), "words": member.words}
    return head if member.driver is None else {**head, **_driver_status(node, member.driver)}


def metrics(node: Instance) -> str:
    """The same for Prometheus (text format 0.0.4)."""
    return "".join(f"{line}\n" for line in _metric_lines(node))


def _state(member: Member) -> str:
    if member.driver is not None:
        return "running"
    return "removed" if member.is_removed else "failed"


def _driver_status(node: Instance, driver: Driver) -> dict[str, Any]:
    raft = driver.node.raft
    conf = driver.conf_state
    return {
        "role": raft.role.value.removeprefix("State").lower(),
        "term": raft.term,
        "lead": f"{raft.lead:x}",
        "leader": node.node_name(raft.lead),
        "vote": f"{raft.vote:x}",
        "commit": raft.log.committed,
        "applied": driver.applied,
        "first": driver.storage.first_index(),
        "last": driver.storage.last_index(),
        "snapshot": driver.snapshot_index,
        "segments": driver.storage.segment_count,
        "sync_us": driver.sync_us,
        "is_learner": raft.is_learner,
        "voters": [f"{each:x}" for each in conf.voters],
        "learners": [f"{each:x}" for each in conf.learners],
        "outgoing": [f"{each:x}" for each in conf.voters_outgoing],
        "progress": {
            f"{peer:x}": {"match": each.match, "next": each.next, "state": each.state}
            for peer, each in driver.node.status().progress.items()
        },
    }


def _metric_lines(node: Instance) -> Iterator[str]:
    members = {
        name: _driver_status(node, member.driver)
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

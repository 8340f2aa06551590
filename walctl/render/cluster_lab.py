"""What is done with a lab, in words: made, brought down, removed, and its nodes one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from walctl.cluster.hands import Outcome
from walctl.cluster.lab import Lab
from walctl.cluster.taking_away import Removal
from walctl.render.screen import Screen
from walctl.render.text import byte_count, counted, printable


def made_text(screen: Screen, lab: Lab) -> None:
    """A lab that is new."""
    names = ", ".join(group.name for group in lab.groups)
    groups = "group" if len(lab.groups) == 1 else "groups"
    screen.line(
        f"{lab.path}: {counted(len(lab.nodes), 'node')}, engine {lab.engine}, {groups} {names}"
    )
    for node in lab.nodes:
        screen.line(f"  {node.name}  clients at 127.0.0.1:{node.client_port}")
    screen.line(f"walctl cluster up {lab.path} starts it")


def made_document(lab: Lab) -> object:
    """The same for JSON; the token stays in its file."""
    return {
        "v": 1,
        "lab": str(lab.path),
        "engine": lab.engine,
        "nodes": [
            {"name": node.name, "client_port": node.client_port, "peer_port": node.peer_port}
            for node in lab.nodes
        ],
        "groups": [group.name for group in lab.groups],
    }


@dataclass(frozen=True, slots=True)
class Down:
    """What was ended."""

    lab: Lab
    names: Sequence[str]


def down_text(screen: Screen, down: Down) -> None:
    """A lab that is down."""
    if not down.names:
        screen.line(f"{down.lab.path}: was not up")
        return
    nodes = [name for name in down.names if name != "supervisor"]
    screen.line(f"{down.lab.path}: is down; ended: {', '.join(nodes) or 'the supervisor'}")


def down_document(down: Down) -> object:
    """The same for JSON."""
    return {"v": 1, "lab": str(down.lab.path), "ended": list(down.names)}


@dataclass(frozen=True, slots=True)
class Gone:
    """A lab that was removed."""

    lab: Lab
    removal: Removal


def gone_text(screen: Screen, gone: Gone) -> None:
    """A lab that is gone."""
    files, size = counted(gone.removal.files, "file"), byte_count(gone.removal.size)
    screen.line(f"{gone.lab.path}: removed: {files}, {size}")


def gone_document(gone: Gone) -> object:
    """The same for JSON."""
    removal = gone.removal
    return {"v": 1, "lab": str(gone.lab.path), "files": removal.files, "bytes": removal.size}


def outcome_text(screen: Screen, outcome: Outcome) -> None:
    """What came of a deed."""
    screen.line(printable(outcome.words))


def outcome_document(outcome: Outcome) -> object:
    """The same for JSON."""
    return {"v": 1, "done": outcome.words, "node": outcome.node, **outcome.fields}


def node_text(screen: Screen, node: Mapping[str, Any]) -> None:
    """One node after something was done with it."""
    pid = f", process {node['pid']}" if node.get("pid") else ""
    words = f" ({node['words']})" if node.get("words") else ""
    screen.line(f"{node['name']}: {node['state']}{pid}{words}")


def node_document(node: Mapping[str, Any]) -> object:
    """The same for JSON."""
    return {"v": 1, **node}


@dataclass(frozen=True, slots=True)
class Rested:
    """What was done to a node's directory."""

    node: str
    what: str
    args: Mapping[str, Any]


def rested_text(screen: Screen, rested: Rested) -> None:
    """The same in a line."""
    told = [f"{name} {value}" for name, value in rested.args.items() if value is not None]
    screen.line(f"{rested.node}: {rested.what}: {', '.join(told) or 'done'}")


def rested_document(rested: Rested) -> object:
    """The same for JSON."""
    return {"v": 1, "node": rested.node, "what": rested.what, "args": dict(rested.args)}

"""What a node did for its operator, and groups and changes of them, on a screen."""

from collections.abc import Sequence
from dataclasses import asdict

from walctl.cluster.group_commands import GroupRow
from walctl.cluster.group_flow import GroupChanged
from walctl.cluster.operating import Operated
from walctl.render.screen import Screen


def operated_text(screen: Screen, rows: Sequence[Operated]) -> None:
    """A line for each group."""
    for row in rows:
        screen.line(f"{row.node}: {row.group}: {_words(row)}")


def operated_document(rows: Sequence[Operated]) -> object:
    """The same for JSON."""
    return {"v": 1, "done": [asdict(row) for row in rows]}


def groups_text(screen: Screen, rows: Sequence[GroupRow]) -> None:
    """A line for each group."""
    width = max([len(row.name) for row in rows], default=0)
    for row in rows:
        led = "has no leader"
        if row.leader is not None:
            led = f"led by {row.leader} in term {row.term}, commit {row.commit}"
        screen.line(f"{row.name:<{width}}  on {', '.join(row.hosts) or 'no node'}; {led}")


def groups_document(rows: Sequence[GroupRow]) -> object:
    """The same for JSON."""
    return {"v": 1, "groups": [asdict(row) for row in rows]}


def changed_text(screen: Screen, changed: GroupChanged) -> None:
    """What became of a group and its directories."""
    on = f"; it is on {', '.join(changed.hosts)}" if changed.hosts else ""
    screen.line(f"{changed.name} {changed.done}{on}")
    for path in changed.removed:
        screen.line(f"{path}: removed")
    for path in changed.kept:
        screen.line(f"{path}: {changed.words or 'stays'}")


def changed_document(changed: GroupChanged) -> object:
    """The same for JSON."""
    return {"v": 1, **asdict(changed)}


def _words(row: Operated) -> str:
    if row.revision is not None:
        return f"has no revisions before {row.revision}"
    if row.index is not None:
        return f"has a snapshot of index {row.index}"
    if row.first is not None and row.last is not None and row.first > row.last:
        return f"holds no entry: the next is {row.first}"
    if row.first is not None:
        return f"holds entries {row.first} to {row.last}"
    return row.done

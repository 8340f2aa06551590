"""The members of a group, and changes of them, on a screen."""

from collections.abc import Sequence
from dataclasses import asdict

from walctl.cluster.member_flow import Changed
from walctl.cluster.membership import MemberRow
from walctl.cluster.quorum_left import QuorumLeft
from walctl.render.screen import Screen
from walctl.render.text import counted, hex_id, printable


def rows_text(screen: Screen, rows: Sequence[MemberRow]) -> None:
    """A line for each member."""
    width = max([len(row.node) for row in rows], default=0)
    groups = {row.group for row in rows}
    wide = max([len(row.group) for row in rows], default=0)
    for row in rows:
        role = "learner" if row.is_learner else "leaving" if row.is_leaving else "voter"
        head = f"{row.group:<{wide}}  " if len(groups) > 1 else ""
        started = "" if row.is_started else "  never started"
        node = printable(row.node)
        line = f"{head}{node:<{width}}  {hex_id(row.id):>16}  {role:<7}  {row.peer_url}{started}"
        screen.line(line.rstrip())


def rows_document(rows: Sequence[MemberRow]) -> object:
    """The same for JSON."""
    return {"v": 1, "members": [_row(row) for row in rows]}


def changed_text(screen: Screen, changed: Changed) -> None:
    """What became of a change, and the members then."""
    screen.line(f"{changed.node} {changed.done}")
    rows_text(screen, changed.members)


def changed_document(changed: Changed) -> object:
    """The same for JSON."""
    members = [_row(row) for row in changed.members]
    return {"v": 1, "node": changed.node, "done": changed.done, "members": members}


def quorum_words(node: str, left: QuorumLeft) -> str:
    """What a removal means for the majority."""
    up = ", ".join(left.up) or "none"
    head = f"without {node} there are {counted(len(left.voters), 'voter')}; up: {up}"
    if left.spare < 0:
        return f"{head}: nothing can be committed until {left.needed} are up"
    if left.spare == 0:
        return f"{head}: nothing can be committed as soon as one more is down"
    return f"{head}: {left.spare} more may fail"


def _row(row: MemberRow) -> object:
    return {**asdict(row), "id": f"{row.id:x}"}

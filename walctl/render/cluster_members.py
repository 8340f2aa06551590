"""The members of a group, and changes of them, on a screen."""

from collections.abc import Sequence
from dataclasses import asdict

from walctl.cluster.member_flow import Changed, QuorumLeft
from walctl.cluster.membership import MemberRow
from walctl.render.screen import Screen
from walctl.render.text import hex_id, printable


def rows_text(screen: Screen, rows: Sequence[MemberRow]) -> None:
    """A line for each member."""
    width = max([len(row.node) for row in rows], default=0)
    for row in rows:
        role = "learner" if row.is_learner else "voter"
        started = "" if row.is_started else "  never started"
        node = printable(row.node)
        line = f"{node:<{width}}  {hex_id(row.id):>16}  {role:<7}  {row.peer_url}{started}"
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
    head = f"without {node} there are {left.voters} voters, {left.up} of them up"
    if left.spare < 0:
        return f"{head}: nothing can be committed until {left.needed} are up"
    if left.spare == 0:
        return f"{head}: nothing can be committed as soon as one more is down"
    return head


def _row(row: MemberRow) -> object:
    return {**asdict(row), "id": f"{row.id:x}"}

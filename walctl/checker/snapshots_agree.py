"""Snapshots (I13): of an index there is one state, and the log leads to it.

Source: Raft paper, section 7.
"""

from walctl.checker.member import Member
from walctl.checker.scene import Scene


def judge(scene: Scene, member: Member, index: int, term: int, digest: str, *, verb: str) -> None:
    """A member has made, or restored (`verb`), a snapshot whose state has this digest."""
    name = member.name
    agreed = scene.agreed.get(index)
    if agreed is not None and agreed.term != term:
        scene.broken(
            "I13",
            f"{name} {verb} a snapshot of {index} of term {term}, whose entry is of {agreed.term}",
            name,
            term=term,
            index=index,
            witnesses=scene.first_applied(index),
        )
    replayed = scene.replayed.digest(index, scene.agreed) if scene.replayed is not None else None
    if replayed is not None and replayed != digest:
        scene.broken(
            "I13",
            f"{name} {verb} a snapshot of {index} with digest {digest[:12]},"
            f" and the log leads to {replayed[:12]}",
            name,
            term=term,
            index=index,
        )
    known = scene.snapshots.setdefault(index, (term, digest, name))
    if known[:2] != (term, digest):
        scene.broken(
            "I13",
            f"{name} and {known[2]} have different snapshots of {index}",
            name,
            *(() if known[2] == name else (known[2],)),
            term=term,
            index=index,
            witnesses=(f"{known[2]} has digest {known[1][:12]}, {name} {digest[:12]}",),
        )

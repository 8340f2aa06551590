"""A commit that is one beyond the log, and nothing else wrong: the case with its own rule (P11).

    hard state … commit N        the last readable entry is N-1

A power cut, or a cut of the tail by the server itself, took the last entry and left a hard state
that counts it. Raft panics on it ("state.commit N is out of range"). If no witness at all knows of
anything beyond N-1 (no frame behind, no marker, no snapshot file, no database, no other member),
then one entry may be lost and no more, and a hard state that says N-1 lets the log go on.

Entry N may have been acknowledged, so consent is needed, and only a sole voter's log is mended so:
of several, another one may have it. What comes back is a new cluster, as with every accepted loss.
"""

from dataclasses import replace

from walctl.model.finding import Code
from walctl.repair.case import Case
from walctl.repair.certificate import testimonies
from walctl.repair.newlog import build_metadata
from walctl.repair.plan import Drop, Says, Step, Synthetic
from walctl.repair.rewrite import LogEdit, SegmentEdit, rewritten

STRATEGY = "clamp-commit"


def clamped(case: Case) -> tuple[Step, ...] | str:
    """The steps that take the commit back by one in a new cluster, or why that is not it."""
    placed = case.seen.last_state
    if {finding.code for finding in case.damage} != {Code.COMMIT_BEYOND_LOG} or placed is None:
        return "the commit is not all that is wrong"
    own = case.membership.own_id
    if not case.is_sole_voter or own is None or not case.is_etcd:
        return "other members may have what is missing"
    last = case.last
    if placed.state.commit != last + 1 or case.seen.named:
        return f"the commit is {placed.state.commit}, the log ends at {last}"
    beyond = [
        each
        for each in testimonies(case)
        if each.index > last and each.says is not Says.WRITTEN and each.source != "hard-state"
    ]
    if beyond:
        return f"{beyond[0].source} knows of entry {beyond[0].index}"
    final = case.seen.segments[-1].name.text
    state = replace(placed.state, commit=last)
    edits = {placed.segment: SegmentEdit(without=frozenset({placed.offset}))}
    edits[final] = replace(edits.get(final, SegmentEdit()), append=lambda chain: chain.state(state))
    edit = LogEdit(
        segments=edits,
        metadata=build_metadata(node_id=own, cluster_id=case.new_cluster_id()),
    )
    words = f"the commit is {last} again, in a new cluster of this member alone"
    with case.sources() as sources:
        steps = rewritten(case, sources, edit, reason=STRATEGY, words=words)
    made = (
        Synthetic(kind="state", index=last, term=state.term, words=f"commit {last}"),
        Synthetic(kind="metadata", words=f"cluster {case.new_cluster_id():x}"),
    )
    drops = (
        Drop(kind="entry", count=1, first=last + 1, last=last + 1, is_readable=False),
        Drop(kind="state", count=1, term=state.term),
    )
    steps[-1] = replace(steps[-1], synthetic=made, drops=drops)
    return tuple(steps)

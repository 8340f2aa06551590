"""Steps of a healed log: what each segment becomes, what that drops, and what nobody wrote before.

Makes words and values of what `graft` has put together; decides nothing.
"""

from walctl.datadir.survey import Survey
from walctl.inspect.log_checks import entry_range
from walctl.repair.graft import Written
from walctl.repair.plan import WAL, Act, Bound, Drop, Step, Synthetic
from walctl.repair.stamps import Sources, stamp_pieces


def step_of(written: Written, survey: Survey, bound: Bound, sources: Sources) -> Step:
    """The step that writes one segment. Raises: AccessError."""
    name = f"{WAL}/{written.name}"
    pieces = tuple(written.pieces)
    drops = [
        Drop(kind="bytes", count=damage.stop - damage.start, is_readable=False)
        for damage in written.damages
        if damage.recovered is None
    ]
    return Step(
        act=Act.WRITE,
        file=name,
        reason="heal",
        words=_words(written),
        pieces=pieces,
        size=written.size,
        before=bound.files.get(name),
        after=stamp_pieces(pieces, written.size, sources),
        drops=(*drops, *_replaced(written, survey)),
        synthetic=tuple(_synthetic(written)),
    )


def _replaced(written: Written, survey: Survey) -> list[Drop]:
    """Readable entries of the member itself that entries of a peer take the place of: at the end
    of a log, all that stand behind the first of these too."""
    drops = []
    for insert in written.inserts:
        for fill in insert.fills:
            for run in survey.log.live:
                first = max(run.first, fill.first)
                last = run.last if insert.seam.is_end else min(run.last, fill.last)
                if first <= last:
                    count = last - first + 1
                    drops.append(
                        Drop(kind="entry", count=count, first=first, last=last, term=run.term)
                    )
    return drops


def _words(written: Written) -> str:
    """A sentence on what is done with one segment."""
    fills = [fill for insert in written.inserts for fill in insert.fills]
    told = ", ".join(f"{entry_range(fill.first, fill.last)} of {fill.peer.name}" for fill in fills)
    if written.is_new:
        return f"make the missing segment anew{f' with {told}' if told else ''}"
    if told:
        return f"put in {told}; every payload stays as it is"
    if any(insert.state for insert in written.inserts):
        return "end the log with a hard state that no forgotten vote contradicts"
    return "chain its records to the ones in front; every payload stays as it is"


def _synthetic(written: Written) -> list[Synthetic]:
    """Records that nobody had written so."""
    made = []
    for insert in written.inserts:
        for mark in insert.marks:
            words = "marker of a snapshot file that is there, in place of one that was lost"
            made.append(Synthetic(kind="snapshot", words=words, index=mark.index, term=mark.term))
        state = insert.state
        if state is not None:
            words = f"term {state.term}, vote {state.vote:x}, commit {state.commit}"
            made.append(Synthetic(kind="state", words=words, index=state.commit, term=state.term))
    return made

"""Every witness that says what the log once held, weighed: the cut certificate (contract P5).

What can a person not be robbed of? Entries that were committed, for a client may have been told;
and entries that were synced, for a leader may have counted them. Witnesses of either are asked
wherever they can be read, behind damage too:

    hard states         the highest commit of any                                  acknowledged
    markers, .snap      a snapshot covers applied entries only                     acknowledged
    the database        what it has applied                                        acknowledged
    readable entries    the last one, wherever it stands                           stored
    damaged bytes       with a later Save behind them, or in a segment that was    stored
                        sealed, they had been synced before
    peers               their commit                                               acknowledged

One Save is synced before the next is written, so frames of a later Save prove the one in front;
frames of the same last Save prove nothing: its sectors reach a disk in any order. The other half
of the question is whether the end of the log was seen at all: a log that is cut off at a boundary
reads well, and only somebody who knows of more can tell.
"""

from collections.abc import Iterator

from walctl.model.finding import Code
from walctl.repair.case import Case
from walctl.repair.doubt import may_hide_state
from walctl.repair.plan import Certificate, Says, Testimony
from walctl.repair.tail import is_end_lost, is_garbage_tail, is_unsynced_tail
from walctl.wal.writer import SEGMENT_BYTES

_TAIL = frozenset({Code.SEGMENT_EMPTY, Code.SEGMENT_HEAD})


def testimonies(case: Case) -> Iterator[Testimony]:
    """Every witness, the strongest kind first."""
    yield from _hard_states(case)
    yield from _database(case)
    yield from _snapshots(case)
    yield from _damaged(case)
    yield from _entries(case)
    yield from _peers(case)


def witnessed(case: Case) -> int:
    """The highest index that any witness says was acknowledged or stored."""
    indexes = (each.index for each in testimonies(case) if each.says is not Says.WRITTEN)
    return max(indexes, default=0)


def certificate(case: Case, *, kept: int, words: tuple[str, ...]) -> Certificate:
    """All witnesses, for a result that has everything up to `kept`."""
    found = tuple(testimonies(case))
    strong = [each.index for each in found if each.says is not Says.WRITTEN]
    return Certificate(
        testimonies=found,
        kept=kept,
        witnessed=max(strong, default=0),
        is_end_known=is_end_known(case),
        words=words,
    )


def is_end_known(case: Case) -> bool:
    """Whether the end of the log was seen, so that nothing synced can have stood behind it.

    Not so when the database, a hard state or a snapshot file is beyond the last readable entry,
    when the last segment is empty or full, when the last bytes are damaged and had been synced, or
    when nothing behind the last damage tells how many entries, or which term and vote, it held.
    """
    seen, last = case.seen, case.last
    if not seen.segments or not seen.log.live:
        return False
    files = max((snap.index or 0 for snap in seen.snaps if snap.is_usable), default=0)
    if max(seen.applied or 0, seen.commit_max, files) > last:
        return False
    if any(finding.code in _TAIL for finding in case.damage):
        return False
    if is_unsynced_tail(case) or is_garbage_tail(case):
        return True
    final = seen.segments[-1]
    if final.digest.end >= SEGMENT_BYTES:
        return False  # etcd begins the next segment as soon as one is full
    ends = [named for named in seen.named if named.damage.segment == final.name.text]
    ends = [named for named in ends if not named.is_mended]
    if ends and (not ends[-1].behind.frames or is_end_lost(ends[-1])):
        return False
    return not may_hide_state(seen)


def _hard_states(case: Case) -> Iterator[Testimony]:
    seen = case.seen
    highest = None
    for segment in seen.segments:
        for stretch in segment.digest.stretches:
            state = stretch.last_state
            if state is not None and (
                highest is None or state.state.commit >= highest.state.commit
            ):
                highest = state
    if highest is None:
        return
    commit = seen.commit_max
    yield Testimony(
        source="hard-state",
        says=Says.ACKNOWLEDGED,
        index=commit,
        term=highest.state.term,
        place=f"{highest.segment}:{highest.offset}",
        words=f"the highest hard state says that entries up to {commit} are committed",
    )


def _database(case: Case) -> Iterator[Testimony]:
    seen = case.seen
    witness = seen.database
    if witness is None or not seen.applied:
        return
    term = f" at term {witness.term}" if witness.term else ""
    trust = "" if case.has_sound_database else "; but it cannot be relied on"
    yield Testimony(
        source="database",
        says=Says.ACKNOWLEDGED,
        index=seen.applied,
        term=witness.term or None,
        place="snap/db",
        words=f"the database has applied entry {seen.applied}{term}{trust}",
    )


def _snapshots(case: Case) -> Iterator[Testimony]:
    seen = case.seen
    if seen.marks:
        mark = max(seen.marks, key=lambda placed: placed.mark.index)
        if mark.mark.index:
            yield Testimony(
                source="marker",
                says=Says.ACKNOWLEDGED,
                index=mark.mark.index,
                term=mark.mark.term,
                place=f"{mark.segment}:{mark.offset}",
                words=f"the log marks a snapshot at {mark.mark.index}",
            )
    usable = [snap for snap in seen.snaps if snap.is_usable]
    if usable:
        snap = max(usable, key=lambda each: each.index or 0)
        yield Testimony(
            source="snapshot-file",
            says=Says.ACKNOWLEDGED,
            index=snap.index or 0,
            term=snap.term,
            place=f"snap/{snap.name}",
            words=f"the newest snapshot file is of entry {snap.index}",
        )


def _damaged(case: Case) -> Iterator[Testimony]:
    """What damage says of the entries that stood there."""
    final = case.seen.segments[-1].name.text if case.seen.segments else ""
    for named in case.seen.named:
        if named.is_mended or named.lost is None:
            continue
        damage = named.damage
        first, last = named.lost
        place = f"{damage.segment}:{damage.start}"
        is_sealed = damage.segment != final
        if named.behind.later_batch or is_sealed:
            proof = "a later write stands behind it" if not is_sealed else "its segment was sealed"
            yield Testimony(
                source="sealed-segment" if is_sealed else "entries",
                says=Says.STORED,
                index=last if last is not None else first,
                term=None,
                place=place,
                words=f"what stood here from entry {first} on had been synced: {proof}",
            )
        else:
            yield Testimony(
                source="entries",
                says=Says.WRITTEN,
                index=first,
                term=None,
                place=place,
                words=f"entry {first} may have stood here; nothing says that it was synced",
            )


def _entries(case: Case) -> Iterator[Testimony]:
    runs = case.seen.log.live
    if not runs:
        return
    run = runs[-1]
    yield Testimony(
        source="entries",
        says=Says.STORED,
        index=run.last,
        term=run.term,
        place=f"{run.segment}:{run.start}",
        words=f"the last readable entry is {run.last} of term {run.term}",
    )


def _peers(case: Case) -> Iterator[Testimony]:
    for peer in case.peers:
        yield Testimony(
            source="peer",
            says=Says.ACKNOWLEDGED,
            index=peer.commit,
            term=None,
            place=peer.name,
            words=(
                f"{peer.name} ({peer.path.name}) knows entries up to {peer.commit} as committed"
            ),
        )

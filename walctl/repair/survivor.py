"""A member that is alone in a new cluster, made from what was salvaged of another; never in place.

    wal/    metadata with new ids, the marker that the log begins at, the salvaged entries, and
            hard states: the highest term that was seen anywhere, no vote, all entries committed
    snap/   on a database: its copy with the new membership in it, and a `.snap` of that

The old member promised votes and acknowledged entries that may be lost now; so nothing of its
voice is left: neither its id nor its cluster's, and none of the members that it knew. Everything
that nobody wrote before is told in `Survivor.invented`.

Source: etcd-data-dir notes 4.2, 6.4, 6.6, 7.5; started by etcd 3.5.1.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from formats.errors import FormatError
from formats.memberjson import member_json
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.errors import CorruptionError
from walctl.inspect.membership import membership
from walctl.inspect.row import OVERWRITTEN
from walctl.inspect.verify import examine
from walctl.model.finding import Code, Severity
from walctl.model.member import Member
from walctl.model.record import Check, ConfState, Entry, HardState, SnapshotMark
from walctl.repair.coverage import live_entries, readable
from walctl.repair.foundation import Foundation, Ground
from walctl.repair.newlog import build_metadata
from walctl.repair.survivor_base import go_on, place_base
from walctl.repair.survivor_log import Invented, Told, entries_of_survivor
from walctl.repair.world import World
from walctl.wal.writer import Wal

MEMBER, PART = "member", "member.part"
"""The new member, and its name until it is whole."""
PEER_URL = "http://localhost:2380"
"""What etcd takes for a member whose address nobody knows."""
BATCH_ENTRIES = 4096
BATCH_BYTES = 4 << 20
"""What is saved, and synced, at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the new member is: `member` has the new id, and what the old one was called."""

    cluster_id: int
    member: Member

    @property
    def conf_state(self) -> ConfState:
        """A cluster of one."""
        return ConfState(voters=(self.member.id,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """The startable member that was made.

    `first..last` are the entries of its log (`first` above `last`: it has none behind the
    database). `kept` are those that are as they were, `uncommitted` how many of them no hard state
    called committed; `unproven` and `mended` count entries that only the next record vouches for,
    and those whose one wrong bit was put back.
    """

    folder: Path
    foundation: Foundation
    first: int
    last: int
    term: int
    node_id: int
    cluster_id: int
    kept: int
    uncommitted: int
    unproven: int
    mended: int
    leases_behind: int
    invented: tuple[Invented, ...]


def survivor_of(world: World, survey: Survey, best: Foundation, target: Path) -> Survivor:
    """Build the member aside, read it back, compare, and give it its name."""
    disk, part = world.disk, target / PART
    known = membership(survey)
    old = known.described(known.own_id) if known.own_id is not None else Member(id=0)
    identity = Identity(cluster_id=world.token(), member=_named_as(replace(old, id=world.token())))
    told = Told()
    term = highest_term(survey, best)
    disk.make_dir(part)
    disk.make_dir(part / "snap")
    if best.ground is not Ground.BEGINNING:
        told.invented += place_base(world, survey, best, identity.member, part / "snap")
    _write_log(world, survey, best, identity, part / "wal", told, term)
    disk.sync_dir(part / "snap")
    disk.sync_dir(part)
    prove(world, part, survey, best, told)
    disk.rename(part, target / MEMBER)
    disk.sync_dir(target)
    vouched = [each for each in readable(survey) if best.index < each.first <= best.last]
    committed = max(survey.commit_max, survey.applied or 0)
    return Survivor(
        folder=target / MEMBER,
        foundation=best,
        first=best.index + 1,
        last=best.last,
        term=term,
        node_id=identity.member.id,
        cluster_id=identity.cluster_id,
        kept=told.kept,
        uncommitted=max(0, best.last - max(committed, best.index)),
        unproven=sum(
            each.last - each.first + 1
            for each in vouched
            if each.check is Check.IMPLIED and each.status != OVERWRITTEN
        ),
        mended=sum(each.is_mended and each.status != OVERWRITTEN for each in vouched),
        leases_behind=told.leases_behind if best.ground is Ground.BEGINNING else 0,
        invented=tuple(told.invented),
    )


def _named_as(old: Member) -> Member:
    """A member with the names of the old one, where there are any that can be written."""
    named = replace(
        old, name=old.name or "default", peer_urls=old.peer_urls or (PEER_URL,), is_learner=False
    )
    try:
        member_json(named)
    except FormatError:  # a name that is no Unicode text
        return Member(id=old.id, name="default", peer_urls=(PEER_URL,))
    return named


def _write_log(
    world: World,
    survey: Survey,
    best: Foundation,
    identity: Identity,
    folder: Path,
    told: Told,
    term: int,
) -> None:
    metadata = build_metadata(node_id=identity.member.id, cluster_id=identity.cluster_id)
    told.invented.append(
        Invented(
            kind="metadata",
            words=f"member {identity.member.id:x} of cluster {identity.cluster_id:x}, both new",
        )
    )
    with Wal.create(world.disk, folder, metadata=metadata) as wal:
        if best.ground is not Ground.BEGINNING:
            mark = SnapshotMark(index=best.index, term=best.term, conf_state=identity.conf_state)
            wal.save_snapshot(mark)
            wal.save(HardState(term=term, vote=0, commit=best.index))
        entries = entries_of_survivor(world.disk, survey, best, identity.member, told)
        for batch in batches(entries):
            go_on(world)
            wal.save(HardState(term=term, vote=0, commit=batch[-1].index), batch)
    told.invented.append(
        Invented(
            kind="state",
            words=f"hard states: term {term}, no vote, every entry committed",
            last=best.last,
            term=term,
        )
    )


def prove(world: World, part: Path, survey: Survey, best: Foundation, told: Told) -> None:
    """Read the new member back by the reading path, and hold it against its source.

    Raises: CorruptionError.
    """
    disk = world.disk
    examination = examine(disk, understand(disk, part))
    made = examination.survey
    # An entry that some version does not take was as long, or as odd, in the source.
    damage = [
        finding
        for finding in examination.report.of(Severity.DAMAGE)
        if finding.code not in (Code.ENTRY_TOO_LARGE, Code.PAYLOAD_UNDECODABLE)
    ]
    if damage:
        raise CorruptionError(f"{part}: what was made does not read back: {damage[0].detail}")
    if made.log.contiguous_from(best.index) != best.last or next(made.log.gaps(), None):
        raise CorruptionError(f"{part}: expected entries up to {best.last}, found {made.log.last}")
    ours = {
        index
        for each in told.invented
        if each.kind in ("empty", "conf-change") and each.first and each.last
        for index in range(each.first, each.last + 1)
    }
    source = live_entries(disk, survey, first=best.index + 1, last=best.last)
    for entry in live_entries(disk, made):
        go_on(world)
        if entry.index in ours:
            continue
        old = next((each for each in source if each.index >= entry.index), None)
        if old != entry:
            raise CorruptionError(f"{part}: entry {entry.index} is not what it was in the source")


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries in portions that are saved together."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.payload or b"")
        if len(batch) >= BATCH_ENTRIES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def highest_term(survey: Survey, foundation: Foundation) -> int:
    """The highest term that anything here names: the new member begins with no lower one."""
    terms = [run.term for run in survey.runs]
    terms += [placed.mark.term for placed in survey.marks]
    terms += [snap.term or 0 for snap in survey.snaps if snap.is_usable]
    terms += [step.before.state.term for step in survey.steps]
    if survey.last_state is not None:
        terms.append(survey.last_state.state.term)
    if survey.database is not None:
        terms.append(survey.database.term or 0)
    return max([foundation.term, foundation.last_term, 1, *terms])

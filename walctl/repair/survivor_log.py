"""The entries of a survivor's log: those that were salvaged, in the order of their indexes.

    an entry                    as it was
    one that speaks of members  emptied: it keeps index and term, and asks for nothing
    a lost one, passed over     an empty one stands in for it
    entry 1                     the change that adds the new member, where the log begins there

What would stop a server that applies it is emptied too. Everything that is ours is noted. A lost
entry may be passed over whatever it was: had it changed the membership, it would be emptied too.
What it did to leases, users or permissions is gone, so a later put may fail where it did not.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from formats import raftpb
from formats.etcdserverpb import Request as V2Request
from formats.memberjson import member_json
from formats.raftpb import ConfChangeType
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.counting.touch import touch_of_payload
from walctl.model.member import Member
from walctl.model.record import Entry, EntryKind
from walctl.payload.base import PayloadError, PayloadLimitError
from walctl.payload.etcd import parse
from walctl.repair.coverage import live_entries
from walctl.repair.foundation import Foundation, Ground, Hole

MEMBERS_PATH = "/0/members/"
"""What the v2 store keeps of members lies below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invented:
    """Something in the new member that nobody wrote before (contract P10).

    `kind` is `empty`, `conf-change`, `snapshot`, `state`, `metadata` or `database`; `first` and
    `last` are entries.
    """

    kind: str
    words: str
    first: int | None = None
    last: int | None = None
    term: int | None = None


@dataclass(slots=True, kw_only=True)
class Told:
    """What is found out about the entries while they are written.

    `kept` are those that were taken over as they are, `leases_behind` puts with a lease behind the
    first lost entry.
    """

    kept: int = 0
    leases_behind: int = 0
    invented: list[Invented] = field(default_factory=list)

    def invent(self, entry: Entry, words: str, *, kind: str = "empty") -> None:
        """Note an entry of ours; those that follow one another with the same words are one."""
        last = self.invented[-1] if self.invented else None
        first = entry.index
        same = last is not None and (last.kind, last.words, last.term) == (kind, words, entry.term)
        if last is not None and same and last.last == entry.index - 1:
            first = last.first or first
            self.invented.pop()
        self.invented.append(
            Invented(kind=kind, words=words, first=first, last=entry.index, term=entry.term)
        )


def entries_of_survivor(
    disk: FileSystem, survey: Survey, foundation: Foundation, member: Member, told: Told
) -> Iterator[Entry]:
    """The entries of the new log, in order and without a hole; what is ours is noted in `told`.

    Raises: AccessError, when a segment is not what it was when it was surveyed.
    """
    found = live_entries(disk, survey, first=foundation.index + 1, last=foundation.last)
    hole = foundation.holes[0] if foundation.holes else None
    is_first = foundation.ground is Ground.BEGINNING
    for entry, is_lost in _without_holes(found, foundation.holes):
        if is_first:
            is_first = False
            first = Entry(
                index=entry.index,
                term=entry.term,
                kind=EntryKind.CONF_CHANGE,
                raw_kind=1,
                payload=conf_change_of(member),
            )
            words = "adds the new member, in the place of the change that began the old cluster"
            told.invent(first, words, kind="conf-change")
            yield first
            continue
        why = "lost: an empty entry stands in for it" if is_lost else _speaks_of_members(entry)
        if why is None:
            told.kept += 1
            told.leases_behind += hole is not None and entry.index > hole.last and _leased(entry)
            yield entry
            continue
        told.invent(entry, why)
        yield Entry(
            index=entry.index, term=entry.term, kind=EntryKind.NORMAL, raw_kind=0, payload=None
        )


def _without_holes(
    entries: Iterable[Entry], holes: tuple[Hole, ...]
) -> Iterator[tuple[Entry, bool]]:
    """The entries, and whether each only stands in for a lost one."""
    waiting = deque(holes)
    for entry in entries:
        while waiting and waiting[0].last < entry.index:
            yield from _fill(waiting.popleft())
        # One that no checksum vouches for counts as lost.
        if not (waiting and waiting[0].first <= entry.index):
            yield entry, False


def _fill(hole: Hole) -> Iterator[tuple[Entry, bool]]:
    for index in range(hole.first, hole.last + 1):
        yield (
            Entry(index=index, term=hole.term, kind=EntryKind.NORMAL, raw_kind=0, payload=None),
            True,
        )


def _speaks_of_members(entry: Entry) -> str | None:
    """Why an entry may not go into another cluster as it is; `None` for one that may."""
    if entry.kind is not EntryKind.NORMAL:
        return "a change of the old cluster's membership, emptied"
    payload = entry.payload
    if not payload:
        return None
    touch = touch_of_payload(payload)
    if touch is not None:
        is_about = touch.type == "cluster_member_attr_set"
        return "what a member published of itself, emptied" if is_about else None
    try:
        request = parse(payload)
    except PayloadLimitError:
        return None
    except PayloadError:
        return "no request of etcd, which would stop a server: emptied"
    v2 = request if isinstance(request, V2Request) else request.v2
    if v2 is not None and (v2.path or "").startswith(MEMBERS_PATH):
        return "what a member published of itself, emptied"
    if not isinstance(request, V2Request) and request.cluster_member_attr_set is not None:
        return "what a member published of itself, emptied"
    return None


def _leased(entry: Entry) -> bool:
    touch = touch_of_payload(entry.payload or b"")
    return touch is not None and any(lease for _, _, lease in touch.puts)


def conf_change_of(member: Member) -> bytes:
    """The change that adds a member, as etcd begins a new cluster with it: without an id."""
    return raftpb.CONF_CHANGE.build(
        raftpb.ConfChange(
            id=0,
            type=int(ConfChangeType.ADD_NODE),
            node_id=member.id,
            context=member_json(member),
        )
    )

"""One member as a repair has it before it: everything that was seen, and the facts that decide.

A case judges no strategy. What it says of a member is asked by several of them: whether the
database may be believed, how far the log reaches, and who is in the cluster.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.membership import Membership, membership
from walctl.inspect.report import Report
from walctl.inspect.sound import has_sound_database
from walctl.inspect.verify import Examination
from walctl.inspect.weigh import BLOCKING
from walctl.model.finding import Finding, Severity
from walctl.model.log import Run
from walctl.model.record import Metadata
from walctl.repair.peers import Peer
from walctl.repair.plan import Bound
from walctl.repair.stamps import Sources


@dataclass(frozen=True, kw_only=True)
class Case:
    """A member, examined and bound; `peers` are other members that may help.

    `said_id` is whose directory it is, by the word of whoever asks: for a log that does not say.
    """

    disk: FileSystem
    examination: Examination
    bound: Bound
    peers: Sequence[Peer] = ()
    said_id: int | None = None

    @property
    def seen(self) -> Survey:
        """What the files say."""
        return self.examination.survey

    @property
    def report(self) -> Report:
        """What verify says of it."""
        return self.examination.report

    def sources(self) -> Sources:
        """The files that pieces may name; a context manager."""
        return Sources(
            self.disk, {"": self.bound, **{each.name: each.bound for each in self.peers}}
        )

    @cached_property
    def membership(self) -> Membership:
        """Who is in the cluster, by every source."""
        return membership(self.seen)

    @property
    def is_sole_voter(self) -> bool:
        """Whether nobody else can have counted this member's entries or votes."""
        return self.membership.size == 1

    @property
    def metadata(self) -> Metadata | None:
        """Whose log it is, where all records of it agree."""
        found = {placed.metadata for placed in self.seen.metadata}
        return found.pop() if len(found) == 1 else None

    @property
    def is_etcd(self) -> bool:
        """Whether it is etcd's own log: other owners keep something else in their metadata."""
        metadata = self.metadata
        return metadata is not None and metadata.node_id is not None

    @property
    def cluster_id(self) -> int | None:
        """The id that the log names."""
        return self.metadata.cluster_id if self.metadata is not None else None

    @cached_property
    def has_sound_database(self) -> bool:
        """Whether the database reads whole, is this cluster's, and says what it has applied."""
        return has_sound_database(self.seen)

    @cached_property
    def applied(self) -> int:
        """What a sound database has applied; 0 without one."""
        return (self.seen.applied or 0) if self.has_sound_database else 0

    @property
    def last(self) -> int:
        """The last index that the log reaches, by a readable entry or an installed snapshot."""
        return self.seen.last_index or 0

    @property
    def damage(self) -> list[Finding]:
        """The findings that are damage."""
        return self.report.of(Severity.DAMAGE)

    @property
    def blocking(self) -> list[Finding]:
        """Damage of the log's bytes and files."""
        return [finding for finding in self.damage if finding.code in BLOCKING]

    def runs_above(self, index: int) -> list[Run] | None:
        """The live runs that hold what follows `index`; `None` where an entry is missing there."""
        reached = index
        chosen = []
        for run in self.seen.log.live:
            if run.last <= index:
                continue
            if run.first > reached + 1:
                return None
            chosen.append(run)
            reached = run.last
        return chosen

    def term_at(self, index: int) -> int | None:
        """The term of an entry, where the database or the log proves it.

        Terms never fall along a log, so an entry between two of one term has that term too.
        """
        seen = self.seen
        witness = seen.database
        is_applied = self.has_sound_database and index == seen.applied
        # 3.5 stores it with the index; 0 is what etcd has before it applied anything.
        if is_applied and witness is not None and witness.term:
            return witness.term
        exact = seen.log.term_of(index)
        if exact is not None:
            return exact
        for placed in seen.marks:
            if placed.mark.index == index:
                return placed.mark.term
        below = [run.term for run in seen.log.live if run.last < index]
        above = [run.term for run in seen.log.live if run.first > index]
        return below[-1] if below and above and below[-1] == above[0] else None

    def new_cluster_id(self) -> int:
        """An id that no old member has, the same whenever the same files are looked at."""
        digest = hashlib.sha256(b"walctl: a cluster of one survivor")
        digest.update((self.cluster_id or 0).to_bytes(8, "big"))
        for name in sorted(self.bound.files):
            digest.update(f"{name} {self.bound.files[name].sha256}\n".encode(errors="replace"))
        return int.from_bytes(digest.digest()[:8], "big") or 1

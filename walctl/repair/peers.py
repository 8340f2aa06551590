"""Other members of the cluster, read so that one of them can be mended with what they hold.

A peer is a directory that a person names with `--from`. It is only read. Whose it is, whether its
log is whole and how far it reaches is said here; whether it may help is decided in `cover` and
`heal`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.agreement import highest_term, reach_of
from walctl.inspect.membership import Membership, membership
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.verify import Examination, examine
from walctl.model.finding import Severity
from walctl.model.record import HardState
from walctl.repair.plan import Bound
from walctl.repair.stamps import bind

PEERS_MAX = 64
"""More members than any cluster has."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One other member: `name` is what a plan calls it (`peer1`), `bound` the files it has.

    `said_id` is whose directory it is, by the word of whoever named it.
    """

    name: str
    bound: Bound
    examination: Examination
    said_id: int | None = None

    @property
    def survey(self) -> Survey:
        """What its files say."""
        return self.examination.survey

    @property
    def path(self) -> Path:
        """What the person called it."""
        return self.bound.directory

    @cached_property
    def membership(self) -> Membership:
        """Who is in the cluster, by each of its parts."""
        return membership(self.survey)

    @property
    def node_id(self) -> int | None:
        """Whose log it is; `None` when it does not say and nobody does, or says two things."""
        return self.said_id if self.is_unnamed else self.membership.own_id

    @property
    def is_unnamed(self) -> bool:
        """Whether its log names neither a member nor a cluster, as raftexample's."""
        return {each.metadata.raw for each in self.survey.metadata} <= {None, b""}

    @property
    def cluster_id(self) -> int | None:
        """The cluster that its log names; `None` as for `node_id`."""
        found = {placed.metadata.cluster_id for placed in self.survey.metadata}
        return found.pop() if len(found) == 1 else None

    @property
    def state(self) -> HardState | None:
        """Its last hard state."""
        placed = self.survey.last_state
        return placed.state if placed is not None else None

    @property
    def commit(self) -> int:
        """Up to where it knows entries to be committed: by a hard state, or applied."""
        return max(self.survey.commit_max, self.survey.applied or 0)

    @property
    def last(self) -> int:
        """The last index of its log."""
        return self.survey.last_index or 0

    @property
    def reach(self) -> tuple[int, int]:
        """Term and index of its last entry: what Raft compares when it asks whose log is better."""
        return reach_of(self.survey)

    @property
    def term(self) -> int:
        """The highest term that any record of it names."""
        return highest_term(self.survey)

    @property
    def flaw(self) -> str | None:
        """Why its log cannot be relied on, in words; `None` when it can."""
        if self.survey.is_moving:
            return (
                f"{self.path}: a server is at work there: stop it, or take a copy while it stands"
            )
        for finding in self.examination.report.findings:
            if finding.severity is Severity.DAMAGE:
                place = finding.place.segment or ""
                if place and finding.place.offset is not None:
                    place += f":{finding.place.offset}"
                where = f" at {place}" if place else ""
                return f"{self.path}: is damaged itself: {finding.code}{where}"
        if not self.survey.log.live:
            return f"{self.path}: its log holds no entry"
        return None


def read_peers(
    disk: FileSystem,
    paths: Sequence[Path],
    *,
    depth: Depth = ONE_PROCESS,
    ids: Mapping[Path, int] = MappingProxyType({}),
) -> list[Peer]:
    """Every directory of `paths`, examined and bound, in their order; `ids` say whose they are,
    for logs that do not.

    Raises: AccessError, UnsupportedError, UsageError; one line that begins with the path.
    """
    if len(paths) > PEERS_MAX:
        raise UsageError(f"{len(paths)} directories to heal from; at most {PEERS_MAX}")
    peers: list[Peer] = []
    for number, path in enumerate(paths, start=1):
        if path in paths[: number - 1]:
            raise UsageError(f"{path}: named twice as a directory to heal from")
        peers.append(_read(disk, path, f"peer{number}", depth, ids.get(path)))
    return peers


def _read(disk: FileSystem, path: Path, name: str, depth: Depth, said_id: int | None) -> Peer:
    layout = understand(disk, path)
    if layout.wal_dir is None or layout.only_segment is not None:
        raise UnsupportedError(
            f"{path}: expected the directory of a member to heal from, found {layout.shape}"
        )
    if not disk.exists(layout.wal_dir):
        raise AccessError(f"{path}: has no log to heal from: {layout.wal_dir} is missing")
    examination = examine(disk, layout, depth=depth)
    return Peer(name=name, bound=bind(disk, layout), examination=examination, said_id=said_id)

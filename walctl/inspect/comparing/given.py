"""The directories that compare was given: each examined, with a name that tells it from the others.

What keeps one from being read is told of it, and the others are compared all the same.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from walctl.datadir.layout import Shape, understand
from walctl.datadir.survey import Survey
from walctl.errors import UsageError, WalctlError
from walctl.fs.base import FileSystem
from walctl.inspect.membership import Membership, is_foreign_database, membership
from walctl.inspect.reading import Depth
from walctl.inspect.report import Report
from walctl.inspect.sound import has_sound_database
from walctl.inspect.verify import examine
from walctl.model.finding import Severity

GIVEN_MAX: Final = 64
"""More members than any cluster has."""
_FOLDERS: Final = ("member", "wal", "snap")
_NUMBERED: Final = re.compile(r"-([1-9][0-9]{0,17})\Z").search

DepthFor = Callable[[Path], AbstractContextManager[Depth]]
"""How deep to read a path, for as long as it is read."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """One directory; `survey` is `None` when `report.error` says why it was not read."""

    name: str
    report: Report
    survey: Survey | None

    @property
    def path(self) -> Path:
        """What the person called it."""
        return self.report.path

    @property
    def seen(self) -> Survey:
        """What its files say, of one that was read."""
        assert self.survey is not None, "it was read"
        return self.survey

    @cached_property
    def membership(self) -> Membership:
        """Who is in the cluster, by each of its parts."""
        return membership(self.seen)

    @cached_property
    def node_id(self) -> int | None:
        """Whose log it is; `None` when it does not say, or says two things.

        raftexample writes no id: there the folder's name has it, `raftexample-3`.
        """
        found = self.membership.own_id
        if found is None and self.seen.layout.shape is Shape.RAFTEXAMPLE:
            number = _NUMBERED(self.path.name)
            return None if number is None else int(number[1])
        return found

    @cached_property
    def cluster_id(self) -> int | None:
        """The cluster that its log names; `None` as for `node_id`."""
        found = {placed.metadata.cluster_id for placed in self.seen.metadata}
        return found.pop() if len(found) == 1 else None

    @property
    def last(self) -> int:
        """The last index of its log, or of a snapshot that was installed; 0 without."""
        return self.seen.last_index or 0

    @cached_property
    def commit(self) -> int:
        """Up to where it knows entries to be committed: by a hard state, a snapshot, or applied."""
        snaps = (snap.index or 0 for snap in self.seen.snaps if snap.is_usable)
        marks = (placed.mark.index for placed in self.seen.marks)
        return max(self.seen.commit_max, self._applied, *snaps, *marks, 0)

    @property
    def _applied(self) -> int:
        """What its own cluster's database has applied; 0 where there is none."""
        return 0 if is_foreign_database(self.seen) else self.seen.applied or 0

    @cached_property
    def covered(self) -> int:
        """Up to where a sound database or a usable snapshot has the effect of the entries."""
        seen = self.seen
        found = [self._applied if has_sound_database(seen) else 0]
        found += [point.snapshot_index for point in self.report.start_points if point.usable]
        if seen.layout.shape is Shape.RAFTEXAMPLE:
            found += [snap.index or 0 for snap in seen.snaps if snap.is_usable]
        return max(found)

    @cached_property
    def holds_to(self) -> int:
        """Up to where a start from these files would have everything; 0 where none is possible."""
        points = (point.last_index for point in self.report.start_points if point.usable)
        return max(points, default=0)

    @cached_property
    def vouched_from(self) -> int:
        """The first index of which a later entry of this log says that it stands as it is.

        Entries in front of a gap that a snapshot bridges may never have been committed.
        """
        seen = self.seen
        first = max((gap.after.first for gap in seen.log.gaps() if seen.is_bridged(gap)), default=0)
        marked = max((placed.mark.index for placed in seen.marks), default=0)
        return marked + 1 if marked > (seen.log.last or 0) else first

    @property
    def damage(self) -> str | None:
        """The first thing that is damaged, in a word or two; `None` when nothing is."""
        found = self.report.of(Severity.DAMAGE)
        if not found:
            return None
        index = found[0].place.index
        return str(found[0].code) if index is None else f"{found[0].code} @{index}"

    @property
    def is_damaged(self) -> bool:
        """Whether verify found damage here."""
        return self.damage is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is no log that says anything."""
        return not self.seen.runs and not self.last


def read_given(disk: FileSystem, paths: Sequence[Path], depth_for: DepthFor) -> list[Given]:
    """Every directory of `paths`, examined, in their order.

    Raises: UsageError, when there are fewer than two, too many, or one of them twice.
    """
    if len(paths) < 2:
        raise UsageError("expected two directories or more to compare, found one")
    if len(paths) > GIVEN_MAX:
        raise UsageError(f"{len(paths)} directories to compare; at most {GIVEN_MAX}")
    names = names_of(paths)
    found = []
    for name, path in zip(names, paths, strict=True):
        with depth_for(path) as depth:
            found.append(_read(disk, name, path, depth))
    _demand_different(disk, found)
    return found


def _read(disk: FileSystem, name: str, path: Path, depth: Depth) -> Given:
    try:
        examination = examine(disk, understand(disk, path), depth=depth)
    except WalctlError as error:
        report = Report(
            path=path, understood_as="", error=error.message, error_status=error.exit_status
        )
        return Given(name=name, report=report, survey=None)
    return Given(name=name, report=examination.report, survey=examination.survey)


def _demand_different(disk: FileSystem, found: Sequence[Given]) -> None:
    """Raises: UsageError, when two paths lead to the same files."""
    seen: dict[object, Given] = {}
    for each in found:
        key: object = each.path
        if each.survey is not None and each.survey.segments:
            folder = each.survey.layout.wal_dir
            assert folder is not None, "a log that was surveyed has a folder"
            first = disk.stat(folder / each.survey.segments[0].name.text)
            key = (first.inode, first.mtime_ns, each.survey.segments[0].name.text, first.size)
        other = seen.setdefault(key, each)
        if other is not each:
            raise UsageError(f"{each.path}: the same directory as {other.path}")


def names_of(paths: Sequence[Path]) -> list[str]:
    """A short name for each path: the part that tells it from the others, else the whole of it."""
    short = [_own_name(path) for path in paths]
    if len(set(short)) == len(short) and all(short):
        return short
    return [str(path) for path in paths]


def _own_name(path: Path) -> str:
    """The last part of a path that is no name of etcd's own, without `.etcd`."""
    parts = [part for part in path.parts if part not in _FOLDERS and part not in ("/", "..")]
    return parts[-1].removesuffix(".etcd") if parts else ""

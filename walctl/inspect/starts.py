"""What a start of the server would do with a member, by version: a survey put as the owner's facts.

The model of the owner is in `datadir.boot`; here it is only asked.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from walctl.datadir.boot import Boot, BootFacts, SnapFact, boot, consequence
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.fs.lazy import LazyFile
from walctl.inspect.membership import membership
from walctl.snap.reader import SnapFile
from walctl.wal.decoder import Source, Version

OURS = "a page that cannot be read (the words are walctl's)"
"""Said for etcd where it has no words of its own for a broken database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """A start by each version; none for a path that no server could be started on."""

    boots: Mapping[Version, Boot] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """All of them in words, equal ones told once; empty without any."""
        return consequence(self.boots) if self.boots else ""

    @property
    def some_serve(self) -> bool:
        """Whether a server of some version stays up (also where there is none to start)."""
        return not self.boots or any(each.serves for each in self.boots.values())

    @property
    def drops_entries(self) -> bool:
        """Whether a start of some version throws readable entries away."""
        return any(each.dropped is not None for each in self.boots.values())


def starts_of(disk: FileSystem, survey: Survey) -> Starts:
    """What each version would do.

    Raises: AccessError when a segment cannot be opened any more.
    """
    folder = survey.layout.wal_dir
    if folder is None or not survey.layout.is_member:
        return Starts()
    with ExitStack() as stack:
        sources = [
            Source(
                name=segment.name,
                file=stack.enter_context(LazyFile(disk, folder / segment.name.text)),
                digest=segment.digest,
            )
            for segment in sorted(survey.segments, key=lambda each: each.name.text)
        ]
        facts = _facts(survey, sources)
        return Starts(boots={version: boot(facts, version) for version in Version})


def _facts(survey: Survey, sources: Sequence[Source]) -> BootFacts:
    witness = survey.database
    problem = survey.database_problem
    return BootFacts(
        sources=sources,
        snaps=[_snap_fact(snap) for snap in survey.snaps],
        snapdb_indexes=frozenset(survey.snap_databases),
        has_log=any(name.endswith(".wal") for name in survey.wal_names),
        # bbolt makes a new database of an empty file, as etcd does where there is none.
        db_exists=survey.database_exists and not survey.database_is_empty,
        db_path=str(survey.layout.database),
        db_consistent_index=survey.applied,
        db_term=witness.term if witness is not None else None,
        db_problem=None if problem is None or survey.database_is_empty else problem.words or OURS,
        members=membership(survey).size,
    )


def _snap_fact(snap: SnapFile) -> SnapFact:
    problem = snap.problem
    return SnapFact(
        name=snap.name,
        index=snap.index,
        term=snap.term,
        problem=None if problem is None else problem.words or problem.detail,
    )

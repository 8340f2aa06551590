"""What a start of the server would do with a member, by version: a survey put as the owner's facts.

The model of the owner is in `datadir.boot`; here it is only asked.
"""

from collections.abc import Sequence
from contextlib import ExitStack

from walctl.datadir.boot import BootFacts, SnapFact, boot, consequence
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.membership import membership
from walctl.snap.reader import SnapFile
from walctl.wal.decoder import Source, Version


def starts_of(disk: FileSystem, survey: Survey) -> str:
    """Sentences by version; empty for a path that no server could be started on.

    Raises: AccessError when a segment cannot be opened any more.
    """
    folder = survey.layout.wal_dir
    if folder is None or not survey.layout.is_member:
        return ""
    with ExitStack() as stack:
        sources = [
            Source(
                name=segment.name,
                file=stack.enter_context(disk.open(folder / segment.name.text)),
                digest=segment.digest,
            )
            for segment in sorted(survey.segments, key=lambda each: each.name.text)
        ]
        facts = _facts(survey, sources)
        return consequence({version: boot(facts, version) for version in Version})


def _facts(survey: Survey, sources: Sequence[Source]) -> BootFacts:
    witness = survey.database
    problem = survey.database_problem
    return BootFacts(
        sources=sources,
        snaps=[_snap_fact(snap) for snap in survey.snaps],
        snapdb_indexes=frozenset(survey.snap_databases),
        has_log=any(name.endswith(".wal") for name in survey.wal_names),
        db_exists=survey.database_exists,
        db_path=str(survey.layout.database),
        db_consistent_index=witness.consistent_index if witness is not None else None,
        db_term=witness.term if witness is not None else None,
        db_problem=None if problem is None else problem.words or problem.reason,
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

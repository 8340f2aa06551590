"""What the parts of a member say of each other: log, snapshot files, database.

Works on a survey; reads no file. The rules are those of a start of etcd up to 3.6, which takes the
newest `.snap` that the log marks and needs a database that is not older.
"""

from collections.abc import Iterator

from walctl.backend.check import FREE_LIST
from walctl.backend.pages import PageError
from walctl.datadir.start import is_base_lost, live_marks, newest_start
from walctl.datadir.survey import Survey
from walctl.inspect.membership import is_foreign_database
from walctl.inspect.membership_checks import membership_findings
from walctl.inspect.report import StartPoint
from walctl.inspect.start_points import beyond_the_log, snap_index
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.snap import names as snap_names
from walctl.snap.names import NameKind
from walctl.snap.reader import SnapProblemKind


def member_findings(survey: Survey, points: list[StartPoint]) -> Iterator[Finding]:
    """Every finding about snapshots and the database; `points` tell what is still usable."""
    can_start = any(point.usable for point in points)
    yield from _snap_problems(survey, can_start=can_start)
    if survey.layout.snap_dir is not None and survey.segments:
        yield from _marks_without_file(survey, can_start=can_start)
        yield from _files_without_mark(survey)
    yield from _snap_leftovers(survey)
    yield from _database(survey)
    yield from _database_missing(survey)
    if is_foreign_database(survey):
        yield _foreign_database(survey)
    if survey.segments:
        yield from _database_and_log(survey)
    yield from membership_findings(survey)


def _snap_problems(survey: Survey, *, can_start: bool) -> Iterator[Finding]:
    for snap in survey.snaps:
        if snap.problem is None:
            continue
        code = Code.SNAP_CRC if snap.problem.kind is SnapProblemKind.CRC else Code.SNAP_UNDECODABLE
        words = f" etcd says: {snap.problem.words}." if snap.problem.words else ""
        yield Finding(
            code=code,
            severity=Severity.HARMLESS if can_start else Severity.DAMAGE,
            place=Place(segment=snap.name, offset=snap.problem.offset, index=snap.index),
            detail=f"{snap.problem.detail}.{words}",
            consequence=(
                "3.4–3.6: renamed to .snap.broken at start, and the next older one is taken;"
                " 3.7: not read"
            ),
        )


def _marks_without_file(survey: Survey, *, can_start: bool) -> Iterator[Finding]:
    """Markers newer than every snapshot file: older files are purged, newer ones are lost."""
    newest_file = max(map(snap_index, survey.snaps), default=0)
    there = {snap.name for snap in survey.snaps}  # one that does not read is not missing
    missing = sorted(
        {
            mark.index
            for mark in live_marks(survey)
            if mark.index > newest_file
            and snap_names.format_name(term=mark.term, index=mark.index) not in there
        }
    )
    if not missing:
        return
    terms = {mark.index: mark.term for mark in live_marks(survey)}
    newest = missing[-1]
    name = snap_names.format_name(term=terms[newest], index=newest)
    count = "" if len(missing) == 1 else f" ({len(missing)} markers are without a file)"
    yield Finding(
        code=Code.SNAP_MISSING,
        severity=Severity.HARMLESS if can_start else Severity.DAMAGE,
        place=Place(segment=name, index=newest, term=terms[newest]),
        detail=f"The log marks a snapshot at {newest}, but there is no {name}{count}.",
        consequence=(
            "3.4–3.6: an older snapshot is taken, or the log from its beginning; 3.7: no .snap is"
            " needed"
        ),
    )


def _files_without_mark(survey: Survey) -> Iterator[Finding]:
    marked = {(placed.mark.term, placed.mark.index) for placed in survey.marks}
    reaches = survey.last_index or 0
    for snap in beyond_the_log(survey):
        yield Finding(
            code=Code.SNAP_UNMARKED,
            severity=Severity.DAMAGE,
            place=Place(segment=snap.name, index=snap.index, term=snap.term),
            detail=(
                f"A snapshot at {snap.index} of term {snap.term}, but the log ends at {reaches} and"
                " does not mark it: the log has lost its end, or the file is from elsewhere."
            ),
        )
    first = survey.log.first
    if first is None:
        return
    usable = [snap for snap in survey.snaps if snap.is_usable]
    positions = [(snap.term or 0, snap.index or 0) for snap in usable]
    unmarked = sum(each not in marked and first < each[1] <= reaches for each in positions)
    # One file may be without its marker after a crash; several, and none with one, are not.
    is_other = unmarked > 1 and not any(each in marked for each in positions)
    for snap in survey.snaps:
        position = (snap.term or 0, snap.index or 0)
        if snap.is_usable and position not in marked and first < position[1] <= reaches:
            lost = [named for named in survey.named if not named.is_mended]
            why = (
                "its marker may have stood in the damaged bytes, or the file is from elsewhere"
                if lost
                else "etcd died between writing the file and the marker, or the file is from"
                " elsewhere"
            )
            yield Finding(
                code=Code.SNAP_UNMARKED,
                severity=Severity.DAMAGE if is_other else Severity.HARMLESS,
                place=Place(segment=snap.name, index=snap.index, term=snap.term),
                detail=(
                    f"A snapshot at {snap.index} of term {snap.term} that no record of the log"
                    f" marks: {why}."
                    + (" Nor does it mark any other: they are of two members." if is_other else "")
                ),
                consequence="3.4–3.6: passed over and left alone",
            )


_LEFTOVER_WORDS = {
    NameKind.ORPHAN_TMP: "An unfinished download; etcd deletes it at start.",
    NameKind.DB_TMP: "An unfinished defragmentation; etcd deletes it at start.",
    NameKind.BROKEN: "A snapshot that etcd could not read and set aside.",
}


def _snap_leftovers(survey: Survey) -> Iterator[Finding]:
    for name in survey.snap_names:
        kind = snap_names.classify(name)
        words = _LEFTOVER_WORDS.get(kind)
        if words is None and kind is NameKind.OTHER and survey.layout.snap_dir is not None:
            if survey.layout.snap_dir == survey.layout.wal_dir:
                continue
            words = "Not a file of etcd's."
        if words is not None:
            yield Finding(
                code=Code.LEFTOVER,
                severity=Severity.INFO if kind is NameKind.OTHER else Severity.HARMLESS,
                place=Place(segment=name),
                detail=words,
            )
    newest = newest_start(survey)
    applied = survey.database.consistent_index if survey.database is not None else None
    for index in survey.snap_databases:
        waits = index == newest and (applied or 0) < index
        name = snap_names.format_db_name(index=index)
        yield Finding(
            code=Code.LEFTOVER,
            severity=Severity.INFO,
            place=Place(segment=name, index=index),
            detail=(
                f"The database of snapshot {index}, received from a leader and not yet put in"
                " place." + (" The next start does that." if waits else " Nothing waits for it.")
            ),
            consequence=(
                "3.5.1: panics once (assertion failed: tx closed) after it has renamed the file;"
                " the second start works"
                if waits
                else ""
            ),
        )


def _database_name(survey: Survey) -> str:
    return survey.layout.database.name if survey.layout.database is not None else "db"


def _database(survey: Survey) -> Iterator[Finding]:
    """The database by itself: there, and readable."""
    problem = survey.database_problem
    if problem is not None:
        yield Finding(
            code=Code.DB_PAGE,
            severity=Severity.DAMAGE,
            place=Place(segment=_database_name(survey), offset=problem.offset),
            detail=f"The database cannot be opened: page {problem.page}: {problem.reason}.",
            consequence=(
                f"panics: failed to open database: {problem.words}" if problem.words else ""
            ),
        )
    if survey.has_good_trailer is False:
        yield Finding(
            code=Code.DB_PAGE,
            severity=Severity.DAMAGE,
            place=Place(segment=_database_name(survey)),
            detail="The SHA-256 that `snapshot save` put at its end does not fit the bytes before.",
            consequence="etcdutl snapshot restore refuses it: expected sha256 …, got …",
        )
    if survey.database is not None:
        for defect in survey.database.defects:
            yield Finding(
                code=Code.DB_PAGE,
                severity=Severity.DAMAGE,
                place=Place(segment=_database_name(survey), offset=defect.offset),
                detail=f"Bucket {defect.bucket or 'root'} does not read: {defect.detail}.",
            )
    known = {defect.page for defect in survey.database.defects} if survey.database else set()
    for name, error in survey.tree_defects:
        if error.page not in known:
            yield _tree_defect(survey, name, error)


def _tree_defect(survey: Survey, name: str, error: PageError) -> Finding:
    """A bucket whose pages do not hold, or the list of pages that no bucket uses.

    etcd stores no such list on Linux, but a file may have one, of another program or system, and
    then etcd goes by it. It is as bad as a page of a bucket: 3.5.1 was seen to panic at start where
    the list is none, and, where it names a page in use, at the first writes that come to it.
    """
    if name == FREE_LIST:
        where, consequence = (
            "The stored list of free pages does not hold",
            "etcd reads a stored list and makes no new one. 3.5: panics at start (invalid freelist"
            " page), or at a write that would use a page again (page … already freed; pgid …"
            " above high water mark)",
        )
    else:
        where, consequence = (
            f"Bucket {name or 'root'} does not read to its end",
            "etcd does not check pages at start: it may serve for a while, answer wrongly,"
            " or panic when it comes to this page",
        )
    return Finding(
        code=Code.DB_PAGE,
        severity=Severity.DAMAGE,
        place=Place(segment=_database_name(survey), offset=error.offset),
        detail=f"{where}: page {error.page}: {error.reason}.",
        consequence=consequence,
    )


def _foreign_database(survey: Survey) -> Finding:
    return Finding(
        code=Code.CLUSTER_MISMATCH,
        severity=Severity.DAMAGE,
        place=Place(segment=_database_name(survey)),
        detail=(
            "The database names none of the members that the log names, and does not know whose"
            " log this is: it belongs to another cluster. Nothing that it says of the log counts."
        ),
        consequence="etcd does not compare them: it would serve the other cluster's keys",
    )


def _database_missing(survey: Survey) -> Iterator[Finding]:
    """A member without a database, judged by what asks for one."""
    if survey.database_exists or not survey.layout.is_member:
        return
    snapshot = newest_start(survey)
    is_restored = is_base_lost(survey, applied=0)
    reaches_back = snapshot == 0 and survey.log.first == 1 and not beyond_the_log(survey)
    rebuildable = reaches_back and not is_restored
    if rebuildable:
        detail = (
            "There is no database. No snapshot file asks for one, and the log reaches back to"
            " entry 1."
        )
    elif snapshot:
        detail = f"There is no database, and snapshot {snapshot} needs one."
    elif is_restored:
        detail = (
            "There is no database, and the log goes on from a saved snapshot, whose keys were in"
            " the database alone."
        )
    else:
        detail = "There is no database, and the log does not reach back to entry 1."
    yield Finding(
        code=Code.DB_MISSING,
        severity=Severity.HARMLESS if rebuildable else Severity.DAMAGE,
        place=Place(segment=_database_name(survey)),
        detail=detail,
        consequence=(
            "3.4, 3.5: rebuilt from the log at start"
            if rebuildable
            else "3.4–3.6: panics: failed to recover v3 backend from snapshot"
            if snapshot
            else "3.4, 3.5: starts with an empty key space"
            if is_restored
            else ""
        ),
    )


def _database_and_log(survey: Survey) -> Iterator[Finding]:
    """The database as a witness for the log, and the log and snapshots for the database."""
    witness = survey.database
    if witness is None or survey.layout.wal_dir is None:
        return
    applied = survey.applied
    if applied is None:
        return
    reaches = survey.last_index or 0
    if applied > reaches:
        term = f" of term {witness.term}" if witness.term is not None else ""
        yield Finding(
            code=Code.DB_AHEAD,
            severity=Severity.DAMAGE,
            place=Place(segment=_database_name(survey), index=applied, term=witness.term),
            detail=(
                f"The database has applied entry {applied}{term}, but the log ends at {reaches}:"
                f" entries {reaches + 1}–{applied} were in it once and are gone."
            ),
        )
    snapshot = newest_start(survey)
    if applied < snapshot and snapshot not in survey.snap_databases:
        yield Finding(
            code=Code.DB_BEHIND,
            severity=Severity.DAMAGE,
            place=Place(segment=_database_name(survey), index=applied, term=witness.term),
            detail=(
                f"The database has applied {applied}, the newest snapshot is {snapshot}: it is an"
                " older copy, and the server does not replay what lies between."
            ),
        )
        if survey.log.contiguous_from(applied) < snapshot:
            yield Finding(
                code=Code.SNAPDB_MISSING,
                severity=Severity.DAMAGE,
                place=Place(segment=snap_names.format_db_name(index=snapshot), index=snapshot),
                detail=(
                    f"Snapshot {snapshot} came from a leader, and its database is neither in place"
                    " nor waiting: the log does not hold the entries before it."
                ),
            )

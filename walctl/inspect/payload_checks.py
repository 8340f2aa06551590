"""Whether a start could apply what the log holds: the payloads that it would have to read.

What the database has applied is behind it, and the payloads of another program are its own. So
only entries of etcd above the applied index are looked at, and only in a member that can start.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.limits import FINDINGS_MAX
from formats.peek import peeker
from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.log import Run
from walctl.model.record import Entry, EntryKind
from walctl.payload.base import PayloadError, PayloadLimitError
from walctl.payload.confchange import decode_conf_change
from walctl.payload.etcd import parse
from walctl.wal.entry_frames import entries_of

NO_KIND = "etcd applies no entry of this kind"


def payload_findings(disk: FileSystem, survey: Survey) -> Iterator[Finding]:
    """Every entry that a start would have to apply and cannot read.

    Raises: AccessError, when a segment cannot be read any more.
    """
    folder = survey.layout.wal_dir
    is_etcds = any(placed.metadata.node_id is not None for placed in survey.metadata)
    if folder is None or not is_etcds or not survey.layout.is_member or survey.is_moving:
        return
    applied = survey.applied if survey.applied is not None else newest_start(survey)
    peek = peeker(INTERNAL_RAFT_REQUEST)
    for run in survey.log.live:
        if run.last <= applied or run.is_recovered:
            continue
        with disk.open(folder / run.segment) as file:
            entries = entries_of(file, run, first=max(run.first, applied + 1), last=run.last)
            refused = ((entry, _refusal(entry, peek)) for entry in entries)
            found = ((entry, problem) for entry, problem in refused if problem is not None)
            for entry, problem in islice(found, FINDINGS_MAX):
                yield _finding(run, entry, problem)


def _refusal(entry: Entry, peek: Callable[[bytes], Any | None]) -> PayloadError | None:
    """Why etcd cannot apply the entry; `None` when it can."""
    payload = entry.payload or b""
    try:
        if entry.kind is EntryKind.NORMAL:
            if payload and peek(payload) is None:
                parse(payload)
        elif entry.kind is EntryKind.CONF_CHANGE:
            decode_conf_change(payload, entry.kind)
        else:
            return PayloadError(NO_KIND)
    except PayloadError as error:
        return error
    return None


def _finding(run: Run, entry: Entry, problem: PayloadError) -> Finding:
    size = len(entry.payload or b"")
    place = Place(segment=run.segment, index=entry.index, term=entry.term)
    whole = f"The record of entry {entry.index} is whole, but its payload ({size:,} bytes)"
    if isinstance(problem, PayloadLimitError):
        return Finding(
            code=Code.PAYLOAD_UNDECODABLE,
            severity=Severity.INFO,
            place=place,
            detail=f"{whole} is beyond what walctl reads: {problem.message}.",
            consequence="not known: etcd has no such bound",
        )
    return Finding(
        code=Code.PAYLOAD_UNDECODABLE,
        severity=Severity.DAMAGE,
        place=place,
        detail=f"{whole} is no request of etcd: {problem.message}.",
        consequence="3.4–3.7: a start panics when it applies the entry",
    )

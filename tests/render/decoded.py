"""Rows as dump has them: of real logs, with their raw bytes; for tests only."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.render.drawing import DISK
from walctl.datadir.layout import understand
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import RAW_BYTES_MAX, FindingRow, RecordRow, Row
from walctl.inspect.select import Selection, rows, undecodable
from walctl.model.record import Check, Entry, EntryKind, Frame, Record, Span
from walctl.payload.base import Decoder, PayloadError, Request
from walctl.payload.etcd import EtcdDecoder


def rows_with_bytes(member: Path) -> Iterator[Row]:
    """Every row of a member, its bytes held against those of the file."""
    layout = understand(DISK, member)
    assert layout.wal_dir is not None
    for row in rows(DISK, layout, survey_of(DISK, layout, depth=ONE_PROCESS), Selection()):
        if isinstance(row, RecordRow):
            span = row.frame.span
            raw = _bytes(layout.wal_dir / row.frame.segment, span.start, span.stop)
            assert row.raw == raw
            yield row
            continue
        place = row.finding.place
        start, stop = place.offset, row.finding.stop
        if place.segment is None or start is None or stop is None:
            yield row
            continue
        stop = min(stop, start + RAW_BYTES_MAX)
        whole = _bytes(layout.wal_dir / place.segment, start, stop)
        assert row.raw in (b"", whole)  # none where a record beside it has them
        yield row


def decoded_rows(member: Path, decoder: Decoder | None = None) -> Iterator[Row]:
    """Every row of a member, decoded; what cannot be is damage behind its record, as in dump."""
    decoder = EtcdDecoder() if decoder is None else decoder
    for row in rows_with_bytes(member):
        record = row.frame.record if isinstance(row, RecordRow) else None
        if not isinstance(row, RecordRow) or not isinstance(record, Entry) or not record.payload:
            yield row
            continue
        try:
            yield replace(row, request=decoder.decode(record.payload, record.kind))
        except PayloadError as problem:
            yield replace(row, problem=problem)
            yield FindingRow(finding=undecodable(row.frame, problem), raw=row.raw)


def _bytes(path: Path, start: int, stop: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(stop - start)


def entry_row(
    payload: bytes | None,
    *,
    request: Request | None = None,
    problem: PayloadError | None = None,
    status: str | None = "committed",
) -> RecordRow:
    """An entry at index 7 of term 2, made here."""
    entry = Entry(index=7, term=2, kind=EntryKind.NORMAL, raw_kind=0, payload=payload)
    return replace(made_row(entry), request=request, problem=problem, status=status)


def made_row(record: Record, *, check: Check = Check.VERIFIED) -> RecordRow:
    """A record at `0.wal:80`, made here; it has no bytes."""
    frame = Frame(
        segment="0.wal",
        span=Span(80, 120),
        payload=None,
        record=record,
        check=check,
        stored=0x1A,
        computed=0x2B if check is Check.FAILED else 0x1A,
    )
    return RecordRow(frame=frame)

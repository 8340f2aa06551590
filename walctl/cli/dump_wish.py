"""What the options of dump come to: a choice of rows, their order, and how they look."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from formats.k8s import OBJECT_STARTS
from walctl.cli.dump_decoder import (
    close,
    decoder_of,
    is_of_process,
    object_root,
    reads_requests_of_etcd,
)
from walctl.cli.dump_options import DumpOptions
from walctl.datadir.layout import Layout
from walctl.errors import AccessError, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.dumping import Order
from walctl.inspect.filter_words import (
    parse_grep,
    parse_key,
    parse_request_id,
    parse_statuses,
    parse_terms,
    parse_types,
)
from walctl.inspect.filters import Filter
from walctl.inspect.flow import Flow
from walctl.inspect.payload_files import PayloadFiles, payload_files
from walctl.inspect.positions import Bounds, Position, bounds_of
from walctl.inspect.select import Choice
from walctl.payload.base import Decoder, Redaction
from walctl.render.dump_view import CSV, DUMP_LOGS, HEX, Look
from walctl.render.screen import Output
from walctl.snap.reader import read_snap

if TYPE_CHECKING:  # who sets no condition need not wait for its language
    from walctl.inspect.where import Where

OF_ONE_LOG = (CSV, HEX, DUMP_LOGS)
"""Forms that do not say which of several logs a row is of."""
OF_DUMP_LOGS = {
    "wal_dir": None,
    "snap_dir": None,
    "start": None,
    "stream_decoder": None,
    "redact": "auth",
    "jobs": None,
}
"""Options that go with `-o dump-logs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is shown of one log. `jobs` processes may draw it; `files` takes the payloads."""

    choice: Choice
    order: Order
    decoder: Decoder
    jobs: int
    files: PayloadFiles | None

    def close(self) -> None:
        """End the program that reads payloads, where there is one."""
        close(self.decoder)

    @property
    def is_plain(self) -> bool:
        """Whether the log may be drawn item by item, in any process."""
        return self.order.is_plain and self.files is None


def wish_of(disk: FileSystem, layout: Layout, flow: Flow, options: DumpOptions) -> Wish:
    """The wish for one log. Raises: UsageError; AccessError; DecoderError."""
    assert layout.wal_dir is not None, "who has no log has no wish"
    redaction = Redaction(options.redact)
    decoder = decoder_of(disk, options, is_etcds=flow.is_etcds)
    bounds = bounds_of(flow, options.start, options.end)
    if options.from_snapshot is not None:
        bounds = _from_snapshot(disk, options.from_snapshot, bounds)
    choice = Choice(
        disk=disk,
        folder=layout.wal_dir,
        bounds=bounds,
        filter=_filter(options, decoder),
        decoder=_guarded(decoder, redaction, is_etcds=flow.is_etcds),
        redaction=redaction,
    )
    if options.context is not None and not options.damage_only:
        raise UsageError("-C goes with --damage-only")
    if options.damage_only and (options.tail is not None or options.reverse):
        raise UsageError("--damage-only shows damage where it stands: no --tail, no --reverse")
    files = None
    if options.save_payloads is not None:
        files = payload_files(disk, options.save_payloads, layout, redaction=redaction)
    return Wish(
        choice=choice,
        order=Order(
            limit=options.limit,
            tail=options.tail,
            context=(options.context or 0) if options.damage_only else None,
            is_reversed=options.reverse,
        ),
        decoder=decoder,
        jobs=1 if is_of_process(options) else options.jobs,
        files=files,
    )


def look_of(options: DumpOptions, wish: Wish, *, path: Path | None) -> Look:
    """How the rows look; `path` where there are several logs."""
    root = object_root(wish.decoder)
    return Look(
        has_hexdump=options.hexdump,
        has_layout=options.explain,
        template=options.template,
        is_full=options.full,
        has_puts=reads_requests_of_etcd(wish.decoder),
        special=() if root is None else OBJECT_STARTS,
        object_root=root,
        path=path,
    )


def demand_fitting(output: str, options: DumpOptions, *, is_alone: bool) -> None:
    """Refuse what does not go together, before anything is read. Raises: UsageError."""
    if not is_alone and (output in OF_ONE_LOG or options.follow or options.save_payloads):
        raise UsageError(
            "several logs go with -o text, json and ndjson only, not with --follow or"
            " --save-payloads"
        )
    if options.follow:
        if output not in (Output.TEXT, Output.NDJSON):
            raise UsageError(f"--follow has no end, so it goes with text and ndjson, not {output}")
        _refuse(options, "--follow", "limit", "reverse", "end", "damage_only", "hexdump", "explain")
        _refuse(options, "--follow", "template", "save_payloads", "from_snapshot")
    if output == DUMP_LOGS:
        given = [name for name in DumpOptions.__dataclass_fields__ if name not in OF_DUMP_LOGS]
        _refuse(options, "-o dump-logs", *given)


def _refuse(options: DumpOptions, what: str, *names: str) -> None:
    for name in names:
        if getattr(options, name) not in (None, ()) and getattr(options, name) is not False:
            shown = {"types": "type", "terms": "term", "statuses": "status", "keys": "key"}
            shown |= {"prefixes": "prefix", "request_ids": "request-id"}
            word = shown.get(name, name).replace("_", "-")
            raise UsageError(f"{what} and --{word} do not go together")


def _guarded(decoder: Decoder, redaction: Redaction, *, is_etcds: bool) -> Decoder:
    """The same reader, but nothing secret of etcd's for one that does not know it for a secret."""
    if redaction is Redaction.NONE or not is_etcds or reads_requests_of_etcd(decoder):
        return decoder
    from walctl.payload.guarded import GuardedDecoder

    return GuardedDecoder(decoder)


def _filter(options: DumpOptions, decoder: Decoder) -> Filter:
    is_etcds = reads_requests_of_etcd(decoder)
    types = parse_types(options.types, is_open=not is_etcds)
    return Filter(
        types=types.records,
        request_types=types.requests,
        terms=parse_terms(options.terms),
        statuses=parse_statuses(options.statuses),
        keys=tuple(map(parse_key, options.keys)),
        prefixes=tuple(map(parse_key, options.prefixes)),
        request_ids=frozenset(map(parse_request_id, options.request_ids)),
        grep=None if options.grep is None else parse_grep(options.grep),
        where=None if options.where is None else _where(options.where),
        damage_only=options.damage_only,
        payloads_are_etcds=is_etcds,
    )


def _where(text: str) -> "Where":
    from walctl.inspect.where import parse_where

    return parse_where(text)


def _from_snapshot(disk: FileSystem, path: Path, bounds: Bounds) -> Bounds:
    """The same part of the log, but not before the index of a snapshot file."""
    if bounds.start is not None:
        raise UsageError("--from-snapshot and --start both say where to begin")
    snap = read_snap(disk, path)
    if not snap.is_usable or snap.index is None:
        why = "it has no index" if snap.problem is None else snap.problem.detail
        raise AccessError(f"{path}: no snapshot to begin at: {why}")
    return Bounds(start=Position(index=snap.index), stop=bounds.stop, order=bounds.order)

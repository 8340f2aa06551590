"""`walctl dump`: the records of a log, one by one."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from walctl.cli.dump_options import (
    DumpOptions,
    how_they_look,
    what_they_say,
    which_records,
    who_reads_them,
)
from walctl.cli.dump_wish import Wish, demand_fitting, look_of, wish_of
from walctl.cli.interrupts import held_interrupts
from walctl.cli.options import (
    jobs,
    output,
    pass_open_disk,
    pass_screen,
    paths_or_none,
    quiet,
    split_layout,
)
from walctl.datadir.layout import Layout, understand_all
from walctl.errors import AccessError, ExitStatus, UnsupportedError, UsageError, WalctlError
from walctl.fs.base import FileSystem
from walctl.inspect.dumping import chosen_events, ordered
from walctl.inspect.filter_words import list_types, split_words
from walctl.inspect.flow import Flow
from walctl.inspect.reading import Depth, flow_of
from walctl.payload.base import Redaction
from walctl.render import dump as render
from walctl.render import dump_payloads
from walctl.render.dump_show import Sheet, View
from walctl.render.dump_view import CSV, DUMP_LOGS, HEX, columns_of, view_of
from walctl.render.screen import Screen

FOLLOW_SECONDS = 0.2
"""How long following waits before it looks again."""


@click.command("dump", short_help="Print the records of a log.")
@paths_or_none
@split_layout
@which_records
@what_they_say
@how_they_look
@who_reads_them
@jobs
@output("text", "ndjson", "json", CSV, HEX, DUMP_LOGS)
@quiet
@pass_open_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context, screen: Screen, disk: FileSystem, /, paths: tuple[Path, ...], **given: Any
) -> None:
    """Print the records of the log in PATH, in the order of the file, damage in its place.

    Each record comes with its offset, its stored checksum and what is known of it (verified,
    implied, unverifiable, failed); each entry with what it asks for and its status: committed,
    uncommitted, or overwritten by a later leader. What a record that is no entry stands at is the
    index of the entry before it. Conditions have to hold all; damage is shown in its place
    whatever they say. Exits 0 also when there is damage: to judge is the business of verify.

    \b
    Examples:
      walctl dump default.etcd -s snap
      walctl dump default.etcd -s 231 -e 240 -r entry
      walctl dump default.etcd --key /app/config -r put --tail 10
      walctl dump default.etcd --where 'size > 100000 and status == "committed"'
      walctl dump default.etcd --damage-only -C 3
      walctl dump default.etcd -s 0000000000000000-0000000000000000.wal:130536 -n 1 --explain
      walctl dump default.etcd -f --prefix /registry/pods/
      walctl dump default.etcd -o ndjson | jq -r '.request.put.key.text // empty'
    """
    options = DumpOptions(**given)
    if "list" in split_words(options.types):
        render.types(screen, list_types())
        return
    if not paths:
        raise click.MissingParameter(param_hint="PATH...", param_type="argument", ctx=ctx)
    found = list(_logs_in(disk, paths, options))
    is_alone = len(found) == 1
    demand_fitting(screen.output, options, is_alone=is_alone)
    sheet = Sheet(screen, shield=held_interrupts)
    status = ExitStatus.CLEAN
    for each in found:
        try:
            if isinstance(each, WalctlError):
                raise each
            _dump(sheet, disk, each, options, is_alone=is_alone)
        except (AccessError, UnsupportedError) as error:
            if is_alone:
                raise
            screen.error(error.message)
            status = error.exit_status
    sheet.end()
    ctx.exit(status)


def _logs_in(
    disk: FileSystem, paths: tuple[Path, ...], options: DumpOptions
) -> Iterator[Layout | AccessError | UnsupportedError]:
    """Each log that is meant; for a path that holds none, why."""
    for path in paths:
        try:
            yield from understand_all(
                disk, path, wal_dir=options.wal_dir, snap_dir=options.snap_dir
            )
        except (AccessError, UnsupportedError) as error:
            yield error


def _dump(
    sheet: Sheet, disk: FileSystem, layout: Layout, options: DumpOptions, *, is_alone: bool
) -> None:
    """One log, as the options want it."""
    if layout.wal_dir is None:
        raise UnsupportedError(f"{layout.path}: {layout.shape}, which holds no log")
    screen = sheet.screen
    with screen.progress(f"reading {layout.path}") as step:
        flow = flow_of(disk, layout, depth=Depth(jobs=options.jobs, on_segment=step))
        if screen.output == DUMP_LOGS:
            _dump_logs(screen, disk, layout, flow, options)
            return
        with closing(wish_of(disk, layout, flow, options)) as wish:
            if options.follow:
                _follow(screen, disk, layout, wish, options)
                return
            look = look_of(options, wish, path=None if is_alone else layout.path)
            _show(sheet, flow, wish, view_of(screen, wish.choice, look))


def _show(sheet: Sheet, flow: Flow, wish: Wish, view: View) -> None:
    """The log as it is now."""
    before = sheet.count
    if wish.is_plain:
        sheet.items(flow.items(), view, jobs=wish.jobs)
    else:
        rows = ordered(flow.items(), wish.choice, wish.order)
        sheet.rows(rows if wish.files is None else wish.files.passing(rows), view)
    if wish.files is not None:
        dump_payloads.told(sheet.screen, wish.files)
    if sheet.count == before:
        render.nothing(sheet.screen, flow.survey.log, wish.order, wish.choice.filter)


def _follow(
    screen: Screen, disk: FileSystem, layout: Layout, wish: Wish, options: DumpOptions
) -> None:
    """The log as it grows, until Ctrl-C: then all is said, and the status is 0."""
    from walctl.inspect.follow import LAST_RECORDS, follow
    from walctl.render import follow as render_follow

    def wait() -> bool:
        screen.flush()
        time.sleep(FOLLOW_SECONDS)
        return True

    has_start = options.start is not None
    last = options.tail if options.tail is not None else None if has_start else LAST_RECORDS
    items = follow(disk, layout, wait=wait, last=last, decoder=wish.choice.decoder)
    try:
        render_follow.show(
            screen,
            chosen_events(items, wish.choice),
            redaction=wish.choice.redaction,
            columns_max=columns_of(screen, is_full=options.full),
        )
    except KeyboardInterrupt:
        screen.flush()


def _dump_logs(
    screen: Screen, disk: FileSystem, layout: Layout, flow: Flow, options: DumpOptions
) -> None:
    """What etcd-dump-logs prints."""
    from walctl.payload.external import StreamDecoder
    from walctl.payload.process import split_command
    from walctl.render import dump_logs

    start = options.start
    if start is not None and not start.isdecimal():
        raise UsageError(f"-o dump-logs takes an index as --start, and {start} is none")
    program = None
    if options.stream_decoder is not None:
        program = StreamDecoder(split_command(options.stream_decoder))
    with closing(program or _Nothing()):
        dump_logs.show(
            screen,
            disk,
            layout,
            flow.survey,
            start_index=None if start is None else int(start),
            redaction=Redaction(options.redact),
            stream_decoder=None if program is None else program.answer,
        )


class _Nothing:
    """Nothing to close."""

    def close(self) -> None:
        """Nothing to do."""

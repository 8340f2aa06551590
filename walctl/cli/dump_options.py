"""The options of `walctl dump`, by what they are about, and what they were given as one value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from walctl.cli.options import PATH

ROWS_MAX = 10**15
"""Rows that can be asked for: more than any disk holds."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpOptions:
    """What the command line said, word by word; nothing is understood yet."""

    wal_dir: Path | None
    snap_dir: Path | None
    start: str | None
    end: str | None
    from_snapshot: Path | None
    limit: int | None
    tail: int | None
    reverse: bool
    follow: bool
    types: tuple[str, ...]
    terms: tuple[str, ...]
    statuses: tuple[str, ...]
    keys: tuple[str, ...]
    prefixes: tuple[str, ...]
    request_ids: tuple[str, ...]
    grep: str | None
    where: str | None
    damage_only: bool
    context: int | None
    hexdump: bool
    explain: bool
    template: str | None
    full: bool
    save_payloads: Path | None
    decoder: str | None
    proto: str | None
    decoder_cmd: str | None
    stream_decoder: str | None
    redact: str
    jobs: int


def which_records(function: F) -> F:
    """Options that choose a part of the log: positions and numbers of rows."""
    return _all(
        click.option(
            "-s",
            "--start",
            metavar="POSITION",
            help="First record: an index, `@TERM`, `first`, `last`, `commit`, `snap` (the snapshot "
            "that etcd would take), each also with a distance as in `last-100`, or SEGMENT:OFFSET.",
        ),
        click.option(
            "-e",
            "--end",
            metavar="POSITION",
            help="Last record: as --start; the record is included.",
        ),
        click.option(
            "--from-snapshot",
            type=PATH,
            metavar="FILE",
            help="Begin at the snapshot in this .snap file.",
        ),
        click.option(
            "-n", "--limit", type=click.IntRange(0, ROWS_MAX), metavar="N", help="At most N rows."
        ),
        click.option(
            "--tail",
            type=click.IntRange(0, ROWS_MAX),
            metavar="N",
            help="Only the last N rows that match.",
        ),
        click.option("--reverse", is_flag=True, help="The last row first."),
        click.option(
            "-f",
            "--follow",
            is_flag=True,
            help="Go on as the server writes, after the last rows (--tail, by default 10). Ctrl-C "
            "ends it, with status 0.",
        ),
    )(function)


def what_they_say(function: F) -> F:
    """Options that choose records by what they hold; all have to hold."""
    return _all(
        click.option(
            "-r",
            "--type",
            "types",
            multiple=True,
            metavar="TYPE,…",
            help="Only these types of record (entry, state, …) or request (put, txn, …); "
            "`-r list` shows them all.",
        ),
        click.option(
            "--term",
            "terms",
            multiple=True,
            metavar="TERM,…",
            help="Only these terms: `3`, `2-4`, `5-`.",
        ),
        click.option(
            "--status",
            "statuses",
            multiple=True,
            metavar="STATUS,…",
            help="Only entries that are committed, uncommitted, overwritten or unknown.",
        ),
        click.option(
            "--key",
            "keys",
            multiple=True,
            metavar="KEY",
            help="Only requests that touch this key, also in a range or a transaction; `hex:…` "
            "and `base64:…` for bytes.",
        ),
        click.option(
            "--prefix",
            "prefixes",
            multiple=True,
            metavar="KEY",
            help="Only requests that touch a key that begins so.",
        ),
        click.option(
            "--request-id",
            "request_ids",
            multiple=True,
            metavar="ID",
            help="Only the request with this id, in hex as dump prints it.",
        ),
        click.option(
            "--grep",
            metavar="REGEX",
            help="Only records whose payload holds a match of this regular expression.",
        ),
        click.option(
            "--where",
            metavar="EXPR",
            help="Only rows for which this holds, over the fields of -o json: "
            "`size > 1000 and request.put.key ~ '^/a/'`; see walctl(7).",
        ),
        click.option("--damage-only", is_flag=True, help="Only damage, with -C rows around it."),
        click.option(
            "-C",
            "--context",
            type=click.IntRange(0, ROWS_MAX),
            metavar="N",
            help="Rows in front of and behind damage, with --damage-only.",
        ),
    )(function)


def how_they_look(function: F) -> F:
    """Options that choose a view."""
    return _all(
        click.option("-x", "--hexdump", is_flag=True, help="The bytes below each record."),
        click.option(
            "--explain",
            is_flag=True,
            help="Below each record its bytes, with the field that they belong to and its meaning.",
        ),
        click.option(
            "--template",
            metavar="TEXT",
            help="A line for each record in this form: `{index} {term} {request.put.key}`.",
        ),
        click.option("--full", is_flag=True, help="Cut no value short."),
        click.option(
            "--save-payloads",
            type=PATH,
            metavar="DIR",
            help="Save each payload that is shown as a file in DIR, which must be new or empty.",
        ),
    )(function)


def who_reads_them(function: F) -> F:
    """Options that choose a decoder, and what is hidden."""
    return _all(
        click.option(
            "--decoder",
            metavar="NAME",
            help="Who reads payloads: auto (the default), etcd, k8s, raftexample, none, or one "
            "that a package brings; see walctl-decoders(7).",
        ),
        click.option(
            "--proto",
            metavar="FILE:MESSAGE",
            help="Payloads are this protobuf message of a descriptor set (protoc "
            "--descriptor_set_out).",
        ),
        click.option(
            "--decoder-cmd",
            metavar="COMMAND",
            help="A program reads payloads: a line of JSON each way.",
        ),
        click.option(
            "--stream-decoder",
            metavar="COMMAND",
            help="A program reads payloads by the protocol of etcd-dump-logs.",
        ),
        redact,
    )(function)


def redact(function: F) -> F:
    """`--redact`, as `redact: str`: what is hidden."""
    return click.option(
        "--redact",
        type=click.Choice(["auth", "values", "keys", "all", "none"]),
        default="auth",
        show_default=True,
        help="Hide passwords, hashes and tokens (auth); also values; also keys; also names and "
        "addresses (all); or nothing.",
    )(function)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order in which `--help` shows them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate

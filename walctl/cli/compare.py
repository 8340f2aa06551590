"""`walctl compare`: several members of one cluster held against each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from walctl.cli.interrupts import held_interrupts
from walctl.cli.options import PATH, jobs, output, pass_judged_disk, pass_screen, quiet
from walctl.errors import AccessError, UsageError
from walctl.fs.above import lies_within
from walctl.fs.base import FileSystem
from walctl.inspect.compare import Compared, compare
from walctl.inspect.reading import Depth
from walctl.render import compare as render
from walctl.render.screen import Screen


@click.command("compare", short_help="Hold the members of a cluster against each other.")
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="DIR DIR...")
@click.option(
    "--html",
    type=PATH,
    metavar="FILE",
    help="Draw the map of members and indexes into this new file: a page that needs nothing else.",
)
@click.option(
    "--svg",
    type=PATH,
    metavar="FILE",
    help="Draw the map alone into this new file.",
)
@jobs
@output("text", "json", "ndjson")
@quiet
@pass_judged_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    paths: tuple[Path, ...],
    html: Path | None,
    svg: Path | None,
    jobs: int,
) -> None:
    """Say how the members in two directories or more stand to each other: whether they are of one
    cluster, who has which entries, from where on they part, what a majority of the voters holds,
    which copy is the newest safe one, who may be wiped and who must not.

    Every DIR is checked as verify does; damaged ones may be among them, and old copies. Entries are
    compared by term, type and content, key spaces by etcd's HashKV at the highest revision that all
    have. The voters are those of the newest membership that any log names: one whose directory is
    not given counts as holding nothing. An uncommitted tail that a leader will replace is no
    damage; what Raft never allows is `diverged-committed`, or `diverged-tail` above all commits.

    Takes no lock and changes no byte of DIR. Exits 0 when nothing contradicts, 3 when all there is
    is harmless, 1 on damage or a difference, 4 when a DIR could not be read.

    \b
    Examples:
      walctl compare n1 n2 n3
      walctl compare n1.etcd n2.etcd n3.etcd --html map.html
      walctl compare -o json n1 n2 n3

    \b
    Keys of -o json (ids are hex strings; a range is [first, last]):
      cluster_id, verdict, newest_safe, stopped_at
      members[]: name, path, error, understood_as, compared, node_id,
        cluster_id, verdict, damage, first_index, last_index, hard_state,
        committed, holds_to, applied_index, revision, compact_revision, hash,
        hash_problem, standing, words, may_be_replaced, why, next
      quorum: voters, source, needed, present[] (node_id, member), absent,
        held_to, held, committed_to, committed_by, possible_to, written_to,
        lost, short
      first_divergence, divergences[]: first, last, code, severity, committed,
        same_term, allowed, differs_at, variants[] (term, members, type, size,
        wins)
      sections[]: first, last, kind (equal, differs, one, none), cells[]
        (member, holds: entry, snapshot, damaged, missing, beyond; term,
        variant)
      terms[]: term, first, last, members, leaders, ballots[] (member, votes,
        commit_first, commit_last)
      hash: revision, compacted, equal, parts_at
      findings[]: members, and the fields of a finding
    """
    wanted = [each for each in (html, svg) if each is not None]
    _demand_new(disk, wanted, paths)

    @contextmanager
    def depth_for(path: Path) -> Iterator[Depth]:
        with screen.progress(f"reading {path}") as step:
            yield Depth(jobs=jobs, on_segment=step, shield=held_interrupts)

    with screen.progress("comparing entries") as step:
        found = compare(disk, paths, depth_for=depth_for, step=step)
    if wanted:
        _draw(disk, screen, found, html=html, svg=svg)
    screen.show(found, text=render.screenful, document=render.document)
    for each in render.errors([given.report for given in found.given]):
        screen.error(each)
    ctx.exit(found.exit_status)


def _draw(
    disk: FileSystem, screen: Screen, found: Compared, *, html: Path | None, svg: Path | None
) -> None:
    """Write the pictures that were asked for."""
    from walctl.render import compare_picture as picture

    for path, draw in ((html, picture.html), (svg, picture.svg)):
        if path is not None:
            disk.create(path, draw(found).encode("utf-8"))
            screen.note(f"drawn: {path}")


def _demand_new(disk: FileSystem, wanted: list[Path], paths: tuple[Path, ...]) -> None:
    """Nothing is written over, and nothing goes into a directory that is compared.

    Raises: AccessError, UsageError; before anything was read.
    """
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"{wanted[0]}: one file for --html and --svg")
    for each in wanted:
        if disk.exists(each):
            raise AccessError(f"{each}: there is such a file; nothing is ever written over")
        for path in paths:
            if lies_within(disk, each, path):
                raise UsageError(f"{each}: expected a file outside of {path}, which is only read")

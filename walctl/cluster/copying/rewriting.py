"""One member's copy with other addresses, from an original whose log is whole.

Where etcd would cut the end of the log when it starts, that is done here: what lies behind could
not be written anew, since nobody can read it. A log that is hurt in any other way is not touched:
a new chain of checksums over it would hide what is wrong. Files that no start reads are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from formats.errors import FormatError
from formats.limits import SNAP_FILE_BYTES_MAX
from walctl.backend.pages import PageError
from walctl.backend.schema import read_witness
from walctl.cluster.copying.addresses import Book
from walctl.cluster.copying.files import SNAP, WAL, files_of, read_by_etcd, write_file
from walctl.cluster.copying.readdress import database_blocks, readdressed_snap, segment_blocks
from walctl.datadir.boot import Boot
from walctl.datadir.chain import Segment
from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.errors import UnsupportedError
from walctl.fs.base import FileSystem
from walctl.fs.blocks import gathered
from walctl.fs.writable import WritableFileSystem
from walctl.snap.names import NameKind, classify
from walctl.snap.reader import SnapFile

WAY_OUT = "--net ns starts it as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a copy: names that were left out, and where its log was cut (`None`: not)."""

    left_out: tuple[str, ...] = ()
    cut: tuple[str, int] | None = None


def demand_whole(survey: Survey, boot: Boot | None) -> None:
    """Raise UnsupportedError where the log cannot be written anew.

    `boot` is what a start by etcd would do, `None` where it is none of etcd's.
    """
    path = survey.layout.path
    cut = _cut(boot)
    if survey.misplaced:
        raise UnsupportedError(
            f"{path}: segment {survey.misplaced[0].name.text} has another's name; {WAY_OUT}"
        )
    before: Segment | None = None
    for segment in survey.segments:
        digest, name = segment.digest, segment.name.text
        for damage in digest.damages:
            if cut is None or cut[0] != name or damage.start < cut[1]:
                raise UnsupportedError(
                    f"{path}: its log is hurt at {name}:{damage.start}, and only a whole one is"
                    f" written anew; {WAY_OUT}"
                )
        is_joined = before is None or before.digest.last_crc == digest.head_crc
        if not digest.has_head or not is_joined:
            raise UnsupportedError(
                f"{path}: {name} does not go on from the segment in front; {WAY_OUT}"
            )
        before = segment
    if survey.database_problem is not None and not survey.database_is_empty:
        raise UnsupportedError(f"{path}: its database does not read; {WAY_OUT}")


def rewritten_member(
    disk: WritableFileSystem, survey: Survey, boot: Boot | None, target: Path, book: Book
) -> Written:
    """Write the copy into the folders `wal` and `snap` below `target`, which are there.

    Raises: UnsupportedError, when it cannot be; AccessError.
    """
    layout = survey.layout
    cut = _cut(boot)
    _write_log(disk, survey, cut, target / WAL, book)
    files = files_of(disk, layout)
    wanted = read_by_etcd(files)
    usable = {each.name: each for each in survey.snaps if each.is_usable}
    left_out = sorted(files.keys() - wanted)
    for each in sorted(wanted):
        part, _, name = each.partition("/")
        if part != SNAP:
            continue
        if classify(name) is not NameKind.SNAP:
            _write_database(disk, files[each], target / SNAP / name, book)
        elif name in usable:
            data = _snap(disk, files[each], usable[name], book)
            write_file(disk, target / SNAP / name, [data])
        else:
            left_out.append(each)
    return Written(left_out=tuple(left_out), cut=cut)


def addresses_met(disk: FileSystem, layout: Layout, survey: Survey, homes: Book) -> frozenset[str]:
    """Every URL that writing this member anew comes by; nothing is written.

    Raises: UnsupportedError, AccessError.
    """
    book = Book(homes=dict(homes.homes))
    for _ in _log_blocks(disk, survey, None, book):
        pass
    files = files_of(disk, layout)
    usable = {each.name: each for each in survey.snaps if each.is_usable}
    for each, path in files.items():
        part, _, name = each.partition("/")
        if part == SNAP and name in usable:
            _snap(disk, path, usable[name], book)
    witness = survey.database
    for member in () if witness is None else witness.members:
        book.met.update((*member.peer_urls, *member.client_urls))
    return frozenset(book.met)


def _cut(boot: Boot | None) -> tuple[str, int] | None:
    if boot is None or boot.repair is None or boot.repair.cut_to is None:
        return None
    return boot.repair.segment or "", boot.repair.cut_to


def _write_log(
    disk: WritableFileSystem, survey: Survey, cut: tuple[str, int] | None, folder: Path, book: Book
) -> None:
    sizes = {each.name.text: each.digest for each in survey.segments}
    for name, blocks in _segments(disk, survey, cut, book):
        digest = sizes[name]
        # Room that was reserved stays; a sealed segment ends with its last frame.
        is_reserved = digest.size > digest.end or cut is not None
        size = digest.size if is_reserved else None
        write_file(disk, folder / name, gathered(blocks), size=size)


def _log_blocks(
    disk: FileSystem, survey: Survey, cut: tuple[str, int] | None, book: Book
) -> Iterator[bytes]:
    for _, blocks in _segments(disk, survey, cut, book):
        yield from blocks


def _segments(
    disk: FileSystem, survey: Survey, cut: tuple[str, int] | None, book: Book
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The segments in order, each to be read to its end before the next one is asked for."""
    folder = survey.layout.wal_dir
    assert folder is not None, "a member has a log"
    running = survey.segments[0].digest.head_crc or 0

    def blocks(segment: Segment) -> Iterator[bytes]:
        nonlocal running
        name, stop = segment.name.text, segment.digest.end
        if cut is not None and cut[0] == name:
            stop = cut[1]
        with disk.open(folder / name) as file:
            for block, after in segment_blocks(file, stop, seed=running, book=book):
                running = after
                yield block

    for segment in survey.segments:
        yield segment.name.text, blocks(segment)


def _write_database(disk: WritableFileSystem, source: Path, target: Path, book: Book) -> None:
    if disk.stat(source).size == 0:
        write_file(disk, target, [])
        return
    try:
        witness = read_witness(disk, source)
        with disk.open(source) as file:
            write_file(disk, target, database_blocks(file, witness, book))
    except PageError as error:
        raise UnsupportedError(
            f"{source}:{error.offset}: {error.reason}; only a database that reads is written anew;"
            f" {WAY_OUT}"
        ) from error


def _snap(disk: FileSystem, path: Path, known: SnapFile, book: Book) -> bytes:
    with disk.open(path) as file:
        data = file.read_at(0, SNAP_FILE_BYTES_MAX)
    try:
        return readdressed_snap(data, book)
    except FormatError as error:
        raise UnsupportedError(f"{path}: {known.index}: {error.message}; {WAY_OUT}") from error

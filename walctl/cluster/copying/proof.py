"""That nothing in copies which were written anew leads out of the lab; whoever fails is refused.

    every byte      no file holds host and port of any address that was there before
    every witness   log, snapshot and database name members with the lab's URLs alone
    every request   written anew once more, nothing of it is met that is not the lab's

A key or value of a client may hold such an address by chance, or because the cluster stores where
it is: etcd would never dial it, but nobody here can tell that from one that it would.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from walctl.cluster.copying.addresses import Book, place_of
from walctl.cluster.copying.files import files_of
from walctl.datadir.survey import Survey
from walctl.errors import RefusedError
from walctl.fs.base import FileSystem
from walctl.inspect.membership import membership

WINDOW_BYTES = 4 << 20
_BEFORE = re.compile(rb"[0-9A-Za-z.\-]\Z")
_BEHIND = re.compile(rb"[0-9]")
"""What makes a host and a port part of other ones."""
WAY_OUT = "use --net ns, where nothing but the lab can be reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """An address that was there before, at a byte of a file."""

    path: Path
    offset: int
    place: str


def leaks(disk: FileSystem, paths: Iterable[Path], places: Sequence[str]) -> Iterator[Leak]:
    """Every place in these files that holds host and port of one of `places`."""
    needles = sorted({place.encode() for place in places if place})
    overlap = max(map(len, needles), default=0) + 1
    for path in paths:
        with disk.open(path) as file:
            size = file.stat().size
            for start, stop in file.data_ranges(0, size):
                for offset in range(start, stop, WINDOW_BYTES):
                    # One byte in front, and behind the window as much as an address takes.
                    low = max(0, offset - 1)
                    wanted = min(WINDOW_BYTES + overlap, stop - offset) + offset - low
                    data = file.read_at(low, wanted)
                    for at, needle in _found(data, needles):
                        if not offset <= low + at < offset + WINDOW_BYTES:
                            continue  # the window beside has it too
                        yield Leak(path=path, offset=low + at, place=needle.decode())


def _found(data: bytes, needles: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    for needle in needles:
        at = data.find(needle)
        while at >= 0:
            stop = at + len(needle)
            if not _BEFORE.search(data[max(0, at - 1) : at]) and not _BEHIND.match(data, stop):
                yield at, needle
            at = data.find(needle, at + 1)


def prove(disk: FileSystem, survey: Survey, book: Book, old: Iterable[str]) -> None:
    """Raise RefusedError where anything in this copy leads to one of the `old` URLs, or to any that
    is not of the lab."""
    places = [place_of(url) for url in old]
    for leak in leaks(disk, files_of(disk, survey.layout).values(), places):
        raise RefusedError(
            f"{leak.path}:{leak.offset}: expected no address of before, found {leak.place}: a key"
            f" or value may hold it, and that cannot be told from one that is dialled; {WAY_OUT}"
        )
    lab = book.urls
    for view in membership(survey).views:
        for peer in view.peers:
            for url in (*peer.peer_urls, *peer.client_urls):
                if url not in lab:
                    raise RefusedError(
                        f"{survey.layout.path}: expected the lab's addresses alone, found {url} by"
                        f" the {view.source}, for member {peer.id:x}; {WAY_OUT}"
                    )
    for told in survey.published:
        for url in told.member.client_urls:
            if url not in lab:
                raise RefusedError(
                    f"{survey.layout.path}: entry {told.index} publishes {url}; {WAY_OUT}"
                )


def demand_ours(path: Path, met: Iterable[str], book: Book) -> None:
    """Raise RefusedError where a URL that was met in a copy is not the lab's."""
    for url in sorted(set(met) - book.urls):
        raise RefusedError(f"{path}: expected the lab's addresses alone, found {url}; {WAY_OUT}")

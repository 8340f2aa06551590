"""Lines of files that grow while they are read: what nodes print, and what happens in a lab."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walctl.errors import AccessError
from walctl.fs.base import FileSystem

CHUNK_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Growing:
    """One file that grows, and how far it was read. A file that begins anew is read from there."""

    disk: FileSystem
    path: Path
    offset: int = 0
    inode: int = 0
    rest: bytes = b""

    def lines(self, *, is_final: bool = False) -> Iterator[bytes]:
        """The whole lines that are new, without their ends; with `is_final` the last one too."""
        if not self.disk.exists(self.path):
            return
        try:
            with self.disk.open(self.path) as file:
                found = file.stat()
                if found.inode != self.inode or found.size < self.offset:
                    self.offset, self.inode, self.rest = 0, found.inode, b""
                while data := file.read_at(self.offset, CHUNK_BYTES):
                    self.offset += len(data)
                    *whole, self.rest = (self.rest + data).split(b"\n")
                    yield from whole
        except AccessError:
            if self.disk.exists(self.path):
                raise  # else it has just been given another name
        if is_final and self.rest:
            yield self.rest


def read_on(
    sources: list[tuple[str, Growing]], *, wait: Callable[[], None] | None
) -> Iterator[tuple[str, bytes]]:
    """All lines of some files, each with its file's word; goes on as they grow, after each `wait`.

    `wait` is `None` for those that are there now alone.
    """
    while True:
        for word, source in sources:
            for line in source.lines(is_final=wait is None):
                yield word, line
        if wait is None:
            return
        wait()

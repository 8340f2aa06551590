"""What was done to a file since it was last synced, kept so that it can be taken back.

The disk below has everything; here is what it would have lost. The first change behind a sync
begins it: from then on every page is read before it is written over or cut off, and every change is
written down as `crash` knows changes. So the file can be made to hold what a power cut leaves: what
it held at the sync, with some of the changes done once more.

A sync forgets all of it. Nothing is written here but by `put_back`.
"""

from collections.abc import Sequence

from walctl.fs.contents import PAGE_BYTES, Change, Contents, Resized, Written, pages_of
from walctl.fs.nodes import Plain
from walctl.fs.writable import WritableFile

_READ_PAGES_MAX = 1024


class UnsyncedFile:
    """One inode, by an open file of our own, which outlives its name and those who opened it.

    `openers` counts them; `bytes_kept` is what is remembered; `label` says what kind of file it is.
    """

    def __init__(self, file: WritableFile, *, inode: int, label: str, size: int) -> None:
        self.file = file
        self.label = label
        self.inode = inode
        self.openers = 0
        self.bytes_kept = 0
        self.node = Plain(inode, 0, 0)
        self._size = size
        self._touched: set[int] = set()

    @property
    def is_pending(self) -> bool:
        """Whether anything was done that is not synced."""
        return bool(self.node.changes)

    @property
    def size(self) -> int:
        """How long it is now."""
        return self._size

    def before_write(self, number: int, offset: int, data: bytes) -> None:
        """`data` is about to be put at `offset`, as operation `number`."""
        if not data:
            return
        stop = offset + len(data)
        self._remember(offset, stop)
        if stop > self._size:
            self.node.changes.append(Resized(number, stop, 0))
            self._size = stop
        self.node.changes.append(Written(number, offset, data))
        self.bytes_kept += len(data)

    def before_size(self, number: int, size: int) -> None:
        """It is about to be `size` bytes long, as operation `number`."""
        durable = self._durable()
        for start, stop in list(self.file.data_ranges(size, max(size, durable.size))):
            self._remember(start, stop)
        self.node.changes.append(Resized(number, size, 0))
        self._size = size

    def made(self, number: int, data: bytes) -> None:
        """It was made with `data` in one step; the name is none of our business."""
        self._size = len(data)
        if data:
            self.node.durable = Contents()
            self.node.changes += [Resized(number, len(data), 0), Written(number, 0, data)]
            self._touched.update(range(pages_of(len(data))))
            self.bytes_kept += len(data)

    def settle(self) -> None:
        """All of it is durable."""
        self.node.settle()
        self._touched.clear()
        self.bytes_kept = 0

    def settle_first(self) -> None:
        """The oldest change is durable."""
        change = self.node.changes.pop(0)
        if not self.node.changes:
            self.settle()
            return
        self._durable().redo(change)
        if isinstance(change, Written):
            self.bytes_kept -= len(change.data)

    def put_back(self, kept: Sequence[Change]) -> None:
        """Make the file hold what was synced, and of what was done since then only `kept`.

        That is durable then, as far as we are concerned. Raises: AccessError.
        """
        if not self.is_pending:
            return
        final = self._durable().copy()
        for change in kept:
            final.redo(change)
        if self.file.stat().size > final.size:
            self.file.truncate(final.size)
        for page in sorted(self._touched):
            data = final.read(page * PAGE_BYTES, PAGE_BYTES)
            if data and self.file.read_at(page * PAGE_BYTES, len(data)) != data:
                self.file.write_at(page * PAGE_BYTES, data)
        if self.file.stat().size < final.size:
            self.file.truncate(final.size)
        self._size = final.size
        self.settle()

    def _durable(self) -> Contents:
        if self.node.durable is None:
            self.node.durable = Contents(self._size)
        return self.node.durable

    def _remember(self, start: int, stop: int) -> None:
        """Keep the pages of `[start, stop)` as they were synced, once each."""
        durable = self._durable()
        first = start // PAGE_BYTES
        while first < pages_of(stop):
            if first in self._touched:
                first += 1
                continue
            final = first + 1
            while (
                final < pages_of(stop)
                and final not in self._touched
                and final - first < _READ_PAGES_MAX
            ):
                final += 1
            # What lies behind the size that was synced was nothing, whatever stands there now.
            size = min(final * PAGE_BYTES, durable.size) - first * PAGE_BYTES
            data = self.file.read_at(first * PAGE_BYTES, size) if size > 0 else b""
            durable_size = durable.size
            durable.write(first * PAGE_BYTES, data)
            durable.size = durable_size
            self._touched.update(range(first, final))
            self.bytes_kept += len(data)
            first = final

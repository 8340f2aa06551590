"""The witness of durability: what each log of one disk holds, told from its bytes alone.

It sees every write and sync of the disk (`disk_files.Watch`), and asks no program what it meant by
them. What it knows of a log is two views (`log_bytes.View`): what its bytes say `now`, and what
they would say if the power went now and nothing survived that was not synced (`durable`). A record
is durable once its segment was synced behind it, the segment's name is durable with all the folders
above, and the same is true of every record before it.

Bytes come in order at the end of the last segment; anything else (a truncation, a write elsewhere,
a name that comes or goes) makes it read the log again from the disk.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from walctl.fs.contents import Contents
from walctl.fs.nodes import Plain
from walctl.sim.disk_files import SimFileSystem
from walctl.sim.log_bytes import ENTRY, MARK, STATE, Item, View, read_frames
from walctl.wal.names import in_order


class Listener(Protocol):
    """Who is told what one log says, in the order in which it is written."""

    def wrote_entry(self, index: int, term: int, digest: int) -> None:
        """An entry, with what it is known by (`log_bytes.digest_of`)."""

    def wrote_state(self, term: int, vote: int, commit: int) -> None:
        """A hard state."""

    def wrote_snapshot(self, index: int, term: int) -> None:
        """A snapshot's marker."""

    def synced(self, count: int) -> None:
        """The oldest `count` of what was written and not durable are durable now."""

    def reread(self, waiting: int) -> None:
        """The log was read again: what it says, and what is durable, are the ledger's views, and
        the last `waiting` records of it are not durable."""


@dataclass(slots=True)
class _Segment:
    """One segment: how many of its bytes were seen, of which `tail` are no whole frame yet."""

    node: Plain
    index: int
    is_known: bool
    """Whether its name is durable."""
    seen: int = 0
    tail: bytes = b""
    synced: int = 0


class Ledger:
    """What one log holds; `folder` is where its segments are.

    `is_bad`: what follows the last record was never written by anybody.
    """

    def __init__(self, folder: Path, listener: Listener | None = None) -> None:
        self.folder = folder
        self.listener = listener
        self.now = View()
        self.durable = View()
        self.is_bad = False
        self._segments: list[_Segment] = []
        self._crc = 0
        self._waiting: deque[tuple[Item, _Segment]] = deque()
        self._is_unclear = False
        """Whether something durable reads otherwise now, until the next sync."""

    def inodes(self) -> Iterable[int]:
        """The files that it wants to hear of."""
        return [each.node.inode for each in self._segments]

    def begin(self, disk: SimFileSystem) -> None:
        """Read the log from the disk."""
        self._segments = [
            _Segment(node, index, is_known) for node, index, is_known in self._named(disk)
        ]
        self.now, self._waiting = View(), deque()
        said = self._read_from(0)
        durable = _durable_items(self._segments)
        self.durable = View()
        for item in durable:
            self.durable.add(item)
        self._is_unclear = [item for item, _ in said[: len(durable)]] != durable
        self._waiting.extend(said[len(durable) :] if not self._is_unclear else said)
        if self.listener is not None:
            self.listener.reread(len(self._waiting))

    def records(self, disk: SimFileSystem) -> tuple[list[Item], list[Item]]:
        """What every record says, read anew: those that are durable, and those behind them."""
        anew = Ledger(self.folder)
        anew.begin(disk)
        durable = _durable_items(anew._segments)
        return durable, [item for item, _ in anew._waiting]

    def survived(self) -> View:
        """What the log says, which is all there is after a crash; to be kept."""
        return self.now.copy()

    def written(
        self, inode: int, offset: int, data: bytes | memoryview, disk: SimFileSystem
    ) -> None:
        """Bytes of one of its files."""
        last = self._segments[-1]
        if last.node.inode != inode or last.seen != offset:
            self.begin(disk)
            return
        last.seen += len(data)
        if not self.is_bad:
            self._take(last, last.tail + data)

    def resized(self, inode: int, size: int, disk: SimFileSystem) -> None:
        """A new size of one of its files; bytes that it has seen may be gone."""
        if any(each.node.inode == inode and size < each.seen for each in self._segments):
            self.begin(disk)

    def synced(self, inode: int, disk: SimFileSystem) -> None:
        """One of its files is durable."""
        if self._is_unclear:
            self.begin(disk)
            return
        for each in self._segments:
            if each.node.inode == inode:
                each.synced = each.seen
        self._settle()

    def named(self, disk: SimFileSystem) -> None:
        """Names have changed."""
        found = self._named(disk)
        old = self._segments
        first = next((at for at, each in enumerate(old) if found and each.node is found[0][0]), -1)
        kept = old[first:] if first >= 0 else []
        if (
            not old
            or not kept
            or [each.node for each in kept] != [node for node, _, _ in found[: len(kept)]]
        ):
            if old or found:
                self.begin(disk)
            return
        if first:
            # What is purged is covered by a snapshot.
            self.now.forget_below(kept[0].index)
            self.durable.forget_below(kept[0].index)
        for segment, (_, _, is_known) in zip(kept, found, strict=False):
            segment.is_known = is_known
        fresh = [_Segment(*each) for each in found[len(kept) :]]
        self._segments = kept + fresh
        if fresh:
            self._waiting.extend(self._read_from(len(kept)))
        self._settle()

    # Below here.

    def _named(self, disk: SimFileSystem) -> list[tuple[Plain, int, bool]]:
        """Its segments in their order, the index of each, and whether the name is durable."""
        files = {name: (node, is_known) for name, node, is_known in disk.files_in(self.folder)}
        return [(files[each.text][0], each.index, files[each.text][1]) for each in in_order(files)]

    def _read_from(self, first: int) -> list[tuple[Item, _Segment]]:
        """Read segments from the disk; tells of each record where the log only grows by them."""
        if first == 0:
            self._crc, self.is_bad = 0, False
        said: list[tuple[Item, _Segment]] = []
        for segment in self._segments[first:]:
            if self.is_bad:
                break
            whole = _front(segment.node.contents)
            data = whole[: min((start for start, _, _ in segment.node.bad), default=len(whole))]
            read = read_frames(data, self._crc)
            self._crc, self.is_bad = read.crc, read.is_bad or len(data) < len(whole)
            segment.seen, segment.tail = _seen(data, read.end)
            segment.synced = segment.seen if segment.node.durable is None else 0
            for item in read.items:
                self.now.add(item)
                said.append((item, segment))
                if first:
                    self._tell(item)
        return said

    def _take(self, segment: _Segment, data: bytes) -> None:
        base = segment.seen - len(data)
        read = read_frames(data, self._crc, base=base)
        self._crc, self.is_bad = read.crc, read.is_bad
        segment.tail = data[read.end :]
        for item in read.items:
            self.now.add(item)
            self._waiting.append((item, segment))
            if self.listener is not None:
                self._tell(item)

    def _tell(self, item: Item) -> None:
        kind, first, second, third, _ = item
        listener = self.listener
        if listener is None:
            return
        if kind == ENTRY:
            listener.wrote_entry(first, second, third)
        elif kind == STATE:
            listener.wrote_state(first, second, third)
        elif kind == MARK:
            listener.wrote_snapshot(first, second)

    def _settle(self) -> None:
        """Count as durable what has become so."""
        waiting, add, count = self._waiting, self.durable.add, 0
        while waiting:
            item, segment = waiting[0]
            if item[4] > segment.synced or not segment.is_known:
                break
            add(item)
            waiting.popleft()
            count += 1
        if count and self.listener is not None:
            self.listener.synced(count)


class Ledgers:
    """The ledgers of all groups of one disk; a `disk_files.Watch`.

    `listen` gives each its listener, by the group's name, as the group appears.
    """

    def __init__(self, listen: Callable[[str], Listener | None] = lambda group: None) -> None:
        self._listen = listen
        self._disk: SimFileSystem | None = None
        self._ledgers: dict[str, Ledger] = {}
        self._files: dict[int, Ledger] = {}

    def __getitem__(self, group: str) -> Ledger:
        """The ledger of a group that the disk has, or has had. Raises: KeyError."""
        return self._ledgers[group]

    def groups(self) -> list[str]:
        """All groups there are ledgers of, sorted."""
        return sorted(self._ledgers)

    def begun(self, disk: SimFileSystem) -> None:
        """See `Watch.begun`."""
        self._disk = disk
        self._add_groups(disk)
        for each in self._ledgers.values():
            each.begin(disk)
        self._list_files()

    def written(self, inode: int, offset: int, data: bytes | memoryview) -> None:
        """See `Watch.written`."""
        ledger = self._files.get(inode)
        if ledger is not None and self._disk is not None:
            ledger.written(inode, offset, data, self._disk)

    def resized(self, inode: int, size: int) -> None:
        """See `Watch.resized`."""
        ledger = self._files.get(inode)
        if ledger is not None and self._disk is not None:
            ledger.resized(inode, size, self._disk)

    def synced(self, inode: int) -> None:
        """See `Watch.synced`."""
        ledger = self._files.get(inode)
        if ledger is not None and self._disk is not None:
            ledger.synced(inode, self._disk)

    def changed(self, inode: int) -> None:
        """See `Watch.changed`."""
        ledger = self._files.get(inode)
        if ledger is not None and self._disk is not None:
            ledger.begin(self._disk)

    def named(self, path: Path) -> None:
        """See `Watch.named`."""
        if self._disk is None:
            return
        self._add_groups(self._disk)
        for group in path.parts[1:2] or self.groups():
            if group in self._ledgers:
                self._ledgers[group].named(self._disk)
        self._list_files()

    def _add_groups(self, disk: SimFileSystem) -> None:
        for group in disk.folders():
            if group not in self._ledgers:
                self._ledgers[group] = Ledger(Path("/", group, "wal"), self._listen(group))

    def _list_files(self) -> None:
        self._files = {
            inode: ledger for ledger in self._ledgers.values() for inode in ledger.inodes()
        }


def _front(contents: Contents) -> bytes:
    """What was written from the beginning of a file on, up to the first hole."""
    stop = next((stop for start, stop in contents.ranges(0, contents.size) if start == 0), 0)
    return contents.read(0, stop)


def _seen(data: bytes, end: int) -> tuple[int, bytes]:
    """Where the next write of a log would go on, and what of a frame stands before that."""
    tail = data[end:].rstrip(b"\0")
    return end + len(tail), tail


def _durable_items(segments: Iterable[_Segment]) -> list[Item]:
    """What the log would say if nothing survived that was not synced."""
    found: list[Item] = []
    crc = 0
    for segment in segments:
        if not segment.is_known:
            break
        read = read_frames(_front(segment.node.durable or segment.node.contents), crc)
        found += read.items
        crc = read.crc
        if read.is_bad:
            break
    return found

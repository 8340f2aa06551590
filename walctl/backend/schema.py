"""What etcd keeps in the database: bucket and key names, and the facts that witness for the log.

`read_witness` reads a few keys, not the database: its cost does not follow the size of the file.
A running server may be writing; when the transaction moves while the file is read, the reading is
done again, and after some attempts the witness says so.

Source: etcd-data-dir notes 7.4, 7.5, 8.2-8.4, checked against etcd 3.4.23 and 3.5.1.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from formats.bbolt import PageFlag
from formats.limits import DB_MEMBERS_MAX, WINDOW_BYTES
from walctl.backend import tree
from walctl.backend.pages import MetaPage, Metas, PageError, Pages, read_metas
from walctl.backend.values import (
    Revision,
    parse_conf_state,
    parse_member,
    parse_removed,
    parse_revision,
    parse_text,
    parse_u64,
)
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem
from walctl.model.member import Member
from walctl.model.record import ConfState

KEY: Final = b"key"
META: Final = b"meta"
LEASE: Final = b"lease"
ALARM: Final = b"alarm"
CLUSTER: Final = b"cluster"
MEMBERS: Final = b"members"
MEMBERS_REMOVED: Final = b"members_removed"
AUTH: Final = b"auth"
AUTH_USERS: Final = b"authUsers"
AUTH_ROLES: Final = b"authRoles"

CONSISTENT_INDEX: Final = b"consistent_index"
TERM: Final = b"term"
CONF_STATE: Final = b"confState"
SCHEDULED_COMPACT: Final = b"scheduledCompactRev"
FINISHED_COMPACT: Final = b"finishedCompactRev"
STORAGE_VERSION: Final = b"storageVersion"
CLUSTER_VERSION: Final = b"clusterVersion"

ATTEMPTS_MAX = 5
"""Readings of a database that is written to meanwhile."""

TRAILER_BYTES = 32
"""SHA-256 of everything before it, at the end of a file made by `snapshot save`."""
SECTOR_BYTES = 512


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A part of the database that does not read.

    `offset` is the byte of the file, `key` is empty where a whole bucket is meant, `page` the page
    that a tree stops at (`None`: the tree is sound, a value in it is not).
    """

    bucket: str
    key: bytes
    offset: int
    page: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What a database says of the log, as of the transaction that counts.

    `None` is an absent key, or one that `defects` tells of. `consistent_index` is the Raft index
    of the last entry that this file has applied, `term` its term (absent before 3.5).
    `newest_revision` is the last row of bucket `key`, `None` when there is none. `is_saved` tells
    a file of `snapshot save`, which ends in a SHA-256 (`check_trailer`). `notes` are facts in
    words that damage nothing.
    """

    path: Path
    size: int
    is_saved: bool
    metas: Metas
    txid: int
    consistent_index: int | None
    term: int | None
    conf_state: ConfState | None
    members: tuple[Member, ...]
    removed_members: tuple[int, ...]
    cluster_version: str | None
    storage_version: str | None
    scheduled_compact: Revision | None
    finished_compact: Revision | None
    newest_revision: Revision | None
    notes: tuple[str, ...]
    defects: tuple[Defect, ...]

    @property
    def txids(self) -> tuple[int | None, int | None]:
        """The transactions of meta pages 0 and 1; `None` for a page that is not valid."""
        return self.metas.txids

    @property
    def page_bytes(self) -> int:
        """The database's page size."""
        return self.metas.page_bytes


def read_witness(disk: FileSystem, path: Path) -> Witness:
    """Read the facts of the database `path` (`db`, `.snap.db`, or a saved snapshot).

    Damage below the root page is in `Witness.defects`, so that one bad page does not hide what
    the others say. `AccessError` includes that the database changed during every attempt.

    Raises: PageError, when there is no valid meta or the root page does not read. AccessError.
    """
    outcome: Witness | PageError | None = None
    for _ in range(ATTEMPTS_MAX):
        with disk.open(path) as file:
            before = read_metas(file)
            outcome = _attempt(file)
            # Equal metas before and after: no transaction ended, so nothing was used again.
            if read_metas(file).pages != before.pages:
                continue
        if isinstance(outcome, PageError):
            raise outcome
        return outcome
    if not isinstance(outcome, Witness):
        raise AccessError(f"{path}: moving target: it changed during {ATTEMPTS_MAX} readings")
    note = f"moving target: it changed during {ATTEMPTS_MAX} readings; a server may be writing"
    return replace(outcome, notes=(*outcome.notes, note))


def is_saved_snapshot(size: int) -> bool:
    """Whether a file of this size ends in the SHA-256 that `snapshot save` appends."""
    return size % SECTOR_BYTES == TRAILER_BYTES


def check_trailer(disk: FileSystem, path: Path) -> bool:
    """Whether the SHA-256 at the end of a saved snapshot fits what is before it; reads it all.

    Raises: AccessError. ValueError, when the file is no saved snapshot by its size.
    """
    with disk.open(path) as file:
        size = file.stat().size
        if not is_saved_snapshot(size):
            raise ValueError(f"{path}: {size} bytes: no SHA-256 at its end")
        return trailer_fits(file, size)


def trailer_fits(file: File, size: int) -> bool:
    """Whether the SHA-256 at the end of an open saved snapshot of `size` bytes fits; reads it all.

    Raises: AccessError.
    """
    digest = hashlib.sha256()
    stop = size - TRAILER_BYTES
    for offset in range(0, stop, WINDOW_BYTES):
        digest.update(file.read_at(offset, min(WINDOW_BYTES, stop - offset)))
    return file.read_at(stop, TRAILER_BYTES) == digest.digest()


def _attempt(file: File) -> Witness | PageError:
    """One reading."""
    try:
        return _Reading(Pages(file)).witness()
    except PageError as error:
        return error


class _Reading:
    """One reading of a database; collects what does not read."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.root = tree.root(pages)
        self.defects: list[Defect] = []

    def witness(self) -> Witness:
        """Everything that a witness tells.

        Raises: PageError, for the root bucket alone. AccessError.
        """
        metas = self.pages.metas
        meta = self.bucket(META)
        cluster = self.bucket(CLUSTER)
        return Witness(
            path=self.pages.path,
            size=metas.size,
            is_saved=is_saved_snapshot(metas.size),
            metas=metas,
            txid=self.pages.meta.txid,
            consistent_index=self.value(META, meta, CONSISTENT_INDEX, parse_u64),
            term=self.value(META, meta, TERM, parse_u64),
            conf_state=self.value(META, meta, CONF_STATE, parse_conf_state),
            members=tuple(self.rows(MEMBERS, parse_member)),
            removed_members=tuple(self.rows(MEMBERS_REMOVED, parse_removed)),
            cluster_version=self.value(CLUSTER, cluster, CLUSTER_VERSION, parse_text),
            storage_version=self.value(META, meta, STORAGE_VERSION, parse_text),
            scheduled_compact=self.value(META, meta, SCHEDULED_COMPACT, parse_revision),
            finished_compact=self.value(META, meta, FINISHED_COMPACT, parse_revision),
            newest_revision=self.newest_revision(),
            notes=tuple(self.notes(meta)),
            defects=tuple(self.defects),
        )

    def bucket(self, name: bytes) -> tree.Bucket | None:
        """A top-level bucket; `None` when it is absent or does not read."""
        try:
            return self.root.bucket(name)
        except PageError as error:
            self.page_defect(name, b"", error)
            return None

    def value(
        self, name: bytes, bucket: tree.Bucket | None, key: bytes, decode: Callable[[bytes], T]
    ) -> T | None:
        """The decoded value of `key` in `bucket`; `None` when it is absent or does not read."""
        try:
            item = None if bucket is None else bucket.find(key)
        except PageError as error:
            self.page_defect(name, key, error)
            return None
        if item is None:
            return None
        return self.decoded(name, item, lambda item: decode(item.value))

    def rows(self, name: bytes, decode: Callable[[bytes, bytes], T]) -> Iterator[T]:
        """The decoded rows of bucket `name`; those that do not read become defects."""
        bucket = self.bucket(name)
        if bucket is None:
            return
        try:
            for count, item in enumerate(bucket.items()):
                if count == DB_MEMBERS_MAX:
                    detail = f"more than {DB_MEMBERS_MAX} rows; the rest was not read"
                    self.defects.append(_defect(name, item, detail))
                    return
                row = self.decoded(name, item, lambda item: decode(item.key, item.value))
                if row is not None:
                    yield row
        except PageError as error:
            self.page_defect(name, b"", error)

    def newest_revision(self) -> Revision | None:
        """The revision of the last row of bucket `key`."""
        bucket = self.bucket(KEY)
        try:
            item = None if bucket is None else bucket.last()
        except PageError as error:
            self.page_defect(KEY, b"", error)
            return None
        if item is None:
            return None
        return self.decoded(KEY, item, lambda item: parse_revision(item.key))

    def decoded(self, name: bytes, item: tree.Item, decode: Callable[[tree.Item], T]) -> T | None:
        """`decode(item)`; a `ValueError` becomes a defect."""
        try:
            if item.is_bucket:
                raise ValueError("expected a value, found a bucket")
            return decode(item)
        except ValueError as error:
            self.defects.append(_defect(name, item, str(error)))
            return None

    def page_defect(self, name: bytes, key: bytes, error: PageError) -> None:
        """Keep a defect of the tree."""
        self.defects.append(
            Defect(
                bucket=name.decode(),
                key=key,
                offset=error.offset,
                page=error.page,
                detail=error.reason,
            )
        )

    def notes(self, meta: tree.Bucket | None) -> Iterator[str]:
        """Facts about the file that damage nothing."""
        metas = self.pages.metas
        for each in metas.pages:
            if not each.is_valid:
                yield (
                    f"meta page {each.page} (byte {each.offset}) is not valid: {each.words}:"
                    f" {each.detail}; the server would take the other one in silence, transaction"
                    f" {self.pages.meta.txid}, and may lose the transaction after it"
                )
            elif each.header is not None and not _is_meta_header(each):
                yield f"meta page {each.page} (byte {each.offset}) has a wrong page header"
        needed = self.pages.meta.high_water * metas.page_bytes
        if needed > metas.size:
            yield f"the file is cut: {metas.size} bytes, its pages reach to byte {needed}"
        if metas.size % metas.page_bytes and not is_saved_snapshot(metas.size):
            yield f"its size, {metas.size} bytes, is no whole number of pages"
        if meta is None and not self.defects:
            yield "it has no bucket meta: no database of etcd, or one that it never wrote to"


def _is_meta_header(page: MetaPage) -> bool:
    header = page.header
    return header is not None and header.id == page.page and header.flags == PageFlag.META


def _defect(name: bytes, item: tree.Item, detail: str) -> Defect:
    return Defect(bucket=name.decode(), key=item.key, offset=item.offset, page=None, detail=detail)

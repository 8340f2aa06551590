"""Names in `snap/`: what each is, and in which order etcd tries the snapshots; nothing is opened.

    0000000000000002-0000000000000194.snap     term 2, index 404: the term comes first
    0000000000001506.snap.db                   index 5382: a database that a leader sent
    db                                         the database

etcd tests only the suffix `.snap`, and tries names in descending order of strings, so a name that
it would never write can be the first that it tries.

Source: etcd-data-dir notes 1.6, 7.1, 7.4.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

SUFFIX = ".snap"
DB_SUFFIX = ".snap.db"
BROKEN_SUFFIX = ".broken"
DB_NAME = "db"
TMP_PREFIX = "tmp"
DB_TMP_PREFIX = "db.tmp"

_CANONICAL = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.snap")
_CANONICAL_DB = re.compile(r"([0-9a-f]{16})\.snap\.db")


class NameKind(enum.StrEnum):
    """What etcd does with a name in `snap/` at start."""

    DB = "db"
    """Opens it: the database."""
    ORPHAN_TMP = "orphan-tmp"
    """Deletes it: an unfinished download, or any other name that begins with `tmp`."""
    DB_TMP = "db-tmp"
    """Deletes it (3.4 to 3.6): an unfinished defragmentation."""
    SNAP = "snap"
    """Tries it as a snapshot (3.4 to 3.6)."""
    SNAP_DB = "snap-db"
    """Puts it in the place of `db` when that is older than the snapshot; else leaves it alone."""
    BROKEN = "broken"
    """Leaves it alone, with a warning: a snapshot that etcd itself could not read."""
    OTHER = "other"
    """Leaves it alone, with a warning."""


@dataclass(frozen=True, slots=True, order=True)
class SnapName:
    """The term and index that a canonical name says."""

    term: int
    index: int


def classify(text: str) -> NameKind:
    """What `text` is; prefixes go first, as what they stand for is deleted before all else."""
    if text == DB_NAME:
        return NameKind.DB
    if text.startswith(TMP_PREFIX):
        return NameKind.ORPHAN_TMP
    if text.startswith(DB_TMP_PREFIX):
        return NameKind.DB_TMP
    if text.endswith(SUFFIX):
        return NameKind.SNAP
    if text.endswith(DB_SUFFIX):
        return NameKind.SNAP_DB
    if text.endswith(BROKEN_SUFFIX):
        return NameKind.BROKEN
    return NameKind.OTHER


def parse(text: str) -> SnapName | None:
    """Term and index of a canonical `.snap` name; `None` for every other name.

    etcd does not look at the digits: a `None` may still be a candidate.
    """
    found = _CANONICAL.fullmatch(text)
    return None if found is None else SnapName(term=int(found[1], 16), index=int(found[2], 16))


def parse_db(text: str) -> int | None:
    """The index of a canonical `.snap.db` name; `None` for every other name."""
    found = _CANONICAL_DB.fullmatch(text)
    return None if found is None else int(found[1], 16)


def format_name(*, term: int, index: int) -> str:
    """The name of the `.snap` file at (term, index)."""
    return f"{term:016x}-{index:016x}{SUFFIX}"


def format_db_name(*, index: int) -> str:
    """The name of the `.snap.db` file at `index`."""
    return f"{index:016x}{DB_SUFFIX}"


def candidates(texts: Iterable[str]) -> list[str]:
    """The names that etcd tries as snapshots, in its order: descending strings."""
    return sorted((each for each in texts if classify(each) is NameKind.SNAP), reverse=True)

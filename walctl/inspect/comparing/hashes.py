"""HashKV of each member's key space at one revision, streamed from the rows of its database.

Two databases can be compared at a revision that both have reached, and as compacted as the one of
them that is compacted most: then the hash is what etcd's HashKV would answer on both. Rows are read
page by page; what is kept in memory is a number for each key that compaction may have left.

    rows up to `compacted`    count when they are the newest of a living key at `revision`
    rows up to `revision`     all count, tombstones too

Source: etcd's server/mvcc/hash.go; a test holds it to `machine.mvcc.Store.hash`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from crc32c import crc32c

from formats.errors import FormatError
from walctl.backend import tree
from walctl.backend.pages import PageError, Pages
from walctl.backend.schema import KEY
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem
from walctl.inspect.comparing.given import Given
from walctl.inspect.membership import is_foreign_database
from walctl.machine.keyrow import parse_key_row
from walctl.machine.mvcc import FIRST_REVISION, NEVER

_MAIN_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpace:
    """The key space of one member: `revision` and `compacted` are its own, `hash` is that of the
    common revision. `problem` says why there is none, in words."""

    applied: int | None = None
    revision: int | None = None
    compacted: int = NEVER
    hash: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpaces:
    """All of them, in the order of the members; `revision` and `compacted` are those at which the
    hashes were made, `None` where no two could be compared. `parts_at` is the first revision whose
    rows differ between two of them, where it is above `compacted`."""

    found: tuple[KeySpace, ...]
    revision: int | None = None
    compacted: int = NEVER
    parts_at: int | None = None

    @property
    def differ(self) -> bool:
        """Whether two of the hashes are not the same."""
        return len({each.hash for each in self.found if each.hash is not None}) > 1


def key_spaces(disk: FileSystem, members: Sequence[Given], present: Collection[int]) -> KeySpaces:
    """Hash the key space of each member at the highest revision that they have in common.

    Those at the positions `present` are asked first; of the others only who has come as far.
    """
    found = [_stand(each) for each in members]
    told = [each for each in found if each.revision is not None and not each.problem]
    compacted = max((each.compacted for each in told), default=NEVER)
    for at, each in enumerate(found):
        if each in told and each.revision is not None and each.revision < compacted:
            words = f"at revision {each.revision}, which others have compacted ({compacted})"
            found[at] = replace(each, problem=words)
    told = [each for each in found if each.revision is not None and not each.problem]
    if len(told) < 2:
        return KeySpaces(found=tuple(found))
    asked = [each for at, each in enumerate(found) if at in present and each in told]
    revision = min(each.revision or 0 for each in (asked if len(asked) > 1 else told))
    for at, each in enumerate(found):
        if each in told and (each.revision or 0) < revision:
            found[at] = replace(each, problem=f"only at revision {each.revision}")
        elif each in told:
            found[at] = _hashed(disk, members[at], each, revision=revision, compacted=compacted)
    result = KeySpaces(found=tuple(found), revision=revision, compacted=compacted)
    return replace(result, parts_at=_parting(disk, members, result)) if result.differ else result


def _stand(given: Given) -> KeySpace:
    """Where a member's database stands, by what was read of it already."""
    seen = given.seen
    witness = seen.database
    if not seen.database_exists:
        return KeySpace(problem="no database")
    if witness is None or seen.database_problem is not None:
        problem = seen.database_problem
        where = "" if problem is None else f" (byte {problem.offset}: {problem.reason})"
        return KeySpace(problem=f"the database cannot be read{where}")
    if is_foreign_database(seen):
        return KeySpace(problem="the database is another cluster's")
    revisions = (witness.newest_revision, witness.scheduled_compact, witness.finished_compact)
    revision = max((each.main for each in revisions if each is not None), default=0)
    compactions = [each.main for each in revisions[1:] if each is not None]
    return KeySpace(
        applied=seen.applied,
        revision=max(revision, FIRST_REVISION),
        compacted=max(compactions, default=NEVER),
    )


def _hashed(
    disk: FileSystem, given: Given, stand: KeySpace, *, revision: int, compacted: int
) -> KeySpace:
    path = given.seen.layout.database
    assert path is not None, "a database that was read has a path"
    try:
        with disk.open(path) as file:
            found = hash_rows(file, revision=revision, compacted=compacted)
    except (PageError, FormatError, AccessError) as error:
        return replace(stand, problem=f"the database cannot be read: {error.message}")
    return replace(stand, hash=found)


def hash_rows(file: File, *, revision: int, compacted: int) -> int:
    """HashKV of an open database at `revision`, as if it were compacted at `compacted`.

    Raises: PageError, FormatError, AccessError.
    """
    kept, is_narrowed = frozenset[bytes](), False
    if compacted != NEVER:
        kept, is_narrowed = _kept(file, revision, compacted)
    total = crc32c(b"key")
    for item in rows(file, last=revision):
        main = main_of(item)
        if main <= compacted:
            if is_narrowed and item.key not in kept:
                continue
            if main == compacted and _is_tombstone(item):
                continue
        total = crc32c(item.value, crc32c(item.key, total))
    return total


def _kept(file: File, revision: int, compacted: int) -> tuple[frozenset[bytes], bool]:
    """The rows up to `compacted` that a reader at `revision` sees, and whether only these count:
    where no key is there at all, every row does."""
    newest: dict[int, bytes] = {}
    is_put = False
    for item in rows(file, last=revision):
        row = parse_key_row(item.key, item.value)
        is_put = bool(row[4])
        # Keys that came later need not be kept in mind, which spares the memory.
        if is_put and row[1] <= compacted:
            newest[hash(row[0])] = item.key
        else:
            newest.pop(hash(row[0]), None)
    return frozenset(newest.values()), bool(newest) or is_put or _is_any_there(file, revision)


def _is_any_there(file: File, revision: int) -> bool:
    """Whether a reader at `revision` sees any key."""
    there: set[int] = set()
    for item in rows(file, last=revision):
        row = parse_key_row(item.key, item.value)
        (there.add if row[4] else there.discard)(hash(row[0]))
    return bool(there)


def _is_tombstone(item: tree.Item) -> bool:
    return not parse_key_row(item.key, item.value)[4]


def rows(file: File, *, first: int = 0, last: int) -> Iterator[tree.Item]:
    """The rows of bucket `key` of revisions `first..last`, in their order.

    Raises: PageError, AccessError.
    """
    bucket = tree.root(Pages(file)).bucket(KEY)
    if bucket is None:
        return
    for item in bucket.items(first.to_bytes(_MAIN_BYTES, "big")):
        if main_of(item) > last:
            return
        yield item


def main_of(item: tree.Item) -> int:
    """The main revision of a row."""
    return int.from_bytes(item.key[:_MAIN_BYTES], "big")


def _parting(disk: FileSystem, members: Sequence[Given], spaces: KeySpaces) -> int | None:
    """The first revision above the compacted one at which the rows of two key spaces differ."""
    assert spaces.revision is not None, "hashes differ at a revision"
    firsts: dict[int, Given] = {}
    for given, each in zip(members, spaces.found, strict=True):
        if each.hash is not None:
            firsts.setdefault(each.hash, given)
    one, other = list(firsts.values())[:2]
    left, right = one.seen.layout.database, other.seen.layout.database
    assert left is not None, "a database that was read has a path"
    assert right is not None, "a database that was read has a path"
    start = max(spaces.compacted, 0) + 1
    with disk.open(left) as here, disk.open(right) as there:
        ours = rows(here, first=start, last=spaces.revision)
        theirs = rows(there, first=start, last=spaces.revision)
        for row, twin in zip_longest(ours, theirs):
            if row is None or twin is None or (row.key, row.value) != (twin.key, twin.value):
                return min(main_of(each) for each in (row, twin) if each is not None)
    return None

"""The state of an etcd member as the file that `etcdctl snapshot save` would give of it.

    a bbolt file          `backend.writer`: etcd's buckets, also those without a row, from the rows
                          that a database of this state has (`machine.etcd_rows`)
    SHA-256, 32 bytes     of all before it; `etcdutl snapshot restore` checks it and takes it off

Nothing of this needs a database that is there: a log from entry 1 on is enough. What restoring
replaces (members, how far the log was applied) is in it all the same, as it is in etcd's own.

Source: etcd-data-dir notes 7.5 and 8.2; taken by etcdutl and etcd 3.5.1.
"""

import hashlib
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final

from walctl.backend import schema, tree
from walctl.backend.pages import PageError, Pages
from walctl.backend.writer import Contents, Items, written
from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.machine.etcd import Etcd
from walctl.machine.etcd_rows import FORM, Form

BUCKETS: Final = (
    schema.ALARM,
    schema.AUTH,
    schema.AUTH_ROLES,
    schema.AUTH_USERS,
    schema.CLUSTER,
    schema.KEY,
    schema.LEASE,
    schema.MEMBERS,
    schema.MEMBERS_REMOVED,
    schema.META,
)
"""What every database of etcd has, in the order of the file."""
PAGE_BYTES: Final = 4096
TXID: Final = 2
"""An even one, so that the meta that counts is in page 0, as in a file of `snapshot save`."""
_OLD_VERSIONS: Final = ("3.0.", "3.1.", "3.2.", "3.3.", "3.4.")


def form_of(machine: Etcd) -> Form:
    """What the version of the member's cluster writes down."""
    version = machine.state.cluster_version or ""
    return Form(writes_term=False) if version.startswith(_OLD_VERSIONS) else FORM


def image(machine: Etcd) -> Iterator[bytes]:
    """The bytes of the file, in blocks; the same state gives the same bytes.

    Raises: RefusedError, for a state that no database can hold.
    """
    form = form_of(machine)
    few: dict[bytes, list[tuple[bytes, bytes]]] = {name: [] for name in BUCKETS}
    for row in machine.rows(form):
        if row.bucket != schema.KEY:
            few[row.bucket].append((row.key, row.value))

    def keys() -> Items:
        for row in machine.rows(form):
            if row.bucket == schema.KEY:
                yield row.key, row.value

    def buckets() -> Items:
        for name in BUCKETS:
            yield name, Contents(keys if name == schema.KEY else _again(few[name]))

    total = hashlib.sha256()
    for block in written(Contents(buckets), page_bytes=PAGE_BYTES, txid=TXID):
        total.update(block)
        yield block
    yield total.digest()


def demand_image(disk: FileSystem, path: Path, machine: Etcd) -> None:
    """Read a file back, and hold every row of it against the state.

    Raises: AccessError, when it is not what `image` gives.
    """
    ours = machine.rows(form_of(machine))
    with disk.open(path) as file:
        if not schema.trailer_fits(file, file.stat().size):
            raise AccessError(f"{path}: read back, its SHA-256 is another than its bytes give")
        try:
            root = tree.root(Pages(file))
            theirs = (
                (bucket.key, row.key, row.value)
                for bucket in root.items()
                for row in root.open(bucket).items()
            )
            is_equal = all(mine == row for mine, row in zip_longest(ours, theirs))
        except PageError as error:
            raise AccessError(f"{path}: read back, it does not read: {error}") from error
    if not is_equal:
        raise AccessError(f"{path}: read back, it has other rows than were written")


def _again(rows: list[tuple[bytes, bytes]]) -> Callable[[], Items]:
    return lambda: iter(rows)

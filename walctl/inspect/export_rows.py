"""The tables of `walctl replay --export`: their columns, and the rows of an entry and of a key.

    entries    one row an entry of the log
    requests   one row an operation inside an entry: what it asks for, and of a transaction
               every condition and step, those of transactions inside it included
    keys       one row a key, as the state has it

`index` joins the first two; `index` and `ordinal` name a row of `requests`. What a request says
that has no column is in `detail`, as JSON. Secrets (passwords, their hashes, tokens) are in no
table. Rows are tuples in the order of the columns; nothing here knows a file format.
"""

import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from walctl.inspect.document import node_document
from walctl.machine.base import Machine
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.machine.mvcc import ENDLESS
from walctl.machine.shortcut import Put
from walctl.payload.base import Blob, Node, Redaction, Request, Text


class Type(enum.Enum):
    """What a column holds; every cell may also hold nothing."""

    INTEGER = "int64"
    TEXT = "text"
    BYTES = "bytes"


Cell: TypeAlias = int | str | bytes | None
Row: TypeAlias = tuple[Cell, ...]


class Column(NamedTuple):
    """A column, and in a line what it tells."""

    name: str
    type: Type
    words: str


class Table(NamedTuple):
    """A table by the name of its file, without what that ends in."""

    name: str
    columns: tuple[Column, ...]


_INTEGER, _TEXT, _BYTES = Type

ENTRIES: Final = Table(
    "entries",
    (
        Column("index", _INTEGER, "index of the entry"),
        Column("term", _INTEGER, "its term"),
        Column("type", _TEXT, "normal, conf-change, conf-change-v2, unknown"),
        Column("status", _TEXT, "committed or uncommitted, as far as the member's files say"),
        Column("segment", _TEXT, "name of the segment that holds it"),
        Column("offset", _INTEGER, "byte of the segment where its frame begins"),
        Column("bytes", _INTEGER, "length of its frame, padding included"),
        Column("payload_bytes", _INTEGER, "length of its payload"),
        Column("request_kind", _TEXT, "what it asks for; noop, or undecoded"),
        Column("outcome", _TEXT, "what became of it; nothing where it was not applied"),
        Column("words", _TEXT, "why, where it was refused or ended the replay"),
        Column("revision", _INTEGER, "the revision that it made"),
    ),
)
REQUESTS: Final = Table(
    "requests",
    (
        Column("index", _INTEGER, "index of the entry"),
        Column("ordinal", _INTEGER, "number of the row in its entry, from 0"),
        Column("position", _TEXT, "where in the request: txn/success/0"),
        Column("kind", _TEXT, "put, delete_range, range, txn, compare, lease_grant, …"),
        Column("key", _BYTES, "the key, or the first of a range"),
        Column("range_end", _BYTES, "the first key behind a range; one zero byte: no end"),
        Column("value", _BYTES, "what is put, or compared with"),
        Column("value_size", _INTEGER, "its length, also where values are hidden"),
        Column("lease", _TEXT, "id of a lease, in hex"),
        Column("ttl", _INTEGER, "seconds of a lease"),
        Column("revision", _INTEGER, "that a compaction or a range names"),
        Column("compare_target", _TEXT, "VERSION, CREATE, MOD, VALUE, LEASE"),
        Column("compare_result", _TEXT, "EQUAL, GREATER, LESS, NOT_EQUAL"),
        Column("compare_number", _INTEGER, "version or revision that is compared with"),
        Column("request_id", _TEXT, "the owner's id of the request, in hex"),
        Column("username", _TEXT, "as whom it runs"),
        Column("detail", _TEXT, "all that has no column, as JSON"),
    ),
)
KEYS: Final = Table(
    "keys",
    (
        Column("key", _BYTES, "the key"),
        Column("value", _BYTES, "its value"),
        Column("value_size", _INTEGER, "length of the value, also where values are hidden"),
        Column("create_revision", _INTEGER, "revision that made the key"),
        Column("mod_revision", _INTEGER, "revision that changed it last"),
        Column("version", _INTEGER, "changes since it was made"),
        Column("lease", _TEXT, "id of its lease, in hex"),
    ),
)
TABLES: Final = (ENTRIES, REQUESTS, KEYS)

Operation: TypeAlias = tuple[str, str, Mapping[str, Node]]
"""Position, kind, and the tree of one operation."""

_STEPS: Final = {
    "request_put": "put",
    "request_delete_range": "delete_range",
    "request_range": "range",
    "request_txn": "txn",
}
_COLUMN_OF: Final[dict[str, dict[str, str]]] = {
    "put": {"key": "key", "value": "value", "lease": "lease"},
    "delete_range": {"key": "key", "range_end": "range_end"},
    "range": {"key": "key", "range_end": "range_end", "revision": "revision"},
    "compare": {
        "key": "key",
        "range_end": "range_end",
        "value": "value",
        "lease": "lease",
        "target": "compare_target",
        "result": "compare_result",
        "version": "compare_number",
        "create_revision": "compare_number",
        "mod_revision": "compare_number",
    },
    "compaction": {"revision": "revision"},
    "lease_grant": {"ID": "lease", "TTL": "ttl"},
    "lease_revoke": {"ID": "lease"},
    "lease_checkpoint": {"ID": "lease", "remaining_TTL": "ttl"},
    "v2": {"Path": "key", "Val": "value"},
}
"""By kind: which field of a request's tree is which column; the others are `detail`."""
_ABSENT: Final[dict[str, dict[str, Cell]]] = {
    "put": {"value": b"", "value_size": 0},
    "compare": {"compare_target": "VERSION", "compare_result": "EQUAL"},
}
"""What a field that is absent from the wire stands for."""
_POSITION: Final = {column.name: at for at, column in enumerate(REQUESTS.columns)}
_HIDDEN: Final = Redaction.VALUES


def redaction_of(*, is_value_hidden: bool) -> Redaction:
    """What no table shows."""
    return _HIDDEN if is_value_hidden else Redaction.AUTH


def plain_put_row(index: int, put: Put, request_id: int, redaction: Redaction) -> Row:
    """The row of the put that logs are full of; `request_rows` gives the same."""
    value = None if redaction is _HIDDEN else put.value
    lease = f"{put.lease:x}" if put.lease else None
    asked = f"{request_id:x}" if request_id else None
    size, none = len(put.value), _NOTHING_ELSE
    return (index, 0, "put", "put", put.key, None, value, size, lease, *none, asked, None, None)


_NOTHING_ELSE: Final[tuple[None, ...]] = (None,) * 5
"""The columns of a put between `lease` and `request_id`."""


def request_rows(index: int, request: Request, redaction: Redaction) -> Iterator[Row]:
    """The rows of one entry's request, what it is first."""
    header = request.body.get("header")
    who = header.get("username") if isinstance(header, Mapping) else None
    asked = None if request.request_id is None else f"{request.request_id:x}"
    user = _printed(who) if isinstance(who, Text) and not redaction.hides(who.privacy) else None
    for ordinal, (position, kind, tree) in enumerate(_operations(request)):
        cells: dict[str, Cell] = {"index": index, "ordinal": ordinal, "position": position}
        cells |= {"kind": kind, "request_id": asked, "username": user}
        cells |= _cells(kind, tree, redaction)
        yield tuple(cells.get(name) for name in _POSITION)


def _operations(request: Request) -> Iterator[Operation]:
    """What a request asks for, from the outside in."""
    kind = request.type
    body = request.body
    tree = body.get(kind, body.get("v2"))
    if kind == "lease_checkpoint" and isinstance(tree, Mapping):
        rest = {name: each for name, each in tree.items() if name != "checkpoints"}
        found = _trees(tree.get("checkpoints"))
        yield from ((f"{kind}/{at}", kind, {**each, **rest}) for at, each in enumerate(found))
    elif kind == "txn" and isinstance(tree, Mapping):
        yield from _transaction(kind, tree)
    elif isinstance(tree, Mapping):
        yield kind, kind, tree
    else:
        yield kind, kind, {name: each for name, each in body.items() if name != "header"}


def _transaction(position: str, tree: Mapping[str, Node]) -> Iterator[Operation]:
    """A transaction, its conditions, and the steps of both branches."""
    branches = ("compare", "success", "failure")
    yield position, "txn", {name: each for name, each in tree.items() if name not in branches}
    for at, compare in enumerate(_trees(tree.get("compare"))):
        yield f"{position}/compare/{at}", "compare", compare
    for branch in branches[1:]:
        for at, step in enumerate(_trees(tree.get(branch))):
            place = f"{position}/{branch}/{at}"
            field = next((name for name in _STEPS if name in step), None)
            inner = None if field is None else step[field]
            if field == "request_txn" and isinstance(inner, Mapping):
                yield from _transaction(place, inner)
            elif field is not None and isinstance(inner, Mapping):
                yield place, _STEPS[field], inner
            else:
                yield place, "unknown", step


def _trees(node: Node) -> Iterator[Mapping[str, Node]]:
    if isinstance(node, Sequence) and not isinstance(node, str):
        yield from (each for each in node if isinstance(each, Mapping))


def _cells(kind: str, tree: Mapping[str, Node], redaction: Redaction) -> dict[str, Cell]:
    """The columns that a tree fills; what it says besides is `detail`."""
    columns = _COLUMN_OF.get("v2" if kind.startswith("v2") else kind, {})
    cells = dict(_ABSENT.get(kind, {}))
    rest: dict[str, object] = {}
    for name, node in tree.items():
        column = columns.get(name)
        if column is None:
            rest[name] = node_document(node, redaction)
        elif isinstance(node, Blob | Text):
            if column == "value":
                cells["value_size"] = len(node.data)
            cells[column] = None if redaction.hides(node.privacy) else node.data
        elif isinstance(node, int | str):
            # An enum's number without a word is told all the same.
            cells[column] = str(node) if column.startswith(_WORD_COLUMNS) else node
    if redaction is _HIDDEN:
        cells["value"] = None
    elif tree.get("ignore_value"):
        cells["value"] = cells["value_size"] = None
    if rest:
        cells["detail"] = json.dumps(rest, separators=(",", ":"), allow_nan=False)
    return cells


_WORD_COLUMNS: Final = ("compare_target", "compare_result", "lease")


def _printed(text: Text) -> str:
    """A text of a log as one that every format can hold."""
    return text.data.decode("utf-8", "backslashreplace")


def key_rows(machine: Machine | None, redaction: Redaction) -> Iterator[Row]:
    """The key space, ascending by key; a map without revisions fills the first columns."""
    is_hidden = redaction is _HIDDEN
    if isinstance(machine, Etcd):
        for row in machine.store.range(b"\0", ENDLESS):
            value = None if is_hidden else row.value
            revisions = (row.create_revision, row.mod_revision, row.version)
            lease = f"{row.lease:x}" if row.lease else None
            yield (row.key, value, len(row.value), *revisions, lease)
    elif isinstance(machine, Kv):
        for key, value in sorted(machine.pairs.items()):
            yield (key, None if is_hidden else value, len(value), None, None, None, None)

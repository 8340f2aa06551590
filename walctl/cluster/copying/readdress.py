"""A member's files written anew, with the lab's addresses in the place of those that stood there.

    log         peer URLs in membership changes (etcd's JSON, or the bare URL of raftexample); what
                members publish of themselves, as a request of the v2 interface or of version 3
    .snap       members in the v2 store, and in the history of requests that it keeps
    database    the rows of bucket members, in a whole new file: no free page keeps an old row

Everything else stays what it is, but for the checksums that run through the log. Only what reads
is written anew; what etcd would cut from the log's end is cut first, and whoever calls says where.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import crc32c

from formats import gojson, raftpb, snappb
from formats.errors import FormatError, LimitError
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.limits import SNAP_STORE_BYTES_MAX
from formats.raftpb import EntryType
from formats.walpb import RecordType
from walctl.backend.membership import member_rows
from walctl.backend.rebuild import rebuilt
from walctl.backend.schema import Witness
from walctl.cluster.copying.addresses import Book, parsed
from walctl.errors import UnsupportedError
from walctl.fs.base import File
from walctl.inspect.published import may_publish
from walctl.payload.base import PayloadError
from walctl.payload.etcd import parse
from walctl.repair.pieces import Rechain, rechained

_MEMBER_PATH: Final = re.compile(r"/0/members/([0-9a-f]{1,16})/(?:raftAttributes|attributes)")
_FOLDER: Final = b"/0/members/"
_URL_MARK: Final = b"//"
_NORMAL_HEAD: Final = b"\x08\x00"
"""How an entry begins that is no membership change, by each encoder that ever was."""
_EVERY_TYPE: Final = tuple(int(each) for each in RecordType)


def segment_blocks(file: File, stop: int, *, seed: int, book: Book) -> Iterator[tuple[bytes, int]]:
    """The frames `[0, stop)` of a segment, and the checksum that the chain has reached with each.

    Raises: AccessError, where anything but whole frames stands there.
    """

    def change(kind: RecordType, data: bytes | None) -> bytes | None:
        is_entry = kind is RecordType.ENTRY and data is not None
        return readdressed_entry(data, book) if is_entry and data is not None else data

    piece = Rechain(source=file.path.name, start=0, stop=stop, types=_EVERY_TYPE, seed=seed)
    yield from rechained(piece, file, change)


def readdressed_entry(data: bytes, book: Book) -> bytes:
    """The bytes of an entry; one that etcd could not read, or that names no address, as it is.

    Raises: UnsupportedError, for a membership change of which it is not known where it leads.
    """
    if data.startswith(_NORMAL_HEAD) and not may_publish(data):
        return data
    try:
        entry = raftpb.ENTRY.parse(data)
        payload = entry.data
        if not payload:
            return data
        new = _change(entry.type or 0, payload, book) if entry.type else _words(payload, book)
        return data if new == payload else raftpb.ENTRY.build(replace(entry, data=new))
    except LimitError as error:
        raise UnsupportedError(f"an entry is too large to be read: {error.message}") from error
    except FormatError:
        return data


def _change(kind: int, payload: bytes, book: Book) -> bytes:
    """A membership change. Raises: FormatError."""
    if kind == EntryType.CONF_CHANGE_V2:
        both = raftpb.CONF_CHANGE_V2.parse(payload)
        ids = [each.node_id or 0 for each in both.changes]
        context = _context(both.context, ids[0] if ids else 0, book)
        return raftpb.CONF_CHANGE_V2.build(replace(both, context=context))
    one = raftpb.CONF_CHANGE.parse(payload)
    context = _context(one.context, one.node_id or 0, book)
    return raftpb.CONF_CHANGE.build(replace(one, context=context))


def _context(context: bytes | None, member: int, book: Book) -> bytes | None:
    """What a change says of a member: etcd's JSON, or a URL alone."""
    if not context:
        return context
    try:
        text = context.decode()
        found = json.loads(text)
    except (ValueError, RecursionError):
        text, found = context.decode("utf-8", "replace"), None
    if isinstance(found, dict):
        return _json(text, member, book).encode()
    if parsed(text) is not None:
        return book.peer_urls(member, [text])[0].encode()
    if _URL_MARK in context:
        raise UnsupportedError(
            f"a change of member {member:x} holds a URL in words that are not etcd's: {text[:60]!r}"
        )
    return context


def _words(payload: bytes, book: Book) -> bytes:
    """What a member says of itself, in one of three forms; any other request as it is."""
    try:
        request = parse(payload)
    except PayloadError:
        return payload
    if isinstance(request, V2Request):
        own = _by_v2(request, book)
        return payload if own is request else REQUEST.build(own)
    v2 = None if request.v2 is None else _by_v2(request.v2, book)
    said = request.cluster_member_attr_set
    if said is not None and said.member_attributes is not None:
        urls = book.client_urls(said.member_id or 0, said.member_attributes.client_urls)
        attributes = replace(said.member_attributes, client_urls=urls)
        said = replace(said, member_attributes=attributes)
    new = replace(request, cluster_member_attr_set=said, v2=v2)
    return payload if new == request else INTERNAL_RAFT_REQUEST.build(new)


def _by_v2(request: V2Request, book: Book) -> V2Request:
    path = _MEMBER_PATH.fullmatch(request.path or "")
    if path is None or not request.val:
        return request
    return replace(request, val=_json(request.val, int(path[1], 16), book))


def _json(text: str, member: int, book: Book) -> str:
    """etcd's JSON of a member; anything else as it is. Raises: FormatError."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(found, dict):
        return text
    new = dict(found)
    own = found.get("id", member)
    member = own if isinstance(own, int) and 0 < own < 1 << 64 else member
    instead = {"peerurls": book.peer_urls, "clienturls": book.client_urls}
    for name, urls in found.items():
        # Go takes a field's name in letters of either case.
        if name.casefold() in instead and isinstance(urls, list):
            new[name] = list(instead[name.casefold()](member, [str(url) for url in urls]))
    return text if new == found else gojson.build(new).decode()


def readdressed_snap(data: bytes, book: Book) -> bytes:
    """The bytes of a `.snap` that etcd would use. Raises: FormatError, where it would not."""
    envelope = snappb.SNAPSHOT.parse(data)
    snapshot = raftpb.SNAPSHOT.parse(envelope.data or b"")
    store = readdressed_store(snapshot.data or b"", book)
    if store == (snapshot.data or b""):
        return data
    content = raftpb.SNAPSHOT.build(replace(snapshot, data=store))
    crc = crc32c.crc32c(content)
    if crc == 0:
        raise FormatError("its new checksum would be 0, which is none to etcd")
    return snappb.SNAPSHOT.build(replace(envelope, crc=crc, data=content))


def readdressed_store(data: bytes, book: Book) -> bytes:
    """The v2 store; a state machine's data that is none (raftexample's) as it is.

    Raises: FormatError.
    """
    if _FOLDER not in data:
        return data
    try:
        store: Any = json.loads(data) if len(data) <= SNAP_STORE_BYTES_MAX else None
    except (ValueError, RecursionError):
        return data
    if not isinstance(store, dict) or not isinstance(store.get("Root"), dict):
        return data
    _walk(store, book)
    return gojson.build(store)


def _walk(root: dict[str, Any], book: Book) -> None:
    """Change every node of the tree, and every node in the history, that says something of a
    member: they have their path in `Path` and `key`, what they say in `Value` and `value`."""
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
            continue
        if not isinstance(node, dict):
            continue
        for path_name, value_name in (("Path", "Value"), ("key", "value")):
            path, value = node.get(path_name), node.get(value_name)
            if isinstance(path, str) and isinstance(value, str):
                found = _MEMBER_PATH.fullmatch(path)
                if found is not None:
                    node[value_name] = _json(value, int(found[1], 16), book)
        waiting += node.values()


def database_blocks(file: File, witness: Witness, book: Book) -> Iterator[bytes]:
    """The bytes of a database with the lab's addresses in it.

    Raises: PageError, when something in it does not read; UnsupportedError, when that is a row of
    a member; AccessError.
    """
    for defect in witness.defects:
        raise UnsupportedError(f"{file.path}: bucket {defect.bucket} does not read: it stays as is")
    members = [
        replace(
            each,
            peer_urls=book.peer_urls(each.id, each.peer_urls),
            client_urls=book.client_urls(each.id, each.client_urls),
        )
        for each in witness.members
    ]
    yield from rebuilt(file, rows=member_rows(members))

"""`dump -o dump-logs`: what etcd-dump-logs of etcd 3.5 prints, for scripts written for it.

    Snapshot:
    empty                         or: term=T index=I nodes=[A B] confstate={"voters":[1],...}
    Start dumping log entries from snapshot.
    WAL metadata:
    nodeID=A clusterID=B term=T commitIndex=C vote=V
    WAL entries:
    lastIndex=L
    term<TAB>     index<TAB>type<TAB>data
       2<TAB>         5<TAB>norm<TAB>header:<ID:7587 > put:<key:"k" value:"v" >

    Entry types (Normal,ConfigChange) count is : 1

With a start index, `Start dumping log entries from index I.` takes the place of the first three
lines. Byte for byte, except where a redaction hides something, and where that program would send
control characters to the terminal: ours are escaped.

Source: dump-logs notes, checked against the recorded outputs of etcd 3.5.1.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from formats import raftpb
from formats.errors import FormatError
from formats.etcdserverpb import Request as V2Request
from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.dump_logs import Dump, dump_logs
from walctl.model.record import ConfState, Entry, EntryKind
from walctl.payload.base import PayloadError, Privacy, Redaction
from walctl.payload.etcd import parse
from walctl.payload.etcd_fields import PRIVACY, holds_v2_secrets
from walctl.payload.privacy import is_hidden
from walctl.render.compact_text import REDACTED, CompactPrinter, go_quoted
from walctl.render.screen import Screen
from walctl.render.text import index_range, printable

Ask = Callable[[bytes], str]
"""Gives the line that a decoder answers to an entry's data."""

UNREADABLE: Final = "???"
PATH_BYTES_MAX = 128
VALUE_BYTES_MAX = 128
"""Longer ones are printed in part."""

_KINDS = {EntryKind.NORMAL: "norm", EntryKind.CONF_CHANGE: "conf"}
"""Entries that are printed; those of other kinds fit no filter of that program."""
_CONF_CHANGES: Final[dict[int, str]] = {
    raftpb.ConfChangeType.ADD_NODE: "ConfChangeAddNode",
    raftpb.ConfChangeType.REMOVE_NODE: "ConfChangeRemoveNode",
    raftpb.ConfChangeType.UPDATE_NODE: "ConfChangeUpdateNode",
    raftpb.ConfChangeType.ADD_LEARNER_NODE: "ConfChangeAddLearnerNode",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = 1_000_000_000
_NO_STATUS = "decoder output format is not right, print output anyway"
_DOUBTFUL_STATUS = "(*WARNING: data might contain deliminator used by etcd-dump-logs)"


def show(
    screen: Screen,
    disk: FileSystem,
    layout: Layout,
    survey: Survey,
    *,
    start_index: int | None = None,
    redaction: Redaction = Redaction.AUTH,
    stream_decoder: Ask | None = None,
) -> int:
    """Print the log of a member, each entry as it is read; how many entries were printed.

    `start_index` is etcd-dump-logs' own: entries above it. Raises: as `dump_logs`, before anything
    is printed; AccessError, DecoderError in between.
    """
    dump = dump_logs(disk, layout, survey, start_index=start_index)
    write = screen.stdout.write
    write("".join(f"{line}\n" for line in heading(dump)))
    if dump.left_out is not None:
        behind = f"entries {index_range(*dump.left_out)} that stand behind damage"
        screen.error(f"etcd's reader does not come to {behind}; the other outputs of dump do")
    if dump.last_index is None:
        screen.error(f"the log has no entry {_where(dump)}; etcd-dump-logs of 3.5 panics here")
        return 0
    write(f"lastIndex={dump.last_index}\n")
    write(f"{table_head(has_decoder=stream_decoder is not None)}\n")
    count = 0
    for line in lines(dump.entries, redaction, stream_decoder):
        write(line)
        write("\n")
        count += 1
    write(f"\nEntry types (Normal,ConfigChange) count is : {count}\n")
    return count


def heading(dump: Dump) -> Iterator[str]:
    """The lines in front of the last index."""
    if dump.start_index is None:
        yield "Snapshot:"
        yield "empty" if dump.snapshot is None else _snapshot(dump)
        yield "Start dumping log entries from snapshot."
    else:
        yield f"Start dumping log entries from index {dump.start_index}."
    yield "WAL metadata:"
    node = cluster = 0
    if dump.metadata is not None:
        node, cluster = dump.metadata.node_id or 0, dump.metadata.cluster_id or 0
    state = dump.hard_state
    yield (
        f"nodeID={node:x} clusterID={cluster:x} term={state.term}"
        f" commitIndex={state.commit} vote={state.vote:x}"
    )
    yield "WAL entries:"


def table_head(*, has_decoder: bool) -> str:
    """The names of the columns."""
    names = ["term", f"{'index':>10}", "type", "data"]
    return "\t".join([*names, "decoder_status", "decoded_data"] if has_decoder else names)


def lines(
    entries: Iterable[Entry], redaction: Redaction, stream_decoder: Ask | None = None
) -> Iterator[str]:
    """A line for each entry that is printed."""
    printer = EntryPrinter(redaction)
    for entry in entries:
        kind = _KINDS.get(entry.kind)
        if kind is None:
            continue
        line = f"{entry.term:>4}\t{entry.index:>10}\t{kind}\t{printer.text(entry)}"
        if stream_decoder is None:
            yield line
        else:
            answer = stream_decoder(entry.payload or b"")
            columns = decoder_columns(answer, is_shown=printer.shows_all_of(entry))
            yield "\t".join((line, *columns))


class EntryPrinter:
    """Prints what entries say, under one redaction."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._printer = CompactPrinter(redaction)

    def text(self, entry: Entry) -> str:
        """The request in an entry, or what it does to the membership; `???` if that is unknown."""
        payload = entry.payload or b""
        if entry.kind is EntryKind.CONF_CHANGE:
            return _conf_change(payload)
        text = self._printer.request_text(payload)
        if text is not None:
            return text
        try:
            request = parse(payload)
        except PayloadError:
            return UNREADABLE
        if isinstance(request, V2Request):
            return _v2_request(request, self._redaction)
        return self._printer.text(request)

    def shows_all_of(self, entry: Entry) -> bool:
        """Whether nothing in an entry is hidden, so that a decoder's words on it may be shown."""
        if self._redaction is Redaction.NONE:
            return True
        if self._redaction.hides(Privacy.VALUE):
            return False  # who knows what a decoder shows
        text = self.text(entry)
        if text == UNREADABLE:
            return not is_hidden(entry.payload, None, self._redaction)
        return text == EntryPrinter(Redaction.NONE).text(entry)


def decoder_columns(answer: str, *, is_shown: bool) -> tuple[str, str]:
    """Status and data in a decoder's line; the data only if the entry may be seen whole."""
    status, bar, data = answer.partition("|")
    if not bar:
        status, data = _NO_STATUS, answer
    elif "|" in data:
        status, data = f"{status}{_DOUBTFUL_STATUS}", data.replace("|", "")
    return _harmless(status), _harmless(data) if is_shown else REDACTED


def _harmless(text: str) -> str:
    """Text of a decoder, which may have copied it from the log; its tabs make columns."""
    return "\t".join(map(printable, text.split("\t")))


def _snapshot(dump: Dump) -> str:
    snap = dump.snapshot
    assert snap is not None
    conf = snap.conf_state or ConfState()
    parts: dict[str, object] = {
        "voters": conf.voters,
        "learners": conf.learners,
        "voters_outgoing": conf.voters_outgoing,
        "learners_next": conf.learners_next,
    }
    document = {name: ids for name, ids in parts.items() if ids} | {"auto_leave": conf.auto_leave}
    nodes = " ".join(f"{node:x}" for node in conf.voters)
    text = json.dumps(document, separators=(",", ":"))
    return f"term={snap.term or 0} index={snap.index or 0} nodes=[{nodes}] confstate={text}"


def _where(dump: Dump) -> str:
    """Where the entries would begin."""
    if dump.start_index is not None:
        return f"above index {dump.start_index}"
    if dump.snapshot is not None:
        return f"behind its snapshot at {dump.snapshot.index or 0}"
    return "at all"


def _conf_change(payload: bytes) -> str:
    try:
        change = raftpb.CONF_CHANGE.parse(payload)
    except FormatError:
        return UNREADABLE
    kind = change.type or 0
    return f"method={_CONF_CHANGES.get(kind, kind)} id={change.node_id or 0:x}"


def _v2_request(request: V2Request, redaction: Redaction) -> str:
    method = request.method or ""
    match method:
        case "":
            return "noop"
        case "SYNC":
            return f'method=SYNC time="{_utc(request.time or 0)}"'
    path = _path(_bytes(request.path), redaction)
    # Other methods than etcd's are somebody's text.
    text = f"method={printable(method)} path={path}"
    if method in ("QGET", "DELETE"):
        return text
    is_secret = holds_v2_secrets(request.path or "")
    privacy = Privacy.SECRET if is_secret else PRIVACY[V2Request]["val"]
    return f"{text} val={_value(_bytes(request.val), privacy, redaction)}"


def _path(path: bytes, redaction: Redaction) -> str:
    if redaction.hides(PRIVACY[V2Request]["path"]):
        return REDACTED
    if len(path) <= PATH_BYTES_MAX:
        return go_quoted(path)
    half = PATH_BYTES_MAX // 2
    return f"{go_quoted(path[:half])}...{go_quoted(path[-half:])}"


def _value(value: bytes, privacy: Privacy, redaction: Redaction) -> str:
    if redaction.hides(privacy):
        return REDACTED
    if len(value) <= VALUE_BYTES_MAX:
        return go_quoted(value)
    return f'{go_quoted(value[:VALUE_BYTES_MAX])}...""'


def _bytes(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")


def _utc(nanoseconds: int) -> str:
    """A time as Go prints it: without zeros at the end of its fraction."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"

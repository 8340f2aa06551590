"""Keys of etcd's v2 interface: they are in no database, so a log that is left behind takes them.

They live in the store of a `.snap` file and in the entries behind it. Members log requests of the
same kind about themselves below `/0`; what clients wrote is below `/1`.
"""

from formats.etcdserverpb import Request
from walctl.model.record import EntryKind
from walctl.payload.base import PayloadError
from walctl.payload.etcd import parse
from walctl.repair.case import Case
from walctl.repair.snapshots import holds_v2_keys, stored_index
from walctl.wal.entry_frames import entries_of

_CLIENTS = "/1"
_WRITES = frozenset({"PUT", "POST", "DELETE"})


def loses_v2_keys(case: Case, index: int) -> bool:
    """Whether a log that begins behind `index` goes without something that v2 clients wrote.

    Raises: AccessError, when the log is not what it was.
    """
    return holds_v2_keys(case) or _is_written_to(case, first=stored_index(case) + 1, last=index)


def _is_written_to(case: Case, *, first: int, last: int) -> bool:
    folder = case.seen.layout.wal_dir
    for run in case.seen.log.live:
        begin, end = max(first, run.first), min(last, run.last)
        if folder is None or begin > end or run.is_recovered:
            continue
        with case.disk.open(folder / run.segment) as file:
            for entry in entries_of(file, run, first=begin, last=end):
                if entry.kind is EntryKind.NORMAL and _writes_keys(entry.payload or b""):
                    return True
    return False


def _writes_keys(payload: bytes) -> bool:
    if _CLIENTS.encode() not in payload:
        return False  # nearly all of them: parsing costs much more than a look
    try:
        message = parse(payload)
    except PayloadError:
        return False
    request = message if isinstance(message, Request) else message.v2
    if request is None or request.method not in _WRITES:
        return False
    path = request.path or ""
    return path == _CLIENTS or path.startswith(f"{_CLIENTS}/")

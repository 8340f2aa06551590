"""One `.snap` file as a value, damage included, by etcd's own rules and in its own words.

    08 <crc>   12 <length> <data>      crc is the CRC-32C of data, a raftpb.Snapshot:
                                       0a <length> <v2 store>
                                       12 <length> <conf state, index, term>

etcd loads the newest file that passes, and renames those that do not to `.broken`; nothing here
renames or writes. Which snapshot the log asks for is not known here.

Source: etcd-data-dir notes 7.1-7.3 and 11.4; the words are those of etcd 3.4.23 and 3.5.1.
"""

import enum
from dataclasses import dataclass, field
from pathlib import Path

import crc32c

from formats import raftpb, snappb
from formats.errors import FormatError
from formats.limits import SNAP_FILE_BYTES_MAX
from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.model.record import ConfState
from walctl.snap.large import data_in
from walctl.snap.names import SnapName, parse
from walctl.snap.store import Store, parse_store

EMPTY_WORDS = "snap: empty snapshot"
CRC_WORDS = "snap: crc mismatch"


class SnapProblemKind(enum.StrEnum):
    """Why a file is no usable snapshot."""

    CRC = "crc"
    """The data does not fit the checksum."""
    UNDECODABLE = "undecodable"
    """The envelope or the snapshot in it does not parse."""
    EMPTY = "empty"
    """No bytes, no data, or a checksum of 0, which etcd takes for none."""
    UNREADABLE = "unreadable"
    """The disk does not give it, or it is too long to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapProblem:
    """Why a file is no usable snapshot.

    `words` is what etcd says of it (empty where it is a matter of the disk), `detail` the
    evidence, `offset` the byte of the file that does not fit (`None`: the whole of it).
    """

    kind: SnapProblemKind
    words: str
    detail: str
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapFile:
    """What one `.snap` file says.

    `parsed` is what its name says (`None`: no canonical name). `index`, `term` and `conf_state`
    are the content's, `None` where absent; with a `problem` they are only as good as the bytes.
    `store` is etcd's v2 store, `None` where the data is none; `data_bytes` is its size. `notes`
    are facts in words that do not keep etcd from using the file.
    """

    path: Path
    name: str
    parsed: SnapName | None
    size: int | None = None
    stored_crc: int | None = None
    computed_crc: int | None = None
    index: int | None = None
    term: int | None = None
    conf_state: ConfState | None = None
    data_bytes: int | None = None
    store: Store | None = None
    problem: SnapProblem | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def is_usable(self) -> bool:
        """Whether etcd would take it."""
        return self.problem is None


def read_snap(disk: FileSystem, path: Path) -> SnapFile:
    """Read one `.snap` file; damage, and a disk that does not give it, are in the value."""
    try:
        with disk.open(path) as file:
            size = file.stat().size
            if size > SNAP_FILE_BYTES_MAX:
                detail = f"{size} bytes are more than {SNAP_FILE_BYTES_MAX}; it was not read"
                return _unreadable(path, detail, size=size)
            return judge(path, file.read_at(0, size))
    except AccessError as error:
        return _unreadable(path, error.message, size=None)


def data_of(disk: FileSystem, path: Path) -> bytes | None:
    """The state machine's data in a file that was read and found usable (`None`: absent).

    Raises: AccessError, also when the file is not what it was.
    """
    with disk.open(path) as file:
        found = file.read_at(0, SNAP_FILE_BYTES_MAX)
    data = data_in(found)
    if data is not None:
        return data
    try:
        envelope = snappb.SNAPSHOT.parse(found)
        content = envelope.data or b""
        if _check_envelope(envelope, crc32c.crc32c(content)) is None:
            return raftpb.SNAPSHOT.parse(content).data
    except FormatError as error:
        raise AccessError(f"{path}: {error.message}: changed meanwhile") from error
    raise AccessError(f"{path}: its checksum does not fit any more: changed meanwhile")


def judge(path: Path, data: bytes) -> SnapFile:
    """What the bytes of a `.snap` file say, given its path for the name; etcd's order of checks."""
    parsed = parse(path.name)
    size = len(data)
    if not data:
        problem = SnapProblem(
            kind=SnapProblemKind.EMPTY, words=EMPTY_WORDS, detail="the file has no bytes"
        )
        return SnapFile(path=path, name=path.name, parsed=parsed, size=size, problem=problem)
    try:
        envelope = snappb.SNAPSHOT.parse(data)
    except FormatError as error:
        problem = _undecodable(error, "the envelope", error.offset)
        return SnapFile(path=path, name=path.name, parsed=parsed, size=size, problem=problem)
    content = envelope.data or b""
    computed = crc32c.crc32c(content)
    problem_found = _check_envelope(envelope, computed)
    # The checksum first, as etcd does; but a file that fails it may still say what it was.
    snapshot: raftpb.Snapshot | None = None
    try:
        snapshot = raftpb.SNAPSHOT.parse(content) if content else None
    except FormatError as error:
        offset = _content_offset(data) + error.offset
        problem_found = problem_found or _undecodable(error, "the snapshot in it", offset)
    return _described(path, size, envelope.crc, computed, snapshot, problem_found)


def _content_offset(data: bytes) -> int:
    """Where the content begins in a file whose envelope parses: its last field of that name."""
    spans = snappb.SNAPSHOT.spans(data)
    return max((each.value_start for each in spans if each.name == "data"), default=0)


def _check_envelope(envelope: snappb.Snapshot, computed: int) -> SnapProblem | None:
    """What etcd holds against the envelope before it looks inside."""
    if not envelope.data:
        return SnapProblem(
            kind=SnapProblemKind.EMPTY, words=EMPTY_WORDS, detail="the envelope holds no data"
        )
    if not envelope.crc:
        return SnapProblem(
            kind=SnapProblemKind.EMPTY,
            words=EMPTY_WORDS,
            detail=f"the stored checksum is 0, the data gives {computed:08x}",
        )
    if envelope.crc != computed:
        return SnapProblem(
            kind=SnapProblemKind.CRC,
            words=CRC_WORDS,
            detail=f"the file says {envelope.crc:08x}, its data gives {computed:08x}",
        )
    return None


def _described(
    path: Path,
    size: int,
    stored: int | None,
    computed: int,
    snapshot: raftpb.Snapshot | None,
    problem: SnapProblem | None,
) -> SnapFile:
    """The value of a file whose envelope parses."""
    parsed = parse(path.name)
    metadata = None if snapshot is None else snapshot.metadata
    data = None if snapshot is None else snapshot.data
    index = None if metadata is None else metadata.index
    term = None if metadata is None else metadata.term
    notes = []
    if snapshot is not None and parsed is None:
        notes.append("its name is not the one that etcd gives a snapshot")
    elif snapshot is not None and parsed is not None:
        found = SnapName(term=term or 0, index=index or 0)
        if found != parsed:
            notes.append(
                f"its name says term {parsed.term}, index {parsed.index};"
                f" its content term {found.term}, index {found.index}"
            )
    store = None
    if data:
        try:
            store = parse_store(data)
        except ValueError as error:
            notes.append(f"its members are not known: {error}")
    return SnapFile(
        path=path,
        name=path.name,
        parsed=parsed,
        size=size,
        stored_crc=stored,
        computed_crc=computed,
        index=index,
        term=term,
        conf_state=None if metadata is None else _conf_state(metadata.conf_state),
        data_bytes=None if data is None else len(data),
        store=store,
        problem=problem,
        notes=tuple(notes),
    )


def _conf_state(found: raftpb.ConfState | None) -> ConfState | None:
    if found is None:
        return None
    return ConfState(
        voters=found.voters,
        learners=found.learners,
        voters_outgoing=found.voters_outgoing,
        learners_next=found.learners_next,
        auto_leave=bool(found.auto_leave),
    )


def _undecodable(error: FormatError, what: str, offset: int) -> SnapProblem:
    return SnapProblem(
        kind=SnapProblemKind.UNDECODABLE,
        words=error.message,
        detail=f"{what} does not parse: {error.message} at byte {offset}",
        offset=offset,
    )


def _unreadable(path: Path, detail: str, *, size: int | None) -> SnapFile:
    problem = SnapProblem(kind=SnapProblemKind.UNREADABLE, words="", detail=detail)
    return SnapFile(path=path, name=path.name, parsed=parse(path.name), size=size, problem=problem)

"""A plan out of JSON: every part of it held against what a plan can be; see `document`.

Nothing is opened here. Names lead to a file in one of a member's two folders and nowhere else,
spans lie within the files they are of, and steps do not contradict each other.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from formats.limits import RECORD_BYTES_MAX
from formats.walpb import RecordType
from walctl.errors import ExitStatus, UsageError
from walctl.model.finding import Code
from walctl.repair.pieces import Copy, Literal, Piece, Rebuild, Rechain, Row
from walctl.repair.plan import (
    SNAP,
    WAL,
    Act,
    Bound,
    Certificate,
    Change,
    Drop,
    Option,
    Plan,
    PlanClass,
    Says,
    Stamp,
    Step,
    Synthetic,
    Testimony,
)
from walctl.repair.strict import Part

FILES_MAX = 100_000
"""Files of one member."""
PEERS_MAX = 100
STEPS_MAX = 100_000
PIECES_MAX = 100_000
"""Pieces of one file."""
LISTED_MAX = 100_000
"""Changes, drops, made records, testimonies and options, of each and in one list."""
FILE_BYTES_MAX = 1 << 46
"""Longest file that a plan may speak of: more than the file systems of members hold."""
NUMBER_MAX = (1 << 64) - 1
_CRC_MAX = (1 << 32) - 1
_PATH_CHARS_MAX = 4096

_WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PEER = re.compile(r"peer[1-9][0-9]{0,3}")
_ACCEPT = re.compile(r"[!-~]{1,100}")
_RECORD_TYPES = (min(RecordType), max(RecordType))


def bound_of(part: Part) -> Bound:
    """What a document says that it is bound to. Raises: UsageError."""
    inside = part.members("directory", "wal", "snap", "files")
    directory = _path_of(inside["directory"])
    if not directory.is_absolute():
        inside["directory"].refuse("an absolute path")
    files: dict[str, Stamp] = {}
    for name, stamp in inside["files"].entries(FILES_MAX).items():
        own_name(Part(name, f"{inside['files'].place} name"))
        files[name] = stamp_of(stamp)
    return Bound(
        directory=directory,
        wal=inside["wal"].maybe(_path_of),
        snap=inside["snap"].maybe(_path_of),
        files=files,
    )


def stamp_of(part: Part) -> Stamp:
    """A file's size and hash. Raises: UsageError."""
    inside = part.members("size", "sha256")
    return Stamp(
        size=inside["size"].integer(0, FILE_BYTES_MAX),
        sha256=inside["sha256"].matched(_SHA256, "a SHA-256 of 64 hex digits"),
    )


def own_name(part: Part) -> str:
    """A file of the member itself: `wal/NAME` or `snap/NAME`. Raises: UsageError."""
    folder, slash, name = part.text(chars_max=_PATH_CHARS_MAX).partition("/")
    if folder not in (WAL, SNAP) or not slash:
        part.refuse("wal/NAME or snap/NAME")
    part.file_name(name)
    return f"{folder}/{name}"


def _source_of(part: Part, sizes: Mapping[str, int]) -> tuple[str, int]:
    """A file that bytes are taken from, by its name in the plan, and its size."""
    name = part.text(chars_max=_PATH_CHARS_MAX)
    if name not in sizes:
        part.refuse("a file that the plan is bound to")
    return name, sizes[name]


def _path_of(part: Part) -> Path:
    """A path that leads nowhere but forward."""
    text = part.text(chars_max=_PATH_CHARS_MAX)
    if not text or "\0" in text or ".." in PurePosixPath(text).parts:
        part.refuse("a path without ..")
    return Path(text)


def plan_of_part(part: Part) -> Plan:
    """The plan that a document holds. Raises: UsageError, with place, expected and found."""
    inside = part.members(
        "class",
        "strategy",
        "summary",
        "accept",
        "leaves",
        "verify_status",
        "bound",
        "peers",
        "steps",
        "certificate",
        "options",
    )
    bound = bound_of(inside["bound"])
    peers: dict[str, Bound] = {}
    for name, peer in inside["peers"].entries(PEERS_MAX).items():
        Part(name, "peers name").matched(_PEER, "peer1, peer2 and so on")
        peers[name] = bound_of(peer)
    sizes = {name: stamp.size for name, stamp in bound.files.items()}
    for peer_name, helper in peers.items():
        sizes |= {f"{peer_name}/{name}": stamp.size for name, stamp in helper.files.items()}
    steps = tuple(_step_of(each, bound, sizes) for each in inside["steps"].items(STEPS_MAX))
    _hold_together(bound, steps)
    plan_class = inside["class"].one_of(PlanClass)
    accept = inside["accept"].maybe(
        lambda each: each.matched(_ACCEPT, "a word of up to 100 plain characters")
    )
    if plan_class.needs_consent and steps and accept is None:
        inside["accept"].refuse("the word that accepts a loss, since this plan has one")
    if plan_class is PlanClass.NOTHING and steps:
        inside["steps"].refuse("no steps where there is nothing to repair")
    return Plan(
        bound=bound,
        plan_class=plan_class,
        strategy=inside["strategy"].matched(_WORD, "a word in small letters"),
        summary=inside["summary"].text(),
        steps=steps,
        certificate=_certificate_of(inside["certificate"]),
        options=tuple(_option_of(each) for each in inside["options"].items(LISTED_MAX)),
        peers=peers,
        accept=accept,
        leaves=tuple(str(each.one_of(Code)) for each in inside["leaves"].items(len(Code))),
        verify_status=inside["verify_status"].one_of(ExitStatus),
    )


def _hold_together(bound: Bound, steps: tuple[Step, ...]) -> None:
    """Refuse steps of which two mean the same file, or give two files one name."""
    meant: set[str] = set()
    for number, step in enumerate(steps):
        if step.file in meant:
            raise UsageError(f"steps[{number}].file: an earlier step has {step.file} already")
        meant.add(step.file)
    taken = set(bound.files) - meant
    for number, step in enumerate(steps):
        name = step.target or step.file
        if step.act is Act.REMOVE:
            continue
        if name in taken:
            raise UsageError(f"steps[{number}]: two files would have the name {name}")
        taken.add(name)


def _step_of(part: Part, bound: Bound, sizes: Mapping[str, int]) -> Step:
    inside = part.members(
        "act",
        "file",
        "target",
        "reason",
        "words",
        "size",
        "before",
        "after",
        "pieces",
        "changes",
        "drops",
        "synthetic",
    )
    step = Step(
        act=inside["act"].one_of(Act),
        file=own_name(inside["file"]),
        target=inside["target"].maybe(own_name),
        reason=inside["reason"].matched(_WORD, "a word in small letters"),
        words=inside["words"].text(),
        size=inside["size"].integer(0, FILE_BYTES_MAX),
        before=inside["before"].maybe(stamp_of),
        after=inside["after"].maybe(stamp_of),
        pieces=tuple(_piece_of(each, sizes) for each in inside["pieces"].items(PIECES_MAX)),
        changes=tuple(_change_of(each) for each in inside["changes"].items(LISTED_MAX)),
        drops=tuple(_drop_of(each) for each in inside["drops"].items(LISTED_MAX)),
        synthetic=tuple(_synthetic_of(each) for each in inside["synthetic"].items(LISTED_MAX)),
    )
    if step.before != bound.files.get(step.file):
        inside["before"].refuse(f"what the plan is bound to for {step.file}")
    if step.act is Act.WRITE:
        _hold_written(step, inside)
    else:
        _hold_moved(step, inside)
    return step


def _hold_written(step: Step, inside: dict[str, Part]) -> None:
    """Refuse a file whose pieces, size and hash cannot belong together."""
    if step.target is not None:
        inside["target"].refuse("null with the act write")
    if step.after is None or step.after.size != step.size:
        inside["after"].refuse(f"the stamp of a file of {step.size} bytes")
    known = 0
    for piece in step.pieces:
        match piece:
            case Literal(data=data):
                known += len(data)
            case Copy(start=start, stop=stop):
                known += stop - start
            case Rechain() | Rebuild():
                pass  # what comes of them is held against the hash once it is made
    if known > step.size:
        inside["size"].refuse(f"at least the {known} bytes that the pieces give")


def _hold_moved(step: Step, inside: dict[str, Part]) -> None:
    """Refuse a file that is renamed or removed and is to get other bytes, or is not there."""
    if step.pieces or step.changes:
        inside["pieces"].refuse(f"no pieces and no changes with the act {step.act}")
    if step.before is None:
        inside["before"].refuse("the stamp of a file that is there")
    if step.act is Act.REMOVE and (step.target is not None or step.after is not None):
        inside["target"].refuse("null, and no stamp after, with the act remove")
    if step.act is Act.RENAME:
        if step.target is None or step.target == step.file:
            inside["target"].refuse("another name")
        if step.target.partition("/")[0] != step.file.partition("/")[0]:
            inside["target"].refuse("a name in the same folder")
        if step.after not in (None, step.before):
            inside["after"].refuse("the stamp before, since a name changes no byte")


def _piece_of(part: Part, sizes: Mapping[str, int]) -> Piece:
    kind = part.value.get("kind") if isinstance(part.value, dict) else None
    match kind:
        case "literal":
            inside = part.members("kind", "data")
            return Literal(data=_data_of(inside["data"]))
        case "copy":
            inside = part.members("kind", "source", "start", "stop")
            source, start, stop = _span_of(inside, sizes)
            return Copy(source=source, start=start, stop=stop)
        case "rechain":
            inside = part.members("kind", "source", "start", "stop", "types", "seed")
            source, start, stop = _span_of(inside, sizes)
            types = inside["types"].items(len(RecordType))
            return Rechain(
                source=source,
                start=start,
                stop=stop,
                types=tuple(each.integer(*_RECORD_TYPES) for each in types),
                seed=inside["seed"].integer(0, _CRC_MAX),
            )
        case "rebuild":
            inside = part.members("kind", "source", "cleared", "rows")
            return Rebuild(
                source=_source_of(inside["source"], sizes)[0],
                cleared=tuple(_data_of(each) for each in inside["cleared"].items(LISTED_MAX)),
                rows=tuple(_row_of(each) for each in inside["rows"].items(LISTED_MAX)),
            )
        case _:
            part.refuse("a piece of the kind literal, copy, rechain or rebuild")


def _span_of(inside: dict[str, Part], sizes: Mapping[str, int]) -> tuple[str, int, int]:
    """A source, and bytes of it: in order, and none that it does not have."""
    source, size = _source_of(inside["source"], sizes)
    start = inside["start"].integer(0, size)
    return source, start, inside["stop"].integer(start, size)


def _row_of(part: Part) -> Row:
    inside = part.members("bucket", "key", "value")
    return Row(
        bucket=_data_of(inside["bucket"]),
        key=_data_of(inside["key"]),
        value=inside["value"].maybe(_data_of),
    )


def _change_of(part: Part) -> Change:
    inside = part.members("offset", "was", "now")
    return Change(
        offset=inside["offset"].integer(0, FILE_BYTES_MAX),
        was=_data_of(inside["was"]),
        now=_data_of(inside["now"]),
    )


def _drop_of(part: Part) -> Drop:
    inside = part.members("kind", "count", "first", "last", "term", "readable", "kept_by")
    return Drop(
        kind=inside["kind"].matched(_WORD, "a word in small letters"),
        count=_number_of(inside["count"]),
        first=inside["first"].maybe(_number_of),
        last=inside["last"].maybe(_number_of),
        term=inside["term"].maybe(_number_of),
        is_readable=inside["readable"].flag(),
        kept_by=inside["kept_by"].text(),
    )


def _synthetic_of(part: Part) -> Synthetic:
    inside = part.members("kind", "words", "index", "term")
    return Synthetic(
        kind=inside["kind"].matched(_WORD, "a word in small letters"),
        words=inside["words"].text(),
        index=inside["index"].maybe(_number_of),
        term=inside["term"].maybe(_number_of),
    )


def _certificate_of(part: Part) -> Certificate:
    inside = part.members("kept", "witnessed", "end_known", "words", "testimonies")
    return Certificate(
        testimonies=tuple(_testimony_of(each) for each in inside["testimonies"].items(LISTED_MAX)),
        kept=_number_of(inside["kept"]),
        witnessed=_number_of(inside["witnessed"]),
        is_end_known=inside["end_known"].flag(),
        words=_texts_of(inside["words"]),
    )


def _testimony_of(part: Part) -> Testimony:
    inside = part.members("source", "says", "index", "term", "place", "words")
    return Testimony(
        source=inside["source"].matched(_WORD, "a word in small letters"),
        says=inside["says"].one_of(Says),
        index=_number_of(inside["index"]),
        term=inside["term"].maybe(_number_of),
        place=inside["place"].text(),
        words=inside["words"].text(),
    )


def _option_of(part: Part) -> Option:
    inside = part.members("name", "possible", "words", "commands")
    return Option(
        name=inside["name"].matched(_WORD, "a word in small letters"),
        is_possible=inside["possible"].flag(),
        words=inside["words"].text(),
        commands=_texts_of(inside["commands"]),
    )


def _number_of(part: Part) -> int:
    return part.integer(0, NUMBER_MAX)


def _data_of(part: Part) -> bytes:
    return part.data(bytes_max=RECORD_BYTES_MAX)


def _texts_of(part: Part) -> tuple[str, ...]:
    return tuple(each.text() for each in part.items(LISTED_MAX))

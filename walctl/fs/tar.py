"""The names in a tar archive, and where the bytes of each lie; heads to write one.

Reads what tar programs write of plain files and directories (ustar, pax, GNU's long names). An
archive comes from somebody else, so whatever has no place in one of ours is refused, with the
offset: absolute names, `..`, links, devices, sparse files, names that come twice.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from walctl.errors import AccessError

BLOCK_BYTES = 512
NAMES_MAX = 100_000
"""Files and directories of one archive."""
NAME_BYTES_MAX = 4096
PARTS_MAX = 64
"""Directories inside one another."""
HEAD_BYTES_MAX = 1 << 20
"""One extended head; it holds a name and a few numbers."""
END = bytes(2 * BLOCK_BYTES)

_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_NS = 10**9


class Bytes(Protocol):
    """What an archive is read from."""

    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One name of an archive: `parts` of its path, and where its bytes begin."""

    parts: tuple[str, ...]
    is_directory: bool
    offset: int
    size: int
    mtime_ns: int
    mode: int


def members(source: Bytes, label: str) -> Iterator[Member]:
    """Every plain file and directory of the archive, in its order; `label` names it in errors.

    Raises: AccessError, with the place.
    """
    seen: dict[tuple[str, ...], bool] = {}
    for member in _items(source, label):
        name = "/".join(member.parts)
        if not name:
            continue
        if len(seen) == NAMES_MAX:
            _refuse(label, member.offset, f"more than {NAMES_MAX:,} names")
        before = seen.get(member.parts)
        if before is not None and not (before and member.is_directory):
            _refuse(label, member.offset, f"{name}: this name comes twice")
        above = (member.parts[:count] for count in range(1, len(member.parts)))
        if any(seen.get(each) is False for each in above):
            _refuse(label, member.offset, f"{name}: lies below a file")
        seen[member.parts] = member.is_directory
        yield member


def head_of(
    name: str, *, size: int, mtime_ns: int, mode: int = 0o600, is_directory: bool = False
) -> bytes:
    """The head of one member, as every tar program reads it."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, mtime_ns // _NS, mode
    info.type = tarfile.DIRTYPE if is_directory else tarfile.REGTYPE
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding_of(size: int) -> bytes:
    """What follows `size` bytes of content up to the next head."""
    return bytes(-size % BLOCK_BYTES)


def _items(source: Bytes, label: str) -> Iterator[Member]:
    """The members, each judged by itself."""
    offset = 0
    extended: dict[str, str] = {}
    while True:
        head = source.read_at(offset, BLOCK_BYTES)
        if len(head) < BLOCK_BYTES:
            _refuse(label, offset, "the archive ends here, before its end mark: it was cut")
        if not any(head):
            return
        try:
            info = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.TarError as error:
            _refuse(label, offset, f"no tar archive, or a damaged one: {error}")
        start = offset + BLOCK_BYTES
        size = _size(info, extended)
        stop = start + size + -size % BLOCK_BYTES
        if size < 0 or start + size > source.size:
            _refuse(label, offset, f"{info.name[:80]}: its {size:,} bytes reach beyond the archive")
        if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            if size > HEAD_BYTES_MAX:
                _refuse(label, offset, f"an extended head of {size:,} bytes")
            data = source.read_at(start, size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                extended["path"] = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
            else:
                extended.update(_records(data, label, offset))
        elif info.type != tarfile.XGLTYPE:
            yield _member(info, extended, start, size, label)
            extended = {}
        offset = stop


def _size(info: tarfile.TarInfo, extended: dict[str, str]) -> int:
    said = extended.get("size", "")
    is_member = info.type not in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME)
    if is_member and said.isascii() and said.isdigit() and len(said) < 20:
        return int(said)
    return info.size


def _member(
    info: tarfile.TarInfo, extended: dict[str, str], start: int, size: int, label: str
) -> Member:
    name = extended.get("path", info.name)
    head = start - BLOCK_BYTES
    shown = name[:80]
    is_directory = info.type == tarfile.DIRTYPE
    if not is_directory and info.type not in _FILES:
        _refuse(label, head, f"{shown}: neither a plain file nor a directory, but a link or device")
    if any(key.startswith("GNU.sparse") for key in extended):
        _refuse(label, head, f"{shown}: a sparse file; make the archive without --sparse")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    is_long = len(name.encode("utf-8", "surrogateescape")) > NAME_BYTES_MAX
    if name.startswith("/") or ".." in parts or "\0" in name or is_long or len(parts) > PARTS_MAX:
        _refuse(label, head, f"{shown}: a name that leads out of the archive, or is too long")
    if not parts and not is_directory:
        _refuse(label, head, "a file without a name")
    return Member(
        parts=parts,
        is_directory=is_directory,
        offset=start,
        size=0 if is_directory else size,
        mtime_ns=int(info.mtime) * _NS,
        mode=info.mode & 0o777,
    )


def _records(data: bytes, label: str, offset: int) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n` of a pax head."""
    found: dict[str, str] = {}
    position = 0
    while position < len(data) and data[position]:
        digits, space, _ = data[position : position + 20].partition(b" ")
        size = int(digits) if space and digits.isdigit() else 0
        record = data[position + len(digits) + 1 : position + size - 1]
        key, equals, value = record.partition(b"=")
        if not equals or data[position + size - 1 : position + size] != b"\n":
            _refuse(label, offset, "an extended head that does not read")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        position += size
    return found


def _refuse(label: str, offset: int, words: str) -> NoReturn:
    raise AccessError(f"{label}:{offset}: {words}")

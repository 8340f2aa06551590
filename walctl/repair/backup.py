"""A backup that is really there: every file of a member's two folders, packed, synced, read back.

    DIRECTORY.walctl/20261123T172458Z-repair/      beside the data directory, or where one wished
        wal/NAME.zst, snap/NAME.zst                every file, mode 0600, `zstd -d` opens it
        manifest.json                              what each was: hash, size, owner, mode, times
        findings.json                              what verify said of the member before
        plan.json                                  the plan that was carried out
        receipt.json                               what `walctl undo` takes

A backup is never written over and never taken away by success.
"""

import base64
import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.fs.base import FileSystem
from walctl.fs.hashing import blocks_of
from walctl.fs.writable import Attributes, WritableFileSystem
from walctl.fs.zstd import SUFFIX
from walctl.repair.document import bound_document
from walctl.repair.job import Blocks, Job, base_of, folders_of, paced, path_of, room_of
from walctl.repair.packing import packed, unpacked
from walctl.repair.plan import SNAP, WAL, Stamp
from walctl.repair.stage import settable
from walctl.repair.stamps import stamp_of
from walctl.repair.stated import FILES_MAX, NUMBER_MAX, own_name
from walctl.repair.strict import NAME_BYTES_MAX, Part, parsed
from walctl.repair.world import World

BACKUPS_SUFFIX = ".walctl"
MANIFEST, RECEIPT, PENDING = "manifest.json", "receipt.json", "receipt.json.new"
PLAN, FINDINGS = "plan.json", "findings.json"
DOCUMENTS = (MANIFEST, FINDINGS, PLAN, RECEIPT, PENDING)
DOCUMENT_BYTES_MAX = 256 << 20
"""Longest manifest or receipt that is read: a hundred thousand files make some tens of MiB."""
SAME_SECOND_MAX = 1000
"""Backups of one kind that may be made in one second."""
EXTENDED_MAX = 1000
EXTENDED_BYTES_MAX = 1 << 16
"""Longest extended attribute (Linux: 64 KiB), and how many one file may have."""
BACKUP_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z]{1,20}(-[0-9]{1,4})?")
_TIME_MAX = 253402300799.0
"""The last second of the year 9999, which is as far as dates go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file of a backup as it was: what it held, and all that belongs to it."""

    stamp: Stamp
    inode: int
    is_allocated: bool
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds, by names as in a plan."""

    files: Mapping[str, Kept] = field(default_factory=dict)


def backups_folder(directory: Path) -> Path:
    """Where the backups of a member's directory lie, unless one wished otherwise."""
    return directory.parent / f"{directory.name}{BACKUPS_SUFFIX}"


def utc(seconds: float) -> str:
    """A moment as it stands in names and documents."""
    moment = datetime.datetime.fromtimestamp(min(max(seconds, 0.0), _TIME_MAX), datetime.UTC)
    return moment.strftime("%Y%m%dT%H%M%SZ")


def new_folder(disk: FileSystem, root: Path, *, kind: str, now: float) -> Path:
    """A name below `root` that nobody has.

    Raises: AccessError, when there are too many of this second.
    """
    name = f"{utc(now)}-{kind}"
    for number in range(1, SAME_SECOND_MAX):
        folder = root / (name if number == 1 else f"{name}-{number}")
        if not disk.exists(folder):
            return folder
    raise AccessError(f"{root / name}: there are {SAME_SECOND_MAX} like it already")


def demand_names(job: Job) -> None:
    """Raise UnsupportedError for a file whose name leaves no room for that of its packed copy."""
    for name in job.bound.files:
        packed_name = f"{base_of(name)}{SUFFIX}".encode("utf-8", "surrogateescape")
        if len(packed_name) > NAME_BYTES_MAX:
            raise UnsupportedError(
                f"{path_of(job.bound, name)}: its name is too long for a copy of it in a backup"
                f" ({SUFFIX} comes behind it): move it elsewhere first"
            )


class BackupWriter:
    """Makes the backup of one job in the new folder `folder`."""

    def __init__(self, world: World, job: Job, folder: Path) -> None:
        self._world = world
        self._job = job
        self._folder = folder
        self._is_ours = False

    def make(self, findings: Mapping[str, object]) -> Manifest:
        """Write it, sync it, and read it back.

        Raises: AccessError, when the disk refuses, or a file is not what the job is bound to;
        StoppedError.
        """
        disk, folder = self._world.disk, self._folder
        root = folder.parent
        if not disk.exists(root):
            disk.make_dir(root)
            disk.sync_dir(root.parent)
        else:
            # Who made it a moment ago need not have synced it. Where its parent may not be read, it
            # is not one that was just made for us.
            with suppress(AccessError):
                disk.sync_dir(root.parent)
        disk.make_dir(folder)
        self._is_ours = True
        rooms = [room for room in folders_of(self._job.bound) if room in (WAL, SNAP)]
        for room in rooms:
            disk.make_dir(folder / room)
        files = {name: self._keep(name) for name in self._job.bound.files}
        manifest = Manifest(files=files)
        documents = {FINDINGS: as_json(findings), **self._job.documents}
        documents[MANIFEST] = as_json(manifest_document(manifest, self._job))
        for name, data in documents.items():
            write_document(disk, folder / name, data)
        for each in (*(folder / room for room in rooms), folder, root):
            disk.sync_dir(each)
        for name, kept in files.items():
            self._prove(name, kept.stamp)
        if read_manifest(disk, folder) != manifest:
            raise AccessError(f"{folder / MANIFEST}: read back, it does not say what was written")
        return manifest

    def take_away(self) -> None:
        """Remove what was made; for a backup of something that did not change after all."""
        if self._is_ours:
            remove_backup(self._world.disk, self._folder, self._job.bound.files)

    def _keep(self, name: str) -> Kept:
        disk, path = self._world.disk, path_of(self._job.bound, name)
        stat, attributes = disk.stat(path), settable(disk.attributes(path))
        with disk.open(path) as file:
            digested = _Digested(paced(self._world, blocks_of(file)))
            write_stream(disk, packed_path(self._folder, name), packed(digested))
        if digested.stamp() != self._job.bound.files[name]:
            raise AccessError(f"{path}: {self._job.stale}")
        return Kept(
            stamp=self._job.bound.files[name],
            inode=stat.inode,
            is_allocated=stat.is_allocated,
            attributes=attributes,
        )

    def _prove(self, name: str, stamp: Stamp) -> None:
        path = packed_path(self._folder, name)
        with self._world.disk.open(path) as file:
            found = stamp_of(paced(self._world, unpacked(file, bytes_max=stamp.size)))
        if found != stamp:
            raise AccessError(f"{path}: read back, it does not hold what was written to it")


class _Digested:
    """Blocks that are passed on once, and what they were together."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._parts: list[Stamp] = []

    def __iter__(self) -> Iterator[bytes | memoryview]:
        digest, size = hashlib.sha256(), 0
        for block in self._blocks:
            digest.update(block)
            size += len(block)
            yield block
        self._parts.append(Stamp(size=size, sha256=digest.hexdigest()))

    def stamp(self) -> Stamp:
        return self._parts[0]


def packed_path(folder: Path, name: str) -> Path:
    """Where a backup has the file `name`."""
    return folder / room_of(name) / f"{base_of(name)}{SUFFIX}"


def write_stream(disk: WritableFileSystem, path: Path, blocks: Blocks) -> None:
    """Make a new file of the blocks, and sync it."""
    with closing(disk.create_file(path)) as file:
        offset = 0
        for block in blocks:
            file.write_at(offset, block)
            offset += len(block)
        file.sync()


def write_document(disk: WritableFileSystem, path: Path, data: bytes) -> None:
    """Make a new file of one document, and sync it."""
    write_stream(disk, path, [data])


def read_document(disk: FileSystem, path: Path) -> object:
    """The values of a document of ours.

    Raises: AccessError, UsageError.
    """
    with disk.open(path) as file:
        data = file.read_at(0, DOCUMENT_BYTES_MAX + 1)
    if len(data) > DOCUMENT_BYTES_MAX:
        raise UsageError(f"{path}: more than {DOCUMENT_BYTES_MAX:,} bytes: no document of ours")
    try:
        return parsed(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error


def as_json(document: Mapping[str, object]) -> bytes:
    """A document as the bytes of a file."""
    return json.dumps(document, indent=2, allow_nan=False).encode("ascii") + b"\n"


def remove_backup(disk: WritableFileSystem, folder: Path, names: Mapping[str, Stamp]) -> None:
    """Take away a backup of these files, and its documents first: half of one is none."""
    if not disk.exists(folder):
        return
    for name in (RECEIPT, PENDING, MANIFEST, PLAN, FINDINGS):
        if disk.exists(folder / name):
            disk.remove(folder / name)
    ours = {packed_path(folder, name) for name in names}
    for room in (WAL, SNAP):
        if disk.exists(folder / room):
            # By what is there: a disk need not even answer for a name that it could not take.
            for each in disk.names(folder / room):
                if folder / room / each in ours:
                    disk.remove(folder / room / each)
            disk.remove_dir(folder / room)
    disk.remove_dir(folder)
    root = folder.parent
    disk.sync_dir(root)
    if root.name.endswith(BACKUPS_SUFFIX) and not disk.names(root):
        with suppress(AccessError):  # somebody is making one this very moment
            disk.remove_dir(root)


def manifest_document(manifest: Manifest, job: Job) -> dict[str, object]:
    """A manifest for JSON."""
    return {
        "v": 1,
        "kind": "walctl-backup",
        "tool": job.tool,
        "bound": bound_document(job.bound),
        "files": {
            name: {
                "size": kept.stamp.size,
                "sha256": kept.stamp.sha256,
                "inode": kept.inode,
                "allocated": kept.is_allocated,
                "mode": kept.attributes.mode,
                "uid": kept.attributes.uid,
                "gid": kept.attributes.gid,
                "mtime_ns": kept.attributes.mtime_ns,
                "extended": [
                    [each, base64.b64encode(value).decode("ascii")]
                    for each, value in kept.attributes.extended
                ],
            }
            for name, kept in manifest.files.items()
        },
    }


def read_manifest(disk: FileSystem, folder: Path) -> Manifest:
    """The manifest of a backup. Raises: AccessError, UsageError."""
    path = folder / MANIFEST
    document = read_document(disk, path)
    try:
        inside = Part(document).members("v", "kind", "tool", "bound", "files")
        inside["v"].integer(1, 1)
        if inside["kind"].text() != "walctl-backup":
            inside["kind"].refuse("walctl-backup")
        files: dict[str, Kept] = {}
        for name, part in inside["files"].entries(FILES_MAX).items():
            files[own_name(Part(name, "files"))] = _kept_of(part)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error
    return Manifest(files=files)


def _kept_of(part: Part) -> Kept:
    inside = part.members(
        "size", "sha256", "inode", "allocated", "mode", "uid", "gid", "mtime_ns", "extended"
    )
    extended = []
    for pair in inside["extended"].items(EXTENDED_MAX):
        items = pair.items(2)
        if len(items) != 2:
            pair.refuse("a name and a value")
        extended.append((items[0].text(), items[1].data(bytes_max=EXTENDED_BYTES_MAX)))
    return Kept(
        stamp=Stamp(
            size=inside["size"].integer(0, NUMBER_MAX),
            sha256=inside["sha256"].matched(re.compile(r"[0-9a-f]{64}"), "a SHA-256"),
        ),
        inode=inside["inode"].integer(0, NUMBER_MAX),
        is_allocated=inside["allocated"].flag(),
        attributes=Attributes(
            mode=inside["mode"].integer(0, 0o7777),
            uid=inside["uid"].maybe(_id),
            gid=inside["gid"].maybe(_id),
            mtime_ns=inside["mtime_ns"].maybe(_time),
            extended=tuple(extended),
        ),
    )


def _id(part: Part) -> int:
    return part.integer(0, (1 << 32) - 1)


def _time(part: Part) -> int:
    return part.integer(-(1 << 63), (1 << 63) - 1)

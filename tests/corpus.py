"""The shared corpus of real member directories: found, unpacked once, never written.

The corpus lives outside this repository (`../shared/corpus` beside it, or where `WALCTL_CORPUS`
points; set it empty to go without). Tests take `unpacked(name)` to read, `copy_of(name, target)`
to write, and carry `needs_corpus`, so that a machine without it skips them aloud. Nothing here
imports walctl or formats: what it hands out must not depend on the code under test.

Unpacked directories stay in a cache folder for the next session (`WALCTL_CORPUS_CACHE`, or one
in the temporary folder), named after the hash of the corpus's index. Each is made aside under a
lock and renamed when whole, so that parallel workers share one; a stamp of sizes and times tells
whether someone wrote to it since, and then it is made again.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
import zstandard

REPO = Path(__file__).resolve().parent.parent
WINDOW_BYTES_MAX = 1 << 27
"""The archives were packed with a 128 MiB window."""
HOLE_BYTES = 1 << 16
"""Runs of zeros are kept as holes in blocks of this size, counted from the file's start."""
ZEROS = bytes(HOLE_BYTES)
READ_BYTES = 1 << 20


def _find() -> Path | None:
    """The corpus folder, or `None`. A `WALCTL_CORPUS` that leads nowhere is an error, not a skip.

    Raises: pytest.UsageError.
    """
    wish = os.environ.get("WALCTL_CORPUS")
    folder = REPO.parent / "shared" / "corpus" if wish is None else Path(wish)
    if wish == "":
        return None
    if (folder / "index.json").is_file():
        return folder.resolve()
    if wish is not None:
        raise pytest.UsageError(f"WALCTL_CORPUS: {wish}: no index.json there")
    return None


CORPUS: Path | None = _find()

needs_corpus = pytest.mark.skipif(
    CORPUS is None, reason="corpus: not found beside the repository, nor by WALCTL_CORPUS"
)


def names() -> list[str]:
    """Every directory of the corpus, in the order of its index; empty without a corpus."""
    if CORPUS is None:
        return []
    index = json.loads((CORPUS / "index.json").read_bytes())
    return [each["name"] for each in index if (CORPUS / f"{each['name']}.tar.zst").is_file()]


def manifest(name: str) -> dict[str, Any]:
    """What the corpus says of `name`: how it was made, hashes, verdict, a summary of the truth."""
    folder = _corpus()
    read: dict[str, Any] = json.loads((folder / f"{name}.manifest.json").read_bytes())
    return read


@functools.cache
def unpacked(name: str) -> Path:
    """The folder that holds `n1/` (and so on) and `truth/` of `name`; for reading only.

    Unpacked at the first call of all sessions, verified against the manifest's hashes.
    """
    folder = cache() / name
    with _locked(cache() / f".{name}.lock"):
        stamp_file = cache() / f".{name}.stamp"
        stamp = json.dumps(_stamp(folder)) if folder.is_dir() else ""
        if stamp and stamp_file.is_file() and stamp_file.read_text() == stamp:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache()))
        try:
            _unpack(name, aside)
            aside.chmod(0o755)
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        stamp_file.write_text(json.dumps(_stamp(folder)))
    return folder


def copy_of(name: str, target: Path) -> Path:
    """A copy of `name` at `target / name` that a test may write to; holes stay holes."""
    return copy_tree(unpacked(name), target / name)


def copy_tree(source: Path, target: Path) -> Path:
    """Copy a directory with modes and times; `target` must not exist. Holes stay holes."""
    shutil.copytree(source, target, copy_function=_copy_file, symlinks=True)
    return target


class Print(NamedTuple):
    """What must not change of one file or directory that is only read.

    `sha256` is over the blocks that are not all zero, each with its offset: holes cost nothing
    and do not count. It is empty for a directory, whose size is given as 0.
    """

    sha256: str
    size: int
    mtime_ns: int
    inode: int
    mode: int


def fingerprint(folder: Path) -> dict[str, Print]:
    """Everything below `folder`, itself included as `.`, by relative path: equal means unwritten.

    Access times do not count. A new, renamed or removed name shows, also in its directory's times.
    """
    prints = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        seen = path.lstat()
        is_file = stat.S_ISREG(seen.st_mode)
        prints[str(path.relative_to(folder))] = Print(
            sha256=_sha256_of_data(path) if is_file else "",
            size=seen.st_size if is_file else 0,
            mtime_ns=seen.st_mtime_ns,
            inode=seen.st_ino,
            mode=seen.st_mode,
        )
    return prints


@functools.cache
def cache() -> Path:
    """The folder that keeps unpacked directories from one session to the next; ours alone."""
    wish = os.environ.get("WALCTL_CORPUS_CACHE")
    digest = hashlib.sha256((_corpus() / "index.json").read_bytes()).hexdigest()[:16]
    name = f"walctl-corpus-{os.getuid()}-{digest}"
    folder = Path(wish) if wish else Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, parents=bool(wish), exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise pytest.UsageError(f"{folder}: expected a directory of ours")
    return folder


def _corpus() -> Path:
    """The corpus folder, where its absence means a test without `needs_corpus`."""
    if CORPUS is None:
        pytest.skip("corpus: not found beside the repository, nor by WALCTL_CORPUS")
    return CORPUS


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; released by the system too when its holder dies."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp(folder: Path) -> list[list[str | int]]:
    """Cheap evidence that nobody wrote below `folder` since: sizes, change times, inodes."""
    seen = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [
        [str(path.relative_to(folder)), each.st_size, each.st_mtime_ns, each.st_ctime_ns]
        for path, each in seen
    ]


def _unpack(name: str, target: Path) -> None:
    """Unpack the archive of `name` into `target`, each file checked against the manifest.

    Raises: ValueError, when the archive and the manifest differ.
    """
    said = manifest(name)
    wanted = {**said["files"], **{f"truth/{k}": v for k, v in said["truth_files"].items()}}
    modes = []
    with (
        (_corpus() / f"{name}.tar.zst").open("rb") as packed,
        zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX).stream_reader(packed) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        for item in tar:
            path = target / item.name
            if ".." in path.parts or not path.is_relative_to(target):
                raise ValueError(f"{name}: {item.name}: expected a path inside the archive")
            if item.isdir():
                path.mkdir(parents=True, exist_ok=True)
                modes.append((path, item.mode))
                continue
            bytes_in = tar.extractfile(item)
            if bytes_in is None:
                raise ValueError(f"{name}: {item.name}: expected a plain file")
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = _write_sparse(bytes_in, path, item.size)
            want = wanted.pop(item.name, {"sha256": "nothing", "size": "nothing"})
            if (want["sha256"], want["size"]) != (digest, item.size):
                raise ValueError(f"{name}: {item.name}: manifest says {want}, found {digest}")
            path.chmod(item.mode)
    missing = [path for path, want in wanted.items() if "sha256" in want]
    if missing:
        raise ValueError(f"{name}: not in the archive: {', '.join(missing)}")
    for path, mode in reversed(modes):
        path.chmod(mode)


def _write_sparse(source: IO[bytes], path: Path, size: int) -> str:
    """Write `size` bytes from `source` to the new file `path`, zeros as holes; their sha256."""
    digest = hashlib.sha256()
    with path.open("xb") as out:
        for start in range(0, size, READ_BYTES):
            block = source.read(min(READ_BYTES, size - start))
            digest.update(block)
            for position in range(0, len(block), HOLE_BYTES):
                piece = block[position : position + HOLE_BYTES]
                if piece != ZEROS[: len(piece)]:
                    out.seek(start + position)
                    out.write(piece)
        out.truncate(size)
    return digest.hexdigest()


def _data_blocks(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each block that is not all zeros; holes are not read."""
    size = os.fstat(file.fileno()).st_size
    offset = 0
    while offset < size:
        try:
            data = os.lseek(file.fileno(), offset, os.SEEK_DATA)
        except OSError:  # nothing but a hole behind `offset`
            return
        offset = max(offset, data - data % HOLE_BYTES)
        block = os.pread(file.fileno(), HOLE_BYTES, offset)
        if block != ZEROS[: len(block)]:
            yield offset, block
        offset += HOLE_BYTES


def _sha256_of_data(path: Path) -> str:
    """Hash of the blocks that are not all zeros, each with its offset."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for offset, block in _data_blocks(file):
            digest.update(offset.to_bytes(8, "little"))
            digest.update(block)
    return digest.hexdigest()


def _copy_file(source: str, target: str) -> str:
    """Copy one file with mode and times, leaving out its zeros."""
    with open(source, "rb", buffering=0) as file, open(target, "xb", buffering=0) as out:
        for offset, block in _data_blocks(file):
            os.pwrite(out.fileno(), block, offset)
        out.truncate(os.fstat(file.fileno()).st_size)
    shutil.copystat(source, target)
    return target

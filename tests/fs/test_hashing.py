"""All bytes of a file in blocks: as they are, holes included, and none of a hole is read."""

from pathlib import Path

import pytest

from walctl.errors import AccessError
from walctl.fs.hashing import WINDOW_BYTES, blocks_of
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem

PATH = Path("/log")
SPARSE_BYTES = 1 << 40


@pytest.mark.parametrize("size", [0, 1, WINDOW_BYTES - 1, WINDOW_BYTES, WINDOW_BYTES + 1])
def test_the_blocks_are_the_bytes_and_none_is_longer_than_a_window(size: int) -> None:
    disk = MemoryFileSystem()
    data = bytes(range(251)) * (size // 251 + 1)
    disk.write(PATH, data[:size])
    with disk.open(PATH) as file:
        blocks = [bytes(block) for block in blocks_of(file)]
    assert b"".join(blocks) == data[:size]
    assert all(len(block) <= WINDOW_BYTES for block in blocks)


def test_what_lies_between_holes_is_read_and_the_holes_are_not(tmp_path: Path) -> None:
    """A terabyte of nothing: its first block comes at once, and what is behind it is found."""
    path = tmp_path / "log"
    with path.open("wb") as out:
        out.write(b"head")
        out.truncate(3 * WINDOW_BYTES)
    with RealFileSystem().open(path) as file:
        assert b"".join(map(bytes, blocks_of(file))) == path.read_bytes()
    with path.open("r+b") as out:
        out.truncate(SPARSE_BYTES)
    with RealFileSystem().open(path) as file:
        taken = file.stat().allocated_bytes
        assert taken is not None
        assert taken < SPARSE_BYTES, "the file system of the tests has holes"
        assert bytes(next(blocks_of(file)))[:4] == b"head"


def test_a_file_that_becomes_shorter_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes([1]) * (2 * WINDOW_BYTES))
    with RealFileSystem().open(path) as file:
        blocks = blocks_of(file)
        next(blocks)
        with path.open("r+b") as out:
            out.truncate(WINDOW_BYTES + 1)
        with pytest.raises(AccessError, match="shorter"):
            list(blocks)

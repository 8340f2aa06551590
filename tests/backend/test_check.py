"""Every used page of a database is read: one that is destroyed is found, wherever it lies."""

from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.corpus import needs_corpus, unpacked
from walctl.backend.check import check_tree
from walctl.backend.pages import PageError, Pages
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.report import gate
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Verdict

DISK = RealFileSystem()
PATH = Path("/db")


@needs_corpus
@pytest.mark.parametrize(
    "name", ["s-small-snaps-35", "b-single-allops-34", "c-snapshots-segments-35"]
)
def test_a_whole_database_reads_to_its_end(name: str) -> None:
    assert check_tree(DISK, unpacked(name) / "n1" / "member" / "snap" / "db") == []


def is_found(data: bytes) -> bool:
    try:
        return bool(check_tree(MemoryFileSystem({PATH: data}), PATH))
    except PageError:
        return True


@needs_corpus
def test_a_destroyed_page_is_found_or_was_in_no_use() -> None:
    """A page whose loss goes by unseen must be one that reading the whole tree never touches."""
    data = (unpacked("s-small-snaps-35") / "n1" / "member" / "snap" / "db").read_bytes()
    size = 4096
    disk = MemoryFileSystem({PATH: data})
    touched: set[int] = set()
    disk.on_read = lambda _path, offset, count: touched.update(
        range(offset // size, (offset + max(count, 1) - 1) // size + 1)
    )
    assert check_tree(disk, PATH) == []
    with disk.open(PATH) as file:
        high_water = Pages(file).meta.high_water
    missed = []
    for page in sorted(touched - {0, 1}):
        broken = data[: page * size] + bytes(size) + data[(page + 1) * size :]
        if not is_found(broken):
            missed.append(page)
    # Only the inside of an overflow page, which holds nothing but values, may be lost unseen.
    assert high_water > 50
    assert len(missed) < len(touched) / 4


def test_a_member_with_a_destroyed_key_tree_passes_no_gate(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    database = member / "member" / "snap" / "db"
    data = bytearray(database.read_bytes())
    size = 4096
    for page in range(2, len(data) // size):
        if data[page * size + 8] == 2 and data[page * size + 10] > 8:  # a leaf with many rows
            data[page * size + 16 : (page + 1) * size] = b"\xaa" * (size - 16)
    database.write_bytes(data)
    report = verify(DISK, member)
    assert report.verdict is Verdict.DAMAGED
    assert Code.DB_PAGE in {finding.code for finding in report.findings}
    assert not gate([report], is_strict=False).is_open


def test_a_page_that_two_parents_share_is_damage_and_ends_the_walk(tmp_path: Path) -> None:
    """A tree that shares pages could be walked for ever: eight by eight by eight ..."""
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    data = bytearray((member / "member" / "snap" / "db").read_bytes())
    with MemoryFileSystem({PATH: bytes(data)}).open(PATH) as file:
        root = Pages(file).meta.root
    size = 4096
    at = root * size
    count = int.from_bytes(data[at + 10 : at + 12], "little")
    assert data[at + 8] == 2, "the root is a leaf of buckets"
    elements = [at + 16 + 16 * number for number in range(count)]
    places = []
    for element in elements:
        flags, pos, key_bytes, _ = (
            int.from_bytes(data[element + n : element + n + 4], "little") for n in (0, 4, 8, 12)
        )
        value = element + pos + key_bytes
        if flags == 1 and any(data[value : value + 8]):
            places.append(value)
    assert places, "a bucket with pages of its own"
    first = data[places[0] : places[0] + 8]
    others = [
        element
        + int.from_bytes(data[element + 4 : element + 8], "little")
        + int.from_bytes(data[element + 8 : element + 12], "little")
        for element in elements
    ]
    for value in others:
        if value not in places:
            data[value : value + 8] = first  # an inline bucket now claims the pages of another
    found = check_tree(MemoryFileSystem({PATH: bytes(data)}), PATH)
    assert found
    assert any("used twice" in error.reason for _, error in found)

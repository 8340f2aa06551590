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
    assert list(check_tree(DISK, unpacked(name) / "n1" / "member" / "snap" / "db")) == []


def is_found(data: bytes) -> bool:
    try:
        return bool(list(check_tree(MemoryFileSystem({PATH: data}), PATH)))
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
    assert list(check_tree(disk, PATH)) == []
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

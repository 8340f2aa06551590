"""Faults at rest do what they say, to the node's own files alone, and again if so drawn."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wal.writing import created, puts, state
from walctl.cluster.at_rest import AtRest
from walctl.errors import AccessError, UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.fs.rot import written_end
from walctl.inspect.verify import verify
from walctl.model.finding import Code

LAB = Path("/lab")
FIRST = "0000000000000000-0000000000000000.wal"


def memory() -> MemoryFileSystem:
    """A lab with a node of two groups, one of which has a log."""
    member = LAB / "n1" / "g1" / "member"
    disk = MemoryFileSystem(
        {
            member / "snap" / "db": b"database",
            LAB / "n2" / "theirs": b"x",
            LAB / "n1" / "g2" / "note": b"y",
        }
    )
    with created(disk, member / "wal") as wal:
        for index in range(1, 60):
            wal.save(state(commit=index), puts(index, index, size=100))
    return disk


def at_rest(disk: MemoryFileSystem, number: int = 12345) -> AtRest:
    return AtRest(disk, LAB, "n1", draw=lambda count: number % count)


def data(disk: MemoryFileSystem, place: str | None) -> bytes:
    assert place is not None
    found = disk.everything()[LAB / "n1" / "g1" / place]
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize("number", [0, 7, 12345, 999_999])
def test_a_flipped_bit_is_one_bit_of_what_was_written(number: int) -> None:
    disk, before = memory(), memory()
    done = at_rest(disk, number).flip("g1")
    old, new = data(before, done.file), data(disk, done.file)
    assert done.offset is not None
    assert [at for at in range(len(old)) if old[at] != new[at]] == [done.offset]
    assert old[done.offset : done.offset + 1] == done.before
    assert new[done.offset : done.offset + 1] == done.after
    assert (done.before[0] ^ done.after[0]).bit_count() == 1
    assert done.offset < len(old.rstrip(b"\0"))
    again = memory()
    assert at_rest(again, number).flip("g1") == done
    assert again.everything() == disk.everything()
    assert done.args()["g"] == "g1"


def test_a_flip_is_where_it_was_said() -> None:
    disk = memory()
    done = at_rest(disk).flip("g1", file=FIRST, offset=100, bit=3)
    assert (done.offset, done.before[0] ^ done.after[0]) == (100, 8)
    done = at_rest(disk).flip("g1", file="member/snap/db", offset=0, bit=0)
    assert data(disk, "member/snap/db") == b"eatabase"


def test_a_zeroed_page_is_one_and_is_found() -> None:
    disk = memory()
    done = at_rest(disk, 1).zero("g1", file=FIRST)
    assert done.offset is not None
    assert done.offset % 4096 == 0
    assert done.size == min(4096, len(data(disk, done.file)) - done.offset)
    assert not any(data(disk, done.file)[done.offset : done.offset + (done.size or 0)])
    assert verify(disk, LAB / "n1" / "g1").verdict.value == "damaged"


def test_a_truncated_segment_ends_where_it_was_said() -> None:
    for wanted, drop in ((100, 0), (None, 17), (None, 0)):
        disk = memory()
        wal = LAB / "n1" / "g1" / "member" / "wal"
        last = [each for each in disk.names(wal) if each.endswith(".wal")][-1]
        with disk.open(wal / last) as file:
            end = written_end(file)
        done = at_rest(disk).truncate("g1", size=wanted, drop=drop)
        assert done.file == f"member/wal/{last}"
        size = wanted or max(0, end - (drop or 12345 % 4096 + 1))
        assert disk.stat(wal / last).size == size == done.offset
        assert done.size == end - size


def test_a_dropped_segment_is_missed() -> None:
    disk = memory()
    names = disk.names(LAB / "n1" / "g1" / "member" / "wal")
    assert len(names) > 2
    at_rest(disk).drop("g1", file=names[1])
    codes = {each.code for each in verify(disk, LAB / "n1" / "g1").findings}
    assert Code.SEGMENT_MISSING in codes


def test_a_wiped_node_has_nothing_and_the_others_everything() -> None:
    disk = memory()
    assert at_rest(disk).wipe("g1").files is not None
    assert at_rest(disk).groups() == ["g2"]
    at_rest(disk).wipe()
    assert disk.names(LAB / "n1") == []
    assert disk.everything()[LAB / "n2" / "theirs"] == b"x"


def test_a_node_goes_back_to_what_was_kept() -> None:
    disk = memory()
    before = disk.everything()
    rest = at_rest(disk)
    kept = rest.keep("monday")
    assert rest.kept() == ["monday"]
    rest.flip("g1")
    rest.wipe("g2")
    disk.write(LAB / "n1" / "g3" / "later", b"z")
    back = rest.rewind("monday")
    assert back.files == kept.files
    assert below(disk) == {path: each for path, each in before.items() if "n1" in path.parts}
    rest.wipe()
    rest.rewind("monday", "g2")
    assert rest.groups() == ["g2"]
    assert disk.names(LAB / "kept" / "n1") == ["monday"]


def below(disk: MemoryFileSystem) -> dict[Path, bytes | Path | None]:
    found = disk.everything()
    return {path: found[path] for path in found if path.is_relative_to(LAB / "n1")}


def test_holes_stay_holes_in_a_copy(tmp_path: Path) -> None:
    disk = RealFileSystem()
    sparse = tmp_path / "lab" / "n1" / "g2" / "sparse"
    sparse.parent.mkdir(parents=True)
    with disk.create_file(sparse) as file:
        file.truncate(32 << 20)
        file.write_at(16 << 20, b"middle")
    rest = AtRest(disk, tmp_path / "lab", "n1", draw=lambda count: 0)
    rest.keep("a")
    rest.wipe()
    rest.rewind("a")
    stat = disk.stat(sparse)
    assert stat.size == 32 << 20
    assert stat.allocated_bytes is not None
    assert stat.allocated_bytes < 1 << 20
    with disk.open(sparse) as opened:
        assert opened.read_at(16 << 20, 6) == b"middle"


REFUSALS: list[tuple[Callable[[AtRest], object], str]] = [
    (lambda rest: rest.flip("g9"), "no directory of a group 'g9'"),
    (lambda rest: rest.flip("g1", file="../../n2/theirs", offset=0), "a path within"),
    (lambda rest: rest.flip("g1", file="/lab/n2/theirs", offset=0), "a path within"),
    (lambda rest: rest.flip("g1", offset=1 << 40), "expected an offset below"),
    (lambda rest: rest.flip("g1", bit=8), "a bit from 0 to 7"),
    (lambda rest: rest.flip("g1", file="member/snap"), "expected a plain file"),
    (lambda rest: rest.zero("g1", size=0), "expected 1 to"),
    (lambda rest: rest.truncate("g1", size=1 << 40), "expected a size up to"),
    (lambda rest: rest.rewind("tuesday"), "no copy 'tuesday' was kept; there are none"),
    (lambda rest: rest.keep("../x"), "is no name for a copy"),
    (lambda rest: rest.flip("g2"), "No such file"),
]


@pytest.mark.parametrize(("act", "words"), REFUSALS)
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(
    act: Callable[[AtRest], object], words: str
) -> None:
    disk = memory()
    before = disk.everything()
    with pytest.raises((UsageError, AccessError), match=words):
        act(at_rest(disk))
    assert disk.everything() == before


def test_nothing_is_done_through_a_link() -> None:
    disk = memory()
    disk.link(LAB / "n1" / "g4", LAB / "n2")
    disk.link(LAB / "n1" / "g1" / "member" / "snap" / "far", LAB / "n2" / "theirs")
    before = disk.everything()
    acts: list[Callable[[AtRest], object]] = [
        lambda rest: rest.wipe("g4"),
        lambda rest: rest.wipe(),
        lambda rest: rest.flip("g4", file="theirs", offset=0),
        lambda rest: rest.flip("g1", file="member/snap/far", offset=0),
    ]
    for act in acts:
        with pytest.raises(AccessError, match="is a link"):
            act(at_rest(disk))
        assert disk.everything() == before
    at_rest(disk).wipe("g1")
    assert disk.everything()[LAB / "n2" / "theirs"] == b"x"


def test_a_node_that_runs_is_left_alone() -> None:
    disk = memory()
    disk.elsewhere[LAB / "n1" / "g1" / "member" / "wal"] = [4711]
    before = disk.everything()
    with pytest.raises(AccessError, match="process 4711 has files of it open: stop the node first"):
        at_rest(disk).wipe()
    assert disk.everything() == before

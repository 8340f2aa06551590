"""What a path is taken for: every shape, parts elsewhere, and paths that are no such thing."""

from pathlib import Path

import pytest

from formats.etcdserverpb import METADATA, Metadata
from tests.corpus import names, needs_corpus, unpacked
from walctl.datadir.layout import Layout, Shape, understand, understand_all
from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.fs.real import RealFileSystem
from walctl.wal.writer import Wal

SEGMENT = "0000000000000000-0000000000000000.wal"
SNAP = "0000000000000002-0000000000000005.snap"


def disk(*paths: str) -> MemoryFileSystem:
    """A disk with these files; a path that ends in a slash is a directory."""
    made = MemoryFileSystem()
    for path in paths:
        if path.endswith("/"):
            made.make_directory(Path(path))
        else:
            made.write(Path(path), b"")
    return made


def parts(layout: Layout) -> tuple[str | None, ...]:
    """Log, snapshots, database: as text."""
    found = (layout.wal_dir, layout.snap_dir, layout.database)
    return tuple(None if each is None else str(each) for each in found)


MEMBER = (f"/d/member/wal/{SEGMENT}", f"/d/member/snap/{SNAP}", "/d/member/snap/db")


def test_a_data_directory_has_all_parts_below_member() -> None:
    layout = understand(disk(*MEMBER), Path("/d"))
    assert layout.shape is Shape.DATA_DIR
    assert parts(layout) == ("/d/member/wal", "/d/member/snap", "/d/member/snap/db")
    assert layout.is_member
    assert (layout.only_segment, layout.snap_file) == (None, None)


def test_a_member_directory_has_them_itself() -> None:
    layout = understand(disk(*MEMBER), Path("/d/member"))
    assert layout.shape is Shape.MEMBER_DIR
    assert parts(layout) == ("/d/member/wal", "/d/member/snap", "/d/member/snap/db")
    assert layout.is_member


def bare_log(metadata: bytes | None) -> MemoryFileSystem:
    made = disk(f"/d/member/snap/{SNAP}")
    Wal.create(made, Path("/d/member/wal"), metadata=metadata).close()
    return made


def test_a_log_that_names_no_member_is_none_of_etcd_s_where_there_is_no_database() -> None:
    made = bare_log(None)
    for path in ("/d", "/d/member"):
        layout = understand(made, Path(path))
        assert layout.shape is Shape.RAFTEXAMPLE
        assert parts(layout) == ("/d/member/wal", "/d/member/snap", None)
    made.write(Path("/d/member/snap/db"), b"")
    assert understand(made, Path("/d")).shape is Shape.DATA_DIR
    named = bare_log(METADATA.build(Metadata(node_id=1, cluster_id=2)))
    assert understand(named, Path("/d")).shape is Shape.DATA_DIR


@pytest.mark.parametrize("missing", ["wal", "snap"])
def test_a_member_without_one_of_its_parts_is_still_one(missing: str) -> None:
    kept = [path for path in MEMBER if f"/{missing}/" not in path]
    for path in ("/d", "/d/member"):
        layout = understand(disk(*kept), Path(path))
        assert layout.is_member
        assert parts(layout) == ("/d/member/wal", "/d/member/snap", "/d/member/snap/db")


def test_an_empty_member_directory_is_a_data_directory_with_nothing_in_it() -> None:
    layout = understand(disk("/d/member/"), Path("/d"))
    assert layout.shape is Shape.DATA_DIR
    assert layout.is_member


def test_a_folder_of_segments_is_no_member() -> None:
    layout = understand(disk(f"/w/{SEGMENT}"), Path("/w"))
    assert layout.shape is Shape.SEGMENTS
    assert parts(layout) == ("/w", None, None)
    assert not layout.is_member


def test_a_folder_of_segments_may_hold_a_database_too() -> None:
    layout = understand(disk(f"/w/{SEGMENT}", "/w/db"), Path("/w"))
    assert parts(layout) == ("/w", "/w", "/w/db")


def test_raftexample_keeps_its_snapshots_in_a_folder_beside() -> None:
    made = disk(f"/raftexample-1/{SEGMENT}", "/raftexample-1-snap/")
    layout = understand(made, Path("/raftexample-1"))
    assert layout.shape is Shape.RAFTEXAMPLE
    assert parts(layout) == ("/raftexample-1", "/raftexample-1-snap", None)
    assert not layout.is_member


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (SEGMENT, Shape.SEGMENT),
        ("copy of a segment.wal", Shape.SEGMENT),
        (SNAP, Shape.SNAP_FILE),
        ("db", Shape.DATABASE),
        ("snapshot.db", Shape.DATABASE),
    ],
)
def test_a_single_file_is_known_by_its_name(name: str, shape: Shape) -> None:
    layout = understand(disk(f"/x/{name}"), Path("/x") / name)
    assert layout.shape is shape
    assert not layout.is_member
    expected = {
        Shape.SEGMENT: ("/x", None, None),
        Shape.SNAP_FILE: (None, None, None),
        Shape.DATABASE: (None, None, f"/x/{name}"),
    }
    assert parts(layout) == expected[shape]
    assert layout.only_segment == (name if shape is Shape.SEGMENT else None)
    assert layout.snap_file == (Path("/x") / name if shape is Shape.SNAP_FILE else None)


def test_parts_that_lie_elsewhere_are_taken_from_there() -> None:
    made = disk(*MEMBER, f"/fast/{SEGMENT}", f"/other/{SNAP}")
    layout = understand(made, Path("/d"), wal_dir=Path("/fast"))
    assert parts(layout) == ("/fast", "/d/member/snap", "/d/member/snap/db")
    layout = understand(made, Path("/d"), wal_dir=Path("/fast"), snap_dir=Path("/other"))
    assert parts(layout) == ("/fast", "/other", "/other/db")
    assert layout.is_member


def test_a_folder_without_any_part_is_a_member_when_its_log_is_said_to_be_elsewhere() -> None:
    made = disk("/d/notes.txt", f"/fast/{SEGMENT}")
    layout = understand(made, Path("/d"), wal_dir=Path("/fast"))
    assert layout.is_member
    assert layout.wal_dir == Path("/fast")


def test_snapshots_of_a_folder_of_segments_may_lie_elsewhere() -> None:
    made = disk(f"/w/{SEGMENT}", f"/s/{SNAP}")
    layout = understand(made, Path("/w"), snap_dir=Path("/s"))
    assert parts(layout) == ("/w", "/s", "/s/db")


def test_a_part_that_is_said_to_be_elsewhere_and_is_not_stops_us() -> None:
    for elsewhere in ({"wal_dir": Path("/no")}, {"snap_dir": Path("/no")}):
        with pytest.raises(AccessError, match="/no"):
            understand(disk(*MEMBER), Path("/d"), **elsewhere)


def test_links_are_followed_to_the_parts() -> None:
    made = disk(f"/real/{SEGMENT}", "/d/member/snap/db")
    made.link(Path("/d/member/wal"), Path("/real"))
    made.link(Path("/link"), Path("/d"))
    layout = understand(made, Path("/link"))
    assert layout.shape is Shape.DATA_DIR
    assert made.names(layout.wal_dir or Path()) == [SEGMENT]


# Nothing of the kind.


def test_a_missing_path_is_an_access_error_with_the_path() -> None:
    with pytest.raises(AccessError, match="/nowhere: No such file"):
        understand(disk(), Path("/nowhere"))


def test_a_link_in_a_circle_and_a_device_are_neither_file_nor_directory() -> None:
    made = disk()
    made.link(Path("/a"), Path("/b"))
    made.link(Path("/b"), Path("/a"))
    made.make_special(Path("/dev"))
    for path in ("/a", "/dev"):
        with pytest.raises(UnsupportedError, match=f"{path}: neither"):
            understand(made, Path(path))


@pytest.mark.parametrize("name", ["notes.txt", "0.tmp", "config.json", "wal"])
def test_a_file_of_another_kind_is_refused_with_what_was_looked_for(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"\*\.wal"):
        understand(disk(f"/x/{name}"), Path("/x") / name)


def test_the_copy_that_etcd_s_repair_made_is_a_segment() -> None:
    layout = understand(disk("/x/0-0.wal.broken"), Path("/x/0-0.wal.broken"))
    assert (layout.shape, layout.only_segment) == (Shape.SEGMENT, "0-0.wal.broken")


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (bytes(16) + b"\xed\xda\x0c\xed" + bytes(100), Shape.DATABASE),
        (b"\x04" + bytes(6) + b"\x84\x08\x04\x10\0" + bytes(4), Shape.SEGMENT),
    ],
)
def test_a_file_whose_name_says_nothing_is_known_by_how_it_begins(
    data: bytes, shape: Shape
) -> None:
    found = understand(MemoryFileSystem({Path("/x/saved"): data}), Path("/x/saved"))
    assert found.shape is shape


def test_a_part_that_has_no_place_in_the_layout_is_a_usage_error() -> None:
    made = disk("/x/0000000000000000-0000000000000000.wal", "/y/a")
    for path in ("/x", "/x/0000000000000000-0000000000000000.wal"):
        with pytest.raises(UsageError, match="--wal-dir"):
            understand(made, Path(path), wal_dir=Path("/y"))


def test_a_folder_of_texts_is_refused_with_what_was_looked_for() -> None:
    with pytest.raises(UnsupportedError, match="no member/, wal/ or snap/") as caught:
        understand(disk("/x/a.txt", "/x/b.txt"), Path("/x"))
    assert " is one" not in caught.value.message


def test_an_empty_folder_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="not a member's directory"):
        understand(disk("/x/"), Path("/x"))


def test_one_level_too_high_is_told_where_the_member_is() -> None:
    made = disk("/var/a.txt", "/var/etcd/member/wal/", "/var/zero/")
    with pytest.raises(UnsupportedError, match="/var/etcd is one"):
        understand(made, Path("/var"))


def test_a_file_called_member_does_not_make_a_data_directory() -> None:
    with pytest.raises(UnsupportedError):
        understand(disk("/x/member"), Path("/x"))
    layout = understand(disk("/x/member", f"/x/{SEGMENT}"), Path("/x"))
    assert layout.shape is Shape.SEGMENTS


def test_a_folder_that_may_not_be_listed_is_an_access_error() -> None:
    made = disk(*MEMBER)
    made.fail(Path("/d"), "Permission denied", Call.NAMES)
    with pytest.raises(AccessError, match="/d: Permission denied"):
        understand(made, Path("/d"))


def test_a_folder_beside_that_may_not_be_listed_is_no_hint_and_no_error() -> None:
    made = disk("/var/a/x.txt", "/var/b/member/")
    made.fail(Path("/var/a"), "Permission denied", Call.NAMES)
    with pytest.raises(UnsupportedError, match="/var/b is one"):
        understand(made, Path("/var"))


@needs_corpus
@pytest.mark.parametrize("name", [each for each in names() if not each.startswith("x-")])
def test_every_member_of_the_corpus_is_understood(name: str) -> None:
    folder = unpacked(name)
    members = [each for each in sorted(folder.iterdir()) if each.name != "truth"]
    assert members
    for member in members:
        if member.name.endswith("-snap"):
            continue
        layout = understand(RealFileSystem(), member)
        is_example = name.startswith("f-")
        assert layout.shape is (Shape.RAFTEXAMPLE if is_example else Shape.DATA_DIR)
        assert layout.wal_dir is not None
        assert any(each.suffix == ".wal" for each in layout.wal_dir.iterdir())


def several(*paths: str, at: str = "/d") -> list[tuple[str, Shape, str | None]]:
    """The logs that are understood there: path, shape and snapshots of each."""
    found = understand_all(disk(*paths), Path(at))
    return [(str(e.path), e.shape, None if e.snap_dir is None else str(e.snap_dir)) for e in found]


CHANNELS = tuple(f"/d/wal/{name}/{SEGMENT}" for name in ("orders", "audit"))


@pytest.mark.parametrize("at", ["/d", "/d/wal"])
def test_the_channels_of_an_orderer_are_a_log_each(at: str) -> None:
    found = several(*CHANNELS, f"/d/snapshot/orders/{SNAP}", "/d/wal/lost+found/", at=at)
    assert found == [
        ("/d/wal/audit", Shape.SEGMENTS, None),
        ("/d/wal/orders", Shape.SEGMENTS, "/d/snapshot/orders"),
    ]


def test_folders_of_segments_that_nobody_called_a_log_are_not_gone_into() -> None:
    """All commands understand a path alike; what lies deeper has to be named."""
    made = disk(f"/d/a/{SEGMENT}", f"/d/b/{SEGMENT}", "/d/notes.txt")
    with pytest.raises(UnsupportedError, match="not a member's directory"):
        understand_all(made, Path("/d"))


@pytest.mark.parametrize("at", ["/d", "/d/member", "/d/member/wal", f"/d/member/wal/{SEGMENT}"])
def test_one_member_is_one_log_with_all_its_parts(at: str) -> None:
    """Its `wal` is a folder of segments as well, but then it would have lost its snapshots."""
    made = disk(*MEMBER)
    assert understand_all(made, Path(at)) == [understand(made, Path(at))]


def test_a_member_whose_log_is_empty_is_one_member() -> None:
    assert several("/d/wal/", "/d/snap/") == [("/d", Shape.MEMBER_DIR, "/d/snap")]


def test_a_channel_that_cannot_be_listed_is_not_left_out() -> None:
    made = disk(*CHANNELS)
    made.fail(Path("/d/wal/audit"), "permission denied", Call.NAMES)
    found = understand_all(made, Path("/d"))
    assert [str(each.path) for each in found] == ["/d/wal/audit", "/d/wal/orders"]


def test_a_folder_that_holds_no_log_is_told_as_ever() -> None:
    with pytest.raises(UnsupportedError, match="; /d/n1 is one"):
        understand_all(disk("/d/n1/member/wal/", "/d/notes.txt"), Path("/d"))


@needs_corpus
@pytest.mark.parametrize("name", names())
def test_several_logs_are_never_seen_in_a_member_of_the_corpus(name: str) -> None:
    for path in sorted(unpacked(name).iterdir()):
        if (path / "member").is_dir():
            for at in (path, path / "member", path / "member" / "wal"):
                real = RealFileSystem()
                assert understand_all(real, at) == [understand(real, at)]


@pytest.mark.parametrize("offset", [8, 16, 24, 40])
def test_a_log_that_names_no_member_is_told_with_one_sign_of_it_damaged(offset: int) -> None:
    made = bare_log(None)
    with made.open_file(Path("/d/member/wal") / SEGMENT) as file:
        before = file.read_at(offset, 1)[0]
        file.write_at(offset, bytes([before ^ 0x20]))
    assert understand(made, Path("/d")).shape is Shape.RAFTEXAMPLE

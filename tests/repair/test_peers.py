"""Peers: other members' directories, read and bound; errors in one line that names the path."""

from pathlib import Path

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.repair.healing import DISK
from tests.repair.members import bootstrap, puts, written
from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.model.record import HardState
from walctl.repair.peers import PEERS_MAX, read_peers


def _log(path: Path, node: int) -> Path:
    written(path, bootstrap(node, (1, 2, 3)) + puts(4, 9, 2, 3))
    return path


def test_peers_are_named_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    paths = [_log(tmp_path / f"n{node}", node) for node in (3, 2)]
    peers = read_peers(DISK, paths)
    assert [(each.name, each.node_id, each.path) for each in peers] == [
        ("peer1", 3, paths[0]),
        ("peer2", 2, paths[1]),
    ]


def test_a_peer_says_how_far_it_reaches_and_is_bound_to_its_files(tmp_path: Path) -> None:
    (peer,) = read_peers(DISK, [_log(tmp_path / "n2", 2)])
    assert (peer.cluster_id, peer.reach, peer.last, peer.commit, peer.term) == (
        0xC0,
        (2, 9),
        9,
        8,
        2,
    )
    assert peer.state == HardState(term=2, vote=3, commit=8)
    assert list(peer.bound.files) == ["wal/0000000000000000-0000000000000000.wal"]
    assert peer.flaw is None


@needs_corpus
def test_a_damaged_peer_says_what_is_wrong_with_it() -> None:
    (peer,) = read_peers(DISK, [unpacked("x-follower-tail-lost-35") / "n1"])
    assert peer.flaw is not None
    assert peer.flaw.startswith(f"{peer.path}: is damaged itself: db-ahead")
    assert (peer.reach, peer.commit) == ((2, 123), 148)


@pytest.mark.parametrize("name", ["missing", "file.wal", "empty", "logless"])
def test_what_is_no_members_directory_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.wal").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "logless" / "snap").mkdir(parents=True)
    with pytest.raises((AccessError, UnsupportedError)) as error:
        read_peers(DISK, [tmp_path / name])
    assert str(tmp_path / name) in error.value.message
    assert "\n" not in error.value.message


def test_a_directory_named_twice_and_too_many_of_them_are_refused(tmp_path: Path) -> None:
    path = _log(tmp_path / "n2", 2)
    with pytest.raises(UsageError, match="n2: named twice"):
        read_peers(DISK, [path, path])
    with pytest.raises(UsageError, match="at most"):
        read_peers(DISK, [tmp_path / str(number) for number in range(PEERS_MAX + 1)])

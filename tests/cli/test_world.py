"""The world that the command line hands to a repair: who hears of a signal, and who need not."""

import io
import os
import signal

import pytest

from walctl.cli import world as module
from walctl.cli.world import STOPPING, stop_requests, world_of
from walctl.fs.real import RealFileSystem
from walctl.render.screen import Screen


class Gone(io.StringIO):
    """The stream of a terminal that was closed."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_has_gone_stops_no_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Gone())
    with world_of(Screen(io.StringIO(), Gone()), RealFileSystem()) as world:
        world.say("making a backup")


def test_a_signal_is_noted_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []
    monkeypatch.setattr(module, "_teller", lambda: lambda: told.append(STOPPING))
    with stop_requests() as is_stopped:
        assert not is_stopped()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert is_stopped()
    assert told == [STOPPING]


def test_a_process_that_only_reads_along_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []
    monkeypatch.setattr(module, "_teller", lambda: lambda: told.append(STOPPING))
    with stop_requests():
        real = os.getpid()
        monkeypatch.setattr("os.getpid", lambda: real + 1)  # as after a fork
        os.kill(real, signal.SIGINT)
    assert told == []

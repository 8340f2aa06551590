"""Labs brought up: what is said where that does not work."""

import re
import sys
from pathlib import Path

import pytest

from tests.cluster.labs import DISK, QUICK, ended
from walctl.cluster import runtime
from walctl.cluster.making import NewLab, make
from walctl.cluster.up_down import up_detached
from walctl.errors import ClusterError


def test_a_supervisor_that_takes_no_commands_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make(
        DISK,
        NewLab(path=tmp_path / "demo", nodes=1, settings=QUICK),
        token=runtime.token(),
        draw=runtime.draw(),
        port_fault=runtime.port_fault,
    )
    asleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(runtime, "own_command", lambda *words: asleep)
    with ended(lab), pytest.raises(ClusterError) as caught:
        up_detached(DISK, lab, only=(), seconds=0.1)
    found = re.fullmatch(
        r"(?P<lab>.*): its supervisor, process (?P<pid>\d+), takes no commands after 0.1 s;"
        r" (?P<log>.*)/run/supervisor.log has what it said, walctl cluster down .* ends it",
        caught.value.message,
    )
    assert found is not None, caught.value.message
    assert found["lab"] == found["log"] == str(lab.path)
    runtime.reap(int(found["pid"]))

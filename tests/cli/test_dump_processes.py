"""`walctl dump` with several processes, as the shell sees it: pipes, Ctrl-C, nobody left behind."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, SECONDS_MAX, WALCTL, environment, ran
from tests.wal.builders import ENTRY, STATE, Builder, bytes_field, entry, fresh, state, varint
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.fate import Piece
from walctl.inspect.filters import Filter
from walctl.inspect.reading import ONE_PROCESS, flow_of
from walctl.inspect.select import Choice
from walctl.inspect.where import parse_where
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Redaction
from walctl.render.dump_json import JsonLines
from walctl.render.dump_show import FormDraw
from walctl.render.dump_text import TextLines
from walctl.render.piece_lines import Form
from walctl.wal.names import format_name

LOG_BYTES_MIN = 8 << 20
VALUE_BYTES = 1000
DISK = RealFileSystem()


def put(index: int) -> bytes:
    inner = bytes_field(1, b"key/%07d" % index) + bytes_field(2, b"%d" % (index % 10) * VALUE_BYTES)
    header = b"\x08" + varint((1 << 60) + index)
    return b"\x22" + varint(len(inner)) + inner + bytes_field(100, header)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one segment of puts, each committed by the hard state behind it."""
    folder = tmp_path_factory.mktemp("many") / "wal"
    folder.mkdir()
    builder: Builder = fresh()
    index = 1
    while len(builder.data) < LOG_BYTES_MIN:
        builder.add(ENTRY, entry(index, 1, put(index))).add(STATE, state(1, 7, index))
        index += 1
    (folder / format_name(seq=0, index=0)).write_bytes(builder.done(4096))
    return folder


def descendants_gone(pids: list[int]) -> bool:
    """Whether all of them have ended, waiting for it a while."""
    deadline = time.monotonic() + SECONDS_MAX
    while any(_is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_children(pid: int, count: int) -> list[int]:
    """The processes that walctl has started, once there are so many."""
    deadline = time.monotonic() + SECONDS_MAX
    while len(found := children_of(pid)) < count:
        assert time.monotonic() < deadline, f"{len(found)} processes, expected {count}"
        time.sleep(0.005)
    return found


@pytest.fixture
def started(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A dump whose output nobody reads yet, so that it stands still when the pipe is full."""
    process = subprocess.Popen(
        [*WALCTL, "dump", "-o", "ndjson", "-j", "4", log],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        bufsize=0,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def read_until_children(process: subprocess.Popen[bytes]) -> list[int]:
    """Read until all five processes have begun, which takes more than a pipe holds."""
    assert process.stdout is not None
    deadline = time.monotonic() + SECONDS_MAX
    while len(found := children_of(process.pid)) < 5:
        assert time.monotonic() < deadline
        assert process.stdout.read(1 << 14)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("output", ["ndjson", "json", "text", "csv", "hex"])
def test_what_is_printed_does_not_depend_on_the_processes(log: Path, output: str) -> None:
    """Nothing twice, which was waiting in a buffer when a process was forked, and nothing lost."""
    one, four = (ran("dump", "-o", output, "-j", jobs, log) for jobs in ("1", "4"))
    assert four == one
    assert (one.status, one.err) == (0, "")
    assert one.out.count("\n") > 1000
    if output == "ndjson":
        rows = [json.loads(line) for line in one.out.splitlines()]
        assert [row["offset"] for row in rows] == sorted({row["offset"] for row in rows})


@pytest.mark.slow
@pytest.mark.parametrize("words", [("-e", "7000"), ("-r", "put"), ("--grep", "key/00000[0-9]5")])
def test_neither_does_a_selection(log: Path, words: tuple[str, str]) -> None:
    one, four = (ran("dump", "-o", "ndjson", "-j", jobs, *words, log) for jobs in ("1", "4"))
    assert four == one
    assert one.out.count("\n") > 5


@pytest.mark.slow
def test_a_reader_that_goes_ends_all_processes_without_a_word(
    started: subprocess.Popen[bytes],
) -> None:
    assert started.stdout is not None
    assert started.stderr is not None
    children = read_until_children(started)
    started.stdout.close()
    assert started.stderr.read() == b""
    assert started.wait(SECONDS_MAX) == -signal.SIGPIPE
    assert descendants_gone(children)


@pytest.mark.slow
def test_head_ends_it(log: Path) -> None:
    line = f"{' '.join(map(_quoted, WALCTL))} dump -j 4 -o ndjson {log} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        env=environment(),
        check=False,
    )
    assert json.loads(done.stdout)["type"] == "crc"
    assert done.stderr == b""
    assert done.returncode in (0, 128 + signal.SIGPIPE)


def _quoted(word: str) -> str:
    return f"'{word}'"


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(5))
def test_an_interrupt_from_the_terminal_ends_all_processes_with_130(
    started: subprocess.Popen[bytes], round_: int
) -> None:
    """Ctrl-C goes to the whole group: each process gets it, and none says a word."""
    assert started.stderr is not None
    children = read_until_children(started)
    time.sleep(0.02 * round_)
    os.killpg(started.pid, signal.SIGINT)
    assert started.wait(SECONDS_MAX) == 130
    assert started.stderr.read() == b""
    assert descendants_gone(children)


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_and_the_others_end(
    started: subprocess.Popen[bytes],
) -> None:
    """As by the kernel, when there is no memory left."""
    assert started.stdout is not None
    assert started.stderr is not None
    children = read_until_children(started)
    os.kill(children[2], signal.SIGKILL)
    while started.stdout.read(1 << 20):
        pass
    assert started.stderr.read() == b"walctl: a process that read for us ended by itself (-9)\n"
    assert started.wait(SECONDS_MAX) == 4
    assert descendants_gone(children)


def pieces_of(log: Path) -> tuple[list[Piece], Choice]:
    layout = understand(DISK, log)
    assert layout.wal_dir is not None
    items = list(flow_of(DISK, layout, depth=ONE_PROCESS).items())
    pieces = [item for item in items if isinstance(item, Piece)]
    return pieces, Choice(disk=DISK, folder=layout.wal_dir, decoder=AutoDecoder(strict=True))


FORMS: dict[str, Form] = {
    "json": JsonLines(Redaction.AUTH),
    "text": TextLines(Redaction.VALUES, width=80, colour=False, columns_max=80),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_draws_an_item_can_be_sent_to_another_process(log: Path, form: str) -> None:
    """Processes are forked where that is possible; elsewhere everything would have to pickle."""
    pieces, choice = pieces_of(log)
    wanted = Filter(where=parse_where("size > 10"), payloads_are_etcds=True)
    for each in (choice, Choice(disk=DISK, folder=choice.folder, filter=wanted)):
        draw = FormDraw(each, FORMS[form], has_puts=True)
        again = pickle.loads(pickle.dumps(draw))
        assert again.item(pickle.loads(pickle.dumps(pieces[1]))) == draw.item(pieces[1])


@pytest.mark.slow
def test_what_draws_an_item_works_in_a_process_that_was_not_forked(log: Path) -> None:
    pieces, choice = pieces_of(log)
    draw = FormDraw(choice, JsonLines(Redaction.AUTH), has_puts=True)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(draw.item, pieces[:2]) == list(map(draw.item, pieces[:2]))

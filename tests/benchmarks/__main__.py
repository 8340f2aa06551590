"""`make bench`: how long commands take, as ratios beside a peer.

The peer that runs here is the plainest reading there is in Python: the protobuf package (upb) for
record and entry, and the C checksum, one record after the other, with no other question asked.
Figures of etcd's own `wal.Verify` were measured once on another machine and are labelled so: they
say what is to be reached, not what was measured here. Nothing asserts on time.
"""

import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import crc32c

from formats import internalpb, raftpb, walpb
from tests.benchmarks.checking import bench_checking
from tests.benchmarks.comparing import bench_comparing
from tests.benchmarks.kvmap import bench_map
from tests.benchmarks.labs import bench_labs
from tests.benchmarks.logs import write_log
from tests.benchmarks.machine import bench_machine
from tests.benchmarks.proxying import bench_proxy
from tests.benchmarks.raft import bench_raft
from tests.benchmarks.replaying import bench_replaying
from tests.benchmarks.simulating import bench_simulating
from tests.benchmarks.writing import ENTRIES, bench_writing
from walctl.fs.real import RealFileSystem
from walctl.wal.fold import digest

ROUNDS = 3
WALCTL = Path(sys.executable).parent / "walctl"


@dataclass(frozen=True)
class Case:
    """A log, and what etcd's own programs took for one of its size (seconds; recorded elsewhere).

    `etcd_seconds` is its Verify, `dumped_seconds` etcd-dump-logs.
    """

    name: str
    segments: int
    entry_bytes: int
    has_states: bool
    etcd_seconds: float | None
    has_puts: bool = False
    dumped_seconds: float | None = None


CASES = (
    Case("64 MB of 100-byte entries", 1, 100, False, 0.18),
    Case("64 MB of 100-byte entries, a state each", 1, 100, True, None),
    Case("64 MB of 1 KB entries", 1, 1024, False, 0.08),
    Case("640 MB of 1 KB entries", 10, 1024, False, 0.8),
)
PUTS = (
    Case("64 MB of 100-byte puts", 1, 100, False, None, has_puts=True, dumped_seconds=2.2),
    Case("64 MB of 100-byte puts, a state each", 1, 100, True, None, has_puts=True),
    Case("640 MB of 1 KB puts", 10, 1024, False, None, has_puts=True, dumped_seconds=5.4),
)
"""What stats counts and dump shows: entries that ask for something."""


def best(function: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def once(function: Callable[[], object]) -> float:
    """Seconds of one round, for what takes long."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def plain_reading(folder: Path) -> int:
    """The peer: every record through upb, every checksum compared."""
    record_of = walpb.RECORD.fast_class.FromString
    entry_of = raftpb.ENTRY.fast_class.FromString
    count = 0
    running = 0
    for path in sorted(folder.iterdir()):
        data = memoryview(path.read_bytes())
        at = 0
        while at + 8 <= len(data):
            (word,) = struct.unpack_from("<Q", data, at)
            if word == 0:
                break
            size = word & 0xFFFFFFFFFFFFFF
            record = record_of(data[at + 8 : at + 8 + size])
            if record.type == 4:
                running = record.crc
            else:
                running = crc32c.crc32c(record.data, running)
                if running != record.crc:
                    raise AssertionError(f"{path.name}:{at}: the benchmark's own log is damaged")
                if record.type == 2:
                    count += entry_of(record.data).index > 0
            at += 8 + size + (word >> 56 & 7)
    return count


def plain_printing(folder: Path) -> None:
    """The peer of dump: every entry's put as a JSON object; no checksum, no status, no place."""
    record_of = walpb.RECORD.fast_class.FromString
    entry_of = raftpb.ENTRY.fast_class.FromString
    request_of = internalpb.INTERNAL_RAFT_REQUEST.fast_class.FromString
    with open(os.devnull, "w") as output:
        for path in sorted(folder.iterdir()):
            data = memoryview(path.read_bytes())
            at = 0
            while at + 8 <= len(data):
                (word,) = struct.unpack_from("<Q", data, at)
                if word == 0:
                    break
                size = word & 0xFFFFFFFFFFFFFF
                record = record_of(data[at + 8 : at + 8 + size])
                if record.type == 2:
                    entry = entry_of(record.data)
                    put = request_of(entry.data).put
                    key = base64.b64encode(put.key).decode()
                    value = base64.b64encode(put.value).decode()
                    told = {"index": entry.index, "term": entry.term, "key": key, "value": value}
                    output.write(json.dumps(told) + "\n")
                at += 8 + size + (word >> 56 & 7)


def first_line(folder: Path) -> None:
    """A dump that is ended once it has printed a line."""
    with subprocess.Popen(
        [WALCTL, "dump", "-o", "ndjson", folder], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()


def our_reading(folder: Path) -> None:
    """The engine alone: scan and fold, in this process."""
    disk = RealFileSystem()
    for path in sorted(folder.iterdir()):
        with disk.open(path) as file:
            digest(file, segment=path.name)


_ASK = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
                       file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
print(os.wait4(child, 0)[2].ru_maxrss)
"""


def run(*words: str) -> tuple[float, int]:
    """Best wall time of a command, and the most memory that it took itself (KiB).

    A small process in between asks for the memory: a child's figure begins with its parent's.
    """

    def once() -> None:
        subprocess.run([WALCTL, *words], stdout=subprocess.DEVNULL, check=False)

    asked = subprocess.run(
        [sys.executable, "-c", _ASK, WALCTL, *words], capture_output=True, check=True, text=True
    )
    return best(once), int(asked.stdout)


def row(name: str, seconds: float, ratio: str) -> None:
    """One line of the table."""
    sys.stdout.write(f"  {name:<44}{seconds:8.3f} s   {ratio}\n")


def bench(case: Case, folder: Path) -> None:
    """All figures of one case."""
    count = write_log(
        folder, segments=case.segments, entry_bytes=case.entry_bytes, has_states=case.has_states
    )
    sys.stdout.write(f"{case.name}: {count:,} entries\n")
    peer = best(lambda: plain_reading(folder))
    row("plain reading with upb (peer, this run)", peer, "1.00")
    engine = best(lambda: our_reading(folder))
    row("scan and fold, one process", engine, f"{engine / peer:.2f} of the peer")
    for jobs in (1, 2):
        seconds, kib = run("verify", "-q", "-j", str(jobs), str(folder))
        against = f"{seconds / peer:.2f} of the peer"
        if case.etcd_seconds is not None:
            recorded = f"{seconds / case.etcd_seconds:.2f} of etcd's {case.etcd_seconds} s"
            against += f"; {recorded} (recorded, not this run)"
        row(f"walctl verify -j {jobs}, {kib // 1024} MiB", seconds, against)


def bench_puts(case: Case, folder: Path) -> None:
    """What counting and showing take: beside the scan, and beside the plainest way to print."""
    count = write_log(
        folder,
        segments=case.segments,
        entry_bytes=case.entry_bytes,
        has_states=case.has_states,
        has_puts=case.has_puts,
    )
    sys.stdout.write(f"{case.name}: {count:,} entries\n")
    for jobs in (1, 2):
        verified, _ = run("verify", "-q", "-j", str(jobs), str(folder))
        seconds, kib = run("stats", "-j", str(jobs), str(folder))
        against = f"{seconds / verified:.2f} of verify -j {jobs}"
        row(f"walctl stats -j {jobs}, {kib // 1024} MiB", seconds, against)
    peer = once(lambda: plain_printing(folder))
    row("plain printing with upb and json (peer, this run)", peer, "1.00")
    for form, jobs in (("ndjson", 1), ("ndjson", 2), ("text", 2)):
        seconds, kib = run("dump", "-o", form, "-j", str(jobs), str(folder))
        against = f"{seconds / peer:.2f} of the peer"
        if case.dumped_seconds is not None:
            recorded = f"{seconds / case.dumped_seconds:.2f} of etcd-dump-logs' "
            against += f"; {recorded}{case.dumped_seconds} s (recorded, not this run)"
        row(f"walctl dump -o {form} -j {jobs}, {kib // 1024} MiB", seconds, against)
    row("first line of dump -o ndjson", best(lambda: first_line(folder)), "")


def main() -> None:
    """Run every case in a temporary folder, which is removed again."""
    sys.stdout.write(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores\n")
    seconds, _ = run("--version")
    python = best(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    row("walctl --version", seconds, f"{seconds / python:.1f} of an empty Python")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES):
            place = Path(folder) / str(number)
            bench(case, place)
            shutil.rmtree(place)
        for number, case in enumerate(PUTS):
            place = Path(folder) / f"puts-{number}"
            bench_puts(case, place)
            shutil.rmtree(place)
        for entry_bytes in (20, 100, 1024):
            place = Path(folder) / f"written-{entry_bytes}"
            sys.stdout.write(f"{ENTRIES:,} entries of {entry_bytes} bytes, written\n")
            bench_writing(place, entry_bytes, once, row)
            shutil.rmtree(place)
        place = Path(folder) / "compared"
        sys.stdout.write("3 members of 192 MB, 1 KB entries, a state each\n")
        bench_comparing(place, run, row)
        shutil.rmtree(place)
    sys.stdout.write("Three Raft nodes agree\n")
    bench_raft(row)
    sys.stdout.write("Frames between two members, through the proxy of a lab\n")
    bench_proxy(row)
    sys.stdout.write("Labs of three nodes: puts, a killed leader, 50 groups idle, a new member\n")
    bench_labs(row)
    sys.stdout.write("Histories are judged\n")
    bench_checking(row)
    bench_simulating(row)
    sys.stdout.write("A log is applied to etcd's machine\n")
    bench_machine(row)
    sys.stdout.write("Snapshots of a lab's map\n")
    bench_map(row)
    sys.stdout.write("walctl replay of a million puts\n")
    with tempfile.TemporaryDirectory() as folder:
        bench_replaying(Path(folder) / "replay", run, row)


if __name__ == "__main__":
    main()

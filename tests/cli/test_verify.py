"""`walctl verify` as it is typed: exit statuses, gates, forms of output, and how it ends."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import ROOT, WALCTL, Tell, environment, ran
from tests.corpus import fingerprint, needs_corpus, unpacked

CASES = {"etcd-3.5-snapshots": 0, "snap-crc": 3, "zero-page": 1, "etcd-3.5-killed": 0}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a clean, a harmless and a damaged member; nobody may have written to it."""
    folder = tmp_path_factory.mktemp("cases")
    for case in CASES:
        unpack(case, folder / case)
    before = fingerprint(folder)
    yield folder
    assert fingerprint(folder) == before


@pytest.mark.parametrize(("case", "status"), CASES.items())
def test_the_exit_status_says_clean_harmless_or_damage(
    tell: Tell, cases: Path, case: str, status: int
) -> None:
    told = tell("verify", cases / case)
    assert told.status == status
    assert told.out.rstrip().endswith(f"exit {status}")
    assert told.err == ""


@pytest.mark.parametrize(
    ("order", "status"),
    [
        (["etcd-3.5-snapshots", "etcd-3.5-snapshots"], 0),
        (["etcd-3.5-snapshots", "snap-crc"], 3),
        (["zero-page", "snap-crc", "etcd-3.5-snapshots"], 1),
        (["gone", "zero-page"], 4),
        (["etcd-3.5-snapshots", "gone"], 4),
    ],
)
def test_of_several_paths_the_worst_decides_whatever_the_order(
    tell: Tell, cases: Path, order: list[str], status: int
) -> None:
    for names in (order, order[::-1]):
        assert tell("verify", "-q", *[cases / name for name in names]).status == status


def test_quiet_prints_no_text_but_json_and_errors(tell: Tell, cases: Path) -> None:
    for case, status in CASES.items():
        assert tell("verify", "-q", cases / case) == (status, "", "")
    told = tell("verify", "-q", "-o", "json", cases / "snap-crc")
    assert json.loads(told.out)["reports"][0]["verdict"] == "harmless"
    told = tell("verify", "-q", cases / "gone")
    assert (told.status, told.out) == (4, "")
    assert told.err.endswith("gone: No such file or directory\n")


@pytest.mark.parametrize(
    ("case", "gate", "strict"),
    [("etcd-3.5-snapshots", 0, 0), ("snap-crc", 0, 3), ("zero-page", 1, 1), ("gone", 4, 4)],
)
def test_a_gate_opens_for_harmless_findings_and_a_strict_one_does_not(
    tell: Tell, cases: Path, case: str, gate: int, strict: int
) -> None:
    assert tell("verify", "--gate", "-q", cases / case).status == gate
    assert tell("verify", "--gate-strict", "-q", cases / case).status == strict
    assert tell("verify", "--gate", "--gate-strict", "-q", cases / case).status == strict


@pytest.mark.parametrize(
    "part",
    [
        "member/wal",
        "member/wal/0000000000000000-0000000000000000.wal",
        "member/snap/db",
    ],
)
def test_a_strict_gate_needs_log_and_database(tell: Tell, cases: Path, part: str) -> None:
    path = cases / "etcd-3.5-snapshots" / part
    assert tell("verify", "-q", path).status == 0
    assert tell("verify", "--gate", "-q", path).status == 0
    assert tell("verify", "--gate-strict", "-q", path).status == 4
    assert tell("verify", "--gate-strict", "-q", cases / "etcd-3.5-snapshots/member").status == 0


def test_a_strict_gate_needs_the_database_of_a_member(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "member.etcd")
    (member / "member/snap/db").unlink()
    assert tell("verify", "--gate", "-q", member).status == 0
    assert tell("verify", "--gate-strict", "-q", member).status != 0


def test_json_is_one_document_for_all_paths_and_an_error_is_a_report(
    tell: Tell, cases: Path
) -> None:
    paths = [cases / "etcd-3.5-snapshots", cases / "gone", cases / "zero-page"]
    told = tell("verify", "-o", "json", *paths)
    document = json.loads(told.out)
    assert document["v"] == 1
    assert [each["path"] for each in document["reports"]] == [str(path) for path in paths]
    assert [each["verdict"] for each in document["reports"]] == ["clean", None, "damaged"]
    assert document["reports"][1]["error"].endswith("No such file or directory")
    assert told.out.isascii()
    assert told.status == 4


def test_ndjson_is_one_line_a_report(tell: Tell, cases: Path) -> None:
    paths = [cases / "snap-crc", cases / "gone", cases / "zero-page"]
    lines = tell("verify", "-o", "ndjson", *paths).out.splitlines()
    document = json.loads(tell("verify", "-o", "json", *paths).out)
    assert [json.loads(line) for line in lines] == [
        {"v": 1, **each} for each in document["reports"]
    ]


@needs_corpus
def test_one_process_and_two_say_the_same(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walctl.inspect.reading.PARALLEL_BYTES_MIN", 0)
    path = unpacked("c-snapshots-segments-35") / "n1"
    assert tell("verify", "-j1", path) == tell("verify", "-j2", path)


@needs_corpus
def test_without_time_a_long_check_ends_with_4_and_says_how_far_it_came(tell: Tell) -> None:
    told = tell("verify", "--time-limit", "0", unpacked("c-snapshots-segments-35") / "n1")
    assert (told.status, told.out) == (4, "")
    assert "time is over: read up to 0000000000000000-0000000000000000.wal, 1 of 3" in told.err
    assert tell("verify", "--time-limit", "60", "-q", unpacked("a-single-20puts-35") / "n1") == (
        0,
        "",
        "",
    )


def test_quick_says_that_only_a_part_was_read(tell: Tell, cases: Path) -> None:
    told = tell("verify", "--quick", cases / "etcd-3.5-snapshots")
    assert told.status == 0
    assert "(only a part was read)" in told.out
    found = json.loads(tell("verify", "--quick", "-o", "json", cases / "etcd-3.5-snapshots").out)
    assert found["reports"][0]["partial"] is True


@pytest.mark.parametrize(
    "words",
    [[], ["--time-limit", "-1", "x"], ["-j", "0", "x"], ["-o", "xml", "x"], ["--no-such", "x"]],
)
def test_a_wrong_command_line_ends_with_2_and_one_line(tell: Tell, words: list[str]) -> None:
    told = tell("verify", *words)
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert "walctl verify --help" in told.err


def test_a_process_says_what_a_call_says(tell: Tell, cases: Path) -> None:
    path = cases / "zero-page"
    assert ran("verify", path) == tell("verify", path)


def read_from_terminal(*words: str | Path, **more: str) -> bytes:
    """What a terminal gets."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*WALCTL, *words], stdout=theirs, stderr=theirs, cwd=ROOT, env=environment(**more)
    ) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so when the other end is closed
                break
            text += part
            if not part:
                break
        process.wait()
    os.close(ours)
    return text


@pytest.mark.slow
def test_a_terminal_gets_colour_unless_it_is_not_wanted(cases: Path) -> None:
    path = cases / "zero-page"
    assert b"\x1b[1;31m" in read_from_terminal("verify", path, TERM="xterm-256color", NO_COLOR="")
    assert b"\x1b[" not in read_from_terminal("verify", path, TERM="xterm-256color", NO_COLOR="1")
    assert b"\x1b[" not in read_from_terminal("verify", path, TERM="dumb", NO_COLOR="")
    assert "\x1b[" not in ran("verify", path, TERM="xterm-256color", NO_COLOR="").out


def test_a_full_disk_behind_stdout_is_told(cases: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*WALCTL, "verify", cases / "zero-page"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr == "walctl: cannot write the output: No space left on device\n"


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(each) for each in found.split()]


def wait_for_children(pid: int) -> list[int]:
    """The children of a process as soon as it has some; none after ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = children_of(pid)
        if children:
            return children
        time.sleep(0.01)
    return []


def long_log(folder: Path) -> Path:
    """Segments that take some seconds to read: random bytes, in which the log is looked for."""
    path = folder / "wal"
    path.mkdir()
    for number in range(8):
        with (path / f"{number:016x}-{number:016x}.wal").open("wb") as file:
            for _ in range(16):
                file.write(os.urandom(1 << 20))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_in_the_middle_ends_at_once_with_130_and_leaves_no_process(
    tmp_path: Path, jobs: str
) -> None:
    process = subprocess.Popen(
        [*WALCTL, "verify", "-j", jobs, long_log(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
    )
    children = wait_for_children(process.pid) if jobs == "2" else []
    assert bool(children) is (jobs == "2")
    time.sleep(0.3 if children else 0.8)
    assert process.poll() is None, "the log was not long enough"
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody in the foreground
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.strip() in ("", "walctl: interrupted")
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def test_the_channels_of_an_orderer_have_a_report_each(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "member")
    segment = next((member / "member" / "wal").glob("*.wal"))
    for name in ("audit", "orders"):
        (tmp_path / "etcdraft" / "wal" / name).mkdir(parents=True)
        (tmp_path / "etcdraft" / "wal" / name / segment.name).write_bytes(segment.read_bytes())
    told = tell("verify", "-o", "json", tmp_path / "etcdraft")
    reports = json.loads(told.out)["reports"]
    assert [Path(each["path"]).name for each in reports] == ["audit", "orders"]
    assert told.status == 0


def test_a_manifest_that_fits_changes_nothing_and_one_that_does_not_ends_with_1(
    tell: Tell, cases: Path, tmp_path: Path
) -> None:
    """Also of names relative to where it lies; a list that cannot be read gives no answer."""
    member = cases / "etcd-3.5-snapshots"
    files = sorted(path for path in member.rglob("*") if path.is_file())
    done = subprocess.run(["sha256sum", *files], capture_output=True, check=True, text=True)
    listed = tmp_path / "SHA256SUMS"
    listed.write_text(done.stdout)
    fits = tell("verify", member, "--manifest", listed)
    assert (fits.status, fits.err) == (0, "")
    assert f"{len(files)} files as listed" in " ".join(fits.out.split())
    digit = done.stdout[0]
    listed.write_text(done.stdout.replace(digit, "0" if digit != "0" else "1", 1))
    differs = tell("verify", member, "--manifest", listed, "-o", "json")
    assert differs.status == 1
    [report] = json.loads(differs.out)["reports"]
    assert (report["verdict"], len(report["manifest"]["differences"])) == ("clean", 1)
    listed.write_text("no list\n")
    assert tell("verify", member, "--manifest", listed).status == 4
    assert tell("verify", member, "--manifest", tmp_path / "gone").status == 4

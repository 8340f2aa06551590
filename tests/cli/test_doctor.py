"""`walctl doctor`, and `walctl PATH`, as they are typed."""

import json
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import Tell
from tests.corpus import fingerprint


@pytest.mark.parametrize(
    ("case", "status"), [("etcd-3.5-snapshots", 0), ("snap-crc", 3), ("lost-last-segment", 1)]
)
def test_a_path_alone_is_the_doctors_and_ends_as_verify_does(
    tell: Tell, tmp_path: Path, case: str, status: int
) -> None:
    path = unpack(case, tmp_path / "member.etcd")
    before = fingerprint(path)
    told = tell("doctor", path)
    assert tell(path) == told
    assert (told.status, told.err) == (status, "")
    assert tell("verify", "-q", path).status == status
    assert tell("doctor", "-q", path) == (status, "", "")
    assert fingerprint(path) == before


def test_json_and_ndjson_hold_the_same_answer(tell: Tell, tmp_path: Path) -> None:
    path = unpack("lost-last-segment", tmp_path / "member.etcd")
    told = tell("doctor", "-o", "json", path)
    document = json.loads(told.out)
    assert (told.status, document["v"], document["report"]["verdict"]) == (1, 1, "damaged")
    line = tell(path, "-o", "ndjson").out
    assert line.count("\n") == 1
    assert json.loads(line) == document
    verified = json.loads(tell("verify", "-o", "json", path).out)
    assert verified["reports"] == [document["report"]]


def test_two_paths_are_too_many(tell: Tell, tmp_path: Path) -> None:
    told = tell("doctor", tmp_path, tmp_path)
    assert (told.status, told.out) == (2, "")


def test_a_split_layout_is_given_by_options(tell: Tell, tmp_path: Path) -> None:
    path = unpack("etcd-3.5-snapshots", tmp_path / "member.etcd")
    (path / "member/wal").rename(tmp_path / "fast")
    assert tell("doctor", "-q", path).status == 1
    told = tell("doctor", path, "--wal-dir", tmp_path / "fast")
    assert (told.status, told.err) == (0, "")
    assert tell("doctor", path, "--wal-dir", tmp_path / "gone").status == 4

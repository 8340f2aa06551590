"""`walctl archive` as it is typed: segments packed, read as they are, and put back."""

import json
from pathlib import Path

from fixtures.unpack import unpack
from tests.cli.commands import Tell
from tests.corpus import fingerprint


def test_archived_segments_are_read_as_they_are_and_come_back(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-two-segments", tmp_path / "n1")
    before = fingerprint(member)
    first, _ = sorted((member / "member" / "wal").iterdir())
    told = tell("archive", member, "--output", tmp_path / "a", "-o", "json")
    assert told.status == 0
    (done,) = json.loads(told.out)["segments"]
    assert done["path"] == str(tmp_path / "a" / f"{first.name}.zst")
    assert fingerprint(member) == before
    plain = tell("dump", first, "--tail", "3", "-o", "ndjson")
    for path in (done["path"], tmp_path / "a"):
        assert tell("dump", path, "--tail", "3", "-o", "ndjson").out == plain.out
    told = tell("archive", "--restore", tmp_path / "a", "--output", tmp_path / "again")
    assert told.status == 0
    assert (tmp_path / "again" / first.name).read_bytes() == first.read_bytes()


def test_a_folder_of_packed_and_plain_segments_is_one_log(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-two-segments", tmp_path / "n1")
    first, last = sorted((member / "member" / "wal").iterdir())
    whole = tell("verify", "-o", "json", first.parent)
    mixed = tmp_path / "mixed"
    assert tell("archive", member, "--output", mixed).status == 0
    (mixed / last.name).write_bytes(last.read_bytes())
    found = tell("verify", "-o", "json", mixed)
    assert found.status == whole.status == 0
    summaries = [json.loads(each.out)["reports"][0]["summary"] for each in (whole, found)]
    assert summaries[0] == summaries[1]


def test_no_gate_opens_for_segments_that_a_server_would_not_find(
    tell: Tell, tmp_path: Path
) -> None:
    member = unpack("etcd-3.5-two-segments", tmp_path / "n1")
    wal = member / "member" / "wal"
    first, _ = sorted(wal.iterdir())
    assert tell("archive", member, "--output", tmp_path / "a").status == 0
    (tmp_path / "a" / f"{first.name}.zst").rename(wal / f"{first.name}.zst")
    first.unlink()
    assert tell("verify", "--gate", "-q", member).status != 0
    assert tell("dump", "-q", member).status == 0


def test_what_cannot_be_archived_is_one_line(tell: Tell, tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    (last,) = (member / "member" / "wal").iterdir()
    told = tell("archive", last)
    assert (told.status, told.out) == (4, "")
    assert "only sealed segments" in told.err
    assert tell("archive", member / "member" / "snap" / "db").status == 4
    assert tell("archive", "--restore", last).status == 2
    assert tell("archive", member).status == 0

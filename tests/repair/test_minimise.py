"""What is left of a member is small, and still shows what was wrong with it."""

import os
from collections import Counter
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.corpus import fingerprint, names, needs_corpus, unpacked
from walctl.datadir.layout import understand
from walctl.errors import UsageError
from walctl.fs.packed import PackedFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.report import Report
from walctl.inspect.verify import verify
from walctl.model.finding import Severity
from walctl.repair.bundle import Wish, bundle
from walctl.repair.minimise import minimised

DISK = RealFileSystem()
SMALL_BYTES = 8192


def codes(report: Report) -> Counter[tuple[str, str]]:
    """What is wrong, by code."""
    return Counter(
        (str(each.code), str(each.severity))
        for each in report.findings
        if each.severity is not Severity.INFO
    )


def least(member: Path, output: Path) -> Report:
    """What verify says of the minimised bundle of a member."""
    found = minimised(DISK, understand(DISK, member))
    made = bundle(DISK, found.layout, output, Wish(), reader=found.disk)
    assert made.differences == ()
    report = verify(PackedFileSystem(DISK), output)
    assert report.error is None
    return report


@pytest.mark.parametrize(
    "case", ["flipped-bit-in-data", "zero-page", "torn-tail-mid-sector", "chain-break"]
)
def test_the_least_of_a_damaged_log_shows_the_same_and_is_small(case: str, tmp_path: Path) -> None:
    member = unpack(case, tmp_path / "n1")
    before = fingerprint(member)
    output = tmp_path / "b.tar.zst"
    assert codes(least(member, output)) == codes(verify(DISK, member))
    assert fingerprint(member) == before
    assert os.path.getsize(output) < SMALL_BYTES


def test_a_member_with_a_damaged_snapshot_keeps_it(tmp_path: Path) -> None:
    member = unpack("snap-crc", tmp_path / "n1")
    report = least(member, tmp_path / "b.tar.zst")
    assert [str(each.code) for each in report.findings if each.severity is not Severity.INFO] == [
        "snap-crc"
    ]


def test_where_nothing_is_wrong_there_is_nothing_to_minimise(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    with pytest.raises(UsageError, match="nothing is wrong"):
        minimised(DISK, understand(DISK, member))


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", [each for each in names() if each[0] == "x"] or ["none"])
def test_every_damaged_directory_of_the_corpus_is_minimised(name: str, tmp_path: Path) -> None:
    for member in sorted(unpacked(name).iterdir()):
        before = None if member.name == "truth" else verify(DISK, member)
        if before is not None and codes(before):
            output = tmp_path / f"{member.name}.tar.zst"
            assert codes(least(member, output)) == codes(before)

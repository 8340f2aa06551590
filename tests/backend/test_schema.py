"""What a database witnesses, by databases made here: presence, defects, a moving target."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.backend.images import DB, buckets, database, disk, flipped, inline, leaf, nested
from walctl.backend.pages import PageError
from walctl.backend.schema import (
    ATTEMPTS_MAX,
    Witness,
    check_trailer,
    is_saved_snapshot,
    read_witness,
)
from walctl.backend.values import Revision
from walctl.errors import AccessError
from walctl.fs.memory import MemoryFileSystem
from walctl.model.member import Member
from walctl.model.record import ConfState

BIG_ID = (1 << 64) - 3
MEMBER = {"id": BIG_ID, "peerURLs": ["http://p"], "name": "n1", "clientURLs": ["http://c"]}
CONTENTS: dict[bytes, dict[bytes, bytes]] = {
    b"cluster": {b"clusterVersion": b"3.6.0"},
    b"key": {
        (1).to_bytes(8, "big") + b"_" + bytes(8): b"",
        (7).to_bytes(8, "big") + b"_" + (2).to_bytes(8, "big") + b"t": b"",
    },
    b"members": {b"%x" % BIG_ID: json.dumps(MEMBER).encode()},
    b"members_removed": {b"a": b"removed"},
    b"meta": {
        b"consistent_index": (51).to_bytes(8, "big"),
        b"term": (4).to_bytes(8, "big"),
        b"confState": b'{"voters":[%d],"learners":[5],"auto_leave":true}' % BIG_ID,
        b"scheduledCompactRev": (3).to_bytes(8, "big") + b"_" + bytes(8),
        b"finishedCompactRev": (2).to_bytes(8, "big") + b"_" + bytes(8),
        b"storageVersion": b"3.6.0",
    },
}


FACTS = (
    "consistent_index",
    "term",
    "conf_state",
    "cluster_version",
    "storage_version",
    "scheduled_compact",
    "finished_compact",
    "newest_revision",
)


def witness_of(data: bytes) -> Witness:
    return read_witness(disk(data), DB)


def with_value(bucket: bytes, key: bytes, value: bytes) -> bytes:
    return buckets({**CONTENTS, bucket: {**CONTENTS[bucket], key: value}})


def test_every_fact_is_read() -> None:
    witness = witness_of(buckets(CONTENTS))
    assert witness.consistent_index == 51
    assert witness.term == 4
    assert witness.conf_state == ConfState(voters=(BIG_ID,), learners=(5,), auto_leave=True)
    assert witness.members == (
        Member(
            id=BIG_ID,
            name="n1",
            peer_urls=("http://p",),
            client_urls=("http://c",),
            is_learner=False,
        ),
    )
    assert witness.removed_members == (10,)
    assert (witness.cluster_version, witness.storage_version) == ("3.6.0", "3.6.0")
    assert witness.scheduled_compact == Revision(3, 0)
    assert witness.finished_compact == Revision(2, 0)
    assert witness.newest_revision == Revision(7, 2)
    assert (witness.txid, witness.txids, witness.page_bytes) == (8, (8, 7), 4096)
    assert (witness.size, witness.is_saved) == (3 * 4096, False)
    assert (witness.notes, witness.defects) == ((), ())


@pytest.mark.parametrize("names", [list(CONTENTS), []], ids=["empty buckets", "no buckets"])
def test_what_is_absent_is_none_and_no_defect(names: list[bytes]) -> None:
    witness = witness_of(buckets({name: {} for name in names}))
    absent = {name for name in FACTS if getattr(witness, name) is None}
    assert absent == set(FACTS)
    assert (witness.members, witness.removed_members, witness.defects) == ((), (), ())
    assert len(witness.notes) == (0 if names else 1)


@pytest.mark.parametrize(
    ("bucket", "key", "value", "field", "detail"),
    [
        (b"meta", b"consistent_index", b"1234567", "consistent_index", "expected 8 bytes, found 7"),
        (b"meta", b"term", b"", "term", "expected 8 bytes, found 0"),
        (b"meta", b"confState", b"{", "conf_state", "no JSON"),
        (b"meta", b"confState", b"[]", "conf_state", "expected a JSON object"),
        (b"meta", b"confState", b'{"voters":[1.5]}', "conf_state", "expected an id"),
        (b"meta", b"confState", b'{"voters":[true]}', "conf_state", "expected an id"),
        (b"meta", b"confState", b'{"voters":[-1]}', "conf_state", "expected an id"),
        (b"meta", b"confState", b'{"voters":[%d]}' % (1 << 64), "conf_state", "expected an id"),
        (b"meta", b"confState", b'{"voters":7}', "conf_state", "expected a JSON list"),
        (b"meta", b"confState", b'{"auto_leave":1}', "conf_state", "expected true or false"),
        (b"meta", b"confState", b"\xff", "conf_state", "no JSON"),
        (b"meta", b"storageVersion", b"\xff", "storage_version", "utf-8"),
        (b"meta", b"finishedCompactRev", b"x" * 17, "finished_compact", "expected a revision"),
        (b"meta", b"finishedCompactRev", b"x", "finished_compact", "expected a revision of 17"),
        (b"key", b"\xff" * 17, b"", "newest_revision", "expected a revision, found ffff"),
        (b"key", b"z", b"", "newest_revision", "expected a revision of 17 bytes, found 1"),
    ],
)
def test_a_value_that_does_not_fit_is_a_defect_with_its_place(
    bucket: bytes, key: bytes, value: bytes, field: str, detail: str
) -> None:
    data = with_value(bucket, key, value)
    witness = witness_of(data)
    assert getattr(witness, field) is None
    (defect,) = witness.defects
    assert (defect.bucket, defect.key, defect.page) == (bucket.decode(), key, None)
    assert detail in defect.detail
    assert "\n" not in defect.detail
    assert data[defect.offset : defect.offset + len(value)] == value
    assert witness.removed_members == (10,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"5", b"{}"),
        (b"5", b'{"id":6}'),
        (b"5", b'{"id":5,"name":7}'),
        (b"5", b'{"id":5,"peerURLs":[7]}'),
        (b"5", b'{"id":5,"peerURLs":"x"}'),
        (b"5", b'{"id":5,"isLearner":"yes"}'),
        (b"5", b"[" * 100_000),
        (b"5", b'{"id":5}'.ljust((1 << 20) + 1)),
        (b"5", b'{"id":' + b"9" * 5000 + b"}"),
        (b"05x", b'{"id":5}'),
        (b"\xff", b'{"id":5}'),
        (b"A", b'{"id":10}'),
        (b"1" * 17, b'{"id":10}'),
    ],
)
def test_a_member_that_does_not_read_leaves_the_others(key: bytes, value: bytes) -> None:
    witness = witness_of(with_value(b"members", key, value))
    assert [each.id for each in witness.members] == [BIG_ID]
    assert [(each.bucket, each.key) for each in witness.defects] == [("members", key)]


def test_what_go_leaves_empty_is_empty() -> None:
    value = b'{"id":5,"name":null,"peerURLs":null,"more":1}'
    (found,) = (
        each for each in witness_of(with_value(b"members", b"5", value)).members if each.id == 5
    )
    assert found == Member(id=5, name="", peer_urls=(), client_urls=(), is_learner=False)


def test_a_bucket_in_the_place_of_a_value_is_a_defect() -> None:
    inner = leaf(0, [(b"term", inline({}), 1)], page_bytes=1)
    value = bytes(16) + inner[:12] + bytes(4) + inner[16:]
    witness = witness_of(database(leaf(2, [(b"meta", value, 1)])))
    assert witness.term is None
    assert [each.detail for each in witness.defects] == ["expected a value, found a bucket"]


def test_one_bad_page_does_not_hide_what_the_others_say() -> None:
    items = [(name, inline(rows), 1) for name, rows in CONTENTS.items() if name != b"key"]
    root = leaf(2, sorted([*items, (b"key", nested(3), 1)]))
    data = database(root, flipped(leaf(3, []), 8))
    witness = witness_of(data)
    assert (witness.consistent_index, witness.newest_revision) == (51, None)
    (defect,) = witness.defects
    assert (defect.bucket, defect.page, defect.offset) == ("key", 3, 3 * 4096 + 8)


def test_rows_without_end_are_not_all_read() -> None:
    rows = {b"%x" % each: b"" for each in range(10_500)}
    witness = witness_of(buckets({b"members_removed": rows, b"meta": {}}))
    assert len(witness.removed_members) == 10_000
    assert "more than 10000 rows" in witness.defects[0].detail


def test_a_bad_meta_page_is_noted_with_both_transactions() -> None:
    witness = witness_of(flipped(buckets(CONTENTS), 40))
    assert (witness.txid, witness.txids, witness.consistent_index) == (7, (None, 7), 51)
    (note,) = witness.notes
    assert note.startswith("meta page 0 (byte 0) is not valid: checksum error: ")
    assert "transaction 7" in note


def test_a_wrong_header_of_a_meta_page_is_noted() -> None:
    (note,) = witness_of(flipped(buckets(CONTENTS), 4096 + 8)).notes
    assert note == "meta page 1 (byte 4096) has a wrong page header"


def test_a_file_that_is_cut_is_noted_when_the_rest_still_reads() -> None:
    data = database(leaf(2, []), leaf(3, []))
    assert witness_of(data[:-4096]).notes[0] == (
        "the file is cut: 12288 bytes, its pages reach to byte 16384"
    )
    assert "no whole number of pages" in witness_of(data + b"x").notes[0]


def test_no_valid_meta_and_no_root_page_stop_the_reading() -> None:
    data = buckets(CONTENTS)
    with pytest.raises(PageError, match="no valid meta"):
        witness_of(flipped(flipped(data, 40), 4096 + 40))
    with pytest.raises(PageError, match="found flags"):
        witness_of(flipped(data, 8192 + 8))
    with pytest.raises(AccessError):
        read_witness(disk(data), Path("absent"))


def test_a_saved_snapshot_is_known_by_its_trailer() -> None:
    image = buckets(CONTENTS)
    saved = image + hashlib.sha256(image).digest()
    witness = witness_of(saved)
    assert (witness.is_saved, witness.notes, witness.consistent_index) == (True, (), 51)
    assert check_trailer(disk(saved), DB)
    assert not check_trailer(disk(flipped(saved, 5000)), DB)
    assert not check_trailer(disk(flipped(saved, len(image))), DB)
    assert not is_saved_snapshot(len(image))
    with pytest.raises(ValueError, match="no SHA-256"):
        check_trailer(disk(image), DB)


class Server:
    """Writes the next transaction whenever the root page is read, `times` times."""

    def __init__(self, *, times: int, root_is_torn: bool = False) -> None:
        self.left = times
        self.txid = 8
        self.root_is_torn = root_is_torn
        self.disk = MemoryFileSystem({DB: buckets(CONTENTS)}, on_read=self.on_read)

    def on_read(self, path: Path, offset: int, size: int) -> None:
        if offset != 8192 or not self.left:
            return
        self.left -= 1
        self.txid += 1
        index = (43 + self.txid).to_bytes(8, "big")
        rows = {**CONTENTS, b"meta": {**CONTENTS[b"meta"], b"consistent_index": index}}
        data = buckets(rows, txid=self.txid)
        is_torn = self.root_is_torn and self.left
        self.disk.write(DB, flipped(data, 8192) if is_torn else data)


def test_a_transaction_that_ends_meanwhile_makes_it_read_again() -> None:
    server = Server(times=2)
    witness = read_witness(server.disk, DB)
    assert (witness.txid, witness.consistent_index, witness.notes) == (10, 53, ())


def test_a_page_that_does_not_read_because_it_is_being_written_is_read_again() -> None:
    witness = read_witness(Server(times=3, root_is_torn=True).disk, DB)
    assert (witness.txid, witness.consistent_index) == (11, 54)


def test_a_server_that_does_not_stop_writing_is_a_moving_target() -> None:
    server = Server(times=1000)
    witness = read_witness(server.disk, DB)
    assert server.left >= 1000 - 2 * ATTEMPTS_MAX * 10
    assert witness.notes == (
        "moving target: it changed during 5 readings; a server may be writing",
    )


def test_a_moving_target_that_never_reads_is_no_damage() -> None:
    with pytest.raises(AccessError, match="moving target"):
        read_witness(Server(times=1000, root_is_torn=True).disk, DB)

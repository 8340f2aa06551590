"""Rows that name members: what etcd wrote comes back byte for byte from what was read of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from formats.errors import FormatError
from formats.memberjson import member_json
from tests.backend import images
from tests.corpus import names, needs_corpus, unpacked
from walctl.backend import tree
from walctl.backend.membership import (
    CLEARED,
    applied_rows,
    conf_state_json,
    conf_state_row,
    member_rows,
)
from walctl.backend.pages import PageError, Pages
from walctl.backend.rebuild import rebuilt
from walctl.backend.schema import CONF_STATE, CONSISTENT_INDEX, MEMBERS, META, TERM, read_witness
from walctl.backend.values import parse_conf_state, parse_member
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.model.member import Member
from walctl.model.record import ConfState

DISK = RealFileSystem()
PATH = Path("/db")

ONE = Member(id=0x5DD9846502CFC8F9, name="n1", peer_urls=("http://a:2380",))


def rows_of(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Bucket, key and value of every row that this is about."""
    with DISK.open(path) as file:
        root = tree.root(Pages(file))
        for name in (MEMBERS, META):
            bucket = root.bucket(name)
            for item in () if bucket is None else bucket.items():
                yield name, item.key, item.value


def came_back(path: Path) -> int:
    """How many rows of a database were built again; each of them equal."""
    count = 0
    for bucket, key, value in rows_of(path):
        if bucket == MEMBERS:
            built = member_json(parse_member(key, value))
        elif key == CONF_STATE:
            built = conf_state_json(parse_conf_state(value))
        else:
            continue
        assert built == value
        count += 1
    return count


@needs_corpus
def test_rows_of_both_versions_come_back_byte_for_byte() -> None:
    counts = {}
    for name in names():
        for path in sorted(unpacked(name).rglob("db")):
            try:
                counts[f"{name} {path}"] = came_back(path)
            except PageError:
                continue  # a database that is damaged on purpose
    assert len(counts) > 50
    assert sum(counts.values()) > 100
    assert min(counts.values()) > 0


def test_rows_of_the_fixtures_come_back_byte_for_byte(tmp_path: Path) -> None:
    for name, count in (("etcd-3.5-three-members", 4), ("etcd-3.5-snapshots", 2)):
        database = unpack(name, tmp_path / name) / "member" / "snap" / "db"
        assert came_back(database) == count


def test_a_member_says_only_what_is_known_of_it() -> None:
    assert member_json(Member(id=7)) == b'{"id":7,"peerURLs":[]}'
    full = Member(
        id=7, name="n<1>", peer_urls=("http://a",), client_urls=("http://b",), is_learner=True
    )
    assert member_json(full) == (
        b'{"id":7,"peerURLs":["http://a"],"isLearner":true,"name":"n\\u003c1\\u003e",'
        b'"clientURLs":["http://b"]}'
    )


def test_a_joint_membership_is_told_in_the_order_of_its_fields() -> None:
    joint = ConfState(
        voters=(1, 2), learners=(3,), voters_outgoing=(1,), learners_next=(4,), auto_leave=True
    )
    assert conf_state_json(joint) == (
        b'{"voters":[1,2],"learners":[3],"voters_outgoing":[1],"learners_next":[4],'
        b'"auto_leave":true}'
    )
    assert conf_state_json(ConfState()) == b'{"auto_leave":false}'
    assert parse_conf_state(conf_state_json(joint)) == joint


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(FormatError, match="surrogate"):
        member_json(Member(id=1, name="\ud800"))


def test_a_rebuilt_database_names_the_new_members_and_nobody_else() -> None:
    old = images.buckets(
        {
            b"members": {b"a": b'{"id":10,"peerURLs":[]}', b"b": b'{"id":11,"peerURLs":[]}'},
            b"members_removed": {b"c": b"removed"},
            b"meta": {b"consistent_index": bytes(8), b"term": bytes(8), b"other": b"kept"},
        }
    )
    rows = (
        *member_rows([ONE], removed=[10, 11]),
        conf_state_row(ConfState(voters=(ONE.id,))),
        *applied_rows(index=300, term=5),
    )
    with MemoryFileSystem({PATH: old}).open(PATH) as file:
        new = b"".join(rebuilt(file, cleared=CLEARED, rows=rows))
    disk = MemoryFileSystem({PATH: new})
    witness = read_witness(disk, PATH)
    assert witness.members == (ONE,)
    assert witness.removed_members == (10, 11)
    assert witness.conf_state == ConfState(voters=(ONE.id,))
    assert (witness.consistent_index, witness.term) == (300, 5)
    with disk.open(PATH) as file:
        meta = tree.root(Pages(file)).bucket(META)
        assert meta is not None
        assert meta.get(b"other") == b"kept"


def test_a_database_of_3_4_is_given_no_term() -> None:
    """A term would make it pass for one of 3.5."""
    assert [row.key for row in applied_rows(index=3, term=None)] == [CONSISTENT_INDEX]
    assert [row.key for row in applied_rows(index=3, term=1)] == [CONSISTENT_INDEX, TERM]

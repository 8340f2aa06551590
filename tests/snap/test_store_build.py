"""Stores with other members: as etcd would have them, and nothing changed but the members."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.unpack import unpack
from formats import raftpb, snappb
from formats.errors import FormatError
from tests.corpus import names, needs_corpus, unpacked
from walctl.model.member import Member
from walctl.snap.store import Store, parse_store
from walctl.snap.store_build import HISTORY_EVENTS, built_store, rewritten_store

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MEMBERS = st.lists(
    st.builds(
        Member,
        id=st.integers(1, (1 << 64) - 1),
        name=TEXTS,
        peer_urls=st.lists(TEXTS, max_size=3).map(tuple),
        client_urls=st.lists(TEXTS, max_size=3).map(tuple),
        is_learner=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda member: member.id,
)
REMOVED = st.sets(st.integers(1, (1 << 64) - 1), max_size=5)

ONE = Member(id=0x1A, name="n1", peer_urls=("http://a:1",), client_urls=("http://a:2",))
TWO = Member(id=0x2B, name="n2", peer_urls=("http://b:1",), client_urls=("http://b:2",))


def by_id(members: list[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: member.id))


@settings(max_examples=100, deadline=None)
@given(MEMBERS, REMOVED, st.one_of(st.none(), st.just("3.5.0")))
def test_a_store_says_what_it_was_built_from(
    members: list[Member], removed: set[int], version: str | None
) -> None:
    found = parse_store(built_store(members, removed=removed, cluster_version=version))
    assert found == Store(
        members=by_id(members), removed_members=tuple(sorted(removed)), cluster_version=version
    )


@settings(max_examples=100, deadline=None)
@given(MEMBERS, REMOVED, MEMBERS, REMOVED)
def test_a_rewritten_store_has_the_new_members_and_the_old_history(
    old: list[Member], gone: set[int], new: list[Member], removed: set[int]
) -> None:
    before = built_store(old, removed=gone, cluster_version="3.4.0")
    after = rewritten_store(before, new, removed=removed)
    known = {member.id: member for member in old}
    expected = [
        # Who is not said to have published anything keeps what it has published.
        member
        if member.name or member.client_urls or member.id not in known
        else replace(member, name=known[member.id].name, client_urls=known[member.id].client_urls)
        for member in new
    ]
    found = parse_store(after)
    assert found.members == by_id(expected)
    assert set(found.removed_members) == removed
    assert found.cluster_version == "3.4.0"
    changed, kept = json.loads(after), json.loads(before)
    for part in ("WatcherHub", "CurrentIndex", "Stats", "CurrentVersion"):
        assert changed[part] == kept[part]


def stores_of(paths: Iterator[Path]) -> Iterator[bytes]:
    """The v2 stores in snapshot files; those of other programs and damaged ones left out."""
    for path in paths:
        try:
            content = snappb.SNAPSHOT.parse(path.read_bytes()).data or b""
            data = raftpb.SNAPSHOT.parse(content).data or b""
            parse_store(data)
        except ValueError:
            continue
        yield data


def fixture_stores(tmp_path: Path) -> list[bytes]:
    folder = unpack("etcd-3.5-snapshots", tmp_path / "m")
    return list(stores_of(folder.rglob("*.snap")))


def is_kept_byte_for_byte(data: bytes) -> bool:
    said = parse_store(data)
    return rewritten_store(data, said.members, removed=said.removed_members) == data


def test_a_store_of_a_fixture_with_the_members_it_has_keeps_every_byte(tmp_path: Path) -> None:
    stores = fixture_stores(tmp_path)
    assert len(stores) > 1
    assert all(map(is_kept_byte_for_byte, stores))


@pytest.mark.slow
@needs_corpus
def test_a_store_of_the_corpus_with_the_members_it_has_keeps_every_byte() -> None:
    stores = list(
        stores_of(path for name in names() for path in sorted(unpacked(name).rglob("*.snap")))
    )
    assert len(stores) > 400
    assert all(map(is_kept_byte_for_byte, stores))


@needs_corpus
def test_one_survivor_of_a_real_cluster_keeps_its_nodes_and_the_user_keys() -> None:
    folder = unpacked("d-cluster3-35") / "n1" / "member" / "snap"
    data = next(stores_of(iter(sorted(folder.glob("*.snap"))[-1:])))
    said = parse_store(data)
    survivor = said.members[1]
    others = [member.id for member in said.members if member != survivor]
    after = rewritten_store(data, [survivor], removed=[*said.removed_members, *others])
    assert parse_store(after).members == (survivor,)
    old, new = json.loads(data), json.loads(after)
    name = f"{survivor.id:x}"
    kept, there = (each["Root"]["Children"]["0"]["Children"] for each in (old, new))
    assert there["members"]["Children"] == {name: kept["members"]["Children"][name]}
    assert there["version"] == kept["version"]
    removed = there["removed_members"]["Children"]
    assert list(removed) == sorted(removed)
    for text, node in kept["removed_members"]["Children"].items():
        assert removed[text] == node
    for each in others:
        assert removed[f"{each:x}"]["CreatedIndex"] == old["CurrentIndex"]


def test_only_the_node_that_says_something_else_is_written_anew() -> None:
    data = built_store([ONE, TWO], cluster_version="3.5.0")
    moved = replace(TWO, peer_urls=("http://c:1",), name="")
    after = rewritten_store(data, [ONE, replace(moved, client_urls=())])
    old, new = json.loads(data), json.loads(after)
    node = new["Root"]["Children"]["0"]["Children"]["members"]["Children"]["2b"]["Children"]
    assert node["raftAttributes"]["Value"] == '{"peerURLs":["http://c:1"]}'
    assert node["raftAttributes"]["ModifiedIndex"] == 5
    assert node["raftAttributes"]["CreatedIndex"] == 2
    node["raftAttributes"] |= {"Value": '{"peerURLs":["http://b:1"]}', "ModifiedIndex": 2}
    assert new == old


def test_a_history_of_more_requests_than_it_has_slots_goes_round() -> None:
    """As etcd's ring does: the oldest event is written over."""
    members = [replace(ONE, id=number + 1) for number in range(HISTORY_EVENTS // 2 + 3)]
    history = json.loads(built_store(members))["WatcherHub"]["EventHistory"]
    queue, total = history["Queue"], 2 * len(members)
    assert len(queue["Events"]) == queue["Size"] == queue["Capacity"] == HISTORY_EVENTS
    assert queue["Front"] == queue["Back"] == total - HISTORY_EVENTS == 6
    indexes = [event["node"]["modifiedIndex"] for event in queue["Events"]]
    assert indexes == [*range(1001, 1007), *range(7, 1001)]
    assert (history["StartIndex"], history["LastIndex"]) == (7, total)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "expected a JSON object"),
        (b'{"Root":[]}', "no v2 store"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"Root":{"Children":[]}}', "expected a node"),
        (b'{"Root":{"Children":{"0":7}}}', "expected a node"),
        (b'{"Root":{"Children":{"0":{"Children":{"members":7}}}}}', "expected a node"),
        (b'{"Root":{"Children":{}},"CurrentIndex":"1"}', "whole number"),
    ],
)
def test_what_is_no_store_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rewritten_store(data, [ONE])


def damaged(change: Callable[[Any], None]) -> bytes:
    store = json.loads(built_store([ONE]))
    change(store["Root"]["Children"]["0"]["Children"])
    return json.dumps(store).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda node: node.update(removed_members=None),
        lambda node: node.update(members=None),
        lambda node: node["members"]["Children"].update({"1a": None}),
        lambda node: node["members"]["Children"]["1a"]["Children"].update(raftAttributes=None),
        lambda node: node["members"]["Children"]["1a"].update(Children=[]),
    ],
)
def test_a_store_with_a_broken_node_gives_its_reason_and_no_other_exception(
    change: Callable[[Any], None],
) -> None:
    with pytest.raises(ValueError, match=r"expected|Value"):
        rewritten_store(damaged(change), [ONE], removed=[5])


def test_a_store_without_any_member_gets_its_folders() -> None:
    after = rewritten_store(b'{"Root":{"Children":{}}}', [ONE], removed=[3])
    assert parse_store(after).members == (ONE,)
    assert parse_store(after).removed_members == (3,)


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(FormatError, match="surrogate"):
        built_store([Member(id=1, name="\ud800")])

"""Who is in the cluster, against what the servers answered before they were stopped."""

import json
from typing import Any

import pytest

from fixtures.unpack import FIXTURES, unpack
from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK, examined, logs_in, of_kind, said
from walctl.datadir.layout import understand
from walctl.inspect.membership import Membership, View, membership
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.model.member import Member

WHOLE = [
    (name, member)
    for name in of_kind("scenario")
    for member in logs_in(name)
    if not name.startswith("f-")
]


def members_of(name: str, member: str) -> Membership:
    return membership(examined(name, member).survey)


def told_by_server(name: str, member: str) -> list[dict[str, Any]]:
    """The members by the running server; empty where it was not asked."""
    truth = said(name)["per_member"][member]["truth"]
    members: list[dict[str, Any]] = truth.get("api", {}).get("members", [])
    return members


ASKED = [each for each in WHOLE if told_by_server(*each)]


def as_told(peers: tuple[Member, ...]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{peer.id:x}",
            "name": peer.name,
            "peerURLs": list(peer.peer_urls),
            "learner": peer.is_learner,
        }
        for peer in peers
    ]


@needs_corpus
@pytest.mark.parametrize(("name", "member"), ASKED)
def test_members_are_those_that_the_server_listed(name: str, member: str) -> None:
    found = members_of(name, member)
    assert found.best is not None
    known = tuple(found.described(peer.id) for peer in found.best.peers)
    ours = sorted(as_told(known), key=lambda each: each["id"])
    assert ours == sorted(told_by_server(name, member), key=lambda each: each["id"])
    assert found.size == len(ours)


PROMOTED = {"d-cluster3-35": {0x5DD9846502CFC8F9}}
"""Learners that became voters: a database of 3.5.1 is not told of it, and has them as before."""


@needs_corpus
@pytest.mark.parametrize(("name", "member"), ASKED)
def test_log_and_database_have_the_voters_of_the_server_but_for_promotions(
    name: str, member: str
) -> None:
    """A snapshot may be older; what it lacks or has too much came later."""
    voters = {int(m["id"], 16) for m in told_by_server(name, member) if not m["learner"]}
    for view in members_of(name, member).views:
        if view.source == "log":
            assert view.voters == voters
        if view.source == "database":
            assert view.voters == voters - PROMOTED.get(name, set())
            assert {peer.id for peer in view.peers} == voters


WITHOUT_MEMBERS = "h-"
"""Written by etcd's `wal` package alone: no entry of it changes a membership."""


@needs_corpus
@pytest.mark.parametrize(("name", "member"), WHOLE)
def test_the_own_id_is_that_of_the_metadata_and_among_the_members_until_it_is_removed(
    name: str, member: str
) -> None:
    found = members_of(name, member)
    truth = said(name)["per_member"][member]["truth"]["wal"]
    assert f"{found.own_id or 0:x}" == truth["node_id"]
    if name.startswith(WITHOUT_MEMBERS):
        assert found.best is None
        return
    assert found.best is not None
    ids = {peer.id for peer in found.best.peers}
    assert (found.own_id in ids) is ((name, member) != ("d-cluster3-35", "n3"))


@needs_corpus
def test_a_member_that_was_removed_is_in_no_view_of_those_that_stayed() -> None:
    removed = examined("d-cluster3-35", "n3").report.summary
    assert removed is not None
    assert removed.node_id is not None
    for member in ("n1", "n2", "n4"):
        for view in members_of("d-cluster3-35", member).views:
            assert removed.node_id not in {peer.id for peer in view.peers}, view.source


@needs_corpus
def test_a_member_that_joined_later_knows_those_from_before_by_its_snapshot() -> None:
    """The log of n4 begins behind a snapshot, so the first three members are in no entry of it."""
    found = members_of("d-cluster3-35", "n4")
    assert found.best is not None
    assert len(found.best.peers) == 3
    assert all(found.described(peer.id).peer_urls for peer in found.best.peers)


def test_a_fixture_of_three_members_knows_all_three(tmp_path: Any) -> None:
    case = "etcd-3.5-three-members"
    layout = understand(DISK, unpack(case, tmp_path / case))
    found = membership(survey_of(DISK, layout, depth=ONE_PROCESS))
    told = json.loads((FIXTURES / case / "expected" / "member-list.json").read_bytes())["members"]
    assert found.best is not None
    ours = {peer.id: found.described(peer.id) for peer in found.best.peers}
    assert {each["ID"]: each["name"] for each in told} == {k: v.name for k, v in ours.items()}
    assert {each["ID"]: tuple(each["clientURLs"]) for each in told} == {
        member: peer.client_urls for member, peer in ours.items()
    }


def test_without_any_view_nobody_knows_how_many_there_are() -> None:
    found = Membership(own_id=None, views=())
    assert (found.best, found.size) == (None, None)
    assert found.described(7) == Member(id=7)


def test_what_one_view_lacks_another_may_say_and_learners_do_not_vote() -> None:
    log = View(source="log", index=9, peers=(Member(id=1), Member(id=2, is_learner=True)))
    database = View(source="database", index=8, peers=(Member(id=1, name="n1", peer_urls=("u",)),))
    found = Membership(own_id=1, views=(log, database))
    assert found.described(1) == Member(id=1, name="n1", peer_urls=("u",))
    assert log.voters == {1}
    assert found.size == 1


@needs_corpus
def test_removed_and_added_members_follow_the_entries_and_not_their_order_of_ids() -> None:
    folder = unpacked("d-cluster3-35") / "truth"
    told = json.loads((folder / "n1.api.json").read_bytes())
    assert told
    logged = next(v for v in members_of("d-cluster3-35", "n1").views if v.source == "log")
    names = {members_of("d-cluster3-35", "n1").described(each.id).name for each in logged.peers}
    assert names == {"n1", "n2", "n4"}

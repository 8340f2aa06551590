"""The v2 store inside a snapshot: members, or a reason."""

import json

import pytest

from walctl.model.member import Member
from walctl.snap.store import Store, parse_store


def node(value: str = "", **children: object) -> dict[str, object]:
    return {"Path": "/", "Value": value, "Children": children or None}


def store(members: object = None, removed: object = None, version: object = None) -> bytes:
    children = {"members": members, "removed_members": removed, "version": version}
    cluster = {"Children": {name: each for name, each in children.items() if each is not None}}
    return json.dumps({"Root": {"Children": {"0": cluster, "1": node()}}}).encode()


RAFT = node('{"peerURLs":["http://p"],"isLearner":true}')
PUBLISHED = node('{"name":"n1","clientURLs":["http://c"]}')


def test_members_are_sorted_by_id_and_may_be_unpublished() -> None:
    members = {
        "Children": {
            "a1": node(raftAttributes=RAFT, attributes=PUBLISHED),
            "b": node(raftAttributes=node('{"peerURLs":null}')),
        }
    }
    found = parse_store(store(members, node(ff=node(), c=node()), node("3.5.0")))
    assert found == Store(
        members=(
            Member(id=0xB, name="", peer_urls=(), client_urls=(), is_learner=False),
            Member(
                id=0xA1,
                name="n1",
                peer_urls=("http://p",),
                client_urls=("http://c",),
                is_learner=True,
            ),
        ),
        removed_members=(0xC, 0xFF),
        cluster_version="3.5.0",
    )


def test_what_is_absent_is_empty() -> None:
    nothing = Store(members=(), removed_members=(), cluster_version=None)
    assert parse_store(store()) == nothing
    assert parse_store(b'{"Root":{}}') == nothing
    assert parse_store(b'{"Root":{"Children":null}}') == nothing


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[]", "expected a JSON object"),
        (b'{"/key0":"value"}', "no v2 store"),
        (b'{"Root":7}', "no v2 store"),
        (b'{"Root":{"Children":7}}', "expected a node"),
        (b'{"Root":{"Children":{"0":[]}}}', "expected a node"),
        (store(members=[]), "expected a node"),
        (store(members=node(xyz=node())), "expected a member id in hex digits, found 'xyz'"),
        (store(members=node(a=7)), "expected a node"),
        (store(members=node(a=node(attributes=7))), "/0/members/a/attributes: expected a node"),
        (store(members=node(a=node(attributes=node("{")))), "/0/members/a/attributes: no JSON"),
        (store(members=node(a=node(attributes=node('{"name":1}')))), "expected a name and a flag"),
        (store(members=node(a=node(attributes=node('{"clientURLs":1}')))), "list of URLs"),
        (store(members=node(a=node(raftAttributes=node('{"peerURLs":[1]}')))), "list of URLs"),
        (store(removed={"Children": {"1" * 17: node()}}), "expected a member id"),
        (store(version=7), "/0/version: expected a node with a value"),
    ],
)
def test_what_does_not_read_has_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_store(data)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)

"""Addresses in a member's files are put in the place of others, and whatever stays is found."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.memberjson import member_json
from formats.membershippb import Attributes, ClusterMemberAttrSetRequest
from walctl.cluster.copying.addresses import Book, Home, nowhere, parsed, place_of
from walctl.cluster.copying.proof import WINDOW_BYTES, leaks
from walctl.cluster.copying.readdress import readdressed_entry, readdressed_store
from walctl.errors import UnsupportedError
from walctl.fs.memory import MemoryFileSystem
from walctl.model.member import Member
from walctl.snap.store import parse_store
from walctl.snap.store_build import built_store

OLD = Member(
    id=7,
    name="n7",
    peer_urls=("https://etcd-7.example:2380",),
    client_urls=("http://10.0.0.7:2379",),
)
HOME = Home(peer_url="http://127.0.0.1:1", client_url="http://127.0.0.1:2")


def book() -> Book:
    return Book(homes={7: HOME})


def entry(payload: bytes, kind: int = 0) -> bytes:
    return raftpb.ENTRY.build(raftpb.Entry(type=kind, term=3, index=9, data=payload))


def payload_of(data: bytes) -> bytes:
    found = raftpb.ENTRY.parse(data)
    assert (found.term, found.index) == (3, 9)
    return found.data or b""


def change(context: bytes | None, node: int = 7) -> bytes:
    built = raftpb.CONF_CHANGE.build(raftpb.ConfChange(id=5, type=0, node_id=node, context=context))
    return entry(built, 1)


def context_of(data: bytes) -> bytes:
    return raftpb.CONF_CHANGE.parse(payload_of(data)).context or b""


def test_a_membership_change_names_the_lab_and_keeps_all_else() -> None:
    there = book()
    found = json.loads(context_of(readdressed_entry(change(member_json(OLD)), there)))
    assert found == {
        "id": 7,
        "peerURLs": [HOME.peer_url],
        "name": "n7",
        "clientURLs": [HOME.client_url],
    }
    assert there.met == {*OLD.peer_urls, *OLD.client_urls}


def test_several_urls_become_one() -> None:
    both = Member(id=7, peer_urls=("http://a:1", "http://b:1"))
    found = json.loads(context_of(readdressed_entry(change(member_json(both)), book())))
    assert found["peerURLs"] == [HOME.peer_url]


def test_a_field_in_other_letters_is_the_same_field_to_go() -> None:
    found = context_of(readdressed_entry(change(b'{"id":7,"PeerUrls":["http://a:1"]}'), book()))
    assert json.loads(found) == {"id": 7, "PeerUrls": [HOME.peer_url]}


def test_the_bare_url_of_raftexample_is_one_too() -> None:
    found = context_of(readdressed_entry(change(b"http://127.0.0.1:12379"), book()))
    assert found == HOME.peer_url.encode()


def test_two_strangers_never_have_the_same_address_and_nobody_can_listen_there() -> None:
    there = book()
    urls = {
        json.loads(context_of(readdressed_entry(change(member_json(each), each.id), there)))[
            "peerURLs"
        ][0]
        for each in (Member(id=number, peer_urls=("http://a:1",)) for number in (8, 9, 8))
    }
    assert urls == {"http://127.1.0.0:0", "http://127.1.0.1:0"}
    found = parsed(nowhere(300).peer_url)
    assert found is not None
    assert found.address is not None
    assert (found.address.is_loopback, found.port) == (True, 0)


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_what_a_member_publishes_by_the_v2_interface_names_the_lab(is_wrapped: bool) -> None:
    val = '{"name":"n7","clientURLs":["http://10.0.0.7:2379"]}'
    request = V2Request(id=1, method="PUT", path="/0/members/7/attributes", val=val)
    data = (
        INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(v2=request))
        if is_wrapped
        else REQUEST.build(request)
    )
    new = payload_of(readdressed_entry(entry(data), book()))
    found = INTERNAL_RAFT_REQUEST.parse(new).v2 if is_wrapped else REQUEST.parse(new)
    assert found is not None
    assert json.loads(found.val or "") == {"name": "n7", "clientURLs": [HOME.client_url]}


def test_what_a_member_publishes_by_version_3_names_the_lab() -> None:
    told = ClusterMemberAttrSetRequest(
        member_id=7, member_attributes=Attributes(name="n7", client_urls=OLD.client_urls)
    )
    data = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(cluster_member_attr_set=told))
    new = INTERNAL_RAFT_REQUEST.parse(payload_of(readdressed_entry(entry(data), book())))
    assert new.cluster_member_attr_set is not None
    assert new.cluster_member_attr_set.member_attributes == Attributes(
        name="n7", client_urls=(HOME.client_url,)
    )


@pytest.mark.parametrize(
    "data",
    [
        entry(b""),
        entry(b"\xff\xff"),
        entry(b"/0/members/ is only a value"),
        change(None),
        change(b"no json"),
        change(b"[1]"),
        change(b'{"id":7,"isPromote":true}'),
        entry(b"\xff", 1),
        b"\xff\xff",
    ],
)
def test_what_names_no_address_stays_as_it_is(data: bytes) -> None:
    assert readdressed_entry(data, book()) == data


@given(st.binary(max_size=60), st.integers(0, 2))
def test_bytes_of_no_meaning_stay_as_they_are(payload: bytes, kind: int) -> None:
    with contextlib.suppress(UnsupportedError):
        assert readdressed_entry(payload, book()) == payload
        assert readdressed_entry(entry(payload, kind), book()) == entry(payload, kind)


@pytest.mark.parametrize("context", [b'{"id":7,"peerURLs":["http://\xff:1"]}', b"see http://a:1"])
def test_a_url_in_words_that_are_not_etcds_is_refused(context: bytes) -> None:
    with pytest.raises(UnsupportedError, match="a change of member 7 holds a URL in words"):
        readdressed_entry(change(context), book())


def test_a_store_names_the_lab_in_its_nodes_and_in_its_history() -> None:
    there = book()
    store = built_store([OLD, Member(id=8, name="n8", peer_urls=("http://10.0.0.8:2380",))])
    new = readdressed_store(store, there)
    members = {each.id: each for each in parse_store(new).members}
    assert members[7].peer_urls == (HOME.peer_url,)
    assert members[7].client_urls == (HOME.client_url,)
    assert members[7].name == "n7"
    for url in there.met:
        assert place_of(url).encode() in store
        assert place_of(url).encode() not in new
    assert there.met == {*OLD.peer_urls, *OLD.client_urls, "http://10.0.0.8:2380"}


def test_another_state_machines_data_stays_as_it_is() -> None:
    data = b'{"/0/members/7/attributes":"http://10.0.0.7:2379"}'
    assert readdressed_store(data, book()) == data
    assert readdressed_store(b"/0/members/", book()) == b"/0/members/"


# The search for what stayed.


def found_in(data: bytes, *places: str) -> list[int]:
    disk = MemoryFileSystem()
    disk.create(Path("/a"), data)
    return [each.offset for each in leaks(disk, [Path("/a")], places)]


@pytest.mark.parametrize("at", [0, 1, WINDOW_BYTES - 13, WINDOW_BYTES - 1, WINDOW_BYTES])
def test_an_address_is_found_wherever_it_stands(at: int) -> None:
    assert found_in(b"\0" * at + b"10.0.0.7:2380", "10.0.0.7:2380") == [at]
    assert found_in(b"\0" * at + b"10.0.0.7:2380\0", "10.0.0.7:2380") == [at]


@pytest.mark.parametrize(
    "text", [b"10.0.0.7:23801", b"110.0.0.7:2380", b"a-10.0.0.7:2380", b"10.0.0.7 2380"]
)
def test_a_part_of_another_address_is_none(text: bytes) -> None:
    assert found_in(text, "10.0.0.7:2380") == []


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://10.0.0.7:2380", "10.0.0.7:2380"),
        ("https://[fd00::7]:2380/x", "[fd00::7]:2380"),
        ("http://user@host:1", "host:1"),
        ("unix:///run/etcd.sock", "/run/etcd.sock"),
        ("nonsense", "nonsense"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_what_of_a_url_leads_somewhere(url: str, place: str) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize("text", ["", "http://host", "host:1", "http://h:99999", "http://[bad:1"])
def test_what_has_no_host_and_port_is_no_members_url(text: str) -> None:
    assert parsed(text) is None

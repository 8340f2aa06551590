"""etcd's rules for requests: what changes, what is refused in whose words, what revisions say."""

import pytest

from formats.errors import FormatError
from formats.etcdserverpb import REQUEST, Request
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.membershippb import (
    Attributes,
    ClusterMemberAttrSetRequest,
    ClusterVersionSetRequest,
    DowngradeInfoSetRequest,
)
from formats.rpcpb import (
    AlarmRequest,
    LeaseCheckpoint,
    LeaseCheckpointRequest,
    PutRequest,
    RangeRequest,
)
from tests.machine.asking import Asked
from walctl.machine.base import Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.state import Alarm, Options
from walctl.raft.types import Entry

NOSPACE, CORRUPT = 1, 2


def refused(words: str, kind: str) -> Result:
    return Result(Outcome.REFUSED, kind, words)


def test_an_empty_store_is_at_revision_1_and_its_first_put_makes_2() -> None:
    member = Asked()
    assert member.revision == 1
    assert member.put(b"k", b"v") == Result(Outcome.APPLIED, "put", revision=2)
    found = member.key(b"k")
    assert found is not None
    assert (found.create_revision, found.mod_revision, found.version) == (2, 2, 1)


def test_a_put_over_a_key_keeps_its_creation_and_counts_its_version() -> None:
    member = Asked()
    for value in (b"a", b"a", b"b"):
        member.put(b"k", value)
    found = member.key(b"k")
    assert found is not None
    assert (found.create_revision, found.mod_revision, found.version) == (2, 4, 3)


def test_a_key_that_comes_back_after_a_delete_begins_anew() -> None:
    member = Asked()
    member.put(b"k")
    member.delete(b"k")
    member.put(b"k")
    found = member.key(b"k")
    assert found is not None
    assert (found.create_revision, found.version) == (4, 1)
    lives = member.machine.store.history(b"k")
    assert [[each.mod_revision for each in life] for life in lives] == [[2, 3], [4]]
    assert lives[0][-1].is_tombstone


def test_a_delete_of_nothing_makes_no_revision_and_uses_its_index() -> None:
    member = Asked()
    assert member.delete(b"k") == Result(Outcome.UNCHANGED, "delete_range")
    assert (member.revision, member.machine.applied) == (1, 1)


def test_a_range_is_deleted_with_one_revision_in_the_order_of_the_keys() -> None:
    member = Asked()
    for key in (b"c", b"a", b"b", b"d"):
        member.put(key)
    assert member.delete(b"a", b"d").revision == 6
    changes = list(member.machine.store.changes(first=6, last=6))
    assert [(each.key, each.sub_revision) for each in changes] == [(b"a", 0), (b"b", 1), (b"c", 2)]
    assert member.keys() == [b"d"]


@pytest.mark.parametrize(
    ("key", "end", "left"),
    [
        (b"b", None, [b"a", b"c"]),
        (b"b", b"\0", [b"a"]),
        (b"\0", b"\0", []),
        (b"a", b"c", [b"c"]),
        (b"c", b"a", [b"a", b"b", b"c"]),
        (b"b", b"b", [b"a", b"b", b"c"]),
    ],
)
def test_what_a_range_covers(key: bytes, end: bytes | None, left: list[bytes]) -> None:
    member = Asked()
    for each in (b"a", b"b", b"c"):
        member.put(each)
    member.delete(key, end)
    assert member.keys() == left


def test_a_put_may_keep_the_value_or_the_lease_that_the_key_has() -> None:
    member = Asked()
    member.grant(9)
    member.put(b"k", b"v", lease=9)
    member.put(b"k", ignore_value=True)
    assert (found := member.key(b"k")) is not None
    assert (found.value, found.lease) == (b"v", 0)
    member.put(b"k", b"w", lease=9)
    member.put(b"k", b"x", ignore_lease=True)
    assert (found := member.key(b"k")) is not None
    assert (found.value, found.lease) == (b"x", 9)
    assert member.machine.state.leases.keys_of(9) == [b"k"]


def test_a_put_that_keeps_something_needs_a_key() -> None:
    member = Asked()
    found = member.put(b"k", ignore_value=True)
    assert found == refused("etcdserver: key not found", "put")
    assert member.revision == 1


def test_a_put_with_a_lease_that_is_not_there_is_refused() -> None:
    assert Asked().put(b"k", lease=9) == refused("lease not found", "put")


def test_a_lease_takes_its_keys_with_it_in_order_and_with_one_revision() -> None:
    member = Asked()
    member.grant(-9)
    for key in (b"z", b"a", b"m"):
        member.put(key, lease=-9)
    member.put(b"m")
    assert member.revoke(-9) == Result(Outcome.APPLIED, "lease_revoke", revision=6)
    changes = list(member.machine.store.changes(first=6, last=6))
    assert [each.key for each in changes] == [b"a", b"z"]
    assert member.keys() == [b"m"]
    assert member.revoke(-9) == refused("lease not found", "lease_revoke")


def test_a_lease_without_keys_goes_without_a_revision() -> None:
    member = Asked()
    member.grant(9)
    assert member.revoke(9) == Result(Outcome.APPLIED, "lease_revoke")
    assert member.revision == 1


def test_leases_are_granted_once_and_within_bounds() -> None:
    member = Asked(Options(lease_ttl_seconds_min=5))
    assert member.grant(9, 1).outcome is Outcome.APPLIED
    assert member.machine.state.leases.leases[9].ttl == 5
    assert member.grant(9) == refused("lease already exists", "lease_grant")
    assert member.grant(0) == refused("lease not found", "lease_grant")
    assert member.grant(8, 9_000_000_001) == refused("too large lease TTL", "lease_grant")


def test_a_checkpoint_says_what_leases_have_left_and_passes_unknown_ones_over() -> None:
    member = Asked()
    member.grant(9)
    points = (LeaseCheckpoint(id=9, remaining_ttl=30), LeaseCheckpoint(id=8, remaining_ttl=1))
    request = LeaseCheckpointRequest(checkpoints=points)
    assert member.ask(lease_checkpoint=request).outcome is Outcome.APPLIED
    assert member.ask(lease_checkpoint=request).outcome is Outcome.UNCHANGED
    assert member.machine.state.leases.leases[9].remaining_ttl == 30


def test_a_compaction_is_within_what_is_there() -> None:
    member = Asked()
    for _ in range(4):
        member.put(b"k")
    old = "mvcc: required revision has been compacted"
    new = "mvcc: required revision is a future revision"
    assert member.compact(6) == refused(new, "compaction")
    assert member.compact(4) == Result(Outcome.APPLIED, "compaction")
    assert member.compact(4) == refused(old, "compaction")
    assert [each.mod_revision for each in member.machine.store.history(b"k")[0]] == [4, 5]
    assert member.revision == 5


def test_a_key_that_was_deleted_goes_with_the_compaction_of_its_tombstone() -> None:
    for keeps in (False, True):
        member = Asked(Options(keeps_tombstone=keeps))
        member.put(b"k")
        member.delete(b"k")
        member.put(b"other")
        member.compact(3)
        assert [len(life) for life in member.machine.store.history(b"k")] == [1] * keeps
        member.compact(4)
        assert member.machine.store.history(b"k") == ()


def test_questions_in_the_log_change_nothing() -> None:
    member = Asked()
    assert member.ask(range=RangeRequest(key=b"k")).outcome is Outcome.UNCHANGED
    assert member.ask(alarm=AlarmRequest()).outcome is Outcome.UNCHANGED
    assert member.give(None) == Result(Outcome.UNCHANGED)
    assert member.give(b"") == Result(Outcome.UNCHANGED)
    assert member.machine.applied == 4


def raised(*alarms: int) -> Asked:
    member = Asked()
    member.grant(9)
    member.put(b"k", b"v", lease=9)
    for alarm in alarms:
        member.ask(alarm=AlarmRequest(action=1, member_id=5, alarm=alarm))
    return member


def test_without_space_nothing_may_grow() -> None:
    member = raised(NOSPACE)
    assert member.put(b"k") == refused("etcdserver: no space", "put")
    assert member.grant(8) == refused("etcdserver: no space", "lease_grant")
    assert member.compact(2).outcome is Outcome.APPLIED
    assert member.delete(b"k").outcome is Outcome.APPLIED
    assert member.revoke(9).outcome is Outcome.APPLIED


def test_a_corrupt_cluster_does_nothing_with_keys() -> None:
    member = raised(CORRUPT)
    words = "etcdserver: corrupt cluster"
    assert member.put(b"k") == refused(words, "put")
    assert member.delete(b"k") == refused(words, "delete_range")
    assert member.compact(2) == refused(words, "compaction")
    assert member.grant(8) == refused(words, "lease_grant")
    assert member.revoke(9) == refused(words, "lease_revoke")


def test_alarms_end_one_by_one() -> None:
    member = raised(NOSPACE)
    again = AlarmRequest(action=1, member_id=5, alarm=NOSPACE)
    assert member.ask(alarm=again).outcome is Outcome.UNCHANGED
    member.ask(alarm=AlarmRequest(action=1, member_id=6, alarm=NOSPACE))
    member.ask(alarm=AlarmRequest(action=2, member_id=5, alarm=NOSPACE))
    assert member.machine.state.alarms == {Alarm(6, NOSPACE)}
    assert member.put(b"k").outcome is Outcome.REFUSED
    member.ask(alarm=AlarmRequest(action=2, member_id=6, alarm=NOSPACE))
    assert member.put(b"k").outcome is Outcome.APPLIED


def test_alarms_of_two_kinds_are_doubtful() -> None:
    member = raised(NOSPACE)
    both = member.ask(alarm=AlarmRequest(action=1, member_id=5, alarm=CORRUPT))
    assert "etcd 3.5" in (both.hazard or "")
    one_ends = member.ask(alarm=AlarmRequest(action=2, member_id=5, alarm=CORRUPT))
    assert "etcd 3.5" in (one_ends.hazard or "")
    assert member.ask(alarm=AlarmRequest(action=2, member_id=5, alarm=NOSPACE)).hazard is None


def test_versions_and_downgrades_are_kept_as_they_were_said() -> None:
    member = Asked()
    member.ask(cluster_version_set=ClusterVersionSetRequest(ver="3.5.0"))
    member.ask(downgrade_info_set=DowngradeInfoSetRequest(enabled=True, ver="3.4.0"))
    rows = {(row.bucket, row.key): row.value for row in member.machine.rows()}
    assert rows[b"cluster", b"clusterVersion"] == b"3.5.0"
    assert rows[b"cluster", b"downgrade"] == b'{"target-version":"3.4.0","enabled":true}'
    member.ask(downgrade_info_set=DowngradeInfoSetRequest(ver="3.4.0"))
    rows = {(row.bucket, row.key): row.value for row in member.machine.rows()}
    assert rows[b"cluster", b"downgrade"] == b'{"target-version":"","enabled":false}'


CONTEXT = b'{"id":18446744073709551615,"peerURLs":["http://a"],"isLearner":true,"isPromote":false}'
BIG = (1 << 64) - 1


def test_a_member_comes_as_a_learner_is_promoted_and_never_comes_back() -> None:
    member = Asked()
    add = {"type": 3, "node_id": BIG, "context": CONTEXT}
    assert member.change(**add) == Result(Outcome.APPLIED, "conf_change")
    assert member.change(**add) == refused("membership: ID exists", "conf_change")
    seen = member.machine.state.membership
    assert (seen.voters, seen.learners) == (set(), {BIG})
    promote = b'{"id":18446744073709551615,"peerURLs":null,"isPromote":true}'
    assert member.change(type=0, node_id=BIG, context=promote).outcome is Outcome.APPLIED
    assert (seen.voters, seen.learners) == ({BIG}, set())
    assert not seen.members[BIG].is_learner
    words = "membership: can only promote a learner member"
    assert member.change(type=0, node_id=BIG, context=promote) == refused(words, "conf_change")
    assert member.change(type=1, node_id=BIG).outcome is Outcome.APPLIED
    assert member.change(type=1, node_id=BIG) == refused("membership: ID removed", "conf_change")
    assert member.change(**add) == refused("membership: ID removed", "conf_change")
    assert member.machine.applied == 7


def test_two_members_cannot_have_one_address() -> None:
    member = Asked()
    for node, url in ((1, "a"), (2, "b")):
        context = b'{"id":%d,"peerURLs":["http://%s"]}' % (node, url.encode())
        member.change(type=0, node_id=node, context=context)
    taken = b'{"id":%d,"peerURLs":["http://a"]}'
    words = "membership: peerURL exists"
    assert member.change(type=0, node_id=3, context=taken % 3) == refused(words, "conf_change")
    assert member.change(type=2, node_id=2, context=taken % 2) == refused(words, "conf_change")
    assert member.change(type=2, node_id=1, context=taken % 1).outcome is Outcome.APPLIED
    assert member.change(type=1, node_id=4) == refused("membership: ID not found", "conf_change")


def published(path: str, val: str, method: str = "PUT") -> bytes:
    return REQUEST.build(Request(id=1, method=method, path=path, val=val))


def test_a_member_says_who_it_is_in_either_form() -> None:
    member = Asked()
    member.change(type=0, node_id=0xAB, context=b'{"id":171,"peerURLs":["http://a"]}')
    said = '{"name":"n1","clientURLs":["http://c"]}'
    found = member.give(published("/0/members/ab/attributes", said))
    assert found == Result(Outcome.APPLIED, "v2_put")
    attributes = Attributes(name="n2", client_urls=("http://d",))
    request = ClusterMemberAttrSetRequest(member_id=0xAB, member_attributes=attributes)
    assert member.ask(cluster_member_attr_set=request).outcome is Outcome.APPLIED
    seen = member.machine.state.membership.members[0xAB]
    assert (seen.name, seen.client_urls) == ("n2", ("http://d",))
    assert member.give(published("/0/version", "3.4.0")).outcome is Outcome.APPLIED
    assert member.machine.state.cluster_version == "3.4.0"
    assert member.give(published("/1/key", "v")) == Result(Outcome.UNCHANGED, "v2_put")
    assert member.give(published("/1", "", "QGET")) == Result(Outcome.UNCHANGED, "v2_qget")
    words = "failed to update; member unknown"
    assert member.give(published("/0/members/ac/attributes", said)) == refused(words, "v2_put")


@pytest.mark.parametrize(
    ("type", "data"),
    [
        (0, b"\xff"),
        (0, b"\x22\x05\x0a\x01k"),
        (0, published("/0/members/ab/attributes", "{")),
        (1, b"\xff"),
        (1, b""),
        (1, b"\x10\x00\x18\x01"),
        (1, b"\x10\x07\x18\x01"),
        (1, b'\x18\x01\x22\x08{"id":2}'),
        (1, b"\x18\x01\x22\x02[]"),
    ],
)
def test_what_does_not_decode_is_told_and_not_used_up(type: int, data: bytes) -> None:
    member = Asked()
    member.put(b"k")
    before = member.machine.snapshot()
    found = member.give(data, type=type)
    assert found.outcome is Outcome.UNDECODABLE
    assert found.words
    assert member.machine.snapshot() == before


@pytest.mark.parametrize(
    ("type", "data"),
    [(2, b""), (7, b"x"), (0, INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(id=1)))],
)
def test_what_ends_a_member_is_told_and_not_used_up(type: int, data: bytes) -> None:
    member = Asked()
    found = member.give(data, type=type)
    assert found.outcome is Outcome.FATAL
    assert found.words
    assert member.machine.applied == 0


def test_an_entry_counts_once_and_none_may_be_left_out() -> None:
    machine = Etcd()
    put = InternalRaftRequest(header=RequestHeader(id=1), put=PutRequest(key=b"k"))
    entry = Entry(1, 1, None, INTERNAL_RAFT_REQUEST.build(put))
    assert machine.apply(entry).outcome is Outcome.APPLIED
    assert machine.apply(entry) == Result(Outcome.SKIPPED)
    assert machine.store.revision == 2
    gap = machine.apply(Entry(1, 3, None, entry.data))
    assert gap == Result(Outcome.FATAL, words="unexpected committed entry index")
    assert machine.applied == 1


def test_a_snapshot_is_the_whole_member() -> None:
    member = raised(NOSPACE).with_auth()
    member.change(type=0, node_id=1, context=b'{"id":1,"peerURLs":["http://a"],"name":"n"}')
    member.change(type=1, node_id=1)
    member.ask(cluster_version_set=ClusterVersionSetRequest(ver="3.5.0"))
    member.compact(2)
    points = (LeaseCheckpoint(id=9, remaining_ttl=30),)
    member.ask(lease_checkpoint=LeaseCheckpointRequest(checkpoints=points))
    machine = Etcd()
    machine.restore(member.machine.snapshot())
    assert machine.state.leases.leases == member.machine.state.leases.leases
    assert machine.state.auth == member.machine.state.auth
    assert machine.state.alarms == member.machine.state.alarms
    assert machine.state.membership == member.machine.state.membership
    assert machine.snapshot() == member.machine.snapshot()
    assert machine.digest() == member.machine.digest()
    assert machine.applied == member.machine.applied


def test_a_digest_may_leave_out_who_is_in_the_cluster() -> None:
    """A learner that was promoted stays one in the databases of 3.5: it is the same store."""
    stored, replayed = Asked(), Asked()
    for each in (stored, replayed):
        each.put(b"a")
    replayed.change(type=0, node_id=1, context=b'{"id":1,"peerURLs":["http://a"],"name":"n"}')
    one, other = stored.machine, replayed.machine
    assert one.digest() != other.digest()
    assert one.digest(has_members=False) == other.digest(has_members=False)
    replayed.put(b"b")
    assert one.digest(has_members=False) != other.digest(has_members=False)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_snapshot_that_was_cut_is_refused_and_changes_nothing(cut: int) -> None:
    whole = raised(NOSPACE).machine.snapshot()
    member = Asked()
    member.put(b"mine")
    with pytest.raises(FormatError):
        member.machine.restore(whole[:-cut] if cut % 2 else b"x" + whole)
    assert member.keys() == [b"mine"]

"""What a status says of a node, and how it is told as JSON."""

import json

from tests.raft.harness import Cluster, node, storage_with
from walctl.raft.describe import status_text
from walctl.raft.types import Change, ChangeKind, ConfChange, Transition


def test_a_status_does_not_say_that_a_joint_configuration_ends_by_itself() -> None:
    cluster = Cluster.begun(1, 2, 3)
    cluster.settle()
    raw = cluster[1].raw
    added = Change(kind=ChangeKind.ADD_NODE, node_id=4)
    raw.apply_conf_change(ConfChange(changes=(added,), transition=Transition.JOINT_IMPLICIT))
    assert raw.raft.tracker.config.auto_leave
    config = raw.status().config
    assert not config.auto_leave
    assert (sorted(config.incoming), sorted(config.outgoing)) == ([1, 2, 3, 4], [1, 2, 3])


def test_a_status_is_a_line_of_json_with_ids_in_hex_digits() -> None:
    ids = (10, 11)
    cluster = Cluster(node(each, storage_with(*ids)) for each in ids)
    cluster.campaign(10)
    cluster.isolate(11)
    cluster.propose(10, b"x")
    cluster[10].raw.transfer_leader(11)
    assert status_text(cluster[10].raw.status()) == (
        '{"id":"a","term":1,"vote":"a","commit":1,"lead":"a","raftState":"StateLeader",'
        '"applied":1,"progress":{"a":{"match":2,"next":3,"state":"StateReplicate"},'
        '"b":{"match":1,"next":3,"state":"StateReplicate"}},"leadtransferee":"b"}'
    )


def test_only_a_leader_tells_of_progress() -> None:
    told = json.loads(status_text(node(1, storage_with(1, 2)).raw.status()))
    assert told == {
        "id": "1",
        "term": 0,
        "vote": "0",
        "commit": 0,
        "lead": "0",
        "raftState": "StateFollower",
        "applied": 0,
        "progress": {},
        "leadtransferee": "0",
    }

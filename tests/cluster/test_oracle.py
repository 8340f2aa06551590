"""What a group committed, by the directories of its members."""

import shutil
from pathlib import Path

from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.rpcpb import Compare, CompareTarget, PutRequest, RequestOp, TxnRequest
from tests.cluster.copied import originals
from tests.corpus import needs_corpus
from tests.inspect.answers import DISK
from walctl.cluster.lab import Engine, Group, Lab, Node, Settings
from walctl.cluster.oracle import read_logs, writes_of
from walctl.raft.types import Entry

NAMES = ("n1", "n2", "n4")


def lab_of(path: Path, corpus: str | None = None) -> Lab:
    """A lab of real members, out of the corpus."""
    nodes = []
    for source in originals(corpus, *NAMES) if corpus else ():
        shutil.copytree(source, path / source.name / "etcd")
        node = Node(name=source.name, id=None, client_port=1, peer_port=2, proxy_port=3)
        nodes.append(node)
    group = Group(name="etcd", first=NAMES, hosts=NAMES)
    return Lab(
        path=path,
        engine=Engine.ETCD,
        settings=Settings(),
        nodes=tuple(nodes),
        groups=(group,),
        token="",
    )


@needs_corpus
def test_members_that_began_differently_are_alike(tmp_path: Path) -> None:
    """n4 came later: its state is its database's, in which it is a learner for ever."""
    (found,) = read_logs(DISK, lab_of(tmp_path, "d-cluster3-35"))
    assert found.nodes == ("n1", "n2", "n4")
    assert found.digests is not None
    assert len(found.digests) == 3
    assert found.are_alike
    assert found.log.last >= found.digest_index > 0


def swap(index: int, expected: bytes | None, value: bytes) -> Entry:
    """A transaction as clients of etcd may ask for it: nothing is asked where it does not hold."""
    condition = Compare(target=CompareTarget.VALUE, key=b"k", value=expected)
    if expected is None:
        condition = Compare(target=CompareTarget.VERSION, key=b"k", version=0)
    step = RequestOp(request_put=PutRequest(key=b"k", value=value))
    txn = TxnRequest(compare=(condition,), success=(step,))
    data = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(txn=txn))
    return Entry(index=index, term=1, data=data)


def test_a_swap_of_etcd_whose_condition_did_not_hold_did_nothing(tmp_path: Path) -> None:
    entries = [swap(1, None, b"a"), swap(2, None, b"b"), swap(3, b"x", b"c"), swap(4, b"a", b"d")]
    found = [each.is_done for each in writes_of(lab_of(tmp_path), entries, is_whole=True)]
    assert found == [True, False, False, True]
    found = [each.is_done for each in writes_of(lab_of(tmp_path), entries, is_whole=False)]
    assert found == [None] * 4

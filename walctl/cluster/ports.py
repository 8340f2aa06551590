"""The ports of a node: which there are, and whether one may listen there."""

from collections.abc import Iterable

from walctl.cluster import runtime
from walctl.cluster.lab import HOST, Node
from walctl.errors import AccessError


def ports_of(node: Node) -> tuple[int, ...]:
    """All of them."""
    return node.client_port, node.peer_port, node.proxy_port


def demand_ports(node: Node, ports: Iterable[int]) -> None:
    """Raises: AccessError, with the port that cannot be listened at."""
    for port in ports:
        why = runtime.port_fault(HOST, port)
        if why is not None:
            what = {node.client_port: "clients", node.peer_port: "peers"}.get(port, "the proxy")
            raise AccessError(
                f"{node.name}: port {port} on {HOST} (for {what}) {why}: end that program, or make"
                " a lab with other ports: walctl cluster new LAB --base-port P"
            )

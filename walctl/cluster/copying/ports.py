"""Ports of the loopback device that nobody listens at."""

import socket
from collections.abc import Container, Iterator

from walctl.cluster.lab import HOST
from walctl.errors import AccessError, UsageError

BASE_PORT = 23800
PORT_MAX = 65535


def free_ports(
    count: int, *, base: int | None, taken: Container[int] = (), is_closed: bool = False
) -> Iterator[int]:
    """`count` ports from `base` on, none of them in `taken`.

    Where a person chose `base`, every one has to be free; else those that are not are passed over.
    With `is_closed` it is for a network of its own, where nobody listens yet.

    Raises: UsageError, for a port that somebody listens at; AccessError, when there are too few.
    """
    port, found = BASE_PORT if base is None else base, 0
    while found < count:
        if port > PORT_MAX:
            raise AccessError(f"expected {count} free ports of {HOST}, found {found}")
        if port not in taken and (is_closed or is_free(port)):
            found += 1
            yield port
        elif base is not None and port not in taken:
            raise UsageError(f"port {port} of {HOST} is in use; choose another --base-port")
        port += 1


def is_free(port: int) -> bool:
    """Whether one may listen at this port now."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True

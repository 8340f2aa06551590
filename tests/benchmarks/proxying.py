"""What the proxy between members costs: frames through it, beside the same socket without it.

The proxy has a process of its own, as in a lab; one thread here sends and another receives.
"""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from threading import Thread

from fixtures.recipes.etcd import free_ports
from formats.peer import Frame, FrameKind, Hello, build_frame, build_hello
from walctl.cluster.faults import Link, LinkFault
from walctl.cluster.lab import HOST, Engine
from walctl.cluster.proxy import Proxy
from walctl.cluster.proxy_session import ProxyPlace

Row = Callable[[str, float, str], None]
"""A line of the table: a name, seconds, and what else is told."""

HELLO = build_hello(Hello(1, 2))
SMALL = build_frame(Frame(FrameKind.MESSAGE, "g1", bytes(140)))
LARGE = build_frame(Frame(FrameKind.SNAPSHOT_PIECE, "g1", bytes(1 << 20)))
AT_ONCE = 64
"""Small frames a write, as a sender with much to say has them."""
PASSED: dict[str, tuple[bytes, int, int, LinkFault | None]] = {
    "500 MB in frames of 1 MiB": (LARGE, 1, 500, None),
    "100,000 frames of 150 bytes": (SMALL, AT_ONCE, 100_000 // AT_ONCE, None),
    "100,000 frames, one a write": (SMALL, 1, 100_000, None),
    "20,000 frames, messages may be lost": (
        SMALL,
        AT_ONCE,
        20_000 // AT_ONCE,
        LinkFault(loss_ppm=1),
    ),
}
TRIPS = 2000


def bench_proxy(row: Row) -> None:
    """Tell every figure; the socket without a proxy comes first."""
    for name, (frame, at_once, writes, fault) in PASSED.items():
        for is_direct in (True, False) if fault is None else (False,):
            seconds = _passed(frame * at_once, writes, fault, is_direct=is_direct)
            count = at_once * writes
            speed = (
                f"{len(frame) * count / seconds / 1e6:,.0f} MB/s, {count / seconds:,.0f} frames/s"
            )
            row(f"{name}{' (no proxy)' if is_direct else ''}", seconds, speed)
    for is_direct in (True, False):
        seconds = _tripped(is_direct=is_direct)
        name = f"{TRIPS:,} frames there and back"
        row(
            f"{name}{' (no proxy)' if is_direct else ''}",
            seconds,
            f"{seconds / TRIPS * 1e6:.0f} µs each",
        )


def _passed(block: bytes, writes: int, fault: LinkFault | None, *, is_direct: bool) -> float:
    """Seconds until so many blocks have come through."""
    with _Way(fault, is_direct=is_direct) as (sender, receiver):
        lack = len(block) * writes

        def receive() -> None:
            buffer, left = bytearray(1 << 20), lack
            while left:
                left -= receiver.recv_into(buffer)

        thread = Thread(target=receive)
        start = time.perf_counter()
        thread.start()
        for _ in range(writes):
            sender.sendall(block)
        thread.join()
        return time.perf_counter() - start


def _tripped(*, is_direct: bool) -> float:
    """Seconds for frames that are answered one by one."""
    with _Way(None, is_direct=is_direct) as (sender, receiver):
        start = time.perf_counter()
        for _ in range(TRIPS):
            for one, other in ((sender, receiver), (receiver, sender)):
                one.sendall(SMALL)
                left = len(SMALL)
                while left:
                    left -= len(other.recv(left))
        return time.perf_counter() - start


class _Way:
    """Both ends of a connection from n1 to n2, which has said hello."""

    def __init__(self, fault: LinkFault | None, *, is_direct: bool) -> None:
        self._proxy_port, self._peer_port = free_ports(2)
        self._here, there = multiprocessing.Pipe()
        args = (self._proxy_port, self._peer_port, fault, there)
        self._process = multiprocessing.Process(target=_serve, args=args)
        self._is_direct = is_direct

    def __enter__(self) -> tuple[socket.socket, socket.socket]:
        self._process.start()
        self._here.recv()
        port = self._peer_port if self._is_direct else self._proxy_port
        with socket.create_server((HOST, self._peer_port)) as server:
            self._sender = socket.create_connection((HOST, port))
            self._sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sender.sendall(HELLO)
            self._receiver = server.accept()[0]
        self._receiver.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._receiver.recv(len(HELLO))
        return self._sender, self._receiver

    def __exit__(self, *_: object) -> None:
        self._sender.close()
        self._receiver.close()
        self._here.send(None)
        self._process.join()


def _serve(proxy_port: int, peer_port: int, fault: LinkFault | None, there: Connection) -> None:
    """The process of the proxy; it ends when it is told to."""

    async def serve() -> None:
        # The dice never fall on a fault: all frames take the way on which they might.
        proxy = Proxy(Engine.WALCTL, draw=lambda bound: bound - 1, tell=lambda _: None)
        (other,) = free_ports(1)
        first = ProxyPlace(name="n1", proxy_port=other, peer_port=other, id=1)
        await proxy.start(
            [first, ProxyPlace(name="n2", proxy_port=proxy_port, peer_port=peer_port, id=2)]
        )
        if fault:
            proxy.set_fault(Link("n1", "n2"), fault)
        there.send(None)
        await asyncio.to_thread(there.recv)
        await proxy.close()

    asyncio.run(serve())

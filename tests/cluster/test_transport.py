"""Messages between nodes: on real sockets, through the proxy where a link is to be slow."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from formats.peer import MAGIC
from formats.raftpb import MessageType
from tests.cluster.instances import free_ports
from walctl.cluster import transport as transports
from walctl.cluster.faults import Link, LinkFault
from walctl.cluster.lab import HOST, Engine
from walctl.cluster.proxy import Proxy
from walctl.cluster.proxy_session import ProxyPlace
from walctl.cluster.transport import Hooks, Transport
from walctl.errors import ClusterError
from walctl.raft.types import ConfState, Entry, Message, Snapshot

BOUND_SECONDS = 10.0


class End:
    """A node's end: what it was told."""

    def __init__(self, number: int) -> None:
        self.received: list[tuple[str, Message]] = []
        self.lost: list[tuple[str, int]] = []
        self.sent: list[tuple[str, int, bool]] = []
        self.transport = Transport(
            number,
            Hooks(
                receive=lambda group, message: self.received.append((group, message)),
                unreachable=lambda group, node: self.lost.append((group, node)),
                snapshot=lambda group, node, is_done: self.sent.append((group, node, is_done)),
            ),
        )


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(BOUND_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


def play(story: Callable[[End, End, Proxy], Awaitable[None]]) -> None:
    """Two nodes that reach each other through a proxy."""

    async def whole() -> None:
        ports = free_ports(4)
        ends = End(1), End(2)
        proxy = Proxy(Engine.WALCTL, draw=lambda n: 0, tell=lambda event: None)
        places = [
            ProxyPlace(name=f"n{number}", proxy_port=ports[number - 1], peer_port=port, id=number)
            for number, port in ((1, ports[2]), (2, ports[3]))
        ]
        await proxy.start(places)
        try:
            for end, place in zip(ends, places, strict=True):
                await end.transport.listen((HOST, place.peer_port))
            ends[0].transport.set_peers({2: (HOST, ports[1])})
            ends[1].transport.set_peers({1: (HOST, ports[0])})
            await story(*ends, proxy)
        finally:
            for end in ends:
                await end.transport.close()
            await proxy.close()

    asyncio.run(whole())


def snapshot_of(size: int) -> Message:
    snapshot = Snapshot(
        index=9, term=2, conf_state=ConfState(voters=(1, 2)), data=b"state" * (size // 5)
    )
    return Message(MessageType.SNAP, 2, 1, term=2, snapshot=snapshot)


def test_messages_arrive_in_order_for_their_groups() -> None:
    async def story(one: End, two: End, proxy: Proxy) -> None:
        said = [
            (group, Message(MessageType.APP, 2, 1, term=1, entries=(Entry(1, number),)))
            for number in range(70)
            for group in ("g1", "g2", "g3")
        ]
        for group, message in said:
            one.transport.send(group, [message])
        await until(lambda: len(two.received) == len(said))
        assert two.received == said

    play(story)


def test_a_snapshot_arrives_whole_and_its_sender_knows() -> None:
    async def story(one: End, two: End, proxy: Proxy) -> None:
        one.transport.send("g1", [snapshot_of(3_000_000)])
        await until(lambda: one.sent)
        assert one.sent == [("g1", 2, True)]
        assert two.received == [("g1", snapshot_of(3_000_000))]

    play(story)


def test_a_snapshot_takes_its_time_on_a_slow_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than anything may stand still: what counts is that pieces arrive."""
    monkeypatch.setattr(transports, "STALL_SECONDS", 0.8)

    async def story(one: End, two: End, proxy: Proxy) -> None:
        proxy.set_fault(Link("n1", "n2"), LinkFault(bytes_per_second=400_000))
        one.transport.send("g1", [snapshot_of(800_000)])
        await until(lambda: one.sent)
        assert one.sent == [("g1", 2, True)]
        assert len(two.received) == 1

    play(story)


def test_a_snapshot_on_a_link_that_is_cut_is_told_to_have_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transports, "STALL_SECONDS", 0.2)

    async def story(one: End, two: End, proxy: Proxy) -> None:
        proxy.set_fault(Link("n1", "n2"), LinkFault(is_cut=True))
        one.transport.send("g1", [snapshot_of(1_000)])
        await until(lambda: one.sent)
        assert one.sent == [("g1", 2, False)]
        assert two.received == []

    play(story)


def test_a_peer_that_does_not_listen_is_told_to_be_unreachable() -> None:
    async def story(one: End, two: End, proxy: Proxy) -> None:
        await two.transport.close()
        one.transport.set_peers({2: (HOST, free_ports(1)[0])})
        one.transport.send("g1", [Message(MessageType.HEARTBEAT, 2, 1, term=1)])
        await until(lambda: one.lost)
        one.transport.send("g1", [Message(MessageType.HEARTBEAT, 7, 1, term=1)])
        assert ("g1", 7) in one.lost

    play(story)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n" * 3, MAGIC + bytes(18), b"\xff" * 99])
def test_what_is_no_peers_stream_is_closed(data: bytes) -> None:
    async def story(one: End, two: End, proxy: Proxy) -> None:
        port = free_ports(1)[0]
        other = End(3)
        await other.transport.listen((HOST, port))
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(data)
        async with asyncio.timeout(BOUND_SECONDS):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        await other.transport.close()
        assert other.received == []

    play(story)


def test_a_port_in_use_is_named() -> None:
    async def story(one: End, two: End, proxy: Proxy) -> None:
        port = free_ports(1)[0]
        other, another = End(3), End(4)
        await other.transport.listen((HOST, port))
        try:
            with pytest.raises(ClusterError, match=f"{port}"):
                await another.transport.listen((HOST, port))
        finally:
            await other.transport.close()

    play(story)

"""The proxy on the loopback device: real sockets on both sides of it, and nothing else real.

One caller, n1, and the member n2 behind the proxy; `?` is whoever does not say who it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from fixtures.recipes.etcd import free_ports
from formats.peer import Frame, FrameKind, Hello, Purpose, build_frame, build_hello
from walctl.cluster.faults import PPM, WELL, Link, LinkFault
from walctl.cluster.lab import HOST, Engine, Node
from walctl.cluster.proxy import Proxy
from walctl.cluster.proxy_session import ProxyPlace
from walctl.errors import AccessError, UsageError

CUT = LinkFault(is_cut=True)
RESET = LinkFault(is_cut=True, is_reset=True)
THERE, BACK = Link("n1", "n2"), Link("n2", "n1")
HELLO = build_hello(Hello(1, 2))
SECONDS_MAX = 5.0

Meeting = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def frame(text: bytes, kind: FrameKind = FrameKind.MESSAGE) -> bytes:
    return build_frame(Frame(kind, "g", text))


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not claim():
            await asyncio.sleep(0.001)


class Ground:
    """The proxy, the member behind it, and connections of both ends."""

    def __init__(self, proxy: Proxy, place: ProxyPlace, events: list[dict[str, object]]) -> None:
        self.proxy = proxy
        self.place = place
        self.events = events
        self.taken: asyncio.Queue[Meeting] = asyncio.Queue()
        self.open: list[asyncio.StreamWriter] = []
        self.member: asyncio.Server | None = None

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        self.taken.put_nowait((reader, writer))

    async def call(self, data: bytes = b"") -> Meeting:
        """Dial n2 through the proxy and say something."""
        reader, writer = await asyncio.open_connection(HOST, self.place.proxy_port)
        self.open.append(writer)
        writer.write(data)
        return reader, writer

    async def member_side(self) -> Meeting:
        """The next connection that reaches n2."""
        return await asyncio.wait_for(self.taken.get(), SECONDS_MAX)

    async def hears(self, meeting: Meeting, data: bytes) -> None:
        """These bytes come next, and just they."""
        got = await asyncio.wait_for(meeting[0].readexactly(len(data)), SECONDS_MAX)
        assert got == data

    async def stream(self) -> tuple[Meeting, Meeting]:
        """A stream from n1 to n2 that has said hello, and both its ends."""
        caller = await self.call(HELLO)
        member = await self.member_side()
        await self.hears(member, HELLO)
        return caller, member

    def dropped(self, link: Link = THERE) -> int:
        return self.proxy.state(link).counters.dropped

    async def gone(self, meeting: Meeting) -> bytes:
        """What still comes before the end of a connection, however it ends."""
        try:
            return await asyncio.wait_for(meeting[0].read(), SECONDS_MAX)
        except ConnectionError:
            return b""


@contextlib.asynccontextmanager
async def ground(
    engine: Engine = Engine.WALCTL, *, has_member: bool = True
) -> AsyncIterator[Ground]:
    one, two, peer, other = free_ports(4)
    events: list[dict[str, object]] = []
    proxy = Proxy(engine, draw=lambda _: 0, tell=events.append)
    node = Node(name="n2", id=2, client_port=1, peer_port=peer, proxy_port=two)
    place = ProxyPlace.of(node)
    here = Ground(proxy, place, events)
    await proxy.start([ProxyPlace(name="n1", proxy_port=one, peer_port=other, id=1), place])
    if has_member:
        here.member = await asyncio.start_server(here.take, HOST, peer)
    try:
        yield here
    finally:
        await proxy.close()
        assert not proxy.sessions
        for writer in here.open:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        if here.member:
            here.member.close()
            await here.member.wait_closed()


def run(deed: Callable[[Ground], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def go() -> None:
        async with ground(**options) as here:
            await deed(here)

    asyncio.run(go())


def test_frames_pass_and_are_counted() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        caller[1].write(frame(b"a") + frame(b"b")[:5])
        await here.hears(member, frame(b"a") + frame(b"b")[:5])
        caller[1].write(frame(b"b")[5:])
        await here.hears(member, frame(b"b")[5:])
        counters = here.proxy.counters()[THERE]
        assert (counters.messages, counters.bytes) == (2, len(frame(b"a") + frame(b"b")))

    run(deed)


def test_a_cut_takes_whole_frames_and_the_stream_goes_on_after_it() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        caller[1].write(frame(b"begun")[:6])
        await here.hears(member, frame(b"begun")[:6])
        here.proxy.set_fault(THERE, CUT)
        caller[1].write(frame(b"begun")[6:] + frame(b"gone") + frame(b"gone too")[:7])
        await here.hears(member, frame(b"begun")[6:])
        await until(lambda: here.dropped() == 2)
        here.proxy.set_fault(THERE, WELL)
        caller[1].write(frame(b"gone too")[7:] + frame(b"next"))
        await here.hears(member, frame(b"next"))
        assert here.events[0]["k"] == "drop"

    run(deed)


def test_a_cut_of_the_other_way_takes_nothing() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        here.proxy.set_fault(BACK, CUT)
        caller[1].write(frame(b"a"))
        await here.hears(member, frame(b"a"))

    run(deed)


def test_a_new_connection_on_a_cut_link_is_silent_until_the_heal() -> None:
    async def deed(here: Ground) -> None:
        here.proxy.set_fault(THERE, CUT)
        caller = await here.call(HELLO + frame(b"gone"))
        await until(lambda: here.dropped() == 1)
        assert here.taken.empty()
        here.proxy.set_fault(THERE, WELL)
        caller[1].write(frame(b"next"))
        await here.hears(await here.member_side(), HELLO + frame(b"next"))

    run(deed)


def test_a_snapshot_that_a_cut_has_hurt_is_silent_and_closed_on_heal() -> None:
    async def deed(here: Ground) -> None:
        caller = await here.call(build_hello(Hello(1, 2, Purpose.SNAPSHOT)))
        member = await here.member_side()
        here.proxy.set_fault(THERE, CUT)
        caller[1].write(frame(b"piece", FrameKind.SNAPSHOT_PIECE))
        await until(lambda: here.dropped() == 1)
        here.proxy.set_fault(THERE, WELL)
        assert await here.gone(caller) == b""
        assert await here.gone(member) == build_hello(Hello(1, 2, Purpose.SNAPSHOT))

    run(deed)


def test_the_end_of_a_connection_is_told_and_under_a_cut_not_before_the_heal() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        caller[1].close()
        assert await here.gone(member) == b""
        caller, member = await here.stream()
        here.proxy.set_fault(THERE, CUT)
        caller[1].close()
        ended = asyncio.create_task(here.gone(member))
        await until(lambda: all(each.client.is_lost for each in here.proxy.sessions))
        assert not ended.done()
        here.proxy.set_fault(THERE, WELL)
        assert await ended == b""

    run(deed)


def test_what_waits_is_handed_on_before_the_end_of_a_connection() -> None:
    async def deed(here: Ground) -> None:
        here.proxy.set_fault(THERE, LinkFault(delay_us=20_000))
        caller, member = await here.stream()
        caller[1].write(frame(b"last"))
        caller[1].close()
        assert await here.gone(member) == frame(b"last")

    run(deed)


def test_a_member_that_is_gone_is_told_and_under_a_cut_not_before_the_heal() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        here.proxy.set_fault(THERE, CUT)
        member[1].close()
        await until(lambda: all(each.target.is_lost for each in here.proxy.sessions))
        caller[1].write(frame(b"into the dark"))
        await until(lambda: here.dropped() == 1)
        here.proxy.set_fault(THERE, WELL)
        assert await here.gone(caller) == b""

    run(deed)


def test_a_member_that_is_not_there_closes_the_connection() -> None:
    async def deed(here: Ground) -> None:
        caller = await here.call(HELLO)
        assert await here.gone(caller) == b""

    run(deed, has_member=False)


def test_a_reset_closes_what_is_open_and_what_comes() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        here.proxy.set_fault(THERE, RESET)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(caller[0].read(), SECONDS_MAX)
        await here.gone(member)
        assert await here.gone(await here.call(HELLO)) == b""
        assert here.taken.empty()
        here.proxy.set_fault(THERE, WELL)
        await here.stream()

    run(deed)


def test_messages_are_lost_doubled_and_overtaken() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        here.proxy.set_fault(THERE, LinkFault(loss_ppm=PPM))
        caller[1].write(frame(b"lost"))
        await until(lambda: here.dropped() == 1)
        here.proxy.set_fault(THERE, LinkFault(duplicate_ppm=PPM))
        caller[1].write(frame(b"twice"))
        await here.hears(member, 2 * frame(b"twice"))
        here.proxy.set_fault(THERE, LinkFault(reorder_ppm=PPM))
        caller[1].write(frame(b"a"))
        await until(lambda: here.proxy.state(THERE).counters.reordered == 1)
        here.proxy.set_fault(THERE, WELL)
        caller[1].write(frame(b"b"))
        await here.hears(member, frame(b"a") + frame(b"b"))

    run(deed)


def test_a_delay_and_a_rate_take_their_time_and_have_an_off() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        clock = asyncio.get_running_loop()
        for fault in (LinkFault(delay_us=30_000), LinkFault(bytes_per_second=500)):
            here.proxy.set_fault(THERE, fault)
            before = clock.time()
            caller[1].write(frame(b"x" * 20))
            await here.hears(member, frame(b"x" * 20))
            assert clock.time() - before > 0.02
        here.proxy.set_fault(THERE, LinkFault(delay_us=3_600_000_000))
        caller[1].write(frame(b"late"))
        await until(lambda: here.proxy.state(THERE).counters.delayed == 2)
        here.proxy.set_fault(THERE, WELL)
        await here.hears(member, frame(b"late"))

    run(deed)


def test_a_member_that_does_not_read_stops_its_caller() -> None:
    async def deed(here: Ground) -> None:
        caller, member = await here.stream()
        member[1].transport.pause_reading()  # type: ignore[attr-defined]
        piece = frame(b"x" * 500_000)
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                while True:
                    caller[1].write(piece)
                    sent += len(piece)
                    await caller[1].drain()
        here.proxy.set_fault(BACK, CUT)
        assert sent < 32 << 20
        (session,) = here.proxy.sessions
        assert session.target.transport is not None
        assert session.target.transport.get_write_buffer_size() < 2 << 20
        member[1].transport.resume_reading()  # type: ignore[attr-defined]
        await here.hears(member, piece * (sent // len(piece)))

    run(deed)


@pytest.mark.parametrize("engine", list(Engine))
def test_what_is_not_understood_passes_as_bytes_of_a_stranger(engine: Engine) -> None:
    async def deed(here: Ground) -> None:
        caller = await here.call(b"\x16\x03\x01 hello")
        member = await here.member_side()
        await here.hears(member, b"\x16\x03\x01 hello")
        member[1].write(b"\x16\x03\x01 hello to you")
        await here.hears(caller, b"\x16\x03\x01 hello to you")
        here.proxy.set_fault(THERE, CUT)  # all links to n2: a stranger's as well
        caller[1].write(b"gone")
        await until(lambda: here.dropped(Link("?", "n2")) == 1)
        here.proxy.set_fault(THERE, WELL)
        assert await here.gone(caller) == b""

    run(deed, engine=engine)


def test_a_caller_whose_id_is_learnt_later_dials_again_and_is_known() -> None:
    async def deed(here: Ground) -> None:
        stranger = build_hello(Hello(77, 2))
        caller = await here.call(stranger)
        member = await here.member_side()
        await here.hears(member, stranger)
        here.proxy.learn(77, "n1")
        assert await here.gone(caller) == b""
        here.proxy.set_fault(THERE, CUT)
        await here.call(stranger + frame(b"a"))
        await until(lambda: here.dropped() == 1)

    run(deed)


def test_etcds_words_pass_and_are_cut_by_the_link_that_carries_them() -> None:
    async def deed(here: Ground) -> None:
        request = b"GET /raft/stream/message/1 HTTP/1.1\r\nX-Server-From: 1\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        beat = b"a\r\n" + (2).to_bytes(8, "big") + b"hi\r\n"
        caller = await here.call(request)
        member = await here.member_side()
        await here.hears(member, request)
        member[1].write(head + beat)
        await here.hears(caller, head + beat)
        here.proxy.set_fault(BACK, CUT)
        member[1].write(beat)
        await until(lambda: here.dropped(BACK) == 1)
        here.proxy.set_fault(BACK, WELL)
        member[1].write(beat)
        await here.hears(caller, beat)
        member[1].write(b"no chunk\r\n")
        assert await here.gone(caller) == b""

    run(deed, engine=Engine.ETCD)


def test_faults_are_told_and_a_node_that_is_not_there_is_refused() -> None:
    async def deed(here: Ground) -> None:
        here.proxy.set_faults({THERE: CUT, BACK: LinkFault(loss_ppm=1)})
        assert here.proxy.faults() == {THERE: CUT, BACK: LinkFault(loss_ppm=1)}
        here.proxy.set_faults({THERE: WELL, BACK: WELL})
        assert here.proxy.faults() == {}
        with pytest.raises(UsageError, match="no node 'n9' behind this proxy"):
            here.proxy.set_fault(Link("n1", "n9"), CUT)

    run(deed)


def test_a_port_in_use_is_told_in_one_line_and_nothing_listens_then() -> None:
    async def deed(here: Ground) -> None:
        (free,) = free_ports(1)
        other = Proxy(Engine.WALCTL, draw=lambda _: 0, tell=here.events.append)
        places = [
            ProxyPlace(name="n1", proxy_port=free, peer_port=1),
            ProxyPlace(name="n2", proxy_port=here.place.proxy_port, peer_port=1),
        ]
        with pytest.raises(AccessError, match=f"{here.place.proxy_port}: expected a free port"):
            await other.start(places)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, free)

    run(deed)


def test_a_node_that_is_removed_is_not_listened_for_and_can_come_back() -> None:
    async def deed(here: Ground) -> None:
        caller, _ = await here.stream()
        await here.proxy.remove("n2")
        assert await here.gone(caller) == b""
        with pytest.raises(ConnectionRefusedError):
            await here.call()
        await here.proxy.add(here.place)
        await here.stream()

    run(deed)

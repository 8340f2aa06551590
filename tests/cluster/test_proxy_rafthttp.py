"""etcd's exchanges through the proxy, without sockets: which link has them, and what faults do."""

import functools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError
from tests.cluster.hand_clock import HandClock
from walctl.cluster.faults import PPM, WELL, Link, LinkFault
from walctl.cluster.proxy_frames import Chunks, chunk
from walctl.cluster.proxy_links import LinkState
from walctl.cluster.proxy_rafthttp import HEAD_BYTES_MAX, TAKEN, RaftHttpTalk
from walctl.cluster.shaping import Hooks, Manner, Pipe

CUT = LinkFault(is_cut=True)
LOSS = LinkFault(loss_ppm=PPM)
CALLER = b"X-Server-From: 1\r\n"
OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(body: bytes, path: bytes = b"/raft", caller: bytes = CALLER) -> bytes:
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path, caller, len(body), body)


def get(path: bytes, caller: bytes = CALLER) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path, caller)


def message(text: bytes) -> bytes:
    return len(text).to_bytes(8, "big") + text


class HandWire:
    """n1 has id 1 and calls n2."""

    here = "n2"

    def __init__(self) -> None:
        self.clock = HandClock()
        self.client = b""
        self.target = b""
        self.raw: bytes | None = None
        self.ends: list[str] = []
        self.is_held = False
        self.pipes: list[Pipe] = []
        self.states: dict[Link, LinkState] = {}
        self.talk = RaftHttpTalk(self)

    def name_of(self, member_id: int) -> str:
        return "n1" if member_id == 1 else "?"

    def link(self, source: str, target: str) -> LinkState:
        link = Link(source, target)
        if link not in self.states:
            self.states[link] = LinkState(
                link, clock=self.clock, draw=lambda _: 0, tell=lambda _: None
            )
        return self.states[link]

    def pipe(
        self,
        state: LinkState,
        sink: Callable[[bytes], None],
        manner: Manner,
        *,
        on_pass: Callable[[], None] | None = None,
        on_loss: Callable[[], None] | None = None,
    ) -> Pipe:
        hooks = Hooks(on_pass=on_pass or (lambda: None), on_loss=on_loss or self.hang_up)
        self.pipes.append(Pipe(state, sink, clock=self.clock, hooks=hooks, manner=manner))
        return self.pipes[-1]

    def to_client(self, data: bytes) -> None:
        self.client += data

    def to_target(self, data: bytes) -> None:
        self.target += data

    def hold_client(self, is_held: bool) -> None:
        self.is_held = is_held

    def give_up(self, data: bytes) -> None:
        self.raw = data

    def finish(self) -> None:
        self.ends.append("finish")

    def hang_up(self) -> None:
        self.ends.append("hang up")

    def put(self, words: str, fault: LinkFault) -> None:
        """Put a fault on a link, as a session does."""
        source, _, target = words.partition("->")
        state = self.link(source, target)
        state.put(fault)
        for pipe in self.pipes:
            if pipe.state is state:
                pipe.refresh()
        self.talk.refresh()

    def stream(self, kind: bytes) -> None:
        """Open a stream of n2 for n1."""
        self.talk.from_client(get(b"/raft/stream/%b/1" % kind))
        self.talk.from_target(OK)

    def body(self) -> bytes:
        """What n1 has got on its stream."""
        assert self.client.startswith(OK)
        return Chunks().feed(self.client[len(OK) :])[0]

    def answer(self) -> None:
        self.talk.from_target(b"HTTP/1.1 204 No Content\r\nX-Real: 1\r\n\r\n")


def test_requests_and_answers_pass_byte_by_byte_and_unchanged() -> None:
    asked = post(b"a" * 30) + get(b"/version") + get(b"/raft/stream/message/1")
    told = (
        b"HTTP/1.1 204 No Content\r\nX-Real: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + chunk(message(b"one")) + chunk(message(b"two")),
    )
    wire = HandWire()
    requests = (post(b"a" * 30), get(b"/version"), get(b"/raft/stream/message/1"))
    for request, answer in zip(requests, told, strict=True):
        for byte in request:
            wire.talk.from_client(bytes([byte]))
        for byte in answer:
            wire.talk.from_target(bytes([byte]))
    assert wire.target == asked
    plain = told[0] + told[1] + OK
    assert wire.client.startswith(plain)
    assert Chunks().feed(wire.client[len(plain) :])[0] == message(b"one") + message(b"two")


def test_messages_of_both_ways_are_counted_on_their_links() -> None:
    wire = HandWire()
    wire.talk.from_client(post(b"a"))
    wire.answer()
    wire.stream(b"message")
    wire.talk.from_target(chunk(message(b"b") + message(b"c")))
    assert wire.link("n1", "n2").counters.messages == 1
    assert wire.link("n2", "n1").counters.messages == 2


def test_a_post_that_is_cut_gets_no_answer_and_spoils_its_connection() -> None:
    wire = HandWire()
    wire.put("n1->n2", CUT)
    wire.talk.from_client(post(b"a"))
    assert (wire.target, wire.client) == (b"", b"")
    assert any(pipe.is_spoiled for pipe in wire.pipes)


def test_a_post_passes_while_the_way_back_is_cut() -> None:
    wire = HandWire()
    wire.put("n2->n1", CUT)
    wire.talk.from_client(post(b"a"))
    wire.answer()
    assert wire.target == post(b"a")
    assert b"204" in wire.client


def test_a_post_that_is_lost_is_answered_as_if_it_were_taken_and_the_next_passes() -> None:
    wire = HandWire()
    wire.put("n1->n2", LOSS)
    wire.talk.from_client(post(b"lost")[:-2])
    assert wire.client == b""
    wire.talk.from_client(b"st")
    assert (wire.target, wire.client) == (b"", TAKEN)
    wire.put("n1->n2", WELL)
    wire.talk.from_client(post(b"next"))
    assert wire.target == post(b"next")


def test_a_post_that_is_doubled_is_answered_once() -> None:
    wire = HandWire()
    wire.put("n1->n2", LinkFault(duplicate_ppm=PPM))
    wire.talk.from_client(post(b"twice"))
    assert wire.target == 2 * post(b"twice")
    wire.answer()
    once = wire.client
    wire.talk.from_client(post(b"more"))
    wire.answer()
    assert wire.client == once
    wire.answer()
    wire.answer()
    assert wire.client == 2 * once


def test_a_stream_loses_what_its_server_says_while_the_link_is_cut_and_goes_on() -> None:
    wire = HandWire()
    wire.stream(b"message")
    wire.talk.from_target(chunk(message(b"one") + message(b"two")[:5]))
    wire.put("n2->n1", CUT)
    wire.talk.from_target(chunk(message(b"two")[5:] + message(b"gone")))
    wire.put("n2->n1", WELL)
    wire.talk.from_target(chunk(message(b"three")))
    assert wire.body() == message(b"one") + message(b"two") + message(b"three")
    assert not any(pipe.is_spoiled for pipe in wire.pipes)


def test_a_stream_goes_on_while_the_other_way_is_cut() -> None:
    wire = HandWire()
    wire.put("n1->n2", CUT)
    wire.stream(b"message")
    wire.talk.from_target(chunk(message(b"one")))
    assert wire.body() == message(b"one")


def test_a_cut_of_msgapp_spoils_it_and_a_loss_closes_it() -> None:
    wire = HandWire()
    wire.stream(b"msgapp")
    wire.talk.from_target(chunk(b"\0"))
    wire.put("n2->n1", CUT)
    wire.talk.from_target(chunk(b"\2" + message(b"gone")))
    assert wire.body() == b"\0"
    assert any(pipe.is_spoiled for pipe in wire.pipes)
    other = HandWire()
    other.put("n2->n1", LOSS)
    other.stream(b"msgapp")
    other.talk.from_target(chunk(b"\2" + message(b"lost")))
    assert other.ends == ["hang up"]


@pytest.mark.parametrize(
    ("fault", "got"),
    [
        (LOSS, b""),
        (LinkFault(duplicate_ppm=PPM), 2 * message(b"a") + 2 * message(b"b")),
        (WELL, message(b"a") + message(b"b")),
    ],
)
def test_messages_of_a_stream_are_lost_and_doubled_singly(fault: LinkFault, got: bytes) -> None:
    wire = HandWire()
    wire.put("n2->n1", fault)
    wire.stream(b"message")
    wire.talk.from_target(chunk(message(b"a")[:3]) + chunk(message(b"a")[3:] + message(b"b")))
    assert wire.body() == got


def test_a_stream_that_is_asked_for_while_its_link_is_cut_is_asked_for_after_the_heal() -> None:
    wire = HandWire()
    wire.put("n2->n1", CUT)
    request = get(b"/raft/stream/message/1")
    wire.talk.from_client(request)
    assert wire.target == b""
    wire.put("n2->n1", WELL)
    assert wire.target == request


def test_the_end_of_a_stream_is_passed_on() -> None:
    wire = HandWire()
    wire.stream(b"message")
    wire.talk.from_target(chunk(message(b"a")) + b"0\r\n\r\n")
    assert wire.client.endswith(b"0\r\n\r\n")
    wire.talk.from_client(get(b"/version"))
    assert wire.target.endswith(get(b"/version"))


def test_the_end_of_a_stream_waits_for_its_last_messages() -> None:
    wire = HandWire()
    wire.put("n2->n1", LinkFault(delay_us=1000))
    wire.stream(b"message")
    wire.talk.from_target(chunk(message(b"a")) + b"0\r\n\r\n")
    assert wire.client == OK
    assert wire.ends == ["finish"]
    wire.clock.go(1)
    assert wire.body() == message(b"a")


def test_a_stream_that_is_refused_is_an_answer_like_any_other() -> None:
    wire = HandWire()
    wire.talk.from_client(get(b"/raft/stream/message/1"))
    gone = b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"
    wire.talk.from_target(gone)
    assert wire.client == gone


def test_a_snapshot_is_the_last_request_of_its_connection() -> None:
    wire = HandWire()
    head = b"POST /raft/snapshot HTTP/1.1\r\n" + CALLER + b"Transfer-Encoding: chunked\r\n"
    wire.talk.from_client(head + b"\r\n" + chunk(b"some"))
    wire.talk.from_client(chunk(b"more"))
    assert wire.target == head + b"Connection: close\r\n\r\n" + chunk(b"some") + chunk(b"more")
    wire.put("n1->n2", CUT)
    wire.talk.from_client(chunk(b"gone"))
    assert any(pipe.is_spoiled for pipe in wire.pipes)
    wire.answer()
    assert b"204" in wire.client


def test_a_caller_is_who_it_said_before_and_a_stranger_without_a_word() -> None:
    wire = HandWire()
    wire.talk.from_client(get(b"/raft/probing", b""))
    wire.talk.from_target(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert set(wire.states) == {Link("?", "n2"), Link("n2", "?")}
    wire.talk.from_client(post(b"a"))
    wire.answer()
    wire.put("n2->n1", CUT)
    before = wire.client
    wire.talk.from_client(get(b"/raft/probing", b""))
    wire.talk.from_target(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert wire.client == before


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02", b"walctl-peer/1\n", b"A" * 20])
def test_what_is_no_request_is_passed_on_as_bytes(data: bytes) -> None:
    wire = HandWire()
    wire.talk.from_client(data)
    assert wire.raw == data


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (b"GET /" + b"x" * HEAD_BYTES_MAX, b""),
        (b"GET nothing\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nno field\r\n\r\n", b""),
        (b"POST /raft HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b""),
        (b"POST /raft HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", b""),
        (get(b"/version"), b"x" * (HEAD_BYTES_MAX + 1)),
        (get(b"/version"), b"hello\r\n\r\n"),
        (b"", b"HTTP/1.1 200 OK\r\n\r\n"),
        (get(b"/raft/stream/message/1"), OK + b"nonsense\r\n"),
        (get(b"/raft/stream/message/1"), OK + chunk(b"\xff" * 8)),
    ],
)
def test_what_cannot_be_said_ends_the_connection(asked: bytes, told: bytes) -> None:
    talk = HandWire().talk
    steps = (functools.partial(talk.from_client, asked), functools.partial(talk.from_target, told))
    with pytest.raises(FormatError):
        all(step() is None for step in steps)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_pass_or_end_the_connection(asked: bytes, told: bytes) -> None:
    wire = HandWire()
    try:
        wire.talk.from_client(b"GET " + asked)
        wire.talk.from_target(told)
    except FormatError:
        return
    assert wire.client == b""

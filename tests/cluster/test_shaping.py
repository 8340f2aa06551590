"""A pipe under each fault and without it, on a clock that is set by hand."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.hand_clock import HandClock
from walctl.cluster.faults import PPM, WELL, Link, LinkFault
from walctl.cluster.proxy_frames import etcd_borders
from walctl.cluster.proxy_links import LinkState
from walctl.cluster.shaping import (
    HOLD_BYTES_MAX,
    OVERTAKE_SECONDS,
    QUEUE_BYTES_MAX,
    Hooks,
    Manner,
    Pipe,
)

CUT = LinkFault(is_cut=True)


class Ground:
    """One pipe, what came out of it, and what it told. `dice` are the next draws, then 0."""

    def __init__(self, fault: LinkFault = WELL, manner: Manner = Manner.MESSAGES) -> None:
        self.clock = HandClock()
        self.dice: list[int] = []
        self.events: list[dict[str, object]] = []
        self.told: list[str] = []
        self.out: list[bytes] = []
        self.state = LinkState(
            Link("n1", "n2"), clock=self.clock, draw=self.draw, tell=self.events.append
        )
        self.state.put(fault)
        names = ("on_pass", "on_loss", "on_full", "on_room", "on_idle")
        hooks = Hooks(**{name: self.teller(name) for name in names})
        self.pipe = Pipe(self.state, self.out.append, clock=self.clock, hooks=hooks, manner=manner)

    def teller(self, name: str) -> Callable[[], None]:
        return lambda: self.told.append(name)

    def draw(self, bound: int) -> int:
        return min(self.dice.pop(0), bound - 1) if self.dice else 0

    def send(self, *messages: bytes) -> None:
        for each in messages:
            self.pipe.push(each, begins=True, ends=True)

    def put(self, fault: LinkFault) -> None:
        self.state.put(fault)
        self.pipe.refresh()

    def is_spoiled(self) -> bool:
        return self.pipe.is_spoiled

    def is_clear(self) -> bool:
        return self.pipe.is_clear

    @property
    def got(self) -> bytes:
        return b"".join(self.out)


def test_with_nothing_wrong_a_piece_goes_as_it_is() -> None:
    ground = Ground()
    ground.send(b"a", b"b")
    assert ground.out == [b"a", b"b"]
    assert ground.events == []
    assert (ground.state.counters.messages, ground.state.counters.bytes) == (2, 2)


def test_a_cut_drops_messages_and_after_it_they_go_on() -> None:
    ground = Ground(CUT)
    ground.send(b"a", b"b")
    ground.put(WELL)
    ground.send(b"c")
    assert ground.out == [b"c"]
    assert ground.state.counters.dropped == 2
    assert not ground.is_spoiled()


@pytest.mark.parametrize("manner", [Manner.REQUESTS, Manner.SEQUENCE, Manner.BYTES])
def test_a_cut_that_takes_what_cannot_be_missed_spoils_the_pipe(manner: Manner) -> None:
    ground = Ground(manner=manner)
    ground.put(CUT)
    assert not ground.is_spoiled()
    ground.send(b"a")
    assert ground.is_spoiled()
    ground.put(WELL)
    ground.send(b"b")
    assert ground.got == b""


def test_a_cut_in_the_middle_of_a_message_lets_it_end() -> None:
    ground = Ground()
    ground.pipe.push(b"beg", begins=True, ends=False)
    ground.put(CUT)
    ground.pipe.push(b"in", begins=False, ends=True)
    ground.send(b"gone")
    assert ground.got == b"begin"


def test_a_heal_in_the_middle_of_a_message_that_was_cut_does_not_let_its_rest_through() -> None:
    ground = Ground(CUT)
    ground.pipe.push(b"beg", begins=True, ends=False)
    ground.put(WELL)
    assert not ground.is_clear()
    ground.pipe.push(b"in", begins=False, ends=True)
    assert ground.is_clear()
    ground.send(b"next")
    assert ground.got == b"next"


def test_a_message_is_lost_by_the_dice_and_the_next_is_not() -> None:
    ground = Ground(LinkFault(loss_ppm=50_000))
    ground.dice = [49_999, 50_000]
    ground.send(b"a", b"b")
    assert ground.out == [b"b"]
    assert ground.told.count("on_loss") == 0


def test_a_message_that_comes_in_pieces_is_lost_whole() -> None:
    ground = Ground(LinkFault(loss_ppm=50_000))
    ground.dice = [0, PPM]
    ground.pipe.push(b"lo", begins=True, ends=False)
    ground.pipe.push(b"st", begins=False, ends=True)
    ground.send(b"b")
    assert ground.got == b"b"


def test_a_doubled_message_comes_twice_and_whole() -> None:
    ground = Ground(LinkFault(duplicate_ppm=1))
    ground.pipe.push(b"tw", begins=True, ends=False)
    assert ground.got == b""
    ground.pipe.push(b"ice", begins=False, ends=True)
    assert ground.out == [b"twice", b"twice"]
    assert ground.state.counters.doubled == 1


def test_a_message_too_long_to_be_kept_passes_once() -> None:
    ground = Ground(LinkFault(duplicate_ppm=1))
    ground.pipe.push(b"x" * HOLD_BYTES_MAX, begins=True, ends=False)
    ground.pipe.push(b"yy", begins=False, ends=False)
    ground.pipe.push(b"z", begins=False, ends=True)
    assert ground.got == b"x" * HOLD_BYTES_MAX + b"yyz"


def test_a_message_is_overtaken_by_the_next() -> None:
    ground = Ground(LinkFault(reorder_ppm=1))
    ground.dice = [0, 1]
    ground.send(b"a", b"b")
    assert ground.out == [b"b", b"a"]
    ground.clock.go(1)
    assert ground.out == [b"b", b"a"]


def test_a_message_that_none_overtakes_goes_after_a_while() -> None:
    ground = Ground(LinkFault(reorder_ppm=1))
    ground.send(b"a")
    assert not ground.pipe.is_idle
    ground.clock.go(OVERTAKE_SECONDS)
    assert ground.out == [b"a"]
    assert ground.told == ["on_pass", "on_idle"]


def test_a_message_does_not_come_in_the_middle_of_the_one_that_overtakes_it() -> None:
    ground = Ground(LinkFault(reorder_ppm=1))
    ground.dice = [0, 1]
    ground.send(b"a")
    ground.pipe.push(b"b", begins=True, ends=False)
    ground.clock.go(1)
    ground.pipe.push(b"c", begins=False, ends=True)
    assert ground.got == b"bca"


def test_msgapp_is_not_doubled_nor_overtaken_and_a_loss_is_told() -> None:
    ground = Ground(LinkFault(duplicate_ppm=PPM, reorder_ppm=PPM), Manner.SEQUENCE)
    ground.send(b"a", b"b")
    assert ground.out == [b"a", b"b"]
    ground.put(LinkFault(loss_ppm=1))
    ground.send(b"c")
    assert ground.told.count("on_loss") == 1


def test_what_is_not_understood_is_not_lost_by_the_message() -> None:
    ground = Ground(LinkFault(loss_ppm=PPM, duplicate_ppm=PPM), Manner.BYTES)
    ground.send(b"a")
    assert ground.out == [b"a"]


def test_a_delayed_message_comes_after_its_time_and_in_order() -> None:
    ground = Ground(LinkFault(delay_us=50_000, jitter_us=20_000))
    ground.dice = [40_000, 0]  # 70 ms, then 30 ms
    ground.send(b"late", b"soon")
    ground.clock.go(0.065)
    assert ground.out == []
    ground.clock.go(0.01)
    assert ground.out == [b"late", b"soon"]
    assert ground.state.counters.delayed == 2


def test_what_waits_goes_at_once_when_the_delay_is_taken_off() -> None:
    ground = Ground(LinkFault(delay_us=3_600_000_000))
    ground.send(b"a", b"b")
    ground.put(WELL)
    assert ground.out == [b"a", b"b"]
    assert ground.is_clear()


def test_what_waits_is_cut_when_a_cut_begins() -> None:
    ground = Ground(LinkFault(delay_us=50_000))
    ground.send(b"a")
    ground.put(CUT)
    ground.put(WELL)
    ground.clock.go(1)
    assert ground.out == []


def test_a_slow_link_carries_its_bytes_a_second() -> None:
    ground = Ground(LinkFault(bytes_per_second=1000))
    ground.send(b"x" * 2000)
    for second in (1, 2):
        ground.clock.go(1)
        assert len(ground.got) == pytest.approx(1000 * second, abs=50)


def test_streams_of_one_slow_link_share_it() -> None:
    ground = Ground(LinkFault(bytes_per_second=1000))
    beside: list[bytes] = []
    other = Pipe(
        ground.state, beside.append, clock=ground.clock, hooks=Hooks(), manner=Manner.MESSAGES
    )
    for _ in range(20):
        ground.send(b"x" * 100)
        other.push(b"y" * 100, begins=True, ends=True)
    ground.clock.go(2)
    assert len(ground.got) + len(b"".join(beside)) == pytest.approx(2000, abs=100)


def test_a_source_that_sends_too_much_is_stopped_and_let_go_on() -> None:
    ground = Ground(LinkFault(delay_us=50_000))
    ground.send(b"x" * QUEUE_BYTES_MAX)
    assert "on_full" not in ground.told
    ground.send(b"y", b"z")
    assert ground.told.count("on_full") == 1
    ground.clock.go(1)
    assert ground.told.count("on_room") == 1


def test_drops_are_told_at_once_and_then_once_a_second_with_their_count() -> None:
    ground = Ground(CUT)
    for _ in range(30):
        ground.send(b"a")
        ground.clock.go(0.1)
    ground.clock.go(5)
    counts = [event["count"] for event in ground.events]
    assert counts[0] == 1
    assert len(counts) <= 5
    assert sum(map(int, map(str, counts))) == 30
    first = {"k": "drop", "link": "n1->n2", "count": 1, "why": "cut"}
    assert ground.events[0] == first


def test_what_was_not_told_is_told_at_the_end() -> None:
    ground = Ground(LinkFault(duplicate_ppm=PPM))
    ground.send(b"a", b"b", b"c")
    ground.state.close()
    assert [(event["k"], event["count"]) for event in ground.events] == [("dup", 1), ("dup", 2)]


@st.composite
def steps(draw: st.DrawFn) -> list[LinkFault | int]:
    """Faults that change while bytes are fed in pieces of these sizes."""
    some = st.sampled_from((0, 0, 300_000))
    fault = st.builds(
        LinkFault,
        is_cut=st.booleans(),
        delay_us=st.sampled_from((0, 0, 5_000)),
        jitter_us=st.just(0),
        loss_ppm=some,
        duplicate_ppm=some,
        reorder_ppm=some,
        bytes_per_second=st.sampled_from((None, None, 5_000)),
    )
    sizes = st.integers(1, 40)
    return draw(st.lists(st.one_of(sizes, sizes, sizes, fault), max_size=40))


@given(steps(), st.integers(0, 1 << 32))
def test_whatever_happens_only_whole_messages_come_out(
    script: list[LinkFault | int], seed: int
) -> None:
    ground = Ground()
    dice = Random(seed)
    ground.dice = [int(dice.random() * PPM) for _ in range(1000)]
    borders = etcd_borders("message")
    assert borders is not None
    messages = [(n % 13).to_bytes(8, "big") + bytes([65 + n % 26]) * (n % 13) for n in range(200)]
    data = b"".join(messages)
    for step in script:
        if isinstance(step, int):
            ground.pipe.feed(data[:step], borders)
            data = data[step:]
        else:
            ground.put(step)
        ground.clock.go(0.002)
    # Let the message that is under way end, and all that waits come.
    ground.put(replace(ground.state.fault, is_cut=False, delay_us=0, bytes_per_second=None))
    while borders.is_inside:
        ground.pipe.feed(data[:1], borders)
        data = data[1:]
    ground.put(WELL)
    ground.clock.go(1)
    out, known = ground.got, set(messages)
    check = etcd_borders("message")
    assert check is not None
    ends = [0, *check.ends(out)]
    assert not check.is_inside
    assert all(out[a:b] in known for a, b in pairwise(ends))

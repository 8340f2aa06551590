"""A run planned from a seed: a scenario in which every command has its moment, before any is done.

    clients     requests at random moments, put, get and compare-and-swap, over a few keys
    faults      one after the other, each ended again (`mischief`)
    converge    at the end of the time all is healed, and has to come together

With `is_swarm` the seed decides what kind of cluster it is, and which kinds of faults it meets at
all: a run that has a few of them, and those often, finds what one with all of them in equal shares
does not.

Source for the swarm: Groce and others, Swarm Testing, 2012; TigerBeetle's simulator.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from walctl.cluster.answers import Read
from walctl.cluster.deeds import Ask, Converge, MakeCluster
from walctl.cluster.faults import LinkFault
from walctl.cluster.scenario import Command, Scenario
from walctl.errors import UsageError
from walctl.sim.chance import Stream, Streams
from walctl.sim.mischief import FAULTS, UNBOUNDED, Mischief, Timed

NODES: Final = 3
TIME_US_MAX: Final = 3_600_000_000
OPERATIONS_MAX: Final = 8_000
"""A scenario has room for so many commands of clients, besides its faults."""
STAGED_KINDS_MAX: Final = 4
_QUIET_US: Final = 1_000_000
"""Nothing goes wrong at first, so that there is somebody to lead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimWish:
    """What a run is to be: `time_us` of faults and `rate` requests a second on the average.

    `faults` are kinds (`mischief.FAULTS`), `None`: all that a cluster has to survive. With
    `is_swarm` the seed chooses among them, and `nodes`, `rate` and the like are where it begins.
    """

    seed: int
    nodes: int = NODES
    groups: int = 1
    time_us: int = 60_000_000
    rate: int = 50
    clients: int = 5
    keys: int = 5
    interval_us: int = 2_000_000
    faults: tuple[str, ...] | None = None
    is_unbounded: bool = False
    is_swarm: bool = False

    @property
    def name(self) -> str:
        """The run's, for its trace and the scenario made of it."""
        return f"seed-{self.seed:#x}"


def plan(wish: SimWish) -> Scenario:
    """The whole run. Raises: UsageError, for a wish that cannot be."""
    _check(wish)
    streams = Streams(wish.seed)
    cluster = _cluster(wish)
    if wish.is_swarm:
        wish, cluster = _swarm(wish, cluster, streams["plan/swarm"])
    timed = [*_requests(wish, streams), *_faults(wish, cluster, streams)]
    timed.sort(key=lambda each: each.at_us)  # stable: a fault's parts keep their order
    timed.append(Timed(wish.time_us, Converge()))
    commands = (
        Command(line=line, deed=each.deed, at_us=each.at_us)
        for line, each in enumerate(timed, start=2)
    )
    return Scenario(name=wish.name, cluster=cluster, commands=tuple(commands))


def _check(wish: SimWish) -> None:
    if not 1 <= wish.time_us <= TIME_US_MAX:
        raise UsageError(f"expected a time of 1us to 1h, found {wish.time_us}us")
    count = wish.rate * wish.time_us // 1_000_000
    if count > OPERATIONS_MAX:
        raise UsageError(
            f"expected at most {OPERATIONS_MAX:,} requests in a run, found {wish.rate} a second for"
            f" {wish.time_us // 1_000_000} s: a lower rate, or less time"
        )
    known = (*FAULTS, *UNBOUNDED)
    for name in wish.faults or ():
        if name not in known:
            raise UsageError(f"expected faults ({', '.join(known)}), found {name!r}")


def _cluster(wish: SimWish) -> MakeCluster:
    return MakeCluster(
        nodes=wish.nodes,
        groups=tuple(f"g{number}" for number in range(1, wish.groups + 1)),
        engine="sim",
        seed=wish.seed,
        is_unbounded=wish.is_unbounded,
        snapshot_count=200,
        catch_up_entries=20,
        segment_bytes=16_384,
    )


def _swarm(wish: SimWish, cluster: MakeCluster, stream: Stream) -> tuple[SimWish, MakeCluster]:
    """Another cluster, and other ways to go wrong."""
    usual = tuple(wish.faults or (FAULTS + (UNBOUNDED if wish.is_unbounded else ())))
    # A few kinds, about half of them, or nearly all: what needs one kind again and again is found
    # by the first, what needs many by the last.
    share_ppm = stream.choice((100_000, 100_000, 500_000, 900_000))
    faults = tuple(each for each in usual if stream.happens(share_ppm)) or (stream.choice(usual),)
    nodes = stream.choice((3, 3, 3, 5, 5, 4, 1)) if wish.nodes == NODES else wish.nodes
    delay_us = stream.choice((200, 1_000, 1_000, 5_000, 20_000))
    wish = replace(
        wish,
        nodes=nodes,
        rate=min(2 * wish.rate, stream.choice((20, 50, 50, 100))),
        clients=stream.between(1, 8),
        keys=stream.choice((1, 2, 5, 10)),
        interval_us=stream.choice((300_000, 700_000, 1_500_000, 3_000_000)),
        faults=faults,
    )
    # With both a cluster is as it is used; without them its elections are the paper's.
    # What figure 8 shows needs them, and entries that go out one by one.
    is_staged = "figure-8" in faults and len(faults) <= STAGED_KINDS_MAX
    is_plain = stream.happens(350_000) or is_staged
    cluster = replace(
        cluster,
        nodes=nodes,
        tick_ms=stream.choice((20, 50, 100, 100)),
        election_ticks=stream.choice((5, 10, 10, 20)),
        pre_vote=not is_plain and stream.happens(800_000),
        check_quorum=not is_plain and stream.happens(800_000),
        snapshot_count=stream.choice((10, 50, 200, 1_000)),
        catch_up_entries=stream.choice((0, 5, 20, 200)),
        segment_bytes=stream.choice((4_096, 8_192, 16_384, 65_536)),
        message_bytes=1 if is_staged else stream.choice((1, 200, 1_000, 1 << 20)),
        link=LinkFault(delay_us=delay_us, jitter_us=stream.between(0, delay_us)),
        sync_us=stream.choice((50, 500, 500, 5_000)),
        sync_jitter_us=50,
    )
    return wish, cluster


def _requests(wish: SimWish, streams: Streams) -> Iterator[Timed]:
    """What clients ask, at moments whose gaps are exponential."""
    stream = streams["plan/clients"]
    written: dict[str, list[str]] = {}
    at_us, number = _QUIET_US // 2, 0
    while True:
        at_us += 1 + stream.exponential(1_000_000 // max(1, wish.rate))
        if at_us >= wish.time_us or number >= OPERATIONS_MAX:
            return
        number += 1
        yield Timed(at_us, _request(wish, stream, number, written))


def _request(wish: SimWish, stream: Stream, number: int, written: dict[str, list[str]]) -> Ask:
    """The next one. Some go to a node that is drawn, and not to whom the client took for the
    leader: those find out what a node says that has been left behind."""
    client = 1 + stream.below(wish.clients)
    key = f"k{1 + stream.below(wish.keys)}"
    group = f"g{1 + stream.below(wish.groups)}" if wish.groups > 1 else None
    via = f"n{1 + stream.below(wish.nodes)}" if stream.happens(300_000) else None
    before = written.setdefault(f"{group}/{key}", [])
    kind = stream.below(20)
    usual = Ask(verb="get", key=key, client=client, group=group, via=via)
    if kind < 8:
        # A lease holds while clocks run alike.
        may_lease = wish.faults is not None and "clock" not in wish.faults
        is_leased = stream.happens(300_000) and may_lease
        return replace(usual, read=str(Read.LEASE) if is_leased else None)
    if kind == 8:
        return replace(usual, verb="del")
    value = f"v{number}"
    if kind in (9, 10) and before:
        expected = before[-1 - stream.below(min(2, len(before)))]
        before.append(value)
        return replace(usual, verb="cas", expected=expected, value=value)
    before.append(value)
    return replace(usual, verb="put", value=value)


def _faults(wish: SimWish, cluster: MakeCluster, streams: Streams) -> Iterator[Timed]:
    kinds = wish.faults
    if kinds is None:
        kinds = FAULTS + (UNBOUNDED if wish.is_unbounded else ())
    mischief = Mischief(
        cluster, kinds=kinds, interval_us=wish.interval_us, stream=streams["plan/faults"]
    )
    at_us = _QUIET_US
    while True:
        at_us += 1 + mischief.stream.exponential(wish.interval_us)
        if at_us >= wish.time_us:
            return
        yield from (
            each for each in mischief.begun(at_us, wish.time_us) if each.at_us < wish.time_us
        )

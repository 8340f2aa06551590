"""Every deed is a line, and that line is the deed: what writes scenarios relies on it."""

from dataclasses import fields
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.raftpb import MessageType
from walctl.cluster import topology
from walctl.cluster.answers import Read
from walctl.cluster.claim import COUNTED, Claim, ClaimKind
from walctl.cluster.claim_words import FATES, ROLES, claim
from walctl.cluster.deeds import (
    Ask,
    Clock,
    Converge,
    Damage,
    Deed,
    Directories,
    DiskOff,
    DiskOn,
    Expect,
    GroupVerb,
    Load,
    Lot,
    MakeCluster,
    MemberVerb,
    Net,
    OneMessage,
    Process,
    Propose,
    RaftVerb,
    Repair,
    Run,
    Stabilize,
    Twin,
)
from walctl.cluster.faults import CrashMode, DiskFault, DiskFaultKind, LinkFault
from walctl.cluster.quoting import words_of
from walctl.cluster.scenario import Command, Scenario, deed_of, parse
from walctl.cluster.simulator_words import SEED_MAX, SEGMENT_BYTES_MIN
from walctl.model.finding import Code
from walctl.raft.describe import message_name
from walctl.repair.plan import PlanClass

_TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", "-", "#", ";", "a b", 'a"b', "\\", "a\nb", "via=n2", "a=b", "&", "within", "absent", "5s"]
)
_NODES = st.sampled_from(["n1", "n2", "n9", "leader", "follower", "random"])
_GROUPS = st.none() | st.sampled_from(["g1", "g2"])
_TIMES = st.integers(0, 3_600_000_000)
_SPREADS = _TIMES.flatmap(lambda mean: st.tuples(st.just(mean), st.integers(0, mean)))
_NUMBERS = st.integers(0, 10**12 - 1)
_COUNTS = st.none() | st.integers(1, 1000)
_LISTS = st.lists(st.sampled_from(["n1", "n2", "n3"]), unique=True, max_size=3).map(tuple)
_TYPES = st.sampled_from([message_name(each) for each in MessageType])


@st.composite
def _clusters(draw: st.DrawFn) -> MakeCluster:
    sync = draw(st.none() | _SPREADS)
    net = draw(st.none() | _SPREADS)
    return MakeCluster(
        nodes=draw(st.integers(1, 99)),
        groups=draw(st.sampled_from([("g1",), ("g1", "g2"), ("other",)])),
        engine=draw(st.sampled_from([None, "walctl", "etcd", "sim"])),
        tick_ms=draw(st.none() | st.integers(1, 1000)),
        election_ticks=draw(st.none() | st.integers(2, 1000)),
        snapshot_count=draw(st.none() | _NUMBERS),
        pre_vote=draw(st.none() | st.booleans()),
        check_quorum=draw(st.none() | st.booleans()),
        checks=draw(st.sampled_from([(), ("all",), ("I1", "I2")])),
        seed=draw(st.none() | st.integers(0, SEED_MAX)),
        is_unbounded=draw(st.booleans()),
        link=None if net is None else LinkFault(delay_us=net[0], jitter_us=net[1]),
        sync_us=None if sync is None else sync[0],
        sync_jitter_us=0 if sync is None else sync[1],
        segment_bytes=draw(st.none() | st.integers(SEGMENT_BYTES_MIN, 1 << 30)),
        catch_up_entries=draw(st.none() | _NUMBERS),
    )


@st.composite
def _processes(draw: st.DrawFn) -> Process:
    verb = draw(st.sampled_from(["kill", "pause", "resume", "restart", "start", "stop"]))
    if verb != "kill":
        return Process(verb=verb, node=draw(_NODES))
    keep = draw(st.none() | st.sets(st.integers(0, 99), max_size=4).map(lambda each: sorted(each)))
    return Process(
        verb=verb,
        node=draw(_NODES),
        mode=draw(st.sampled_from(CrashMode)),
        call=draw(_COUNTS),
        keep=None if keep is None else tuple(keep),
    )


@st.composite
def _messages(draw: st.DrawFn) -> OneMessage:
    lot = draw(st.sampled_from(Lot))
    source, target = draw(st.permutations(["n1", "n2", "leader"]))[:2]
    return OneMessage(
        source=source,
        target=target,
        type=draw(_TYPES),
        term=draw(_NUMBERS),
        nth=draw(st.integers(1, 1000)),
        lot=lot,
        late_us=draw(_TIMES) if lot in (Lot.LATE, Lot.AGAIN) else 0,
        group=draw(_GROUPS),
        is_from_now=draw(st.booleans()),
    )


@st.composite
def _disk_faults(draw: st.DrawFn) -> DiskFault:
    kind = draw(st.sampled_from(DiskFaultKind))
    counts = kind not in (DiskFaultKind.FULL, DiskFaultKind.LYING_SYNC)
    return DiskFault(
        kind=kind,
        delay_us=draw(_TIMES) if kind is DiskFaultKind.SLOW_SYNC else 0,
        bytes_left=draw(_NUMBERS) if kind is DiskFaultKind.FULL else 0,
        count=draw(_COUNTS) if counts else None,
        group=draw(_GROUPS),
    )


@st.composite
def _damages(draw: st.DrawFn) -> Damage:
    verb = draw(st.sampled_from(["flip", "zero", "truncate", "drop", "latent", "stale"]))
    numbers = st.none() | _NUMBERS
    is_placed = verb not in ("truncate", "drop")
    size = None if verb in ("flip", "drop") else draw(numbers)
    return Damage(
        verb=verb,
        node=draw(_NODES),
        group=draw(_GROUPS),
        file=draw(st.none() | _TEXTS),
        offset=draw(numbers) if is_placed else None,
        bit=draw(st.none() | st.integers(0, 7)) if verb == "flip" else None,
        size=size,
        count=draw(numbers) if verb == "truncate" and size is None else None,
    )


@st.composite
def _directories(draw: st.DrawFn) -> Directories:
    verb = draw(st.sampled_from(["wipe", "keep", "rewind"]))
    names = _TEXTS.filter(bool)
    return Directories(
        verb=verb,
        node=draw(_NODES),
        name=None if verb == "wipe" else draw(st.none() | names),
        group=None if verb == "keep" else draw(_GROUPS),
        part=draw(st.sampled_from([None, "wal", "snap"])) if verb == "rewind" else None,
    )


@st.composite
def _asks(draw: st.DrawFn) -> Ask:
    verb = draw(st.sampled_from(["put", "get", "del", "cas"]))
    reads = st.none() | st.sampled_from([str(each) for each in Read])
    return Ask(
        verb=verb,
        key=draw(_TEXTS),
        value=draw(_TEXTS) if verb in ("put", "cas") else None,
        expected=draw(st.none() | _TEXTS) if verb == "cas" else None,
        via=draw(st.none() | _NODES),
        group=draw(_GROUPS),
        client=draw(st.none() | st.integers(0, 99)),
        read=draw(reads) if verb == "get" else None,
    )


@st.composite
def _members(draw: st.DrawFn) -> MemberVerb:
    verb = draw(st.sampled_from(["add", "promote", "remove"]))
    is_add = verb == "add"
    return MemberVerb(
        verb=verb,
        node=draw(st.none() | _NODES) if is_add else draw(_NODES),
        group=draw(_GROUPS),
        is_learner=draw(st.booleans()) if is_add else False,
    )


_GROUP_VERBS = st.one_of(
    st.builds(GroupVerb, verb=st.just("add"), group=_TEXTS, nodes=_LISTS.filter(bool)),
    st.builds(
        GroupVerb,
        verb=st.just("move"),
        group=_TEXTS,
        source=_NODES,
        target=_NODES,
        steps=st.none() | st.integers(1, 20),
    ),
    st.builds(GroupVerb, verb=st.just("drop"), group=_TEXTS),
)


@st.composite
def _claims(draw: st.DrawFn) -> Claim:
    kind = draw(st.sampled_from(ClaimKind))
    of_node = kind in (
        *(COUNTED - {ClaimKind.ELECTIONS}),
        *(ClaimKind.ROLE, ClaimKind.COMMITTED, ClaimKind.EXIT, ClaimKind.UP, ClaimKind.REFUSED),
        *(ClaimKind.FINDING, ClaimKind.PLAN),
    )
    node = draw(_NODES) if of_node else None
    if kind is ClaimKind.LEADER:
        node = draw(st.none() | _NODES)
    texts: dict[ClaimKind, st.SearchStrategy[str]] = {
        ClaimKind.ROLE: st.sampled_from(ROLES),
        ClaimKind.VALUE: _TEXTS,
        ClaimKind.COMMITTED: _TEXTS,
        ClaimKind.OUTCOME: st.sampled_from(FATES),
        ClaimKind.VERIFY: st.sampled_from(["clean", "harmless"]),
        ClaimKind.DIGESTS: st.just("equal"),
        ClaimKind.EXIT: _TEXTS,
        ClaimKind.REFUSED: _TEXTS,
        ClaimKind.FINDING: st.sampled_from([str(each) for each in Code]),
        ClaimKind.PLAN: st.sampled_from([str(each) for each in PlanClass]),
        ClaimKind.VIOLATION: st.sampled_from(["", "I7", "I1|I16|L5"]),
    }
    relation = draw(st.sampled_from([">=", "<=", "=", "<", ">"])) if kind in COUNTED else ""
    return Claim(
        what=kind,
        node=node,
        group=draw(_GROUPS) if node is not None else None,
        relation="=" if kind is ClaimKind.ROLE else relation,
        number=draw(_NUMBERS) if kind in COUNTED else 0,
        text=draw(texts.get(kind, st.just(""))),
        value=draw(st.none() | _TEXTS) if kind in (ClaimKind.VALUE, ClaimKind.COMMITTED) else None,
        is_not=draw(st.booleans()),
    )


_NETS = st.builds(
    Net,
    verb=st.sampled_from(topology.VERBS),
    rest=st.lists(st.sampled_from(["n1->n2", "all", "50ms±20ms", "5%", "reset"])).map(tuple),
    types=st.lists(_TYPES, unique=True, max_size=3).map(tuple),
)
_RATES = st.integers(1, 10_000)
_CLOCKS = st.one_of(
    st.builds(Clock, node=_NODES),
    st.builds(Clock, node=_NODES, rate_percent=_RATES),
    st.builds(Clock, node=_NODES, jump_us=_TIMES),
)
_LOADS = st.builds(
    Load,
    clients=st.integers(1, 99),
    rate=st.none() | st.integers(1, 9999),
    keys=st.integers(1, 99),
    for_us=_TIMES,
    is_beside=st.booleans(),
)
_RUNS = st.builds(Run, for_us=_TIMES) | st.builds(Run, for_us=st.none() | _TIMES, until=_claims())
_REPAIRS = st.builds(
    Repair,
    node=st.just("n9"),
    sources=_LISTS,
    group=_GROUPS,
    is_forced=st.booleans(),
)
_RAFT_VERBS = st.sampled_from(["campaign", "transfer", "snapshot", "compact"])
DEEDS: dict[type, st.SearchStrategy[Deed]] = {
    MakeCluster: _clusters(),
    Net: _NETS,
    Process: _processes(),
    OneMessage: _messages(),
    Repair: _REPAIRS,
    Twin: st.builds(Twin, node=_NODES, name=st.sampled_from(["n8", "n12"])),
    Converge: st.builds(Converge, nodes=_LISTS),
    DiskOn: st.builds(DiskOn, node=_NODES, fault=_disk_faults()),
    DiskOff: st.builds(DiskOff, node=_NODES, kind=st.none() | st.sampled_from(DiskFaultKind)),
    Damage: _damages(),
    Directories: _directories(),
    Clock: _CLOCKS,
    Ask: _asks(),
    Propose: st.builds(Propose, node=_NODES, key=_TEXTS, value=_TEXTS, group=_GROUPS),
    RaftVerb: st.builds(RaftVerb, verb=_RAFT_VERBS, node=_NODES, group=_GROUPS),
    MemberVerb: _members(),
    GroupVerb: _GROUP_VERBS,
    Load: _LOADS,
    Stabilize: st.just(Stabilize()),
    Run: _RUNS,
    Expect: st.builds(Expect, claim=_claims()),
}


def test_every_kind_of_deed_is_generated_here() -> None:
    assert set(DEEDS) == set(get_args(Deed))
    assert not [kind for kind in DEEDS if "words" in {each.name for each in fields(kind)}]


@pytest.mark.parametrize("kind", DEEDS, ids=lambda kind: kind.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_words_of_a_deed_are_that_deed(kind: type, data: st.DataObject) -> None:
    deed = data.draw(DEEDS[kind])
    assert "\n" not in deed.words
    assert deed_of(words_of(deed.words)) == deed


@settings(max_examples=200, deadline=None)
@given(_claims())
def test_the_words_of_a_claim_are_that_claim(made: Claim) -> None:
    assert claim(words_of(made.words)) == made


def test_what_has_a_meaning_of_its_own_is_quoted_where_it_is_none() -> None:
    assert Ask(verb="put", key="via=n2", value="").words == 'put "via=n2" ""'
    assert Ask(verb="cas", key="k", expected="-", value="v").words == 'cas k "-" v'
    assert Ask(verb="cas", key="k", value="v").words == "cas k - v"
    assert Propose(node="n1", key="a=b", value="c=d").words == 'propose n1 "a=b"="c=d"'
    assert Ask(verb="get", key='say "#1"; go').words == r'get "say \"#1\"; go"'


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(_asks(), _processes(), _LOADS, st.builds(Expect, claim=_claims()))))
def test_a_scenario_that_is_written_reads_as_the_same(deeds: list[Deed]) -> None:
    # Every second one has a moment, and all nodes that are named are there.
    commands = tuple(
        Command(place + 2, deed, place * 1000 if place % 2 else None)
        for place, deed in enumerate(deeds)
    )
    made = Scenario(name="f", cluster=MakeCluster(nodes=9, seed=47), commands=commands)
    assert parse(made.text, name="f") == made

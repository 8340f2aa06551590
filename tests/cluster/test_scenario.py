"""The text of scenarios: what commands mean, and how what makes no sense is refused."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.cluster.claim import Claim, ClaimKind
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
from walctl.cluster.scenario import deed_of, parse
from walctl.cluster.scenario_words import COMMANDS
from walctl.cluster.shipped import SHIPPED, SUFFIX
from walctl.errors import UsageError

CASES: dict[str, Deed] = {
    "put k v": Ask(verb="put", key="k", value="v"),
    "put k=v via=2 group=g2": Ask(verb="put", key="k", value="v", via="n2", group="g2"),
    "get k": Ask(verb="get", key="k"),
    "del k": Ask(verb="del", key="k"),
    "cas k old new": Ask(verb="cas", key="k", value="new", expected="old"),
    "cas k - new": Ask(verb="cas", key="k", value="new"),
    "propose 1 k=a": Propose(node="n1", key="k", value="a"),
    "campaign 2": RaftVerb(verb="campaign", node="n2"),
    "transfer leader group=g1": RaftVerb(verb="transfer", node="leader", group="g1"),
    "stabilize": Stabilize(),
    "put k v client=3": Ask(verb="put", key="k", value="v", client=3),
    "get k read=lease client=0": Ask(verb="get", key="k", read="lease", client=0),
    'put "via=n2" "a b"': Ask(verb="put", key="via=n2", value="a b"),
    'cas k "-" new': Ask(verb="cas", key="k", value="new", expected="-"),
    'propose 1 "a=b"=c': Propose(node="n1", key="a=b", value="c"),
    "kill n1 mode=torn call=3 keep=0,2": Process(
        verb="kill", node="n1", mode=CrashMode.TORN, call=3, keep=(0, 2)
    ),
    "kill n1 keep=none": Process(verb="kill", node="n1", keep=()),
    "message 1->2 MsgApp term=3 nth=2 drop": OneMessage(
        source="n1", target="n2", type="MsgApp", term=3, nth=2, lot=Lot.DROP
    ),
    "message n1->n2 MsgVoteResp term=1 nth=1 late=30ms group=g1": OneMessage(
        source="n1",
        target="n2",
        type="MsgVoteResp",
        term=1,
        nth=1,
        lot=Lot.LATE,
        late_us=30_000,
        group="g1",
    ),
    "message n1->n2 MsgSnap term=2 nth=+1 again=2s": OneMessage(
        source="n1",
        target="n2",
        type="MsgSnap",
        term=2,
        nth=1,
        lot=Lot.AGAIN,
        late_us=2_000_000,
        is_from_now=True,
    ),
    "group move g2 from=n1 to=n4 steps=3": GroupVerb(
        verb="move", group="g2", source="n1", target="n4", steps=3
    ),
    "repair n1": Repair(node="n1"),
    "repair 1 from=2,3 force group=g2": Repair(
        node="n1", sources=("n2", "n3"), group="g2", is_forced=True
    ),
    "repair n1 from=n2,n3 force mode=torn call=7 group=g1": Repair(
        node="n1",
        sources=("n2", "n3"),
        is_forced=True,
        mode=CrashMode.TORN,
        call=7,
        group="g1",
    ),
    "twin n1 as=n9": Twin(node="n1", name="n9"),
    "converge": Converge(),
    "converge n1,n2": Converge(nodes=("n1", "n2")),
    "disk n1 latent group=g1 offset=512 size=4KiB": Damage(
        verb="latent", node="n1", group="g1", offset=512, size=4096
    ),
    "disk n1 stale": Damage(verb="stale", node="n1"),
    "disk n1 misdirect count=1": DiskOn(
        node="n1", fault=DiskFault(kind=DiskFaultKind.MISDIRECTED, count=1)
    ),
    "cut 1->2 1->3 type=MsgApp": Net(verb="cut", rest=("n1->n2", "n1->n3"), types=("MsgApp",)),
    "split 1,2/3,4,5": Net(verb="split", rest=("n1,n2/n3,n4,n5",)),
    "delay all 50ms±20ms": Net(verb="delay", rest=("all", "50ms±20ms")),
    "crash 1 mode=lose-all": Process(verb="kill", node="n1", mode=CrashMode.LOSE_ALL),
    "pause leader": Process(verb="pause", node="leader"),
    "disk n1 slow-fsync 200ms count=3": DiskOn(
        node="n1", fault=DiskFault(kind=DiskFaultKind.SLOW_SYNC, delay_us=200_000, count=3)
    ),
    "disk n1 full 64KiB group=g1": DiskOn(
        node="n1", fault=DiskFault(kind=DiskFaultKind.FULL, bytes_left=65536, group="g1")
    ),
    "disk n1 off": DiskOff(node="n1"),
    "disk n1 eio off": DiskOff(node="n1", kind=DiskFaultKind.WRITE_ERROR),
    "disk 3 flip offset=10 bit=3": Damage(verb="flip", node="n3", offset=10, bit=3),
    "disk 3 truncate 100": Damage(verb="truncate", node="n3", count=100),
    "disk 3 truncate to=100": Damage(verb="truncate", node="n3", size=100),
    "disk 3 zero size=1KiB": Damage(verb="zero", node="n3", size=1024),
    "wipe 3": Directories(verb="wipe", node="n3"),
    "keep 3 monday": Directories(verb="keep", node="n3", name="monday"),
    "rewind 3 to=monday group=g1": Directories(verb="rewind", node="n3", name="monday", group="g1"),
    "clock 1 rate 0.5": Clock(node="n1", rate_percent=50),
    "clock 1 rate 300%": Clock(node="n1", rate_percent=300),
    "clock 1 jump +3s": Clock(node="n1", jump_us=3_000_000),
    "clock 1 off": Clock(node="n1"),
    "member add 4 learner": MemberVerb(verb="add", node="n4", is_learner=True),
    "member add": MemberVerb(verb="add"),
    "member remove 1": MemberVerb(verb="remove", node="n1"),
    "group add g3 on=1,2": GroupVerb(verb="add", group="g3", nodes=("n1", "n2")),
    "group move g2 from=1 to=4": GroupVerb(verb="move", group="g2", source="n1", target="n4"),
    "load clients=3 rate=max for 5s &": Load(
        clients=3, rate=None, for_us=5_000_000, is_beside=True
    ),
    "run for 5s": Run(for_us=5_000_000),
    "run until leader(n2)": Run(until=Claim(what=ClaimKind.LEADER, node="n2")),
    "run until applied(n1)>=10 within 3s": Run(
        until=Claim(what=ClaimKind.APPLIED, node="n1", relation=">=", number=10),
        for_us=3_000_000,
    ),
    "run until commit(n1,g2) > 3": Run(
        until=Claim(what=ClaimKind.COMMIT, node="n1", group="g2", relation=">", number=3)
    ),
    "expect committed(2) has k=a": Expect(
        claim=Claim(what=ClaimKind.COMMITTED, node="n2", text="k", value="a")
    ),
    "expect not violation": Expect(claim=Claim(what=ClaimKind.VIOLATION, is_not=True)),
    "expect value k=v=w": Expect(claim=Claim(what=ClaimKind.VALUE, text="k", value="v=w")),
    "expect value k absent": Expect(claim=Claim(what=ClaimKind.VALUE, text="k")),
    "expect unknown": Expect(claim=Claim(what=ClaimKind.OUTCOME, text="unknown")),
    "expect role(n1)=learner": Expect(
        claim=Claim(what=ClaimKind.ROLE, node="n1", relation="=", text="learner")
    ),
    "expect verify harmless": Expect(claim=Claim(what=ClaimKind.VERIFY, text="harmless")),
    "expect digests equal": Expect(claim=Claim(what=ClaimKind.DIGESTS, text="equal")),
    "expect violation I7|I1": Expect(claim=Claim(what=ClaimKind.VIOLATION, text="I7|I1")),
    "expect elections<=3": Expect(claim=Claim(what=ClaimKind.ELECTIONS, relation="<=", number=3)),
    "expect finding(n1,g2) crc-mismatch": Expect(
        claim=Claim(what=ClaimKind.FINDING, node="n1", group="g2", text="crc-mismatch")
    ),
    "expect plan(n1) loss-proven": Expect(
        claim=Claim(what=ClaimKind.PLAN, node="n1", text="loss-proven")
    ),
    'expect refused(n1) has "crc-mismatch"': Expect(
        claim=Claim(what=ClaimKind.REFUSED, node="n1", text="crc-mismatch")
    ),
    "expect refused(n1)": Expect(claim=Claim(what=ClaimKind.REFUSED, node="n1")),
    'expect exit(n3) has "out of range"': Expect(
        claim=Claim(what=ClaimKind.EXIT, node="n3", text="out of range")
    ),
}


@pytest.mark.parametrize("line", CASES)
def test_a_command_is_the_deed_that_it_says(line: str) -> None:
    (command,) = parse(f"cluster 5 groups=g1,g2\n{line}", name="f").commands
    assert command.deed == CASES[line]
    assert command.line == 2


def test_every_command_is_in_the_table_of_this_test() -> None:
    assert {line.split()[0] for line in CASES} | {
        "cluster", "kill", "resume", "restart", "start", "stop", "snapshot", "compact",
        "isolate", "bridge", "ring", "loss", "dup", "reorder", "slow", "heal",
    } == set(COMMANDS)  # fmt: skip


def test_lines_comments_and_quotes() -> None:
    text = '# what it is\n# about\n\ncluster 3 # here\nput k "a b;#\\"" ; get "k k";;\n  ;stop 1'
    scenario = parse(text, name="f")
    assert scenario.story.text == "what it is about"
    assert [each.line for each in scenario.commands] == [5, 5, 6]
    first, second, _ = (each.deed for each in scenario.commands)
    assert (first, second) == (
        Ask(verb="put", key="k", value='a b;#"'),
        Ask(verb="get", key="k k"),
    )


BAD = {
    "": "f:1: expected cluster N first, found nothing",
    "put k v": "f:1: expected cluster N first, found 'put k v'",
    "cluster 3; cluster 3": "f:1: expected one cluster, found another",
    f"get {'x' * 5000}": f"f:1: expected cluster N first, found 'get {'x' * 56}'…",
    "cluster 0": "f:1: expected 1 to 99 nodes, found 0",
    "cluster 3\nfoo": "f:2: expected a command (cluster, put",
    'cluster 3\n\nput "k': "f:3: expected a second quote, found 'put \"k'",
    "cluster 3\ncut n9 n1": "f:2: no node 'n9' in this cluster; there are n1, n2, n3",
    "cluster 3\nkill n4": "f:2: expected a node (n1, n2, n3), found 'n4'",
    "cluster 3\nput k v via": "f:2: expected put K V, found 'k v via' behind put",
    "cluster 3\nexpect nonsense(3)": "f:2: expected a claim (leader(n1)",
    "cluster 3\nexpect applied(n1)": "f:2: expected applied(n1)>=10 or the like, found ''",
    "cluster 3\nexpect applied": "f:2: expected a node, as in applied(n1), found 'applied'",
    "cluster 3\nexpect leader(n4)": "f:2: expected a node (n1, n2, n3), found 'n4'",
    "cluster 3\ndisk n1 melt": "f:2: expected what to do to a disk (flip",
    "cluster 3\ndisk n1 eio count=0": "f:2: expected count=N from 1 on, found 0",
    "cluster 3\nclock n1 jump -3s": "f:2: expected clock NODE rate 50% | jump +3s | off",
    "cluster 3\nclock n1 rate 0%": "f:2: expected a rate of 1% to 10000%, found '0%'",
    "cluster 3\npause n1 mode=torn": "f:2: pause: expected no mode=; kill takes one",
    "cluster 3\nkill n1 mode=odd": "f:2: expected a mode (clean",
    "cluster 3\nrun until": "f:2: expected run for 5s or run until CLAIM",
    "cluster 3\ngroup move g1 to=n2": "f:2: group move: expected from= to=, found to=",
    "cluster 3 engine=mysql": "f:1: expected an engine (walctl, etcd, sim), found 'mysql'",
    "cluster 3\ndelay n1->n2 fast": "f:2: 'fast' is no duration",
    "cluster 3\ncut n1->n2 type=App": "f:2: expected a type of message (MsgHup, MsgBeat,",
    "at 1s cluster 3": "f:1: expected cluster without at",
    "cluster 3\nat 2s heal; at 1500ms heal": "f:2: expected a moment from 2s on, found at 1500ms",
    "cluster 3\nat 2s": "f:2: expected at 1.2s COMMAND, found 'at 2s'",
    "cluster 3\nat soon heal": "f:2: 'soon' is no duration",
    "cluster 3\nat 1s at 2s heal": "f:2: expected a command (cluster, put",
    "cluster 3 seed=0xg": "f:1: expected a seed of 0 to 0xffffffffffffffff, found '0xg'",
    "cluster 3 seed=-1": "f:1: expected a seed of 0 to 0xffffffffffffffff, found '-1'",
    "cluster 3 seed=0x10000000000000000": "f:1: expected a seed of 0 to 0xffffffffffffffff, found",
    "cluster 3 budget=none": "f:1: expected on or off (on, off), found 'none'",
    "cluster 3 net=1ms±2ms": "f:1: '1ms±2ms': a message cannot arrive before it is sent",
    "cluster 3 sync=fast": "f:1: 'fast' is no duration",
    "cluster 3 segment=1KiB": "f:1: expected segment= from 4096 bytes on, found 1024",
    "cluster 3 catch-up=few": "f:1: expected catch-up=N, found 'few'",
    "cluster 3\nmessage n1->n2 MsgApp term=3 nth=2": "f:2: expected message n1->n2 MsgApp term=3",
    "cluster 3\nmessage n1->n2 MsgApp term=3 nth=2 drop late=1s": "f:2: expected message n1->n2",
    "cluster 3\nmessage n1->n2 MsgApp nth=2 drop": "f:2: expected message n1->n2 MsgApp term=3",
    "cluster 3\nmessage n1->n2 App term=3 nth=2 drop": "f:2: expected a type of message (MsgHup,",
    "cluster 3\nmessage n1->n1 MsgApp term=3 nth=2 drop": "f:2: expected a link between two nodes",
    "cluster 3\nmessage n1->n4 MsgApp term=3 nth=2 drop": "f:2: expected a node (n1, n2, n3)",
    "cluster 3\nmessage n1->n2 MsgApp term=3 nth=0 drop": "f:2: expected nth=N from 1 on, found 0",
    "cluster 3\nmessage n1->n2 MsgApp term=3 nth=1 lose": (
        "f:2: expected drop, dup, late= or again= (drop,"
    ),
    "cluster 3\npause n1 call=3": "f:2: pause: expected no call=; kill takes one",
    "cluster 3\nkill n1 call=0": "f:2: expected call=N from 1 on, found 0",
    "cluster 3\nkill n1 keep=2,1": "f:2: expected keep=0,1,2 that rise, or keep=none, found '2,1'",
    "cluster 3\nkill n1 keep=all": "f:2: expected keep=0,1,2 that rise, or keep=none, found 'all'",
    "cluster 3\nrepair": "f:2: expected repair NODE [from=n2,n3] [force], found 'nothing'",
    "cluster 3\nrepair n1 hard": "f:2: expected repair NODE [from=n2,n3] [force], found",
    "cluster 3\nrepair n1 from=n1": "f:2: repair: expected other nodes than n1 in from=",
    "cluster 3\nrepair n1 from=n4": "f:2: expected a node (n1, n2, n3), found 'n4'",
    "cluster 3\ntwin n1": "f:2: expected twin NODE as=n9, found no as=",
    "cluster 3\ntwin n1 as=n2": "f:2: expected a name that no node has, found 'n2'",
    "cluster 3\nconverge n1,n4": "f:2: expected a node (n1, n2, n3), found 'n4'",
    "cluster 3\nconverge n1 n2": "f:2: converge: expected nothing more, found 'n2'",
    "cluster 3\nput k v client=me": "f:2: expected client=N, found 'me'",
    "cluster 3\nput k v read=local": "f:2: expected put K V, found 'k v read=local' behind put",
    "cluster 3\nget k read=old": "f:2: expected how to read (index, lease, local), found 'old'",
    "cluster 3\nwipe n1 to=monday": "f:2: wipe: expected nothing more, found 'to=monday'",
    "cluster 3\ndisk n1 stale bit=1": "f:2: disk stale: expected nothing more, found 'bit=1'",
    "cluster 3\ndisk n1 misdirect 3": "f:2: disk misdirect: expected nothing more, found '3'",
    "cluster 3\nexpect violation I17": "f:2: expected invariants (I1 to I16, L1 to L5; I7|I1)",
    "cluster 3\nexpect violation I1|": "f:2: expected invariants (I1 to I16, L1 to L5; I7|I1)",
    "cluster 3\nexpect elections(n1)<=3": "f:2: expected elections with no parentheses",
    "cluster 3\nexpect elections": "f:2: expected elections>=10 or the like, found ''",
    "cluster 3\nexpect finding(n1)": "f:2: expected a code of verify, as crc-mismatch, found ''",
    "cluster 3\nexpect plan(n1) cheap": "f:2: expected what it costs (nothing, free, loss-possible",
    "cluster 3\nexpect refused(n1) with": "f:2: expected refused(n3) has \"WORDS\", found 'with'",
    "cluster 3\nrun until up(n7)": "f:2: expected a node (n1, n2, n3), found 'n7'",
}


@pytest.mark.parametrize("text", BAD)
def test_what_makes_no_sense_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, name="f")
    assert caught.value.message.startswith(BAD[text])
    assert "\n" not in caught.value.message


_WORDS = ["n1", "1->2", "k=v", "5s", "3", "until", "for", "&", "#", ";", "not", "->", "leader(n1)"]
_PIECES = st.sampled_from([*COMMANDS, *_WORDS, "\n", '"'])


@given(st.lists(_PIECES | st.text(max_size=4), max_size=25))
def test_any_text_is_a_scenario_or_refused_with_a_line(pieces: list[str]) -> None:
    text = "cluster 3\n" + " ".join(pieces)
    try:
        scenario = parse(text, name="f")
    except UsageError as error:
        refusal = error.message
    else:
        lines = range(2, text.count("\n") + 2)
        assert all(each.line in lines for each in scenario.commands)
        return
    assert re.match(r"f:\d+: ", refusal)


@pytest.mark.parametrize("line", CASES)
def test_a_deed_in_words_is_the_same_deed_again(line: str) -> None:
    assert deed_of(words_of(CASES[line].words)) == CASES[line]


def test_what_a_cluster_is_told_for_the_simulator() -> None:
    line = (
        "cluster 3 engine=sim seed=0x2f budget=off net=1ms±500us sync=500us±200us segment=16KiB"
        " catch-up=5"
    )
    made = parse(line, name="f").cluster
    assert made == MakeCluster(
        nodes=3,
        engine="sim",
        seed=47,
        is_unbounded=True,
        link=LinkFault(delay_us=1000, jitter_us=500),
        sync_us=500,
        sync_jitter_us=200,
        segment_bytes=16384,
        catch_up_entries=5,
    )
    assert made.words == line
    assert not parse("cluster 3 budget=on", name="f").cluster.is_unbounded
    assert parse("cluster 3 seed=47", name="f").cluster.seed == 47


def test_a_command_with_a_moment_is_done_at_it() -> None:
    scenario = parse("cluster 3\nat 1.2s kill n1; put k v; at 1200ms start n1\n", name="f")
    assert [each.at_us for each in scenario.commands] == [1_200_000, None, 1_200_000]
    assert [each.words for each in scenario.commands] == [
        "at 1200ms kill n1",
        "put k v",
        "at 1200ms start n1",
    ]


def test_a_twin_is_a_node_from_then_on() -> None:
    text = "cluster 3\ntwin n1 as=n9\nkill n9; cut n9->n2; member add; stop n5"
    assert len(parse(text, name="f").commands) == 5
    with pytest.raises(UsageError, match=r"^f:2: expected a node"):
        parse("cluster 3\nkill n9; twin n1 as=n9", name="f")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob(f"*{SUFFIX}")), ids=lambda path: path.stem)
def test_every_scenario_that_is_shipped_reads_and_says_what_it_is(path: Path) -> None:
    scenario = parse(path.read_text(), name=path.name)
    story = scenario.story
    assert all((story.text, story.source, story.tags, story.right))
    assert any(isinstance(each.deed, Expect) for each in scenario.commands)

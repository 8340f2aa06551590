"""Scripts run: those of the reference implementation, our own, and what stops one."""

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.raft_scripts import NAMES, OWN, SHARED, needs_shared, shared
from walctl.cluster import script_cluster
from walctl.cluster.script import Stop, run
from walctl.raft.core import Draw

TWO_NODES = "add-nodes 2 voters=(1,2) index=10\n----\nok\n\n"


def ends(text: str) -> Stop | None:
    """How a script ends that begins with two nodes; its first directive is in line 5."""
    return run(TWO_NODES + text).stop


# Whole scripts.


@needs_shared
@pytest.mark.parametrize("name", NAMES)
def test_a_shared_script_prints_what_the_reference_prints(name: str) -> None:
    outcome = run(shared(name))
    assert outcome.stop is None
    assert [each.source for each in outcome.differing] == []
    # An eye that is not ours.
    good, total, message = comparator()(shared(name), outcome.text)
    assert (good, message) == (total, "")
    assert outcome.count == total


def comparator() -> Callable[[str, str], tuple[int, int, str]]:
    """`compare` of the shared scripts' own `compare.py`."""
    assert SHARED is not None
    spec = importlib.util.spec_from_file_location("compare", SHARED / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compare: Callable[[str, str], tuple[int, int, str]] = module.compare
    return compare


@needs_shared
def test_all_shared_scripts_are_listed() -> None:
    assert SHARED is not None
    assert sorted(str(path.relative_to(SHARED)) for path in SHARED.glob("*/*.txt")) == list(NAMES)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_our_own_script_prints_what_it_did_when_it_was_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    outcome = run(text)
    assert outcome.stop is None
    assert [(each.line, each.name) for each in outcome.differing] == []
    assert outcome.text == text


DRAWS: dict[str, Draw] = {
    "highest": lambda count: count - 1,
    "random": random.Random(7).randrange,
}
SAYS_WHAT_IT_DRAWS = {"timeouts"}


@needs_shared
@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("interaction")])
def test_no_shared_script_depends_on_a_draw(name: str, draw: str) -> None:
    assert run(shared(name), draw=DRAWS[draw]).differing == ()


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(
    "path",
    [path for path in OWN if path.stem not in SAYS_WHAT_IT_DRAWS],
    ids=lambda path: path.stem,
)
def test_no_script_of_ours_depends_on_a_draw_unless_it_says_so(path: Path, draw: str) -> None:
    assert run(path.read_text(encoding="utf-8"), draw=DRAWS[draw]).differing == ()


def test_an_output_that_differs_is_told_and_printed() -> None:
    outcome = run("vote\n----\nVoteLost\n\nvote\n----\nVoteWon\n\nvote cfg=(1) votes=(n)\n")
    assert [each.line for each in outcome.differing] == [1, 9]
    assert outcome.count == 3
    assert "VoteLost" not in outcome.text.partition("votes=(n)")[0]


def test_the_kind_is_that_of_the_first_directive() -> None:
    assert run("vote\n----\nVoteWon\n\ncampaign 1\n").stop == Stop(
        line=5, reason="campaign is no directive of a quorum script"
    )
    assert "unknown command" in run("simple\nv1\n----\n\nvote\n----\n").text
    assert run("fly\n----\n\nvote\n----\n").text.count("unknown command") == 2


def test_every_script_begins_anew() -> None:
    text = TWO_NODES + "raft-state\n----\n"
    assert run(text) == run(text)


def test_a_script_without_a_directive_is_one() -> None:
    assert run("# nothing\n").text == "# nothing\n"
    assert run("").count == 0


# What stops a run.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("campaign", "campaign takes an argument"),
        ("campaign x", "expected a number, found 'x'"),
        ("campaign -1", "expected a number, found '-1'"),
        ("campaign ²", "expected a number, found '²'"),
        ("campaign 18446744073709551616", "expected a number, found '18446744073709551616'"),
        ("campaign 18446744073709551615", "there is no node 18446744073709551615"),
        ("campaign 0", "there is no node 0"),
        ("forget-leader 3", "there is no node 3"),
        ("tick-election 3", "there is no node 3"),
        ("tick-heartbeat 3", "there is no node 3"),
        ("raft-log 3", "there is no node 3"),
        ("status 3", "there is no node 3"),
        ("process-ready 1 3", "there is no node 3"),
        ("process-append-thread 3", "there is no node 3"),
        ("process-apply-thread 3", "there is no node 3"),
        ("stabilize 3", "there is no node 3"),
        ("stabilize one", "expected a number, found 'one'"),
        ("report-unreachable 1 3", "there is no node 3"),
        ("send-snapshot 3 1", "there is no node 3"),
        ("send-snapshot 1", "send-snapshot takes two nodes: from whom, to whom"),
        ("compact 1", "compact takes a node and an index"),
        ("compact 1 all", "expected a number, found 'all'"),
        ("propose 1", "propose takes a node and one word of data"),
        ("propose 1 a b", "propose takes a node and one word of data"),
        ("propose 1 a=b", "propose takes a node and one word of data"),
        ("propose-conf-change 1 v1=maybe\nv3", "expected true or false, found 'maybe'"),
        ("propose-conf-change 1 v1=true", "a v1 change has exactly one operation"),
        ("transfer-leadership from=1", "transfer-leadership takes to=N"),
        ("transfer-leadership from=1 to=(1,2)", "transfer-leadership takes to=N"),
        ("transfer-leadership from=1 to=3", "there is no node 3"),
        ("transfer-leadership from=3 to=1", "there is no node 3"),
        ("set-randomized-election-timeout 1", "set-randomized-election-timeout takes timeout=N"),
        ("set-randomized-election-timeout 1 timeout=0", "a timeout is at least one tick"),
        ("deliver-msgs 1 drop=(2,1)", "messages to 1 are delivered and dropped"),
        ("deliver-msgs 1 type=MsgVoting", "there is no message type 'MsgVoting'"),
        ("deliver-msgs x", "expected a number, found 'x'"),
        ("add-nodes", "add-nodes takes an argument"),
        ("add-nodes some", "expected a number, found 'some'"),
        ("add-nodes 1 voters=()", "expected a number, found ''"),
        ("add-nodes 1 prevote=yes", "expected true or false, found 'yes'"),
        ("add-nodes 999", "a cluster has at most 1000 nodes"),
        ("log-level", "log-level takes an argument"),
    ],
)
def test_a_directive_that_makes_no_sense_stops_the_run_there(text: str, reason: str) -> None:
    assert ends(f"{text}\n----\nok\n\nraft-state\n") == Stop(line=5, reason=reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("committed cfg=(1) idx=(0)", "an index of 0 is written as _"),
        ("committed cfg=(x) idx=(_)", "expected a number, found 'x'"),
        ("committed cfg=(1,_) idx=(1)", "expected a number, found '_'"),
        ("vote cfg=(1) votes=(yes)", "expected y, n or _, found 'yes'"),
        ("vote voters=(1)", "there is no argument 'voters' here"),
        ("enter-joint autoleave=soon", "expected true or false, found 'soon'"),
    ],
)
def test_so_does_one_of_the_other_kinds(text: str, reason: str) -> None:
    assert run(text).stop == Stop(line=1, reason=reason)


def test_a_message_for_a_node_that_is_not_there_cannot_be_delivered() -> None:
    assert ends("deliver-msgs 9\n") is None
    text = (
        "add-nodes 1 voters=(1,2) index=10\n\n----\n\ncampaign 1\n----\n\nprocess-ready 1\n----\n\n"
    )
    assert run(text + "deliver-msgs 2\n").stop == Stop(line=11, reason="there is no node 2")
    assert run(text + "deliver-msgs drop=(2)\n").stop is None


def test_what_was_printed_before_a_stop_is_there() -> None:
    outcome = run("vote\n----\nold\n\n# here\nvote cfg=x\n----\nold\n\nvote\n")
    assert outcome.text == "vote\n----\nVoteWon\n\n# here\nvote cfg=x\n"
    assert outcome.stop is not None
    assert [each.line for each in outcome.differing] == [1]


def test_bad_syntax_runs_nothing() -> None:
    outcome = run("vote\n----\nold\n\nvote cfg=(\n")
    assert (outcome.text, outcome.differing) == ("", ())
    assert outcome.stop == Stop(line=5, reason="a list has no closing parenthesis")


def test_a_cluster_that_never_comes_to_rest_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(script_cluster, "ROUNDS_MAX", 2)
    stop = ends("campaign 1\n----\nok\n\nstabilize\n")
    assert stop == Stop(line=9, reason="the nodes do not come to rest in 2 rounds")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("add-nodes 1 inflight=0", "max inflight messages must be greater than 0"),
        (
            "add-nodes 1 read-only=lease-based",
            "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased",
        ),
        ("compact 1 11", "compact 11 is out of bound lastindex(10)"),
    ],
)
def test_a_panic_of_the_core_stops_the_run_there(text: str, reason: str) -> None:
    assert ends(f"{text}\n----\nok\n") == Stop(line=5, reason=reason, is_panic=True)


def test_a_node_that_could_not_write_panics_at_its_next_ready() -> None:
    path = next(each for each in OWN if each.stem == "snapshot_with_entries")
    text = path.read_text(encoding="utf-8")
    stop = run(text + "\nprocess-ready 2\n").stop
    assert stop is not None
    assert stop.is_panic
    assert stop.reason == "two accepted Ready structs without call to Advance"


def test_what_is_not_applied_yet_and_compacted_is_a_panic() -> None:
    text = (
        "add-nodes 1 voters=(1) index=10 async-storage-writes=true\n----\n\n"
        "campaign 1\n----\n\nprocess-ready 1\n----\n\nprocess-append-thread 1\n----\n\n"
        "deliver-msgs 1\n----\n\nprocess-ready 1\n----\n\nprocess-append-thread 1\n----\n\n"
        "deliver-msgs 1\n----\n\ncompact 1 11\n----\n\n"
    )
    assert run(text).stop is None
    stop = run(text + "process-ready 1\n").stop
    assert stop is not None
    assert stop.is_panic
    assert stop.reason == "entries[11:12) are not applied and compacted"


# Any script.

NODE = st.sampled_from(["1", "2", "3"])
OTHER = st.sampled_from(["1", "2", "3", "4"])
CHANGES = st.sampled_from(["", "v1", "v4", "l2", "r2", "r3", "v2 l3", "r1 v4", "l3 l2 v4", "u1"])
WAY = st.sampled_from(["", " v1=true", " transition=explicit", " transition=implicit"])
DIRECTIVE = st.one_of(
    st.builds("campaign {}".format, NODE),
    st.builds("propose {} x".format, NODE),
    st.builds("propose-conf-change {}{}\n{}".format, NODE, WAY, CHANGES),
    st.builds("process-ready {} {}".format, NODE, NODE),
    st.builds("process-append-thread {}".format, NODE),
    st.builds("process-apply-thread {}".format, NODE),
    st.builds("deliver-msgs {} drop=({})".format, NODE, OTHER),
    st.builds("deliver-msgs {} {}".format, NODE, NODE),
    st.builds("stabilize {}".format, st.sampled_from(["", "1 2", "2 3", "3", "log-level=none"])),
    st.builds("tick-election {}".format, NODE),
    st.builds("tick-heartbeat {}".format, NODE),
    st.builds("transfer-leadership from={} to={}".format, NODE, NODE),
    st.builds("forget-leader {}".format, NODE),
    st.builds("report-unreachable {} {}".format, NODE, NODE),
    st.builds("send-snapshot {} {}".format, NODE, OTHER),
    st.builds("compact {} 11".format, NODE),
    st.builds("status {}".format, NODE),
    st.just("raft-state"),
)
OPTIONS = st.lists(
    st.sampled_from(
        [
            "async-storage-writes=true",
            "prevote=true",
            "checkquorum=true",
            "inflight=1",
            "max-committed-size-per-ready=1",
            "step-down-on-removal=true",
        ]
    ),
    unique=True,
)


@given(OPTIONS, st.lists(DIRECTIVE, max_size=15))
def test_any_script_prints_what_it_prints_when_it_is_run_again(
    options: list[str], directives: list[str]
) -> None:
    first = " ".join(["add-nodes 3 voters=(1,2,3) index=10", *options])
    outcome = run("".join(f"{each}\n----\n\n" for each in [first, "campaign 1", *directives]))
    if outcome.stop is None:
        again = run(outcome.text)
        assert (again.differing, again.text) == ((), outcome.text)

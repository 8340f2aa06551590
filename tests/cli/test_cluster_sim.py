"""`walctl cluster sim`, `replay` and `scenarios`, and `run` with engine sim, as they are typed."""

import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.commands import WALCTL, Tell, environment
from walctl.sim import campaign, trials
from walctl.sim.run import Report
from walctl.sim.safeguards import SAFEGUARDS

SHORT = ("--time", "900ms", "--rate", "100")
BROKEN = ("--swarm", "--time", "10s", "--without", "one-vote-a-term")
"""Options by which a promise is broken, with the right seed."""


@pytest.fixture(scope="module")
def bad_seed() -> int:
    """A seed of which a promise is broken with these options."""
    from dataclasses import replace

    from walctl.sim.planning import SimWish
    from walctl.sim.run import run_seed

    wish = SimWish(seed=0, time_us=10_000_000, is_swarm=True)
    for seed in range(1, 60):
        if run_seed(replace(wish, seed=seed), ["one-vote-a-term"]).violation is not None:
            return seed
    raise AssertionError("two votes of one member in a term are not seen")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_seed_in_which_nothing_is_broken_is_one_line(tell: Tell) -> None:
    told = tell("cluster", "sim", "--seed", "0x3", *SHORT)
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith("seed 0x3: ")
    assert told.out.endswith(": nothing was broken\n")
    assert told.out.count("\n") == 1
    assert tell("cluster", "sim", "--seed", "3", *SHORT) == told
    assert os.listdir() == []


def test_without_a_seed_one_is_drawn_and_told(tell: Tell) -> None:
    first, second = (tell("cluster", "sim", *SHORT).out.split(":")[0] for _ in range(2))
    assert first.startswith("seed 0x")
    assert first != second


def test_a_run_in_which_too_little_was_done_ends_with_4(tell: Tell) -> None:
    told = tell("cluster", "sim", "--seed", "3", "--time", "100ms")
    assert told.status == 4
    assert "nothing was tested: 1 of 1 operations succeeded" in told.out


def test_a_broken_promise_is_told_with_its_witnesses_its_trace_and_the_way_back(
    tell: Tell, bad_seed: int
) -> None:
    told = tell("cluster", "sim", "--seed", hex(bad_seed), *BROKEN)
    assert told.status == 1
    head, *rest = told.out.splitlines()
    assert head.startswith(f"seed {bad_seed:#x}: I7 one vote a term: ")
    assert " s, event " in head
    trace = f".walctl/fail-{bad_seed:x}.jsonl"
    assert rest[-3] == f"  trace  {trace}"
    assert rest[-1] == f"  small  walctl cluster shrink {trace}"
    again = rest[-2].removeprefix("  again  ")
    assert tell(*shlex.split(again)[1:]) == told
    event = int(head.rpartition("event ")[2].rstrip(")"))
    lines = Path(trace).read_text().splitlines()
    assert json.loads(lines[event + 1])["k"] == "violation"


def test_a_broken_run_can_be_played_again_from_its_trace_alone(tell: Tell, bad_seed: int) -> None:
    tell("cluster", "sim", "--seed", hex(bad_seed), *BROKEN, "--output-dir", "x")
    trace = f"x/fail-{bad_seed:x}.jsonl"
    told = tell("cluster", "replay", trace, "--trace", "again.jsonl")
    assert told.status == 1
    assert "every event is the same" in told.out
    assert "without one-vote-a-term\n" in told.out
    assert "I7 one vote a term" in told.out
    assert Path("again.jsonl").read_bytes() == Path(trace).read_bytes()


def test_seeds_are_summed_up_and_their_order_is_kept(tell: Tell) -> None:
    told = tell("cluster", "sim", "--seeds", "3", "--first", "7", *SHORT, "-j", "2", "-o", "ndjson")
    assert told.status == 0
    *runs, summary = map(json.loads, told.out.splitlines())
    assert [each["seed"] for each in runs] == ["0x7", "0x8", "0x9"]
    assert {each["verdict"] for each in runs} == {"holds"}
    assert (summary["kind"], summary["seeds"], summary["done"]) == ("summary", 3, 3)
    assert summary["messages"] == sum(each["messages"] for each in runs)
    text = tell("cluster", "sim", "--seeds", "3", "--first", "7", *SHORT, "-j", "1")
    assert text.status == 0
    assert text.out.splitlines()[-1] == "nothing was broken"
    assert text.out.startswith("3 seeds: ")


def test_a_digest_is_a_line_a_seed_and_always_the_same(tell: Tell) -> None:
    words = ("cluster", "sim", "--seeds", "2", "--first", "5", *SHORT, "--digest")
    told = tell(*words, "-j", "1")
    assert told.status == 0
    names = [line.split(" ")[0] for line in told.out.splitlines()]
    assert names == ["0x5", "0x6"]
    assert all(len(line.split(" ")[1]) == 64 for line in told.out.splitlines())
    assert tell(*words, "-j", "2") == told
    assert (
        tell("cluster", "sim", "--seed", "5", *SHORT, "--digest").out
        == (told.out.splitlines(keepends=True)[0])
    )


@pytest.mark.slow
def test_digests_do_not_follow_the_hashes_of_strings() -> None:
    words = ["cluster", "sim", "--seeds", "3", "--time", "5s", "--swarm", "--digest"]
    found = {
        subprocess.run(
            [*WALCTL, *words],
            env=environment(PYTHONHASHSEED=seed),
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(found) == 1


def test_determinism_is_checked_by_a_second_run(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("cluster", "sim", "--seed", "3", *SHORT, "--check-determinism")
    told = tell(*words)
    assert told.status == 0
    assert "twice the same: " in told.out
    from walctl.sim.clients import Clients

    ways = iter(range(10**9))
    monkeypatch.setattr(Clients, "_way_us", lambda self, request: 200 + next(ways) % 7)
    told = tell(*words)
    assert told.status == 1
    assert "seed 0x3: two runs differ\n.walctl/first-3.jsonl:" in told.out
    assert "the first event that differs\n  before {" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "x"], "expected a seed of 0 to 0xffffffffffffffff, found 'x'"),
        (["--seed", "1", "--seeds", "2"], "give one of them"),
        (["--first", "1"], "--first is the first of --seeds"),
        (["--without", "luck"], "expected a safeguard (one-vote-a-term, "),
        (["--faults", "rain"], "expected faults (kill, "),
        (["--time", "61m"], "expected at most an hour"),
        (["--rate", "99999"], "expected at most 8,000 requests in a run"),
        (["--digest", "--check-determinism"], "are two things"),
        (["--seeds", "2", "--trace", "x"], "--trace is of one run"),
        (["--crash-states", "x", "--seed", "1"], "plays its TRACE: leave --seed out"),
        (["--jobs", "1", "--crash-states", "x"], "plays its TRACE: leave --jobs out"),
    ],
)
def test_what_makes_no_sense_is_refused(tell: Tell, words: list[str], said: str) -> None:
    told = tell("cluster", "sim", *words)
    assert (told.status, told.out) == (2, "")
    assert said in told.err


def test_the_protections_are_listed(tell: Tell) -> None:
    told = tell("cluster", "sim", "--without", "list")
    assert told.status == 0
    assert [line.split()[0] for line in told.out.splitlines()] == [each.name for each in SAFEGUARDS]
    assert tell("cluster", "run", "nothing", "--without", "list") == told


def test_a_trace_that_cannot_be_written_does_not_hide_what_was_broken(
    tell: Tell, bad_seed: int
) -> None:
    Path(".walctl").write_text("in the way")
    told = tell("cluster", "sim", "--seed", hex(bad_seed), *BROKEN)
    assert told.status == 1
    assert "I7 one vote a term" in told.out
    assert "  trace  not written: " in told.out


def test_traces_are_written_of_the_first_broken_seeds_alone(
    tell: Tell, bad_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("walctl.cli.cluster_sim.TRACES_MAX", 0)
    told = tell("cluster", "sim", "--seed", hex(bad_seed), *BROKEN)
    assert told.status == 1
    assert "trace" not in told.out
    assert "  again  walctl cluster sim --seed" in told.out
    assert os.listdir() == []


def test_a_process_that_dies_is_told_and_the_others_go_on(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(wish: object, without: object, is_recorded: bool, seed: int) -> Report:
        if seed == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return Report(name="x", seed=seed)

    monkeypatch.setattr(campaign, "_run", dies)
    told = tell("cluster", "sim", "--seeds", "3", "-j", "2")
    assert told.status == 4
    assert "seed 0x2: the process that played it ended by itself (killed by signal 9)" in told.out
    assert told.out.startswith("seed 0x2")
    assert "3 seeds: " in told.out


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_many_seeds_with_130_and_says_how_far_it_came(jobs: str) -> None:
    words = ["cluster", "sim", "--seeds", "100000", *SHORT, "-j", jobs, "-o", "ndjson"]
    with subprocess.Popen(
        [*WALCTL, *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to all of them
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "walctl: interrupted after " in err
    assert " of 100,000 seeds" in err
    assert "Traceback" not in err
    summary = json.loads(out.splitlines()[-1])
    assert 1 <= summary["done"] < 100_000
    time.sleep(0.2)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_all_states_of_a_disk_are_looked_at_where_a_node_dies(tell: Tell) -> None:
    faults = ("--faults", "power,kill", "--time", "4s", "--rate", "100")
    assert tell("cluster", "sim", "--seed", "3", *faults, "--trace", "p.jsonl").status == 0
    told = tell("cluster", "sim", "--crash-states", "p.jsonl")
    assert told.status == 0
    assert told.out.splitlines()[-1].endswith(": nothing durable is lost in any")
    document = json.loads(tell("cluster", "sim", "--crash-states", "p.jsonl", "-o", "json").out)
    assert all(each["states"] >= 1 for each in document["crashes"])
    assert not any(each["bad"] for each in document["crashes"])


def test_a_run_without_a_death_has_no_states_to_look_at(tell: Tell) -> None:
    tell("cluster", "sim", "--seed", "3", *SHORT, "--faults", "delay", "--trace", "p.jsonl")
    told = tell("cluster", "sim", "--crash-states", "p.jsonl")
    assert told.status == 4
    assert told.err == "walctl: p.jsonl: no node dies in this run\n"


# replay


def test_a_file_that_is_no_trace_is_refused_with_its_line(tell: Tell) -> None:
    Path("x").write_text("nonsense\n")
    told = tell("cluster", "replay", "x")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("walctl: x:1: expected ")
    assert tell("cluster", "replay", "y").status == 4


def test_an_event_that_differs_is_named_with_both_lines(tell: Tell) -> None:
    tell("cluster", "sim", "--seed", "3", *SHORT, "--trace", "t")
    path = Path("t")
    path.write_text(path.read_text().replace('"to":"leader"', '"to":"follower"', 1))
    told = tell("cluster", "replay", "t")
    assert told.status == 1
    assert ": the first event that differs\n" in told.out
    document = json.loads(tell("cluster", "replay", "t", "-o", "json").out)
    assert document["same"] is False
    assert document["difference"]["before"] != document["difference"]["now"]


# run


GOOD = "cluster 3 engine=sim tick=20ms\nstabilize\nput a b\nexpect ok\nexpect value a=b\n"


def test_a_scenario_for_the_simulator_is_played_there_and_told_as_for_processes(
    tell: Tell,
) -> None:
    Path("a.scn").write_text(GOOD)
    told = tell("cluster", "run", "a.scn")
    assert (told.status, told.err) == (0, "")
    assert told.out.splitlines()[-1] == "a.scn: all 2 expectations hold"
    assert " ok    expect value a=b  a is b'b'" in told.out
    document = json.loads(tell("cluster", "run", "a.scn", "-o", "json").out)
    assert (document["engine"], document["verdict"]) == ("sim", "holds")


def test_any_scenario_can_be_played_in_the_simulator_and_leaves_a_trace_if_told(
    tell: Tell,
) -> None:
    Path("a.scn").write_text(GOOD.replace(" engine=sim", "").replace("a=b", "a=c"))
    told = tell("cluster", "run", "a.scn", "--engine", "sim", "--trace", "t")
    assert told.status == 1
    assert told.out.splitlines()[-2:] == [
        "a.scn:5: does not hold: expect value a=c: a is b'b'",
        "trace: t",
    ]
    assert "every event is the same" in tell("cluster", "replay", "t").out


def test_a_broken_promise_of_a_scenario_is_told_unless_it_is_expected(
    tell: Tell, bad_seed: int
) -> None:
    tell("cluster", "sim", "--seed", hex(bad_seed), *BROKEN, "--output-dir", "x")
    with open(f"x/fail-{bad_seed:x}.jsonl") as trace:
        text = json.loads(trace.readline())["options"]["text"]
    status = {}
    for end in ("", "expect violation I7\n", "expect violation I1\n", "expect not violation\n"):
        Path("a.scn").write_text(text + end)
        told = tell("cluster", "run", "a.scn", "--without", "one-vote-a-term")
        status[end.strip()] = told.status
        assert ("a.scn: I7 one vote a term: " in told.out) == (told.status == 1)
    assert status == {
        "": 1,
        "expect violation I7": 0,
        "expect violation I1": 1,
        "expect not violation": 1,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--without", "quorum-check"], "a protection can be taken away in the simulator alone"),
        (["--trace", "x"], "--trace is for engine sim"),
        (["--engine", "sim", "--keep"], "are for real processes"),
    ],
)
def test_what_one_engine_alone_can_do_is_refused_by_the_other(
    tell: Tell, words: list[str], said: str
) -> None:
    told = tell("cluster", "run", "split-brain", *words)
    assert (told.status, told.out) == (2, "")
    assert said in told.err


# scenarios


def test_scenarios_are_listed_and_chosen_by_tag(tell: Tell) -> None:
    everything = json.loads(tell("cluster", "scenarios", "-o", "json").out)["scenarios"]
    some = json.loads(tell("cluster", "scenarios", "--tag", "disks", "-o", "json").out)["scenarios"]
    assert {"split-brain", "torn-tail"} <= {each["name"] for each in everything}
    assert some == [each for each in everything if "disks" in each["tags"]]
    told = tell("cluster", "scenarios", "--tag", "rain")
    assert told.status == 2
    assert "no scenario has the tag 'rain'; there are " in told.err


def test_a_story_is_told_to_someone_who_has_never_heard_of_it(tell: Tell) -> None:
    told = tell("cluster", "scenarios", "--show", "split-brain")
    assert told.status == 0
    assert told.out.startswith("split-brain\nFive nodes, and the leader is on the smaller side.")
    for words in ("What is right: ", "Source: ", "\n  split n1,n2/n3,n4,n5\n", "--engine sim\n"):
        assert words in told.out
    told = tell("cluster", "scenarios", "--show", "rain")
    assert told.status == 2
    assert "no scenario of the name 'rain'" in told.err


def test_a_scenario_has_to_hold_and_to_fail_as_it_says(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from walctl.cluster.scenario import parse

    flip = "kill n1\ndisk n1 flip\nexpect verify clean\n"
    texts = {
        "holds": GOOD,
        "breaks-what-it-says": f"# Without quorum-check: I14 -- files rot\n{GOOD}{flip}",
        "breaks-another": f"# Without quorum-check: I7 -- two votes\n{GOOD}{flip}",
        "breaks-nothing": f"# Without quorum-check: I7 -- two votes\n{GOOD}",
        "knows-no-such": f"# Without luck: I7 -- two votes\n{GOOD}",
    }
    found = [parse(text, name=name) for name, text in texts.items()]
    told = {(each.name, each.without): each for each in map(trials.try_one, trials.trials(found))}
    rights = {name: each.is_right for name, each in told.items()}
    assert rights == {
        ("holds", None): True,
        ("breaks-what-it-says", None): False,
        ("breaks-what-it-says", "quorum-check"): True,
        ("breaks-another", None): False,
        ("breaks-another", "quorum-check"): False,
        ("breaks-nothing", None): True,
        ("breaks-nothing", "quorum-check"): False,
        ("knows-no-such", None): True,
        ("knows-no-such", "luck"): False,
    }
    assert told["breaks-nothing", "quorum-check"].words == "nothing was broken"
    monkeypatch.setattr("walctl.cli.cluster_scenarios.shipped", lambda disk: list(texts))
    by_name = dict(zip(texts, found, strict=True))
    monkeypatch.setattr(
        "walctl.cli.cluster_scenarios.read_shipped", lambda disk, name: by_name[name]
    )
    shown = tell("cluster", "scenarios", "--run", "-j", "2")
    assert shown.status == 1
    lines = shown.out.splitlines()
    assert lines[0] == "ok   holds: all 2 expectations hold"
    assert lines[6].endswith("nothing was broken (expected I7)")
    assert lines[-1] == (
        "3 of 5 scenarios as expected; 1 of 4 runs without a protection fail as named"
    )

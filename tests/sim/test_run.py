"""One run and its report; a run that is recorded, and played again from its trace."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from walctl.checker.history import Fate
from walctl.checker.trace import parse as history
from walctl.checker.violation import Violation
from walctl.cluster.events import EventKind
from walctl.cluster.scenario import parse
from walctl.errors import AccessError, ExitStatus, UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.sim.campaign import Tally, keep_trace, reports, twice_each
from walctl.sim.planning import SimWish, plan
from walctl.sim.replaying import Comparison, replay
from walctl.sim.run import Report, broken_by, record, record_seed, report_of, run, run_seed
from walctl.sim.safeguards import named
from walctl.sim.trace_out import PIECE_BYTES, TraceOut
from walctl.version import VERSION

WISH = SimWish(seed=3, time_us=1_200_000, rate=100)
PLAIN = parse("cluster 3 engine=sim tick=20ms; stabilize; put a b; expect ok", name="plain")
TRACE = Path("/trace.jsonl")


def recorded(seed: int = 3) -> tuple[Report, list[bytes]]:
    lines: list[bytes] = []
    return record_seed(replace(WISH, seed=seed), lines.append), lines


def traced(*, change: tuple[str, str] = ("", "")) -> MemoryFileSystem:
    """A disk with the trace of a small scenario, of which `change` was made."""
    lines: list[bytes] = []
    record(PLAIN, lines.append)
    disk = MemoryFileSystem()
    before, after = (each.encode() for each in change)
    disk.create(TRACE, b"".join(lines).replace(before, after, 1))
    return disk


def test_a_run_comes_out_the_same_whether_it_is_recorded_or_not() -> None:
    report, lines = recorded()
    plain = run_seed(WISH)
    assert report.exit_status is ExitStatus.CLEAN
    assert report.digest is not None
    assert len(lines) > 100
    assert replace(report, digest=None) == plain


def test_the_header_of_a_trace_has_all_that_plays_it_again() -> None:
    scenario = plan(WISH)
    lines: list[bytes] = []
    record(scenario, lines.append, without=["quorum-check"])
    header = json.loads(lines[0])
    assert (header["tool"], header["engine"], header["seed"]) == (VERSION, "sim", "0x3")
    assert header["options"]["without"] == ["quorum-check"]
    again = parse(header["options"]["text"], name="again")
    assert again.cluster == scenario.cluster
    deeds = [(each.at_us, each.deed) for each in scenario.commands]
    assert [(each.at_us, each.deed) for each in again.commands] == deeds


@pytest.mark.parametrize("seed", range(40))
def test_the_text_of_a_planned_run_is_the_whole_run(seed: int) -> None:
    wish = SimWish(seed=seed, time_us=10_000_000, is_swarm=True, is_unbounded=seed % 2 == 0)
    scenario = plan(wish)
    again = parse(scenario.text, name=scenario.name)
    assert again == scenario


def test_bytes_of_clients_that_are_no_text_are_in_the_trace_as_they_are() -> None:
    text = (
        'cluster 1 engine=sim tick=20ms; stabilize; put k "\\xff\\xfe"; get k; cas k "\\xff\\xfe" c'
    )
    lines: list[bytes] = []
    record(parse(text, name="bytes"), lines.append)
    put, get, cas = history(each.decode() for each in lines).operations
    assert (put.value, get.output, cas.expected) == (b"\xff\xfe",) * 3
    assert cas.fate is Fate.OK


def test_a_run_in_which_hardly_anything_was_done_is_no_pass() -> None:
    report = run_seed(replace(WISH, rate=1, time_us=600_000))
    assert report.violation is None
    assert report.error.startswith("nothing was tested: ")
    assert report.exit_status is ExitStatus.UNFINISHED


def test_an_expectation_that_says_what_a_promise_says_breaks_that_promise() -> None:
    text = "cluster 3 engine=sim; stabilize; put a b; kill n1; disk n1 flip; expect verify clean"
    outcome = run(parse(text, name="f"))
    violation = broken_by(outcome)
    assert violation is not None
    assert violation.id == "I14"
    assert report_of(outcome).exit_status is ExitStatus.DAMAGE


def test_a_violation_is_the_last_line_of_the_trace_and_its_number_is_told() -> None:
    for seed in range(1, 40):
        lines: list[bytes] = []
        wish = SimWish(seed=seed, time_us=20_000_000, is_swarm=True)
        report = record_seed(wish, lines.append, ["one-vote-a-term"])
        if report.violation is not None:
            break
    last = json.loads(lines[-1])
    assert last["k"] == EventKind.VIOLATION
    assert (last["id"], last["i"]) == (report.violation and report.violation.id, report.event)


def test_a_disk_that_refuses_the_trace_ends_the_run_and_no_member() -> None:
    def refuse(line: bytes) -> None:
        if b'"k":"role"' in line:
            raise AccessError("disk full")

    with pytest.raises(AccessError, match="disk full"):
        record(PLAIN, refuse)


def test_a_trace_that_is_played_again_is_the_same() -> None:
    found = replay(traced(), TRACE)
    assert found.difference is None
    assert found.lines > 20
    assert found.exit_status is ExitStatus.CLEAN


def test_the_first_event_that_differs_is_named() -> None:
    disk = traced(change=('"to":"leader"', '"to":"follower"'))
    found = replay(disk, TRACE)
    assert found.difference is not None
    assert found.difference.before is not None
    assert found.difference.now is not None
    assert '"to":"follower"' in found.difference.before
    assert found.difference.before.replace("follower", "leader") == found.difference.now
    text = b"".join([disk.open(TRACE).read_at(0, 1 << 20)]).decode().splitlines()
    assert text[found.difference.line - 1] == found.difference.before
    assert found.exit_status is ExitStatus.DAMAGE


def test_a_run_that_ends_earlier_or_later_than_its_trace_differs_there() -> None:
    short = Comparison(iter([b"1\n", b"2\n"]))
    for line in (b"head\n", b"1\n"):
        short.take(line)
    short.end()
    assert short.difference is not None
    assert (short.difference.line, short.difference.before, short.difference.now) == (3, "2", None)
    long = Comparison(iter([b"1\n"]))
    for line in (b"head\n", b"1\n", b"2\n"):
        long.take(line)
    long.end()
    assert long.difference is not None
    assert (long.difference.line, long.difference.before, long.difference.now) == (3, None, "2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"engine":"sim"', '"engine":"etcd"'), ":1: expected a trace of the simulator"),
        (('"text":"', '"words":"'), ":1: expected the scenario as options.text, found none"),
        (('"without":[]', '"without":["luck"]'), ":1: expected a safeguard"),
        (('"without":[]', '"withot":[]'), ":1: expected options text and without"),
        (('"without":[]', '"without":7'), ":1: expected names as options.without"),
        (("put a b", "melt a b"), ":1: plain:3: expected a command"),
        (('"i":3,', '"i":3;'), ":5: expected a JSON object"),
    ],
)
def test_a_trace_that_makes_no_sense_is_refused_with_its_line(
    change: tuple[str, str], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        replay(traced(change=change), TRACE)
    assert f"{TRACE}{said}" in error.value.message


def test_a_trace_of_another_version_is_played_all_the_same() -> None:
    found = replay(traced(change=(f'"tool":"{VERSION}"', '"tool":"0.0.1"')), TRACE)
    assert found.is_other_tool
    assert found.exit_status is ExitStatus.CLEAN


def test_seeds_come_in_order_and_are_the_same_by_one_process_or_two() -> None:
    wish = replace(WISH, time_us=600_000)
    seeds = range(5, 8)
    one = list(reports(wish, seeds, jobs=1, is_recorded=True))
    two = list(reports(wish, seeds, jobs=2, is_recorded=True))
    assert [each.seed for each in one] == list(seeds)
    assert one == two
    assert len({each.digest for each in one}) == 3


def test_two_runs_of_a_seed_are_the_same_and_leave_no_file(tmp_path: Path) -> None:
    wish = replace(WISH, time_us=800_000)
    (found,) = twice_each(RealFileSystem(), tmp_path / "new", wish, [3])
    assert found.difference is None
    assert found.lines > 50
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_not_determined_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from walctl.sim.clients import Clients

    ways = iter(range(10**9))
    monkeypatch.setattr(Clients, "_way_us", lambda self, request: 200 + next(ways) % 7)
    (found,) = twice_each(RealFileSystem(), tmp_path, replace(WISH, time_us=800_000), [3])
    assert found.difference is not None
    assert [each.name for each in tmp_path.iterdir()] == ["first-3.jsonl"]


def test_the_trace_of_a_seed_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "t.jsonl"
    for _ in range(2):
        report = keep_trace(RealFileSystem(), path, replace(WISH, time_us=800_000))
    assert report.trace == str(path)
    assert replay(RealFileSystem(), path).difference is None


def test_lines_are_written_in_pieces_and_whole(tmp_path: Path) -> None:
    line = b"x" * 70_000 + b"\n"
    with TraceOut(RealFileSystem(), tmp_path / "t") as out:
        for _ in range(40):
            out.write(line)
        assert (tmp_path / "t").stat().st_size >= PIECE_BYTES
    assert (tmp_path / "t").read_bytes() == line * 40


def test_only_a_trace_is_replaced_by_a_trace(tmp_path: Path) -> None:
    disk, path = RealFileSystem(), tmp_path / "0.wal"
    path.write_bytes(b"what cannot be made again")
    with pytest.raises(AccessError, match="it is no trace: it is not replaced"):
        keep_trace(disk, path, replace(WISH, time_us=800_000))
    assert path.read_bytes() == b"what cannot be made again"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(AccessError):
        TraceOut(disk, pipe)
    assert pipe.is_fifo()


def test_a_run_that_cannot_be_leaves_the_older_trace(tmp_path: Path) -> None:
    disk, path = RealFileSystem(), tmp_path / "t.jsonl"
    keep_trace(disk, path, replace(WISH, time_us=800_000))
    before = path.read_bytes()
    with pytest.raises(UsageError):
        keep_trace(disk, path, replace(WISH, faults=("rain",)))
    assert path.read_bytes() == before


def test_a_broken_promise_counts_more_than_a_run_that_tested_nothing() -> None:
    text = "cluster 3 engine=sim; stabilize; put a b; kill n1; disk n1 flip; expect verify clean"
    good, idle = Report(name="a", seed=1), Report(name="b", seed=2, error="nothing was tested")
    bad = report_of(run(parse(text, name="c")))
    for found, status in (
        ([], ExitStatus.UNFINISHED),
        ([good], ExitStatus.CLEAN),
        ([good, idle], ExitStatus.UNFINISHED),
        ([good, idle, bad], ExitStatus.DAMAGE),
    ):
        tally = Tally()
        for report in found:
            tally.add(report)
        assert tally.exit_status is status
    assert tally.broken == {"I14": 1}


def test_the_line_of_an_expectation_that_broke_a_promise_is_told_too() -> None:
    text = "cluster 3 engine=sim; stabilize; put a b; kill n1; disk n1 flip; expect verify clean"
    lines: list[bytes] = []
    outcome, digest = record(parse(text, name="f"), lines.append)
    last = json.loads(lines[-1])
    assert last["k"] == EventKind.VIOLATION
    assert report_of(outcome, digest=digest).event == last["i"]


def test_that_another_promise_holds_excuses_no_violation() -> None:
    text = (
        "cluster 3 engine=sim; stabilize; put a b; kill n1; disk n1 flip; expect not violation I1"
    )
    outcome = run(parse(text, name="f"))
    found = Violation(id="I7", words="told twice")
    assert outcome.exit_status is ExitStatus.CLEAN
    assert replace(outcome, violation=found).exit_status is ExitStatus.DAMAGE


def test_an_expectation_that_cannot_be_looked_at_does_not_hold() -> None:
    text = "cluster 3 engine=sim; at 1ms expect term(leader) >= 0"
    outcome = run(parse(text, name="f"))
    assert outcome.broken is not None
    assert outcome.exit_status is ExitStatus.UNFINISHED


def test_two_safeguards_of_one_rule_are_not_both_taken_away() -> None:
    with pytest.raises(UsageError, match="are of one rule"):
        named(["votes-are-stored", "terms-are-stored"])
    assert len(named(["quorum-check", "quorum-check"])) == 1


@pytest.mark.parametrize(
    ("deeds", "said"),
    [
        pytest.param("kill n1 call=100000", "it runs", marks=pytest.mark.slow),  # waits a minute
        ("kill n1; pause n1", "pause n1: does not run"),
    ],
)
def test_a_fault_that_did_not_happen_is_told(deeds: str, said: str) -> None:
    outcome = run(parse(f"cluster 3 engine=sim tick=20ms; stabilize; {deeds}", name="f"))
    assert said in outcome.steps[-1].done.words

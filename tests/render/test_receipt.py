"""How a receipt tells what became of the entries, and where those are that the log has no more."""

from pathlib import Path

import pytest

from walctl.model.finding import Verdict
from walctl.raft.types import HardState
from walctl.render.receipt import divided, entries, joined, started_words
from walctl.repair.compare import Comparison
from walctl.repair.plan import Act, Bound, Drop, Plan, PlanClass, Step
from walctl.repair.receipt import Receipt
from walctl.replay.load import Started

BOUND = Bound(directory=Path("/data/n1"), wal=Path("member/wal"), snap=Path("member/snap"))


def receipt(*runs: tuple[int, int]) -> Receipt:
    return Receipt(
        path=Path("/data/n1.walctl/20261123T172458Z-repair/receipt.json"),
        kind="repair",
        made="20261123T172458Z",
        tool="walctl",
        plan_class=PlanClass.FREE,
        strategy="new-log",
        summary="",
        bound=BOUND,
        after={},
        verdict=Verdict.CLEAN,
        comparison=Comparison(
            dropped=sum(last - first + 1 for first, last in runs), dropped_runs=runs
        ),
    )


def plan(*drops: tuple[int, int, str]) -> Plan:
    listed = tuple(
        Drop(kind="entry", count=last - first + 1, first=first, last=last, kept_by=keeper)
        for first, last, keeper in drops
    )
    step = Step(act=Act.REMOVE, file="wal/0.wal", reason="test", words="goes", drops=listed)
    return Plan(bound=BOUND, plan_class=PlanClass.FREE, steps=(step,))


def test_entries_that_the_database_has_are_not_told_as_lost() -> None:
    dropped = receipt((1, 1), (2, 230), (231, 466))
    kept = plan((1, 1, "database"), (2, 230, "database"), (231, 466, "database"))
    assert entries(dropped, plan=kept) == "0 kept, 466 dropped (entries 1–466 are in the database)"
    assert entries(dropped) == "0 kept, 466 dropped (entries 1–466; the backup has them)"


def test_entries_that_only_the_backup_has_are_told_apart() -> None:
    half = plan((1, 400, "database"), (401, 466, ""))
    assert entries(receipt((1, 230), (231, 466)), plan=half) == (
        "0 kept, 466 dropped (entries 1–400 are in the database; entries 401–466; the backup has"
        " them)"
    )


@pytest.mark.parametrize(
    ("runs", "held", "kept", "rest"),
    [
        ([(1, 9)], [], [], [(1, 9)]),
        ([(1, 9)], [(1, 9)], [(1, 9)], []),
        ([(1, 9)], [(3, 4), (7, 20)], [(3, 4), (7, 9)], [(1, 2), (5, 6)]),
        ([(1, 3), (8, 9)], [(2, 8)], [(2, 3), (8, 8)], [(1, 1), (9, 9)]),
    ],
)
def test_runs_are_divided_at_what_is_held(
    runs: list[tuple[int, int]],
    held: list[tuple[int, int]],
    kept: list[tuple[int, int]],
    rest: list[tuple[int, int]],
) -> None:
    assert divided(runs, held) == (kept, rest)


def test_runs_are_joined_where_no_index_is_missing() -> None:
    assert joined([(5, 6), (1, 1), (2, 3), (6, 9)]) == [(1, 3), (5, 9)]


def test_with_what_a_raft_node_started_is_told_in_one_line() -> None:
    state = HardState(term=2, commit=477)
    started = Started(snapshot_index=0, first_index=1, last_index=477, hard_state=state)
    words = "from the beginning with entries 1–477, commit 477, term 2"
    assert started_words(started) == words
    empty = Started(snapshot_index=477, first_index=478, last_index=477, hard_state=state)
    assert started_words(empty) == "from snapshot 477 with no entries, commit 477, term 2"

"""Small space, exhausted: whatever is done to a log, no plan that is called free loses what the
certificate says is kept, and none that is carried out leaves damage behind.

The member is a real one of seven entries, on a disk in memory, its log without most of its zeros.
What a free plan leaves is compared with the log before it was hurt: that is the truth which the
plan does not know.
"""

import functools
from pathlib import Path

import pytest

from tests.inspect.test_exhaustive import END, HERE, LOG, files, flipped, log
from tests.repair.carried import carried_out, read_back
from tests.repair.test_plan_classes import texts
from walctl.datadir.layout import understand
from walctl.errors import AccessError
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.verify import examine
from walctl.model.finding import Verdict
from walctl.repair.case import Case
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.planning import case_of, plan_for

CASE = "etcd-3.5-three-puts"
DATABASE = HERE / "member/snap/db"
STRIDE = 61
"""Every so many places in the usual run; all of them in the slow one."""
SECTOR = 512


@functools.cache
def truth() -> dict[int, tuple[int, bytes | None]]:
    """The entries of the log before it was hurt."""
    disk = MemoryFileSystem({**files(CASE), LOG: log()})
    return texts(disk, examine(disk, understand(disk, HERE)))


def planned(data: bytes, *, has_database: bool = True) -> tuple[Case, Plan] | None:
    """The case and plan for the member with this log; `None` when it cannot be looked at."""
    there = {**files(CASE), LOG: data}
    if not has_database:
        del there[DATABASE]
    disk = MemoryFileSystem(there)
    disk.make_directory(DATABASE.parent)
    try:
        case = case_of(disk, understand(disk, HERE))
    except AccessError:
        return None
    return case, plan_for(case)


def assert_nothing_certified_is_lost(data: bytes, *, has_database: bool = True) -> PlanClass:
    found = planned(data, has_database=has_database)
    assert found is not None
    case, plan = found
    if plan.plan_class is not PlanClass.FREE:
        return plan.plan_class
    disk, after = read_back(carried_out(case, plan))
    assert after.report.verdict in (Verdict.CLEAN, Verdict.HARMLESS), after.report.findings
    kept, applied = plan.certificate.kept, after.survey.applied or 0
    assert kept >= plan.certificate.witnessed
    there = texts(disk, after)
    for index in range(applied + 1, kept + 1):
        assert there[index] == truth()[index], index
    for index, text in there.items():
        assert text == truth()[index], index
    return plan.plan_class


def test_the_truth_is_seven_entries() -> None:
    assert sorted(truth()) == list(range(1, max(truth()) + 1))
    assert assert_nothing_certified_is_lost(log()) is PlanClass.NOTHING


def assert_no_flip_costs_anything(places: range) -> None:
    classes = [
        assert_nothing_certified_is_lost(flipped(log(), place // 8, place % 8)) for place in places
    ]
    # The database has applied everything, so no single bit may cost a thing.
    assert set(classes) <= {PlanClass.NOTHING, PlanClass.FREE}
    assert PlanClass.FREE in classes


def test_one_wrong_bit_costs_nothing() -> None:
    assert_no_flip_costs_anything(range(0, END * 8, STRIDE))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(32))
def test_no_wrong_bit_costs_anything(start: int) -> None:
    assert_no_flip_costs_anything(range(start, END * 8, 32))


def cut_classes(places: range, *, has_database: bool) -> dict[int, PlanClass]:
    return {
        stop: assert_nothing_certified_is_lost(log()[:stop], has_database=has_database)
        for stop in places
    }


def test_a_cut_log_is_never_brought_back_for_free_while_the_database_knows_of_more() -> None:
    classes = cut_classes(range(0, END - 24, 7 * STRIDE), has_database=True)
    assert PlanClass.FREE not in classes.values()


@pytest.mark.slow
@pytest.mark.parametrize("has_database", [True, False])
def test_a_cut_at_any_byte_keeps_what_is_certified(has_database: bool) -> None:
    classes = cut_classes(range(END), has_database=has_database)
    assert len(classes) == END


def without(data: bytes, start: int) -> bytes:
    stop = min(start + SECTOR, len(data))
    return data[:start] + bytes(stop - start) + data[stop:]


@pytest.mark.parametrize("has_database", [True, False])
def test_zeroed_sectors_in_every_pattern_keep_what_is_certified(has_database: bool) -> None:
    sectors = range(0, END, SECTOR)
    for pattern in range(1, 1 << len(sectors)):
        data = log()
        for number, start in enumerate(sectors):
            if pattern >> number & 1:
                data = without(data, start)
        assert_nothing_certified_is_lost(data, has_database=has_database)


@pytest.mark.slow
def test_a_hole_of_eight_zero_bytes_anywhere_keeps_what_is_certified() -> None:
    for start in range(0, END - 8, 8):
        data = log()[:start] + bytes(8) + log()[start + 8 :]
        assert_nothing_certified_is_lost(data)


def test_a_folder_of_segments_alone_is_mended_where_one_bit_is_wrong() -> None:
    here = Path("/log")
    disk = MemoryFileSystem({here / LOG.name: flipped(log(), 700, 3)})
    case = case_of(disk, understand(disk, here))
    plan = plan_for(case)
    assert plan.plan_class is PlanClass.FREE
    assert [change.offset for step in plan.steps for change in step.changes] == [700]

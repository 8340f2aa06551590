"""The commit that is one beyond the log: one entry at most is lost, and only with consent."""

from dataclasses import replace

import pytest

from tests.inspect.test_exhaustive import END, HERE, LOG, files, log
from tests.repair.carried import carried_out, read_back
from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.model.finding import Code, Verdict
from walctl.repair.case import Case
from walctl.repair.newlog import Chain
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.planning import case_of, plan_for

LAST = 7
"""The last entry of the fixture's log, which its database has applied."""


def case_with(data: bytes) -> Case:
    disk = MemoryFileSystem({**files("etcd-3.5-three-puts"), LOG: data})
    return case_of(disk, understand(disk, HERE))


def committed(index: int) -> Case:
    """The member with one more hard state, which says that entries up to `index` are committed."""
    whole = case_with(log())
    placed, crc = whole.seen.last_state, whole.seen.segments[-1].digest.last_crc
    assert placed is not None
    assert crc is not None
    more = Chain(crc).state(replace(placed.state, commit=index)).data
    return case_with(log()[:END] + more + bytes(len(log()) - END - len(more)))


def planned(index: int) -> tuple[Case, Plan]:
    case = committed(index)
    assert {finding.code for finding in case.damage} == {Code.COMMIT_BEYOND_LOG}
    return case, plan_for(case)


def test_one_beyond_is_clamped_with_consent_and_loses_one_entry_at_most() -> None:
    _, plan = planned(LAST + 1)
    assert (plan.plan_class, plan.strategy) == (PlanClass.LOSS_POSSIBLE, "clamp-commit")
    assert plan.accept is not None
    dropped = [drop for step in plan.steps for drop in step.drops if drop.kind == "entry"]
    assert [(drop.first, drop.last) for drop in dropped] == [(LAST + 1, LAST + 1)]


def test_what_comes_back_has_every_entry_and_is_not_the_old_cluster() -> None:
    case, plan = planned(LAST + 1)
    _, after = read_back(carried_out(case, plan))
    assert after.report.verdict is Verdict.CLEAN
    seen = after.survey
    assert (seen.log.first, seen.log.last) == (1, LAST)
    assert seen.last_state is not None
    assert seen.last_state.state.commit == LAST
    assert {placed.metadata.cluster_id for placed in seen.metadata} == {case.new_cluster_id()}


@pytest.mark.parametrize("beyond", [2, 10])
def test_more_than_one_beyond_is_not_clamped(beyond: int) -> None:
    _, plan = planned(LAST + beyond)
    assert plan.plan_class is PlanClass.LOSS_POSSIBLE
    assert plan.strategy == "last-survivor"

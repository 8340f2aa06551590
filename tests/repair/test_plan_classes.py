"""Every directory of the corpus gets a plan of the class that its row in classes.md names.

The table is read when the tests are collected. Every free plan is carried out and read back: the
result verifies, and holds every entry that the certificate says is kept, with its payload.
"""

import functools
import re

import pytest

from tests.corpus import CORPUS, needs_corpus
from tests.inspect.answers import DISK, damaged_member, examined, logs_in, member_path, of_kind
from tests.repair.carried import carried_out, read_back
from walctl.datadir.layout import Shape, understand
from walctl.fs.base import FileSystem
from walctl.inspect.verify import Examination
from walctl.model.finding import Verdict
from walctl.repair.case import Case
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.planning import case_of, make_plan, plan_for
from walctl.wal.entry_frames import entries_of

pytestmark = needs_corpus

DAMAGED = of_kind("damage")
WHOLE = (
    [
        (name, member)
        for name in of_kind("scenario")
        for member in logs_in(name)
        if examined(name, member).survey.layout.shape is Shape.DATA_DIR
    ]
    if CORPUS is not None
    else []
)


@functools.cache
def planned(name: str, member: str) -> tuple[Case, Plan]:
    case = case_of(DISK, understand(DISK, member_path(name, member)))
    return case, plan_for(case)


def cell_of(name: str) -> str:
    """The plan of a directory's row, in the words of the table."""
    assert CORPUS is not None
    row = re.sub(r"-3[45]$", "", name)
    for line in (CORPUS / "classes.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == row:
            return cells[3]
    raise AssertionError(f"{row} has no row")


def classes_of(name: str) -> set[str]:
    """The classes that a row allows for this version; the bytes decide where there are two."""
    cell = cell_of(name)
    if name.startswith("x-follower-tail-lost"):
        return {"loss-proven"}  # alone; with the others it is free, which test_heal.py proves
    if name.endswith("-34") and "-34" in cell:
        return {"loss-proven"}
    # What stands in brackets is about the other version, or a reason.
    cell = re.sub(r"\(.*?\)", "", cell)
    if "as loss-possible" in cell:
        return {"loss-possible"}
    if "fast-forward" in cell:
        return {"free"}  # the bytes of all of these prove it
    return {each for each in map(str, PlanClass) if re.search(rf"\b{each}\b", cell)}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_directory_gets_the_class_of_its_row(name: str) -> None:
    _, plan = planned(name, damaged_member(name))
    allowed = classes_of(name)
    assert allowed
    assert str(plan.plan_class) in allowed
    assert plan.plan_class.needs_consent == (plan.accept is not None)


@pytest.mark.parametrize(("name", "member"), WHOLE)
def test_a_whole_member_needs_nothing(name: str, member: str) -> None:
    _, plan = planned(name, member)
    assert plan.plan_class is PlanClass.NOTHING
    assert plan.steps == ()


@pytest.mark.parametrize("version", ["34", "35"])
def test_a_follower_that_lost_its_tail_is_healed_for_nothing_by_all_others_only(
    version: str,
) -> None:
    name = f"x-follower-tail-lost-{version}"
    own = damaged_member(name)
    others = [member_path(name, each) for each in logs_in(name) if each != own]
    healed = make_plan(DISK, member_path(name, own), peers=others)
    assert (healed.plan_class, healed.strategy) == (PlanClass.FREE, "heal")
    for other in others:
        alone = make_plan(DISK, member_path(name, own), peers=[other])
        assert alone.plan_class is PlanClass.LOSS_PROVEN


def texts(disk: FileSystem, examination: Examination) -> dict[int, tuple[int, bytes | None]]:
    """Term and payload of every live entry."""
    seen = examination.survey
    assert seen.layout.wal_dir is not None
    found = {}
    for run in seen.log.live:
        with disk.open(seen.layout.wal_dir / run.segment) as file:
            if not run.is_recovered:
                for entry in entries_of(file, run, first=run.first, last=run.last):
                    found[entry.index] = (entry.term, entry.payload)
    return found


@pytest.mark.parametrize("name", DAMAGED)
def test_what_a_plan_leaves_verifies_and_has_all_that_the_certificate_says(name: str) -> None:
    case, plan = planned(name, damaged_member(name))
    if not plan.steps:
        assert plan.plan_class is PlanClass.NOTHING
        return
    disk, after = read_back(carried_out(case, plan))
    assert after.report.verdict in (Verdict.CLEAN, Verdict.HARMLESS), after.report.findings
    before_texts = texts(DISK, case.examination)
    after_texts = texts(disk, after)
    applied = after.survey.applied or 0
    kept = plan.certificate.kept
    for index in range(applied + 1, kept + 1):
        assert index in after_texts, f"entry {index} is neither applied nor in the log"
    for index in after_texts.keys() & before_texts.keys():
        assert after_texts[index] == before_texts[index]
    if plan.plan_class is PlanClass.FREE:
        assert kept >= plan.certificate.witnessed


@pytest.mark.parametrize("name", [each for each in DAMAGED if each.endswith("-35")])
def test_the_same_files_give_the_same_plan_and_the_same_bytes(name: str) -> None:
    _, plan = planned(name, damaged_member(name))
    again = plan_for(case_of(DISK, understand(DISK, member_path(name, damaged_member(name)))))
    assert again == plan


@pytest.mark.parametrize("name", [each for each in DAMAGED if "loss" in str(classes_of(each))])
def test_consent_never_brings_a_member_back_under_its_old_cluster(name: str) -> None:
    case, plan = planned(name, damaged_member(name))
    _, after = read_back(carried_out(case, plan))
    ids = {placed.metadata.cluster_id for placed in after.survey.metadata}
    assert ids == {case.new_cluster_id()}
    assert case.cluster_id not in ids

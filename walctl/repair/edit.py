"""From one edit of a log to its plan: what all verbs of surgery share."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from walctl.repair.case import Case
from walctl.repair.certificate import certificate
from walctl.repair.newlog import Chain
from walctl.repair.operable import left_findings
from walctl.repair.plan import Drop, Plan, PlanClass, Step, Synthetic
from walctl.repair.rewrite import LogEdit, SegmentEdit, rewritten
from walctl.repair.ways_out import accept_word


def plan_of_append(
    case: Case,
    verb: str,
    append: Callable[[Chain], Chain],
    synthetic: Synthetic,
    *,
    plan_class: PlanClass,
    summary: str,
) -> Plan:
    """A plan that only puts a record behind the last one."""
    final = case.seen.segments[-1].name.text
    return plan_of_edit(
        case,
        verb,
        LogEdit(segments={final: SegmentEdit(append=append)}),
        plan_class=plan_class,
        summary=summary,
        words="one more record behind the last one",
        synthetic=(synthetic,),
    )


def plan_of_edit(
    case: Case,
    verb: str,
    edit: LogEdit,
    *,
    plan_class: PlanClass,
    summary: str,
    words: str,
    synthetic: tuple[Synthetic, ...] = (),
    drops: tuple[Drop, ...] = (),
) -> Plan:
    """A plan that writes a log anew; what is made and dropped is told with its first step.

    `words` say what becomes of each file.
    """
    with case.sources() as sources:
        steps = rewritten(case, sources, edit, reason=verb, words=words)
    if steps:
        steps[0] = replace(steps[0], synthetic=synthetic, drops=drops)
    kept = max(case.last, case.applied)
    return plan_of_steps(case, verb, steps, plan_class=plan_class, summary=summary, kept=kept)


def plan_of_steps(
    case: Case,
    verb: str,
    steps: Sequence[Step],
    *,
    plan_class: PlanClass,
    summary: str,
    kept: int,
) -> Plan:
    """The plan of these steps, whose result has everything up to `kept`."""
    return Plan(
        bound=case.bound,
        plan_class=plan_class if steps else PlanClass.NOTHING,
        strategy=verb,
        summary=summary if steps else "not a byte of the log would change",
        steps=tuple(steps),
        certificate=certificate(case, kept=kept, words=()),
        accept=accept_word(case) if steps and plan_class.needs_consent else None,
        leaves=left_findings(case),
        verify_status=case.report.exit_status,
    )

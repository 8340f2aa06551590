"""make_plan: from a path to the plan that drops least and can be proven; nothing is written.

Every strategy is asked. Of the plans that cost nothing the first in the order of `STRATEGIES` is
taken: it changes least. When none is free, the plan is that of the last survivor, classed by what
is known to be lost; it is refused until a person accepts that, and its options say what is better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from walctl.datadir.layout import Layout, Shape, understand
from walctl.datadir.start import is_base_lost
from walctl.errors import AccessError, UnsupportedError
from walctl.fs.base import FileSystem
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.verify import examine
from walctl.model.finding import Code, Verdict
from walctl.repair.case import Case
from walctl.repair.certificate import certificate, witnessed
from walctl.repair.clamp import STRATEGY as CLAMPED
from walctl.repair.clamp import clamped
from walctl.repair.forward import LAST_SURVIVOR, fast_forward, is_end_lost_only, last_survivor
from walctl.repair.healing import heal_from_peers
from walctl.repair.peers import read_peers
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.put_right import put_right
from walctl.repair.stamps import bind
from walctl.repair.start_point import from_older_point, without_old_segments
from walctl.repair.tail import is_doubtful_tail
from walctl.repair.ways_out import accept_word, ways_out

Strategy = Callable[[Case], Plan | str]

HEALED = "healed from other members"
STRATEGIES: tuple[tuple[str, Strategy], ...] = (
    ("bytes put right", put_right),
    ("without old segments", without_old_segments),
    ("from an older start point", from_older_point),
    (HEALED, heal_from_peers),
    ("fast-forward to the database", fast_forward),
)
"""Those that may be free, the one that changes least first; and what a person calls them."""

NO_IDS: Mapping[Path, int] = MappingProxyType({})

WHOLE = frozenset({Shape.DATA_DIR, Shape.MEMBER_DIR, Shape.SEGMENTS, Shape.RAFTEXAMPLE})
"""Shapes of what a whole member may be, so that all its parts can be asked."""


def make_plan(
    disk: FileSystem,
    path: Path,
    *,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    peers: Sequence[Path] = (),
    ids: Mapping[Path, int] = NO_IDS,
    depth: Depth = ONE_PROCESS,
) -> Plan:
    """The plan for the member at `path`, which should be absolute: a plan names it.

    `ids` say whose directories `path` and `peers` are, where the logs do not: raftexample's name
    no member, and to heal one it has to be known who the others are.

    Raises: AccessError, when a part cannot be read; UnsupportedError, for a path that is no
    member's directory or whose server runs.
    """
    layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    if layout.shape not in WHOLE:
        raise UnsupportedError(
            f"{path}: {layout.shape}: a repair needs the whole directory, to know what the others"
            " of its parts say"
        )
    return plan_for(case_of(disk, layout, peers=peers, ids=ids, depth=depth))


def case_of(
    disk: FileSystem,
    layout: Layout,
    *,
    peers: Sequence[Path] = (),
    ids: Mapping[Path, int] = NO_IDS,
    depth: Depth = ONE_PROCESS,
) -> Case:
    """A member with all that is to be known of it. Raises: as `make_plan`."""
    examination = examine(disk, layout, depth=depth)
    if examination.report.is_moving:
        notes = examination.survey.notes
        moving = next((note for note in notes if note.startswith("moving")), "it is written to")
        raise AccessError(f"{layout.path}: {moving}; stop the server first")
    return Case(
        disk=disk,
        examination=examination,
        bound=bind(disk, layout),
        peers=read_peers(disk, peers, depth=depth, ids=ids),
        said_id=ids.get(layout.path),
    )


def plan_for(case: Case) -> Plan:
    """The plan that drops least and can be proven."""
    if case.report.verdict is Verdict.CLEAN:
        return _nothing(case, "nothing is wrong")
    is_doubtful = is_doubtful_tail(case) or is_base_lost(case.seen, case.applied)
    if case.report.verdict is Verdict.HARMLESS and not is_doubtful:
        plan = put_right(case)
        if isinstance(plan, Plan):
            return plan
        return _nothing(case, "what was found is harmless: it is safe to start the server")
    denied: dict[str, str] = {}
    for name, strategy in STRATEGIES:
        plan = strategy(case)
        if isinstance(plan, Plan) and plan.plan_class is PlanClass.FREE:
            return plan
        if isinstance(plan, str):
            denied[name] = plan
    return _costly(case, denied)


def _nothing(case: Case, summary: str) -> Plan:
    return Plan(
        bound=case.bound,
        plan_class=PlanClass.NOTHING,
        summary=summary,
        certificate=certificate(case, kept=max(case.last, case.applied), words=()),
        verify_status=case.report.exit_status,
    )


def _costly(case: Case, denied: Mapping[str, str]) -> Plan:
    """The plan that a person has to accept, and the ways out that are better.

    `denied` are those of `STRATEGIES` that gave no plan, in their order, and why.
    """
    strategy, steps = CLAMPED, clamped(case)
    if isinstance(steps, str):
        strategy, steps = LAST_SURVIVOR, last_survivor(case)
    survivor = steps if isinstance(steps, str) else None
    not_healed = denied.get(HEALED)
    options = ways_out(case, heal=not_healed, survivor=survivor)
    plan_class = _class_of(case)
    kept = max(case.applied, case.last) if not isinstance(steps, str) else case.applied
    return Plan(
        bound=case.bound,
        plan_class=plan_class,
        strategy=strategy if not isinstance(steps, str) else "none",
        summary=_told(case, plan_class, not_healed, can_go_on=not isinstance(steps, str)),
        steps=() if isinstance(steps, str) else steps,
        certificate=certificate(case, kept=kept, words=_reasons(case, denied)),
        options=options,
        peers={peer.name: peer.bound for peer in case.peers},
        accept=accept_word(case),
        verify_status=case.report.exit_status,
    )


def _reasons(case: Case, denied: Mapping[str, str]) -> tuple[str, ...]:
    """Why nothing is free, most important first.

    The last one asked rescues most members, so why it does not is worth most; but whoever names
    other members asks for healing.
    """
    names = [*denied][::-1]
    if case.peers:
        names.sort(key=lambda name: name != HEALED)
    return tuple(f"{name}: {denied[name]}" for name in names)


def _class_of(case: Case) -> PlanClass:
    """Whether loss is only possible: for a sole voter, where nobody says that something existed
    which the database and the readable entries do not have."""
    if not case.is_sole_voter or is_base_lost(case.seen, case.applied):
        return PlanClass.LOSS_PROVEN
    if is_end_lost_only(case):
        return PlanClass.LOSS_POSSIBLE
    is_commit_alone = {finding.code for finding in case.damage} <= {Code.COMMIT_BEYOND_LOG}
    return PlanClass.LOSS_POSSIBLE if is_commit_alone else PlanClass.LOSS_PROVEN


def _told(case: Case, plan_class: PlanClass, not_healed: str | None, *, can_go_on: bool) -> str:
    """What is lost, why the members that were named do not help, and what consent would change."""
    words = _costly_summary(case, plan_class)
    if case.peers and not_healed is not None:
        words = f"--from does not help ({not_healed}); {words}"
    if can_go_on:
        words += (
            f"; with consent this member goes on alone, in the new cluster"
            f" {case.new_cluster_id():x}"
        )
    return words


def _costly_summary(case: Case, plan_class: PlanClass) -> str:
    has = max(case.applied, case.last)
    known = witnessed(replace(case, peers=()))
    if known > has:
        return f"entries {has + 1}–{known} are witnessed, and not to be read here"
    if is_base_lost(case.seen, case.applied):
        return "the keys came from a saved snapshot, and neither the log nor a database has them"
    if plan_class is PlanClass.LOSS_POSSIBLE:
        return f"entries behind {case.last}, where the log ends now, may have been acknowledged"
    return "entries that a leader may have counted cannot be read any more"

"""doctor: the one-screen answer. Who is this, is it whole, what is lost, what now?

Everything is taken from verify's report and the survey behind it, and from the state that the files
amount to; what is new here is the advice: what to do first, in the order in which a calm colleague
would say it.
"""

import shlex
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from walctl.datadir.layout import Shape, understand
from walctl.datadir.survey import Survey
from walctl.errors import WalctlError
from walctl.fs.base import FileSystem
from walctl.inspect.advice import etcdctl, repair_command, salvage_command
from walctl.inspect.known_state import KnownState, known_state
from walctl.inspect.member_sides import Side, sides
from walctl.inspect.membership import Membership, membership
from walctl.inspect.membership_checks import waits_for_upgrade
from walctl.inspect.published import learn_urls
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.report import Report
from walctl.inspect.sound import has_sound_database
from walctl.inspect.starts import starts_of
from walctl.inspect.verify import examine
from walctl.model.finding import Code, Finding, Severity, Verdict
from walctl.model.member import Member

SPARE_MEMBERS_MIN = 3
"""From this size on the other members are a majority, and a lost one can be replaced from them."""


_ASK_THE_WHOLE = (
    "Whether the server can be started depends on log, snapshots and database together: ask again"
    " with its data directory."
)


CODES_MAX = 3
"""Codes that the advice names; the findings name all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of advice: why, and the command that does it (empty: there is none)."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer for one member. `start` is what a start would do now, by version.

    `sides` are the places that name members, each held against the log; `state` is what the files
    amount to, `None` where that is not known.
    """

    report: Report
    membership: Membership
    sides: tuple[Side, ...] = ()
    start: str
    steps: tuple[Step, ...]
    state: KnownState | None = None


def doctor(
    disk: FileSystem,
    path: Path,
    *,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    depth: Depth = ONE_PROCESS,
) -> Diagnosis:
    """Examine `path` and say what to do; what keeps it from being read is `report.error`."""
    try:
        layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
        examination = examine(disk, layout, depth=depth)
        report, seen = examination.report, examination.survey
        start = report.boots or starts_of(disk, seen).sentence
        learn_urls(disk, seen)
    except WalctlError as error:
        return Diagnosis(
            report=Report(
                path=path, understood_as="", error=error.message, error_status=error.exit_status
            ),
            membership=Membership(own_id=None, views=()),
            start="",
            steps=(),
        )
    members = membership(seen)
    state = known_state(disk, seen)
    if state is not None:
        report = replace(report, findings=(*report.findings, *state.findings))
    return Diagnosis(
        report=report,
        membership=members,
        sides=sides(seen),
        start=start,
        steps=tuple(_steps(report, seen, members)),
        state=state,
    )


def _steps(report: Report, seen: Survey, members: Membership) -> list[Step]:
    if seen.is_moving:
        return [
            Step(
                text=(
                    "A server has this directory open, or files changed while they were read: what"
                    " is said here is of a moment. Stop the server, or examine a copy."
                )
            )
        ]
    is_part = seen.layout.shape is not Shape.RAFTEXAMPLE and not seen.layout.is_member
    if report.verdict is Verdict.DAMAGED:
        return _steps_of_damage(report, seen, members)
    if _is_removed(members):
        return [_removed_step(members)]
    if is_part:
        start = f"Nothing is wrong with this part. {_ASK_THE_WHOLE}"
    elif report.verdict is Verdict.CLEAN:
        start = "Nothing is wrong here: the server can be started."
    else:
        start = "The server can be started; nothing is lost by it."
    codes = _codes(report.of(Severity.HARMLESS))
    return [
        Step(
            text=f"{start} What was found means:" if codes else start,
            command="; ".join(f"walctl explain {code}" for code in codes),
        ),
        *([_upgrade_step(codes)] if waits_for_upgrade(seen) else []),
    ]


def _upgrade_step(codes: list[Code]) -> Step:
    """What a later version would stumble over; `codes` are explained already."""
    code = Code.MEMBERSHIP_DIFFERS
    return Step(
        text=(
            "Before an upgrade to 3.6 let 3.5.26 or later run here: the database names the members"
            " otherwise than the log does. 3.6 goes by the database, and 3.5.26 puts it right"
            " first."
        ),
        command="" if code in codes else f"walctl explain {code}",
    )


def _codes(findings: list[Finding]) -> list[Code]:
    """The different codes, in order."""
    return list(dict.fromkeys(finding.code for finding in findings))


def _is_removed(members: Membership) -> bool:
    ids = {peer.id for peer in members.best.peers} if members.best is not None else set()
    return bool(ids) and members.own_id is not None and members.own_id not in ids


def _removed_step(members: Membership) -> Step:
    return Step(
        text=(
            f"This member ({members.own_id:x}) is no longer in its cluster: a committed change in"
            " its log removed it. It cannot come back under this id; to use the machine again, add"
            " it as a new member with an empty data directory."
        )
    )


def _steps_of_damage(report: Report, seen: Survey, members: Membership) -> list[Step]:
    damage = report.of(Severity.DAMAGE)
    codes = _codes(damage)
    explain = Step(
        text="What was found, why it happens, and what else not to do:",
        command="; ".join(f"walctl explain {code}" for code in codes[:CODES_MAX]),
    )
    if not seen.layout.is_member:
        return [Step(text=f"This part is damaged. {_ASK_THE_WHOLE}"), explain]
    steps = [
        Step(
            text=(
                "Do not start the server: a start changes what is here, and may make a loss final."
            )
        ),
        Step(
            text=(
                "See how it can be put right. This reads only; it says what a repair would drop,"
                " and how that is known. A repair keeps a backup, and can be taken back."
            ),
            command=repair_command(seen.layout),
        ),
    ]
    size = members.size or 0
    if _is_removed(members):
        steps.append(_removed_step(members))
    elif size >= SPARE_MEMBERS_MIN and members.own_id is not None:
        steps[1:1] = [_other_members_step(size)]
        steps += replace_steps(members, members.own_id)
    else:
        steps += _own_steps(seen, is_alone=size <= 1)
    return [*steps, explain]


def _own_steps(seen: Survey, *, is_alone: bool) -> list[Step]:
    """What is left to a member without healthy peers where its own files do not do."""
    steps = []
    if any(here.seq - before.seq > 1 for before, here in pairwise(seen.segments)):
        steps.append(
            Step(text="Look for the missing segment in backups and copies before all else.")
        )
    steps.append(
        Step(
            text=(
                "If a snapshot was saved elsewhere, restoring that into a new directory is the"
                " sure way back; it holds what was written until it was taken."
            ),
            command=restore_command(seen),
        )
    )
    # From a sound database a repair can go on.
    is_etcds = seen.layout.shape is not Shape.RAFTEXAMPLE
    if is_alone and is_etcds and not has_sound_database(seen):
        steps.append(
            Step(
                text=(
                    "If the repair finds no way and nobody has a snapshot, rescue what can be read,"
                    " also behind damage: as records and, where the files allow it, as a member of"
                    " a new cluster. This directory is only read."
                ),
                command=salvage_command(seen.layout),
            )
        )
    return steps


def restore_command(seen: Survey) -> str:
    """What restores a saved snapshot; the program for that is etcdutl only since 3.5."""
    version = seen.database.cluster_version if seen.database is not None else None
    tool = "ETCDCTL_API=3 etcdctl" if (version or "").startswith("3.4.") else "etcdutl"
    return f"{tool} snapshot restore SNAPSHOT --data-dir NEW-DIRECTORY"


def _other_members_step(size: int) -> Step:
    return Step(
        text=(
            f"The cluster has {size} members. If the others are healthy, replacing this one is the"
            " better way than mending it: they have everything that was acknowledged."
        )
    )


def replace_steps(members: Membership, own_id: int) -> list[Step]:
    """With healthy peers the member is better replaced than mended."""
    own = members.described(own_id)
    view = members.best
    others = [peer.id for peer in view.peers if peer.id != own_id] if view is not None else []
    tool = etcdctl(members, others)
    return [
        Step(
            text="Ask the other members whether they are healthy:",
            command=f"{tool} endpoint status --write-out=table",
        ),
        Step(
            text="If they are, keep this directory aside and take the member out under its own id:",
            command=f"{tool} member remove {own_id:x}",
        ),
        Step(
            text=(
                "and let it join under a new id, with an EMPTY data directory and"
                " --initial-cluster-state=existing; never with this one:"
            ),
            command=f"{tool} member add {_name(own)} --peer-urls={_peer_urls(own)}",
        ),
    ]


def _name(peer: Member) -> str:
    return shlex.quote(peer.name) if peer.name else "NAME"


def _peer_urls(peer: Member) -> str:
    return shlex.quote(",".join(peer.peer_urls)) if peer.peer_urls else "ITS-PEER-URL"

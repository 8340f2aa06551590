"""doctor: the one-screen answer. Who is this, is it whole, what is lost, what now?

Everything is taken from verify's report and the survey behind it; what is new here is the advice:
what to do first, in the order in which a calm colleague would say it.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from walctl.datadir.layout import Shape, understand
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.membership import Membership, membership
from walctl.inspect.report import Report
from walctl.inspect.starts import starts_of
from walctl.inspect.verify import ONE_PROCESS, Depth, copy_command, examine
from walctl.model.finding import Verdict
from walctl.model.member import Member

SPARE_MEMBERS_MIN = 3
"""From this size on the other members are a majority, and a lost one can be replaced from them."""


_ASK_THE_WHOLE = (
    "Whether the server can be started depends on log, snapshots and database together: ask again"
    " with its data directory."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of advice: why, and the command that does it (empty: there is none)."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer for one member. `start` is what a start would do now, by version."""

    report: Report
    membership: Membership
    start: str
    steps: tuple[Step, ...]


def doctor(
    disk: FileSystem,
    path: Path,
    *,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    depth: Depth = ONE_PROCESS,
) -> Diagnosis:
    """Examine `path` and say what to do.

    Raises: WalctlError when it cannot be read.
    """
    layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    examination = examine(disk, layout, depth=depth)
    report, seen = examination.report, examination.survey
    members = membership(seen)
    return Diagnosis(
        report=report,
        membership=members,
        start=report.boots or starts_of(disk, seen),
        steps=tuple(_steps(report, seen, members)),
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
    is_part = seen.layout.shape is not Shape.RAFTEXAMPLE and not (
        seen.layout.is_member and seen.layout.wal_dir is not None
    )
    if report.verdict is Verdict.CLEAN:
        if is_part:
            return [Step(text=f"Nothing is wrong with this part. {_ASK_THE_WHOLE}")]
        return [Step(text="Nothing is wrong here: the server can be started.")]
    if report.verdict is Verdict.HARMLESS:
        codes = sorted({str(finding.code) for finding in report.findings if finding.next})
        start = _ASK_THE_WHOLE if is_part else "The server can be started; nothing is lost by it."
        return [
            Step(
                text=f"{start} What was found means:",
                command=f"walctl explain {codes[0]}",
            )
        ]
    return _steps_of_damage(report, seen, members)


def _steps_of_damage(report: Report, seen: Survey, members: Membership) -> list[Step]:
    path = report.path
    steps = [
        Step(text="Do not start the server: read above what it would do."),
        Step(
            text="Make a copy of everything before anything else, with the server stopped.",
            command=copy_command(path),
        ),
    ]
    size = members.size or 0
    if size >= SPARE_MEMBERS_MIN and members.own_id is not None:
        steps[1:1] = _replace_steps(members, members.own_id, size)
    elif seen.layout.is_member and size == 1:
        steps.append(
            Step(
                text=(
                    "It is the only member, so nobody else has its data. If a snapshot was saved,"
                    " restoring it into a new directory is the sure way back; it holds what was"
                    " written until it was taken."
                ),
                command="etcdutl snapshot restore SNAPSHOT --data-dir NEW-DIRECTORY",
            )
        )
    first = next(iter(report.findings), None)
    damaged = next((f for f in report.findings if f.next and "do not" in f.next), first)
    if damaged is not None:
        steps.append(
            Step(
                text="What was found, why it happens, and what else not to do:",
                command=f"walctl explain {damaged.code}",
            )
        )
    return steps


def _replace_steps(members: Membership, own_id: int, size: int) -> list[Step]:
    """With healthy peers the member is better replaced than mended."""
    own = members.described(own_id)
    view = members.best
    others = [peer.id for peer in view.peers if peer.id != own_id] if view is not None else []
    urls = [url for other in others for url in members.described(other).client_urls]
    endpoints = ",".join(urls) or "URL-OF-A-HEALTHY-MEMBER"
    tool = f"etcdctl --endpoints={shlex.quote(endpoints)}"
    return [
        Step(
            text=(
                f"The cluster has {size} members. If the others are healthy, replacing this one is"
                " the better way: they have everything that was acknowledged. Ask them first:"
            ),
            command=f"{tool} endpoint status --write-out=table",
        ),
        Step(
            text="Then, keeping this directory aside, take the member out under its own id:",
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

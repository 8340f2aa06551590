"""How a diagnosis looks: one screen, most important first; and the same facts as JSON."""

from walctl.inspect.conf_changes import voters_of
from walctl.inspect.doctor import Diagnosis
from walctl.inspect.known_state import KnownState
from walctl.inspect.member_sides import Side, Source
from walctl.inspect.membership import Membership, View
from walctl.model.finding import Severity
from walctl.model.member import Member
from walctl.render import verify
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Screen
from walctl.render.text import counted, hex_id
from walctl.render.verify import COLUMN

MEMBERS_MAX = 20
"""Members that a screen names; clusters have a handful."""
DIFFERENCES_MAX = 3
"""Differences that the line of a place names; the findings name more."""
NOTES_MAX = 3
"""Findings that are only worth knowing, of which more would push the answer off the screen."""


def screenful(screen: Screen, diagnosis: Diagnosis) -> None:
    """The whole answer as text; nothing when the path could not be read."""
    report = diagnosis.report
    if report.error is not None:
        return
    paragraph(screen, verify.headline(report), indent=2, first="", style="bold")
    for severity in (Severity.DAMAGE, Severity.HARMLESS):
        verify.findings(screen, report, severity)
    notes = report.of(Severity.INFO)
    screen.line()
    labelled(screen, "lost", report.lost, column=COLUMN)
    shown = {finding.consequence for finding in report.findings}
    start = "as said above" if diagnosis.start in shown - {""} else diagnosis.start
    labelled(screen, "a start", start, column=COLUMN)
    verify.start_points(screen, report)
    _state(screen, diagnosis)
    _members(screen, diagnosis.membership, diagnosis.sides)
    for note in [
        *report.notes,
        *(f"{each.code} {each.place.segment}: {each.detail}" for each in notes[:NOTES_MAX]),
    ]:
        labelled(screen, "note", note, column=COLUMN)
    if len(notes) > NOTES_MAX:
        labelled(screen, "", f"{len(notes) - NOTES_MAX} more by walctl verify", column=COLUMN)
    screen.line()
    _steps(screen, diagnosis)
    verify.verdict_line(screen, report, shows_next=False)


def _state(screen: Screen, diagnosis: Diagnosis) -> None:
    """What the files amount to, and whether log and database agree on it."""
    state = diagnosis.state
    if state is None:
        return
    if state.hash is None:
        labelled(screen, "state", state.reason, column=COLUMN)
        return
    words = f"revision {state.hash.revision:,}, {counted(state.keys, 'key')}"
    if state.leases:
        words += f", {counted(state.leases, 'lease')}"
    words += f", HashKV {state.hash.hash}, as of entry {state.applied:,}"
    if state.is_agreed is not None:
        told = "equals" if state.is_agreed else "DIFFERS from"
        words += f"; the database {told} what the log makes at {state.agreed_at:,}"
    labelled(screen, "state", words, column=COLUMN)


def _members(screen: Screen, membership: Membership, sides: tuple[Side, ...]) -> None:
    """The best view in full; and how the others differ from it, place by place where the index
    does not explain it."""
    best = membership.best
    if best is None:
        return
    for number, peer in enumerate(best.peers[:MEMBERS_MAX]):
        known = membership.described(peer.id)
        label = "members" if number == 0 else ""
        labelled(screen, label, _peer(known, membership.own_id), column=COLUMN)
    if any(side.differences for side in sides):
        _sides(screen, sides)
        return
    differing = [view for view in membership.views[1:] if view.voters != best.voters]
    for view in differing:
        ids = ", ".join(hex_id(each) for each in sorted(view.voters)) or "nobody"
        when = f" as of {view.index}" if view.index is not None else ""
        text = f"the {view.source}{when} has other voters: {ids}"
        labelled(screen, "", text, column=COLUMN)


def _sides(screen: Screen, sides: tuple[Side, ...]) -> None:
    """A line for each place: its name, the entry it is as of, and what it has otherwise."""
    names = max(len(side.source) for side in sides)
    indexes = max(len(str(side.said.index)) for side in sides)
    for number, side in enumerate(sides):
        text = f"{side.source:<{names}}  {side.said.index:>{indexes}}  {_side(side)}"
        labelled(screen, "places" if number == 0 else "", text, column=COLUMN)


def _side(side: Side) -> str:
    found = [
        f"{hex_id(each.member)} is {each.said}, not {each.expected}"
        for each in side.differences[:DIFFERENCES_MAX]
    ]
    if len(side.differences) > DIFFERENCES_MAX:
        found.append(f"{len(side.differences) - DIFFERENCES_MAX} more")
    if found:
        return "; ".join(found)
    if side.source is Source.LOG:
        learners = len(side.said.conf.learners)
        behind = f", {counted(learners, 'learner')}" if learners else ""
        return f"{counted(len(voters_of(side.said.conf)), 'voter')}{behind}"
    return "cannot be compared" if side.expected is None else "as it should be"


def _peer(peer: Member, own_id: int | None) -> str:
    parts = [hex_id(peer.id), peer.name or "(no name)"]
    parts.append(",".join(peer.peer_urls) or "(no URL)")
    if peer.is_learner:
        parts.append("learner")
    if peer.id == own_id:
        parts.append("← this one")
    return "  ".join(parts)


def _steps(screen: Screen, diagnosis: Diagnosis) -> None:
    for number, step in enumerate(diagnosis.steps, start=1):
        label = "what now" if number == 1 else ""
        count = f"{number}. " if len(diagnosis.steps) > 1 else ""
        labelled(screen, label, f"{count}{step.text}", column=COLUMN)
        if step.command:
            # A command is one line however narrow the screen is, so that it can be copied.
            screen.line(" " * COLUMN + "   " + step.command, style="cyan")


def document(diagnosis: Diagnosis) -> dict[str, object]:
    """A diagnosis for JSON: verify's report, and what doctor adds to it."""
    members = diagnosis.membership
    return {
        "v": 1,
        "report": verify.report_document(diagnosis.report),
        "start": diagnosis.start,
        "membership": {
            "own_id": None if members.own_id is None else hex_id(members.own_id),
            "views": [_view_document(view) for view in members.views],
            "places": [_side_document(side) for side in diagnosis.sides],
        },
        "state": _state_document(diagnosis.state),
        "steps": [{"text": step.text, "command": step.command} for step in diagnosis.steps],
    }


def _state_document(state: KnownState | None) -> dict[str, object] | None:
    if state is None:
        return None
    found = state.hash
    return {
        "applied_index": state.applied if found is not None else None,
        "revision": None if found is None else found.revision,
        "compact_revision": None if found is None else found.compacted,
        "keys": state.keys if found is not None else None,
        "leases": state.leases if found is not None else None,
        "hash": None if found is None else found.hash,
        "database_agrees": state.is_agreed,
        "reason": state.reason,
    }


def _view_document(view: View) -> dict[str, object]:
    return {
        "source": view.source,
        "index": view.index,
        "members": [
            {
                "id": hex_id(peer.id),
                "name": peer.name,
                "peer_urls": list(peer.peer_urls),
                "client_urls": list(peer.client_urls),
                "is_learner": peer.is_learner,
            }
            for peer in view.peers
        ],
    }


def _side_document(side: Side) -> dict[str, object]:
    said = side.said
    return {
        "source": side.source,
        "segment": side.place.segment,
        "index": said.index,
        "voters": [hex_id(each) for each in sorted(voters_of(said.conf))],
        "learners": [hex_id(each) for each in sorted(said.conf.learners)],
        "removed": [hex_id(each) for each in sorted(said.removed)] if said.is_told else None,
        "is_compared": side.expected is not None,
        "differences": [
            {
                "trait": each.trait,
                "member": hex_id(each.member),
                "said": each.said,
                "expected": each.expected,
            }
            for each in side.differences
        ],
    }

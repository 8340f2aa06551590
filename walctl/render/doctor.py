"""How a diagnosis looks: one screen, most important first; and the same facts as JSON."""

from walctl.inspect.doctor import Diagnosis
from walctl.inspect.known_state import KnownState
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
    _members(screen, diagnosis.membership)
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


def _members(screen: Screen, membership: Membership) -> None:
    """The best view in full, and how the others differ from it."""
    best = membership.best
    if best is None:
        return
    for number, peer in enumerate(best.peers[:MEMBERS_MAX]):
        known = membership.described(peer.id)
        label = "members" if number == 0 else ""
        labelled(screen, label, _peer(known, membership.own_id), column=COLUMN)
    differing = [view for view in membership.views[1:] if view.voters != best.voters]
    for view in differing:
        ids = ", ".join(hex_id(each) for each in sorted(view.voters)) or "nobody"
        when = f" as of {view.index}" if view.index is not None else ""
        text = f"the {view.source}{when} has other voters: {ids}"
        labelled(screen, "", text, column=COLUMN)


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

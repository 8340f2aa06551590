"""How a verify report looks: most important first, and the same facts as JSON."""

from walctl.inspect.document import finding_document
from walctl.inspect.report import Gate, Report, StartPoint, Summary
from walctl.model.finding import Finding, Severity, Verdict
from walctl.render import checksums
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Output, Screen
from walctl.render.text import counted, hex_id, index_range

COLUMN = 14
_STYLES = {Severity.DAMAGE: "bold red", Severity.HARMLESS: "yellow", Severity.INFO: "dim"}
_HEADINGS = {
    Severity.DAMAGE: "DAMAGED",
    Severity.HARMLESS: "HARMLESS",
    Severity.INFO: "note",
}
_FOLLOWS = {
    Verdict.CLEAN: "",
    Verdict.HARMLESS: ": safe to start the server",
    Verdict.DAMAGED: ": do not start the server",
}
POINTS_MAX = 4
"""Start points that a screen names."""
SHOWN_MAX = 20
"""Findings of one severity that a screen shows; JSON has them all."""


def show(screen: Screen, reports: list[Report], gate: Gate | None = None) -> None:
    """All reports in the screen's form, and what a gate says; ndjson has a line for each path."""
    if screen.output == Output.NDJSON:
        for report in reports:
            screen.row({"v": 1, **report_document(report)})
    else:
        screen.show(
            reports,
            text=lambda screen, reports: table(screen, reports, gate),
            document=lambda reports: document(reports, gate),
        )


def table(screen: Screen, reports: list[Report], gate: Gate | None = None) -> None:
    """Every report, one below the other."""
    for number, report in enumerate(reports):
        if number:
            screen.line()
        one(screen, report, gate)
    if gate is not None:
        gate_line(screen, gate)


def one(screen: Screen, report: Report, gate: Gate | None = None) -> None:
    """One report on a screen."""
    if report.error is not None:
        return
    paragraph(screen, headline(report), indent=2, first="", style="bold")
    for severity in (Severity.DAMAGE, Severity.HARMLESS, Severity.INFO):
        findings(screen, report, severity)
    screen.line()
    if report.boots and not any(report.boots == each.consequence for each in report.findings):
        labelled(screen, "etcd", report.boots, column=COLUMN)
    labelled(screen, "lost", report.lost, column=COLUMN)
    start_points(screen, report)
    for note in report.notes:
        labelled(screen, "note", note, column=COLUMN)
    if report.comparison is not None:
        checksums.lines(screen, report.comparison, column=COLUMN)
    verdict_line(screen, report, gate=gate)


def headline(report: Report) -> str:
    """Who this is, and how far its log and database reach, in one sentence."""
    summary = report.summary
    if summary is None:
        return str(report.path)
    who = []
    if summary.version:
        who.append(f"etcd {short_version(summary.version)}")
    if summary.node_id is not None:
        who.append(f"member {hex_id(summary.node_id)}")
        who.append(f"cluster {hex_id(summary.cluster_id)}")
    parts = [f"{report.path}: {report.understood_as}"]
    if who:
        parts.append(", ".join(who))
    parts.append(extent(summary))
    return "; ".join(parts)


def extent(summary: Summary) -> str:
    """How far the parts reach: segments, log, database."""
    parts = []
    if summary.segments or summary.first_index is not None:
        parts.append(counted(summary.segments, "segment"))
    if summary.first_index is not None:
        holes = ""
        if summary.holes:
            holes = " with a hole" if summary.holes == 1 else f" with {summary.holes} holes"
        parts.append(f"log {index_range(summary.first_index, summary.last_index)}{holes}")
    if summary.hard_state is not None:
        parts.append(f"term {summary.hard_state.term}, commit {summary.hard_state.commit}")
    if not summary.segments and summary.snapshots:
        parts.append(f"snapshot {summary.snapshots[0][0]}, term {summary.snapshots[0][1]}")
    if summary.applied_index is not None:
        parts.append(f"database at {summary.applied_index}")
    return ", ".join(parts) or "nothing in it"


def findings(screen: Screen, report: Report, severity: Severity) -> None:
    """The findings of one severity, with evidence and consequence."""
    found = report.of(severity)
    shown_consequences: set[str] = set()
    for finding in found[:SHOWN_MAX]:
        screen.line()
        heading = f"{_HEADINGS[severity]:<9}{finding.code}"
        paragraph(
            screen, f"{heading}{_where(finding)}", indent=9, first="", style=_STYLES[severity]
        )
        paragraph(screen, finding.detail, indent=9)
        if finding.consequence and finding.consequence not in shown_consequences:
            shown_consequences.add(finding.consequence)
            labelled(screen, "  etcd", finding.consequence, column=9)
    if len(found) > SHOWN_MAX:
        screen.line()
        screen.line(f"{len(found) - SHOWN_MAX:,} more are in the output of -o json")


def _where(finding: Finding) -> str:
    place = finding.place
    parts = ""
    if place.segment is not None:
        parts = f" at {place.segment}"
        if place.offset is not None:
            parts += f":{place.offset}"
    if place.index is not None:
        parts += f" (index {place.index})"
    return parts


def start_points(screen: Screen, report: Report) -> None:
    """From where the member could start; the ones that something blocks, with what does."""
    points = report.start_points
    if not points:
        return
    usable = [point for point in points if point.usable]
    text = ", ".join(_point(point) for point in usable[:POINTS_MAX]) or "none"
    if len(usable) > POINTS_MAX:
        text += f", and {len(usable) - POINTS_MAX} older"
    if usable and usable[0].set_aside:
        count = len(usable[0].set_aside)
        text += f", once the {count} newer .snap" + (" is" if count == 1 else " files are")
        text += " moved out of snap/"
    blocked = [point for point in points if not point.usable]
    if blocked:
        names = ", ".join(_point_name(point) for point in blocked[:POINTS_MAX])
        if len(blocked) > POINTS_MAX:
            names += f" and {len(blocked) - POINTS_MAX} more"
        text += f"; blocked: {names} (by {', '.join(blocked[0].blocked_by)})"
    labelled(screen, "start points", text, column=COLUMN)


def _point_name(point: StartPoint) -> str:
    return "the log's beginning" if point.snapshot_index == 0 else str(point.snapshot_index)


def _point(point: StartPoint) -> str:
    name = _point_name(point)
    return f"{name} (on to {point.last_index})" if point.last_index else name


def verdict_line(
    screen: Screen, report: Report, *, gate: Gate | None = None, shows_next: bool = True
) -> None:
    """The next thing to do, the verdict, the exit status (a gate has its own line)."""
    following = [each.next for each in report.of(Severity.DAMAGE) if each.next]
    following += [each.next for each in report.of(Severity.HARMLESS) if each.next]
    if following and shows_next:
        labelled(screen, "next", following[0], column=COLUMN)
    words = verdict_words(report)
    style = {Verdict.DAMAGED: "bold red", Verdict.HARMLESS: "yellow"}.get(report.verdict, "green")
    status = "" if gate is not None else f"exit {int(report.exit_status)}"
    gap = screen.width - COLUMN - len(words) - len(status)
    if gap < 1:
        labelled(screen, "verdict", f"{words}, {status}".rstrip(", "), column=COLUMN)
    else:
        line = f"{'verdict'.ljust(COLUMN)}{words}{' ' * gap}{status}"
        screen.line(line.rstrip(), style=style)


def verdict_words(report: Report) -> str:
    """The verdict, and what follows from it for one who wants to start the server."""
    words = str(report.verdict)
    if report.is_moving:
        words += ", as of a moment: a server is at work here"
    elif report.is_member and not (report.is_unlike_list and report.verdict is Verdict.HARMLESS):
        words += _FOLLOWS[report.verdict]
    if report.is_unlike_list:
        words += ", but not as listed" if report.verdict is Verdict.CLEAN else ", and not as listed"
    if report.is_partial:
        words += " (only a part was read)"
    return words


def gate_line(screen: Screen, gate: Gate) -> None:
    """What a gate answers, with the status that the command ends with."""
    answer = "start" if gate.is_open else "do not start"
    reason = f": {gate.reason}" if gate.reason else ""
    labelled(screen, "gate", f"{answer}{reason} (exit {int(gate.status)})", column=COLUMN)


def document(reports: list[Report], gate: Gate | None = None) -> dict[str, object]:
    """All reports for JSON, and what a gate says of them where one was asked for."""
    found: dict[str, object] = {
        "v": 1,
        "reports": [report_document(report) for report in reports],
    }
    if gate is not None:
        found["gate"] = {
            "open": gate.is_open,
            "exit": int(gate.status),
            "reason": gate.reason or None,
        }
    return found


def report_document(report: Report) -> dict[str, object]:
    """One report for JSON; a path that could not be read has an `error`, and no verdict."""
    return {
        "path": str(report.path),
        "error": report.error,
        "understood_as": report.understood_as or None,
        "verdict": None if report.error is not None else str(report.verdict),
        "partial": report.is_partial,
        "moving": report.is_moving,
        "summary": summary_document(report.summary),
        "findings": [finding_document(finding) for finding in report.findings],
        "start_points": [_point_document(point) for point in report.start_points],
        "start": report.boots,
        "lost": report.lost,
        "notes": list(report.notes),
        "manifest": checksums.document(report.comparison),
    }


def summary_document(summary: Summary | None) -> dict[str, object] | None:
    """The figures for JSON; ids are hex strings."""
    if summary is None:
        return None
    state = summary.hard_state
    return {
        "segments": summary.segments,
        "holes": summary.holes,
        "records": summary.records,
        "entries": summary.entries,
        "bytes": summary.bytes,
        "first_index": summary.first_index,
        "last_index": summary.last_index,
        "hard_state": None
        if state is None
        else {"term": state.term, "vote": f"{state.vote:x}", "commit": state.commit},
        "metadata": None
        if summary.node_id is None
        else {"node_id": hex_id(summary.node_id), "cluster_id": hex_id(summary.cluster_id)},
        "snapshots": [{"index": index, "term": term} for index, term in summary.snapshots],
        "database": None
        if summary.applied_index is None
        else {"applied_index": summary.applied_index, "term": summary.applied_term},
        "version": summary.version,
    }


def _point_document(point: StartPoint) -> dict[str, object]:
    return {
        "snapshot_index": point.snapshot_index,
        "snapshot_term": point.snapshot_term,
        "last_index": point.last_index,
        "usable": point.usable,
        "blocked_by": list(point.blocked_by),
        "set_aside": list(point.set_aside),
    }


def short_version(version: str) -> str:
    """`3.5` for the cluster version `3.5.0`, whose last number is always 0."""
    return version.removesuffix(".0")

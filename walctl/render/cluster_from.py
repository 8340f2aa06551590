"""How a lab that was made from copies looks: who came from where, what each will do, what next."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from walctl.cluster.copying.forecast import Outcome
from walctl.cluster.copying.making import Copied, Made
from walctl.cluster.copying.planning import Net
from walctl.inspect.advice import path_word
from walctl.model.finding import Verdict
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Screen
from walctl.render.text import counted, hex_id

COLUMN = 11
_STYLES = {
    Outcome.STARTS: "green",
    Outcome.REPAIRS: "yellow",
    Outcome.BEGINS_ANEW: "yellow",
    Outcome.PANICS: "bold red",
    Outcome.DOES_NOT_START: "bold red",
}


def show(screen: Screen, made: Made) -> None:
    """The lab in the screen's form."""
    screen.show(made, text=text, document=document)


def text(screen: Screen, made: Made) -> None:
    """The members with their forecasts, the network, and what to type next."""
    cluster = made.copies[0].original.cluster_id
    whose = "raftexample" if cluster is None else f"cluster {hex_id(cluster)}"
    voters = max(made.copies, key=lambda each: each.original.survey.commit).original.voters
    here = {each.original.member_id for each in made.copies} & voters
    count = f"{len(here)} of {counted(len(voters), 'voter')}" if voters else "voters unknown"
    paragraph(screen, f"{whose}, {count}, engine {made.lab.engine}", indent=2, first="")
    for copied in made.copies:
        screen.line()
        paragraph(screen, _member(copied), indent=COLUMN, first=copied.node.name.ljust(COLUMN))
        style = _STYLES[copied.forecast.outcome]
        paragraph(screen, _forecast(copied), indent=COLUMN, style=style)
        for line in _notes(copied):
            paragraph(screen, line, indent=COLUMN)
    screen.line()
    for line in made.warnings:
        labelled(screen, "warning", line, column=COLUMN)
    labelled(screen, "network", _network(made), column=COLUMN)
    files = sum(len(each.prints) for each in made.copies)
    kept = f"unchanged, by the hashes of {counted(files, 'file')}, which are in lab.json"
    labelled(screen, "originals", kept, column=COLUMN)
    labelled(screen, "next", f"`walctl cluster up {path_word(made.lab.path)}`", column=COLUMN)


def _member(copied: Copied) -> str:
    original = copied.original
    survey = original.survey
    applied = "unknown" if survey.applied is None else str(survey.applied)
    verdict = original.verdict
    shown = str(verdict).upper() if verdict is Verdict.DAMAGED else str(verdict)
    return (
        f"{hex_id(original.member_id)}, last {survey.last_index or 0}, commit {survey.commit},"
        f" applied {applied}, {shown}: {original.path}"
    )


def _forecast(copied: Copied) -> str:
    return f"{copied.forecast.by} {copied.forecast.sentence}"


def _notes(copied: Copied) -> Iterator[str]:
    """What the copy has not of the original."""
    if copied.cut is not None:
        segment, offset = copied.cut
        yield f"the copy of {segment} was cut at byte {offset}, as its first start would do"
    if copied.left_out:
        yield f"not copied, since no start reads it: {', '.join(copied.left_out)}"


def _network(made: Made) -> str:
    if made.net is Net.NAMESPACE:
        addresses = ", ".join((made.lab.origin or {}).get("addresses", [])) or "127.0.0.1"
        return f"closed: a network namespace of its own with {addresses} on its loopback device"
    words = "other addresses: every URL in the copies is the lab's, and nothing else was found"
    return f"{words} ({made.reason})" if made.reason else words


def document(made: Made) -> dict[str, Any]:
    """The lab for JSON."""
    return {
        "v": 1,
        "lab": str(made.lab.path),
        "engine": str(made.lab.engine),
        "program": made.lab.program,
        "net": str(made.net),
        "net_reason": made.reason,
        "warnings": list(made.warnings),
        "members": [_document(each) for each in made.copies],
        "next": f"walctl cluster up {path_word(Path(made.lab.path))}",
    }


def _document(copied: Copied) -> dict[str, Any]:
    original, node = copied.original, copied.node
    survey, cluster = original.survey, original.cluster_id
    return {
        "name": node.name,
        "path": str(original.path),
        "member_id": f"{original.member_id:x}",
        "cluster_id": None if cluster is None else f"{cluster:x}",
        "peer_urls": list(original.member.peer_urls),
        "first_index": survey.log.first,
        "last_index": survey.last_index,
        "commit_index": survey.commit,
        "applied_index": survey.applied,
        "verdict": str(original.verdict),
        "forecast": copied.forecast.document,
        "client_port": node.client_port,
        "peer_port": node.peer_port,
        "proxy_port": node.proxy_port,
        "peer_url": node.peer_url,
        "copy": "reflink" if copied.is_shared else "full",
        "cut": None if copied.cut is None else {"segment": copied.cut[0], "offset": copied.cut[1]},
        "left_out": list(copied.left_out),
        "files": len(copied.prints),
    }

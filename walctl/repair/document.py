"""A plan as JSON and back; what `repair -o json` prints and `--plan FILE` holds.

    {"v": 1,
     "plan": {"class", "strategy", "summary", "accept", "verify_status",
              "bound": {"directory", "wal", "snap", "files": {NAME: {"size", "sha256"}}},
              "peers": {"peer1": …}, "steps": […], "certificate": {…}, "options": […]},
     "seal": SHA-256 of the plan}

Bytes are base64. A plan that comes back is a stranger: it may have been cut off, edited or made up,
and is about to change somebody's only copy; so `stated` holds every part of it against what a plan
can be. The seal is no signature: it tells an edited plan from one that walctl made, so that nobody
weakens one without noticing.
"""

import base64
import hashlib
import json

from walctl.errors import UnsupportedError, UsageError, WalctlError
from walctl.repair.pieces import Copy, Literal, Piece, Rebuild, Rechain
from walctl.repair.plan import Bound, Certificate, Plan, Stamp, Step
from walctl.repair.stated import NUMBER_MAX, plan_of_part
from walctl.repair.strict import Part, parsed

VERSION = 1
PLAN_BYTES_MAX = 128 << 20
"""Longest plan that is read; one with all its literals has some kilobytes."""


def plan_document(plan: Plan) -> dict[str, object]:
    """A plan for JSON, with its version and seal."""
    inside: dict[str, object] = {
        "class": str(plan.plan_class),
        "strategy": plan.strategy,
        "summary": plan.summary,
        "accept": plan.accept,
        "leaves": list(plan.leaves),
        "verify_status": int(plan.verify_status),
        "bound": bound_document(plan.bound),
        "peers": {name: bound_document(peer) for name, peer in plan.peers.items()},
        "steps": [_step_document(step) for step in plan.steps],
        "certificate": _certificate_document(plan.certificate),
        "options": [
            {
                "name": option.name,
                "possible": option.is_possible,
                "words": option.words,
                "commands": list(option.commands),
            }
            for option in plan.options
        ],
    }
    return {"v": VERSION, "plan": inside, "seal": _seal(inside)}


def plan_text(plan: Plan) -> bytes:
    """A plan as the bytes of a file; the same plan gives the same bytes."""
    return json.dumps(plan_document(plan), indent=2, allow_nan=False).encode("ascii") + b"\n"


def plan_of_text(text: bytes, *, name: str = "plan") -> Plan:
    """The plan in a file's bytes; `name` is the file's, for the message. Raises: as `plan_of`."""
    try:
        return plan_of(parsed(text))
    except WalctlError as error:
        raise type(error)(f"{name}: {error.message}") from error


def plan_of(document: object) -> Plan:
    """The plan that a document holds.

    What an application printed (`-o json`) is taken too: what stands beside the plan is not read.
    Raises: UsageError, with place, expected and found; UnsupportedError, for another version.
    """
    if not isinstance(document, dict) or not {"v", "plan", "seal"} <= document.keys():
        raise UsageError("not a plan of walctl: expected an object with v, plan and seal")
    if type(document["v"]) is not int or document["v"] != VERSION:
        Part(document["v"], "v").integer(0, NUMBER_MAX)
        raise UnsupportedError(
            f"v: this version of walctl reads plans of version {VERSION}, found {document['v']}"
        )
    plan = plan_of_part(Part(document["plan"], ""))
    if document["seal"] != _seal(document["plan"]):
        raise UsageError(
            "seal: does not fit: this plan was changed after walctl made it; make it anew"
        )
    return plan


def bound_document(bound: Bound) -> dict[str, object]:
    """What a plan or receipt is bound to, for JSON."""
    return {
        "directory": str(bound.directory),
        "wal": None if bound.wal is None else str(bound.wal),
        "snap": None if bound.snap is None else str(bound.snap),
        "files": {name: stamp_document(stamp) for name, stamp in bound.files.items()},
    }


def stamp_document(stamp: Stamp | None) -> dict[str, object] | None:
    """A file's size and hash for JSON."""
    return None if stamp is None else {"size": stamp.size, "sha256": stamp.sha256}


def _step_document(step: Step) -> dict[str, object]:
    return {
        "act": str(step.act),
        "file": step.file,
        "target": step.target,
        "reason": step.reason,
        "words": step.words,
        "size": step.size,
        "before": stamp_document(step.before),
        "after": stamp_document(step.after),
        "pieces": [_piece_document(piece) for piece in step.pieces],
        "changes": [
            {"offset": each.offset, "was": _base64(each.was), "now": _base64(each.now)}
            for each in step.changes
        ],
        "drops": [
            {
                "kind": each.kind,
                "count": each.count,
                "first": each.first,
                "last": each.last,
                "term": each.term,
                "readable": each.is_readable,
                "kept_by": each.kept_by,
            }
            for each in step.drops
        ],
        "synthetic": [
            {"kind": each.kind, "words": each.words, "index": each.index, "term": each.term}
            for each in step.synthetic
        ],
    }


def _piece_document(piece: Piece) -> dict[str, object]:
    match piece:
        case Literal():
            return {"kind": "literal", "data": _base64(piece.data)}
        case Copy():
            return {
                "kind": "copy",
                "source": piece.source,
                "start": piece.start,
                "stop": piece.stop,
            }
        case Rechain():
            return {
                "kind": "rechain",
                "source": piece.source,
                "start": piece.start,
                "stop": piece.stop,
                "types": list(piece.types),
                "seed": piece.seed,
            }
        case Rebuild():
            rows = [
                {
                    "bucket": _base64(row.bucket),
                    "key": _base64(row.key),
                    "value": None if row.value is None else _base64(row.value),
                }
                for row in piece.rows
            ]
            return {
                "kind": "rebuild",
                "source": piece.source,
                "cleared": [_base64(bucket) for bucket in piece.cleared],
                "rows": rows,
            }


def _certificate_document(certificate: Certificate) -> dict[str, object]:
    return {
        "kept": certificate.kept,
        "witnessed": certificate.witnessed,
        "end_known": certificate.is_end_known,
        "words": list(certificate.words),
        "testimonies": [
            {
                "source": each.source,
                "says": str(each.says),
                "index": each.index,
                "term": each.term,
                "place": each.place,
                "words": each.words,
            }
            for each in certificate.testimonies
        ],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _seal(inside: object) -> str:
    text = json.dumps(inside, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()

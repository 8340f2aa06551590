"""A salvage as plain values: what `report.json` and `-o json` hold."""

from walctl.inspect.counting.tally import Row
from walctl.inspect.document import Document, finding_document, node_document
from walctl.payload.base import Redaction, key_blob
from walctl.repair.coverage import Coverage, Missing
from walctl.repair.salvage import RECORDS, REPORT, Salvage
from walctl.repair.survivor import Survivor


def salvage_document(salvage: Salvage, redaction: Redaction = Redaction.AUTH) -> Document:
    """All of it; ids are hex strings, prefixes of keys as dump has keys."""
    report = salvage.report
    left_out = salvage.left_out
    return {
        "v": 1,
        "path": str(salvage.path),
        "understood_as": report.understood_as,
        "target": str(salvage.target),
        "files": {"records": RECORDS, "report": REPORT},
        "verdict": str(report.verdict),
        "findings": [finding_document(each) for each in report.findings],
        "member_id": _hex(salvage.old_node_id),
        "cluster_id": _hex(salvage.old_cluster_id),
        "cluster_size": salvage.cluster_size,
        "coverage": coverage_document(salvage.coverage, redaction),
        "survivor": None if salvage.survivor is None else survivor_document(salvage.survivor),
        "left_out": None if left_out is None else {"first": left_out[0], "last": left_out[1]},
        "lost": [_missing(each, redaction) for each in salvage.lost],
        "refusals": list(salvage.refusals),
        "not_taken": list(salvage.why_this),
    }


def coverage_document(found: Coverage, redaction: Redaction) -> Document:
    """What can be read and what is missing."""
    return {
        "entries": found.entries,
        "readable": [
            {
                "first": each.first,
                "last": each.last,
                "term": each.term,
                "status": each.status,
                "check": str(each.check),
                "mended": each.is_mended,
                "segment": each.segment,
                "offset": each.offset,
            }
            for each in found.readable
        ],
        "missing": [_missing(each, redaction) for each in found.missing],
        "missing_cut": found.is_cut,
        "doubtful": [
            {
                "index": each.index,
                "term": each.term,
                "segment": each.segment,
                "offset": each.offset,
                "code": each.words,
            }
            for each in found.doubtful
        ],
        "prefixes": _prefixes(found.prefixes, redaction),
        "prefixes_approximate": found.is_approximate,
        "undecodable": found.undecodable,
    }


def survivor_document(survivor: Survivor) -> Document:
    """The member that was made, and all of it that nobody wrote before."""
    foundation = survivor.foundation
    return {
        "directory": str(survivor.folder),
        "ground": str(foundation.ground),
        "base": {
            "index": foundation.index,
            "term": foundation.term,
            "term_proven": foundation.is_term_proven,
        },
        "first": survivor.first,
        "last": survivor.last,
        "term": survivor.term,
        "member_id": _hex(survivor.node_id),
        "cluster_id": _hex(survivor.cluster_id),
        "kept": survivor.kept,
        "uncommitted": survivor.uncommitted,
        "unproven": survivor.unproven,
        "mended": survivor.mended,
        "leases_behind": survivor.leases_behind,
        "ends": foundation.ends or None,
        "holes": [
            {"first": each.first, "last": each.last, "term": each.term} for each in foundation.holes
        ],
        "synthetic": [
            {
                "kind": each.kind,
                "first": each.first,
                "last": each.last,
                "term": each.term,
                "words": each.words,
            }
            for each in survivor.invented
        ],
    }


def _missing(each: Missing, redaction: Redaction) -> Document:
    return {
        "first": each.first,
        "last": each.last,
        "cause": each.cause,
        "effect": str(each.effect),
        "kept_to": each.kept_to,
        "term_before": each.term_before,
        "term_after": each.term_after,
        "segment": each.segment,
        "offset": each.offset,
        "bridged": each.is_bridged,
        "near": _prefixes(each.near, redaction),
    }


def _prefixes(rows: tuple[Row[bytes], ...], redaction: Redaction) -> list[Document]:
    return [
        {
            "prefix": node_document(key_blob(row.name), redaction),
            "writes": row.writes,
            "deletes": row.deletes,
            "bytes": row.bytes,
            "missing_max": row.missing_max,
        }
        for row in rows
    ]


def _hex(value: int | None) -> str | None:
    return None if value is None else f"{value:x}"

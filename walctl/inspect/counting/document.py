"""The stable JSON of stats, as plain values; see walctl-stats(1). What a redaction hides stays out.

    {"v":1,"reports":[{"path":…,"error":null,"log":{…},"records":[…],"requests":[…],
     "prefixes":{…},"keys":{…},"leases":{…},"churn":{…},"sizes":[…],"limits":{…},"biggest":[…],
     "terms":[…],"timeline":[…],"segments":[…]}]}

`bytes` of records, requests, terms and segments are those of whole frames; of prefixes, keys and
leases those of keys and values. Where a tally is `approximate`, `missing_max` says by how much the
figure that a row is ranked by may be too low.
"""

from walctl.inspect.counting.figures import (
    RECORD_BYTES_OLD,
    REQUEST_BYTES_DEFAULT,
    STATE,
    Amount,
    Event,
    Figures,
    TermFigures,
)
from walctl.inspect.counting.prefix import KEY_BYTES_MAX
from walctl.inspect.counting.tally import Row, Tally
from walctl.inspect.document import Document, node_document
from walctl.inspect.stats import BigEntry, SegmentFigures, Stats
from walctl.payload.base import Blob, Redaction, key_blob

KEYS_TOLD = 3
"""Keys of one big entry that are named."""


def stats_document(stats: Stats, redaction: Redaction = Redaction.AUTH) -> Document:
    """One report for JSON; a path that could not be read has an `error`, and no figures."""
    head: Document = {"path": str(stats.path), "error": stats.error}
    if stats.error is not None:
        return head
    figures, top = stats.figures, stats.wish.top
    return head | {
        "understood_as": stats.understood_as,
        "start": stats.start,
        "stop": stats.stop,
        "moving": stats.is_moving,
        "metadata": None
        if stats.node_id is None
        else {"node_id": f"{stats.node_id:x}", "cluster_id": f"{stats.cluster_id or 0:x}"},
        "damage": {"places": stats.damages, "bytes": stats.damaged_bytes},
        "log": _log(stats),
        "records": _amounts(figures.records),
        "requests": _amounts(figures.requests),
        "prefixes": {
            "separator": node_document(Blob(stats.wish.rule.separator), redaction),
            "depth": stats.wish.rule.depth,
            **_tally(figures.prefixes),
            "top": [_key_row("prefix", row, redaction) for row in figures.prefixes.top(top)],
        },
        "keys": {
            **_tally(figures.keys),
            "top": [_key_row("key", row, redaction) for row in figures.keys.top(top)],
        },
        "leases": {
            **_tally(figures.leases),
            "top": [
                {"lease": lease_id(row.name), **_columns(row)} for row in figures.leases.top(top)
            ],
        },
        "churn": _churn(figures),
        "sizes": [
            {"from": size_range(bits)[0], "to": size_range(bits)[1], **_amount(amount)}
            for bits, amount in sorted(figures.sizes.items())
        ],
        "limits": _limits(figures),
        "biggest": [_big(each, redaction) for each in stats.biggest],
        "terms": [_term(term, each) for term, each in sorted(figures.terms.items())],
        "terms_left": figures.terms_left,
        "timeline": [event_document(event) for event in figures.events],
        "timeline_left": figures.events_left,
        "segments": [_segment(each) for each in stats.segments],
    }


def size_range(bits: int) -> tuple[int, int]:
    """The smallest and largest size of a payload with so many bits in its size."""
    return (1 << bits >> 1, (1 << bits) - 1)


def lease_id(value: int) -> str:
    """A lease as etcd's tools name it: the hex of a signed number."""
    return f"{value - (1 << 64) if value >> 63 else value:x}"


def ranked(amounts: dict[str, Amount]) -> list[tuple[str, Amount]]:
    """Most bytes first; of equal ones by name."""
    return sorted(amounts.items(), key=lambda item: (-item[1].bytes, item[0]))


def bytes_per_write(figures: Figures) -> float | None:
    """Bytes of the log for each request that asks for a change of keys."""
    writes = figures.churn.writes
    return round(figures.all_records.bytes / writes, 1) if writes else None


def event_document(event: Event) -> Document:
    """One step of the timeline for JSON; ids are hex strings."""
    what: Document = {
        "event": event.kind,
        "index": event.index,
        "term": event.term,
        "segment": event.segment,
        "offset": event.offset,
    }
    if event.kind == STATE:
        return what | {"vote": f"{event.vote:x}", "commit": event.commit}
    return what | {"empty": event.is_empty}


def _log(stats: Stats) -> Document:
    figures = stats.figures
    return {
        "segments": len(stats.segments),
        "records": figures.all_records.count,
        "bytes": figures.all_records.bytes,
        "entries": figures.entries.count,
        "entry_bytes": figures.entries.bytes,
        "payload_bytes": figures.payload_bytes,
        "padding_bytes": figures.padding_bytes,
        "file_bytes": sum(each.size for each in stats.segments),
        "unused_bytes": sum(each.size - each.end for each in stats.segments),
        "first_index": figures.first_index or None,
        "last_index": figures.last_index or None,
        "overwritten": figures.overwritten,
        "undecodable": figures.undecodable,
    }


def _amount(amount: Amount) -> Document:
    return {"count": amount.count, "bytes": amount.bytes}


def _amounts(amounts: dict[str, Amount]) -> list[Document]:
    return [{"type": name, **_amount(amount)} for name, amount in ranked(amounts)]


def _tally(tally: Tally[bytes] | Tally[int]) -> Document:
    puts, deletes, size = tally.total()
    return {
        "approximate": tally.is_approximate,
        "different": None if tally.is_approximate else len(tally.rows),
        "puts": puts,
        "deletes": deletes,
        "bytes": size,
    }


def _columns(row: Row[bytes] | Row[int]) -> Document:
    return {
        "puts": row.writes,
        "deletes": row.deletes,
        "bytes": row.bytes,
        "missing_max": row.missing_max,
    }


def _key_row(name: str, row: Row[bytes], redaction: Redaction) -> Document:
    key = node_document(key_blob(row.name), redaction)
    return {name: key, "cut": len(row.name) >= KEY_BYTES_MAX, **_columns(row)}


def _churn(figures: Figures) -> Document:
    churn = figures.churn
    return {
        "puts": churn.puts,
        "deletes": churn.deletes,
        "range_deletes": churn.range_deletes,
        "write_requests": churn.writes,
        "bytes_per_write_request": bytes_per_write(figures),
        "lease_grants": churn.granted,
        "lease_revokes": churn.revoked,
        "lease_checkpoints": churn.checkpoints,
    }


def _limits(figures: Figures) -> Document:
    limits = figures.limits
    return {
        "request_bytes_default": REQUEST_BYTES_DEFAULT,
        "requests_near": limits.requests_near,
        "requests_beyond": limits.requests_beyond,
        "record_bytes_old": RECORD_BYTES_OLD,
        "records_near": limits.records_near,
        "records_beyond": limits.records_beyond,
    }


def _big(entry: BigEntry, redaction: Redaction) -> Document:
    big, request = entry.big, entry.request
    told: Document | None = None
    if request is not None:
        told = {
            "decoder": request.decoder,
            "type": request.type,
            "id": None if request.request_id is None else f"{request.request_id:x}",
            "keys": [node_document(key_blob(each.key), redaction) for each in request.keys][
                :KEYS_TOLD
            ],
            "keys_count": len(request.keys),
        }
    return {
        "size": big.size,
        "index": big.index,
        "term": big.term,
        "segment": big.segment,
        "offset": big.offset,
        "request": told,
        "problem": None if entry.problem is None else entry.problem.message,
    }


def _term(term: int, figures: TermFigures) -> Document:
    return {
        "term": term,
        **_amount(figures.entries),
        "first_index": figures.first,
        "last_index": figures.last,
    }


def _segment(segment: SegmentFigures) -> Document:
    numbers = segment.numbers
    return {
        "name": segment.name,
        "size": segment.size,
        "end": segment.end,
        "records": numbers.records,
        "bytes": numbers.bytes,
        "entries": numbers.entries,
        "padding_bytes": numbers.padding_bytes,
        "first_index": numbers.first_index,
        "last_index": numbers.last_index,
    }

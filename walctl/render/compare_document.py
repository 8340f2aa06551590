"""A comparison as JSON. Keys are stable; ids are hex strings; indexes, terms and hashes numbers.

v, cluster_id, verdict, newest_safe, stopped_at
members[]      name, path, error, understood_as, compared, node_id, cluster_id, verdict, damage,
               first_index, last_index, hard_state, committed, holds_to, applied_index,
               revision, compact_revision, hash, hash_problem, standing, words,
               may_be_replaced, why, next
sections[]     first, last, kind, cells[]: member, holds, term, variant
divergences[]  first, last, code, severity, committed, same_term, allowed, differs_at,
               variants[]: term, members, type, size, wins
first_divergence   one of them, or null
quorum         voters, source, needed, present[]: node_id, member; absent, held_to, held,
               committed_to, committed_by, possible_to, written_to, lost, short
terms[]        term, first, last, members, leaders, ballots[]: member, votes, commit_first,
               commit_last
hash           revision, compacted, equal, parts_at
findings[]     members, and the fields of a finding
"""

from collections.abc import Sequence

from walctl.inspect.agreement import Range
from walctl.inspect.compare import Compared
from walctl.inspect.comparing.divergence import Divergence
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.hashes import KeySpace
from walctl.inspect.comparing.judging import Judgement
from walctl.inspect.comparing.sections import Section
from walctl.inspect.comparing.timeline import TERMS_MAX, Term
from walctl.inspect.document import finding_document
from walctl.machine.mvcc import NEVER
from walctl.render.text import hex_id

Document = dict[str, object]


def document(found: Compared) -> Document:
    """All of it."""
    spaces = dict(zip((each.name for each in found.members), found.spaces.found, strict=True))
    first, newest = found.first_divergence, found.newest_safe
    return {
        "v": 1,
        "cluster_id": _id(found.cluster_id),
        "verdict": str(found.verdict),
        "newest_safe": None if newest is None else newest.name,
        "stopped_at": found.stopped_at,
        "members": [
            _member(given, judgement, spaces.get(given.name))
            for given, judgement in zip(found.given, found.judgements, strict=True)
        ],
        "quorum": _quorum(found),
        "first_divergence": None if first is None else _divergence(found, first),
        "divergences": [_divergence(found, each) for each in found.divergences],
        "sections": [_section(found, each) for each in found.sections],
        "terms": [_term(found, each) for each in found.terms[-TERMS_MAX:]],
        "hash": {
            "revision": found.spaces.revision,
            "compacted": _compacted(found.spaces.compacted),
            "equal": None if found.spaces.revision is None else not found.spaces.differ,
            "parts_at": found.spaces.parts_at,
        },
        "findings": [
            {"members": list(each.names), **finding_document(each.finding)}
            for each in found.findings
        ],
    }


def _member(given: Given, judgement: Judgement, space: KeySpace | None) -> Document:
    said = {
        "standing": str(judgement.standing),
        "words": judgement.words,
        "may_be_replaced": judgement.may_be_replaced,
        "why": judgement.why,
        "next": judgement.next,
    }
    head = {"name": given.name, "path": str(given.path), "error": given.report.error}
    if given.survey is None:
        return {**head, "compared": False, **said}
    seen = given.survey
    last = seen.last_state
    state = None
    if last is not None:
        each = last.state
        state = {"term": each.term, "vote": f"{each.vote:x}", "commit": each.commit}
    return {
        **head,
        "understood_as": given.report.understood_as,
        "compared": space is not None,
        "node_id": _id(given.node_id),
        "cluster_id": _id(given.cluster_id),
        "verdict": str(given.report.verdict),
        "damage": given.damage,
        "first_index": seen.log.first,
        "last_index": seen.last_index,
        "hard_state": state,
        "committed": given.commit,
        "holds_to": given.holds_to,
        "applied_index": seen.applied,
        "revision": None if space is None else space.revision,
        "compact_revision": None if space is None else _compacted(space.compacted),
        "hash": None if space is None else space.hash,
        "hash_problem": None if space is None else space.problem or None,
        **said,
    }


def _quorum(found: Compared) -> Document:
    quorum, members = found.quorum, found.members
    by = quorum.committed_by
    return {
        "voters": [_id(each) for each in sorted(quorum.voters)],
        "source": quorum.source or None,
        "needed": quorum.needed or None,
        "present": [
            {"node_id": _id(node), "member": members[at].name}
            for node, at in quorum.present.items()
        ],
        "absent": [_id(each) for each in quorum.absent],
        "held_to": quorum.held_to,
        "held": _ranges(quorum.held),
        "committed_to": quorum.committed_to,
        "committed_by": None if by is None else members[by].name,
        "possible_to": quorum.possible_to,
        "written_to": quorum.written_to,
        "lost": _ranges(quorum.lost),
        "short": _ranges(quorum.short),
    }


def _divergence(found: Compared, each: Divergence) -> Document:
    return {
        "first": each.first,
        "last": each.last,
        "code": str(each.code),
        "severity": str(each.severity),
        "committed": each.is_committed,
        "same_term": each.is_same_term,
        "allowed": each.is_allowed,
        "differs_at": each.differs_at,
        "variants": [
            {
                "term": variant.term,
                "members": [found.members[at].name for at in variant.holders],
                "type": None if variant.kind is None else str(variant.kind),
                "size": variant.payload_bytes,
                "wins": number == each.winner,
            }
            for number, variant in enumerate(each.variants)
        ],
    }


def _section(found: Compared, section: Section) -> Document:
    return {
        "first": section.first,
        "last": section.last,
        "kind": section.kind,
        "cells": [
            {
                "member": given.name,
                "holds": str(cell.holds),
                "term": cell.term,
                "variant": cell.variant,
            }
            for given, cell in zip(found.members, section.cells, strict=True)
        ],
    }


def _term(found: Compared, row: Term) -> Document:
    names = [each.name for each in found.members]
    return {
        "term": row.term,
        "first": row.first,
        "last": row.last,
        "members": [names[at] for at in row.holders],
        "leaders": [_id(each) for each in row.leaders(found.quorum.needed)],
        "ballots": [
            {
                "member": names[at],
                "votes": [_id(each) for each in ballot.votes],
                "commit_first": ballot.commit_first,
                "commit_last": ballot.commit_last,
            }
            for at, ballot in row.ballots.items()
        ],
    }


def _ranges(spans: Sequence[Range]) -> list[list[int]]:
    return [[span.first, span.last] for span in spans]


def _compacted(revision: int) -> int | None:
    return None if revision == NEVER else revision


def _id(value: int | None) -> str | None:
    return None if value is None else hex_id(value)

"""Segments under wrong names, and segments that are copies of others.

A segment gets the name that its place in the checksum chain demands. Where that name is taken, by
one that is misplaced too or by a copy, the files are written under their right names. One that
holds, byte for byte, what another holds is a copy, and goes; but not where it stands at the end,
in the place of a segment that was there: what is left must not end with one that etcd had closed.
"""

from collections.abc import Mapping
from itertools import pairwise

from walctl.model.log import put_together
from walctl.repair.case import Case
from walctl.repair.plan import WAL, Step
from walctl.repair.strategy import remove_step, rename_step
from walctl.wal import names as wal_names


def copies(case: Case) -> dict[str, str]:
    """Segments that are a copy of one in front of them, and of which; none where removing them
    would hide that a segment is lost."""
    known: dict[str, str] = {}
    found: dict[str, str] = {}
    for segment in case.seen.segments:
        name = segment.name.text
        stamp = case.bound.files.get(f"{WAL}/{name}")
        if stamp is None or not segment.digest.stretches:
            continue
        if stamp.sha256 in known:
            found[name] = known[stamp.sha256]
        else:
            known[stamp.sha256] = name
    return found if found and _is_end_left(case, found) else {}


def last_without(case: Case, removed: Mapping[str, str]) -> int:
    """The last index that the log reaches when these segments are not counted."""
    seen = case.seen
    log = put_together(run for run in seen.runs if run.segment not in removed)
    marks = [each.mark.index for each in seen.marks if each.segment not in removed]
    return max([log.last or 0, *marks])


def do_names_fit(case: Case, removed: Mapping[str, str]) -> bool:
    """Whether the segments follow each other without a gap once the names are put right."""
    seen = case.seen
    if not seen.misplaced and not removed:
        return False
    left = [segment for segment in seen.segments if segment.name.text not in removed]
    if any(after.seq != before.seq + 1 for before, after in pairwise(left)):
        return False
    log = put_together(run for run in seen.runs if run.segment not in removed)
    if not all(seen.is_bridged(gap) for gap in log.gaps()):
        return False
    movable = {each.name.text for each in seen.misplaced} | set(removed)
    targets = [each.rightful for each in seen.misplaced]
    return len(set(targets)) == len(targets) and all(
        wal_names.parse(target) is not None and (target not in seen.wal_names or target in movable)
        for target in targets
    )


def new_names(case: Case) -> dict[str, str]:
    """The names under which misplaced segments have to be written anew: all of them, where one
    needs a name that another file has."""
    seen = case.seen
    if not any(each.rightful in seen.wal_names for each in seen.misplaced):
        return {}
    return {each.name.text: each.rightful for each in seen.misplaced}


def name_steps(case: Case, written: Mapping[str, str]) -> list[Step]:
    """The names put right; of those that are `written` anew the old ones go, unless they are
    another's now."""
    if written:
        return [
            remove_step(
                case.bound,
                f"{WAL}/{name}",
                reason="segment-name",
                words=f"its bytes are in {rightful} now, the name of their place in the chain",
            )
            for name, rightful in written.items()
            if name not in written.values()
        ]
    return [
        rename_step(
            case.bound,
            f"{WAL}/{each.name.text}",
            f"{WAL}/{each.rightful}",
            reason="segment-name",
            words=f"gets the name of its place in the checksum chain, {each.rightful}",
        )
        for each in case.seen.misplaced
    ]


def copy_steps(case: Case, removed: Mapping[str, str], written: Mapping[str, str]) -> list[Step]:
    """The copies taken away, but for those whose name another segment gets."""
    return [
        remove_step(
            case.bound,
            f"{WAL}/{name}",
            reason="copy",
            words=f"holds the same bytes as {original}",
        )
        for name, original in removed.items()
        if name not in written.values()
    ]


def _is_end_left(case: Case, removed: Mapping[str, str]) -> bool:
    """Whether the log still ends with the segment that etcd was writing to.

    That one has zeros behind its records; one that was closed has none, and another followed it.
    """
    segments = case.seen.segments
    left = [segment for segment in segments if segment.name.text not in removed]
    if not left or left[-1] is segments[-1]:
        return bool(left)
    return left[-1].digest.size > left[-1].digest.end

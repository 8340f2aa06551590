"""What steps do, drop and make, in words; shared by plans and receipts."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from walctl.render.text import byte_count, counted, index_range
from walctl.repair.plan import Act, Change, Drop, Plan, Step

BYTES_SHOWN_MAX = 4
"""Changed bytes that a line shows as they were and as they become."""
LISTED_MAX = 3
"""Changes, drops or made records of one step that a screen names."""
_PEER = re.compile(r"\bpeer[0-9]+\b(?! \(|/)")
"""A helper as a plan calls it; not where its directory stands behind it, nor in a file's name."""
_KINDS = {
    "entry": ("entry", "entries"),
    "state": ("hard state", None),
    "snapshot": ("snapshot", None),
}


def step_words(step: Step) -> str:
    """What a step does with which file, in one sentence."""
    name = step.file
    match step.act:
        case Act.RENAME:
            return f"rename {name}: {step.words}"
        case Act.REMOVE:
            return f"take away {name}: {step.words}"
        case Act.WRITE:
            made = name if step.before is not None else f"new {name}"
            return f"{made}: {step.words}"


def step_details(step: Step, *, has_changes: bool = True) -> list[str]:
    """What a step changes, drops and makes: one line a kind, of which JSON has all.

    The bytes that it changes may be left out, what it drops and makes never.
    """
    lines = []
    if step.act is Act.RENAME:
        lines.append(f"becomes {step.target}")
    if step.changes and has_changes:
        lines.append("changes " + _listed([change_words(each) for each in step.changes]))
    return [*lines, *gist([step])]


def gist(steps: Sequence[Step]) -> list[str]:
    """What steps drop and make, all of them together: for those that a screen has no room for."""
    lines = []
    drops = list(_grouped([drop for step in steps for drop in step.drops]))
    if drops:
        lines.append("drops " + _listed(drops))
    made = list(dict.fromkeys(each.words for step in steps for each in step.synthetic))
    if made:
        lines.append("made, written by nobody before: " + _listed(made))
    return lines


def named(plan: Plan, text: str) -> str:
    """The text with the directory of each helper behind its name: `peer1 (n2)`."""
    if not plan.peers:
        return text
    directories = [each.directory for each in (plan.bound, *plan.peers.values())]
    are_apart = len({each.name for each in directories}) == len(directories)

    def told(match: re.Match[str]) -> str:
        bound = plan.peers.get(match[0])
        if bound is None:
            return match[0]
        return f"{match[0]} ({bound.directory.name if are_apart else bound.directory})"

    return _PEER.sub(told, text)


def change_words(change: Change) -> str:
    """One change of bytes: where, from what, to what."""
    if len(change.was) > BYTES_SHOWN_MAX or len(change.now) > BYTES_SHOWN_MAX:
        return f"{byte_count(len(change.was))} at {change.offset}"
    return f"byte {change.offset} from {change.was.hex(' ')} to {change.now.hex(' ')}"


def drop_words(drop: Drop) -> str:
    """What is not in the result: `entries 231–240 of term 2 (kept by the database)`."""
    if drop.kind == "bytes":
        return f"{byte_count(drop.count)} with no record that could be read"
    one, many = _KINDS.get(drop.kind, (drop.kind, None))
    if drop.first is None and drop.last is None:
        told = counted(drop.count, one, many)
    elif drop.kind == "entry":
        told = f"{one if drop.count == 1 else many} {index_range(drop.first, drop.last)}"
    else:
        told = f"{one} {drop.first if drop.first is not None else drop.last}"
    if drop.term is not None:
        told += f" of term {drop.term}"
    notes = _notes(drop)
    return f"{told} ({', '.join(notes)})" if notes else told


def _notes(drop: Drop) -> list[str]:
    notes = [] if drop.is_readable else ["not readable"]
    return [*notes, f"kept by {_keeper(drop.kept_by)}"] if drop.kept_by else notes


def _grouped(drops: Sequence[Drop]) -> Iterator[str]:
    """The drops in their order, but that runs of entries with one fate are told together."""
    for fate, same in groupby(drops, key=lambda each: (each.kind, each.is_readable, each.kept_by)):
        group = list(same)
        if fate[0] != "entry" or len(group) == 1:
            yield from map(drop_words, group)
            continue
        ranges = _listed([index_range(each.first, each.last) for each in group])
        notes = _notes(group[0])
        yield f"entries {ranges} ({', '.join(notes)})" if notes else f"entries {ranges}"


def lost_words(plan: Plan) -> str:
    """What is nowhere any more, as far as the steps name it; else what the certificate says."""
    lost = [each for step in plan.steps for each in step.drops if not each.kept_by]
    told = _listed(list(_grouped(lost)))
    beyond = plan.certificate.witnessed - plan.certificate.kept
    if beyond > 0:
        first, last = plan.certificate.kept + 1, plan.certificate.witnessed
        noun = "entry" if beyond == 1 else "entries"
        known = f"{noun} {index_range(first, last)}, which witnesses name"
        told = f"{known}; {told}" if told else known
    elif not plan.certificate.is_end_known:
        known = f"whatever was written after entry {plan.certificate.kept}"
        told = f"{known}; {told}" if told else known
    return told


def _keeper(name: str) -> str:
    return "the database" if name == "database" else name


def _listed(words: list[str]) -> str:
    """The first few, and how many more there are."""
    shown = ", ".join(words[:LISTED_MAX])
    hidden = len(words) - LISTED_MAX
    return f"{shown} and {hidden:,} more" if hidden > 0 else shown

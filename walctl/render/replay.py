"""How a rebuilt state looks: what Raft's storage holds, what the machine became, by which way."""

from collections import Counter

from walctl.inspect.state import Replayed
from walctl.inspect.state_document import key_count, state_document
from walctl.machine.base import Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.model.finding import Severity
from walctl.raft.storage import Storage
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Screen
from walctl.render.text import counted, hex_id, index_range, quoted
from walctl.replay.ground import Base

COLUMN = 12
REQUESTS_MAX = 6
"""Kinds of requests that a screen names."""
DIFFERENCES_SHOWN_MAX = 10
HAZARDS_SHOWN_MAX = 3

_SEVERITY = {Severity.DAMAGE: "DAMAGED", Severity.HARMLESS: "harmless", Severity.INFO: "note"}
_BUILT_ON = {
    Base.NOTHING: "replayed from entry 1",
    Base.DATABASE: "from the database",
    Base.SNAPSHOT: "from the snapshot",
}


def show(screen: Screen, replayed: Replayed, storage: Storage | None) -> None:
    """A state in the screen's form; without a log there is no storage."""
    screen.show(
        replayed,
        text=lambda screen, found: text(screen, found, storage),
        document=lambda found: state_document(found, storage),
    )


def text(screen: Screen, replayed: Replayed, storage: Storage | None) -> None:
    """A state on a screen."""
    paragraph(screen, _headline(replayed), indent=2, first="", style="bold")
    if storage is not None:
        _storage(screen, storage)
    labelled(screen, "way", _way(replayed), column=COLUMN)
    machine = replayed.machine
    if isinstance(machine, Etcd):
        _etcd(screen, machine)
    elif isinstance(machine, Kv):
        labelled(screen, "keys", counted(len(machine.pairs), "key"), column=COLUMN)
        members = ", ".join(hex_id(each) for each in sorted(machine.members)) or "none"
        labelled(screen, "members", members, column=COLUMN)
    elif machine is not None:
        labelled(screen, "digest", machine.digest(), column=COLUMN)
    _requests(screen, replayed)
    _hazards(screen, replayed)
    _agreement(screen, replayed)
    for finding in replayed.findings:
        paragraph(
            screen,
            f"{finding.code}  {finding.detail}",
            indent=COLUMN,
            first=_SEVERITY[finding.severity].ljust(COLUMN),
            style="bold red" if finding.severity is Severity.DAMAGE else None,
        )
        labelled(screen, "  etcd", finding.consequence, column=COLUMN)


def _headline(replayed: Replayed) -> str:
    layout, machine = replayed.seen.layout, replayed.machine
    if machine is None or replayed.applied is None:
        return f"{layout.path}  {layout.shape}: nobody here knows what the entries hold"
    words = f"{layout.path}  {replayed.kind}, as of entry {replayed.applied.last:,}"
    if isinstance(machine, Etcd):
        return f"{words}: revision {machine.store.revision:,}, {_keys(replayed)}"
    return f"{words}: {_keys(replayed)}" if key_count(machine) is not None else words


def _keys(replayed: Replayed) -> str:
    return counted(key_count(replayed.machine) or 0, "key")


def _storage(screen: Screen, storage: Storage) -> None:
    """What a starting member would load."""
    state, conf = storage.initial_state()
    first, last = storage.first_index(), storage.last_index()
    begins = f"snapshot {first - 1}, then " if first > 1 else ""
    held = index_range(first, last) if last >= first else "no entry"
    words = f"{begins}entries {held}" if last >= first else f"{begins}{held}"
    labelled(screen, "storage", words, column=COLUMN)
    vote = hex_id(state.vote) if state.vote else "nobody"
    words = f"term {state.term}, vote {vote}, commit {state.commit}"
    labelled(screen, "hard state", words, column=COLUMN)
    parts = (
        ("voters", conf.voters),
        ("learners", conf.learners),
        ("outgoing", conf.voters_outgoing),
        ("next learners", conf.learners_next),
    )
    told = [f"{name} {', '.join(map(hex_id, ids))}" for name, ids in parts if ids]
    words = "; ".join(told) or "as of the log's first entries"
    labelled(screen, "conf state", words, column=COLUMN)


def _way(replayed: Replayed) -> str:
    """By which way the state came about, and why not by another."""
    if replayed.base is None or replayed.applied is None:
        return ""
    words = _BUILT_ON[replayed.base]
    if replayed.base is not Base.NOTHING:
        words += f", which has applied {replayed.built_from:,}"
        if replayed.applied.last > replayed.built_from:
            words += f", and on by the log to {replayed.applied.last:,}"
    return "; ".join([words, *replayed.obstacles])


def _etcd(screen: Screen, machine: Etcd) -> None:
    store, state = machine.store, machine.state
    found = store.hash()
    compacted = f", compacted up to {store.compacted:,}" if store.compacted > 0 else ""
    words = f"{found.hash} at revision {found.revision:,}{compacted}"
    labelled(screen, "HashKV", words, column=COLUMN)
    if state.leases.leases:
        labelled(screen, "leases", counted(len(state.leases.leases), "lease"), column=COLUMN)
    for alarm in sorted(state.alarms):
        words = f"type {alarm.type} of member {hex_id(alarm.member_id)}"
        labelled(screen, "alarm", words, column=COLUMN)
    if state.auth.is_enabled:
        words = f"on, {counted(len(state.auth.users), 'user')}, revision {state.auth.revision}"
        labelled(screen, "auth", words, column=COLUMN)
    told = [
        f"{hex_id(node)} {member.name or 'not started'}" + (" (learner)" * member.is_learner)
        for node, member in sorted(state.membership.members.items())
    ]
    labelled(screen, "members", ", ".join(told), column=COLUMN)


def _requests(screen: Screen, replayed: Replayed) -> None:
    """What was applied, the most frequent first."""
    if replayed.applied is None or not replayed.applied.counts:
        return
    kinds: Counter[str] = Counter()
    refused = 0
    for (kind, outcome), count in replayed.applied.counts.items():
        kinds[kind or "empty"] += count
        refused += count * (outcome is Outcome.REFUSED)
    told = [f"{count:,} {kind}" for kind, count in kinds.most_common(REQUESTS_MAX)]
    if len(kinds) > REQUESTS_MAX:
        told.append(f"{len(kinds) - REQUESTS_MAX} kinds more")
    if refused:
        told.append(f"{refused:,} refused")
    labelled(screen, "applied", ", ".join(told), column=COLUMN)


def _hazards(screen: Screen, replayed: Replayed) -> None:
    """Entries with which real members did different things."""
    if replayed.applied is None or not replayed.applied.hazards_count:
        return
    for hazard in replayed.applied.hazards[:HAZARDS_SHOWN_MAX]:
        labelled(screen, "doubtful", f"entry {hazard.index}: {hazard.words}", column=COLUMN)
    more = replayed.applied.hazards_count - HAZARDS_SHOWN_MAX
    if more > 0:
        labelled(screen, "", counted(more, "more such entry", "more such entries"), column=COLUMN)


def _agreement(screen: Screen, replayed: Replayed) -> None:
    """What the two ways make of each other."""
    found = replayed.agreement
    if found is None:
        return
    if found.is_equal:
        words = f"equals what the log makes, key by key, at entry {found.index:,}"
        labelled(screen, "database", words, column=COLUMN)
        return
    words = f"differs from what the log makes at entry {found.index:,}: "
    words += counted(found.count, "difference")
    if found.first_index is not None:
        words += f", the first made by entry {found.first_index:,}"
    labelled(screen, "database", words, column=COLUMN)
    for each in found.differences[:DIFFERENCES_SHOWN_MAX]:
        line = f"{each.bucket} {quoted(each.key)}: log {each.in_log or 'nothing'}"
        paragraph(screen, f"{line}; database {each.in_database or 'nothing'}", indent=COLUMN + 2)
    if found.count > DIFFERENCES_SHOWN_MAX:
        more = counted(found.count - DIFFERENCES_SHOWN_MAX, "difference more", "differences more")
        paragraph(screen, more, indent=COLUMN + 2)

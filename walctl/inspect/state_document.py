"""A rebuilt state as JSON, for scripts: stable names, ids in hex, bytes in base64.

    {"v": 1, "path", "understood_as",
     "storage": null (no log) or
                {"first_index", "last_index", "snapshot": {"index", "term"} or null,
                 "hard_state": {"term", "vote", "commit"}, "conf_state": {…}},
     "machine": {"kind", "base", "built_from", "until", "applied_index", "revision",
                 "compact_revision", "keys", "leases", "alarms", "hash", "digest", "requests"},
     "members": [{"id", "name", "peer_urls", "client_urls", "is_learner"}],
     "agreement": null or {"index", "differences", "first_index", "first_revision", "first": […]},
     "hazards": [{"index", "words"}], "obstacles": [words], "findings": […], "exit"}

`hash` is the one that etcd's HashKV gives at `revision`; `revision` and what goes with it are
`null` for a machine that is not etcd's.
"""

from collections.abc import Iterator

from walctl.inspect.document import bytes_fields, conf_state_document, finding_document
from walctl.inspect.history import Between, Version
from walctl.inspect.state import Replayed
from walctl.machine.base import Machine, Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.machine.mvcc import ENDLESS, KeyVersion
from walctl.raft.storage import Storage
from walctl.replay.apply import Applied
from walctl.replay.differences import Agreement, Difference
from walctl.replay.values import log_conf_state

Document = dict[str, object]


def state_document(replayed: Replayed, storage: Storage | None) -> Document:
    """The document; see the module."""
    layout = replayed.seen.layout
    return {
        "v": 1,
        "path": str(layout.path),
        "understood_as": str(layout.shape),
        "storage": None if storage is None else storage_document(storage),
        "machine": _machine_document(replayed),
        "members": list(_members(replayed.machine)),
        "agreement": _agreement_document(replayed.agreement),
        "hazards": [
            {"index": each.index, "words": each.words}
            for each in (replayed.applied.hazards if replayed.applied is not None else ())
        ],
        "obstacles": list(replayed.obstacles),
        "findings": [finding_document(each) for each in replayed.findings],
        "exit": int(replayed.exit_status),
    }


def storage_document(storage: Storage) -> Document:
    """What Raft's storage holds."""
    state, conf = storage.initial_state()
    first = storage.first_index()
    before = first - 1
    return {
        "first_index": first,
        "last_index": storage.last_index(),
        "snapshot": {"index": before, "term": storage.term(before)} if before else None,
        "hard_state": {"term": state.term, "vote": f"{state.vote:x}", "commit": state.commit},
        "conf_state": conf_state_document(log_conf_state(conf)),
    }


def _machine_document(replayed: Replayed) -> Document:
    machine, applied = replayed.machine, replayed.applied
    is_etcd = isinstance(machine, Etcd)
    store = machine.store if isinstance(machine, Etcd) else None
    return {
        "kind": replayed.kind,
        "base": None if replayed.base is None else str(replayed.base),
        "built_from": replayed.built_from,
        "until": replayed.until,
        "applied_index": None if applied is None else applied.last,
        "revision": None if store is None else store.revision,
        "compact_revision": None if store is None else store.compacted,
        "keys": key_count(machine),
        "leases": len(machine.state.leases.leases) if isinstance(machine, Etcd) else None,
        "alarms": [
            {"member": f"{each.member_id:x}", "type": each.type}
            for each in (sorted(machine.state.alarms) if isinstance(machine, Etcd) else ())
        ],
        "hash": None if store is None else store.hash().hash,
        "digest": None if machine is None or is_etcd else machine.digest(),
        "requests": _requests(applied),
    }


def key_count(machine: Machine | None) -> int | None:
    """How many keys live; `None` where nobody knows."""
    if isinstance(machine, Etcd):
        return len(machine.store.current(b"\0", ENDLESS))
    return len(machine.pairs) if isinstance(machine, Kv) else None


def _requests(applied: Applied | None) -> Document:
    """What was applied, by request; of each how many had which outcome."""
    found: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in sorted(
        (applied.counts if applied is not None else {}).items(), key=_by_name
    ):
        found.setdefault(kind or "none", {})[outcome.value] = count
    return dict(found)


def _by_name(item: tuple[tuple[str, Outcome], int]) -> tuple[str, str]:
    (kind, outcome), _ = item
    return kind, outcome.value


def _members(machine: Machine | None) -> Iterator[Document]:
    if isinstance(machine, Etcd):
        for node, member in sorted(machine.state.membership.members.items()):
            yield {
                "id": f"{node:x}",
                "name": member.name,
                "peer_urls": list(member.peer_urls),
                "client_urls": list(member.client_urls),
                "is_learner": member.is_learner,
            }
    elif isinstance(machine, Kv):
        for node in sorted(machine.members):
            yield {"id": f"{node:x}"}


def _agreement_document(found: Agreement | None) -> Document | None:
    if found is None:
        return None
    return {
        "index": found.index,
        "differences": found.count,
        "first_index": found.first_index,
        "first_revision": found.first_revision,
        "first": [difference_document(each) for each in found.differences],
    }


def difference_document(each: Difference) -> Document:
    """One difference between the log's state and the database's."""
    return {
        "bucket": each.bucket,
        "key": dict(bytes_fields(each.key)),
        "mod_revision": each.mod_revision,
        "in_log": each.in_log,
        "in_database": each.in_database,
    }


def key_document(row: KeyVersion, *, is_value_hidden: bool = False) -> Document:
    """One key as it is; its value may be left out."""
    value = {"data": None, "redacted": True} if is_value_hidden else dict(bytes_fields(row.value))
    return {
        "key": dict(bytes_fields(row.key)),
        "value": value,
        "create_revision": row.create_revision,
        "mod_revision": row.mod_revision,
        "version": row.version,
        "lease": f"{row.lease:x}",
    }


def key_documents(machine: Machine | None, *, is_value_hidden: bool = False) -> Iterator[Document]:
    """The key space, ascending by key; of a map keys and values alone."""
    if isinstance(machine, Etcd):
        for row in machine.store.range(b"\0", ENDLESS):
            yield key_document(row, is_value_hidden=is_value_hidden)
    elif isinstance(machine, Kv):
        for key, value in sorted(machine.pairs.items()):
            hidden: Document = {"data": None, "redacted": True}
            told = hidden if is_value_hidden else dict(bytes_fields(value))
            yield {"key": dict(bytes_fields(key)), "value": told}


def version_document(version: Version, *, is_value_hidden: bool = False) -> Document:
    """One version of a key."""
    change = version.change
    return {
        "index": version.index,
        "term": version.term,
        "request": version.request,
        "sub_revision": change.sub_revision,
        "is_tombstone": change.is_tombstone,
        **key_document(change, is_value_hidden=is_value_hidden),
    }


def between_document(between: Between, *, is_value_hidden: bool = False) -> Document:
    """What changed between two indexes."""

    def told(version: KeyVersion | None) -> Document | None:
        if version is None:
            return None
        return key_document(version, is_value_hidden=is_value_hidden)

    return {
        "v": 1,
        "path": str(between.replayed.seen.layout.path),
        "from": between.first,
        "to": between.last,
        "keys": [
            {
                "key": dict(bytes_fields(each.key)),
                "before": told(each.before),
                "after": told(each.after),
            }
            for each in between.changes
        ],
        "others": [
            {"bucket": bucket, "name": dict(bytes_fields(name)), "before": was, "after": now}
            for bucket, name, was, now in between.others
        ],
        "findings": [finding_document(each) for each in between.replayed.findings],
        "exit": int(between.replayed.exit_status),
    }

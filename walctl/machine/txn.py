"""Transactions: which branch is taken, what must hold before it may run, and running it.

Everything is decided against the state before the entry, for transactions inside others too:

    1. path     all compares, from the outside in, along the branches that are taken
    2. checks   every put's lease and what it keeps, every range's revision, on that path
    3. run      the operations of the path in order, all with one main revision

One failed check, and the whole entry has no effect. A compare over a range must hold for each key
in it; where there is no key, a value compares to nothing, and numbers to 0.

Leave is needed for both branches and for the compares, but etcd looks at the outermost transaction
alone: what stands in one inside is not asked for.

Source: etcd's server/etcdserver/apply.go and apply_auth.go; etcd-data-dir notes 9.4, 9.7, 9.8.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from formats.rpcpb import Compare, CompareResult, CompareTarget, PutRequest, RequestOp, TxnRequest
from walctl.machine.auth import AuthStore, Identity
from walctl.machine.keyindex import Row
from walctl.machine.lease import NOT_FOUND
from walctl.machine.mvcc import COMPACTED, ENDLESS, FUTURE, Store

KEY_NOT_FOUND: Final = "etcdserver: key not found"

RANGE_HAZARD: Final = (
    "etcd up to 3.6 takes ranges out of a transaction where nobody waits for the answer: members"
    " other than the one that proposed it may have carried it out"
)

_NO_KEY: Final[Row] = (b"", 0, 0, 0, 0, b"", 0)

Range: TypeAlias = tuple[bytes, bytes]


def steps_of(store: Store, txn: TxnRequest) -> list[RequestOp]:
    """The operations on the path that a transaction takes now, in order, none a transaction."""
    holds = all(is_met(store, each) for each in txn.compare)
    steps = []
    for step in txn.success if holds else txn.failure:
        if step.request_txn is None:
            steps.append(step)
        else:
            steps += steps_of(store, step.request_txn)
    return steps


def is_met(store: Store, compare: Compare) -> bool:
    """Whether a condition holds, for every key that it is about."""
    found = store.current(compare.key or b"", compare.range_end or b"")
    target = compare.target or 0
    if not found:
        return target != CompareTarget.VALUE and _stands(compare, target, _NO_KEY)
    return all(_stands(compare, target, row) for row in found)


def _stands(compare: Compare, target: int, row: Row) -> bool:
    """Whether one key stands to the given value as it should."""
    order = _order(compare, target, row)
    match compare.result or 0:
        case CompareResult.EQUAL:
            return order == 0
        case CompareResult.NOT_EQUAL:
            return order != 0
        case CompareResult.GREATER:
            return order > 0
        case CompareResult.LESS:
            return order < 0
    return True


def _order(compare: Compare, target: int, row: Row) -> int:
    """-1, 0 or 1: how the key's side stands to the given one; 0 for what nobody knows."""
    _, main, _, create, version, value, lease = row
    match target:
        case CompareTarget.VALUE:
            wanted = compare.value or b""
            return (value > wanted) - (value < wanted)
        case CompareTarget.VERSION:
            number, given = version, compare.version or 0
        case CompareTarget.CREATE:
            number, given = create, compare.create_revision or 0
        case CompareTarget.MOD:
            number, given = main, compare.mod_revision or 0
        case CompareTarget.LEASE:
            number, given = lease, compare.lease or 0
        case _:
            return 0
    return (number > given) - (number < given)


def put_refusal(store: Store, put: PutRequest) -> str | None:
    """Why a put may not be carried out, by itself or in a transaction."""
    if (put.ignore_value or put.ignore_lease) and store.get(put.key or b"") is None:
        return KEY_NOT_FOUND
    return lease_refusal(store, put)


def lease_refusal(store: Store, put: PutRequest) -> str | None:
    """Why a put may not be attached to its lease."""
    return NOT_FOUND if put.lease and put.lease not in store.leases else None


def range_refusal(store: Store, revision: int) -> str | None:
    """Why a range at `revision` may not be read."""
    if revision > store.revision:
        return FUTURE
    return COMPACTED if revision and revision < store.compacted else None


def refusal(store: Store, steps: list[RequestOp]) -> tuple[str | None, str | None]:
    """Why a transaction may not be carried out, and on what members may differ then."""
    for step in steps:
        words = None if step.request_put is None else put_refusal(store, step.request_put)
        if words is not None:
            return words, None
    is_write = any(step.request_range is None for step in steps)
    for step in steps:
        if step.request_range is not None:
            words = range_refusal(store, step.request_range.revision or 0)
            if words is not None:
                return words, RANGE_HAZARD if is_write else None
    return None, None


def breaks_off(steps: list[RequestOp]) -> bool:
    """Whether a put keeps something of a key that the same path deletes before it.

    A member ends itself there, and at each start again. etcd's interface refuses such transactions,
    but 3.5.1 lets one through that deletes a range without an end.
    """
    deleted: list[Range] = []
    for step in steps:
        delete, put = step.request_delete_range, step.request_put
        if delete is not None:
            deleted.append((delete.key or b"", delete.range_end or b""))
        elif put is not None:
            key = put.key or b""
            is_gone = any(_is_in(key, each) for each in deleted)
            if is_gone and (put.ignore_value or put.ignore_lease):
                return True
            if is_gone:
                deleted = [part for each in deleted for part in _but(key, each)]
    return False


def _but(key: bytes, covered: Range) -> list[Range]:
    """A range without one of its keys."""
    start, end = covered
    if not _is_in(key, covered):
        return [covered]
    return [(start, key), (key + b"\0", end)] if end else []


def _is_in(key: bytes, covered: Range) -> bool:
    start, end = covered
    return key == start if not end else start <= key and (end == ENDLESS or key < end)


def run(store: Store, steps: list[RequestOp]) -> None:
    """Carry out operations that were checked; the caller commits."""
    for step in steps:
        if step.request_put is not None:
            put(store, step.request_put)
        elif step.request_delete_range is not None:
            delete = step.request_delete_range
            store.delete_range(delete.key or b"", delete.range_end or b"")


def put(store: Store, request: PutRequest) -> None:
    """Carry out a put that was checked; the caller commits."""
    key = request.key or b""
    value, lease = request.value or b"", request.lease or 0
    if request.ignore_value or request.ignore_lease:
        had = store.get(key)
        assert had is not None
        _, _, _, _, _, had_value, had_lease = had
        value = had_value if request.ignore_value else value
        lease = had_lease if request.ignore_lease else lease
    store.put(key, value, lease)


def has_puts(txn: TxnRequest) -> bool:
    """Whether a branch of the outermost transaction puts something: what a full member counts."""
    return any(each.request_put is not None for each in (*txn.success, *txn.failure))


def permission(auth: AuthStore, who: Identity, txn: TxnRequest) -> str | None:
    """Why a user may not ask for this."""
    return next((words for words in _asked(auth, who, txn) if words is not None), None)


def _asked(auth: AuthStore, who: Identity, txn: TxnRequest) -> Iterator[str | None]:
    """The answer to each leave that a transaction needs, in etcd's order."""
    for each in txn.compare:
        yield auth.may_read(who, each.key or b"", each.range_end or b"")
    for step in (*txn.success, *txn.failure):
        if step.request_range is not None:
            found = step.request_range
            yield auth.may_read(who, found.key or b"", found.range_end or b"")
        if step.request_put is not None:
            yield auth.may_write(who, step.request_put.key or b"")
        if step.request_delete_range is not None:
            delete = step.request_delete_range
            key, end = delete.key or b"", delete.range_end or b""
            if delete.prev_kv:
                yield auth.may_read(who, key, end)
            yield auth.may_write(who, key, end)

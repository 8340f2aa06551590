"""A request of etcd in one line for a person, and the keys that it touches.

A line stays short whatever the request holds: of a transaction's conditions and steps the first few
are named, and of a transaction deep inside only how many it has.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from formats.authpb import Permission
from formats.etcdserverpb import Request as V2Request
from formats.internalpb import InternalAuthenticateRequest
from formats.membershippb import (
    ClusterMemberAttrSetRequest,
    ClusterVersionSetRequest,
    DowngradeInfoSetRequest,
)
from formats.rpcpb import (
    AlarmRequest,
    AuthRoleAddRequest,
    AuthRoleDeleteRequest,
    AuthRoleGetRequest,
    AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest,
    AuthUserAddRequest,
    AuthUserChangePasswordRequest,
    AuthUserDeleteRequest,
    AuthUserGetRequest,
    AuthUserGrantRoleRequest,
    AuthUserRevokeRoleRequest,
    CompactionRequest,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRangeRequest,
    DowngradeVersionTestRequest,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from walctl.payload.base import Blob, KeyRange, Privacy, Text, key_blob, value_blob
from walctl.payload.etcd_fields import PRIVACY, V2_METHODS, enum_word, holds_v2_secrets

Words: TypeAlias = tuple[str | Blob | Text, ...]

STEPS_MAX: Final = 3
"""Conditions and steps of a transaction, and leases of a checkpoint, that a line names."""
DEPTH_MAX: Final = 1
"""Transactions around one that is still spelled out."""

_TARGETS: Final[dict[int, str]] = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create",
    CompareTarget.MOD: "mod",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}
_RESULTS: Final[dict[int, str]] = {
    CompareResult.EQUAL: "=",
    CompareResult.GREATER: ">",
    CompareResult.LESS: "<",
    CompareResult.NOT_EQUAL: "!=",
}
"""As `etcdctl txn` takes them."""

ALL_FROM: Final = b"\0"
"""The end of a range that has none."""


def words_of(name: str, message: Any) -> Words:
    """The line for a request; `name` is its field in InternalRaftRequest."""
    say = _SAY.get(type(message))
    return (name.replace("_", " "),) if say is None else say(message)


def v2_words(request: V2Request) -> Words:
    """The line for a request of the v2 interface."""
    method = request.method or ""
    is_known = method in V2_METHODS
    head: Words = (f"v2 {method.lower()}",) if is_known else ("v2 request ", _text(request.method))
    if not request.path:
        return head
    path: Words = (" ", Text(request.path, Privacy.KEY))
    if method not in ("PUT", "POST"):
        return head + path
    is_secret = holds_v2_secrets(request.path)
    value = Text(request.val or "", Privacy.SECRET if is_secret else Privacy.VALUE)
    return (*head, *path, " = ", value)


def keys_of(message: Any) -> tuple[KeyRange, ...]:
    """The keys that a request reads or writes, each range once, in the order of the request.

    Those of a permission are not among them: granting one touches no key.
    """
    if isinstance(message, PutRequest):
        return (KeyRange(message.key or b""),)
    if isinstance(message, DeleteRangeRequest | RangeRequest):
        return (_range(message),)
    if isinstance(message, TxnRequest):
        return tuple(dict.fromkeys(_txn_keys(message)))
    if isinstance(message, V2Request):
        path = (message.path or "").encode("utf-8", "surrogateescape")
        return (KeyRange(path),) if path else ()
    return ()


def _range(message: DeleteRangeRequest | RangeRequest | Compare) -> KeyRange:
    return KeyRange(message.key or b"", message.range_end or None)


def _txn_keys(txn: TxnRequest) -> Iterator[KeyRange]:
    yield from map(_range, txn.compare)
    for step in itertools.chain(txn.success, txn.failure):
        inner = _inner(step)
        if isinstance(inner, TxnRequest):
            yield from _txn_keys(inner)
        elif inner is not None:
            yield from keys_of(inner)


def _inner(step: RequestOp) -> PutRequest | RangeRequest | DeleteRangeRequest | TxnRequest | None:
    """The one request of a step; a step of a later etcd may have none that we know."""
    return step.request_put or step.request_range or step.request_delete_range or step.request_txn


def _text(value: str | None, privacy: Privacy = Privacy.OPEN) -> Text:
    return Text(value or "", privacy)


def _name(value: str | None) -> Text:
    return Text(value or "", Privacy.NAME)


def _lease(value: int | None) -> str:
    return f"{value or 0:x}"


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _key_words(key: bytes | None, end: bytes | None) -> Words:
    if not end:
        return (key_blob(key or b""),)
    if end != ALL_FROM:
        return (key_blob(key or b""), "–", key_blob(end))
    return (
        ("all keys",) if key in (None, b"", ALL_FROM) else (key_blob(key or b""), " and all after")
    )


def _put(message: PutRequest) -> Words:
    value: Words = (" = ", value_blob(message.value or b""))
    out: Words = ("put ", key_blob(message.key or b""))
    out += (" with the value it has",) if message.ignore_value else value
    if message.ignore_lease:
        return (*out, " on the lease it has")
    return (*out, f" lease {_lease(message.lease)}") if message.lease else out


def _delete(message: DeleteRangeRequest) -> Words:
    return ("delete ", *_key_words(message.key, message.range_end))


def _get(message: RangeRequest) -> Words:
    return ("get ", *_key_words(message.key, message.range_end))


def _txn(message: TxnRequest, depth: int = 0) -> Words:
    out: Words = ("txn",)
    if message.compare:
        out += (" if ", *_listed(map(_compare, message.compare), len(message.compare), " and "))
    out += (" then ", *_steps(message.success, depth))
    return (*out, " else ", *_steps(message.failure, depth)) if message.failure else out


def _compare(message: Compare) -> Words:
    """`mod("a") = 5`, as etcdctl has one type it."""
    target, result = message.target or 0, message.result or 0
    what = _TARGETS.get(target, f"target {target}")
    said: Words = (f"{what}(", *_key_words(message.key, message.range_end), ")")
    said += (f" {_RESULTS.get(result, f'result {result}')} ",)
    if target == CompareTarget.VALUE:
        return (*said, value_blob(message.value or b""))
    if target == CompareTarget.LEASE:
        return (*said, _lease(message.lease))
    number = message.version or message.create_revision or message.mod_revision or 0
    return (*said, str(number))


def _steps(steps: tuple[RequestOp, ...], depth: int) -> Words:
    if not steps:
        return ("nothing",)
    return _listed((_step(step, depth) for step in steps), len(steps), ", ")


def _step(step: RequestOp, depth: int) -> Words:
    """One step; of a transaction in a transaction in a transaction only how many it has."""
    inner = _inner(step)
    if not isinstance(inner, TxnRequest):
        return ("?",) if inner is None else _SAY[type(inner)](inner)
    if depth < DEPTH_MAX:
        return ("(", *_txn(inner, depth + 1), ")")
    return (f"txn of {_count(len(inner.success) + len(inner.failure), 'step')}",)


def _listed(said: Iterable[Words], count: int, joint: str) -> Words:
    """The first few of `count` phrases, and how many more there are."""
    out: Words = ()
    for words in itertools.islice(said, STEPS_MAX):
        out += (joint, *words) if out else words
    more = count - STEPS_MAX
    return (*out, f", … {more:,} more") if more > 0 else out


def _compaction(message: CompactionRequest) -> Words:
    return (f"compaction to revision {message.revision or 0}",)


def _lease_grant(message: LeaseGrantRequest) -> Words:
    return (f"lease grant {_lease(message.id)} {message.ttl or 0} s",)


def _lease_revoke(message: LeaseRevokeRequest) -> Words:
    return (f"lease revoke {_lease(message.id)}",)


def _lease_checkpoint(message: LeaseCheckpointRequest) -> Words:
    said = [
        f"{_lease(each.id)} {each.remaining_ttl or 0} s left"
        for each in message.checkpoints[:STEPS_MAX]
    ]
    more = len(message.checkpoints) - STEPS_MAX
    said += [f"… {more:,} more"] if more > 0 else []
    return ("lease checkpoint " + ", ".join(said or ["of none"]),)


def _alarm(message: AlarmRequest) -> Words:
    if not message.action:
        return ("alarm list",)
    what = enum_word(AlarmRequest, "alarm", message.alarm or 0)
    action = enum_word(AlarmRequest, "action", message.action)
    shown = action.lower() if isinstance(action, str) else f"action {action}"
    whom = f" of member {message.member_id:x}" if message.member_id else ""
    return (f"alarm {shown} {what}{whom}",)


def _authenticate(message: InternalAuthenticateRequest) -> Words:
    return ("authenticate ", _name(message.name))


def _grant_permission(message: AuthRoleGrantPermissionRequest) -> Words:
    perm = message.perm or Permission()
    kind = enum_word(Permission, "perm_type", perm.perm_type or 0)
    keys = _key_words(perm.key, perm.range_end)
    return ("auth role grant permission ", _name(message.name), f" {kind} ", *keys)


def _revoke_permission(message: AuthRoleRevokePermissionRequest) -> Words:
    keys = _key_words(message.key, message.range_end)
    return ("auth role revoke permission ", _name(message.role), " ", *keys)


def _version(message: ClusterVersionSetRequest) -> Words:
    return ("cluster version ", _text(message.ver))


def _attributes(message: ClusterMemberAttrSetRequest) -> Words:
    out: Words = (f"member {message.member_id or 0:x}",)
    published = message.member_attributes
    if published is None:
        return out
    out += (" is ", _name(published.name))
    for url in published.client_urls[:STEPS_MAX]:
        out += (" ", _name(url))
    more = len(published.client_urls) - STEPS_MAX
    return (*out, f" … {more:,} more") if more > 0 else out


def _downgrade(message: DowngradeInfoSetRequest) -> Words:
    if not message.enabled:
        return ("downgrade cancelled",)
    return ("downgrade to ", _text(message.ver))


def _named(what: str, *attributes: str) -> Callable[[Any], Words]:
    """Says what is done, and to whom: texts of the message with the privacy that they have."""

    def say(message: Any) -> Words:
        table = PRIVACY[type(message)]
        out: Words = (what,)
        for attribute in attributes:
            out += (" ", _text(getattr(message, attribute), table[attribute]))
        return out

    return say


_SAY: Final[dict[type[Any], Callable[[Any], Words]]] = {
    PutRequest: _put,
    RangeRequest: _get,
    DeleteRangeRequest: _delete,
    TxnRequest: _txn,
    CompactionRequest: _compaction,
    LeaseGrantRequest: _lease_grant,
    LeaseRevokeRequest: _lease_revoke,
    LeaseCheckpointRequest: _lease_checkpoint,
    AlarmRequest: _alarm,
    InternalAuthenticateRequest: _authenticate,
    AuthUserAddRequest: _named("auth user add", "name"),
    AuthUserDeleteRequest: _named("auth user delete", "name"),
    AuthUserGetRequest: _named("auth user get", "name"),
    AuthUserChangePasswordRequest: _named("auth user change password", "name"),
    AuthUserGrantRoleRequest: _named("auth user grant role", "user", "role"),
    AuthUserRevokeRoleRequest: _named("auth user revoke role", "name", "role"),
    AuthRoleAddRequest: _named("auth role add", "name"),
    AuthRoleDeleteRequest: _named("auth role delete", "role"),
    AuthRoleGetRequest: _named("auth role get", "role"),
    AuthRoleGrantPermissionRequest: _grant_permission,
    AuthRoleRevokePermissionRequest: _revoke_permission,
    ClusterVersionSetRequest: _version,
    ClusterMemberAttrSetRequest: _attributes,
    DowngradeInfoSetRequest: _downgrade,
    DowngradeVersionTestRequest: _named("downgrade version test", "ver"),
    V2Request: v2_words,
}
"""Who speaks for a message; the others are empty, and their name says it all."""

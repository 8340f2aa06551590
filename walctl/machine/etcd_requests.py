"""What each request of InternalRaftRequest does to a member's state, one function each.

A function checks, in etcd's order, then changes: alarms first, then what the user may, then what
the state allows. The first that fails is the answer, and nothing has changed then.

Source: etcd's server/etcdserver/apply.go, apply_auth.go and corrupt.go; etcd-data-dir notes 9.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from formats.internalpb import InternalAuthenticateRequest
from formats.membershippb import (
    ClusterMemberAttrSetRequest,
    ClusterVersionSetRequest,
    DowngradeInfoSetRequest,
)
from formats.rpcpb import (
    AlarmAction,
    AlarmRequest,
    AlarmType,
    AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest,
    AuthUserAddRequest,
    AuthUserChangePasswordRequest,
    AuthUserGrantRoleRequest,
    AuthUserRevokeRoleRequest,
    CompactionRequest,
    DeleteRangeRequest,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    PutRequest,
    TxnRequest,
)
from walctl.machine import txn
from walctl.machine.auth import AuthStore, Identity
from walctl.machine.base import Outcome, Result
from walctl.machine.lease import NOT_FOUND
from walctl.machine.mvcc import COMPACTED, FUTURE
from walctl.machine.state import Alarm, Downgrade, State

NO_SPACE: Final = "etcdserver: no space"
CORRUPT: Final = "etcdserver: corrupt cluster"
BROKEN_TXN: Final = "unexpected error during txn"

ALARM_HAZARD: Final = (
    "etcd up to 3.5 asks for no permission between the entry that raises an alarm and the next"
    " start of the member: members that had not started since may have carried it out"
)


Handler: TypeAlias = Callable[[State, Any, Identity], Result]

_APPLIED: Final = Result(Outcome.APPLIED)
_UNCHANGED: Final = Result(Outcome.UNCHANGED)


_TWO_ALARMS: Final = (
    "up to etcd 3.5 an alarm that comes or goes takes the effect of one of another kind with it, so"
    " a member may have carried out what this refuses"
)


def refused(words: str, hazard: str | None = None) -> Result:
    """A check failed."""
    return Result(Outcome.REFUSED, words=words, hazard=hazard)


def changed(has_changed: bool) -> Result:
    """Nothing failed; whether anything changed."""
    return _APPLIED if has_changed else _UNCHANGED


def _denied(state: State, words: str) -> Result:
    """A user may not."""
    return refused(words, ALARM_HAZARD if state.alarms else None)


def _committed(state: State) -> Result:
    """The entry's changes of the key space are done."""
    revision = state.store.commit()
    return _UNCHANGED if revision is None else Result(Outcome.APPLIED, revision=revision)


# The key space.


def put(state: State, request: PutRequest, who: Identity) -> Result:
    """A key gets a value."""
    if state.alarms:
        if state.has_alarm(AlarmType.CORRUPT):
            return refused(CORRUPT)
        if state.has_alarm(AlarmType.NOSPACE):
            return refused(NO_SPACE)
    if state.auth.is_enabled:
        words = _put_permission(state, request, who)
        if words is not None:
            return _denied(state, words)
    words = txn.lease_refusal(state.store, request) or txn.put_refusal(state.store, request)
    if words is not None:
        return refused(words)
    txn.put(state.store, request)
    return _committed(state)


def _put_permission(state: State, request: PutRequest, who: Identity) -> str | None:
    """Leave to write the key, and all that the lease has, since the lease could delete them."""
    key, auth = request.key or b"", state.auth
    words = auth.may_write(who, key) or _lease_permission(state, request.lease or 0, who)
    return words or (auth.may_read(who, key) if request.prev_kv else None)


def _lease_permission(state: State, lease_id: int, who: Identity) -> str | None:
    asked = (state.auth.may_write(who, key) for key in state.leases.keys_of(lease_id))
    return next((words for words in asked if words is not None), None)


def delete_range(state: State, request: DeleteRangeRequest, who: Identity) -> Result:
    """Keys go."""
    if state.has_alarm(AlarmType.CORRUPT):
        return refused(CORRUPT)
    key, end, auth = request.key or b"", request.range_end or b"", state.auth
    words = auth.may_write(who, key, end) or (
        auth.may_read(who, key, end) if request.prev_kv else None
    )
    if words is not None:
        return _denied(state, words)
    state.store.delete_range(key, end)
    return _committed(state)


def transaction(state: State, request: TxnRequest, who: Identity) -> Result:
    """One of two branches is carried out."""
    store = state.store
    if state.has_alarm(AlarmType.CORRUPT):
        return refused(CORRUPT)
    if state.has_alarm(AlarmType.NOSPACE) and txn.has_puts(request):
        return refused(NO_SPACE)
    if state.auth.is_enabled:
        words = txn.permission(state.auth, who, request)
        if words is not None:
            return _denied(state, words)
    steps = txn.steps_of(store, request)
    words, hazard = txn.refusal(store, steps)
    if words is not None:
        return refused(words, hazard)
    if txn.breaks_off(steps):
        return Result(Outcome.FATAL, words=BROKEN_TXN)
    txn.run(store, steps)
    return _committed(state)


def compaction(state: State, request: CompactionRequest, who: Identity) -> Result:
    """History goes."""
    revision, store = request.revision or 0, state.store
    if state.has_alarm(AlarmType.CORRUPT):
        return refused(CORRUPT)
    if revision <= store.compacted:
        return refused(COMPACTED)
    if revision > store.revision:
        return refused(FUTURE)
    store.compact(revision)
    return _APPLIED


# Leases.


def lease_grant(state: State, request: LeaseGrantRequest, who: Identity) -> Result:
    """A new lease."""
    if state.has_alarm(AlarmType.CORRUPT):
        return refused(CORRUPT)
    if state.has_alarm(AlarmType.NOSPACE):
        return refused(NO_SPACE)
    words = state.leases.grant(request.id or 0, request.ttl or 0)
    return _APPLIED if words is None else refused(words)


def lease_revoke(state: State, request: LeaseRevokeRequest, who: Identity) -> Result:
    """A lease goes, and its keys with it, ascending."""
    lease_id = request.id or 0
    if state.has_alarm(AlarmType.CORRUPT):
        return refused(CORRUPT)
    words = _lease_permission(state, lease_id, who) if state.auth.is_enabled else None
    if words is not None:
        return _denied(state, words)
    if lease_id not in state.leases:
        return refused(NOT_FOUND)
    for key in state.leases.keys_of(lease_id):
        state.store.delete(key)
    state.leases.remove(lease_id)
    return Result(Outcome.APPLIED, revision=state.store.commit())


def lease_checkpoint(state: State, request: LeaseCheckpointRequest, who: Identity) -> Result:
    """What leases have left is written down; unknown ones are passed over."""
    found = [
        state.leases.checkpoint(each.id or 0, each.remaining_ttl or 0)
        for each in request.checkpoints
    ]
    return changed(any(found))


# Alarms, members, versions.


def alarm(state: State, request: AlarmRequest, who: Identity) -> Result:
    """An alarm is raised, switched off, or asked for."""
    named = Alarm(request.member_id or 0, request.alarm or 0)
    had = named in state.alarms
    if request.action == AlarmAction.ACTIVATE:
        state.alarms.add(named)
        result = changed(not had)
    elif request.action == AlarmAction.DEACTIVATE:
        state.alarms.discard(named)
        result = changed(had)
    else:
        return _UNCHANGED
    is_alone = all(each.type == named.type for each in state.alarms)
    return result if is_alone else result._replace(hazard=_TWO_ALARMS)


def cluster_version_set(state: State, request: ClusterVersionSetRequest, who: Identity) -> Result:
    """The version that all members understand."""
    had, state.cluster_version = state.cluster_version, request.ver or ""
    return changed(had != state.cluster_version)


def cluster_member_attr_set(
    state: State, request: ClusterMemberAttrSetRequest, who: Identity
) -> Result:
    """A member says who it is."""
    said, member_id = request.member_attributes, request.member_id or 0
    if said is None:
        return Result(Outcome.FATAL, words="a member says nothing of itself")
    return publish(state, member_id, said.name or "", said.client_urls)


def publish(state: State, member_id: int, name: str, client_urls: tuple[str, ...]) -> Result:
    """A member says who it is, in whatever form."""
    had = state.membership.members.get(member_id)
    words = state.membership.publish(member_id, name, client_urls)
    if words is not None:
        return refused(words)
    return changed(had != state.membership.members.get(member_id))


def downgrade_info_set(state: State, request: DowngradeInfoSetRequest, who: Identity) -> Result:
    """A downgrade begins or is called off."""
    had = state.downgrade
    is_enabled = bool(request.enabled)
    state.downgrade = Downgrade((request.ver or "") if is_enabled else "", is_enabled)
    return changed(had != state.downgrade)


def nothing(state: State, request: object, who: Identity) -> Result:
    """A question; members pass it over where nobody waits for the answer."""
    return _UNCHANGED


# Users and roles.


def authenticate(state: State, request: InternalAuthenticateRequest, who: Identity) -> Result:
    """A user has logged in."""
    words = state.auth.log_in(request.name or "")
    return _UNCHANGED if words is None else refused(words)


def _managed(change: Callable[[AuthStore, Any], str | None]) -> Handler:
    """A change that only root may make, where authentication is on."""

    def handler(state: State, request: Any, who: Identity) -> Result:
        auth = state.auth
        words = auth.may_manage(who)
        if words is not None:
            return _denied(state, words)
        before = auth.is_enabled, auth.revision
        words = change(auth, request)
        return (
            changed(before != (auth.is_enabled, auth.revision)) if words is None else refused(words)
        )

    return handler


def _add_user(auth: AuthStore, request: AuthUserAddRequest) -> str | None:
    hashed = request.hashed_password or ""
    return auth.add_user(request.name or "", request.password or "", hashed, request.options)


def _change_password(auth: AuthStore, request: AuthUserChangePasswordRequest) -> str | None:
    hashed = request.hashed_password or ""
    return auth.change_password(request.name or "", request.password or "", hashed)


def _grant_role(auth: AuthStore, request: AuthUserGrantRoleRequest) -> str | None:
    return auth.grant_role(request.user or "", request.role or "")


def _revoke_role(auth: AuthStore, request: AuthUserRevokeRoleRequest) -> str | None:
    return auth.revoke_role(request.name or "", request.role or "")


def _grant_permission(auth: AuthStore, request: AuthRoleGrantPermissionRequest) -> str | None:
    return auth.grant_permission(request.name or "", request.perm)


def _revoke_permission(auth: AuthStore, request: AuthRoleRevokePermissionRequest) -> str | None:
    key, end = request.key or b"", request.range_end or b""
    return auth.revoke_permission(request.role or "", key, end)


HANDLERS: Final[tuple[tuple[str, Handler], ...]] = (
    ("cluster_version_set", cluster_version_set),
    ("cluster_member_attr_set", cluster_member_attr_set),
    ("downgrade_info_set", downgrade_info_set),
    ("downgrade_version_test", nothing),
    ("range", nothing),
    ("put", put),
    ("delete_range", delete_range),
    ("txn", transaction),
    ("compaction", compaction),
    ("lease_grant", lease_grant),
    ("lease_revoke", lease_revoke),
    ("lease_checkpoint", lease_checkpoint),
    ("alarm", alarm),
    ("authenticate", authenticate),
    ("auth_enable", _managed(lambda auth, _: auth.enable())),
    ("auth_disable", _managed(lambda auth, _: auth.disable())),
    ("auth_status", nothing),
    ("auth_user_add", _managed(_add_user)),
    ("auth_user_delete", _managed(lambda auth, request: auth.delete_user(request.name or ""))),
    ("auth_user_change_password", _managed(_change_password)),
    ("auth_user_grant_role", _managed(_grant_role)),
    ("auth_user_get", nothing),
    ("auth_user_revoke_role", _managed(_revoke_role)),
    ("auth_role_add", _managed(lambda auth, request: auth.add_role(request.name or ""))),
    ("auth_role_grant_permission", _managed(_grant_permission)),
    ("auth_role_get", nothing),
    ("auth_role_revoke_permission", _managed(_revoke_permission)),
    ("auth_role_delete", _managed(lambda auth, request: auth.delete_role(request.role or ""))),
    ("auth_user_list", _managed(lambda auth, _: None)),
    ("auth_role_list", _managed(lambda auth, _: None)),
)
"""Every request, by its field: the first that is there, in this order, is the one that counts."""

OF_MEMBERS: Final = frozenset({"cluster_version_set", "cluster_member_attr_set"})
"""Requests that say something of members: put in again where the key space has them already."""

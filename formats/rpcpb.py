"""The requests of etcd's clients, as far as they are logged (upstream: etcdserverpb/rpc.proto).

What lies around them in an entry is in `formats.internalpb`. Enums are plain ints, as a number
that these lack is no failure; which enum is a field's, `ENUMS` says. Scalars are proto3's: absent
when zero, but inside a oneof written all the same.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.authpb import Permission, PermissionType, UserAddOptions
from formats.codec import Codec
from formats.fields import (
    BOOL,
    BYTES,
    IMPLICIT,
    INT32,
    INT64,
    NESTED,
    STRING,
    UINT64,
    Field,
    UnknownField,
    message,
)


class SortOrder(enum.IntEnum):
    """The order of a range's answer."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(enum.IntEnum):
    """What a range's answer is sorted by."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


class CompareResult(enum.IntEnum):
    """How a key's side of a condition has to stand to the given one."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(enum.IntEnum):
    """What of a key a condition looks at."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


class AlarmAction(enum.IntEnum):
    """What becomes of an alarm."""

    GET = 0
    ACTIVATE = 1
    DEACTIVATE = 2


class AlarmType(enum.IntEnum):
    """What an alarm is about."""

    NONE = 0
    NOSPACE = 1
    CORRUPT = 2


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRequest:
    """Keys are read: `key`, or `[key, range_end)`; an end of one zero byte: all from `key` on.

    In a log only inside transactions, and alone in very old ones: reads are not logged.
    """

    key: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    range_end: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    limit: Annotated[int | None, Field(3, INT64, IMPLICIT)] = None
    revision: Annotated[int | None, Field(4, INT64, IMPLICIT)] = None
    sort_order: Annotated[int | None, Field(5, INT32, IMPLICIT)] = None
    sort_target: Annotated[int | None, Field(6, INT32, IMPLICIT)] = None
    serializable: Annotated[bool | None, Field(7, BOOL, IMPLICIT)] = None
    keys_only: Annotated[bool | None, Field(8, BOOL, IMPLICIT)] = None
    count_only: Annotated[bool | None, Field(9, BOOL, IMPLICIT)] = None
    min_mod_revision: Annotated[int | None, Field(10, INT64, IMPLICIT)] = None
    max_mod_revision: Annotated[int | None, Field(11, INT64, IMPLICIT)] = None
    min_create_revision: Annotated[int | None, Field(12, INT64, IMPLICIT)] = None
    max_create_revision: Annotated[int | None, Field(13, INT64, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class PutRequest:
    """A key gets a value; `lease` 0 detaches it from the lease that it had.

    `ignore_value` and `ignore_lease` keep what the key has, and need one that exists.
    """

    key: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    value: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    lease: Annotated[int | None, Field(3, INT64, IMPLICIT)] = None
    prev_kv: Annotated[bool | None, Field(4, BOOL, IMPLICIT)] = None
    ignore_value: Annotated[bool | None, Field(5, BOOL, IMPLICIT)] = None
    ignore_lease: Annotated[bool | None, Field(6, BOOL, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRangeRequest:
    """Keys are deleted."""

    key: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    range_end: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    prev_kv: Annotated[bool | None, Field(3, BOOL, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """A condition of a transaction; the member of the oneof is written even when it is zero."""

    result: Annotated[int | None, Field(1, INT32, IMPLICIT)] = None
    target: Annotated[int | None, Field(2, INT32, IMPLICIT)] = None
    key: Annotated[bytes | None, Field(3, BYTES, IMPLICIT)] = None
    version: Annotated[int | None, Field(4, INT64, oneof="target_union")] = None
    create_revision: Annotated[int | None, Field(5, INT64, oneof="target_union")] = None
    mod_revision: Annotated[int | None, Field(6, INT64, oneof="target_union")] = None
    value: Annotated[bytes | None, Field(7, BYTES, oneof="target_union")] = None
    lease: Annotated[int | None, Field(8, INT64, oneof="target_union")] = None
    range_end: Annotated[bytes | None, Field(64, BYTES, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOp:
    """One step of a transaction."""

    request_range: Annotated[RangeRequest | None, Field(1, NESTED, oneof="request")] = None
    request_put: Annotated[PutRequest | None, Field(2, NESTED, oneof="request")] = None
    request_delete_range: Annotated[
        DeleteRangeRequest | None, Field(3, NESTED, oneof="request")
    ] = None
    request_txn: Annotated["TxnRequest | None", Field(4, NESTED, oneof="request")] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class TxnRequest:
    """If all of `compare` hold then `success`, else `failure`; transactions nest."""

    compare: Annotated[tuple[Compare, ...], Field(1, NESTED)] = ()
    success: Annotated[tuple[RequestOp, ...], Field(2, NESTED)] = ()
    failure: Annotated[tuple[RequestOp, ...], Field(3, NESTED)] = ()
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionRequest:
    """History before `revision` goes; `physical`: the client waits for it."""

    revision: Annotated[int | None, Field(1, INT64, IMPLICIT)] = None
    physical: Annotated[bool | None, Field(2, BOOL, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGrantRequest:
    """A lease for `ttl` seconds; in the log its id has been chosen."""

    ttl: Annotated[int | None, Field(1, INT64, IMPLICIT, go="TTL", proto="TTL")] = None
    id: Annotated[int | None, Field(2, INT64, IMPLICIT, go="ID", proto="ID")] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRevokeRequest:
    """A lease ends, and the keys attached to it go."""

    id: Annotated[int | None, Field(1, INT64, IMPLICIT, go="ID", proto="ID")] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseCheckpoint:
    """How many seconds a lease had left."""

    id: Annotated[int | None, Field(1, INT64, IMPLICIT, go="ID", proto="ID")] = None
    remaining_ttl: Annotated[
        int | None, Field(2, INT64, IMPLICIT, go="Remaining_TTL", proto="remaining_TTL")
    ] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseCheckpointRequest:
    """The leader writes down how much leases have left, for a next leader."""

    checkpoints: Annotated[tuple[LeaseCheckpoint, ...], Field(1, NESTED)] = ()
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRequest:
    """An alarm is raised, switched off, or asked for; questions are logged too."""

    action: Annotated[int | None, Field(1, INT32, IMPLICIT)] = None
    member_id: Annotated[
        int | None, Field(2, UINT64, IMPLICIT, go="MemberID", proto="memberID")
    ] = None
    alarm: Annotated[int | None, Field(3, INT32, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmMember:
    """An alarm that stands; the key of a row of the database's bucket `alarm`."""

    member_id: Annotated[
        int | None, Field(1, UINT64, IMPLICIT, go="MemberID", proto="memberID")
    ] = None
    alarm: Annotated[int | None, Field(2, INT32, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class DowngradeVersionTestRequest:
    """Of etcd's own tests, since 3.6."""

    ver: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthEnableRequest:
    """From here on requests need a user."""

    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthDisableRequest:
    """From here on requests need no user."""

    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthStatusRequest:
    """Whether authentication is on."""

    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserAddRequest:
    """A user is added. etcd 3.4 logs `password` as it was typed, later ones its hash alone."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    password: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    options: Annotated[UserAddOptions | None, Field(3, NESTED)] = None
    hashed_password: Annotated[str | None, Field(4, STRING, IMPLICIT, proto="hashedPassword")] = (
        None
    )
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserGetRequest:
    """A user is looked up."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserDeleteRequest:
    """A user is deleted."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserChangePasswordRequest:
    """A user gets another password; which field has it, as with a new user."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    password: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    hashed_password: Annotated[str | None, Field(3, STRING, IMPLICIT, proto="hashedPassword")] = (
        None
    )
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserGrantRoleRequest:
    """A user gets a role."""

    user: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    role: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserRevokeRoleRequest:
    """A user loses a role."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    role: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserListRequest:
    """All users are listed."""

    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleAddRequest:
    """A role is added."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleGetRequest:
    """A role is looked up."""

    role: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleDeleteRequest:
    """A role is deleted."""

    role: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleListRequest:
    """All roles are listed."""

    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleGrantPermissionRequest:
    """A role is allowed more."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    perm: Annotated[Permission | None, Field(2, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleRevokePermissionRequest:
    """A role is allowed less: the permission on exactly this range goes."""

    role: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    key: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    range_end: Annotated[bytes | None, Field(3, BYTES, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


ENUMS: Final[dict[tuple[type, str], type[enum.IntEnum]]] = {
    (RangeRequest, "sort_order"): SortOrder,
    (RangeRequest, "sort_target"): SortTarget,
    (Compare, "result"): CompareResult,
    (Compare, "target"): CompareTarget,
    (AlarmRequest, "action"): AlarmAction,
    (AlarmRequest, "alarm"): AlarmType,
    (AlarmMember, "alarm"): AlarmType,
    (Permission, "perm_type"): PermissionType,
}
"""The enum of each field that has one, by message and attribute, in all that a log may hold."""

TXN_REQUEST: Final = Codec(TxnRequest)
ALARM_MEMBER: Final = Codec(AlarmMember)

"""What a normal entry of etcd holds (upstream: etcdserverpb/raft_internal.proto).

etcd tries an entry's data as an `InternalRaftRequest` first, and only when that fails as the v2
`Request` of `formats.etcdserverpb`. The failure can be relied on: field 2 is a nested message
here, and a word like PUT there, and no such word parses as one.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.etcdserverpb import Request
from formats.fields import (
    IMPLICIT,
    NESTED,
    STRING,
    UINT64,
    Field,
    UnknownField,
    message,
)
from formats.membershippb import (
    ClusterMemberAttrSetRequest,
    ClusterVersionSetRequest,
    DowngradeInfoSetRequest,
)
from formats.rpcpb import (
    AlarmRequest,
    AuthDisableRequest,
    AuthEnableRequest,
    AuthRoleAddRequest,
    AuthRoleDeleteRequest,
    AuthRoleGetRequest,
    AuthRoleGrantPermissionRequest,
    AuthRoleListRequest,
    AuthRoleRevokePermissionRequest,
    AuthStatusRequest,
    AuthUserAddRequest,
    AuthUserChangePasswordRequest,
    AuthUserDeleteRequest,
    AuthUserGetRequest,
    AuthUserGrantRoleRequest,
    AuthUserListRequest,
    AuthUserRevokeRoleRequest,
    CompactionRequest,
    DeleteRangeRequest,
    DowngradeVersionTestRequest,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    PutRequest,
    RangeRequest,
    TxnRequest,
)


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeader:
    """Who asks; the upper 16 bits of the id are the lower 16 of the proposing member's id."""

    id: Annotated[int | None, Field(1, UINT64, IMPLICIT, go="ID", proto="ID")] = None
    username: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    auth_revision: Annotated[int | None, Field(3, UINT64, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class InternalAuthenticateRequest:
    """A user has logged in; etcd 3.4 and later leave the password out."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    password: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    simple_token: Annotated[str | None, Field(3, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class InternalRaftRequest:
    """The data of a normal entry: a header and, at most, one request.

    Numbers decide the order on the wire: the header lies behind the requests up to 11 and before
    those from 1000 on. `id` is absent unless the entry is very old: the header has it.
    """

    id: Annotated[int | None, Field(1, UINT64, IMPLICIT, go="ID", proto="ID")] = None
    v2: Annotated[Request | None, Field(2, NESTED)] = None
    range: Annotated[RangeRequest | None, Field(3, NESTED)] = None
    put: Annotated[PutRequest | None, Field(4, NESTED)] = None
    delete_range: Annotated[DeleteRangeRequest | None, Field(5, NESTED)] = None
    txn: Annotated[TxnRequest | None, Field(6, NESTED)] = None
    compaction: Annotated[CompactionRequest | None, Field(7, NESTED)] = None
    lease_grant: Annotated[LeaseGrantRequest | None, Field(8, NESTED)] = None
    lease_revoke: Annotated[LeaseRevokeRequest | None, Field(9, NESTED)] = None
    alarm: Annotated[AlarmRequest | None, Field(10, NESTED)] = None
    lease_checkpoint: Annotated[LeaseCheckpointRequest | None, Field(11, NESTED)] = None
    header: Annotated[RequestHeader | None, Field(100, NESTED)] = None
    auth_enable: Annotated[AuthEnableRequest | None, Field(1000, NESTED)] = None
    auth_disable: Annotated[AuthDisableRequest | None, Field(1011, NESTED)] = None
    authenticate: Annotated[InternalAuthenticateRequest | None, Field(1012, NESTED)] = None
    auth_status: Annotated[AuthStatusRequest | None, Field(1013, NESTED)] = None
    auth_user_add: Annotated[AuthUserAddRequest | None, Field(1100, NESTED)] = None
    auth_user_delete: Annotated[AuthUserDeleteRequest | None, Field(1101, NESTED)] = None
    auth_user_get: Annotated[AuthUserGetRequest | None, Field(1102, NESTED)] = None
    auth_user_change_password: Annotated[
        AuthUserChangePasswordRequest | None, Field(1103, NESTED)
    ] = None
    auth_user_grant_role: Annotated[AuthUserGrantRoleRequest | None, Field(1104, NESTED)] = None
    auth_user_revoke_role: Annotated[AuthUserRevokeRoleRequest | None, Field(1105, NESTED)] = None
    auth_user_list: Annotated[AuthUserListRequest | None, Field(1106, NESTED)] = None
    auth_role_list: Annotated[AuthRoleListRequest | None, Field(1107, NESTED)] = None
    auth_role_add: Annotated[AuthRoleAddRequest | None, Field(1200, NESTED)] = None
    auth_role_delete: Annotated[AuthRoleDeleteRequest | None, Field(1201, NESTED)] = None
    auth_role_get: Annotated[AuthRoleGetRequest | None, Field(1202, NESTED)] = None
    auth_role_grant_permission: Annotated[
        AuthRoleGrantPermissionRequest | None, Field(1203, NESTED)
    ] = None
    auth_role_revoke_permission: Annotated[
        AuthRoleRevokePermissionRequest | None, Field(1204, NESTED)
    ] = None
    cluster_version_set: Annotated[ClusterVersionSetRequest | None, Field(1300, NESTED)] = None
    cluster_member_attr_set: Annotated[ClusterMemberAttrSetRequest | None, Field(1301, NESTED)] = (
        None
    )
    downgrade_info_set: Annotated[DowngradeInfoSetRequest | None, Field(1302, NESTED)] = None
    downgrade_version_test: Annotated[DowngradeVersionTestRequest | None, Field(9900, NESTED)] = (
        None
    )
    unknown: tuple[UnknownField, ...] = ()


INTERNAL_RAFT_REQUEST: Final = Codec(InternalRaftRequest)

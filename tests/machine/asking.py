"""A member that is asked for things, one entry after the other; for tests."""

from typing import Any

from formats.authpb import Permission
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.raftpb import CONF_CHANGE, ConfChange
from formats.rpcpb import (
    AuthEnableRequest,
    AuthRoleAddRequest,
    AuthRoleGrantPermissionRequest,
    AuthUserAddRequest,
    AuthUserGrantRoleRequest,
    CompactionRequest,
    DeleteRangeRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    PutRequest,
)
from walctl.machine.base import Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.mvcc import KeyVersion
from walctl.machine.state import Options
from walctl.raft.types import Entry


class Asked:
    """A machine and the index of its next entry; every request is one entry."""

    def __init__(self, options: Options | None = None) -> None:
        self.machine = Etcd(options=options)

    @property
    def revision(self) -> int:
        return self.machine.store.revision

    def give(self, data: bytes | None, *, type: int = 0) -> Result:
        return self.machine.apply(Entry(1, self.machine.applied + 1, type, data))

    def ask(self, user: str = "", at: int = 0, **fields: Any) -> Result:
        """One request by `user` as of auth revision `at`; 0 is the present one for a user."""
        revision = at or (self.machine.state.auth.revision if user else 0)
        header = RequestHeader(id=7, username=user or None, auth_revision=revision or None)
        return self.give(INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(header=header, **fields)))

    def put(self, key: bytes, value: bytes = b"", user: str = "", **more: Any) -> Result:
        return self.ask(user, put=PutRequest(key=key, value=value or None, **more))

    def delete(self, key: bytes, end: bytes | None = None, user: str = "", **more: Any) -> Result:
        return self.ask(user, delete_range=DeleteRangeRequest(key=key, range_end=end, **more))

    def compact(self, revision: int) -> Result:
        return self.ask(compaction=CompactionRequest(revision=revision))

    def grant(self, lease: int, ttl: int = 60, user: str = "") -> Result:
        return self.ask(user, lease_grant=LeaseGrantRequest(id=lease, ttl=ttl))

    def revoke(self, lease: int, user: str = "") -> Result:
        return self.ask(user, lease_revoke=LeaseRevokeRequest(id=lease))

    def change(self, **fields: Any) -> Result:
        return self.give(CONF_CHANGE.build(ConfChange(**fields)), type=1)

    def key(self, key: bytes) -> KeyVersion | None:
        found = self.machine.store.range(key)
        return found[0] if found else None

    def keys(self) -> list[bytes]:
        return [each.key for each in self.machine.store.range(b"\0", b"\0")]

    def with_auth(self) -> "Asked":
        """Authentication is on: root, and `ann` who may write a/ and read b/."""
        for name in ("root", "ann"):
            add = AuthUserAddRequest(name=name, hashed_password="aGFzaA==")
            assert self.ask(auth_user_add=add).outcome is Outcome.APPLIED
            self.ask(auth_role_add=AuthRoleAddRequest(name=name))
            grant = AuthUserGrantRoleRequest(user=name, role=name)
            assert self.ask(auth_user_grant_role=grant).outcome is Outcome.APPLIED
        for kind, key in ((2, b"a/"), (0, b"b/")):
            allowed = Permission(perm_type=kind or None, key=key, range_end=key[:1] + b"0")
            self.ask(
                auth_role_grant_permission=AuthRoleGrantPermissionRequest(name="ann", perm=allowed)
            )
        assert self.ask(auth_enable=AuthEnableRequest()).outcome is Outcome.APPLIED
        return self

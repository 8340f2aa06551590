"""Users, roles and permissions, and what they allow when an entry is applied.

The rules, where authentication is on. A request runs as the user of its header, as of the auth
revision there:

    no user                   auth: user name is empty          (its auth revision is 0)
    an older auth revision    auth: revision in header is old
    an unknown user, no leave auth: permission denied
    role root                 may do everything

Permissions of a user's roles are put together: a range may be covered by several that meet. The
auth revision goes up by one with each change of users or roles, and when authentication is
switched off, but not when it is switched on.

Two things are not as every etcd has them. Permissions of one role on the same key stand in the
order in which they were granted, while etcd's sort may put them in another from the seventh on, by
the Go that built it. And a permission that selects nothing counts for nothing here: newer versions
refuse it, older ones let it disturb their search for others.

Refusals are etcd's words, `None` is success. Texts hold surrogate escapes for bytes that are no
UTF-8. No password is ever checked here: the log has what members decided.

Source: etcd's server/auth/store.go and range_perm_cache.go; etcd-data-dir notes 9.7.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from formats.authpb import Permission, PermissionType, Role, User, UserAddOptions
from formats.internalpb import RequestHeader

ROOT: Final = "root"
"""The user, and the role, that may do everything."""
FIRST_REVISION: Final = 1

USER_EMPTY: Final = "auth: user name is empty"
USER_EXISTS: Final = "auth: user already exists"
USER_NOT_FOUND: Final = "auth: user not found"
ROLE_EMPTY: Final = "auth: role name is empty"
ROLE_EXISTS: Final = "auth: role already exists"
ROLE_NOT_FOUND: Final = "auth: role not found"
ROLE_NOT_GRANTED: Final = "auth: role is not granted to the user"
PERMISSION_NOT_GRANTED: Final = "auth: permission is not granted to the role"
PERMISSION_NOT_GIVEN: Final = "auth: permission not given"
PERMISSION_DENIED: Final = "auth: permission denied"
OLD_REVISION: Final = "auth: revision in header is old"
INVALID_MANAGEMENT: Final = "auth: invalid auth management"
NO_ROOT_USER: Final = "auth: root user does not exist"
NO_ROOT_ROLE: Final = "auth: root user does not have root role"
NOT_ENABLED: Final = "auth: authentication is not enabled"
FAILED: Final = "auth: authentication failed, invalid user ID or password"
NO_PASSWORD: Final = "auth: authentication failed, password was given for no password user"

_OPEN_END = b"\0"

Bound = tuple[int, bytes]
"""A place between keys: `(0, key)`, or `(1, b"")` behind all of them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a request runs; the user is empty, and the revision 0, where nobody said."""

    user: str = ""
    revision: int = 0

    @classmethod
    def of(cls, header: RequestHeader | None) -> "Identity":
        """The one that a request's header names; very old logs have no header."""
        if header is None:
            return cls()
        return cls(header.username or "", header.auth_revision or 0)


@dataclass(slots=True)
class AuthStore:
    """All of it. `is_enabled` is `None` before it was ever switched on.

    A user's `password` is `None` for one who has none, and where the log has it as it was typed
    (etcd 3.4): each member made its own hash of it.
    """

    is_enabled: bool | None = None
    revision: int = FIRST_REVISION
    users: dict[str, User] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)

    # What is allowed.

    def may_read(self, who: Identity, key: bytes, end: bytes = b"") -> str | None:
        """Whether a range may be read."""
        return self._may(who, key, end, PermissionType.READ)

    def may_write(self, who: Identity, key: bytes, end: bytes = b"") -> str | None:
        """Whether a range may be written."""
        return self._may(who, key, end, PermissionType.WRITE)

    def may_manage(self, who: Identity) -> str | None:
        """Whether users and roles may be changed or listed; the auth revision is not looked at."""
        if not self.is_enabled:
            return None
        if not who.user:
            return USER_EMPTY
        user = self.users.get(who.user)
        return None if user is not None and ROOT in user.roles else PERMISSION_DENIED

    def _may(self, who: Identity, key: bytes, end: bytes, wanted: PermissionType) -> str | None:
        if not self.is_enabled:
            return None
        if who.revision == 0:
            return USER_EMPTY
        if who.revision < self.revision:
            return OLD_REVISION
        user = self.users.get(who.user)
        if user is None:
            return PERMISSION_DENIED
        is_allowed = ROOT in user.roles or _covers(self._ranges(user, wanted), key, end)
        return None if is_allowed else PERMISSION_DENIED

    def _ranges(self, user: User, wanted: PermissionType) -> list[tuple[Bound, Bound]]:
        """What a user may read, or write, in order."""
        roles = (self.roles.get(name) for name in user.roles)
        permissions = (each for role in roles if role for each in role.key_permission)
        fit = (wanted, PermissionType.READWRITE)
        return sorted(
            _range(each.key or b"", each.range_end or b"")
            for each in permissions
            if (each.perm_type or 0) in fit
        )

    # Switching it on and off.

    def enable(self) -> str | None:
        """Switch it on; it takes a user root who has the role root."""
        if self.is_enabled:
            return None
        root = self.users.get(ROOT)
        if root is None:
            return NO_ROOT_USER
        if ROOT not in root.roles:
            return NO_ROOT_ROLE
        self.is_enabled = True
        return None

    def disable(self) -> str | None:
        """Switch it off."""
        if self.is_enabled:
            self.is_enabled = False
            self.revision += 1
        return None

    def log_in(self, name: str) -> str | None:
        """A user has logged in, which changes nothing here."""
        if not self.is_enabled:
            return NOT_ENABLED
        return None if name in self.users else FAILED

    # Users.

    def add_user(
        self, name: str, password: str, hashed: str, options: UserAddOptions | None
    ) -> str | None:
        """A new user without roles."""
        if not name:
            return USER_EMPTY
        if name in self.users:
            return USER_EXISTS
        options = UserAddOptions() if options is None else options
        try:
            secret = None if options.no_password else _secret(password, hashed)
        except binascii.Error:
            return NO_PASSWORD
        self._put_user(User(name=_bytes(name), password=secret, options=options))
        return None

    def delete_user(self, name: str) -> str | None:
        """A user goes; root stays while authentication is on."""
        if self.is_enabled and name == ROOT:
            return INVALID_MANAGEMENT
        if self.users.pop(name, None) is None:
            return USER_NOT_FOUND
        self.revision += 1
        return None

    def change_password(self, name: str, password: str, hashed: str) -> str | None:
        """A user gets another password; one who has none stays without."""
        user = self.users.get(name)
        if user is None:
            return USER_NOT_FOUND
        has_none = user.options is not None and bool(user.options.no_password)
        try:
            secret = None if has_none else _secret(password, hashed)
        except binascii.Error:
            return NO_PASSWORD
        self._put_user(replace(user, password=secret))
        return None

    def grant_role(self, name: str, role: str) -> str | None:
        """A user gets a role; one that he has is passed over, and counts as no change."""
        user = self.users.get(name)
        if user is None:
            return USER_NOT_FOUND
        if role != ROOT and role not in self.roles:
            return ROLE_NOT_FOUND
        if role not in user.roles:
            self._put_user(replace(user, roles=_sorted_names((*user.roles, role))))
        return None

    def revoke_role(self, name: str, role: str) -> str | None:
        """A user loses a role; root keeps the role root while authentication is on."""
        if self.is_enabled and name == role == ROOT:
            return INVALID_MANAGEMENT
        user = self.users.get(name)
        if user is None:
            return USER_NOT_FOUND
        if role not in user.roles:
            return ROLE_NOT_GRANTED
        self._put_user(_without(user, role))
        return None

    def _put_user(self, user: User) -> None:
        self.users[_text(user.name)] = user
        self.revision += 1

    # Roles.

    def add_role(self, name: str) -> str | None:
        """A new role that allows nothing."""
        if not name:
            return ROLE_EMPTY
        if name in self.roles:
            return ROLE_EXISTS
        self._put_role(Role(name=_bytes(name)))
        return None

    def delete_role(self, name: str) -> str | None:
        """A role goes, from the users who have it too; root stays while authentication is on."""
        if self.is_enabled and name == ROOT:
            return INVALID_MANAGEMENT
        if self.roles.pop(name, None) is None:
            return ROLE_NOT_FOUND
        having = [(each, user) for each, user in self.users.items() if name in user.roles]
        self.users.update((each, _without(user, name)) for each, user in having)
        self.revision += 1
        return None

    def grant_permission(self, name: str, permission: Permission | None) -> str | None:
        """A role is allowed a range, or allowed otherwise what it had."""
        if permission is None:
            return PERMISSION_NOT_GIVEN
        role = self.roles.get(name)
        if role is None:
            return ROLE_NOT_FOUND
        granted = Permission(
            perm_type=permission.perm_type, key=permission.key, range_end=permission.range_end
        )
        had = list(role.key_permission)
        # As etcd looks for it: only the first permission that is on this key may be the same.
        at = next(
            (n for n, each in enumerate(had) if (each.key or b"") >= (granted.key or b"")), -1
        )
        if at >= 0 and _place(had[at]) == _place(granted):
            had[at] = granted
        else:
            had.append(granted)
            had.sort(key=lambda each: each.key or b"")
        self._put_role(replace(role, key_permission=tuple(had)))
        return None

    def revoke_permission(self, name: str, key: bytes, end: bytes) -> str | None:
        """A role loses what it was allowed on exactly this range."""
        role = self.roles.get(name)
        if role is None:
            return ROLE_NOT_FOUND
        left = tuple(each for each in role.key_permission if _place(each) != (key, end))
        if len(left) == len(role.key_permission):
            return PERMISSION_NOT_GRANTED
        self._put_role(replace(role, key_permission=left))
        return None

    def _put_role(self, role: Role) -> None:
        self.roles[_text(role.name)] = role
        self.revision += 1


def _secret(password: str, hashed: str) -> bytes | None:
    """What is stored of a password. Raises: binascii.Error."""
    if password and not hashed:
        return None
    try:
        return base64.b64decode(hashed, validate=True) or None
    except ValueError as error:  # letters beyond ASCII
        raise binascii.Error(str(error)) from None


def _range(key: bytes, end: bytes) -> tuple[Bound, Bound]:
    """`[start, stop)` of a permission or a request."""
    if not end:
        return (0, key), (0, key + b"\0")
    return (0, key), ((1, b"") if end == _OPEN_END else (0, end))


def _covers(ranges: Iterable[tuple[Bound, Bound]], key: bytes, end: bytes) -> bool:
    """Whether ranges, in order, cover a key or a whole range without a gap."""
    start, stop = _range(key, end)
    reached: Bound | None = None
    for first, last in ranges:
        # As etcd's interval tree has it: a request that selects nothing is met where it begins.
        if start >= last or (start < first and stop <= first):
            continue
        if first > (start if reached is None else reached):
            return False
        reached = last if reached is None else max(reached, last)
    return reached is not None and reached >= stop


def _without(user: User, role: str) -> User:
    return replace(user, roles=tuple(each for each in user.roles if each != role))


def _sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """In the order of their bytes, as Go sorts."""
    return tuple(sorted(names, key=_bytes))


def _place(permission: Permission) -> tuple[bytes, bytes]:
    return permission.key or b"", permission.range_end or b""


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "surrogateescape")

"""Users, roles and permissions as etcd keeps them in its database (upstream: authpb/auth.proto).

`Permission` is in the log as well, inside the request that grants it. Names and passwords are
bytes here and text in the requests of the log.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import (
    BOOL,
    BYTES,
    IMPLICIT,
    INT32,
    NESTED,
    STRING,
    Field,
    UnknownField,
    message,
)


class PermissionType(enum.IntEnum):
    """What a permission allows."""

    READ = 0
    WRITE = 1
    READWRITE = 2


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class UserAddOptions:
    """How a user is added: one without a password can log in by a certificate alone."""

    no_password: Annotated[bool | None, Field(1, BOOL, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Leave to read or write a key, or the keys of `[key, range_end)`."""

    perm_type: Annotated[int | None, Field(1, INT32, IMPLICIT, proto="permType")] = None
    key: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    range_end: Annotated[bytes | None, Field(3, BYTES, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; `password` is bcrypt's text, which each member of etcd 3.4 salts for itself."""

    name: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    password: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    roles: Annotated[tuple[str, ...], Field(3, STRING)] = ()
    options: Annotated[UserAddOptions | None, Field(4, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role and what it allows."""

    name: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    key_permission: Annotated[tuple[Permission, ...], Field(2, NESTED, proto="keyPermission")] = ()
    unknown: tuple[UnknownField, ...] = ()


USER: Final = Codec(User)
ROLE: Final = Codec(Role)

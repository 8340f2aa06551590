"""What etcd 3.5 and later log about members and versions (upstream: membershippb/membership.proto).

Before 3.5, and where 3.5 speaks to older members, the same is a v2 Request
(`formats.etcdserverpb`).
"""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import (
    BOOL,
    IMPLICIT,
    NESTED,
    STRING,
    UINT64,
    Field,
    UnknownField,
    message,
)


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class RaftAttributes:
    """What Raft needs of a member; not in the log."""

    peer_urls: Annotated[tuple[str, ...], Field(1, STRING)] = ()
    is_learner: Annotated[bool | None, Field(2, BOOL, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a member publishes of itself."""

    name: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    client_urls: Annotated[tuple[str, ...], Field(2, STRING)] = ()
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member; not in the log."""

    id: Annotated[int | None, Field(1, UINT64, IMPLICIT, go="ID", proto="ID")] = None
    raft_attributes: Annotated[RaftAttributes | None, Field(2, NESTED)] = None
    member_attributes: Annotated[Attributes | None, Field(3, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterVersionSetRequest:
    """The version that all members understand."""

    ver: Annotated[str | None, Field(1, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMemberAttrSetRequest:
    """A member has started and says where its clients find it."""

    member_id: Annotated[
        int | None, Field(1, UINT64, IMPLICIT, go="Member_ID", proto="member_ID")
    ] = None
    member_attributes: Annotated[Attributes | None, Field(2, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class DowngradeInfoSetRequest:
    """A downgrade to `ver` begins, or is cancelled."""

    enabled: Annotated[bool | None, Field(1, BOOL, IMPLICIT)] = None
    ver: Annotated[str | None, Field(2, STRING, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


MEMBER: Final = Codec(Member)

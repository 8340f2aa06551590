"""Leases as etcd keeps them in its database (upstream: leasepb/lease.proto)."""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import (
    IMPLICIT,
    INT64,
    Field,
    UnknownField,
    message,
)


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The value of a row of the bucket `lease`; times are seconds.

    `remaining_ttl` is 0 unless the leader wrote down how much was left (a checkpoint).
    """

    id: Annotated[int | None, Field(1, INT64, IMPLICIT, go="ID", proto="ID")] = None
    ttl: Annotated[int | None, Field(2, INT64, IMPLICIT, go="TTL", proto="TTL")] = None
    remaining_ttl: Annotated[
        int | None, Field(3, INT64, IMPLICIT, go="RemainingTTL", proto="RemainingTTL")
    ] = None
    unknown: tuple[UnknownField, ...] = ()


LEASE: Final = Codec(Lease)

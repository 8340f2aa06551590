"""Leases: grants, the keys attached to each, checkpoints; imports nothing of ours.

Time decides nothing here. A lease ends by the entry that revokes it, which the leader writes when
time is over, so a replay needs no clock.

Which keys a lease has is not stored anywhere: it follows from the newest version of each key.

Source: etcd-data-dir notes 9.5; the words of errors are etcd's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

TTL_SECONDS_MAX: Final = 9_000_000_000
TTL_SECONDS_MIN: Final = 2
"""One and a half times the election timeout in seconds, rounded up, with etcd's default of 1 s."""

NOT_FOUND: Final = "lease not found"
EXISTS: Final = "lease already exists"
TTL_TOO_LARGE: Final = "too large lease TTL"


@dataclass(slots=True)
class Lease:
    """A lease that was granted; `remaining_ttl` is 0 unless a leader wrote down what was left."""

    ttl: int
    remaining_ttl: int = 0
    keys: set[bytes] = field(default_factory=set)


class Lessor:
    """All leases. Refusals are etcd's words, `None` is success."""

    def __init__(self, *, ttl_seconds_min: int = TTL_SECONDS_MIN) -> None:
        self.leases: dict[int, Lease] = {}
        self.attached: dict[bytes, int] = {}
        """The lease of each key that has one."""
        self._ttl_min = ttl_seconds_min

    def copied(self) -> "Lessor":
        """The same leases, of their own."""
        other = Lessor(ttl_seconds_min=self._ttl_min)
        other.leases = {
            lease_id: Lease(lease.ttl, lease.remaining_ttl, lease.keys.copy())
            for lease_id, lease in self.leases.items()
        }
        other.attached = self.attached.copy()
        return other

    def __contains__(self, lease_id: int) -> bool:
        return lease_id in self.leases

    def grant(self, lease_id: int, ttl: int) -> str | None:
        """A new lease; a time to live below the minimum becomes the minimum."""
        if lease_id == 0:
            return NOT_FOUND
        if ttl > TTL_SECONDS_MAX:
            return TTL_TOO_LARGE
        if lease_id in self.leases:
            return EXISTS
        self.leases[lease_id] = Lease(max(ttl, self._ttl_min))
        return None

    def put_back(self, lease_id: int, *, ttl: int, remaining_ttl: int) -> None:
        """A lease as a database has it."""
        self.leases[lease_id] = Lease(ttl, remaining_ttl)

    def remove(self, lease_id: int) -> None:
        """Forget a lease; its keys must have been detached, as deleting them does."""
        del self.leases[lease_id]

    def keys_of(self, lease_id: int) -> list[bytes]:
        """The keys attached to a lease, ascending; none for one that is not there."""
        lease = self.leases.get(lease_id)
        return [] if lease is None else sorted(lease.keys)

    def checkpoint(self, lease_id: int, remaining_ttl: int) -> bool:
        """A leader wrote down what a lease has left; whether that changed anything."""
        lease = self.leases.get(lease_id)
        if lease is None or lease.remaining_ttl == remaining_ttl:
            return False
        lease.remaining_ttl = remaining_ttl
        return True

    def attach(self, key: bytes, lease_id: int) -> None:
        """`key` goes from the lease that it had to `lease_id`; 0, or one that is gone: to none."""
        self.detach(key)
        lease = self.leases.get(lease_id)
        if lease is not None:
            lease.keys.add(key)
            self.attached[key] = lease_id

    def detach(self, key: bytes) -> None:
        """`key` has no lease any more."""
        had = self.attached.pop(key, 0)
        if had:
            self.leases[had].keys.discard(key)

    def told(self) -> Iterator[tuple[int, Mapping[str, int]]]:
        """Every lease with its seconds, by the order of its row in a database."""
        for lease_id in sorted(self.leases, key=lambda each: each & (1 << 64) - 1):
            lease = self.leases[lease_id]
            yield lease_id, {"ttl": lease.ttl, "remaining_ttl": lease.remaining_ttl}

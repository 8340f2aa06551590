"""All that an etcd member knows, in one value; no rules here, and no bytes.

Rules about requests are in `etcd`, `txn`, `auth` and `members`; how a database writes all this
down is in `etcd_rows`.
"""

from dataclasses import dataclass, field, replace

from formats.rpcpb import AlarmType
from walctl.machine.auth import AuthStore
from walctl.machine.lease import TTL_SECONDS_MIN, Lessor
from walctl.machine.members import Membership
from walctl.machine.mvcc import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What no log says, and members do differently by version or by their flags.

    `lease_ttl_seconds_min` follows from the election timeout. `keeps_tombstone`: compaction
    leaves a tombstone of exactly its revision (etcd from 3.4.34, 3.5.16 and 3.6 on).
    """

    lease_ttl_seconds_min: int = TTL_SECONDS_MIN
    keeps_tombstone: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """An alarm that stands: `type` is a number of `formats.rpcpb.AlarmType`, or another."""

    member_id: int
    type: int


@dataclass(frozen=True, slots=True)
class Downgrade:
    """A downgrade that was begun, or called off."""

    target_version: str
    is_enabled: bool


@dataclass(slots=True)
class State:
    """A member's state as of entry `applied`, whose term is `term` (0: not known, before 3.5).

    `cluster_version` and `downgrade` are `None` until they were first set, `storage_version` is
    what a database said of itself.
    """

    store: Store
    applied: int = 0
    term: int = 0
    auth: AuthStore = field(default_factory=AuthStore)
    alarms: set[Alarm] = field(default_factory=set)
    membership: Membership = field(default_factory=Membership)
    cluster_version: str | None = None
    downgrade: Downgrade | None = None
    storage_version: bytes | None = None

    @classmethod
    def empty(cls, options: Options) -> "State":
        """A member before its first entry."""
        leases = Lessor(ttl_seconds_min=options.lease_ttl_seconds_min)
        return cls(Store(leases, keeps_tombstone=options.keeps_tombstone))

    def copied(self) -> "State":
        """The same state of its own, between two entries."""
        auth, membership = self.auth, self.membership
        return replace(
            self,
            store=self.store.copied(),
            auth=replace(auth, users=auth.users.copy(), roles=auth.roles.copy()),
            alarms=self.alarms.copy(),
            membership=replace(
                membership,
                members=membership.members.copy(),
                removed=membership.removed.copy(),
                voters=membership.voters.copy(),
                learners=membership.learners.copy(),
            ),
        )

    @property
    def leases(self) -> Lessor:
        """The leases of the key space."""
        return self.store.leases

    def has_alarm(self, wanted: AlarmType) -> bool:
        """Whether any member has raised this alarm."""
        return any(each.type == wanted for each in self.alarms)

"""What a world tells whoever looks on: moments, as calls. An `Onlooker` does nothing with them.

Whoever wants to know more than this asks what it is given: the seat has its driver, the site its
disk. Nobody who looks on may change anything.
"""

from typing import TYPE_CHECKING, Any

from walctl.cluster.events import EventKind
from walctl.raft.types import Entry, Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from walctl.cluster.service import Done
    from walctl.cluster.waiting import Told
    from walctl.sim.clients import Request
    from walctl.sim.site import Seat, Site


class Onlooker:
    """Takes no notice; whoever does overrides what it wants to hear of."""

    def started(self, seat: "Seat") -> None:
        """A member begins to run: its driver is there, and has done nothing yet."""

    def refused(self, seat: "Seat", words: str) -> None:
        """A member does not start, for what is in its files."""

    def ended(self, seat: "Seat", words: str) -> None:
        """A member ends by itself, for `words`: its disk failed it."""

    def panicked(self, seat: "Seat", words: str) -> None:
        """A member ends, for a broken invariant of its core."""

    def stopped(self, seat: "Seat") -> None:
        """A member was ended as it should be: all is written."""

    def dying(self, site: "Site") -> None:
        """A node dies now; its disk still has what is not durable."""

    def crashed(self, site: "Site", *, is_power_cut: bool) -> None:
        """A node has died; its disk holds what survived."""

    def sends(self, seat: "Seat", message: Message) -> None:
        """A message leaves a member."""

    def told(self, seat: "Seat", kind: EventKind, fields: "Mapping[str, Any]") -> None:
        """A driver tells what happened to it."""

    def applied(self, seat: "Seat", entry: Entry, done: "Done") -> None:
        """A committed entry was carried out."""

    def frozen(self, seat: "Seat", index: int, term: int) -> None:
        """A member begins to make a snapshot of its state as of `index`."""

    def worked(self, seat: "Seat") -> None:
        """A member has done all that there was to do just now."""

    def answered(self, seat: "Seat", request: "Request", told: "Told") -> None:
        """A member gives a client its answer."""

    def placed(self, group: str, hosts: "Sequence[str] | None") -> None:
        """The lab's file says which nodes hold a group; `None`: that there is none any more."""

    def tampered(
        self, site: "Site", words: str, *, group: str | None = None, is_mendable: bool = False
    ) -> None:
        """An operator or rot has changed the files of a node that does not run, of one group or of
        all (`None`).

        `is_mendable`: it is damage that a reader may see.
        """

    def mended(self, site: "Site", group: str, *, is_whole: bool) -> None:
        """Our repair says of a group's files that nothing that can have counted is gone from them;
        with `is_whole`, nothing at all."""

    def healed(self) -> None:
        """All faults are over, and no other ones come: now all has to come together."""

    def calmed(self) -> None:
        """All has come together: nobody has a reason to campaign any more."""

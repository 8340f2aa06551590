"""What a node of the simulator does for operators: verbs of `member_control`."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from walctl.cluster.driver import Driver
from walctl.cluster.held import Held, coming, driver_in, ended, leaving
from walctl.cluster.member_control import Fields, MemberControl
from walctl.cluster.waiting import Told
from walctl.errors import ClusterError, UsageError
from walctl.raft.types import ConfChange
from walctl.sim.clockwork import Rank
from walctl.sim.errands import Errand, Going, Stop
from walctl.sim.lab_book import LabBook
from walctl.sim.site import Site

T = TypeVar("T")


class SiteHost:
    """See `member_control.Host`."""

    def __init__(self, site: Site, book: LabBook) -> None:
        self._site = site
        self._book = book

    @property
    def name(self) -> str:
        """See `Host`."""
        return self._site.name

    @property
    def id(self) -> int:
        """See `Host`."""
        return self._site.id

    @property
    def members(self) -> Mapping[str, Held]:
        """See `Host`."""
        return self._site.seats

    def driver(self, group: str) -> Driver:
        """See `Host`."""
        return driver_in(self._site.seats, self._book.lab, self.name, group)

    def do(self, group: str, deed: Callable[[Driver], T]) -> T:
        """See `Host`."""
        self.driver(group)
        results: list[T] = []
        if not self._site.do(group, lambda driver: results.append(deed(driver))):
            raise ended(self._site.seats[group], self.name)
        return results[0]

    def wake(self, group: str) -> None:
        """See `Host`."""
        self._site.wake(group)

    async def change(self, group: str, change: ConfChange) -> Told:
        """See `Host`."""
        self.driver(group)
        clock = self._site.around.clock

        def begin(going: Going[Told]) -> None:
            def tell(told: Told) -> None:
                clock.after(0, Rank.CLIENT, lambda: going.on(told))

            words = self._site.ask(group, lambda driver, each: driver.change(change, each), tell)
            if words:
                going.fail(ClusterError(f"group {group} on {self.name}: {words}"))

        return await Stop(begin)

    def node_name(self, node_id: int) -> str:
        """See `Host`."""
        return self._book.world.node_name(node_id) or ""

    async def reload(self, fields: Fields) -> Fields:
        """The lab's file has changed."""
        lab, site = self._book.lab, self._site
        for group in leaving(site.seats, lab, self.name):
            site.unhost(group)
        for each in coming(site.seats, lab, self.name):
            site.host(each.name)
        return {"groups": sorted(site.seats)}


def answer(
    site: Site, book: LabBook, verb: str, fields: Fields, on_end: Callable[[Errand[Any]], None]
) -> None:
    """Let a node that runs do something; what is under way when it dies is never answered."""
    life = site.life
    host = SiteHost(site, book)
    errand: Errand[Fields] = Errand(
        site.around.clock, is_alive=lambda: site.is_up and site.life == life
    )

    def over(found: Errand[Any]) -> None:
        found.was_killed = found.was_killed or site.life != life
        on_end(found)

    async def work() -> Fields:
        if verb == "reload":
            return await host.reload(fields)
        verbs = MemberControl(host, errand).verbs
        if verb not in verbs:
            raise UsageError(f"no verb {verb!r}; there are {', '.join(verbs)}, reload")
        return await verbs[verb](fields)

    errand.begin(work(), over)

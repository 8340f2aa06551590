"""A few members of one group in one thread: real drivers on disks in memory, and a slow network.

Nothing happens but what a test asks for, and nothing is random: timeouts are drawn in turn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.replay.stored import SNAP, WAL
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.service import KvService
from walctl.cluster.surroundings import Place, Surroundings
from walctl.cluster.waiting import Tell, Told
from walctl.fs.crash import Crash
from walctl.fs.memory import MemoryFileSystem
from walctl.raft.types import Message

PLACE = Place(wal=WAL, snap=SNAP, segment_bytes=4_000)
TICKS_MAX = 200


@dataclass
class Site:
    """Where one member lives: its disk outlives it."""

    id: int
    disk: MemoryFileSystem
    driver: Driver | None = None
    events: list[tuple[EventKind, dict[str, Any]]] = field(default_factory=list)

    @property
    def alive(self) -> Driver:
        assert self.driver is not None, "it runs"
        return self.driver

    def told(self, kind: EventKind) -> list[dict[str, Any]]:
        """What it told of this kind."""
        return [fields for each, fields in self.events if each is kind]


class Members:
    """The world. `is_cut(source, target)` says what is lost."""

    def __init__(self, count: int = 3, *, place: Place = PLACE) -> None:
        self.place = place
        self.flying: list[Message] = []
        self.draws = 0
        self.now_us = 0
        self.is_cut: Callable[[int, int], bool] = lambda source, target: False
        self.on_send: Callable[[Site, Sequence[Message]], None] = lambda site, messages: None
        self.sites: dict[int, Site] = {}
        ids = tuple(range(1, count + 1))
        for each in ids:
            self.add(each, ids)

    def add(self, number: int, peers: Sequence[int] = ()) -> Site:
        """A new member: one of those that the group begins with, or one that joins."""
        disk = MemoryFileSystem()
        site = self.sites[number] = Site(number, disk)
        world = self._world(site)
        if peers:
            begun = Driver.join(number, place=self.place, service=KvService(), world=world)
            begun.bootstrap(peers)
        else:
            begun = Driver.join(number, place=self.place, service=KvService(), world=world)
        site.driver = begun
        return site

    def __getitem__(self, number: int) -> Driver:
        return self.sites[number].alive

    def stop(self, number: int) -> None:
        """End a member as it should."""
        self.sites[number].alive.end("stopped")
        self.sites[number].driver = None

    def crash(self, number: int, how: Crash) -> None:
        """Take its power away; `how` says what its disk keeps."""
        site = self.sites[number]
        site.disk.end_process()
        site.disk = site.disk.crash(how)
        site.driver = None

    def start(self, number: int) -> Driver:
        """Take it up again from what is on its disk."""
        site = self.sites[number]
        site.driver = Driver.take_up(
            number, place=self.place, service=KvService(), world=self._world(site)
        )
        return site.driver

    def settle(self) -> None:
        """Let all work be done and all messages arrive, until nothing is left to do."""
        for _ in range(1_000):
            for site in self.sites.values():
                if site.driver is not None:
                    site.driver.work()
                    if site.driver.is_snapshot_due:
                        job = site.driver.begin_snapshot()
                        job.run()
                        site.driver.end_snapshot(job)
            if not self.flying:
                return
            self.deliver()
        raise AssertionError("there is always more to do")

    def deliver(self) -> None:
        """Everything that is on its way arrives, or is lost where the link is cut."""
        flying, self.flying = self.flying, []
        for message in flying:
            site = self.sites.get(message.target)
            if site is None or site.driver is None:
                continue
            if not self.is_cut(message.source, message.target):
                site.driver.receive(message)

    def tick(self, count: int = 1) -> None:
        """Let time pass everywhere."""
        for _ in range(count):
            self.now_us += self.place.tick_us
            for site in self.sites.values():
                if site.driver is not None:
                    site.driver.tick()
            self.settle()

    def elect(self, number: int) -> Driver:
        """Make this member leader."""
        self.settle()
        self[number].campaign()
        self.settle()
        assert self[number].is_leader
        return self[number]

    def until(self, holds: Callable[[], bool]) -> None:
        """Let time pass until it holds."""
        for _ in range(TICKS_MAX):
            if holds():
                return
            self.tick()
        raise AssertionError("it never holds")

    def put(self, number: int, key: bytes, value: bytes) -> list[Told]:
        """Ask a member for a put; what is told of it comes into the list."""
        told: list[Told] = []
        driver = self[number]
        driver.propose(driver.service.put(key, value), told.append)
        return told

    def leader(self) -> Driver | None:
        """The leader of the highest term, if there is one."""
        leaders = [
            site.driver
            for site in self.sites.values()
            if site.driver is not None and site.driver.is_leader
        ]
        return max(leaders, key=lambda each: each.node.raft.term, default=None)

    def _world(self, site: Site) -> Surroundings:
        def send(messages: Sequence[Message]) -> None:
            self.on_send(site, messages)
            self.flying += messages

        def tell(kind: EventKind, fields: Mapping[str, Any]) -> None:
            site.events.append((kind, dict(fields)))

        return Surroundings(
            disk=site.disk, draw=self._draw, now_us=lambda: self.now_us, send=send, tell=tell
        )

    def _draw(self, n: int) -> int:
        self.draws += 1
        return self.draws * 7 % n


def ask(member: Driver, how: Callable[[Tell], None]) -> list[Told]:
    """What is told of a question."""
    told: list[Told] = []
    how(told.append)
    return told


def with_place(**wishes: Any) -> Place:
    """The usual place with other settings."""
    return replace(PLACE, **wishes)

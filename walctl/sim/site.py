"""A node of the simulated cluster: its disk, its clock, and a member of each of its groups.

What `walctl.cluster.node` is for real processes, without a process: members are `Driver`s, and
all that differs is who calls them. A node does one thing at a time. What it does takes no virtual
time but for its disk's (`SimDisk.lag_us`): messages and answers that come of a write leave when the
disk is done, and what comes in meanwhile waits. A paused node does nothing; what comes waits too.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.service import Done, KvService
from walctl.cluster.surroundings import Job, Place, Surroundings
from walctl.cluster.waiting import Tell, Told
from walctl.errors import CorruptionError, RefusedError, WalctlError
from walctl.fs.disk_faults import CrashMode
from walctl.fs.faults import Killed
from walctl.machine.base import Entry as MachineEntry
from walctl.raft.errors import RaftPanic, StorageError
from walctl.raft.types import Entry, Message
from walctl.sim.chance import Streams
from walctl.sim.clockwork import Clockwork, Rank
from walctl.sim.disk import SimDisk, place_of
from walctl.sim.onlooker import Onlooker

INBOX_MAX: Final = 10_000
"""Messages that wait for a node that is busy or paused; more are lost, as behind a full socket."""
SNAPSHOT_US: Final = 5_000
"""How long a snapshot is built before its file is put in place, and again before it is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How members behave; see `Place`. `sync_us` is what a sync takes, and how much it varies."""

    tick_us: int = 100_000
    election_ticks: int = 10
    pre_vote: bool = True
    check_quorum: bool = True
    snapshot_count: int = 10_000
    catch_up_entries: int = 10_000
    segment_bytes: int = 64_000
    message_bytes: int = 1 << 20
    sync_us: int = 500
    sync_jitter_us: int = 200

    def place(self, group: str) -> Place:
        """Where a member's files are on its node's disk, and how it behaves."""
        return replace(
            place_of(group),
            tick_us=self.tick_us,
            election_ticks=self.election_ticks,
            pre_vote=self.pre_vote,
            check_quorum=self.check_quorum,
            snapshot_count=self.snapshot_count,
            catch_up_entries=self.catch_up_entries,
            segment_bytes=self.segment_bytes,
            message_bytes=self.message_bytes,
        )


class Around(Protocol):
    """What a node is given of the world."""

    clock: Clockwork
    streams: Streams
    ways: Ways
    onlooker: Onlooker

    def send(self, source: "Site", group: str, message: Message, at_us: int) -> None:
        """A message leaves a node."""

    def tell(
        self, kind: EventKind, fields: Mapping[str, Any], *, node: str | None, group: str | None
    ) -> None:
        """Something happened."""

    def founders(self, group: str) -> Sequence[int]:
        """The ids of the members that a group began with."""


class WatchedService(KvService):
    """raftexample's map, with somebody who looks on."""

    def __init__(self, seat: "Seat") -> None:
        super().__init__()
        self._seat = seat

    def apply(self, entry: MachineEntry) -> Done:
        """See `Service`."""
        done = super().apply(entry)
        if isinstance(entry, Entry):
            self._seat.site.around.onlooker.applied(self._seat, entry, done)
        return done


class Seat:
    """A node's member of one group; `driver` is `None` when it has ended, and `words` say why."""

    def __init__(self, site: "Site", group: str) -> None:
        self.site = site
        self.group = group
        self.driver: Driver | None = None
        self.words = ""
        self.refused = ""
        """Why it did not start: for what is in its files, or what is not there."""
        self.is_removed = False

    @property
    def name(self) -> str:
        """The node's."""
        return self.site.name


class Site:
    """See the module. `founded` are the groups in which it is one of those that begin.

    `is_up`: it runs; `is_paused`: it does nothing, while it runs. `rate_percent` is its clock's.
    """

    def __init__(self, name: str, node_id: int, around: Around, disk: SimDisk) -> None:
        self.name = name
        self.id = node_id
        self.around = around
        self.disk = disk
        self.hosted: list[str] = []
        self.founded: list[str] = []
        self.seats: dict[str, Seat] = {}
        self.is_up = False
        self.is_paused = False
        self.rate_percent = 100
        self.life = 0
        self.words = ""
        """Why it does not run, when nobody stopped it."""
        self.barred = ""
        """Why nobody may start it, as its operator knows; empty: anybody may."""
        self.busy_until_us = 0
        self._inbox: list[tuple[str, Message]] = []
        self._awake: dict[str, None] = {}
        self._is_turn_planned = False
        self._local_us = 0
        self._local_since_us = 0
        self._tick_due_us = 0
        self._ticking = 0
        """Which series of ticks counts: a pause or a start begins another."""
        self._waiting: dict[Tell, None] = {}
        self._armed_mode: CrashMode | None = None
        self._armed_keep: tuple[int, ...] | None = None

    # Its life.

    def start(self) -> None:
        """Begin to run: every member is taken up, or begins; not while it is barred."""
        if self.is_up or self.barred:
            return
        self.is_up, self.is_paused, self.words = True, False, ""
        self.life += 1
        self.seats = {}
        self._inbox.clear()
        self._awake.clear()
        self.busy_until_us = self.around.clock.now_us
        for group in self.hosted:
            if not self.is_up:
                return
            self._begin(group)
        if self.seats and all(each.driver is None for each in self.seats.values()):
            self._give_up(next(iter(self.seats.values())).words)
            return
        self._plan_ticks()
        self._wake_all()

    def stop(self) -> None:
        """End every member as it should be."""
        if not self.is_up:
            return
        self.is_paused = False
        for seat in self.seats.values():
            if seat.driver is not None and not self._let(
                seat, lambda driver: driver.end("the node was stopped")
            ):
                continue
            if seat.driver is not None:
                self.around.onlooker.stopped(seat)
                seat.driver = None
            self._tell(EventKind.STOP, {}, seat.group)
        self._go("stopped")

    def kill(self) -> None:
        """The process dies; what it had written is there."""
        self._die(None, None)

    def cut_power(self, mode: CrashMode, keep: tuple[int, ...] | None = None) -> None:
        """The power goes, now."""
        self._die(mode, keep)

    def arm(self, mode: CrashMode, *, call: int, keep: tuple[int, ...] | None = None) -> None:
        """The power goes (`clean`: the process dies) before the `call`-th change of its disk."""
        self._armed_mode, self._armed_keep = mode, keep
        self.disk.arm(mode, call=call, keep=keep)

    def pause(self) -> None:
        """Stand still."""
        self.is_paused = self.is_up

    def resume(self) -> None:
        """Go on, with all that came meanwhile."""
        if not self.is_paused:
            return
        self.is_paused = False
        self.busy_until_us = max(self.busy_until_us, self.around.clock.now_us)
        self._plan_ticks()
        self._plan_turn()

    def host(self, group: str, *, is_founder: bool = False) -> None:
        """From now on it holds a member of this group; if it runs, that one begins."""
        if group not in self.hosted:
            self.hosted.append(group)
        if is_founder and group not in self.founded:
            self.founded.append(group)
        if self.is_up:
            seat = self.seats.get(group)
            if seat is None or seat.driver is None:
                self._begin(group)
                self.wake(group)

    def unhost(self, group: str) -> None:
        """It holds none any more; the member ends, and its files stay."""
        if group in self.hosted:
            self.hosted.remove(group)
        seat = self.seats.pop(group, None)
        if seat is not None and seat.driver is not None:
            self._let(seat, lambda driver: driver.end("the group was taken from this node"))
            seat.driver = None

    def set_rate(self, rate_percent: int) -> None:
        """Let its clock go at this rate."""
        self._local_us = self.local_us
        self._local_since_us = self.around.clock.now_us
        self.rate_percent = rate_percent

    def jump(self, jump_us: int) -> None:
        """Let its clock jump ahead: what should have ticked meanwhile ticks at once."""
        self._local_us += jump_us
        for _ in range(jump_us // self.around.ways.tick_us):
            if self.is_up and not self.is_paused:
                self._tick()

    @property
    def local_us(self) -> int:
        """Its own clock, which nobody sets back."""
        passed = self.around.clock.now_us - self._local_since_us
        return self._local_us + passed * self.rate_percent // 100

    # What comes in.

    def receive(self, group: str, message: Message) -> bool:
        """A message of a peer; false when nobody is there."""
        if not self.is_up:
            return False
        if self._must_wait:
            if len(self._inbox) < INBOX_MAX:
                self._inbox.append((group, message))
                self._plan_turn()
            return True
        seat = self.seats.get(group)
        if seat is None or seat.driver is None:
            return True
        if self._let(seat, lambda driver: driver.receive(message)):
            self._work(seat)
        return True

    def ask(self, group: str, deed: Callable[[Driver, Tell], None], tell: Tell) -> str:
        """A client asks something; empty when it was taken, else why it was not.

        `tell` is called once with what became of it, also when the node dies first.
        """
        if not self.is_up:
            return "connection refused"
        seat = self.seats.get(group)
        if seat is None or seat.driver is None:
            words = "" if seat is None else seat.words
            return words or f"no member of {group} runs on {self.name}"
        waiting: list[Tell] = []

        def once(told: Told) -> None:
            if waiting:
                self._waiting.pop(waiting.pop(), None)
                tell(told)

        waiting.append(once)
        self._waiting[once] = None
        if self._let(seat, lambda driver: deed(driver, once)):
            self.wake(group)
        return ""

    def do(self, group: str, deed: Callable[[Driver], None]) -> bool:
        """An operator has a member do something; false when there is none."""
        seat = self.seats.get(group)
        if not self.is_up or seat is None or seat.driver is None or not self._let(seat, deed):
            return False
        self.wake(group)
        return True

    def wake(self, group: str) -> None:
        """Let a member work, as soon as its node may."""
        self._awake[group] = None
        if self._must_wait:
            self._plan_turn()
        else:
            self._turn()

    # How it works.

    @property
    def _must_wait(self) -> bool:
        return self.is_paused or self.around.clock.now_us < self.busy_until_us

    def _wake_all(self) -> None:
        self._awake.update(dict.fromkeys(self.seats))
        self._plan_turn()

    def _plan_turn(self) -> None:
        # A node that died has no turn to come: it would be planned again and again for one moment.
        if not self.is_up or self.is_paused or self._is_turn_planned:
            return
        self._is_turn_planned = True
        life = self.life

        def turn() -> None:
            self._is_turn_planned = False
            if life == self.life and self.is_up and not self.is_paused:
                self._turn()
            elif self.is_up and (self._inbox or self._awake):
                self._plan_turn()

        self.around.clock.at(self.busy_until_us, Rank.DISK, turn)

    def _turn(self) -> None:
        """Everything that came, and then the work that comes of it, all together."""
        inbox, self._inbox = self._inbox, []
        for group, message in inbox:
            seat = self.seats.get(group)
            if seat is not None and seat.driver is not None:
                self._awake[group] = None
                self._let(seat, partial(_take, message))
        awake, self._awake = self._awake, {}
        for group in awake:
            seat = self.seats.get(group)
            if seat is not None and self.is_up:
                self._work(seat)

    def _work(self, seat: Seat) -> None:
        driver = seat.driver
        if driver is None or not self._let(seat, Driver.work):
            return
        self.around.onlooker.worked(seat)
        if driver.is_removed:
            seat.is_removed = True
            self._let(seat, lambda each: each.end("removed from the group"))
            seat.driver, seat.words = None, "removed from the group"
            self._tell(EventKind.STOP, {"why": seat.words}, seat.group)
        elif driver.is_snapshot_due:
            self._let(seat, lambda each: self._begin_snapshot(seat, each))

    def _let(self, seat: Seat, deed: Callable[[Driver], object]) -> bool:
        """Let a member do something; false when that was its end, or its node's."""
        assert seat.driver is not None, "looked at by the caller"
        try:
            deed(seat.driver)
        except Killed:
            self._die(self._armed_mode, self._armed_keep)
            return False
        except (RaftPanic, StorageError) as error:
            # What storage says to the core comes this far only if the core asked for nonsense.
            self._lose(seat, str(error))
            self.around.onlooker.panicked(seat, str(error))
            return False
        except WalctlError as error:
            self._lose(seat, str(error))
            self.around.onlooker.ended(seat, str(error))
            return False
        finally:
            if self.disk.lag_us:
                now_us = self.around.clock.now_us
                self.busy_until_us = max(self.busy_until_us, now_us) + self.disk.lag_us
                self.disk.lag_us = 0
        return True

    def _lose(self, seat: Seat, words: str) -> None:
        """A member has ended by itself; with the last one, so does the node."""
        driver, seat.driver, seat.words = seat.driver, None, words
        self._tell(EventKind.CRASH, {"why": words}, seat.group)
        if driver is not None:
            with suppress(WalctlError, Killed):  # its files are as they are
                driver.end(words)
        if all(each.driver is None and not each.is_removed for each in self.seats.values()):
            self._give_up(words)

    def _give_up(self, words: str) -> None:
        self.words = words
        self._go(words)

    def _go(self, words: str) -> None:
        """Nothing runs here any more; the files stay as they are."""
        self.is_up = self.is_paused = False
        self.life += 1
        self._is_turn_planned = False
        self.disk.end_process()
        self._break_connections(words)

    def _die(self, mode: CrashMode | None, keep: tuple[int, ...] | None) -> None:
        if not self.is_up:
            return
        is_power_cut = mode is not None and (mode is not CrashMode.CLEAN or keep is not None)
        for seat in self.seats.values():
            seat.driver = None
        self.around.onlooker.dying(self)
        self.disk.crash(mode or CrashMode.CLEAN, keep)
        self.words = "killed"
        self.disk.lag_us = 0
        self._go("the node died")
        self.around.onlooker.crashed(self, is_power_cut=is_power_cut)

    def _break_connections(self, words: str) -> None:
        """Whoever waited for an answer sees that the connection is gone."""
        waiting, self._waiting = self._waiting, {}
        for tell in waiting:
            tell(Told(fate=Fate.UNKNOWN, words=words))

    # Members.

    def _begin(self, group: str) -> None:
        """Take up a member where its directory is, else begin or join."""
        seat = self.seats[group] = Seat(self, group)
        try:
            seat.driver = self._driver_of(seat)
        except Killed:
            self._die(self._armed_mode, self._armed_keep)
            return
        except (WalctlError, RaftPanic) as error:
            seat.words = seat.refused = str(error)
            self._tell(EventKind.CRASH, {"why": seat.words}, group)
            if isinstance(error, RaftPanic):
                self.around.onlooker.panicked(seat, seat.words)
            elif isinstance(error, CorruptionError):
                self.around.onlooker.refused(seat, seat.words)
            return
        state = seat.driver.node.raft.hard_state
        fields = {"term": state.term, "vote": state.vote, "commit": state.commit}
        self._tell(EventKind.START, {**fields, "last": seat.driver.storage.last_index()}, group)
        self.around.onlooker.started(seat)

    def _driver_of(self, seat: Seat) -> Driver:
        """Raises: AccessError, CorruptionError, RaftPanic, Killed."""
        around, group = self.around, seat.group
        place = around.ways.place(group)
        # Named by its moment, so that another life more or less changes nothing here.
        election = around.streams.fresh(f"election/{self.name}/{group}/{around.clock.now_us}")
        world = Surroundings(
            disk=self.disk.fs,
            draw=election.below,
            now_us=lambda: self.local_us + self.disk.lag_us,
            send=lambda messages: self._send(seat, messages),
            tell=lambda kind, fields: self._heard(seat, kind, fields),
        )
        service = WatchedService(seat)
        disk = self.disk.fs
        if disk.exists(place.wal) and disk.names(place.wal):
            driver = Driver.take_up(self.id, place=place, service=service, world=world)
        else:
            driver = Driver.join(self.id, place=place, service=service, world=world)
        if group in self.founded and driver.is_blank:
            driver.bootstrap(list(around.founders(group)))
        return driver

    def _send(self, seat: Seat, messages: Sequence[Message]) -> None:
        around = self.around
        at_us = max(around.clock.now_us, self.busy_until_us) + self.disk.lag_us
        for message in messages:
            around.onlooker.sends(seat, message)
            around.send(self, seat.group, message, at_us)

    def _heard(self, seat: Seat, kind: EventKind, fields: Mapping[str, Any]) -> None:
        self.around.onlooker.told(seat, kind, fields)
        self._tell(kind, fields, seat.group)

    def _begin_snapshot(self, seat: Seat, driver: Driver) -> None:
        """Freeze the state; the file, and later its marker, come while the member goes on."""
        job = driver.begin_snapshot()
        self.around.onlooker.frozen(seat, job.snapshot.index, job.snapshot.term)
        self._after(seat, SNAPSHOT_US, lambda: self._build(seat, driver, job))

    def _build(self, seat: Seat, driver: Driver, job: Job) -> None:
        def build(_: Driver) -> None:
            try:
                job.run()
            except (RefusedError, ValueError):
                # It cannot be made of this state; the member goes on with its log.
                driver.fail_snapshot()
                return
            self._after(seat, SNAPSHOT_US, end)

        def end() -> None:
            self._let(seat, lambda each: each.end_snapshot(job))

        self._let(seat, build)

    def _after(self, seat: Seat, delay_us: int, deed: Callable[[], object]) -> None:
        """Do something later, if the member still lives and its node may."""
        driver, life = seat.driver, self.life

        def later() -> None:
            if life != self.life or seat.driver is not driver:
                return
            if self._must_wait:
                self._after(seat, max(1_000, self.busy_until_us - self.around.clock.now_us), deed)
            else:
                deed()

        self.around.clock.after(delay_us, Rank.DISK, later)

    # Time.

    def _plan_ticks(self) -> None:
        """The first tick comes at some moment within its unit, as processes are never in step."""
        now_us, tick_us = self.around.clock.now_us, self.around.ways.tick_us
        phase = self.around.streams.fresh(f"tick/{self.name}/{now_us}").between(1, tick_us)
        self._tick_due_us = now_us + phase
        self._ticking += 1
        self._plan_tick(self._ticking)

    def _plan_tick(self, ticking: int) -> None:
        def tick() -> None:
            if ticking != self._ticking or not self.is_up or self.is_paused:
                return
            clock = self.around.clock
            if clock.now_us < self.busy_until_us:
                # A tick that was missed is not made up for.
                self._tick_due_us = self.busy_until_us
            else:
                self._tick()
                step = self.around.ways.tick_us * 100 // self.rate_percent
                self._tick_due_us = clock.now_us + max(1, step)
            self._plan_tick(ticking)

        self.around.clock.at(self._tick_due_us, Rank.TICK, tick)

    def _tick(self) -> None:
        for group, seat in list(self.seats.items()):
            if seat.driver is None or not self._let(seat, Driver.tick) or seat.driver is None:
                continue
            if seat.driver.needs_work:
                self.wake(group)

    def _tell(self, kind: EventKind, fields: Mapping[str, Any], group: str | None) -> None:
        self.around.tell(kind, fields, node=self.name, group=group)


def _take(message: Message, driver: Driver) -> None:
    driver.receive(message)

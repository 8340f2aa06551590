"""From the world to the promises: who looks on, and tells a watcher of each group what it sees.

    disk      Ledgers, from the bytes     wrote_entry, wrote_state, wrote_snapshot, synced, survived
    messages  as they leave               granted, accepted, campaigned, leader_said …
    members   at their work               applied, configured, snapshot_…, acknowledged, stood
    lives     and their ends              started, stopped, refused, panicked, examined

What is durable nobody is asked for: it is told from what the disk has been given. A violation comes
out of whatever the world was doing, as `Violated`.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from formats.raftpb import MessageType
from walctl.checker.invariants import Watcher
from walctl.checker.liveness import Calm, CatchingUp
from walctl.checker.places import Places
from walctl.checker.violation import Violated, Violation
from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.service import Done
from walctl.cluster.waiting import Told
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict
from walctl.raft.types import Entry, Message, Role
from walctl.sim.clients import Request, payload_of
from walctl.sim.ledger import Ledger, Ledgers
from walctl.sim.log_bytes import ENTRY, MARK, STATE, Item
from walctl.sim.onlooker import Onlooker
from walctl.sim.site import Seat, Site
from walctl.sim.world import World
from walctl.wal.owner import NO_STATE

_HEARTBEAT, _SNAP = MessageType.HEARTBEAT, MessageType.SNAP
_VOTE, _VOTE_RESP = MessageType.VOTE, MessageType.VOTE_RESP
_APP, _APP_RESP = MessageType.APP, MessageType.APP_RESP
NOTICED: Final = "tocommit("
"""How a member begins that is told of a commit behind the end of its log, and stops."""
SNAPSHOTS_EVER_MAX: Final = 20
"""A follower that is sent more snapshots in a row, and accepts no entry behind any, never catches
up, whatever goes wrong meanwhile."""
SNAPSHOTS_MAX: Final = 10
"""As many snapshots in a row may be sent to one node, once faults are over."""
ELECTIONS_MAX: Final = 1
"""As many elections may begin in a calm minute: one of a node that had not heard of the leader."""

ALL: Final = "all"
"""In the place of invariants, in the first line of a scenario."""


class Watching(Onlooker):
    """Looks on in `world`, and knows a watcher of each of its groups.

    `only` are the invariants that end a run; none: those that the scenario names in its first line,
    and where it names none, all that a watcher knows.
    """

    def __init__(self, world: World, *, only: Collection[str] = ()) -> None:
        self.watchers: dict[str, Watcher] = {}
        self._world = world
        self._only = only or tuple(each for each in world.made.checks if each != ALL)
        self._logs: dict[tuple[str, str], Log] = {}
        self._stood: dict[Seat, tuple[object, ...]] = {}
        self._places = Places(now_us=lambda: world.clock.now_us, name_of=self._name_of)
        self._sent: dict[tuple[str, str], tuple[CatchingUp, int]] = {}
        """Of who is sent snapshots, by node and group: the last one's index."""
        self._snapshots_max = SNAPSHOTS_EVER_MAX
        self._calm: dict[str, Calm] | None = None
        self.forgotten: dict[str, str] = {}
        """Nodes that may have lost what they had promised, and by what."""

    def finished(self) -> None:
        """The run is over: say what can only be said then. Raises: Violated."""
        for watcher in self.watchers.values():
            watcher.finished()

    def forgive(self, node: str, *, group: str | None = None, is_mendable: bool = False) -> None:
        """What a node had promised may be gone, by a fault that nobody has to survive; in one group
        or in all (`None`)."""
        for each, watcher in self.watchers.items():
            if group in (None, each) and (node, each) in self._logs:
                watcher.forgave(node, is_mendable=is_mendable)

    # Lives.

    def started(self, seat: Seat) -> None:
        """See `Onlooker`."""
        self._sent.pop((seat.name, seat.group), None)
        driver = _driver(seat)
        log = self._log(seat)
        state, _ = driver.storage.initial_state()
        log.watcher.started(
            seat.name,
            raft_id=seat.site.id,
            term=state.term,
            vote=state.vote,
            commit=state.commit,
            last=driver.storage.last_index(),
            applied=driver.applied,
        )
        begun = driver.snapshot_index
        if begun and begun == driver.applied:
            # The state that it begins with is that of its snapshot, as if a leader had sent it.
            term, digest = driver.storage.term(begun), driver.service.digest()
            log.watcher.snapshot_restored(seat.name, begun, term, digest)
        self._configured(seat, driver.applied)

    def refused(self, seat: Seat, words: str) -> None:
        """See `Onlooker`."""
        watcher = self._log(seat).watcher
        if not watcher.is_suspect(seat.name):
            watcher.refused(seat.name, words)

    def panicked(self, seat: Seat, words: str) -> None:
        """See `Onlooker`; who has forgotten entries does well to stop for the lack of them."""
        watcher = self._log(seat).watcher
        if watcher.is_suspect(seat.name) and words.startswith(NOTICED):
            watcher.stopped(seat.name)
        else:
            watcher.panicked(seat.name, words)

    def ended(self, seat: Seat, words: str) -> None:
        """See `Onlooker`."""
        self._log(seat).watcher.stopped(seat.name)
        self._stood.pop(seat, None)

    def stopped(self, seat: Seat) -> None:
        """See `Onlooker`; what its files say then is what it said itself."""
        log = self._log(seat)
        self._stood.pop(seat, None)
        log.watcher.stopped(seat.name)
        if log.watcher.is_suspect(seat.name):
            return
        folder = _driver(seat).place.wal.parent
        report = verify(seat.site.disk.fs, folder)
        words = report.error or ""
        if report.verdict is Verdict.DAMAGED:
            words = ", ".join(sorted({str(each.code) for each in report.findings}))
        summary = report.summary
        state = NO_STATE if summary is None else summary.hard_state or NO_STATE
        points = [each for each in report.start_points if each.usable]
        newest = max(points, key=lambda each: each.snapshot_index, default=None)
        log.watcher.examined(
            seat.name,
            term=state.term,
            vote=state.vote,
            commit=state.commit,
            last=newest.last_index if newest is not None else 0,
            words=words,
        )

    def crashed(self, site: Site, *, is_power_cut: bool) -> None:
        """See `Onlooker`."""
        for seat in site.seats.values():
            self._stood.pop(seat, None)
            log = self._logs.get((site.name, seat.group))
            if log is not None:
                log.watcher.stopped(site.name)

    def tampered(
        self, site: Site, words: str, *, group: str | None = None, is_mendable: bool = False
    ) -> None:
        """See `Onlooker`."""
        self.forgotten.setdefault(site.name, words)
        self.forgotten.setdefault(site.name, words)
        self.forgive(site.name, group=group, is_mendable=is_mendable)

    def mended(self, site: Site, group: str, *, is_whole: bool) -> None:
        """See `Onlooker`."""
        log = self._logs.get((site.name, group))
        if log is not None:
            log.watcher.mended(site.name, is_whole=is_whole)

    # Once faults are over.

    def healed(self) -> None:
        """See `Onlooker`."""
        self._sent.clear()
        self._snapshots_max = SNAPSHOTS_MAX

    def calmed(self) -> None:
        """See `Onlooker`."""
        self._calm = {group: Calm(ELECTIONS_MAX) for group in self.watchers}

    # Messages.

    def sends(self, seat: Seat, message: Message) -> None:
        """See `Onlooker`."""
        kind = message.type
        if kind is _APP or kind is _HEARTBEAT or kind is _SNAP:
            watcher = self.watchers[seat.group]
            watcher.leader_said(seat.name, message.term)
            if kind is _APP and message.entries:
                for entry in message.entries:
                    if entry.type:
                        self._proposed(watcher, seat, message.term, entry)
            elif kind is _SNAP:
                self._sent_snapshot(seat, message)
        elif kind is _APP_RESP:
            if not message.reject:
                self.watchers[seat.group].accepted(seat.name, message.term, message.index)
                if self._sent:
                    self._appended(seat, message.index)
        elif kind is _VOTE_RESP:
            if not message.reject:
                self.watchers[seat.group].granted(seat.name, message.term, message.target)
        elif kind is _VOTE:
            self.watchers[seat.group].campaigned(seat.name, message.term)
            if self._calm is not None and seat.group in self._calm:
                now_us = self._world.clock.now_us
                found = self._calm[seat.group].campaigned(seat.name, message.term, now_us=now_us)
                self._raise(found, seat.group)

    def _sent_snapshot(self, seat: Seat, message: Message) -> None:
        """Nobody needs one snapshot after the other."""
        target = self._world.node_name(message.target)
        if target is None or message.snapshot is None:
            return
        place, index = (target, seat.group), message.snapshot.index
        catching, _ = self._sent.get(place) or (CatchingUp(self._snapshots_max), 0)
        self._sent[place] = catching, index
        now_us = self._world.clock.now_us
        self._raise(catching.sent(target, index, now_us=now_us), seat.group)

    def _appended(self, seat: Seat, index: int) -> None:
        """It has accepted what is in a log; entries behind the last snapshot, or not."""
        found = self._sent.get((seat.name, seat.group))
        if found is not None and index > found[1]:
            del self._sent[seat.name, seat.group]

    def _raise(self, found: Violation | None, group: str) -> None:
        if found is not None and (not self._only or found.id in self._only):
            raise Violated(replace(found, group=group))

    def _proposed(self, watcher: Watcher, seat: Seat, term: int, entry: Entry) -> None:
        """A leader sends a change of the membership: the first time, it has just proposed it."""
        if entry.term == term:
            applied = _driver(seat).applied
            watcher.proposed_config(seat.name, term, entry.index, applied=applied)

    # Work.

    def told(self, seat: Seat, kind: EventKind, fields: Mapping[str, Any]) -> None:
        """See `Onlooker`."""
        if kind is EventKind.CONF:
            self.watchers[seat.group].configured(
                seat.name,
                fields["idx"],
                fields["voters"],
                fields.get("outgoing", ()),
                fields.get("learners", ()),
            )
            self._places.configured(seat.group, fields["idx"], _driver(seat).members)
        elif kind is EventKind.SNAP_RECV:
            index = fields["idx"]
            digest = _driver(seat).service.digest()
            watcher = self.watchers[seat.group]
            watcher.snapshot_restored(seat.name, index, fields["term"], digest)
            self._configured(seat, index)

    def frozen(self, seat: Seat, index: int, term: int) -> None:
        """See `Onlooker`."""
        digest = _driver(seat).service.digest()
        self.watchers[seat.group].snapshot_made(seat.name, index, term, digest)

    def applied(self, seat: Seat, entry: Entry, done: Done) -> None:
        """See `Onlooker`."""
        self.watchers[seat.group].applied(
            seat.name, entry.index, entry.term, entry.data or b"", entry.type or 0
        )

    def worked(self, seat: Seat) -> None:
        """See `Onlooker`."""
        driver = _driver(seat)
        raft = driver.node.raft
        log = raft.log
        first = driver.storage.first_index()
        is_leader = raft.role is Role.LEADER
        stands = (
            raft.term, raft.vote, log.committed, log.last_index(), driver.applied, is_leader, first
        )  # fmt: skip
        before = self._stood.get(seat)
        if stands == before:
            return
        self._stood[seat] = stands
        watcher = self.watchers[seat.group]
        term, vote, commit, last, applied, _, _ = stands
        watcher.stood(
            seat.name,
            term=term,
            vote=vote,
            is_leader=is_leader,
            commit=commit,
            last=last,
            applied=applied,
        )
        if before is not None and first != before[-1]:
            watcher.compacted(seat.name, first - 1)

    def answered(self, seat: Seat, request: Request, told: Told) -> None:
        """See `Onlooker`."""
        if told.fate is not Fate.OK or request.is_read or told.index is None:
            return
        driver = _driver(seat)
        term = driver.node.raft.log.known_term(told.index)
        if term is not None:
            payload = payload_of(driver.service, request)
            self.watchers[seat.group].acknowledged(seat.name, told.index, term, payload)

    def placed(self, group: str, hosts: Sequence[str] | None) -> None:
        """See `Onlooker`."""
        if hosts is None:
            self._places.dropped(group)
        else:
            self._places.placed(group, [self._world.sites[each].id for each in hosts])

    # Below here.

    def _name_of(self, raft_id: int) -> str:
        return self._world.node_name(raft_id) or f"{raft_id:x}"

    def _configured(self, seat: Seat, index: int) -> None:
        conf = _driver(seat).conf_state
        self.watchers[seat.group].configured(
            seat.name, index, conf.voters, conf.voters_outgoing, conf.learners
        )
        self._places.configured(seat.group, index, _driver(seat).members)

    def _log(self, seat: Seat) -> "Log":
        """The log of a seat; from the first time on its disk is watched."""
        site = seat.site
        if site.disk.watch is None:
            site.disk.watch = Ledgers(
                lambda group: self._heard(site, group) if group in site.hosted else None
            )
        key = (site.name, seat.group)
        return self._logs.get(key) or self._heard(site, seat.group)

    def _heard(self, site: Site, group: str) -> "Log":
        key = (site.name, group)
        found = self._logs.get(key)
        if found is None:
            found = self._logs[key] = Log(self._watcher(group), site, group)
        return found

    def _watcher(self, group: str) -> Watcher:
        watcher = self.watchers.get(group)
        if watcher is None:
            world = self._world
            watcher = self.watchers[group] = Watcher(
                group, now_us=lambda: world.clock.now_us, only=self._only
            )
            founders = world.founders(group)
            watcher.founded(founders, index=len(founders))
        return watcher


class Log:
    """One member's log, as a ledger tells of it: passed on to the watcher of its group."""

    def __init__(self, watcher: Watcher, site: Site, group: str) -> None:
        self.watcher = watcher
        self._node = site.name
        self._id = site.id
        self._group = group
        self._site = site
        self._waiting: deque[tuple[int, int]] = deque()
        """Kind, and index of an entry, of what is not durable, in the order in which it was
        written."""

    @property
    def ledger(self) -> Ledger:
        """Where it is from."""
        watch = self._site.disk.watch
        assert isinstance(watch, Ledgers), "set when its node began"
        return watch[self._group]

    def wrote_entry(self, index: int, term: int, digest: int) -> None:
        """See `ledger.Listener`."""
        self._waiting.append((ENTRY, index))
        self.watcher.wrote_entry(self._node, index, term, digest)

    def wrote_state(self, term: int, vote: int, commit: int) -> None:
        """See `ledger.Listener`."""
        self._waiting.append((STATE, 0))
        self.watcher.wrote_state(self._node, term, vote, commit)

    def wrote_snapshot(self, index: int, term: int) -> None:
        """See `ledger.Listener`."""
        self._waiting.append((MARK, 0))
        self.watcher.wrote_snapshot(self._node, index, term)

    def synced(self, count: int) -> None:
        """See `ledger.Listener`."""
        waiting = self._waiting
        if count == len(waiting):
            waiting.clear()
            self.watcher.synced(self._node)
            return
        for _ in range(count):
            waiting.popleft()
        durable = self.ledger.durable
        self._part_synced(durable.state, durable.mark)

    def reread(self, waiting: int) -> None:
        """See `ledger.Listener`."""
        durable, new = self.ledger.records(self._site.disk.fs)
        found = start_of([*durable, *new])
        self.watcher.survived(
            self._node,
            raft_id=self._id,
            entries=found.entries,
            state=found.state,
            snapshot=found.snapshot,
        )
        self._waiting = deque(
            (item[0], item[1] if item[0] == ENTRY else 0) for item in new[len(new) - waiting :]
        )
        if new:
            sure = start_of(durable)
            if sure.snapshot != found.snapshot:
                self._waiting.append((ENTRY, 1))  # nothing of the log may be built upon yet
            self._part_synced(sure.state, sure.snapshot)

    def _part_synced(self, state: tuple[int, int, int], snapshot: tuple[int, int]) -> None:
        indexes = [index for kind, index in self._waiting if kind == ENTRY]
        self.watcher.part_synced(
            self._node, unsynced_from=min(indexes, default=None), state=state, snapshot=snapshot
        )


class Start(NamedTuple):
    """Where a member would begin: entries behind a snapshot, as (index, term, digest)."""

    snapshot: tuple[int, int]
    state: tuple[int, int, int]
    entries: list[tuple[int, int, int]]


def start_of(items: Sequence[Item]) -> Start:
    """What a member that starts makes of records.

    It begins at the last marker that its commit index reaches. Where the log in front of the marker
    has not got the snapshot's last entry, a leader has sent it: what stood there before is gone.
    """
    state = next((item[1:4] for item in reversed(items) if item[0] == STATE), (0, 0, 0))
    at, index, term = -1, 0, 0
    for position, (kind, first, second, _, _) in enumerate(items):
        if kind == MARK and first <= state[2] and first >= index:
            at, index, term = position, first, second
    front = _entries(items[: at + 1])
    is_own = index == 0 or (index in front and front[index][0] == term)
    live = _entries(items if is_own else items[at + 1 :])
    behind = [(each, *live[each]) for each in live if each > index]
    return Start((index, term), state, behind)


def _entries(items: Sequence[Item]) -> dict[int, tuple[int, int]]:
    """Term and digest by index, each entry in the place of all from there on."""
    found: dict[int, tuple[int, int]] = {}
    last = 0
    for kind, index, term, digest, _ in items:
        if kind == ENTRY:
            for gone in range(index, last + 1):
                found.pop(gone, None)
            found[index] = term, digest
            last = index
    return found


def _driver(seat: Seat) -> Driver:
    driver = seat.driver
    assert driver is not None, "it runs"
    return driver

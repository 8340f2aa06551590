"""A small honest Raft group, told to a watcher event by event: no network, no files, no time.

Every method does what real members would do in one go, and does nothing where they could not. What
it tells is right by construction, so a watcher that complains is wrong; and whoever wants to see a
complaint lets an honest group come to some state, and tells one thing more that is not true.
"""

from dataclasses import dataclass, field

from formats.gob import Pair, build_pair
from walctl.checker.invariants import Watcher
from walctl.machine.kv import Kv

CONF = 1


@dataclass
class Entry:
    """One of the log; `config` are the voters and learners that it brings about."""

    term: int
    digest: int
    payload: bytes = b""
    config: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    index: int = 0
    type: int | None = None

    @property
    def data(self) -> bytes:
        """As a machine wants it."""
        return self.payload


@dataclass
class Node:
    """A member; `log` begins behind the entry `base`."""

    name: str
    id: int
    log: dict[int, Entry] = field(default_factory=dict)
    base: int = 0
    base_term: int = 0
    term: int = 0
    vote: int = 0
    commit: int = 0
    durable_commit: int = 0
    applied: int = 0
    is_up: bool = True
    leads: bool = False
    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    match: dict[int, int] = field(default_factory=dict)
    machine: Kv = field(default_factory=Kv)
    image: tuple[int, int, dict[bytes, bytes]] = (0, 0, {})
    conf_at: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    @property
    def last(self) -> int:
        """The last index."""
        return max(self.log, default=self.base)

    def term_at(self, index: int) -> int | None:
        """The term of an entry that is there, or that the snapshot ends with."""
        entry = self.log.get(index)
        if entry is None:
            return self.base_term if index == self.base else None
        return entry.term


class Group:
    """Members `n1` … and the watcher that is told of them."""

    def __init__(self, count: int = 3, *, spare: int = 0, only: tuple[str, ...] = ()) -> None:
        self.now_us = 0
        self.digests = 0
        self.calls = 0
        self.watcher = Watcher("g1", now_us=self._now, only=only)
        voters = tuple(range(1, count + 1))
        self.nodes = {f"n{each}": Node(f"n{each}", each) for each in range(1, count + spare + 1)}
        self.watcher.founded(voters, index=1)
        first = Entry(1, 1, config=(voters, ()), index=1, type=CONF)
        self.digests = 1
        for node in self.nodes.values():
            self.watcher.started(node.name, raft_id=node.id)
            if node.id not in voters:
                continue
            node.log[1], node.term, node.commit = first, 1, 1
            self.watcher.wrote_entry(node.name, 1, 1, 1)
            self._save(node)
            self._work(node)

    def _now(self) -> int:
        self.now_us += 1_000
        return self.now_us

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def leader(self) -> Node | None:
        """The one of the highest term."""
        return max((n for n in self.nodes.values() if n.leads), key=lambda n: n.term, default=None)

    # What members do.

    def elect(self, name: str, deaf: tuple[str, ...] = ()) -> bool:
        """A member campaigns; `deaf` do not hear it. Whether it has won."""
        node = self[name]
        if not node.is_up or node.leads or node.id not in node.voters:
            return False
        self._hear(node, node.term + 1)
        node.vote = node.id
        self._save(node)
        self.watcher.campaigned(name, node.term)
        votes = 1
        for other in self.nodes.values():
            heard = other is not node and other.is_up and other.name not in deaf
            if heard and other.id in node.voters and self._grants(other, node):
                votes += 1
        if 2 * votes <= len(node.voters):
            self._stand(node)
            return False
        node.leads = True
        node.match = {}
        self._append(node, b"")
        self._work(node)
        self.watcher.leader_said(name, node.term)
        return True

    def _grants(self, other: Node, node: Node) -> bool:
        if node.term < other.term:
            return False
        self._hear(other, node.term)
        mine, theirs = (node.term_at(node.last), node.last), (other.term_at(other.last), other.last)
        is_fresh = (mine[0] or 0, mine[1]) >= (theirs[0] or 0, theirs[1])
        granted = other.vote in (0, node.id) and is_fresh
        if granted:
            other.vote = node.id
        self._save(other)
        if granted:
            self.watcher.granted(other.name, node.term, node.id)
        self._stand(other)
        return granted

    def put(self, key: bytes, value: bytes, *, leader: Node | None = None) -> int:
        """A leader takes a write; its index, 0: nobody leads."""
        node = leader or self.leader()
        if node is None:
            return 0
        self._append(node, build_pair(Pair(key=key, value=value)))
        self._work(node)
        return node.last

    def reconfigure(self, voters: tuple[int, ...], learners: tuple[int, ...] = ()) -> int:
        """A leader proposes a membership; 0: it may not."""
        node = self.leader()
        if node is None or node.applied < node.last:
            return 0
        self.watcher.proposed_config(node.name, node.term, node.last + 1, applied=node.applied)
        self._append(node, b"%d" % self.digests, config=(voters, learners))
        self._work(node)
        return node.last

    def _append(
        self,
        node: Node,
        payload: bytes,
        config: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> None:
        self.digests += 1
        index = node.last + 1
        kind = CONF if config else None
        node.log[index] = Entry(node.term, self.digests, payload, config, index, kind)
        self.watcher.wrote_entry(node.name, index, node.term, self.digests)
        self._save(node)
        node.match[node.id] = index

    def feed(self, name: str, *, leader: Node | None = None, count: int = 100) -> bool:
        """A leader sends a member what it lacks, at most `count` entries; whether it takes it."""
        source = leader or self.leader()
        node = self[name]
        if source is None or node is source or not node.is_up:
            return False
        self.watcher.leader_said(source.name, source.term)
        if source.term < node.term:
            self._hear(source, node.term)
            self._save(source)
            self._stand(source)
            return False
        self._hear(node, source.term)
        at = min(node.last, source.last)
        while at > 0 and at >= source.base and node.term_at(at) != source.term_at(at):
            at -= 1
        if at < source.base:
            return self._install(source, node)
        sent = [(i, source.log[i]) for i in range(at + 1, min(source.last, at + count) + 1)]
        for index, entry in sent:
            for gone in [each for each in node.log if each >= index]:
                del node.log[gone]
            node.log[index] = entry
            self.watcher.wrote_entry(name, index, entry.term, entry.digest)
        upto = at + len(sent)
        node.commit = max(node.commit, min(source.commit, upto))
        self._save(node)
        self.watcher.accepted(name, node.term, upto)
        self._work(node)
        source.match[node.id] = upto
        self._work(source)
        return True

    def _install(self, source: Node, node: Node) -> bool:
        index, term, pairs = source.image
        if index <= node.commit:
            return False
        node.log.clear()
        node.base, node.base_term, node.commit = index, term, index
        self.watcher.wrote_snapshot(node.name, index, term)
        self._save(node)
        self.watcher.accepted(node.name, node.term, index)
        node.machine.pairs = dict(pairs)
        node.image = source.image
        node.applied = index
        node.conf_at = source.conf_at
        node.voters, node.learners = node.conf_at
        self.watcher.snapshot_restored(node.name, index, term, node.machine.digest())
        self.watcher.configured(node.name, index, node.voters, (), node.learners)
        self._work(node)
        source.match[node.id] = index
        return True

    def snapshot(self, name: str, keep: int = 0) -> None:
        """A member makes a snapshot, and forgets all but `keep` entries."""
        node = self[name]
        if not node.is_up or node.applied <= node.image[0]:
            return
        index = node.applied
        term = node.term_at(index) or 0
        node.image = (index, term, dict(node.machine.pairs))
        node.conf_at = (node.voters, node.learners)
        self.watcher.snapshot_made(name, index, term, node.machine.digest())
        self.watcher.wrote_snapshot(name, index, term)
        self._save(node)
        base = max(node.base, index - keep)
        node.base_term = node.term_at(base) or 0
        node.base = base
        for gone in [each for each in node.log if each <= base]:
            del node.log[gone]
        self.watcher.compacted(name, base)

    def crash(self, name: str) -> None:
        """Power goes; a commit index that nobody synced may be lost."""
        node = self[name]
        if not node.is_up:
            return
        node.is_up = node.leads = False
        node.commit = node.durable_commit
        index, term, _ = node.image
        kept = {i: e for i, e in node.log.items() if i > index}
        node.log, node.base, node.base_term = kept, index, term
        self.watcher.stopped(name)
        self.watcher.survived(
            name,
            raft_id=node.id,
            entries=[(i, e.term, e.digest) for i, e in kept.items()],
            state=(node.term, node.vote, node.commit),
            snapshot=(index, term),
        )

    def start(self, name: str) -> None:
        """A member comes back with what its disk has."""
        node = self[name]
        if node.is_up:
            return
        node.is_up = True
        node.machine = Kv()
        node.machine.pairs = dict(node.image[2])
        node.applied = node.image[0]
        node.voters, node.learners = node.conf_at
        self.watcher.started(
            name,
            raft_id=node.id,
            term=node.term,
            vote=node.vote,
            commit=node.commit,
            last=node.last,
            applied=node.applied,
        )
        self.watcher.configured(name, node.applied, node.voters, (), node.learners)
        self._work(node)

    # One round of work.

    def _hear(self, node: Node, term: int) -> None:
        if term > node.term:
            node.term, node.vote, node.leads = term, 0, False

    def _save(self, node: Node) -> None:
        self.watcher.wrote_state(node.name, node.term, node.vote, node.commit)
        self.watcher.synced(node.name)
        node.durable_commit = node.commit

    def _work(self, node: Node) -> None:
        """Commit what a quorum has, apply, and stand."""
        if node.leads:
            ranked = sorted(node.match.get(each, 0) for each in node.voters)
            index = ranked[(len(ranked) - 1) // 2]
            if index > node.commit and node.term_at(index) == node.term:
                node.commit = index
                self.watcher.wrote_state(node.name, node.term, node.vote, index)
        for index in range(node.applied + 1, node.commit + 1):
            self._apply(node, index)
        self._stand(node)

    def _apply(self, node: Node, index: int) -> None:
        entry = node.log[index]
        self.watcher.applied(node.name, index, entry.term, entry.payload, entry.type or 0)
        node.applied = index
        if entry.config is not None:
            node.voters, node.learners = entry.config
            self.watcher.configured(node.name, index, node.voters, (), node.learners)
            if node.leads and node.id not in node.voters:
                node.leads = False
        else:
            node.machine.apply(entry)
            if node.leads and entry.payload:
                self.watcher.acknowledged(node.name, index, entry.term)

    def _stand(self, node: Node) -> None:
        self.watcher.stood(
            node.name,
            term=node.term,
            vote=node.vote,
            is_leader=node.leads,
            commit=node.commit,
            last=node.last,
            applied=node.applied,
        )

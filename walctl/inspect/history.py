"""What became of keys over time: every version of one, and all that changed between two indexes.

The database knows revisions; only the log knows which entry made them, in which term, by which
request. What was there before the log's own beginning is told without those.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile

from walctl.datadir.survey import Survey
from walctl.errors import CorruptionError, UnsupportedError, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.state import Replayed, Wish, replayed, until_of
from walctl.machine import keyindex
from walctl.machine.base import Entry, Machine, Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv, parse_proposal
from walctl.machine.mvcc import KeyVersion
from walctl.replay.differences import Things, named
from walctl.replay.ground import Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a key, and what made it (`None`: it was there before the log begins).

    `request` is the entry's, in the words of the log's owner. A map without revisions has
    `change` with nothing but key and value.
    """

    change: KeyVersion
    index: int | None = None
    term: int | None = None
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A key before and after; `None` where it is not there."""

    key: bytes
    before: KeyVersion | None
    after: KeyVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """What changed from the state after entry `first` to that after entry `last`.

    `others` are things that are no keys, by bucket and name, before and after in words.
    """

    replayed: Replayed
    first: int
    last: int
    changes: tuple[Change, ...]
    others: tuple[tuple[str, bytes, str, str], ...] = ()


@dataclass(slots=True)
class _Versions:
    """Collects the versions of one key."""

    key: bytes
    machine: Machine | None = None
    found: list[Version] = field(default_factory=list)

    def begin(self, ground: Ground) -> None:
        self.machine, self.found = ground.machine, []
        if isinstance(ground.machine, Etcd):
            rows = ground.machine.store.index.get(self.key, [])
            self.found = [Version(change=KeyVersion(*row)) for row in rows]
        elif isinstance(ground.machine, Kv) and self.key in ground.machine.pairs:
            self.found = [Version(change=bare(self.key, ground.machine.pairs[self.key]))]

    def watch(self, entry: Entry, result: Result) -> None:
        machine = self.machine
        if isinstance(machine, Kv):
            is_request = result.outcome is Outcome.APPLIED and not entry.type
            if is_request and parse_proposal(entry.data or b"").key == self.key:
                self._add(bare(self.key, machine.pairs.get(self.key)), entry, result)
        elif result.revision is not None and isinstance(machine, Etcd):
            rows = machine.store.index.get(self.key, ())
            newest = takewhile(lambda row: row[keyindex.MAIN] == result.revision, reversed(rows))
            for row in reversed(list(newest)):
                self._add(KeyVersion(*row), entry, result)

    def _add(self, change: KeyVersion, entry: Entry, result: Result) -> None:
        self.found.append(
            Version(change=change, index=entry.index, term=entry.term, request=result.kind)
        )


def history(
    disk: FileSystem, seen: Survey, wish: Wish, key: bytes
) -> tuple[Replayed, tuple[Version, ...]]:
    """Every version of `key` up to where `wish` says, oldest first, tombstones included.

    What a compaction has taken away since is among them, where the log still has it.

    Raises: as `replayed`.
    """
    versions = _Versions(key)
    found = replayed(disk, seen, replace(wish, watch=versions.watch, on_ground=versions.begin))
    return found, tuple(versions.found)


@dataclass(slots=True)
class _Touched:
    """Remembers of every key that changes behind entry `first` what it was before."""

    first: int
    before: dict[bytes, KeyVersion | None] = field(default_factory=dict)
    others: Things = field(default_factory=dict)
    machine: Etcd | None = None
    is_behind: bool = False

    def begin(self, ground: Ground) -> None:
        if not isinstance(ground.machine, Etcd):
            raise UnsupportedError("--diff: only states of etcd can be told apart by their keys")
        if ground.applied > self.first:
            raise CorruptionError(
                f"the state at {self.first} is not there: the {ground.base} has applied"
                f" {ground.applied}"
            )
        self.machine, self.before, self.is_behind = ground.machine, {}, False
        if ground.applied == self.first:
            self._reached(ground.machine)

    def watch(self, entry: Entry, result: Result) -> None:
        machine = self.machine
        assert machine is not None, "a ground came first"
        if self.is_behind and result.revision is not None:
            made = result.revision
            for change in machine.store.changes(first=made, last=made):
                if change.key not in self.before:
                    rows = machine.store.index.get(change.key, ())
                    row = keyindex.newest_at(rows, made - 1) if rows else None
                    self.before[change.key] = None if row is None else KeyVersion(*row)
        elif entry.index == self.first:
            self._reached(machine)

    def _reached(self, machine: Etcd) -> None:
        self.is_behind, self.others = True, _named(machine)

    def changes(self, machine: Etcd) -> Iterator[Change]:
        for key, before in sorted(self.before.items()):
            row = machine.store.get(key)
            after = None if row is None else KeyVersion(*row)
            if before != after:
                yield Change(key=key, before=before, after=after)


def between(disk: FileSystem, seen: Survey, wish: Wish, *, first: str, last: str) -> Between:
    """What changed between the states after two entries, given as positions.

    Raises: UsageError, when they are no positions or the wrong way round; as `replayed`.
    """
    low = until_of(seen, replace(wish, until=first))
    high = until_of(seen, replace(wish, until=last))
    if low > high:
        raise UsageError(f"--diff {first} {last}: entry {low} is behind entry {high}")
    touched = _Touched(low)
    asked = replace(wish, until=last, watch=touched.watch, on_ground=touched.begin)
    found = replayed(disk, seen, asked)
    machine = found.machine
    if not isinstance(machine, Etcd):
        raise UnsupportedError("--diff: only states of etcd can be told apart by their keys")
    if not touched.is_behind:
        stop = found.applied.stop if found.applied is not None else None
        words = "" if stop is None else f": the log leads to {stop.index - 1} only: {stop.words}"
        raise CorruptionError(f"the state at {low} is not there{words}")
    now = _named(machine)
    others = tuple(
        (bucket, name, touched.others.get((bucket, name), ""), now.get((bucket, name), ""))
        for bucket, name in sorted({*touched.others, *now})
        if touched.others.get((bucket, name)) != now.get((bucket, name))
    )
    return Between(
        replayed=found,
        first=low,
        last=high,
        changes=tuple(touched.changes(machine)),
        others=others,
    )


def _named(machine: Etcd) -> dict[tuple[str, bytes], str]:
    """What a state has beside keys, its members included."""
    found = dict(named(machine))
    for node, member in machine.state.membership.members.items():
        words = [member.name or "not started", *member.peer_urls, *member.client_urls]
        found["members", b"%x" % node] = " ".join([*words, *(["learner"] * member.is_learner)])
    return found


def bare(key: bytes, value: bytes | None) -> KeyVersion:
    """A pair of a map that has no revisions; `None`: it went."""
    return KeyVersion(key, 0, 0, 0, 0 if value is None else 1, value or b"", 0)

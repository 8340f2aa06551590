"""The key space against a slow one that keeps everything: reads at any revision, hashes, history.

The slow one is a list of every change that ever was. What it says of revisions, versions and
compaction follows from the list by the rules, with no index and nothing thrown away early.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from crc32c import crc32c
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from formats.mvccpb import KEY_VALUE, KeyValue
from walctl.machine.lease import Lessor
from walctl.machine.mvcc import FUTURE, KeyVersion, RevisionError, Store

KEYS = st.sampled_from([b"a", b"aa", b"b", b"b\0", b"c", b"\xff"])
ENDS = st.sampled_from([b"", b"\0", b"a", b"b", b"c", b"\xff"])


class Event(NamedTuple):
    main: int
    sub: int
    key: bytes
    value: bytes | None


class Slow:
    """Every change, in order; `gone` are those that compaction took."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gone: set[tuple[int, int]] = set()
        self.revision = 1
        self.compacted = -1

    def seen(self, key: bytes, at: int) -> KeyVersion | None:
        """A key as a reader at revision `at` sees it, worked out from its first change on."""
        found: KeyVersion | None = None
        for each in self.events:
            if each.key != key or each.main > at:
                continue
            if each.value is None:
                found = None
            else:
                create = found.create_revision if found else each.main
                version = found.version + 1 if found else 1
                found = KeyVersion(key, each.main, each.sub, create, version, each.value, 0)
        return found

    def range(self, key: bytes, end: bytes, at: int) -> list[KeyVersion]:
        keys = sorted({each.key for each in self.events})
        inside = [
            each
            for each in keys
            if (each == key if not end else key <= each and (end == b"\0" or each < end))
        ]
        return [found for each in inside if (found := self.seen(each, at)) is not None]

    def compact(self, revision: int) -> None:
        kept = {
            (found.mod_revision, found.sub_revision)
            for key in {each.key for each in self.events}
            if (found := self.seen(key, revision)) is not None
        }
        old = {each[:2] for each in self.events if each.main <= revision}
        self.gone |= old - kept
        self.compacted = revision

    def left(self) -> Sequence[Event]:
        return [each for each in self.events if each[:2] not in self.gone]

    def hash(self, at: int) -> int:
        """As the notes have it: rows by their bytes."""
        keys = {each.key for each in self.events}
        seen = [found for key in keys if (found := self.seen(key, at)) is not None]
        keep = {(each.mod_revision, each.sub_revision) for each in seen}
        total = crc32c(b"key")
        for each in self.left():
            if each.main > at or (each.main <= self.compacted and keep and each[:2] not in keep):
                continue
            row = each.main.to_bytes(8, "big") + b"_" + each.sub.to_bytes(8, "big")
            if each.value is None:
                value, row = KeyValue(key=each.key), row + b"t"
            else:
                found = self.seen_by(each)
                value = KeyValue(
                    key=each.key,
                    create_revision=found.create_revision,
                    mod_revision=each.main,
                    version=found.version,
                    value=each.value or None,
                )
            total = crc32c(KEY_VALUE.build(value), crc32c(row, total))
        return total

    def seen_by(self, event: Event) -> KeyVersion:
        """A key right behind one of its changes."""
        until = Slow()
        until.events = self.events[: self.events.index(event) + 1]
        found = until.seen(event.key, event.main)
        assert found is not None
        return found


class Against(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.fast = Store(Lessor())
        self.slow = Slow()
        self.sub = 0

    def _note(self, key: bytes, value: bytes | None) -> None:
        self.slow.events.append(Event(self.slow.revision + 1, self.sub, key, value))
        self.sub += 1

    @rule(key=KEYS, value=st.binary(max_size=2))
    def put(self, key: bytes, value: bytes) -> None:
        self.fast.put(key, value, 0)
        self._note(key, value)

    @rule(key=KEYS, end=ENDS)
    def delete(self, key: bytes, end: bytes) -> None:
        there = self.slow.range(key, end, self.slow.revision + 1)
        assert self.fast.delete_range(key, end) == len(there)
        for each in there:
            self._note(each.key, None)

    @rule(key=KEYS, end=ENDS)
    def read_inside(self, key: bytes, end: bytes) -> None:
        there = self.slow.range(key, end, self.slow.revision + 1)
        assert [KeyVersion(*row) for row in self.fast.current(key, end)] == there

    @rule()
    def commit(self) -> None:
        assert self.fast.commit() == (self.slow.revision + 1 if self.sub else None)
        self.slow.revision += bool(self.sub)
        self.sub = 0

    @rule(back=st.integers(0, 4))
    def compact(self, back: int) -> None:
        self.commit()
        revision = self.slow.revision - back
        if revision > self.slow.compacted:
            self.fast.compact(revision)
            self.slow.compact(revision)

    @rule()
    def load_again(self) -> None:
        self.commit()
        again = Store(Lessor())
        again.load(self.fast.rows(), revision=self.fast.revision, compacted=self.fast.compacted)
        self.fast = again

    @rule(key=KEYS, end=ENDS, back=st.integers(0, 6))
    def read(self, key: bytes, end: bytes, back: int) -> None:
        self.commit()
        at = max(self.slow.revision - back, self.slow.compacted, 1)
        assert self.fast.range(key, end, revision=at) == self.slow.range(key, end, at)

    @rule(back=st.integers(0, 6))
    def compare_hashes(self, back: int) -> None:
        self.commit()
        at = max(self.slow.revision - back, self.slow.compacted, 1)
        assert self.fast.hash(at).hash == self.slow.hash(at)

    @invariant()
    def has_the_same_rows(self) -> None:
        if not self.sub:
            rows = [(row[1], row[2], row[0]) for row in self.fast.rows()]
            assert rows == [each[:3] for each in self.slow.left()]
            assert self.fast.revision == self.slow.revision


TestAgainst = Against.TestCase


def test_a_revision_beyond_what_is_there_is_none() -> None:
    store = Store(Lessor())
    with pytest.raises(RevisionError) as caught:
        store.range(b"k", revision=2)
    assert caught.value.message == FUTURE


def test_a_revision_before_the_compaction_is_gone_and_its_own_is_not() -> None:
    store = Store(Lessor())
    for value in (b"a", b"b", b"c"):
        store.put(b"k", value, 0)
        store.commit()
    store.compact(3)
    assert [each.value for each in store.range(b"k", revision=3)] == [b"b"]
    for question in (lambda: store.range(b"k", revision=2), lambda: store.hash(2)):
        with pytest.raises(RevisionError, match="has been compacted"):
            question()
    with pytest.raises(RevisionError, match="has been compacted"):
        store.changes(first=3, last=4)
    assert [each.value for each in store.changes(first=4, last=4)] == [b"c"]


def test_the_hash_of_nothing_is_that_of_the_name_of_the_bucket() -> None:
    found = Store(Lessor()).hash()
    assert (found.hash, found.revision, found.compacted) == (crc32c(b"key"), 1, -1)


def test_many_new_keys_between_ranges_are_found_in_order() -> None:
    store = Store(Lessor())
    keys = [b"%03d" % (number * 7 % 100) for number in range(100)]
    for count, key in enumerate(keys, start=1):
        store.put(key, b"", 0)
        if count % 30 == 0 or count > 90:
            assert [row[0] for row in store.current(b"\0", b"\0")] == sorted(keys[:count])

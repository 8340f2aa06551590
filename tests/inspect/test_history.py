"""Versions of keys and what changed between two entries, against slow walks that share no code.

The walk applies entry by entry to a machine and looks at all its rows each time; what is new there
is what the entry made. What changed between two entries is told by two machines, each fed anew.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.gob import parse_pair
from formats.rpcpb import DeleteRangeRequest, PutRequest, RequestOp, TxnRequest
from tests.corpus import manifest, needs_corpus, unpacked
from tests.inspect.made_members import Written, fed, lay_database, lay_log, member
from tests.machine.replays import Place, by_bucket, database_of, entries
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.errors import CorruptionError, UnsupportedError, UsageError
from walctl.fs.real import RealFileSystem
from walctl.inspect.history import Between, Version, between, history
from walctl.inspect.reading import Depth, survey_of
from walctl.inspect.state import Wish
from walctl.machine.etcd import Etcd
from walctl.machine.keyindex import Row
from walctl.machine.mvcc import ENDLESS, KeyVersion
from walctl.raft.types import Entry
from walctl.replay.differences import named
from walctl.replay.ground import Base

DISK = RealFileSystem()
KEYS = [b"a", b"b", b"b/1", b"c"]
LEASES = [1, 2]

Told = list[tuple[int | None, KeyVersion]]


def seen_of(path: Path) -> Survey:
    return survey_of(DISK, understand(DISK, path), depth=Depth(jobs=1))


def slow_walk(found: Iterable[Entry], machine: Etcd) -> dict[bytes, Told]:
    """Every version of every key, with the entry that made it; what was there has none."""
    told: dict[bytes, Told] = {}
    known: set[Row] = set()
    for row in machine.store.rows():
        known.add(row)
        told.setdefault(row[0], []).append((None, KeyVersion(*row)))
    for entry in found:
        machine.apply(entry)
        fresh = [row for row in machine.store.rows() if row not in known]
        for row in fresh:
            known.add(row)
            told.setdefault(row[0], []).append((entry.index, KeyVersion(*row)))
    return told


def versions(seen: Survey, key: bytes, **wish: Any) -> tuple[Version, ...]:
    return history(DISK, seen, Wish(**wish), key)[1]


def plain(found: Iterable[Version]) -> Told:
    return [(each.index, each.change) for each in found]


def changed(before: Etcd, after: Etcd) -> dict[bytes, tuple[KeyVersion | None, KeyVersion | None]]:
    """Two whole key spaces, key by key."""
    old, new = (
        {row.key: row for row in machine.store.range(b"\0", ENDLESS)} for machine in (before, after)
    )
    every = sorted({*old, *new})
    return {k: (old.get(k), new.get(k)) for k in every if old.get(k) != new.get(k)}


def expect_changed(found: Between, before: Etcd, after: Etcd) -> None:
    assert {each.key: (each.before, each.after) for each in found.changes} == changed(before, after)
    assert [each.key for each in found.changes] == sorted(each.key for each in found.changes)
    old, new = named(before), named(after)
    told = [each for each in found.others if each[0] != "members"]
    assert {(bucket, name): (was, now) for bucket, name, was, now in told} == {
        place: (old.get(place, ""), new.get(place, ""))
        for place in {*old, *new}
        if old.get(place) != new.get(place)
    }


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35", "s-small-snaps-35"])
def test_every_version_of_every_key_is_told_as_a_slow_walk_finds_it(name: str) -> None:
    place = Place(name, "n1")
    seen = seen_of(place.path)
    commit = seen.commit
    walked = slow_walk(entries(seen, last=commit), Etcd())
    keys = sorted(walked)
    for key in keys[:: max(1, len(keys) // 8)]:
        found = versions(seen, key)
        assert plain(found) == walked[key], key
        assert {each.term for each in found} <= set(range(1, 10))
        assert all(each.request for each in found)
        until = walked[key][0][0]
        assert until is not None
        assert plain(versions(seen, key, until=str(until))) == [
            each for each in walked[key] if each[0] == until
        ]
    assert versions(seen, b"no such key") == ()


@needs_corpus
def test_the_versions_before_the_log_come_from_the_database_without_an_entry() -> None:
    place = Place("x-purged-first-two-35", "n1")
    seen = seen_of(place.path)
    machine = Etcd.from_rows(database_of(place.path))
    walked = slow_walk(entries(seen, first=machine.applied + 1, last=seen.commit), machine)
    for key in sorted(walked)[::20]:
        assert plain(versions(seen, key)) == walked[key]


@needs_corpus
def test_versions_in_raftexamples_map_are_its_puts() -> None:
    seen = seen_of(unpacked("f-raftexample-35") / "raftexample-1")
    assert manifest("f-raftexample-35")["layout"] == "raftexample"
    puts = [
        (entry.index, pair.key, pair.value)
        for entry in entries(seen, last=seen.commit)
        if entry.data and not entry.type
        for pair in [parse_pair(entry.data)]
    ]
    key = puts[5][1]
    found = versions(seen, key)
    assert [(each.index, each.change.value) for each in found] == [
        (index, value) for index, name, value in puts if name == key
    ]
    assert {each.request for each in found} == {"put"}
    with pytest.raises(UnsupportedError, match="only states of etcd"):
        between(DISK, seen, Wish(), first="1", last="9")


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-35", "m-segments-nosnap-35", "s-small-snaps-34"])
def test_what_changed_in_real_logs_is_what_two_machines_tell(name: str) -> None:
    place = Place(name, "n1")
    seen = seen_of(place.path)
    commit = seen.commit
    for first, last in ((0, commit), (1, 1), (commit // 3, commit // 2), (commit - 9, commit)):
        found = between(DISK, seen, Wish(), first=str(first), last=str(last))
        assert (found.first, found.last) == (first, last)
        machines = [Etcd(), Etcd()]
        for machine, until in zip(machines, (first, last), strict=True):
            for entry in entries(seen, last=until):
                machine.apply(entry)
        expect_changed(found, *machines)


def steps(draw: st.DrawFn) -> tuple[RequestOp, ...]:
    """Puts and deletes of one transaction; it may not put a key twice."""
    puts = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3))
    done = [RequestOp(request_put=PutRequest(key=key, value=b"t")) for key in puts]
    rest = sorted(set(KEYS) - set(puts))
    gone = draw(st.lists(st.sampled_from(rest), unique=True, max_size=2)) if rest else []
    done += [RequestOp(request_delete_range=DeleteRangeRequest(key=key)) for key in gone]
    return tuple(done)


@st.composite
def lives(draw: st.DrawFn) -> Written:
    """A log of up to forty requests over a few keys; what is refused is in it, too."""
    asked = Written()
    for _ in range(draw(st.integers(1, 40))):
        kind = draw(st.integers(0, 9))
        key = draw(st.sampled_from(KEYS))
        if kind < 3:
            asked.put(
                key, draw(st.binary(max_size=2)), lease=draw(st.sampled_from([None, *LEASES]))
            )
        elif kind == 3:
            asked.delete(key, draw(st.sampled_from([None, b"\0", b"c"])))
        elif kind in (4, 5):
            asked.ask(txn=TxnRequest(success=steps(draw)))
        elif kind == 6:
            asked.grant(draw(st.sampled_from(LEASES)))
        elif kind == 7:
            asked.revoke(draw(st.sampled_from(LEASES)))
        elif kind == 8:
            asked.compact(max(1, asked.revision - draw(st.integers(0, 4))))
        else:
            asked.give(None)
    return asked


@given(lives(), st.data())
@settings(max_examples=15)
def test_what_changed_between_two_entries_is_what_two_machines_tell(
    life: Written, data: st.DataObject
) -> None:
    expect_between(life, data)


@pytest.mark.slow
@given(lives(), st.data())
@settings(max_examples=500)
def test_what_changed_between_any_two_entries_is_what_two_machines_tell(
    life: Written, data: st.DataObject
) -> None:
    expect_between(life, data)


def expect_between(life: Written, data: st.DataObject) -> None:
    count = len(life.entries)
    last = data.draw(st.integers(0, count), "last")
    first = data.draw(st.integers(0, last), "first")
    at = data.draw(st.none() | st.integers(0, count), "database")
    with tempfile.TemporaryDirectory() as folder:
        path = lay_log(Path(folder) / "n1", life.entries)
        if at is not None:
            lay_database(path, by_bucket(fed(life.entries, at)))
        found = between(DISK, seen_of(path), Wish(), first=str(first), last=str(last))
    assert found.replayed.findings == ()
    expect_changed(found, fed(life.entries, first), fed(life.entries, last))


@given(lives(), st.data())
@settings(max_examples=15)
def test_the_versions_of_a_key_are_all_that_entries_made(
    life: Written, data: st.DataObject
) -> None:
    expect_versions(life, data)


@pytest.mark.slow
@given(lives(), st.data())
@settings(max_examples=500)
def test_the_versions_of_any_key_are_all_that_entries_made(
    life: Written, data: st.DataObject
) -> None:
    expect_versions(life, data)


def expect_versions(life: Written, data: st.DataObject) -> None:
    count = len(life.entries)
    until = data.draw(st.integers(0, count), "until")
    at = data.draw(st.none() | st.integers(0, until), "database")
    wish: dict[str, Any] = {"until": str(until)}
    with tempfile.TemporaryDirectory() as folder:
        path = lay_log(Path(folder) / "n1", life.entries)
        if at is not None:
            lay_database(path, by_bucket(fed(life.entries, at)))
            if at > 0 and data.draw(st.booleans(), "by database"):
                wish["base"] = Base.DATABASE
        begun = at or 0 if "base" in wish else 0
        seen = seen_of(path)
        found = {key: plain(versions(seen, key, **wish)) for key in KEYS}
    rest = life.entries[begun:until]
    walked = slow_walk(rest, fed(life.entries, begun))
    assert found == {key: walked.get(key, []) for key in KEYS}


def several() -> Iterator[Written]:
    asked = Written()
    asked.grant(1)
    asked.put(b"a", b"1", lease=1)
    gone = RequestOp(request_delete_range=DeleteRangeRequest(key=b"a"))
    again = RequestOp(request_put=PutRequest(key=b"a", value=b"2", lease=1))
    other = RequestOp(request_put=PutRequest(key=b"b"))
    asked.ask(txn=TxnRequest(success=(gone, other, again)))
    asked.revoke(1)
    asked.compact(asked.revision)
    asked.put(b"a", b"3")
    yield asked


def test_several_changes_of_a_key_by_one_entry_are_all_told_in_their_order(tmp_path: Path) -> None:
    (asked,) = several()
    seen = seen_of(member(tmp_path / "n1", asked.entries))
    found = versions(seen, b"a")
    told = [(each.index, each.request, each.change.sub_revision) for each in found]
    assert [each.change.value for each in found] == [b"1", b"", b"2", b"", b"3"]
    assert told == [
        (2, "put", 0),
        (3, "txn", 0),
        (3, "txn", 2),
        (4, "lease_revoke", 0),
        (6, "put", 0),
    ]
    assert [each.change.is_tombstone for each in found] == [False, True, False, True, False]
    assert [each.change.lease for each in found] == [1, 0, 1, 0, 0]
    found_between = between(DISK, seen, Wish(), first="2", last="6")
    (change, other) = found_between.changes
    assert (change.key, change.before, change.after) == (b"a", found[0].change, found[-1].change)
    assert (other.key, other.before) == (b"b", None)
    assert found_between.others == (("lease", b"1", "60 s to live", ""),)


def test_a_key_that_is_put_often_is_told_in_linear_time(tmp_path: Path) -> None:
    asked = Written()
    for number in range(20_000):
        asked.put(b"a", b"%d" % number)
    seen = seen_of(lay_log(tmp_path / "n1", asked.entries))
    assert len(versions(seen, b"a")) == 20_000


def test_positions_the_wrong_way_round_are_refused(tmp_path: Path) -> None:
    (asked,) = several()
    seen = seen_of(member(tmp_path / "n1", asked.entries))
    with pytest.raises(UsageError, match="entry 5 is behind entry 2"):
        between(DISK, seen, Wish(), first="5", last="2")
    with pytest.raises(UsageError, match="the log ends at entry"):
        between(DISK, seen, Wish(), first="5", last="7")


def test_a_state_that_is_not_reached_has_no_differences_to_another(tmp_path: Path) -> None:
    (asked,) = several()
    path = member(tmp_path / "n1", asked.entries, at=6)
    seen = seen_of(path)
    with pytest.raises(CorruptionError, match="the state at 3 is not there: the database has"):
        between(DISK, seen, Wish(base=Base.DATABASE), first="3", last="6")
    bare = lay_log(tmp_path / "n2", asked.entries)
    with pytest.raises(UsageError, match="the log ends at entry 6"):
        between(DISK, seen_of(bare), Wish(is_uncommitted=True), first="8", last="9")

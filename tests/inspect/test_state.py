"""Rebuilt states against the truth: what real servers said, from clean and from damaged files."""

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import CORPUS, copy_of, manifest, names, needs_corpus, unpacked
from tests.machine.replays import Place, clean_places, entries
from tests.machine.test_corpus import expect_told
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.errors import ExitStatus, UnsupportedError, UsageError
from walctl.fs.real import RealFileSystem
from walctl.inspect.reading import Depth, survey_of
from walctl.inspect.state import Replayed, Wish, replayed
from walctl.inspect.state_document import key_count
from walctl.machine.base import Entry, Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.machine.mvcc import Hash
from walctl.model.finding import Code
from walctl.replay.differences import named
from walctl.replay.ground import Base, Kind

pytestmark = needs_corpus

DISK = RealFileSystem()
CLEAN = [place for place in clean_places() if not place.name.startswith("x-")]
DAMAGED = [
    Place(name, member)
    for name in names()
    if name.startswith("x-")
    for member in manifest(name).get("members", ["n1"])
]
CAUGHT_UP = {
    "d2-snapdb-crash-35-b/n2": Hash(1035287143, 5375, -1),
}
"""Asked only after they had learnt more than their files hold; what the files amount to."""
FROM_DATABASE_ALONE = {
    "d-cluster3-35/n4": "the log begins at entry 688",
    "d2-snapdb-crash-35-b/n2": "from entry 1 the log leads to 158 only",
    "d3-snapshot-received-35/n2": "from entry 1 the log leads to 158 only",
}
WITHOUT_DATABASE = {"h-20-small-segments-34/n1"}
STOPS = {
    "x-forged-commit-beyond-last-34/n1": (479, "the log has no such entry"),
    "x-forged-commit-beyond-last-35/n1": (478, "the log has no such entry"),
}
"""Where applying ends before its time: behind all that there ever was."""
LEADS_TO = {
    "x-flip-crc-field": (180, "its frame is damaged"),
    "x-flip-entry-mid": (200, "its frame is damaged"),
    "x-flip-length-high": (230, "its frame is damaged"),
    "x-flip-length-low": (220, "its frame is damaged"),
    "x-flip-type-entry-to-state": (300, "its frame is damaged"),
    "x-flip-type-unknown": (190, "its frame is damaged"),
    "x-forged-gap": (449, "the log has no such entry"),
}
"""How far the log alone leads, the same for both versions."""


@cache
def seen_of(path: Path) -> Survey:
    return survey_of(DISK, understand(DISK, path), depth=Depth(jobs=1))


def rebuilt(path: Path, **wish: Any) -> Replayed:
    return replayed(DISK, seen_of(path), Wish(**wish))


def machine_of(found: Replayed) -> Etcd:
    assert isinstance(found.machine, Etcd)
    return found.machine


def fed(place: Place, until: int) -> Etcd:
    """A new machine that was given the log's entries up to `until`, one after the other."""
    machine = Etcd()
    for entry in entries(seen_of(place.path), last=until):
        machine.apply(entry)
    return machine


def sibling(name: str) -> str | None:
    """The directory that was damaged; the corpus keeps not every one."""
    base = manifest(name).get("base")
    return base if base in names() else None


@pytest.mark.parametrize("place", CLEAN, ids=str)
def test_a_clean_directory_amounts_to_what_its_server_said(place: Place) -> None:
    found = rebuilt(place.path)
    assert (found.kind, found.findings, found.exit_status) == ("etcd", (), ExitStatus.CLEAN)
    assert found.applied is not None
    assert found.applied.last == found.until
    machine = machine_of(found)
    truth = place.truth
    if str(place) in CAUGHT_UP:
        assert machine.store.hash() == CAUGHT_UP[str(place)]
    elif truth is not None and truth.get("hashkv") is not None:
        expect_told(machine, truth)
        assert key_count(machine) == truth["keyspace"]["count"]
    else:
        assert machine.store.hash() == fed(place, found.until).store.hash()
    if str(place) in FROM_DATABASE_ALONE:
        assert (found.base, found.agreement) == (Base.DATABASE, None)
        assert any(FROM_DATABASE_ALONE[str(place)] in each for each in found.obstacles)
    elif str(place) in WITHOUT_DATABASE:
        assert (found.base, found.agreement) == (Base.NOTHING, None)
        assert found.obstacles == ("there is no database",)
    else:
        assert found.base is Base.NOTHING
        assert found.agreement is not None
        assert found.agreement.is_equal


@pytest.mark.parametrize("place", DAMAGED, ids=str)
def test_a_damaged_directory_amounts_to_what_it_did_before(place: Place) -> None:
    found = rebuilt(place.path)
    machine = machine_of(found)
    truth = place.truth
    if truth is not None and truth.get("hashkv") is not None:
        expect_told(machine, truth)
    base = sibling(place.name)
    if base is not None:
        before = machine_of(rebuilt(unpacked(base) / place.member))
        assert machine.store.hash() == before.store.hash()
        # No digest: it has the members' addresses, of which a database of 3.5.1 forgets some.
        assert machine.store.rows() == before.store.rows()
        assert named(machine) == named(before)
        assert key_count(machine) == key_count(before)
    if found.agreement is not None:
        assert found.agreement.is_equal
    family = place.name[:-3]
    if family in LEADS_TO:
        last, words = LEADS_TO[family]
        assert found.obstacles == (f"from entry 1 the log leads to {last} only: {words}",)
    if str(place) in STOPS:
        index, words = STOPS[str(place)]
        assert [(each.code, each.place.index) for each in found.findings] == [
            (Code.INDEX_GAP, index)
        ]
        assert words in found.findings[0].detail
        assert found.exit_status is ExitStatus.DAMAGE
    else:
        assert (found.findings, found.exit_status) == ((), ExitStatus.CLEAN)


def test_members_that_lost_their_tail_amount_to_the_same_as_the_others() -> None:
    for version in ("34", "35"):
        path = unpacked(f"x-follower-tail-lost-{version}")
        hashes = {machine_of(rebuilt(path / member)).store.hash() for member in ("n1", "n2", "n3")}
        assert len(hashes) == 1


@pytest.mark.parametrize("name", ["b-single-allops-35", "s-small-snaps-34", "m-segments-nosnap-35"])
def test_the_state_at_an_index_is_that_of_a_machine_fed_up_to_it(name: str) -> None:
    place = Place(name, "n1")
    commit = rebuilt(place.path).until
    for until in {*range(0, commit + 1, max(1, commit // 7)), 1, commit}:
        found = rebuilt(place.path, until=str(until))
        assert found.applied is not None
        assert (found.until, found.applied.last) == (until, until)
        machine, slow = machine_of(found), fed(place, until)
        assert machine.digest() == slow.digest(), until
        assert machine.store.hash() == slow.store.hash()
        assert sum(found.applied.counts.values()) == until


def test_words_name_indexes() -> None:
    path = Place("s-small-snaps-35", "n1").path
    commit = seen_of(path).commit
    wanted = {
        None: commit,
        "commit": commit,
        "last": commit,
        "-3": commit - 3,
        "commit-3": commit - 3,
        "last-10": commit - 10,
        "first": 1,
        "first+4": 5,
        "snap": max(each.index or 0 for each in seen_of(path).snaps),
        "0": 0,
        "-99999": 0,
    }
    assert {words: rebuilt(path, until=words).until for words in wanted} == wanted


@pytest.mark.parametrize("words", ["", "+", "-", "--3", "-x", "later", "1.5", "commit-", "9" * 30])
def test_words_that_are_no_index_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        rebuilt(Place("a-single-20puts-35", "n1").path, until=words)


def test_what_is_not_committed_is_applied_only_when_asked_for() -> None:
    place = Place("a-single-20puts-35", "n1")
    seen = seen_of(place.path)
    state = seen.last_state
    assert state is not None
    lagging = dataclasses.replace(state, state=dataclasses.replace(state.state, commit=20))
    behind = dataclasses.replace(seen, last_state=lagging, database=None, database_exists=False)
    found = replayed(DISK, behind, Wish())
    assert (found.until, machine_of(found).digest()) == (20, fed(place, 20).digest())
    for until in ("21", "last", "commit+1"):
        with pytest.raises(UsageError, match=r"is not committed.*the last one that is is 20"):
            replayed(DISK, behind, Wish(until=until))
    last = seen.log.last or 0
    for wish in (Wish(is_uncommitted=True), Wish(is_uncommitted=True, until="last")):
        found = replayed(DISK, behind, wish)
        assert (found.until, machine_of(found).digest()) == (last, fed(place, last).digest())
    assert replayed(DISK, behind, Wish(is_uncommitted=True, until="commit")).until == 20


def test_beyond_the_log_there_is_no_state() -> None:
    with pytest.raises(UsageError, match="the log ends at entry 25"):
        rebuilt(Place("a-single-20puts-35", "n1").path, until="last+5", is_uncommitted=True)


def test_a_base_may_be_forced() -> None:
    path = Place("s-small-snaps-34", "n1").path
    by_log, by_database = (rebuilt(path, base=each) for each in (Base.NOTHING, Base.DATABASE))
    assert (by_log.built_from, by_log.agreement) == (0, None)
    assert (by_database.built_from, by_database.agreement) == (seen_of(path).applied, None)
    assert machine_of(by_log).digest() == machine_of(by_database).digest()
    with pytest.raises(UsageError, match="never built on that"):
        rebuilt(path, base=Base.SNAPSHOT)
    applied = seen_of(path).applied
    with pytest.raises(UnsupportedError, match=f"database has applied {applied} already"):
        rebuilt(path, base=Base.DATABASE, until="100")
    torn = Place("x-purged-first-two-35", "n1").path
    with pytest.raises(UnsupportedError, match="the log begins at entry 1031"):
        rebuilt(torn, base=Base.NOTHING)


def test_where_no_way_leads_to_all_reasons_are_told(tmp_path: Path) -> None:
    path = copy_of("x-purged-first-two-35", tmp_path) / "n1"
    (path / "member/snap/db").unlink()
    with pytest.raises(UnsupportedError) as caught:
        rebuilt(path)
    for reason in ("the state at 1154", "the log begins at entry 1031", "there is no database"):
        assert reason in caught.value.message


def test_a_damaged_database_is_a_reason_and_not_an_end(tmp_path: Path) -> None:
    path = copy_of("s-small-snaps-35", tmp_path) / "n1"
    database = path / "member/snap/db"
    data = bytearray(database.read_bytes())
    for start in range(2 * 4096, len(data), 4096):
        data[start + 8] ^= 0xFF
    database.write_bytes(data)
    found = rebuilt(path)
    assert (found.base, found.agreement) == (Base.NOTHING, None)
    (reason,) = found.obstacles
    assert reason.startswith("the database does not read: ")
    assert machine_of(found).digest() == fed(Place("s-small-snaps-35", "n1"), 477).digest()


def test_a_database_that_a_leader_sent_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = copy_of("d2-snapdb-crash-35-b", tmp_path) / "n2"
    found = rebuilt(path)
    assert (found.base, found.built_from, found.findings) == (Base.DATABASE, 5382, ())
    (path / "member/snap/0000000000001506.snap.db").unlink()
    seen_of.cache_clear()
    found = rebuilt(path)
    assert found.applied is not None
    assert (found.applied.last, found.base) == (158, Base.NOTHING)
    assert [each.code for each in found.findings] == [Code.INDEX_GAP]


def test_whose_log_it_is_is_told_by_its_files() -> None:
    raft = unpacked("f-raftexample-35")
    assert rebuilt(Place("a-single-20puts-35", "n1").path).kind == Kind.ETCD
    assert rebuilt(Place("a-single-20puts-35", "n1").path / "member/wal").kind == Kind.ETCD
    found = rebuilt(raft / "raftexample-1")
    assert found.kind == Kind.KV
    assert isinstance(found.machine, Kv)
    for kind in (Kind.NONE, "none"):
        found = rebuilt(raft / "raftexample-1", machine=kind)
        assert (found.kind, found.machine, found.applied) == ("none", None, None)
    with pytest.raises(UsageError, match="expected auto, etcd, kv, none, or MODULE:CLASS"):
        rebuilt(raft / "raftexample-1", machine="sql")


def test_one_machine_does_not_read_what_is_anothers() -> None:
    found = rebuilt(Place("a-single-20puts-35", "n1").path, machine="kv")
    assert [each.code for each in found.findings] == [Code.PAYLOAD_UNDECODABLE]
    found = rebuilt(unpacked("f-raftexample-35") / "raftexample-1", machine="etcd")
    assert [each.code for each in found.findings] == [Code.PAYLOAD_UNDECODABLE]
    assert found.exit_status is ExitStatus.DAMAGE


def test_raftexamples_map_is_the_same_by_its_snapshot_and_by_its_log() -> None:
    for member in ("raftexample-1", "raftexample-2", "raftexample-3"):
        path = unpacked("f-raftexample-35") / member
        by_log, by_snapshot = (rebuilt(path, base=each) for each in (Base.NOTHING, Base.SNAPSHOT))
        assert isinstance(by_log.machine, Kv)
        assert isinstance(by_snapshot.machine, Kv)
        assert by_snapshot.built_from == 10001
        assert by_log.machine.pairs == by_snapshot.machine.pairs
        assert by_log.machine.members == by_snapshot.machine.members


class Counter:
    """Somebody's own machine: counts entries, and ends at one that it is told of."""

    end = 0

    def __init__(self) -> None:
        self.count = 0

    def apply(self, entry: Entry) -> Result:
        self.count += 1
        outcome = Outcome.FATAL if entry.index == self.end else Outcome.APPLIED
        return Result(outcome, "counted", "enough")

    def snapshot(self) -> bytes:
        return b"%d" % self.count

    def restore(self, data: bytes) -> None:
        self.count = int(data)

    def digest(self) -> str:
        return str(self.count)


class Ends(Counter):
    end = 7


def test_a_machine_of_ones_own_is_fed_with_the_log() -> None:
    path = Place("a-single-20puts-35", "n1").path
    found = rebuilt(path, machine="mine:Counter", make=Counter)
    assert found.machine is not None
    assert (found.kind, found.machine.digest(), found.base) == ("mine:Counter", "25", Base.NOTHING)
    found = rebuilt(path, machine="mine:Ends", make=Ends)
    assert found.applied is not None
    assert found.applied.last == 6
    (finding,) = found.findings
    assert (finding.place.index, finding.detail) == (7, "Applying stopped at entry 7: enough.")


def test_the_corpus_has_what_these_tests_are_about() -> None:
    assert CORPUS is not None
    assert len(CLEAN) >= 14
    assert len(DAMAGED) >= 60
    assert {str(place) for place in DAMAGED} >= set(STOPS)

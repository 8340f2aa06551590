"""All states that a power cut may leave: the member that ships loses nothing durable in any."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.test_disk import World, driver_on
from tests.sim.test_ledger import Watched
from walctl.cluster import recovery
from walctl.cluster.deeds import Damage
from walctl.cluster.recovery import Recovered
from walctl.cluster.service import KvService
from walctl.fs.crash import These
from walctl.fs.disk_faults import CrashMode
from walctl.fs.faults import Killed
from walctl.fs.rot import written_end
from walctl.raft.types import ConfState, Entry, HardState, Snapshot
from walctl.sim.crash_states import Verdict, judge, rows, states_of
from walctl.sim.disk import SimDisk

STATE = KvService().freeze().build()


def killed_at(call: int, *, puts: int = 3, size: int = 700) -> tuple[SimDisk, bool]:
    """A member alone in its group, that dies before a call; and whether it got that far."""
    disk = World().disk()
    disk.arm(CrashMode.CLEAN, call=call)
    try:
        driver = driver_on(disk, is_new=True)
        driver.bootstrap([1])
        driver.work()
        driver.campaign()
        driver.work()
        for number in range(puts):
            driver.propose(driver.service.put(b"k", bytes([number + 65]) * size), lambda told: None)
            driver.work()
        job = driver.begin_snapshot()
        job.run()
        driver.end_snapshot(job)
        driver.end("over")
    except Killed:
        return disk, True
    return disk, False


def calls() -> Iterator[SimDisk]:
    """The same member, killed before every change of its disk."""
    call = 1
    while True:
        disk, is_killed = killed_at(call)
        if not is_killed:
            return
        yield disk
        call += 1


@pytest.mark.slow
def test_no_state_of_any_moment_of_a_members_life_loses_what_was_durable() -> None:
    count = refused = 0
    for disk in calls():
        for row in rows(disk, ["g1"]):
            assert row.is_fine, row
            count += 1
            refused += any(each.verdict is Verdict.REFUSED for each in row.judged)
    assert count > 200
    assert not refused


def test_a_write_that_is_not_synced_leaves_as_many_states_as_its_sectors_allow() -> None:
    disk, _ = killed_at(29)
    found = list(rows(disk, ["g1"]))
    pieces = len(disk.pending())
    assert pieces >= 2
    assert len(found) == len({each.kept for each in found}) == len(list(states_of(disk)))
    assert {each.kept for each in found} >= {(), tuple(range(pieces))}
    assert all(each.is_fine for each in found)


def test_where_states_are_too_many_prefixes_and_single_omissions_are_taken() -> None:
    disk, path = World().disk(), Path("/a")
    with disk.fs.create_file(path) as file:
        disk.fs.sync_dir(path.parent)
        file.allocate(20 * 512)
        file.sync()
        for number in range(20):
            file.write_at(number * 512, b"x")
    found = {each.positions for each in states_of(disk, states_max=100)}
    everything = frozenset(range(20))
    prefixes = {frozenset(range(count)) for count in range(21)}
    assert found == prefixes | {everything - {each} for each in everything}


def sent_entries(term: int, first: int, count: int) -> list[Entry]:
    """What a leader of that term would send."""
    return [Entry(index=first + each, term=term, data=b"%d" % each * 90) for each in range(count)]


def follower(call: int, steps: Sequence[tuple[str, int]]) -> SimDisk:
    """A follower's log in small segments, which ends before a call: appends that take back others,
    a commit, a snapshot of the leader."""
    log = Watched(segment_bytes=800)
    log.disk.arm(CrashMode.CLEAN, call=call)
    storage, term, commit = log.storage, 1, 0
    entries: list[Entry]
    try:
        for what, count in steps:
            last = storage.last_index()
            entries, sent = [], None
            if what == "append":
                entries = sent_entries(term, last + 1, count)
            elif what == "overwrite":
                term += 1
                entries = sent_entries(term, max(commit + 1, last + 1 - count), count)
            elif what == "commit":
                commit = last
            else:
                commit = last + count
                members = ConfState(voters=(1, 2))
                sent = Snapshot(index=commit, term=term, conf_state=members, data=STATE)
            storage.save(HardState(term=term, vote=1, commit=commit), entries, sent)
    except Killed:
        pass
    return log.disk


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("append", "append", "overwrite", "commit", "snapshot")),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=7,
)


@pytest.mark.slow
@settings(max_examples=120)
@given(steps=STEPS, call=st.integers(1, 40))
def test_no_state_of_a_followers_log_loses_what_was_durable(
    steps: Sequence[tuple[str, int]], call: int
) -> None:
    disk = follower(call, [("append", 3), *steps])
    for row in rows(disk, ["g1"], states_max=40):
        assert row.is_fine, row


def verdicts(disk: SimDisk) -> set[Verdict]:
    return {each.verdict for row in rows(disk, ["g1"]) for each in row.judged}


def test_a_reader_that_quietly_gives_less_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(disk: Any, folder: Path, snaps: Path, **rest: Any) -> Recovered:
        name = max(each for each in disk.names(folder) if each.endswith(".wal"))
        with disk.open_file(folder / name) as file:
            file.truncate(written_end(file) - 300)  # within the last entry, which was synced
        return recovery.reopen(disk, folder, snaps, **rest)

    disk, _ = killed_at(29)
    assert verdicts(disk) == {Verdict.WHOLE}
    monkeypatch.setattr("walctl.cluster.driver.reopen", hasty)
    assert Verdict.LESS in verdicts(disk)


def test_a_reader_that_makes_up_an_entry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def inventive(*args: Any, **rest: Any) -> Recovered:
        found = recovery.reopen(*args, **rest)
        last = found.storage.last_index()
        found.storage.append([Entry(index=last + 1, term=9, data=b"?")])
        return found

    disk, _ = killed_at(29)
    monkeypatch.setattr("walctl.cluster.driver.reopen", inventive)
    assert Verdict.INVENTED in verdicts(disk)


def test_a_damage_that_is_no_power_cut_is_refused() -> None:
    disk, _ = killed_at(29)
    disk.crash(CrashMode.CLEAN)
    disk.damage(Damage(verb="flip", node="n1", offset=150))
    (judged,) = judge(disk, These(frozenset()), ["g1"])
    assert judged.verdict is Verdict.REFUSED
    assert "expected" in judged.words

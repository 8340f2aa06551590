"""Faults at rest on a simulated disk: what is there afterwards, and that a reader tells of it."""

import pytest

from tests.sim.test_ledger import FOLDER, SNAP, Watched
from walctl.cluster.deeds import Damage
from walctl.cluster.recovery import reopen
from walctl.errors import AccessError, UsageError, WalctlError
from walctl.fs.crash import SECTOR_BYTES
from walctl.sim.rot import VERBS


def ended(entries: int = 40, segment_bytes: int = 600) -> Watched:
    log = Watched(segment_bytes=segment_bytes)
    for index in range(1, entries + 1):
        log.put(index, 1, term=1, commit=index - 1)
    log.storage.close()
    return log


def test_a_flip_turns_one_bit_around_and_the_ledger_stops_there() -> None:
    log = ended()
    done = log.disk.damage(Damage(verb="flip", node="n1", offset=200, bit=3))
    assert int(done["before"], 16) ^ int(done["after"], 16) == 8
    assert log.ledger.survived().last < 40


def test_what_is_drawn_comes_from_the_moment() -> None:
    done = []
    for moment in (1, 1, 2, 3):
        log = ended()
        log.world.now_us = moment
        done.append(log.disk.damage(Damage(verb="zero", node="n1")))
    assert done[0] == done[1]
    assert len({str(each) for each in done}) > 1


def test_a_bad_sector_cannot_be_read() -> None:
    log = ended()
    name = next(each for each in log.disk.fs.names(FOLDER) if each.endswith(".wal"))
    log.disk.damage(Damage(verb="latent", node="n1", file=name, offset=0))
    with log.disk.fs.open(FOLDER / name) as file, pytest.raises(AccessError):
        file.read_at(100, 1)


def test_a_stale_sector_ends_with_a_record_and_zeros() -> None:
    found = set()
    for moment in range(12):
        log = ended(segment_bytes=64_000)
        before = log.ledger.survived()
        log.world.now_us = moment
        done = log.disk.damage(Damage(verb="stale", node="n1", offset=700))
        assert 512 <= done["offset"] < 1024
        assert (done["offset"] + done["size"]) % SECTOR_BYTES == 0
        assert log.ledger.survived().last < before.last
        found.add(done["offset"])
    assert len(found) > 3


@pytest.mark.parametrize("verb", VERBS)
def test_every_damage_in_the_middle_of_a_log_is_told_by_who_opens_it(verb: str) -> None:
    log = ended()
    segments = [each for each in log.disk.fs.names(FOLDER) if each.endswith(".wal")]
    deed = Damage(
        verb=verb,
        node="n1",
        file=segments[1],
        offset=None if verb in ("drop", "truncate", "stale") else 130,
        size=130 if verb == "truncate" else None,
    )
    log.disk.damage(deed)
    assert log.ledger.survived().last < 40
    with pytest.raises(WalctlError):
        reopen(log.disk.fs, FOLDER, SNAP)


def test_a_damage_that_is_none_of_ours_is_refused() -> None:
    for deed in (
        Damage(verb="shake", node="n1"),
        Damage(verb="flip", node="n1", group="g7"),
        Damage(verb="flip", node="n1", file="../x"),
    ):
        with pytest.raises(UsageError):
            ended(1).disk.damage(deed)

"""Replays against the truth: what real servers said and stored is what their logs make.

Three ways to the same state: from nothing by the log, from the database alone, and from the
database by the rest of the log. What may differ is listed, with its reason, and nothing else.
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.corpus import manifest, needs_corpus
from tests.machine.replays import (
    FORM_34,
    Place,
    by_bucket,
    clean_places,
    database_of,
    entries,
    replayed,
    surveyed,
    to_apply,
)
from walctl.datadir.survey import Survey
from walctl.machine.base import Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.etcd_rows import FORM

pytestmark = needs_corpus

PLACES = clean_places()
Differences = list[tuple[str, str]]


def version_of(place: Place) -> str:
    version: str = manifest(place.name)["etcd_version"]
    return version


def begins_whole(seen: Survey) -> bool:
    """Whether the log reaches from entry 1 without a jump to what is to be applied."""
    reached = 0
    for run in seen.log.live:
        if run.first != reached + 1:
            return False
        reached = run.last
        if reached >= to_apply(seen):
            return True
    return False


# To look at every log takes seconds, so this is said here, and a test sees that it is true.
PARTIAL = {
    "d-cluster3-35/n4",
    "d2-snapdb-crash-35-b/n2",
    "d3-snapshot-received-35/n2",
    "x-purged-first-two-34/n1",
    "x-purged-first-two-35/n1",
}
"""Members of which the log alone does not reach what is to be applied."""
WITHOUT_DATABASE = {"h-20-small-segments-34/n1"}
WHOLE = [place for place in PLACES if str(place) not in PARTIAL]
STORED = [place for place in PLACES if str(place) not in WITHOUT_DATABASE]


def from_nothing(place: Place) -> Etcd:
    machine = Etcd()
    seen = surveyed(place.path)
    replayed(machine, entries(seen, last=to_apply(seen)))
    return machine


def from_database(place: Place) -> Etcd:
    return Etcd.from_rows(database_of(place.path))


def told(place: Place) -> dict[str, Any]:
    truth = place.truth
    if truth is None or truth.get("hashkv") is None:
        pytest.skip(f"{place}: nobody asked this server")
    return truth


def expect_told(machine: Etcd, truth: dict[str, Any]) -> None:
    """What clients were told, of revision, hash, keys, leases and alarms."""
    said = truth["hashkv"][0]["HashKV"]
    found = machine.store.hash()
    assert found.hash == said["hash"]
    assert found.compacted == said.get("compact_revision", -1)
    assert found.revision == said["header"]["revision"]
    rows = machine.store.range(b"\0", b"\0")
    assert len(rows) == truth["keyspace"]["count"]
    for row, kv in zip(rows, truth["keyspace"].get("kvs", []), strict=True):
        assert row.key == base64.b64decode(kv["key"])
        assert row.create_revision == kv["create_revision"]
        assert row.mod_revision == kv["mod_revision"]
        assert row.version == kv["version"]
        assert row.lease == kv.get("lease", 0)
        if "value_sha256" in kv:
            assert len(row.value) == kv["value_len"]
            assert hashlib.sha256(row.value).hexdigest() == kv["value_sha256"]
        else:
            assert row.value == base64.b64decode(kv.get("value", ""))
    leases = {each["id"] for each in (truth.get("leases") or {}).get("leases", [])}
    assert set(machine.state.leases.leases) == leases
    alarms = (truth.get("alarms") or {}).get("alarms", [])
    assert len(machine.state.alarms) == len(alarms)


def differences(place: Place, mine: Etcd) -> Iterator[tuple[str, str]]:
    """Bucket and key of every row that is not as the database has it."""
    form = FORM_34 if version_of(place).startswith("3.4") else FORM
    built, stored = by_bucket(mine, form), database_of(place.path)
    for bucket in sorted(set(built) | set(stored)):
        ours, theirs = built.get(bucket, {}), dict(stored.get(bucket, ()))
        for key in sorted(set(ours) | set(theirs)):
            if ours.get(key) != theirs.get(key):
                yield bucket.decode(), key.decode("utf-8", "backslashreplace")


def excused(place: Place, bucket: str) -> str | None:
    """Why rows of a bucket may differ between a log's replay and the database."""
    version = version_of(place)
    if bucket == "members" and version.startswith("3.5"):
        return "3.5.1 forgets clients' URLs, and that a learner was promoted"
    if bucket == "authUsers" and version.startswith("3.4"):
        return "3.4 logs passwords as typed, each member hashes them for itself"
    return None


@pytest.mark.parametrize("place", WHOLE, ids=str)
def test_a_log_from_its_first_entry_on_makes_what_the_server_said(place: Place) -> None:
    truth = told(place)
    seen = surveyed(place.path)
    if truth["status"][0]["Status"]["raftIndex"] > to_apply(seen):
        pytest.skip(f"{place}: the server was asked after it had caught up")
    expect_told(from_nothing(place), truth)


@pytest.mark.parametrize("place", STORED, ids=str)
def test_the_database_and_the_rest_of_the_log_make_what_the_server_said(place: Place) -> None:
    truth = told(place)
    seen = surveyed(place.path)
    if truth["status"][0]["Status"]["raftIndex"] > to_apply(seen) or "d2-snapdb" in place.name:
        pytest.skip(f"{place}: the server was asked after it had caught up")
    machine = from_database(place)
    replayed(machine, entries(seen, last=to_apply(seen)))
    expect_told(machine, truth)


@pytest.mark.parametrize("place", [each for each in WHOLE if each in STORED], ids=str)
def test_a_replay_up_to_what_the_database_has_applied_makes_its_rows_byte_for_byte(
    place: Place,
) -> None:
    seen = surveyed(place.path)
    machine = Etcd()
    replayed(machine, entries(seen, last=seen.applied))
    assert machine.applied == seen.applied
    odd = [
        (bucket, key) for bucket, key in differences(place, machine) if not excused(place, bucket)
    ]
    assert odd == []
    assert machine.store.hash() == from_database(place).store.hash()


@pytest.mark.parametrize("place", STORED, ids=str)
def test_the_rows_of_a_database_come_back_byte_for_byte(place: Place) -> None:
    machine = from_database(place)
    assert list(differences(place, machine)) == []
    again = Etcd()
    again.restore(machine.snapshot())
    assert list(again.rows()) == list(machine.rows())
    assert again.digest() == machine.digest()


@pytest.mark.parametrize("place", STORED, ids=str)
def test_entries_that_the_database_has_are_skipped_but_members_are_told_again(place: Place) -> None:
    seen = surveyed(place.path)
    machine = from_database(place)
    before = machine.store.hash()
    results = [machine.apply(each) for each in entries(seen, last=seen.applied)]
    assert {each.outcome for each in results} <= {Outcome.SKIPPED}
    assert machine.store.hash() == before
    if place in WHOLE:
        whole = Etcd()
        replayed(whole, entries(seen, last=seen.applied))
        assert machine.state.membership == whole.state.membership


def test_which_logs_are_whole_and_which_databases_are_there_is_as_said() -> None:
    seen = {str(place): surveyed(place.path) for place in PLACES}
    assert {name for name, each in seen.items() if not begins_whole(each)} == PARTIAL
    assert {name for name, each in seen.items() if each.database is None} == WITHOUT_DATABASE
    assert len(WHOLE) >= 14

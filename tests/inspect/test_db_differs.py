"""A database that is not what the log makes: what is found, where it began, what is no fault."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from formats.authpb import USER
from formats.leasepb import LEASE, Lease
from formats.rpcpb import (
    ALARM_MEMBER,
    AlarmAction,
    AlarmMember,
    AlarmRequest,
    AlarmType,
    AuthRoleAddRequest,
    AuthUserAddRequest,
    AuthUserGrantRoleRequest,
    LeaseCheckpoint,
    LeaseCheckpointRequest,
)
from tests.inspect.made_members import Buckets, Written, fed, member
from tests.machine.replays import by_bucket
from walctl.cli.main import run
from walctl.datadir.layout import understand
from walctl.errors import ExitStatus
from walctl.fs.real import RealFileSystem
from walctl.inspect.reading import Depth, survey_of
from walctl.inspect.state import Replayed, Wish, replayed
from walctl.machine.keyrow import key_row
from walctl.machine.state import Options
from walctl.model.finding import Code, Severity
from walctl.replay.differences import DIFFERENCES_MAX

DISK = RealFileSystem()
LEASE_ID = 7


def lived() -> Written:
    """A short life with a bit of everything."""
    asked = Written()
    asked.put(b"a", b"1")  # entry 1, revision 2
    asked.put(b"b", b"2")  # entry 2, revision 3
    asked.put(b"a", b"3")  # entry 3, revision 4
    asked.delete(b"b")  # entry 4, revision 5
    asked.grant(LEASE_ID, 600)
    asked.put(b"c", b"4", lease=LEASE_ID)  # entry 6, revision 6
    asked.ask(auth_user_add=AuthUserAddRequest(name="ann", hashed_password="aGFzaA=="))
    asked.ask(auth_role_add=AuthRoleAddRequest(name="reader"))
    raised = AlarmRequest(action=AlarmAction.ACTIVATE, member_id=1, alarm=AlarmType.CORRUPT)
    asked.ask(alarm=raised)
    return asked


def rebuilt(path: Path, **wish: Any) -> Replayed:
    seen = survey_of(DISK, understand(DISK, path), depth=Depth(jobs=1))
    return replayed(DISK, seen, Wish(**wish))


def row(*version: Any) -> tuple[bytes, bytes]:
    return key_row(version)


def put_row(*version: Any) -> Callable[[Buckets], object]:
    key, value = row(*version)
    return lambda buckets: buckets[b"key"].update({key: value})


def drop(bucket: bytes) -> Callable[[Buckets], object]:
    return lambda buckets: buckets[bucket].clear()


def drop_revision(main: int) -> Callable[[Buckets], object]:
    def dropped(buckets: Buckets) -> None:
        head = main.to_bytes(8, "big")
        (key,) = [each for each in buckets[b"key"] if each.startswith(head)]
        del buckets[b"key"][key]

    return dropped


def set_ttl(seconds: int) -> Callable[[Buckets], object]:
    lease = LEASE.build(Lease(id=LEASE_ID, ttl=seconds))
    return lambda buckets: buckets[b"lease"].update({LEASE_ID.to_bytes(8, "big"): lease})


def give_role(buckets: Buckets) -> None:
    user = USER.parse(buckets[b"authUsers"][b"ann"])
    buckets[b"authUsers"][b"ann"] = USER.build(replace(user, roles=("reader",)))


def add_alarm(buckets: Buckets) -> None:
    alarm = ALARM_MEMBER.build(AlarmMember(member_id=1, alarm=AlarmType.NOSPACE))
    buckets[b"alarm"][alarm] = b""


DIFFERS = {
    "another value": (put_row(b"a", 4, 0, 2, 2, b"x", 0), "key", 3, 4),
    "another version": (put_row(b"a", 4, 0, 2, 3, b"3", 0), "key", 3, 4),
    "another creation": (put_row(b"a", 4, 0, 3, 2, b"3", 0), "key", 3, 4),
    "another lease of a key": (put_row(b"c", 6, 0, 6, 1, b"4", 0), "key", 6, 6),
    "another key": (put_row(b"z", 4, 0, 2, 2, b"3", 0), "key", 3, 4),
    "a version too few": (drop_revision(3), "key", 2, 3),
    "a tombstone too few": (drop_revision(5), "key", 4, 5),
    "a version too many": (put_row(b"a", 5, 1, 2, 3, b"x", 0), "key", 4, 5),
    "a revision too many": (put_row(b"a", 99, 0, 2, 3, b"x", 0), "key", None, 99),
    "another time to live": (set_ttl(601), "lease", None, None),
    "no lease": (drop(b"lease"), "lease", None, None),
    "a role of a user": (give_role, "authUsers", None, None),
    "no user": (drop(b"authUsers"), "authUsers", None, None),
    "no role": (drop(b"authRoles"), "authRoles", None, None),
    "no alarm": (drop(b"alarm"), "alarm", None, None),
    "a second alarm of a member": (add_alarm, "alarm", None, None),
}


@pytest.mark.parametrize("name", DIFFERS)
def test_a_difference_is_found_with_the_entry_that_made_it(tmp_path: Path, name: str) -> None:
    edit, bucket, first_index, first_revision = DIFFERS[name]
    path = member(tmp_path / "n1", lived().entries, edit=edit)
    found = rebuilt(path)
    assert found.agreement is not None
    assert (found.agreement.index, found.agreement.count) == (9, 1)
    (difference,) = found.agreement.differences
    assert difference.bucket == bucket
    assert difference.in_log != difference.in_database
    assert found.agreement.first_revision == first_revision
    assert found.agreement.first_index == first_index
    (finding,) = found.findings
    assert (finding.code, finding.place.index) == (Code.DB_DIFFERS, first_index)
    assert "1 differences" not in finding.detail
    assert found.exit_status is ExitStatus.DAMAGE


def test_a_log_with_doubtful_entries_may_be_right_all_the_same(tmp_path: Path) -> None:
    asked = lived()
    full = AlarmRequest(action=AlarmAction.ACTIVATE, member_id=1, alarm=AlarmType.NOSPACE)
    asked.ask(alarm=full)
    path = member(tmp_path / "n1", asked.entries, edit=DIFFERS["another value"][0])
    found = rebuilt(path)
    (finding,) = found.findings
    assert (finding.code, finding.severity) == (Code.DB_DIFFERS, Severity.INFO)
    assert "it may be right" in finding.detail
    assert found.exit_status is ExitStatus.CLEAN


def test_the_state_goes_on_with_the_logs(tmp_path: Path) -> None:
    entries = lived().entries
    path = member(tmp_path / "n1", entries, at=4, edit=DIFFERS["another value"][0])
    found = rebuilt(path)
    assert found.agreement is not None
    assert found.agreement.index == 4
    assert found.machine is not None
    assert found.machine.digest() == fed(entries, 9).digest()
    assert rebuilt(path, base=None, until="3").findings == ()


def test_all_differences_are_counted_and_the_first_ones_told(tmp_path: Path) -> None:
    asked = Written()
    for number in range(300):
        asked.put(b"%d" % number, b"v")
    path = member(tmp_path / "n1", asked.entries, edit=drop(b"key"))
    found = rebuilt(path).agreement
    assert found is not None
    assert (found.count, len(found.differences)) == (300, DIFFERENCES_MAX)
    assert (found.first_revision, found.first_index) == (2, 1)


def expect_equal(found: Replayed) -> None:
    assert found.agreement is not None
    assert (found.agreement.count, found.findings) == (0, ())
    assert found.exit_status is ExitStatus.CLEAN


def test_what_was_not_touched_does_not_differ(tmp_path: Path) -> None:
    for at in range(10):
        expect_equal(rebuilt(member(tmp_path / str(at), lived().entries, at=at)))


def test_a_compaction_ahead_of_the_index_is_no_difference(tmp_path: Path) -> None:
    asked = lived()
    ahead = by_bucket(fed(asked.entries, 6))
    machine = fed(asked.entries[:6], 6)
    machine.store.compact(4)
    ahead[b"key"] = dict(map(key_row, machine.store.rows()))
    mark = (4).to_bytes(8, "big") + b"_" + bytes(8)
    ahead[b"meta"] |= {b"scheduledCompactRev": mark, b"finishedCompactRev": mark}
    path = member(tmp_path / "n1", asked.entries[:6], edit=lambda each: each.update(ahead))
    expect_equal(rebuilt(path))


@pytest.mark.parametrize("keeps", [False, True])
def test_the_tombstone_of_the_compacted_revision_is_no_difference(
    tmp_path: Path, keeps: bool
) -> None:
    asked = lived()
    raised = AlarmRequest(action=AlarmAction.DEACTIVATE, member_id=1, alarm=AlarmType.CORRUPT)
    asked.ask(alarm=raised)
    asked.compact(5)
    asked.put(b"d")
    path = member(tmp_path / "n1", asked.entries, options=Options(keeps_tombstone=keeps))
    expect_equal(rebuilt(path))


def test_how_long_a_lease_has_left_and_passwords_are_no_difference(tmp_path: Path) -> None:
    asked = lived()
    left = LeaseCheckpoint(id=LEASE_ID, remaining_ttl=5)
    asked.ask(lease_checkpoint=LeaseCheckpointRequest(checkpoints=(left,)))

    def edit(buckets: Buckets) -> None:
        buckets[b"lease"][LEASE_ID.to_bytes(8, "big")] = LEASE.build(
            Lease(id=LEASE_ID, ttl=600, remaining_ttl=5)
        )
        user = USER.parse(buckets[b"authUsers"][b"ann"])
        buckets[b"authUsers"][b"ann"] = USER.build(replace(user, password=b"own"))

    expect_equal(rebuilt(member(tmp_path / "n1", asked.entries, edit=edit)))


def test_members_are_no_difference(tmp_path: Path) -> None:
    edit: Callable[[Buckets], object] = lambda buckets: buckets.update(  # noqa: E731
        {b"members": {}, b"members_removed": {b"9": b"removed"}}
    )
    expect_equal(rebuilt(member(tmp_path / "n1", lived().entries, edit=edit)))


def test_times_to_live_that_a_long_election_timeout_lengthens_are_no_difference(
    tmp_path: Path,
) -> None:
    asked = Written()
    for number, seconds in enumerate((1, 5, 8, 60), start=1):
        asked.grant(number, seconds)
    for seconds in (1, 2, 8):
        path = tmp_path / str(seconds)
        options = Options(lease_ttl_seconds_min=seconds)
        expect_equal(rebuilt(member(path, asked.entries, options=options)))
    options = Options(lease_ttl_seconds_min=76)
    found = rebuilt(member(tmp_path / "76", asked.entries, options=options)).agreement
    assert found is not None
    assert found.count == 4


def test_what_34_writes_down_ahead_of_its_index_is_no_difference(tmp_path: Path) -> None:
    # Leases, users and alarms are written at once, the index with the next change of a key.
    asked = lived()
    asked.ask(auth_user_grant_role=AuthUserGrantRoleRequest(user="ann", role="reader"))

    def behind(buckets: Buckets) -> None:
        buckets[b"meta"][b"consistent_index"] = (6).to_bytes(8, "big")

    path = member(tmp_path / "n1", asked.entries, edit=behind)
    found = rebuilt(path)
    assert found.agreement is not None
    assert found.agreement.index == 6
    expect_equal(found)

    def changed(buckets: Buckets) -> None:
        behind(buckets)
        buckets[b"authRoles"].clear()

    expect_equal(rebuilt(member(tmp_path / "n2", asked.entries, edit=changed)))

    def shortened(buckets: Buckets) -> None:
        behind(buckets)
        set_ttl(99)(buckets)

    found = rebuilt(member(tmp_path / "n3", asked.entries, edit=shortened))
    assert found.agreement is not None
    assert [each.bucket for each in found.agreement.differences] == ["lease"]


def test_the_command_tells_it_in_every_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = member(tmp_path / "n1", lived().entries, edit=DIFFERS["another value"][0])
    assert run(["replay", str(path), "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["exit"] == 1
    assert document["agreement"] == {
        "index": 9,
        "differences": 1,
        "first_index": 3,
        "first_revision": 4,
        "first": [
            {
                "bucket": "key",
                "key": {"data": "YQ==", "text": "a"},
                "mod_revision": 4,
                "in_log": "version 2 of revision 4.0, created at 2, 1 byte",
                "in_database": "version 2 of revision 4.0, created at 2, 1 byte, another value",
            }
        ],
    }
    (finding,) = document["findings"]
    assert (finding["code"], finding["severity"]) == ("db-differs", "damage")
    assert run(["replay", str(path), "-o", "ndjson"]) == 1
    assert json.loads(capsys.readouterr().out) == document
    assert run(["replay", str(path)]) == 1
    told = capsys.readouterr().out
    assert (
        "differs from what the log makes at entry 9: 1 difference, the first made by entry 3"
        in (" ".join(told.split()))
    )
    assert "DAMAGED" in told

"""compare on clusters that real servers wrote, held against what their manifests say."""

import functools
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import copy_of, fingerprint, needs_corpus, unpacked
from tests.inspect.answers import said as manifest_of
from tests.inspect.comparing import DISK, codes, compared, said, standings
from walctl.errors import ExitStatus
from walctl.inspect.compare import Compared
from walctl.inspect.comparing.hashes import rows
from walctl.inspect.comparing.sections import Holds

pytestmark = needs_corpus

CLUSTERS = ("d-cluster3-35", "d3-snapshot-received-35", "f-raftexample-35")
LOST = ("x-follower-tail-lost-34", "x-follower-tail-lost-35")


def logs(name: str) -> list[str]:
    return [each for each in manifest_of(name)["members"] if not each.endswith("-snap")]


@functools.cache
def of(name: str, *members: str) -> Compared:
    return compared(*(unpacked(name) / each for each in members or logs(name)))


def truth(name: str, member: str) -> dict[str, Any]:
    found: dict[str, Any] = manifest_of(name)["per_member"][member]["truth"]
    return found


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_clean_cluster_is_said_to_be_one(name: str) -> None:
    found = of(name)
    assert found.exit_status is ExitStatus.CLEAN
    assert codes(found) == []
    assert {each.kind for each in found.sections} <= {"equal", "one"}
    assert not found.quorum.lost
    assert not found.quorum.short


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_figures_are_those_of_the_manifest(name: str) -> None:
    for given in of(name).members:
        wanted = truth(name, given.name)
        wal, state = wanted["wal"], given.seen.last_state
        assert state is not None
        assert state.state.commit == wal["hardstate"]["commit"]
        if wal["entries"]:
            assert given.last == wal["last_index"]
        if "db_consistent_index" in wanted:
            assert given.seen.applied == wanted["db_consistent_index"]


@pytest.mark.parametrize(
    ("name", "members"),
    [("d-cluster3-35", ("n1", "n2", "n4")), ("d3-snapshot-received-35", ("n1", "n2", "n3"))],
)
def test_the_hash_is_the_one_that_the_servers_gave(name: str, members: tuple[str, ...]) -> None:
    spaces = of(name, *members).spaces
    for member, each in zip(members, spaces.found, strict=True):
        api = truth(name, member)["api"]
        assert (each.hash, spaces.revision) == (api["hash"], api["revision"])
    assert not spaces.differ


def test_a_removed_member_is_told_from_one_that_is_behind_and_holds_back_no_hash() -> None:
    found = of("d-cluster3-35")
    assert standings(found) == ["newest-safe", "safe", "removed", "safe"]
    assert len(found.quorum.voters) == 3
    assert found.spaces.revision == 6121
    assert found.spaces.found[2].problem == "only at revision 621"


def test_terms_and_votes_are_those_of_the_members() -> None:
    found = of("d-cluster3-35")
    assert [each.term for each in found.terms] == [1, 2, 3, 4, 5, 6, 7]
    last = found.terms[-1]
    assert last.leaders(found.quorum.needed) == [found.members[3].node_id]


def test_a_member_that_was_sent_a_snapshot_lacks_no_entry() -> None:
    found = of("d3-snapshot-received-35")
    cells = {(each.first, each.last): each.cells[1] for each in found.sections}
    assert cells[(159, 5382)].holds is Holds.SNAPSHOT
    assert found.quorum.held_to == 5417


def test_a_member_that_never_got_the_log_keeps_the_others_from_being_wiped() -> None:
    found = of("f-raftexample-35")
    assert standings(found) == ["newest-safe", "safe", "removed", "empty"]
    assert found.quorum.absent == (4,)
    assert not any(each.may_be_replaced for each in found.judgements)


@pytest.mark.parametrize("name", LOST)
def test_a_follower_that_lost_its_end_is_the_one_that_may_be_replaced(name: str) -> None:
    found = of(name)
    lost = manifest_of(name)["damaged_member"]
    assert said(found, lost).standing == "damaged"
    assert [
        given.name
        for given, each in zip(found.given, found.judgements, strict=True)
        if each.may_be_replaced
    ] == [lost]
    first, _ = manifest_of(name)["expected"]["entries_from_there"]
    position = [each.name for each in found.members].index(lost)
    beyond = [each for each in found.sections if each.cells[position].holds is Holds.BEYOND]
    assert beyond[0].first == first
    assert found.quorum.held_to == found.quorum.committed_to
    assert found.exit_status is ExitStatus.DAMAGE


@pytest.mark.slow
def test_one_member_alone_killed_while_a_snapshot_came_and_its_own_copy(tmp_path: Path) -> None:
    name = "d2-snapdb-crash-35-b"
    copy = copy_of(name, tmp_path) / "n2"
    found = compared(unpacked(name) / "n2", copy)
    assert [str(each.finding.severity) for each in found.findings] == ["info"]
    assert found.members[0].last == 5382
    assert [str(each) for each in found.quorum.lost] == []
    assert not any(each.may_be_replaced for each in found.judgements)


@pytest.mark.slow
def test_one_bit_that_differs_in_a_database_is_found_by_its_hash(tmp_path: Path) -> None:
    name = "d3-snapshot-received-35"
    root = copy_of(name, tmp_path)
    path = root / "n2" / "member" / "snap" / "db"
    data = path.read_bytes()
    value = found_value(path)
    assert data.count(value) == 1
    path.write_bytes(data.replace(value, bytes([value[0] ^ 1]) + value[1:]))
    found = compared(*(root / each for each in ("n1", "n2", "n3")))
    assert ("hash-differs", "damage") in codes(found)
    assert standings(found) == ["aside", "diverged", "aside"]
    assert found.spaces.parts_at is not None
    assert not any(each.may_be_replaced for each in found.judgements)


def found_value(path: Path) -> bytes:
    """The value of a late row, which stands once in the file."""
    with DISK.open(path) as file:
        return list(rows(file, last=1 << 40))[-20].value


@pytest.mark.slow
def test_a_hole_in_one_member_is_filled_by_the_others_and_it_may_be_replaced(
    tmp_path: Path,
) -> None:
    root = copy_of("d3-snapshot-received-35", tmp_path)
    before = {each: fingerprint(root / each) for each in ("n2", "n3")}
    segment = next((root / "n1" / "member" / "wal").glob("*.wal"))
    with segment.open("r+b") as file:
        file.seek(40960)
        file.write(bytes(4096))
    found = compared(*(root / each for each in ("n1", "n2", "n3")))
    judged = said(found, "n1")
    assert judged.standing == "damaged"
    assert judged.may_be_replaced
    assert judged.next == f"walctl repair {root}/n1 --from {root}/n2 --from {root}/n3"
    assert any(each.cells[0].holds is Holds.DAMAGED for each in found.sections)
    assert {each: fingerprint(root / each) for each in before} == before


def test_a_database_of_strangers_without_a_log_overrules_nobody(tmp_path: Path) -> None:
    stranger = copy_of("d-cluster3-35", tmp_path) / "n1"
    for segment in (stranger / "member/wal").iterdir():
        segment.unlink()
    (stranger / "member/wal").rmdir()
    alone, found = of(LOST[0]), compared(*(unpacked(LOST[0]) / m for m in logs(LOST[0])), stranger)
    assert len(found.members) == len(alone.members)
    assert found.quorum.voters == alone.quorum.voters
    assert found.quorum.committed_to == alone.quorum.committed_to
    words = [each.standing for each in found.judgements]
    assert words[:-1] == [each.standing for each in alone.judgements]
    assert codes(found) == [("cluster-mismatch", "damage"), *codes(alone)]


def test_a_log_of_raftexample_is_of_no_cluster_that_has_an_id() -> None:
    path = unpacked(LOST[0])
    found = compared(path / "n1", unpacked("f-raftexample-35") / "raftexample-1", path / "n3")
    assert [each.name for each in found.members] == ["n1", "n3"]
    assert codes(found) == [("cluster-mismatch", "damage")]

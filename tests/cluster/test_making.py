"""A lab made and taken away: what is refused, and that nothing else is ever removed."""

import os
import random
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.labs import DISK, made, wish
from walctl.cluster.lab import LAB_FILE, Engine, Settings, Timing, load
from walctl.cluster.making import NewLab, free_ports, make
from walctl.cluster.running import demand_down
from walctl.cluster.taking_away import removal, remove
from walctl.errors import AccessError, UsageError


def make_it(wanted: NewLab) -> None:
    draw = random.Random(1)
    make(DISK, wanted, token="t", draw=draw, port_fault=lambda host, port: None)


def test_a_new_lab_has_names_ids_and_ports_of_its_own(tmp_path: Path) -> None:
    make_it(NewLab(path=tmp_path / "demo", nodes=3, groups=("g1", "g2"), base_port=21000))
    lab = load(DISK, tmp_path / "demo")
    assert [(node.name, node.id) for node in lab.nodes] == [("n1", 1), ("n2", 2), ("n3", 3)]
    ports = [(node.client_port, node.peer_port, node.proxy_port) for node in lab.nodes]
    assert ports == [(21000, 21001, 21002), (21003, 21004, 21005), (21006, 21007, 21008)]
    assert [group.hosts for group in lab.groups] == [("n1", "n2", "n3")] * 2
    assert os.stat(lab.path / LAB_FILE).st_mode & 0o077 == 0


def test_a_lab_of_etcd_has_one_group_and_no_ids_yet(tmp_path: Path) -> None:
    make_it(wish(tmp_path / "demo"))
    lab = load(DISK, tmp_path / "demo")
    assert [group.name for group in lab.groups] == ["etcd"]
    assert {node.id for node in lab.nodes} == {None}


def test_ports_that_are_taken_are_passed_over() -> None:
    taken = set(range(10_000, 29_000))
    found = free_ports(
        9,
        base=None,
        draw=random.Random(1),
        fault=lambda host, port: "is in use" if port in taken else None,
        besides=[29_500],
    )
    assert not taken & set(found)
    assert 29_500 not in found


def test_a_base_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        wanted = replace(wish(tmp_path / "demo"), base_port=port)
        with pytest.raises(AccessError, match=f"port {port} on 127.0.0.1 is in use"):
            free_ports(9, base=port, draw=random.Random(1), fault=_real)
    assert wanted.base_port == port


def _real(host: str, port: int) -> str | None:
    from walctl.cluster.runtime import port_fault

    return port_fault(host, port)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"nodes": 0}, "--nodes 0: expected 1 to 99"),
        ({"nodes": 100}, "--nodes 100: expected 1 to 99"),
        ({"groups": ("g1", "g1")}, "--groups: expected 1 to 1000 names, each once"),
        ({"groups": ("a", "b"), "engine": Engine.ETCD}, "engine etcd has one group, and no more"),
        ({"groups": ("leader",)}, "'leader' is no name for a group"),
        ({"groups": ("../g1",)}, "no name for a group"),
        ({"base_port": 80}, "--base-port 80: expected 1024 to 65527"),
        ({"settings": Settings(timing=Timing(election_ticks=2))}, "at least 5 times the heartbeat"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(
    tmp_path: Path, wanted: dict[str, object], words: str
) -> None:
    fields = {"path": tmp_path / "demo", "nodes": 3, "engine": Engine.WALCTL, **wanted}
    with pytest.raises(UsageError, match=words):
        make_it(NewLab(**fields))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(AccessError, match="expected a new or empty folder"):
        make_it(wish(tmp_path))
    with pytest.raises(AccessError, match="found a file of that name"):
        make_it(wish(tmp_path / "mine"))
    with pytest.raises(AccessError, match="to make it in, found none"):
        make_it(wish(tmp_path / "none" / "demo"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_lab_is_not_made_over_a_lab_but_over_half_of_one(tmp_path: Path) -> None:
    (tmp_path / f"{LAB_FILE}.tmp").write_text('{"walctl_la')
    make_it(wish(tmp_path))
    with pytest.raises(AccessError, match="is a lab already"):
        make_it(wish(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [LAB_FILE]


def test_all_that_a_lab_makes_is_removed_and_nothing_beside_it(tmp_path: Path) -> None:
    lab = made(tmp_path / "demo")
    wal = lab.data_path("n1", "etcd") / "member" / "wal"
    wal.mkdir(parents=True)
    (wal / "0.wal").write_bytes(b"12345")
    for name in ("n1.log", "n1.log.1", "events.jsonl"):
        (lab.path / name).write_text("x")
    lab.run_path.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(lab.run_path / "supervisor.sock"))
    (tmp_path / "beside").write_text("kept")
    demand_down(DISK, lab)
    plan = removal(DISK, lab)
    assert (plan.files, plan.size > 8) == (6, True)
    remove(DISK, plan)
    assert [path.name for path in tmp_path.iterdir()] == ["beside"]


@pytest.mark.parametrize("where", ["mine", "n1.txt", "n9/etcd/wal"])
def test_a_name_that_no_lab_makes_keeps_all_of_it(tmp_path: Path, where: str) -> None:
    lab = made(tmp_path / "demo")
    mine = lab.path / where
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("kept")
    with pytest.raises(AccessError, match="nothing was removed"):
        removal(DISK, lab)
    assert load(DISK, lab.path) == lab


@pytest.mark.parametrize("where", ["n1", "n1/etcd", "run", "n1.log"])
def test_a_link_is_never_followed(tmp_path: Path, where: str) -> None:
    lab = made(tmp_path / "demo")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "log").write_text("kept")
    link = lab.path / where
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "precious")
    with pytest.raises(AccessError, match="is a link"):
        removal(DISK, lab)
    assert (tmp_path / "precious" / "log").read_text() == "kept"


def test_a_folder_that_is_no_lab_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="expected a lab, found no lab"):
        load(DISK, tmp_path)
    (tmp_path / LAB_FILE).write_text("{}")
    with pytest.raises(AccessError, match="expected version 1"):
        load(DISK, tmp_path)

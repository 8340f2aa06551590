"""A lab on a screen: what fits, what is left out, and what is told when it changes."""

import io
import json
from dataclasses import replace

import pytest

from walctl.cluster.standing import LabStanding, NodeStanding, NodeState, Standing
from walctl.render import cluster_view
from walctl.render.cluster_lines import event_line
from walctl.render.screen import Screen

LEADER = Standing(
    group="etcd", role="leader", term=2, leader="n1", commit=1234, applied=1234, lag=0,
    segments=2, wal_bytes=128_000_000, sync_us=1817,
)  # fmt: skip
N1 = NodeStanding(name="n1", state=NodeState.RUNNING, client_port=2379, pid=7, groups=(LEADER,))
N2 = NodeStanding(name="n2", state=NodeState.CRASHED, client_port=2382, words="killed\x1b[2J")
LAB = LabStanding(name="demo", engine="etcd", pid=5, nodes=(N1, N2), faults=("n3: pause",))


def drawn(width: int, lab: LabStanding = LAB) -> list[str]:
    return [line.text for line in cluster_view.lines(lab, width)]


def told(output: str, *states: LabStanding) -> str:
    out = io.StringIO()
    with cluster_view.live(Screen(out, io.StringIO(), output=output)) as show:
        for state in states:
            show(state)
    return out.getvalue()


def test_a_wide_screen_has_every_column_that_says_something() -> None:
    head, titles, first, second, words, fault = drawn(120)
    assert head == "demo: engine etcd, supervisor 5, 1 of 2 nodes up"
    assert titles.split() == [
        "node", "role", "term", "leader", "commit", "applied", "lag", "segments", "fsync",
        "clients", "at",
    ]  # fmt: skip
    assert first.split() == [
        "n1", "leader", "2", "n1", "1234", "1234", "0", "2,", "122", "MiB", "1.8", "ms",
        "127.0.0.1:2379",
    ]  # fmt: skip
    assert second.split()[:3] == ["n2", "crashed", "-"]
    assert words.startswith("n2: killed")
    assert "\x1b" not in words
    assert fault == "fault: n3: pause"


@pytest.mark.parametrize("width", range(20, 130))
def test_a_table_fits_and_keeps_names_and_roles(width: int) -> None:
    titles, first, second = drawn(width)[1:4]
    assert max(map(len, (titles, first, second))) <= width
    assert [line.split()[:2] for line in (titles, first, second)] == [
        ["node", "role"],
        ["n1", "leader"],
        ["n2", "crashed"],
    ]


def test_groups_are_told_apart_where_there_are_several() -> None:
    groups = (replace(LEADER, group="g2"), replace(LEADER, group="g1"))
    rows = drawn(120, replace(LAB, nodes=(replace(N1, groups=groups),)))[1:4]
    assert [row.split()[1] for row in rows] == ["group", "g1", "g2"]


def test_without_a_terminal_only_what_changed_is_a_line() -> None:
    counted = replace(N1, groups=(replace(LEADER, commit=1300),))
    risen = replace(N1, groups=(replace(LEADER, term=3),))
    states = [replace(LAB, nodes=(each, N2)) for each in (N1, counted, risen)]
    lines = told("text", *states).splitlines()
    assert lines[0] == "n1: leader of term 2"
    assert lines[1].startswith("n2: crashed: killed")
    assert lines[2:] == ["fault: n3: pause", "n1: leader of term 3"]


def test_a_node_that_is_in_no_group_is_up_and_one_that_gives_no_answer_is_not() -> None:
    idle = replace(N1, groups=())
    mute = replace(N1, name="n3", groups=(), words="no answer at 127.0.0.1: timed out")
    lab = replace(LAB, nodes=(idle, mute), faults=())
    head, _, first, second, _ = drawn(120, lab)
    assert head == "demo: engine etcd, supervisor 5, 1 of 2 nodes up"
    assert (first.split()[:4], second.split()[:3]) == (
        ["n1", "in", "no", "group"],
        ["n3", "no", "answer"],
    )
    assert told("text", lab) == ("n1: in no group\nn3: no answer at 127.0.0.1: timed out\n")


def test_a_document_has_all_of_it() -> None:
    rows = [json.loads(line) for line in told("ndjson", LAB, LAB).splitlines()]
    assert len(rows) == 2
    assert rows[0]["nodes"][0]["groups"][0]["commit"] == 1234
    assert rows[0]["nodes"][1]["state"] == "crashed"


def test_an_event_is_a_line() -> None:
    event = {"i": 3, "t": 1_203_145, "n": "n1", "g": "g1", "k": "role", "to": "leader", "term": 2}
    assert event_line(event) == "   1.203145  n1/g1   role      to leader  term 2"
    assert event_line({"k": "ok", "c": 4, "t": 1, "op": 7}) == "   0.000001  c4      ok        op 7"

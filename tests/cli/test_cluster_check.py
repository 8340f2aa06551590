"""`walctl cluster check` as it is typed: what it reads, what it says, and how it ends."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.checker.recorded import HISTORIES, needs_histories, recorded
from tests.cli.commands import Tell, ran
from walctl.checker import linearizable
from walctl.cluster.lab import Engine, Group, Lab, Node, Settings, document

WRITTEN = Path(__file__).parents[1] / "checker" / "histories"
GOOD = WRITTEN / "register-ok.log"
STALE = WRITTEN / "register-stale-bad.log"
LOST = WRITTEN / "events-lost-bad.jsonl"
APPENDS = WRITTEN / "append-lost-bad.edn"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The folder of a lab that was never up."""
    path = tmp_path / "demo"
    path.mkdir()
    made = Lab(
        path=path,
        engine=Engine.WALCTL,
        settings=Settings(),
        nodes=(Node(name="n1", id=1, client_port=1, peer_port=2, proxy_port=3),),
        groups=(Group(name="g1", first=("n1",), hosts=("n1",)),),
        token="t",
    )
    (path / "lab.json").write_bytes(document(made))
    return path


def test_a_good_history_is_two_lines_and_ends_with_0(tell: Tell) -> None:
    told = tell("cluster", "check", GOOD)
    assert told.status == 0
    assert told.out == (
        f"{GOOD}: 5 operations, 1 key: linearizable\n"
        "jepsen log, model cas-register: 3 ok, 1 failed, 1 of unknown fate; 3 steps of search\n"
    )
    assert told.err == ""


def test_a_bad_history_says_what_cannot_be_and_ends_with_1(tell: Tell) -> None:
    told = tell("cluster", "check", STALE)
    assert told.status == 1
    assert told.out == (
        f"{STALE}: 4 operations, 1 key: NOT linearizable\n"
        "jepsen log, model register: 4 ok, 0 failed, 0 of unknown fate; 7 steps of search\n"
        "\n"
        "not linearizable (by the times at which each value was there)\n"
        '  3 operations of 4 can be put in order; then the value is "2", and this cannot be:\n'
        '    client 2 read → "1" [6, 7]\n'
        "  these 4 operations alone have no order:\n"
        '    client 0 write "1": ok [1, 2]\n'
        '    client 0 write "2": ok [3, 8]\n'
        '    client 1 read → "2" [4, 5]\n'
        '  ✗ client 2 read → "1" [6, 7]\n'
    )
    assert tell("cluster", "check", STALE, "-q") == (1, "", "")


def test_the_first_bad_key_ends_the_search_unless_all_are_asked_for(tell: Tell) -> None:
    found = json.loads(tell("cluster", "check", LOST, "-o", "json").out)
    assert {each["way"] for each in found["keys"]} == {"zones", "indexes"}
    told = tell("cluster", "check", LOST, "--all-keys")
    assert told.status == 1
    assert 'group g1, key "x": not linearizable' in told.out
    assert 'put "c1-1": ok [2,000, 3,000], index 4' in told.out
    assert "not judged" not in told.out


def test_json_has_the_verdict_and_the_contradiction(tell: Tell) -> None:
    told = tell("cluster", "check", APPENDS, "-o", "json")
    assert told.status == 1
    found = json.loads(told.out)
    assert (found["v"], found["verdict"], found["model"]) == (1, "not-linearizable", "kv")
    assert found["operations"] == {"count": 4, "ok": 4, "fail": 0, "unknown": 0}
    bad = next(each for each in found["keys"] if each["verdict"] == "not-linearizable")
    assert bad["key"] == {"data": "aw==", "text": "k"}
    assert bad["stuck"]["output"] == {"data": "YQ==", "text": "a"}
    assert [each["function"] for each in bad["contradiction"]] == ["append", "append", "get"]
    assert (found["from_clients"], found["with_logs"]) == ("not-linearizable", None)


@pytest.mark.parametrize("data", [b"", b"INFO  jepsen.core - nothing to see\n"])
def test_a_history_of_nothing_has_tested_nothing_and_ends_with_4(
    tell: Tell, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "empty.log"
    path.write_bytes(data)
    told = tell("cluster", "check", path)
    assert (told.status, told.out) == (4, f"{path}: no operations: nothing was tested\n")
    told = tell("cluster", "check", path, "-o", "json")
    assert (told.status, json.loads(told.out)["verdict"]) == (4, "no-operations")


def test_a_limit_leaves_the_verdict_open_and_ends_with_4(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linearizable, "SLICE_STEPS", 1)
    told = tell("cluster", "check", GOOD, "--steps", "2")
    assert told.status == 4
    assert "unknown: a limit was reached before a verdict" in told.out
    assert "operations in order after 2 steps: the step limit was reached" in told.out
    assert (
        json.loads(tell("cluster", "check", GOOD, "--steps", "2", "-o", "json").out)["verdict"]
        == "unknown"
    )
    assert tell("cluster", "check", GOOD, "--time-limit", "0.0000001").status == 4


def test_a_line_that_makes_no_sense_ends_with_2_and_its_place(tell: Tell, tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(GOOD.read_bytes() + b"what\x1b[0m?\n")
    told = tell("cluster", "check", path)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"walctl: {path}:11: expected 'INFO jepsen.util - PROCESS")
    assert told.err.count("\n") == 1
    assert "\x1b" not in told.err


def test_what_is_not_there_or_no_lab_ends_with_4_and_one_line(tell: Tell, tmp_path: Path) -> None:
    told = tell("cluster", "check", tmp_path / "none")
    assert (told.status, told.err) == (4, f"walctl: {tmp_path}/none: No such file or directory\n")
    told = tell("cluster", "check", tmp_path)
    assert told.status == 4
    assert "expected a lab, found no lab.json in it; walctl cluster new" in told.err


def test_a_lab_is_judged_by_its_event_file(tell: Tell, lab: Path) -> None:
    told = tell("cluster", "check", lab)
    assert told.status == 4
    assert "found none: it was never up" in told.err
    (lab / "events.jsonl").write_bytes((WRITTEN / "events-ok.jsonl").read_bytes())
    told = tell("cluster", "check", lab)
    assert told.status == 0
    assert told.out.startswith(f"{lab}/events.jsonl: 5 operations, 1 key: linearizable\n")


def test_a_model_that_does_not_know_what_was_asked_is_a_usage_error(tell: Tell) -> None:
    told = tell("cluster", "check", GOOD, "--model", "register")
    assert (told.status, told.out) == (2, "")
    assert told.err == f"walctl: {GOOD}: the model register does not know cas\n"
    assert tell("cluster", "check", GOOD, "--model", "kv").status == 0


class Page(HTMLParser):
    """Collects what a page would load, and checks that elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href")
        ]


@pytest.mark.parametrize("path", sorted(WRITTEN.iterdir()), ids=lambda path: path.name)
def test_a_page_draws_every_operation_and_loads_nothing(
    tell: Tell, tmp_path: Path, path: Path
) -> None:
    page = tmp_path / "out.html"
    told = tell("cluster", "check", path, "--all-keys", "--html", page)
    assert told.err == f"drawn: {page}\n"
    text = page.read_text(encoding="utf-8")
    parsed = Page()
    parsed.feed(text)
    assert "script" not in parsed.tags
    assert all(each.startswith("#") for each in parsed.loads)
    ids = re.findall(r' id="([^"]+)"', text)
    assert sorted(ids) == sorted(set(ids))
    assert {each[1:] for each in parsed.loads} <= set(ids)
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(picture)
    assert ("cannot be placed behind" in text) == (told.status == 1)
    assert "number 1 in the order; then the value is" in text


def test_a_page_escapes_what_clients_wrote(tell: Tell, tmp_path: Path) -> None:
    path, page = tmp_path / "x.edn", tmp_path / "out.html"
    path.write_text(
        '{:process 0, :type :invoke, :f :put, :key "<b>", :value "</title><script>1"}\n'
        '{:process 0, :type :ok, :f :put, :key "<b>", :value "x"}\n'
    )
    assert tell("cluster", "check", path, "--html", page).status == 0
    text = page.read_text()
    assert "<b>" not in text
    assert "<script" not in text


def test_a_page_is_never_written_over_anything_nor_into_a_lab(
    tell: Tell, tmp_path: Path, lab: Path
) -> None:
    page = tmp_path / "out.html"
    page.write_text("mine")
    told = tell("cluster", "check", GOOD, "--html", page)
    assert (told.status, page.read_text()) == (4, "mine")
    told = tell("cluster", "check", lab, "--html", lab / "out.html")
    assert told.status == 2
    assert not (lab / "out.html").exists()


@needs_histories
@pytest.mark.slow
def test_every_recorded_history_ends_with_its_status() -> None:
    statuses = {"linearizable": 0, "not-linearizable": 1, "no-operations": 4}
    for one in recorded()[::6]:
        told = ran("cluster", "check", one.path, "-o", "json")
        assert (told.status, json.loads(told.out)["verdict"]) == (
            statuses[one.expected],
            one.expected,
        )
    assert HISTORIES is not None
    hard = HISTORIES / "kv" / "c50-ok.txt"
    assert ran("cluster", "check", hard, "--undivided", "--steps", "50000").status == 4

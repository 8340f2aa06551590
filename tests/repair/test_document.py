"""Plans as JSON and back: nothing is lost on the way, and nothing gets in that is no plan."""

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.repair.plans import PLAN, SECOND, SEGMENT, SNAP, plans
from walctl.errors import UnsupportedError, UsageError, WalctlError
from walctl.repair.document import plan_document, plan_of, plan_of_text, plan_text
from walctl.repair.plan import Plan


def sealed(inside: object) -> dict[str, Any]:
    """A document of version 1 around a plan, with the seal that fits it."""
    text = json.dumps(inside, sort_keys=True, separators=(",", ":"))
    return {"v": 1, "plan": inside, "seal": hashlib.sha256(text.encode()).hexdigest()}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The document of `PLAN` with one thing changed by hand, and sealed again."""
    document: Any = copy.deepcopy(plan_document(PLAN))
    inside = document["plan"]
    change(inside)
    return sealed(inside)


def put(place: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Set what stands at `steps/0/size` to a value."""

    def change(inside: Any) -> None:
        *way, last = place.split("|")
        for word in way:
            inside = inside[int(word)] if isinstance(inside, list) else inside[word]
        inside[int(last) if isinstance(inside, list) else last] = value

    return change


def test_one_of_everything_comes_back_as_it_was() -> None:
    assert plan_of_text(plan_text(PLAN)) == PLAN
    assert plan_of(changed(lambda inside: None)) == PLAN


@given(plans())
def test_every_plan_comes_back_as_it_was(plan: Plan) -> None:
    assert plan_of_text(plan_text(plan)) == plan
    assert plan_of(json.loads(json.dumps(plan_document(plan)))) == plan


def test_the_document_has_the_words_that_scripts_rely_on() -> None:
    document: Any = plan_document(PLAN)
    assert document["v"] == 1
    assert document["plan"]["class"] == "loss-proven"
    assert document["plan"]["accept"] == "118c778c93fe92f6"
    assert document["plan"]["steps"][0]["pieces"][0] == {"kind": "literal", "data": "AP8b"}
    assert document["plan"]["certificate"]["testimonies"][0]["says"] == "acknowledged"
    assert document["plan"]["options"][0]["name"] == "heal"


def test_what_an_application_printed_beside_the_plan_is_not_read() -> None:
    assert plan_of({**plan_document(PLAN), "receipt": None}) == PLAN


def test_an_edited_plan_is_told_from_one_that_walctl_made() -> None:
    document: Any = plan_document(PLAN)
    document["plan"]["class"] = "free"
    with pytest.raises(UsageError, match=r"^seal: does not fit: this plan was changed"):
        plan_of(document)


@pytest.mark.parametrize("version", [0, 2, 1 << 63])
def test_another_version_is_not_guessed_at(version: int) -> None:
    with pytest.raises(UnsupportedError, match=f"version 1, found {version}"):
        plan_of({**plan_document(PLAN), "v": version})


@pytest.mark.parametrize("name", [
    "/etc/passwd", "wal/", "wal", "wal/..", "wal/.", "wal/a/b", "../wal/a", "wal/../../x", "db",
    "wal//a", "snap/a\0b", "member/wal/a", "peer1/wal/a", "Wal/a", "wal/" + "x" * 256,
    "wal/" + "é" * 128, "", "wal\\a", "snap/\ud800",
])  # fmt: skip
def test_a_name_that_leads_anywhere_else_is_refused(name: str) -> None:
    for place in ("steps|0|file", "steps|1|target", "steps|0|pieces|1|source"):
        with pytest.raises(UsageError, match=f"^steps.{place[6]}.*: expected"):
            plan_of(changed(put(place, name)))
    with pytest.raises(UsageError, match=r"^bound\.files name: expected"):
        plan_of(changed(put(f"bound|files|{name}", {"size": 1, "sha256": "a" * 64})))


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("class", "harmless", "class: expected one of nothing, free, loss-possible, loss-proven"),
        ("strategy", "Rm -rf", "strategy: expected a word in small letters, found 'Rm -rf'"),
        ("summary", 7, "summary: expected a text of at most"),
        ("summary", "x" * 10_001, "summary: expected a text of at most 10,000"),
        ("accept", None, "accept: expected the word that accepts a loss"),
        ("accept", "two words", "accept: expected a word"),
        ("verify_status", 7, "verify_status: expected one of 0, 1, 2"),
        ("verify_status", True, "verify_status: expected one of 0, 1, 2"),
        ("class", "nothing", "steps: expected no steps where there is nothing to repair"),
        ("bound|directory", "var/lib", "bound.directory: expected an absolute path"),
        ("bound|directory", "/var/../etc", "bound.directory: expected a path without .."),
        ("bound|wal", "../wal", "bound.wal: expected a path without .."),
        ("bound|wal", "a\0b", "bound.wal: expected a path without .."),
        ("bound|snap", "", "bound.snap: expected a path without .."),
        (f"bound|files|{SNAP}|size", -1, "expected a number from 0 to"),
        (f"bound|files|{SNAP}|size", 1.0, "expected a number from 0 to"),
        (f"bound|files|{SNAP}|sha256", "A" * 64, "expected a SHA-256 of 64 hex digits"),
        ("peers|peer0", plan_document(PLAN)["plan"]["peers"]["peer1"], "peers name: expected"),  # type: ignore[index]
        ("peers|../x", {}, "peers name: expected peer1, peer2 and so on, found '../x'"),
        ("steps|0|act", "truncate", "steps[0].act: expected one of write, rename, remove"),
        ("steps|0|size", 1 << 50, "steps[0].size: expected a number"),
        ("steps|0|size", 10, "steps[0].after: expected the stamp of a file of 10 bytes"),
        ("steps|0|size", True, "steps[0].size: expected a number"),
        (
            "steps|0|before|size",
            999,
            f"steps[0].before: expected what the plan is bound to for {SEGMENT}",
        ),
        ("steps|0|before", None, "steps[0].before: expected what the plan is bound to"),
        ("steps|0|target", "wal/x", "steps[0].target: expected null with the act write"),
        ("steps|0|after", None, "steps[0].after: expected the stamp"),
        ("steps|0|pieces|0|kind", "exec", "steps[0].pieces[0]: expected a piece of the kind"),
        ("steps|0|pieces|0", 5, "steps[0].pieces[0]: expected a piece of the kind"),
        ("steps|0|pieces|0|data", "AP8", "steps[0].pieces[0].data: expected base64"),
        ("steps|0|pieces|0|data", "é", "steps[0].pieces[0].data: expected base64"),
        (
            "steps|0|pieces|1|stop",
            1001,
            "steps[0].pieces[1].stop: expected a number from 3 to 1000",
        ),
        ("steps|0|pieces|1|stop", 2, "steps[0].pieces[1].stop: expected a number from 3 to 1000"),
        (
            "steps|0|pieces|1|start",
            -1,
            "steps[0].pieces[1].start: expected a number from 0 to 1000",
        ),
        (
            "steps|0|pieces|1|source",
            "peer2/" + SEGMENT,
            "expected a file that the plan is bound to",
        ),
        (
            "steps|0|pieces|2|types|0",
            6,
            "steps[0].pieces[2].types[0]: expected a number from 1 to 5",
        ),
        ("steps|0|pieces|2|seed", 1 << 32, "steps[0].pieces[2].seed: expected a number"),
        ("steps|0|pieces", {}, "steps[0].pieces: expected a list"),
        ("steps|0|drops|0|count", -1, "steps[0].drops[0].count: expected a number"),
        ("steps|0|drops|0|readable", 1, "steps[0].drops[0].readable: expected true or false"),
        ("steps|0|extra", 1, "steps[0].extra: not known to this version of walctl"),
        ("steps|1|target", None, "steps[1].target: expected another name"),
        ("steps|1|target", SECOND, "steps[1].target: expected another name"),
        ("steps|1|target", "snap/x", "steps[1].target: expected a name in the same folder"),
        ("steps|1|target", SEGMENT, f"steps[1]: two files would have the name {SEGMENT}"),
        (
            "steps|1|after",
            {"size": 1, "sha256": "a" * 64},
            "steps[1].after: expected the stamp before",
        ),
        ("steps|2|file", SEGMENT, "steps[2].before: expected what the plan is bound to"),
        (
            "steps|2|after",
            {"size": 1, "sha256": "a" * 64},
            "steps[2].target: expected null, and no",
        ),
        (
            "steps|2|pieces",
            [{"kind": "literal", "data": ""}],
            "steps[2].pieces: expected no pieces",
        ),
        ("certificate|kept", 1 << 64, "certificate.kept: expected a number"),
        (
            "certificate|testimonies|0|says",
            "perhaps",
            "certificate.testimonies[0].says: expected one",
        ),
        ("options|0|commands", "rm", "options[0].commands: expected a list"),
        ("options|0", [], "options[0]: expected an object"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(place: str, value: object, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_of(changed(put(place, value)))
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300


def test_two_steps_on_one_file_are_refused() -> None:
    document = changed(lambda inside: inside["steps"].append(inside["steps"][0]))
    with pytest.raises(UsageError, match=r"^steps\[3\]\.file: an earlier step has wal/"):
        plan_of(document)


def test_two_files_may_change_names_with_each_other() -> None:
    def swap(inside: dict[str, Any]) -> None:
        there = dict(inside["steps"][1])
        back = {**there, "file": SEGMENT, "target": SECOND, "before": {**there["before"]}}
        there["target"] = SEGMENT
        back["before"] = {"size": 1000, "sha256": "a" * 64}
        inside["steps"] = [there, back]

    assert [step.target for step in plan_of(changed(swap)).steps] == [SEGMENT, SECOND]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no JSON"),
        (b"[]", "not a plan of walctl"),
        (b"null", "not a plan of walctl"),
        (b'{"v": 1}', "not a plan of walctl"),
        (b'{"v": "1", "plan": {}, "seal": ""}', "v: expected a number"),
        (b'{"v": true, "plan": {}, "seal": ""}', "v: expected a number"),
        (b'{"v": 1, "plan": [], "seal": ""}', "document: expected an object, found []"),
        (b'{"v": 1, "plan": {}, "seal": ""}', "class: missing"),
        (b'{"v": 1, "v": 1, "plan": {}, "seal": ""}', "an object names a member twice"),
        (b'{"v": NaN}', "NaN is no number"),
        (b'{"v": 1' + b"0" * 5000 + b"}", "no JSON: "),
        (b"[" * 200_000, "nests too deeply"),
        (b"\xff\xfe{}", "no JSON: "),
    ],
)
def test_a_file_that_is_no_plan_is_refused_in_one_line(text: bytes, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_of_text(text)
    assert says in caught.value.message
    assert "\n" not in caught.value.message


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["wal/..", "peer1/wal/x", "write", [], {}, {"kind": "copy"}]),
)


def spots(value: object, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands in a document."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [way, *(spot for name, each in inner for spot in spots(each, (*way, name)))]


SPOTS = spots(plan_document(PLAN)["plan"])[1:]


@given(st.sampled_from(SPOTS), SCALARS)
@settings(max_examples=300)
def test_whatever_stands_anywhere_a_plan_is_read_or_refused_in_one_line(
    spot: tuple[str | int, ...], value: object
) -> None:
    def change(inside: Any) -> None:
        for word in spot[:-1]:
            inside = inside[word]
        inside[spot[-1]] = value

    told = ""
    try:
        plan = plan_of(changed(change))
        assert plan_of_text(plan_text(plan)) == plan
    except WalctlError as error:
        told = error.message
    assert "\n" not in told


@pytest.mark.parametrize("spot", SPOTS, ids=lambda spot: ".".join(map(str, spot)))
def test_nothing_may_be_missing(spot: tuple[str | int, ...]) -> None:
    if isinstance(spot[-1], int) or spot[-1] == SNAP or "files" in spot[:-1]:
        return  # a list or a set of files that is shorter may be a plan of its own

    def change(inside: Any) -> None:
        for word in spot[:-1]:
            inside = inside[word]
        del inside[spot[-1]]

    with pytest.raises(UsageError):
        plan_of(changed(change))

"""Where clients find the members: what these had the log say, against what the servers answered."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from fixtures.unpack import FIXTURES, unpack
from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK, examined, of_kind
from tests.wal.builders import STATE, bytes_field, fresh, state, varint
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect import published as search
from walctl.inspect.doctor import doctor, replace_steps
from walctl.inspect.membership import membership
from walctl.inspect.published import PAYLOAD_BYTES_MAX, learn_urls
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.model.member import Member

FIRST = "0000000000000000-0000000000000000.wal"
WAL = Path("/log")
ONE, TWO = 0x1234, 0xABCDEF0123456789
CLUSTERS = [name for name in of_kind("scenario") if name.startswith("d")]
URLS = ("http://10.0.0.1:2379", "https://one.example:2379")


def learnt(path: Path) -> Survey:
    survey = survey_of(DISK, understand(DISK, path), depth=ONE_PROCESS)
    learn_urls(DISK, survey)
    return survey


def urls_told(listed: dict[str, Any]) -> dict[int, tuple[str, ...]]:
    return {each["ID"]: tuple(each["clientURLs"]) for each in listed["members"]}


def urls_known(survey: Survey) -> dict[int, tuple[str, ...]]:
    known = membership(survey)
    assert known.best is not None
    return {peer.id: known.described(peer.id).client_urls for peer in known.best.peers}


@needs_corpus
@pytest.mark.parametrize("name", CLUSTERS)
def test_the_urls_of_all_members_are_those_that_the_servers_listed(name: str) -> None:
    listed = 0
    for truth in sorted((unpacked(name) / "truth").glob("*.api.json")):
        member = truth.name.split(".")[0]
        told = urls_told(json.loads(truth.read_text())["members"])
        assert urls_known(learnt(unpacked(name) / member)) == told
        listed += len(told) > 1
    assert listed, "no server of a cluster was asked"


def test_a_bare_log_knows_the_urls_of_all_members(tmp_path: Path) -> None:
    case = "etcd-3.5-three-members"
    told = urls_told(json.loads((FIXTURES / case / "expected/member-list.json").read_text()))
    path = unpack(case, tmp_path / "member.etcd") / "member/wal"
    unasked = survey_of(DISK, understand(DISK, path), depth=ONE_PROCESS)
    assert set(urls_known(unasked).values()) == {()}, "or the log is not needed"
    survey = learnt(path)
    assert urls_known(survey) == told
    [log] = [view for view in membership(survey).views if view.source == "log"]
    assert {peer.id: peer.client_urls for peer in log.peers} == told


@needs_corpus
def test_the_commands_for_a_damaged_member_name_the_endpoints_of_the_others() -> None:
    diagnosis = doctor(DISK, unpacked("x-follower-tail-lost-35") / "n1")
    own = diagnosis.membership.own_id
    assert own is not None
    known = [diagnosis.membership.described(peer) for peer in urls_known(examined_survey())]
    others = [url for each in known if each.id != own for url in each.client_urls]
    assert len(others) == 2
    commands = [step.command for step in diagnosis.steps if step.command.startswith("etcdctl")]
    assert len(commands) == 3
    for command in commands:
        assert f"--endpoints={','.join(others)}" in shlex.split(command)


@needs_corpus
def test_a_repair_plan_is_made_of_an_examination_that_knows_them_too() -> None:
    """Its ways out are made by `replace_steps` of the survey's membership."""
    known = membership(examined_survey())
    assert known.own_id is not None
    assert "URL-OF" not in replace_steps(known, known.own_id)[0].command


def examined_survey() -> Survey:
    return examined("x-follower-tail-lost-35", "n1").survey


def v2_put(member: int, value: str, *, method: str = "PUT", name: str = "attributes") -> bytes:
    """A v2 request as etcd 3.5 has it, with the fields that are told."""
    path = f"/0/members/{member:x}/{name}".encode()
    head = b"\x08\x07" + bytes_field(2, method.encode())
    return head + bytes_field(3, path) + bytes_field(4, value.encode())


def attr_set(member: int, name: str, *urls: str) -> bytes:
    """The request of 3.6: its header, then member 1301 with id, and in 2 name and URLs."""
    said = bytes_field(1, name.encode()) + b"".join(bytes_field(2, url.encode()) for url in urls)
    inner = b"\x08" + varint(member) + bytes_field(2, said)
    return bytes_field(100, b"\x08\x07") + bytes_field(1301, inner)


def value_of(*urls: str, name: str = "one") -> str:
    return json.dumps({"name": name, "clientURLs": list(urls)})


def told_by(*payloads: bytes, commit: int | None = None) -> dict[int, Member]:
    """What a log with these payloads, the first at index 1, says of ONE and TWO."""
    built = fresh()
    for index, payload in enumerate(payloads, start=1):
        built.put(index, data=payload)
    built.add(STATE, state(1, ONE, len(payloads) if commit is None else commit))
    disk = MemoryFileSystem()
    disk.write(WAL / FIRST, built.done())
    survey = survey_of(disk, understand(disk, WAL), depth=ONE_PROCESS)
    found = search.published(disk, survey, {ONE, TWO})
    return {each.member.id: each.member for each in found}


@pytest.mark.parametrize("member", [ONE, TWO])
def test_both_forms_of_the_request_are_read(member: int) -> None:
    expected = {member: Member(id=member, name="one", client_urls=URLS)}
    assert told_by(v2_put(member, value_of(*URLS))) == expected
    assert told_by(attr_set(member, "one", *URLS)) == expected


def test_the_newest_committed_word_counts() -> None:
    old, new = attr_set(ONE, "one", "http://old"), v2_put(ONE, value_of("http://new"))
    assert told_by(old, b"x", new)[ONE].client_urls == ("http://new",)
    assert told_by(new, b"x", old)[ONE].client_urls == ("http://old",)
    assert told_by(old, b"x", new, commit=2)[ONE].client_urls == ("http://old",)
    assert told_by(old, commit=0) == {}


@pytest.mark.parametrize(
    "payload",
    [
        v2_put(ONE, value_of(*URLS), method="DELETE"),
        v2_put(ONE, value_of(*URLS), name="raftAttributes"),
        v2_put(0x77, value_of(*URLS)),
        v2_put(ONE, "no json"),
        v2_put(ONE, "[1]"),
        v2_put(ONE, "[" * 10_000),
        v2_put(ONE, value_of("x" * PAYLOAD_BYTES_MAX)),
        b"/0/members/1234/attributes",
        b"\xaa\x51\x02\x08",
        attr_set(ONE, "one")[:-1],
        b"",
    ],
)
def test_other_requests_and_forged_ones_tell_nothing(payload: bytes) -> None:
    assert told_by(payload) == {}


@pytest.mark.parametrize(
    "value", ['{"name": 3, "clientURLs": "http://x"}', '{"clientURLs": [1, null, {}]}', "{}"]
)
def test_values_of_another_kind_are_left_out(value: str) -> None:
    assert told_by(v2_put(ONE, value)) == {ONE: Member(id=ONE)}


def test_the_words_are_found_wherever_the_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {ONE: Member(id=ONE, name="one", client_urls=URLS)}
    for window_bytes in range(24, 64):
        monkeypatch.setattr(search, "WINDOW_BYTES", window_bytes)
        assert told_by(b"x" * 40, v2_put(ONE, value_of(*URLS)), b"x") == expected
        assert told_by(b"x" * 40, attr_set(ONE, "one", *URLS), b"x") == expected


def test_no_more_than_a_bounded_part_of_the_log_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payloads = [v2_put(ONE, value_of(*URLS)), b"x" * 1000]
    assert told_by(*payloads)
    monkeypatch.setattr(search, "SEARCHED_BYTES_MAX", 1000)
    assert told_by(*payloads) == {}

"""What verify says a start would do, against starts of real servers on the corpus.

`datadir.boot` is held against them with facts from the truth beside each directory; here the facts
are those that our own survey gathers, and the text is the one that a person reads.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.corpus import needs_corpus
from tests.inspect.answers import (
    DISK,
    damaged_member,
    examined,
    logs_in,
    member_path,
    of_kind,
    said,
    sentence_for,
)
from walctl.datadir.layout import understand
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.starts import starts_of
from walctl.inspect.verify import verify
from walctl.model.finding import Severity, Verdict
from walctl.wal.decoder import Version

pytestmark = needs_corpus

RELEASES = {"3.4.23": Version.V3_4, "3.5.1": Version.V3_5_0}
DAMAGED = of_kind("damage")
STARTED = [
    (name, release)
    for name in DAMAGED
    for release in RELEASES
    if release in said(name)["etcd_boot"]
]


def start_of(name: str, release: str) -> str:
    survey = examined(name, damaged_member(name)).survey
    return sentence_for(starts_of(DISK, survey).sentence, RELEASES[release])


def recorded(name: str, release: str) -> dict[str, Any]:
    found: dict[str, Any] = said(name)["etcd_boot"][release]
    return found


def last_line(found: dict[str, Any]) -> dict[str, str]:
    lines = [line for line in found["messages"] if line.get("level") in ("fatal", "panic")]
    last: dict[str, str] = lines[-1]
    return last


@pytest.mark.parametrize(("name", "release"), STARTED)
def test_what_is_told_of_a_start_is_what_the_real_server_did(name: str, release: str) -> None:
    found, told = recorded(name, release), start_of(name, release)
    if "note" in found:  # started while the leader ran: the start goes well, then it dies
        assert told.startswith("starts, ")
        assert last_line(found)["msg"].split("(")[0] in told
        return
    verb = {"ready": "starts, ", "exit": "refuses to start" if found.get("rc") == 1 else "panics"}
    assert told.startswith(verb[found["result"]]), told
    if found["result"] == "ready":
        assert ("client writes time out" in told) is (found["put_after_boot"] != "ok"), told
        assert (".wal.broken" in told) is any(
            "broken" in each for each in found["files_added"] if ".wal" in each
        )
        return
    assert last_line(found)["msg"] in told
    assert last_line(found).get("error", "") in told


@pytest.mark.parametrize("name", DAMAGED)
def test_a_verdict_that_lets_the_server_start_is_never_one_of_a_log_that_it_cuts_or_refuses(
    name: str,
) -> None:
    """The promise of exit 0 and 3: no version refuses, cuts entries, or lets puts time out."""
    report = examined(name, damaged_member(name)).report
    if report.verdict is Verdict.DAMAGED:
        return
    for version in Version:
        starts = starts_of(DISK, examined(name, damaged_member(name)).survey)
        told = sentence_for(starts.sentence, version)
        assert told.startswith("starts, "), told
        assert "cuts" not in told
        assert "time out" not in told


@pytest.mark.parametrize("name", of_kind("scenario"))
def test_every_version_starts_a_whole_member_and_changes_nothing_that_counts(name: str) -> None:
    for member in logs_in(name):
        told = starts_of(DISK, examined(name, member).survey).sentence
        if name.startswith("f-"):
            assert told == ""  # raftexample is no server of etcd's
        elif name.startswith("d2-"):
            assert sentence_for(told, Version.V3_5_0).startswith("panics")
            assert sentence_for(told, Version.V3_5_7).startswith("starts, renames")
        else:
            assert told.startswith("every version starts, its log ends at ")


@pytest.mark.parametrize("name", DAMAGED)
def test_the_consequence_of_damage_in_the_log_is_the_whole_start(name: str) -> None:
    examination = examined(name, damaged_member(name))
    boots = examination.report.boots
    told = [each.consequence for each in examination.report.of(Severity.DAMAGE)]
    if told and not any(each.startswith(("3.", "panics")) for each in told):
        assert boots == starts_of(DISK, examination.survey).sentence
        assert boots in told


@pytest.mark.parametrize("part", ["member/wal", "member/snap/db"])
def test_nothing_is_predicted_for_what_no_server_could_start_on(part: str) -> None:
    path = member_path("x-zero-page-mid-35", "n1") / part
    layout = understand(DISK, path)
    assert starts_of(DISK, survey_of(DISK, layout, depth=ONE_PROCESS)).sentence == ""
    assert verify(DISK, Path(path)).boots == ""

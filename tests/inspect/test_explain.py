"""Every code and every exit status has a page, and a page sends nobody to what is not there."""

import re
from pathlib import Path

import pytest

from tests.corpus import needs_corpus
from tests.inspect.answers import damaged_member, examined, of_kind
from walctl.checker.settle import Doubt
from walctl.cli.main import COMMANDS
from walctl.errors import ExitStatus, UsageError
from walctl.inspect.explain import BY_TOPIC, PAGES, explain, groups
from walctl.inspect.explanation import Explanation, Group
from walctl.model.finding import Code

WALCTL = Path(__file__).parents[2] / "walctl"
COMMANDS_OF_THIS_RELEASE = {*COMMANDS, "COMMAND"}
COMMANDS_OF_OTHERS = {"cp", "etcdctl", "etcdutl"}


def words_of(page: Explanation) -> str:
    parts = [page.title, page.judged, page.what, page.why, page.lost, *page.do, *page.avoid]
    return "\n".join([*parts, *(act.act for act in page.etcd)])


def test_every_code_and_every_exit_status_has_a_page_and_nothing_else_has() -> None:
    topics = {code.value for code in Code} | {f"exit-{status.value}" for status in ExitStatus}
    topics |= {doubt.value for doubt in Doubt}
    assert {str(page.topic) for page in PAGES} == topics
    assert len(PAGES) == len(topics), "no topic twice"


def test_the_codes_are_listed_in_the_order_of_the_model() -> None:
    listed = [page.topic for page in PAGES if page.group != Group.EXIT_STATUS]
    assert listed == [*Code, *Doubt]
    assert [group for group, _ in groups()] == list(Group), "each group once, in order"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.topic))
def test_a_page_is_whole_and_leads_only_to_what_exists(page: Explanation) -> None:
    assert page.title.endswith(".")
    assert all(topic in BY_TOPIC and topic != page.topic for topic in page.see)
    assert page.what
    assert page.do
    assert words_of(page).replace("\n", "").isprintable()
    assert words_of(page).count("`") % 2 == 0
    commands = set(re.findall(r"`walctl (\S+?)[ `]", words_of(page)))
    assert commands <= COMMANDS_OF_THIS_RELEASE
    tools = set(re.findall(r"`(cp|etcd\w+) ", words_of(page)))
    assert tools <= COMMANDS_OF_OTHERS
    for topic in re.findall(r"`walctl explain ([a-z0-9-]+)`", words_of(page)):
        assert topic in BY_TOPIC


@pytest.mark.parametrize("code", list(Code))
def test_a_code_s_page_says_how_bad_it_is_why_it_is_and_what_the_server_does(code: Code) -> None:
    page = explain(code)
    assert page.severities
    assert list(page.severities) == sorted(
        page.severities, key=["info", "harmless", "damage"].index
    )
    assert page.why
    assert page.etcd
    assert page.lost
    assert page.judged or len(page.severities) == 1


@pytest.mark.parametrize("code", list(Code))
def test_whoever_has_damage_is_told_to_copy_first_or_to_do_nothing_to_the_disk(code: Code) -> None:
    page = explain(code)
    touching = [step for step in page.do if "etcdctl member remove" in step]
    copying = [step for step in page.do if "cp -aLT --sparse=always" in step or "dump" in step]
    assert not touching or page.do.index(copying[0]) < page.do.index(touching[0])


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("torn-tail", "torn-tail"),
        ("TORN_TAIL", "torn-tail"),
        (" db-ahead ", "db-ahead"),
        ("torn tail", "torn-tail"),
        ("3", "exit-3"),
        ("exit-3", "exit-3"),
        ("exit 130", "exit-130"),
    ],
)
def test_a_topic_is_found_however_it_is_typed(topic: str, found: str) -> None:
    assert explain(topic).topic == found


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("db-aheda", "close to it: db-ahead"),
        ("", "no code, no exit status and no message is called ''"),
        ("6", "no code, no exit status and no message is called '6'"),
        ("wal-crc-mismatc", "close to it: wal-crc-mismatch"),
        ("tocommit(3) is out of range", "but a message"),
        ("x" * 10_000_000, "no code, no exit status and no message is called 'xxx"),
    ],
)
def test_an_unknown_topic_is_a_usage_error_that_says_what_there_is(topic: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(topic)
    assert told in caught.value.message
    assert len(caught.value.message) < 300


def test_a_page_says_that_its_code_is_looked_for_exactly_when_a_check_names_it() -> None:
    inspect = WALCTL / "inspect"
    words = {WALCTL / "model" / "finding.py", *inspect.glob("expl*.py")}
    words |= {*inspect.glob("pages/*.py"), *inspect.glob("panic/*.py")}
    checks = "".join(path.read_text() for path in set(WALCTL.rglob("*.py")) - words)
    looked_for = {code for code in Code if re.search(rf"\bCode\.{code.name}\b", checks)}
    assert {code for code in Code if explain(code).is_reported} == looked_for


@needs_corpus
@pytest.mark.slow
def test_no_finding_in_real_damage_is_of_a_severity_that_its_page_does_not_know() -> None:
    seen = {
        (finding.code, finding.severity)
        for name in of_kind("damage")
        for finding in examined(name, damaged_member(name)).report.findings
    }
    assert len(seen) > 15, "the corpus has most kinds of damage"
    assert {(code, severity) for code, severity in seen
            if severity not in explain(code).severities} == set()  # fmt: skip

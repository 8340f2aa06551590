"""`walctl stats` as it is typed: figures in every form, parts, several paths, and how it ends."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fixtures.unpack import unpack
from tests.cli.commands import Tell, ran
from tests.corpus import fingerprint, needs_corpus, unpacked
from walctl.cli.main import main

FIRST = "0000000000000000-0000000000000000.wal"


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("etcd-3.5-snapshots", tmp_path_factory.mktemp("stats") / "member.etcd")


@pytest.fixture
def reports(tell: Tell) -> Any:
    """The reports of a run with some options, as objects."""

    def told(*words: str | Path) -> list[dict[str, Any]]:
        answer = tell("stats", "-o", "json", *words)
        assert (answer.status, answer.err) == (0, "")
        document = json.loads(answer.out)
        assert document["v"] == 1
        return list(document["reports"])

    return told


def test_a_stranger_finds_the_biggest_key_prefix_by_the_help_alone(
    tell: Tell, member: Path
) -> None:
    told = CliRunner().invoke(main, ["stats", "--help"])
    assert "biggest key prefixes" in " ".join(told.output.split())
    lines = tell("stats", member).out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("key prefixes, biggest first"))
    assert lines[at + 1].split()[0] == '"config/"'


def test_the_forms_say_the_same_and_nothing_is_written(tell: Tell, member: Path) -> None:
    before = fingerprint(member)
    text = tell("stats", member)
    document = json.loads(tell("stats", "-o", "json", member).out)
    lines = tell("stats", "-o", "ndjson", member, member).out.splitlines()
    assert (text.status, text.err) == (0, "")
    (report,) = document["reports"]
    assert [json.loads(line) for line in lines] == [{"v": 1, **report}] * 2
    assert f"{report['log']['entries']:,} entries" in " ".join(text.out.split())
    assert fingerprint(member) == before


def test_the_promised_fields_are_there(reports: Any, tell: Tell, member: Path) -> None:
    (report,) = reports(member)
    assert set(report) == {
        *("path", "error", "understood_as", "start", "stop", "moving", "metadata", "damage", "log"),
        *("records", "requests", "prefixes", "keys", "leases", "churn", "sizes", "limits"),
        *("biggest", "terms", "terms_left", "timeline", "timeline_left", "segments"),
    }
    log = report["log"]
    assert (log["first_index"], log["last_index"], log["entries"]) == (1, 124, 124)
    assert log["bytes"] == sum(each["bytes"] for each in report["records"])
    assert log["file_bytes"] == log["unused_bytes"] + log["bytes"]
    assert sum(each["count"] for each in report["sizes"]) == log["entries"]
    assert sum(each["count"] for each in report["requests"]) == log["entries"]
    assert sum(each["count"] for each in report["terms"]) == log["entries"]
    verified = json.loads(tell("verify", "-o", "json", member).out)["reports"][0]["summary"]
    assert report["metadata"] == verified["metadata"]
    assert (log["records"], log["entries"]) == (verified["records"], verified["entries"])
    assert report["biggest"][0]["request"]["type"] in {each["type"] for each in report["requests"]}


def test_depth_separator_and_top_shape_the_lists(reports: Any, member: Path) -> None:
    (report,) = reports(member, "--top", "2", "--depth", "1", "--prefix-separator", "-")
    assert report["prefixes"]["depth"] == 1
    assert report["prefixes"]["separator"]["text"] == "-"
    assert len(report["keys"]["top"]) == len(report["biggest"]) == 2


def test_a_part_is_counted_alone_and_named(reports: Any, tell: Tell, member: Path) -> None:
    (report,) = reports(member, "-s", "last-9", "-e", "last")
    assert (report["start"], report["stop"]) == ("last-9", "last")
    assert report["log"]["entries"] == 10
    assert "only from last-9 to the end" in tell("stats", member, "-s", "last-9").out


@pytest.mark.parametrize("position", ["x", "other.wal:5", "-5", "9" * 5000])
def test_a_wrong_position_is_a_wrong_command_line(tell: Tell, member: Path, position: str) -> None:
    told = tell("stats", f"--start={position}", member, "/nowhere")
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 2


@pytest.mark.parametrize(
    "words",
    [("--depth", "0"), ("--top", "0"), ("--prefix-separator", ""), ("--redact", "some")],
)
def test_a_wrong_option_is_a_wrong_command_line(
    tell: Tell, member: Path, words: tuple[str, str]
) -> None:
    told = tell("stats", member, *words)
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)


def test_hidden_keys_are_nowhere(tell: Tell, member: Path) -> None:
    (report,) = json.loads(tell("stats", "-o", "json", member).out)["reports"]
    keys = [each["key"]["text"] for each in report["keys"]["top"]]
    for words in (("-o", "json"), ("-o", "ndjson"), ()):
        told = tell("stats", member, "--redact", "keys", *words).out
        assert not any(f'"{key}' in told for key in keys)
    (hidden,) = json.loads(tell("stats", "-o", "json", "--redact", "keys", member).out)["reports"]
    assert hidden["keys"]["top"][0]["key"] == {"redacted": True, "size": len(keys[0])}
    assert [each["puts"] for each in hidden["keys"]["top"]] == [
        each["puts"] for each in report["keys"]["top"]
    ]


@pytest.mark.parametrize("part", ["member/snap/db", "member/snap"])
def test_what_holds_no_log_ends_with_one_line(tell: Tell, member: Path, part: str) -> None:
    told = tell("stats", member / part)
    assert (told.status, told.out) == (4, "")
    assert "holds no log" in told.err
    assert told.err.count("\n") == 1


def test_a_path_that_cannot_be_read_does_not_hide_another(tell: Tell, member: Path) -> None:
    told = tell("stats", "-o", "json", "/nowhere", member)
    first, second = json.loads(told.out)["reports"]
    assert told.status == 4
    assert first == {"path": "/nowhere", "error": first["error"]}
    assert told.err == f"walctl: {first['error']}\n"
    assert second["log"]["entries"] == 124


def test_one_segment_and_a_folder_of_them_will_do(reports: Any, member: Path) -> None:
    wal = member / "member" / "wal"
    whole = reports(member)[0]
    for path in (wal, wal / FIRST):
        (report,) = reports(path)
        assert report["log"] == whole["log"]


def test_several_logs_below_one_folder_have_a_report_each(
    reports: Any, member: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / "wal" / name).mkdir(parents=True)
        (tmp_path / "wal" / name / FIRST).write_bytes((member / "member/wal" / FIRST).read_bytes())
    assert [Path(each["path"]).name for each in reports(tmp_path)] == ["one", "two"]


@pytest.mark.parametrize("content", [b"", bytes(4096), b"\xff" * 4096, b"x" * 10])
def test_a_log_of_nothing_or_of_garbage_has_no_figures_and_no_traceback(
    tell: Tell, tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "m.etcd" / "member" / "wal"
    folder.mkdir(parents=True)
    empty = tell("stats", "-o", "json", tmp_path / "m.etcd")
    (folder / FIRST).write_bytes(content)
    told = tell("stats", "-o", "json", tmp_path / "m.etcd")
    for each in (empty, told):
        assert (each.status, each.err) == (0, "")
        (report,) = json.loads(each.out)["reports"]
        assert report["log"]["records"] == 0
    assert json.loads(told.out)["reports"][0]["damage"]["places"] == int(any(content))
    assert tell("stats", tmp_path / "m.etcd").status == 0


def test_damage_is_counted_and_does_not_change_the_status(tell: Tell, tmp_path: Path) -> None:
    path = unpack("zero-page", tmp_path / "member.etcd")
    told = tell("stats", path)
    assert (told.status, told.err) == (0, "")
    assert "1 damaged place of" in told.out
    assert "`walctl verify` tells what is wrong" in told.out


@needs_corpus
@pytest.mark.slow
def test_no_secret_of_a_log_is_shown_unasked() -> None:
    path = unpacked("b-single-allops-34") / "n1"
    truth = (path.parent / "truth" / "n1.dump-logs-3.5.1.txt").read_text()
    secrets = set(re.findall(r'password:"([^"]+)"', truth))
    assert "rootpw" in secrets
    for words in ((), ("-o", "json"), ("--redact", "none")):
        told = ran("stats", path, "--top", "1000", *words)
        assert told.status == 0
        assert "auth_user_add" in told.out
        assert not any(secret in told.out for secret in secrets)

"""`walctl replay --to-snapshot` and `--export` as they are typed."""

import csv
import json
import shlex
import sys
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import Tell
from tests.corpus import fingerprint
from walctl.inspect.export_rows import TABLES

CONCEPTS = (Path(__file__).parents[2] / "man/walctl.7").read_text(encoding="utf-8")


@pytest.fixture
def member(tmp_path: Path) -> Path:
    return unpack("etcd-3.5-three-puts", tmp_path / "n1")


def test_a_snapshot_is_made_and_the_commands_are_printed_whole(
    tell: Tell, member: Path, tmp_path: Path
) -> None:
    before = fingerprint(member)
    target = tmp_path / "state.db"
    told = tell("replay", member, "--to-snapshot", target)
    assert (told.status, told.err) == (0, "")
    lines = [line.strip() for line in told.out.splitlines()]
    (restore,) = (line for line in lines if line.startswith("etcdutl snapshot restore"))
    assert shlex.split(restore)[3] == str(target)
    assert any(line.startswith("etcd --name=") for line in lines)
    assert fingerprint(member) == before
    assert target.stat().st_mode & 0o777 == 0o600


def test_what_json_says_of_a_snapshot_is_what_replay_says_of_the_state(
    tell: Tell, member: Path, tmp_path: Path
) -> None:
    machine = json.loads(tell("replay", member, "-o", "json").out)["machine"]
    told = json.loads(tell("replay", member, "--to-snapshot", tmp_path / "x.db", "-o", "json").out)
    saved = told["snapshot"]
    for name in ("applied_index", "revision", "hash", "keys"):
        assert saved[name] == machine[name]
    assert (told["exit"], told["findings"], told["export"]) == (0, [], None)


def test_the_saved_file_is_read_as_a_database(tell: Tell, member: Path, tmp_path: Path) -> None:
    assert tell("replay", member, "--to-snapshot", tmp_path / "x.db").status == 0
    assert tell("verify", tmp_path / "x.db").status == 0


def test_tables_are_written_beside_a_snapshot(tell: Tell, member: Path, tmp_path: Path) -> None:
    words = ("--export", tmp_path / "t", "--export-as", "csv", "--to-snapshot", tmp_path / "x.db")
    told = tell("replay", member, *words, "-o", "json")
    assert told.status == 0
    found = json.loads(told.out)
    assert found["snapshot"]["path"] == str(tmp_path / "x.db")
    for table in found["export"]["tables"]:
        with (tmp_path / "t" / table["file"]).open(newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == table["rows"]
    assert tell("replay", member, "--export", tmp_path / "u", "--export-as", "csv").out.count(
        "rows"
    ) == len(TABLES)


def test_parquet_is_what_is_written_unless_said(tell: Tell, member: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert tell("replay", member, "--export", tmp_path / "t").status == 0
    assert sorted(each.name for each in (tmp_path / "t").iterdir()) == [
        "entries.parquet",
        "keys.parquet",
        "requests.parquet",
    ]
    assert parquet.read_table(tmp_path / "t/entries.parquet").num_rows > 3


def test_values_are_hidden_where_that_is_asked(tell: Tell, member: Path, tmp_path: Path) -> None:
    words = ("--export", tmp_path / "t", "--export-as", "csv", "--redact", "values")
    assert tell("replay", member, *words).status == 0
    for name in ("requests", "keys"):
        with (tmp_path / f"t/{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["value"] + row["value_text"] for row in rows} == {""}
        assert any(row["value_size"] for row in rows)


def test_without_pyarrow_nothing_is_made(
    tell: Tell, member: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = tell("replay", member, "--export", tmp_path / "t")
    assert (told.status, told.out, told.err.count("\n")) == (4, "", 1)
    assert "walctl[parquet]" in told.err
    assert "--export-as csv" in told.err
    assert not (tmp_path / "t").exists()


def test_a_log_with_a_hole_gives_what_is_there_and_exits_1(tell: Tell, tmp_path: Path) -> None:
    member = unpack("zero-page", tmp_path / "n1")
    database = next(iter(member.rglob("db")), None)
    if database is not None:
        database.unlink()
    told = tell("replay", member, "--to-snapshot", tmp_path / "x.db", "-o", "json")
    assert told.status == 1
    found = json.loads(told.out)
    assert found["findings"][0]["code"] == "index-gap"
    assert "not in it" in found["snapshot"]["notes"][0]
    assert (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--export", "{}/t", "--keys"), 2, "neither --keys"),
        (("--to-snapshot", "{}/x", "--diff", "1", "2"), 2, "neither --keys"),
        (("--export-as", "csv"), 2, "goes with --export"),
        (("--to-snapshot", "{}/n1/member/snap/x"), 2, "folder of the member itself"),
        (("--export", "{}/n1/member/wal/x", "--export-as", "csv"), 2, "of the member itself"),
        (("--to-snapshot", "{}/n1"), 4, "nothing is ever written over"),
        (("--to-snapshot", "/"), 4, "nothing is ever written over"),
        (("--export", "{}/n1", "--export-as", "csv"), 4, "nothing is ever written over"),
        (("--export", "{}/no/t", "--export-as", "csv"), 4, "No such file"),
        (("--to-snapshot", "{}/x", "--machine", "none"), 4, "only a state of etcd"),
        (("--to-snapshot", "{}/x", "--machine", "kv"), 4, "as that of `kv`"),
    ],
)
def test_what_cannot_be_made_is_one_line_and_nothing_is_left(
    tell: Tell, member: Path, tmp_path: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    before = fingerprint(tmp_path)
    told = tell("replay", member, *(word.format(tmp_path) for word in words))
    assert (told.status, told.err.count("\n")) == (status, 1)
    assert said in told.err
    assert fingerprint(tmp_path) == before


def test_the_manual_has_every_column_of_every_table() -> None:
    section = CONCEPTS.partition(".SH TABLES\n")[2].partition("\n.SH ")[0]
    lines = section.splitlines()
    for table in TABLES:
        start = next(at for at, line in enumerate(lines) if line.startswith(f"\\fB{table.name}"))
        told = lines[start + 3 : start + 3 + len(table.columns)]
        assert [line.split()[0] for line in told] == [each.name for each in table.columns]

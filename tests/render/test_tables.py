"""Tables as files: what is put in comes out, and nothing half is left behind."""

import base64
import csv
import sys
from pathlib import Path
from typing import Any

import pytest

from walctl.errors import AccessError, UnsupportedError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.export_rows import KEYS
from walctl.render import tables
from walctl.render.tables import CSV, PARQUET, demand_form, written_tables

DISK = RealFileSystem()
ROWS: list[tuple[Any, ...]] = [
    (b"a", b"1", 1, 2, 3, 2, None),
    (b"=1+1", b"\xff\x00", 2, 4, 4, 1, "3e9"),
    (b"empty", b"", 0, 5, 5, 1, None),
    (b"hidden", None, 9, 6, 6, 1, None),
    (b"esc\x1b", b'x,"y"\n', 6, 7, 7, 1, None),
]
NAMES = [column.name for column in KEYS.columns]


def written(folder: Path, form: str, rows: list[tuple[Any, ...]] = ROWS) -> Path:
    with written_tables(DISK, folder, form) as (sinks, told):
        for row in rows:
            sinks.keys.add(row)
    assert [each.rows for each in told] == [0, 0, len(rows)]
    assert [each.size for each in told] == [(folder / each.name).stat().st_size for each in told]
    return folder / f"keys.{form}"


def parquet(path: Path) -> Any:
    return pytest.importorskip("pyarrow.parquet").ParquetFile(path)


def test_parquet_gives_back_what_was_put_in(tmp_path: Path) -> None:
    file = parquet(written(tmp_path / "out", PARQUET))
    assert [tuple(row[name] for name in NAMES) for row in file.read().to_pylist()] == ROWS
    types = {name: str(kind) for name, kind in zip(NAMES, file.schema_arrow.types, strict=True)}
    assert types["key"] == types["value"] == "binary"
    assert types["mod_revision"] == "int64"
    assert types["lease"] == "string"


def test_parquet_is_written_in_groups_that_are_bounded_by_rows_and_by_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "GROUP_ROWS_MAX", 4)
    monkeypatch.setattr(tables, "GROUP_BYTES_MAX", 100)
    rows = [(b"%d" % at, b"v" * (200 if at == 5 else 1), 1, 2, 3, 1, None) for at in range(9)]
    file = parquet(written(tmp_path / "out", PARQUET, rows))
    groups = [file.metadata.row_group(at).num_rows for at in range(file.metadata.num_row_groups)]
    assert groups == [4, 2, 3]
    assert file.read().column("key").to_pylist() == [row[0] for row in rows]


def test_csv_has_base64_and_the_text_where_it_is_printable(tmp_path: Path) -> None:
    with written(tmp_path / "out", CSV).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, wanted in zip(rows, ROWS, strict=True):
        assert base64.b64decode(row["key"]) == wanted[0]
        assert base64.b64decode(row["value"]) == (wanted[1] or b"")
        assert row["value_size"] == str(wanted[2])
        assert row["lease"] == (wanted[6] or "")
    assert [row["key_text"] for row in rows] == ["a", "'=1+1", "empty", "hidden", ""]
    assert [row["value_text"] for row in rows] == ["1", "", "", "", ""]


def test_a_value_that_makes_a_line_too_long_has_no_text(tmp_path: Path) -> None:
    rows = [(b"k", b"v" * size, size, 2, 2, 1, None) for size in (1 << 16, (1 << 16) + 1)]
    csv.field_size_limit(1 << 20)
    with written(tmp_path / "out", CSV, rows).open(encoding="utf-8", newline="") as file:
        assert [bool(row["value_text"]) for row in csv.DictReader(file)] == [True, False]


@pytest.mark.parametrize("form", [CSV, PARQUET])
def test_what_did_not_end_well_leaves_nothing(tmp_path: Path, form: str) -> None:
    if form == PARQUET:
        pytest.importorskip("pyarrow")

    def fail() -> None:
        with written_tables(DISK, tmp_path / "out", form) as (sinks, _):
            sinks.keys.add(ROWS[0])
            raise AccessError("no more")

    with pytest.raises(AccessError, match="no more"):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", [CSV, PARQUET])
@pytest.mark.parametrize("good", [0, 1, 3])
def test_a_disk_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, good: int
) -> None:
    if form == PARQUET:
        pytest.importorskip("pyarrow")
    write, count = tables._Stream.write, 0

    def full(stream: Any, data: Any) -> int:
        nonlocal count
        if count >= good and not stream.is_abandoned:
            raise AccessError("no space left")
        count += 1
        return write(stream, data)

    monkeypatch.setattr(tables._Stream, "write", full)
    if form == CSV and good == 3:  # a table of a few rows is one block each
        assert written(tmp_path / "out", form).exists()
        return
    with pytest.raises(AccessError, match="no space left"):
        written(tmp_path / "out", form)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(AccessError, match="nothing is ever written over"):
        written(tmp_path / "out", CSV)
    assert [each.name for each in tmp_path.rglob("*")] == ["out", "mine"]


def test_a_disk_in_memory_does_as_well() -> None:
    disk = MemoryFileSystem()
    disk.make_dir(Path("/x"))
    with written_tables(disk, Path("/x/out"), CSV) as (sinks, _):
        sinks.keys.add(ROWS[0])
    assert disk.names(Path("/x")) == ["out"]
    assert disk.names(Path("/x/out")) == ["entries.csv", "keys.csv", "requests.csv"]


def test_without_pyarrow_the_error_names_the_extra_and_the_other_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnsupportedError, match=r"walctl\[parquet\].*--export-as csv"):
        demand_form(PARQUET)
    demand_form(CSV)

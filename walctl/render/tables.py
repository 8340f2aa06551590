"""Tables into files: Parquet (with pyarrow, the extra `parquet`) and CSV, row by row.

    Parquet   one column a column: int64, string, binary; row groups of at most 65,536 rows or
              16 MiB of bytes, zstd; every column may be null
    CSV       UTF-8 with a line of names; an empty cell is nothing. A column of bytes is base64,
              and beside it stands NAME_text, where all of it is printable UTF-8 and no longer
              than 64 KiB

Texts of a CSV file are as `dump -o csv` has them: nothing that a terminal obeys, and `'` in front
of what a spreadsheet would take for a formula. base64 is always the bytes as they are.
"""

import base64
import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from walctl.errors import UnsupportedError
from walctl.fs.writable import WritableFile, WritableFileSystem
from walctl.inspect.export import Sinks
from walctl.inspect.export_rows import TABLES, Cell, Row, Table, Type
from walctl.render.dump_csv import guarded
from walctl.repair.new_file import new_folder

PARQUET: Final = "parquet"
CSV: Final = "csv"
FORMS: Final = (PARQUET, CSV)
GROUP_ROWS_MAX = 1 << 16
GROUP_BYTES_MAX = 16 << 20
BUFFER_CHARS_MAX = 1 << 20
TEXT_SUFFIX: Final = "_text"
TEXT_BYTES_MAX = 1 << 16
"""Longer lines than these make are more than some readers of CSV take."""


@dataclass(slots=True, kw_only=True)
class TableFile:
    """A table that was written: its file's name in the folder, its rows, its bytes."""

    table: Table
    name: str
    rows: int = 0
    size: int = 0


class Writer(Protocol):
    """A sink that has an end."""

    rows: int

    def add(self, row: Row) -> None:
        """Put a row behind the last one."""

    def finish(self) -> int:
        """Write what is left; the bytes of the file."""

    def abandon(self) -> None:
        """Write nothing any more."""


def demand_form(form: str) -> None:
    """Raise UnsupportedError where a form needs what is not installed."""
    if form != PARQUET:
        return
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(
            "--export: Parquet needs pyarrow, which is not installed: pip install"
            " 'walctl[parquet]', or --export-as csv"
        ) from error


@contextmanager
def written_tables(
    disk: WritableFileSystem, folder: Path, form: str
) -> Iterator[tuple[Sinks, list[TableFile]]]:
    """A new folder with a file a table, there once the block has ended without an error.

    What was written is told in the list when the block has ended. Raises: AccessError.
    """
    told: list[TableFile] = []
    with new_folder(disk, folder) as part, ExitStack() as stack:
        writers: list[Writer] = []
        for table in TABLES:
            name = f"{table.name}.{form}"
            file = stack.enter_context(disk.create_file(part / name))
            make: type[ParquetFile | CsvFile] = ParquetFile if form == PARQUET else CsvFile
            writer: Writer = make(file, table)
            stack.callback(writer.abandon)
            told.append(TableFile(table=table, name=name))
            writers.append(writer)
        entries, requests, keys = writers
        yield Sinks(entries=entries, requests=requests, keys=keys), told
        for each, writer in zip(told, writers, strict=True):
            each.size, each.rows = writer.finish(), writer.rows


class _Stream(io.RawIOBase):
    """A file from its start on, as a stream that is only written."""

    def __init__(self, file: WritableFile) -> None:
        self._file = file
        self._offset = 0
        self.is_abandoned = False

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes so far."""
        return self._offset

    def write(self, data: Any) -> int:
        """Put bytes behind the last ones; into nothing once it is abandoned."""
        block = memoryview(data).cast("B")
        if not self.is_abandoned:
            self._file.write_at(self._offset, block)
        self._offset += len(block)
        return len(block)


class CsvFile:
    """A table as CSV."""

    def __init__(self, file: WritableFile, table: Table) -> None:
        self._file, self._table = file, table
        self._is_bytes = tuple(column.type is Type.BYTES for column in table.columns)
        self.rows = 0
        self._stream = _Stream(self._file)
        self._text = io.StringIO()
        self._write = csv.writer(self._text, lineterminator="\n").writerow
        self._write(self.names())

    def names(self) -> list[str]:
        """The columns of the file."""
        found: list[str] = []
        for column in self._table.columns:
            found.append(column.name)
            if column.type is Type.BYTES:
                found.append(column.name + TEXT_SUFFIX)
        return found

    def add(self, row: Row) -> None:
        """Put a row behind the last one."""
        cells: list[str | int] = []
        for cell, is_bytes in zip(row, self._is_bytes, strict=True):
            if is_bytes:
                cells += _bytes_cells(cell)
            else:
                assert not isinstance(cell, bytes), "bytes have columns of their own"
                cells.append(guarded(cell))
        self._write(cells)
        self.rows += 1
        if self._text.tell() >= BUFFER_CHARS_MAX:
            self._flush()

    def finish(self) -> int:
        """Write what is left; the bytes of the file."""
        self._flush()
        self._file.sync()
        return self._stream.tell()

    def abandon(self) -> None:
        """Write nothing any more."""
        self._stream.is_abandoned = True

    def _flush(self) -> None:
        self._stream.write(self._text.getvalue().encode("utf-8"))
        self._text.seek(0)
        self._text.truncate()


def _bytes_cells(cell: Cell) -> tuple[str, str | int]:
    """Bytes as base64, and as text where they are one."""
    if not isinstance(cell, bytes):
        return "", ""
    try:
        text = cell.decode("utf-8") if len(cell) <= TEXT_BYTES_MAX else ""
    except UnicodeDecodeError:
        text = ""
    return base64.b64encode(cell).decode("ascii"), guarded(text) if text.isprintable() else ""


class ParquetFile:
    """A table as Parquet."""

    def __init__(self, file: WritableFile, table: Table) -> None:
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        types = {
            Type.INTEGER: pyarrow.int64(),
            Type.TEXT: pyarrow.string(),
            Type.BYTES: pyarrow.binary(),
        }
        self._file = file
        self._schema = pyarrow.schema([(each.name, types[each.type]) for each in table.columns])
        self._bytes_at = tuple(
            at for at, column in enumerate(table.columns) if column.type is Type.BYTES
        )
        self.rows = self._group_bytes = 0
        self._group: list[Row] = []
        self._stream = _Stream(self._file)
        self._writer: Any = ParquetWriter(self._stream, self._schema, compression="zstd")

    def add(self, row: Row) -> None:
        """Put a row behind the last one."""
        self._group.append(row)
        self.rows += 1
        for at in self._bytes_at:
            self._group_bytes += len(row[at] or b"")  # type: ignore[arg-type]
        if len(self._group) >= GROUP_ROWS_MAX or self._group_bytes >= GROUP_BYTES_MAX:
            self._flush()

    def finish(self) -> int:
        """Write what is left; the bytes of the file."""
        self._flush()
        self._writer.close()
        self._file.sync()
        return self._stream.tell()

    def abandon(self) -> None:
        """Write nothing any more: pyarrow would, when its writer is collected."""
        self._stream.is_abandoned = True
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow

        if not self._group:
            return
        columns = zip(*self._group, strict=True)
        arrays = [
            pyarrow.array(column, type=kind.type)
            for column, kind in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._group, self._group_bytes = [], 0

"""Bytes of a file into a history; what format they are in, they say themselves."""

from typing import Final

from walctl.checker import edn, jepsen_log, trace
from walctl.checker.history import FORMATS, History, HistoryError

HISTORY_BYTES_MAX: Final = 1 << 30


def history_of(data: bytes) -> History:
    """The history in a file's bytes; a file of nothing but blanks has no operations.

    Raises: HistoryError.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise HistoryError(line, "expected UTF-8, found a byte that is none") from error
    begin = text.lstrip("\ufeff \t\r\n")
    # Other characters that Python takes for ends of lines may stand within a value.
    lines = text.removeprefix("\ufeff").split("\n")
    if not begin:
        return History(())
    if begin.startswith(("INFO", "WARN", "DEBUG", "ERROR")):
        return jepsen_log.parse(lines)
    if begin.startswith("{"):
        inner = begin[1:64].lstrip(" \t,")
        if inner.startswith(":"):
            return edn.parse(lines)
        if inner.startswith('"'):
            return trace.parse(lines)
    line = text[: len(text) - len(begin)].count("\n") + 1
    raise HistoryError(line, f"expected one of: {', '.join(FORMATS)}; found none of them")

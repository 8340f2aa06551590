"""Jepsen's log of operations on one register, as etcd was tested with it.

    INFO  jepsen.util - PROCESS :TYPE :FUNCTION VALUE

with blanks or tabs in between. TYPE is invoke, ok, fail or info; FUNCTION is read, write or cas;
VALUE is nil, a number, [FROM TO], or :timed-out. A process whose operation ended with info is not
used again. Lines of other parts of Jepsen may stand in between.
"""

import re
from collections.abc import Iterable
from typing import Final

from walctl.checker.history import Fate, Function, History, HistoryError, Operation, Value
from walctl.checker.pairing import Pairing

LINE: Final = re.compile(
    r"INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(\S.*)"
)
OTHER: Final = re.compile(
    r"(?:INFO|WARN|ERROR|DEBUG)\s+"
    r"(?:(?!jepsen\.util\b)\S|\S+\s+-\s+:nemesis)"
)
VALUE: Final = re.compile(r"nil|-?\d+")
PAIR: Final = re.compile(r"\[(nil|-?\d+)\s+(nil|-?\d+)\]")
FATES: Final = {"ok": Fate.OK, "fail": Fate.FAIL, "info": Fate.UNKNOWN}
SHOWN_CHARS_MAX: Final = 60


def parse(lines: Iterable[str]) -> History:
    """Raises: HistoryError."""
    pairing = Pairing()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        match = LINE.fullmatch(text)
        if match is not None:
            _take(pairing, number, *match.groups())
        elif OTHER.match(text) is None:
            raise HistoryError(
                number,
                "expected 'INFO jepsen.util - PROCESS :TYPE :FUNCTION VALUE', found"
                f" {text[:SHOWN_CHARS_MAX]!r}",
            )
    return History(pairing.all(), format="jepsen log")


def _take(pairing: Pairing, line: int, process: str, kind: str, name: str, value: str) -> None:
    function = Function(name)
    if kind == "invoke":
        if process in pairing.pending:
            raise HistoryError(line, f"process {process} begins a second operation before the end")
        before, after = _values(function, value, line) if name != "read" else (None, None)
        pairing.begin(
            process,
            Operation(
                number=len(pairing.operations),
                client=process,
                function=function,
                key=b"",
                call=line,
                end=None,
                fate=Fate.UNKNOWN,
                value=after,
                expected=before,
            ),
        )
        return
    fate = FATES[kind]
    pairing.find(process, function, line)
    is_seen = fate is Fate.OK and function is Function.READ
    pairing.end(
        process,
        time=line,
        fate=fate,
        output=_values(function, value, line)[1] if is_seen else None,
        is_mismatch=fate is Fate.FAIL and function is Function.CAS,
    )


def _values(function: Function, text: str, line: int) -> tuple[Value, Value]:
    """What is expected, by a cas, and what is written or read. Raises: HistoryError."""
    if function is Function.CAS:
        pair = PAIR.fullmatch(text)
        if pair is not None:
            return _value(pair[1]), _value(pair[2])
        raise HistoryError(line, f"expected [FROM TO], found {text[:SHOWN_CHARS_MAX]!r}")
    if VALUE.fullmatch(text) is None:
        raise HistoryError(line, f"expected nil or a number, found {text[:SHOWN_CHARS_MAX]!r}")
    return None, _value(text)


def _value(text: str) -> Value:
    return None if text == "nil" else text.encode()

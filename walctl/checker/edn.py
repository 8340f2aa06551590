"""Histories as EDN, one map a line: porcupine's of a key-value store, and Jepsen's own.

    {:process 0, :type :invoke, :f :append, :key "3", :value "x 0 5 y"}
    {:type :ok, :f :cas, :value [0 3], :process 4, :time 29210992, :index 7}

The keys of a map may stand in any order, and unknown ones are ignored; without `:key` all is of one
register. The order of the lines is the order of time. A history that speaks of get and put (as
porcupine's do) has no word for "no such key": there it is the empty string. Text stands for the
bytes of its UTF-8, and `\\udcNN` for a byte NN that is none.
"""

import re
from collections.abc import Iterable
from typing import Final

from walctl.checker.history import Fate, Function, History, HistoryError, Operation, Value
from walctl.checker.pairing import Pairing

TOKEN: Final = re.compile(
    r'[\s,]*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]])|(?P<word>:?[^\s,"{}\[\]]+))'
)
ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "b": "\b", "f": "\f"}
FATES: Final = {":ok": Fate.OK, ":fail": Fate.FAIL, ":info": Fate.UNKNOWN}
UNNAMED: Final = frozenset({Function.GET, Function.PUT})
"""Whoever speaks of these calls what is not there the empty string."""

Term = str | bytes | int | None | tuple["Term", ...]
"""What a map holds; a keyword is a `str` with its colon, a string is `bytes`."""


def parse(lines: Iterable[str]) -> History:
    """Raises: HistoryError."""
    pairing = Pairing()
    for number, line in enumerate(lines, 1):
        if line.strip():
            _take(pairing, number, _map(line, number))
    operations = pairing.all()
    is_unnamed = any(each.function in UNNAMED for each in operations)
    return History(operations, absent=b"" if is_unnamed else None, format="EDN")


def _take(pairing: Pairing, line: int, found: dict[str, Term]) -> None:
    process, kind = found.get(":process"), found.get(":type")
    if not isinstance(process, int):
        if process == ":nemesis":
            return
        raise HistoryError(line, "expected a number as :process")
    function = _function(found.get(":f"), line)
    if kind == ":invoke":
        _begin(pairing, line, process, function, found)
        return
    if not isinstance(kind, str) or kind not in FATES:
        raise HistoryError(line, "expected :invoke, :ok, :fail or :info as :type")
    fate = FATES[kind]
    pairing.find(process, function, line)
    is_seen = fate is Fate.OK and function.is_read
    pairing.end(
        process,
        time=line,
        fate=fate,
        output=_value(found.get(":value"), line) if is_seen else None,
        # Others' fail of a cas means that; ours, where it was refused, is not exported at all.
        is_mismatch=fate is Fate.FAIL and function is Function.CAS,
    )


def _begin(
    pairing: Pairing, line: int, process: int, function: Function, found: dict[str, Term]
) -> None:
    if process in pairing.pending:
        raise HistoryError(line, f"process {process} begins a second operation before the end")
    value = found.get(":value")
    expected: Value = None
    written: Value = None
    if function is Function.CAS:
        if not isinstance(value, tuple) or len(value) != 2:
            raise HistoryError(line, "expected [FROM TO] as :value of a cas")
        expected, written = _value(value[0], line), _value(value[1], line)
    elif not function.is_read and function is not Function.DELETE:
        written = _value(value, line)
    pairing.begin(
        process,
        Operation(
            number=len(pairing.operations),
            client=str(process),
            function=function,
            key=_value(found.get(":key"), line) or b"",
            call=line,
            end=None,
            fate=Fate.UNKNOWN,
            value=written,
            expected=expected,
        ),
    )


def _function(term: Term, line: int) -> Function:
    if isinstance(term, str):
        try:
            return Function(term.removeprefix(":"))
        except ValueError:
            pass
    raise HistoryError(line, f"expected one of {', '.join(Function)} as :f, found {term!r}")


def _value(term: Term, line: int) -> Value:
    match term:
        case None | bytes():
            return term
        case int():
            return str(term).encode()
        case _:
            raise HistoryError(line, f"expected a string, a number or nil, found {term!r}")


def _map(text: str, line: int) -> dict[str, Term]:
    """One flat map. Raises: HistoryError."""
    stack: list[list[Term]] = []
    at = 0
    text = text.rstrip(", \t\r\n")
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            break
        at = match.end()
        if match["mark"] in ("{", "["):
            if bool(stack) == (match["mark"] == "{"):
                break
            stack.append([])
            continue
        if not stack:
            break
        if match["mark"] == "]" and len(stack) > 1:
            item: Term = tuple(stack.pop())
        elif match["mark"] == "}" and len(stack) == 1 and at == len(text):
            return _paired(stack[0], line)
        elif match["mark"]:
            break
        else:
            item = _string(match["string"]) if match["string"] else _word(match["word"])
        stack[-1].append(item)
    raise HistoryError(line, f"expected one map, {{:process … :type … :f …}}, found {text[:60]!r}")


def _paired(items: list[Term], line: int) -> dict[str, Term]:
    names = items[::2]
    if len(items) % 2 or not all(isinstance(name, str) for name in names):
        raise HistoryError(line, "expected keywords with a value each")
    return {str(name): value for name, value in zip(names, items[1::2], strict=True)}


def _string(text: str) -> bytes:
    if "\\" in text:
        # What is beyond the first plane is escaped as two surrogates; read together they are it.
        text = ESCAPE.sub(_unescaped, text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return text[1:-1].encode("utf-8", "surrogateescape" if _is_bytes(text) else "surrogatepass")


def _is_bytes(text: str) -> bool:
    """Whether all surrogates in it stand for single bytes."""
    return all("\udc80" <= char <= "\udcff" for char in text if "\ud800" <= char <= "\udfff")


def _unescaped(match: "re.Match[str]") -> str:
    word = match[1]
    return chr(int(word[1:], 16)) if len(word) > 1 else ESCAPES.get(word, word)


def _word(text: str) -> Term:
    if text == "nil":
        return None
    try:
        return int(text)
    except ValueError:
        return text

"""Our own event file as a history: what clients asked and were told; all other lines are passed by.

    {"i":99,"t":2700000,"c":4,"k":"invoke","op":17,"f":"put","g":"g1","key":"x","v":"c4-17"}
    {"i":120,"t":2750110,"c":4,"k":"ok","op":17,"rev":31}

`k` is invoke, ok, fail or info; `f` get, put, append, delete or cas, whose condition is under
`expect`; a get's `ok` has the value under `v`, and none (or null) where there is no such key. Bytes
that are no text are in base64, under the name with `64` behind it. `rev` is the log's index of the
answer. A `fail` of a cas that has one was looked at there and did not hold; without, it was refused
before anybody looked, and says nothing. `info` and no completion at all are an unknown fate.
An invoke with `"read":"local"` takes whatever its node has, which may be old: it is passed by too.

Lines may stand a little out of order: the time `t` counts. A client that asks for the same `op`
again has begun anew, and what it asked before stays without an end.
"""

import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from walctl.checker.history import Fate, Function, History, HistoryError, Operation, Value
from walctl.checker.pairing import Pairing

FATES: Final = {"ok": Fate.OK, "fail": Fate.FAIL, "info": Fate.UNKNOWN}
KINDS: Final = frozenset({"invoke", *FATES})
SPLIT_CHARS_MAX: Final = 60

Line = tuple[int, Mapping[str, Any]]


def parse(lines: Iterable[str]) -> History:
    """Raises: HistoryError."""
    found: list[Line] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text:
            event = _event(text, number)
            if event.get("k") in KINDS:
                found.append((number, event))
    # At one time calls stand before returns: whatever may have overlapped did.
    found.sort(key=lambda each: (_time(*each), each[1]["k"] != "invoke"))
    pairing = Pairing()
    for number, event in _without_local_reads(found):
        _take(pairing, number, event)
    return History(pairing.all(), format="walctl events")


def _without_local_reads(found: Iterable[Line]) -> Iterator[Line]:
    """Those lines, in the order of time, but for reads that take whatever their node has."""
    local: set[tuple[str, str]] = set()
    for number, event in found:
        who = (str(event.get("c")), str(event.get("op")))
        if event["k"] == "invoke" and event.get("read") == "local":
            local.add(who)
        elif event["k"] == "invoke":
            local.discard(who)
        if who not in local:
            yield number, event


def _event(text: str, line: int) -> Mapping[str, Any]:
    try:
        event = json.loads(text)
    except ValueError as error:
        raise HistoryError(line, f"expected a JSON object: {error}") from error
    except RecursionError as error:
        raise HistoryError(line, "expected an event, found JSON that nests too deep") from error
    if not isinstance(event, dict):
        raise HistoryError(line, f"expected a JSON object, found {text[:SPLIT_CHARS_MAX]!r}")
    return event


def _time(line: int, event: Mapping[str, Any]) -> int:
    return _whole(event, "t", line)


def _whole(event: Mapping[str, Any], name: str, line: int) -> int:
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise HistoryError(line, f"expected a whole number as {name!r}, found {value!r}")
    return value


def _take(pairing: Pairing, line: int, event: Mapping[str, Any]) -> None:
    who = (_client(event, line), _whole(event, "op", line))
    time = _whole(event, "t", line)
    if event["k"] == "invoke":
        function = _function(event, line)
        operation = Operation(
            number=len(pairing.operations),
            client=who[0],
            function=function,
            group=str(event.get("g", "")),
            key=_bytes(event, "key", line) or b"",
            call=time,
            end=None,
            fate=Fate.UNKNOWN,
            value=_bytes(event, "v", line) if not function.is_read else None,
            expected=_bytes(event, "expect", line) if function is Function.CAS else None,
        )
        if operation.value is None and (function.is_put or function is Function.APPEND):
            raise HistoryError(line, f"expected the value of a {function} as 'v', found none")
        pairing.begin(who, operation)
        return
    fate = FATES[event["k"]]
    asked = pairing.find(who, None, line)
    index = _whole(event, "rev", line) if event.get("rev") is not None else None
    is_cas = asked.function is Function.CAS
    pairing.end(
        who,
        time=time,
        fate=fate,
        output=_bytes(event, "v", line) if fate is Fate.OK and asked.function.is_read else None,
        is_mismatch=is_cas and fate is Fate.FAIL and index is not None,
        index=index,
    )


def _client(event: Mapping[str, Any], line: int) -> str:
    client = event.get("c", "")
    if isinstance(client, bool) or not isinstance(client, int | str):
        raise HistoryError(line, f"expected a client's number or name as 'c', found {client!r}")
    return str(client)


def _function(event: Mapping[str, Any], line: int) -> Function:
    name = event.get("f")
    try:
        return Function(str(name))
    except ValueError as error:
        raise HistoryError(
            line, f"expected one of {', '.join(Function)} as 'f', found {name!r}"
        ) from error


def _bytes(event: Mapping[str, Any], name: str, line: int) -> Value:
    packed = event.get(f"{name}64")
    if packed is None:
        text = event.get(name)
        if text is not None and not isinstance(text, str):
            raise HistoryError(line, f"expected text as {name!r}, found {text!r}")
        return None if text is None else text.encode("utf-8", "surrogatepass")
    try:
        return binascii.a2b_base64(packed, strict_mode=True)
    except (ValueError, TypeError) as error:
        raise HistoryError(line, f"expected base64 as '{name}64': {error}") from error

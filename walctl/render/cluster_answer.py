"""What a lab answered to a client, and what came of a whole load."""

import base64

from walctl.cluster.answers import Answer, Fate
from walctl.cluster.load import LoadResult
from walctl.render.screen import Screen
from walctl.render.text import counted, printable, quoted

SHOWN_WORDS = 3
"""Reasons of requests that were not done which are told, the most frequent first."""


def answer_text(screen: Screen, answer: Answer) -> None:
    """What came of one request; the value alone on a line."""
    if answer.fate is not Fate.OK:
        if answer.value is not None:
            screen.line(printable(answer.value.decode("utf-8", "backslashreplace")))
        return
    if answer.value is not None:
        screen.line(printable(answer.value.decode("utf-8", "backslashreplace")))
    place = f" at index {answer.index}" if answer.index is not None else ""
    screen.note(f"ok{place}, told by {answer.node}")


def value_text(screen: Screen, answer: Answer) -> None:
    """What a key holds; nothing where there is no such key."""
    if answer.fate is Fate.OK and answer.value is not None:
        answer_text(screen, answer)


def answer_document(answer: Answer) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "fate": answer.fate,
        "index": answer.index,
        "value": None if answer.value is None else _bytes(answer.value),
        "node": answer.node,
        "words": answer.words,
    }


def range_text(screen: Screen, found: tuple[Answer, dict[bytes, bytes]]) -> None:
    """Keys and values, a line each."""
    answer, pairs = found
    for key, value in pairs.items():
        screen.line(f"{quoted(key)} = {quoted(value)}")
    screen.note(f"{counted(len(pairs), 'key')} at index {answer.index}, told by {answer.node}")


def range_document(found: tuple[Answer, dict[bytes, bytes]]) -> object:
    """The same for JSON."""
    answer, pairs = found
    rows = [{"key": _bytes(key), "value": _bytes(value)} for key, value in pairs.items()]
    return {"v": 1, "index": answer.index, "node": answer.node, "pairs": rows}


def _bytes(value: bytes) -> dict[str, str]:
    """Bytes as every JSON of ours has them: base64, and the text beside it where it is one."""
    found = {"data": base64.b64encode(value).decode()}
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return found
    return {**found, "text": text} if text.isprintable() else found


def load_text(screen: Screen, result: LoadResult) -> None:
    """What came of a load."""
    rate = result.count / result.seconds if result.seconds else 0.0
    fates = ", ".join(f"{result.fates[fate]:,} {fate}" for fate in Fate)
    screen.line(f"{counted(result.count, 'request')} in {result.seconds:.1f} s: {fates}")
    median, tail = result.latency_us(50), result.latency_us(99)
    if median is not None and tail is not None:
        screen.line(
            f"{rate:,.0f} a second; half within {median / 1000:.1f} ms, 99 % within"
            f" {tail / 1000:.1f} ms; longest time without one that was done"
            f" {result.longest_gap_us / 1e6:.2f} s"
        )
    for words, count in result.words.most_common(SHOWN_WORDS):
        screen.line(f"  {counted(count, 'time')}: {printable(words)}")


def load_document(result: LoadResult) -> object:
    """The same for JSON; latencies in microseconds, of what was ok."""
    return {
        "v": 1,
        "requests": result.count,
        "seconds": round(result.seconds, 3),
        "fates": {str(fate): result.fates[fate] for fate in Fate},
        "latency_us": {f"p{percent}": result.latency_us(percent) for percent in (50, 90, 99, 100)},
        "longest_gap_us": result.longest_gap_us,
        "words": dict(result.words.most_common()),
    }

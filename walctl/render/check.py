"""How a judged history looks: the verdict, the keys, and where a bad one contradicts itself."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from walctl.checker.history import Fate, Function, Operation, Place, Value
from walctl.checker.linearizable import Judged, Judgement, Verdict, Way
from walctl.checker.settle import Contradiction, WithLogs
from walctl.cluster.oracle import GroupLogs
from walctl.render.screen import Screen
from walctl.render.text import counted, printable, quoted

VALUE_WIDTH: Final = 48
KEYS_MAX: Final = 20
"""Keys without a verdict that are named one by one."""
SMALL_MAX: Final = 60
"""Operations of a bad history that are shown."""
FROM_END: Final = 2
"""Values of an append history grow at their end, so that is what is shown of them."""

WAYS: Final[Mapping[Way, str]] = {
    Way.SEARCH: "by search",
    Way.UNWRITTEN: "a value was read that nobody had begun to write",
    Way.ZONES: "by the times at which each value was there",
    Way.INDEXES: "in the order of the answers' indexes",
    Way.STEPS: "the step limit was reached",
    Way.TIME: "the time limit was reached",
    Way.MEMORY: "the memory limit was reached",
    Way.STOPPED: "not looked for: another key is bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the command shows: a file's name, its judgement from the clients alone, each bad key
    made small, and the judgement with the members' logs, where these were read."""

    name: str
    judgement: Judgement
    small: Mapping[Place, Judged] = field(default_factory=dict)
    logs: WithLogs | None = None
    groups: Sequence[GroupLogs] = ()

    @property
    def verdict(self) -> Verdict:
        """Of all that was asked. The logs may settle what the clients alone left open, but no log
        makes a bad history good; and members that part are bad, whatever clients have seen."""
        if self.logs is None or self.judgement.verdict is Verdict.NOT_LINEARIZABLE:
            return self.judgement.verdict
        if not all(each.are_alike for each in self.groups):
            return Verdict.NOT_LINEARIZABLE
        return self.logs.verdict

    def small_of(self, judged: Judged) -> Judged:
        """The smallest history of a key that says what it says."""
        return self.small.get(judged.place, judged)


def screenful(screen: Screen, checked: Checked) -> None:
    """The verdict first, then what is bad, then what is open."""
    judgement = checked.judgement
    styles = {Verdict.LINEARIZABLE: "bold green", Verdict.NOT_LINEARIZABLE: "bold red"}
    screen.line(headline(checked), style=styles.get(judgement.verdict, "bold yellow"))
    for each in facts(judgement):
        screen.line(each)
    for judged in judgement.bad:
        screen.line()
        for line in _bad(judgement, judged, checked.small_of(judged)):
            screen.line(line)
    _open(screen, judgement)
    if checked.logs is not None:
        screen.line()
        for line in _logs(checked.logs):
            screen.line(line)
        for logs in checked.groups:
            for line in _group(logs):
                screen.line(line)


def _logs(both: WithLogs) -> Iterator[str]:
    """The second verdict, and what history and logs disagree on."""
    settled = both.settled
    words = {
        Verdict.LINEARIZABLE: "linearizable",
        Verdict.NOT_LINEARIZABLE: "NOT linearizable",
        Verdict.UNKNOWN: "unknown",
        Verdict.NO_OPERATIONS: "no operations",
    }[both.verdict]
    unknown = settled.found + settled.absent + settled.left
    yield (
        f"with the logs: {words}. {unknown:,} of unknown fate: {settled.found:,} found in the"
        f" logs, {settled.absent:,} in none, {settled.left:,} still unknown"
    )
    for each in settled.contradictions[:KEYS_MAX]:
        yield f"  {each.doubt}: {doubt_words(each)}"
    if len(settled.contradictions) > KEYS_MAX:
        yield f"  and {len(settled.contradictions) - KEYS_MAX:,} more"
    for judged in both.judgement.bad:
        yield f"  {place_words(judged.place, both.judgement)}no order that is the logs' too"
        if judged.stuck is not None:
            yield f"    {operation_words(judged.stuck)}"


def _group(logs: GroupLogs) -> Iterator[str]:
    """Whether the members of a group have written the same, and come to the same."""
    names = ", ".join(logs.nodes)
    span = f"entries {logs.log.first}–{logs.log.last} committed"
    for index, one, other in logs.parted[:KEYS_MAX]:
        yield f"  {logs.group}: {one} and {other} hold different entries at {index}, both committed"
    digests = logs.digests or {}
    if len(set(digests.values())) > 1:
        yield f"  {logs.group}: the members' states differ as of entry {logs.digest_index}:"
        for name, digest in digests.items():
            yield f"    {name}  {digest[:16]}"
    elif not logs.parted:
        same = f"; {counted(len(digests), 'state')} alike as of {logs.digest_index}"
        yield f"  {logs.group}: {span}, in the logs of {names}{same if digests else ''}"
        untold = [name for name in logs.nodes if digests and name not in digests]
        if untold:
            yield f"  {logs.group}: no state as of then can be made of {', '.join(untold)}"


def doubt_words(doubted: Contradiction) -> str:
    """What is doubted of which operation."""
    told = operation_words(doubted.operation)
    if doubted.other is not None:
        told += f" is at index {doubted.index}, before {operation_words(doubted.other)}"
    elif doubted.index is not None:
        told += f" is at index {doubted.index}"
    return told


def headline(checked: Checked) -> str:
    """One line: how much there is, and what it is."""
    judgement = checked.judgement
    operations = judgement.history.operations
    if judgement.verdict is Verdict.NO_OPERATIONS:
        return f"{checked.name}: no operations: nothing was tested"
    words = {
        Verdict.LINEARIZABLE: "linearizable",
        Verdict.NOT_LINEARIZABLE: "NOT linearizable",
        Verdict.UNKNOWN: "unknown: a limit was reached before a verdict",
    }[judgement.verdict]
    keys = len({each.place for each in operations})
    return (
        f"{checked.name}: {counted(len(operations), 'operation')}, {counted(keys, 'key')}: {words}"
    )


def facts(judgement: Judgement) -> Iterator[str]:
    """What was judged, and how."""
    if not judgement.history.operations:
        return
    fates = judgement.history.fates()
    yield (
        f"{judgement.history.format}, model {judgement.model.name}: {fates[Fate.OK]:,} ok,"
        f" {fates[Fate.FAIL]:,} failed, {fates[Fate.UNKNOWN]:,} of unknown fate;"
        f" {counted(judgement.steps, 'step')} of search"
    )


def _bad(judgement: Judgement, judged: Judged, small: Judged) -> Iterator[str]:
    yield f"{place_words(judged.place, judgement)}not linearizable ({WAYS[judged.way]})"
    stuck = judged.stuck
    if stuck is not None:
        yield (
            f"  {counted(len(judged.order), 'operation')} of {len(judged.part):,} can be put in"
            f" order; then the value is {value_words(judged.state)}, and this cannot be:"
        )
        yield f"    {operation_words(stuck)}"
    if len(small.part) < len(judged.part) or len(small.part) <= SMALL_MAX:
        count = len(small.part)
        some = (
            "this operation alone has" if count == 1 else f"these {count:,} operations alone have"
        )
        yield f"  {some} no order:"
        shown = small.part.operations[:SMALL_MAX]
        for each in shown:
            mark = "✗" if each == small.stuck else " "
            yield f"  {mark} {operation_words(each)}"
        if len(small.part) > len(shown):
            yield f"    and {len(small.part) - len(shown):,} more"


def _open(screen: Screen, judgement: Judgement) -> None:
    """Keys without a verdict, where a limit is the reason."""
    if judgement.verdict is Verdict.NOT_LINEARIZABLE:
        others = sum(each.way is Way.STOPPED for each in judgement.keys)
        if others:
            screen.line()
            screen.line(f"{counted(others, 'other key')} not judged; --all-keys judges them too")
        return
    undecided = [each for each in judgement.keys if each.verdict is Verdict.UNKNOWN]
    for judged in undecided[:KEYS_MAX]:
        screen.line(
            f"  {place_words(judged.place, judgement)}{len(judged.order):,} of"
            f" {counted(len(judged.part), 'operation')} in order after"
            f" {counted(judged.steps, 'step')}: {WAYS[judged.way]}"
        )
    if len(undecided) > KEYS_MAX:
        screen.line(f"  and {counted(len(undecided) - KEYS_MAX, 'more key')}")


def place_words(place: Place, judgement: Judgement) -> str:
    """`group g1, key "x": `, as far as the history has several of them."""
    group, key = place
    parts = [f"group {printable(group)}"] if group else []
    places = {each.place for each in judgement.history.operations}
    if key or len(places) > 1:
        parts.append(f"key {quoted(key, width_max=VALUE_WIDTH)}")
    return ", ".join(parts) + ": " if parts else ""


def value_words(value: object) -> str:
    """A value in quotes, or `nothing`; of several keys, those that are there."""
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return f"one of {counted(len(value), 'key')}"
    assert isinstance(value, bytes), "a state is a value, or several"
    if len(value) <= VALUE_WIDTH:
        return quoted(value)
    return f"…{quoted(value[-VALUE_WIDTH + FROM_END :])} ({counted(len(value), 'byte')})"


def operation_words(operation: Operation) -> str:
    """`client 4 put "c4-17": ok [2,700,000, 2,750,110]`."""
    end = "…" if operation.end is None else f"{operation.end:,}"
    index = "" if operation.index is None else f", index {operation.index:,}"
    return (
        f"client {printable(operation.client)} {asked_words(operation)}"
        f" [{operation.call:,}, {end}]{index}"
    )


def asked_words(operation: Operation) -> str:
    """What was asked, and what became of it."""
    function, fate = operation.function, operation.fate
    if function.is_read:
        return f"{function} → {value_words(operation.output) if fate is Fate.OK else fate}"
    asked = f"{function} {value_words(operation.value)}"
    if function is Function.CAS:
        asked = f"{function} {value_words(operation.expected)} → {value_words(operation.value)}"
    if function is Function.DELETE:
        asked = f"{function}"
    told = {Fate.OK: "ok", Fate.UNKNOWN: "fate unknown", Fate.FAIL: "refused"}[fate]
    return f"{asked}: {'something else was there' if operation.is_mismatch else told}"


def document(checked: Checked) -> dict[str, object]:
    """What `-o json` prints."""
    judgement = checked.judgement
    fates = judgement.history.fates()
    return {
        "v": 1,
        "verdict": checked.verdict,
        "path": printable(checked.name),
        "format": judgement.history.format or None,
        "model": judgement.model.name,
        "operations": {
            "count": len(judgement.history.operations),
            **{fate.value: fates[fate] for fate in Fate},
        },
        "steps": judgement.steps,
        "keys": [_key(judged, checked) for judged in judgement.keys],
        "from_clients": judgement.verdict,
        "with_logs": None if checked.logs is None else _logs_document(checked, checked.logs),
    }


def _logs_document(checked: Checked, both: WithLogs) -> dict[str, object]:
    settled = both.settled
    return {
        "verdict": both.verdict,
        "found": settled.found,
        "absent": settled.absent,
        "left": settled.left,
        "foreign": settled.foreign,
        "contradictions": [
            {
                "code": each.doubt,
                "operation": row(each.operation),
                "index": each.index,
                "other": None if each.other is None else row(each.other),
            }
            for each in settled.contradictions
        ],
        "bad": [
            {
                "group": printable(each.place[0]) or None,
                "key": blob(each.place[1]),
                "stuck": None if each.stuck is None else row(each.stuck),
            }
            for each in both.judgement.bad
        ],
        "groups": [
            {
                "group": each.group,
                "first": each.log.first,
                "last": each.log.last,
                "nodes": list(each.nodes),
                "alike": each.are_alike,
                "parted": [list(parted) for parted in each.parted],
                "digest_index": each.digest_index,
                "digests": dict(each.digests or {}),
            }
            for each in checked.groups
        ],
    }


def _key(judged: Judged, checked: Checked) -> dict[str, object]:
    group, key = judged.place
    found: dict[str, object] = {
        "group": printable(group) or None,
        "key": blob(key),
        "verdict": judged.verdict,
        "way": judged.way,
        "operations": len(judged.part),
        "steps": judged.steps,
        "placed": len(judged.order),
    }
    if judged.verdict is Verdict.NOT_LINEARIZABLE:
        small = checked.small_of(judged)
        found |= {
            "order": [each.number for each in judged.order],
            "stuck": None if judged.stuck is None else row(judged.stuck),
            "state": _state(judged),
            "contradiction": rows(small.part.operations),
        }
    return found


def _state(judged: Judged) -> object:
    state = judged.state
    if isinstance(state, tuple):
        return [blob(each) for each in state]
    return blob(state) if isinstance(state, bytes) else None


def rows(operations: Iterable[Operation]) -> list[dict[str, object]]:
    """Operations as objects."""
    return [row(each) for each in operations]


def row(operation: Operation) -> dict[str, object]:
    """One operation as an object."""
    return {
        "number": operation.number,
        "client": printable(operation.client),
        "function": operation.function,
        "key": blob(operation.key),
        "value": blob(operation.value),
        "expected": blob(operation.expected),
        "output": blob(operation.output),
        "fate": operation.fate,
        "mismatch": operation.is_mismatch,
        "call": operation.call,
        "end": operation.end,
        "index": operation.index,
    }


def blob(data: Value) -> dict[str, str] | None:
    """Bytes in base64, with their text beside where it can be printed."""
    if data is None:
        return None
    found = {"data": b64encode(data).decode()}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return found
    return {**found, "text": text} if text.isprintable() else found

"""What a space-time picture says: its title, what is left out of it, labels, and one line an event.

Plain text that nobody has escaped yet: whoever draws it does (`printable`, and then XML).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from walctl.cluster.events import EventKind
from walctl.cluster.quantities import show_duration
from walctl.render.text import counted, index_range
from walctl.sim.diagram import CLIENTS_MAX
from walctl.sim.diagram_shapes import Arrow, Bar, Course, Diagram
from walctl.sim.diagram_state import Look, Stand
from walctl.sim.trace_cut import MARKS_MAX, MESSAGES_MAX, Fold
from walctl.sim.trace_file import Event, name_of

US: Final = 1_000_000
_SAID: Final = frozenset({"i", "t", "n", "g", "c", "k"})
_COURSES: Final[Mapping[Course, str]] = {
    Course.ARRIVED: "",
    Course.DROPPED: "lost",
    Course.AGAIN: "arrives once more",
    Course.LEAVING: "on its way when the picture ends",
    Course.ENTERING: "sent before the picture begins",
}
_VALUE_CHARS: Final = 200
_LINE_CHARS: Final = 600


def title(made: Diagram) -> str:
    """What the run was."""
    header = made.cut.header
    parts = [header.scenario or {"sim": "simulated run"}.get(header.engine, "lab")]
    if header.seed is not None:
        parts.append(f"seed {header.seed}")
    parts.append(f"engine {header.engine}")
    parts.append(f"walctl {header.tool}")
    return ", ".join(parts)


def facts(made: Diagram) -> Iterator[str]:
    """What is drawn, and what is not."""
    cut, seen = made.cut, made.cut.survey
    times = [each.time_us for each in made.moments]
    count = counted(len(cut.lanes), "node") if all(x.group is None for x in cut.lanes) else ""
    count = count or counted(len(cut.lanes), "member")
    span = f"{seconds(times[0])} to {seconds(times[-1])} s" if times else "no events"
    whole = f"{counted(seen.events, 'event')}, {counted(seen.messages, 'message')}"
    if not cut.is_cut_before and not cut.is_cut_after:
        yield f"All of the trace: {whole}, {count}, {span}."
    else:
        around = f" around {seen.around}" if seen.around is not None else " from its beginning"
        window = f", {show_duration(cut.window_us)} each way" if cut.window_us is not None else ""
        yield (
            f"A part of the trace{around}{window}: {span}, {count},"
            f" {counted(cut.messages, 'message')}; the whole has {whole}."
        )
        if cut.messages >= MESSAGES_MAX * 0.7 or cut.window_us is None:
            yield (
                f"At most {MESSAGES_MAX:,} messages and {MARKS_MAX:,} other events are drawn:"
                " --around and --window show another part."
            )
    if cut.folded:
        yield f"{counted(cut.folded, 'heartbeat')} folded: ×N stands for N of them, with answers."
    if len(cut.lanes) < len(seen.lanes):
        left = ", ".join(str(each) for each in seen.lanes if each not in cut.lanes)
        yield f"Left out, with their messages: {left}."
    if made.clients_left:
        left = counted(made.clients_left, "more client")
        yield f"{left} not drawn: there is room for {CLIENTS_MAX}."
    if cut.is_torn:
        yield "The trace's last line is half written, and left out."


def violations(made: Diagram) -> Iterator[str]:
    """What was violated, in words."""
    for each in made.instants:
        if each.is_violation:
            yield violation(each.event)


def violation(event: Event) -> str:
    """One of them."""
    fields = event.fields
    words = fields.get("words")
    told = [str(fields.get("id", "violation"))]
    if isinstance(words, str) and words:
        told.append(words)
    else:
        told += _rest(event, but=frozenset({"id", "words"}))
    return ": ".join((told[0], "  ".join(told[1:]))) if len(told) > 1 else told[0]


def seconds(time_us: int) -> str:
    """`1.203145`."""
    return f"{time_us // US}.{time_us % US:06}"


def stand_words(stand: Stand) -> str:
    """`leader, term 3`."""
    role = {Look.DOWN: "not running", Look.UNKNOWN: "running, role not told"}.get(stand.look)
    term = "" if stand.term is None else f", term {stand.term}"
    return f"{role or stand.look}{term}{', paused' if stand.is_paused else ''}"


def told(event: Event) -> str:
    """One event with all that it says: `1.203145 s · event 7 · n1 role: to candidate, term 1`."""
    who = event.node or event.client or ""
    if event.group is not None:
        who = f"{who}/{event.group}" if who else event.group
    rest = ", ".join(_rest(event))
    head = f"{seconds(event.time_us)} s · event {event.number:,} · {who} {event.kind}"
    line = f"{head}: {rest}" if rest else head
    return line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…"


def message_told(arrow: Arrow) -> str:
    """A message from its sending to its end."""
    lines = [told(each) for each in (arrow.sent, arrow.ended) if each is not None]
    if words := _COURSES[arrow.course]:
        lines.append(words)
    elif arrow.sent is not None and arrow.ended is not None:
        lines.append(f"{_duration(arrow.ended.time_us - arrow.sent.time_us)} on its way")
    return "\n".join(lines)


def message_label(arrow: Arrow) -> str:
    """`MsgApp 4`: the type, with its index; `MsgVote t3`; of a loss, why."""
    sent, ended = arrow.sent, arrow.ended
    if sent is None:
        if ended is None or arrow.course is not Course.DROPPED:
            return ""
        return f"×{ended.fields.get('count', 1)} {ended.fields.get('why', '')}".rstrip()
    name = str(sent.fields.get("y", "message"))
    index, term = sent.fields.get("idx"), sent.fields.get("term")
    if "Vote" in name and isinstance(term, int):
        name += f" t{term}"
    elif isinstance(index, int) and index:
        name += f" {index}"
    if sent.fields.get("reject"):
        name += " no"
    if arrow.course is Course.DROPPED and ended is not None and ended.fields.get("why"):
        name += f": {ended.fields['why']}"
    return name


def fold_label(fold: Fold) -> str:
    """`×212`, and how many of them were lost."""
    return f"×{fold.count}" + (f", {fold.dropped} lost" if fold.dropped else "")


def fold_told(fold: Fold) -> str:
    """The same in words."""
    return (
        f"{counted(fold.count, 'heartbeat')} and answers between {fold.source} and {fold.target},"
        f" {seconds(fold.time_us)} to {seconds(fold.last_us)} s"
        + (f"; {fold.dropped} lost" if fold.dropped else "")
    )


def mark_label(events: list[Event]) -> str:
    """What happened in a lane at one time, in a few words: `leader t3 · append 4–6 · commit 3`."""
    kinds = {each.kind for each in events}
    parts: list[str] = []
    for event in events:
        is_said = (event.kind is EventKind.TERM and EventKind.ROLE in kinds) or (
            event.kind is EventKind.APPLY and EventKind.COMMIT in kinds
        )
        if not is_said:
            parts.append(_label(event))
    return " · ".join(parts)


def _label(event: Event) -> str:
    fields = event.fields
    number = fields.get
    match event.kind:
        case EventKind.ROLE:
            term = number("term")
            return f"{number('to', 'role')}" + ("" if term is None else f" t{term}")
        case EventKind.TERM:
            return f"t{number('term', '?')}"
        case EventKind.VOTE:
            return f"votes {name_of(number('for')) or '?'} t{number('term', '?')}"
        case EventKind.APPEND:
            return f"append {_range(fields)}"
        case EventKind.APPLY:
            return f"apply {_range(fields)}"
        case EventKind.COMMIT | EventKind.PROPOSE:
            return f"{event.kind} {number('idx', '?')}"
        case EventKind.SNAP_MAKE | EventKind.SNAP_RECV | EventKind.SNAP_SEND:
            verb = {"make": "makes", "recv": "takes", "send": "sends"}[event.kind.value[5:]]
            return f"{verb} snapshot {number('idx', number('index', '?'))}"
        case EventKind.CONF:
            return f"conf {_conf(fields)}"
        case EventKind.CRASH:
            mode = number("mode")
            return f"✕ crash{'' if mode in (None, 'clean') else f' {mode}'}"
        case EventKind.FSERR:
            return f"✕ disk error {number('f', '')}".rstrip()
        case EventKind.FAULT | EventKind.HEAL:
            return fault_label(event)
        case EventKind.NOTE:
            return str(number("words") or number("what") or "note")
    return " ".join(
        [str(event.kind), *(_text(fields[each]) for each in ("words",) if each in fields)]
    )


def fault_label(event: Event) -> str:
    """`cut n1->n2`, `disk slow-fsync, delay 200ms`: in the words of whoever did it, if they are
    there."""
    fields = event.fields
    on = str(fields.get("on", event.kind))
    args = fields.get("args")
    if not isinstance(args, dict):
        return on if event.kind is EventKind.FAULT else f"{on}: well"
    words = args.get("words")
    if isinstance(words, str) and words:
        return words
    parts = [str(args["kind"])] if "kind" in args else []
    for name, value in args.items():
        if name in ("kind", "node", "g") or value is None:
            continue
        if name == "links" and isinstance(value, list):
            parts.append(" ".join(_text(each) for each in value))
        elif name.endswith("_us") and isinstance(value, int):
            parts.append(f"{name.removesuffix('_us').replace('_', ' ')} {_duration(value)}")
        else:
            parts.append(f"{name} {_text(value)}")
    return " ".join([on, *parts]) + ("" if event.kind is EventKind.FAULT else ": well")


def bar_label(bar: Bar) -> str:
    """`put x=c4-17`, `get x → 17`."""
    asked, ended = bar.asked, bar.ended
    if asked is None:
        return ""
    fields = asked.fields
    label = f"{fields.get('f', 'asks')} {_value(fields, 'key') or ''}".rstrip()
    value = _value(fields, "v")
    if value is not None:
        label += f"={value}"
    if ended is not None:
        answer = _value(ended.fields, "v")
        if fields.get("f") == "get" and ended.kind is EventKind.OK:
            label += f" → {'nothing' if answer is None else answer}"
        elif ended.kind is not EventKind.OK:
            label += f" {'failed' if ended.kind is EventKind.FAIL else '?'}"
    return label


def bar_told(bar: Bar) -> str:
    """A request from its call to its end."""
    lines = [told(each) for each in (bar.asked, bar.ended) if each is not None]
    if bar.ended is None:
        lines.append("no end in the picture")
    elif bar.asked is not None:
        lines.append(f"{_duration(bar.ended.time_us - bar.asked.time_us)}")
    return "\n".join(lines)


def _duration(value_us: int) -> str:
    """To three digits behind the point at most: `1.204 ms`."""
    if value_us >= US:
        return f"{value_us / US:.3f} s"
    return f"{value_us / 1000:.3f} ms" if value_us >= 1000 else f"{value_us} µs"


def silence_words(silence_us: int) -> str:
    """`+1.2 s`."""
    if silence_us >= US:
        return f"+{silence_us / US:.1f} s"
    return f"+{silence_us // 1000} ms"


def _range(fields: Mapping[str, Any]) -> str:
    first, last = fields.get("first"), fields.get("last")
    return index_range(
        first if isinstance(first, int) else None, last if isinstance(last, int) else None
    )


def _conf(fields: Mapping[str, Any]) -> str:
    voters = fields.get("voters")
    if isinstance(voters, list):
        names = [name_of(each) or _text(each) for each in voters]
        learners = fields.get("learners")
        more = (
            [f"({name_of(each) or _text(each)})" for each in learners or ()]
            if isinstance(learners, list | None)
            else []
        )
        outgoing = " joint" if fields.get("outgoing") else ""
        return " ".join([*names, *more]) + outgoing
    return " ".join(str(fields[each]) for each in ("what", "node") if each in fields)


def _rest(event: Event, *, but: frozenset[str] = frozenset()) -> Iterator[str]:
    for name, value in event.fields.items():
        if name not in _SAID and name not in but:
            yield f"{name} {_text(value)}"


def _value(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name, fields.get(f"{name}64"))
    return None if value is None else _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        shown = value
    else:
        try:
            shown = json.dumps(value, ensure_ascii=False)
        except RecursionError:
            shown = "…"
    return shown if len(shown) <= _VALUE_CHARS else f"{shown[:_VALUE_CHARS]}…"

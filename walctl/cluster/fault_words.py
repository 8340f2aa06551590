"""Words about processes, disks, directories and clocks of nodes into deeds: `kill`, `disk`, ….

    kill NODE [mode=torn]                                    its power goes; see `CrashMode`
         [call=3] [keep=0,1|none]                            before the third change of its disk
                                                             from now; of what was not synced these
                                                             pieces survive: simulator alone
    pause · resume · restart · start · stop NODE
    disk NODE flip [group=G] [file=F] [offset=N] [bit=N]     the node is stopped; what is not said
         zero [group= file= offset=] [size=4096]             is drawn
         truncate [N | to=N] [group= file=]                  N bytes off the end, or end at N
         drop [group= file=]                                 a whole segment is gone
         latent [group= file= offset=] [size=4096]           reading that fails; simulator alone
         stale [group= file= offset=] [size=4096]            it is as it was before; the same
    disk NODE slow-fsync 200ms [count=N] [group=G]           the node runs
         fail-fsync [count=N] · eio [count=N] · full [64KiB] · lie
         misdirect [count=N]                                 a write lands in another file; the
         off · KIND off                                      simulator alone
    clock NODE rate 50% · rate 0.5 · jump +3s · off
    wipe NODE [group=G] · keep NODE [NAME] · rewind NODE [NAME] [group=G]
                                                             [part=wal|snap]: simulator alone

Pure: words in, deeds out.
"""

import re
from collections.abc import Sequence
from typing import Final

from walctl.cluster.deeds import (
    NONE,
    OFF,
    Clock,
    Damage,
    Directories,
    DiskOff,
    DiskOn,
    Process,
)
from walctl.cluster.faults import CrashMode, DiskFault, DiskFaultKind
from walctl.cluster.quantities import parse_duration
from walctl.cluster.word_parts import (
    choice_of,
    demand_none,
    node_of,
    number_of,
    options_of,
    size_of,
    taken,
)
from walctl.errors import UsageError

DAMAGES: Final = ("flip", "zero", "truncate", "drop", "latent", "stale")
SIMULATED_DAMAGES: Final = ("latent", "stale")
"""What no real disk does on command."""
PARTS: Final = ("wal", "snap")
"""What of a directory may be rewound alone."""
KINDS: Final = tuple(str(kind) for kind in DiskFaultKind)
RATE_PERCENT_MAX: Final = 10_000
_FACTOR: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?")
_PERCENT: Final = re.compile(r"([0-9]{1,5})%")


def disk(words: Sequence[str]) -> DiskOn | DiskOff | Damage:
    """`NODE WHAT …`. Raises: UsageError."""
    if len(words) < 2:
        raise UsageError(f"expected disk NODE {'|'.join((*DAMAGES, *KINDS, OFF))}")
    node, what, *rest = node_of(words[0]), *words[1:]
    choice_of(what, (*DAMAGES, *KINDS, OFF), "what to do to a disk")
    if what in DAMAGES:
        return _damage(node, what, rest)
    if what == OFF:
        demand_none(rest, command="disk off")
        return DiskOff(node=node)
    kind = DiskFaultKind(what)
    if rest == [OFF]:
        return DiskOff(node=node, kind=kind)
    return DiskOn(node=node, fault=_fault(kind, rest))


def process(verb: str, words: Sequence[str]) -> Process:
    """`NODE [mode=torn] [call=3] [keep=0,1]`; only a kill takes more than the node.

    Raises: UsageError.
    """
    plain, options = options_of(words, ("mode", "call", "keep"), command=verb)
    (node,) = taken(plain, 1, usage=f"{verb} NODE")
    if options and verb != "kill":
        raise UsageError(f"{verb}: expected no {next(iter(options))}=; kill takes one")
    mode = CrashMode.CLEAN
    if "mode" in options:
        mode = CrashMode(choice_of(options["mode"], list(CrashMode), "a mode"))
    call = number_of(options["call"], "call=N") if "call" in options else None
    if call == 0:
        raise UsageError("expected call=N from 1 on, found 0")
    keep = _kept(options["keep"]) if "keep" in options else None
    return Process(verb=verb, node=node_of(node), mode=mode, call=call, keep=keep)


def _kept(word: str) -> tuple[int, ...]:
    """Positions that rise."""
    usage = f"keep=0,1,2 that rise, or keep={NONE}"
    kept = () if word == NONE else tuple(number_of(each, usage) for each in word.split(","))
    if list(kept) != sorted(set(kept)):
        raise UsageError(f"expected {usage}, found {word!r}")
    return kept


def clock(words: Sequence[str]) -> Clock:
    """`NODE rate R`, `NODE jump +D` or `NODE off`. Raises: UsageError."""
    usage = "clock NODE rate 50% | jump +3s | off"
    if len(words) < 2:
        raise UsageError(f"expected {usage}")
    node, what, *rest = node_of(words[0]), *words[1:]
    match what, rest:
        case "off", []:
            return Clock(node=node)
        case "rate", [rate]:
            return Clock(node=node, rate_percent=_rate(rate))
        case "jump", [jump] if jump.startswith("+"):
            return Clock(node=node, jump_us=parse_duration(jump[1:]))
    raise UsageError(
        f"expected {usage}, found {' '.join(words[1:])!r}; a clock of ours never goes back"
    )


def directories(verb: str, words: Sequence[str]) -> Directories:
    """`wipe`, `keep` or `rewind` with its words. Raises: UsageError."""
    names = {"wipe": ("group",), "keep": ("group", "to")}.get(verb, ("group", "to", "part"))
    plain, options = options_of(words, names, command=verb)
    if not plain:
        raise UsageError(f"expected {verb} NODE")
    node, *rest = plain
    name = options.get("to") or (rest.pop(0) if rest and verb != "wipe" else None)
    demand_none(rest, command=verb)
    if verb == "keep" and "group" in options:
        raise UsageError("keep: copies all groups of a node; rewind takes group=")
    part = choice_of(options["part"], PARTS, "a part") if "part" in options else None
    group = options.get("group")
    return Directories(verb=verb, node=node_of(node), name=name, group=group, part=part)


def _fault(kind: DiskFaultKind, words: Sequence[str]) -> DiskFault:
    plain, options = options_of(words, ("count", "group"), command=f"disk {kind}")
    count = number_of(options["count"], "count=N") if "count" in options else None
    if count == 0:
        raise UsageError("expected count=N from 1 on, found 0")
    group = options.get("group")
    match kind:
        case DiskFaultKind.SLOW_SYNC:
            (delay,) = taken(plain, 1, usage="slow-fsync 200ms")
            delay_us = parse_duration(delay)
            return DiskFault(kind=kind, delay_us=delay_us, count=count, group=group)
        case DiskFaultKind.FULL:
            demand_none(plain[1:], command="disk full")
            left = size_of(plain[0], "what is left") if plain else 0
            if count is not None:
                raise UsageError("disk full: expected no count=, for room is what it counts")
            return DiskFault(kind=kind, bytes_left=left, group=group)
        case DiskFaultKind.LYING_SYNC if count is not None:
            raise UsageError("disk lie: expected no count=; off ends it")
    demand_none(plain, command=f"disk {kind}")
    return DiskFault(kind=kind, count=count, group=group)


def _damage(node: str, verb: str, words: Sequence[str]) -> Damage:
    names = {
        "flip": ("group", "file", "offset", "bit"),
        "zero": ("group", "file", "offset", "size"),
        "truncate": ("group", "file", "to"),
        "drop": ("group", "file"),
        "latent": ("group", "file", "offset", "size"),
        "stale": ("group", "file", "offset", "size"),
    }[verb]
    plain, options = options_of(words, names, command=f"disk {verb}")
    count = None
    if verb == "truncate" and plain and "to" not in options:
        count = size_of(plain.pop(0), "what to cut off")
    demand_none(plain, command=f"disk {verb}")
    numbers = {
        name: number_of(options[name], f"{name}=N") for name in ("offset", "bit") if name in options
    }
    end = options.get("size", options.get("to"))
    if numbers.get("bit", 0) > 7:
        raise UsageError(f"expected bit=0 to 7, found {numbers['bit']}")
    return Damage(
        verb=verb,
        node=node,
        group=options.get("group"),
        file=options.get("file"),
        offset=numbers.get("offset"),
        bit=numbers.get("bit"),
        size=None if end is None else size_of(end, "a size"),
        count=count,
    )


def _rate(word: str) -> int:
    """Percent of the right speed, of `50%` or `0.5`."""
    found = _PERCENT.fullmatch(word)
    factor = _FACTOR.fullmatch(word)
    if found is not None:
        rate = int(found[1])
    elif factor is not None:
        rate = int(factor[1]) * 100 + int((factor[2] or "0").ljust(2, "0"))
    else:
        raise UsageError(f"expected a rate like 50% or 0.5, found {word!r}")
    if not 1 <= rate <= RATE_PERCENT_MAX:
        raise UsageError(f"expected a rate of 1% to {RATE_PERCENT_MAX}%, found {word!r}")
    return rate

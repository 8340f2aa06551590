"""Words for what the simulator alone can do, into deeds.

    cluster N … seed=0x2f          of all that is drawn; 0 to 0xffffffffffffffff
              budget=on|off        off: more may go wrong than a cluster survives
              net=1ms±500us        how long a message is under way
              sync=500us±200us     how long a disk takes to sync
              segment=16KiB        where a log begins a new file
              catch-up=N           entries that are kept behind a snapshot
              message=1MiB         entries in one append, at least one of them
    message n1->n2 MsgApp term=3 nth=2 drop|dup|late=30ms|again=2s [group=g1]
                                   again: it comes as it should, and once more so much later;
                                   nth=+2: the second from now on
    group move g2 from=n1 to=n4 steps=3
                                   whoever moves it dies once three steps are done
    repair NODE [from=n2,n3] [force] [group=g1]
    twin NODE as=n9                a copy of its directories runs under the same identity; to links
                                   it is a node of its own
    converge [n1,n2]               faults are over, and all has to be well within a bound

Pure: words in, deeds out.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

from walctl.cluster.deeds import Converge, Lot, OneMessage, Repair, Twin
from walctl.cluster.faults import CrashMode, LinkFault
from walctl.cluster.quantities import parse_duration, parse_spread
from walctl.cluster.word_parts import (
    choice_of,
    demand_none,
    message_of,
    node_of,
    nodes_of,
    number_of,
    options_of,
    size_of,
    taken,
)
from walctl.errors import UsageError

OF_CLUSTER: Final = ("seed", "budget", "net", "sync", "segment", "catch-up", "message")
SEED_MAX: Final = (1 << 64) - 1
SEGMENT_BYTES_MIN: Final = 4096
_TIMED: Final = ("late", "again")


class OfCluster(TypedDict, total=False):
    """The fields of `MakeCluster` that are told by these words."""

    seed: int
    is_unbounded: bool
    link: LinkFault
    sync_us: int
    sync_jitter_us: int
    segment_bytes: int
    catch_up_entries: int
    message_bytes: int


def of_cluster(options: Mapping[str, str]) -> OfCluster:
    """What `cluster` is told for the simulator. Raises: UsageError."""
    found: OfCluster = {}
    if "seed" in options:
        found["seed"] = seed_of(options["seed"])
    if "budget" in options:
        found["is_unbounded"] = choice_of(options["budget"], ("on", "off"), "on or off") == "off"
    if "net" in options:
        delay_us, jitter_us = parse_spread(options["net"])
        found["link"] = LinkFault(delay_us=delay_us, jitter_us=jitter_us)
    if "sync" in options:
        found["sync_us"], found["sync_jitter_us"] = parse_spread(options["sync"])
    if "segment" in options:
        size = size_of(options["segment"], "segment=SIZE")
        if size < SEGMENT_BYTES_MIN:
            raise UsageError(f"expected segment= from {SEGMENT_BYTES_MIN} bytes on, found {size}")
        found["segment_bytes"] = size
    if "catch-up" in options:
        found["catch_up_entries"] = number_of(options["catch-up"], "catch-up=N")
    if "message" in options:
        found["message_bytes"] = size_of(options["message"], "message=SIZE")
        if not found["message_bytes"]:
            raise UsageError("expected message= from 1 byte on, found 0")
    return found


def seed_of(word: str) -> int:
    """A seed, in decimal or as `0x2f`. Raises: UsageError."""
    digits, base = (word[2:], 16) if word.startswith("0x") else (word, 10)
    try:
        seed = int(digits, base) if digits.isascii() and digits.isalnum() else -1
    except ValueError:
        seed = -1
    if not 0 <= seed <= SEED_MAX:
        raise UsageError(f"expected a seed of 0 to {SEED_MAX:#x}, found {word!r}")
    return seed


def message(words: Sequence[str]) -> OneMessage:
    """`n1->n2 MsgApp term=3 nth=2 drop`. Raises: UsageError."""
    plain, options = options_of(words, ("term", "nth", *_TIMED, "group"), command="message")
    timed = [each for each in _TIMED if each in options]
    usage = "message n1->n2 MsgApp term=3 nth=2 drop|dup|late=30ms|again=2s"
    if len(timed) > 1:
        raise UsageError(f"expected {usage}, found late= and again=")
    link, type_, *lots = taken(plain, 2 if timed else 3, usage=usage)
    if "term" not in options or "nth" not in options:
        raise UsageError(f"expected {usage}, found no {'nth' if 'term' in options else 'term'}=")
    source, arrow, target = link.partition("->")
    if not arrow or node_of(source) == node_of(target):
        raise UsageError(f"expected a link between two nodes, as n1->n2, found {link!r}")
    is_from_now = options["nth"].startswith("+")
    nth = number_of(options["nth"].removeprefix("+"), "nth=N")
    if nth == 0:
        raise UsageError("expected nth=N from 1 on, found 0")
    words = "drop, dup, late= or again="
    lot = Lot(timed[0] if timed else choice_of(lots[0], (Lot.DROP, Lot.DOUBLE), words))
    return OneMessage(
        source=node_of(source),
        target=node_of(target),
        type=message_of(type_),
        term=number_of(options["term"], "term=N"),
        nth=nth,
        lot=lot,
        late_us=parse_duration(options[timed[0]]) if timed else 0,
        group=options.get("group"),
        is_from_now=is_from_now,
    )


def repair(words: Sequence[str]) -> Repair:
    """`n1 [from=n2,n3] [force] [mode=torn] [call=7]`. Raises: UsageError."""
    plain, options = options_of(words, ("from", "group", "mode", "call"), command="repair")
    is_forced = plain[1:] == ["force"]
    (node,) = taken(plain[:1] if is_forced else plain, 1, usage="repair NODE [from=n2,n3] [force]")
    sources = nodes_of(options["from"]) if "from" in options else ()
    if node_of(node) in sources:
        raise UsageError(f"repair: expected other nodes than {node_of(node)} in from=")
    mode = CrashMode.CLEAN
    if "mode" in options:
        mode = CrashMode(choice_of(options["mode"], list(CrashMode), "a mode"))
    call = number_of(options["call"], "call=N") if "call" in options else None
    if call == 0 or ("mode" in options and call is None):
        raise UsageError("repair: expected call=N from 1 on, which mode= goes with")
    return Repair(
        node=node_of(node),
        sources=sources,
        group=options.get("group"),
        is_forced=is_forced,
        mode=mode,
        call=call,
    )


def twin(words: Sequence[str]) -> Twin:
    """`n1 as=n9`. Raises: UsageError."""
    plain, options = options_of(words, ("as",), command="twin")
    (node,) = taken(plain, 1, usage="twin NODE as=n9")
    if "as" not in options:
        raise UsageError("expected twin NODE as=n9, found no as=")
    return Twin(node=node_of(node), name=node_of(options["as"]))


def converge(words: Sequence[str]) -> Converge:
    """`[n1,n2]`. Raises: UsageError."""
    demand_none(words[1:], command="converge")
    return Converge(nodes=nodes_of(words[0]) if words else ())

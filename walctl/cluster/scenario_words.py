"""The commands of scenarios, by their first word: what the words behind it mean. See `scenario`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from walctl.cluster import fault_words, topology
from walctl.cluster.claim_words import claim
from walctl.cluster.deeds import (
    Ask,
    Deed,
    Expect,
    GroupVerb,
    Load,
    MakeCluster,
    MemberVerb,
    Net,
    Process,
    Propose,
    RaftVerb,
    Run,
    Stabilize,
)
from walctl.cluster.faults import CrashMode
from walctl.cluster.quantities import parse_duration
from walctl.cluster.word_parts import (
    choice_of,
    demand_none,
    node_of,
    nodes_in,
    number_of,
    options_of,
    taken,
)
from walctl.errors import UsageError

ENGINES: Final = ("walctl", "etcd", "sim")
NODES_MAX: Final = 99
TICK_US: Final = 100_000
_WHERE: Final = ("via", "group")


def _cluster(words: Sequence[str]) -> MakeCluster:
    names = (
        "groups", "engine", "tick", "election", "snapshot-count", "prevote", "checkquorum", "check",
    )  # fmt: skip
    plain, options = options_of(words, names, command="cluster")
    (count,) = taken(plain, 1, usage="cluster N")
    nodes = number_of(count, "how many nodes")
    if not 1 <= nodes <= NODES_MAX:
        raise UsageError(f"expected 1 to {NODES_MAX} nodes, found {nodes}")
    tick_us = parse_duration(options["tick"]) if "tick" in options else None
    election_us = parse_duration(options["election"]) if "election" in options else None
    if tick_us is not None and (tick_us % 1000 or not tick_us):
        raise UsageError(f"expected whole milliseconds for tick=, found {options['tick']!r}")
    engine = options.get("engine")
    counted = options.get("snapshot-count")
    election = None if election_us is None else max(2, round(election_us / (tick_us or TICK_US)))
    return MakeCluster(
        nodes=nodes,
        groups=tuple(options.get("groups", "g1").split(",")),
        engine=None if engine is None else choice_of(engine, ENGINES, "an engine"),
        tick_ms=None if tick_us is None else tick_us // 1000,
        election_ticks=election,
        snapshot_count=None if counted is None else number_of(counted, "snapshot-count=N"),
        pre_vote=_switch(options.get("prevote")),
        check_quorum=_switch(options.get("checkquorum")),
        checks=tuple(filter(None, options.get("check", "").split(","))),
        words=_line("cluster", words),
    )


def _switch(word: str | None) -> bool | None:
    return None if word is None else choice_of(word, ("on", "off"), "on or off") == "on"


def net(words: Sequence[str]) -> Net:
    """Words about links; what they mean among certain nodes is `topology`'s. Raises: UsageError."""
    if not words or words[0] not in topology.VERBS:
        found = words[0] if words else "nothing"
        raise UsageError(f"expected one of {', '.join(topology.VERBS)}, found {found!r}")
    return _net(words[0], words[1:])


def _net(verb: str, words: Sequence[str]) -> Net:
    plain, options = options_of(words, ("type",), command=verb)
    types = tuple(filter(None, options.get("type", "").split(",")))
    return Net(verb=verb, rest=tuple(nodes_in(word) for word in plain), types=types)


def _process(verb: str, words: Sequence[str]) -> Process:
    plain, options = options_of(words, ("mode",), command=verb)
    (node,) = taken(plain, 1, usage=f"{verb} NODE")
    mode = CrashMode.CLEAN
    if "mode" in options:
        if verb != "kill":
            raise UsageError(f"{verb}: expected no mode=; kill takes one")
        mode = CrashMode(choice_of(options["mode"], list(CrashMode), "a mode"))
    return Process(verb=verb, node=node_of(node), mode=mode)


def _ask(verb: str, words: Sequence[str]) -> Ask:
    plain, options = options_of(words, _WHERE, command=verb)
    if verb == "put" and len(plain) == 1 and "=" in plain[0]:
        plain = list(plain[0].partition("=")[::2])
    usage = {"put": "put K V", "get": "get K", "del": "del K", "cas": "cas K OLD NEW"}[verb]
    key, *values = taken(plain, len(usage.split()) - 1, usage=usage)
    expected = values[0] if verb == "cas" and values[0] != "-" else None
    return Ask(
        verb=verb,
        key=key,
        value=values[-1] if values else None,
        expected=expected,
        via=node_of(options["via"]) if "via" in options else None,
        group=options.get("group"),
        words=_line(verb, words),
    )


def _propose(words: Sequence[str]) -> Propose:
    plain, options = options_of(words, ("group",), command="propose")
    node, pair = taken(plain, 2, usage="propose NODE K=V")
    key, equals, value = pair.partition("=")
    if not equals:
        raise UsageError(f"expected propose NODE K=V, found {pair!r}")
    line, group = _line("propose", words), options.get("group")
    return Propose(node=node_of(node), key=key, value=value, group=group, words=line)


def _raft(verb: str, words: Sequence[str]) -> RaftVerb:
    plain, options = options_of(words, ("group",), command=verb)
    (node,) = taken(plain, 1, usage=f"{verb} NODE")
    line, group = _line(verb, words), options.get("group")
    return RaftVerb(verb=verb, node=node_of(node), group=group, words=line)


def _member(words: Sequence[str]) -> MemberVerb:
    plain, options = options_of(words, ("group",), command="member")
    if not plain:
        raise UsageError("expected member add, promote or remove")
    verb = choice_of(plain[0], ("add", "promote", "remove"), "what to do with a member")
    rest = plain[1:]
    is_learner = verb == "add" and rest[-1:] == ["learner"]
    if is_learner:
        rest.pop()
    if verb != "add" or rest:
        rest = list(taken(rest, 1, usage=f"member {verb} NODE"))
    return MemberVerb(
        verb=verb,
        node=node_of(rest[0]) if rest else None,
        group=options.get("group"),
        is_learner=is_learner,
        words=_line("member", words),
    )


def _group(words: Sequence[str]) -> GroupVerb:
    plain, options = options_of(words, ("on", "from", "to"), command="group")
    if len(plain) != 2:
        raise UsageError("expected group add G on=n1,n2 | move G from=n1 to=n4 | drop G")
    verb = choice_of(plain[0], ("add", "move", "drop"), "what to do with a group")
    wanted = {"add": {"on"}, "move": {"from", "to"}, "drop": set[str]()}[verb]
    if set(options) != wanted:
        expected, found = (
            " ".join(f"{each}=" for each in sorted(names)) or "nothing more"
            for names in (wanted, set(options))
        )
        raise UsageError(f"group {verb}: expected {expected}, found {found}")
    return GroupVerb(
        verb=verb,
        group=plain[1],
        nodes=tuple(node_of(each) for each in options.get("on", "").split(",") if each),
        source=node_of(options["from"]) if "from" in options else None,
        target=node_of(options["to"]) if "to" in options else None,
        words=_line("group", words),
    )


def _load(words: Sequence[str]) -> Load:
    plain, options = options_of(words, ("clients", "rate", "keys"), command="load")
    is_beside = plain[-1:] == ["&"]
    for_, duration = taken(plain[:-1] if is_beside else plain, 2, usage="load for 5s")
    choice_of(for_, ("for",), "load … for 5s")
    counts = {
        name: number_of(options[name], f"{name}=N")
        for name in ("clients", "keys")
        if name in options
    }
    if 0 in counts.values() or options.get("rate") == "0":
        raise UsageError("load: expected numbers from 1 on, found 0")
    rate = options.get("rate", "100")
    return Load(
        **counts,
        rate=None if rate == "max" else number_of(rate, "rate=N or rate=max"),
        for_us=parse_duration(duration),
        is_beside=is_beside,
        words=_line("load", words),
    )


def _run(words: Sequence[str]) -> Run:
    line = _line("run", words)
    match list(words):
        case ["for", duration]:
            return Run(for_us=parse_duration(duration), words=line)
        case ["until", *rest, "within", duration] if rest:
            return Run(until=claim(rest), for_us=parse_duration(duration), words=line)
        case ["until", *rest] if rest:
            return Run(until=claim(rest), words=line)
    raise UsageError(f"expected run for 5s or run until CLAIM [within 10s], found {line!r}")


def _expect(words: Sequence[str]) -> Expect:
    return Expect(claim=claim(words), words=_line("expect", words))


def _stabilize(words: Sequence[str]) -> Stabilize:
    demand_none(words, command="stabilize")
    return Stabilize()


def _line(verb: str, words: Sequence[str]) -> str:
    return " ".join((verb, *words))


def _deeds() -> dict[str, Callable[[Sequence[str]], Deed]]:
    table: dict[str, Callable[[Sequence[str]], Deed]] = {"cluster": _cluster}
    table |= {verb: partial(_ask, verb) for verb in ("put", "get", "del", "cas")}
    table["propose"] = _propose
    table |= {
        verb: partial(_raft, verb) for verb in ("campaign", "transfer", "snapshot", "compact")
    }
    table["stabilize"] = _stabilize
    table |= {verb: partial(_net, verb) for verb in topology.VERBS}
    table["kill"] = table["crash"] = partial(_process, "kill")
    for verb in ("pause", "resume", "restart", "start", "stop"):
        table[verb] = partial(_process, verb)
    table |= {"disk": fault_words.disk, "clock": fault_words.clock}
    table |= {verb: partial(fault_words.directories, verb) for verb in ("wipe", "keep", "rewind")}
    table |= {"member": _member, "group": _group, "load": _load, "run": _run, "expect": _expect}
    return table


COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], Deed]]] = _deeds()
"""Every command, in the order of the manual."""

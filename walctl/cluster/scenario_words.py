"""The commands of scenarios, by their first word: what the words behind it mean. See `scenario`.

Those that the simulator alone knows are in `simulator_words`, those about disks in `fault_words`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from walctl.cluster import fault_words, simulator_words, topology
from walctl.cluster.answers import Read
from walctl.cluster.claim import ABSENT
from walctl.cluster.claim_words import claim
from walctl.cluster.deeds import (
    NO_KEY,
    TICK_MS,
    Ask,
    Deed,
    Expect,
    GroupVerb,
    Load,
    MakeCluster,
    MemberVerb,
    Net,
    Propose,
    RaftVerb,
    Run,
    Stabilize,
)
from walctl.cluster.quantities import parse_duration
from walctl.cluster.quoting import is_bare, parted
from walctl.cluster.word_parts import (
    choice_of,
    demand_none,
    message_of,
    node_of,
    nodes_in,
    number_of,
    options_of,
    taken,
)
from walctl.errors import UsageError

ENGINES: Final = ("walctl", "etcd", "sim")
NODES_MAX: Final = 99
_ASKING: Final = ("via", "group", "client")


def _cluster(words: Sequence[str]) -> MakeCluster:
    names = (
        "groups", "engine", "tick", "election", "snapshot-count", "prevote", "checkquorum", "check",
        *simulator_words.OF_CLUSTER,
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
    ticks = None
    if election_us is not None:
        ticks = max(2, round(election_us / (tick_us or TICK_MS * 1000)))
    return MakeCluster(
        nodes=nodes,
        groups=tuple(options.get("groups", "g1").split(",")),
        engine=None if engine is None else choice_of(engine, ENGINES, "an engine"),
        tick_ms=None if tick_us is None else tick_us // 1000,
        election_ticks=ticks,
        snapshot_count=None if counted is None else number_of(counted, "snapshot-count=N"),
        pre_vote=_switch(options.get("prevote")),
        check_quorum=_switch(options.get("checkquorum")),
        checks=tuple(filter(None, options.get("check", "").split(","))),
        **simulator_words.of_cluster(options),
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
    types = tuple(map(message_of, filter(None, options.get("type", "").split(","))))
    return Net(verb=verb, rest=tuple(nodes_in(word) for word in plain), types=types)


def _ask(verb: str, words: Sequence[str]) -> Ask:
    names = (*_ASKING, "read") if verb == "get" else _ASKING
    plain, options = options_of(words, names, command=verb)
    if verb == "put" and len(plain) == 1 and parted(plain[0])[1]:
        plain = list(parted(plain[0])[::2])
    usage = {"put": "put K V", "get": "get K", "del": "del K", "cas": "cas K OLD NEW"}[verb]
    key, *values = taken(plain, len(usage.split()) - 1, usage=usage)
    expected = values[0] if verb == "cas" and not is_bare(values[0], NO_KEY) else None
    client, read = options.get("client"), options.get("read")
    return Ask(
        verb=verb,
        key=key,
        value=values[-1] if values else None,
        expected=expected,
        via=node_of(options["via"]) if "via" in options else None,
        group=options.get("group"),
        client=None if client is None else number_of(client, "client=N"),
        read=None if read is None else choice_of(read, list(Read), "how to read"),
    )


def _propose(words: Sequence[str]) -> Propose:
    plain, options = options_of(words, ("group",), command="propose")
    node, pair = taken(plain, 2, usage="propose NODE K=V")
    key, equals, value = parted(pair)
    if not equals:
        raise UsageError(f"expected propose NODE K=V, found {pair!r}")
    return Propose(node=node_of(node), key=key, value=value, group=options.get("group"))


def _raft(verb: str, words: Sequence[str]) -> RaftVerb:
    plain, options = options_of(words, ("group",), command=verb)
    (node,) = taken(plain, 1, usage=f"{verb} NODE")
    return RaftVerb(verb=verb, node=node_of(node), group=options.get("group"))


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
    )


def _group(words: Sequence[str]) -> GroupVerb:
    plain, options = options_of(words, ("on", "from", "to", "steps"), command="group")
    if len(plain) != 2:
        raise UsageError("expected group add G on=n1,n2 | move G from=n1 to=n4 | drop G")
    verb = choice_of(plain[0], ("add", "move", "drop"), "what to do with a group")
    wanted = {"add": {"on"}, "move": {"from", "to"}, "drop": set[str]()}[verb]
    steps = options.pop("steps", None) if verb == "move" else None
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
        steps=None if steps is None else number_of(steps, "steps=N"),
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
    )


def _run(words: Sequence[str]) -> Run:
    match list(words):
        case ["for", duration]:
            return Run(for_us=parse_duration(duration))
        # `value within absent` is a claim about a key of that name.
        case ["until", *rest, "within", duration] if rest and duration != ABSENT:
            return Run(until=claim(rest), for_us=parse_duration(duration))
        case ["until", *rest] if rest:
            return Run(until=claim(rest))
    found = " ".join(("run", *words))
    raise UsageError(f"expected run for 5s or run until CLAIM [within 10s], found {found!r}")


def _expect(words: Sequence[str]) -> Expect:
    return Expect(claim=claim(words))


def _stabilize(words: Sequence[str]) -> Stabilize:
    demand_none(words, command="stabilize")
    return Stabilize()


def _deeds() -> dict[str, Callable[[Sequence[str]], Deed]]:
    table: dict[str, Callable[[Sequence[str]], Deed]] = {"cluster": _cluster}
    table |= {verb: partial(_ask, verb) for verb in ("put", "get", "del", "cas")}
    table["propose"] = _propose
    table |= {
        verb: partial(_raft, verb) for verb in ("campaign", "transfer", "snapshot", "compact")
    }
    table["stabilize"] = _stabilize
    table |= {verb: partial(_net, verb) for verb in topology.VERBS}
    table["message"] = simulator_words.message
    table["kill"] = table["crash"] = partial(fault_words.process, "kill")
    for verb in ("pause", "resume", "restart", "start", "stop"):
        table[verb] = partial(fault_words.process, verb)
    table |= {"disk": fault_words.disk, "clock": fault_words.clock}
    table |= {verb: partial(fault_words.directories, verb) for verb in ("wipe", "keep", "rewind")}
    table |= {"repair": simulator_words.repair, "twin": simulator_words.twin}
    table["converge"] = simulator_words.converge
    table |= {"member": _member, "group": _group, "load": _load, "run": _run, "expect": _expect}
    return table


COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], Deed]]] = _deeds()
"""Every command, in the order of the manual."""

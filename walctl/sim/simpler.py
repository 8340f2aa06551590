"""Simpler ways to say the same: of a whole case, of its clients, of its times, of a single deed.

Each function yields candidates, the simplest first; whether they still fail is tried elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from walctl.cluster.deeds import (
    Ask,
    Deed,
    GroupVerb,
    MemberVerb,
    Net,
    Process,
    Propose,
    RaftVerb,
    Repair,
)
from walctl.cluster.faults import CrashMode
from walctl.cluster.scenario import Command
from walctl.sim.case import Case, is_message
from walctl.sim.world import LINK

GRIDS_US: Final = (1_000_000, 100_000, 10_000, 1_000)
"""What times are rounded to."""
_SHORT_US: Final = (0, 1_000, 10_000, 50_000, 100_000, 200_000, 500_000)
_DEFAULTS: Final[tuple[Mapping[str, Any], ...]] = (
    {"is_unbounded": False},
    {"checks": ()},
    {"link": None},
    {"sync_us": None, "sync_jitter_us": 0},
    {"segment_bytes": None},
    {"message_bytes": None},
    {"pre_vote": None},
    {"check_quorum": None},
    {"catch_up_entries": None},
    {"snapshot_count": None},
    {"election_ticks": None},
    {"tick_ms": None, "election_ticks": None},
    {"seed": None},
)
"""Options of a cluster as they are when nothing is said of them."""
_CALLS_MAX: Final = 16
_WINDOWS_MAX: Final = 16
_BEGIN_US: Final = 1_000_000
"""When a part of a run begins that is played by itself: somebody leads by then."""
_STEP_US: Final = 500_000
"""Between changes of members before that."""
_PIECES_MAX: Final = 4

# The cluster.


def calm(case: Case) -> Case:
    """Links and disks always take equally long: what is left out then changes nothing else."""
    made = case.cluster
    link = replace(made.link or LINK, jitter_us=0)
    sync_us = 500 if made.sync_us is None else made.sync_us
    return replace(case, cluster=replace(made, link=link, sync_us=sync_us, sync_jitter_us=0))


def headers(case: Case) -> Iterator[Case]:
    """Fewer options: all at once, and one after the other."""
    every = {name: value for each in _DEFAULTS for name, value in each.items()}
    seedless = {name: value for name, value in every.items() if name != "seed"}
    for changed in (every, seedless, *_DEFAULTS):
        yield replace(case, cluster=replace(case.cluster, **changed))


def small_logs(case: Case) -> Iterator[Case]:
    """Snapshots come so early that few requests make one."""
    made = case.cluster
    for count in (1, 2, 5, 10, 20, 50):
        if made.snapshot_count is not None and count < made.snapshot_count:
            kept = min(count, made.catch_up_entries or 0)
            yield replace(case, cluster=replace(made, snapshot_count=count, catch_up_entries=kept))


def fewer_groups(case: Case) -> Iterator[Case]:
    """One group instead of several, and everything is done to that one."""
    groups = case.cluster.groups
    if len(groups) < 2:
        return
    made = replace(case.cluster, groups=("g1",))
    for group in groups:
        is_first = group == groups[0]
        here = (
            _in_first_group(each)
            for each in case.commands
            if _is_about(each.deed, group, is_first=is_first)
        )
        yield replace(case, cluster=made, commands=tuple(here))


def _is_about(deed: Deed, group: str, *, is_first: bool) -> bool:
    """Whether it is done to this group, or to whole nodes."""
    if isinstance(deed, GroupVerb):
        return False
    named = getattr(deed, "group", None)
    if named is None and isinstance(deed, Ask | Propose | RaftVerb | MemberVerb | Repair):
        return is_first
    return named in (None, group)


# Clients.


def anchored(case: Case) -> Case:
    """Every request goes to the leader of its moment: it is no matter whom others have asked."""
    return _mapped(
        case,
        lambda ask: replace(ask, via="leader", client=None) if isinstance(ask, Ask) else ask,
    )


def fewer_clients(case: Case) -> Iterator[Case]:
    """Every request by a client of its own, or all by one, or by one client less."""
    for client in (None, 1):
        yield _mapped(case, partial(_asked_by, {}, client))
    clients = dict.fromkeys(
        each.deed.client for each in case.commands if isinstance(each.deed, Ask)
    )
    first, *others = clients or [None]
    for other in others:
        yield _mapped(
            case, partial(_asked_by, {each: each for each in clients} | {other: first}, None)
        )


def _asked_by(
    clients: Mapping[int | None, int | None], usual: int | None, ask: Ask | Propose
) -> Ask | Propose:
    """A request by another client; what is handed over has none."""
    return replace(ask, client=clients.get(ask.client, usual)) if isinstance(ask, Ask) else ask


def fewer_keys(case: Case) -> Iterator[Case]:
    """All requests on one key, or on one key less."""
    keys = list(
        dict.fromkeys(
            each.deed.key for each in case.commands if isinstance(each.deed, Ask | Propose)
        )
    )
    if not keys:
        return
    yield _mapped(case, lambda ask: replace(ask, key="k"))
    for other in keys[1:]:
        yield _mapped(
            case,
            lambda ask, other=other: replace(  # type: ignore[misc]
                ask, key=keys[0] if ask.key == other else ask.key
            ),
        )


def plain_requests(case: Case) -> Iterator[Case]:
    """Values counted from v1 on; a put for what only swaps; whoever is asked decides the rest."""
    values: dict[str, str] = {}
    for each in case.commands:
        if isinstance(each.deed, Ask | Propose):
            for value in (getattr(each.deed, "expected", None), each.deed.value):
                if value is not None:
                    values.setdefault(value, f"v{len(values) + 1}")

    def renamed(ask: Any) -> Any:
        changed = {"value": values.get(ask.value)}
        if isinstance(ask, Ask):
            changed["expected"] = None if ask.expected is None else values[ask.expected]
        return replace(ask, **changed)

    yield _mapped(case, renamed)
    yield _mapped(case, _as_put)
    yield _mapped(case, lambda ask: replace(ask, via=None) if isinstance(ask, Ask) else ask)
    yield _mapped(case, lambda ask: replace(ask, read=None) if isinstance(ask, Ask) else ask)


def _as_put(ask: Ask | Propose) -> Ask | Propose:
    if isinstance(ask, Ask) and ask.verb == "cas":
        return replace(ask, verb="put", expected=None)
    return ask


def _mapped(case: Case, change: Callable[[Any], Deed]) -> Case:
    """The case with every request changed."""
    return case.with_commands(
        replace(each, deed=change(each.deed)) if isinstance(each.deed, Ask | Propose) else each
        for each in case.commands
    )


def _in_first_group(command: Command) -> Command:
    deed: Any = command.deed
    return replace(command, deed=replace(deed, group=None)) if hasattr(deed, "group") else command


# Single deeds.


def simpler(deed: Deed) -> Iterator[Deed]:
    """The same deed done more simply, the simplest first."""
    match deed:
        case Process(verb="kill"):
            yield from _kills(deed)
        case Net(verb="delay", rest=(*where, amount)) if "±" in amount:
            yield replace(deed, rest=(*where, amount.partition("±")[0]))
        case Net(types=(_, *_)):
            yield replace(deed, types=())


def _kills(deed: Process) -> Iterator[Process]:
    """Without a call, or before an earlier one; with a simpler loss."""
    modes = [
        {"mode": CrashMode.CLEAN, "keep": None},
        {"mode": CrashMode.LOSE_ALL, "keep": None},
        {"mode": CrashMode.PREFIX, "keep": None},
        {"mode": CrashMode.CLEAN, "keep": ()},
        *(
            {"mode": CrashMode.CLEAN, "keep": tuple(range(count))}
            for count in range(1, _PIECES_MAX + 1)
        ),
    ]
    calls = [None, *range(1, min(deed.call or 0, _CALLS_MAX + 1))]
    for mode in modes:
        simple = replace(deed, **mode)  # type: ignore[arg-type]
        if deed.call is not None:
            yield replace(simple, call=None)
        if simple == deed:
            break
        yield simple
    if deed.call is not None:
        for call in calls:
            yield replace(deed, call=call)


# Times.


def gaps(case: Case, position: int) -> Iterator[Case]:
    """What comes from the command at `position` on comes earlier; as early as can be first."""
    at_us = case.commands[position].at_us
    if at_us is None:
        return
    before = [each.at_us for each in case.commands[:position] if each.at_us is not None]
    began = before[-1] if before else 0
    for gap in (*_SHORT_US, *_seconds(at_us - began)):
        if gap < at_us - began:
            yield _shifted(case, position, at_us - began - gap)


def windows(case: Case, size: int) -> Iterator[Case]:
    """So many commands in a row, as if all had begun with them; the last first, and of many windows
    only some, all over the run. Who is a member was decided before, and is done before."""
    starts = list(range(len(case.commands) - size, 0, -max(1, size // 2)))
    for start in starts[:: max(1, len(starts) // _WINDOWS_MAX)]:
        part = case.commands[start : start + size]
        before = [each for each in case.commands[:start] if _is_lasting(each.deed)]
        began_us, last_us = part[0].at_us, part[-1].at_us
        if began_us is None or last_us is None:
            continue
        moved = [replace(each, at_us=_BEGIN_US + at * _STEP_US) for at, each in enumerate(before)]
        later_us = _BEGIN_US + len(moved) * _STEP_US - began_us
        part_case = case.with_commands(
            (*moved, *(replace(each, at_us=(each.at_us or 0) + later_us) for each in part))
        )
        yield replace(part_case, end_us=last_us + later_us)


def _is_lasting(deed: Deed) -> bool:
    return isinstance(deed, MemberVerb | GroupVerb)


def earlier_ends(case: Case) -> Iterator[Case]:
    """It is looked at earlier, as early as can be first."""
    if case.end_us is None:
        return
    last_us = max((each.at_us or 0 for each in case.commands), default=0)
    for gap in (*_SHORT_US, *_seconds(case.end_us - last_us)):
        if last_us + gap < case.end_us:
            yield replace(case, end_us=last_us + gap)


def rounded(case: Case, grid_us: int) -> Case:
    """All times rounded down."""
    return case.with_commands(
        each if each.at_us is None else replace(each, at_us=each.at_us // grid_us * grid_us)
        for each in case.commands
    )


def rounded_one(case: Case, position: int) -> Iterator[Case]:
    """One time rounded down or up, as far as the order stays; the roundest first."""
    command = case.commands[position]
    if command.at_us is None or is_message(command.deed):
        return
    least = max((each.at_us or 0 for each in case.commands[:position]), default=0)
    most = min(
        (each.at_us for each in case.commands[position + 1 :] if each.at_us is not None),
        default=command.at_us + GRIDS_US[0],
    )
    for grid_us in GRIDS_US:
        down = command.at_us // grid_us * grid_us
        if down == command.at_us:
            return
        for at_us in (down, down + grid_us):
            if least <= at_us <= most:
                moved = replace(command, at_us=at_us)
                commands = (*case.commands[:position], moved, *case.commands[position + 1 :])
                yield case.with_commands(commands)


def _seconds(gap_us: int) -> Iterator[int]:
    step_us = 1_000_000
    while step_us < gap_us:
        yield step_us
        step_us *= 2


def _shifted(case: Case, position: int, by_us: int) -> Case:
    commands = (
        each if at < position or each.at_us is None else replace(each, at_us=each.at_us - by_us)
        for at, each in enumerate(case.commands)
    )
    end_us = None if case.end_us is None else case.end_us - by_us
    return replace(case.with_commands(commands), end_us=end_us)

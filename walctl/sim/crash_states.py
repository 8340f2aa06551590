"""Every state in which a power cut at one moment may leave a disk, and what the node makes of it.

What is not durable falls into pieces that survive or do not (`walctl.fs.crash`). Where all states
together are too many, those are taken in which faults have been found elsewhere: every prefix of
the pieces, and all pieces but one. On each the member that ships is taken up, as it would be after
the power came back, and what it then knows is held against the bytes that were durable before:

    whole      it has the durable records, and the first few of those behind them
    refused    it does not start, and says what is wrong
    less       it starts, and lacks something durable: nobody is told
    invented   it starts, and has what was never written so

A power cut takes nothing durable away, so a member that refuses is a nuisance; the last two are
what must not be. Durable is what the bytes say (`ledger`), not what a program believes.

Source: Pillai and others, "All File Systems Are Not Created Equal" (OSDI 2014), for the choice.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walctl.cluster.driver import Driver
from walctl.cluster.service import KvService
from walctl.cluster.surroundings import Surroundings
from walctl.errors import AccessError, CorruptionError, UsageError
from walctl.fs.crash import Atom, NameChange, These, survivors
from walctl.fs.set_faults import SetFaults
from walctl.replay.walstorage import WalStorage
from walctl.sim.disk import SimDisk, place_of
from walctl.sim.disk_files import SimFileSystem, Ways
from walctl.sim.ledger import Ledger
from walctl.sim.log_bytes import ENTRY, MARK, Item, View, digest_of

STATES_MAX: Final = 256
"""As many states are all looked at."""


class Verdict(enum.StrEnum):
    """What a member made of a state; see the module."""

    WHOLE = "whole"
    REFUSED = "refused"
    LESS = "less"
    INVENTED = "invented"

    @property
    def is_fine(self) -> bool:
        """Whether nobody was deceived."""
        return self in (Verdict.WHOLE, Verdict.REFUSED)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one group's log in one state."""

    group: str
    verdict: Verdict
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One state: the pieces that survive, by their positions in `SimDisk.pending`; in words; and
    what every group's member made of it."""

    kept: tuple[int, ...]
    state: str
    judged: tuple[Judged, ...]

    @property
    def is_fine(self) -> bool:
        """Whether no member deceived anybody."""
        return all(each.verdict.is_fine for each in self.judged)


def states_of(disk: SimDisk, *, states_max: int = STATES_MAX) -> Iterator[These]:
    """The states that the disk may be left in now, each once: all of them up to `states_max`, else
    all prefixes and all single omissions."""
    try:
        yield from list(disk.fs.outcomes(count_max=states_max))
        return
    except UsageError:
        pass  # there are more
    atoms = disk.pending()
    everything = frozenset(range(len(atoms)))
    wishes = [frozenset(range(count)) for count in range(len(atoms) + 1)]
    wishes += [everything - {position} for position in everything]
    for kept in dict.fromkeys(survivors(atoms, These(wish)) for wish in wishes):
        yield These(kept)


def rows(disk: SimDisk, groups: Sequence[str], *, states_max: int = STATES_MAX) -> Iterator[Row]:
    """Every state with what becomes of it; the disk stays as it is."""
    atoms = disk.pending()
    for crash in states_of(disk, states_max=states_max):
        kept = tuple(sorted(survivors(atoms, crash)))
        yield Row(kept, _state_words(atoms, kept), tuple(judge(disk, crash, groups)))


def judge(disk: SimDisk, crash: These, groups: Sequence[str]) -> Iterator[Judged]:
    """Take up the members of these groups on what the crash leaves, and hold what they know against
    what was durable. The disk stays as it is."""
    for group in groups:
        folder = place_of(group).wal
        durable, waiting = Ledger(folder).records(disk.fs)
        left = disk.fs.after(crash, ways=Ways(SetFaults(Path("/")), sync_us=lambda: 0))
        if not durable and not left.exists(folder):
            yield Judged(group, Verdict.WHOLE, "nothing of it was durable, and nothing is there")
            continue
        try:
            driver = _taken_up(left, group)
        except (CorruptionError, AccessError) as error:
            yield Judged(group, Verdict.REFUSED, error.message)
            continue
        try:
            yield _compared(group, driver.storage, durable, waiting)
        finally:
            driver.end("looked at")


def _taken_up(left: SimFileSystem, group: str) -> Driver:
    world = Surroundings(
        disk=left,
        draw=lambda n: 0,
        now_us=lambda: 0,
        send=lambda messages: None,
        tell=lambda kind, fields: None,
    )
    return Driver.take_up(1, place=place_of(group), service=KvService(), world=world)


def _compared(group: str, storage: WalStorage, durable: list[Item], waiting: list[Item]) -> Judged:
    found = _read_by(storage)
    for count in range(len(waiting) + 1):
        if _expected(durable + waiting[:count], storage.snapshot().index) == found:
            more = f", and {count} records behind" if count else ""
            return Judged(group, Verdict.WHOLE, f"{len(durable)} records that were durable{more}")
    wanted = _expected(durable, storage.snapshot().index)
    missing = [index for index in wanted.entries if index not in found.entries]
    if missing:
        words = f"entry {missing[0]} was durable, and the log that is read has no such entry"
        return Judged(group, Verdict.LESS, words)
    if found.state < wanted.state:
        words = f"term, vote, commit {wanted.state} were durable, and {found.state} are read"
        return Judged(group, Verdict.LESS, words)
    words = f"the log that is read ends at {found.last} with {found.state}: nobody wrote that"
    return Judged(group, Verdict.INVENTED, words)


def _read_by(storage: WalStorage) -> View:
    """What a member knows of its log behind its snapshot."""
    view = View()
    first, last = storage.first_index(), storage.last_index()
    for entry in storage.read(first, last + 1):
        view.entries[entry.index] = entry.term, digest_of(int(entry.type or 0), entry.data)
    state, _ = storage.initial_state()
    view.state = state.term, state.vote, state.commit
    view.last = last
    return view


def _expected(items: Sequence[Item], snapshot: int) -> View:
    """What a member has to know of a log with these records, behind its snapshot.

    Entries in front of the marker of a leader's snapshot are forgotten with it, once a hard state
    has committed it; that it is a leader's is told by its last entry, which is not there.
    """
    whole = View()
    for item in items:
        whole.add(item)
    view = View()
    for item in items:
        if item[0] == MARK and item[1] <= whole.state[2] and item[1] <= snapshot:
            held = view.entries.get(item[1])
            if item[1] > 0 and (held is None or held[0] != item[2]):
                view = View()
        if item[0] == ENTRY or item[0] != MARK:
            view.add(item)
    view.forget_below(snapshot + 1)
    view.state, view.mark = whole.state, (0, 0)
    view.last = max(view.entries, default=snapshot)
    return view


def _state_words(atoms: Sequence[Atom], kept: Sequence[int]) -> str:
    """Which pieces survive, in words."""
    lost = [position for position in range(len(atoms)) if position not in kept]
    if not lost:
        return f"all {len(atoms)} pieces"
    if not kept:
        return f"none of {len(atoms)} pieces"
    if lost[0] == len(kept):
        return f"the first {len(kept)} of {len(atoms)} pieces"
    if len(lost) == 1:
        what = "a name" if isinstance(atoms[lost[0]].effect, NameChange) else "a sector or size"
        return f"all of {len(atoms)} pieces but {lost[0]}, {what}"
    return f"{len(kept)} of {len(atoms)} pieces"

"""The members' own logs as a witness: what a lab's groups committed, read from the directories.

What clients saw leaves open what became of requests that nobody answered. The logs know: an entry
is committed when a member has written down a commit up to it, or when a majority of the voters
holds it and it is of the newest term that any of them has seen (`agreed`). That it is held by one
of them alone says nothing. A group's directories may be read while it runs, but the last entries
of a log that is written to may be missing then.

With the entries from the first on, they are applied to a machine of their own, which says of each
condition whether it held.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from formats.errors import FormatError
from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.kvpb import KvRequest
from walctl.checker.history import History
from walctl.checker.settle import CommittedLog, Logged
from walctl.cluster.agreed import Held, Voters, agreed_last, extent, newest_holder
from walctl.cluster.answers import Fate
from walctl.cluster.lab import Engine, Group, Lab, MachineKind
from walctl.cluster.service import KvService
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey, survey
from walctl.fs.base import FileSystem
from walctl.inspect.conf_changes import Standing, changes_between
from walctl.inspect.membership import log_standing
from walctl.inspect.state import Wish, replayed
from walctl.machine.base import Outcome
from walctl.machine.etcd import Etcd
from walctl.machine.kv import parse_proposal
from walctl.raft.types import Entry
from walctl.replay.apply import committed, entries_between

_DONE: Final = frozenset({Outcome.APPLIED, Outcome.UNCHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One member's directory, and its log."""

    node: str
    seen: Survey
    log: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLogs:
    """What the members of one group have written.

    `parted` are indexes at which two members hold different entries that both are committed, by
    the members' names. `digests` are of the members' states, each as of `digest_index`, which all
    have committed; a member whose state cannot be rebuilt has none.
    """

    group: str
    log: CommittedLog
    nodes: tuple[str, ...]
    parted: tuple[tuple[int, str, str], ...] = ()
    digest_index: int = 0
    digests: Mapping[str, str] | None = None

    @property
    def are_alike(self) -> bool:
        """Whether all logs say the same, and all states are equal."""
        return not self.parted and len(set((self.digests or {}).values())) <= 1


def read_logs(disk: FileSystem, lab: Lab, *, with_digests: bool = True) -> list[GroupLogs]:
    """What every group of a lab committed, as far as its directories tell.

    A group that nobody has a directory of is left out. Raises: AccessError.
    """
    found = []
    for group in lab.groups:
        witnesses = list(_witnesses(disk, lab, group))
        if witnesses:
            found.append(_group_logs(disk, lab, group, witnesses, with_digests=with_digests))
    return found


def history_for_logs(lab: Lab, history: History) -> History:
    """The history with the indexes that logs have: etcd answers with revisions, which are none."""
    if lab.engine is not Engine.ETCD and lab.settings.machine is not MachineKind.ETCD:
        return history
    operations = tuple(replace(each, index=None) for each in history.operations)
    return replace(history, operations=operations)


def _witnesses(disk: FileSystem, lab: Lab, group: Group) -> Iterator[Witness]:
    for name in group.hosts:
        path = lab.data_path(name, group.name)
        if not disk.exists(path / "member" / "wal"):
            continue
        seen = survey(disk, understand(disk, path))
        terms = {
            index: run.term for run in seen.log.live for index in range(run.first, run.last + 1)
        }
        state = seen.last_state.state if seen.last_state is not None else None
        held = Held(
            id=lab.node(name).id or 0,
            committed=committed(seen),
            term=max(max(terms.values(), default=0), state.term if state else 0),
            terms=terms,
        )
        yield Witness(node=name, seen=seen, log=held)


def _group_logs(
    disk: FileSystem,
    lab: Lab,
    group: Group,
    witnesses: Sequence[Witness],
    *,
    with_digests: bool,
) -> GroupLogs:
    whole = extent([each.log for each in witnesses], _voters(witnesses))
    last = whole.last
    entries: dict[int, tuple[Entry, str]] = {}
    parted: list[tuple[int, str, str]] = []
    for witness in witnesses:
        for entry in entries_between(disk, witness.seen, 1, agreed_last(witness.log, whole)):
            known, other = entries.setdefault(entry.index, (entry, witness.node))
            if _content(known) != _content(entry):
                parted.append((entry.index, other, witness.node))
    first = last + 1
    while first - 1 in entries:
        first -= 1
    ordered = [entries[index][0] for index in range(first, last + 1)]
    writes = tuple(writes_of(lab, ordered, is_whole=first == 1))
    low = min((each.log.committed for each in witnesses), default=0)
    return GroupLogs(
        group=group.name,
        log=CommittedLog(group=group.name, first=first, last=last, writes=writes),
        nodes=tuple(each.node for each in witnesses),
        parted=tuple(parted),
        digest_index=low,
        digests=_digests(disk, witnesses, low) if with_digests else None,
    )


def _voters(witnesses: Sequence[Witness]) -> Iterator[Voters]:
    """Who votes as of the highest commit that was said, and behind each change after that of those
    that the newest log holds; nobody where no log of those that have all of it tells."""
    best = max(witnesses, key=lambda each: (each.log.committed, each.log.last))
    said = best.log.committed
    newest = newest_holder([each.log for each in witnesses])
    holder = next(each for each in witnesses if each.log == newest)
    first = log_standing(best.seen, said) or (
        log_standing(holder.seen, said)
        if holder.log.terms.get(said) == best.log.terms.get(said)
        else None
    )
    if first is None:
        return
    yield _voting(first[1])
    for placed in changes_between(holder.seen, said, holder.log.last):
        made = log_standing(holder.seen, placed.entry.index)
        yield _voting(made[1]) if made else Voters(index=placed.entry.index, incoming=frozenset())


def _voting(found: Standing) -> Voters:
    conf = found.conf
    return Voters(
        index=found.index,
        incoming=frozenset(conf.voters),
        outgoing=frozenset(conf.voters_outgoing),
    )


def writes_of(lab: Lab, entries: Sequence[Entry], *, is_whole: bool) -> Iterator[Logged]:
    """The writes in entries; `is_whole`: from the first on, so that it is known what they did."""
    is_etcd = lab.engine is Engine.ETCD or lab.settings.machine is MachineKind.ETCD
    etcd, kv = Etcd(), KvService()
    for entry in entries:
        result = etcd.apply(entry) if is_whole and is_etcd else None
        done = kv.apply(entry) if is_whole and not is_etcd else None
        if entry.type or not entry.data:
            continue
        found = _etcd_write(entry.data) if is_etcd else _kv_write(entry.data)
        if found is None:
            continue
        key, value, is_condition = found
        is_done = None if done is None and is_condition else True
        if done is not None:
            is_done = done.fate is Fate.OK
        elif result is not None:
            # Whoever's transaction it is, with or without a question where it does not hold: one
            # that changed nothing did not write. A delete of nothing is done.
            is_done = result.outcome in ({Outcome.APPLIED} if is_condition else _DONE)
        yield Logged(index=entry.index, key=key, value=value, is_done=is_done)


def _content(entry: Entry) -> tuple[int, int, bytes]:
    return entry.term, entry.type or 0, entry.data or b""


def _kv_write(payload: bytes) -> tuple[bytes, bytes | None, bool] | None:
    """Key, value, and whether it is on a condition; `None` for what is no write."""
    try:
        request = parse_proposal(payload)
    except FormatError:
        return None
    if isinstance(request, KvRequest):
        return request.key or b"", request.value, True
    return request.key, request.value, False


def _etcd_write(payload: bytes) -> tuple[bytes, bytes | None, bool] | None:
    try:
        request = INTERNAL_RAFT_REQUEST.parse(payload)
    except FormatError:
        return None
    if request.put is not None:
        return request.put.key or b"", request.put.value or b"", False
    if request.delete_range is not None:
        return request.delete_range.key or b"", None, False
    if request.txn is not None and len(request.txn.success) == 1:
        put = request.txn.success[0].request_put
        if put is not None:
            return put.key or b"", put.value or b"", True
    return None


def _digests(disk: FileSystem, witnesses: Sequence[Witness], index: int) -> dict[str, str]:
    """The digest of each member's state as of an entry that all of them have committed.

    Of etcd's without the members: where a log begins behind a snapshot they are the database's, in
    which a learner that was promoted stays one.
    """
    found: dict[str, str] = {}
    for each in witnesses:
        state = replayed(disk, each.seen, Wish(until=str(index)))
        if state.machine is not None and state.applied is not None and state.applied.stop is None:
            machine = state.machine
            found[each.node] = (
                machine.digest(has_members=False) if isinstance(machine, Etcd) else machine.digest()
            )
    return found

"""What our own engine will do with a copied member: its start, gone through on a copy of the copy.

It is the node's own code, on another folder that is taken away again; nobody is spoken to, and no
time passes. So nothing has to be said twice of what a start reads, cuts and refuses.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from walctl.cluster.copying.forecast import OWN, Forecast, Outcome
from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.service import KvService
from walctl.cluster.surroundings import Place, Surroundings
from walctl.cluster.taking_up import etcd_service
from walctl.errors import ExitStatus, WalctlError
from walctl.fs.trees import copy_tree, remove_tree
from walctl.fs.writable import WritableFileSystem
from walctl.raft.errors import RaftPanic

STATUS: Final = int(ExitStatus.UNFINISHED)
"""How a node of ours ends when none of its members can go on."""


def own_forecast(
    disk: WritableFileSystem, data: Path, *, member_id: int, is_etcd: bool, may_panic: str | None
) -> Forecast:
    """What our engine does with the member in `data`, a copy; `is_etcd`: it is etcd's.

    `may_panic` is what it says if it has lost what it acknowledged and a leader tells it of that.
    Raises: AccessError, when there is no room for another copy.
    """
    aside = data.with_name(f"{data.name}.rehearsal")
    cuts: list[tuple[str, int]] = []

    def tell(kind: EventKind, fields: Mapping[str, Any]) -> None:
        if kind is EventKind.TRUNCATE:
            cuts.append((str(fields["f"]), int(fields["at"])))

    world = Surroundings(
        disk=disk,
        draw=lambda stop: 0,
        now_us=lambda: 0,
        send=lambda messages: None,
        tell=tell,
    )
    try:
        copy_tree(disk, data, aside)
        try:
            last = _started(disk, aside, member_id, world, is_etcd=is_etcd)
        except (WalctlError, RaftPanic) as error:
            return _refusal(str(error).replace(str(aside), str(data)))
    finally:
        if disk.exists(aside):
            remove_tree(disk, aside)
    if not cuts:
        sentence = f"starts, its log ends at {last}"
        return Forecast(outcome=Outcome.STARTS, sentence=sentence, may_panic=may_panic, by=OWN)
    segment, offset = cuts[0]
    return Forecast(
        outcome=Outcome.REPAIRS,
        sentence=f"cuts the torn end of {segment} at byte {offset}, and starts: its log ends at"
        f" {last}",
        cut=cuts[0],
        may_panic=may_panic,
        by=OWN,
    )


def _started(
    disk: WritableFileSystem, data: Path, member_id: int, world: Surroundings, *, is_etcd: bool
) -> int:
    """Take the member up, apply what it has committed, end it; the last index of its log.

    Raises: WalctlError, RaftPanic.
    """
    place = Place(wal=data / "member" / "wal", snap=data / "member" / "snap")
    taken = etcd_service(disk, data, request_id=1) if is_etcd else None
    driver = Driver.take_up(
        member_id,
        place=place,
        service=KvService() if taken is None else taken.service,
        world=world,
        has_state=taken is not None and not taken.is_own,
    )
    try:
        driver.work()
        return driver.storage.last_index()
    finally:
        driver.end("that was the rehearsal")


def _refusal(words: str) -> Forecast:
    return Forecast(
        outcome=Outcome.DOES_NOT_START,
        sentence=f"refuses to start: {words}",
        words=(words,),
        exit_status=STATUS,
        by=OWN,
    )

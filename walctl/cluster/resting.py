"""What is done to a node's directories while it does not run, by whoever may: the supervisor of a
lab that is up, else we ourselves under the lab's lock. Either way it is in the event file.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from walctl.cluster import running, runtime
from walctl.cluster.at_rest import AtRest, Done
from walctl.cluster.chronicle import Chronicle
from walctl.cluster.control import SupervisorClient
from walctl.cluster.events import EventKind
from walctl.cluster.lab import Lab
from walctl.errors import AccessError, UsageError
from walctl.fs.writable import WritableFileSystem


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do: `what` is a method of `AtRest`, `fields` what it is given by name."""

    what: str
    fields: Mapping[str, str | int | None] = field(default_factory=dict)


_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "flip": frozenset({"group", "file", "offset", "bit"}),
    "zero": frozenset({"group", "file", "offset", "size"}),
    "truncate": frozenset({"group", "file", "size", "drop"}),
    "drop": frozenset({"group", "file"}),
    "wipe": frozenset({"group"}),
    "keep": frozenset({"name"}),
    "rewind": frozenset({"name", "group"}),
}
_NUMBERS: Final = frozenset({"offset", "bit", "size", "drop"})


def do(disk: WritableFileSystem, lab: Lab, node: str, deed: Deed) -> Done:
    """Do it; the caller has seen to it that the node does not run.

    Raises: UsageError, AccessError.
    """
    known = _FIELDS.get(deed.what)
    given = {name: value for name, value in deed.fields.items() if value is not None}
    if known is None or not given.keys() <= known:
        deeds = ", ".join(_FIELDS)
        raise UsageError(f"{deed.what}: expected one of {deeds}, with fields of its own")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int if name in _NUMBERS else str):
            raise UsageError(f"{deed.what}: {name}: expected another kind of value than {value!r}")
    at_rest = AtRest(disk, lab.path, lab.node(node).name, draw=runtime.draw().randrange)
    method: Callable[..., Done] = getattr(at_rest, deed.what)
    try:
        return method(**given)
    except TypeError as error:
        raise UsageError(f"{deed.what}: a field is missing: {error}") from error


def fault_of(node: str, done: Done) -> dict[str, Any]:
    """The event of it; a copy that was kept harms nobody."""
    kind = EventKind.NOTE if done.what == "keep" else EventKind.FAULT
    return {"n": node, "k": kind, "on": done.what, "args": done.args()}


def rest(disk: WritableFileSystem, lab: Lab, node: str, deed: Deed) -> dict[str, Any]:
    """Do it, whether the lab is up or not; the event's `args`.

    Raises: UsageError, also where the node runs; AccessError, ClusterError.
    """
    if running.supervisor_of(disk, lab) is not None:
        return asyncio.run(_by_supervisor(lab, node, deed))
    running.make_run_folder(disk, lab)
    with running.taken_lock(disk, lab):
        found = [each.name for each in running.running(disk, lab)]
        if found:
            raise AccessError(
                f"{lab.path}: its supervisor has died, and {', '.join(found)} runs;"
                f" walctl cluster down {lab.path} ends it"
            )
        done = do(disk, lab, node, deed)
        chronicle = Chronicle(disk, lab, now_us=runtime.now_us)
        try:
            chronicle.write(fault_of(node, done))
        finally:
            chronicle.close()
    return done.args()


async def _by_supervisor(lab: Lab, node: str, deed: Deed) -> dict[str, Any]:
    async with SupervisorClient(lab) as control:
        return await control.rest(node, deed.what, deed.fields)

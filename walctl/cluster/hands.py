"""Hands that break a lab: faults of links, processes, disks, directories and clocks, as deeds.

The lab's supervisor breaks links and signals processes; a node breaks its own disk and clock; what
is done to files at rest is done here, to a node that does not run. Each of them is in the event
file, by whoever did it. Where the lab is down, files at rest may be damaged all the same.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import aiohttp

from walctl.cluster import running, runtime
from walctl.cluster.api_heads import TOKEN
from walctl.cluster.control import NotUpError, SupervisorClient
from walctl.cluster.deeds import (
    Clock,
    Converge,
    Damage,
    Deed,
    Directories,
    DiskOff,
    DiskOn,
    GroupVerb,
    Net,
    OneMessage,
    Process,
    Repair,
    Twin,
)
from walctl.cluster.engine import engine_kind
from walctl.cluster.fault_words import SIMULATED_DAMAGES
from walctl.cluster.faults import CrashMode, DiskFaultKind
from walctl.cluster.lab import HOST, Engine, Lab, load
from walctl.cluster.looking import CHOSEN_WORDS, chosen, links_on, look_by
from walctl.cluster.resting import Deed as RestingDeed
from walctl.cluster.resting import rest
from walctl.cluster.runtime import Draw
from walctl.cluster.standing import LabStanding, NodeState
from walctl.cluster.topology import after, change, describe, resolve
from walctl.errors import ClusterError, UnsupportedError, UsageError
from walctl.fs.writable import WritableFileSystem

NODE_SECONDS: Final = 10.0
LISTENS_SECONDS: Final = 5.0
"""How long a node that was started may take until it listens."""
CUT_SECONDS: Final = 2.0
"""How long a power cut waits for a sync to come instead of."""
GONE_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02
_THERE: Final = (NodeState.RUNNING, NodeState.PAUSED)

FaultDeed = Net | Process | DiskOn | DiskOff | Damage | Directories | Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a deed: in `words` for people, with the same in `fields` for programs."""

    words: str
    node: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class Hands:
    """Does deeds to one lab. Made by `hands_on`; `lab` is as its file said last."""

    def __init__(
        self,
        disk: WritableFileSystem,
        lab: Lab,
        *,
        control: SupervisorClient,
        session: aiohttp.ClientSession,
        draw: Draw,
    ) -> None:
        self.lab = lab
        self.disk = disk
        self.control = control
        self.session = session
        self.draw = draw

    async def do(self, deed: FaultDeed, *, group: str | None = None) -> Outcome:
        """Do it; `group` is whose leader is meant. Raises: UsageError, ClusterError, AccessError,
        UnsupportedError."""
        demand_real(deed)
        match deed:
            case Net():
                return await self._net(deed, group)
            case Process():
                return await self._process(deed, group)
            case Damage() | Directories():
                return await self._at_rest(deed, group)
            case DiskOn(fault=fault):
                asked = {"set": asdict(fault)}
                return await self._of_node(deed, "disk", asked, group)
            case DiskOff(kind=kind):
                return await self._of_node(deed, "disk", {"clear": kind}, group)
        fields = {"rate_percent": deed.rate_percent, "jump_us": deed.jump_us}
        fields = {name: value for name, value in fields.items() if value is not None}
        return await self._of_node(deed, "clock", fields or {"rate_percent": 100}, group)

    async def name(self, word: str, *, group: str | None = None) -> str:
        """The node that a word means now. Raises: UsageError, ClusterError."""
        if word not in CHOSEN_WORDS:
            self.lab = load(self.disk, self.lab.path)
            return self.lab.node(word).name
        return chosen(self.lab, await self.standing(), word, self.draw, group=group)

    async def standing(self) -> LabStanding:
        """How the lab stands. Raises: NotUpError."""
        info = await self.control.info()
        self.lab = load(self.disk, self.lab.path)
        return await look_by(self.disk, self.lab, engine_kind(self.lab), self.session, info)

    async def state(self, node: str) -> NodeState:
        """What runs of a node; nothing does, where the lab is down."""
        return NodeState((await self.info_of(node))["state"])

    async def ask_node(self, node: str, verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Have a node of engine walctl do something. Raises: ClusterError, UnsupportedError."""
        if self.lab.engine is not Engine.WALCTL:
            raise UnsupportedError(
                f"{self.lab.path}: {verb} of a node that runs is for engine walctl: {HOW[verb]}"
            )
        end = runtime.now_us() + round(LISTENS_SECONDS * 1e6)
        while True:
            try:
                return await self._asked(node, verb, fields)
            except aiohttp.ClientConnectorError as error:
                # A node that was just started listens in a moment.
                late = runtime.now_us() > end or await self.state(node) is not NodeState.RUNNING
                if late:
                    raise ClusterError(f"{node}: does not listen: {error.strerror}") from error
            await asyncio.sleep(POLL_SECONDS)

    async def _asked(self, node: str, verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Raises: ClusterError; ClientConnectorError, where nobody listens."""
        url = f"http://{HOST}:{self.lab.node(node).client_port}/control/{verb}"
        timeout = aiohttp.ClientTimeout(total=NODE_SECONDS)
        heads = {TOKEN: self.lab.token}
        try:
            async with self.session.post(
                url, json=dict(fields), headers=heads, timeout=timeout
            ) as answer:
                text = await answer.text()
                if answer.status == 200:
                    found: dict[str, Any] = await answer.json(content_type=None)
                    return found
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            words = str(error) or f"nothing within {NODE_SECONDS:g} s"
            raise ClusterError(f"{node}: gave no answer: {words}") from error
        raise ClusterError(f"{node}: {text.strip() or f'status {answer.status}'}")

    # One kind of deeds after the other.

    async def _net(self, deed: Net, group: str | None) -> Outcome:
        if deed.types:
            raise UnsupportedError(
                f"type={','.join(deed.types)}: single messages can be told apart in the simulator"
                " only; between processes leave type= out"
            )
        info = await self.control.info()
        on = links_on(info["faults"])
        words = await self._without_roles((deed.verb, *deed.rest), group)
        names = [node.name for node in self.lab.nodes if not node.is_removed]
        made = change(words, nodes=names, on=on)
        args = {"words": " ".join(words), "links": list(made.links)}
        if made.faults:
            await self.control.set_links(made.faults.items(), on=made.on, args=args)
        then = describe(after(on, made), nodes=names)
        told = f"links {' '.join(made.links)}" if made.links else "nothing changed"
        return Outcome(
            words=f"{' '.join(words)} ({told}); on now: {then or 'nothing, all links are well'}",
            fields={"links": list(made.links), "on": then.split("; ") if then else []},
        )

    async def _without_roles(self, words: tuple[str, ...], group: str | None) -> tuple[str, ...]:
        roles: dict[str, str] = {}

        def asked(role: str) -> str:
            roles[role] = role
            return role

        resolve(words, asked)
        for role in roles:
            roles[role] = await self.name(role, group=group)
        return resolve(words, roles.__getitem__)

    async def _process(self, deed: Process, group: str | None) -> Outcome:
        node = await self.name(deed.node, group=group)
        if deed.mode is not CrashMode.CLEAN:
            await self._cut_power(node, deed.mode)
            told = await self.info_of(node)
        else:
            told = await self.control.act(node, deed.verb)
        mode = f" with its power ({deed.mode})" if deed.mode is not CrashMode.CLEAN else ""
        words = f"{deed.verb} {node}{mode}: {told['state']}"
        return Outcome(words=words, node=node, fields=dict(told))

    async def _cut_power(self, node: str, mode: CrashMode) -> None:
        """In the place of its next sync, or, where none comes, as it is."""
        await self.control.info()  # raises where the lab is down
        if (state := await self.state(node)) is not NodeState.RUNNING:
            raise UsageError(f"{node}: expected a node that runs, found it {state}")
        await self.ask_node(node, "power-cut", {"mode": mode, "at_sync": 1})
        if await self._is_gone(node, CUT_SECONDS):
            return
        with contextlib.suppress(ClusterError):  # who dies gives no answer
            await self.ask_node(node, "power-cut", {"mode": mode, "at_sync": 0})
        if not await self._is_gone(node, GONE_SECONDS):
            raise ClusterError(f"{node}: still runs after its power was cut")

    async def _is_gone(self, node: str, seconds: float) -> bool:
        for _ in range(round(seconds / POLL_SECONDS)):
            if await self.state(node) not in _THERE:
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _of_node(
        self,
        deed: DiskOn | DiskOff | Clock,
        verb: str,
        fields: Mapping[str, Any],
        group: str | None,
    ) -> Outcome:
        node = await self.name(deed.node, group=group)
        if await self.state(node) is not NodeState.RUNNING:
            raise ClusterError(
                f"{node}: expected a node that runs: walctl cluster start {self.lab.path} {node}"
            )
        told = await self.ask_node(node, verb, fields)
        words = deed.words.split(" ")
        return Outcome(words=" ".join((words[0], node, *words[2:])), node=node, fields=told)

    async def _at_rest(self, deed: Damage | Directories, group: str | None) -> Outcome:
        node = await self.name(deed.node, group=group)
        what = _resting(deed, self._group_of(deed))
        try:
            args = await self.control.rest(node, what.what, what.fields)
        except NotUpError:
            args = await asyncio.to_thread(rest, self.disk, self.lab, node, what)
        return Outcome(words=_done_words(node, what.what, args), node=node, fields=args)

    def _group_of(self, deed: Damage | Directories) -> str | None:
        if isinstance(deed, Damage) or deed.group is not None:
            return self.lab.group(deed.group).name
        return None

    async def info_of(self, node: str) -> dict[str, Any]:
        """What the supervisor says of a node's process; without one, whether it runs."""
        try:
            info = await self.control.info()
        except NotUpError:
            process = running.noted_process(self.disk, self.lab, node)
            state = NodeState.STOPPED if process is None else NodeState.RUNNING
            return {"name": node, "state": state, "words": ""}
        return next(each for each in info["nodes"] if each["name"] == node)


HOW: Final[Mapping[str, str]] = {
    "disk": "damage etcd's files while it is stopped (flip, zero, truncate, drop)",
    "clock": "etcd counts time by a clock that nobody sets; pause and resume let it miss some",
    "power-cut": "kill etcd without --mode, and damage the end of its log (disk NODE truncate)",
    "campaign": "let another member lead: walctl cluster transfer",
    "snapshot": "etcd makes one after --snapshot-count entries",
    "compact": "etcd does so behind its snapshots",
    "digest": "etcd tells hashes of its own",
}
"""What can be done to engine etcd instead."""


@contextlib.asynccontextmanager
async def hands_on(disk: WritableFileSystem, lab: Lab, *, draw: Draw) -> AsyncIterator[Hands]:
    """Hands on a lab while the block runs, up or not."""
    async with aiohttp.ClientSession() as session, SupervisorClient(lab) as control:
        yield Hands(disk, lab, control=control, session=session, draw=draw)


def do(disk: WritableFileSystem, lab: Lab, deed: FaultDeed, *, group: str | None) -> Outcome:
    """Do one deed; for whoever has no event loop. Raises as `Hands.do` does."""

    async def run() -> Outcome:
        async with hands_on(disk, lab, draw=runtime.draw()) as hands:
            return await hands.do(deed, group=group)

    return asyncio.run(run())


def demand_real(deed: Deed) -> None:
    """Raise UnsupportedError for what the simulator alone can do."""
    match deed:
        case OneMessage() | Repair() | Twin() | Converge():
            is_simulated = True
        case Process(call=call, keep=keep):
            is_simulated = call is not None or keep is not None
        case Damage(verb=verb):
            is_simulated = verb in SIMULATED_DAMAGES
        case GroupVerb(steps=int()) | Directories(part=str()):
            is_simulated = True
        case DiskOn(fault=fault):
            is_simulated = fault.kind is DiskFaultKind.MISDIRECTED
        case DiskOff(kind=kind):
            is_simulated = kind is DiskFaultKind.MISDIRECTED
        case _:
            is_simulated = False
    if is_simulated:
        raise UnsupportedError(f"{deed.words}: the simulator alone does this (engine=sim)")


def _resting(deed: Damage | Directories, group: str | None) -> RestingDeed:
    """The same for `resting`."""
    fields: dict[str, str | int | None] = {"group": group}
    if isinstance(deed, Directories):
        if deed.verb != "wipe":
            fields["name"] = deed.name or deed.KEPT
        if deed.verb == "keep":
            del fields["group"]
        return RestingDeed(deed.verb, fields)
    fields |= {"file": deed.file, "offset": deed.offset, "bit": deed.bit, "size": deed.size}
    return RestingDeed(deed.verb, {**fields, "drop": deed.count})


def _done_words(node: str, what: str, args: Mapping[str, Any]) -> str:
    """What was done to files, in a line."""
    where = f"{args['g']}/{args['file']}" if "file" in args else args.get("g", "all groups")
    units = {"size": "byte", "files": "file"}
    told = [f"{what} {node}: {where}"]
    if "offset" in args:
        told.append(f"at byte {args['offset']}")
    told += [
        f"{args[key]} {unit}{'s' * (args[key] != 1)}" for key, unit in units.items() if key in args
    ]
    told += [f"{key} {args[key][:16]}" for key in ("before", "after") if key in args]
    if "name" in args:
        told.append(f"copy {args['name']!r}")
    return ", ".join(told)

"""The process that runs a lab: it starts the nodes, breaks links, and writes down what happens.

While it lives it holds the lock in `run`, and is the only one who writes `lab.json` and the event
file. It takes commands at a Unix socket (`supervisor_http`), and ends every node that it started
when it ends itself. Where it is killed, `running.end` does that by the files that it left.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from walctl.cluster import running, runtime
from walctl.cluster.at_rest import Done
from walctl.cluster.chronicle import Chronicle
from walctl.cluster.copying.holding import judged, with_held
from walctl.cluster.engine import EngineKind
from walctl.cluster.events import EventKind
from walctl.cluster.faults import PASSING, Link, LinkFault
from walctl.cluster.lab import Group, Lab, Node, new_node, save, with_hosts
from walctl.cluster.making import PORTS_A_NODE, free_ports
from walctl.cluster.node_log import NodeLog
from walctl.cluster.node_process import NodeProcess
from walctl.cluster.ports import demand_ports, ports_of
from walctl.cluster.proxy import Proxy
from walctl.cluster.proxy_session import ProxyPlace
from walctl.cluster.resting import Deed, do, fault_of
from walctl.cluster.standing import NodeState
from walctl.cluster.trial import last_words
from walctl.errors import AccessError, ClusterError, UsageError
from walctl.fs.writable import WritableFileSystem

LAST_LINES_TOLD: Final = 5
DOWN_SECONDS: Final = 3.0
"""How long a node may take to end when all do: an etcd that leads waits 7 s for someone to lead."""


class Supervisor:
    """A lab that runs. Made by `supervising.supervising`."""

    def __init__(
        self,
        disk: WritableFileSystem,
        lab: Lab,
        kind: EngineKind,
        *,
        chronicle: Chronicle,
        proxy: Proxy,
    ) -> None:
        self.lab = lab
        self.kind = kind
        self.chronicle = chronicle
        self.proxy = proxy
        self.down_asked = asyncio.Event()
        self._disk = disk
        self._nodes: dict[str, NodeProcess] = {}
        self._logs: dict[str, NodeLog] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._noted: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._tolls: dict[str, Mapping[str, Any]] = {}
        self._is_hard = False
        self._trouble = ""
        for node in lab.nodes:
            self._make_place(node.name)

    # What there is.

    def info(self) -> dict[str, Any]:
        """What runs, for whoever asks."""
        return {
            "v": 1,
            "pid": runtime.own_process().pid,
            "origin_us": self.chronicle.origin_us,
            "nodes": [self.node_info(node.name) for node in self.lab.nodes if not node.is_removed],
            "faults": self.faults(),
        }

    def node_info(self, name: str) -> dict[str, Any]:
        """One node's process."""
        place = self._nodes[self.lab.node(name).name]
        process = place.process if place.is_there else None
        return {
            "name": name,
            "state": place.state,
            "pid": process.pid if process is not None else None,
            "words": place.words,
            "last": self._last_words(place),
        }

    def faults(self) -> list[dict[str, Any]]:
        """What is broken now: links, nodes that stand still, and what was noted of nodes."""
        links = [
            {"on": "link", "link": str(link), "fault": asdict(fault)}
            for link, fault in sorted(self.proxy.faults().items())
        ]
        paused = [
            {"on": "pause", "n": place.name}
            for place in self._nodes.values()
            if place.state is NodeState.PAUSED
        ]
        trouble = [{"on": f"not written down: {self._trouble}"}] if self._trouble else []
        return [*links, *paused, *self._noted.values(), *trouble]

    # Nodes.

    async def start(self, name: str) -> None:
        """Start a node. Raises: UsageError, AccessError."""
        node = self.lab.node(name)
        async with self._turns[name]:
            await self._start(node)

    async def stop(self, name: str) -> None:
        """End a node as its administrator does. Raises: UsageError."""
        place = self._there(name)
        async with self._turns[name]:
            await place.stop()

    async def kill(self, name: str) -> None:
        """End a node with SIGKILL. Raises: UsageError."""
        place = self._there(name)
        async with self._turns[name]:
            self.chronicle.write({"n": name, "k": EventKind.FAULT, "on": "kill"})
            place.kill()
            await place.gone()

    async def restart(self, name: str) -> None:
        """End a node if it runs, and start it. Raises: UsageError, AccessError."""
        node = self.lab.node(name)
        async with self._turns[name]:
            await self._nodes[name].stop()
            await self._start(node)

    async def pause(self, name: str) -> None:
        """Let a node stand still. Raises: UsageError."""
        place = self._there(name)
        if place.state is not NodeState.PAUSED:
            place.pause()
            self.chronicle.write({"n": name, "k": EventKind.FAULT, "on": "pause"})

    async def resume(self, name: str) -> None:
        """Let it go on. Raises: UsageError, where it was not paused."""
        place = self._there(name)
        if place.state is not NodeState.PAUSED:
            raise UsageError(f"{name}: expected a paused node, found it {place.state}")
        place.resume()
        self.chronicle.write({"n": name, "k": EventKind.HEAL, "on": "pause"})

    def settle(self, name: str) -> None:
        """A node that runs is up, as far as anybody can see: hold its forecast against that."""
        if self._nodes[self.lab.node(name).name].is_there:
            self._hold_forecast(name, None)

    async def rest(self, name: str, deed: Deed) -> Done:
        """Do something to the directory of a node that does not run. Raises: UsageError."""
        place = self._nodes[self.lab.node(name).name]
        async with self._turns[name]:
            if place.is_there:
                raise UsageError(
                    f"{name}: expected a node that is down, found it {place.state};"
                    f" walctl cluster kill {self.lab.path} {name} ends it"
                )
            done = await asyncio.to_thread(do, self._disk, self.lab, name, deed)
            self.chronicle.write(fault_of(name, done))
            return done

    def ask_down(self, *, is_hard: bool) -> None:
        """Begin to end all of it; asked twice, or with `is_hard`, nodes are killed."""
        is_again = self.down_asked.is_set()
        self._is_hard = self._is_hard or is_hard or is_again
        self.down_asked.set()
        if self._is_hard:
            for place in self._nodes.values():
                if place.is_there:
                    place.kill()

    async def end_nodes(self) -> None:
        """End every node; none is left behind."""
        places = [place for place in self._nodes.values() if place.is_there]
        if self._is_hard:
            for place in places:
                place.kill()
        await asyncio.gather(*(place.stop(seconds=DOWN_SECONDS) for place in places))
        for log in self._logs.values():
            log.close()

    # The lab itself.

    def add_node(self, name: str | None = None, *, made_for: str | None = None) -> Node:
        """Give the lab one more node, in no group yet, and not started. Raises: UsageError."""
        lab = self.lab
        used = [port for each in lab.nodes for port in ports_of(each)]
        ports = free_ports(
            PORTS_A_NODE, base=None, draw=runtime.draw(), fault=runtime.port_fault, besides=used
        )
        node = new_node(lab, name, made_for=made_for, ports=ports)
        self._save(lab.with_node(node))
        self._make_place(node.name)
        return node

    async def open_links(self, node: Node) -> None:
        """Let a node that was added be reached by the others. Raises: AccessError."""
        await self.proxy.add(ProxyPlace.of(node))

    def put_node(self, node: Node) -> None:
        """Write down what became of a node. Raises: UsageError."""
        self.lab.node(node.name)
        self._save(self.lab.with_node(node))

    def put_group(self, group: Group, *, was: Sequence[str] | None = None) -> None:
        """Write down who is in a group; see `with_hosts`. Raises: UsageError, ClusterError."""
        self._save(with_hosts(self.lab, group, was))

    def drop_group(self, name: str) -> None:
        """Forget a group; its members' directories stay. Raises: UsageError."""
        self._save(self.lab.without_group(self.lab.group(name).name))

    # Faults and events.

    def set_links(
        self, changes: Iterable[tuple[Link, LinkFault]], *, on: str, args: Mapping[str, Any]
    ) -> None:
        """Break links or make them well, all at once; `on` and `args` are the event's words.

        Raises: UsageError, for a node that is not there.
        """
        wanted = list(changes)
        for link, _ in wanted:
            self.lab.node(link.source)
            self.lab.node(link.target)
        self.proxy.set_faults(dict(wanted))
        is_heal = all(fault.is_none for _, fault in wanted)
        kind = EventKind.HEAL if is_heal else EventKind.FAULT
        self.chronicle.write({"k": kind, "on": on, "args": dict(args)})

    def take_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events that somebody else saw; a fault of a node is on until it is healed."""
        self.chronicle.write(*events)
        for event in events:
            if event["k"] in (EventKind.FAULT, EventKind.HEAL):
                self._note(event)

    # Within.

    def _note(self, event: Mapping[str, Any]) -> None:
        """Remember a fault until it is healed, all of its kinds at once where none is named."""
        name, on = str(event.get("n", "")), str(event.get("on", ""))
        args = event.get("args") or {}
        kind = args.get("kind") if isinstance(args, dict) else None
        for key in list(self._noted):
            if key[:2] == (name, on) and kind in (None, key[2]):
                del self._noted[key]
        if event["k"] == EventKind.FAULT and on not in PASSING:
            fault = {each: event[each] for each in event if each not in ("k", "t")}
            self._noted[name, on, str(kind or "")] = fault

    def _hold_forecast(self, name: str, exit_status: int | None) -> None:
        """Write down what came of what was told of a copied member. Raises: AccessError."""
        lines = [line.decode("utf-8", "replace") for line in self._nodes[name].last_lines]
        told = judged(self.lab, name, exit_status, lines)
        if told is not None:
            self._save(with_held(self.lab, told))
            event = {"on": "forecast", "as_foretold": told.is_as_foretold, "words": told.words}
            self.chronicle.write({"n": name, "k": EventKind.NOTE, **event})

    def _make_place(self, name: str) -> None:
        log = NodeLog(self._disk, self.lab.log_path(name))
        self._logs[name] = log
        self._turns[name] = asyncio.Lock()
        self._nodes[name] = NodeProcess(
            name, hear=lambda line: self._hear(name, line), ended=self._ended
        )

    def _there(self, name: str) -> NodeProcess:
        """The process of a node that runs. Raises: UsageError."""
        place = self._nodes[self.lab.node(name).name]
        if not place.is_there:
            raise UsageError(f"{name}: expected a node that runs, found it {place.state}")
        return place

    async def _start(self, node: Node) -> None:
        place = self._nodes[node.name]
        if place.is_there:
            raise UsageError(f"{node.name}: runs already")
        if node.is_removed:
            raise UsageError(f"{node.name}: was removed from the cluster, and is not started again")
        if self.down_asked.is_set():
            raise ClusterError(f"{node.name}: not started: the lab is going down")
        demand_ports(node, (node.client_port, node.peer_port))
        folder = self.lab.path / node.name
        if not self._disk.exists(folder):
            self._disk.make_dir(folder)
        process = await place.start(
            self.kind.command(self.lab, node),
            folder=self.lab.path,
            environment=runtime.environment(running.mark(self._disk, self.lab)),
        )
        running.note_process(self._disk, self.lab, node.name, process)
        self.chronicle.write({"n": node.name, "k": EventKind.START, "pid": process.pid})

    def _hear(self, name: str, line: bytes) -> None:
        """What a node printed."""
        told = self.kind.told(self.lab, line)
        with self._our_trouble():
            if told.is_kept:
                self._logs[name].write(line)
            node = self.lab.node(name)
            if told.member_id is not None and told.member_id != node.id:
                self._save(self.lab.with_node(replace(node, id=told.member_id)))
                self.proxy.learn(told.member_id, name)
            if told.event is None:
                return
            if told.event["k"] == EventKind.CRASH and "lost" in told.event:
                self._tolls[name] = told.event  # it dies with its power, and this is how
            else:
                self.take_events([{"n": name, **told.event}])

    def _ended(self, place: NodeProcess) -> None:
        """A node's process is gone."""
        for key in [key for key in self._noted if key[0] == place.name]:
            del self._noted[key]  # what was broken within the process went with it
        event: dict[str, Any] = {"n": place.name, "k": EventKind.STOP, "words": place.words}
        if place.state is NodeState.CRASHED:
            event |= {"k": EventKind.CRASH, "mode": "clean"}
            toll = self._tolls.pop(place.name, None)
            event |= toll or {}
            if not place.is_killed and toll is None:
                event["last"] = last_words(self._last_words(place))
        with self._our_trouble():
            running.forget_process(self._disk, self.lab, place.name)
            self.chronicle.write(event)
            if place.is_own_end:
                self._hold_forecast(place.name, place.exit_status)

    @contextlib.contextmanager
    def _our_trouble(self) -> Iterator[None]:
        """Go on where our own disk refuses: a node's life does not hang on what we write of it."""
        try:
            yield
        except AccessError as error:
            self._trouble = error.message

    def _last_words(self, place: NodeProcess) -> list[str]:
        """What it printed last, where it died."""
        if place.state is not NodeState.CRASHED:
            return []
        lines = list(place.last_lines)[-LAST_LINES_TOLD:]
        return [line[:2000].decode("utf-8", "replace") for line in lines]

    def _save(self, lab: Lab) -> None:
        save(self._disk, lab)
        self.lab = lab

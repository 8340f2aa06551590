"""The file of a simulated cluster's lab, and what its supervisor does: who holds what, what runs.

The file is a real one, on a disk in memory: the shipped changes of members read it as they read
that of any lab. What it says of a node counts for that node's next start at once, and while it runs
as soon as it is told to read the file again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from walctl.cluster.events import EventKind
from walctl.cluster.held import state_of
from walctl.cluster.lab import (
    Engine,
    Group,
    Lab,
    Node,
    Settings,
    Timing,
    new_node,
    save,
    with_hosts,
)
from walctl.cluster.standing import LabStanding, NodeStanding, NodeState, Standing
from walctl.errors import UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.sim.site import Seat, Site
from walctl.sim.world import World, number_of

PATH: Final = Path("/lab")
_NO_PORTS: Final = (0, 0, 0)


class LabBook:
    """The lab of `world`, as that is now; twins of nodes are not in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.disk = MemoryFileSystem()
        self.disk.make_directory(PATH)
        self.lab = _lab_of(world)
        save(self.disk, self.lab)
        self._tell_places()

    # What a supervisor does.

    def info(self) -> dict[str, Any]:
        """What runs."""
        nodes = [{"name": each.name, "state": self._state(each.name)} for each in self.lab.nodes]
        return {"nodes": nodes}

    def act(self, node: str, action: str) -> dict[str, Any]:
        """`start` or `stop` a node. Raises: UsageError."""
        place = self.lab.node(node)
        site = self.world.site(place.name)
        if action == "stop":
            site.stop()
        elif site.is_up:
            raise UsageError(f"{node}: runs already")
        elif place.is_removed:
            raise UsageError(f"{node}: was removed from the cluster, and is not started again")
        else:
            site.start()
        return {"name": node, "state": self._state(node)}

    def add_node(self, name: str | None, *, made_for: str | None) -> Node:
        """One more node, in no group and not started. Raises: UsageError."""
        node = new_node(self.lab, name, made_for=made_for, ports=_NO_PORTS)
        node = replace(node, id=number_of(node.name))  # here a node's number is its id
        if node.name not in self.world.sites:
            self.world.add_site(node.name)
        self._save(self.lab.with_node(node))
        return node

    def put_node(self, node: Node) -> None:
        """Write down what became of a node."""
        self._save(self.lab.with_node(node))

    def put_group(self, group: Group, *, was: Sequence[str] | None) -> None:
        """Write down who is in a group. Raises: UsageError, ClusterError."""
        self._save(with_hosts(self.lab, group, was))

    def drop_group(self, name: str) -> None:
        """Forget a group; nobody is to lead it any more. Raises: UsageError."""
        self._save(self.lab.without_group(self.lab.group(name).name))
        del self.world.groups[name]
        self.world.onlooker.placed(name, None)

    def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Have events written."""
        for event in events:
            fields = {key: value for key, value in event.items() if key != "k"}
            self.world.tell(EventKind(event["k"]), fields, node=None, group=None)

    def standing(self) -> LabStanding:
        """How the nodes stand."""
        nodes = tuple(
            NodeStanding(
                name=each.name,
                state=self._state(each.name),
                client_port=each.client_port,
                groups=_standings(self.world.site(each.name)),
            )
            for each in self.lab.nodes
        )
        return LabStanding(name=self.lab.name, engine=self.lab.engine, pid=None, nodes=nodes)

    def _tell_places(self) -> None:
        for group in self.lab.groups:
            self.world.onlooker.placed(group.name, group.hosts)

    def _state(self, node: str) -> NodeState:
        site = self.world.site(node)
        if site.is_up:
            return NodeState.PAUSED if site.is_paused else NodeState.RUNNING
        return NodeState.STOPPED if site.words in ("", "stopped") else NodeState.CRASHED

    def _save(self, lab: Lab) -> None:
        """Write the file; a node that does not run finds in it what it is to hold."""
        save(self.disk, lab)
        self.lab = lab
        self._tell_places()
        for group in lab.groups:
            self.world.groups.setdefault(group.name, list(group.first))
        for node in lab.nodes:
            site = self.world.site(node.name)
            hosted = list(lab.hosted_by(node.name))
            site.hosted = [each.name for each in hosted]
            site.founded = [each.name for each in hosted if node.name in each.first]


def _lab_of(world: World) -> Lab:
    ways = world.ways
    nodes = {name: site for name, site in world.sites.items() if world.node_name(site.id) == name}
    return Lab(
        path=PATH,
        engine=Engine.WALCTL,
        settings=Settings(
            timing=Timing(tick_ms=ways.tick_us // 1000, election_ticks=ways.election_ticks),
            pre_vote=ways.pre_vote,
            check_quorum=ways.check_quorum,
            snapshot_count=ways.snapshot_count,
            catch_up_entries=ways.catch_up_entries,
            segment_bytes=ways.segment_bytes,
        ),
        nodes=tuple(
            Node(name=name, id=site.id, client_port=0, peer_port=0, proxy_port=0)
            for name, site in nodes.items()
        ),
        groups=tuple(
            Group(
                name=group,
                first=tuple(each for each in first if group in nodes[each].founded),
                hosts=tuple(each for each, site in nodes.items() if group in site.hosted),
            )
            for group, first in world.groups.items()
        ),
        token="",
    )


def _standings(site: Site) -> tuple[Standing, ...]:
    if not site.is_up or site.is_paused:
        return ()
    return tuple(Standing(group=group, role=_role(seat)) for group, seat in site.seats.items())


def _role(seat: Seat) -> str:
    if seat.driver is None:
        return state_of(seat)
    raft = seat.driver.node.raft
    return "learner" if raft.is_learner else raft.role.word

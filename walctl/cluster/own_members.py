"""Changing the members of a group of our own engine.

What has been done is never written down anywhere else than where it counts: in the group's own
membership, which its log has, and in the lab's file, which says where members are to be started.
Every step looks at both, does what is missing, and waits until it is seen. So a command that was
killed between any two steps is typed again, and goes on.

    hosts + NEW        the file names NEW, so that all know its address, and NEW starts a member
    add learner NEW    it is sent the state, and votes for nothing
    caught up          it has nearly all that is committed
    joint change       at once: NEW gets its vote, OLD goes
    hosts - OLD        once the members that stay have applied that: the member of OLD ends

In the joint change a majority of the old voters and one of the new have to agree to everything, so
there is no moment in which both could decide alone. A leader that is to go hands the lead on first;
where nobody is there to take it but NEW (OLD is the only voter), the change stops halfway, in the
joint membership, until NEW leads, and ends then. A leader that left first could leave NEW without
ever learning that it may go on alone.

`first` of a group is emptied by the first change: who comes later joins, and begins nothing.

Nothing here knows a socket, an event loop or a clock: all that is waited for is a call of `Talk`,
`Pace` or `Keeper`, so that the simulator runs this very code.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any, Final

from walctl.cluster.answers import Fate
from walctl.cluster.lab import HOST, Group, Lab, load
from walctl.cluster.membership import Keeper, MemberRow, Note, no_note
from walctl.cluster.standing import NodeState
from walctl.cluster.talk import Pace, Talk, UnreachedError, View
from walctl.errors import ClusterError, UsageError
from walctl.fs.base import FileSystem

LEAD_SECONDS: Final = 10.0
"""How long a group may be without a leader before we say that it has none."""
CHANGE_SECONDS: Final = 30.0
LAG_ENTRIES_MAX: Final = 200
"""A learner that is so few entries behind may have its vote."""
POLL_SECONDS: Final = 0.05
_JOINT_GRACE_POLLS: Final = 10
_ADD, _LEARN, _REMOVE = "ADD_NODE", "ADD_LEARNER_NODE", "REMOVE_NODE"

Change = tuple[str, int]


class OwnMembership:
    """See `Membership`. `disk` has the lab's file; `note` is told of each step that was done."""

    def __init__(self, disk: FileSystem, *, talk: Talk, pace: Pace, note: Note = no_note) -> None:
        self.talk = talk
        self.pace = pace
        self._disk = disk
        self._note = note

    async def close(self) -> None:
        """See `Membership.close`."""
        await self.talk.close()

    async def listed(self, lab: Lab, group: str) -> tuple[MemberRow, ...]:
        """See `Membership.listed`."""
        view = await self.lead(lab, group)
        return tuple(_row(lab, group, view, each) for each in sorted(view.members))

    async def add(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """See `Membership.add`."""
        await self.lead(lab, group)  # first: nothing is written down for a group that is stuck
        lab = await self._host(control, lab, group, node)
        own = _id(lab, node)

        def is_there(view: View) -> bool:
            return own in view.members

        if await self._change(lab, group, is_there, [(_LEARN, own)]):
            await self._note(f"{node} is a learner of {group}")

    async def promote(
        self, lab: Lab, group: str, node: str, *, seconds: float = CHANGE_SECONDS
    ) -> None:
        """See `Membership.promote`."""
        own = _id(lab, node)
        view = await self.lead(lab, group)
        if own not in view.members:
            raise UsageError(f"{node}: is no member of {group}; walctl cluster member add makes it")
        if own in view.voters:
            return
        await self._caught_up(lab, group, node, seconds=seconds)
        await self._change(lab, group, lambda view: own in view.voters, [(_ADD, own)])
        await self._note(f"{node} is a voter of {group}")

    async def remove(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """See `Membership.remove`."""
        own = _id(lab, node)
        view = await self.lead(lab, group)
        if own in view.members:
            others = view.voters - {own}
            if not others:
                raise UsageError(
                    f"{node}: is the only voter of {group}, which cannot be without one;"
                    f" walctl cluster group drop {lab.path} {group} ends the group"
                )
            await self._handed_on(lab, group, own, others)
            await self._change(lab, group, lambda view: _is_out(view, own), [(_REMOVE, own)])
            await self._note(f"{node} is no member of {group}")
        await self.unhost(control, lab, group, node)

    async def replace(
        self,
        control: Keeper,
        lab: Lab,
        group: str,
        old: str,
        new: str,
        *,
        seconds: float = CHANGE_SECONDS,
    ) -> None:
        """See `Membership.replace`."""
        lab = load(self._disk, lab.path)
        view = await self.lead(lab, group)
        gone, come = _id(lab, old), _id(lab, new)
        if gone not in view.members and come not in view.members:
            raise UsageError(
                f"{old}: is no member of {group}; its voters: {_names(lab, view.voters)}"
            )
        if come in view.voters and gone in view.members and not view.outgoing:
            raise UsageError(f"{new}: is a voter of {group} besides {old}; remove {old} instead")
        if gone in view.members:
            if come not in view.voters:
                await self.add(control, lab, group, new)
                lab = load(self._disk, lab.path)
                await self._caught_up(lab, group, new, seconds=seconds)
                await self._note(f"{new} has the state of {group}")
            await self._exchange(lab, group, gone, come, seconds=seconds)
            await self._note(f"{new} has the place of {old} in {group}")
        await self.unhost(control, lab, group, old)

    async def retire(self, control: Keeper, lab: Lab, node: str) -> None:
        """See `Membership.retire`."""
        if await _is_running(control, node):
            await control.act(node, "stop")
        await control.set_removed(node)
        await self.reloaded(control, load(self._disk, lab.path))

    async def transfer(
        self, lab: Lab, group: str, node: str, *, seconds: float = LEAD_SECONDS
    ) -> None:
        """See `Membership.transfer`."""
        wanted = _id(lab, node)
        async with self.pace.within(seconds, f"{node}: does not lead {group} after {seconds:g} s"):
            while (view := await self.lead(lab, group)).id != wanted:
                if wanted not in view.voters:
                    what = "a learner" if wanted in view.learners else "no member"
                    raise UsageError(f"{node}: is {what} of {group}, and cannot lead it")
                await self._try(lab, view.node, "transfer", group=group, to=f"{wanted:x}")
                await self.pace.pause(POLL_SECONDS)

    # What commands about groups use as well.

    async def lead(self, lab: Lab, group: str, *, seconds: float = LEAD_SECONDS) -> View:
        """The group as its leader sees it. Raises: ClusterError, when there is none in time."""
        deadline = self.pace.now_us() + round(seconds * 1_000_000)
        while True:
            views = await self.views(lab, group)
            leading = [each for each in views.values() if each.is_leader]
            if leading:
                best = max(leading, key=lambda view: view.term)
                # A leader that was cut off goes on believing that it leads, for a while.
                if not any(view.term > best.term and view.lead for view in views.values()):
                    return best
            if self.pace.now_us() > deadline:
                raise ClusterError(_without_leader(lab, group, views))
            await self.pace.pause(POLL_SECONDS)

    async def views(self, lab: Lab, group: str) -> dict[str, View]:
        """The group as each of its nodes sees it, without those that give no answer."""
        return await self.talk.views(lab, group, lab.group(group).hosts)

    async def reloaded(
        self, control: Keeper, lab: Lab, *, needed: Collection[str] = ()
    ) -> list[str]:
        """Have all nodes that run read the file; the names of those that did not answer.

        Raises: ClusterError, when one that is needed did not.
        """
        states = await _states(control)
        up = [name for name, state in states.items() if state is NodeState.RUNNING]
        silent = await self.talk.reload(lab, up)
        deadline = self.pace.now_us() + round(LEAD_SECONDS * 1_000_000)
        while set(needed) & set(silent) and self.pace.now_us() < deadline:
            silent = await self.talk.reload(lab, silent)  # it may be busy, or just coming up
            await self.pace.pause(POLL_SECONDS)
        late = [each for each in needed if each in silent or each not in up]
        if late:
            raise ClusterError(
                f"{', '.join(late)}: expected to run and answer; walctl cluster start"
                f" {lab.path} {late[0]} starts it, then do this again"
            )
        return silent

    async def unhost(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """End the member of a node, once those that stay know that it is out."""
        lab = load(self._disk, lab.path)
        here = lab.group(group)
        if node not in here.hosts:
            return
        gone = _id(lab, node)
        await self._settled(lab, group, gone)
        hosts = tuple(each for each in here.hosts if each != node)
        await control.put_group(replace(here, first=(), hosts=hosts), was=here.hosts)
        await self.reloaded(control, load(self._disk, lab.path))
        await self._note(f"{node} holds no member of {group}")

    async def knows_all(self, lab: Lab, group: str, gone: int) -> list[str]:
        """The nodes of a group of which it is not known that they applied that `gone` is out."""
        lab = load(self._disk, lab.path)
        views = await self.views(lab, group)
        late = []
        for name in lab.group(group).hosts:
            view = views.get(name)
            if view is None or not view.members or not _is_out(view, gone):
                late.append(name)
        return late

    # Steps.

    async def _host(self, control: Keeper, lab: Lab, group: str, node: str) -> Lab:
        """Let the file name `node`, let all know it, and let it run."""
        here = lab.group(group)
        if node not in here.hosts or here.first:
            hosts = here.hosts if node in here.hosts else (*here.hosts, node)
            await control.put_group(Group(name=group, first=(), hosts=hosts), was=here.hosts)
            await self._note(f"{node} is to hold a member of {group}")
        if not await _is_running(control, node):
            await control.act(node, "start")
        lab = load(self._disk, lab.path)
        async with self.pace.within(
            LEAD_SECONDS, f"{node}: does not answer after {LEAD_SECONDS:g} s"
        ):
            while node not in await self.talk.views(lab, group, [node]):
                await self._try(lab, node, "reload")
                await self.pace.pause(POLL_SECONDS)
        leader = (await self.lead(lab, group)).node
        await self.reloaded(control, lab, needed=[leader, node])
        return lab

    async def _caught_up(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """Wait until `node` has nearly all; it may take as long as it goes on coming nearer.

        What the leader knows of it is not enough: it may have died since.
        """
        wanted, best, moved = _id(lab, node), -1, self.pace.now_us()
        while True:
            view = await self.lead(lab, group)
            match = (view.match or {}).get(wanted, 0)
            own = (await self.talk.views(lab, group, [node])).get(node)
            has = min(match, own.applied) if own is not None and own.state == "running" else 0
            if has and has + LAG_ENTRIES_MAX >= view.commit:
                return
            if own is not None and own.state == "removed":
                # It came to its own removal in a log from long ago, before it was added again.
                await self._try(lab, node, "reload")
            seen = match + (own.applied if own is not None else 0)
            if seen > best:
                best, moved = seen, self.pace.now_us()
            if self.pace.now_us() - moved > seconds * 1_000_000:
                raise ClusterError(
                    f"{node}: {_why_behind(own, has, view)}, and nothing moved for {seconds:g} s:"
                    f" it stays a learner of {group}; walctl cluster restart {lab.path} {node}"
                    " lets it go on, then do this again"
                )
            await self.pace.pause(POLL_SECONDS)

    async def _exchange(
        self, lab: Lab, group: str, gone: int, come: int, *, seconds: float
    ) -> None:
        """One joint change, and the lead with somebody who stays when it ends.

        Who comes is looked at once more before: with one voter, the group stands still without it.
        """
        view = await self.lead(lab, group)
        changes = [(_ADD, come), (_REMOVE, gone)]
        stay = view.voters - {gone}
        if not view.outgoing and gone in view.voters and not stay:
            await self._caught_up(lab, group, _name(lab, come), seconds=seconds)
            await self._change(
                lab, group, lambda view: come in view.voters, changes, transition="JOINT_EXPLICIT"
            )
            await self._note(f"{group} is in the joint membership")
        elif not view.outgoing:
            await self._handed_on(lab, group, gone, stay)
            await self._caught_up(lab, group, _name(lab, come), seconds=seconds)
            await self._change(
                lab, group, lambda view: come in view.voters, changes, transition="JOINT_IMPLICIT"
            )
        polls = 0
        async with self.pace.within(
            CHANGE_SECONDS, f"group {group}: its joint membership does not end"
        ):
            while (view := await self.lead(lab, group)).outgoing:
                await self._handed_on(lab, group, gone, view.voters - {gone})
                polls += 1
                if polls == 1 and view.id == gone:
                    await self._note(f"{group} is led by one that stays")
                if not stay or polls > _JOINT_GRACE_POLLS:  # else it ends by itself
                    fields: dict[str, Any] = {"changes": [], "transition": "AUTO"}
                    leader = (await self.lead(lab, group)).node
                    await self._try(lab, leader, "change", group=group, **fields)
                await self.pace.pause(POLL_SECONDS)

    async def _handed_on(self, lab: Lab, group: str, gone: int, stay: frozenset[int]) -> None:
        """Let one of `stay` lead, if `gone` does: the one that has most and answers."""
        view = await self.lead(lab, group)
        if view.id != gone or not stay:
            return
        answering = {each.id for each in (await self.views(lab, group)).values()}
        match = view.match or {}
        best = max(sorted(stay & answering), key=lambda each: match.get(each, 0), default=None)
        if best is None:
            raise ClusterError(
                f"group {group}: {view.node} leads and is to go, and none of"
                f" {_names(lab, stay)} answers; start one of them first"
            )
        await self.transfer(lab, group, _name(lab, best))

    async def _change(
        self,
        lab: Lab,
        group: str,
        holds: Callable[[View], bool],
        changes: Iterable[Change],
        *,
        transition: str = "AUTO",
    ) -> bool:
        """Propose a change until the leader sees that it holds; false where it held before."""
        body = [{"kind": kind, "id": f"{node:x}"} for kind, node in changes]
        words, is_done = "", False
        deadline = self.pace.now_us() + round(CHANGE_SECONDS * 1_000_000)
        while not holds(view := await self.lead(lab, group)):
            if self.pace.now_us() > deadline:
                raise ClusterError(f"group {group}: the membership does not change: {words}")
            told = await self._try(
                lab, view.node, "change", group=group, changes=body, transition=transition
            )
            is_done = True
            words = told.get("words", "") or words
            if told.get("fate") != Fate.OK:
                await self.pace.pause(POLL_SECONDS)
        return is_done

    async def _settled(self, lab: Lab, group: str, gone: int) -> None:
        """Wait until a majority of the voters has applied that `gone` is out.

        Before that, those that stay could need its vote to go on.
        """
        words = f"group {group}: its members do not come to know that {_name(lab, gone)} is out"
        async with self.pace.within(CHANGE_SECONDS, words):
            while True:
                leader = await self.lead(lab, group)
                views = (await self.views(lab, group)).values()
                knowing = {each.id for each in views if each.members and _is_out(each, gone)}
                if len(knowing & leader.voters) > len(leader.voters) // 2:
                    return
                await self.pace.pause(POLL_SECONDS)

    async def _try(self, lab: Lab, node: str, verb: str, **fields: Any) -> dict[str, Any]:
        """Ask for something whose outcome is looked at anyway."""
        try:
            return await self.talk.do(lab, node, verb, **fields)
        except UnreachedError as error:
            return {"words": error.message}
        except ClusterError as error:
            return {"fate": Fate.FAIL, "words": error.message}


async def _states(control: Keeper) -> dict[str, NodeState]:
    return {each["name"]: NodeState(each["state"]) for each in (await control.info())["nodes"]}


async def _is_running(control: Keeper, node: str) -> bool:
    return (await _states(control)).get(node) in (NodeState.RUNNING, NodeState.PAUSED)


def _why_behind(own: View | None, has: int, leader: View) -> str:
    """What keeps a learner from its vote."""
    if own is None:
        return "does not answer"
    if own.state != "running":
        return f"its member is {own.state}"
    return f"has {has} of {leader.commit} entries"


def _is_out(view: View, gone: int) -> bool:
    return gone not in view.members and not view.outgoing


def _id(lab: Lab, node: str) -> int:
    """Raises: UsageError."""
    found = lab.node(node).id
    assert found is not None, "a node of our own engine has one"
    return found


def _name(lab: Lab, node_id: int) -> str:
    return next((each.name for each in lab.nodes if each.id == node_id), f"{node_id:x}")


def _names(lab: Lab, ids: Iterable[int]) -> str:
    return ", ".join(_name(lab, each) for each in sorted(ids)) or "nobody"


def _row(lab: Lab, group: str, view: View, node_id: int) -> MemberRow:
    name = _name(lab, node_id)
    ports = [each.peer_port for each in lab.nodes if each.id == node_id]
    return MemberRow(
        node=name,
        id=node_id,
        peer_url=f"{HOST}:{ports[0]}" if ports else "",
        is_learner=node_id in view.learners,
        is_started=True,
        group=group,
        is_leaving=node_id in view.outgoing - view.voters,
    )


def _without_leader(lab: Lab, group: str, views: dict[str, View]) -> str:
    """Why nothing can be changed, and the way out."""
    up = ", ".join(name for name, view in views.items() if view.state == "running") or "none"
    down = [each for each in lab.group(group).hosts if each not in views]
    head = f"group {group} has no leader; of its nodes {', '.join(lab.group(group).hosts)}"
    way = f"; walctl cluster start {lab.path} {down[0]}" if down else "; are links cut?"
    return f"{head} these answer: {up}: it needs a majority of its voters{way}"

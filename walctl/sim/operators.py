"""People who change the members and groups of a simulated cluster, by the shipped commands.

What they type is a coroutine of `member_flow` and `group_flow`, as it is between processes; here
its words to nodes travel in virtual time (`Line`), the lab's file is a `LabBook`, and it is driven
by an `Errand`. A node that does not run refuses at once; one that is paused, or busy with its disk,
answers when it goes on; one that dies meanwhile breaks the connection.

Everything that a command has anybody do is a step: a verb but `status`, a node started or stopped,
a line of the lab's file. A command may be killed behind any step (`kill_at`), with the answer heard
or still on its way; what it had asked for by then is done all the same.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

from walctl.cluster.deeds import GroupVerb, MemberVerb, RaftVerb
from walctl.cluster.events import EventKind
from walctl.cluster.group_flow import begun, dropped, moved
from walctl.cluster.lab import Group, Lab, Node
from walctl.cluster.member_flow import CHANGE_SECONDS, Flow, added, promoted, removed
from walctl.cluster.own_members import OwnMembership
from walctl.cluster.quorum_left import QuorumLeft
from walctl.cluster.talk import DO_SECONDS, STATUS_SECONDS, UnreachedError, View, view_of
from walctl.errors import ClusterError, UsageError, WalctlError
from walctl.sim.answering import answer
from walctl.sim.clockwork import Rank
from walctl.sim.errands import Errand, Going, Stop
from walctl.sim.lab_book import LabBook

WAY_US: Final = 500
"""How long words to a node or to the supervisor are on their way."""
LOOK_US: Final = 10_000
"""How often somebody looks whether a paused node goes on."""

T = TypeVar("T")
Fields: TypeAlias = dict[str, Any]
Hear: TypeAlias = Callable[[Fields | WalctlError], None]
Work: TypeAlias = Callable[[Flow], Coroutine[Any, Any, T]]
Operation: TypeAlias = MemberVerb | GroupVerb | RaftVerb


class Command(Errand[T], Generic[T]):
    """One command as it runs. `steps` are those whose answer it has heard, in words, and `asked`
    how many it has begun; `on_step` is told of each, with its number from 1, once it is heard.

    `kill_at` is the step behind which it is killed; `is_heard`: once that is answered, else as
    soon as it is asked for.
    """

    def __init__(
        self,
        book: LabBook,
        *,
        kill_at: int | None = None,
        is_heard: bool = True,
        on_step: Callable[[int, str], None] | None = None,
    ) -> None:
        super().__init__(book.world.clock)
        self.steps: list[str] = []
        self.asked = 0
        self._kill_at = kill_at
        self._is_heard = is_heard
        self._on_step = on_step

    def asks(self) -> None:
        """A step begins."""
        self.asked += 1
        if not self._is_heard and self.asked == self._kill_at:
            self.kill()

    def hears(self, words: str) -> None:
        """A step is over."""
        if self.is_over:
            return
        self.steps.append(words)
        if self._on_step is not None:
            self._on_step(len(self.steps), words)
        if self._is_heard and len(self.steps) == self._kill_at:
            self.kill()


class Line:
    """See `Talk`: the words of one command to nodes."""

    def __init__(self, book: LabBook, command: Command[Any]) -> None:
        self._book = book
        self._command = command
        self._clock = book.world.clock

    async def do(
        self, lab: Lab, node: str, verb: str, *, seconds: float = DO_SECONDS, **fields: Any
    ) -> Fields:
        """See `Talk`."""
        name = lab.node(node).name

        def begin(going: Going[Fields]) -> None:
            def hear(found: Fields | WalctlError) -> None:
                self._command.hears(f"{verb} {name}")
                _go(going, found)

            self._ask(name, verb, fields, seconds, hear)
            self._command.asks()

        return await Stop(begin)

    async def views(self, lab: Lab, group: str, nodes: Iterable[str]) -> dict[str, View]:
        """See `Talk`."""
        found = await self._all([lab.node(each).name for each in nodes], "status")
        views = {
            name: view_of(each, name, group)
            for name, each in found.items()
            if not isinstance(each, WalctlError)
        }
        return {name: view for name, view in views.items() if view is not None}

    async def reload(self, lab: Lab, nodes: Iterable[str]) -> list[str]:
        """See `Talk`."""
        found = await self._all([lab.node(each).name for each in nodes], "reload")
        return [name for name, each in found.items() if isinstance(each, UnreachedError)]

    async def close(self) -> None:
        """See `Talk`."""

    async def _all(self, nodes: Sequence[str], verb: str) -> dict[str, Fields | WalctlError]:
        """What these nodes say, asked all at once. To be told of the file is a step for each."""
        if not nodes:
            return {}
        found: dict[str, Fields | WalctlError] = {}

        def begin(going: Going[None]) -> None:
            for node in nodes:
                self._ask(node, verb, {}, STATUS_SECONDS, partial(hear, going, node))
                if verb == "reload":
                    self._command.asks()

        def hear(going: Going[None], node: str, said: Fields | WalctlError) -> None:
            found[node] = said
            if verb == "reload":
                self._command.hears(f"{verb} {node}")
            if len(found) == len(nodes):
                going.on(None)

        await Stop(begin)
        return {node: found[node] for node in nodes}

    def _ask(self, node: str, verb: str, fields: Fields, seconds: float, hear: Hear) -> None:
        """Ask one node; `hear` is called once, later."""
        clock, is_open = self._clock, [True]

        def answered(said: Fields | WalctlError) -> None:
            if is_open:
                is_open.clear()
                hear(said)

        def back(said: Fields | WalctlError) -> None:
            clock.after(WAY_US, Rank.CLIENT, lambda: answered(said))

        def arrive() -> None:
            site = self._book.world.sites.get(node)
            if not is_open:
                return
            if site is None or not site.is_up:
                back(_unreached(node, "nobody listens there"))
            elif site.is_paused or clock.now_us < site.busy_until_us:
                clock.at(max(site.busy_until_us, clock.now_us + LOOK_US), Rank.CLIENT, arrive)
            else:
                answer(site, self._book, verb, fields, over)

        def over(errand: Errand[Fields]) -> None:
            site = self._book.world.site(node)
            if errand.was_killed:
                back(_unreached(node, "the connection broke"))
            elif site.is_paused and is_open:
                clock.after(LOOK_US, Rank.CLIENT, lambda: over(errand))
            elif errand.error is not None:
                back(ClusterError(f"{node}: {errand.error.message}"))
            else:
                back(errand.result or {})

        clock.after(WAY_US, Rank.CLIENT, arrive)
        limit_us = round(seconds * 1_000_000)
        clock.after(limit_us, Rank.CLIENT, lambda: answered(_unreached(node, "timed out")))


class Keeping:
    """See `Keeper`: the words of one command to the supervisor."""

    def __init__(self, book: LabBook, command: Command[Any]) -> None:
        self._book = book
        self._command = command

    async def info(self) -> Fields:
        """See `Keeper`."""
        return await self._ask("", self._book.info)

    async def act(self, node: str, action: str) -> Fields:
        """See `Keeper`."""
        return await self._ask(f"{action} {node}", lambda: self._book.act(node, action))

    async def add_node(self, name: str | None = None, *, made_for: str | None = None) -> Node:
        """See `Keeper`."""
        return await self._ask("add a node", lambda: self._book.add_node(name, made_for=made_for))

    async def set_added(self, node: str) -> None:
        """See `Keeper`."""
        await self._put(node, made_for=None)

    async def set_removed(self, node: str) -> None:
        """See `Keeper`."""
        await self._put(node, is_removed=True)

    async def put_group(self, group: Group, *, was: Sequence[str]) -> None:
        """See `Keeper`."""
        words = f"hosts of {group.name}: {' '.join(group.hosts)}"
        await self._ask(words, lambda: self._book.put_group(group, was=was))

    async def drop_group(self, name: str) -> None:
        """See `Keeper`."""
        await self._ask(f"drop {name}", lambda: self._book.drop_group(name))

    async def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        """See `Keeper`."""
        await self._ask("", lambda: self._book.tell(events))

    async def _put(self, node: str, **wishes: Any) -> None:
        def put() -> None:
            self._book.put_node(replace(self._book.lab.node(node), **wishes))

        await self._ask(f"put {node}", put)

    async def _ask(self, step: str, deed: Callable[[], T]) -> T:
        """Have it done; what is no `step` changes nothing."""
        clock = self._book.world.clock

        def begin(going: Going[T]) -> None:
            def arrive() -> None:
                found: T | WalctlError
                try:
                    found = deed()
                except WalctlError as error:
                    found = error
                clock.after(WAY_US, Rank.CLIENT, lambda: hear(found))

            def hear(found: T | WalctlError) -> None:
                if step:
                    self._command.hears(step)
                _go(going, found)

            clock.after(WAY_US, Rank.CLIENT, arrive)
            if step:
                self._command.asks()

        return await Stop(begin)


class Operator:
    """Whoever types commands to the cluster of this book; each of them runs by itself."""

    def __init__(self, book: LabBook) -> None:
        self.book = book

    def begin(
        self,
        deed: Operation,
        *,
        kill_at: int | None = None,
        is_heard: bool = True,
        on_step: Callable[[int, str], None] | None = None,
        on_end: Callable[[Errand[str]], None] | None = None,
    ) -> Command[str]:
        """Do a deed as its command does; see `Command`. Its result is what was done, in words.

        Raises: UsageError, ClusterError, where a word stands for no node just now.
        """
        command: Command[str] = Command(
            self.book, kill_at=kill_at, is_heard=is_heard, on_step=on_step
        )
        return self.run(self._work(deed), command, on_end)

    def run(
        self,
        work: Work[T],
        command: Command[T] | None = None,
        on_end: Callable[[Errand[T]], None] | None = None,
    ) -> Command[T]:
        """Let any change run, as a command."""
        made = Command[T](self.book) if command is None else command
        made.begin(work(self._flow(made)), on_end)
        return made

    def _flow(self, command: Command[Any]) -> Flow:
        book, keeping = self.book, Keeping(self.book, command)

        async def note(words: str) -> None:
            await keeping.tell([{"k": EventKind.NOTE, "words": words}])

        talk = Line(book, command)
        membership = OwnMembership(book.disk, talk=talk, pace=command, note=note)
        return Flow(book.disk, book.lab, membership, keeping)

    def _work(self, deed: Operation) -> Work[str]:
        match deed:
            case MemberVerb():
                return self._member(deed)
            case GroupVerb():
                return self._group(deed)
        return self._raft(deed)

    def _member(self, deed: MemberVerb) -> Work[str]:
        group = deed.group
        is_new = deed.verb == "add"
        node = deed.node if deed.node is None or is_new else self._name(deed.node, group)

        async def work(flow: Flow) -> str:
            if is_new:
                changed = await added(flow, group, node, is_learner=deed.is_learner)
            elif node is None:
                raise UsageError(f"member {deed.verb}: expected a node")
            elif deed.verb == "promote":
                changed = await promoted(flow, group, node)
            else:
                standing = self.book.standing()
                changed = await removed(flow, group, node, standing, _no_warning)
            return f"{changed.node} {changed.done}"

        return work

    def _group(self, deed: GroupVerb) -> Work[str]:
        nodes = [self._name(each) for each in deed.nodes]
        source = self._name(deed.source, deed.group) if deed.source else ""
        target = self._name(deed.target, deed.group) if deed.target else ""
        disk = self.book.disk

        async def work(flow: Flow) -> str:
            match deed.verb:
                case "add":
                    changed = await begun(flow, deed.group, nodes)
                case "move":
                    changed = await moved(flow, disk, deed.group, source, target, is_delete=False)
                case _:
                    changed = await dropped(flow, disk, deed.group, is_delete=False)
            return f"{changed.name} {changed.done}"

        return work

    def _raft(self, deed: RaftVerb) -> Work[str]:
        group = self.book.lab.group(deed.group).name
        node = self._name(deed.node, group)

        async def work(flow: Flow) -> str:
            membership = flow.membership
            if deed.verb == "transfer":
                await membership.transfer(flow.lab, group, node, seconds=CHANGE_SECONDS)
                return f"{node} leads {group}"
            assert isinstance(membership, OwnMembership), "made above"
            told = await membership.talk.do(flow.lab, node, deed.verb, group=group)
            return ", ".join(f"{name} {value}" for name, value in told.items()) or "asked"

        return work

    def _name(self, word: str, group: str | None = None) -> str:
        return self.book.world.name(word, group)


def _go(going: Going[T], found: T | WalctlError) -> None:
    if isinstance(found, WalctlError):
        going.fail(found)
    else:
        going.on(found)


def _unreached(node: str, why: str) -> UnreachedError:
    return UnreachedError(f"{node}: no answer: {why}")


def _no_warning(node: str, left: QuorumLeft) -> None:
    """Nobody is there to be warned."""

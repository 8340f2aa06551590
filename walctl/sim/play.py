"""A scenario played in a simulated world: its commands in their order, and what came of each.

A command with a time is done at that time, and nobody waits for what comes of it; one without is
done when the one before it is. It ends at the first promise that is broken (`Violated`), at
the first expectation that does not hold, and at the first command that cannot be done. A promise
that is broken where the scenario expects just that is what it is for: then all is well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from walctl.checker.judged import violation as unordered
from walctl.checker.linearizable import Limits, Verdict, check
from walctl.checker.violation import Violated, Violation
from walctl.cluster.answers import Fate
from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.deeds import (
    Ask,
    Converge,
    Deed,
    Expect,
    GroupVerb,
    Load,
    MemberVerb,
    Process,
    RaftVerb,
    Run,
    Stabilize,
)
from walctl.cluster.events import EventKind
from walctl.cluster.scenario import Command, Scenario
from walctl.cluster.steps import Done, Step
from walctl.errors import ClusterError, ExitStatus, UsageError, WalctlError
from walctl.sim.claims import Claims
from walctl.sim.clients import Request
from walctl.sim.clockwork import NEVER, Rank
from walctl.sim.converging import converge
from walctl.sim.lab_book import LabBook
from walctl.sim.loads import SimLoad
from walctl.sim.onlooker import Onlooker
from walctl.sim.operators import Operation, Operator
from walctl.sim.recorder import Recorder
from walctl.sim.watching import Watching
from walctl.sim.world import World

UNTIL_US: Final = 60_000_000
COMMAND_US: Final = 60_000_000
"""How long a change of members or groups may take."""
DIGEST_US: Final = 10_000_000
OPERATIONS_MIN: Final = 10
"""A run in which fewer requests of clients succeeded has tested nothing."""

STEPS_MAX: Final = 1_000_000
"""So long an order of what clients saw is looked for: where none is found, nothing is said."""
_OF_ALL: Final = frozenset({ClaimKind.LINEARIZABLE, ClaimKind.DIGESTS})
"""Claims about a whole run: loads that go on beside end first."""

OnStep = Callable[[Step], None]
Watch = Callable[[World], Onlooker]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went. `violation` happened at `now_us`; `event` is how many lines had been told of
    the run by then, where it was recorded."""

    scenario: Scenario
    steps: tuple[Step, ...]
    violation: Violation | None
    now_us: int
    messages: int
    events: int
    elections: int
    counts: dict[Fate, int]
    digest: str | None = None
    lines: int = 0
    is_undecided: bool = False
    """Whether an order of what clients saw was looked for so long that it was given up."""
    forgotten: tuple[tuple[str, str], ...] = ()
    """Nodes that may have lost what they had promised by what no member has to survive, and how."""

    @property
    def is_expected(self) -> bool:
        """Whether the promise that was broken is one that the scenario expects to be."""
        return any(
            isinstance(step.command.deed, Expect)
            and step.command.deed.claim.what is ClaimKind.VIOLATION
            and not step.command.deed.claim.is_not
            and step.done.holds is True
            for step in self.steps
        )

    @property
    def broken(self) -> Step | None:
        """The step at which it ended too early, if any."""
        return next((step for step in self.steps if step.is_broken), None)

    @property
    def exit_status(self) -> ExitStatus:
        """0: as expected; 1: it was not, or a promise was broken; 4: it could not be played."""
        if self.violation is not None and not self.is_expected:
            return ExitStatus.DAMAGE
        if self.broken is not None:
            return ExitStatus.UNFINISHED if self.broken.is_error else ExitStatus.DAMAGE
        return ExitStatus.CLEAN


def play(
    scenario: Scenario,
    *,
    watch: Watch | None = None,
    recorder: Recorder | None = None,
    on_step: OnStep = lambda step: None,
) -> Outcome:
    """Play it from its beginning. `watch` makes whoever looks on of the world, once it is there.

    Raises: UsageError, for a cluster that cannot be.
    """
    world = World(scenario.cluster, recorder=recorder)
    if watch is not None:
        world.onlooker = watch(world)
    return Player(world, scenario, on_step).play()


class Player:
    """Plays one scenario in one world; see `play`."""

    def __init__(self, world: World, scenario: Scenario, on_step: OnStep) -> None:
        self.world = world
        self.claims = Claims(world, self.ask)
        self.operator = Operator(LabBook(world))
        self._scenario = scenario
        self._on_step = on_step
        self._steps: list[Step] = []
        self._loads: list[SimLoad] = []
        self._is_finished = False
        self._is_undecided = False
        self._typed: list[Operation] = []
        """Commands that change members, and that wait for one before them."""
        self._typing: list[frozenset[str]] = []
        """The nodes of those that go on."""

    def play(self) -> Outcome:
        """Do all commands."""
        world = self.world
        self._guarded(world.begin)
        for command in self._scenario.commands:
            if self.claims.violation is not None and not _is_about_violations(command.deed):
                continue
            step = self._step(command)
            self._steps.append(step)
            self._on_step(step)
            if step.is_broken:
                break
        if self.claims.violation is None and not any(each.is_broken for each in self._steps):
            self._finish()
        recorder = world.recorder
        return Outcome(
            scenario=self._scenario,
            steps=tuple(self._steps),
            violation=self.claims.violation,
            now_us=world.clock.now_us,
            messages=world.network.messages,
            events=world.clock.events,
            elections=sum(world.elections.values()),
            counts=dict(world.clients.counts),
            digest=None if recorder is None else recorder.digest,
            lines=0 if recorder is None else recorder.count,
            forgotten=self._forgotten(),
            is_undecided=self._is_undecided,
        )

    def _forgotten(self) -> tuple[tuple[str, str], ...]:
        onlooker = self.world.onlooker
        return tuple(onlooker.forgotten.items()) if isinstance(onlooker, Watching) else ()

    def _step(self, command: Command) -> Step:
        """Do one."""
        done, is_error = Done(), False
        try:
            if command.at_us is not None and self.claims.violation is None:
                self._guarded(lambda: self.world.clock.run_to(command.at_us or 0))
            if self.claims.violation is None or _is_about_violations(command.deed):
                done = self._guarded(lambda: self.do(command)) or done
        except (ClusterError, UsageError) as error:
            # At a time that was planned before, it may well be that nobody leads. But an
            # expectation that cannot be looked at does not hold.
            if command.at_us is not None and not isinstance(command.deed, Expect):
                done = Done(f"not done: {error.message}")
            else:
                done, is_error = Done(error.message), True
        except WalctlError as error:
            done, is_error = Done(error.message), True
        return Step(command=command, at_us=self.world.clock.now_us, done=done, is_error=is_error)

    def _guarded(self, deed: Callable[[], Done | None]) -> Done | None:
        """Let something happen; a promise that is broken by it is kept in mind."""
        try:
            return deed()
        except Violated as error:
            self._keep(error.violation)
            return None

    def _keep(self, found: Violation) -> None:
        """The run has found what it is for."""
        self.claims.violation = found
        fields = {"id": found.id, "words": found.words, "nodes": list(found.nodes)}
        group = found.group or None
        self.world.tell(EventKind.VIOLATION, fields, node=None, group=group)

    def _finish(self) -> None:
        """All ends as it should; what can only be said then is said: that files hold what their
        members said, that all that was acknowledged is there, that clients saw one order."""
        if self._is_finished:
            return
        self._is_finished = True
        onlooker = self.world.onlooker
        if isinstance(onlooker, Watching):
            self._guarded(lambda: self._end_all(onlooker))

    def _end_all(self, watching: Watching) -> None:
        self._end_loads()
        for site in self.world.sites.values():
            site.stop()
        watching.finished()
        judged = check(self.world.clients.history(), limits=Limits(steps=STEPS_MAX))
        self._is_undecided = judged.verdict is Verdict.UNKNOWN
        found = unordered(judged)
        if found is not None:
            raise Violated(found)

    def do(self, command: Command) -> Done:
        """Do what a command says. Raises: WalctlError, Violated."""
        deed = command.deed
        match deed:
            case Ask() if command.at_us is None:
                request = self.ask(deed)
                return Done(_answer_words(request))
            case Load():
                return self._load(deed, is_beside=deed.is_beside or command.at_us is not None)
            case Stabilize():
                return self._stabilize()
            case Run():
                return self._run(deed)
            case Expect(claim=claim):
                return self._judge(claim)
            case Converge():
                return Done(converge(self.world, deed))
            case RaftVerb(verb="transfer") if command.at_us is None:
                words = self.world.do(deed)
                claim = Claim(what=ClaimKind.LEADER, node=deed.node, group=deed.group)
                found = self._until(claim, UNTIL_US)
                if not found.holds:
                    raise ClusterError(f"{words}: {found.words}")
                return Done(words)
            case MemberVerb() | GroupVerb():
                return self._operate(deed, is_beside=command.at_us is not None)
            case RaftVerb(verb="snapshot") if command.at_us is None:
                return self._operate(deed, is_beside=False)
            case Process(verb="kill", call=int()) if command.at_us is None:
                return self._armed(deed)
        return Done(self.world.do(deed))

    def ask(self, ask: Ask) -> Request:
        """Ask, and let time pass until there is an answer."""
        via = None if ask.via is None else self.world.name(ask.via, ask.group)
        group = self.world.group(ask.group)
        request = self.world.clients.ask(replace(ask, via=via), group)
        while request.fate is None:
            self.world.clock.step()
        self.claims.last = request
        # Whatever is asked next is asked after the answer, and not at the same moment.
        self.world.clock.run_to(self.world.clock.now_us + 1)
        return request

    def _operate(self, deed: Operation, *, is_beside: bool) -> Done:
        """Have a command typed; beside, it goes on as far as it comes."""
        if is_beside:
            self._typed.append(deed)
            self._type_next()
            return Done("goes on beside")
        command = self.operator.begin(deed, kill_at=_steps(deed))
        end = self.world.clock.now_us + COMMAND_US
        while not command.is_over:
            if self.world.clock.now_us >= end:
                command.kill()
                raise ClusterError(f"{deed.words}: not done within {COMMAND_US // 1_000_000} s")
            self._pass_time(end)
        if command.error is not None:
            raise command.error
        if command.was_killed:
            return Done(f"broken off behind: {', '.join(command.steps)}")
        return Done(command.result or "")

    def _type_next(self) -> None:
        """Whoever changes the members types a command about a node once the one before it, about
        the same node, has come back; other nodes may be other people's."""
        for deed in list(self._typed):
            nodes = _about(deed)
            if not any(nodes & other for other in self._typing):
                self._typed.remove(deed)
                self._type(deed, nodes)

    def _type(self, deed: Operation, nodes: frozenset[str]) -> None:
        self._typing.append(nodes)
        try:
            self.operator.begin(deed, kill_at=_steps(deed), on_end=lambda _: self._typed_one(nodes))
        except (ClusterError, UsageError):
            self._typed_one(nodes)  # it names nobody just now

    def _typed_one(self, nodes: frozenset[str]) -> None:
        self._typing.remove(nodes)
        # In a turn of its own: what has come back is at its very end only.
        self.world.clock.after(0, Rank.CLIENT, self._type_next)

    def _armed(self, deed: Process) -> Done:
        """It dies at a certain call of its disk: wait for that."""
        site = self.world.site(self.world.name(deed.node))
        words = self.world.do(replace(deed, node=site.name))
        end = self.world.clock.now_us + UNTIL_US
        while site.is_up and self.world.clock.next_us < end:
            self.world.clock.step()
        if site.is_up:
            raise ClusterError(f"{words}: its disk was not called so often, and it runs")
        return Done(words)

    def _load(self, deed: Load, *, is_beside: bool) -> Done:
        load = SimLoad(self.world, deed, name=f"v{len(self._loads)}")
        self._loads.append(load)
        load.begin()
        if is_beside:
            return Done("goes on beside")
        before = dict(self.world.clients.counts)
        self.world.clock.run_to(load.end_us)
        self._end_loads()
        counts = self.world.clients.counts
        told = [f"{counts[fate] - before[fate]} {fate}" for fate in Fate]
        return Done(", ".join(each for each in told if not each.startswith("0 ")))

    def _end_loads(self) -> None:
        """Loads ask nothing more, and all that was asked is answered, or never will be."""
        for load in self._loads:
            load.is_over = True
        while self.world.clients.open_count:
            self.world.clock.step()

    def _judge(self, claim: Claim) -> Done:
        if claim.what in _OF_ALL:
            self._end_loads()
        if claim.what is ClaimKind.VIOLATION and self.claims.violation is None:
            self._finish()
        if claim.what is ClaimKind.DIGESTS and not claim.is_not:
            # Members that run apply at their own pace: they get some time to be alike.
            found = self._until(claim, DIGEST_US)
            return Done(found.words.partition(": ")[2], holds=found.holds)
        return self.claims.judge(claim)

    def _stabilize(self) -> Done:
        end = self.world.clock.now_us + UNTIL_US
        while why := unstable(self.world):
            if self.world.clock.now_us >= end:
                raise ClusterError(f"not stable within {UNTIL_US // 1_000_000} s: {why}")
            self._pass_time(end)
        return Done("stable")

    def _run(self, deed: Run) -> Done:
        if deed.until is None:
            self.world.clock.run_to(self.world.clock.now_us + (deed.for_us or 0))
            return Done()
        return self._until(deed.until, UNTIL_US if deed.for_us is None else deed.for_us)

    def _until(self, claim: Claim, within_us: int) -> Done:
        began = self.world.clock.now_us
        while True:
            try:
                found = self.claims.judge(claim)
            except ClusterError as error:  # nobody leads just now, say
                found = Done(error.message, holds=False)
            passed = self.world.clock.now_us - began
            if found.holds:
                return Done(f"after {passed / 1e6:.3f} s: {found.words}", holds=True)
            if passed >= within_us:
                return Done(f"not within {within_us / 1e6:g} s: {found.words}", holds=False)
            self._pass_time(began + within_us)

    def _pass_time(self, end_us: int) -> None:
        """Let the next event happen, or, where none comes before, let it be `end_us`."""
        if self.world.clock.next_us >= min(end_us, NEVER):
            self.world.clock.run_to(end_us)
        else:
            self.world.clock.step()


def unstable(world: World) -> str:
    """What is not settled yet, empty when one leads each group and all that run are alike."""
    for group in world.groups:
        leader = world.leader(group)
        drivers = world.drivers(group)
        if leader is None:
            return f"nobody leads {group}"
        commit = drivers[leader].node.raft.log.committed
        for name, driver in drivers.items():
            if driver.id not in drivers[leader].members:
                continue
            if driver.lead != drivers[leader].id:
                lead = world.node_name(driver.lead) or "nobody"
                return f"{name} follows {lead}, and {leader} leads"
            if driver.applied < commit:
                return f"{name} is {commit - driver.applied} entries behind"
    return ""


def _is_about_violations(deed: Deed) -> bool:
    return isinstance(deed, Expect) and deed.claim.what is ClaimKind.VIOLATION


def _answer_words(request: Request) -> str:
    told = [str(request.fate)]
    if request.is_read and request.fate is Fate.OK:
        told.append("no such key" if request.output is None else repr(request.output[:60]))
    if request.node:
        told.append(f"by {request.node}")
    if request.words:
        told.append(request.words)
    return ", ".join(told)


def _steps(deed: Operation) -> int | None:
    """Behind how many steps whoever types it dies; `None`: behind none."""
    return deed.steps if isinstance(deed, GroupVerb) else None


def _about(deed: Operation) -> frozenset[str]:
    """The nodes that a command changes something of."""
    if isinstance(deed, GroupVerb):
        return frozenset(filter(None, (*deed.nodes, deed.source, deed.target)))
    return frozenset(filter(None, (deed.node,)))

"""Whether a claim holds of a simulated world: nothing is asked, all is looked at."""

from collections.abc import Callable

from walctl.checker.linearizable import Verdict, check
from walctl.checker.violation import Violation
from walctl.cluster.answers import Fate
from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.deeds import Ask
from walctl.cluster.driver import Driver
from walctl.cluster.quoting import bytes_of
from walctl.cluster.steps import Done
from walctl.errors import ClusterError, UsageError
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict as Damage
from walctl.raft.types import Role
from walctl.repair.planning import make_plan
from walctl.sim.clients import Request
from walctl.sim.world import World


class Claims:
    """Judges claims on one world. `last` is the request that a client made last; `asked` makes one
    and lets time pass until it is answered."""

    def __init__(self, world: World, asked: Callable[[Ask], Request]) -> None:
        self.last: Request | None = None
        self.violation: Violation | None = None
        self._world = world
        self._asked = asked

    def judge(self, claim: Claim) -> Done:
        """Raises: UsageError, ClusterError, where that cannot be told."""
        found = self._judge(claim)
        return Done(found.words, holds=found.holds is not claim.is_not)

    def _judge(self, claim: Claim) -> Done:
        match claim.what:
            case ClaimKind.VALUE:
                return self._value(claim)
            case ClaimKind.OUTCOME:
                return self._outcome(claim)
            case ClaimKind.LINEARIZABLE:
                return self._linearizable()
            case ClaimKind.VIOLATION:
                return self._violated(claim)
            case ClaimKind.VERIFY:
                return self._verified(claim.text)
            case ClaimKind.DIGESTS:
                return self._digests()
            case ClaimKind.EXIT:
                return self._exited(claim)
            case ClaimKind.REFUSED:
                return self._refused(claim)
            case ClaimKind.FINDING | ClaimKind.PLAN:
                return self._at_rest(claim)
            case ClaimKind.UP:
                site = self._world.site(self._world.name(claim.node or "", claim.group))
                return Done(f"{site.name} {'runs' if site.is_up else 'does not run'}", site.is_up)
            case ClaimKind.LEADER:
                return self._leads(claim)
            case ClaimKind.ELECTIONS:
                group = self._world.group(claim.group)
                count = self._world.elections.get(group, 0)
                holds = claim.admits(count)
                return Done(f"{count} in {group}", holds)
        return self._of_member(claim)

    def _leads(self, claim: Claim) -> Done:
        group = self._world.group(claim.group)
        leader = self._world.leader(group)
        wanted = None if claim.node is None else self._world.name(claim.node, group)
        holds = leader is not None if wanted is None else leader == wanted
        return Done(f"{leader or 'nobody'} leads {group}", holds)

    def _of_member(self, claim: Claim) -> Done:
        group = self._world.group(claim.group)
        name = self._world.name(claim.node or "", group)
        driver = self._world.drivers(group).get(name)
        if driver is None:
            return Done(f"{name}: no member of {group} runs there", holds=False)
        raft = driver.node.raft
        match claim.what:
            case ClaimKind.ROLE:
                role = _role(driver)
                return Done(f"{name} is {role}", role == claim.text)
            case ClaimKind.COMMITTED:
                found = driver.service.read(bytes_of(claim.text))
                wanted = None if claim.value is None else bytes_of(claim.value)
                return Done(f"{claim.text} {_shown(found)} on {name}", found == wanted)
        value = {
            ClaimKind.TERM: raft.term,
            ClaimKind.COMMIT: raft.log.committed,
            ClaimKind.APPLIED: driver.applied,
        }[claim.what]
        holds = claim.admits(value)
        return Done(f"{claim.what} of {name} is {value}", holds)

    def _value(self, claim: Claim) -> Done:
        request = self._asked(Ask(verb="get", key=claim.text, group=claim.group))
        if request.fate is not Fate.OK:
            return Done(f"no answer: {request.words}", holds=False)
        wanted = None if claim.value is None else bytes_of(claim.value)
        return Done(f"{claim.text} {_shown(request.output)}", request.output == wanted)

    def _outcome(self, claim: Claim) -> Done:
        if self.last is None:
            raise UsageError(f"expected a request before {claim.text!r}, found none")
        fate = self.last.fate or Fate.UNKNOWN
        words = f"{fate}{': ' * bool(self.last.words)}{self.last.words}"
        return Done(words, fate == Fate(claim.text))

    def _linearizable(self) -> Done:
        history = self._world.clients.history()
        verdict = check(history).verdict
        words = f"{len(history.operations)} operations: {verdict}"
        return Done(words, verdict is Verdict.LINEARIZABLE)

    def _violated(self, claim: Claim) -> Done:
        found = self.violation
        if found is None:
            return Done("nothing was broken", holds=False)
        holds = not claim.text or not set(found.ids).isdisjoint(claim.text.split("|"))
        return Done(f"{found.id} {found.words}", holds)

    def _verified(self, text: str) -> Done:
        fine = (Damage.CLEAN,) if text == "clean" else (Damage.CLEAN, Damage.HARMLESS)
        world = self._world
        count = 0
        for name, site in world.sites.items():
            for group in site.hosted:
                folder = world.ways.place(group).wal.parent
                if not site.disk.fs.exists(folder):
                    continue
                count += 1
                report = verify(site.disk.fs, folder)
                if report.error:
                    return Done(f"{name}/{group}: {report.error}", holds=False)
                if report.verdict not in fine:
                    codes = ", ".join(sorted({str(each.code) for each in report.findings}))
                    return Done(f"{name}/{group} is {report.verdict}: {codes}", holds=False)
        if not count:
            return Done("there is no directory", holds=False)
        return Done(f"every directory is {text}", holds=True)

    def _digests(self) -> Done:
        told: list[str] = []
        for group in self._world.groups:
            found: dict[tuple[int, str], list[str]] = {}
            for name, driver in self._world.drivers(group).items():
                key = driver.applied, driver.service.digest()
                found.setdefault(key, []).append(name)
            told += [f"{group} at {at}: {'+'.join(names)}" for (at, _), names in found.items()]
            if len(found) != 1:
                return Done("; ".join(told) or "nobody runs", holds=False)
        return Done("; ".join(told), holds=True)

    def _exited(self, claim: Claim) -> Done:
        site = self._world.site(self._world.name(claim.node or "", claim.group))
        if site.is_up:
            return Done(f"{site.name} runs", holds=False)
        return Done(site.words or "stopped", claim.text in site.words)

    def _refused(self, claim: Claim) -> Done:
        """Whether a node, or its member of the group that is named, has not started for what is in
        its files, or what an operator has read in them."""
        site = self._world.site(self._world.name(claim.node or "", claim.group))
        seat = site.seats.get(self._world.group(claim.group))
        words = site.barred
        if not words and seat is not None and seat.driver is None:
            words = seat.refused
        if not words:
            return Done(f"{site.name} {'runs' if site.is_up else 'was not refused'}", holds=False)
        return Done(words, claim.text in words)

    def _at_rest(self, claim: Claim) -> Done:
        """What our own tools say of the files of a node that does not run, from them alone."""
        world = self._world
        site = world.site(world.name(claim.node or "", claim.group))
        if site.is_up:
            raise ClusterError(f"{site.name}: expected a node that does not run, found it running")
        folder = world.ways.place(world.group(claim.group)).wal.parent
        if claim.what is ClaimKind.PLAN:
            plan = make_plan(site.disk.fs, folder)
            words = f"repair of {site.name} is {plan.plan_class}: {plan.summary}"
            return Done(words, plan.plan_class == claim.text)
        report = verify(site.disk.fs, folder)
        codes = sorted({str(each.code) for each in report.findings})
        words = report.error or ", ".join(codes) or "nothing"
        return Done(f"verify of {site.name} reports {words}", claim.text in codes)


def _role(driver: Driver) -> str:
    """As `status` says it."""
    if driver.id in driver.conf_state.learners:
        return "learner"
    role = driver.node.raft.role
    return "pre-candidate" if role is Role.PRE_CANDIDATE else role.word


def _shown(value: bytes | None) -> str:
    return "is not there" if value is None else f"is {value[:60]!r}"

"""Whether a claim holds of a lab that is up: asked of nodes, files and events."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from walctl.checker.history import HistoryError
from walctl.checker.linearizable import Limits, Verdict, check
from walctl.checker.recognise import history_of
from walctl.cluster import runtime
from walctl.cluster.answers import Answer, Client, Fate, Read
from walctl.cluster.asking import key_of
from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.events import EventKind
from walctl.cluster.hands import Hands
from walctl.cluster.lab import Engine
from walctl.cluster.oracle import read_logs
from walctl.cluster.quoting import bytes_of
from walctl.cluster.standing import NodeState, Standing
from walctl.errors import ClusterError, UsageError
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict as Damage
from walctl.repair.planning import make_plan

HISTORY_BYTES_MAX: Final = 1 << 30
LOG_BYTES: Final = 1 << 16
JUDGE_SECONDS: Final = 60.0
DIGEST_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """Whether it holds, and what was found."""

    holds: bool
    words: str


class Claims:
    """Judges claims on one lab. `last` is the answer that a client got last, if any."""

    def __init__(self, hands: Hands, client: Client) -> None:
        self.last: Answer | None = None
        self._hands = hands
        self._client = client

    async def judge(self, claim: Claim) -> Found:
        """Raises: ClusterError, AccessError, UsageError, where that cannot be told."""
        found = await self._judge(claim)
        return Found(found.holds is not claim.is_not, found.words)

    async def _judge(self, claim: Claim) -> Found:
        match claim.what:
            case ClaimKind.VALUE | ClaimKind.COMMITTED:
                return await self._value(claim)
            case ClaimKind.OUTCOME:
                if self.last is None:
                    raise UsageError(f"expected a request before {claim.text!r}, found none")
                words = f"{self.last.fate}{': ' * bool(self.last.words)}{self.last.words}"
                return Found(self.last.fate == Fate(claim.text), words)
            case ClaimKind.LINEARIZABLE:
                return await asyncio.to_thread(self._linearizable)
            case ClaimKind.VIOLATION:
                return await asyncio.to_thread(self._violation, claim.text)
            case ClaimKind.ELECTIONS:
                return await asyncio.to_thread(self._elections, claim)
            case ClaimKind.VERIFY:
                return await asyncio.to_thread(self._verified, claim.text)
            case ClaimKind.DIGESTS:
                return await self._digests()
            case ClaimKind.EXIT | ClaimKind.REFUSED:
                return await self._exit(claim)
            case ClaimKind.FINDING | ClaimKind.PLAN:
                return await self._at_rest(claim)
        return await self._standing(claim)

    async def _standing(self, claim: Claim) -> Found:
        """What a look at the nodes says."""
        hands = self._hands
        standing = await hands.standing()
        group = hands.lab.group(claim.group).name
        leader = standing.leader(group)
        if claim.what is ClaimKind.LEADER:
            node = None if claim.node is None else await hands.name(claim.node, group=claim.group)
            holds = leader is not None if node is None else leader == node
            return Found(holds, f"{leader or 'nobody'} leads {group}")
        name = await hands.name(claim.node or "", group=claim.group)
        node_standing = next(each for each in standing.nodes if each.name == name)
        member = next((each for each in node_standing.groups if each.group == group), None)
        if claim.what is ClaimKind.UP:
            return Found(node_standing.is_up, f"{name} is {node_standing.state}")
        if member is None:
            return Found(holds=False, words=f"{name} gives no answer ({node_standing.state})")
        return _of_member(claim, name, member)

    async def _value(self, claim: Claim) -> Found:
        key = key_of(self._hands.lab, bytes_of(claim.text))
        group = self._hands.lab.group(claim.group).name
        via, read = None, Read.INDEX
        if claim.what is ClaimKind.COMMITTED:
            via, read = await self._hands.name(claim.node or "", group=claim.group), Read.LOCAL
        answer = await self._client.get(key, group=group, via=via, read=read)
        if answer.fate is not Fate.OK:
            return Found(holds=False, words=f"no answer: {answer.words}")
        wanted = None if claim.value is None else bytes_of(claim.value)
        shown = "is not there" if answer.value is None else f"is {answer.value[:60]!r}"
        return Found(answer.value == wanted, f"{claim.text} {shown}")

    def _linearizable(self) -> Found:
        data = self._history()
        try:
            history = history_of(data)
        except HistoryError as error:
            raise ClusterError(f"the event file makes no history: {error.message}") from error
        end = runtime.now_us() + round(JUDGE_SECONDS * 1e6)
        judged = check(history, limits=Limits(is_over=lambda: runtime.now_us() > end))
        count = len(history.operations)
        words = f"{count} operations: {judged.verdict}"
        if judged.verdict not in (Verdict.LINEARIZABLE, Verdict.NOT_LINEARIZABLE):
            raise ClusterError(f"{words}: nothing can be said of linearizability")
        return Found(judged.verdict is Verdict.LINEARIZABLE, words)

    def _violation(self, ids: str) -> Found:
        """Of one of these invariants, `I7|I1`; of any, where none is named."""
        wanted = ids.split("|") if ids else None
        for event in self._events(EventKind.VIOLATION):
            if wanted is None or event.get("id") in wanted:
                return Found(holds=True, words=json.dumps(event, ensure_ascii=False))
        return Found(holds=False, words="none in the event file")

    def _elections(self, claim: Claim) -> Found:
        group = self._hands.lab.group(claim.group).name
        count = sum(
            event.get("to") == "leader" and event.get("g", group) == group
            for event in self._events(EventKind.ROLE)
        )
        holds = claim.admits(count)
        return Found(holds, f"{count} in {group}")

    def _events(self, kind: EventKind) -> Iterator[dict[str, Any]]:
        """The lines of this kind in the event file."""
        mark = f'"k":"{kind}"'.encode()
        for line in self._history().splitlines():
            if mark in line:
                yield json.loads(line)

    def _history(self) -> bytes:
        with self._hands.disk.open(self._hands.lab.events_path) as file:
            return file.read_at(0, HISTORY_BYTES_MAX)

    def _verified(self, text: str) -> Found:
        """Of a node that runs a log is looked at while it is written, so a second look may help."""
        worst = (Damage.CLEAN,) if text == "clean" else (Damage.CLEAN, Damage.HARMLESS)
        told = ""
        for _ in range(4):
            told = self._damage(worst)
            if not told:
                return Found(holds=True, words=f"every directory is {text}")
            runtime.sleep(POLL_SECONDS * 4)
        return Found(holds=False, words=told)

    def _damage(self, fine: tuple[Damage, ...]) -> str:
        """The first directory that is not fine, and why."""
        hands = self._hands
        for group in hands.lab.groups:
            for name in group.hosts:
                path = hands.lab.data_path(name, group.name)
                if not hands.disk.exists(path):
                    continue
                report = verify(hands.disk, path)
                if report.error:
                    return f"{name}: {report.error}"
                if report.verdict not in fine:
                    codes = ", ".join(sorted({str(each.code) for each in report.findings}))
                    return f"{name}/{group.name} is {report.verdict}: {codes}"
        return ""

    async def _digests(self) -> Found:
        """Members that run apply at their own pace: they get some time to be alike."""
        end = runtime.now_us() + round(DIGEST_SECONDS * 1e6)
        while True:
            found = await self._digests_now()
            if found.holds or runtime.now_us() > end:
                return found
            await asyncio.sleep(POLL_SECONDS)

    async def _digests_now(self) -> Found:
        lab = self._hands.lab
        if lab.engine is Engine.ETCD:
            logs = await asyncio.to_thread(read_logs, self._hands.disk, lab)
            return Found(all(each.are_alike for each in logs), "as replayed from the directories")
        told: list[str] = []
        for group in lab.groups:
            found: dict[tuple[Any, Any], list[str]] = {}
            for name in group.hosts:
                if await self._hands.state(name) is NodeState.RUNNING:
                    try:
                        one = await self._hands.ask_node(name, "digest", {"group": group.name})
                    except ClusterError as error:
                        return Found(holds=False, words=error.message)
                    found.setdefault((one["applied"], one["digest"]), []).append(name)
            if len(found) != 1:
                words = [f"{'+'.join(names)} at {at}" for (at, _), names in found.items()]
                return Found(
                    holds=False, words=f"{group.name}: {', '.join(words) or 'nobody runs'}"
                )
            told += [f"{group.name} at {at}: {'+'.join(names)}" for (at, _), names in found.items()]
        return Found(holds=True, words="; ".join(told))

    async def _exit(self, claim: Claim) -> Found:
        name = await self._hands.name(claim.node or "", group=claim.group)
        info = await self._hands.info_of(name)
        if info["state"] not in (NodeState.STOPPED, NodeState.CRASHED):
            return Found(holds=False, words=f"{name} is {info['state']}")
        log = await asyncio.to_thread(self._log_end, name)
        text = "\n".join([str(info["words"]), *map(str, info.get("last", ())), log])
        return Found(claim.text in text, _telling(info, claim.text, text))

    async def _at_rest(self, claim: Claim) -> Found:
        """What our own tools say of a directory that nobody writes."""
        name = await self._hands.name(claim.node or "", group=claim.group)
        state = await self._hands.state(name)
        if state in (NodeState.RUNNING, NodeState.PAUSED):
            raise ClusterError(f"{name}: expected a node that does not run, found it {state}")
        path = self._hands.lab.data_path(name, self._hands.lab.group(claim.group).name)
        judge = self._found_in if claim.what is ClaimKind.FINDING else self._planned_for
        return await asyncio.to_thread(judge, claim, name, path)

    def _found_in(self, claim: Claim, name: str, path: Path) -> Found:
        report = verify(self._hands.disk, path)
        codes = sorted({str(each.code) for each in report.findings})
        words = report.error or ", ".join(codes) or "nothing"
        return Found(claim.text in codes, f"verify of {name} reports {words}")

    def _planned_for(self, claim: Claim, name: str, path: Path) -> Found:
        """From its own files alone."""
        plan = make_plan(self._hands.disk, path)
        words = f"repair of {name} is {plan.plan_class}: {plan.summary}"
        return Found(plan.plan_class == claim.text, words)

    def _log_end(self, name: str) -> str:
        path = self._hands.lab.log_path(name)
        if not self._hands.disk.exists(path):
            return ""
        with self._hands.disk.open(path) as file:
            size = file.stat().size
            start = max(0, size - LOG_BYTES)
            return file.read_at(start, size - start).decode("utf-8", "replace")


def _of_member(claim: Claim, name: str, member: Standing) -> Found:
    if claim.what is ClaimKind.ROLE:
        return Found(member.role == claim.text, f"{name} is {member.role}")
    value = {
        ClaimKind.TERM: member.term,
        ClaimKind.COMMIT: member.commit,
        ClaimKind.APPLIED: member.applied,
    }[claim.what]
    if value is None:
        return Found(holds=False, words=f"{name} does not tell its {claim.what}")
    return Found(claim.admits(value), f"{claim.what} of {name} is {value}")


def _telling(info: Mapping[str, Any], wanted: str, text: str) -> str:
    """The line of a node's last words that has what was wanted, else how it ended."""
    lines = [line.strip() for line in text.splitlines() if wanted and wanted in line]
    return lines[-1][:200] if lines else str(info["words"])

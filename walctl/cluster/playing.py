"""Deeds done to real processes, one after the other: what plays scenarios and the nemesis.

Requests of clients are written into the event file as those of a load are. Changes of members and
groups are made by the commands that a person would type, in processes of their own. What is done
beside waits for nothing: what became of it is in the event file.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from walctl.cluster import runtime
from walctl.cluster.answers import Answer, Client, Fate, Read, Wait
from walctl.cluster.asking import client_of, key_of
from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.claims import Claims, Found
from walctl.cluster.deeds import (
    Ask,
    Converge,
    Deed,
    Expect,
    GroupVerb,
    Load,
    MakeCluster,
    MemberVerb,
    OneMessage,
    Propose,
    RaftVerb,
    Repair,
    Run,
    Stabilize,
    Twin,
)
from walctl.cluster.events import EventKind, packed
from walctl.cluster.hands import FaultDeed, Hands, demand_real
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.load import Load as LoadRun
from walctl.cluster.load import LoadPlan
from walctl.cluster.quoting import bytes_of
from walctl.cluster.standing import LabStanding, NodeState
from walctl.cluster.steps import Done
from walctl.errors import ClusterError, UsageError, WalctlError

UNTIL_SECONDS: Final = 20.0
"""How long is waited for a claim where no time is given."""
COMMAND_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
CLIENT: Final = "scenario"
_KINDS: Final = {Fate.OK: EventKind.OK, Fate.FAIL: EventKind.FAIL, Fate.UNKNOWN: EventKind.INFO}
_NAMES: Final = {"del": "delete"}
_OF_ALL: Final = (ClaimKind.LINEARIZABLE, ClaimKind.DIGESTS)
"""What is judged when all that went on beside has ended."""


class Player:
    """Does deeds to one lab that is up. Made by `playing`.

    `origin_us` is the moment at which the lab's clock stood at 0.
    """

    def __init__(self, hands: Hands, client: Client, *, origin_us: int, name: str = CLIENT) -> None:
        self.hands = hands
        self.claims = Claims(hands, client)
        self._client = client
        self._origin_us = origin_us
        self._name = name
        self._count = 0
        self._loads: list[tuple[LoadRun, asyncio.Task[Any]]] = []
        self._beside: list[asyncio.Task[None]] = []

    @property
    def lab(self) -> Lab:
        """The lab, as it was seen last."""
        return self.hands.lab

    async def begin(self, deed: Deed) -> Done:
        """Do one, and wait for no answer of a client. Raises: WalctlError, as `do`."""
        match deed:
            case Ask() | Propose():
                self._beside.append(asyncio.create_task(self._do_beside(deed)))
                return Done("asked; nobody waits for the answer")
            case Load():
                return await self._load(replace(deed, is_beside=True))
        return await self.do(deed)

    async def do(self, deed: Deed) -> Done:
        """Do one. Raises: WalctlError, when it cannot be done."""
        match deed:
            case MakeCluster():
                raise UsageError("expected one cluster, found another")
            case Ask():
                self.claims.last, done = await self._ask(deed)
                return done
            case Propose():
                return await self._propose(deed)
            case RaftVerb():
                return await self._raft(deed)
            case MemberVerb() | GroupVerb():
                await self._command(*_command_of(deed, self.lab))
                return Done(f"{deed.words}: done")
            case Load():
                return await self._load(deed)
            case Stabilize():
                return await self._stabilize()
            case Run():
                return await self._run(deed)
            case Expect(claim=claim):
                return await self._judge(claim)
            case OneMessage() | Repair() | Twin() | Converge():
                demand_real(deed)
                return Done("")
            case _:
                return await self._fault(deed)

    async def end_beside(self) -> None:
        """Let what goes on beside end, and all it saw be written: loads, and open requests."""
        loads, self._loads = self._loads, []
        for load, task in loads:
            load.stop()
            await task
        beside, self._beside = self._beside, []
        await asyncio.gather(*beside)

    async def _fault(self, deed: FaultDeed) -> Done:
        return Done((await self.hands.do(deed)).words)

    async def _do_beside(self, deed: Ask | Propose) -> None:
        """What could not even be asked is noted, for nobody waits to be told."""
        try:
            await (self._ask(deed) if isinstance(deed, Ask) else self._propose(deed))
        except WalctlError as error:
            event = {"k": EventKind.NOTE, "what": f"{deed.words}: {error.message}"}
            await self.hands.control.tell([event])

    # Clients.

    async def _ask(self, deed: Ask) -> tuple[Answer, Done]:
        group = self.lab.group(deed.group).name
        via = None if deed.via is None else await self.hands.name(deed.via, group=group)
        what = _NAMES.get(deed.verb, deed.verb)
        key = key_of(self.lab, bytes_of(deed.key))
        value = None if deed.value is None else bytes_of(deed.value)
        expected = None if deed.expected is None else bytes_of(deed.expected)
        asked: dict[str, Any] = {"f": what, "g": group, **packed("key", key)}
        if value is not None:
            asked |= packed("v", value)
        if expected is not None:
            asked |= packed("expect", expected)
        read = Read(deed.read or Read.INDEX)
        if read is Read.LOCAL:
            asked["read"] = read
        client, number = await self._invoked(asked)
        if what == "get":
            answer = await self._client.get(key, group=group, via=via, read=read)
        else:
            answer = await self._answer(what, key, value, expected, group, via)
        await self._answered(client, number, what, answer)
        return answer, Done(_answer_words(answer, what))

    async def _answer(
        self,
        what: str,
        key: bytes,
        value: bytes | None,
        expected: bytes | None,
        group: str,
        via: str | None,
    ) -> Answer:
        client = self._client
        match what:
            case "put":
                return await client.put(key, value or b"", group=group, via=via, wait=Wait.COMMIT)
            case "delete":
                return await client.delete(key, group=group, via=via)
        return await client.swap(key, expected, value or b"", group=group, via=via)

    async def _invoked(self, asked: Mapping[str, Any]) -> tuple[str, int]:
        """Each request is of a client of its own: one of unknown fate may still come true."""
        self._count += 1
        client = f"{self._name}-{self._count}"
        event = {"c": client, "k": EventKind.INVOKE, "op": self._count, **asked}
        await self.hands.control.tell([event])
        return client, self._count

    async def _answered(self, client: str, number: int, what: str, answer: Answer) -> None:
        event: dict[str, Any] = {"c": client, "k": _KINDS[answer.fate], "op": number}
        if answer.index is not None:
            event["rev"] = answer.index
        if what == "get" and answer.fate is Fate.OK and answer.value is not None:
            event |= packed("v", answer.value)
        if answer.words:
            event["why"] = answer.words
        await self.hands.control.tell([event])

    async def _propose(self, deed: Propose) -> Done:
        group = self.lab.group(deed.group).name
        node = await self.hands.name(deed.node, group=group)
        key, value = key_of(self.lab, bytes_of(deed.key)), bytes_of(deed.value)
        asked = {"f": "put", "g": group, **packed("key", key), **packed("v", value)}
        client, number = await self._invoked(asked)
        wait = Wait.PROPOSE
        answer = await self._client.put(key, value, group=group, via=node, wait=wait)
        if answer.fate is Fate.OK:  # nobody said that it will ever be committed
            answer = Answer(fate=Fate.UNKNOWN, node=answer.node, words="handed to Raft")
        await self._answered(client, number, "put", answer)
        return Done(_answer_words(answer, "put"))

    async def _load(self, deed: Load) -> Done:
        self._count += 1
        plan = LoadPlan(
            name=f"{self._name}-load-{self._count}",
            clients=deed.clients,
            rate=deed.rate,
            keys=deed.keys,
            seconds=deed.for_us / 1e6,
            groups=tuple(each.name for each in self.lab.groups),
            key_prefix=key_of(self.lab, b"k").decode(),
        )
        run = LoadRun(
            plan,
            self._client,
            draw=self.hands.draw.randrange,
            now_us=lambda: runtime.now_us() - self._origin_us,
            tell=self.hands.control.tell,
        )
        task = asyncio.create_task(run.run())
        self._loads.append((run, task))
        if deed.is_beside:
            return Done("goes on beside")
        await task
        fates = ", ".join(f"{count} {fate}" for fate, count in sorted(run.result.fates.items()))
        return Done(fates or "nothing was asked")

    # Raft and its members.

    async def _raft(self, deed: RaftVerb) -> Done:
        group = self.lab.group(deed.group).name
        node = await self.hands.name(deed.node, group=group)
        if deed.verb != "transfer":
            told = await self.hands.ask_node(node, deed.verb, {"group": group})
            shown = [f"{name} {value}" for name, value in told.items() if name != "v"]
            return Done(", ".join(shown) or "asked")
        if self.lab.engine is Engine.ETCD:
            await self._command("transfer", str(self.lab.path), node)
            return Done(f"{node} leads {group}")
        leader = await self.hands.name("leader", group=group)
        if leader != node:
            fields = {"group": group, "to": f"{self.lab.node(node).id:x}"}
            await self.hands.ask_node(leader, "transfer", fields)
        claim = Claim(what=ClaimKind.LEADER, node=node, group=group)
        found = await self._until(claim, UNTIL_SECONDS)
        if not found.holds:
            raise ClusterError(f"{node} does not lead {group}: {found.words}")
        return Done(f"{node} leads {group}")

    async def _command(self, *words: str) -> None:
        """A command of ours, as a person types it."""
        process = await asyncio.create_subprocess_exec(
            *runtime.own_command("cluster", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=runtime.environment(""),
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        except TimeoutError as error:
            raise ClusterError(f"{words[0]}: not done within {COMMAND_SECONDS:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = [line for line in out.decode("utf-8", "replace").splitlines() if line.strip()]
        last = lines[-1].strip() if lines else ""
        if process.returncode:
            raise ClusterError(f"{last.removeprefix('walctl: ') or f'exit {process.returncode}'}")

    # Time, and what is to hold.

    async def _stabilize(self) -> Done:
        """One leads each group, and all that run have applied what is committed."""
        end = runtime.now_us() + round(UNTIL_SECONDS * 1e6)
        while True:
            why = _unstable(await self.hands.standing(), self.lab)
            if not why:
                return Done("stable")
            if runtime.now_us() > end:
                raise ClusterError(f"not stable within {UNTIL_SECONDS:g} s: {why}")
            await asyncio.sleep(POLL_SECONDS)

    async def _run(self, deed: Run) -> Done:
        if deed.until is None:
            await asyncio.sleep((deed.for_us or 0) / 1e6)
            return Done("")
        seconds = UNTIL_SECONDS if deed.for_us is None else deed.for_us / 1e6
        return await self._until(deed.until, seconds)

    async def _until(self, claim: Claim, seconds: float) -> Done:
        began = runtime.now_us()
        while True:
            try:
                found = await self.claims.judge(claim)
            except ClusterError as error:  # nobody leads just now, say
                found = Found(holds=False, words=error.message)
            passed = (runtime.now_us() - began) / 1e6
            if found.holds:
                return Done(f"after {passed:.1f} s: {found.words}", holds=True)
            if passed > seconds:
                return Done(f"not within {seconds:g} s: {found.words}", holds=False)
            await asyncio.sleep(POLL_SECONDS)

    async def _judge(self, claim: Claim) -> Done:
        if claim.what in _OF_ALL:
            await self.end_beside()
        found = await self.claims.judge(claim)
        return Done(found.words, holds=found.holds)


@contextlib.asynccontextmanager
async def playing(hands: Hands, *, name: str = CLIENT) -> AsyncIterator[Player]:
    """A player for a lab that is up, while the block runs; what goes on beside ends with it."""
    origin_us = (await hands.control.info())["origin_us"]
    async with client_of(hands.lab) as client:
        player = Player(hands, client, origin_us=origin_us, name=f"{name}-{runtime.now_us()}")
        try:
            yield player
        finally:
            await player.end_beside()


def _command_of(deed: MemberVerb | GroupVerb, lab: Lab) -> list[str]:
    """The command of a change of members or groups."""
    path = str(lab.path)
    if isinstance(deed, MemberVerb):
        words = ["member", deed.verb, path]
        words += [deed.node] if deed.node else []
        words += ["--group", deed.group] if deed.group else []
        return [*words, "--learner"] if deed.is_learner else words
    words = ["group", deed.verb, path, deed.group]
    words += ["--on", ",".join(deed.nodes)] if deed.nodes else []
    words += ["--from", deed.source] if deed.source else []
    return [*words, "--to", deed.target] if deed.target else words


def _unstable(standing: LabStanding, lab: Lab) -> str:
    """What is not settled yet, empty when all is."""
    running = [node for node in standing.nodes if node.state is NodeState.RUNNING]
    for group in lab.groups:
        leader = standing.leader(group.name)
        if leader is None:
            return f"nobody leads {group.name}"
        for node in running:
            if node.name not in group.hosts:
                continue
            member = next((each for each in node.groups if each.group == group.name), None)
            if member is None:
                return f"{node.name} gives no answer"
            if member.leader != leader:
                return f"{node.name} follows {member.leader or 'nobody'}, and {leader} leads"
            if member.lag:
                return f"{node.name} is {member.lag} entries behind"
    return ""


def _answer_words(answer: Answer, what: str) -> str:
    told = [str(answer.fate)]
    if what == "get" and answer.fate is Fate.OK:
        told.append("no such key" if answer.value is None else repr(answer.value[:60]))
    if answer.node:
        told.append(f"by {answer.node}")
    if answer.words:
        told.append(answer.words)
    return ", ".join(told)

"""A load on a lab: clients that ask one thing after the other, and write down what they saw.

Every value is written once in all the lab's life, so that a read says which write it saw. A client
whose request has an unknown fate never asks again under its name, because that request may still
take effect at any time: it goes on as a new client. What is written down are the lines `invoke`,
`ok`, `fail` and `info` of the event file: calls before they are sent, so that a load that is killed
leaves nothing that was written by nobody; answers with the next call, or a little later. So `tell`
is to be quick: the load's waits only until what it tells has left this process.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from walctl.cluster.answers import Answer, Client, Fate, Read, Wait
from walctl.cluster.client_events import Tell, ended, invoked
from walctl.raft.core import Draw

TELL_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 0.1
"""How long a client waits after a request that was refused or is of unknown fate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is to be asked. `rate` is requests a second of all clients together, `None`: as many as
    there can be. `mix` are weights of put, get, delete and cas. `via` are the nodes that clients
    begin with, in turn; none: each finds the leader. `name` makes its clients' names its own.
    """

    name: str
    clients: int = 5
    rate: int | None = 100
    keys: int = 10
    mix: Mapping[str, int] = field(default_factory=lambda: {"put": 5, "get": 4, "cas": 1})
    seconds: float = 30.0
    groups: tuple[str, ...] = ("g1",)
    key_prefix: str = "/k"
    value_bytes: int = 0
    via: tuple[str, ...] = ()
    read: Read = Read.INDEX
    wait: Wait = Wait.COMMIT


@dataclass(slots=True)
class LoadResult:
    """What came of it. `longest_gap_us` is the longest time in which no request was ok."""

    fates: Counter[Fate] = field(default_factory=Counter)
    latencies_us: list[int] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    longest_gap_us: int = 0

    @property
    def count(self) -> int:
        """All requests that were made."""
        return sum(self.fates.values())

    def latency_us(self, percent: int) -> int | None:
        """The latency that so many of the requests that were ok did not exceed."""
        if not self.latencies_us:
            return None
        ranked = sorted(self.latencies_us)
        return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]


class Load:
    """Runs a plan. `now_us` is the lab's clock; `tell` takes events, a batch at a time."""

    def __init__(
        self,
        plan: LoadPlan,
        client: Client,
        *,
        draw: Draw,
        now_us: Callable[[], int],
        tell: Tell,
    ) -> None:
        self.plan = plan
        self.result = LoadResult()
        self._client = client
        self._draw = draw
        self._now_us = now_us
        self._tell = tell
        self._events: list[Mapping[str, Any]] = []
        self._names = 0
        self._operations = 0
        self._last_ok = 0
        self._is_over = False
        self._words = [name for name, weight in plan.mix.items() for _ in range(weight)]

    def stop(self) -> None:
        """Ask nothing more; `run` ends when what is under way has an answer."""
        self._is_over = True

    async def run(self) -> LoadResult:
        """Do it. Raises what `tell` raises."""
        began = self._last_ok = self._now_us()
        end = began + int(self.plan.seconds * 1e6)
        clients = [
            asyncio.create_task(self._one_client(number, end))
            for number in range(self.plan.clients)
        ]
        everything = asyncio.gather(*clients)
        try:
            while not everything.done():
                await asyncio.wait([everything], timeout=TELL_SECONDS)
                await self._hand_over()
            await everything
        finally:
            for each in clients:
                each.cancel()
            await asyncio.gather(everything, *clients, return_exceptions=True)
            await self._hand_over()
        self.result.seconds = (self._now_us() - began) / 1e6
        self._note_gap()
        return self.result

    async def _hand_over(self) -> None:
        events, self._events = self._events, []
        if events:
            await self._tell(events)

    async def _one_client(self, number: int, end: int) -> None:
        plan = self.plan
        name = self._new_name()
        via = plan.via[number % len(plan.via)] if plan.via else None
        pause = plan.clients / plan.rate if plan.rate else 0.0
        due = self._now_us() + int(pause * 1e6 * number / plan.clients)
        seen: dict[bytes, bytes | None] = {}
        while not self._is_over and self._now_us() < end:
            if pause:
                await asyncio.sleep(max(0.0, (due - self._now_us()) / 1e6))
                due = max(due + int(pause * 1e6), self._now_us())
                if self._now_us() >= end:
                    break
            answer = await self._one(name, via, seen)
            if answer.fate is Fate.UNKNOWN:
                name = self._new_name()
            if answer.fate is Fate.UNKNOWN or (answer.fate is Fate.FAIL and answer.index is None):
                await asyncio.sleep(RETRY_SECONDS)

    def _new_name(self) -> str:
        self._names += 1
        return f"{self.plan.name}-{self._names}"

    async def _one(self, name: str, via: str | None, seen: dict[bytes, bytes | None]) -> Answer:
        """One request, written down from its call to its answer."""
        plan = self.plan
        what = self._words[self._draw(len(self._words))]
        group = plan.groups[self._draw(len(plan.groups))]
        key = f"{plan.key_prefix}{self._draw(plan.keys)}".encode()
        self._operations += 1
        number = self._operations
        value = f"{name}.{number}".ljust(plan.value_bytes, ".").encode()
        expected = seen.get(key)
        began = self._now_us()
        is_write = what in ("put", "cas")
        self._events.append(
            invoked(
                name,
                number,
                what,
                at_us=began,
                group=group,
                key=key,
                value=value if is_write else None,
                expected=expected if what == "cas" else None,
            )
        )
        await self._hand_over()
        answer = await self._ask(what, key, value, expected, group=group, via=via)
        self._note(name, number, what, began, answer)
        if answer.fate is Fate.OK:
            seen[key] = {"get": answer.value, "delete": None}.get(what, value)
        elif what == "cas":
            seen[key] = answer.value
        return answer

    async def _ask(
        self,
        what: str,
        key: bytes,
        value: bytes,
        expected: bytes | None,
        *,
        group: str,
        via: str | None,
    ) -> Answer:
        client, plan = self._client, self.plan
        match what:
            case "put":
                return await client.put(key, value, group=group, via=via, wait=plan.wait)
            case "get":
                return await client.get(key, group=group, via=via, read=plan.read)
            case "delete":
                return await client.delete(key, group=group, via=via)
        return await client.swap(key, expected, value, group=group, via=via)

    def _note(self, name: str, number: int, what: str, began: int, answer: Answer) -> None:
        now, result = self._now_us(), self.result
        self._events.append(ended(name, number, what, answer, at_us=now))
        result.fates[answer.fate] += 1
        if answer.fate is Fate.OK:
            result.latencies_us.append(now - began)
            self._note_gap()
            self._last_ok = now
        elif answer.words:
            result.words[answer.words] += 1

    def _note_gap(self) -> None:
        gap = self._now_us() - self._last_ok
        self.result.longest_gap_us = max(self.result.longest_gap_us, gap)

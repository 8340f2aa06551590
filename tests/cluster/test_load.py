"""What a load and a hand tell of what they ask."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

from walctl.cluster.answers import Answer, Client, Fate, Wait
from walctl.cluster.client_events import TellingClient
from walctl.cluster.load import Load, LoadPlan


class Store:
    """A client of nothing, which sees what had been told when it was asked."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.asked: list[tuple[bytes, bool]] = []
        self.now = 0

    async def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.told.extend(events)

    def now_us(self) -> int:
        self.now += 1000
        return self.now

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        is_told = any(each.get("v") == value.decode() for each in self.told)
        self.asked.append((value, is_told))
        await asyncio.sleep(0)
        return Answer(fate=Fate.OK, index=7)

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        self.asked.append((key, self.told[-1]["k"] == "invoke"))
        return Answer(fate=Fate.UNKNOWN, words="gone")


def test_a_load_tells_of_a_request_before_it_sends_it() -> None:
    store = Store()
    plan = LoadPlan(name="load", clients=3, rate=None, mix={"put": 1}, seconds=0.2)
    run = Load(
        plan,
        cast(Client, store),
        draw=random.Random(1).randrange,
        now_us=store.now_us,
        tell=store.tell,
    )
    asyncio.run(run.run())
    assert len(store.asked) > 10
    assert all(is_told for _, is_told in store.asked)
    kinds = [each["k"] for each in store.told]
    assert kinds.count("invoke") == kinds.count("ok") == len(store.asked)


def test_writes_by_hand_are_told_and_one_that_may_never_happen_has_no_end() -> None:
    store = Store()

    async def story() -> None:
        hand = TellingClient(cast(Client, store), "hand-1", now_us=store.now_us, tell=store.tell)
        await hand.put(b"/k1", b"a", group="g", wait=Wait.COMMIT)
        await hand.put(b"/k1", b"b", group="g", wait=Wait.PROPOSE)
        await hand.delete(b"/k1", group="g")

    asyncio.run(story())
    assert all(is_told for _, is_told in store.asked)
    kinds = [(each["k"], each["op"], each["c"]) for each in store.told]
    assert kinds == [
        ("invoke", 1, "hand-1"),
        ("ok", 1, "hand-1"),
        ("invoke", 2, "hand-1"),
        ("invoke", 3, "hand-1"),
        ("info", 3, "hand-1"),
    ]

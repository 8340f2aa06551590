"""Writes that a person asks for stand in the event file, and so are no values out of nowhere."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from walctl.cluster.answers import Answer, Fate, Read, Wait
from walctl.cluster.witnessed import TOLD_BYTES_MAX, WitnessedClient
from walctl.errors import ClusterError


class Store:
    """A client that always has the same answer, and notes what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        self.asked.append("put")
        return self.answer

    async def get(self, key: bytes, *, group: str, via: str | None = None, read: Read) -> Answer:
        self.asked.append("get")
        return self.answer

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        self.asked.append("delete")
        return self.answer

    async def swap(
        self,
        key: bytes,
        expected: bytes | None,
        value: bytes,
        *,
        group: str,
        via: str | None = None,
    ) -> Answer:
        self.asked.append("cas")
        return self.answer

    async def range(
        self, prefix: bytes, *, group: str, via: str | None = None, read: Read
    ) -> tuple[Answer, dict[bytes, bytes]]:
        return self.answer, {}

    async def close(self) -> None:
        pass


class Told:
    """Takes events, until it fails."""

    def __init__(self, *, takes: int = 99) -> None:
        self.lines: list[dict[str, Any]] = []
        self._takes = takes

    async def __call__(self, events: Sequence[Mapping[str, Any]]) -> None:
        if len(self.lines) == self._takes:
            raise ClusterError("the disk is full")
        self.lines += map(dict, events)


DONE = Answer(fate=Fate.OK, index=7, node="n1")


def test_a_write_is_written_down_before_and_behind() -> None:
    told = Told()

    async def whole() -> None:
        client = WitnessedClient(Store(DONE), tell=told, name="me-1")
        await client.put(b"/k", b"\xff", group="g1", wait=Wait.COMMIT)
        await client.swap(b"/k", b"a", b"b", group="g1")
        await client.get(b"/k", group="g1", read=Read.INDEX)

    asyncio.run(whole())
    me = {"c": "me-1"}
    assert told.lines == [
        me | {"op": 1, "k": "invoke", "f": "put", "g": "g1", "key": "/k", "v64": "/w=="},
        me | {"op": 1, "k": "ok", "rev": 7},
        me | {"op": 2, "k": "invoke", "f": "cas", "g": "g1", "key": "/k", "v": "b", "expect": "a"},
        me | {"op": 2, "k": "ok", "rev": 7},
    ]


def test_what_cannot_be_written_down_is_not_asked_for() -> None:
    store = Store(DONE)
    client = WitnessedClient(store, tell=Told(takes=0), name="me-1")
    with pytest.raises(ClusterError):
        asyncio.run(client.delete(b"/k", group="g1"))
    assert store.asked == []


def test_an_end_that_cannot_be_written_down_leaves_the_fate_unknown() -> None:
    told = Told(takes=1)
    client = WitnessedClient(Store(DONE), tell=told, name="me-1")
    assert asyncio.run(client.delete(b"/k", group="g1")) == DONE
    assert [each["k"] for each in told.lines] == ["invoke"]


def test_a_value_too_long_for_a_line_is_only_asked_for() -> None:
    store, told = Store(DONE), Told()
    client = WitnessedClient(store, tell=told, name="me-1")
    asyncio.run(client.put(b"/k", bytes(TOLD_BYTES_MAX), group="g1", wait=Wait.COMMIT))
    assert (store.asked, told.lines) == (["put"], [])

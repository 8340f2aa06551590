"""What a scenario's requests leave in the event file."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.cluster.instances import new_lab
from walctl.checker.history import Function
from walctl.checker.trace import parse
from walctl.cluster.answers import Answer, Client, Fate, Read, Wait
from walctl.cluster.events import line_of
from walctl.cluster.hands import Hands
from walctl.cluster.playing import Player
from walctl.cluster.quoting import words_of
from walctl.cluster.scenario import deed_of

BYTES = b"\xff\xfe"


class Told:
    """In the place of the supervisor: the events, as lines of its file."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        """See `SupervisorClient.tell`."""
        for event in events:
            self.lines.append(line_of({"t": len(self.lines), **event}).decode())


class Cell:
    """A client of one key, which says yes to all."""

    def __init__(self) -> None:
        self.value: bytes | None = None

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        """See `answers.Client.put`."""
        self.value = value
        return Answer(fate=Fate.OK)

    async def get(self, key: bytes, *, group: str, via: str | None = None, read: Read) -> Answer:
        """See `answers.Client.get`."""
        return Answer(fate=Fate.OK, value=self.value)


@pytest.mark.parametrize("verb", ["put", "propose n1"])
def test_bytes_that_are_no_text_are_what_a_checker_reads(verb: str, tmp_path: Path) -> None:
    told, lab = Told(), new_lab(tmp_path / "lab")

    async def name(node: str, *, group: str | None = None) -> str:
        return node

    hands = cast(Hands, SimpleNamespace(lab=lab, control=told, name=name))
    player = Player(hands, cast(Client, Cell()), origin_us=0)

    async def play() -> None:
        for line in (f'{verb} "\\xfe"="\\xff\\xfe"', 'get "\\xfe"'):
            await player.do(deed_of(words_of(line)))

    asyncio.run(play())
    put, get = parse(told.lines).operations
    assert (put.function, put.key, put.value) == (Function.PUT, b"/\xfe", BYTES)
    assert (get.function, get.key, get.output) == (Function.GET, b"/\xfe", BYTES)

"""What a client did, as lines of the event file: `invoke`, and how it ended.

A request is told before it is sent: a value that somebody may read was begun to be written by an
event that is on its way to the supervisor, whatever becomes of the client. What it is not told of
the end of is of unknown fate, and that is as good as the truth.
"""

import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from walctl.cluster.answers import Answer, Client, Fate, Read, Wait
from walctl.cluster.events import EventKind, packed

Tell = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]
_KINDS: Final = {Fate.OK: EventKind.OK, Fate.FAIL: EventKind.FAIL, Fate.UNKNOWN: EventKind.INFO}


def invoked(
    name: str,
    number: int,
    what: str,
    *,
    at_us: int,
    group: str,
    key: bytes,
    value: bytes | None = None,
    expected: bytes | None = None,
) -> dict[str, Any]:
    """`what` is put, get, delete or cas; client `name` counts its requests."""
    asked: dict[str, Any] = {"f": what, "g": group, **packed("key", key)}
    if value is not None:
        asked |= packed("v", value)
    if expected is not None:
        asked |= packed("expect", expected)
    return {"t": at_us, "c": name, "k": EventKind.INVOKE, "op": number, **asked}


def ended(name: str, number: int, what: str, answer: Answer, *, at_us: int) -> dict[str, Any]:
    """What became of it."""
    event: dict[str, Any] = {"t": at_us, "c": name, "k": _KINDS[answer.fate], "op": number}
    if answer.index is not None:
        event["rev"] = answer.index
    if what == "get" and answer.fate is Fate.OK and answer.value is not None:
        event |= packed("v", answer.value)
    if answer.words:
        event["why"] = answer.words
    return event


class TellingClient:
    """A client whose writes are told, so that reads of what it wrote are no riddle to a checker.

    `name` is its own in the lab's life. Reads are not told: nothing hangs on them.
    """

    def __init__(self, client: Client, name: str, *, now_us: Callable[[], int], tell: Tell) -> None:
        self._client = client
        self._name = name
        self._now_us = now_us
        self._tell = tell
        self._count = 0

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        """See `answers.Client.put`."""
        asked = self._client.put(key, value, group=group, via=via, wait=wait)
        is_sure = wait is Wait.COMMIT  # else it may never happen, or at any time
        return await self._told("put", asked, group, key, value, is_sure=is_sure)

    async def get(self, key: bytes, *, group: str, via: str | None = None, read: Read) -> Answer:
        """See `answers.Client.get`."""
        return await self._client.get(key, group=group, via=via, read=read)

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        """See `answers.Client.delete`."""
        asked = self._client.delete(key, group=group, via=via)
        return await self._told("delete", asked, group, key)

    async def swap(
        self,
        key: bytes,
        expected: bytes | None,
        value: bytes,
        *,
        group: str,
        via: str | None = None,
    ) -> Answer:
        """See `answers.Client.swap`."""
        asked = self._client.swap(key, expected, value, group=group, via=via)
        return await self._told("cas", asked, group, key, value, expected)

    async def range(
        self, prefix: bytes, *, group: str, via: str | None = None, read: Read
    ) -> tuple[Answer, dict[bytes, bytes]]:
        """See `answers.Client.range`."""
        return await self._client.range(prefix, group=group, via=via, read=read)

    async def close(self) -> None:
        """See `answers.Client.close`."""
        await self._client.close()

    async def _told(
        self,
        what: str,
        asked: Coroutine[Any, Any, Answer],
        group: str,
        key: bytes,
        value: bytes | None = None,
        expected: bytes | None = None,
        *,
        is_sure: bool = True,
    ) -> Answer:
        self._count += 1
        name, number = self._name, self._count
        event = invoked(
            name,
            number,
            what,
            at_us=self._now_us(),
            group=group,
            key=key,
            value=value,
            expected=expected,
        )
        with contextlib.closing(asked):
            await self._tell([event])
            answer = await asked
        if is_sure or answer.fate is not Fate.OK:
            await self._tell([ended(name, number, what, answer, at_us=self._now_us())])
        return answer

"""A client whose writes stand in the lab's event file, as those of a load do.

What nobody wrote down is a value out of nowhere to `walctl cluster check`: the first client of a
load that reads it would be its proof that the lab is broken. So a write is told to the supervisor
before it is asked for, and its end when it is known; where the end cannot be told, its fate stays
unknown, which is true.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from walctl.cluster.answers import Answer, Client, Read, Wait
from walctl.cluster.events import EventKind
from walctl.cluster.load import KINDS, Tell, bytes_field
from walctl.errors import ClusterError

Deed = Callable[[], Awaitable[Answer]]

TOLD_BYTES_MAX: Final = 1 << 19
"""Longer writes are not written down: their lines would be too long for who reads the file."""


class WitnessedClient:
    """Passes everything on to a client. `name` is who asks, and nobody else's name, ever.

    Writes raise what `tell` raises, and are not asked for then.
    """

    def __init__(self, client: Client, *, tell: Tell, name: str) -> None:
        self._client = client
        self._tell = tell
        self._name = name
        self._operations = 0

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        """See `answers.Client.put`."""
        deed = partial(self._client.put, key, value, group=group, via=via, wait=wait)
        return await self._witness("put", deed, group, {"key": key, "v": value})

    async def get(self, key: bytes, *, group: str, via: str | None = None, read: Read) -> Answer:
        """See `answers.Client.get`; a read changes nothing, and is not written down."""
        return await self._client.get(key, group=group, via=via, read=read)

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        """See `answers.Client.delete`."""
        deed = partial(self._client.delete, key, group=group, via=via)
        return await self._witness("delete", deed, group, {"key": key})

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
        deed = partial(self._client.swap, key, expected, value, group=group, via=via)
        said = {"key": key, "v": value} | ({} if expected is None else {"expect": expected})
        return await self._witness("cas", deed, group, said)

    async def range(
        self, prefix: bytes, *, group: str, via: str | None = None, read: Read
    ) -> tuple[Answer, dict[bytes, bytes]]:
        """See `answers.Client.range`."""
        return await self._client.range(prefix, group=group, via=via, read=read)

    async def close(self) -> None:
        """See `answers.Client.close`."""
        await self._client.close()

    async def _witness(
        self, what: str, deed: Deed, group: str, said: Mapping[str, bytes]
    ) -> Answer:
        if sum(map(len, said.values())) > TOLD_BYTES_MAX:
            return await deed()
        self._operations += 1
        line: dict[str, Any] = {"c": self._name, "op": self._operations}
        asked = {"k": EventKind.INVOKE, "f": what, "g": group}
        for name, data in said.items():
            asked |= bytes_field(name, data)
        await self._tell([line | asked])
        answer = await deed()
        end = line | {"k": KINDS[answer.fate]}
        end |= {} if answer.index is None else {"rev": answer.index}
        end |= {"why": answer.words} if answer.words else {}
        with contextlib.suppress(ClusterError):
            await self._tell([end])
        return answer

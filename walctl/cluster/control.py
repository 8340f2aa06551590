"""Speaking to a lab's supervisor: its commands as calls, for whoever is another process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from walctl.cluster.client_events import Tell
from walctl.cluster.events import line_of
from walctl.cluster.faults import Link, LinkFault
from walctl.cluster.lab import Group, Lab, Node
from walctl.cluster.running import socket_path
from walctl.cluster.runtime import short_name
from walctl.errors import ClusterError, ExitStatus, UsageError

ANSWER_SECONDS: Final = 60.0
"""How long a command may take: a node that is told to end may take its time."""


_STREAM_HEAD: Final = (
    b"POST /events/stream HTTP/1.1\r\nHost: supervisor\r\nConnection: close\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class NotUpError(ClusterError):
    """The lab's supervisor does not answer: it is not up, or its supervisor has died."""


class SupervisorClient:
    """A connection to the supervisor of one lab, while the `async with` block runs.

    Every call raises ClusterError or UsageError with the supervisor's words, and NotUpError when
    nobody listens.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._stack = contextlib.ExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._socket = ""

    async def __aenter__(self) -> Self:
        path: Path = socket_path(self._lab)
        with self._stack:
            name = self._stack.enter_context(short_name(path))
            self._socket = name
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=name),
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            )
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
        self._stack.close()

    async def info(self) -> dict[str, Any]:
        """What runs, what is broken, and when the lab's clock stood at 0 (`origin_us`)."""
        return await self._ask("GET", "/info")

    async def act(self, node: str, action: str) -> dict[str, Any]:
        """`start`, `kill`, `stop`, `pause`, `resume`, `restart` or `settle` a node; how it stands
        then."""
        return await self._ask("POST", f"/nodes/{node}/{action}", {})

    async def add_node(self, name: str | None = None, *, made_for: str | None = None) -> Node:
        """One more node, in no group and not started."""
        return Node(**await self._ask("POST", "/nodes", {"name": name, "made_for": made_for}))

    async def rest(
        self, node: str, what: str, fields: Mapping[str, str | int | None]
    ) -> dict[str, Any]:
        """Do something to the directory of a node that does not run; see `resting`."""
        args = (await self._ask("POST", f"/nodes/{node}/rest", {**fields, "what": what}))["args"]
        assert isinstance(args, dict), "it says so"
        return args

    async def set_added(self, node: str) -> None:
        """Write down that an addition that made a node is done."""
        await self._ask("PUT", f"/nodes/{node}", {"is_added": True})

    async def set_removed(self, node: str) -> None:
        """Write down that a node is in no group any more."""
        await self._ask("PUT", f"/nodes/{node}", {"is_removed": True})

    async def put_group(self, group: Group, *, was: Sequence[str]) -> None:
        """Write down who is in a group, if those who `was` had it still do."""
        body = {"first": group.first, "hosts": group.hosts, "was": list(was)}
        await self._ask("PUT", f"/groups/{group.name}", body)

    async def drop_group(self, name: str) -> None:
        """Forget a group."""
        await self._ask("DELETE", f"/groups/{name}")

    async def set_links(
        self, changes: Iterable[tuple[Link, LinkFault]], *, on: str, args: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Break links or make them well; what is broken then."""
        wanted = [
            {"source": link.source, "target": link.target, "fault": asdict(fault)}
            for link, fault in changes
        ]
        body = {"on": on, "args": dict(args), "changes": wanted}
        faults = (await self._ask("POST", "/faults", body))["faults"]
        assert isinstance(faults, list), "it says so"
        return faults

    async def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Have events written; those without `t` happen now."""
        await self._ask("POST", "/events", {"events": list(events)})

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[Tell]:
        """Have events written one after the other, while the block runs: they are told when the
        call returns, whatever becomes of this process, and written when the block ends.

        Events must have their `t`.
        """
        assert self._session is not None, "within the block"
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError as error:
            raise self._not_up() from error
        # What the kernel has is read by the supervisor though this process may be gone by then.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            writer.write(_STREAM_HEAD)

            async def tell(events: Sequence[Mapping[str, Any]]) -> None:
                data = b"".join(map(line_of, events))
                writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                try:
                    await writer.drain()
                except OSError as error:
                    raise self._no_answer(error) from error

            yield tell
            writer.write(b"0\r\n\r\n")
            status = await reader.readline()
            if b" 200 " not in status:
                raise self._no_answer(status.decode(errors="replace").strip() or "it is gone")
        except OSError as error:
            raise self._no_answer(error) from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def down(self, *, is_hard: bool = False) -> None:
        """Ask it to end; it is gone when its process is."""
        await self._ask("POST", "/down", {"hard": is_hard})

    async def _ask(
        self, method: str, route: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        assert self._session is not None, "within the block"
        try:
            url = f"http://supervisor{route}"
            async with self._session.request(method, url, json=body) as answer:
                found = await answer.json(content_type=None)
        except aiohttp.ClientConnectorError as error:
            raise self._not_up() from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._no_answer(error) from error
        if not isinstance(found, dict):
            raise ClusterError(f"{self._lab.path}: its supervisor answers, and not as one does")
        if "error" in found:
            kind = UsageError if found.get("status") == ExitStatus.USAGE else ClusterError
            raise kind(str(found["error"]))
        return found

    def _not_up(self) -> NotUpError:
        path = self._lab.path
        return NotUpError(f"{path}: is not up; walctl cluster up {path} starts it")

    def _no_answer(self, words: object) -> ClusterError:
        return ClusterError(f"{self._lab.path}: its supervisor gave no answer: {words}")

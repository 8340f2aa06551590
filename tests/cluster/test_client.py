"""A lab's client: what it says became of a request that nobody answered."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.cluster.instances import new_lab
from walctl.cluster.answers import Fate, Read, Wait
from walctl.cluster.client import LabClient
from walctl.cluster.lab import HOST


@pytest.mark.parametrize("what", ["put", "delete", "swap"])
def test_a_write_is_sent_once_and_of_unknown_fate_when_the_connection_breaks(
    tmp_path: Path, what: str
) -> None:
    """The library repeats PUT and DELETE by itself on a connection that it used before."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the first request, and dies of the second one."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            seen.append(head.split()[0])
            if len(seen) > 1:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nX-Walctl-Fate: ok\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    async def whole() -> None:
        lab = new_lab(tmp_path / "lab")
        server = await asyncio.start_server(serve, HOST, lab.nodes[0].client_port)
        client = LabClient(lab, connector=aiohttp.TCPConnector(), seconds=2)
        try:
            first = await client.get(b"/a", group="g1", read=Read.INDEX)
            assert first.fate is Fate.OK
            if what == "put":
                answer = await client.put(b"/a", b"1", group="g1", wait=Wait.COMMIT)
            elif what == "delete":
                answer = await client.delete(b"/a", group="g1")
            else:
                answer = await client.swap(b"/a", None, b"1", group="g1")
        finally:
            await client.close()
            server.close()
            await server.wait_closed()
        assert answer.fate is Fate.UNKNOWN
        assert seen == [b"GET", b"POST"]

    asyncio.run(whole())


def test_nobody_listens_so_certainly_nothing_was_done(tmp_path: Path) -> None:
    async def whole() -> None:
        lab = new_lab(tmp_path / "lab", nodes=3)
        client = LabClient(lab, connector=aiohttp.TCPConnector(), seconds=0.3)
        try:
            answer = await client.put(b"/a", b"1", group="g1")
        finally:
            await client.close()
        assert answer.fate is Fate.FAIL

    asyncio.run(whole())

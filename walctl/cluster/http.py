"""A node's HTTP API: raftexample's, unchanged, and a strict one beside it.

raftexample's, for the first group at the root, and for each at /groups/NAME:

    PUT KEY      204 as soon as Raft has the proposal: it may never happen
    GET KEY      what this node has: may be old; 404 without the key
    POST /ID     204; proposes a voter · DELETE /ID   204; proposes to remove a member

KEY is the target exactly as sent, with its slash, escapes and query. Strict is a target whose query
has nothing but these words, and KEY then ends before the question mark:

    PUT KEY?wait=commit                     once it is committed and applied
    PUT KEY?wait=commit&expect=VALUE        if the key holds VALUE (escaped); &absent: is not there
    DELETE KEY?wait=commit
    POST KEY?wait=commit[&delete]           the same as PUT, or DELETE, for clients that would send
                                            those a second time by themselves, as HTTP allows them
    GET KEY?read=index|lease|local
    GET KEY?read=index&prefix[&limit=N]     all keys that begin so, as JSON
    &timeout=MS with any of them

Every strict answer has `X-Walctl-Fate` (ok, fail, unknown; see `answers`), and `X-Walctl-Index`
where there is one. 412: the condition did not hold; the body is what the key holds. 307: another
node leads. 503: nobody does; nothing was proposed. 504: nobody can tell what became of it. 410: the
group is not here any more. With 307, 410 and 503, `X-Walctl-Hosts` names who has the group besides:
`n2=PORT, n4=PORT`.

With etcd's machine (a lab of copied members) a key is what stands behind the slash, unescaped.

Reserved, so these keys cannot be had without a query: /status, /metrics, /groups…, /control….

Only who asks for this machine is answered: the Host must be a loopback name with our port, and an
Origin, which browsers send, must be the same.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from aiohttp import web

from walctl.cluster.answers import Fate, Read, Wait
from walctl.cluster.api_heads import FATE, HOSTS, INDEX, LEADER, TOKEN
from walctl.cluster.compat import member_change
from walctl.cluster.driver import Driver
from walctl.cluster.held import ElsewhereError
from walctl.cluster.lab import MachineKind
from walctl.cluster.node import Instance
from walctl.cluster.node_status import group_status, metrics, node_status
from walctl.cluster.waiting import Told
from walctl.errors import ClusterError, UsageError, WalctlError

VALUE_BYTES_MAX: Final = 3 << 19
"""1.5 MiB, as etcd allows in a request."""
TIMEOUT_MS: Final = 5_000
TIMEOUT_MS_MAX: Final = 600_000
LIMIT: Final = 1_000_000
_STRICT: Final = frozenset(
    {"wait", "read", "expect", "absent", "delete", "prefix", "limit", "timeout"}
)
_GROUPS: Final = "/groups"
_CONTROL: Final = "/control/"
_METHODS: Final = ("PUT", "GET", "POST", "DELETE")

Control = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Does what an operator asks: a verb and its fields, into what came of it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; `words` is `None` for raftexample's API."""

    group: str
    key: bytes
    words: dict[str, bytes] | None

    @property
    def read(self) -> Read:
        """How to read. Raises: UsageError."""
        assert self.words is not None
        word = self.words.get("read", b"index").decode("utf-8", "replace")
        try:
            return Read(word)
        except ValueError:
            raise UsageError(f"read={word}: expected index, lease or local") from None

    @property
    def wait(self) -> Wait:
        """What to wait for. Raises: UsageError."""
        assert self.words is not None
        word = self.words.get("wait", b"commit").decode("utf-8", "replace")
        try:
            return Wait(word)
        except ValueError:
            raise UsageError(f"wait={word}: expected commit or propose") from None

    @property
    def timeout_seconds(self) -> float:
        """How long the client waits. Raises: UsageError."""
        return self.number("timeout", TIMEOUT_MS, TIMEOUT_MS_MAX) / 1000

    def number(self, name: str, default: int, maximum: int) -> int:
        """A number among the words. Raises: UsageError."""
        assert self.words is not None
        text = self.words.get(name)
        if text is None:
            return default
        if not text.isdigit() or not 0 < int(text) <= maximum:
            raise UsageError(f"{name}: expected a number from 1 to {maximum}")
        return int(text)


class Api:
    """Answers requests for a node; see the module. `control` is what operators may ask."""

    def __init__(self, node: Instance, control: Control) -> None:
        self._node = node
        self._control = control
        port = node.own.client_port
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        if not self._is_local(request):
            return _text(HTTPStatus.FORBIDDEN, "only this machine's own requests are answered")
        path = request.raw_path
        try:
            if path.startswith(_CONTROL):
                return await self._operate(request, path.removeprefix(_CONTROL))
            page = self._page(request, path)
            if page is not None:
                return page
            return await self._held(request, self._target(path))
        except UsageError as error:
            return _text(HTTPStatus.NOT_FOUND, error.message, {FATE: Fate.FAIL})
        except ClusterError as error:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, error.message, {FATE: Fate.FAIL})
        except TimeoutError:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "no leader is known", {FATE: Fate.FAIL})

    def _is_local(self, request: web.BaseRequest) -> bool:
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        return host in self._hosts and origin in (None, f"http://{host}")

    def _page(self, request: web.BaseRequest, path: str) -> web.Response | None:
        """What is not a key."""
        if request.method != "GET":
            return None
        if path == "/status":
            return _json(node_status(self._node))
        if path == "/metrics":
            return web.Response(text=metrics(self._node), content_type="text/plain")
        if path == _GROUPS:
            return _json({"v": 1, "groups": sorted(self._node.members)})
        group = path.removeprefix(f"{_GROUPS}/")
        if group != path and "/" not in group and "?" not in group:
            return _json({"v": 1, **group_status(self._node, group)})
        return None

    def _target(self, path: str) -> Target:
        """Raises: UsageError."""
        group = self._node.lab.groups[0].name if self._node.lab.groups else ""
        rest = path
        if path.startswith(f"{_GROUPS}/"):
            group, _, below = path.removeprefix(f"{_GROUPS}/").partition("/")
            rest = f"/{below}"
        bare, mark, query = rest.partition("?")
        words = _words(query) if mark else None
        key = (bare if words is not None else rest).encode("utf-8", "surrogateescape")
        if self._node.lab.settings.machine is MachineKind.ETCD:
            key = unquote_to_bytes(key.removeprefix(b"/"))
        return Target(group, key, words)

    async def _held(self, request: web.BaseRequest, target: Target) -> web.Response:
        """The answer, or who has the group. Raises: UsageError, ClusterError."""
        try:
            return await self._answer(request, target)
        except ElsewhereError as error:
            heads = {FATE: str(Fate.FAIL), HOSTS: self._hosts_of(target.group)}
            return _text(HTTPStatus.GONE, error.message, heads)

    def _hosts_of(self, group: str) -> str:
        return ", ".join(f"{each.name}={each.client_port}" for each in self._node.holders(group))

    async def _answer(self, request: web.BaseRequest, target: Target) -> web.Response:
        """Raises: UsageError, ClusterError."""
        driver = self._node.driver(target.group)
        body = await _body(request) if request.method in ("PUT", "POST") else b""
        if body is None:
            words = f"expected a value of at most {VALUE_BYTES_MAX} bytes"
            return _text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words, {FATE: Fate.FAIL})
        if target.words is None:
            return await self._compatible(request.method, driver, target, body)
        try:
            async with asyncio.timeout(target.timeout_seconds):
                return await self._strict(request.method, driver, target, body)
        except TimeoutError:
            # A read has changed nothing, whatever became of it.
            fate = Fate.FAIL if request.method == "GET" else Fate.UNKNOWN
            return _text(HTTPStatus.GATEWAY_TIMEOUT, "timed out", {FATE: fate})

    # raftexample's.

    async def _compatible(
        self, method: str, driver: Driver, target: Target, body: bytes
    ) -> web.Response:
        match method:
            case "GET":
                value = driver.service.read(target.key)
                if value is None:
                    return _text(HTTPStatus.NOT_FOUND, "Failed to GET")
                return web.Response(body=value)
            case "PUT":
                data = driver.service.put(target.key, body)
                await self._hand_over(target.group, lambda driver: driver.hand_over(data))
            case "POST" | "DELETE":
                change = member_change(method, target.key, body)
                if change is None:
                    return _text(HTTPStatus.BAD_REQUEST, f"Failed on {method}")
                wanted = change
                await self._hand_over(target.group, lambda driver: driver.hand_over_change(wanted))
            case _:
                response = _text(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
                for each in _METHODS:
                    response.headers.add("Allow", each)
                return response
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _hand_over(self, group: str, take: Callable[[Driver], bool]) -> None:
        """Without a leader the client waits, as with raftexample. Raises: ClusterError."""
        async with asyncio.timeout(TIMEOUT_MS_MAX / 1000):
            while not take(self._node.driver(group)):
                await asyncio.sleep(self._node.lab.settings.timing.tick_ms / 1000)
        self._node.wake(group)

    # The strict one.

    async def _strict(
        self, method: str, driver: Driver, target: Target, body: bytes
    ) -> web.Response:
        """Raises: UsageError, ClusterError."""
        match method:
            case "GET":
                return await self._read(driver, target)
            case "PUT" | "POST" | "DELETE":
                data = self._payload(driver, target, method, body)
                return await self._write(driver, target, data)
        return _text(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", {FATE: Fate.FAIL})

    def _payload(self, driver: Driver, target: Target, method: str, body: bytes) -> bytes:
        assert target.words is not None
        if method == "DELETE" or "delete" in target.words:
            return driver.service.delete(target.key)
        expected = target.words.get("expect")
        if expected is None and "absent" not in target.words:
            return driver.service.put(target.key, body)
        return driver.service.swap(target.key, expected, body)

    async def _write(self, driver: Driver, target: Target, data: bytes) -> web.Response:
        if target.wait is Wait.PROPOSE:
            await self._hand_over(target.group, lambda driver: driver.hand_over(data))
            return web.Response(status=HTTPStatus.NO_CONTENT, headers={FATE: Fate.UNKNOWN})
        told = await self._node.propose(target.group, data)
        if told.fate is Fate.OK:
            return web.Response(status=HTTPStatus.NO_CONTENT, headers=_heads(told))
        if told.fate is Fate.UNKNOWN:
            return _text(HTTPStatus.GATEWAY_TIMEOUT, told.words, _heads(told))
        if told.index is not None and told.value is not None:
            return web.Response(
                status=HTTPStatus.PRECONDITION_FAILED, body=told.value, headers=_heads(told)
            )
        if told.index is not None:
            return _text(HTTPStatus.PRECONDITION_FAILED, told.words, _heads(told))
        return self._elsewhere(driver, target, told)

    async def _read(self, driver: Driver, target: Target) -> web.Response:
        read = target.read
        if read is Read.LOCAL:
            told = Told(fate=Fate.OK, index=driver.applied)
        else:
            told = await self._node.read(target.group, by_lease=read is Read.LEASE)
        if told.fate is not Fate.OK:
            return self._elsewhere(driver, target, told)
        # What the state is of, which may be more than was asked for.
        heads = {FATE: Fate.OK, INDEX: str(driver.applied)}
        assert target.words is not None
        if "prefix" in target.words:
            limit = target.number("limit", LIMIT, LIMIT)
            return _pairs(driver, target.key, limit, heads)
        value = driver.service.read(target.key)
        if value is None:
            return _text(HTTPStatus.NOT_FOUND, "no such key", heads)
        return web.Response(body=value, headers=heads)

    def _elsewhere(self, driver: Driver, target: Target, told: Told) -> web.Response:
        """Nothing was proposed here: another node leads, or none."""
        heads = {**_heads(told), HOSTS: self._hosts_of(target.group)}
        url = self._node.client_url(driver.lead) if not driver.is_leader else None
        if url is None:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, told.words, heads)
        heads |= {LEADER: self._node.node_name(driver.lead), "Location": url}
        return _text(HTTPStatus.TEMPORARY_REDIRECT, told.words, heads)

    # Operators.

    async def _operate(self, request: web.BaseRequest, verb: str) -> web.Response:
        if request.headers.get(TOKEN) != self._node.lab.token or request.method != "POST":
            return _text(HTTPStatus.FORBIDDEN, "only the lab's own commands may do this")
        body = await _body(request)
        try:
            fields = json.loads(body or b"{}")
            return _json({"v": 1, **await self._control(verb, fields)})
        except (ValueError, KeyError, TypeError) as error:
            return _text(HTTPStatus.BAD_REQUEST, f"{verb}: {error}")
        except WalctlError as error:
            return _text(HTTPStatus.CONFLICT, error.message)


def _words(query: str) -> dict[str, bytes] | None:
    """The strict words of a query; `None` when there is any other, so that it belongs to a key."""
    words: dict[str, bytes] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name not in _STRICT:
            return None
        words[name] = unquote_to_bytes(value.encode("utf-8", "surrogateescape"))
    return words


async def _body(request: web.BaseRequest) -> bytes | None:
    """What was sent; `None` when it is too long."""
    try:
        data = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None
    return data if len(data) <= VALUE_BYTES_MAX else None


def _heads(told: Told) -> dict[str, str]:
    heads = {FATE: str(told.fate)}
    if told.index is not None:
        heads[INDEX] = str(told.index)
    return heads


def _pairs(driver: Driver, prefix: bytes, limit: int, heads: dict[str, str]) -> web.Response:
    pairs = [
        {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()}
        for key, value in driver.service.range(prefix, limit)
    ]
    return _json({"v": 1, "index": driver.applied, "pairs": pairs}, heads)


def _text(status: HTTPStatus, words: str, heads: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{words}\n", headers=heads)


def _json(value: dict[str, Any], heads: dict[str, str] | None = None) -> web.Response:
    text = json.dumps(value, separators=(",", ":")) + "\n"
    return web.Response(text=text, content_type="application/json", headers=heads)


async def serve(api: Api, host: str, port: int) -> web.ServerRunner:
    """Listen for clients until the runner is cleaned up. Raises: ClusterError."""

    loop = asyncio.get_running_loop()

    def request(message: Any, payload: Any, protocol: Any, *rest: Any) -> web.BaseRequest:
        writer, task = rest
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=VALUE_BYTES_MAX + 1
        )

    server = web.Server(api.handle, request_factory=request)
    runner = web.ServerRunner(server, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise ClusterError(
            f"{host}:{port}: no listening for clients here: {error.strerror}"
        ) from error
    return runner

"""The supervisor's commands, as HTTP and JSON at a Unix socket that its owner alone may open.

    GET  /info                      what runs, what is broken, and when the lab's clock stood at 0
    POST /nodes                     {"name"?}: one more node, in no group, not started
    PUT  /nodes/NAME                {"is_removed": …}
    POST /nodes/NAME/ACTION         start, kill, stop, pause, resume, restart;
                                    settle: it is up, so hold its forecast against that
    POST /nodes/NAME/rest           {"what", …}: to the directory of a node that does not run
    PUT  /groups/NAME               {"first": […], "hosts": […], "was"?: […]}
    DELETE /groups/NAME
    POST /faults                    {"on", "args", "changes": [{"source", "target", "fault": {…}}]}
    POST /events                    {"events": [{"t", "k", …}]}: what a client or a fault did
    POST /events/stream             the same, one a line, for as long as somebody tells; written as
                                    they come
    POST /down                      {"hard"?: bool}

An error is `{"error": WORDS, "status": EXIT STATUS}`.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any, Final

from aiohttp import web

from walctl.cluster import running
from walctl.cluster.events import LINE_BYTES_MAX, EventKind
from walctl.cluster.faults import Link, LinkFault
from walctl.cluster.lab import Group, demand_name
from walctl.cluster.resting import Deed
from walctl.cluster.runtime import listening_socket
from walctl.cluster.supervisor import Supervisor
from walctl.errors import ExitStatus, UsageError, WalctlError
from walctl.fs.writable import WritableFileSystem

BODY_BYTES_MAX: Final = 64 << 20
TAKEN_KINDS: Final = frozenset(
    {
        EventKind.INVOKE,
        EventKind.OK,
        EventKind.FAIL,
        EventKind.INFO,
        EventKind.NOTE,
        EventKind.FAULT,
        EventKind.HEAL,
        EventKind.VIOLATION,
    }
)
"""What others may tell; the rest is the supervisor's and its nodes' to say."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Desk:
    """Takes commands for one supervisor."""

    def __init__(self, disk: WritableFileSystem, supervisor: Supervisor) -> None:
        self._disk = disk
        self._supervisor = supervisor
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_told_errors])
        app.add_routes(
            [
                web.get("/info", self._info),
                web.post("/nodes", self._add_node),
                web.put("/nodes/{name}", self._put_node),
                web.post("/nodes/{name}/rest", self._rest),
                web.post("/nodes/{name}/{action}", self._act),
                web.put("/groups/{name}", self._put_group),
                web.delete("/groups/{name}", self._drop_group),
                web.post("/faults", self._faults),
                web.post("/events", self._events),
                web.post("/events/stream", self._event_stream),
                web.post("/down", self._down),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def open(self) -> None:
        """Begin to listen. Raises: AccessError."""
        await self._runner.setup()
        running.forget_socket(self._disk, self._supervisor.lab)  # one that a dead process left
        socket = listening_socket(running.socket_path(self._supervisor.lab))
        await web.SockSite(self._runner, socket, shutdown_timeout=1.0).start()

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()
        running.forget_socket(self._disk, self._supervisor.lab)

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response(self._supervisor.info())

    async def _add_node(self, request: web.Request) -> web.Response:
        body = await _body(request)
        name, made_for = body.get("name"), body.get("made_for")
        if name is not None:
            demand_name(str(name), what="node")
        node = self._supervisor.add_node(
            None if name is None else str(name),
            made_for=None if made_for is None else str(made_for),
        )
        await self._supervisor.open_links(node)
        return web.json_response(asdict(node))

    async def _put_node(self, request: web.Request) -> web.Response:
        body = await _body(request)
        node = self._supervisor.lab.node(request.match_info["name"])
        if body.get("is_added"):
            node = replace(node, made_for=None)
        if body.get("is_removed"):
            node = replace(node, is_removed=True)
        self._supervisor.put_node(node)
        return web.json_response({})

    async def _act(self, request: web.Request) -> web.Response:
        name, action = request.match_info["name"], request.match_info["action"]
        supervisor = self._supervisor

        async def settle(node: str) -> None:
            supervisor.settle(node)

        actions: dict[str, Callable[[str], Awaitable[None]]] = {
            "start": supervisor.start,
            "stop": supervisor.stop,
            "kill": supervisor.kill,
            "pause": supervisor.pause,
            "resume": supervisor.resume,
            "settle": settle,
            "restart": supervisor.restart,
        }
        if action not in actions:
            raise UsageError(f"{action!r}: expected one of {', '.join(actions)}")
        supervisor.lab.node(name)
        await actions[action](name)
        return web.json_response(supervisor.node_info(name))

    async def _rest(self, request: web.Request) -> web.Response:
        body = await _body(request)
        deed = Deed(str(body.pop("what", "")), body)
        done = await self._supervisor.rest(request.match_info["name"], deed)
        return web.json_response({"args": done.args()})

    async def _put_group(self, request: web.Request) -> web.Response:
        body = await _body(request)
        first, hosts = (tuple(map(str, body.get(each, ()))) for each in ("first", "hosts"))
        name = request.match_info["name"]
        was = body.get("was")
        self._supervisor.put_group(
            Group(name=name, first=first, hosts=hosts),
            was=None if was is None else tuple(map(str, was)),
        )
        return web.json_response({})

    async def _drop_group(self, request: web.Request) -> web.Response:
        self._supervisor.drop_group(request.match_info["name"])
        return web.json_response({})

    async def _faults(self, request: web.Request) -> web.Response:
        body = await _body(request)
        try:
            changes = [
                (Link(str(each["source"]), str(each["target"])), LinkFault(**each["fault"]))
                for each in body["changes"]
            ]
        except (KeyError, TypeError) as error:
            words = f"/faults: expected changes of links, found something else: {error}"
            raise UsageError(words) from error
        self._supervisor.set_links(
            changes, on=str(body.get("on", "link")), args=dict(body.get("args", {}))
        )
        return web.json_response({"faults": self._supervisor.faults()})

    async def _events(self, request: web.Request) -> web.Response:
        events = (await _body(request)).get("events")
        if not isinstance(events, list) or not all(_is_event(each) for each in events):
            raise UsageError("/events: expected a list of events of kinds that others may tell")
        self._supervisor.take_events(events)
        return web.json_response({"count": len(events)})

    async def _event_stream(self, request: web.Request) -> web.Response:
        """Whoever tells may be killed at any time: then what is whole of it is there."""
        rest, count = b"", 0
        async for data in request.content.iter_any():
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LINE_BYTES_MAX:
                raise UsageError(f"/events/stream: expected lines of at most {LINE_BYTES_MAX}")
            try:
                events = [json.loads(line) for line in lines]
            except (ValueError, RecursionError) as error:
                raise UsageError("/events/stream: expected JSON, found something else") from error
            if not all(map(_is_event, events)):
                raise UsageError("/events/stream: expected events of kinds that others may tell")
            self._supervisor.take_events(events)
            count += len(events)
        return web.json_response({"count": count})

    async def _down(self, request: web.Request) -> web.Response:
        is_hard = bool((await _body(request)).get("hard"))
        self._supervisor.ask_down(is_hard=is_hard)
        return web.json_response({})


def _is_event(found: object) -> bool:
    """Whether it is one that others may tell; a time that is missing is now."""
    if not isinstance(found, dict) or found.get("k") not in TAKEN_KINDS or "i" in found:
        return False
    return isinstance(found.get("t", 0), int)


async def _body(request: web.Request) -> dict[str, Any]:
    """The object in a request; an empty one where there is none. Raises: UsageError."""
    data = await request.read()
    try:
        found = json.loads(data) if data else {}
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{request.path}: expected JSON, found something else") from error
    if not isinstance(found, dict):
        raise UsageError(f"{request.path}: expected a JSON object, found something else")
    return found


@web.middleware
async def _told_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors of ours become answers."""
    try:
        return await handler(request)
    except WalctlError as error:
        status = 400 if error.exit_status is ExitStatus.USAGE else 409
        answer = {"error": error.message, "status": int(error.exit_status)}
        return web.json_response(answer, status=status)

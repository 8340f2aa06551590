"""Questions to a real etcd, by its JSON gateway, and what its refusals mean.

Numbers of 64 bits come as strings, bytes as base64, and what is 0 or false is left out.

A refusal is certain where etcd gives it before it proposes anything, or after it applied the
request without effect; of any other nobody can tell whether the request was done. Source: etcd 3.5,
`api/v3rpc/rpctypes/error.go` and where `server/etcdserver` returns those.
"""

from http import HTTPStatus
from typing import Any, Final

import aiohttp

from walctl.cluster.etcd import client_url
from walctl.cluster.lab import Node
from walctl.errors import ClusterError

CERTAIN: Final = (
    "etcdserver: too many requests",
    "etcdserver: request is too large",
    "etcdserver: mvcc: database space exceeded",
    "etcdserver: key is not provided",
    "etcdserver: duplicate key given in txn request",
    "etcdserver: too many operations in txn request",
    "etcdserver: rpc not supported for learner",
    "etcdserver: not capable",
    "etcdserver: permission denied",
    "etcdserver: user name is empty",
    "etcdserver: no leader",
    "etcdserver: unhealthy cluster",
    "etcdserver: re-configuration failed due to not enough started members",
    "etcdserver: member ID already exist",
    "etcdserver: Peer URLs already exists",
    "etcdserver: member not found",
    "etcdserver: can only promote a learner member",
    "etcdserver: too many learner members in cluster",
    "etcdserver: bad leader transferee",
    "etcdserver: not leader",
    "raft proposal dropped",
    "grpc: received message larger than max",
)
"""What the words of a refusal begin with that says for certain that nothing was done."""
WORDS_MAX: Final = 300


class GatewayError(ClusterError):
    """etcd did not do what was asked; `is_certain` where it is certain that nothing was done.

    `is_unreached`: nobody was there to ask, so somebody else may be.
    """

    def __init__(self, message: str, *, is_certain: bool, is_unreached: bool = False) -> None:
        super().__init__(message)
        self.is_certain = is_certain
        self.is_unreached = is_unreached


async def asked(
    session: aiohttp.ClientSession,
    node: Node,
    route: str,
    body: dict[str, Any],
    *,
    seconds: float,
) -> dict[str, Any]:
    """One question to one node, and its answer. Raises: GatewayError."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.post(f"{client_url(node)}{route}", json=body, timeout=timeout) as answer:
            found = await answer.json(content_type=None)
            status = answer.status
    except aiohttp.ClientConnectorError as error:
        words = f"{node.name}: nobody listens at {client_url(node)}"
        raise GatewayError(words, is_certain=True, is_unreached=True) from error
    except TimeoutError as error:
        words = f"{node.name}: no answer within {seconds:g} s"
        raise GatewayError(words, is_certain=False) from error
    except (aiohttp.ClientError, ValueError) as error:
        words = f"{node.name}: the connection broke: {error}"[:WORDS_MAX]
        raise GatewayError(words, is_certain=False) from error
    if not isinstance(found, dict):
        raise GatewayError(f"{node.name}: answers, and not as etcd does", is_certain=False)
    if status != HTTPStatus.OK:
        words = str(found.get("error", found))[:WORDS_MAX]
        raise GatewayError(f"{node.name}: {words}", is_certain=words.startswith(CERTAIN))
    return found


def number(found: dict[str, Any], name: str) -> int:
    """A number of an answer; one that is left out is 0. Raises: GatewayError."""
    try:
        return int(found.get(name, 0))
    except (TypeError, ValueError) as error:
        words = f"{name}: expected a number, found {found.get(name)!r}"
        raise GatewayError(words[:WORDS_MAX], is_certain=False) from error


def revision(found: dict[str, Any]) -> int | None:
    """The revision in the header of an answer."""
    header = found.get("header")
    return number(header, "revision") if isinstance(header, dict) else None

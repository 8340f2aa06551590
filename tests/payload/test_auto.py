"""The decoder that asks every owner: what it finds in real logs, and what it must not claim."""

import gzip
import pickle

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from formats.gob import Pair, build_pair
from tests.corpus import names, needs_corpus
from tests.payload.corpus import is_etcd, logged, members
from tests.payload.k8s_values import SECRET
from tests.payload.test_foreign import BLOCK, FERNET, SECRETBOX
from tests.payload.wire import number, sized
from walctl.model.record import EntryKind
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import PayloadError, Request
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.raftexample import RaftexampleDecoder

PUT = sized(4, sized(1, "k") + sized(2, "v")) + sized(100, number(1, 7))
V2_PUT = number(1, 9) + sized(2, "PUT") + sized(3, "/x") + sized(4, "v") + number(5, 0)
GOB = build_pair(Pair(b"k", b"v"))
OBJECT = sized(4, sized(1, SECRET.key) + sized(2, SECRET.value)) + sized(100, number(1, 7))
CONF_CHANGE = number(1, 1) + number(2, 0) + number(3, 5)
LOOSE, STRICT = AutoDecoder(), AutoDecoder(strict=True)


def decoded(payload: bytes, kind: EntryKind = EntryKind.NORMAL) -> tuple[str, str] | None:
    request = LOOSE.decode(payload, kind)
    return None if request is None else (request.decoder, request.type)


@pytest.mark.parametrize(
    ("payload", "decoder", "kind"),
    [
        (PUT, "etcd", "put"),
        (V2_PUT, "etcd", "v2_put"),
        (GOB, "raftexample", "put"),
        (SECRETBOX, "swarm", "encrypted"),
        (FERNET, "swarm", "encrypted"),
        (BLOCK, "fabric", "block"),
        (OBJECT, "k8s", "put"),
    ],
)
def test_each_owner_s_payload_is_its_owner_s_however_it_is_packed(
    payload: bytes, decoder: str, kind: str
) -> None:
    assert decoded(payload) == (decoder, kind)
    for name, packed in (
        ("gzip", gzip.compress(payload, mtime=0)),
        ("zstd", zstandard.ZstdCompressor().compress(payload)),
    ):
        request = LOOSE.decode(packed, EntryKind.NORMAL)
        assert request is not None
        assert (request.decoder, request.type) == (decoder, kind)
        assert request.body["compressed"] == name


def test_in_etcd_s_own_log_only_what_etcd_cannot_read_is_opened() -> None:
    packed = gzip.compress(PUT, mtime=0)
    request = STRICT.decode(packed, EntryKind.NORMAL)
    assert request is not None
    assert (request.type, request.body["compressed"]) == ("put", "gzip")
    # A frame of zstd that reads as a v2 request by etcd's rule.
    lax = zstandard.ZstdCompressor().compress(PUT)
    assert STRICT.decode(lax, EntryKind.NORMAL) == EtcdDecoder().decode(lax, EntryKind.NORMAL)


def test_what_swarm_encrypts_is_found_in_changes_of_the_membership_too() -> None:
    assert decoded(SECRETBOX, EntryKind.CONF_CHANGE) == ("swarm", "encrypted")
    assert decoded(CONF_CHANGE, EntryKind.CONF_CHANGE) == ("raft", "conf_change")
    assert decoded(CONF_CHANGE + number(9, 1), EntryKind.CONF_CHANGE) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"hello",
        b"\xff" * 40,
        number(200, 5),  # an etcd would pass over it
        sized(100, number(1, 7)),  # asks for nothing
        PUT + number(99, 1),
        sized(4, sized(1, "k") + number(77, 1)),
        number(1, 9) + sized(2, "WORDS"),  # reads as a v2 request without a method that there is
        sized(2, number(1, 9) + sized(2, "an action")),  # what Swarm writes unencrypted
        gzip.compress(b"hello", mtime=0),
        gzip.compress(b"", mtime=0),
        gzip.compress(gzip.compress(PUT, mtime=0), mtime=0),
    ],
)
def test_what_is_nobody_s_is_not_claimed(payload: bytes) -> None:
    assert decoded(payload) is None


@pytest.mark.parametrize("payload", [b"hello", b"\xff" * 40, GOB, SECRETBOX[:-1], BLOCK])
def test_in_etcd_s_own_log_what_etcd_does_not_read_is_an_error(payload: bytes) -> None:
    with pytest.raises(PayloadError, match="no InternalRaftRequest"):
        STRICT.decode(payload, EntryKind.NORMAL)


def test_in_etcd_s_own_log_what_etcd_passes_over_is_its_request() -> None:
    for payload in (number(200, 5), sized(100, number(1, 7)), PUT + number(99, 1)):
        assert STRICT.decode(payload, EntryKind.NORMAL) == EtcdDecoder().decode(
            payload, EntryKind.NORMAL
        )


@pytest.mark.parametrize("auto", [LOOSE, STRICT], ids=["loose", "strict"])
def test_a_damaged_or_endless_compressed_payload_is_an_error(
    auto: AutoDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PayloadError, match="inside its gzip"):
        auto.decode(gzip.compress(PUT, mtime=0)[:-1], EntryKind.NORMAL)
    monkeypatch.setattr("walctl.payload.compressed.OPENED_BYTES_MAX", len(PUT) - 1)
    with pytest.raises(PayloadError, match="opens to more than"):
        auto.decode(gzip.compress(PUT, mtime=0), EntryKind.NORMAL)


@given(st.binary(min_size=1, max_size=200), st.sampled_from(EntryKind), st.booleans())
def test_any_bytes_are_a_request_or_nothing_or_a_payload_error(
    payload: bytes, kind: EntryKind, strict: bool
) -> None:
    try:
        request = AutoDecoder(strict=strict).decode(payload, kind)
    except PayloadError:
        assert strict or payload[:3] == b"\x1f\x8b\x08" or payload[:4] == b"\x28\xb5\x2f\xfd"
    else:
        assert request is None or isinstance(request, Request)


def test_the_decoder_pickles() -> None:
    assert pickle.loads(pickle.dumps(STRICT)) == STRICT


QUICK = ("b-single-allops-34", "b-single-allops-35", "f-raftexample-35")


@needs_corpus
@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in names()],
)
def test_every_real_payload_is_its_writer_s_whether_the_log_says_so_or_not(name: str) -> None:
    owner = EtcdDecoder() if is_etcd(name) else RaftexampleDecoder()
    entries = [entry for member in members(name) for entry in logged(name, member)]
    for entry in dict.fromkeys((entry.kind, entry.payload) for entry in entries):
        kind, payload = entry
        if not payload:
            continue
        expected = owner.decode(payload, kind)
        assert LOOSE.decode(payload, kind) == expected
        if is_etcd(name):
            assert STRICT.decode(payload, kind) == expected

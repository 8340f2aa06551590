"""What Kubernetes stores under a key: the head of a value, in each of its three encodings.

    6b 38 73 00                      `k8s\\0`, then a message runtime.Unknown around the object
    k8s:enc:PROVIDER:VERSION:NAME:   then what the provider encrypted
    {                                a JSON object: custom resources, and objects of old clusters

Of an object itself only its first field is declared, the ObjectMeta that every stored kind begins
with, and of that the name and the namespace. Everything else is an unknown field here.

Source: Kubernetes `staging/src/k8s.io/apimachinery/pkg/runtime/generated.proto`,
`…/runtime/serializer/protobuf/protobuf.go`, and `staging/src/k8s.io/apiserver/pkg/server/options/
encryptionconfig/config.go`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

from formats.codec import Codec
from formats.fields import BYTES, NESTED, STRING, Field, UnknownField, message

PROTOBUF_MAGIC: Final = b"k8s\0"
ENCRYPTED_PREFIX: Final = b"k8s:enc:"
OBJECT_STARTS: Final = (PROTOBUF_MAGIC, ENCRYPTED_PREFIX, b"{")
"""How a value begins that may be an object: as protobuf, encrypted, or as JSON."""
WORD_BYTES_MAX: Final = 64
"""Longest provider and version of an encrypted value; real ones have up to nine bytes."""
KEY_NAME_BYTES_MAX: Final = 1024
"""Longest name of an encryption key or of a plug-in for keys."""


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class TypeMeta:
    """What kind of object it is; `api_version` is `GROUP/VERSION`, the core group has no name."""

    api_version: Annotated[str | None, Field(1, STRING)] = None
    kind: Annotated[str | None, Field(2, STRING)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """runtime.Unknown: the object's type beside its bytes."""

    type_meta: Annotated[TypeMeta | None, Field(1, NESTED)] = None
    raw: Annotated[bytes | None, Field(2, BYTES)] = None
    content_encoding: Annotated[str | None, Field(3, STRING)] = None
    content_type: Annotated[str | None, Field(4, STRING)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """Who the object is."""

    name: Annotated[str | None, Field(1, STRING)] = None
    namespace: Annotated[str | None, Field(3, STRING)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """The beginning that all stored objects have in common."""

    metadata: Annotated[ObjectMeta | None, Field(1, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


ENVELOPE: Final = Codec(Envelope)
OBJECT_HEAD: Final = Codec(ObjectHead)


class Object(NamedTuple):
    """What the head of a protobuf value says; what is absent is empty, as it is to Kubernetes.

    `raw` is the object without its type, and `content_type` how it is encoded, where that is said.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    raw: bytes
    content_type: str


def object_of(value: bytes) -> Object | None:
    """The head of a protobuf value, or `None` for one that is none.

    upb is asked and not the definition: nearly all of an object is unknown here, and the
    definition would go through it field by field. upb is laxer than Kubernetes, and so an object
    that Kubernetes refuses may come out without a name. Texts that are no UTF-8 come with
    surrogate escapes.
    """
    if not value.startswith(PROTOBUF_MAGIC):
        return None
    envelope = _parsed(ENVELOPE, value[len(PROTOBUF_MAGIC) :])
    if envelope is None or not envelope.type_meta.kind:
        return None
    head = _parsed(OBJECT_HEAD, envelope.raw)
    return Object(
        api_version=_text(envelope.type_meta.api_version),
        kind=_text(envelope.type_meta.kind),
        namespace="" if head is None else _text(head.metadata.namespace),
        name="" if head is None else _text(head.metadata.name),
        raw=envelope.raw,
        content_type=_text(envelope.content_type),
    )


def _parsed(codec: Codec[Any], data: bytes) -> Any | None:
    from google.protobuf.message import DecodeError

    try:
        return codec.fast_class.FromString(data)
    except DecodeError:
        return None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class Encryption(NamedTuple):
    """What an encrypted value says of how to read it; `name` is the key's or the plug-in's."""

    provider: str
    version: str
    name: str


def encryption_of(value: bytes) -> Encryption | None:
    """The head of an encrypted value, or `None` for one that is none.

    A name that is no UTF-8 comes with surrogate escapes.
    """
    if not value.startswith(ENCRYPTED_PREFIX):
        return None
    head = value[: len(ENCRYPTED_PREFIX) + 2 * WORD_BYTES_MAX + KEY_NAME_BYTES_MAX]
    parts = head[len(ENCRYPTED_PREFIX) :].split(b":", 3)
    if len(parts) < 4:
        return None
    provider, version, name = parts[:3]
    is_word = all(each.isalnum() and len(each) <= WORD_BYTES_MAX for each in (provider, version))
    if not is_word or not name:
        return None
    return Encryption(provider=_text(provider), version=_text(version), name=_text(name))

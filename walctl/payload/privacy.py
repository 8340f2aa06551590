"""Whether the bytes of a payload may be shown as they are, under a redaction, and which of them.

A tree is redacted piece by piece where it is shown. Raw bytes are shown whole or not at all by
most; a hexdump can leave out single fields, and asks which. A tree may say less than the bytes it
was read from. Where nobody knows how much less, as of what no decoder has read at all, they are
judged by themselves: the marks of etcd's requests that carry secrets are looked for, and a payload
that may be one is hidden.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from formats.errors import FormatError, LimitError
from formats.fields import Wire, reachable, spec_of
from formats.raftpb import CONF_CHANGE, CONF_CHANGE_V2
from formats.spans import FieldSpan
from formats.varint import build_varint
from walctl.model.record import EntryKind, Span
from walctl.payload.base import Blob, Node, Privacy, Redaction, Request, Text


def is_hidden(payload: bytes | None, request: Request | None, redaction: Redaction) -> bool:
    """Whether the raw bytes of a payload must not be shown; `request` is what they were read as."""
    if redaction is Redaction.NONE or not payload:
        return False
    if request is not None:
        if redaction.hides(most_private(request.body)):
            return True
        if request.unsaid is not None:
            return redaction.hides(request.unsaid)
    return redaction.hides(Privacy.VALUE) or any(mark in payload for mark in secret_marks())


def most_private(node: Node) -> Privacy:
    """The most private piece of a tree."""
    # Asked for every entry that is shown: concrete classes first, abstract ones cost far more.
    if isinstance(node, _PIECES):
        return node.privacy
    if isinstance(node, _PLAIN):
        return Privacy.OPEN
    pieces = node.values() if isinstance(node, _TREES) else node
    most = Privacy.OPEN
    for each in pieces:
        found = most_private(each)
        if found > most:
            most = found
            if most is Privacy.SECRET:
                break
    return most


_PIECES: Final = (Blob, Text)
_TREES: Final = (dict, Mapping)
_PLAIN: Final = (str, int, float, type(None))


@functools.cache
def secret_marks() -> tuple[bytes, ...]:
    """Bytes that a payload of etcd has when it carries secrets; others have them by chance.

    The tags of the requests whose fields hold passwords or tokens, and the path below which the
    v2 store keeps its users. Worked out at the first use: it needs every declaration.
    """
    from formats.internalpb import InternalRaftRequest
    from walctl.payload.etcd_fields import PRIVACY, V2_USERS_PATH

    tags = []
    for field in spec_of(InternalRaftRequest).fields:
        below = () if field.target is None else reachable(field.target)
        judged = [PRIVACY.get(spec.cls, {}).values() for spec in below]
        if any(Privacy.SECRET in privacies for privacies in judged):
            tags.append(build_varint(field.number << 3 | Wire.BYTES))
    return (*tags, V2_USERS_PATH.encode())


def hidden_spans(
    payload: bytes, redaction: Redaction, kind: EntryKind = EntryKind.NORMAL
) -> tuple[Span, ...] | None:
    """Which bytes of etcd's payload must not be shown; `None`: all of them.

    Spans count from the payload's start, ascend and do not meet. All is hidden where the payload
    does not parse and may hold what the redaction hides.
    """
    if redaction is Redaction.NONE:
        return ()
    found = _fields_of(payload, kind)
    if found is None:
        return None if is_hidden(payload, None, redaction) else ()
    cls, spans = found
    return tuple(
        Span(start, stop)
        for privacy, start, stop in _judged(cls, spans)
        if start < stop and redaction.hides(privacy)
    )


def _fields_of(payload: bytes, kind: EntryKind) -> tuple[type[Any], tuple[FieldSpan, ...]] | None:
    """The message that etcd takes the payload for, and its fields; `None` where it is none."""
    from formats.etcdserverpb import REQUEST
    from formats.internalpb import INTERNAL_RAFT_REQUEST

    codecs: dict[EntryKind, tuple[Any, ...]] = {
        EntryKind.NORMAL: (INTERNAL_RAFT_REQUEST, REQUEST),
        EntryKind.CONF_CHANGE: (CONF_CHANGE,),
        EntryKind.CONF_CHANGE_V2: (CONF_CHANGE_V2,),
    }
    for codec in codecs.get(kind, ()):
        try:
            return codec.cls, codec.spans(payload)
        except LimitError:
            return None  # it was not parsed, so it is not taken for the next either
        except FormatError:
            continue
    return None


def _judged(cls: type[Any], spans: tuple[FieldSpan, ...]) -> Iterator[tuple[Privacy, int, int]]:
    """Privacy and place of each value that has one, in the order of the bytes."""
    from walctl.payload.etcd_fields import UNKNOWN_PRIVACY, privacies_of

    targets = {field.number: field.target for field in spec_of(cls).fields}
    privacies = privacies_of(cls, spans)
    for span in spans:
        target = targets.get(span.number)
        if span.name is None:
            yield UNKNOWN_PRIVACY, span.value_start, span.value_stop
        elif target is not None:
            yield from _judged(target, span.nested)
        elif span.name in privacies:
            yield privacies[span.name], span.value_start, span.value_stop

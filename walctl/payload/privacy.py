"""Whether the bytes of a payload may be shown as they are, under a redaction.

A tree is redacted piece by piece where it is shown. Its raw bytes cannot be: they are shown
whole, or not at all. What no decoder has read is judged by its bytes: the tags of etcd's requests
that carry secrets are looked for, and a payload that may be one is hidden.
"""

from collections.abc import Mapping, Sequence

from walctl.payload.base import Blob, Node, Privacy, Redaction, Request, Text

SECRET_TAGS = (b"\xa2\x3f", b"\xe2\x44", b"\xfa\x44")
"""In etcd's InternalRaftRequest: authenticate, auth_user_add, auth_user_change_password."""


def is_hidden(payload: bytes | None, request: Request | None, redaction: Redaction) -> bool:
    """Whether the raw bytes of a payload must not be shown; `request` is what they were read as."""
    if redaction is Redaction.NONE or not payload:
        return False
    if request is not None:
        return redaction.hides(most_private(request.body))
    return redaction.hides(Privacy.VALUE) or any(tag in payload for tag in SECRET_TAGS)


def most_private(node: Node) -> Privacy:
    """The most private piece of a tree."""
    if isinstance(node, Blob | Text):
        return node.privacy
    if isinstance(node, Mapping):
        return max((most_private(each) for each in node.values()), default=Privacy.OPEN)
    if isinstance(node, Sequence) and not isinstance(node, str):
        return max((most_private(each) for each in node), default=Privacy.OPEN)
    return Privacy.OPEN

"""The fast codec's own objects, for bulk work that reads a few attributes and keeps nothing.

To lift a message into our dataclass takes several times as long as to parse it. Who only looks may
have upb's object instead, under the same rule: it counts where it has no unknown field and is byte
for byte what upb writes for it. An absent field reads as zero or empty there, text as bytes. The
number of fields is not looked at.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from formats.codec import Codec


def peeker(codec: Codec[Any]) -> Callable[[bytes], Any | None]:
    """A function that gives upb's object of a message, and `None` where its word does not count."""
    parse = codec.fast_class.FromString

    def peek(data: bytes) -> Any | None:
        try:
            parsed = parse(data)
        except DecodeError:
            return None
        parsed.DiscardUnknownFields()
        return parsed if parsed.SerializeToString(deterministic=True) == data else None

    return peek

"""A message's codec: bytes into a frozen dataclass and back, by the definition or past it.

`Codec` is all that the rooms above see of construct and of protobuf, and neither is imported
before a codec is used for the first time.
"""

import functools
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from formats import limits
from formats.errors import LimitError

if TYPE_CHECKING:
    from formats.exact import Fields
    from formats.fast import FastCodec
    from formats.spans import FieldSpan

M = TypeVar("M")


class Codec(Generic[M]):
    """Parses and builds the declared message `cls`.

    Positions in errors and spans are bytes from the start of the input. No method raises anything
    but FormatError for what the bytes are: TruncatedError and WireError with the words of etcd's
    own parser, LimitError for what is beyond `formats.limits`.
    """

    def __init__(self, cls: type[M]) -> None:
        self.cls = cls

    def parse(self, data: bytes | memoryview) -> M:
        """The message in `data`: by the fast codec where that counts, else by the definition.

        Raises: FormatError.
        """
        message = self.parse_fast(data)
        return self.parse_exact(data) if message is None else message

    def parse_exact(self, data: bytes | memoryview) -> M:
        """The message in `data`, by the definition alone; accepts exactly what etcd accepts.

        Raises: FormatError.
        """
        from formats.spans import lift

        return cast(M, lift(self.cls, self.spans(data)))

    def parse_fast(self, data: bytes | memoryview) -> M | None:
        """The message in `data`, or `None` where the fast codec does not count.

        It counts for input without unknown fields that building the result gives back.

        Raises: LimitError, when `data` is too long for a message.
        """
        if len(data) > limits.MESSAGE_BYTES_MAX:
            raise LimitError(f"{len(data)} bytes are more than a message may have")
        return cast("M | None", self._fast.parse(bytes(data)))

    def build(self, message: M) -> bytes:
        """The bytes of `message`: fields that are set, ascending, then the unknown ones.

        Presence is kept: what is `None` is not written, also where etcd always writes it.

        Raises: WireError, when a value does not fit its field.
        """
        from formats import exact

        return exact.build(self._exact, message)

    def spans(self, data: bytes | memoryview) -> tuple["FieldSpan", ...]:
        """Every field of `data` where it lies, in the order of the bytes.

        Raises: FormatError.
        """
        from formats import exact

        return exact.parse(self._exact, bytes(data))

    @property
    def fast_class(self) -> Any:
        """upb's class: `FromString(data)` gives an object with this message's attributes.

        For bulk paths, which check for themselves whether it counts. An absent field reads as
        zero or empty there (`HasField` tells), and text as bytes. `FromString` raises
        protobuf's DecodeError, and takes more than etcd does.
        """
        return self._fast.fast_class

    @functools.cached_property
    def _exact(self) -> "Fields":
        from formats import exact

        return exact.define(self.cls)

    @functools.cached_property
    def _fast(self) -> "FastCodec":
        from formats.fast import FastCodec

        return FastCodec(self.cls)

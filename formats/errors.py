"""What can be wrong with bytes measured against one definition; imports nothing.

Every error carries `offset`: the position, in bytes from the start of the input that was handed
to the codec, of the field or byte that does not fit. No other exception leaves `formats`.
"""


class FormatError(ValueError):
    """Bytes do not fit a definition.

    `message` repeats, where etcd's own parser (gogo/protobuf) has words for the case, exactly
    those words, because an owner's view has to print them. `offset` is in bytes from the start of
    the parsed input.
    """

    def __init__(self, message: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class TruncatedError(FormatError):
    """The input ends inside a field (gogo: `unexpected EOF`)."""


class WireError(FormatError):
    """A tag, wire type, varint or fixed value that the definition does not allow."""


class LimitError(FormatError):
    """A size, count or nesting beyond `formats.limits`; nothing was allocated for it."""

"""Protobuf's wire format written by hand, for vectors that owe nothing to our codecs."""


def varint(value: int) -> bytes:
    """A varint in the fewest bytes."""
    head = b""
    while value > 127:
        head += bytes([value % 128 + 128])
        value //= 128
    return head + bytes([value])


def number(field: int, value: int) -> bytes:
    """A field with a number."""
    return varint(field * 8) + varint(value)


def sized(field: int, value: bytes | str) -> bytes:
    """A field with bytes, a text or a message."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field * 8 + 2) + varint(len(data)) + data

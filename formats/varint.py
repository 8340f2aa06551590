"""Varints of protobuf's wire format by themselves, for those who look at the heads of records.

Inside a message the definition reads them (`window`), with the errors of etcd's parser. Here a
varint that is none is -1, because the caller has another way to go on.
"""

from formats.limits import VARINT_BYTES_MAX


def build_varint(value: int) -> bytes:
    """`value` in the fewest bytes, as etcd writes it; it must not be negative."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_stop(data: bytes, start: int) -> int:
    """Offset behind the varint at `start`; -1 when it does not end within ten bytes of `data`."""
    for position in range(start, min(start + VARINT_BYTES_MAX, len(data))):
        if data[position] < 0x80:
            return position + 1
    return -1


def whole_varint(data: bytes | bytearray) -> int:
    """The value of the varint that `data` is, from its first byte to its last; -1 if it is none.

    It is none when it has more than ten bytes or does not fit 64 bits.
    """
    if len(data) > VARINT_BYTES_MAX:
        return -1
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    is_whole = 0 < shift == 7 * len(data) and data[-1] < 0x80
    return value if is_whole and value >> 64 == 0 else -1

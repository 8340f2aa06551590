"""The stream that the exact definition reads: it knows the message in hand and its field."""

import io

from formats import limits
from formats.errors import LimitError, TruncatedError, WireError

_INT_MAX = (1 << 63) - 1
_UINT_MAX = (1 << 64) - 1


class Window(io.BytesIO):
    """The input, and how far the message in hand reaches in it.

    `start` and `stop` bound that message, `field_start` is where its current field began (what
    errors point to), `depth` counts messages down to it, `fields` all fields read so far.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.start = 0
        self.stop = len(data)
        self.field_start = 0
        self.depth = 0
        self.fields = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes of the message.

        Raises: TruncatedError, when the message ends before.
        """
        if size > self.stop - self.tell():
            raise self.truncated()
        return self.read(size)

    def varint(self) -> int:
        """The unsigned varint that comes next.

        Raises: TruncatedError, WireError.
        """
        value = 0
        for shift in range(0, 7 * limits.VARINT_BYTES_MAX, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & _UINT_MAX
        raise self.wrong("proto: integer overflow")

    def length(self, base: int) -> int:
        """The length that comes next, checked against the message; etcd counts from `base`.

        Raises: TruncatedError, WireError.
        """
        length = self.varint()
        position = self.tell()
        if length > _INT_MAX - (position - base):  # negative in Go, or its position would be
            raise self.wrong("proto: negative length found during unmarshaling")
        if length > self.stop - position:
            raise self.truncated()
        return length

    def count(self) -> None:
        """Take note of one more field or list element.

        Raises: LimitError.
        """
        self.fields += 1
        if self.fields > limits.FIELDS_MAX:
            raise LimitError(f"more than {limits.FIELDS_MAX} fields", offset=self.field_start)

    def whole_field(self) -> bytes:
        """The current field from its tag up to here."""
        stop = self.tell()
        self.seek(self.field_start)
        return self.read(stop - self.field_start)

    def truncated(self) -> TruncatedError:
        """The message ends inside the current field."""
        return TruncatedError("unexpected EOF", offset=self.field_start)

    def wrong(self, message: str) -> WireError:
        """The current field is not what it should be."""
        return WireError(message, offset=self.field_start)

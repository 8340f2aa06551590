"""Single values of a payload as words: bytes as text or hex, and what stands for hidden ones."""

from walctl.payload.base import Blob, Text
from walctl.render.text import byte_count

HEX_PREFIX = "hex:"
REDACTED_PREFIX = "<redacted "


def hidden(size: int) -> str:
    """What stands where `size` bytes may not be shown."""
    return f"{REDACTED_PREFIX}{byte_count(size)}>"


def bytes_text(data: bytes) -> str:
    """Bytes as their text where that can be printed, else `hex:6b00`; no two look alike.

    Text that itself begins as words of ours do comes as hex, so that none can pass for them.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return HEX_PREFIX + data.hex()
    if text.isprintable() and not text.startswith((HEX_PREFIX, REDACTED_PREFIX)):
        return text
    return HEX_PREFIX + data.hex()


def size_of(piece: Blob | Text) -> int:
    """Bytes of a value as the payload has it."""
    if isinstance(piece, Blob):
        return len(piece.data)
    try:
        return len(piece.text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # JSON can name code points that stand for no bytes
        return len(piece.text.encode("utf-8", "surrogatepass"))

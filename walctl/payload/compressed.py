"""Payloads that an application has compressed before it proposed them: gzip and zstd.

Neither etcd nor a known user of its log does that, but users of the library may, and both formats
begin with bytes that no request and no gob is written with. What comes out is bounded, and so is
the memory that getting there takes: a payload of a few bytes can ask for gigabytes.
"""

import io
import zlib

from formats import limits
from walctl.payload.base import PayloadError

OPENED_BYTES_MAX = limits.RECORD_BYTES_MAX
"""What comes out of a payload is no longer than the longest record that is read."""
WINDOW_BYTES_MAX = 1 << 27
"""How far zstd may look back; `zstd -d` refuses more as well, unless asked."""
GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
"""zlib's way of saying: a gzip header, and no other."""


def opened(payload: bytes) -> tuple[str, bytes] | None:
    """What compressed the payload, by name, and what it was before; `None`: nothing known did.

    Raises: PayloadError, when it begins as if it were compressed and does not open, or opens to
    more than `OPENED_BYTES_MAX`.
    """
    if payload.startswith(GZIP_MAGIC):
        return "gzip", _gunzipped(payload)
    if payload.startswith(ZSTD_MAGIC):
        return "zstd", _unzstandard(payload)
    return None


def _gunzipped(payload: bytes) -> bytes:
    machine = zlib.decompressobj(GZIP_WINDOW_BITS)
    try:
        plain = machine.decompress(payload, OPENED_BYTES_MAX + 1)
    except zlib.error as error:
        raise PayloadError(f"begins as gzip does, and is none: {error}") from None
    if len(plain) > OPENED_BYTES_MAX:
        raise _too_long("gzip")
    if not machine.eof:
        raise PayloadError("ends inside its gzip stream", offset=len(payload))
    if machine.unused_data:
        offset = len(payload) - len(machine.unused_data)
        raise PayloadError("has bytes behind its gzip stream", offset=offset)
    return plain


def _unzstandard(payload: bytes) -> bytes:
    """Goes over it twice: one pass has a bound, and the other one tells where the frame ends."""
    import zstandard  # slow, and payloads are rarely compressed

    unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    try:
        # What a frame says of its own length is not believed by a stream.
        with unpacker.stream_reader(io.BytesIO(payload), read_size=len(payload)) as stream:
            if len(stream.read(OPENED_BYTES_MAX + 1)) > OPENED_BYTES_MAX:
                raise _too_long("zstd")
        machine = unpacker.decompressobj()
        plain = machine.decompress(payload)
    except zstandard.ZstdError as error:
        raise PayloadError(f"begins as zstd does, and is none: {error}") from None
    if not machine.eof:
        raise PayloadError("ends inside its zstd frame", offset=len(payload))
    if machine.unused_data:
        offset = len(payload) - len(machine.unused_data)
        raise PayloadError("has bytes behind its zstd frame", offset=offset)
    return plain


def _too_long(name: str) -> PayloadError:
    return PayloadError(f"is {name} that opens to more than {OPENED_BYTES_MAX:,} bytes")

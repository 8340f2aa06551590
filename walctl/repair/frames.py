"""Where the frame of one entry of a run stands: counted, since a run is entries without a gap."""

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import WINDOW_BYTES
from formats.walpb import RecordType
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.model.log import Run

_TYPE_TAG, _CRC_TAG = 0x08, 0x10
_HEAD_BYTES = LENGTH_FIELD_BYTES + 3
"""What is looked at of a frame: its length, and the record's type between two tags."""
_ONE_BYTE_MAX = 0x7F


def entry_offset(file: File, run: Run, index: int) -> int:
    """Offset of the frame of entry `index`, one of `run`.

    Raises: AccessError, when the segment is not what it was when it was surveyed.
    """
    assert run.first <= index <= run.last, "the run holds the entry"
    offset, at_index = run.start, run.first
    while offset < run.stop:
        base, window = offset, file.read_at(offset, min(WINDOW_BYTES, run.stop - offset))
        while offset + _HEAD_BYTES <= base + len(window):
            at = offset - base
            length = split_length(int.from_bytes(window[at : at + LENGTH_FIELD_BYTES], "little"))
            if not length.record_bytes:
                break
            if _is_entry(file, window, at, offset, length.record_bytes):
                if at_index == index:
                    return offset
                at_index += 1
            offset += LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
        if offset == base:
            break
    raise AccessError(f"{file.path}: entry {index} is gone: changed meanwhile")


def _is_entry(file: File, window: bytes, at: int, offset: int, record_bytes: int) -> bool:
    """Whether the record of a frame is an entry; one in another form is read by the definition."""
    start = at + LENGTH_FIELD_BYTES
    tag, kind, next_tag = window[start : start + 3]
    # As etcd writes it: the type in one byte, and the checksum behind it.
    if tag == _TYPE_TAG and kind <= _ONE_BYTE_MAX and next_tag == _CRC_TAG:
        return kind == RecordType.ENTRY
    try:
        record = walpb.RECORD.parse(file.read_at(offset + LENGTH_FIELD_BYTES, record_bytes))
    except FormatError as error:
        raise AccessError(f"{file.path}:{offset}: {error.message}: changed meanwhile") from error
    return record.type == RecordType.ENTRY

"""Entries and snapshots of real directories, walked by the specification and no code of ours."""

from pathlib import Path

Fields = list[tuple[int, int | bytes]]


def fields(data: bytes) -> Fields:
    """Number and value of each field of a protobuf message without fixed-size ones."""
    found: Fields = []
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        value, position = _varint(data, position)
        if tag & 7 == 2:
            found.append((tag >> 3, data[position : position + value]))
            position += value
        else:
            found.append((tag >> 3, value))
    return found


def entries_of(folder: Path) -> dict[int, bytes]:
    """The data of the entries of a log by index, of overwritten ones the last."""
    entries: dict[int, bytes] = {}
    for path in sorted(folder.glob("*.wal")):
        data = path.read_bytes()
        start = 0
        while any(data[start : start + 8]):
            size = int.from_bytes(data[start : start + 7], "little")
            padding = data[start + 7] & 7 if data[start + 7] & 0x80 else 0
            record = dict(fields(data[start + 8 : start + 8 + size]))
            if record[1] == 2:
                entry = dict(fields(_bytes(record[3])))
                index = entry[3]
                assert isinstance(index, int)
                if index in entries:
                    entries = {known: entries[known] for known in entries if known < index}
                entries[index] = _bytes(entry.get(4, b""))
            start += 8 + size + padding
    return entries


def snapshot_data(folder: Path) -> bytes:
    """The state machine's part of the one snapshot in a folder."""
    (path,) = folder.glob("*.snap")
    envelope = dict(fields(path.read_bytes()))
    return _bytes(dict(fields(_bytes(envelope[2])))[1])


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position

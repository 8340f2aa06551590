"""The columns of many records: what a scan hands over, so that no object is made per record.

A batch holds whole frames that lie one behind the other, all of them checked. What is rare comes
as objects (markers, metadata, membership changes); entries and hard states come as runs, and every
frame as its offset, from which its record can be read again while the batch is current.
"""

from dataclasses import dataclass, field

from walctl.model.log import PlacedEntry, PlacedMark, PlacedMetadata, Run, StateRun


@dataclass(slots=True, kw_only=True)
class Batch:
    """Whole frames of one segment, in file order, without damage between them.

    `base` is the file offset of `data[0]`; `offsets` are positions of frames in `data`, so a frame
    stands at `base + offset`. `data` belongs to the scan and is valid until the next batch is asked
    for. `seed` is the checksum that the first frame continues; `None` when none was known, and
    then the first frame was taken on trust. `first_crc` and `crc` are the
    stored checksums of the first and the last frame.
    """

    segment: str
    base: int
    data: memoryview
    seed: int | None
    crc: int = 0
    first_crc: int = 0
    start: int = 0
    stop: int = 0
    offsets: list[int] = field(default_factory=list)
    entries: int = 0
    runs: list[Run] = field(default_factory=list)
    states: list[StateRun] = field(default_factory=list)
    marks: list[PlacedMark] = field(default_factory=list)
    metadata: list[PlacedMetadata] = field(default_factory=list)
    conf_changes: list[PlacedEntry] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    odd_padding: list[int] = field(default_factory=list)
    """File offsets of what no checksum covers and etcd does not look at, but would not have
    written: the end of padding that is not zero, or a length field with odd bits."""
    oversize: list[Run] = field(default_factory=list)

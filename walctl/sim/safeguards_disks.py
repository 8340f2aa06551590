"""The protections of a member against its disk: what it does when that refuses, and with damage."""

from pathlib import Path
from typing import Final

from walctl.cluster import recovery
from walctl.datadir.layout import Layout, Shape
from walctl.datadir.survey import survey
from walctl.errors import AccessError, CorruptionError
from walctl.fs.writable import WritableFileSystem
from walctl.sim.safeguard import Safeguard
from walctl.wal.encoder import Encoder

_flush: Final = Encoder.flush
# What an override leans on is taken here, before it is in its place.


def _flush_and_go_on(encoder: Encoder) -> None:
    try:
        _flush(encoder)
    except AccessError:
        # As if it had been written: the next record follows behind.
        return


def _cut_at_any_damage(
    disk: WritableFileSystem, folder: Path, snap_folder: Path, *, error: CorruptionError
) -> recovery.Cut:
    layout = Layout(path=folder, shape=Shape.SEGMENTS, wal_dir=folder, snap_dir=snap_folder)
    seen = survey(disk, layout)
    if not seen.named:
        raise error
    return recovery._cut(disk, folder, seen, seen.named[0], is_shortened=True)


OF_DISKS: Final[tuple[Safeguard, ...]] = (
    Safeguard(
        "a-failed-write-is-the-end",
        "an entry that is acknowledged, of which the disk has taken a part",
        Encoder,
        "flush",
        _flush_and_go_on,
        ("I8", "I14"),
    ),
    Safeguard(
        "damage-is-not-cut-off",
        "a member that cuts its log at a flipped bit, and votes without what it had promised",
        recovery,
        "cut_torn_end",
        _cut_at_any_damage,
        ("I4", "I9", "I10"),
    ),
)

"""At which index a record stands: one rule for positions, statuses and figures.

An entry and a snapshot's marker stand at their own index, any other record at the one that the log
had reached in front of it. The marker of a snapshot that a member made itself comes behind later
entries and takes nothing back; that of one that was installed moves the log on.
"""

from walctl.model.record import Entry, Record, SnapshotMark


def index_behind(record: Record, before: int) -> int:
    """The index that the log has reached behind a record, which was `before` in front of it."""
    match record:
        case Entry(index=index):
            return index
        case SnapshotMark(index=index):
            return max(index, before)
        case _:
            return before


def index_of(record: Record, before: int) -> int:
    """The index that a record stands at, where the log had reached `before` in front of it."""
    return record.index if isinstance(record, Entry | SnapshotMark) else before

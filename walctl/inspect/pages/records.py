"""What the codes about single records and the bytes around them mean; only words."""

from walctl.inspect.explanation import (
    ALL,
    COPY,
    DAMAGE,
    EARLY,
    FROM_36,
    FROM_37,
    HARMLESS,
    LATE,
    MIDDLE,
    NO_DELETE,
    NO_START,
    NO_WIPE,
    PEER,
    RECOVER,
    REPAIR,
    RESTORE,
    TO_35,
    TO_36,
    VERIFY_AGAIN,
    Explanation,
    Group,
    ServerAct,
)
from walctl.model.finding import Code

PAGES = (
    Explanation(
        topic=Code.TORN_TAIL,
        group=Group.BYTES,
        title="The last record of the log was cut short, or its end reads as zeros.",
        severities=(HARMLESS, DAMAGE),
        judged="Harmless when the database and every hard state end at or before what is left: "
        "then it was the unsynced last write. Damage otherwise, and when there is no "
        "database to ask.",
        what="The last frame of the last segment is not whole: the file ends inside it, or from a "
        "sector boundary on it holds zeros. Nothing readable follows it.",
        why="A power cut, a kernel crash or a full disk in the middle of a write, or a copy made "
        "while the server ran. etcd acknowledges a write only after it is synced, so what was "
        "torn alone had not been acknowledged. A killed process hardly ever leaves one.",
        etcd=(
            ServerAct(
                ALL,
                "Starts. It copies the segment to NAME.wal.broken, cuts it after the last whole "
                "record and logs `repaired WAL` with the error `unexpected EOF`. It does not "
                "compare the cut with the database.",
            ),
        ),
        lost="The torn record. If the finding is damage, also acknowledged entries, up to the "
        "index that the database or the hard state names.",
        do=(
            COPY,
            VERIFY_AGAIN,
            "If this is all and it is harmless, start the server: it makes the cut itself.",
            "If it is damage, see `walctl explain db-ahead`.",
            REPAIR,
            PEER,
            RESTORE,
        ),
        avoid=(
            "Do not start the server while the finding is damage: writes time out and are never "
            "applied until the log has passed the old index again.",
            NO_WIPE,
        ),
        see=(Code.DB_AHEAD, Code.ZERO_HOLE, Code.COMMIT_BEYOND_LOG),
    ),
    Explanation(
        topic=Code.CRC_MISMATCH,
        group=Group.BYTES,
        title="A record's checksum does not fit its bytes.",
        severities=(DAMAGE,),
        judged="Damage in every segment: etcd reads them all before it chooses where to start.",
        what="Each record stores a CRC-32C that runs over the data of all records before it and "
        "its own. The value stored here differs from the one that the bytes give. Either the data "
        "or the stored value has changed; when the next record fits the computed value, only the "
        "stored one has.",
        why="A flipped bit on the disk, in memory or on the way; a sector that was written wrong "
        "or not at all; an edited file. A power cut alone leaves zeros or a short file, not this. "
        "If every member fails with it after an upgrade, and walctl finds the logs whole, the new "
        "program is wrong and not the disks.",
        etcd=(
            ServerAct(TO_35, "Refuse: `discovery failed` with `walpb: crc mismatch`, exit 1."),
            ServerAct(
                FROM_36,
                "Refuse: `walpb: crc mismatch: expected: … computed: …: in file '…' at "
                "position: …`.",
            ),
            ServerAct(
                ALL,
                "If it is in the last segment and some 512-byte sector of the record holds "
                "only zeros, they take it for a torn write, log `repaired WAL`, and cut off every "
                "record behind it as well, however many there are.",
            ),
        ),
        lost="The content of one record, if its data changed. The records behind it can be read "
        "and still count; the effect of an applied entry is in the database.",
        do=RECOVER,
        avoid=(NO_START, NO_DELETE, NO_WIPE),
        see=(Code.TORN_TAIL, Code.ZERO_HOLE, Code.CHAIN_BREAK, Code.TYPE_SUSPECT),
    ),
    Explanation(
        topic=Code.BAD_LENGTH,
        group=Group.BYTES,
        title="A length field cannot be right: the frame would not fit the file or its record.",
        severities=(DAMAGE,),
        judged="Damage in every segment: etcd reads them all before it chooses where to start.",
        what="Every record follows an 8-byte length field, whose top byte also counts the padding. "
        "The value here is longer than the rest of the file, or the record inside ends elsewhere, "
        "or the next frame does not begin where it says. Length fields are under no checksum.",
        why="A flipped bit, or bytes of another file in the segment. At the very end of the last "
        "segment, bytes behind the log that were never part of it.",
        etcd=(
            ServerAct(
                EARLY,
                "From 10 MiB on: refuse with `wal: max entry size limit exceeded`. Below that, "
                "in the last segment: `unexpected EOF`, logged as `repaired WAL`, and everything "
                "behind it is cut off, committed entries too. A length that is only a little "
                "wrong: refuse, for example `proto: wrong wireType = 1 for field Data`.",
            ),
            ServerAct(MIDDLE, "Refuse: `wal: max entry size limit exceeded, recBytes: …`."),
            ServerAct(
                LATE,
                "In the last segment: `unexpected EOF: [wal] max entry size limit exceeded when "
                'decoding "…"`, which counts as torn: everything behind it is cut off.',
            ),
            ServerAct(
                FROM_36,
                "The same, with `when reading` in its words. Its own check calls the log fine.",
            ),
            ServerAct(
                ALL,
                "In a segment that is not the last: refuse with `failed to read WAL, cannot be "
                "repaired` / `unexpected EOF`.",
            ),
            ServerAct(
                ALL,
                "With a wrong count of padding bytes the next header is looked for some bytes off. "
                "What happens depends on the bytes there: a refusal, or a cut of all that follows.",
            ),
        ),
        lost="Nothing yet: the record and those behind it are on the disk, and walctl counts them. "
        "All of them are lost when etcd cuts there.",
        do=RECOVER,
        avoid=(
            NO_START,
            "Do not upgrade in order to start: 3.5.7 and later cut where 3.4 refuses.",
        ),
        see=(Code.TRAILING_GARBAGE, Code.ENTRY_TOO_LARGE, Code.BAD_PADDING),
    ),
    Explanation(
        topic=Code.BAD_PADDING,
        group=Group.BYTES,
        title="A frame's padding is not what the writer would have put there.",
        severities=(HARMLESS,),
        judged="A wrong count of padding bytes is no matter of padding: it is reported as "
        "bad-length.",
        what="Records are padded with zeros to a multiple of 8 bytes. The top byte of the length "
        "field tells whether and how much. Here unused bits of that byte, or the padding, are not "
        "zero. Neither is under a checksum.",
        why="A flipped bit.",
        etcd=(
            ServerAct(ALL, "Ignores padding that is not zero and the unused bits of the top byte."),
        ),
        lost="Nothing.",
        do=(
            VERIFY_AGAIN,
            "If this is all, start the server.",
            "A disk that changes bits here changes them elsewhere too: look at its errors.",
        ),
        see=(Code.BAD_LENGTH,),
    ),
    Explanation(
        topic=Code.BAD_RECORD,
        group=Group.BYTES,
        title="A frame holds bytes that are no record of a write-ahead log.",
        severities=(DAMAGE,),
        judged="Damage in every segment: etcd reads them all before it chooses where to start.",
        what="The frame has a possible length, but what is in it does not parse as a record, its "
        "type is none of the five there are, or its content does not parse.",
        why="A flipped bit in one of the bytes around the data, which no checksum covers, or "
        "foreign bytes in the file.",
        etcd=(
            ServerAct(
                ALL,
                "Unknown type: refuse with `failed to read WAL, cannot be repaired` / "
                "`unexpected block type N`.",
            ),
            ServerAct(
                TO_36,
                "An inner length that is too long reads as `unexpected EOF`. In the last segment "
                "that is repaired by cutting off everything behind it: in a test, sixteen "
                "committed entries went without an error. Other damage: refuse, for example "
                "`proto: Record: illegal tag 0 (wire type 0)`.",
            ),
            ServerAct(FROM_37, "Refuse: `cannot parse invalid wire-format data`."),
            ServerAct(ALL, "A record that parses but holds a broken entry ends in a panic."),
        ),
        lost="At most this record. Those behind it can be read.",
        do=RECOVER,
        avoid=(NO_START, NO_DELETE),
        see=(Code.TYPE_SUSPECT, Code.CRC_MISMATCH, Code.BAD_LENGTH),
    ),
    Explanation(
        topic=Code.TYPE_SUSPECT,
        group=Group.BYTES,
        title="A record's content fits another type than the one it names.",
        severities=(DAMAGE,),
        judged="Damage in every segment: etcd reads them all before it chooses where to start.",
        what="The type of a record (metadata, entry, state, crc, snapshot) is not under its "
        "checksum. This record's checksum fits and its data parses, but as another type.",
        why="One flipped bit in the type byte.",
        etcd=(
            ServerAct(ALL, "Unknown type: refuse with `unexpected block type N`."),
            ServerAct(
                ALL,
                "Entry read as state: `wal: slice bounds out of range`, a panic such as "
                "`state.commit 478 is out of range [404, 477]`, or nothing at all when a snapshot "
                "lies above the entry.",
            ),
            ServerAct("3.4", "State read as snapshot: starts without a word."),
            ServerAct(
                "3.5 and later",
                "State read as snapshot: panic `unmarshal should never fail (proto: wrong "
                "wireType = 0 for field ConfState)`.",
            ),
            ServerAct(TO_35, "Entry read as crc: refuse with `wal: crc mismatch`."),
        ),
        lost="Nothing: the data is whole, only its label is wrong.",
        do=RECOVER,
        avoid=(NO_START,),
        see=(Code.INDEX_GAP, Code.BAD_RECORD, Code.COMMIT_BEYOND_LOG),
    ),
    Explanation(
        topic=Code.ZERO_HOLE,
        group=Group.BYTES,
        title="Zeros stand where the log goes on: readable records lie behind them.",
        severities=(DAMAGE,),
        judged="Damage in every segment: etcd reads them all before it chooses where to start.",
        what="A length field of zero means the end of a segment. Here it is zero, often with a "
        "whole page around it, and yet records that fit the checksum chain follow. They belong to "
        "later writes, which were synced; so this is no torn write.",
        why="A disk, controller or file system that lost a page it had confirmed; a copy that "
        "dropped blocks; a write to the wrong place.",
        etcd=(
            ServerAct(
                ALL,
                "Zero length field in the last segment: starts without a message, takes it for "
                "the end, and overwrites all that lies behind with zeros. There is no copy.",
            ),
            ServerAct(
                ALL,
                "Zeros inside a record of the last segment: taken for a torn write. It logs "
                "`repaired WAL` and cuts off everything behind; the copy is NAME.wal.broken.",
            ),
            ServerAct(
                TO_35,
                "In a segment that is not the last: refuse with `wal: crc mismatch` "
                "(3.6: `walpb: crc mismatch`).",
            ),
        ),
        lost="What the zeros replaced. Everything behind them is still there, until etcd starts. "
        "Afterwards writes time out and are never applied, because the database is ahead.",
        do=RECOVER,
        avoid=(NO_START, NO_DELETE, NO_WIPE),
        see=(Code.TORN_TAIL, Code.DB_AHEAD, Code.TRAILING_GARBAGE),
    ),
    Explanation(
        topic=Code.TRAILING_GARBAGE,
        group=Group.BYTES,
        title="Behind the end of the log are bytes that belong to no record.",
        severities=(HARMLESS,),
        judged="Bytes directly behind the last record are taken for a length field: that is "
        "bad-length.",
        what="Behind the last record a segment holds zeros only, up to its preallocated end. "
        "Here other bytes follow the zeros, and no record of this log can be made of them.",
        why="A file that was appended to, a copy over a longer file, stale blocks of a file "
        "system after a power cut.",
        etcd=(
            ServerAct(
                ALL, "Does not look behind the zeros: starts, and wipes what is there unseen."
            ),
        ),
        lost="Nothing of the log.",
        do=(COPY, VERIFY_AGAIN, "If this is all, start the server."),
        avoid=("Do not cut the file in place: a byte too many is a record lost.",),
        see=(Code.BAD_LENGTH, Code.ZERO_HOLE),
    ),
)

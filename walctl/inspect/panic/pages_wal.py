"""Pages for what programs say when a log's bytes do not read: checksums, lengths, ends.

The words are those of etcd's `wal` package, so Swarm, Fabric, raftexample and others say them too.
"""

from walctl.inspect.explanation import (
    NO_DELETE,
    NO_START,
    NO_WIPE,
    RECOVER,
)
from walctl.inspect.panic.cause import (
    ASK,
    Cause,
    Facts,
    Judged,
    behind_the_log,
    either,
    elsewhere,
    fits,
    found,
    in_last_segment,
    inside_the_log,
    intact,
    refuted,
    sealed,
    unknown,
)
from walctl.inspect.panic.page import Page, shape
from walctl.model.finding import Code

LENGTH_SURELY_WRONG = 1 << 30
"""A record of this many bytes was never written: a segment is cut at 64 MB."""
BIG_ENTRY_BYTES = 10 << 20
"""From here on 3.4 and 3.5.0–3.5.4 cannot read an entry back that they wrote themselves."""

NO_CUT = (
    "Do not cut the file by hand and do not let an older version `repair` it: what lies behind the "
    "bad place may be whole and needed."
)
SWARM_COPY = (
    "Swarm: stop Docker and copy the swarm's state first: `cp -aLT --sparse=always "
    "/var/lib/docker/swarm COPY`; the log is in its `raft` folder, its payloads are encrypted."
)


def length_beyond_reason(facts: Facts) -> Judged:
    """Whether the length in the text is one that no program writes."""
    size = facts.number("record_bytes")
    if size is not None and size >= LENGTH_SURELY_WRONG:
        return fits(f"a record of {size:,} bytes was never written")
    if size is not None and facts.survey is None:
        return refuted(f"a record of {size:,} bytes is possible")
    return found(Code.BAD_LENGTH, where=inside_the_log)(facts)


def ends_too_early(facts: Facts) -> Judged:
    """Whether the file ends inside its last record."""
    size, room = facts.number("record_bytes"), facts.number("room_bytes")
    if facts.survey is not None:
        torn = found(Code.TORN_TAIL)
        short = found(Code.BAD_LENGTH, where=behind_the_log)
        return either(torn, short)(facts)
    if size is None or room is None:
        return unknown(ASK)
    if size >= LENGTH_SURELY_WRONG:
        return refuted(f"a record of {size:,} bytes was never begun")
    return fits(f"a record of {size:,} bytes has only {room:,} left in the file")


def too_big_for_the_version(facts: Facts) -> Judged:
    """Whether an entry is one that early versions write and cannot read."""
    if facts.survey is not None:
        return found(Code.ENTRY_TOO_LARGE)(facts)
    size = facts.number("record_bytes")
    if size is not None:
        return refuted("a text with `recBytes` is of a version without the fixed limit of 10 MiB")
    return unknown(ASK)


CHECKSUM_CAUSES = (
    Cause(
        name="segment-misnamed",
        text="A segment has the name of another place in the log, so they are read out of order.",
        test=found(Code.SEGMENT_NAME),
    ),
    Cause(
        name="segment-missing",
        text="A segment is missing, so the next one does not continue the one before.",
        test=found(Code.SEGMENT_MISSING, unless=(Code.SEGMENT_NAME,)),
    ),
    Cause(
        name="record-type-changed",
        text="The type of a record changed, so that it is taken for a checksum record or back.",
        test=found(Code.TYPE_SUSPECT),
    ),
    Cause(
        name="content-changed",
        text="Bytes of a record, or its stored checksum, changed on the disk or on the way to it.",
        test=found(Code.CRC_MISMATCH),
    ),
    Cause(
        name="joint-changed",
        text="The checksum that a segment begins with is not the one that the last one ended with.",
        test=found(Code.CHAIN_BREAK),
    ),
    Cause(
        name="hole-of-zeros",
        text="A part of the log reads as zeros, with more of the log behind it.",
        test=found(Code.ZERO_HOLE, Code.SEGMENT_EMPTY),
    ),
    Cause(
        name="program-not-disk",
        text="The program is wrong and the log is whole: 3.3.21 refused every log whose first "
        "segments had been purged.",
        test=intact("then do not wipe it, and try the next patch release on a copy"),
        do=("Do not wipe anything: try the next patch release of the server on a copy.",),
    ),
)

CRC = Page(
    topic="walpb-crc-mismatch",
    says="walpb: crc mismatch",
    shapes=(
        shape(
            "walpb: crc mismatch",
            r"walpb: crc mismatch(?:: expected: (?P<stored_crc>[0-9a-f]{1,8}) computed: "
            r"(?P<computed_crc>[0-9a-f]{1,8}): in file '(?P<segment>[^'\n]{1,300})' at position: "
            r"(?P<offset>\d{1,20}))?",
        ),
    ),
    by="etcd (all versions), Swarm, Fabric, raftexample; the process refuses to start",
    title="A record's checksum does not fit its bytes.",
    means="Each record stores a checksum over all data before it and its own. In one record it "
    "does not fit, and nothing about it looks like a torn write, so the server does not dare to "
    "go on. Records behind it are usually whole.",
    causes=CHECKSUM_CAUSES,
    do=RECOVER,
    avoid=(NO_CUT, NO_DELETE, NO_WIPE),
    see=(Code.CRC_MISMATCH, Code.ZERO_HOLE, Code.CHAIN_BREAK),
    source=(
        "etcd-io/etcd#11488, #11220, #6191, #6271, #11918, #4903",
        "etcd-data-dir notes 2.6 and 10, tried with 3.4.23 and 3.5.1",
    ),
)

CHAIN = Page(
    topic="wal-crc-mismatch",
    says="wal: crc mismatch",
    shapes=(shape("wal: crc mismatch"),),
    by="etcd up to 3.5, Swarm, Fabric, raftexample; the process refuses to start",
    title="Two parts of the log do not continue each other.",
    means="A checksum record, at the head of each segment, does not fit the records before it. "
    "The segments are not neighbours, or something in between was lost.",
    causes=CHECKSUM_CAUSES,
    do=RECOVER,
    avoid=(NO_CUT, NO_DELETE, NO_WIPE),
    see=(Code.CHAIN_BREAK, Code.SEGMENT_MISSING, Code.SEGMENT_NAME),
    source=("etcd-data-dir notes 3.3 and 10, tried with 3.4.23 and 3.5.1; etcd-io/etcd#11924",),
)

LIMIT = Page(
    topic="max-entry-size-limit-exceeded",
    says="max entry size limit exceeded, recBytes: N",
    shapes=(
        shape(
            "max entry size limit exceeded",
            r"max entry size limit exceeded"
            r"(?: when (?:decoding|reading) \"(?P<segment>[^\"\n]{1,300})\")?"
            r"(?:, recBytes: (?P<record_bytes>\d{1,20}), "
            r"fileSize\((?P<file_bytes>\d{1,20})\) - offset\((?P<offset>\d{1,20})\) - "
            r"padBytes\((?P<padding_bytes>\d{1,20})\) = "
            r"entryLimit\((?P<room_bytes>\d{1,20})\))?",
        ),
    ),
    by="etcd (all versions), Swarm, Fabric; up to 3.5.6 the process refuses to start",
    title="A record claims to be longer than it may be.",
    means="3.4 and 3.5.0–3.5.4 refuse every record of 10 MiB and more; 3.5.5 and later one that is "
    "longer than the rest of its file. From 3.5.7 on this counts as a torn write, and a start cuts "
    "the log there with all that lies behind.",
    causes=(
        Cause(
            name="length-changed",
            text="The length field was changed: the log goes on behind it.",
            test=length_beyond_reason,
        ),
        Cause(
            name="file-ends-in-the-record",
            text="The file ends inside its last record: a torn write, a full disk, or something "
            "else behind the end of the log.",
            test=ends_too_early,
        ),
        Cause(
            name="entry-too-large-for-the-version",
            text="The entry is as large as it says, written by this server, which cannot read it.",
            test=too_big_for_the_version,
            do=(
                "Nothing is damaged: 3.5.5 or later reads this log. Try the upgrade on a copy.",
                "Then lower `--max-request-bytes`.",
            ),
        ),
    ),
    do=(*RECOVER, SWARM_COPY),
    avoid=(NO_CUT, NO_START, NO_WIPE),
    see=(Code.TORN_TAIL, Code.BAD_LENGTH, Code.ENTRY_TOO_LARGE),
    source=(
        "etcd-io/etcd#14025, #14098, #14114, #15090, #16526, #18647; k0sproject/k0s#2553",
        "k3s-io/k3s#9701; moby/swarmkit#3188; moby/moby#46390; hyperledger/fabric#4290",
        "etcd-data-dir notes 2.6",
    ),
)

EOF = Page(
    topic="wal-unexpected-eof",
    says="failed to read WAL, cannot be repaired: unexpected EOF",
    shapes=(
        shape(
            "failed to read WAL",
            r"failed to read WAL[^\n]{0,120}?\bunexpected EOF",
        ),
        shape("read wal error", r"read wal error[^\n]{0,20}?\bunexpected EOF"),
        shape("WAL error", r"WAL error cannot be repaired: unexpected EOF"),
        shape("WAL error", r"irreparable WAL error: unexpected EOF"),
    ),
    by="etcd, Swarm, Fabric, raftexample, Quorum; the process refuses to start",
    title="A record ends before it is complete, and the repair at the start did not help.",
    means="The server's own repair looks at the last segment alone, and cuts it at a torn record. "
    "That it still fails means that the damage is in an earlier segment, that the repair could "
    "not write, or that the program never repairs (raftexample and what was built on it).",
    causes=(
        Cause(
            name="sealed-segment-damaged",
            text="The damage is in an earlier segment, which was complete once: no torn write.",
            test=found(
                Code.BAD_LENGTH, Code.TORN_TAIL, Code.CRC_MISMATCH, Code.BAD_RECORD, where=sealed
            ),
        ),
        Cause(
            name="torn-tail",
            text="The last record is torn, and this program does not cut it.",
            test=found(Code.TORN_TAIL, Code.BAD_LENGTH, where=in_last_segment),
        ),
        Cause(
            name="repair-could-not-write",
            text="The disk is full: the repair copies the whole segment before it cuts.",
            test=elsewhere("`df` on the data directory; the repair needs 64 MB and more"),
        ),
    ),
    do=(*RECOVER, SWARM_COPY),
    avoid=(NO_CUT, NO_DELETE, NO_WIPE),
    see=(Code.TORN_TAIL, Code.BAD_LENGTH),
    source=(
        "etcd-io/etcd#2736, #3065, #3186, #14093; moby/swarmkit#2959; etcd-data-dir notes 6.7",
        "Consensys-Incorporated/quorum#712; tried with 3.4.23 and 3.5.1",
    ),
)

PAGES = (CRC, CHAIN, LIMIT, EOF)

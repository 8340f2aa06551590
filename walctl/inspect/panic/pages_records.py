"""Pages for records of a log that are not what they say: their types, their content, their end.

Where the words are from is told in `pages_wal`.
"""

from walctl.inspect.explanation import (
    COPY,
    DOCTOR,
    NO_DELETE,
    NO_WIPE,
    PEER,
    RECOVER,
    RESTORE,
    STOP,
)
from walctl.inspect.panic.cause import Cause, elsewhere, found, intact
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.inspect.panic.pages_wal import NO_CUT
from walctl.model.finding import Code

BLOCK_TYPE = Page(
    topic="unexpected-block-type",
    says="unexpected block type N",
    shapes=(shape("unexpected block type", r"unexpected block type (?P<type>-?\d{1,20})"),),
    by="etcd (all versions), Swarm, Fabric; the process refuses to start",
    title="A record has a type that does not exist.",
    means="Types are 1 to 5. No checksum covers them, so one changed bit is enough, and what the "
    "record holds is whole.",
    causes=(
        Cause(
            name="record-type-changed",
            text="The type changed and the rest of the record did not.",
            test=found(Code.TYPE_SUSPECT),
        ),
        Cause(
            name="no-record",
            text="The bytes are no record at all.",
            test=found(Code.BAD_RECORD, Code.CRC_MISMATCH, Code.BAD_LENGTH),
        ),
    ),
    do=RECOVER,
    avoid=(NO_DELETE, NO_WIPE),
    see=(Code.TYPE_SUSPECT,),
    source=("etcd-data-dir notes 4.1 and 10, tried with 3.4.23 and 3.5.1",),
)

PARSE = Page(
    topic="wal-record-unparsable",
    says="proto: wrong wireType = N for field Data / proto: Record: illegal tag 0",
    shapes=(
        shape(
            "proto: wrong wireType",
            r"proto: wrong wireType = (?P<wire_type>\d{1,3}) for field (?P<field>\w{1,40})",
        ),
        shape("proto: Record: "),
        shape("proto: illegal wireType", r"proto: illegal wireType (?P<wire_type>\d{1,3})"),
        shape("cannot parse invalid wire-format data"),
    ),
    by="etcd, by the version's protobuf library; the process refuses to start or ends",
    title="Bytes that should be a record do not parse.",
    means="The length field led to bytes that are no record: the length is wrong, or the record "
    "itself was changed where its checksum could not yet be looked at.",
    causes=(
        Cause(
            name="length-changed",
            text="A length field was changed, so that everything behind it is read shifted.",
            test=found(Code.BAD_LENGTH, Code.BAD_PADDING),
        ),
        Cause(
            name="record-type-changed",
            text="The type of a record changed, so that its content is read as something else.",
            test=found(Code.TYPE_SUSPECT),
        ),
        Cause(
            name="record-changed",
            text="The record itself was changed.",
            test=found(Code.BAD_RECORD, Code.CRC_MISMATCH),
        ),
        Cause(
            name="memory",
            text="The bytes were changed in memory or on the network: the files are whole.",
            test=intact("test the memory of the machine"),
        ),
    ),
    do=RECOVER,
    avoid=(NO_CUT, NO_WIPE),
    see=(Code.BAD_LENGTH, Code.BAD_RECORD, Code.TYPE_SUSPECT),
    source=("etcd-data-dir notes 2.6 and 10; etcd-io/etcd#14102, #12115",),
)

UNMARSHAL = Page(
    topic="unmarshal-should-never-fail",
    says="unmarshal should never fail",
    shapes=(shape("unmarshal should never fail"),),
    by="etcd (all versions), when it reads the log or applies an entry; the process ends",
    title="The content of a record is not what its type says.",
    means="The record's checksum fits, so its content is as it was written, but it does not parse "
    "as what the record claims to be.",
    causes=(
        Cause(
            name="record-type-changed",
            text="The type of the record changed, which no checksum covers.",
            test=found(Code.TYPE_SUSPECT),
        ),
        Cause(
            name="written-so",
            text="It was written so: a defect of the server, or of the memory of a member, which "
            "then spreads to all.",
            test=elsewhere("look whether the other members stop at the same index"),
        ),
    ),
    do=RECOVER,
    avoid=(NO_WIPE,),
    see=(Code.TYPE_SUSPECT, Code.PAYLOAD_UNDECODABLE),
    source=("etcd-data-dir notes 3.2 and 10, tried with 3.5.1; etcd-io/etcd#12850",),
)

REPAIRED = Page(
    topic="repaired-wal",
    says="repaired WAL: unexpected EOF",
    shapes=(shape("repaired WAL"),),
    gravity=Gravity.NOTE,
    by="etcd (all versions); it goes on and serves",
    title="A start took something for a torn write and cut the log there.",
    means="Everything behind the cut is gone from the log, also records that were whole. The whole "
    "segment was kept as `.wal.broken` beside it. If the database had applied more than the log "
    "now holds, writes time out until the log has passed it, or the member panics with "
    "`tocommit(X) is out of range [lastIndex(Y)]`.",
    causes=(
        Cause(
            name="torn-tail",
            text="The last record was torn by a power cut: nothing that was acknowledged is lost.",
            test=elsewhere("compare the `.wal.broken` file: `walctl dump FILE.wal.broken`"),
        ),
        Cause(
            name="too-much-was-cut",
            text="Whole records go with the cut, so that the log falls behind the database.",
            test=found(Code.DB_AHEAD, Code.ZERO_HOLE, Code.BAD_LENGTH),
        ),
    ),
    do=(
        STOP,
        COPY,
        DOCTOR,
        "See what was cut: `walctl dump DIR/member/wal/NAME.wal.broken`.",
        PEER,
        RESTORE,
    ),
    avoid=("Do not delete the `.wal.broken` file: it is the only copy of what was cut.",),
    see=(Code.TORN_TAIL, Code.DB_AHEAD, Code.LEFTOVER),
    source=("etcd-data-dir notes 6.7, tried with 3.4.23 and 3.5.1; etcd-io/etcd#2736",),
)

PAGES = (BLOCK_TYPE, UNMARSHAL, PARSE, REPAIRED)

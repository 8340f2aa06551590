"""Pages for logs whose parts do not make one whole: segments, gaps, markers, locks, space."""

from walctl.inspect.explanation import (
    COPY,
    DOCTOR,
    NO_DELETE,
    NO_EMPTY_WAL,
    NO_WIPE,
    PEER,
    RECOVER,
    RESTORE,
    STOP,
    VERIFY_AGAIN,
)
from walctl.inspect.panic.cause import (
    ASK,
    Cause,
    Facts,
    Judged,
    elsewhere,
    fits,
    found,
    refuted,
    told,
    unknown,
)
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.inspect.panic.pages_wal import NO_CUT
from walctl.model.finding import Code

FREE_SPACE = (
    "Make room outside of the data directory first: a segment takes 64 MB, a repair copies one."
)


def no_segments(facts: Facts) -> Judged:
    """Whether there is no segment at all where the server looks."""
    survey = facts.survey
    if survey is None:
        return unknown(ASK)
    if survey.segments:
        return refuted(f"{len(survey.segments)} segments are there")
    names = sum(name.endswith(".wal") for name in survey.wal_names)
    return fits(f"no segment is there, and {names} names that end in .wal but say no place")


def is_locked(facts: Facts) -> Judged:
    """Whether another process holds the log at this moment."""
    if facts.survey is None:
        return unknown("see who has the files open: `fuser -v DIR/member/wal/*.wal`")
    notes = [note for note in facts.survey.notes if "lock" in note]
    return fits(notes[0]) if notes else refuted("no process holds a lock in this directory now")


NOT_FOUND = Page(
    topic="wal-file-not-found",
    says="wal: file not found",
    shapes=(
        shape(
            "wal: file not found",
            r"wal: file not found"
            r"(?: which matches the snapshot index '(?P<snapshot_index>\d{1,20})')?",
        ),
        shape(
            "do not increase continuously",
            r"wal: file sequence numbers \(starting from (?P<position>\d{1,20})\) do not increase",
        ),
    ),
    by="etcd (all versions), Swarm, Fabric; the process refuses to start",
    title="A segment that the start needs is not there.",
    means="A start begins at the newest usable snapshot and needs every segment from there on, in "
    "an unbroken row of numbers. Without a usable snapshot that is every segment from number 0 on, "
    "and those are purged in time: a lost `.snap` file can make this of a whole log.",
    causes=(
        Cause(
            name="segment-misnamed",
            text="The segment is there under another name.",
            test=found(Code.SEGMENT_NAME),
        ),
        Cause(
            name="snapshot-missing",
            text="The snapshot that the log could start from is gone or does not read.",
            test=found(Code.SNAP_MISSING, Code.SNAP_CRC, Code.SNAP_UNDECODABLE),
        ),
        Cause(
            name="segment-missing",
            text="A needed segment was deleted: by hand, or by a purge that went on after the "
            "server had let go of its files.",
            test=found(Code.SEGMENT_MISSING, unless=(Code.SEGMENT_NAME,)),
        ),
        Cause(
            name="no-log-here",
            text="There is no log where the server looks: another directory, or an unmounted disk.",
            test=no_segments,
        ),
    ),
    do=(*RECOVER[:3], "Look for the missing segment in backups and copies.", *RECOVER[3:]),
    avoid=(NO_EMPTY_WAL, NO_DELETE, NO_WIPE),
    see=(Code.SEGMENT_MISSING, Code.SEGMENT_NAME, Code.SNAP_MISSING),
    source=(
        "etcd-io/etcd#14252, #11308, #19601; etcd-data-dir notes 1.3, 1.4 and 10",
        "tried with 3.4.23 and 3.5.1",
    ),
)

GAP = Page(
    topic="wal-slice-bounds",
    says="wal: slice bounds out of range",
    shapes=(
        shape(
            "wal: slice bounds out of range",
            r"wal: slice bounds out of range(?:, snapshot\[Index: (?P<snapshot_index>\d{1,20}), "
            r"Term: (?P<snapshot_term>\d{1,20})\], current entry\[Index: (?P<index>\d{1,20}), "
            r"Term: (?P<term>\d{1,20})\], len\(ents\): (?P<entries>\d{1,20}))?",
        ),
    ),
    by="etcd (all versions), Swarm, Fabric; the process refuses to start",
    title="The log jumps: an entry comes that does not follow the one before.",
    means="Behind the snapshot that the start chose, the entries must follow each other without a "
    "hole. Here at least one is missing. It is the index that jumps; the bytes around read well.",
    causes=(
        Cause(
            name="record-type-changed",
            text="An entry is there, but its type was changed, so that it does not count as one.",
            test=found(Code.TYPE_SUSPECT),
        ),
        Cause(
            name="segment-missing",
            text="A whole segment is missing.",
            test=found(Code.SEGMENT_MISSING, unless=(Code.SEGMENT_NAME,)),
        ),
        Cause(
            name="entries-missing",
            text="Entries are missing within the log.",
            test=found(Code.INDEX_GAP),
        ),
        Cause(
            name="older-snapshot-chosen",
            text="The log is a follower's that got a snapshot from its leader, and the start was "
            "made from an older one, because the newer does not read.",
            test=found(Code.SNAP_MISSING, Code.SNAP_CRC, Code.SNAP_UNDECODABLE),
        ),
    ),
    do=RECOVER,
    avoid=(NO_CUT, NO_DELETE, NO_WIPE),
    see=(Code.INDEX_GAP, Code.SEGMENT_MISSING, Code.TYPE_SUSPECT),
    source=("etcd-data-dir notes 4.6, 6.4 and 10, tried with 3.4.23 and 3.5.1",),
)

MARKER = Page(
    topic="wal-snapshot-mismatch",
    says="wal: snapshot mismatch / wal: snapshot not found",
    shapes=(shape("wal: snapshot mismatch"), shape("wal: snapshot not found")),
    by="etcd (all versions), Swarm, Fabric; the process refuses to start",
    title="The log does not know the snapshot that it is to be read from.",
    means="For every snapshot the log holds a marker with its index and term. The marker for this "
    "one is not there, or has another term.",
    causes=(
        Cause(
            name="files-of-two-members",
            text="Snapshot and log are of two members, or of two lives of one.",
            test=found(Code.SNAP_UNMARKED, Code.METADATA_CONFLICT, Code.CLUSTER_MISMATCH),
        ),
        Cause(
            name="marker-lost",
            text="The end of the log, with the marker in it, is gone.",
            test=found(Code.TORN_TAIL, Code.DB_AHEAD, Code.ZERO_HOLE, Code.SEGMENT_EMPTY),
        ),
        Cause(
            name="edited",
            text="Someone put a snapshot file into the directory.",
            test=elsewhere("compare the names in snap/ with what `walctl doctor DIR` lists"),
        ),
    ),
    do=RECOVER,
    avoid=(NO_DELETE, NO_WIPE),
    see=(Code.SNAP_UNMARKED, Code.SNAP_MISSING),
    source=("etcd-data-dir notes 6.4 and 10, tried with 3.4.23 and 3.5.1",),
)

METADATA = Page(
    topic="wal-conflicting-metadata",
    says="wal: conflicting metadata found",
    shapes=(shape("wal: conflicting metadata found"),),
    by="etcd (all versions), Swarm, Fabric; the process refuses to start",
    title="The log names two different owners.",
    means="Each segment begins with the ids of its member and cluster, and they differ. Segments "
    "of two members lie in one folder, or two lives of one.",
    causes=(
        Cause(
            name="mixed-segments",
            text="Segments of another member, or of a time before a restore, were copied in.",
            test=found(Code.METADATA_CONFLICT, Code.CLUSTER_MISMATCH),
        ),
    ),
    do=RECOVER,
    avoid=(NO_DELETE,),
    see=(Code.METADATA_CONFLICT, Code.CLUSTER_MISMATCH),
    source=("etcd-data-dir notes 6.4 and 10, tried with 3.4.23 and 3.5.1",),
)

LOCKED = Page(
    topic="file-already-locked",
    says="fileutil: file already locked",
    shapes=(shape("fileutil: file already locked"), shape("db file is flocked by another process")),
    by="etcd (all versions), Fabric; the process refuses to start, or waits for the database",
    title="Another process has this directory open.",
    means="A running server holds a lock on every segment that it needs and on the database. "
    "Nothing is damaged.",
    causes=(
        Cause(
            name="server-still-runs",
            text="The old process is still there, or a second one was started on this directory.",
            test=is_locked,
        ),
        Cause(
            name="network-disk",
            text="The disk is shared, and the lock is held on another machine.",
            test=elsewhere("look at the mount: `findmnt -T DIR`"),
        ),
    ),
    do=(
        "Find the process and end it in its own way: `fuser -v DIR/member/wal/*.wal`.",
        "If none is there on this machine, look at the others that mount the disk.",
    ),
    avoid=(
        "Do not delete the files, and do not copy them back and forth to get rid of the lock.",
        "Do not let two servers use one directory: that does damage the log.",
    ),
    source=(
        "hyperledger/fabric#2815, #3269; bitnami/charts#16615; etcd-data-dir notes 4.7, tried",
    ),
)

REPAIR_FAILED = Page(
    topic="failed-to-repair-wal",
    says="failed to repair WAL",
    shapes=(shape("failed to repair WAL"),),
    by="etcd 3.4 and later; the process refuses to start",
    title="The server wanted to cut a torn record off and could not.",
    means="The last segment ends in what the server takes for a torn write. Before it cuts, it "
    "copies the whole segment to `.wal.broken`; that, or the cut, failed.",
    causes=(
        Cause(
            name="disk-full",
            text="There is no room for the copy, or the directory may not be written to.",
            test=elsewhere("`df` on the data directory, and who may write there"),
        ),
        Cause(
            name="not-a-tear",
            text="The bytes are damaged in another way than the server can repair.",
            test=found(Code.CRC_MISMATCH, Code.BAD_LENGTH, Code.BAD_RECORD, Code.TYPE_SUSPECT),
        ),
    ),
    do=(STOP, COPY, FREE_SPACE, DOCTOR, PEER, RESTORE),
    avoid=(NO_CUT,),
    see=(Code.TORN_TAIL,),
    source=("etcd-io/etcd#2819, #3347; etcd-data-dir notes 6.5 and 6.7",),
)

NO_SPACE = Page(
    topic="no-space-left-on-device",
    says="no space left on device",
    shapes=(
        shape("no space left on device"),
        shape("failed to save Raft hard state and entries"),
        shape("failed to preallocate"),
        shape("failed to allocate space"),
    ),
    by="etcd (all versions) and anything else; a server that cannot write its log ends",
    title="The disk was full, or refused to allocate.",
    means="The server stops at once, which is right. The last record may be torn, and snapshot "
    "files written in those minutes may be empty.",
    causes=(
        Cause(
            name="disk-full",
            text="The disk was full when the log was written.",
            test=told("the text says so"),
        ),
        Cause(
            name="record-torn",
            text="The last record did not fit and is torn.",
            test=found(Code.TORN_TAIL, Code.BAD_LENGTH),
        ),
    ),
    do=(STOP, COPY, FREE_SPACE, DOCTOR, VERIFY_AGAIN),
    avoid=(
        "Do not make room in wal/ or snap/: nothing there is safe to delete by its name.",
        NO_WIPE,
    ),
    see=(Code.TORN_TAIL, Code.LEFTOVER, Code.SNAP_CRC),
    source=("etcd-io/etcd#2819, #3347, #8330, #5518, #10823",),
)

IGNORED = Page(
    topic="ignored-file-in-wal-directory",
    says="ignored file in WAL directory",
    shapes=(
        shape("ignored file in WAL directory"),
        shape("wal: ignored file"),
        shape("found unexpected non-snap file"),
    ),
    gravity=Gravity.NOTE,
    by="etcd (all versions); it goes on and serves",
    title="A file is there that is no segment or snapshot; the server leaves it alone.",
    means="A `.wal.broken` file tells that a start has cut the log once. Anything else is a "
    "leftover.",
    causes=(
        Cause(
            name="leftover",
            text="A backup of a repair, or a file that someone left.",
            test=found(Code.LEFTOVER),
        ),
    ),
    do=(COPY, DOCTOR, "Read what a cut means: `walctl explain repaired-wal`."),
    avoid=("Do not delete a `.wal.broken` file before it is known what it holds.",),
    see=(Code.LEFTOVER,),
    source=("etcd-data-dir notes 1.2 and 1.6, tried with 3.4.23 and 3.5.1",),
)

PAGES = (NOT_FOUND, GAP, MARKER, METADATA, LOCKED, REPAIR_FAILED, NO_SPACE, IGNORED)

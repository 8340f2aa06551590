"""What the codes about whole segments and leftovers mean; only words."""

from walctl.inspect.explanation import (
    ALL,
    COPY,
    DAMAGE,
    DOCTOR,
    FROM_36,
    HARMLESS,
    INFO,
    NO_DELETE,
    NO_EMPTY_WAL,
    NO_START,
    NO_WIPE,
    PEER,
    RECOVER,
    REPAIR,
    RESTORE,
    STOP,
    TO_35,
    VERIFY_AGAIN,
    Explanation,
    Group,
    ServerAct,
)
from walctl.model.finding import Code

PAGES = (
    Explanation(
        topic=Code.CHAIN_BREAK,
        group=Group.BYTES,
        title="A segment does not go on with the checksum that the one before ended with.",
        severities=(DAMAGE,),
        judged="Damage in every segment: etcd reads them all before it chooses where to start.",
        what="Each segment begins with a CRC record: the running checksum at the end of the one "
        "before. The two differ here.",
        why="A flipped bit in the CRC record; the end of the segment before is lost or reads as "
        "zeros; a segment is missing in between, is here twice, or comes from another member or "
        "another time.",
        etcd=(
            ServerAct(TO_35, "Refuse: `discovery failed` with `wal: crc mismatch`."),
            ServerAct(FROM_36, "Refuse: `walpb: crc mismatch`."),
            ServerAct(
                ALL,
                "It reads all segments when it looks for snapshots, so one that the start does "
                "not need stops it too.",
            ),
        ),
        lost="Nothing, if only the CRC record changed: the segment's own records then fit each "
        "other. Else what stood between the two.",
        do=RECOVER,
        avoid=(NO_START, NO_DELETE),
        see=(Code.SEGMENT_MISSING, Code.SEGMENT_HEAD, Code.CRC_MISMATCH, Code.METADATA_CONFLICT),
    ),
    Explanation(
        topic=Code.SEGMENT_MISSING,
        group=Group.BYTES,
        title="A segment that the log needs is not there.",
        severities=(DAMAGE,),
        judged="The oldest ones of a log that begins at a usable snapshot are not missed.",
        what="Segments are numbered, in the first of the two hex numbers of their names. One is "
        "absent between others, or the first that is left begins behind every start point. That "
        "the oldest are gone is normal: etcd purges what lies before its snapshots.",
        why="A file deleted by hand, by a clean-up or by an incomplete copy; a segment under a "
        "wrong name.",
        etcd=(
            ServerAct(TO_35, "Refuse: `failed to open WAL` / `wal: file not found`."),
            ServerAct(
                FROM_36,
                "Refuse: `wal: file not found which matches the snapshot index 'S'`, or `wal: file "
                "sequence numbers (starting from N) do not increase continuously`.",
            ),
            ServerAct(
                ALL,
                "A gap right behind segment 0 is not noticed by its number, only by the checksum "
                "chain (`wal: crc mismatch`). A missing last segment is not noticed at all: the "
                "server starts with fewer entries.",
            ),
        ),
        lost="The entries of the segment, as far as the database has not applied them.",
        do=(
            STOP,
            COPY,
            "Look for the file: in backups, beside the directory, under another name "
            "(`walctl explain segment-name`).",
            DOCTOR,
            REPAIR,
            PEER,
            RESTORE,
        ),
        avoid=(
            "Do not rename another segment into the gap.",
            NO_EMPTY_WAL,
            NO_WIPE,
        ),
        see=(Code.SEGMENT_NAME, Code.CHAIN_BREAK, Code.DB_AHEAD),
    ),
    Explanation(
        topic=Code.SEGMENT_NAME,
        group=Group.BYTES,
        title="A file's name is not the name of a segment, or not the name of this one.",
        severities=(HARMLESS, DAMAGE),
        judged="Damage when the checksums say that the file belongs elsewhere in the order.",
        what="A segment is called SEQ-INDEX.wal, two numbers of 16 hex digits: its place in the "
        "order, and the index of the first entry expected in it. This name has another form, or "
        "the numbers do not fit the content.",
        why="A file renamed or copied by hand, or an archive that changed names.",
        etcd=(
            ServerAct(
                ALL,
                "A name that does not parse: `ignored file in WAL directory`, and it goes on. If "
                "only such names are there, it refuses with `wal: file not found`.",
            ),
            ServerAct(
                ALL,
                "A wrong index is not noticed, but decides from which segment it reads. A wrong "
                "sequence number makes a gap (`walctl explain segment-missing`).",
            ),
        ),
        lost="Nothing: the bytes are there.",
        do=(
            COPY,
            DOCTOR,
            REPAIR,
        ),
        avoid=("Do not rename by hand: which name is right follows from the checksums.",),
        see=(Code.SEGMENT_MISSING, Code.CHAIN_BREAK),
    ),
    Explanation(
        topic=Code.SEGMENT_HEAD,
        group=Group.BYTES,
        title="A segment does not begin with its head: a CRC record and the metadata.",
        severities=(HARMLESS, DAMAGE),
        judged="Damage in the first segment there is, harmless in a later one.",
        what="Each segment begins with a CRC record and the metadata record, which says whose log "
        "it is. Here one of them is missing or stands elsewhere.",
        why="etcd was started on an empty or zeroed last segment and wrote on into it; or the "
        "beginning of the segment is damaged.",
        etcd=(
            ServerAct(
                ALL,
                "Starts while the segment before it exists. Once that is purged there is no "
                "metadata left: panic `cannot use none as id`.",
            ),
        ),
        lost="Nothing as yet.",
        do=(
            COPY,
            VERIFY_AGAIN,
            "With a healthy majority, replace the member before its older segments are purged. "
            + PEER,
            RESTORE,
        ),
        avoid=(NO_DELETE,),
        see=(Code.SEGMENT_EMPTY, Code.METADATA_CONFLICT),
    ),
    Explanation(
        topic=Code.SEGMENT_EMPTY,
        group=Group.BYTES,
        title="A segment holds no record at all.",
        severities=(DAMAGE,),
        judged="etcd never leaves a segment without its head, so records may have been lost.",
        what="The file has no bytes, or only zeros. Even a segment that etcd has just begun has a "
        "head.",
        why="A power cut or a full disk on a file system that lost the content; a file emptied by "
        "hand or by a copy.",
        etcd=(
            ServerAct(
                ALL,
                "As the last segment: starts with the entries before it and writes on without a "
                "head. As segment 0 and the only one: panic `cannot use none as id`.",
            ),
        ),
        lost="All that the segment held. Whether it held anything is told by the database, the "
        "snapshots and the hard state.",
        do=RECOVER,
        avoid=(
            NO_START,
            "Do not delete the empty file: it is evidence, and its name a hint.",
            NO_WIPE,
        ),
        see=(Code.DB_AHEAD, Code.SEGMENT_HEAD, Code.SEGMENT_MISSING),
    ),
    Explanation(
        topic=Code.METADATA_CONFLICT,
        group=Group.BYTES,
        title="Segments name different members or clusters.",
        severities=(DAMAGE,),
        what="The head of every segment repeats the same metadata: the id of the member and of "
        "the cluster. Two of them differ here.",
        why="Segments of two members, or of the same member before and after it was replaced, "
        "were put into one directory.",
        etcd=(
            ServerAct(
                ALL,
                "Refuse: `failed to read WAL, cannot be repaired` / `wal: conflicting metadata "
                "found`.",
            ),
        ),
        lost="Nothing by itself. The log of one member may be incomplete.",
        do=(
            STOP,
            COPY,
            "Sort the segments by the ids that `walctl dump COPY` shows, each member's into its "
            "own directory, and check each: `walctl verify DIR`.",
            PEER,
            RESTORE,
        ),
        avoid=(NO_DELETE,),
        see=(Code.CHAIN_BREAK, Code.CLUSTER_MISMATCH),
    ),
    Explanation(
        topic=Code.LEFTOVER,
        group=Group.BYTES,
        title="A file or directory is left from something that did not end.",
        severities=(INFO, HARMLESS),
        judged="Information where a kill leaves it behind, as the spare segments 0.tmp and 1.tmp; "
        "harmless where etcd has set something aside.",
        what="Names ending in .tmp or .broken, and names in snap/ beginning with tmp or db.tmp. "
        "They are no part of the log.",
        why="0.tmp and 1.tmp are spare segments, removed only by a clean shutdown. A .wal.broken "
        "is the whole file as it was before etcd cut it; a .snap.broken is a snapshot that etcd "
        "could not read; tmp… is a snapshot that was being received; db.tmp… a defragmentation.",
        etcd=(
            ServerAct(
                ALL,
                "Ignores them or deletes tmp… at a start. `ignored file in WAL directory` for "
                ".wal.broken. A second repair of a segment overwrites its .broken file.",
            ),
        ),
        lost="Nothing. A .broken file may hold records that the segment beside it has lost.",
        do=(
            "Keep .broken files until the member is known to be whole. To look into a .wal.broken, "
            "copy it into a directory of its own under the segment's name: `walctl dump DIR`.",
            "Large tmp… files in snap/ of a stopped server only take space.",
        ),
        avoid=("Do not delete a .wal.broken: it is the only copy of what etcd cut off.",),
        see=(Code.TORN_TAIL, Code.SNAP_CRC),
    ),
)

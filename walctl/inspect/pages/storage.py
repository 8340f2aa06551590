"""What the codes about snapshots and the database mean; only words."""

from walctl.inspect.explanation import (
    ALL,
    COPY,
    DAMAGE,
    DOCTOR,
    FROM_37,
    HARMLESS,
    INFO,
    NO_DELETE,
    NO_EMPTY_WAL,
    NO_WIPE,
    PEER,
    RECOVER,
    REPAIR,
    RESTORE,
    STOP,
    TO_36,
    Explanation,
    Group,
    ServerAct,
)
from walctl.model.finding import Code

UNUSABLE_SNAP = (
    ServerAct(
        TO_36,
        "Rename the file to NAME.snap.broken and take the next older one, or index 0 if there is "
        "none. If the log does not reach back so far: `wal: file not found`.",
    ),
    ServerAct(FROM_37, "Do not read .snap files: the log's own snapshot record counts."),
)
SNAPDB_PANIC = (
    "panic `failed to recover v3 backend from snapshot` with `failed to find database snapshot "
    "file (snap: snapshot file doesn't exist)`"
)

SNAPSHOTS = (
    Explanation(
        topic=Code.SNAP_CRC,
        group=Group.SNAPSHOTS,
        title="A .snap file's checksum does not fit its content.",
        severities=(HARMLESS, DAMAGE),
        judged="Harmless while an older start point is usable: nothing but time is lost.",
        what="A .snap file (TERM-INDEX.snap, in hex) holds the membership at that index, under a "
        "checksum that does not fit. The keys are not in it: they are in `db`.",
        why="A flipped bit, or a power cut while the file was written: etcd writes it in place.",
        etcd=(
            ServerAct(TO_36, "Warn: `snap file is corrupt` and `snap: crc mismatch`."),
            *UNUSABLE_SNAP,
        ),
        lost="Nothing, if the log reaches back to an older snapshot or to its beginning, and `db` "
        "is whole.",
        do=(
            COPY,
            "See which start points are left: `walctl doctor DIR`.",
            "If one is usable, start the server: it sets the file aside itself.",
            PEER,
            RESTORE,
        ),
        avoid=("Do not delete the other .snap files: the start needs an older one now.",),
        see=(Code.SNAP_UNDECODABLE, Code.SNAP_MISSING),
    ),
    Explanation(
        topic=Code.SNAP_UNDECODABLE,
        group=Group.SNAPSHOTS,
        title="A .snap file cannot be read.",
        severities=(HARMLESS, DAMAGE),
        judged="Harmless while an older start point is usable.",
        what="The file is empty, cut short, or no snapshot.",
        why="A power cut or a full disk while it was written: etcd writes it in place, under its "
        "final name.",
        etcd=(
            ServerAct(TO_36, "An empty one: `snap: empty snapshot`; others: the parser's words."),
            *UNUSABLE_SNAP,
        ),
        lost="Nothing, if the log reaches back to an older snapshot or to its beginning, and `db` "
        "is whole.",
        do=(
            COPY,
            "See which start points are left: `walctl doctor DIR`.",
            "If one is usable, start the server: it sets the file aside itself.",
            PEER,
            RESTORE,
        ),
        avoid=("Do not delete the other .snap files: the start needs an older one now.",),
        see=(Code.SNAP_CRC, Code.SNAP_MISSING),
    ),
    Explanation(
        topic=Code.SNAP_MISSING,
        group=Group.SNAPSHOTS,
        title="The log has a record of a snapshot whose .snap file is not there.",
        severities=(HARMLESS, DAMAGE),
        judged="Harmless while an older start point is usable, or the log reaches back to 1.",
        what="When a snapshot is taken, the file TERM-INDEX.snap is written first and then a "
        "record in the log. Here the file is gone. Old ones are purged, which is normal.",
        why="Deleted by hand, left out of a copy, or lost at a power cut because the directory had "
        "not been synced.",
        etcd=(
            ServerAct(
                TO_36,
                "Start from the newest .snap that has its record, or from index 0 if there is "
                "none. If the log does not reach back so far: `wal: file not found`.",
            ),
            ServerAct(FROM_37, "Do not need the file."),
        ),
        lost="Nothing, while the log reaches back far enough and `db` is whole.",
        do=(
            COPY,
            "See which start points are left: `walctl doctor DIR`.",
            "If one is usable, and nothing else is found, start the server.",
            PEER,
            RESTORE,
        ),
        avoid=(NO_DELETE,),
        see=(Code.SNAP_CRC, Code.SNAPDB_MISSING, Code.SEGMENT_MISSING),
    ),
    Explanation(
        topic=Code.SNAP_UNMARKED,
        group=Group.SNAPSHOTS,
        title="A .snap file has no record in the log.",
        severities=(HARMLESS, DAMAGE),
        judged="Damage where the snapshot is above the last entry: then the log has lost its end.",
        what="The file is above the log's first index, but the log does not mention it.",
        why="The process ended between writing the file and writing the record, or the end of the "
        "log was lost, or the file comes from another member.",
        etcd=(
            ServerAct(TO_36, "Leave the file alone and start from the newest one with a record."),
            ServerAct(FROM_37, "Do not read .snap files."),
        ),
        lost="Nothing by itself. If the file's index is above the last entry, the log has lost "
        "its end.",
        do=(COPY, DOCTOR, "If doctor reports nothing worse, start the server."),
        avoid=("Do not add or rename .snap files.",),
        see=(Code.DB_AHEAD, Code.TORN_TAIL, Code.SNAP_MISSING),
    ),
    Explanation(
        topic=Code.SNAPDB_MISSING,
        group=Group.SNAPSHOTS,
        title="The database is older than the snapshot, and the .snap.db meant for it is gone.",
        severities=(DAMAGE,),
        judged="The same directory with the .snap.db still there is no damage: a start installs "
        "it.",
        what="A member that was sent a snapshot keeps the leader's whole database as INDEX.snap.db "
        "until it takes the place of `db`. The log and the .snap say that this happened, but `db` "
        "is older and the file is not there.",
        why="A power cut after the file was renamed and before its directory was synced; a "
        "clean-up while the snapshot was applied; a probe that killed the server meanwhile.",
        etcd=(ServerAct(ALL, f"P{SNAPDB_PANIC[1:]}; exit status 2."),),
        lost="The state up to the snapshot, on this member. The leader that sent it has it.",
        do=(STOP, COPY, DOCTOR, PEER, RESTORE),
        avoid=(
            "Do not delete .snap files or segments until it starts: with an old `db` that hides "
            "the hole and does not fill it.",
            NO_WIPE,
        ),
        see=(Code.DB_BEHIND, Code.DB_MISSING, Code.SNAP_MISSING),
    ),
)

DATABASE = (
    Explanation(
        topic=Code.DB_MISSING,
        group=Group.DATABASE,
        title="The database file `db` is not there.",
        severities=(HARMLESS, DAMAGE),
        judged=(
            "Harmless while the log begins at index 1 and no .snap is in the way. A log that"
            " `snapshot restore` began has its keys in the database alone: damage."
        ),
        what="`snap/db` is the key space. Without it the server has the log alone.",
        why="Deleted or left out of a copy; a failed start that removed it; a directory that never "
        "had one (another program that uses etcd's log).",
        etcd=(
            ServerAct(ALL, "Without a .snap and with a log from 1: builds it again from the log."),
            ServerAct(ALL, f"With a .snap: {SNAPDB_PANIC}. It leaves an empty `db` behind."),
        ),
        lost="The state up to the first entry that the log still holds.",
        do=(
            STOP,
            COPY,
            DOCTOR,
            "Look for the file in backups: one from this member will do that has applied at least "
            "the newest snapshot that the log marks, and no more than the log holds. "
            "`walctl verify FILE` says what it has applied.",
            PEER,
            RESTORE,
        ),
        avoid=(NO_WIPE, "Do not put another member's `db` here: the log would not fit it."),
        see=(Code.SNAPDB_MISSING, Code.DB_BEHIND),
    ),
    Explanation(
        topic=Code.DB_PAGE,
        group=Group.DATABASE,
        title="A page of the database is damaged.",
        severities=(DAMAGE,),
        judged="One bad meta page alone is a note and no finding: the other one counts.",
        what="`db` is a bbolt file: pages that form a tree, and two meta pages that point to its "
        "root. A page is not what the pages around it say that it is.",
        why="A power cut with a disk that reorders or drops writes, a flipped bit, a file cut "
        "short by a full disk or a copy.",
        etcd=(
            ServerAct(ALL, "One bad meta page: starts, one transaction older, without a word."),
            ServerAct(
                ALL,
                "Both bad: panic `failed to open database` with `checksum error`, `invalid "
                "database` or `version mismatch`. A file below two pages: `file size too small`.",
            ),
            ServerAct(
                ALL, "Another bad page: starts, and fails or answers wrong when it reads it."
            ),
            ServerAct(
                "3.5",
                "A stored list of free pages that is none: panic `invalid freelist page`. One that "
                "names a page in use: starts, and a write panics with `page … already freed`.",
            ),
        ),
        lost="The keys on the page, unless the log still holds the entries that wrote them.",
        do=(STOP, COPY, DOCTOR, PEER, RESTORE),
        avoid=("Do not defragment it: that copies what is readable and drops the rest.", NO_WIPE),
        see=(Code.DB_MISSING, Code.DB_DIFFERS),
    ),
    Explanation(
        topic=Code.DB_BEHIND,
        group=Group.DATABASE,
        title="The database is older than what the log and the snapshots can bridge.",
        severities=(DAMAGE,),
        what="The database says up to which index it has applied the log (its consistent index). "
        "That is below the snapshot that the start would take, and the entries in between are not "
        "in the log any more, or the start would not read them.",
        why="An old `db` was put back; the machine lost power and the disk its last writes; a "
        "snapshot from the leader was not installed to its end.",
        etcd=(
            ServerAct(
                ALL,
                "Refuse: `database file (… index C) does not match with snapshot (index S)`, or "
                f"{SNAPDB_PANIC}.",
            ),
        ),
        lost="The state between the two indexes, on this member.",
        do=RECOVER[:5],
        avoid=(NO_DELETE, "Do not exchange `db` for another member's.", NO_WIPE),
        see=(Code.SNAPDB_MISSING, Code.DB_MISSING, Code.DB_AHEAD),
    ),
    Explanation(
        topic=Code.DB_AHEAD,
        group=Group.DATABASE,
        title="The database has applied more entries than the log holds: the log lost its end.",
        severities=(DAMAGE,),
        what="The consistent index of `db` is above the last entry of the log. An entry is "
        "written to the log before it is applied, so the log had it and has lost it.",
        why="The last segment was cut, emptied, zeroed or left out of a copy; etcd itself cut the "
        "log at an earlier start; `wal/` was emptied; segments come from an older copy than `db`.",
        etcd=(
            ServerAct(
                ALL,
                "A single member starts, is healthy and answers reads, but writes time out: new "
                "entries get indexes that the database has had, are committed and never applied, "
                "without a word in its log. When the index has passed the old one, writes work "
                "again, and those in between are lost.",
            ),
            ServerAct(
                ALL,
                "A follower panics when its leader speaks to it: `tocommit(X) is out of range "
                "[lastIndex(Y)]. Was the raft log corrupted, truncated, or lost?`",
            ),
        ),
        lost="The text of the entries above the last one; their effect is in the database. Whether "
        "still later ones were acknowledged, this directory cannot tell.",
        do=(
            STOP,
            COPY,
            DOCTOR,
            "If the missing segment can be found, put it back and check: `walctl verify DIR`.",
            REPAIR,
            PEER,
            RESTORE,
        ),
        avoid=(
            "Do not start the server: every write until the index has passed is lost.",
            NO_EMPTY_WAL,
            NO_WIPE,
        ),
        see=(Code.TORN_TAIL, Code.ZERO_HOLE, Code.SEGMENT_EMPTY, Code.SEGMENT_MISSING),
    ),
    Explanation(
        topic=Code.DB_DIFFERS,
        group=Group.DATABASE,
        title="The database does not hold what the log says it should.",
        severities=(INFO, DAMAGE),
        judged="Information where the log has entries with which real members do different things, "
        "by their version or by when they were started; damage otherwise.",
        what="Replaying the log up to the index that the database has applied gives another state "
        "than the one in `db`.",
        why="A defect of the server that applied an entry twice or not at all, a damaged page, a "
        "`db` that was exchanged or changed by hand.",
        etcd=(
            ServerAct(
                ALL,
                "Starts. Only its corruption check, if it is turned on, compares members; it then "
                "raises the alarm CORRUPT and refuses writes.",
            ),
        ),
        lost="It depends: some keys of this member are older or newer than those of the others.",
        do=(
            COPY,
            "See which keys differ, and from which entry on: `walctl replay PATH`.",
            "Copy the directories of the other members too, before one is replaced.",
            "Find out which member is right by their hashes at the same revision: "
            "`etcdctl endpoint hashkv --cluster`.",
            PEER,
        ),
        avoid=("Do not replace the members that agree with each other.",),
        see=(Code.HASH_DIFFERS, Code.DB_PAGE, Code.COMMITTED_OVERWRITTEN),
    ),
)

PAGES = SNAPSHOTS + DATABASE

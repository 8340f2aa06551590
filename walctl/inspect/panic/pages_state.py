"""Pages for what etcd says of snapshots and of the database's place beside them."""

from walctl.inspect.explanation import (
    COPY,
    DOCTOR,
    NO_EMPTY_WAL,
    NO_WIPE,
    PEER,
    RECOVER,
    RESTORE,
    STOP,
)
from walctl.inspect.panic.cause import Cause, elsewhere, found, intact
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.model.finding import Code

NO_GUESS_SNAP = (
    "Do not delete the newest `.snap` and hope: which start point works follows from log, "
    "snapshots and database together, and `walctl doctor` lists them."
)
OTHER_START = (
    "Look at the start points that `walctl doctor` lists: if an older one is usable, the files "
    "that it names have only to be set aside in the copy, and the log is replayed from there."
)

BACKEND = Page(
    topic="failed-to-find-database-snapshot-file",
    says="failed to recover v3 backend from snapshot: failed to find database snapshot file",
    shapes=(
        shape("failed to recover v3 backend from snapshot"),
        shape("recovering backend from snapshot error"),
        shape(
            "failed to find [SNAPSHOT-INDEX].snap.db",
            r"failed to find \[SNAPSHOT-INDEX\]\.snap\.db"
            r"(?:\"[^\n]{0,200}?\"snapshot-index\":\s?(?P<snapshot_index>\d{1,20}))?",
        ),
        shape("failed to find database snapshot file"),
        shape("snapshot file doesn't exist"),
    ),
    by="etcd 3.2 and later; the process ends",
    title="The database is older than the snapshot that the start has chosen.",
    means="A `.snap` file says: everything up to its index is in the database. The database has "
    "applied less, or is not there, so the server looks for the `.snap.db` that a leader would "
    "have sent with that snapshot, and there is none. With one member there never was one.",
    causes=(
        Cause(
            name="database-missing",
            text="The file `db` is gone; an empty one may have been made by a start since.",
            test=found(Code.DB_MISSING),
        ),
        Cause(
            name="received-database-missing",
            text="A leader had sent the database with the snapshot, and its `.snap.db` is gone: "
            "renamed into place and never synced, or removed as old.",
            test=found(Code.SNAPDB_MISSING),
        ),
        Cause(
            name="database-older",
            text="The database is an older copy, or lost its last transactions at a power cut.",
            test=found(Code.DB_BEHIND),
        ),
        Cause(
            name="disk-full",
            text="The disk was full, or the server was killed, while it worked on a snapshot.",
            test=elsewhere("`df`, the NOSPACE alarm, and what a probe or the kernel killed"),
        ),
    ),
    do=(STOP, COPY, DOCTOR, OTHER_START, PEER, RESTORE),
    avoid=(NO_GUESS_SNAP, NO_EMPTY_WAL, NO_WIPE),
    see=(Code.DB_MISSING, Code.DB_BEHIND, Code.SNAPDB_MISSING),
    source=(
        "etcd-io/etcd#11949, #12237, #12487, #12492, #14497, #14569, #14749, #17146, #22340",
        "kubernetes/kubernetes#88574; rancher/rancher#30202; tried with 3.4.23 and 3.5.1",
    ),
)

OPEN_SNAPSHOT = Page(
    topic="failed-to-open-snapshot-backend",
    says="failed to open snapshot backend",
    shapes=(shape("failed to open snapshot backend"),),
    by="etcd 3.4 and later, while it runs; the process ends",
    title="A snapshot from the leader was gone before it was installed.",
    means="The leader sent a whole database. While it was being installed a second one came, and "
    "the first was removed as old. It is a defect of the server, not of the disk.",
    causes=(
        Cause(
            name="two-snapshots",
            text="Two snapshots came within a short time.",
            test=elsewhere("look in the log for two lines `received and saved database snapshot`"),
        ),
        Cause(
            name="received-database-missing",
            text="The `.snap.db` of the snapshot in the log is not there.",
            test=found(Code.SNAPDB_MISSING),
        ),
    ),
    do=(
        STOP,
        COPY,
        DOCTOR,
        "If nothing is damaged, start it again: the leader sends a snapshot again.",
        PEER,
    ),
    avoid=(NO_WIPE,),
    see=(Code.SNAPDB_MISSING,),
    source=("etcd-io/etcd#18055, #20657",),
)

NOT_MATCHING = Page(
    topic="database-does-not-match-snapshot",
    says="database file (… index C) does not match with snapshot (index S)",
    shapes=(
        shape(
            "does not match with snapshot",
            r"index (?P<applied>\d{1,20})\) does not match with snapshot "
            r"\(index (?P<snapshot_index>\d{1,20})\)",
        ),
    ),
    by="etcd 3.0 and later; 3.5.1 does not have the words; the process refuses to start",
    title="The database has applied less than the newest snapshot says.",
    means="The database is at C, the snapshot at S, and the log between them is not read, as it "
    "begins at S. Up to 3.1 a hard kill was enough for that.",
    causes=(
        Cause(
            name="database-older",
            text="The database is an older copy, or lost its last transactions at a power cut.",
            test=found(Code.DB_BEHIND),
        ),
        Cause(
            name="received-database-missing",
            text="The database that came with the snapshot was never put in its place.",
            test=found(Code.SNAPDB_MISSING),
        ),
    ),
    do=(STOP, COPY, DOCTOR, OTHER_START, PEER, RESTORE),
    avoid=(NO_GUESS_SNAP, NO_WIPE),
    see=(Code.DB_BEHIND, Code.SNAPDB_MISSING),
    source=("etcd-io/etcd#7628, #7834, #8103, #9021, #9808; etcd-data-dir notes 6.5",),
)

NO_DATABASE = Page(
    topic="database-file-is-missing",
    says="database file (…) of the backend is missing",
    shapes=(
        shape(
            "of the backend is missing",
            r"database file \((?P<file>[^)\n]{1,300})\) of the backend is missing",
        ),
    ),
    by="etcd 3.2 and later; the process refuses to start",
    title="There is a log and no database.",
    means="The log tells of a cluster that has a database, and the file `db` was not there when "
    "the server looked. It deletes again the empty one that it had just made.",
    causes=(
        Cause(
            name="database-missing",
            text="The file `db` was deleted, not restored, or is on a disk that is not mounted.",
            test=found(Code.DB_MISSING),
        ),
    ),
    do=(*RECOVER[:3], "Look for `db` in backups and on unmounted disks.", OTHER_START, PEER),
    avoid=(NO_EMPTY_WAL, NO_WIPE),
    see=(Code.DB_MISSING,),
    source=("etcd-data-dir notes 6.5",),
)

TX_CLOSED = Page(
    topic="assertion-failed-tx-closed",
    says="assertion failed: tx closed",
    shapes=(shape("assertion failed: tx closed"),),
    by="etcd 3.5.1, at the first start after a kill; the process ends",
    title="A database that a leader had sent was put in its place, and the start stumbled over it.",
    means="The member was killed between the snapshot's marker and the renaming of its database. "
    "The start has done the renaming and then fell over its own feet; the next one goes well.",
    causes=(
        Cause(
            name="killed-while-installing",
            text="The member was killed while it installed a snapshot.",
            test=intact("the renaming is done"),
        ),
    ),
    do=(COPY, DOCTOR, "If nothing is damaged, start it once more.", PEER),
    avoid=(NO_WIPE,),
    source=("tried: 3.5.1 dies so at its first start and serves at the second, 3.4.23 serves",),
)

SNAP_BROKEN = Page(
    topic="snap-file-is-corrupt",
    says="snap: crc mismatch / snap: empty snapshot",
    shapes=(
        shape("snap: crc mismatch"),
        shape("snap: empty snapshot"),
        shape("snap: unexpected empty snapshot"),
        shape("snap file is corrupt"),
        shape("failed to read a snap file"),
        shape("renamed to a broken snap file"),
    ),
    gravity=Gravity.NOTE,
    by="etcd up to 3.6; it renames the file to `.snap.broken` and takes an older one",
    title="A snapshot file does not read.",
    means="The file is written in place and its directory is not synced, so a power cut or a full "
    "disk leaves an empty one. With an older one and the log behind it nothing is lost; without "
    "one the start needs the log from its beginning.",
    causes=(
        Cause(
            name="file-damaged",
            text="The file is empty or its checksum does not fit.",
            test=found(Code.SNAP_CRC, Code.SNAP_UNDECODABLE),
        ),
        Cause(
            name="renamed-already",
            text="An earlier start has renamed it.",
            test=found(Code.SNAP_MISSING, Code.LEFTOVER),
        ),
        Cause(
            name="disk-full",
            text="The disk is or was full.",
            test=elsewhere("`df` on the data directory"),
        ),
    ),
    do=(COPY, DOCTOR, OTHER_START, PEER, RESTORE),
    avoid=(NO_GUESS_SNAP,),
    see=(Code.SNAP_CRC, Code.SNAP_UNDECODABLE, Code.SNAP_MISSING),
    source=(
        "etcd-io/etcd#3498, #5518, #7149, #20732; etcd-data-dir notes 7.1 and 7.3",
        "tried with 3.4.23 and 3.5.1",
    ),
)

NO_HASH = Page(
    topic="snapshot-missing-hash",
    says="snapshot missing hash but --skip-hash-check=false / expected sha256 [..], got [..]",
    shapes=(
        shape("snapshot missing hash but --skip-hash-check=false"),
        shape("expected sha256 ["),
    ),
    gravity=Gravity.TROUBLE,
    by="etcdutl and etcdctl `snapshot restore`, k3s, RKE; the command fails",
    title="A file that is to be restored does not end with its own checksum.",
    means="`snapshot save` appends a SHA-256 of the file. A plain copy of `db` has none, and a "
    "download that was cut off has lost it.",
    causes=(
        Cause(
            name="plain-copy",
            text="The file is a copy of `db`, not one made by `snapshot save`.",
            test=elsewhere("`walctl verify FILE` says which of the two it is"),
        ),
        Cause(
            name="incomplete",
            text="The saving or the download was cut off, or the file was changed.",
            test=found(Code.DB_PAGE),
        ),
    ),
    do=(
        "Check that every page of it reads: `walctl verify FILE`.",
        "If it is whole and a plain copy, restore it with `--skip-hash-check`.",
        "If it is not whole, take another one.",
    ),
    avoid=("Do not use `--skip-hash-check` on a file that was cut off.",),
    see=(Code.DB_PAGE,),
    source=("etcd-io/etcd#18340, #16809, #11896; k3s-io/k3s#8824; etcd-data-dir notes 7.5",),
)

PAGES = (
    OPEN_SNAPSHOT,
    BACKEND,
    NOT_MATCHING,
    NO_DATABASE,
    TX_CLOSED,
    SNAP_BROKEN,
    NO_HASH,
)

"""Pages for what bbolt and etcd's key space say of a database that does not read."""

from walctl.inspect.explanation import (
    COPY,
    COPY_ALL,
    DOCTOR,
    NO_WIPE,
    PEER,
    RESTORE,
    STOP,
)
from walctl.inspect.panic.cause import Cause, elsewhere, found, intact, told
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.model.finding import Code

REPLACE = (STOP, COPY, DOCTOR, PEER, RESTORE)
NO_REOPEN = (
    "Do not open it with tools that write (`bbolt compact` and `etcdctl defrag` rewrite it): work "
    "on a copy."
)
NO_NEW_DATABASE = (
    "Do not move `db` away and start again: where a snapshot is there, the start then fails in "
    "another way; without one it rebuilds only what the log still holds."
)
PAGE_CAUSES = (
    Cause(
        name="pages-damaged",
        text="Pages of the database were not written, or changed: a power cut, or a disk that "
        "reorders writes.",
        test=found(Code.DB_PAGE),
    ),
    Cause(
        name="program",
        text="The file is whole: a defect of the program or its memory.",
        test=intact("look for a known defect of this release"),
    ),
)

OPEN = Page(
    topic="failed-to-open-database",
    says="failed to open database: checksum error / invalid database / file size too small",
    shapes=(
        shape(
            "failed to open database",
            r"failed to open database(?:\"[^\n]{0,300}?\"error\":\s?\"(?P<error>[^\"\n]{1,200}))?",
        ),
        shape("file size too small"),
    ),
    by="etcd (all versions); the process ends",
    title="The database file is not one that can be opened.",
    means="Its first two pages are its heads, one of which must be whole. Neither is, or the file "
    "is shorter than both.",
    causes=PAGE_CAUSES,
    do=REPLACE,
    avoid=(NO_NEW_DATABASE, NO_REOPEN, NO_WIPE),
    see=(Code.DB_PAGE,),
    source=(
        "etcd-data-dir notes 8.1 and 10, tried with 3.4.23 and 3.5.1; etcd-io/etcd#15834, #16596",
    ),
)

PAGE = Page(
    topic="bbolt-page",
    says="Page expected to be: X, but self identifies as Y / page X already freed",
    shapes=(
        shape(
            "but self identifies as",
            r"expected to be: (?P<page>\d{1,20}), but self identifies as (?P<found_page>\d{1,20})",
        ),
        shape("already freed", r"page (?P<page>\d{1,20}):? already freed"),
        shape("invalid page type", r"invalid page type: (?P<page>\d{1,20})"),
        shape(
            "failed to get all reachable pages",
            r"failed to get all reachable pages \(page (?P<page>\d{1,20})",
        ),
        shape("cannot free page 0 or 1"),
        shape("invalid freelist page", r"invalid freelist page: (?P<page>\d{1,20})"),
        shape("above high water mark", r"pgid \((?P<page>\d{1,20})\) above high water mark"),
        shape("multiple references", r"page (?P<page>\d{1,20}): multiple references"),
        shape("unreachable unfreed", r"page (?P<page>\d{1,20}): unreachable unfreed"),
        shape("bbolt.(*Bucket).pageNode("),
    ),
    by="bbolt in etcd, k3s, containerd and others; the process ends",
    title="A page of the database is not what another page says of it.",
    means="The database is a tree of pages. One of them was not written, was overwritten, or is "
    "used twice. etcd makes the list of free pages anew at every start, so it often shows then; "
    "where the file has such a list stored, etcd goes by that, and it may be wrong.",
    causes=PAGE_CAUSES,
    do=REPLACE,
    avoid=(NO_NEW_DATABASE, NO_REOPEN, NO_WIPE),
    see=(Code.DB_PAGE,),
    source=(
        "etcd-io/etcd#18096, #17084, #20271, #10010; etcd-io/bbolt#29, #335, #705, #1011",
        "etcd-data-dir notes 8.1",
    ),
)

KEYS = Page(
    topic="key-space-does-not-read",
    says="failed to unmarshal mvccpb.KeyValue / range failed to find revision pair / …",
    shapes=(
        shape("failed to unmarshal mvccpb.KeyValue"),
        shape(
            "range failed to find revision pair",
            r"range failed to find revision pair"
            r"(?:\"[^\n]{0,120}?\"revision-main\":\s?(?P<revision>\d{1,20}))?",
        ),
        shape("mvcc: range cannot find rev"),
        shape("put' with an unexpected smaller revision"),
        shape("put with unexpected smaller revision"),
        shape("slice bounds out of range [:8] with capacity"),
    ),
    by="etcd (all versions) and k3s, when they read keys; the process ends",
    title="A row of the key space is missing or does not parse.",
    means="The index in memory and the rows in the database do not agree, or a row holds "
    "something else than a key and its value. The database is damaged or was written wrong.",
    causes=PAGE_CAUSES,
    do=REPLACE,
    avoid=(NO_REOPEN, NO_WIPE),
    see=(Code.DB_PAGE, Code.DB_DIFFERS),
    source=(
        "etcd-io/etcd#14211, #10713, #10010, #7011, #12845; k3s-io/k3s#7851",
        "Netcracker/KubeMarine#241",
    ),
)

INCONSISTENT = Page(
    topic="data-inconsistency",
    says="found data inconsistency with peers / data corruption detected / alarm CORRUPT",
    shapes=(
        shape("found data inconsistency with peers"),
        shape("checkInitialHashKV failed"),
        shape("data corruption detected"),
        shape("etcdserver: corrupt cluster"),
        shape("CORRUPT", r"alarm\"?:\s?\"?CORRUPT"),
    ),
    by="etcd with its corruption check, k3s; the process refuses to start, or writes are refused",
    title="The key spaces of two members differ at the same revision.",
    means="The members hash their keys and compare. Their logs are usually equal: one of them has "
    "applied an entry twice, or not at all, or its database was changed.",
    causes=(
        Cause(
            name="defect-3.5.0-3.5.2",
            text="3.5.0 to 3.5.2 could lose the effect of an entry when they were killed.",
            test=elsewhere("look at which versions the members have run"),
        ),
        Cause(
            name="pages-damaged",
            text="Pages of this member's database are damaged.",
            test=found(Code.DB_PAGE),
        ),
        Cause(
            name="log-cut",
            text="This member's log was cut, and its database passed over new entries.",
            test=found(Code.DB_AHEAD, Code.ZERO_HOLE),
        ),
    ),
    do=(
        COPY_ALL,
        DOCTOR,
        "Compare what the logs hold: `walctl dump COPY -o ndjson` of each.",
        "The odd one out of three has the wrong database. " + PEER,
        RESTORE,
    ),
    avoid=("Do not replace a member before its directory has been copied.",),
    see=(Code.HASH_DIFFERS, Code.DB_DIFFERS, Code.DB_AHEAD),
    source=(
        "etcd-io/etcd#13766, #14139, #14211, #18881, #20059, #13967; k3s-io/k3s#11480",
        "kubernetes/kubernetes#128735",
    ),
)

QUOTA = Page(
    topic="database-space-exceeded",
    says="etcdserver: mvcc: database space exceeded",
    shapes=(
        shape("mvcc: database space exceeded"),
        shape("etcdserver: no space"),
        shape("NOSPACE", r"alarm\"?:\s?\"?NOSPACE"),
    ),
    gravity=Gravity.TROUBLE,
    by="etcd (all versions) and what uses it; it serves reads and deletions only",
    title="The database has reached its quota; this is no damage.",
    means="The file is at `--quota-backend-bytes` (2 GB unless set), and an alarm stops writes "
    "until it is taken back. Deleting keys does not make the file smaller.",
    causes=(
        Cause(
            name="quota",
            text="History was not compacted, or there are more keys than the quota allows.",
            test=told("the text says so"),
        ),
    ),
    do=(
        "Keep a copy of all keys: `etcdctl snapshot save FILE`.",
        "See what takes the room: `walctl stats DIR` counts by key prefix what was written lately.",
        "`etcdctl compact REVISION`, `etcdctl defrag` one member at a time, then "
        "`etcdctl alarm disarm`.",
    ),
    avoid=("Do not delete files in snap/ or wal/.",),
    source=("etcd-io/etcd#11309, #11947, #18097, #20753; k3s-io/k3s#4787",),
)

PAGES = (OPEN, PAGE, KEYS, INCONSISTENT, QUOTA)

"""Pages for Raft's panics about how far a log reaches; only words and their tests.

The library is etcd's, and it is inside Docker Swarm, Hyperledger Fabric, Dgraph, CockroachDB and
many more, so the same words come from all of them. Those of 3.5.1 are in its program; the rest is
from the threads that `source` names.
"""

from walctl.inspect.explanation import (
    COPY,
    DB_AS_SNAPSHOT,
    DOCTOR,
    NO_DELETE,
    NO_EMPTY_WAL,
    NO_START,
    NO_WIPE,
    PEER,
    RECOVER,
    RESTORE,
    STOP,
)
from walctl.inspect.panic import cause_raft as raft
from walctl.inspect.panic.cause import Cause, elsewhere, found, intact
from walctl.inspect.panic.page import Page, shape
from walctl.model.finding import Code

OF_RAFT = "Raft in etcd (all versions), Swarm, Fabric, Dgraph and others; the process ends"
PEER_ONLY = (
    PEER + " Only so may it come back: a member that forgot what it acknowledged must not vote "
    "again under its old id."
)
NO_RESTART = (
    "Do not restart it over and over: the leader tells it the same number at the next heartbeat."
)
TYPE_FLIPPED = Cause(
    name="record-type-changed",
    text="A record's type changed, which no checksum covers, so that it is read as another one.",
    test=found(Code.TYPE_SUSPECT),
)

TOCOMMIT = Page(
    topic="tocommit-out-of-range",
    says="tocommit(X) is out of range [lastIndex(Y)]",
    shapes=(
        shape(
            "is out of range [lastIndex(",
            r"tocommit\((?P<commit>\d{1,20})\) is out of range \["
            r"lastIndex\((?P<last_index>\d{1,20})\)",
        ),
        shape("tocommit(", r"tocommit\((?P<commit>\d{1,20})\)"),
    ),
    by="Raft in etcd (all versions), Swarm, Fabric, Dgraph, CockroachDB, Gravity and others; the "
    "process ends",
    title="The leader knows that this member had acknowledged more than its log now holds.",
    means="A leader tells a follower at most what that follower has acknowledged as written. So "
    "this member once held entry X, and now its log ends at Y: entries that it had promised to "
    "keep are gone, or this is another log than the one that made the promise.",
    causes=(
        Cause(
            name="last-record-lost",
            text="Only the last entry is missing: its record was torn, or never reached the disk.",
            test=raft.one_short,
        ),
        Cause(
            name="tail-lost",
            text="The log lost its end: unwritten at a power cut, cut by a start that called it "
            "torn, or zeroed.",
            test=raft.tail_lost,
        ),
        Cause(
            name="wiped",
            text="The directory, or wal/ alone, was emptied, and the member started again under "
            "the same id.",
            test=raft.wiped,
        ),
        Cause(
            name="older-copy",
            text="The directory is an older copy of itself: a backup, a disk image or a volume "
            "that was rolled back.",
            test=raft.older_copy,
        ),
        Cause(
            name="id-used-again",
            text="The id belongs to another life of this member: it was removed and added again, "
            "or two directories use one id.",
            test=raft.id_again,
        ),
        Cause(
            name="no-sync",
            text="Writes were acknowledged before they were on the disk: `--unsafe-no-fsync`, or "
            "a disk cache that forgets.",
            test=elsewhere("look at the server's command line, the mount and the disk's cache"),
        ),
        Cause(
            name="another-directory",
            text="This is not the directory that the message is about, or it has changed since.",
            test=raft.other_directory,
            needs_path=True,
        ),
    ),
    do=(
        STOP,
        COPY,
        DOCTOR,
        PEER_ONLY,
        "Only if no majority of the others is left: decide from the copies of all members. "
        + DB_AS_SNAPSHOT,
        RESTORE,
    ),
    avoid=(NO_RESTART, NO_WIPE, NO_EMPTY_WAL),
    see=(Code.DB_AHEAD, Code.TORN_TAIL, Code.DIVERGED_TAIL),
    source=(
        "etcd-io/etcd#15699, #10817, #13509, #16220, #13066, #3504, #10166",
        "moby/moby#29180, hyperledger/fabric#3639, dgraph-io/dgraph#8751",
        "cockroachdb/cockroach#25173, #30357, #171485",
        "tried with 3.4.23 and 3.5.1",
    ),
    free=frozenset({"commit"}),
)

STATE_COMMIT = Page(
    topic="state-commit-out-of-range",
    says="state.commit C is out of range [F, L]",
    shapes=(
        shape(
            "state.commit ",
            r"(?:\b(?P<member_id>[0-9a-f]{1,16}) )?state\.commit (?P<commit>\d{1,20})"
            r" is out of range \[(?P<first_index>\d{1,20}), (?P<last_index>\d{1,20})\]",
        ),
    ),
    by=OF_RAFT,
    title="The member's own hard state calls an entry committed that its log does not hold.",
    means="The last hard state in the log says that everything up to C is committed. The log that "
    "the server put together runs from its snapshot F to L, and C is not in it.",
    causes=(
        TYPE_FLIPPED,
        Cause(
            name="one-entry-short",
            text="The log ends one entry too early: the end of it was cut, or torn, between the "
            "entry and the hard state.",
            test=raft.one_short,
        ),
        Cause(
            name="hard-state-older-than-snapshot",
            text="The hard state is older than the snapshot: the newest one is lost or hidden.",
            test=raft.commit_below_snapshot,
        ),
        Cause(
            name="no-entries-behind-the-snapshot",
            text="The hard state was written for a newer snapshot whose file or marker is not "
            "there: the process died between the two, or the file was removed.",
            test=raft.nothing_behind_snapshot,
        ),
        Cause(
            name="entries-lost",
            text="Entries that were committed are gone from the log, or behind a hole in it.",
            test=raft.entries_lost,
        ),
        Cause(
            name="cut-by-a-start",
            text="An earlier start took damage for a torn write and cut the log.",
            test=raft.cut_by_a_start,
        ),
        Cause(
            name="another-directory",
            text="This is not the directory that the message is about, or it has changed since.",
            test=raft.other_member,
            needs_path=True,
        ),
    ),
    do=RECOVER,
    avoid=(NO_START, NO_DELETE, NO_WIPE),
    see=(Code.COMMIT_BEYOND_LOG, Code.INDEX_GAP, Code.SNAP_MISSING),
    source=(
        "etcd-io/etcd#3591, #5664, #8935, #10219, #11888; dgraph-io/dgraph#8756",
        "hyperledger/fabric#3584; tried with 3.4.23 and 3.5.1",
    ),
)

MISSING_ENTRY = Page(
    topic="missing-log-entry",
    says="missing log entry [last: X, append at: Y]",
    shapes=(
        shape(
            "missing log entry [last:",
            r"missing log entry \[last: (?P<last_index>\d{1,20}), "
            r"append at: (?P<next_index>\d{1,20})\]",
        ),
        shape("missing log entry [last:"),
    ),
    by="Raft's in-memory log in Dgraph, raftexample and etcd; the process ends",
    title="The stored entries do not begin where the snapshot ends.",
    means="At a start the entries are put behind the snapshot in memory. The snapshot ends at X "
    "and the first stored entry is Y: all between them is missing on this disk.",
    causes=(
        Cause(
            name="entries-missing",
            text="Entries between snapshot and log were dropped or never written.",
            test=found(Code.INDEX_GAP, Code.SEGMENT_MISSING),
        ),
        Cause(
            name="older-snapshot",
            text="An older snapshot was put back, or the newest one is not usable.",
            test=found(Code.SNAP_MISSING, Code.SNAP_CRC, Code.SNAP_UNDECODABLE),
        ),
    ),
    do=(
        STOP,
        COPY,
        DOCTOR,
        "Dgraph: replace the member by one with a new raft id, from the healthy ones of its group.",
        PEER,
    ),
    avoid=(NO_DELETE, NO_WIPE),
    see=(Code.INDEX_GAP, Code.SNAP_MISSING),
    source=("dgraph-io/dgraph#1152, #1540, #2327",),
)

APPLIED = Page(
    topic="applied-out-of-range",
    says="applied(X) is out of range [prevApplied(P), committed(C)]",
    shapes=(
        shape(
            "is out of range [prevApplied(",
            r"applied\((?P<applied>\d{1,20})\) is out of range \[prevApplied\("
            r"(?P<applied_before>\d{1,20})\), committed\((?P<commit>\d{1,20})\)",
        ),
    ),
    by=OF_RAFT + "; Quorum and CubeFS too",
    title="The state machine has applied more than the log calls committed.",
    means="The program tells Raft how far its state machine has come. That is beyond what the "
    "hard state on this disk calls committed, so the log has lost what the state machine has.",
    causes=(
        Cause(
            name="state-ahead-of-log",
            text="The log lost its end, or its newest hard state, and the state machine did not.",
            test=found(Code.DB_AHEAD, Code.STATE_REGRESSION, Code.TORN_TAIL),
        ),
        Cause(
            name="program",
            text="The program saved its applied index before the hard state: nothing syncs a "
            "commit that came alone.",
            test=intact("the difference came from the program's own order of writing"),
        ),
    ),
    do=RECOVER,
    avoid=(NO_WIPE,),
    see=(Code.DB_AHEAD, Code.STATE_REGRESSION),
    source=("dgraph-io/dgraph#3466, Consensys-Incorporated/quorum#845, cubefs/cubefs#2419",),
)

PAGES = (TOCOMMIT, STATE_COMMIT, MISSING_ENTRY, APPLIED)

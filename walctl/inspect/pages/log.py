"""What the codes about the log as Raft sees it mean; only words."""

from walctl.inspect.explanation import (
    ALL,
    COPY,
    DAMAGE,
    DOCTOR,
    EARLY,
    FROM_36,
    FROM_37,
    HARMLESS,
    INFO,
    LATE,
    MIDDLE,
    NO_DELETE,
    NO_START,
    NO_WIPE,
    PEER,
    RECOVER,
    RESTORE,
    STOP,
    TO_35,
    Explanation,
    Group,
    ServerAct,
)
from walctl.model.finding import Code

PAGES = (
    Explanation(
        topic=Code.INDEX_GAP,
        group=Group.LOG,
        title="Entries are missing: the log jumps over one or more indexes.",
        severities=(HARMLESS, DAMAGE),
        judged="Harmless below the snapshot that a start would take. A jump right behind a "
        "snapshot record that reaches it is normal and no finding: a leader sent that "
        "snapshot.",
        what="Entries have consecutive indexes. Here the next one is more than one higher, and no "
        "snapshot bridges the gap.",
        why="A record that reads as another type (`walctl explain type-suspect`), a segment that "
        "is missing, or a log that was edited.",
        etcd=(
            ServerAct(
                TO_35,
                "Refuse: `failed to read WAL, cannot be repaired` / `wal: slice bounds out of "
                "range`. Below the snapshot they start from, they do not look.",
            ),
            ServerAct(
                FROM_36,
                "Refuse: `wal: slice bounds out of range, snapshot[Index: …, Term: …], current "
                "entry[Index: …, Term: …], len(ents): …`.",
            ),
        ),
        lost="The entries in the gap. If the database has applied an index above it, their effect "
        "is there.",
        do=RECOVER,
        avoid=(NO_DELETE, NO_WIPE),
        see=(Code.TYPE_SUSPECT, Code.SEGMENT_MISSING, Code.DB_AHEAD),
    ),
    Explanation(
        topic=Code.TERM_REGRESSION,
        group=Group.LOG,
        title="The terms of entries go down along the log.",
        severities=(DAMAGE,),
        what="In a Raft log the term never gets smaller from one entry to the next. Here it does. "
        "(An entry that replaces an uncommitted one of the same index is no regression.)",
        why="Segments of different times or members put together, an old copy that was restored "
        "under a running member, or an edited log.",
        etcd=(
            ServerAct(
                ALL,
                "Does not look: starts, and may send or vote for what no other member has.",
            ),
        ),
        lost="It cannot be told from this log alone which of the entries were acknowledged.",
        do=RECOVER,
        avoid=(NO_START,),
        see=(Code.CHAIN_BREAK, Code.STATE_REGRESSION, Code.METADATA_CONFLICT),
    ),
    Explanation(
        topic=Code.COMMIT_BEYOND_LOG,
        group=Group.LOG,
        title="The hard state says that entries are committed which the log does not have.",
        severities=(DAMAGE,),
        what="The commit index in the last hard state is above the last entry.",
        why="The end of the log was lost or cut after the hard state had been written; a hard "
        "state written before the snapshot it belongs to; a record that reads as a hard state but "
        "is none. If commit is exactly one too high after a full disk, a tail was cut in between "
        "an entry and its state.",
        etcd=(
            ServerAct(
                ALL,
                "Panic: `state.commit C is out of range [S, L]`, S being the snapshot's index and "
                "L the last entry's; exit status 2.",
            ),
        ),
        lost="The entries from L + 1 to C, unless the database has applied them or other members "
        "hold them.",
        do=RECOVER,
        avoid=(
            "Do not remove the newest .snap or the last segment to make the panic go away: it "
            "moves the start back and hides the loss.",
            NO_WIPE,
        ),
        see=(Code.TORN_TAIL, Code.TYPE_SUSPECT, Code.DB_AHEAD, Code.SNAPDB_MISSING),
    ),
    Explanation(
        topic=Code.STATE_REGRESSION,
        group=Group.LOG,
        title="A hard state goes back: its term or commit is below an earlier one.",
        severities=(INFO, HARMLESS, DAMAGE),
        judged="Information where --force-new-cluster explains it, harmless where the commit alone "
        "goes back and every entry in between is there.",
        what="Term and commit of the hard states only grow during a member's life. Here a later "
        "record has a smaller one.",
        why="etcd cut the log at an earlier start and began again from an older state; a log put "
        "together from copies; an edited log.",
        etcd=(ServerAct(ALL, "Does not look: the last hard state counts, whatever came before."),),
        lost="Perhaps entries that were committed under the earlier state.",
        do=(COPY, DOCTOR, "Look at the place: `walctl dump DIR`.", PEER, RESTORE),
        see=(Code.DOUBLE_VOTE, Code.COMMITTED_OVERWRITTEN, Code.TERM_REGRESSION),
    ),
    Explanation(
        topic=Code.DOUBLE_VOTE,
        group=Group.LOG,
        title="The member voted for two candidates in one term.",
        severities=(DAMAGE,),
        what="Two hard states of the same term name different votes. Raft allows one vote a term; "
        "with two, two leaders of one term are possible, and their logs part.",
        why="The member forgot its vote: its log was rolled back, restored from a copy, cut at a "
        "start, or lost a hard state that had not been synced.",
        etcd=(ServerAct(ALL, "Does not look, and starts."),),
        lost="Perhaps acknowledged writes of the whole cluster: compare the members' logs.",
        do=(
            COPY,
            "Copy the directories of the other members too.",
            "Compare what the members hold from that term on: `walctl dump DIR -o ndjson` of each.",
            PEER,
        ),
        avoid=("Do not restore a copy of a member's directory while the cluster lives on.",),
        see=(Code.STATE_REGRESSION, Code.DIVERGED_COMMITTED),
    ),
    Explanation(
        topic=Code.COMMITTED_OVERWRITTEN,
        group=Group.LOG,
        title="An entry that had been committed was replaced by another.",
        severities=(DAMAGE,),
        what="A new leader may replace entries that are not committed. Here one is replaced, by "
        "index, although an earlier hard state says that it was committed.",
        why="The member's log or the leader's had been rolled back or cut, and the cluster went on "
        "without what was lost; or the log was edited.",
        etcd=(
            ServerAct(
                ALL, "Does not look: the later entry counts. The database is not rolled back."
            ),
        ),
        lost="The replaced entry, for the cluster. Its bytes are still in the segment, and if it "
        "was applied its effect is in this member's database, and perhaps in no other.",
        do=(
            STOP,
            COPY,
            "Read the replaced entries: `walctl dump COPY`.",
            "Compare with the other members before one of them is trusted.",
            PEER,
            RESTORE,
        ),
        avoid=(NO_WIPE,),
        see=(Code.DIVERGED_COMMITTED, Code.DB_DIFFERS, Code.STATE_REGRESSION),
    ),
    Explanation(
        topic=Code.PAYLOAD_UNDECODABLE,
        group=Group.LOG,
        title="An entry's payload is no request that etcd knows.",
        severities=(INFO, HARMLESS, DAMAGE),
        judged="Damage where a start would apply the entry. In the log of another program, whose "
        "payloads are its own, it only says that they cannot be shown.",
        what="The record and its checksum are right, but the payload does not parse as a request, "
        "or is of a kind that etcd does not apply.",
        why="The log belongs to another program that uses etcd's format (Docker Swarm encrypts "
        "its payloads, raftexample and Fabric have their own); a request of a newer version; a "
        "bug. A version 2 request is refused by 3.6 and unknown to 3.7.",
        etcd=(
            ServerAct(
                ALL,
                "Panics when it applies the entry; one at or below the database's "
                "applied index is skipped.",
            ),
            ServerAct("3.6", "`detected disallowed v2 WAL for stage --v2-deprecation=write-only`."),
            ServerAct(
                FROM_37,
                "No version 2 requests at all: such entries must lie below the "
                "last snapshot before the upgrade.",
            ),
        ),
        lost="Nothing by itself.",
        do=(
            "See what it is: `walctl dump DIR`.",
            "If etcd stopped there after an upgrade, go back to the version that wrote it.",
        ),
        see=(Code.BAD_RECORD, Code.ENTRY_TOO_LARGE),
    ),
    Explanation(
        topic=Code.ENTRY_TOO_LARGE,
        group=Group.LOG,
        title="A record is larger than some versions of etcd can read back.",
        severities=(HARMLESS, DAMAGE),
        judged="Damage where the database says that the cluster is 3.4, whose servers do not start "
        "on it; harmless otherwise, though 3.5.0 to 3.5.4 do not start on it either.",
        what="The record has 10 MiB (10,485,760 bytes) or more. It is whole.",
        why="A request above the default limit, allowed by `--max-request-bytes`.",
        etcd=(
            ServerAct(
                EARLY,
                "Write it, and refuse to read it at the next start: `wal: max entry size limit "
                "exceeded`.",
            ),
            ServerAct(MIDDLE, "Read it."),
            ServerAct(LATE, "Read it."),
        ),
        lost="Nothing.",
        do=(
            "Start the member with 3.5.7 or later; nothing has to be repaired.",
            "Until then do not restart a running server of an early version.",
        ),
        avoid=("Do not cut the record away: it is an acknowledged write.",),
        see=(Code.BAD_LENGTH,),
    ),
)

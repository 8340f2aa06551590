"""Pages for Raft's panics about rules that were broken, and about who it is; only words and tests.

Where the words are from is told in `pages_raft`.
"""

from walctl.inspect.explanation import (
    COPY,
    COPY_ALL,
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
from walctl.inspect.panic.cause import Cause, elsewhere, found, intact, told
from walctl.inspect.panic.page import Page, shape
from walctl.inspect.panic.pages_raft import OF_RAFT
from walctl.model.finding import Code

OUT_OF_BOUND = Page(
    topic="slice-out-of-bound",
    says="slice[X,Y) out of bound [F,L]",
    shapes=(
        shape(
            ") out of bound [",
            r"slice\[(?P<from_index>\d{1,20}),\s?(?P<to_index>\d{1,20})\) out of bound "
            r"\[(?P<first_index>\d{1,20}),\s?(?P<last_index>\d{1,20})\]",
        ),
    ),
    by=OF_RAFT,
    title="Raft was asked for entries that its log in memory does not hold.",
    means="Some part of the process asked for the entries X to Y, and the log in memory runs from "
    "F to L. The disk is not read for that, so a defect of the program is likelier than damage.",
    causes=(
        Cause(
            name="program",
            text="A defect of the program, for example a compaction under a message in the making.",
            test=intact("nothing on this disk explains it"),
        ),
        Cause(
            name="log-damaged",
            text="The log was put together from damaged files.",
            test=found(Code.INDEX_GAP, Code.COMMIT_BEYOND_LOG, Code.TYPE_SUSPECT),
        ),
    ),
    do=(COPY, DOCTOR, "Upgrade to the newest patch release, and report the whole text."),
    avoid=(NO_WIPE,),
    source=("etcd-io/etcd#2918",),
)

CONFLICT = Page(
    topic="conflict-with-committed-entry",
    says="entry X conflict with committed entry [committed(C)]",
    shapes=(
        shape(
            "conflict with committed entry",
            r"entry (?P<index>\d{1,20}) conflict with committed entry"
            r"(?: \[committed\((?P<commit>\d{1,20})\))?",
        ),
        shape(
            ") is out of range [committed(",
            r"after\((?P<index>\d{1,20})\) is out of range \[committed\((?P<commit>\d{1,20})\)",
        ),
    ),
    by=OF_RAFT,
    title="The leader wants to replace an entry that this member holds for committed.",
    means="A committed entry is the same on every member for good. That a leader sends another "
    "one in its place means that two histories were committed under one cluster: a member "
    "forgot what it had promised, voted again, and a wrong leader was elected.",
    causes=(
        Cause(
            name="promises-forgotten",
            text="A member came back wiped, rolled back or without synced writes, under its old "
            "id, and made a leader of one that lacks committed entries.",
            test=elsewhere("look into every member: which one lost data or was restored last?"),
        ),
        Cause(
            name="forced-new-cluster",
            text="`--force-new-cluster` or a restore was used on one member while others lived on.",
            test=found(Code.COMMITTED_OVERWRITTEN, Code.METADATA_CONFLICT, Code.DOUBLE_VOTE),
        ),
    ),
    do=(
        "Stop all members: with each write the histories part further.",
        COPY_ALL,
        "See what each holds: `walctl doctor COPY`, and compare index and term with "
        "`walctl dump COPY -o ndjson`.",
        RESTORE,
    ),
    avoid=("Do not replace one member before the histories have been compared.", NO_WIPE),
    see=(Code.DIVERGED_COMMITTED, Code.DOUBLE_VOTE),
    source=("etcd-io/etcd#1811, #10000; raft-core notes 4.2",),
)

NO_VOTERS = Page(
    topic="removed-all-voters",
    says="removed all voters",
    shapes=(shape("removed all voters"),),
    by="Raft in etcd 3.4 and later; the process ends",
    title="A membership change would leave nobody who can vote.",
    means="`--force-new-cluster` removes every member but this one. If this one is a learner, or "
    "was removed before, nobody is left to vote, and Raft refuses to go on.",
    causes=(
        Cause(
            name="forced-on-a-learner",
            text="The new cluster was forced on a learner or on a member that had been removed.",
            test=told("the text says that the last voter went"),
        ),
    ),
    do=(
        STOP,
        COPY,
        DOCTOR,
        "Force the new cluster on a member that could vote, or better restore: " + DB_AS_SNAPSHOT,
        RESTORE,
    ),
    avoid=("Do not force a new cluster while any other member may come back.",),
    see=(Code.MEMBERSHIP_DIFFERS,),
    source=("etcd-io/etcd#13213, #13848, #12285",),
)

NONE_ID = Page(
    topic="cannot-use-none-as-id",
    says="cannot use none as id",
    shapes=(shape("cannot use none as id"),),
    by="Raft in etcd (all versions); the process ends",
    title="The log does not say whose it is.",
    means="Member id and cluster id stand in the first record behind the head of each segment. "
    "The server read the log without an error and found none, so it has id 0.",
    causes=(
        Cause(
            name="first-segment-empty",
            text="The first segment has no content: emptied, or lost with its bytes unwritten.",
            test=found(Code.SEGMENT_EMPTY, Code.SEGMENT_HEAD),
        ),
        Cause(
            name="cut-to-nothing",
            text="A start cut the only segment at its very beginning.",
            test=raft.cut_by_a_start,
        ),
        Cause(
            name="first-length-zero",
            text="The length field of the first record is zero, so that nothing is read.",
            test=found(Code.ZERO_HOLE, Code.TRAILING_GARBAGE),
        ),
    ),
    do=RECOVER,
    avoid=(NO_START, NO_EMPTY_WAL),
    see=(Code.SEGMENT_EMPTY, Code.SEGMENT_HEAD),
    source=("etcd-data-dir notes 6.5, tried with 3.4.23 and 3.5.1; etcd-io/etcd#14102",),
)

CONF_STATE = Page(
    topic="unable-to-restore-config",
    says="unable to restore config / ConfStates not equivalent after sorting",
    shapes=(shape("unable to restore config"), shape("ConfStates not equivalent after sorting")),
    by="Raft in etcd 3.4 and later; the process ends",
    title="The membership of a snapshot cannot be turned into a configuration.",
    means="A start, or a snapshot from the leader, brings a list of voters and learners. What "
    "Raft makes of it is not what the list says, so one of the two is wrong.",
    causes=(
        Cause(
            name="snapshot-damaged",
            text="The snapshot or its marker in the log was changed.",
            test=found(Code.SNAP_CRC, Code.SNAP_UNDECODABLE, Code.TYPE_SUSPECT, Code.CRC_MISMATCH),
        ),
        Cause(
            name="membership-edited",
            text="The membership was edited or restored by hand, with one id in two roles.",
            test=elsewhere("compare the members that `walctl doctor` lists with the others'"),
        ),
    ),
    do=RECOVER,
    avoid=(NO_DELETE,),
    see=(Code.MEMBERSHIP_DIFFERS, Code.SNAP_CRC),
    source=("words in the program of 3.5.1; raft-core notes 26",),
)

UNKNOWN_ENTRY = Page(
    topic="unknown-entry-type",
    says="unknown entry type; must be either EntryNormal or EntryConfChange",
    shapes=(
        shape("must be either EntryNormal or EntryConfChange"),
        shape("not implemented apply"),
    ),
    by="etcd (all versions), when it applies an entry; the process ends",
    title="An entry of a kind that etcd never writes is committed.",
    means="The entry is in the log and its checksum fits, but etcd does not know what to do with "
    "it. Every start meets it again.",
    causes=(
        Cause(
            name="other-program",
            text="The log was written by another program or a newer release.",
            test=elsewhere("`walctl dump DIR` shows the last committed entries and their types"),
        ),
        Cause(
            name="entry-damaged",
            text="The entry was changed together with its checksum.",
            test=found(Code.BAD_RECORD, Code.TYPE_SUSPECT),
        ),
    ),
    do=(STOP, COPY, DOCTOR, PEER, RESTORE),
    avoid=(NO_WIPE,),
    source=("etcd-data-dir notes 5.2 and 9.3; words in the program of 3.5.1",),
)

PAGES = (OUT_OF_BOUND, CONFLICT, NO_VOTERS, NONE_ID, CONF_STATE, UNKNOWN_ENTRY)

"""What the codes about several members mean; only words."""

from walctl.inspect.explanation import (
    ALL,
    COPY,
    COPY_ALL,
    DAMAGE,
    FROM_36,
    HARMLESS,
    INFO,
    NO_DELETE,
    NO_WIPE,
    PEER,
    RESTORE,
    STOP,
    TO_35,
    TO_36,
    Explanation,
    Group,
    ServerAct,
)
from walctl.model.finding import Code

COMPARE_ALL = (
    "See where they part, what a majority holds, and who must not be wiped: `walctl compare COPY "
    "COPY COPY`, with all members."
)
NOT_BYTES = (
    "Do not compare segments byte by byte: the checksum chains of two members differ even where "
    "their entries are equal."
)

PAGES = (
    Explanation(
        topic=Code.DIVERGED_COMMITTED,
        group=Group.MEMBERS,
        title="Two members hold different entries at an index that was committed.",
        severities=(DAMAGE,),
        what="Raft promises that a committed entry is the same on every member. Two logs differ in "
        "term or content at an index that one of them calls committed, and no leader can have "
        "brought that about: both call it so, or the other entry is of a later term, or of the "
        "same.",
        why="A member forgot its vote or its log (rolled back, restored from a copy, wiped under "
        "the same id), so that two leaders were elected in one term; or `--force-new-cluster` "
        "while the others lived on.",
        etcd=(ServerAct(ALL, "Does not notice. Clients get different answers by member."),),
        lost="One of the two histories, whichever is given up.",
        do=(
            "Stop all members: with each write the histories part further.",
            COPY_ALL,
            COMPARE_ALL,
            "Decide which history is kept, then restore all members from one snapshot of it: "
            "`etcdutl snapshot restore`.",
        ),
        avoid=("Do not replace one member before the histories have been compared.", NOT_BYTES),
        see=(Code.DOUBLE_VOTE, Code.COMMITTED_OVERWRITTEN, Code.HASH_DIFFERS),
    ),
    Explanation(
        topic=Code.DIVERGED_TAIL,
        group=Group.MEMBERS,
        title="Members hold different entries at the end of their logs, above what was committed.",
        severities=(INFO, HARMLESS, DAMAGE),
        judged="Harmless after a change of leader; damage if two entries have one term, or if a "
        "member lacks entries that it had acknowledged; of no matter in front of a snapshot.",
        what="The last entries differ. The leader overwrites a follower's entries that are not "
        "committed. Or entries are known to be committed, and fewer voters have them than must "
        "have had them.",
        why="A leader lost its office before its last entries reached a majority; or a member lost "
        "the end of its log.",
        etcd=(
            ServerAct(
                ALL,
                "The leader brings its followers into line. A member that lost entries which it "
                "had acknowledged panics: `tocommit(X) is out of range [lastIndex(Y)]`.",
            ),
        ),
        lost="Nothing that was acknowledged, unless a member lost the end of its log.",
        do=(COPY_ALL, COMPARE_ALL, "If a member panics, replace it. " + PEER),
        avoid=(NOT_BYTES, NO_WIPE),
        see=(Code.DB_AHEAD, Code.DIVERGED_COMMITTED),
    ),
    Explanation(
        topic=Code.CLUSTER_MISMATCH,
        group=Group.MEMBERS,
        title="The parts or directories do not belong to one cluster.",
        severities=(INFO, DAMAGE),
        judged="Of one directory: the database names none of the members that its log names. Two "
        "copies of one member are only worth knowing.",
        what="The metadata of each log names a cluster and a member, and a database names members. "
        "They are of different clusters, or a member id occurs twice.",
        why="A directory of another cluster, of the same one before a restore, or two copies of "
        "one member.",
        etcd=(ServerAct(ALL, "Members of different clusters refuse to speak to each other."),),
        lost="Nothing.",
        do=(
            "See whose each directory is: `walctl doctor DIR`.",
            "Compare only those of one cluster: `walctl compare DIR DIR`.",
        ),
        avoid=("Do not start two copies of one member.",),
        see=(Code.METADATA_CONFLICT, Code.MEMBERSHIP_DIFFERS),
    ),
    Explanation(
        topic=Code.MEMBERSHIP_DIFFERS,
        group=Group.MEMBERS,
        title="The places that record the membership do not agree.",
        severities=(INFO, HARMLESS, DAMAGE),
        judged="Damage if the place that the version here starts with names other members. "
        "Harmless if only a later version would go by it, or only URLs or a learner are wrong. "
        "Information for what is known and common: a promoted learner in a database of 3.5.",
        what="The members of the cluster are written down in the membership changes of the log, in "
        "its snapshot records, twice in a `.snap` file (Raft's membership, and etcd's list in the "
        "v2 store) and twice in the database (etcd's list, and confState). Each is as of an index. "
        "One of them does not have the members that the log had at that index. A place that is "
        "only older is as it should be. So is confState after `snapshot restore`, which leaves the "
        "old cluster's there until the next change.",
        why="3.5.1 to 3.5.19 do not write into the database that a learner was promoted, nor new "
        "peer URLs. Older releases left removed members there. Or: a kill between two writes, "
        "`--force-new-cluster`, a file that was copied from elsewhere or edited.",
        etcd=(
            ServerAct(
                TO_35,
                "The list is that of the `.snap` file and the changes behind it; the database's is "
                "not read. 3.5.26 and later put the database right by it.",
            ),
            ServerAct(
                FROM_36,
                "The list is the database's: members that were removed are back, promoted ones are "
                "learners again; with two of these a start ends with `membership: too many learner "
                "members in cluster`.",
            ),
            ServerAct(
                TO_36,
                "Raft takes its voters from the `.snap` file and the changes behind it; 3.7 takes "
                "them from the database.",
            ),
        ),
        lost="Nothing, but a removed member can seem to come back, or a voter to be a learner.",
        do=(
            COPY,
            "See what each place says, and as of which entry: `walctl doctor COPY`.",
            "Ask a healthy member for the list that counts: `etcdctl member list`.",
            "If it is the database alone, and the cluster is of 3.5 or older: upgrade to 3.5.26 or "
            "later, let it run, and go to 3.6 only then.",
            "If a .snap file is wrong, or the cluster is of 3.6 or later, replace this member. "
            + PEER,
        ),
        avoid=(
            "Do not upgrade to 3.6 from 3.5.25 or older while the database differs.",
            NO_DELETE,
        ),
        see=(Code.CLUSTER_MISMATCH, Code.DIVERGED_COMMITTED),
    ),
    Explanation(
        topic=Code.HASH_DIFFERS,
        group=Group.MEMBERS,
        title="The key spaces of two members differ at the same revision.",
        severities=(DAMAGE,),
        what="The hash of all keys at one revision is not the same, although both members are at "
        "or above it and compacted alike.",
        why="A defect of the server (3.5.0 to 3.5.2 could lose an entry's effect when killed), a "
        "damaged database page, or logs that parted.",
        etcd=(
            ServerAct(
                ALL,
                "Does not notice, unless its corruption check is turned on: then the alarm "
                "CORRUPT, and writes are refused.",
            ),
        ),
        lost="Some keys of one of the members are wrong.",
        do=(
            STOP,
            COPY_ALL,
            COMPARE_ALL,
            "If the logs are equal, the odd one out of three has the wrong database. " + PEER,
            RESTORE,
        ),
        avoid=("Do not replace a member before its directory has been copied.", NOT_BYTES),
        see=(Code.DB_DIFFERS, Code.DIVERGED_COMMITTED),
    ),
)

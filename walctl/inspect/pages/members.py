"""What the codes about several members mean; only words."""

from walctl.inspect.explanation import (
    ALL,
    COPY,
    COPY_ALL,
    DAMAGE,
    HARMLESS,
    INFO,
    NO_WIPE,
    PEER,
    RESTORE,
    STOP,
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
        judged="Damage if the places that this member's version of etcd trusts name other voters "
        "than the rest of the cluster has.",
        what="The members of the cluster are written down in the conf changes of the log, in "
        "snapshot records, in .snap files and in the database. Two of these differ at the same "
        "index.",
        why="A defect (3.5.1 keeps a promoted learner as a learner in its `members` bucket), a "
        "restore, `--force-new-cluster`, or a member that was removed while this one was away.",
        etcd=(
            ServerAct(
                ALL,
                "Starts with the membership of the place that its version trusts: up to 3.6 the "
                ".snap file and the log, from 3.7 on the database.",
            ),
        ),
        lost="Nothing, but a removed member can seem to come back, or a voter to be a learner.",
        do=(
            COPY,
            "Ask a healthy member for the list that counts: `etcdctl member list`.",
            "If this member differs, replace it. " + PEER,
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

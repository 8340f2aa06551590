"""Pages for the words that others put around etcd's: Swarm, Fabric, and etcd's own frames.

They tell little by themselves, so a page of the words inside is taken before them.
"""

from walctl.inspect.explanation import (
    COPY,
    DOCTOR,
    NO_DELETE,
    NO_WIPE,
    PEER,
    RECOVER,
    STOP,
)
from walctl.inspect.panic.cause import Cause, elsewhere, found, told
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.inspect.panic.pages_wal import SWARM_COPY
from walctl.model.finding import Code

LOG_CODES = (
    Code.CRC_MISMATCH,
    Code.BAD_LENGTH,
    Code.BAD_RECORD,
    Code.TYPE_SUSPECT,
    Code.CHAIN_BREAK,
    Code.ZERO_HOLE,
    Code.SEGMENT_MISSING,
    Code.SEGMENT_NAME,
    Code.SEGMENT_EMPTY,
    Code.INDEX_GAP,
    Code.METADATA_CONFLICT,
    Code.TORN_TAIL,
)
LOG_DAMAGED = Cause(name="log-damaged", text="The log is damaged.", test=found(*LOG_CODES))
WHOLE_LINE = "Paste the whole text, with the reason at its end: `walctl explain - < LOG`."

DISCOVERY = Page(
    topic="discovery-failed",
    says="discovery failed",
    shapes=(shape("discovery failed"), shape("bootstrap failed")),
    gravity=Gravity.FRAME,
    by="etcd (all versions); the process refuses to start",
    title="The start failed; the reason stands in the field `error`, and it is seldom discovery.",
    means="Up to 3.5 nearly every reason that keeps a member from starting comes under these "
    "words, above all a log that does not read. What counts is the text behind `error`.",
    causes=(
        LOG_DAMAGED,
        Cause(
            name="cluster",
            text="The member cannot find its cluster, or the cluster does not know it.",
            test=elsewhere("the field `error` names it"),
        ),
    ),
    do=(WHOLE_LINE, STOP, COPY, DOCTOR),
    avoid=(NO_DELETE, NO_WIPE),
    source=("etcd-data-dir notes 6.5 and 10, tried with 3.4.23 and 3.5.1",),
)

READING = Page(
    topic="failed-to-read-wal",
    says="failed to read WAL, cannot be repaired: …",
    shapes=(
        shape("failed to read WAL"),
        shape("read wal error"),
        shape("failed to open WAL"),
        shape("open wal error"),
    ),
    gravity=Gravity.FRAME,
    by="etcd, Fabric, raftexample; the process refuses to start",
    title="The log does not open or does not read; the reason stands in the field `error`.",
    means="This line is only the frame. What counts is the text behind `error`, such as "
    "`walpb: crc mismatch`.",
    causes=(LOG_DAMAGED,),
    do=(WHOLE_LINE, *RECOVER),
    avoid=(NO_DELETE, NO_WIPE),
    source=("etcd-data-dir notes 6.5, tried with 3.4.23 and 3.5.1",),
)

SWARM = Page(
    topic="swarm-cannot-initialize-raft-node",
    says="manager stopped: can't initialize raft node: …",
    shapes=(
        shape("can't initialize raft node"),
        shape("irreparable WAL error"),
        shape("WAL error cannot be repaired"),
    ),
    gravity=Gravity.FRAME,
    by="Docker Swarm; the manager stops, and the node can neither manage nor leave the swarm",
    title="A Swarm manager could not read its Raft log; the reason stands behind it.",
    means="Swarm keeps its state in a log of etcd's form, with encrypted payloads. What walctl "
    "says of frames, checksums and indexes holds for it too.",
    causes=(
        LOG_DAMAGED,
        Cause(
            name="key-lost",
            text="The swarm is locked, or its key does not fit the log.",
            test=elsewhere("`docker swarm unlock`, and the certificates folder beside `raft`"),
        ),
    ),
    do=(
        "Stop Docker on this node, and see that nothing starts it again.",
        SWARM_COPY,
        "See how far the log reads: `walctl verify COPY/raft/wal-v3-encrypted`.",
        "With other managers: `docker node demote` and `docker node rm` this one there, then let "
        "it join again.",
        "A single manager: start from a copy of the state with `docker swarm init "
        "--force-new-cluster`, or from a backup of the folder.",
    ),
    avoid=("Do not leave the swarm by force before its state was copied.", NO_DELETE),
    see=(Code.TORN_TAIL, Code.BAD_LENGTH),
    source=(
        "moby/swarmkit#3188, #2959; docker-archive/classicswarm#2819; moby/moby#46390, #29180",
    ),
)

FABRIC = Page(
    topic="fabric-failed-to-restore-raft-data",
    says="failed to restore persisted raft data: …",
    shapes=(
        shape("failed to restore persisted raft data"),
        shape("failed to create or read WAL"),
    ),
    gravity=Gravity.FRAME,
    by="Hyperledger Fabric's orderer; the channel's consenter does not start",
    title="An orderer could not read the Raft log of a channel; the reason stands behind it.",
    means="The orderer keeps one log of etcd's form for each channel, in `etcdraft/wal/CHANNEL`, "
    "and snapshots beside it. Only the channel that the line names is concerned.",
    causes=(LOG_DAMAGED,),
    do=(
        "Stop this orderer, and copy its `etcdraft` folder and its ledger.",
        "Look at the channel's log: `walctl verify COPY/wal/CHANNEL`.",
        "With a majority of healthy orderers: take this one out of the channel's consenter set, "
        "move its folder of that channel away, and let it join again under a new id.",
    ),
    avoid=(
        "Do not empty the folder and start again under the same consenter id: it ends in "
        "`tocommit(X) is out of range [lastIndex(Y)]`.",
    ),
    see=(Code.TORN_TAIL, Code.BAD_LENGTH),
    source=("hyperledger/fabric#4290, #4339, #2815, #3269, #442",),
)

FABRIC_BLOCKS = Page(
    topic="fabric-unexpected-previous-block-hash",
    says="Could not append block: unexpected Previous block hash",
    shapes=(
        shape("unexpected Previous block hash"),
        shape("this node was forced to catch up"),
    ),
    by="Hyperledger Fabric's orderer; the process ends",
    title="Two orderers hold different blocks at the same height.",
    means="Orderers were restored from backups of different heights. The lower ones made a new "
    "block where a higher one already had one.",
    causes=(
        Cause(
            name="restored-apart",
            text="The orderers were restored to different heights.",
            test=told("the text says that the chains part"),
        ),
    ),
    do=(
        "Stop all orderers of the channel, and copy the folders of all.",
        "Restore all of them to one height, the highest that a majority had.",
    ),
    avoid=("Do not let the lower ones run on: with each block the chains part further.",),
    see=(Code.DIVERGED_COMMITTED,),
    source=("hyperledger/fabric#3223",),
)

CUT_OFF = Page(
    topic="raft-log-corrupted-truncated-or-lost",
    says="Was the raft log corrupted, truncated, or lost?",
    shapes=(shape("Was the raft log corrupted, truncated, or lost?"),),
    gravity=Gravity.FRAME,
    by="the end of `tocommit(X) is out of range [lastIndex(Y)]`, cut off in front",
    title="A member forgot what it had acknowledged; the numbers in front of it tell how.",
    means="This is the second half of Raft's panic. Its first half has two numbers, and they say "
    "much: a zero at the end means a wiped log, a small difference a lost tail.",
    causes=(LOG_DAMAGED,),
    do=(WHOLE_LINE, STOP, COPY, DOCTOR, PEER),
    avoid=(NO_WIPE,),
    see=(Code.DB_AHEAD,),
    source=("dgraph-io/dgraph#8751",),
)

PAGES = (FABRIC_BLOCKS, SWARM, FABRIC, READING, DISCOVERY, CUT_OFF)

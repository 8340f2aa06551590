"""What the codes mean that `walctl cluster check --with-wal` has for requests against logs; only
words. A server of etcd notices none of them: it never sees what clients were told."""

from walctl.inspect.explanation import DAMAGE, Explanation, Group

ACKED_NOT_IN_LOG, INDEX_DIFFERS = "acked-not-in-log", "index-differs"
LOGGED_TWICE, LOG_ORDER = "logged-twice", "log-order"
FAILED_IN_LOG = "failed-in-log"
"""As `checker.settle.Doubt` has them, a room that is not looked into from here."""

KEEP = (
    "Keep the evidence before the lab is used on: `walctl cluster down LAB`, then `walctl cluster "
    "export LAB --output CASE.tar.zst`."
)
DRAW = "Look at the operations around it: `walctl cluster check LAB --with-wal --html WHY.html`."
FAULTS = "See which faults were on at that time: `walctl cluster events LAB`."
ONE_VALUE = (
    "Do not judge a history in which clients wrote one value to a key twice by this alone: such "
    "writes cannot always be told apart in a log."
)

PAGES = (
    Explanation(
        topic=ACKED_NOT_IN_LOG,
        group=Group.HISTORIES,
        title="A write was acknowledged to a client, and is in no member's log.",
        severities=(DAMAGE,),
        what="A client was told that its write is done. What a majority of the members committed "
        "was read, and the write is not there, at the index of the answer or at any other.",
        why="An answer was given before the entry was synced on a majority; a disk lost what it "
        "had synced; or a member was wiped or rewound and voted all the same.",
        lost="That write.",
        do=(KEEP, FAULTS, DRAW, "See what each log holds: `walctl compare LAB/n1/g1 LAB/n2/g1`."),
        see=(INDEX_DIFFERS,),
    ),
    Explanation(
        topic=INDEX_DIFFERS,
        group=Group.HISTORIES,
        title="A write is in the log at another index than the answer to it said.",
        severities=(DAMAGE,),
        what="The answer named the index at which the write was committed. Something else stands "
        "there, and the write elsewhere.",
        why="A committed entry was replaced, and the write proposed anew; or the answer belongs to "
        "another request.",
        lost="Nothing by itself. Who built on the order that the answer told was misled.",
        do=(KEEP, DRAW),
        avoid=(ONE_VALUE,),
        see=(ACKED_NOT_IN_LOG, LOGGED_TWICE),
    ),
    Explanation(
        topic=LOGGED_TWICE,
        group=Group.HISTORIES,
        title="One request of a client is in the log more than once.",
        severities=(DAMAGE,),
        what="A key and a value that one client wrote once stand in several committed entries.",
        why="Something between the client and the log asked again after an answer was lost: a "
        "client, a proxy, or a member that passes proposals on.",
        lost="Nothing where the write may be repeated; a later write in between is undone.",
        do=(KEEP, DRAW),
        avoid=(ONE_VALUE,),
        see=(LOG_ORDER,),
    ),
    Explanation(
        topic=FAILED_IN_LOG,
        group=Group.HISTORIES,
        title="A client was told that its write was not done, and the log has it.",
        severities=(DAMAGE,),
        what="The answer was that nothing was proposed, or that a condition did not hold. The "
        "entry is committed, and it took effect.",
        why="Whoever answered did not know, and said no instead of saying so; or the request was "
        "sent twice, by a library that repeats what it may, and the second one was refused.",
        lost="Nothing. Who was told no may have done it again, or something else instead.",
        do=(KEEP, DRAW),
        avoid=(ONE_VALUE,),
        see=(ACKED_NOT_IN_LOG, LOGGED_TWICE),
    ),
    Explanation(
        topic=LOG_ORDER,
        group=Group.HISTORIES,
        title="A write stands in the log before one that had been answered before it was asked.",
        severities=(DAMAGE,),
        what="One write was answered, then another was asked for; the log has the second one "
        "first. The log is the order in which writes take effect, so this is not linearizable.",
        why="An entry that had been answered was lost and written again later; or the clocks of "
        "two clients on different machines do not agree.",
        lost="The order that clients were told.",
        do=(KEEP, FAULTS, DRAW),
        avoid=(ONE_VALUE,),
        see=(ACKED_NOT_IN_LOG, LOGGED_TWICE),
    ),
)

"""Pages for what comes of upgrades, of replayed memberships, and of a log that was cut unseen."""

from walctl.inspect.explanation import COPY, DOCTOR, NO_DELETE, NO_WIPE, PEER, STOP
from walctl.inspect.panic import cause_raft as raft
from walctl.inspect.panic.cause import (
    ASK,
    Cause,
    Facts,
    Judged,
    either,
    elsewhere,
    fits,
    found,
    told,
    unknown,
)
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.inspect.panic.pages_cluster import NOTHING_DAMAGED
from walctl.model.finding import Code


def members_differ(facts: Facts) -> Judged:
    """Whether two places of this directory name other members."""
    if facts.membership is None:
        return unknown(ASK)
    # A snapshot is of its index: that it names others than the log does later is as it should be.
    named = {view.source: {peer.id for peer in view.peers} for view in facts.membership.views}
    log, database = named.get("log"), named.get("database")
    if log is None or database is None:
        return unknown("not both log and database tell who is in the cluster")
    if log != database:
        return fits("log and database do not name the same members")
    return unknown("log and database name the same members now; a start may have changed that")


V2_DISALLOWED = Page(
    topic="disallowed-v2-content",
    says="detected disallowed v2 WAL for stage --v2-deprecation=… / … custom content in v2store",
    shapes=(
        shape(
            "detected disallowed",
            r"detected disallowed (?:v2 WAL|custom content in v2store) for stage "
            r"--v2-deprecation=(?P<stage>[\w-]{1,40})",
        ),
    ),
    by="etcd 3.6 (of the log), 3.5 and 3.6 (of the store); the process ends",
    title="The member still holds requests of the old v2 API.",
    means="3.6 no longer knows the v2 store. It reads the log from the newest snapshot on and met "
    "a v2 request there. Nothing is damaged.",
    causes=(
        Cause(
            name="upgraded-too-early",
            text="v2 requests are still behind the newest snapshot, or v2 data in the store.",
            test=told("the text says so"),
        ),
    ),
    do=(
        COPY,
        "Go back to the newest 3.5: it reads this directory as before.",
        "See the requests: `walctl dump DIR`.",
        "Let 3.5 write a newer snapshot past them. Data in the v2 store has to go, once nobody "
        "needs it. Then upgrade.",
    ),
    avoid=(NO_WIPE, NO_DELETE),
    source=("etcd-io/etcd#20809, #20870; etcd-data-dir notes 5.4 and 7.2",),
)

LEARNERS = Page(
    topic="too-many-learners",
    says="membership: too many learner members in cluster",
    shapes=(shape("too many learner members"),),
    by="etcd 3.6 after an upgrade from 3.5.1–3.5.23, kubeadm; it does not start",
    title="Voters look like learners, because 3.5 never wrote their promotion down.",
    means="3.5.1 to 3.5.19 did not store in the database that a learner had become a voter. 3.6 "
    "believes the database, and finds more learners than it allows. Nothing is lost.",
    causes=(
        Cause(
            name="promotion-not-stored",
            text="A learner was added and promoted while the cluster ran 3.5.1–3.5.19, or got its "
            "database from such a member.",
            test=told("the text says so"),
        ),
    ),
    do=(
        COPY,
        "Go back to the newest 3.5 (3.5.24 or later): it serves with this directory, and its "
        "makers say that it puts the database right.",
        "See what each part says of the members: `walctl doctor DIR`.",
        "Then upgrade again.",
    ),
    avoid=(NO_WIPE,),
    see=(Code.MEMBERSHIP_DIFFERS,),
    source=("etcd-io/etcd#19557, #20793, #13196",),
)

UNKNOWN_PEER = Page(
    topic="removal-of-unknown-peer",
    says="unexpected removal of unknown remote peer",
    shapes=(shape("unexpected removal of unknown"),),
    by="etcd (all versions), at a start; the process ends",
    title="The log removes a member that the membership at the start does not have.",
    means="A start takes the members from one place (a snapshot, the database) and replays the "
    "log's changes. The place is already newer than the log at that point.",
    causes=(
        Cause(
            name="membership-places-differ",
            text="Snapshot, database and log do not agree about the members.",
            test=either(found(Code.DB_AHEAD, Code.SNAP_MISSING), members_differ),
        ),
        Cause(
            name="program",
            text="A defect of 3.5.0, which replays the changes twice.",
            test=elsewhere("look at the version; a later patch release starts"),
        ),
    ),
    do=(COPY, DOCTOR, "Try the newest patch release on the copy.", PEER),
    avoid=(NO_WIPE,),
    see=(Code.MEMBERSHIP_DIFFERS,),
    source=("etcd-io/etcd#13119, #13466, #3106",),
)

DOWNGRADE = Page(
    topic="cluster-cannot-be-downgraded",
    says="invalid downgrade; server version is lower than determined cluster version",
    shapes=(
        shape("invalid downgrade; server version is lower than determined cluster version"),
        shape(
            "cluster cannot be downgraded",
            r"cluster cannot be downgraded[^\n]{0,20}?"
            r"\((?:current|previous cluster) version: (?P<version>[\d.]{1,20})",
        ),
    ),
    by="etcd (all versions); the process refuses to start",
    title="The program is older than the cluster.",
    means="The directory says which version the cluster has come to, and this program is of an "
    "earlier one. " + NOTHING_DAMAGED,
    causes=(
        Cause(
            name="older-program",
            text="The program was set back after the whole cluster had been upgraded.",
            test=told("the text says so"),
        ),
    ),
    do=(
        "Start the newer program again.",
        "If it has to be the older one: restore a snapshot that was saved before the upgrade. That "
        "gives up all that was written since.",
    ),
    avoid=(NO_WIPE,),
    source=("kubernetes/kubernetes#54027; etcd-io/etcd#11716; words in the program of 3.5.1",),
)

TIMED_OUT = Page(
    topic="request-timed-out",
    says="etcdserver: request timed out",
    shapes=(shape("etcdserver: request timed out"),),
    gravity=Gravity.TROUBLE,
    by="etcd (all versions), to its clients; it goes on",
    title="A request was not applied in time.",
    means="No majority, no leader or a slow disk is the usual reason. There is a worse one: the "
    "log was cut, and the database passes over every new entry until the log has caught up. Then "
    "reads and `/health` are fine, and writes are swallowed.",
    causes=(
        Cause(
            name="database-ahead",
            text="The log ends below what the database has applied.",
            test=found(Code.DB_AHEAD),
            do=(STOP, COPY),
        ),
        Cause(
            name="no-majority",
            text="Members are down, or the disk or the network is slow.",
            test=elsewhere("`etcdctl endpoint status --cluster -w table`"),
        ),
        Cause(
            name="cut-by-a-start",
            text="A start has cut the log before.",
            test=raft.cut_by_a_start,
        ),
    ),
    do=(
        COPY,
        DOCTOR,
        "If the directory is whole, look at the other members, the disk and the network.",
    ),
    avoid=("Do not write on until it works again: what is swallowed is lost.",),
    see=(Code.DB_AHEAD,),
    source=("etcd-data-dir notes 9.2, tried with 3.4.23 and 3.5.1",),
)

PAGES = (V2_DISALLOWED, LEARNERS, UNKNOWN_PEER, DOWNGRADE, TIMED_OUT)

"""Pages for what a member says when it and its cluster do not agree who belongs to it."""

from walctl.inspect.explanation import COPY, NO_DELETE, NO_WIPE, PEER, RESTORE
from walctl.inspect.panic.cause import (
    ASK,
    Cause,
    Facts,
    Judged,
    elsewhere,
    fits,
    refuted,
    unknown,
)
from walctl.inspect.panic.page import Gravity, Page, shape
from walctl.model.finding import Code

MEMBER_LIST = "Ask a healthy member for the list that counts: `etcdctl member list -w table`."
NOTHING_DAMAGED = "Nothing is damaged: this is about who is a member, not about bytes."


def removed_in_log(facts: Facts) -> Judged:
    """Whether a committed change in this member's own log has removed it."""
    members = facts.membership
    if members is None:
        return unknown(ASK)
    if members.best is None or members.own_id is None:
        return unknown("this directory does not say who is in the cluster")
    if members.own_id in {peer.id for peer in members.best.peers}:
        return refuted(f"{members.own_id:x} is a member by the {members.best.source}")
    return fits(f"by the {members.best.source}, {members.own_id:x} is not in the cluster any more")


def has_no_log(facts: Facts) -> Judged:
    """Whether this directory is that of a member that never ran."""
    if facts.survey is None:
        return unknown(ASK)
    if facts.survey.segments:
        return refuted("this directory holds a log")
    return fits("this directory holds no log")


def of_another_cluster(facts: Facts) -> Judged:
    """Whether the ids in the text and the directory's cluster are not the same."""
    said = {facts.numbers.get("cluster_id"), facts.numbers.get("peer_cluster_id")} - {None}
    own = (
        facts.survey.metadata[0].metadata.cluster_id
        if facts.survey and facts.survey.metadata
        else None
    )
    if own is None:
        return unknown("the ids tell that the two were begun apart; whose is wrong they do not")
    if f"{own:x}" in said:
        return fits(f"this directory is of cluster {own:x}, one of the two that the text names")
    if said:
        return refuted(f"this directory is of cluster {own:x}, which the text does not name")
    return unknown(f"this directory is of cluster {own:x}")


REMOVED = Page(
    topic="member-permanently-removed",
    says="the member has been permanently removed from the cluster",
    shapes=(
        shape("the member has been permanently removed from the cluster"),
        shape("data-dir used by this member must be removed"),
    ),
    by="etcd (all versions), k3s, RKE; the server stops",
    title="The others removed this member; its id is not taken back.",
    means="A removal is for good: an id that was removed never comes back. The directory is whole, "
    "and its data is that of the moment of the removal.",
    causes=(
        Cause(
            name="removed",
            text="The member was removed, by a person or by a tool that replaced it.",
            test=removed_in_log,
        ),
        Cause(
            name="older-copy",
            text="The directory is of an earlier life of this member.",
            test=elsewhere("compare the id in it with `etcdctl member list`"),
        ),
    ),
    do=(
        COPY,
        MEMBER_LIST,
        "To use the machine again: `etcdctl member add NAME --peer-urls=URL`, and start it with an "
        "empty directory and `--initial-cluster-state=existing`.",
        RESTORE,
    ),
    avoid=("Do not put the old directory back: it can only be removed again.", NO_DELETE),
    see=(Code.MEMBERSHIP_DIFFERS,),
    source=("etcd-io/etcd#10828, #12506; rancher-archives/rke#2512; k3s-io/k3s#13498",),
)

CLUSTER_ID = Page(
    topic="cluster-id-mismatch",
    says="request cluster ID mismatch (got X want Y)",
    shapes=(
        shape(
            "cluster ID mismatch",
            r"cluster ID mismatch(?: \(got (?P<peer_cluster_id>[0-9a-f]{1,16}) want "
            r"(?P<cluster_id>[0-9a-f]{1,16})\))?",
        ),
        shape(
            "local-member-cluster-id",
            r"cluster ID mismatch[^\n]{0,300}?\"local-member-cluster-id\":\s?"
            r"\"(?P<cluster_id>[0-9a-f]{1,16})\"[^\n]{0,300}?\"remote-peer-cluster-id\":\s?"
            r"\"(?P<peer_cluster_id>[0-9a-f]{1,16})",
        ),
    ),
    gravity=Gravity.TROUBLE,
    by="etcd (all versions), between two members; it goes on and does not speak to that one",
    title="Two members that know each other's address belong to two clusters.",
    means="The cluster's id is made when it is begun, from its members and its token. These two "
    "were begun apart: one with `--initial-cluster-state=new` too many, by a restore of one only, "
    "or by `--force-new-cluster`.",
    causes=(
        Cause(
            name="begun-apart",
            text="One of them was wiped and begun anew, or restored alone.",
            test=of_another_cluster,
        ),
        Cause(
            name="stale-address",
            text="A member of another cluster uses an address of this one.",
            test=elsewhere("see who answers at the address in the line"),
        ),
    ),
    do=(
        MEMBER_LIST,
        "See whose each directory is: `walctl doctor DIR` on both machines.",
        "The one that does not belong: copy its directory away. " + PEER,
    ),
    avoid=("Do not wipe the one with the data: see first which of the two has it.",),
    see=(Code.CLUSTER_MISMATCH,),
    source=("etcd-io/etcd#8169, #3710, #12361, #10897; etcd-data-dir notes 5.7",),
)

COUNT = Page(
    topic="member-count-is-unequal",
    says="error validating peerURLs …: member count is unequal",
    shapes=(
        shape("member count is unequal"),
        shape("unmatched member while checking PeerURLs"),
        shape("error validating peerURLs"),
    ),
    by="etcd (all versions), at the first start of a member, kubeadm, RKE2; it does not start",
    title="`--initial-cluster` does not name the members that the cluster has.",
    means="A member without a log asks the others who is in the cluster and compares. It was not "
    "added before it was started, or the list in its command line is not today's.",
    causes=(
        Cause(
            name="not-added",
            text="`etcdctl member add` was not done before this start, or its URL differs.",
            test=elsewhere("compare `--initial-cluster` with `etcdctl member list`"),
        ),
        Cause(
            name="log-lost",
            text="The member is an old one whose directory is gone or not mounted, so that it "
            "takes itself for new.",
            test=has_no_log,
        ),
    ),
    do=(
        MEMBER_LIST,
        "If this is an old member: look first for its directory (a disk that is not mounted?).",
        PEER,
    ),
    avoid=(NO_WIPE,),
    source=("etcd-io/etcd#10002, #8298; kubernetes/kubeadm#1280; rancher/rke2#1898",),
)

BOOTSTRAPPED = Page(
    topic="already-been-bootstrapped",
    says="member X has already been bootstrapped",
    shapes=(
        shape(
            "has already been bootstrapped",
            r"member (?P<member_id>[0-9a-f]{1,16}) has already been bootstrapped",
        ),
        shape("has already been bootstrapped"),
    ),
    by="etcd (all versions), at a start without a log; it does not start",
    title="The cluster knows this member, and its directory is empty.",
    means="With `--initial-cluster-state=new` a member without a log asks the others, and they "
    "have already seen it at work. This check is what keeps it from `tocommit(X) is out of range "
    "[lastIndex(0)]`.",
    causes=(
        Cause(
            name="log-lost",
            text="The directory was emptied, or is on a disk that is not mounted.",
            test=has_no_log,
        ),
        Cause(
            name="other-directory",
            text="The server was started with another `--data-dir` than before.",
            test=elsewhere("compare its command line with the one of the last good start"),
        ),
    ),
    do=(
        "Look for the old directory: a mount, a volume, another `--data-dir`.",
        "If it is gone: " + PEER,
    ),
    avoid=("Do not get around it with `--initial-cluster-state=existing` alone.", NO_WIPE),
    source=("etcd-io/etcd#2780, #5422",),
)

UNREACHED = Page(
    topic="cannot-fetch-cluster-info",
    says="cannot fetch cluster info from peer urls",
    shapes=(
        shape("cannot fetch cluster info from peer urls"),
        shape("could not retrieve cluster information from the given URLs"),
    ),
    by="etcd (all versions), k3s, k3d, at the first start of a member; it does not start",
    title="None of the members in the command line answers.",
    means="A member that is to join asks the others who is in the cluster, and nobody answered. "
    + NOTHING_DAMAGED,
    causes=(
        Cause(
            name="unreachable",
            text="Addresses, ports, certificates or the other members themselves.",
            test=elsewhere("`etcdctl --endpoints=URL endpoint health` from this machine"),
        ),
        Cause(
            name="log-lost",
            text="The member is an old one whose directory is gone or not mounted.",
            test=has_no_log,
        ),
    ),
    do=("Reach the other members from this machine first.", MEMBER_LIST),
    avoid=(NO_WIPE,),
    source=("k3d-io/k3d#619; words in the program of 3.5.1",),
)

JOIN = Page(
    topic="join-refused",
    says="Peer URLs already exists / duplicate node name found / not enough started members",
    shapes=(
        shape("Peer URLs already exists"),
        shape("duplicate node name found"),
        shape("re-configuration failed due to not enough started members"),
        shape("etcdserver: unhealthy cluster"),
        shape("this server is a not a member of the etcd cluster"),
    ),
    gravity=Gravity.TROUBLE,
    by="etcd's member API by way of k3s, RKE2, kubeadm and etcdctl; the joining fails",
    title="The cluster does not take the member in, as it already has one like it or is not whole.",
    means="A member with this name or address is still in the list, often this machine's own "
    "former one, or the cluster has members that never came up. " + NOTHING_DAMAGED,
    causes=(
        Cause(
            name="former-member",
            text="The former member of this machine was never removed; its directory may be gone.",
            test=has_no_log,
        ),
        Cause(
            name="address-changed",
            text="The machine has another address than its member.",
            test=elsewhere("compare its addresses with `etcdctl member list`"),
        ),
        Cause(
            name="members-down",
            text="A member that was added does not run, so that one more could cost the majority.",
            test=elsewhere("`etcdctl endpoint status --cluster -w table`"),
        ),
    ),
    do=(
        MEMBER_LIST,
        "If a directory of this machine should be there, look for it before anything is removed.",
        "`etcdctl member remove ID` of the former one (k3s: delete its node), move its directory "
        "away if there is one, and join again.",
    ),
    avoid=("Do not remove a member that is up, to make room for one that is not.", NO_WIPE),
    source=(
        "k3s-io/k3s#2328, #2732, #4803, #4210, #5352; kubernetes/kubeadm#1846, #2001",
        "kubernetes-sigs/cluster-api#8250",
    ),
)

PAGES = (REMOVED, COUNT, BOOTSTRAPPED, UNREACHED, JOIN, CLUSTER_ID)

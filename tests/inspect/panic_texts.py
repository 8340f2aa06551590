"""What servers really said: texts from public threads, in the form in which people pasted them.

Each with its thread, the page that it must be known as, and the numbers in it; only for tests.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Said(NamedTuple):
    """One text: where it is from, the words, the page, and the numbers."""

    source: str
    text: str
    topic: str
    numbers: Mapping[str, int | str] = MappingProxyType({})


WAS_IT = "Was the raft log corrupted, truncated, or lost?"

RAFT = (
    Said(
        "etcd-io/etcd#15699",
        f"etcd 3.5.3panic: tocommit(587192) is out of range [lastIndex(587189)]. {WAS_IT}",
        "tocommit-out-of-range",
        {"commit": 587192, "last_index": 587189},
    ),
    Said(
        "etcd-io/etcd#3519, before the question was added",
        "Sep 14 11:29:39 coreostest etcd2[785]: panic: tocommit(14) is out of range [lastIndex(2)]",
        "tocommit-out-of-range",
        {"commit": 14, "last_index": 2},
    ),
    Said(
        "hyperledger/fabric#3639",
        "[orderer.consensus.etcdraft] commitTo -> PANI bda tocommit(25) is out of range "
        f"[lastIndex(16)]. {WAS_IT} channel=fabric-channel node=16",
        "tocommit-out-of-range",
        {"commit": 25, "last_index": 16},
    ),
    Said(
        "cockroachdb/cockroach#25173",
        "E180606 19:49:04.637886 489 vendor/github.com/coreos/etcd/raft/log.go:191  "
        f"[n3,s3,r56383/3] tocommit(628) is out of range [lastIndex(63)]. {WAS_IT}",
        "tocommit-out-of-range",
        {"commit": 628, "last_index": 63},
    ),
    Said(
        "moby/moby#29180",
        'says "tocommit(150010) is out of range [lastIndex(78775)]. Was the raft log corrupted"',
        "tocommit-out-of-range",
        {"commit": 150010, "last_index": 78775},
    ),
    Said("dgraph-io/dgraph#8751", f"[BUG]: {WAS_IT}", "raft-log-corrupted-truncated-or-lost"),
    Said(
        "etcd-io/etcd#3591",
        "state.commit 18523916 is out of range [18521854, 18523915]",
        "state-commit-out-of-range",
        {"commit": 18523916, "first_index": 18521854, "last_index": 18523915},
    ),
    Said(
        "etcd-io/etcd#11888",
        "13:06:05 etcd2 | panic: 91bc3c398fb3c146 state.commit 1065 is out of range [352, 354]",
        "state-commit-out-of-range",
        {
            "member_id": "91bc3c398fb3c146",
            "commit": 1065,
            "first_index": 352,
            "last_index": 354,
        },
    ),
    Said(
        "Consensys-Incorporated/quorum#845",
        "raft2019/10/16 10:53:30 1 state.commit 416255 is out of range [416348, 418520]",
        "state-commit-out-of-range",
        {"member_id": "1", "commit": 416255, "first_index": 416348, "last_index": 418520},
    ),
    Said(
        "dgraph-io/dgraph#1152",
        "raft2017/07/08 13:09:44 missing log entry [last: 1826326, append at: 1826427]",
        "missing-log-entry",
        {"last_index": 1826326, "next_index": 1826427},
    ),
    Said(
        "dgraph-io/dgraph#3466",
        "panic: applied(8517361) is out of range [prevApplied(8516979), committed(8517360)]",
        "applied-out-of-range",
        {"applied": 8517361, "applied_before": 8516979, "commit": 8517360},
    ),
    Said(
        "etcd-io/etcd#2918",
        "panic: raft: slice[107931036,107939749) out of bound [107932204,107939748]",
        "slice-out-of-bound",
        {
            "from_index": 107931036,
            "to_index": 107939749,
            "first_index": 107932204,
            "last_index": 107939748,
        },
    ),
    Said(
        "etcd-io/etcd#1811",
        "panic: entry 3 conflict with committed entry [committed(5)]",
        "conflict-with-committed-entry",
        {"index": 3, "commit": 5},
    ),
    Said("etcd-io/etcd#13848", "panic: removed all voters\n\ngoroutine 837", "removed-all-voters"),
    Said("etcd-io/etcd#14102", "Or [panic: cannot use none as id]", "cannot-use-none-as-id"),
    Said("the program of 3.5.1", "unable to restore config {…}", "unable-to-restore-config"),
    Said(
        "the program of 3.5.1",
        'msg="unknown entry type; must be either EntryNormal or EntryConfChange"',
        "unknown-entry-type",
    ),
)

LOG = (
    Said(
        "etcd-io/etcd#11220",
        "2019-10-09 09:02:16.2 C | etcdserver: read wal error (walpb: crc mismatch) and cannot be"
        " repaired",
        "walpb-crc-mismatch",
    ),
    Said(
        "etcd-io/etcd#11488",
        "walpb: crc mismatch, can only repair unexpected EOF",
        "walpb-crc-mismatch",
    ),
    Said(
        "etcd-data-dir notes 2.6, 3.6",
        "walpb: crc mismatch: expected: 1f2e3d computed: a0: in file "
        "'0000000000000001-0000000000000060.wal' at position: 4096",
        "walpb-crc-mismatch",
        {
            "stored_crc": "1f2e3d",
            "computed_crc": "a0",
            "segment": "0000000000000001-0000000000000060.wal",
            "offset": 4096,
        },
    ),
    Said("etcd-io/etcd#11924", "wal_test.go:1105: wal: crc mismatch", "wal-crc-mismatch"),
    Said(
        "etcd-io/etcd#18647",
        'Sep 26 11:01:23 kubemaster etcd[1527863]: {"level":"fatal","msg":"discovery failed",'
        '"error":"wal: max entry size limit exceeded, recBytes: 634, fileSize(62275584) - '
        'offset(62274968) - padBytes(6) = entryLimit(610)","stacktrace":"go.etcd.io/etcd"}',
        "max-entry-size-limit-exceeded",
        {
            "record_bytes": 634,
            "file_bytes": 62275584,
            "offset": 62274968,
            "padding_bytes": 6,
            "room_bytes": 610,
        },
    ),
    Said(
        "etcd-data-dir notes 2.6, 3.5.7",
        'unexpected EOF: [wal] max entry size limit exceeded when decoding "0-0.wal", recBytes: '
        "13563782407139376, fileSize(64000000) - offset(128) - padBytes(0) = entryLimit(63999872)",
        "max-entry-size-limit-exceeded",
        {
            "segment": "0-0.wal",
            "record_bytes": 13563782407139376,
            "file_bytes": 64000000,
            "offset": 128,
            "padding_bytes": 0,
            "room_bytes": 63999872,
        },
    ),
    Said(
        "moby/swarmkit#3188",
        "manager stopped: can't initialize raft node: irreparable WAL error: wal: max entry size "
        "limit exceeded, recBytes: 3772, fileSize(64000000) - offset(63998024) - padBytes(4) = "
        "entryLimit(1972)",
        "max-entry-size-limit-exceeded",
        {
            "record_bytes": 3772,
            "file_bytes": 64000000,
            "offset": 63998024,
            "padding_bytes": 4,
            "room_bytes": 1972,
        },
    ),
    Said(
        "hyperledger/fabric#4339",
        "failed to restore persisted raft data: failed to create or read WAL: failed to read WAL "
        "and cannot repair: wal: max entry size limit exceeded",
        "max-entry-size-limit-exceeded",
    ),
    Said(
        "moby/swarmkit#2959",
        "manager stopped: can't initialize raft node: WAL error cannot be repaired: unexpected EOF",
        "wal-unexpected-eof",
    ),
    Said(
        "etcd-io/etcd#3065",
        "Jun 26 09:43:52 node-1 etcd2[26016]: 2015/06/26 09:43:52 etcdserver: read wal error: "
        "unexpected EOF",
        "wal-unexpected-eof",
    ),
    Said(
        "etcd-io/etcd#2736",
        "etcdserver: repaired WAL error (unexpected EOF)\n"
        "etcdserver: read wal error (unexpected EOF) and cannot be repaired",
        "wal-unexpected-eof",
    ),
    Said(
        "Consensys-Incorporated/quorum#712",
        "Fatal: failed to read WAL: unexpected EOF",
        "wal-unexpected-eof",
    ),
    Said(
        "etcd-io/etcd#14252",
        '{"level":"fatal","ts":"2022-07-21T13:17:36.221+0300","caller":"etcdserver/storage.go:95",'
        '"msg":"failed to open WAL","error":"wal: file not found","stacktrace":"go.etcd.io"}',
        "wal-file-not-found",
    ),
    Said(
        "etcd-data-dir notes 1.4, 3.6",
        "wal: file not found which matches the snapshot index '404'",
        "wal-file-not-found",
        {"snapshot_index": 404},
    ),
    Said(
        "etcd-data-dir notes 1.3, 3.6",
        "wal: file sequence numbers (starting from 2) do not increase continuously",
        "wal-file-not-found",
        {"position": 2},
    ),
    Said(
        "etcd-data-dir notes 6.4, 3.6",
        "wal: slice bounds out of range, snapshot[Index: 404, Term: 2], current entry[Index: 451, "
        "Term: 2], len(ents): 45",
        "wal-slice-bounds",
        {"snapshot_index": 404, "snapshot_term": 2, "index": 451, "term": 2, "entries": 45},
    ),
    Said("etcd-data-dir notes 10", "wal: snapshot mismatch", "wal-snapshot-mismatch"),
    Said(
        "etcd-data-dir notes 10",
        "failed to read WAL, cannot be repaired: wal: conflicting metadata found",
        "wal-conflicting-metadata",
    ),
    Said(
        "etcd-data-dir notes 10",
        "unexpected block type 9",
        "unexpected-block-type",
        {"type": 9},
    ),
    Said(
        "etcd-io/etcd#14102",
        '"msg":"discovery failed","error":"proto: Record: illegal tag 0 (wire type 0)"',
        "wal-record-unparsable",
    ),
    Said(
        "etcd-data-dir notes 10",
        "discovery failed: proto: wrong wireType = 1 for field Data",
        "wal-record-unparsable",
        {"wire_type": 1, "field": "Data"},
    ),
    Said(
        "etcd-data-dir notes 3.2",
        "panic: unmarshal should never fail (proto: wrong wireType = 0 for field ConfState)",
        "unmarshal-should-never-fail",
    ),
    Said(
        "hyperledger/fabric#3269",
        "failed to create or read WAL: failed to open WAL: fileutil: file already locked",
        "file-already-locked",
    ),
    Said(
        "etcd-io/etcd#3347",
        "2015/08/21 02:04:22 etcdserver: save state and entries error: write /var/etcd/data/member/"
        "wal/0000000000000010-0000000000027111.wal: no space left on device",
        "no-space-left-on-device",
    ),
    Said("the program of 3.5.1", '"msg":"failed to repair WAL"', "failed-to-repair-wal"),
    Said("the corpus", '"msg":"repaired WAL","error":"unexpected EOF"', "repaired-wal"),
    Said(
        "etcd-io/etcd#9021",
        "2017-12-01 10:10:01.168789 W | wal: ignored file 0000000000000075-00000000003012ad.wal"
        ".broken in wal",
        "ignored-file-in-wal-directory",
    ),
    Said("etcd-io/etcd#2661", "etcdserver: open wal error: open x: denied", "failed-to-read-wal"),
    Said("etcd-io/etcd#16526", '"msg":"discovery failed","error":"?"', "discovery-failed"),
    Said(
        "moby/swarmkit#1598",
        "manager stopped: can't initialize raft node: context canceled",
        "swarm-cannot-initialize-raft-node",
    ),
    Said(
        "hyperledger/fabric#2815",
        "Error creating consenter: failed to restore persisted raft data: ?",
        "fabric-failed-to-restore-raft-data",
    ),
    Said(
        "hyperledger/fabric#3223",
        "commitBlock -> [channel: mych] Could not append block: unexpected Previous block hash.",
        "fabric-unexpected-previous-block-hash",
    ),
)

STATE = (
    Said(
        "etcd-io/etcd#14569, as it came out of a log collector",
        r'"message" : "{\"level\":\"warn\",\"caller\":\"snap/db.go:88\",\"msg\":\"failed to find '
        r"[SNAPSHOT-INDEX].snap.db\",\"snapshot-index\":3420684,\"error\":\"snap: snapshot file "
        r"doesn't exist\"}",
        "failed-to-find-database-snapshot-file",
        {"snapshot_index": 3420684},
    ),
    Said(
        "etcd-io/etcd#12492, 3.2",
        "2021-06-28 16:12:32.303933 C | etcdserver: recovering backend from snapshot error: "
        "database snapshot file path error: snap: snapshot file doesn't exist",
        "failed-to-find-database-snapshot-file",
    ),
    Said(
        "etcd-io/etcd#18055",
        '"msg":"failed to open snapshot backend","error":"failed to find database snapshot file '
        "(snap: snapshot file doesn't exist)\"",
        "failed-to-open-snapshot-backend",
    ),
    Said(
        "etcd-io/etcd#8103",
        "etcdmain: database file (/var/etcd/data/member/snap/db index 11895551) does not match "
        "with snapshot (index 13328084).",
        "database-does-not-match-snapshot",
        {"applied": 11895551, "snapshot_index": 13328084},
    ),
    Said(
        "etcd-data-dir notes 6.5",
        "database file (n1/member/snap/db) of the backend is missing",
        "database-file-is-missing",
        {"file": "n1/member/snap/db"},
    ),
    Said("SURPRISES 8", "panic: assertion failed: tx closed", "assertion-failed-tx-closed"),
    Said("etcd-io/etcd#3498", "2015/09/10 etcd: snap: empty snapshot", "snap-file-is-corrupt"),
    Said(
        "etcd-io/etcd#20809",
        "Oct 14 15:56:55 node1 etcd[20153]: panic: detected disallowed v2 WAL for stage "
        "--v2-deprecation=write-only [recovered]",
        "disallowed-v2-content",
        {"stage": "write-only"},
    ),
    Said(
        "k3s-io/k3s#8824",
        "FATA[2023-11-14T04:00:06.788439007Z] starting kubernetes: preparing server: start managed "
        "database: snapshot missing hash but --skip-hash-check=false",
        "snapshot-missing-hash",
    ),
    Said(
        "etcd-io/etcd#15834",
        '{"level":"panic","msg":"failed to open database","error":"invalid database"}',
        "failed-to-open-database",
        {"error": "invalid database"},
    ),
    Said(
        "etcd-io/etcd#18096",
        "panic: assertion failed: Page expected to be: 36312, but self identifies as 0",
        "bbolt-page",
        {"page": 36312, "found_page": 0},
    ),
    Said("etcd-io/etcd#10010", "panic: page 1938 already freed", "bbolt-page", {"page": 1938}),
    Said(
        "etcd-io/bbolt#335",
        "panic: freepages: failed to get all reachable pages (page 8314893338927566090: out of "
        "bounds: 6258)",
        "bbolt-page",
        {"page": 8314893338927566090},
    ),
    Said(
        "etcd-io/etcd#14211",
        '{"level":"fatal","caller":"mvcc/kvstore_txn.go:150","msg":"range failed to find revision '
        'pair","revision-main":165519108,"revision-sub":0}',
        "key-space-does-not-read",
        {"revision": 165519108},
    ),
    Said(
        "etcd-io/etcd#12845",
        '"msg":"failed to unmarshal mvccpb.KeyValue","error":"proto: KeyValue: illegal tag 0"',
        "key-space-does-not-read",
    ),
    Said(
        "k3s-io/k3s#7851",
        "panic: runtime error: slice bounds out of range [:8] with capacity 5",
        "key-space-does-not-read",
    ),
    Said(
        "etcd-io/etcd#18881",
        "etcdserver: data corruption detected, unable to start etcd member",
        "data-inconsistency",
    ),
    Said(
        "etcd-io/etcd#11309",
        '"error":"error initializing the store: etcdserver: mvcc: database space exceeded"',
        "database-space-exceeded",
    ),
)

ALARMS = (
    Said(
        "bitnami/charts#16615",
        '"msg":"alarm raised","alarm":"NOSPACE","from":"6b2b64547771fe6a"}',
        "database-space-exceeded",
    ),
    Said("etcdctl alarm list", "memberID:8630161756594109333 alarm:CORRUPT", "data-inconsistency"),
)

CLUSTER = (
    Said(
        "etcd-io/etcd#12506",
        '{"level":"warn","msg":"server error","error":"the member has been permanently removed '
        'from the cluster"}\n{"level":"warn","msg":"data-dir used by this member must be removed"}',
        "member-permanently-removed",
    ),
    Said(
        "m3db/m3#856",
        "E | rafthttp: request cluster ID mismatch (got 35c7dcf7684ddd23 want 1c45a069f3a1d796)",
        "cluster-id-mismatch",
        {"peer_cluster_id": "35c7dcf7684ddd23", "cluster_id": "1c45a069f3a1d796"},
    ),
    Said(
        "apecloud/kubeblocks#9698",
        '"caller":"rafthttp/http.go:502","msg":"request cluster ID mismatch","local-member-id":'
        '"fca7465b681861c4","local-member-cluster-id":"966fded6707566d3","local-member-server-'
        'version":"3.6.1","local-member-server-minimum-cluster-version":"3.0.0","remote-peer-'
        'server-name":"9a561d9e8f530bbc","remote-peer-server-version":"3.6.1","remote-peer-server-'
        'minimum-cluster-version":"3.0.0","remote-peer-cluster-id":"47c17342e3a1b4ec"}',
        "cluster-id-mismatch",
        {"peer_cluster_id": "47c17342e3a1b4ec", "cluster_id": "966fded6707566d3"},
    ),
    Said(
        "kubernetes/kubeadm#1280",
        "2018-11-27 15:09:14.082082 C | etcdmain: error validating peerURLs {ClusterID:8b3e}: "
        "member count is unequal",
        "member-count-is-unequal",
    ),
    Said(
        "etcd-io/etcd#5422",
        "May 20 17:57:39 etcd2[761]: member 51eecfc041171d8f has already been bootstrapped",
        "already-been-bootstrapped",
        {"member_id": "51eecfc041171d8f"},
    ),
    Said(
        "k3d-io/k3d#619",
        'level=fatal msg="ETCD join failed: cannot fetch cluster info from peer urls: could not '
        'retrieve cluster information from the given URLs"',
        "cannot-fetch-cluster-info",
    ),
    Said(
        "kubernetes/kubeadm#1846",
        "error creating local etcd static pod manifest file: etcdserver: re-configuration failed "
        "due to not enough started members",
        "join-refused",
    ),
    Said(
        "k3s-io/k3s#5352",
        'level=info msg="Failed to test data store connection: this server is a not a member of '
        'the etcd cluster. Found [a=https://192.168.189.84:2380], expect: a=192.168.189.99"',
        "join-refused",
    ),
    Said(
        "k3s-io/k3s#4803",
        'level=fatal msg="ETCD join failed: duplicate node name found, please use a unique name"',
        "join-refused",
    ),
    Said(
        "etcd-io/etcd#19557",
        "membership: too many learner members in cluster",
        "too-many-learners",
    ),
    Said(
        "etcd-io/etcd#13119",
        '{"level":"panic","caller":"rafthttp","msg":"unexpected removal of unknown '
        'remote peer","remote-peer-id":"429dbf9564993e31"}',
        "removal-of-unknown-peer",
    ),
    Said(
        "kubernetes/kubernetes#54027",
        "2017-10-16 21:07:10.975303 C | membership: cluster cannot be downgraded (current version: "
        "3.0.17 is lower than determined cluster version: 3.1).",
        "cluster-cannot-be-downgraded",
        {"version": "3.0.17"},
    ),
    Said(
        "etcd-data-dir notes 9.2",
        "Error: etcdserver: request timed out",
        "request-timed-out",
    ),
)

ALL = (*RAFT, *LOG, *STATE, *ALARMS, *CLUSTER)

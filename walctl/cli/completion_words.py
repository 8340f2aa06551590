"""What each command takes, for the shell; see `completion`.

Built by `python -m walctl.cli.completion_build` from the commands; do not edit.
"""

COMMANDS = {
    "doctor": """
path | file
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "verify": """
paths | file*
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--gate | flag | For a service manager: exit 0 when the server may be started, else not 0
--gate-strict | flag | Like --gate, but only a clean member with its database may be started
--quick | flag | A first look: only the segments from the newest snapshot on, not the rows of the d…
--time-limit | text | Stop with exit 4 at the first segment that ends after this time, and say how…
--manifest | file | Compare the files with a list that sha256sum made, its names relative to PATH o…
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "dump": """
paths | file*
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
-s --start | positions | First record: an index, @TERM, first, last, commit, snap (the snapshot tha…
-e --end | positions | Last record: as --start; the record is included
--from-snapshot | file | Begin at the snapshot in this .snap file
-n --limit | text | At most N rows
--tail | text | Only the last N rows that match
--reverse | flag | The last row first
-f --follow | flag | Go on as the server writes, after the last rows (--tail, by default 10)
-r --type | types* | Only these types of record (entry, state, …) or request (put, txn, …); -r list…
--term | text* | Only these terms: 3, 2-4, 5-
--status | statuses* | Only entries that are committed, uncommitted, overwritten or unknown
--key | text* | Only requests that touch this key, also in a range or a transaction; hex:… and base…
--prefix | text* | Only requests that touch a key that begins so
--request-id | text* | Only the request with this id, in hex as dump prints it
--grep | text | Only records whose payload holds a match of this regular expression
--where | text | Only rows for which this holds, over the fields of -o json: size > 1000 and reques…
--damage-only | flag | Only damage, with -C rows around it
-C --context | text | Rows in front of and behind damage, with --damage-only
-x --hexdump | flag | The bytes below each record
--explain | flag | Below each record its bytes, with the field that they belong to and its meaning
--template | text | A line for each record in this form: {index} {term} {request.put.key}
--full | flag | Cut no value short
--save-payloads | dir | Save each payload that is shown as a file in DIR, which must be new or empty
--decoder | decoders | Who reads payloads: auto (the default), etcd, k8s, raftexample, none, or one…
--proto | file | Payloads are this protobuf message of a descriptor set (protoc --descriptor_set_ou…
--decoder-cmd | text | A program reads payloads: a line of JSON each way
--stream-decoder | text | A program reads payloads by the protocol of etcd-dump-logs
--redact | [auth values keys all none] | Hide passwords, hashes and tokens (auth); also values; als…
-j --jobs | text | How many files to read at the same time
-o --output | [text ndjson json csv hex dump-logs] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "encode": """
path | file
--part | [frame record data payload] | What to print of each record: frame (length field, record, p…
--seed | text | The checksum in front of the first record (decimal, or hex as 0x…)
--era | [3.6 3.7] | Write as etcd up to 3.6 does, or as from 3.7 on
-o --output | [hex base64 raw] | The form of what goes to standard output
""",
    "stats": """
paths | file*
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
-s --start | positions | Count from here on, as walctl dump -s takes it; else from the beginning
-e --end | positions | Count up to here, this record included; else all
--prefix-separator | text | What parts the components of a key
--depth | text | Components of a key's prefix: 2 counts /registry/pods/default/web under /registry/…
--top | text | Rows of each list: prefixes, keys, leases, biggest entries
--redact | [none auth values keys all] | What is hidden: secrets, also values, also keys and their…
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
""",
    "replay": """
path | file
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--until | text | The last entry that is applied: an index, commit (as without it), last, first, sna…
--uncommitted --commit-only | flag | Apply entries that are not committed, too, which no member wou…
--from-snapshot | text | Load Raft's storage from this snapshot (0: from none); else from the newes…
--base | [nothing database snapshot] | Build the state on this alone; else on whatever is there, by…
--machine | text | Whose state machine: etcd, kv (raftexample), none, or your own as MODULE:CLASS
--keys | flag | Print the key space instead, key by key
--key | text | Print this key alone
--history | flag | With --key: every version of it, with entry, term, revision, request and lease
--diff | text* | Print what changed from the state after one entry to that after another
--export | dir | Write the tables entries, requests and keys into this new directory, for DuckDB, p…
--export-as | [parquet csv] | With --export: the form of the tables, parquet if not said
--to-snapshot | file | Write the state to this new file, which etcdutl snapshot restore takes, and…
--redact | [auth values] | What is hidden: secrets, which are never shown here, or the values of ke…
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
""",
    "compare": """
paths | file*
--html | file | Draw the map of members and indexes into this new file: a page that needs nothing e…
--svg | file | Draw the map alone into this new file
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "explain": """
topic | topics
path | file
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
-o --output | [text json] | The form of what goes to standard output
""",
    "repair": """
path | file
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--from | dir* | A copy of another member's directory, to fill what is missing here (repeatable)
--plan | file | Write the plan into a new file, for walctl apply
--apply | flag | Carry the plan out, after a backup
--preen | flag | Carry the plan out if it loses nothing; else exit 5 (for scripts)
--output-dir | dir | Make the result in this new directory instead, and leave the member as it is
--accept-loss | text | Carry a plan out that loses something, or may: the id that the plan names
--backup-to | dir | Put the backup into a new folder there, not beside the member
--trial-start | flag | First start a real etcd on a copy of the result, where it can reach nobody;…
--resume | flag | Finish or roll back what a repair that was killed has left
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "apply": """
file | file
--accept-loss | text | Carry a plan out that loses something, or may: the id that the plan names
--backup-to | dir | Put the backup into a new folder there, not beside the member
--trial-start | flag | First start a real etcd on a copy of the result, where it can reach nobody;…
--resume | flag | Finish or roll back what a repair that was killed has left
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "surgery": """
verb | [set-commit bump-term cut-after drop-before add-marker drop-marker new-cluster-id rewrite-me…
path | file
values | text*
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--plan | file | Write the plan into a new file, for walctl apply
--cluster-id | text | With rewrite-membership: the new cluster's id (hex), to give to each of its m…
--apply | flag | Carry the plan out, after a backup
--accept-loss | text | Carry a plan out that loses something, or may: the id that the plan names
--backup-to | dir | Put the backup into a new folder there, not beside the member
--trial-start | flag | First start a real etcd on a copy of the result, where it can reach nobody;…
--resume | flag | Finish or roll back what a repair that was killed has left
-j --jobs | text | How many files to read at the same time
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "undo": """
receipt | file
--backup-to | dir | Put the backup into a new folder there, not beside the member
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "salvage": """
path | file
--output-dir | dir | Where all of it goes: a new or an empty directory, apart from PATH
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--skip-holes | flag | Pass over lost entries within the log: empty ones stand in for them, and thos…
--redact | [auth values keys all none] | Hide passwords, hashes and tokens (auth); also values; als…
-j --jobs | text | How many files to read at the same time
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "clean": """
path | file
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--remove | text* | Choose the backup of this name (repeatable)
--remove-all | flag | Choose every backup
--yes | flag | Take away for good what was chosen
--purge-preview | flag | Say which files a running etcd would remove by itself
--max-wals | text | With --purge-preview: the segments that etcd is told to keep
--max-snapshots | text | With --purge-preview: the snapshots that etcd is told to keep
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "bundle": """
path | file
--wal-dir | dir | Where the log's segments are, if not below PATH (etcd: --wal-dir)
--snap-dir | dir | Where the snapshots and the database are, if not below PATH
--output | file | The new file, called .tar.zst; in the current directory if not said
--redact | [none values keys all] | What is hidden: values; keys too; names and addresses too; or n…
--minimise | flag | Take away what is not needed to show the same findings: files, segments, records
-o | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "archive": """
paths | file*
--output | dir | Where the archived segments go (PATH.archive if not said), or the restored ones (b…
--restore | flag | Put segments back: PATH is a .wal.zst file, or a folder of them
-o | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster": """
new | command | Make a lab: a folder for a cluster on this machine.
up | command | Start a lab's nodes, and watch them.
down | command | End everything that a lab started.
rm | command | Remove a lab that is down, with all its files.
status | command | Show how a lab's nodes stand.
logs | command | Print what a lab's nodes printed.
events | command | Print what happened in a lab.
start | command | Start a node.
kill | command | End a node as a power cut does to a process.
pause | command | Let a node stand still.
resume | command | Let a paused node go on.
restart | command | End a node, if it runs, and start it.
wipe | command | Remove a node's directory.
keep | command | Keep a copy of a node's directory, for rewind.
rewind | command | Put an older copy in the place of a node's directory.
member | command | List, add, promote, replace and remove members.
transfer | command | Hand the lead to another node.
campaign | command | Let a node try to become leader.
snapshot | command | Let a node make a snapshot.
compact | command | Let a node forget old entries.
group | command | List, add, move and drop Raft groups.
net | command | Break links between nodes, and heal them.
disk | command | Let a node's disk fail, or damage its files.
clock | command | Let a node's clock go wrong, and right again.
nemesis | command | Break a lab in many ways, drawn from a seed.
run | command | Play a scenario, with real processes or simulated.
sim | command | Run a whole cluster under a simulated clock.
replay | command | Play a simulated run again, from its trace.
shrink | command | Make a failing simulated run small.
scenarios | command | List the scenarios that come with walctl, and play them.
put | command | Store a value in a lab.
get | command | Read a value from a lab.
del | command | Take a key away from a lab.
cas | command | Store a value in a lab, if the key holds another.
load | command | Let clients ask a lab, and write down what they see.
from | command | Make a lab from copies of real members.
script | command | Run a Raft script, and print it with its actual outputs.
check | command | Judge whether a history of requests is linearizable.
diagram | command | Draw a trace: nodes, messages, roles, faults and requests.
export | command | Put a lab into one file, or its history into another format.
""",
}

TYPES = """
metadata | whose log it is: at the head of each segment
entry | a Raft log entry, whatever it asks for
state | a hard state: term, vote, commit
crc | the running checksum that a segment begins with
snapshot | a mark that a snapshot was made or received
unknown | a record of no type that etcd has, or whose payload does not fit
noop | an entry without a payload: how a new leader begins its term
undecoded | an entry whose payload could not be decoded
put | write a key
delete_range | delete a key or a range of keys
txn | a transaction: compares, then writes and deletes
range | a read; only very old logs have it
compaction | forget revisions below one
lease_grant | a new lease
lease_revoke | end a lease and delete its keys
lease_checkpoint | how much time leases have left
alarm | raise, clear or list alarms
conf_change | add, promote, update or remove a member
conf_change_v2 | several changes of the membership at once
cluster_version_set | the cluster's version
cluster_member_attr_set | a member's name and client addresses
downgrade_info_set | allow or forbid a downgrade
downgrade_version_test | only in etcd's own tests
auth_enable | turn authentication on
auth_disable | turn authentication off
authenticate | a user has logged in
auth_status | ask whether authentication is on
auth_user_add | a new user
auth_user_delete | delete a user
auth_user_get | look at a user
auth_user_change_password | a new password
auth_user_grant_role | give a role to a user
auth_user_revoke_role | take a role from a user
auth_user_list | list the users
auth_role_list | list the roles
auth_role_add | a new role
auth_role_delete | delete a role
auth_role_get | look at a role
auth_role_grant_permission | let a role read or write keys
auth_role_revoke_permission | take keys from a role
v2_put | write a key of the v2 store; members announce themselves so
v2_post | write a new key of the v2 store
v2_delete | delete a key of the v2 store
v2_qget | read the v2 store through the log
v2_sync | let keys of the v2 store expire
v2_get | read the v2 store
v2_head | read the v2 store
v2 | a v2 request with another method
empty | a request that asks for nothing
list | show what all of these are
"""

STATUSES = """
committed
uncommitted
overwritten
unknown
"""

TOPICS = """
torn-tail | The last record of the log was cut short, or its end reads as zeros.
crc-mismatch | A record's checksum does not fit its bytes.
bad-length | A length field cannot be right: the frame would not fit the file or its record.
bad-padding | A frame's padding is not what the writer would have put there.
bad-record | A frame holds bytes that are no record of a write-ahead log.
type-suspect | A record's content fits another type than the one it names.
zero-hole | Zeros stand where the log goes on: readable records lie behind them.
trailing-garbage | Behind the end of the log are bytes that belong to no record.
chain-break | A segment does not go on with the checksum that the one before ended with.
segment-missing | A segment that the log needs is not there.
segment-name | A file's name is not the name of a segment, or not the name of this one.
segment-head | A segment does not begin with its head: a CRC record and the metadata.
segment-empty | A segment holds no record at all.
metadata-conflict | Segments name different members or clusters.
leftover | A file or directory is left from something that did not end.
index-gap | Entries are missing: the log jumps over one or more indexes.
term-regression | The terms of entries go down along the log.
commit-beyond-log | The hard state says that entries are committed which the log does not have.
state-regression | A hard state goes back: its term or commit is below an earlier one.
double-vote | The member voted for two candidates in one term.
committed-overwritten | An entry that had been committed was replaced by another.
payload-undecodable | An entry's payload is no request that etcd knows.
entry-too-large | A record is larger than some versions of etcd can read back.
snap-crc | A .snap file's checksum does not fit its content.
snap-undecodable | A .snap file cannot be read.
snap-missing | The log has a record of a snapshot whose .snap file is not there.
snap-unmarked | A .snap file has no record in the log.
snapdb-missing | The database is older than the snapshot, and the .snap.db meant for it is gone.
db-missing | The database file `db` is not there.
db-page | A page of the database is damaged.
db-behind | The database is older than what the log and the snapshots can bridge.
db-ahead | The database has applied more entries than the log holds: the log lost its end.
db-differs | The database does not hold what the log says it should.
diverged-committed | Two members hold different entries at an index that was committed.
diverged-tail | Members hold different entries at the end of their logs, above what was committed.
cluster-mismatch | The parts or directories do not belong to one cluster.
membership-differs | The places that record the membership do not agree.
hash-differs | The key spaces of two members differ at the same revision.
acked-not-in-log | A write was acknowledged to a client, and is in no member's log.
index-differs | A write is in the log at another index than the answer to it said.
logged-twice | One request of a client is in the log more than once.
failed-in-log | A client was told that its write was not done, and the log has it.
log-order | A write stands in the log before one that had been answered before it was asked.
exit-0 | Clean, or done.
exit-1 | Damage, a violation or a difference was found.
exit-2 | The command line is wrong.
exit-3 | Only harmless findings: it is safe to start the server.
exit-4 | Could not finish.
exit-5 | Refused: acknowledged data could be lost.
exit-130 | Interrupted.
tocommit-out-of-range | The leader knows that this member had acknowledged more than its log now ho…
state-commit-out-of-range | The member's own hard state calls an entry committed that its log does…
missing-log-entry | The stored entries do not begin where the snapshot ends.
applied-out-of-range | The state machine has applied more than the log calls committed.
slice-out-of-bound | Raft was asked for entries that its log in memory does not hold.
conflict-with-committed-entry | The leader wants to replace an entry that this member holds for com…
removed-all-voters | A membership change would leave nobody who can vote.
cannot-use-none-as-id | The log does not say whose it is.
unable-to-restore-config | The membership of a snapshot cannot be turned into a configuration.
unknown-entry-type | An entry of a kind that etcd never writes is committed.
walpb-crc-mismatch | A record's checksum does not fit its bytes.
wal-crc-mismatch | Two parts of the log do not continue each other.
max-entry-size-limit-exceeded | A record claims to be longer than it may be.
wal-unexpected-eof | A record ends before it is complete, and the repair at the start did not help.
failed-to-open-snapshot-backend | A snapshot from the leader was gone before it was installed.
failed-to-find-database-snapshot-file | The database is older than the snapshot that the start has…
database-does-not-match-snapshot | The database has applied less than the newest snapshot says.
database-file-is-missing | There is a log and no database.
assertion-failed-tx-closed | A database that a leader had sent was put in its place, and the start…
snap-file-is-corrupt | A snapshot file does not read.
snapshot-missing-hash | A file that is to be restored does not end with its own checksum.
failed-to-open-database | The database file is not one that can be opened.
bbolt-page | A page of the database is not what another page says of it.
key-space-does-not-read | A row of the key space is missing or does not parse.
data-inconsistency | The key spaces of two members differ at the same revision.
database-space-exceeded | The database has reached its quota; this is no damage.
unexpected-block-type | A record has a type that does not exist.
unmarshal-should-never-fail | The content of a record is not what its type says.
wal-record-unparsable | Bytes that should be a record do not parse.
repaired-wal | A start took something for a torn write and cut the log there.
wal-file-not-found | A segment that the start needs is not there.
wal-slice-bounds | The log jumps: an entry comes that does not follow the one before.
wal-snapshot-mismatch | The log does not know the snapshot that it is to be read from.
wal-conflicting-metadata | The log names two different owners.
file-already-locked | Another process has this directory open.
failed-to-repair-wal | The server wanted to cut a torn record off and could not.
no-space-left-on-device | The disk was full, or refused to allocate.
ignored-file-in-wal-directory | A file is there that is no segment or snapshot; the server leaves i…
member-permanently-removed | The others removed this member; its id is not taken back.
member-count-is-unequal | `--initial-cluster` does not name the members that the cluster has.
already-been-bootstrapped | The cluster knows this member, and its directory is empty.
cannot-fetch-cluster-info | None of the members in the command line answers.
join-refused | The cluster does not take the member in, as it already has one like it or is not who…
cluster-id-mismatch | Two members that know each other's address belong to two clusters.
disallowed-v2-content | The member still holds requests of the old v2 API.
too-many-learners | Voters look like learners, because 3.5 never wrote their promotion down.
removal-of-unknown-peer | The log removes a member that the membership at the start does not have.
cluster-cannot-be-downgraded | The program is older than the cluster.
request-timed-out | A request was not applied in time.
fabric-unexpected-previous-block-hash | Two orderers hold different blocks at the same height.
swarm-cannot-initialize-raft-node | A Swarm manager could not read its Raft log; the reason stands…
fabric-failed-to-restore-raft-data | An orderer could not read the Raft log of a channel; the reaso…
failed-to-read-wal | The log does not open or does not read; the reason stands in the field `error`.
discovery-failed | The start failed; the reason stands in the field `error`, and it is seldom disco…
raft-log-corrupted-truncated-or-lost | A member forgot what it had acknowledged; the numbers in fro…
"""

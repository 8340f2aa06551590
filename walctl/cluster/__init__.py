"""One member and several: what starts and runs them.

Without asyncio, and run by the simulator as well:

    driver.py       one member of one group: log, snapshots, Raft core and machine, in Ready's order
    surroundings.py what such a member is given: disk, network, clock, its place
    service.py      what clients may ask of a machine: requests into payloads, states into answers
    faults.py       what can be done to links, disks, clocks and processes: frozen data, no deeds
    topology.py     words about a network into faults of links, and back · quantities.py  50ms, 5%
    deeds.py        anything that can be done to a cluster or claimed of it: frozen data
    scenario.py     the text form of deeds, one command a line (*_words.py: what words mean)
    nemesis.py      a mix of faults over time, planned from a seed
    recovery.py     a log taken up at a node's start, its torn end cut off as etcd does
    lab.py          the folder of a lab, and the file that says what it is
    membership.py   who is in a group, changed: own_members.py is our engine's way; what is typed is
                    in member_flow.py and group_flow.py: coroutines that wait for talk.py's calls
    held.py         the members that one node holds · member_control.py  what operators ask of them
    at_rest.py      what is done to the directories of a node that does not run
    script*.py      the script language of Raft's own tests

Real processes on this machine (asyncio may be used):

    runtime.py      the only place that makes clocks, randomness, disks, process ids
    events.py       the one file of all that happened in it
    transport.py    messages between nodes
    proxy*.py       what stands between them and breaks links · shaping.py  a fault in a stream
    node.py         a process: the groups of one node, its HTTP API (http.py)
    supervisor.py   the process that starts nodes, breaks links and writes the event file
    etcd*.py        the same with etcd's own members
    member_commands.py, group_commands.py, operating.py  what is typed, run by a loop (pace.py)
    node_talk.py    asks our nodes · etcd_members.py  who is in a group of etcds, changed
    node_disk.py    a node's disk that fails on command, and dies with the power
    hands.py        does faults to a lab · playing.py  does any deed · claims.py  judges claims
    scenario_run.py, nemesis_run.py  a scenario played, a nemesis let loose
    oracle.py, agreed.py  what a group's own logs say was committed, and how far
    client.py       asks nodes as a client does; what became of a request is an `Answer`
    client_events.py  what a client did, as events · load.py  clients that ask all the time
    answers.py      ... and what there is to tell of it
    copying/        a lab from copies of members that are somebody's
    closed.py, trial.py  a place without a network; a trial start in it

Nothing here decides about Raft (that is `walctl.raft`), about bytes (`formats`) or about whether a
history is right (`walctl.checker`).
"""

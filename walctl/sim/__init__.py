"""The simulator: a whole cluster in one thread, under virtual time, chance that can be had again,
and disks, links and clocks that fail as they are told.

    chance, clockwork        numbers from a seed; the queue of what is to happen
    disk, ledger, network    what can go wrong; what is durable, told from the bytes alone
    site, clients, world     nodes with the shipped members, requests, and all of it together
    planning, mischief       a run from a seed: a scenario whose commands have their moments
    play, claims, loads      a scenario played; `converging` is its second phase
    operators, errands       the shipped flows that change members and move groups
    watching, onlooker       from what happens to the promises of `walctl.checker`
    safeguards               protections, and what a cluster is without one of them
    run, shrink, diagram     many seeds; the least that still fails; a picture

Nothing that a cluster does is written a second time here: members, logs, snapshots, recovery and
repair are those that ship, and none of them knows that it is simulated. No `asyncio`, no clock, no
thread, no source of chance but `chance`.
"""

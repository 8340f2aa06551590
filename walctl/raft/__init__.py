"""Raft itself, sans I/O: values in, values out; no file, socket, clock, thread or randomness.

Whoever drives a node talks to `rawnode` alone. Each rule stands in one place; the paper is Ongaro
and Ousterhout's "In Search of an Understandable Consensus Algorithm" (extended version), the
thesis Ongaro's.

    rule                                                          where it stands
    ------------------------------------------------------------  -------------------------------
    paper 5.1   a higher term makes a follower                    core.Raft.step
    paper 5.1   a lower term is not heard                         core.Raft.step
    paper 5.2   an election is called after a random timeout      core.Raft.tick
    paper 5.2   one vote a term, first come first served          election.can_grant
    paper 5.2   a majority makes a leader                         quorum.vote_result
    paper 5.3   the leader appends, and never takes back          leader.append_entries
    paper 5.3   an append fits behind what the follower has       log.Log.accept
    paper 5.3   only a conflict truncates                         log.Log.accept
    paper 5.3   a rejection says where the logs may meet          log.Log.meeting_point
    paper 5.3   what a majority has is committed                  quorum.committed_index
    paper 5.4.1 only an up-to-date log gets a vote                log.Log.is_up_to_date
    paper 5.4.2 only an entry of its own term is counted          log.Log.commit_in_term
    paper 5.5   whoever does not answer is asked again            leader.broadcast_heartbeat
    paper 6     two majorities while the membership changes       quorum.joint_committed_index
    paper 6     one change at a time                              leader._is_refused
    paper 6     a leader that removed itself                      core.Raft._switch_to
    paper 7     a snapshot for whoever lags behind the log        leader._send_snapshot
    paper 7     a snapshot takes the place of a log               follower.restore
    paper 8     an entry of the new term first                    core.Raft.become_leader
    paper 8     reading without writing                           leader._read_index
    thesis 3.10 leadership is handed over                         leader._transfer
    thesis 4.1  one voter at a time                               confchange.Changer.simple
    thesis 4.2.1 a learner catches up without a vote              tracker.Config
    thesis 4.2.3 who hears a leader does not vote                 core.Raft.is_in_lease
    thesis 4.3  joint consensus, entered and left                 confchange.Changer.enter_joint
    thesis 6.2  a leader without a quorum steps down              leader._check_quorum
    thesis 6.4  a quorum confirms a read                          readonly.Reads.confirm
    thesis 6.4.1 or the leader's lease does                       leader._process_read
    thesis 9.6  a vote is tried before the term is raised         election.campaign
    thesis 10.2 entries are written while they are sent           rawnode.RawNode.ready
    durable before it is promised                                 core.Raft.queue
"""

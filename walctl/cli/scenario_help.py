"""The language of scenarios as help tells it; `walctl.cluster.scenario` reads it."""

LANGUAGE = """\
\b
Commands:
  cluster N [groups=g1,g2] [engine=walctl|etcd|sim] [tick=20ms]
      [election=300ms] [snapshot-count=N] [prevote=on|off]
      [checkquorum=on|off] [check=all] [seed=0x2f] [budget=on|off]
      [net=1ms±500us] [sync=500us±200us] [segment=16KiB] [catch-up=N]
      [message=1MiB]
  at 1.2s COMMAND        so long after the beginning; nobody waits for what
      comes of it, and moments never go back
  put K V · get K [read=index|lease|local] · del K · cas K OLD NEW
      [via=n2] [group=g1] [client=3]
  propose n1 K=V · campaign n1 · transfer n2 · snapshot n1 · compact n1
  stabilize              one leads, and all have what it has committed
  cut, isolate, split, bridge, ring, delay, loss, dup, reorder, slow, heal
      as walctl cluster net has them; [type=MsgApp,MsgVote]
  message n1->n2 MsgApp term=3 nth=2 drop|dup|late=30ms|again=2s
  kill n1 [mode=torn] [call=3] [keep=0,1|none]
  pause · resume · stop · start · restart n1
  disk n1 … · clock n1 … as walctl cluster disk and clock have them; also
      disk n1 latent, disk n1 stale, disk n1 misdirect
  wipe n1 · keep n1 [NAME] · rewind n1 [NAME]
  member add [n4] [learner] · member promote n4 · member remove n1
  group add g3 on=n1,n2 · group move g2 from=n1 to=n4 · group drop g3
  load [clients=5] [rate=100|max] [keys=10] for 5s [&]
  repair n1 [from=n2,n3] [force] · twin n1 as=n9 · converge [n1,n2]
  run for 5s · run until CLAIM [within 10s] · expect CLAIM

\b
Claims:
  leader · leader(n1) · up(n1) · role(n1)=follower
  term(n1)>=3 · commit(n1)>=10 · applied(n1)=12
  elections<=3           how often a node became leader until now
  value K=V · value K absent · committed(n1) has K=V
  committed(n1) lacks K · ok · fail · unknown
  linearizable · digests equal · violation · violation I7|I1
  verify clean · verify harmless
  exit(n1) [has "WORDS"]      its process has ended, and said that
  refused(n1) [has "WORDS"]   it did not start because of its files
  finding(n1) crc-mismatch    verify of a stopped node reports that
  plan(n1) free|loss-possible|loss-proven|nothing
                              what a repair of a stopped node would cost
  not CLAIM

A node is n1 or 1, or leader, follower or random: whoever that is then.

The simulator alone knows message, repair, twin, converge, type=, call=, keep= and the disks
latent, stale and misdirect: processes refuse them. They leave out seed, budget, sync and message
of a cluster, and etcds segment and catch-up; net is a delay on the links they begin with.

The comment at the top says what it is about. Lines of it may begin with Source:, Tags:, Expect:
(what is right) and Without SAFEGUARD: I4 I5 -- WORDS (what goes wrong without it)."""

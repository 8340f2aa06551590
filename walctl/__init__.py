"""walctl: inspect, verify and explain the write-ahead log of a Raft member."""

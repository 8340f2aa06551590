"""Logs into state: a data directory as Raft's storage. It judges no damage and mends none."""

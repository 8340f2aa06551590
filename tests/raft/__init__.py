"""Raft: the rules of paper and thesis, hostile worlds, and every protection taken away."""

"""Raft itself, sans I/O: values in, values out; no file, socket, clock, thread or randomness."""

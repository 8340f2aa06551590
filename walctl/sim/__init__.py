"""What is simulated around the Raft that ships; so far its safeguards, which can be taken away.

No second implementation of anything lives here, and nothing that a server needs.
"""

"""Answers about what is on a disk; reads, and never writes."""

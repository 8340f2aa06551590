"""Tests of the answers: verify, doctor, stats, select, explain."""

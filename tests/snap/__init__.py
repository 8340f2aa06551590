"""Tests of snapshot files."""

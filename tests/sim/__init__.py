"""Tests of the write-ahead log's reader."""

"""Tests of the bbolt reader."""

"""Tests of the byte layouts."""

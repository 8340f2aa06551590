"""Tests of what payloads say."""

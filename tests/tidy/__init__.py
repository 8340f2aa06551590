"""Tests of the source itself: layers, bans, sizes."""

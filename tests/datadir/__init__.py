"""Tests of one member's directory seen whole."""

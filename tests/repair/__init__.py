"""Tests of walctl.repair."""

"""Tests of walctl.sim."""

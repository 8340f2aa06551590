"""Tests of walctl.cluster."""

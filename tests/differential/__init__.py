"""Tests against a real etcd and its tools."""

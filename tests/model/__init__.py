"""Tests of records, findings and logs."""

"""Tests of the file-system seam."""

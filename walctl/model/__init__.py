"""Records, findings and logs as values: knows no format and no file."""

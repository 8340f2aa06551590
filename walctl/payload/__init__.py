"""What an entry's payload says to the program that owns the log, and what may be shown of it."""

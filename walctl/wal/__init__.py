"""The write-ahead log: names, scan, forensics, the owner's view. No snapshot files, no db."""

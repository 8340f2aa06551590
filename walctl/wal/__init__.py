"""The write-ahead log: segment names, scan, forensics, the owner's view. No snapshot files, no db."""

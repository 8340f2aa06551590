"""The only way to touch a disk: a protocol, the system's files, and a disk in memory."""

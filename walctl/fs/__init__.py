"""The only way to touch a disk: one protocol, the operating system's files, and a disk in memory."""

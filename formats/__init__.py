"""Byte layouts of etcd's files: definitions and codecs, nothing of files or policy."""

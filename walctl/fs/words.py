"""The system's reasons, as strerror has them: a message from any disk then says the same."""

MISSING = "No such file or directory"
NOT_A_DIRECTORY = "Not a directory"
IS_A_DIRECTORY = "Is a directory"
NOT_EMPTY = "Directory not empty"
NOT_PLAIN = "Not a plain file"
EXISTS = "File exists"
LINK_LOOP = "Too many levels of symbolic links"
PERMISSION_DENIED = "Permission denied"
IO_ERROR = "Input/output error"
NO_SPACE = "No space left on device"
CLOSED = "Bad file descriptor"
INVALID = "Invalid argument"
TOO_LARGE = "File too large"
BUSY = "Device or resource busy"

# Where the system has no words, or misleading ones.

IS_A_LINK = "Is a symbolic link"
LOCKED = "Locked by another process"
DIFFERENT_FILE_SYSTEMS = "They lie on different file systems"
NO_EXCHANGE = "This file system cannot exchange two names in one step"

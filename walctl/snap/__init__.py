"""The folder `snap/` of a member, read-only: its names, and what one `.snap` file says."""

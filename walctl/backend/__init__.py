"""The bbolt database of a member, read-only: pages and trees, and on top of them etcd's names."""

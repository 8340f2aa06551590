"""Every upper bound on what bytes from outside may ask for; imports nothing."""

VARINT_BYTES_MAX = 10
"""A 64-bit varint; gogo stops there with `proto: integer overflow`."""

NESTING_MAX = 64
"""Messages or groups inside one another; the deepest legal one in etcd is a nested transaction."""

FIELDS_MAX = 1 << 16
"""Fields of one message, repeated elements included."""

RECORD_BYTES_MAX = 64 << 20
"""A WAL record longer than this is not read: it would fill a segment of the usual size alone."""

RESYNC_BYTES_MAX = 2 << 30
"""Bytes that the searches for the next whole frame may read, for one segment."""

CHAIN_FRAMES_MAX = 1000
"""Frames that are followed to tell a log from one that lies inside a value."""

MESSAGE_BYTES_MAX = 1 << 30
"""A protobuf message (a record's payload, a `.snap`) longer than this is not parsed."""

SNAP_FILE_BYTES_MAX = 1 << 30
"""A `.snap` file longer than this is not read; real ones hold a v2 store, some kilobytes."""

WINDOW_BYTES = 4 << 20
"""Bytes of a segment that are held at a time while it is scanned."""

FLIP_SEARCHES_MAX = 64
"""Damaged places of one segment for which the one wrong bit is looked for."""

DAMAGES_MAX = 1000
"""Damaged places of one segment that are told apart; behind the last the segment is given up."""

FLIP_SEARCH_BYTES_MAX = 16 << 20
"""Longest data in which the one bit that explains a checksum is looked for."""

DB_PAGE_BYTES_MAX = 1 << 16
"""Largest page size that bbolt uses (the operating system's page)."""

DB_DEPTH_MAX = 64
"""Levels of a bbolt tree, nested buckets included."""

DB_OVERFLOW_BYTES_MAX = 1 << 30
"""One bbolt page with its overflow pages."""

FINDINGS_MAX = 10_000
"""Findings kept for one path; more are counted, and the report says so."""

DB_MEMBERS_MAX = 10_000
"""Rows of the buckets with members that are read."""

DB_JSON_BYTES_MAX = 1 << 20
"""JSON in one value of the database."""

SNAP_STORE_BYTES_MAX = 64 << 20
"""A v2 store longer than this is not parsed; without v2 user keys it has some kilobytes."""

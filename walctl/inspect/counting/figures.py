"""The figures of a part of a log: values that cross processes and are merged in file order.

Bytes of records are those of whole frames, length field and padding included, so that they add up
to the log; bytes of keys are those of keys and values; sizes of entries are those of their payload.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from walctl.inspect.counting.tally import Tally

TERMS_MAX = 1000
"""Terms that are told apart; a log with more has been made to have them."""
EVENTS_MAX = 1000
"""Steps of the timeline that are kept."""
TYPES_MAX = 1000
"""Types of requests that are told apart: a decoder may call each payload something else."""
OTHER_TYPE = "other"

KEYS_KEPT = 20_000
PREFIXES_KEPT = 5_000
LEASES_KEPT = 5_000
"""Rows that a tally keeps when it had twice as many."""

REQUEST_BYTES_DEFAULT = 1_572_864
"""etcd refuses larger requests, unless `--max-request-bytes` says otherwise."""
RECORD_BYTES_OLD = 10 << 20
"""Records of so many bytes, padding included, are not read by etcd 3.4 and 3.5.0-3.5.4."""
NEAR = 0.9
"""How much of a limit is near it."""


@dataclass(slots=True)
class Amount:
    """How many, and their bytes."""

    count: int = 0
    bytes: int = 0

    def add(self, count: int, size: int) -> None:
        """Add so many, with so many bytes together."""
        self.count += count
        self.bytes += size


@dataclass(frozen=True, slots=True, kw_only=True)
class Big:
    """An entry, by its payload's bytes and where it is."""

    size: int
    index: int
    term: int
    segment: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of the timeline: a hard state with another term or vote than the one before, or the
    first entry of a term; `index` is the entry's, or that of the last one in front of the state.

    `is_empty` is set for an entry without data: what a new leader begins with.
    """

    kind: str
    segment: str
    offset: int
    index: int
    term: int
    vote: int = 0
    commit: int = 0
    is_empty: bool = False


STATE = "state"
ENTRY = "entry"


@dataclass(slots=True, kw_only=True)
class TermFigures:
    """One term's entries; `first` and `last` are the lowest and highest index."""

    entries: Amount = field(default_factory=Amount)
    first: int = 0
    last: int = 0

    def covers(self, first: int, last: int) -> None:
        """Widen the range of indexes."""
        self.first = min(self.first or first, first)
        self.last = max(self.last, last)


@dataclass(slots=True, kw_only=True)
class Churn:
    """What the requests do to keys and leases, by number."""

    puts: int = 0
    deletes: int = 0
    range_deletes: int = 0
    writes: int = 0
    """Requests that ask for a change of keys, but for v2's: each that succeeds is a revision."""
    granted: int = 0
    revoked: int = 0
    checkpoints: int = 0

    def merge(self, other: "Churn") -> None:
        """Add another part's."""
        self.puts += other.puts
        self.deletes += other.deletes
        self.range_deletes += other.range_deletes
        self.writes += other.writes
        self.granted += other.granted
        self.revoked += other.revoked
        self.checkpoints += other.checkpoints


@dataclass(slots=True, kw_only=True)
class Limits:
    """Entries near and beyond what etcd takes or reads."""

    requests_near: int = 0
    requests_beyond: int = 0
    records_near: int = 0
    records_beyond: int = 0

    def merge(self, other: "Limits") -> None:
        """Add another part's."""
        self.requests_near += other.requests_near
        self.requests_beyond += other.requests_beyond
        self.records_near += other.records_near
        self.records_beyond += other.records_beyond

    def add(self, *, payload_bytes: int, record_bytes: int) -> None:
        """Look at one entry; `record_bytes` with padding."""
        if payload_bytes > REQUEST_BYTES_DEFAULT:
            self.requests_beyond += 1
        elif payload_bytes > NEAR * REQUEST_BYTES_DEFAULT:
            self.requests_near += 1
        if record_bytes >= RECORD_BYTES_OLD:
            self.records_beyond += 1
        elif record_bytes >= NEAR * RECORD_BYTES_OLD:
            self.records_near += 1


@dataclass(slots=True, kw_only=True)
class Figures:
    """Everything that is counted in a part of a log.

    `sizes` is by the number of bits of the payload's size: 0 for none, 1 for one byte, 2 for two
    and three, and so on. `events` beyond `EVENTS_MAX` are only counted, in `events_left`.
    """

    records: dict[str, Amount] = field(default_factory=dict)
    requests: dict[str, Amount] = field(default_factory=dict)
    sizes: dict[int, Amount] = field(default_factory=dict)
    terms: dict[int, TermFigures] = field(default_factory=dict)
    terms_left: int = 0
    """Entries of terms beyond `TERMS_MAX`."""
    keys: Tally[bytes] = field(default_factory=partial(Tally[bytes], KEYS_KEPT))
    prefixes: Tally[bytes] = field(
        default_factory=partial(Tally[bytes], PREFIXES_KEPT, by_bytes=True)
    )
    leases: Tally[int] = field(default_factory=partial(Tally[int], LEASES_KEPT))
    churn: Churn = field(default_factory=Churn)
    limits: Limits = field(default_factory=Limits)
    biggest: list[Big] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    events_left: int = 0
    said: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Term and vote of the last step of each kind."""
    overwritten: int = 0
    """Entries that a later one with the same index, or a lower one, has replaced."""
    undecodable: int = 0
    """Payloads that are not what their decoder reads."""
    payload_bytes: int = 0
    padding_bytes: int = 0
    first_index: int = 0
    last_index: int = 0

    @property
    def entries(self) -> Amount:
        """All entry records."""
        return self.records.get("entry", Amount())

    @property
    def all_records(self) -> Amount:
        """All records."""
        each = self.records.values()
        return Amount(sum(one.count for one in each), sum(one.bytes for one in each))

    def covers(self, first: int, last: int) -> None:
        """Widen the range of indexes of the entries."""
        self.first_index = min(self.first_index or first, first)
        self.last_index = max(self.last_index, last)

    def add_request(self, name: str, count: int, size: int) -> None:
        """Count requests of a type, of so many bytes of records together."""
        if name not in self.requests and len(self.requests) >= TYPES_MAX:
            name = OTHER_TYPE
        self.requests.setdefault(name, Amount()).add(count, size)

    def add_term(self, term: int, *, first: int, last: int, entries: Amount) -> None:
        """Count entries of a term."""
        found = self.terms.get(term)
        if found is None:
            if len(self.terms) >= TERMS_MAX:
                self.terms_left += entries.count
                return
            found = self.terms[term] = TermFigures()
        found.entries.add(entries.count, entries.bytes)
        found.covers(first, last)

    def add_event(self, event: Event) -> None:
        """Put one more step behind the others, if it is one from the last of its kind."""
        said = (event.term, event.vote)
        if self.said.get(event.kind) == said:
            return
        self.said[event.kind] = said
        if len(self.events) < EVENTS_MAX:
            self.events.append(event)
        else:
            self.events_left += 1

    def keep_biggest(self, found: Iterable[Big], count: int) -> None:
        """Keep the biggest entries; of equal ones those that came first."""
        ranked = sorted([*self.biggest, *found], key=lambda big: -big.size)
        self.biggest = list(islice(ranked, count))

    def merge(self, other: "Figures", *, top: int) -> None:
        """Add the figures of the part of the log that follows."""
        for name, amount in other.records.items():
            self.records.setdefault(name, Amount()).add(amount.count, amount.bytes)
        for name, amount in other.requests.items():
            self.add_request(name, amount.count, amount.bytes)
        for bits, amount in other.sizes.items():
            self.sizes.setdefault(bits, Amount()).add(amount.count, amount.bytes)
        for term, each in other.terms.items():
            self.add_term(term, first=each.first, last=each.last, entries=each.entries)
        for event in other.events:
            self.add_event(event)
        self.keep_biggest(other.biggest, top)
        self.keys.merge(other.keys)
        self.prefixes.merge(other.prefixes)
        self.leases.merge(other.leases)
        self.churn.merge(other.churn)
        self.limits.merge(other.limits)
        self.terms_left += other.terms_left
        self.events_left += other.events_left
        self.overwritten += other.overwritten
        self.undecodable += other.undecodable
        self.payload_bytes += other.payload_bytes
        self.padding_bytes += other.padding_bytes
        if other.last_index:
            self.covers(other.first_index, other.last_index)

"""HashKV from the rows of a database, held to the machine's own."""

from hypothesis import given
from hypothesis import strategies as st

from tests.backend.images import DB, buckets, disk
from walctl.inspect.comparing.hashes import hash_rows
from walctl.machine.keyrow import key_row
from walctl.machine.lease import Lessor
from walctl.machine.mvcc import NEVER, Store

# What is asked of a key space: a key to write, a key to take away, or a compaction so far back.
ASKED = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("delete"), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("compact"), st.integers(0, 3)),
    ),
    max_size=14,
)


def store_of(asked: list[tuple[str, object]], *, compacts: bool = True) -> Store:
    store = Store(Lessor())
    for what, which in asked:
        if what == "compact":
            assert isinstance(which, int)
            at = store.revision - which
            if compacts and at > max(store.compacted, 1):
                store.compact(at)
            continue
        assert isinstance(which, bytes)
        if what == "put":
            store.put(which, b"v%d" % store.revision, 0)
        else:
            store.delete(which)
        store.commit()
    return store


def hashed(store: Store, *, revision: int, compacted: int) -> int:
    rows = dict(key_row(row) for row in store.rows())
    image = buckets({b"key": rows}) if rows else buckets({b"meta": {b"x": b"y"}})
    with disk(image).open(DB) as file:
        return hash_rows(file, revision=revision, compacted=compacted)


@given(ASKED, st.integers(0, 4))
def test_the_hash_of_rows_is_that_of_the_machine(
    asked: list[tuple[str, object]], back: int
) -> None:
    store = store_of(asked)
    at = max(store.revision - back, store.compacted, 1)
    found = hashed(store, revision=at, compacted=store.compacted)
    assert found == store.hash(at).hash


@given(ASKED)
def test_a_key_space_hashes_as_if_it_were_compacted_as_another_one(
    asked: list[tuple[str, object]],
) -> None:
    compacted, whole = store_of(asked), store_of(asked, compacts=False)
    at, limit = compacted.revision, compacted.compacted
    if limit == NEVER or not whole.range(b"\0", b"\0", revision=at):
        return  # with nothing there every row that is left counts
    assert hashed(whole, revision=at, compacted=limit) == compacted.hash(at).hash

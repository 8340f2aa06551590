"""The end of the log that is not on the disk yet: what was replaced meanwhile is not durable."""

from tests.raft.harness import log_of
from walctl.raft.types import ConfState, Entry, Snapshot
from walctl.raft.unstable import Unstable


def unstable(*terms: int) -> Unstable:
    made = Unstable(1)
    made.truncate_and_append(log_of(*terms))
    return made


def test_an_entry_that_was_replaced_is_not_durable_though_its_index_was_written() -> None:
    here = unstable(1, 1)
    here.accept_in_progress()
    here.truncate_and_append([Entry(2, 2)])
    here.stable_to(term=1, index=2)
    assert (here.offset, len(here.entries)) == (1, 2)
    here.stable_to(term=2, index=2)
    assert (here.offset, here.entries) == (3, [])


def test_what_was_handed_out_is_not_handed_out_again_until_it_is_replaced() -> None:
    here = unstable(1, 1, 1)
    here.accept_in_progress()
    assert here.next_entries() == []
    here.truncate_and_append([Entry(2, 2)])
    assert [entry.index for entry in here.next_entries()] == [2]


def test_a_list_that_was_handed_out_stays_as_it_is() -> None:
    here = unstable(1, 1, 1)
    handed = here.next_entries()
    here.truncate_and_append([Entry(2, 2)])
    here.truncate_and_append([Entry(2, 3)])
    assert [entry.term for entry in handed] == [1, 1, 1]


def test_a_snapshot_takes_the_place_of_all_entries() -> None:
    here = unstable(1, 1)
    here.restore(Snapshot(index=9, term=3, conf_state=ConfState(voters=(1,))))
    assert (here.first_index(), here.last_index(), here.term(9)) == (10, 9, 3)
    here.accept_in_progress()
    assert here.next_snapshot() is None
    here.stable_snapshot_to(8)
    assert here.snapshot is not None
    here.stable_snapshot_to(9)
    assert here.snapshot is None

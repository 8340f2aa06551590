"""What the members' logs say of a history."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from walctl.checker.history import Fate, Function, History, Operation, Value, numbered
from walctl.checker.linearizable import Limits, Verdict, check
from walctl.checker.settle import CommittedLog, Doubt, Logged, Settled, settle, with_logs

PUT, GET, CAS, DELETE = Function.PUT, Function.GET, Function.CAS, Function.DELETE


def asked(
    call: int,
    end: int | None,
    function: Function,
    value: Value = None,
    *,
    index: int | None = None,
    expected: Value = None,
) -> Operation:
    """An operation on the one key; of a get `value` is what it saw, and no end is no answer."""
    is_read = function is GET
    return Operation(
        number=0,
        client="c",
        function=function,
        key=b"k",
        group="g",
        call=call,
        end=end,
        fate=Fate.UNKNOWN if end is None else Fate.OK,
        value=None if is_read else value,
        output=value if is_read else None,
        expected=expected,
        index=index,
    )


def history(*operations: Operation) -> History:
    """They, by their calls."""
    return History(numbered(operations))


def log(*entries: tuple[int, Value], first: int = 1, is_done: bool | None = True) -> CommittedLog:
    """A log of the one key."""
    writes = tuple(Logged(index=at, key=b"k", value=it, is_done=is_done) for at, it in entries)
    last = max((at for at, _ in entries), default=first)
    return CommittedLog(group="g", first=first, last=last, writes=writes)


def doubts(settled: Settled) -> list[tuple[Doubt, int]]:
    """What is doubted, of which operation."""
    return [(each.doubt, each.operation.number) for each in settled.contradictions]


def test_an_unknown_write_that_the_log_has_is_done_before_what_stands_behind_it() -> None:
    asked_for = history(
        asked(1, None, PUT, b"a"), asked(10, 20, PUT, b"b", index=5), asked(30, 40, GET, b"a")
    )
    settled = settle(asked_for, [log((4, b"a"), (5, b"b"))])
    assert (settled.found, settled.absent, settled.left) == (1, 0, 0)
    first = settled.history.operations[0]
    assert (first.fate, first.end, first.index) == (Fate.OK, 20, 4)
    # By the clients alone a may have come late; the log says that it came before b.
    assert check(asked_for).verdict is Verdict.LINEARIZABLE
    assert check(settled.history, is_ordered=True).verdict is Verdict.NOT_LINEARIZABLE


def test_an_unknown_write_that_no_log_has_never_happened() -> None:
    asked_for = history(asked(1, None, PUT, b"a"), asked(10, 20, GET, b"a"))
    settled = settle(asked_for, [log()])
    assert (settled.found, settled.absent) == (0, 1)
    assert len(settled.history.operations) == 1
    assert check(asked_for).verdict is Verdict.LINEARIZABLE
    assert check(settled.history).verdict is Verdict.NOT_LINEARIZABLE


def test_an_acknowledged_write_that_no_log_has_is_a_finding_whatever_was_read() -> None:
    asked_for = history(asked(1, 2, PUT, b"a", index=3), asked(10, 20, PUT, b"b", index=4))
    settled = settle(asked_for, [log((4, b"b"))])
    assert doubts(settled) == [(Doubt.ACKED_NOT_IN_LOG, 0)]
    assert check(settled.history, is_ordered=True).verdict is Verdict.LINEARIZABLE
    both = with_logs(asked_for, [log((4, b"b"))], Limits())
    assert both.verdict is Verdict.NOT_LINEARIZABLE


def test_a_write_without_an_index_is_found_by_its_value() -> None:
    settled = settle(history(asked(1, 2, PUT, b"a")), [log((9, b"a"))])
    assert doubts(settled) == []
    assert settled.history.operations[0].index == 9


def test_an_index_that_the_log_contradicts_is_a_finding() -> None:
    settled = settle(history(asked(1, 2, PUT, b"a", index=3)), [log((4, b"a"))])
    assert doubts(settled) == [(Doubt.INDEX_DIFFERS, 0)]


def test_a_request_that_is_in_the_log_twice_is_a_finding_answered_or_not() -> None:
    once = history(asked(1, 2, PUT, b"a", index=3))
    assert doubts(settle(once, [log((3, b"a"), (7, b"a"))])) == [(Doubt.LOGGED_TWICE, 0)]
    lost = history(asked(1, None, PUT, b"a"))
    assert doubts(settle(lost, [log((3, b"a"), (7, b"a"))])) == [(Doubt.LOGGED_TWICE, 0)]


def test_deletes_look_alike_and_are_counted_not_doubted() -> None:
    asked_for = history(asked(1, 2, DELETE, index=3), asked(5, None, DELETE))
    settled = settle(asked_for, [log((3, None), (7, None))])
    assert (settled.found, doubts(settled)) == (1, [])
    assert settle(asked_for, [log((3, None))]).absent == 1


def test_of_several_that_look_alike_the_log_settles_none() -> None:
    asked_for = history(asked(1, None, PUT, b"a"), asked(2, None, PUT, b"a"))
    settled = settle(asked_for, [log((3, b"a"))])
    assert (settled.found, settled.absent, settled.left) == (0, 0, 2)
    assert settled.history == asked_for


def test_what_was_told_to_have_failed_and_is_done_in_the_log_is_a_finding() -> None:
    refused = replace(asked(1, 2, PUT, b"a"), fate=Fate.FAIL)
    missed = replace(asked(3, 4, CAS, b"b", expected=b"x"), fate=Fate.FAIL, is_mismatch=True)
    asked_for = history(refused, missed)
    settled = settle(asked_for, [log((3, b"a"))])
    assert doubts(settled) == [(Doubt.FAILED_IN_LOG, 0)]
    assert settled.contradictions[0].index == 3
    assert doubts(settle(asked_for, [log((3, b"b"))])) == [(Doubt.FAILED_IN_LOG, 1)]
    assert with_logs(asked_for, [log((3, b"a"))], Limits()).verdict is Verdict.NOT_LINEARIZABLE
    for unknown in (False, None):
        assert doubts(settle(asked_for, [log((3, b"b"), is_done=unknown)])) == []
    assert doubts(settle(asked_for, [log()])) == []


def test_a_delete_that_failed_may_be_somebody_elses_in_the_log() -> None:
    refused = replace(asked(1, 2, DELETE), fate=Fate.FAIL)
    assert doubts(settle(history(refused), [log((3, None))])) == []
    again = history(replace(asked(1, 2, PUT, b"a"), fate=Fate.FAIL), asked(3, 4, PUT, b"a"))
    assert doubts(settle(again, [log((3, b"a"))])) == []


def test_the_order_of_the_log_must_be_one_that_time_allows() -> None:
    asked_for = history(asked(1, 2, PUT, b"a", index=6), asked(5, 9, PUT, b"b", index=4))
    settled = settle(asked_for, [log((4, b"b"), (6, b"a"))])
    assert doubts(settled) == [(Doubt.LOG_ORDER, 1)]
    (found,) = settled.contradictions
    assert found.other is not None
    assert (found.index, found.other.number) == (4, 0)


def test_what_a_compacted_log_no_longer_has_is_not_judged() -> None:
    asked_for = history(
        asked(1, 2, PUT, b"a", index=3),
        asked(3, None, PUT, b"b"),
        asked(10, 20, PUT, b"c", index=8),
        asked(30, None, PUT, b"d"),
        asked(31, 40, PUT, b"e", index=9),
    )
    settled = settle(asked_for, [log((8, b"c"), first=8)])
    assert (settled.found, settled.absent, settled.left) == (0, 1, 1)
    assert doubts(settled) == [(Doubt.ACKED_NOT_IN_LOG, 4)]


def test_a_cas_whose_condition_did_not_hold_in_the_log_did_nothing() -> None:
    lost = asked(5, None, CAS, b"b", expected=b"x")
    asked_for = history(asked(1, 2, PUT, b"a", index=3), lost, asked(9, 10, PUT, b"c", index=7))
    entries = ((3, b"a"), (4, b"b"), (7, b"c"))
    found = settle(asked_for, [log(*entries, is_done=False)]).history.operations[1]
    assert (found.fate, found.is_mismatch, found.index) == (Fate.FAIL, True, 4)
    found = settle(asked_for, [log(*entries)]).history.operations[1]
    assert (found.fate, found.end) == (Fate.OK, 10)
    found = settle(asked_for, [log(*entries, is_done=None)]).history.operations[1]
    assert (found.fate, found.index) == (Fate.UNKNOWN, 4)


def test_groups_without_a_log_and_entries_of_others_change_nothing() -> None:
    asked_for = history(asked(1, None, PUT, b"a"))
    other = replace(log((3, b"a")), group="other")
    settled = settle(asked_for, [other])
    assert (settled.history, settled.left, settled.foreign) == (asked_for, 1, 1)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2)), max_size=20))
def test_a_correct_store_and_its_log_never_contradict(
    wishes: list[tuple[bool, bool, int]],
) -> None:
    state: Value = None
    entries: list[tuple[int, Value]] = []
    operations = []
    for at, (is_read, is_lost, width) in enumerate(wishes, 1):
        span = 10 * at - 10 * width, 10 * at + 10 * width
        if is_read:
            operations.append(asked(*span, GET, state))
            continue
        value = b"%d" % at
        is_done = not is_lost or width > 0
        if is_done:
            state = value
            entries.append((at, value))
        operations.append(
            asked(span[0], None if is_lost else span[1], PUT, value, index=None if is_lost else at)
        )
    asked_for = history(*operations)
    settled = settle(asked_for, [log(*entries)])
    assert doubts(settled) == []
    assert settled.left == 0
    if operations:
        verdict = check(settled.history, is_ordered=True).verdict
        assert verdict in (Verdict.LINEARIZABLE, Verdict.NO_OPERATIONS)

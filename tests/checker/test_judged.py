"""A verdict on a history, as a violation with its witnesses."""

from walctl.checker.history import Fate, Function, History, Operation, Value, numbered
from walctl.checker.judged import violation
from walctl.checker.linearizable import check

SECOND = 1_000_000


def asked(call: int, end: int, function: Function, value: Value, client: str) -> Operation:
    """An operation on one key, in seconds."""
    is_read = function.is_read
    return Operation(
        number=0,
        client=client,
        function=function,
        group="g1",
        key=b"x\xff",
        call=call * SECOND,
        end=end * SECOND,
        fate=Fate.OK,
        value=None if is_read else value,
        output=value if is_read else None,
    )


def test_a_stale_read_names_key_client_and_times() -> None:
    operations = (
        asked(1, 2, Function.PUT, b"one", "1"),
        asked(3, 4, Function.PUT, b"two", "1"),
        asked(5, 6, Function.GET, b"one", "2"),
    )
    found = violation(check(History(numbered(operations))))
    assert found is not None
    assert found.id == "I15"
    assert found.group == "g1"
    assert found.line == (
        r"I15 linearizability: what clients saw of x\xff has no order: get of client 2 fits nowhere"
    )
    assert found.time_us == 6 * SECOND
    assert found.witnesses[0] == (r"t=1.000000 s to t=2.000000 s: client 1: put x\xff = one")
    assert found.witnesses[-1].endswith("client 2: get x\\xff -> one: nowhere behind these")


def test_a_good_history_and_an_empty_one_are_no_violation() -> None:
    good = (asked(1, 2, Function.PUT, b"one", "1"), asked(3, 4, Function.GET, b"one", "2"))
    assert violation(check(History(numbered(good)))) is None
    assert violation(check(History(()))) is None

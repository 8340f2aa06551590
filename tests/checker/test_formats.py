"""Files into histories, whatever their format; what makes no sense is named by its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checker.brute import FUNCTIONS, histories
from walctl.checker.export import edn, porcupine
from walctl.checker.history import Fate, Function, History, HistoryError, Operation
from walctl.checker.linearizable import check
from walctl.checker.recognise import history_of

LOG = b"""\
INFO  jepsen.core - Run starting
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - 1   :invoke :cas    [3 4]
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:fail\t:cas\t[3 4]
INFO  jepsen.util - 0\t:invoke\t:read\tnil
INFO  jepsen.util - 1\t:invoke\t:write\t2
INFO  jepsen.util - 1\t:info\t:write\t:timed-out
INFO  jepsen.util - 0\t:ok\t:read\tnil
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 2\t:fail\t:read\t:timed-out
INFO  jepsen.util - 3\t:invoke\t:read\tnil
"""
EDN = rb"""{:process 0, :type :invoke, :f :append, :key "a\"b", :value "x"}
{:type :invoke :f :get :key "c" :value nil :process 1 :time 8 :extra [1 "}"]}

{:process 0, :type :ok, :f :append, :key "a\"b", :value "x"}
{:process 1, :type :ok, :f :get, :key "c", :value "\u00e9\n"}
"""
EVENTS = b"""\
{"walctl_trace":1,"tool":"0.4.0","engine":"walctl","seed":null,"scenario":null,"options":{}}
{"i":0,"t":10,"c":4,"k":"invoke","op":1,"f":"put","g":"g1","key":"x","v":"a"}
{"i":1,"t":12,"n":"n1","g":"g1","k":"role","to":"leader","term":1}
{"i":2,"t":40,"c":5,"k":"ok","op":1,"rev":7}
{"i":3,"t":30,"c":4,"k":"ok","op":1,"rev":6}
{"i":4,"t":30,"c":5,"k":"invoke","op":1,"f":"cas","g":"g1","key64":"eA==","v64":"/w==","expect":"a"}
{"i":5,"t":50,"c":4,"k":"invoke","op":2,"f":"get","g":"g1","key":"x"}
{"i":6,"t":60,"c":4,"k":"ok","op":2,"v64":"/w==","rev":7}
{"i":7,"t":61,"c":4,"k":"invoke","op":3,"f":"cas","g":"g1","key":"x","v":"c","expect":null}
{"i":8,"t":62,"c":4,"k":"fail","op":3,"rev":8}
{"i":9,"t":63,"c":4,"k":"invoke","op":4,"f":"cas","g":"g1","key":"x","v":"c","expect":"q"}
{"i":10,"t":64,"c":4,"k":"fail","op":4}
{"i":11,"t":65,"c":4,"k":"invoke","op":5,"f":"delete","g":"g1","key":"x"}
{"i":12,"t":66,"c":4,"k":"info","op":5}
{"i":13,"t":70,"c":4,"k":"invoke","op":5,"f":"get","g":"g1","key":"x"}
{"i":14,"t":71,"c":4,"k":"ok","op":5,"v":null}
"""


def told(operation: Operation) -> tuple[object, ...]:
    """What there is to an operation, without its times."""
    return (
        operation.client,
        operation.function,
        operation.fate,
        operation.expected,
        operation.value,
        operation.output,
    )


def test_a_log_of_jepsen_is_read_with_tabs_and_blanks() -> None:
    history = history_of(LOG)
    assert history.format == "jepsen log"
    ok, fail, unknown = Fate.OK, Fate.FAIL, Fate.UNKNOWN
    assert [told(each) for each in history.operations] == [
        ("0", Function.WRITE, ok, None, b"3", None),
        ("1", Function.CAS, fail, b"3", b"4", None),
        ("0", Function.READ, ok, None, None, None),
        ("1", Function.WRITE, unknown, None, b"2", None),
        ("2", Function.READ, fail, None, None, None),
        ("3", Function.READ, unknown, None, None, None),
    ]
    assert [(each.call, each.end) for each in history.operations] == [
        (3, 5), (4, 6), (7, 10), (8, None), (11, 12), (13, None),
    ]  # fmt: skip
    assert [each.is_telling for each in history.operations] == [True] * 4 + [False] * 2


def test_maps_of_edn_are_read_whatever_the_order_of_their_keys() -> None:
    history = history_of(EDN)
    assert (history.format, history.absent) == ("EDN", b"")
    first, second = history.operations
    assert (first.key, first.function, first.value, first.end) == (
        b'a"b', Function.APPEND, b"x", 4,
    )  # fmt: skip
    assert (second.key, second.output) == (b"c", "é\n".encode())


def test_our_events_are_read_by_their_times_and_other_lines_passed_by() -> None:
    history = history_of(EVENTS)
    assert history.format == "walctl events"
    assert {each.group for each in history.operations} == {"g1"}
    assert {each.key for each in history.operations} == {b"x"}
    ok, fail, unknown = Fate.OK, Fate.FAIL, Fate.UNKNOWN
    assert [(*told(each), each.index) for each in history.operations] == [
        ("4", Function.PUT, ok, None, b"a", None, 6),
        ("5", Function.CAS, ok, b"a", b"\xff", None, 7),
        ("4", Function.GET, ok, None, None, b"\xff", 7),
        ("4", Function.CAS, fail, None, b"c", None, 8),
        ("4", Function.CAS, fail, b"q", b"c", None, None),
        ("4", Function.DELETE, unknown, None, None, None, None),
        ("4", Function.GET, ok, None, None, None, None),
    ]
    assert [each.is_mismatch for each in history.operations] == [False] * 3 + [True] + [False] * 3
    assert check(history).verdict == "linearizable"


def test_a_client_that_begins_anew_leaves_what_it_asked_without_an_end() -> None:
    line = b'{"t":%d,"c":1,"k":"invoke","op":1,"f":"put","key":"x","v":"%d"}\n'
    end = b'{"t":9,"c":1,"k":"ok","op":1}\n'
    first, second = history_of(line % (1, 1) + line % (2, 2) + end).operations
    assert (first.value, first.fate, first.end) == (b"1", Fate.UNKNOWN, None)
    assert (second.value, second.fate, second.end) == (b"2", Fate.OK, 9)


def test_a_read_of_whatever_a_node_has_is_passed_by_and_the_next_of_that_client_is_not() -> None:
    asked = b'{"t":%d,"c":1,"k":"invoke","op":1,"f":"get","key":"x"%s}\n'
    end = b'{"t":%d,"c":1,"k":"ok","op":1,"v":"old"}\n'
    local = asked % (1, b',"read":"local"') + end % 2
    assert history_of(local).operations == ()
    (found,) = history_of(local + asked % (3, b"") + end % 4).operations
    assert (found.call, found.end, found.output) == (3, 4, b"old")


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf\n"])
def test_a_file_of_nothing_has_no_operations(data: bytes) -> None:
    assert history_of(data).operations == ()


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"hello\n", 1, "expected one of: jepsen log, EDN, walctl events; found none"),
        (b"\n\n[1]", 3, "found none"),
        (LOG + b"\xff\n", 14, "found a byte that is none"),
        (LOG + b"oops\n", 14, "expected 'INFO jepsen.util - PROCESS :TYPE"),
        (LOG + b"INFO  jepsen.util - 9 :ok :read 1\n", 14, "expected an invocation before"),
        (LOG + b"INFO  jepsen.util - 3 :ok :write 1\n", 14, "expected the completion of a read"),
        (LOG + b"INFO  jepsen.util - 3 :invoke :write 1\n", 14, "begins a second operation"),
        (LOG + b"INFO  jepsen.util - 7 :invoke :cas 1\n", 14, "expected [FROM TO]"),
        (LOG + b"INFO  jepsen.util - 3 :ok :read x\n", 14, "expected nil or a number"),
        (EDN + b"{:process 1", 6, "expected one map"),
        (EDN + b"{:process 1} {}", 6, "expected one map"),
        (EDN + b"{:process [1 {}]}", 6, "expected one map"),
        (EDN + b"{:process}", 6, "expected keywords with a value each"),
        (EDN + b"{:type :ok}", 6, "expected a number as :process"),
        (EDN + b"{:process 1 :type :ok :f :steal}", 6, "expected one of get, read"),
        (EDN + b"{:process 1 :type :no :f :get}", 6, "as :type"),
        (EDN + b"{:process 1 :type :invoke :f :cas :value 1}", 6, "expected [FROM TO]"),
        (EDN + b"{:process 1 :type :invoke :f :put :value [1]}", 6, "expected a string"),
        (EVENTS + b"{", 17, "expected a JSON object"),
        (EVENTS + b"[" * 100_000, 17, "nests too deep"),
        (EVENTS + b"7", 17, "expected a JSON object"),
        (EVENTS + b'{"k":"ok","op":1}', 17, "expected a whole number as 't'"),
        (EVENTS + b'{"k":"ok","op":true,"t":99}', 17, "expected a whole number as 'op'"),
        (EVENTS + b'{"k":"ok","op":1,"t":99,"c":[]}', 17, "as 'c'"),
        (EVENTS + b'{"k":"ok","op":1,"t":99,"c":77}', 17, "expected an invocation before"),
        (EVENTS + b'{"k":"invoke","op":1,"t":99,"f":"x"}', 17, "as 'f'"),
        (EVENTS + b'{"k":"invoke","op":1,"t":99,"f":"put"}', 17, "expected the value of a put"),
        (EVENTS + b'{"k":"invoke","op":1,"t":99,"f":"get","key":1}', 17, "expected text as 'key'"),
        (EVENTS + b'{"k":"invoke","op":1,"t":99,"f":"get","key64":"x"}', 17, "expected base64"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(data: bytes, line: int, words: str) -> None:
    with pytest.raises(HistoryError) as caught:
        history_of(data)
    assert caught.value.line == line
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@given(st.binary(max_size=60), st.sampled_from([LOG, EDN, EVENTS]), st.integers(0, 400))
def test_whatever_the_bytes_are_there_is_a_history_or_a_line(
    some: bytes, base: bytes, at: int
) -> None:
    try:
        history_of(base[:at] + some + base[at:])
    except HistoryError as error:
        assert error.line >= 1  # noqa: PT017 - either is right


# Exports.


@given(histories(FUNCTIONS, count_max=8))
def test_an_export_to_edn_reads_back_as_the_same_history(history: History) -> None:
    again = history_of(b"".join(edn(history)))
    kept = [each for each in history.operations if each.is_telling]
    names = {Function.GET: Function.READ, Function.PUT: Function.WRITE}
    assert [told(each)[2:] for each in again.operations] == [told(each)[2:] for each in kept]
    assert [each.function for each in again.operations] == [
        names.get(each.function, each.function) for each in kept
    ]
    assert check(again).verdict == check(History(tuple(kept))).verdict


@given(histories((Function.GET, Function.PUT, Function.APPEND), count_max=8))
def test_an_export_to_porcupine_keeps_a_good_history_good(history: History) -> None:
    """What is absent and what is empty are one there, so a bad one may look good."""
    again = history_of(b"".join(porcupine(history)))
    if check(history).verdict == "linearizable":
        assert check(again).verdict in ("linearizable", "no-operations")


@given(st.binary(max_size=8) | st.text(max_size=8).map(str.encode))
def test_any_bytes_come_through_an_export(value: bytes) -> None:
    put = Operation(
        number=0, client="a", function=Function.WRITE, key=value, call=1, end=2, fate=Fate.OK,
        value=value,
    )  # fmt: skip
    (again,) = history_of(b"".join(edn(History((put,))))).operations
    assert (again.key, again.value) == (value, value)


def test_exported_lines_look_as_the_others_write_them() -> None:
    history = history_of(EVENTS)
    lines = list(porcupine(history))
    assert lines[0] == b'{:process 0, :type :invoke, :f :put, :key "x", :value "a"}\n'
    assert b'{:process 0, :type :ok, :f :get, :key "x", :value "\\udcff"}\n' in lines
    lines = list(edn(history))
    assert lines[0] == (
        b'{:type :invoke, :f :write, :value "a", :process 0, :time 10, :index 0, :key "x"}\n'
    )
    cas = (
        b'{:type :ok, :f :cas, :value ["a" "\\udcff"], :process 1, :time 40, :index 3, :key "x"}\n'
    )
    assert cas in lines

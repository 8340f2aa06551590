"""Durations, percentages and rates: what is shown reads as the same, what is odd is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.cluster import quantities as q
from walctl.cluster.faults import PPM
from walctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [("50ms", 50_000), ("1.5s", 1_500_000), ("200us", 200), ("200 µs", 200), ("2m", 120_000_000)],
)
def test_a_duration_is_whole_microseconds(text: str, value: int) -> None:
    assert q.parse_duration(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("50ms±20ms", (50_000, 20_000)), ("50ms+-1.5ms", (50_000, 1_500)), ("1s", (1_000_000, 0))],
)
def test_a_delay_has_a_mean_and_a_spread(text: str, value: tuple[int, int]) -> None:
    assert q.parse_spread(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("10KB/s", 10_000), ("1.5MiB/s", 3 << 19), ("800B/s", 800), ("1GB/s", 10**9)],
)
def test_a_rate_is_whole_bytes_a_second(text: str, value: int) -> None:
    assert q.parse_rate(text) == value


@given(st.integers(0, q.DURATION_US_MAX))
def test_a_duration_reads_as_it_is_shown(value: int) -> None:
    assert q.parse_duration(q.show_duration(value)) == value


@given(st.integers(0, q.DURATION_US_MAX), st.data())
def test_a_spread_reads_as_it_is_shown(mean: int, data: st.DataObject) -> None:
    spread = data.draw(st.integers(0, mean))
    assert q.parse_spread(q.show_spread(mean, spread)) == (mean, spread)


@given(st.integers(0, PPM))
def test_a_percentage_reads_as_it_is_shown(value: int) -> None:
    assert q.parse_percent(q.show_percent(value)) == value


@given(st.integers(1, 10**12))
def test_a_rate_reads_as_it_is_shown(value: int) -> None:
    assert q.parse_rate(q.show_rate(value)) == value


@pytest.mark.parametrize(
    "text", ["", "50", "ms", "-1ms", "1e3ms", "0.5us", "2h", "61m", "1.0000001s", "５ms", "1ms 2ms"]
)
def test_what_is_no_duration_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"^.* expected .*$"):
        q.parse_duration(text)


@pytest.mark.parametrize("text", ["20ms±50ms", "1s±", "±1s", "1s±1s±1s", "1s±x"])
def test_what_is_no_delay_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.parse_spread(text)


@pytest.mark.parametrize("text", ["", "5", "101%", "-1%", "0.00001%", "5 percent", "100.0001%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.parse_percent(text)


@pytest.mark.parametrize("text", ["", "0B/s", "10KB", "0.5B/s", "-1KB/s", "10Kb/s", "2000GB/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.parse_rate(text)


PARSERS = (q.parse_duration, q.parse_spread, q.parse_percent, q.parse_rate)


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_usage_error_of_one_line(text: str) -> None:
    for parse in PARSERS:
        refusal = ""
        try:
            parse(text)
        except UsageError as error:
            refusal = error.message
        assert "\n" not in refusal

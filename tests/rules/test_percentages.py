"""A customer's percentage on a rate: exact, rounded up to five decimals, never to nothing."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.catalog.rules import HIGHEST_RATE_UNITS, adjusted, read_percent, read_rate, write_percent, write_rate

RATES = st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,8})?", fullmatch=True).filter(str.isascii)
PERCENTS = st.integers(min_value=-9_999, max_value=100_000)
STEP = Fraction(1, 10**5)


@given(RATES, PERCENTS)
def test_a_rate_with_a_percentage_is_exact_and_rounded_up_to_five_decimals(rate: str, percent: int) -> None:
    found = Fraction(adjusted(rate, percent))
    exact = Fraction(rate) * (10_000 + percent) / 10_000
    rounded = min(ceil(exact / STEP) * STEP, Fraction(write_rate(HIGHEST_RATE_UNITS)))
    assert found == (min(rounded, Fraction(rate)) if percent <= 0 else rounded)


@given(RATES, PERCENTS)
def test_it_is_nothing_only_where_it_was_nothing_before(rate: str, percent: int) -> None:
    assert (read_rate(adjusted(rate, percent)) == 0) == (read_rate(rate) == 0)


@given(RATES, PERCENTS)
def test_it_reads_as_a_rate_and_fits_the_column_of_the_order(rate: str, percent: int) -> None:
    text = adjusted(rate, percent)
    assert read_rate(text) >= 0
    assert len(text) <= 20


@given(RATES)
def test_without_a_percentage_it_stays_as_it_was_written(rate: str) -> None:
    assert adjusted(rate, 0) == rate


@pytest.mark.parametrize(
    ("rate", "percent", "shown"),
    [
        ("0.90", -1_000, "0.81"),
        ("8", -1_250, "7.00"),
        ("1", 1, "1.0001"),
        ("0.00001", -5_000, "0.00001"),
        ("999999999.99999999", 100_000, "999999999.99999"),
        ("0.000001", -5_000, "0.000001"),
        ("0.000001", 5_000, "0.00001"),
        ("0", 5_000, "0.00"),
    ],
)
def test_rates_as_they_print(rate: str, percent: int, shown: str) -> None:
    assert adjusted(rate, percent) == shown


@given(PERCENTS)
def test_a_percentage_is_read_as_it_is_written(percent: int) -> None:
    assert read_percent(write_percent(percent)) == percent


@pytest.mark.parametrize(
    ("text", "shown"), [("-10", "-10"), ("+2.50", "2.5"), ("0.00", "0"), ("-0.05", "-0.05"), ("1000", "1000")]
)
def test_percentages_as_they_print(text: str, shown: str) -> None:
    assert write_percent(read_percent(text)) == shown

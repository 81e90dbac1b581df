"""Rates: the operator's markup over a provider's cost, never under it."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.catalog.rules import marked_up, read_rate, write_rate

RATES = st.from_regex(r"[0-9]{1,7}(\.[0-9]{1,8})?", fullmatch=True).filter(str.isascii)
PERCENTS = st.integers(min_value=0, max_value=10_000)
EXCHANGES = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,8})?", fullmatch=True).filter(str.isascii)


@given(RATES, PERCENTS, EXCHANGES)
def test_a_selling_rate_is_cost_times_exchange_plus_markup_rounded_up(rate: str, percent: int, exchange: str) -> None:
    exact = Fraction(rate) * Fraction(exchange) * (100 + percent) / 100
    assert Fraction(marked_up(rate, percent=percent, exchange_rate=exchange)) == Fraction(ceil(exact * 10**5), 10**5)


@given(RATES, PERCENTS)
def test_nothing_is_sold_under_its_markup(rate: str, percent: int) -> None:
    assert Fraction(marked_up(rate, percent=percent)) * 100 >= Fraction(rate) * (100 + percent)


@given(RATES, PERCENTS, PERCENTS)
def test_a_higher_markup_never_sells_for_less(rate: str, a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert read_rate(marked_up(rate, percent=low)) <= read_rate(marked_up(rate, percent=high))


@given(st.integers(min_value=0, max_value=10**17 - 1))
def test_a_written_rate_reads_back_and_has_at_least_two_decimals(units: int) -> None:
    text = write_rate(units)
    assert read_rate(text) == units
    assert len(text.partition(".")[2]) >= 2


@pytest.mark.parametrize(
    ("rate", "percent", "sold"),
    [("0.90", 0, "0.90"), ("0.90", 25, "1.125"), ("8", 25, "10.00"), ("0.00001", 25, "0.00002"), ("0", 25, "0.00")],
)
def test_markups_that_can_be_checked_by_hand(rate: str, percent: int, sold: str) -> None:
    assert marked_up(rate, percent=percent) == sold


@pytest.mark.parametrize("rate", ["", "-1", "1e3", "1_0", "١", " 1", "1\n", ".5", "5.", "inf", "1" * 10, "9" * 100_000])
def test_a_cost_that_cannot_be_read_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        marked_up(rate, percent=25)

"""Money as text: plain decimals in and out, exact to the micro."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.core.money import CUSTOMER_STEP_MICROS, Money, NotMoney, format_micros, read_micros

MICROS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
AMOUNTS = st.integers(min_value=0, max_value=10**18 - 1)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (278_190, "0.27819"),
        (100_842_920, "100.84292"),
        (8_000_000, "8.00"),
        (0, "0.00"),
        (100_000, "0.10"),
        (1, "0.000001"),
        (10, "0.00001"),
        (-1, "-0.000001"),
        (-8_500_000, "-8.50"),
        (10**18, "1000000000000.00"),
    ],
)
def test_money_prints_as_the_seed_writes_it(micros: int, text: str) -> None:
    assert format_micros(micros) == text


@given(MICROS)
def test_money_never_prints_an_exponent_and_always_two_decimals(micros: int) -> None:
    text = format_micros(micros)
    whole, _, decimals = text.removeprefix("-").partition(".")
    assert whole.isascii()
    assert whole.isdigit()
    assert decimals.isdigit()
    assert 2 <= len(decimals) <= 6
    assert Fraction(text) * 1_000_000 == micros


@given(AMOUNTS)
def test_what_is_printed_reads_back(micros: int) -> None:
    assert read_micros(format_micros(micros)) == micros


@given(AMOUNTS.map(lambda micros: micros // CUSTOMER_STEP_MICROS * CUSTOMER_STEP_MICROS))
def test_a_customers_amount_prints_at_most_five_decimals_and_parses_back(micros: int) -> None:
    text = str(Money(micros))
    assert len(text.partition(".")[2]) <= 5
    assert Money.parse(text) == Money(micros)


@given(st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,8})?", fullmatch=True).filter(str.isascii))
def test_an_amount_is_read_exactly_or_not_at_all(text: str) -> None:
    exact = Fraction(text) * 1_000_000
    assert read_micros(text) == (exact if exact.denominator == 1 else None)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-1", "+1", "1.", ".5", "1e3", "1E+1000000", "1_000", "1,000.00", " 12", "12\n", "١٢", "1.2.3"),
        *("inf", "nan", "0x1", "12.345678901", "$1", "1" * 13, "9" * 100_000, "1\x00", "½"),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    assert read_micros(text) is None
    with pytest.raises(NotMoney):
        Money.parse(text)


@pytest.mark.parametrize("text", ["0.000001", "1.234567"])
def test_an_amount_finer_than_a_customers_step_is_refused(text: str) -> None:
    with pytest.raises(NotMoney):
        Money.parse(text)


def test_zeros_past_the_fifth_decimal_are_harmless() -> None:
    assert Money.parse("1.23456000") == Money(1_234_560)


@given(st.text())
def test_no_text_makes_the_money_reader_raise_anything_else(text: str) -> None:
    try:
        assert Money.parse(text).micros >= 0
    except NotMoney:
        assert read_micros(text) is None or (read_micros(text) or 0) % CUSTOMER_STEP_MICROS


@given(MICROS, MICROS)
def test_money_adds_subtracts_and_compares(a: int, b: int) -> None:
    assert Money(a) + Money(b) == Money(a + b)
    assert Money(a) - Money(b) == Money(a) + -Money(b)
    assert (Money(a) < Money(b)) == (a < b)
    assert bool(Money(a)) == bool(a)


def test_money_does_not_multiply() -> None:
    with pytest.raises(TypeError):
        Money(1) * 2  # type: ignore[operator]

"""What an order costs: the ceiling of rate × quantity, to five decimals, against exact fractions."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hawker.catalog.rules import read_rate
from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.orders.placing.rules import charge_for, cost_for

RATES = st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,8})?", fullmatch=True).filter(str.isascii)
QUANTITIES = st.integers(min_value=1, max_value=10**12)
STEP = Fraction(1, 100_000)


ONE_PACKAGE = 1


def exact_price(rate: str, quantity: int) -> Fraction:
    return Fraction(rate) * quantity / 1000


def charged(rate: str, quantity: int, *, package: bool = False, free: bool = False) -> Fraction:
    """The charge in units of the currency."""
    return Fraction(charge_for(read_rate(rate), quantity, package=package, free=free), 1_000_000)


@given(RATES, QUANTITIES)
def test_a_charge_is_the_price_rounded_up_to_five_decimals(rate: str, quantity: int) -> None:
    assert charged(rate, quantity) == max(ceil(exact_price(rate, quantity) / STEP), 1) * STEP


@given(RATES)
def test_a_package_costs_its_rate_once_rounded_up_to_five_decimals(rate: str) -> None:
    assert charged(rate, ONE_PACKAGE, package=True) == max(ceil(Fraction(rate) / STEP), 1) * STEP


@given(RATES, QUANTITIES, st.booleans())
def test_a_charge_is_never_nothing_and_always_in_a_customers_steps(rate: str, quantity: int, package: bool) -> None:
    charge = charged(rate, quantity, package=package)
    assert charge >= STEP
    assert (charge / STEP).denominator == 1


@given(RATES, QUANTITIES, st.booleans())
def test_a_free_service_costs_nothing(rate: str, quantity: int, package: bool) -> None:
    assert charged(rate, quantity, package=package, free=True) == 0


@given(RATES, QUANTITIES, QUANTITIES)
def test_more_never_costs_less_and_one_order_never_more_than_two(rate: str, a: int, b: int) -> None:
    both = charged(rate, a + b)
    assert max(charged(rate, a), charged(rate, b)) <= both <= charged(rate, a) + charged(rate, b)


@pytest.mark.parametrize(
    ("rate", "quantity", "charge"),
    [
        ("0.90", 1000, "0.9"),
        ("0.90", 50, "0.045"),
        ("8", 10, "0.08"),
        ("0.00000001", 1, "0.00001"),
        ("0", 10_000, "0.00001"),
        ("0.99", 438, "0.43362"),
        ("1.11111", 1, "0.00112"),
        ("999999999.99999999", 10**12, "999999999999999990"),
    ],
)
def test_prices_that_can_be_checked_by_hand(rate: str, quantity: int, charge: str) -> None:
    assert charged(rate, quantity) == Fraction(charge)


@given(RATES, QUANTITIES)
def test_a_cost_is_rounded_up_to_a_micro_and_fits_its_column(rate: str, quantity: int) -> None:
    exact = exact_price(rate, quantity) * 1_000_000
    assert cost_for(read_rate(rate), quantity, package=False) == min(ceil(exact), 2**63 - 1)
    assert cost_for(read_rate(rate), ONE_PACKAGE, package=True) == ceil(Fraction(rate) * 1_000_000)


@given(RATES)
def test_a_rate_is_read_exactly(rate: str) -> None:
    assert Fraction(read_rate(rate), 10**8) == Fraction(rate)


@given(st.text())
def test_what_is_no_rate_is_refused(text: str) -> None:
    assume(not text.isascii() or not text.replace(".", "", 1).isdigit())
    with pytest.raises(ValueError, match="is not a rate"):
        read_rate(text)


def test_a_charge_is_a_multiple_of_the_customers_step() -> None:
    assert STEP * 1_000_000 == CUSTOMER_STEP_MICROS

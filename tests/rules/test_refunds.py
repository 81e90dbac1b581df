"""How an order's escrow ends: refunds aim at a target, what is not refunded is earned, to the micro."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.catalog.rules import read_rate
from hawker.core.money import CUSTOMER_STEP_MICROS, format_micros
from hawker.orders.placing.rules import charge_for
from hawker.orders.refunds import Settlement, refund_target, settle
from hawker.protocol.replies import status_object
from hawker.protocol.statuses import OrderStatus

FINAL = st.sampled_from([OrderStatus.COMPLETED, OrderStatus.PARTIAL, OrderStatus.CANCELED])
CHARGES = st.integers(min_value=0, max_value=2**63 // CUSTOMER_STEP_MICROS - 1).map(lambda n: n * CUSTOMER_STEP_MICROS)
QUANTITIES = st.integers(min_value=1, max_value=10**12)
REMAINS = st.integers(min_value=-(10**13), max_value=10**13)


def settled(charge: int, quantity: int, status: OrderStatus, remains: int | None, *, before: Settlement) -> Settlement:
    return settle(
        charge_micros=charge,
        refunded_micros=before.refund_micros,
        earned_micros=before.earned_micros,
        quantity=quantity,
        status=status,
        remains=remains,
    )


NOTHING = Settlement(refund_micros=0, earned_micros=0, remains=0)


@given(CHARGES, QUANTITIES, REMAINS)
def test_a_partial_refund_is_the_undelivered_share_rounded_down(charge: int, quantity: int, remains: int) -> None:
    undelivered = min(max(remains, 0), quantity)
    exact = Fraction(charge) * undelivered / quantity
    refund = refund_target(charge, quantity, OrderStatus.PARTIAL, remains)
    assert refund <= exact < refund + CUSTOMER_STEP_MICROS
    assert refund % CUSTOMER_STEP_MICROS == 0


@given(CHARGES, QUANTITIES, FINAL, REMAINS)
def test_a_refund_is_never_more_than_the_charge(charge: int, quantity: int, status: OrderStatus, remains: int) -> None:
    assert 0 <= refund_target(charge, quantity, status, remains) <= charge


@given(CHARGES, QUANTITIES, REMAINS, REMAINS)
def test_more_undelivered_never_refunds_less(charge: int, quantity: int, a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert refund_target(charge, quantity, OrderStatus.PARTIAL, low) <= refund_target(
        charge, quantity, OrderStatus.PARTIAL, high
    )


@given(CHARGES, QUANTITIES, REMAINS)
def test_completed_refunds_nothing_and_canceled_everything(charge: int, quantity: int, remains: int) -> None:
    assert refund_target(charge, quantity, OrderStatus.COMPLETED, remains) == 0
    assert refund_target(charge, quantity, OrderStatus.CANCELED, remains) == charge


@given(CHARGES, QUANTITIES)
def test_a_partial_of_which_nothing_came_refunds_everything(charge: int, quantity: int) -> None:
    assert refund_target(charge, quantity, OrderStatus.PARTIAL, quantity) == charge
    assert refund_target(charge, quantity, OrderStatus.PARTIAL, 0) == 0


@given(CHARGES, QUANTITIES, FINAL, st.none() | REMAINS)
def test_what_is_not_refunded_is_earned(charge: int, quantity: int, status: OrderStatus, remains: int | None) -> None:
    ending = settled(charge, quantity, status, remains, before=NOTHING)
    assert ending.refund_micros + ending.earned_micros == charge
    assert ending.refund_micros >= 0
    assert ending.earned_micros >= 0
    assert 0 <= ending.remains <= quantity


@given(CHARGES, QUANTITIES, st.lists(st.tuples(FINAL, st.none() | REMAINS), max_size=5))
def test_settling_again_and_again_never_pays_more_than_the_charge(
    charge: int, quantity: int, endings: list[tuple[OrderStatus, int | None]]
) -> None:
    paid = NOTHING
    for status, remains in endings:
        step = settled(charge, quantity, status, remains, before=paid)
        assert min(step.refund_micros, step.earned_micros) >= 0
        paid = Settlement(paid.refund_micros + step.refund_micros, paid.earned_micros + step.earned_micros, 0)
        assert paid.refund_micros + paid.earned_micros == charge


@given(CHARGES, QUANTITIES, st.integers(min_value=0, max_value=2**62), FINAL, REMAINS)
def test_what_was_refunded_before_counts_towards_the_target(
    charge: int, quantity: int, refunded: int, status: OrderStatus, remains: int
) -> None:
    refunded = min(refunded, charge)
    before = Settlement(refunded, 0, 0)
    ending = settled(charge, quantity, status, remains, before=before)
    target = refund_target(charge, quantity, status, remains)
    assert ending.refund_micros == max(0, target - refunded)
    assert refunded + ending.refund_micros + ending.earned_micros == charge


def test_a_small_charge_over_a_large_quantity_refunds_whole_steps_only() -> None:
    assert refund_target(10, 3, OrderStatus.PARTIAL, 2) == 0
    assert refund_target(30, 4, OrderStatus.PARTIAL, 3) == 20


def test_the_seeds_partial_order_is_reproduced() -> None:
    """438 at 0.99 of which 157 were not delivered: the seed's `charge` is what 281 cost."""
    charge = charge_for(read_rate("0.99"), 438, package=False, free=False)
    ending = settled(charge, 438, OrderStatus.PARTIAL, 157, before=NOTHING)
    assert format_micros(charge) == "0.43362"
    assert format_micros(ending.refund_micros) == "0.15543"
    assert format_micros(ending.earned_micros) == "0.27819"
    shown = status_object(
        charge_micros=charge - ending.refund_micros,
        start_count=3572,
        status=OrderStatus.PARTIAL,
        remains=ending.remains,
        currency="USD",
    )
    assert shown == '{"charge":"0.27819","start_count":"3572","status":"Partial","remains":"157","currency":"USD"}'


@pytest.mark.parametrize("remains", [-5, 0])
def test_a_partial_that_delivered_everything_earns_everything(remains: int) -> None:
    assert settled(90_000, 100, OrderStatus.PARTIAL, remains, before=NOTHING) == Settlement(0, 90_000, 0)

"""How an order and a refill fare: pure functions of what was asked and of the time.

Nothing runs in the background, so a hundred thousand orders cost nothing between two questions.
"""

from typing import NamedTuple

from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.protocol.statuses import OrderStatus, RefillStatus
from hawker.sandbox.chance import lane
from hawker.sandbox.entries import SandboxOrder, SandboxRefill
from hawker.sandbox.timeline import HOUR, MINUTE, SECOND

FINAL = frozenset({OrderStatus.COMPLETED, OrderStatus.PARTIAL, OrderStatus.CANCELED})

_START_LANE, _PACE_LANE, _COUNT_LANE = 1, 2, 3
_LONGEST_RUN = 6 * HOUR
_REFILL_STARTS, _REFILL_ENDS = 5 * MINUTE, 35 * MINUTE


class DeliveryPlan(NamedTuple):
    """Where an order is. `start_count` is None until delivery has begun."""

    status: OrderStatus
    start_count: int | None
    remains: int


class _Pace(NamedTuple):
    """Ticks after the order was placed: when delivery begins, when it would be whole, when fate ends it."""

    begins: int
    whole: int
    ends: int


def _pace(order: SandboxOrder) -> _Pace:
    """Half a minute to four minutes of waiting, then minutes to hours by quantity."""
    begins = 30 * SECOND + lane(order.roll, _START_LANE, 210 * SECOND)
    usual = min(5 * MINUTE + order.quantity * 2 * SECOND, _LONGEST_RUN)
    run = usual * (750 + lane(order.roll, _PACE_LANE, 500)) // 1000
    if order.left == order.quantity:
        # A canceled order looks busy for a while before the panel gives up, as real ones do.
        return _Pace(begins, begins + run, begins + run // 10)
    return _Pace(begins, begins + run, begins + run * (order.quantity - order.left) // order.quantity)


def ends_at(order: SandboxOrder) -> int:
    """The tick at which a plain order ends, by its fate or by the cancel it was asked for."""
    by_fate = order.tick + _pace(order).ends
    return by_fate if order.cancel_tick is None else min(by_fate, order.cancel_tick)


def delivery_at(order: SandboxOrder, tick: int) -> DeliveryPlan:
    """Where a plain order (no drip-feed, no subscription) is at `tick`."""
    pace, age = _pace(order), tick - order.tick
    asked = order.cancel_tick is not None and order.cancel_tick - order.tick < pace.ends
    if asked and order.cancel_tick is not None and tick >= order.cancel_tick:
        return _stopped(order, pace, order.cancel_tick - order.tick)
    if age >= pace.ends:
        return DeliveryPlan(_outcome(order.quantity, order.left), _start_count(order), order.left)
    if age < pace.begins:
        return DeliveryPlan(OrderStatus.PENDING, None, order.quantity)
    remains = order.quantity - _delivered(order, pace, age)
    return DeliveryPlan(_busy_word(order, pace, age), _start_count(order), remains)


def _stopped(order: SandboxOrder, pace: _Pace, age: int) -> DeliveryPlan:
    begun = age >= pace.begins
    remains = order.quantity - (_delivered(order, pace, age) if begun else 0)
    return DeliveryPlan(_outcome(order.quantity, remains), _start_count(order) if begun else None, remains)


def _delivered(order: SandboxOrder, pace: _Pace, age: int) -> int:
    if order.left == order.quantity:
        return 0
    return order.quantity * (age - pace.begins) // (pace.whole - pace.begins)


def _outcome(quantity: int, remains: int) -> OrderStatus:
    if remains == 0:
        return OrderStatus.COMPLETED
    return OrderStatus.CANCELED if remains == quantity else OrderStatus.PARTIAL


def _busy_word(order: SandboxOrder, pace: _Pace, age: int) -> OrderStatus:
    """Panels use both words; here a quarter of the orders say Processing for their first third."""
    early = (age - pace.begins) * 3 < pace.whole - pace.begins
    return OrderStatus.PROCESSING if early and order.roll % 4 == 0 else OrderStatus.IN_PROGRESS


def _start_count(order: SandboxOrder) -> int:
    return 1 + lane(order.roll, _COUNT_LANE, 25_000)


def refund_due(order: SandboxOrder, remains: int) -> int:
    """Micros that go back when so much stays undelivered: all of it, or the share rounded down to five decimals."""
    if remains == order.quantity:
        return order.charge_micros
    return order.charge_micros * remains // (order.quantity * CUSTOMER_STEP_MICROS) * CUSTOMER_STEP_MICROS


def refill_status_at(refill: SandboxRefill, tick: int) -> RefillStatus:
    """Where a refill task is at `tick`."""
    age = tick - refill.tick
    if age < _REFILL_STARTS:
        return RefillStatus.PENDING
    if age < _REFILL_ENDS:
        return RefillStatus.IN_PROGRESS
    return RefillStatus.REJECTED if refill.rejected else RefillStatus.COMPLETED

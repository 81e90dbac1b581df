"""How an order's escrow ends: how much is refunded, how much is earned. A partial refund is computed here. Pure."""

from dataclasses import dataclass

from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.protocol.statuses import OrderStatus


def refund_target(charge_micros: int, quantity: int, status: OrderStatus, remains: int) -> int:
    """What in all should go back to the customer at this final status, in micros.

    Nothing for Completed, everything for Canceled, and for Partial floor(charge × remains / quantity)
    to five decimals, with `remains` clamped to 0..quantity; all of it when nothing was delivered.
    """
    if status is OrderStatus.COMPLETED:
        return 0
    undelivered = quantity if status is OrderStatus.CANCELED else min(max(remains, 0), quantity)
    if undelivered == quantity:
        return charge_micros
    return charge_micros * undelivered // (quantity * CUSTOMER_STEP_MICROS) * CUSTOMER_STEP_MICROS


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an order's escrow ends: what goes back, what is earned, and what was left undelivered."""

    refund_micros: int
    earned_micros: int
    remains: int


def settle(
    *,
    charge_micros: int,
    refunded_micros: int,
    earned_micros: int,
    quantity: int,
    status: OrderStatus,
    remains: int | None,
) -> Settlement:
    """End an order at a final status. The refund aims at its target: what was refunded before counts,
    and what is not refunded is earned, so the escrow ends at 0 whatever the rounding.
    """
    undelivered = {OrderStatus.COMPLETED: 0, OrderStatus.CANCELED: quantity}.get(
        status, min(max(remains or 0, 0), quantity)
    )
    target = refund_target(charge_micros, quantity, status, undelivered)
    refund = min(max(0, target - refunded_micros), charge_micros - refunded_micros - earned_micros)
    return Settlement(
        refund_micros=refund,
        earned_micros=charge_micros - refunded_micros - earned_micros - refund,
        remains=undelivered,
    )

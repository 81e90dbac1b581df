"""The decisions of the order trade: prices, refunds, moves. Pure: no clock, no database, no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.catalog.rules import RATE_UNITS
from hawker.catalog.snapshot import SoldService
from hawker.core.money import CUSTOMER_STEP_MICROS, MICROS_PER_UNIT
from hawker.orders.errors import IllegalMove
from hawker.orders.models import FINISHED, State
from hawker.protocol.errors import (
    IncorrectLink,
    IncorrectParameter,
    IncorrectService,
    QuantityAbove,
    QuantityBelow,
)
from hawker.protocol.params import Kind
from hawker.protocol.service_types import OrderForm, QuantityRule
from hawker.protocol.statuses import OrderStatus, SubscriptionStatus

TRANSITIONS: dict[State, frozenset[State]] = {
    # In progress at once is what staff deliver: no provider is asked.
    State.QUEUED: frozenset({State.SENDING, State.IN_PROGRESS, State.CANCELED}),
    State.SENDING: frozenset({State.SUBMITTED, State.REJECTED, State.UNKNOWN, State.QUEUED}),
    State.REJECTED: frozenset({State.QUEUED, State.CANCELED}),
    State.UNKNOWN: frozenset({State.SUBMITTED, State.QUEUED, State.CANCELED}),
    State.SUBMITTED: frozenset({State.IN_PROGRESS, State.PROCESSING, State.COMPLETED, State.PARTIAL, State.CANCELED}),
    State.IN_PROGRESS: frozenset({State.PROCESSING, State.COMPLETED, State.PARTIAL, State.CANCELED}),
    State.PROCESSING: frozenset({State.IN_PROGRESS, State.COMPLETED, State.PARTIAL, State.CANCELED}),
    State.ACTIVE: frozenset({State.PAUSED, State.COMPLETED, State.PARTIAL, State.CANCELED, State.EXPIRED}),
    State.PAUSED: frozenset({State.ACTIVE, State.COMPLETED, State.PARTIAL, State.CANCELED, State.EXPIRED}),
    State.COMPLETED: frozenset(),
    State.PARTIAL: frozenset(),
    State.CANCELED: frozenset(),
    State.EXPIRED: frozenset(),
}
"""Every move there is. The database refuses all others too (migrations/0002)."""

_WIRE: dict[State, OrderStatus | SubscriptionStatus] = {
    # Customers do not see how their order is bought: all of this reads Pending (design.md §5).
    State.QUEUED: OrderStatus.PENDING,
    State.SENDING: OrderStatus.PENDING,
    State.UNKNOWN: OrderStatus.PENDING,
    State.REJECTED: OrderStatus.PENDING,
    State.SUBMITTED: OrderStatus.PENDING,
    State.IN_PROGRESS: OrderStatus.IN_PROGRESS,
    State.PROCESSING: OrderStatus.PROCESSING,
    State.COMPLETED: OrderStatus.COMPLETED,
    State.PARTIAL: OrderStatus.PARTIAL,
    State.CANCELED: OrderStatus.CANCELED,
    State.ACTIVE: SubscriptionStatus.ACTIVE,
    State.PAUSED: SubscriptionStatus.PAUSED,
    State.EXPIRED: SubscriptionStatus.EXPIRED,
}

WIRE_STATUS: dict[str, str] = {state.value: status.value for state, status in _WIRE.items()}
"""The status clients read, by the state's stored text."""

_STATE_OF: dict[OrderStatus, State] = {
    OrderStatus.PENDING: State.SUBMITTED,
    OrderStatus.IN_PROGRESS: State.IN_PROGRESS,
    OrderStatus.PROCESSING: State.PROCESSING,
    OrderStatus.COMPLETED: State.COMPLETED,
    OrderStatus.PARTIAL: State.PARTIAL,
    OrderStatus.CANCELED: State.CANCELED,
}


def check_move(before: State, after: State) -> None:
    """Raise IllegalMove unless the table has this move."""
    if after not in TRANSITIONS[before]:
        raise IllegalMove(f"no move from {before} to {after}")


# --- prices ----------------------------------------------------------------------------------------


def charge_for(rate_units: int, quantity: int, *, package: bool, free: bool) -> int:
    """What an order costs its customer, in micros: ceil(rate × quantity / 1000) to five decimals.

    A package costs its rate once. Never 0 unless the service is marked free: a rate so small that the
    charge would vanish still costs one step (design.md §4).
    """
    if free:
        return 0
    divisor = RATE_UNITS // (MICROS_PER_UNIT // CUSTOMER_STEP_MICROS) * (1 if package else 1000)
    steps = -(-rate_units * quantity // divisor)
    return max(steps, 1) * CUSTOMER_STEP_MICROS


def cost_for(cost_rate_units: int, quantity: int, *, package: bool) -> int:
    """What an order costs us upstream, in micros of the provider's currency, rounded up to a micro.

    Clamped to what the column holds: an absurd price upstream is still only too expensive.
    """
    micros = -(-cost_rate_units * quantity // (RATE_UNITS // MICROS_PER_UNIT * (1 if package else 1000)))
    return min(micros, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Quote:
    """An order that could be placed: read, within the service's limits, and priced."""

    service: SoldService
    form: OrderForm
    quantity: int
    charge_micros: int
    cost_micros: int | None


def quote(service: SoldService | None, form_of: "OrderForm | None") -> Quote:
    """Check the form against the service and price it.

    Raises the refusal of the first rule it breaks: unknown service, drip-feed, link or quantity.
    """
    if service is None or form_of is None or form_of.quantity is None:
        raise IncorrectService
    if form_of.runs is not None:
        raise IncorrectParameter(name="runs")
    check_links(service, form_of)
    quantity = form_of.quantity
    package = service.type.quantity is QuantityRule.FIXED
    if not package and quantity < service.minimum:
        raise QuantityBelow(minimum=service.minimum)
    if not package and quantity > service.maximum:
        raise QuantityAbove(maximum=service.maximum)
    cost = None
    if service.route is not None:
        cost = cost_for(service.route.cost_rate_units, quantity, package=package)
    return Quote(
        service=service,
        form=form_of,
        quantity=quantity,
        charge_micros=charge_for(service.rate_units, quantity, package=package, free=service.free),
        cost_micros=cost,
    )


def check_links(service: SoldService, form: OrderForm) -> None:
    """Raise the refusal of the first parameter that holds a link this service does not take.

    `link` must be of the service's kind, and nothing that names a page or a person may match a pattern that the
    operator forbids. Where the person takes the place of the link (Subscriptions), that is the user name.
    """
    if form.link and not service.links.takes(form.link):
        raise IncorrectLink
    if service.forbidden:
        for param in service.type.params:
            if param.kind is not Kind.LINK and param.name != "username":
                continue
            value = form.link if param.name == "link" else form.extra.get(param.name)
            if isinstance(value, str) and service.forbidden.match(value):
                raise param.refusal()


# --- refunds ---------------------------------------------------------------------------------------


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


# --- following -------------------------------------------------------------------------------------


def state_of(status: OrderStatus) -> State:
    """The state in which an order is when its provider tells this status."""
    return _STATE_OF[status]


def is_finished(state: State) -> bool:
    """Whether nothing more will happen to an order in this state."""
    return state in FINISHED


def next_poll(
    *, age: timedelta, quantity: int, remains: int | None, shortest: timedelta, longest: timedelta
) -> timedelta:
    """How long to wait before asking again: a tenth of the order's age, less when it will be done sooner.

    Young orders move fast and are asked often; an order that has run for a day is asked every
    half hour. The pace so far tells when the rest should be done, and that moment is not slept over.
    """
    wait = age / 10
    # Only where the pace ends the order sooner than a tenth of its age; a slower one would not change the
    # wait, and of a huge order it is more than a timedelta holds.
    if remains is not None and 0 < remains * 10 < quantity - remains:
        wait = min(wait, age * (remains / (quantity - remains)))
    return min(max(wait, shortest), longest)


def backoff(
    tries: int, *, shortest: timedelta = timedelta(seconds=2), longest: timedelta = timedelta(minutes=10)
) -> timedelta:
    """How long an order waits after `tries` fruitless ones: doubling, within bounds."""
    doubled: timedelta = shortest * 2 ** min(tries, 20)
    return min(doubled, longest)


def due_after(now: datetime, wait: timedelta, *, jitter: float) -> datetime:
    """The moment `wait` from now, moved by up to a tenth: `jitter` is a random number in 0..1.

    Without it, orders placed together stay together for ever and come due in one lump.
    """
    return now + wait * (0.95 + jitter / 10)

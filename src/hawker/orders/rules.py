"""The decisions of the order trade: prices, refunds, moves. Pure: no clock, no database, no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.catalog.rules import RATE_UNITS
from hawker.catalog.snapshot import SoldService
from hawker.core.errors import Refusal
from hawker.core.money import CUSTOMER_STEP_MICROS, MICROS_PER_UNIT
from hawker.orders.errors import IllegalMove
from hawker.orders.models import FINISHED, RUNNING, RefillState, State
from hawker.protocol.errors import (
    IncorrectLink,
    IncorrectParameter,
    IncorrectService,
    OrderNotCompleted,
    QuantityAbove,
    QuantityBelow,
    RefillDisabled,
    RefillOver,
    RefillRunning,
    RefillTooEarly,
)
from hawker.protocol.params import Kind
from hawker.protocol.service_types import OrderForm, QuantityRule
from hawker.protocol.statuses import OrderStatus, RefillStatus, SubscriptionStatus

TRANSITIONS: dict[State, frozenset[State]] = {
    # In progress at once is what staff deliver: no provider is asked.
    State.QUEUED: frozenset({State.SENDING, State.IN_PROGRESS, State.CANCELED}),
    State.SENDING: frozenset({State.SUBMITTED, State.REJECTED, State.UNKNOWN, State.QUEUED}),
    State.REJECTED: frozenset({State.QUEUED, State.CANCELED}),
    State.UNKNOWN: frozenset({State.SUBMITTED, State.QUEUED, State.CANCELED}),
    State.SUBMITTED: frozenset(
        {State.IN_PROGRESS, State.PROCESSING, State.COMPLETED, State.PARTIAL, State.CANCELED}
        # Of subscriptions that a provider runs: what it says of them first.
        | {State.ACTIVE, State.PAUSED, State.EXPIRED}
    ),
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
    # Customers do not see how their order is bought: all of this reads Pending.
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
    charge would vanish still costs one step.
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
    """An order that could be placed: read, within the service's limits, and priced.

    Of a drip-feed, quantity and charge are those of all runs; it has no cost, its runs have.
    """

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
    if form_of.runs is not None and not service.dripfeed:
        raise IncorrectParameter(name="runs")
    check_links(service, form_of)
    # The minimum is that of each order upstream, so of each run; the maximum limits all of them together.
    quantity = form_of.quantity * (form_of.runs or 1)
    package = service.type.quantity is QuantityRule.FIXED
    if not package and form_of.quantity < service.minimum:
        raise QuantityBelow(minimum=service.minimum)
    if not package and quantity > service.maximum:
        raise QuantityAbove(maximum=service.maximum)
    cost = None
    if service.route is not None and form_of.runs is None:
        cost = cost_for(service.route.cost_rate_units, quantity, package=package)
    return Quote(
        service=service,
        form=form_of,
        quantity=quantity,
        charge_micros=charge_for(service.rate_units, quantity, package=package, free=service.free),
        cost_micros=cost,
    )


def allowed_cost(charge_micros: int, *, margin_percent: int, is_run: bool) -> int:
    """The most that an order may cost, in micros, so that the charge covers it and the margin on top, rounded down.

    The share of a run may lie a step under its exact price (share_of_run), which is no loss: the run after it has it.
    """
    charge = charge_micros + (CUSTOMER_STEP_MICROS if is_run else 0)
    return charge * 100 // (100 + margin_percent)


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


# --- refills ---------------------------------------------------------------------------------------

REFILLABLE = (State.COMPLETED, State.PARTIAL)
REFILL_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LastRefill:
    """The refill of an order that was asked for last."""

    state: RefillState
    requested_at: datetime


def check_refill(
    *, offered: bool, days: int, state: State, ended_at: datetime | None, last: LastRefill | None, now: datetime
) -> Refusal | None:
    """Why an order gets no refill now, or None where it does (docs/api.md, Errors).

    `days` after the order's end the offer is over; 0 is without an end. A refill may be asked for 24 hours
    after the end and again 24 hours after the last was asked for, whatever came of that.
    """
    if not offered:
        return RefillDisabled()
    if state not in REFILLABLE or ended_at is None:
        return OrderNotCompleted()
    if last is not None and last.state in RUNNING:
        return RefillRunning()
    if now - max(ended_at, last.requested_at if last is not None else ended_at) < REFILL_WAIT:
        return RefillTooEarly()
    return RefillOver() if days and now - ended_at > timedelta(days=days) else None


_REFILL_STATE_OF: dict[RefillStatus, RefillState] = {
    RefillStatus.PENDING: RefillState.PENDING,
    RefillStatus.IN_PROGRESS: RefillState.IN_PROGRESS,
    RefillStatus.COMPLETED: RefillState.COMPLETED,
    RefillStatus.REJECTED: RefillState.REJECTED,
}

REFILL_TRANSITIONS: dict[RefillState, frozenset[RefillState]] = {
    RefillState.PENDING: frozenset({RefillState.IN_PROGRESS, RefillState.COMPLETED, RefillState.REJECTED}),
    RefillState.IN_PROGRESS: frozenset({RefillState.COMPLETED, RefillState.REJECTED}),
    RefillState.COMPLETED: frozenset(),
    RefillState.REJECTED: frozenset(),
}
"""Every move of a refill. The database refuses all others too (migrations/0007)."""


def refill_state_after(before: RefillState, status: RefillStatus) -> RefillState | None:
    """The state that a refill moves to by what its provider tells, or None where it stays."""
    after = _REFILL_STATE_OF[status]
    return after if after in REFILL_TRANSITIONS[before] else None


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


# --- drip-feed -------------------------------------------------------------------------------------

PUNCTUAL = timedelta(seconds=5)
"""A run that starts this late or less is on time: sweeps take a second or two, and the plan must not drift."""

LOOK_AGAIN = timedelta(minutes=1)
"""How long a run waits for the one before it before it looks again: the shortest interval there is."""


def share_of_run(charge_micros: int, run: int, runs: int) -> int:
    """What the `run`th of `runs` takes of the drip-feed's charge, in micros; together exactly the charge.

    Cumulative and rounded up, in customers' steps: a run differs from its exact price by less than a step, and
    what runs that are never started leave is rounded down, as every refund is.
    """
    return _taken(charge_micros, run, runs) - _taken(charge_micros, run - 1, runs)


def _taken(charge_micros: int, run: int, runs: int) -> int:
    """What runs 1 to `run` take of the charge together."""
    steps = -(-charge_micros * run // (runs * CUSTOMER_STEP_MICROS))
    return min(steps * CUSTOMER_STEP_MICROS, charge_micros)


def next_run(due: datetime, started: datetime, interval: timedelta) -> datetime:
    """When the run after one that was `due` then and `started` at this moment is due.

    One interval after the plan while the panel is punctual. A run that was late moves the plan: the ones
    after it follow one interval apart from its start, however many were missed, never in a burst.
    """
    return (due if started - due <= PUNCTUAL else started) + interval


def run_must_wait_until(
    now: datetime, interval: timedelta, *, last_is_queued: bool, last_sent_at: datetime | None
) -> datetime | None:
    """When to look again at a run that is due, because the one before it was late; None when it may start.

    A run whose predecessor still waits to be sent (its provider is down or paused, its cost is above its
    charge) waits with it, and one whose predecessor has only just been sent keeps its distance: what piled up
    would reach the provider in a burst.
    """
    if last_is_queued:
        return now + LOOK_AGAIN
    if last_sent_at is not None and last_sent_at + interval - PUNCTUAL > now:
        return last_sent_at + interval
    return None


def end_of_drip(*, runs: int, started: int, completed: int, canceled: int) -> State:
    """The final state of a drip-feed whose `started` runs have all ended, so many of them completed or canceled."""
    if completed == runs:
        return State.COMPLETED
    return State.CANCELED if canceled == started else State.PARTIAL


def drip_status(state: State, *, moved: bool) -> str:
    """The status clients read of a drip-feed: `moved` when a run of it has been begun to be delivered, or ended."""
    if state in FINISHED:
        return WIRE_STATUS[state]
    return (OrderStatus.IN_PROGRESS if moved else OrderStatus.PENDING).value

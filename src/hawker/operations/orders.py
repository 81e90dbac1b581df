"""What staff do with orders: cancel, release, deliver by hand, decide what is unknown."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput, Refused
from hawker.operations.inputs import OrderNumber, Reason

if TYPE_CHECKING:
    from hawker.orders.deciding.unknowns import UnknownAttempt

MAX_UPSTREAM = 10**18 - 1
"""The largest order number of a provider that is kept."""


@dataclass(frozen=True, slots=True)
class CancelOrder:
    order: OrderNumber
    reason: Reason


@dataclass(frozen=True, slots=True)
class CancelAnswered:
    """`cancel` says how far it went: `canceled` at once, or asked of the provider."""

    order: int
    cancel: str


@operation("order.cancel", subject="order", ids=lambda given: (given.order,), many="order")
def cancel_order(run: Run, given: CancelOrder) -> CancelAnswered:
    """Cancel an order: refunded at once where no provider has it, else the provider is asked."""
    from hawker.core.errors import Refusal
    from hawker.orders import CancelAsk, describe_standing, request_cancels
    from hawker.protocol.errors import OrderCompleted

    run.watch(given.order, lambda: describe_standing(given.order))
    asked = [CancelAsk(None, [str(given.order)])]
    (answers,) = request_cancels(asked, actor=run.actor, reason=given.reason, now=run.now)
    answered = answers[str(given.order)]
    if isinstance(answered, OrderCompleted):
        raise Refused(f"order {given.order} has ended already; nothing was changed")
    if isinstance(answered, Refusal):
        raise Refused(f"there is no order {given.order}")
    return CancelAnswered(given.order, answered.value)


@dataclass(frozen=True, slots=True)
class ReleaseOrder:
    order: OrderNumber
    reason: Reason
    at_a_loss: Annotated[bool, Meta(description="Send it whatever it costs.")] = False


@dataclass(frozen=True, slots=True)
class OrderReleased:
    order: int


@operation("order.release", subject="order", ids=lambda given: (given.order,), many="order")
def release_order(run: Run, given: ReleaseOrder) -> OrderReleased:
    """Have a held order looked at again at once, or sent although it costs more than it brings in."""
    from hawker.orders import release_orders
    from hawker.orders.errors import NotHeld

    (item,) = release_orders(
        [given.order], at_a_loss=given.at_a_loss, actor=run.actor, reason=given.reason, now=run.now
    )
    if isinstance(item, NotHeld):
        raise Refused(str(item))
    run.note(given.order, before={"held": True}, after={"held": False, "at_a_loss": given.at_a_loss})
    return OrderReleased(given.order)


@dataclass(frozen=True, slots=True)
class StartOrder:
    order: OrderNumber


@dataclass(frozen=True, slots=True)
class CompleteOrder:
    order: OrderNumber
    reason: Reason = "staff delivered it"


@dataclass(frozen=True, slots=True)
class EndOrderPartially:
    order: OrderNumber
    remains: Annotated[int, Meta(ge=1, description="How many were not delivered; they are refunded.")]
    reason: Reason


@dataclass(frozen=True, slots=True)
class OrderMoved:
    """The order's state after the change."""

    order: int
    state: str


@operation("order.start", subject="order", ids=lambda given: (given.order,), many="order")
def start_order(run: Run, given: StartOrder) -> OrderMoved:
    """Say that staff have begun with an order that no provider delivers; customers cannot end it any more."""
    return _deliver(run, given.order, "in_progress", "staff have begun")


@operation("order.complete", subject="order", ids=lambda given: (given.order,), many="order")
def complete_order(run: Run, given: CompleteOrder) -> OrderMoved:
    """Say that staff have delivered an order that no provider delivers."""
    return _deliver(run, given.order, "completed", given.reason)


@operation("order.partial", subject="order", ids=lambda given: (given.order,))
def end_order_partially(run: Run, given: EndOrderPartially) -> OrderMoved:
    """Say that staff have delivered a part of an order, and refund the rest."""
    return _deliver(run, given.order, "partial", given.reason, given.remains)


def _deliver(run: Run, order: int, state: str, reason: str, remains: int | None = None) -> OrderMoved:
    from hawker.orders import StaffDelivery, describe_standing, record_deliveries
    from hawker.orders.models import State

    run.watch(order, lambda: describe_standing(order))
    delivery = StaffDelivery(order, State(state), reason, remains)
    (recorded,) = record_deliveries([delivery], actor=run.actor, operation=run.operation.name, now=run.now)
    if isinstance(recorded, Exception):
        raise Refused(str(recorded))
    return OrderMoved(order, recorded.value)


@dataclass(frozen=True, slots=True)
class ResolveOrder:
    """`decision`: the provider has it under `upstream_order` (bind), does not have it (resend), or it ends (refund)."""

    order: OrderNumber
    decision: Literal["bind", "resend", "refund"]
    reason: Reason
    upstream_order: (
        Annotated[int, Meta(ge=1, le=MAX_UPSTREAM, description="The provider has it, under this number of its.")] | None
    ) = None
    unchecked: Annotated[bool, Meta(description="Do not ask the provider about that number first.")] = False


@dataclass(frozen=True, slots=True)
class OrderResolved:
    order: int
    state: str
    upstream_order: int | None
    refunded: str


def _ask_provider(given: ResolveOrder) -> "UnknownAttempt":
    """Make sure that the order waits for a decision, and that the provider knows the number it is to be bound to.

    Answers the attempt that is in doubt.
    """
    from hawker.orders import find_unknown
    from hawker.orders.errors import CannotResolve
    from hawker.providers.actions import ask_order, read_access
    from hawker.providers.errors import BadProvider, CallFailed, CannotConnect

    if (given.decision == "bind") != (given.upstream_order is not None):
        raise BadInput("upstream_order", "is for binding, and only for that")
    with refusing(CannotResolve, BadProvider, CannotConnect):
        unknown = find_unknown(given.order)
        if given.upstream_order is None or given.unchecked:
            return unknown
        try:
            asyncio.run(ask_order(read_access(unknown.provider_id), given.upstream_order))
        except CallFailed as error:
            raise Refused(
                f"the provider does not tell of an order {given.upstream_order} of ours, so nothing was "
                f"changed: {error}"
            ) from error
    return unknown


@operation("order.resolve", subject="order", ids=lambda given: (given.order,), prepare=_ask_provider)
def resolve_order(run: Run, given: ResolveOrder) -> OrderResolved:
    """Decide what no rule can: what became of an order that is unknown. The order's attempts have the evidence."""
    from hawker.orders import bind_order, describe_orders, describe_standing, find_unknown, refund_order, resend_order
    from hawker.orders.errors import CannotResolve

    run.watch(given.order, lambda: describe_standing(given.order))
    with refusing(CannotResolve):
        # Locked from here on. What the provider said is of the attempt that was in doubt then, maybe at another one.
        if find_unknown(given.order) != run.prepared:
            raise Refused(f"order {given.order} was decided at this moment and sent again; nothing was changed")
        if given.upstream_order is not None:
            bind_order(given.order, given.upstream_order, actor=run.actor, reason=given.reason, now=run.now)
        elif given.decision == "resend":
            resend_order(given.order, actor=run.actor, reason=given.reason, now=run.now)
        else:
            refund_order(given.order, actor=run.actor, reason=given.reason, now=run.now)
    (shown,) = describe_orders([given.order])
    return OrderResolved(given.order, shown["state"], shown["upstream_order"], shown["refunded"])

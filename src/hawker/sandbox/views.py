"""How an order looks from outside at one instant: the members of its `status` answer."""

from dataclasses import dataclass

import msgspec

from hawker.core.money import format_micros
from hawker.protocol.replies import status_object
from hawker.protocol.statuses import OrderStatus, SubscriptionStatus
from hawker.sandbox.delivery import FINAL, DeliveryPlan, delivery_at
from hawker.sandbox.entries import SandboxOrder, SandboxSubscription
from hawker.sandbox.panel import Panel

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class View:
    """One order at one instant. `charge_micros` is net of `refunded_micros`; `extra` follows the usual five members."""

    status: OrderStatus | SubscriptionStatus
    start_count: int | None
    remains: int
    charge_micros: int
    refunded_micros: int
    extra: dict[str, str | list[str]] | None = None


def view_of(panel: Panel, order: SandboxOrder, tick: int) -> View:
    """The order at `tick`; the panel must have caught up to it."""
    if order.subscription is not None:
        return _subscription_view(panel, order, order.subscription, tick)
    if order.runs:
        return _drip_view(panel, order, tick)
    status, start_count, remains = delivery_at(order, tick)
    return View(status, start_count, remains, order.charge_micros - order.refunded_micros, order.refunded_micros)


def status_text(panel: Panel, order: SandboxOrder, tick: int) -> str:
    """The order's `status` object as JSON: `{charge,start_count,status,remains,currency}`.

    A drip-feed adds `runs` (started so far) and `orders`, a subscription `posts` (ordered for so far),
    `expiry` (d/m/Y or empty) and `orders`: strings, and lists of ids as strings, as docs/api.md shows them.
    """
    view = view_of(panel, order, tick)
    text = status_object(
        charge_micros=view.charge_micros,
        start_count=view.start_count,
        status=view.status,
        remains=view.remains,
        currency=panel.config.currency,
    )
    return text if view.extra is None else f"{text[:-1]},{_encode(view.extra).decode()[1:]}"


def is_finished(view: View) -> bool:
    """Whether nothing more will happen to the order."""
    if isinstance(view.status, OrderStatus):
        return view.status in FINAL
    return view.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED)


def row_of(panel: Panel, order: SandboxOrder, tick: int) -> dict[str, object]:
    """The order as the control door lists it: what was asked, what became of it, what will."""
    view = view_of(panel, order, tick)
    return {
        "order": order.id,
        "key": order.key,
        "service": order.service,
        "link": order.link,
        "quantity": order.quantity,
        "marker": order.marker,
        "created_at": order.at,
        "parent": order.parent or None,
        "fate": order.fate,
        "status": view.status,
        "start_count": view.start_count,
        "remains": view.remains,
        "charge": format_micros(view.charge_micros),
        "refunded": format_micros(view.refunded_micros),
    }


def _drip_view(panel: Panel, order: SandboxOrder, tick: int) -> View:
    runs = panel.children_of(order)
    deliveries = [delivery_at(run, tick) for run in runs]
    delivered = sum(run.quantity - delivery.remains for run, delivery in zip(runs, deliveries, strict=True))
    all_started = len(runs) == order.runs or (order.cancel_tick is not None and order.cancel_tick <= tick)
    back = order.refunded_micros + sum(run.refunded_micros for run in runs)
    return View(
        status=_drip_status(deliveries, order.quantity, delivered, all_started=all_started),
        start_count=deliveries[0].start_count if deliveries else None,
        remains=order.quantity - delivered,
        charge_micros=order.charge_micros - back,
        refunded_micros=back,
        extra={"runs": str(len(runs)), "orders": [str(run.id) for run in runs]},
    )


def _drip_status(deliveries: list[DeliveryPlan], quantity: int, delivered: int, *, all_started: bool) -> OrderStatus:
    statuses = {delivery.status for delivery in deliveries}
    if not all_started or not statuses <= FINAL:
        return OrderStatus.PENDING if statuses <= {OrderStatus.PENDING} else OrderStatus.IN_PROGRESS
    if delivered == quantity:
        return OrderStatus.COMPLETED
    return OrderStatus.PARTIAL if delivered else OrderStatus.CANCELED


def _subscription_view(panel: Panel, order: SandboxOrder, subscription: SandboxSubscription, tick: int) -> View:
    posts = panel.children_of(order)
    return View(
        status=_subscription_status(panel, order, subscription, tick),
        start_count=None,
        remains=sum(delivery_at(post, tick).remains for post in posts),
        charge_micros=sum(post.charge_micros - post.refunded_micros for post in posts),
        refunded_micros=sum(post.refunded_micros for post in posts),
        extra={
            "posts": str(len(posts)),
            "expiry": subscription.expiry,
            "orders": [str(post.id) for post in posts],
        },
    )


def _subscription_status(
    panel: Panel, order: SandboxOrder, subscription: SandboxSubscription, tick: int
) -> SubscriptionStatus:
    made = len(panel.children.get(order.id, ()))
    if subscription.posts is not None and made >= subscription.old_posts + subscription.posts:
        return SubscriptionStatus.COMPLETED
    if order.cancel_tick is not None and order.cancel_tick <= tick:
        return SubscriptionStatus.CANCELED
    if subscription.expires_tick is not None and subscription.expires_tick <= tick:
        return SubscriptionStatus.EXPIRED
    if order.id in panel.waiting.get(order.key, ()):
        return SubscriptionStatus.PAUSED
    return SubscriptionStatus.ACTIVE

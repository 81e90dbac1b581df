"""Everything there is about orders, for the operator: one question per table, whatever the number of orders."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hawker.core.actors import Actor, ActorKind
from hawker.core.money import format_micros
from hawker.ledger.models import Transfer, TransferKind
from hawker.orders.models import Attempt, AttemptEvidence, Drip, Order, OrderEvent, Refill, Work
from hawker.orders.refills.refill_details import describe_refill
from hawker.orders.subscriptions.rules import SUBSCRIPTIONS, subscription_status
from hawker.orders.subscriptions.subscription_details import describe_subscriptions
from hawker.orders.transitions.rules import WIRE_STATUS


def describe_orders(order_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The orders that exist of those asked for, in the order asked, with transfers, work, attempts, refills and events.

    An order that is bought through others shows them as `children`, in the order they were made.
    """
    orders = {order.id: order for order in Order.objects.filter(id__in=order_ids)}
    transfers, work = defaultdict(list), defaultdict(list)
    attempts, events = defaultdict(list), defaultdict(list)
    steps, children = defaultdict(list), defaultdict(list)
    drips = {drip.order_id: drip for drip in Drip.objects.filter(order_id__in=orders)}
    subscriptions = describe_subscriptions(orders)
    for child in Order.objects.filter(parent_id__in=orders).order_by("parent_id", "part"):
        children[child.parent_id].append(_child(child))
    refills = defaultdict(list)
    for refill in Refill.objects.filter(order_id__in=orders).order_by("id"):
        refills[refill.order_id].append(describe_refill(refill))
    of_orders = (TransferKind.CHARGE, TransferKind.REFUND, TransferKind.DELIVERY)
    for transfer in Transfer.objects.filter(kind__in=of_orders, reference__in=orders).order_by("id"):
        transfers[transfer.reference].append(
            {
                "kind": transfer.kind,
                "amount": format_micros(transfer.amount_micros),
                "at": transfer.created_at,
                "operation": transfer.operation,
            }
        )
    for due in Work.objects.filter(order_id__in=orders).order_by("order_id", "kind"):
        work[due.order_id].append(
            {"kind": due.kind, "provider": due.provider_id, "due_at": due.due_at, "tries": due.tries, "hold": due.hold}
        )
    for step in AttemptEvidence.objects.filter(attempt__order_id__in=orders).order_by("id"):
        steps[step.attempt_id].append({"at": step.at, "kind": step.kind, "text": step.text, "facts": step.facts})
    for attempt in Attempt.objects.filter(order_id__in=orders).order_by("id"):
        attempts[attempt.order_id].append(_attempt(attempt) | {"steps": steps[attempt.id]})
    for event in OrderEvent.objects.filter(order_id__in=orders).order_by("id"):
        events[event.order_id].append(
            {
                "at": event.at,
                "from": event.from_state,
                "to": event.to_state,
                "actor": str(Actor(ActorKind(event.actor_kind), event.actor_id, event.actor_name)),
                "reason": event.reason,
            }
        )
    return [
        {
            **_order(orders[order_id]),
            "drip": _drip(orders[order_id], drips[order_id]) if order_id in drips else None,
            "subscription": subscriptions.get(order_id),
            "children": children[order_id],
            "transfers": transfers[order_id],
            "work": work[order_id],
            "attempts": attempts[order_id],
            "refills": refills[order_id],
            "events": events[order_id],
        }
        for order_id in order_ids
        if order_id in orders
    ]


def describe_standing(order_id: int) -> dict[str, Any]:
    """What staff can change of an order; nothing where it is not there."""
    told = ("state", "refunded", "earned", "remains", "provider", "upstream_order", "cancel_requested_at", "ended_at")
    order = Order.objects.filter(id=order_id).first()
    shown = {} if order is None else _order(order)
    return {name: shown[name] for name in told if name in shown}


def _order(order: Order) -> dict[str, Any]:
    return {
        "order": order.id,
        "state": order.state,
        "status": subscription_status(order.state) if order.type == SUBSCRIPTIONS else WIRE_STATUS[order.state],
        "account": order.account_id,
        "service": order.service_id,
        "type": order.type,
        "link": order.link,
        "quantity": order.quantity,
        "extra": order.extra,
        "rate": order.rate,
        "charge": format_micros(order.charge_micros),
        "refunded": format_micros(order.refunded_micros),
        "earned": format_micros(order.earned_micros),
        "handed": format_micros(order.handed_micros),
        "expected_cost": None if order.cost_micros is None else format_micros(order.cost_micros),
        "upstream_charge": None
        if order.upstream_charge_micros is None
        else format_micros(order.upstream_charge_micros),
        "start_count": order.start_count,
        "remains": order.remains,
        "provider": order.provider_id,
        "upstream_order": order.upstream_id,
        "parent": order.parent_id,
        "part": order.part,
        "origin": order.origin,
        "api_key": order.api_key_id,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "cancel_requested_at": order.cancel_requested_at,
        "ended_at": order.ended_at,
    }


def _drip(order: Order, drip: Drip) -> dict[str, Any]:
    return {
        "runs": order.runs,
        "interval_minutes": drip.interval_minutes,
        "started": drip.started,
        "ended": drip.ended,
        "stops_after": drip.stops_after,
    }


def _child(child: Order) -> dict[str, Any]:
    return {
        "order": child.id,
        "part": child.part,
        "state": child.state,
        "quantity": child.quantity,
        "charge": format_micros(child.charge_micros),
        "refunded": format_micros(child.refunded_micros),
        "remains": child.remains,
        "upstream_order": child.upstream_id,
        "created_at": child.created_at,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.n,
        "kind": attempt.kind,
        "refill": attempt.refill_id,
        "provider": attempt.provider_id,
        "state": attempt.state,
        "worker": attempt.worker,
        "started_at": attempt.started_at,
        "done_at": attempt.done_at,
        "http_status": attempt.http_status,
        "body_head": attempt.body_head,
        "upstream_order": attempt.upstream_id,
        "evidence": attempt.evidence,
    }

"""What staff deliver and decide themselves, by the same moves and the same settlement as everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hawker.core.actors import Actor
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.deciding import queries
from hawker.orders.errors import NoSuchOrder, NotForStaff
from hawker.orders.models import State, WorkKind
from hawker.orders.transitions.actions import OrderChange, SettlementTerms, replace_work, write_changes
from hawker.orders.transitions.rules import is_finished
from hawker.protocol.statuses import OrderStatus

_STATUS = {State.COMPLETED: OrderStatus.COMPLETED, State.PARTIAL: OrderStatus.PARTIAL}


@dataclass(frozen=True, slots=True)
class StaffDelivery:
    """How far staff have come with an order: IN_PROGRESS, COMPLETED, or PARTIAL with what `remains`."""

    order_id: int
    state: State
    reason: str
    remains: int | None = None


@dataclass(frozen=True, slots=True)
class _Locked:
    """An order under its row lock."""

    state: State
    upstream_id: int | None
    terms: SettlementTerms


def record_deliveries(
    deliveries: Sequence[StaffDelivery], *, actor: Actor, operation: str = "order.deliver", now: datetime
) -> list[State | NoSuchOrder | NotForStaff]:
    """Write what staff delivered; answers each order's new state, or why it is not theirs to deliver.

    Theirs are orders without a route, and those that are on hold. A completed or partial one settles its
    escrow as if a provider had said so. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _record(cursor, deliveries, actor, operation, now))


def _record(
    cursor: Cursor, deliveries: Sequence[StaffDelivery], actor: Actor, operation: str, now: datetime
) -> list[State | NoSuchOrder | NotForStaff]:
    ids = sorted({delivery.order_id for delivery in deliveries})
    orders = {row[0]: _read(row) for row in ask(cursor, queries.LOCK_ORDERS, (ids,))}
    sendable = {row[0] for row in ask(cursor, queries.READ_SENDABLE, (list(orders),))}
    answers: list[State | NoSuchOrder | NotForStaff] = []
    changes: list[OrderChange] = []
    for delivery in deliveries:
        order = orders.get(delivery.order_id)
        if order is None:
            answers.append(NoSuchOrder(f"there is no order {delivery.order_id}"))
        elif delivery.order_id in (change.order_id for change in changes):
            answers.append(NotForStaff(f"order {delivery.order_id} is named twice; the first was taken"))
        elif why := _why_not(delivery, order, is_sendable=delivery.order_id in sendable):
            answers.append(NotForStaff(f"order {delivery.order_id} {why}; nothing was changed"))
        else:
            changes.append(_change(delivery, order))
            answers.append(delivery.state)
    book = open_book(lock_accounts(cursor, (change.account_id for change in changes if change.settlement)))
    write_changes(cursor, changes, book, actor=actor, operation=operation, now=now)
    # What was on hold waits for a provider no more.
    replace_work(cursor, [(change.order_id, WorkKind.DISPATCH) for change in changes], [])
    failpoint("staff-before-commit")
    return answers


def _read(row: tuple[Any, ...]) -> _Locked:
    return _Locked(State(row[1]), row[2], SettlementTerms(*row[3:]))


def _why_not(delivery: StaffDelivery, order: _Locked, *, is_sendable: bool) -> str:
    """Why staff may not say this of the order, or an empty text."""
    if is_finished(order.state):
        return f"has ended already: {order.state.value}"
    begun = order.state in (State.IN_PROGRESS, State.PROCESSING) and order.upstream_id is None
    if not begun and (order.state is not State.QUEUED or is_sendable):
        return f"is not for staff to deliver: {order.state.value}"
    if begun and delivery.state is State.IN_PROGRESS:
        return "has been begun already"
    if delivery.state is State.PARTIAL and not 0 < (delivery.remains or 0) < order.terms.quantity:
        return f"is of {order.terms.quantity}: of a partial one, between 1 and {order.terms.quantity - 1} remain"
    return ""


def _change(delivery: StaffDelivery, order: _Locked) -> OrderChange:
    path = (State.IN_PROGRESS,) if order.state is State.QUEUED else ()
    change = OrderChange(delivery.order_id, order.state, path, delivery.reason)
    if is_finished(delivery.state):
        change.path = (*path, delivery.state)
        change.end(order.terms, _STATUS[delivery.state], delivery.remains)
    return change

"""What staff deliver and decide themselves, by the same moves and the same settlement as everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.actions.move import Change, Terms, replace_work, write_changes
from hawker.orders.actions.refill_moves import RefillChange, is_over, write_refill_changes
from hawker.orders.errors import NoSuchOrder, NoSuchRefill, NotForStaff
from hawker.orders.models import AttemptState, EvidenceKind, RefillState, State, WorkKind
from hawker.orders.queries import refill as refill_queries
from hawker.orders.queries import settle as settle_queries
from hawker.orders.queries import staff as queries
from hawker.orders.rules import is_finished
from hawker.protocol.statuses import OrderStatus

_STATUS = {State.COMPLETED: OrderStatus.COMPLETED, State.PARTIAL: OrderStatus.PARTIAL}


@dataclass(frozen=True, slots=True)
class Delivery:
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
    terms: Terms


def record_deliveries(
    deliveries: Sequence[Delivery], *, actor: str, now: datetime
) -> list[State | NoSuchOrder | NotForStaff]:
    """Write what staff delivered; answers each order's new state, or why it is not theirs to deliver.

    Theirs are orders without a route, and those that are on hold. A completed or partial one settles its
    escrow as if a provider had said so. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _record(cursor, deliveries, actor, now))


def _record(
    cursor: Cursor, deliveries: Sequence[Delivery], actor: str, now: datetime
) -> list[State | NoSuchOrder | NotForStaff]:
    ids = sorted({delivery.order_id for delivery in deliveries})
    orders = {row[0]: _read(row) for row in ask(cursor, queries.LOCK_ORDERS, (ids,))}
    sendable = {row[0] for row in ask(cursor, queries.READ_SENDABLE, (list(orders),))}
    answers: list[State | NoSuchOrder | NotForStaff] = []
    changes: list[Change] = []
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
    write_changes(cursor, changes, book, actor=actor, now=now)
    # What was on hold waits for a provider no more.
    replace_work(cursor, [(change.order_id, WorkKind.DISPATCH) for change in changes], [])
    failpoint("staff-before-commit")
    return answers


def _read(row: tuple[Any, ...]) -> _Locked:
    return _Locked(State(row[1]), row[2], Terms(*row[3:]))


def _why_not(delivery: Delivery, order: _Locked, *, is_sendable: bool) -> str:
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


def _change(delivery: Delivery, order: _Locked) -> Change:
    path = (State.IN_PROGRESS,) if order.state is State.QUEUED else ()
    change = Change(delivery.order_id, order.state, path, delivery.reason)
    if is_finished(delivery.state):
        change.path = (*path, delivery.state)
        change.end(order.terms, _STATUS[delivery.state], delivery.remains)
    return change


@dataclass(frozen=True, slots=True)
class Resolution:
    """What staff decide of a refill: COMPLETED or REJECTED, and why."""

    refill_id: int
    state: RefillState
    reason: str


def resolve_refills(
    resolutions: Sequence[Resolution], *, actor: str, now: datetime
) -> list[RefillState | NoSuchRefill | NotForStaff]:
    """End refills by hand; answers each refill's new state, or why it cannot be decided.

    Any that runs may be: those that staff deliver, those of which it is unknown whether the provider took them
    (their attempt becomes `manual`, with the decision as evidence), and those that a provider forgot. One that is
    being sent at this moment is not. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _resolve(cursor, resolutions, actor, now))


def _resolve(
    cursor: Cursor, resolutions: Sequence[Resolution], actor: str, now: datetime
) -> list[RefillState | NoSuchRefill | NotForStaff]:
    ids = sorted({resolution.refill_id for resolution in resolutions})
    orders = {row[2]: (row[0], State(row[1])) for row in ask(cursor, refill_queries.LOCK_TO_RESOLVE, (ids,))}
    states = {row[0]: RefillState(row[1]) for row in ask(cursor, refill_queries.LOCK_REFILLS, (list(orders),))}
    live = {row[0]: (row[1], AttemptState(row[2])) for row in ask(cursor, refill_queries.READ_LIVE, (list(orders),))}
    answers: list[RefillState | NoSuchRefill | NotForStaff] = []
    changes: list[RefillChange] = []
    decided: list[tuple[int, str]] = []
    for resolution in resolutions:
        number = resolution.refill_id
        state = states.get(number)
        attempt_id, attempt_state = live.get(number, (0, None))
        if state is None:
            answers.append(NoSuchRefill(f"there is no refill {number}"))
        elif is_over(state):
            answers.append(NotForStaff(f"refill {number} has ended already: {state.value}"))
        elif attempt_state is AttemptState.SENDING:
            answers.append(NotForStaff(f"refill {number} is being sent at this moment: look again in two minutes"))
        else:
            why = f"{resolution.state.value} by {actor}: {resolution.reason}"
            changes.append(RefillChange(number, *orders[number], resolution.state, why, resolution.reason[:500]))
            answers.append(resolution.state)
            states[number] = resolution.state
            if attempt_state is AttemptState.UNKNOWN:
                decided.append((attempt_id, why))
    write_refill_changes(cursor, changes, actor=actor, now=now)
    _decide_unknown(cursor, decided, now)
    ended = [(change.order_id, kind) for change in changes for kind in (WorkKind.REFILL, WorkKind.FOLLOW)]
    replace_work(cursor, ended, [])
    failpoint("resolve-before-commit")
    return answers


def _decide_unknown(cursor: Cursor, decided: Sequence[tuple[int, str]], now: datetime) -> None:
    if not decided:
        return
    ids, reasons = map(list, zip(*decided, strict=True))
    ask(cursor, refill_queries.DECIDE_UNKNOWN, (now, ids, reasons))
    kinds = [EvidenceKind.DECISION.value] * len(ids)
    ask(cursor, settle_queries.INSERT_EVIDENCE, (now, ids, kinds, reasons, [None] * len(ids)))

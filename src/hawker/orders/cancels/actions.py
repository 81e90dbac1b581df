"""Asking for cancels: settled at once where nothing was sent yet, else wished and carried out upstream.

The outcome (full, partial, refused) of what was sent is the provider's to say: it arrives by its status
(following/actions.py) and is settled there. So an order is never both delivered and refunded in full.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hawker.core.actors import Actor, ActorKind
from hawker.core.errors import Refusal
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.cancels import queries
from hawker.orders.cancels.parent_orders import Parent, StopParents
from hawker.orders.drip_feeds.actions import stop_drips
from hawker.orders.models import State, WorkKind
from hawker.orders.subscriptions.actions import stop_subscriptions
from hawker.orders.transitions.actions import (
    DueWork,
    NewOrderEvent,
    OrderChange,
    SettlementTerms,
    replace_work,
    write_changes,
    write_events,
)
from hawker.orders.transitions.rules import is_finished
from hawker.protocol.errors import CancelDisabled, IncorrectOrder, OrderCompleted
from hawker.protocol.params import read_whole
from hawker.protocol.statuses import OrderStatus

CUSTOMER = Actor(ActorKind.CUSTOMER, None, "")
"""The customer whose order it is."""
NEXT_LOOK = timedelta(seconds=2)

STOPS: dict[str, StopParents] = {"drip": stop_drips, "subscription": stop_subscriptions}
"""Who stops a parent, by `subscription` or `drip`."""


class Canceling(StrEnum):
    """How far a cancel that was taken has come."""

    DONE = "canceled"  # nothing had been sent: canceled and refunded
    ASKED = "asked"  # wished; the outcome shows in the order's status


@dataclass(frozen=True, slots=True)
class CancelAsk:
    """Whose orders, by the ids as they were asked (any text; what is no number is no order).

    `account_id` is None for staff, who may cancel every order, also of a service that offers no cancel.
    """

    account_id: int | None
    ids: Sequence[str]


CancelAnswers = Mapping[str, Canceling | Refusal]


@dataclass(frozen=True, slots=True)
class _Locked:
    """An order under its row lock."""

    id: int
    state: State
    cancel: bool
    type: str
    provider_id: int | None
    upstream_id: int | None
    requested_at: datetime | None
    terms: SettlementTerms

    def may_end_now(self, *, staff: bool) -> bool:
        """Whether no provider has it or may have it. What staff have begun to deliver, only staff may end."""
        begun = self.state in (State.IN_PROGRESS, State.PROCESSING) and self.upstream_id is None
        return self.state is State.QUEUED or (staff and begun)


@dataclass(slots=True)
class _Plan:
    """What a batch of cancels changes."""

    reason: str
    now: datetime
    wished: set[int] = field(default_factory=set)
    changes: list[OrderChange] = field(default_factory=list)
    events: list[NewOrderEvent] = field(default_factory=list)
    upstream: list[DueWork] = field(default_factory=list)
    parents: dict[str, list[Parent]] = field(default_factory=dict)


def request_cancels(
    asks: Sequence[CancelAsk],
    *,
    now: datetime,
    actor: Actor = CUSTOMER,
    reason: str = "the customer asked for a cancel",
) -> list[CancelAnswers]:
    """For each ask what became of each id: canceled at once, asked for, or the refusal.

    An order of which nothing was ever sent is canceled and refunded in this transaction. One that is being sent, or
    of which it is unknown whether it was, keeps the wish until that is known. One that a provider has is canceled
    there by the worker. Asked again it answers the same and does nothing more. Refused are unknown and
    foreign orders, those whose service offers no cancel, and those that have ended otherwise. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _request(cursor, asks, _Plan(reason, now), actor))


def _request(cursor: Cursor, asks: Sequence[CancelAsk], plan: _Plan, actor: Actor) -> list[CancelAnswers]:
    numbers = [{text: read_whole(text) or 0 for text in asked.ids} for asked in asks]
    orders = _lock(
        cursor,
        {(asked.account_id, number) for asked, ids in zip(asks, numbers, strict=True) for number in ids.values()},
    )
    answers: list[CancelAnswers] = []
    for asked, ids in zip(asks, numbers, strict=True):
        found = {number: orders.get(number) for number in ids.values()}
        answers.append({text: _answer(plan, asked.account_id, found[number]) for text, number in ids.items()})
    _write(cursor, plan, actor)
    failpoint("cancel-before-commit")
    return answers


def _lock(cursor: Cursor, pairs: Iterable[tuple[int | None, int]]) -> dict[int, _Locked]:
    """The orders among these pairs of account and number, locked; staff ask without an account."""
    wanted = list(pairs)
    if not wanted:
        return {}
    rows = ask(cursor, queries.LOCK_ASKED, tuple(map(list, zip(*wanted, strict=True))))
    return {row[0]: _read(row) for row in rows}


def _read(row: tuple[Any, ...]) -> _Locked:
    id_, state, cancel, type_, provider_id, upstream_id, requested_at = row[:7]
    return _Locked(id_, State(state), cancel, type_, provider_id, upstream_id, requested_at, SettlementTerms(*row[7:]))


def _answer(plan: _Plan, account_id: int | None, order: _Locked | None) -> Canceling | Refusal:
    """The answer for one id; what it changes goes into the plan, once for each order."""
    staff = account_id is None
    # Found by account and number, never by number alone: one batch carries many accounts' questions.
    if order is None or not (staff or order.terms.account_id == account_id):
        return IncorrectOrder()
    if not (staff or order.cancel):
        return CancelDisabled()
    if is_finished(order.state):
        # What was asked for has come about, wholly or in part, and a client that missed the answer gets it again.
        asked_before = order.requested_at is not None and order.state is not State.COMPLETED
        return Canceling.DONE if asked_before else OrderCompleted()
    at_once = order.may_end_now(staff=staff)
    # Staff may have a provider asked once more.
    again = staff and order.upstream_id is not None
    if order.id not in plan.wished and (at_once or again or order.requested_at is None):
        _plan(plan, order, at_once=at_once)
    return Canceling.DONE if at_once else Canceling.ASKED


def _plan(plan: _Plan, order: _Locked, *, at_once: bool) -> None:
    plan.wished.add(order.id)
    if at_once:
        change = OrderChange(order.id, order.state, (State.CANCELED,), plan.reason)
        change.end(order.terms, OrderStatus.CANCELED)
        plan.changes.append(change)
        return
    plan.events.append(NewOrderEvent(order.id, order.state, order.state, plan.reason))
    if order.state in (State.ACTIVE, State.PAUSED) and order.upstream_id is None:
        kind = "subscription" if order.type == "Subscriptions" else "drip"
        plan.parents.setdefault(kind, []).append(Parent(order.id, order.state, order.terms))
    elif order.provider_id is not None and order.upstream_id is not None:
        plan.upstream.append(DueWork(order.id, WorkKind.CANCEL, order.provider_id, plan.now))


def _write(cursor: Cursor, plan: _Plan, actor: Actor) -> None:
    if not plan.wished:
        return
    for kind, parents in plan.parents.items():
        _stop(cursor, plan, STOPS[kind], parents)
    ask(cursor, queries.MARK_REQUESTED, (plan.now, list(plan.wished)))
    write_events(cursor, plan.events, actor=actor, now=plan.now)
    if plan.changes:
        book = open_book(lock_accounts(cursor, (change.account_id for change in plan.changes if change.settlement)))
        write_changes(cursor, plan.changes, book, actor=actor, operation="order.cancel", now=plan.now)
    replace_work(cursor, [], plan.upstream)


def _stop(cursor: Cursor, plan: _Plan, stop: StopParents, parents: Sequence[Parent]) -> None:
    """Stop parents, then wish the cancel of their children: those have higher numbers, so the order of locks holds."""
    stopped = stop(cursor, parents, reason=plan.reason, now=plan.now)
    plan.changes += stopped.changes
    for child in _lock(cursor, [(None, child) for child in stopped.children]).values():
        # A child may have been asked for beside its parent, in the same batch: then it is planned already.
        if child.id not in plan.wished and child.requested_at is None and not is_finished(child.state):
            _plan(plan, child, at_once=child.may_end_now(staff=False))

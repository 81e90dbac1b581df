"""What staff decide of orders that stay unknown: bound to a number, sent again, or given back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from hawker.alerts.actions import Raised, log_alerts
from hawker.core.actors import Actor
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.errors import CannotResolve
from hawker.orders.models import EvidenceKind
from hawker.orders.reconciling import queries
from hawker.orders.sending import settling_queries as settle_queries
from hawker.orders.sending.rules import Decision, Found, GivenUp, NotThere
from hawker.orders.sending.settling import BINDINGS, Outcome, settle_within


@dataclass(frozen=True, slots=True)
class UnknownAttempt:
    """The unknown attempt of an order, and the provider that may have it."""

    attempt_id: int
    provider_id: int
    provider: str


def find_unknown(order_id: int) -> UnknownAttempt:
    """The attempt that is in doubt. Raises CannotResolve where the order is not unknown, or not there."""
    return in_transaction(lambda cursor: _lock(cursor, order_id))


def _lock(cursor: Cursor, order_id: int) -> UnknownAttempt:
    row = ask(cursor, queries.LOCK_UNKNOWN, (order_id,)).fetchone()
    if row is None:
        raise CannotResolve(f"order {order_id} is not unknown; nothing was changed")
    return UnknownAttempt(*row)


def bind_order(order_id: int, upstream_id: int, *, actor: Actor, reason: str, now: datetime) -> None:
    """Say that the provider has the order under this number; it is followed from now on.

    Raises CannotResolve where the order is not unknown (any more), or the number is another order's.
    """

    def decide(cursor: Cursor, unknown: UnknownAttempt) -> Decision:
        siblings = [row[0] for row in ask(cursor, queries.READ_SIBLINGS, (unknown.provider_id,))]
        owner = ask(cursor, queries.OWNER_OF, (siblings, upstream_id, siblings, upstream_id)).fetchone()
        if owner is not None:
            raise CannotResolve(f"{unknown.provider} has order {owner[0]} under {upstream_id}; nothing was changed")
        return Found(upstream_id, f"bound to {upstream_id} by {actor}: {reason}")

    _resolve(order_id, decide, actor=actor, now=now)


def resend_order(order_id: int, *, actor: Actor, reason: str, now: datetime) -> None:
    """Say that the provider does not have the order; it is sent again. Raises CannotResolve where it is not unknown."""
    _resolve(order_id, lambda *_: NotThere(f"sent again by {actor}: {reason}"), actor=actor, now=now)


def refund_order(order_id: int, *, actor: Actor, reason: str, now: datetime) -> None:
    """End the order and give everything back, whatever the provider has. Raises CannotResolve where it is not
    unknown."""
    _resolve(order_id, lambda *_: GivenUp(f"refunded by {actor}: {reason}"), actor=actor, now=now)


def _resolve(
    order_id: int, decide: Callable[[Cursor, UnknownAttempt], Decision], *, actor: Actor, now: datetime
) -> None:
    def work(cursor: Cursor) -> list[Raised]:
        unknown = _lock(cursor, order_id)
        decision = decide(cursor, unknown)
        evidence = (now, [unknown.attempt_id], [EvidenceKind.DECISION.value], [decision.why], [None])
        ask(cursor, settle_queries.INSERT_EVIDENCE, evidence)
        _, opened = settle_within(
            cursor, [Outcome(unknown.attempt_id, decision)], now, actor=actor, operation="order.resolve"
        )
        # What was ambiguous because of this one may not be any more.
        ask(cursor, queries.LOOK_NOW, (now, unknown.provider_id))
        return opened

    try:
        log_alerts(in_transaction(work))
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name not in BINDINGS:
            raise
        raise CannotResolve(f"another order was bound to that number at this moment; order {order_id} stays") from error

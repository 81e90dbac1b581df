"""Claiming orders to send, at most once (docs/reliability.md)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import Book
from hawker.orders.models import AttemptKind, State, WorkKind
from hawker.orders.sending import queries
from hawker.orders.sending.attempts import LEASE, Begun, Claim, begin_attempts
from hawker.orders.sending.buying import (
    Bargain,
    PurchaseRoute,
    charge_at,
    cost_at,
    find_hold,
    read_refusals,
    read_routes,
)
from hawker.orders.transitions.actions import (
    DueWork,
    Hold,
    NewOrderEvent,
    OrderChange,
    replace_work,
    write_changes,
    write_events,
)
from hawker.protocol.form import add_form
from hawker.providers.availability import ask_gate, pass_gate

ACTOR = system("dispatch")
LOOKED_AT_AGAIN = timedelta(minutes=10)
"""How soon a held order is looked at again by itself. A change of the catalogue or of a provider is noticed within a
second (deciding/holds.py); this is for what that look could not see, because it came in the middle of a claim."""

_MOST_LOOKS = 20
_MOST_LOOKED_AT = 1_000
"""A claim looks past orders that had to be put on hold, each time at twice as many orders, up to so many."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A due order under its row lock, and what it brings in."""

    order_id: int
    service_id: int
    link: str
    extra: str | None
    tries: int
    attempts: int
    bargain: Bargain


def claim_dispatches(provider_id: int, *, limit: int, token: str, now: datetime) -> list[Claim]:
    """Claim up to `limit` due orders for sending to this provider, committed as `sending`.

    None while the provider is paused or its breaker is open, and no more than its minute holds. Orders that
    nobody may send at their price are put on hold with the reason (sending/buying.py). `token` names this claim,
    so that a claim whose COMMIT got no answer can be disowned. Raises Unavailable; then nothing may be sent.
    """
    return in_transaction(lambda cursor: _claim(cursor, provider_id, limit, token, now))


def _claim(cursor: Cursor, provider_id: int, limit: int, token: str, now: datetime) -> list[Claim]:
    gate = ask_gate(cursor, provider_id, want=limit, now=now)
    if not gate.most:
        return []
    sendable: list[tuple[_Waiting, PurchaseRoute]] = []
    look = gate.most
    for _ in range(_MOST_LOOKS):
        rows = [_read(row) for row in ask(cursor, queries.CLAIM_DISPATCH, (provider_id, now, look))]
        sendable = _sendable(cursor, provider_id, rows, now)
        # Orders on hold must not stand before those that can be sent, and a claim of fewer than was wanted says
        # that nothing more is due. What was only looked at is free again at the COMMIT.
        if len(sendable) >= gate.most or len(rows) < look:
            break
        look = min(look * 2, max(_MOST_LOOKED_AT, gate.most))
    sendable = sendable[: gate.most]
    pass_gate(cursor, gate, len(sendable), now=now)
    return _write_claims(cursor, provider_id, sendable, token, now) if sendable else []


def _read(row: tuple[Any, ...]) -> _Waiting:
    order_id, service_id, type_name, link, quantity, extra, charge_micros, tries, attempts, is_paid_run, at_a_loss = row
    bargain = Bargain(type_name, quantity, charge_micros, is_paid_run=is_paid_run, at_a_loss=at_a_loss)
    return _Waiting(order_id, service_id, link, extra, tries, attempts, bargain)


def _sendable(
    cursor: Cursor, provider_id: int, rows: Sequence[_Waiting], now: datetime
) -> list[tuple[_Waiting, PurchaseRoute]]:
    """The orders that may be sent, each with its route. The others go to another route of their service that takes
    them at their price, or are put on hold where there is none.
    """
    if not rows:
        return []
    routes = read_routes(cursor, {row.service_id for row in rows})
    sendable: list[tuple[_Waiting, PurchaseRoute]] = []
    passed_over: list[tuple[_Waiting, Hold]] = []
    for row in rows:
        route = next((route for route in routes[row.service_id] if route.provider_id == provider_id), None)
        hold = find_hold(route, row.bargain)
        if hold is not None:
            passed_over.append((row, hold))
        elif route is not None:
            sendable.append((row, route))
    refusals = read_refusals(cursor, [row.order_id for row, _ in passed_over]) if passed_over else {}
    due: list[DueWork] = []
    events: list[NewOrderEvent] = []
    for row, hold in passed_over:
        refused = refusals.get(row.order_id, ())
        others = [r.provider_id for r in routes[row.service_id] if not find_hold(r, row.bargain)]
        other = next((other for other in others if other not in refused), None)
        if other is None:
            later = now + LOOKED_AT_AGAIN
            due.append(DueWork(row.order_id, WorkKind.DISPATCH, provider_id, later, row.tries, hold))
        else:
            due.append(DueWork(row.order_id, WorkKind.DISPATCH, other, now, row.tries))
            reason = f"{hold.text}: from provider {provider_id} to provider {other}"
            events.append(NewOrderEvent(row.order_id, State.QUEUED, State.QUEUED, reason))
    replace_work(cursor, [], due)
    write_events(cursor, events, actor=ACTOR, now=now)
    return sendable


def _write_claims(
    cursor: Cursor, provider_id: int, sendable: Sequence[tuple[_Waiting, PurchaseRoute]], token: str, now: datetime
) -> list[Claim]:
    attempt_of = begin_attempts(
        cursor,
        AttemptKind.ADD,
        [
            Begun(
                row.order_id,
                row.attempts + 1,
                cost_at(route, row.bargain.type_name, row.bargain.quantity),
                charge_at(route, row.bargain.type_name, row.bargain.quantity),
            )
            for row, route in sendable
        ],
        provider_id=provider_id,
        token=token,
        now=now,
    )
    changes = [
        OrderChange(row.order_id, State.QUEUED, (State.SENDING,), f"attempt {row.attempts + 1}") for row, _ in sendable
    ]
    write_changes(cursor, changes, Book(), actor=system(token), operation="order.send", now=now)
    # The work stays, due when the lease ends, only as the mark of an order that is under way.
    leased = [DueWork(row.order_id, WorkKind.DISPATCH, provider_id, now + LEASE, row.tries + 1) for row, _ in sendable]
    replace_work(cursor, [], leased)
    failpoint("claim-before-commit")
    return [
        Claim(
            attempt_id=attempt_of[row.order_id],
            order_id=row.order_id,
            provider_id=provider_id,
            fields=add_form(
                upstream_service=route.upstream_service,
                type_name=row.bargain.type_name,
                link=row.link,
                quantity=row.bargain.quantity,
                # Django has its connections hand JSON over as text.
                extra=json.loads(row.extra) if row.extra else None,
            ),
        )
        for row, route in sendable
    ]

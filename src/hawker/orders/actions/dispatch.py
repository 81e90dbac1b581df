"""Claiming orders to send, at most once (reliability.md, the state machine)."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hawker.catalog.rules import RATE_UNITS, read_rate
from hawker.core.failpoints import failpoint
from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import Book
from hawker.orders.actions.attempts import LEASE, Begun, Claim, begin_attempts
from hawker.orders.actions.move import Change, Due, replace_work, write_changes
from hawker.orders.models import AttemptKind, State, WorkKind
from hawker.orders.queries import dispatch as queries
from hawker.orders.rules import cost_for
from hawker.protocol.form import add_form
from hawker.protocol.service_types import QuantityRule, find_type
from hawker.providers.health import ask_gate, pass_gate

HELD_UNTIL = datetime(9000, 1, 1, tzinfo=UTC)
_MOST_HELD = 100
"""How many times a claim looks past orders that had to be put on hold."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a service can be bought, best first; the exchange rate turns its cost into our currency."""

    provider_id: int
    upstream_service: int
    cost_rate_units: int
    exchange_rate_units: int


def claim_dispatches(provider_id: int, *, limit: int, token: str, now: datetime) -> list[Claim]:
    """Claim up to `limit` due orders for sending to this provider, committed as `sending`.

    None while the provider is paused or its breaker is open, and no more than its minute holds. Orders that
    nobody may send are put on hold with the reason: no route there any more, or a cost above the charge. A
    run of a drip-feed may cost a step more than its share. `token` names this claim, so that a claim
    whose COMMIT got no answer can be disowned. Raises Unavailable; then nothing may be sent.
    """
    return in_transaction(lambda cursor: _claim(cursor, provider_id, limit, token, now))


def _claim(cursor: Cursor, provider_id: int, limit: int, token: str, now: datetime) -> list[Claim]:
    gate = ask_gate(cursor, provider_id, want=limit, now=now)
    if not gate.most:
        return []
    sendable: list[tuple[Any, ...]] = []
    for _ in range(_MOST_HELD):
        rows = ask(cursor, queries.CLAIM_DISPATCH, (provider_id, now, gate.most)).fetchall()
        sendable = _sendable(cursor, provider_id, rows)
        # Orders on hold must not stand before those that can be sent.
        if sendable or len(rows) < gate.most:
            break
    pass_gate(cursor, gate, len(sendable), now=now)
    return _write_claims(cursor, provider_id, sendable, token, now) if sendable else []


def _sendable(cursor: Cursor, provider_id: int, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of orders that may be sent, each with its route and cost; the others are put on hold."""
    if not rows:
        return []
    routes = read_routes(cursor, {row[2] for row in rows})
    sendable: list[tuple[Any, ...]] = []
    held: list[Due] = []
    for row in rows:
        route = next((route for route in routes[row[2]] if route.provider_id == provider_id), None)
        cost = None if route is None else cost_at(route, row[3], row[5])
        hold = hold_reason(route, cost, charge_micros=row[7], is_paid_run=row[10])
        if hold:
            held.append(Due(row[0], WorkKind.DISPATCH, provider_id, HELD_UNTIL, row[8], hold))
        else:
            sendable.append((row, route, cost))
    replace_work(cursor, [], held)
    return sendable


def _write_claims(
    cursor: Cursor, provider_id: int, sendable: Sequence[tuple[Any, ...]], token: str, now: datetime
) -> list[Claim]:
    attempt_of = begin_attempts(
        cursor,
        AttemptKind.ADD,
        [Begun(row[0], row[9] + 1, cost, charge_at(route, row[3], row[5])) for row, route, cost in sendable],
        provider_id=provider_id,
        token=token,
        now=now,
    )
    changes = [Change(row[0], State.QUEUED, (State.SENDING,), f"attempt {row[9] + 1}") for row, _, _ in sendable]
    write_changes(cursor, changes, Book(), actor=token, now=now)
    # The work stays, due when the lease ends, only as the mark of an order that is under way.
    leased = [Due(row[0], WorkKind.DISPATCH, provider_id, now + LEASE, row[8] + 1) for row, _, _ in sendable]
    replace_work(cursor, [], leased)
    failpoint("claim-before-commit")
    return [
        Claim(
            attempt_id=attempt_of[row[0]],
            order_id=row[0],
            provider_id=provider_id,
            fields=add_form(
                upstream_service=route.upstream_service,
                type_name=row[3],
                link=row[4],
                quantity=row[5],
                # Django has its connections hand JSON over as text.
                extra=json.loads(row[6]) if row[6] else None,
            ),
        )
        for row, route, _ in sendable
    ]


def read_routes(cursor: Cursor, service_ids: set[int]) -> Mapping[int, list[Route]]:
    """The routes of each service over enabled providers, best first."""
    routes: defaultdict[int, list[Route]] = defaultdict(list)
    for service_id, provider_id, upstream_service, cost_rate, exchange_rate in ask(
        cursor, queries.READ_ROUTES, (list(service_ids),)
    ):
        routes[service_id].append(Route(provider_id, upstream_service, read_rate(cost_rate), read_rate(exchange_rate)))
    return routes


def cost_at(route: Route, type_name: str, quantity: int) -> int:
    """The expected cost there in micros of the panel's own currency, rounded up."""
    upstream = charge_at(route, type_name, quantity)
    return min(-(-upstream * route.exchange_rate_units // RATE_UNITS), 2**63 - 1)


def charge_at(route: Route, type_name: str, quantity: int) -> int:
    """What we expect to be charged there, in micros of the provider's currency, rounded up."""
    service_type = find_type(type_name)
    if service_type is not None and service_type.quantity is QuantityRule.PER_POST:
        return 0  # a subscription costs nothing itself; its orders cost, one by one
    package = service_type is not None and service_type.quantity is QuantityRule.FIXED
    return cost_for(route.cost_rate_units, quantity, package=package)


def hold_reason(route: Route | None, cost_micros: int | None, *, charge_micros: int, is_paid_run: bool) -> str:
    """Why an order must not be sent this way; empty where it may be."""
    if route is None or cost_micros is None:
        return "no route to this provider"
    # A free service is a gift by decision; every other order must at least pay for itself. The share of a run
    # may lie a step under its exact price (share_of_run), which is no loss: the run after it has it.
    allowed = charge_micros + (CUSTOMER_STEP_MICROS if is_paid_run else 0)
    return "cost above the charge" if (charge_micros or is_paid_run) and cost_micros > allowed else ""

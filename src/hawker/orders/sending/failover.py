"""Orders that wait for a provider that takes none go to the next route. Only what is queued: certainly with nobody."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hawker.core.actors import system
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import State, WorkKind
from hawker.orders.sending import failover_queries as queries
from hawker.orders.sending.buying import Bargain, find_hold, read_refusals, read_routes
from hawker.orders.transitions.actions import DueWork, NewOrderEvent, replace_work, write_events

ACTOR = system("failover")
BATCH = 500
_WAIT = timedelta(seconds=60)
"""An order that nobody else can take at its price is looked at again after so long."""


def move_stranded(*, now: datetime) -> int:
    """Give due orders of providers that are switched off, or whose breaker is open, to their next route; answers
    how many were moved. Raises Unavailable.

    An order goes only where it is not sold under its cost and has not been refused. Whatever is not certain
    to be with nobody (sending, unknown) stays where it is.
    """
    return in_transaction(lambda cursor: _move(cursor, now))


def _move(cursor: Cursor, now: datetime) -> int:
    rows = ask(cursor, queries.FIND_STRANDED, (now, now, now, now, now, BATCH)).fetchall()
    if not rows:
        return 0
    routes = read_routes(cursor, {row[1] for row in rows})
    refusals = read_refusals(cursor, [row[0] for row in rows])
    moved: list[DueWork] = []
    waiting: list[DueWork] = []
    events: list[NewOrderEvent] = []
    for order_id, service_id, type_name, quantity, charge, is_paid_run, at_a_loss, provider_id, tries, free in rows:
        bargain = Bargain(type_name, quantity, charge, is_paid_run=is_paid_run, at_a_loss=at_a_loss)
        affordable = {route.provider_id for route in routes[service_id] if not find_hold(route, bargain)}
        others = [other for other in free if other in affordable and other not in refusals[order_id]]
        if others:
            moved.append(DueWork(order_id, WorkKind.DISPATCH, others[0], now, tries))
            reason = f"provider {provider_id} takes no orders now: on to provider {others[0]}"
            events.append(NewOrderEvent(order_id, State.QUEUED, State.QUEUED, reason))
        else:
            waiting.append(DueWork(order_id, WorkKind.DISPATCH, provider_id, now + _WAIT, tries))
    replace_work(cursor, [], moved + waiting)
    write_events(cursor, events, actor=ACTOR, now=now)
    return len(moved)


def look_again(service_ids: Sequence[int], *, now: datetime) -> None:
    """Routes or costs of these services changed: what is held, or waits where it is not bought any more, goes on."""
    in_transaction(lambda cursor: ask(cursor, queries.LOOK_AGAIN, (list(service_ids), now)))

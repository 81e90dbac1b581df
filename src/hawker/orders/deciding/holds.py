"""Held orders: looked at again when something changed that may free them, and let go by staff."""

from collections.abc import Sequence
from datetime import datetime

from hawker.catalog.snapshot import ask_version
from hawker.core.actors import Actor
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.deciding import holds_queries as queries
from hawker.orders.errors import NotHeld
from hawker.orders.models import State
from hawker.orders.transitions.actions import NewOrderEvent, write_events


def wake_held(seen_version: int | None, *, now: datetime) -> int:
    """Make every held order due where the catalogue is not the one of `seen_version`; answers its number now.

    The number changes with every service, route and price, and with what providers are worth or whether they
    are on. Whether an order may go then is found out by whoever claims it. Raises Unavailable.
    """

    def work(cursor: Cursor) -> int:
        row = ask_version(cursor).fetchone()
        assert row is not None, "migrations write the one row"
        if row[0] != seen_version:
            ask(cursor, queries.WAKE_HELD, (now, now))
        return int(row[0])

    return in_transaction(work)


def release_orders(
    order_ids: Sequence[int], *, at_a_loss: bool, actor: Actor, reason: str, now: datetime
) -> list[State | NotHeld]:
    """Have held orders looked at again at once; `at_a_loss` has them sent whatever they cost, from now on.

    Answers for each order asked for its state, or NotHeld for one that is not held (any more). An order that nobody
    can be asked for stays held either way. Raises Unavailable.
    """

    def work(cursor: Cursor) -> list[State | NotHeld]:
        rows = ask(cursor, queries.LOCK_HELD, (sorted(set(order_ids)),)).fetchall()
        held = {order: (State(state), hold) for order, state, hold in rows}
        if held:
            if at_a_loss:
                ask(cursor, queries.ACCEPT_LOSS, (now, list(held)))
            what = "to be sent regardless of cost" if at_a_loss else "to be checked again"
            events = [
                NewOrderEvent(
                    order, state, state, f"{what if state is State.QUEUED else 'to go on'} ({hold}): {reason}"
                )
                for order, (state, hold) in held.items()
            ]
            write_events(cursor, events, actor=actor, now=now)
            ask(cursor, queries.RELEASE, (now, list(held)))
        return [held[order][0] if order in held else NotHeld(f"order {order} is not held") for order in order_ids]

    return in_transaction(work)

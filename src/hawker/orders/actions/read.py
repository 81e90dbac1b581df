"""What customers may know of their orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import State
from hawker.orders.queries import read as queries
from hawker.orders.rules import WIRE_STATUS, drip_status
from hawker.orders.subscription_rules import subscription_status
from hawker.protocol.params import read_whole, write_date
from hawker.protocol.replies import status_object

MAX_CHILDREN = 1_000
"""Most orders that the status of a subscription names, which may run for years: its newest."""


@dataclass(frozen=True, slots=True)
class StatusAsk:
    """Whose orders, by the ids as they were asked (any text; what is no number is no order)."""

    account_id: int
    ids: Sequence[str]


def read_statuses(asks: Sequence[StatusAsk]) -> list[Mapping[str, str]]:
    """For each ask the status objects of its orders as JSON text, by the id as asked.

    An id that is unknown, another account's, or no number at all is left out. Raises Unavailable.
    """
    numbers = [{asked: number for asked in ask.ids if (number := read_whole(asked)) is not None} for ask in asks]
    pairs = [(ask.account_id, number) for ask, ids in zip(asks, numbers, strict=True) for number in ids.values()]
    if not pairs:
        return [{} for _ in asks]

    objects = in_transaction(lambda cursor: read_objects(cursor, pairs))
    # Found by account and number, never by number alone: one batch carries many accounts' questions.
    return [
        {asked: found for asked, number in ids.items() if (found := objects.get((ask.account_id, number))) is not None}
        for ask, ids in zip(asks, numbers, strict=True)
    ]


def read_objects(
    cursor: Cursor, pairs: Sequence[tuple[int, int]], *, brief: bool = False
) -> dict[tuple[int, int], str]:
    """The status objects of these pairs of account and order as JSON text, of those that there are.

    `brief` leaves out what follows the usual five keys of a parent: it names orders that may be very many.
    """
    rows = ask(cursor, queries.READ_STATUSES, tuple(map(list, zip(*pairs, strict=True))))
    currency = settings().currency
    drips: dict[int, int] = {}
    subscriptions: dict[int, int] = {}
    objects = {}
    for account_id, order_id, charge_micros, start_count, state, remains, is_drip, is_subscription in rows:
        if is_drip:
            drips[order_id] = account_id
            continue
        if is_subscription:
            subscriptions[order_id] = account_id
            continue
        objects[account_id, order_id] = status_object(
            charge_micros=charge_micros,
            start_count=start_count,
            status=WIRE_STATUS[state],
            remains=remains,
            currency=currency,
        )
    if drips:
        shown = _read_drips(cursor, list(drips), currency, brief=brief)
        objects |= {(drips[order_id], order_id): text for order_id, text in shown.items()}
    if subscriptions:
        shown = _read_subscriptions(cursor, list(subscriptions), currency, brief=brief)
        objects |= {(subscriptions[order_id], order_id): text for order_id, text in shown.items()}
    return objects


def _read_drips(cursor: Cursor, order_ids: list[int], currency: str, *, brief: bool) -> dict[int, str]:
    """The status objects of drip-feeds, by number: summed over their runs, with `runs` and `orders`."""
    return {
        order_id: status_object(
            charge_micros=charge_micros,
            start_count=start_count,
            status=drip_status(State(state), moved=moved),
            remains=remains,
            currency=currency,
            extra=None if brief else {"runs": str(len(run_ids)), "orders": [str(run_id) for run_id in run_ids]},
        )
        for order_id, state, charge_micros, remains, start_count, moved, run_ids in ask(
            cursor, queries.READ_DRIPS, (order_ids,)
        )
    }


def _read_subscriptions(cursor: Cursor, order_ids: list[int], currency: str, *, brief: bool) -> dict[int, str]:
    """The status objects of subscriptions, by number: what their orders cost in the end, and the usual keys followed
    by `posts` (how many were ordered for), `expiry` (d/m/Y, empty without one) and `orders` (the newest MAX_CHILDREN).
    """
    return {
        order_id: status_object(
            charge_micros=charge_micros,
            start_count=None,
            status=subscription_status(state),
            remains=posts_left,
            currency=currency,
            extra=None
            if brief
            else {
                "posts": str(parts),
                "expiry": "" if expiry is None else write_date(expiry),
                "orders": [str(child_id) for child_id in reversed(child_ids)],
            },
        )
        for order_id, state, charge_micros, posts_left, parts, expiry, child_ids in ask(
            cursor, queries.READ_SUBSCRIPTIONS, (MAX_CHILDREN, order_ids)
        )
    }

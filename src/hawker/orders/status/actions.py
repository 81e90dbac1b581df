"""What customers may know of their orders."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hawker.core.settings import settings
from hawker.core.sql import read_rows
from hawker.orders.drip_feeds.rules import drip_status
from hawker.orders.models import State
from hawker.orders.status import queries
from hawker.orders.subscriptions.rules import subscription_status
from hawker.orders.transitions.rules import WIRE_STATUS
from hawker.protocol.params import read_whole, write_date
from hawker.protocol.replies import status_object

MAX_CHILDREN = 1_000
"""Most orders that the status of a subscription names, which may run for years: its newest."""


@dataclass(frozen=True, slots=True)
class StatusAsk:
    """Whose orders, by the ids as they were asked (any text; what is no number is no order)."""

    account_id: int
    ids: Sequence[str]


Shown: TypeAlias = tuple[int, str]
"""Whose order it is, and its status object as JSON text. Bare, as there are a hundred to a request."""

Read: TypeAlias = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Asks the database one statement with its parameters."""


def read_statuses(asks: Sequence[StatusAsk]) -> list[Mapping[str, str]]:
    """For each ask the status objects of its orders as JSON text, by the id as asked.

    An id that is unknown, another account's, or no number at all is left out. Raises Unavailable.
    """
    numbers = [{asked: number for asked in ask.ids if (number := read_whole(asked)) is not None} for ask in asks]
    shown = read_objects(read_rows, {number for ids in numbers for number in ids.values()})
    # One batch carries many accounts' questions: a foreign order answers as a missing one.
    return [
        {
            asked: found[1]
            for asked, number in ids.items()
            if (found := shown.get(number)) is not None and found[0] == ask.account_id
        }
        for ask, ids in zip(asks, numbers, strict=True)
    ]


def read_objects(read: Read, order_ids: Collection[int], *, brief: bool = False) -> dict[int, Shown]:
    """The status objects of these orders, whoever's they are, by number, of those that there are.

    `brief` leaves out what follows the usual five keys of a parent: it names orders that may be very many.
    """
    if not order_ids:
        return {}
    currency = settings().currency
    objects: dict[int, Shown] = {}
    parents: dict[str, dict[int, int]] = {"drip": {}, "subscription": {}}
    for order_id, account_id, charge_micros, start_count, state, remains, parent in read(
        queries.READ_STATUSES, (list(order_ids),)
    ):
        if parent is not None:
            parents[parent][order_id] = account_id
            continue
        text = status_object(
            charge_micros=charge_micros,
            start_count=start_count,
            status=WIRE_STATUS[state],
            remains=remains,
            currency=currency,
        )
        objects[order_id] = account_id, text
    for kind, read_kind in (("drip", _read_drips), ("subscription", _read_subscriptions)):
        if owners := parents[kind]:
            texts = read_kind(read, list(owners), currency, brief=brief)
            objects |= {order_id: (owners[order_id], text) for order_id, text in texts.items()}
    return objects


def _read_drips(read: Read, order_ids: list[int], currency: str, *, brief: bool) -> dict[int, str]:
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
        for order_id, state, charge_micros, remains, start_count, moved, run_ids in read(
            queries.READ_DRIPS, (order_ids,)
        )
    }


def _read_subscriptions(read: Read, order_ids: list[int], currency: str, *, brief: bool) -> dict[int, str]:
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
        for order_id, state, charge_micros, posts_left, parts, expiry, child_ids in read(
            queries.READ_SUBSCRIPTIONS, (MAX_CHILDREN, order_ids)
        )
    }

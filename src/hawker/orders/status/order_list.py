"""An account's own orders, newest first: how a client that lost an answer finds its order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.status import queries
from hawker.orders.status.actions import read_objects
from hawker.protocol.replies import listed_object

NEWEST = 2**63 - 1
"""Above every order's number."""


@dataclass(frozen=True, slots=True)
class ListAsk:
    """Whose orders, how many at most, and below which number."""

    account_id: int
    limit: int
    before: int = NEWEST


def list_orders(asks: Sequence[ListAsk]) -> list[list[str]]:
    """For each ask its orders as JSON text, newest first; parents and their children each as an order of its own.

    Charge, remains and status are what `status` answers of the same order. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _list(cursor, asks))


def _list(cursor: Cursor, asks: Sequence[ListAsk]) -> list[list[str]]:
    wanted = [(place, asked.account_id, asked.before, asked.limit) for place, asked in enumerate(asks)]
    rows = ask(cursor, queries.LIST_ORDERS, tuple(map(list, zip(*wanted, strict=True)))).fetchall()
    objects = read_objects(lambda *asked: ask(cursor, *asked).fetchall(), {row[1] for row in rows}, brief=True)
    answers: list[list[str]] = [[] for _ in asks]
    for place, order_id, service_id, link, quantity, created_at, parent_id, request_id in rows:
        answers[place].append(
            listed_object(
                order=order_id,
                service=service_id,
                link=link,
                quantity=quantity,
                status=objects[order_id][1],
                created=_instant(created_at),
                parent=parent_id,
                request_id=request_id,
            )
        )
    return answers


def _instant(moment: datetime) -> str:
    """The second in UTC, as ISO 8601 writes it: 2026-02-17T10:11:12Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

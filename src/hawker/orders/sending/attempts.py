"""Attempts: begun by a claim, locked again to be settled. The evidence that nothing is sent twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.core.sql import Cursor, ask
from hawker.orders.models import AttemptKind
from hawker.orders.sending import queries

LEASE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that is ours to send, once, before its lease ends: the fields of the call, without the key."""

    attempt_id: int
    order_id: int
    provider_id: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Begun:
    """The `n`th attempt of its kind for an order, at what it is expected to cost: in our currency, and in the
    provider's."""

    order_id: int
    n: int
    cost_micros: int | None = None
    charge_micros: int | None = None
    refill_id: int | None = None


def begin_attempts(
    cursor: Cursor, kind: AttemptKind, begun: Sequence[Begun], *, provider_id: int, token: str, now: datetime
) -> dict[int, int]:
    """Write these attempts down as `sending`, leased; answers the attempt of each order.

    The caller holds the orders' row locks, and sends nothing before its COMMIT is answered. The
    database refuses a second live attempt (I12).
    """
    rows = [(item.order_id, item.refill_id, item.n, item.cost_micros, item.charge_micros) for item in begun]
    written = ask(
        cursor,
        queries.INSERT_ATTEMPTS,
        (kind.value, provider_id, now + LEASE, token, now, *map(list, zip(*rows, strict=True))),
    )
    return {order_id: attempt_id for attempt_id, order_id in written}

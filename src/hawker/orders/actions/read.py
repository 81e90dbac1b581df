"""What customers may know of their orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hawker.core.settings import settings
from hawker.core.sql import Cursor, in_transaction
from hawker.orders.queries import read as queries
from hawker.orders.rules import WIRE_STATUS
from hawker.protocol.params import read_whole
from hawker.protocol.replies import status_object


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

    def work(cursor: Cursor) -> dict[tuple[int, int], str]:
        cursor.execute(queries.READ_STATUSES, tuple(map(list, zip(*pairs, strict=True))))
        currency = settings().currency
        return {
            (account_id, order_id): status_object(
                charge_micros=charge_micros,
                start_count=start_count,
                status=WIRE_STATUS[state],
                remains=remains,
                currency=currency,
            )
            for account_id, order_id, charge_micros, start_count, state, remains in cursor
        }

    objects = in_transaction(work)
    # Found by account and number, never by number alone: one batch carries many accounts' questions.
    return [
        {asked: found for asked, number in ids.items() if (found := objects.get((ask.account_id, number))) is not None}
        for ask, ids in zip(asks, numbers, strict=True)
    ]

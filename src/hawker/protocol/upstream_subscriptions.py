"""Reading what other panels say of subscriptions that they run for us: their status, and the orders they made.

A status has `posts`, `expiry` and `orders` beside the usual five keys (docs/subscriptions.md). What a panel does not
name readably is not guessed: an order that is not listed by its number cannot be followed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hawker.protocol.statuses import OrderStatus, SubscriptionStatus, read_order_status, read_subscription_status
from hawker.protocol.upstream import (
    Unreadable,
    UpstreamStatus,
    read_cost,
    read_count,
    read_id,
    read_status,
    status_rows,
)

MAX_LISTED = 10_000


@dataclass(frozen=True, slots=True)
class UpstreamSubscription:
    """A subscription as a panel tells it. `orders` are those it made there, in its own order, None where it names none
    readably; `posts` is what it says of their number, `charge_micros` of what they cost.
    """

    status: SubscriptionStatus
    orders: tuple[int, ...] | None
    posts: int | None
    charge_micros: int | None


Polled = UpstreamStatus | UpstreamSubscription


def read_polls(
    body: bytes, ids: Sequence[int], subscriptions: Collection[int]
) -> dict[int, Polled | Unreadable] | Unreadable:
    """Like `read_statuses`, where those of `ids` that are in `subscriptions` are read as what they are."""
    rows = status_rows(body, ids)
    if isinstance(rows, Unreadable):
        return rows
    return {
        asked: read_subscription(row) if asked in subscriptions else read_status(row) for asked, row in rows.items()
    }


def read_subscription(row: object) -> UpstreamSubscription | Unreadable:
    """One subscription's own answer. Panels that have no words for it say those of orders: what runs is Active."""
    if not isinstance(row, dict):
        return Unreadable("status", "not an object")
    if row.get("error"):
        return Unreadable("status", f"an error: {str(row['error'])[:200]}")
    word = row.get("status")
    status = _read_word(word) if isinstance(word, str) else None
    if status is None:
        return Unreadable("status", f"unknown status {str(word)[:40]!r}")
    return UpstreamSubscription(
        status=status,
        orders=read_listed(row.get("orders")),
        posts=read_count(row.get("posts")),
        charge_micros=read_cost(row.get("charge")),
    )


def read_listed(value: object) -> tuple[int, ...] | None:
    """The order numbers of a list (numbers or digits) or of a text with commas, each once; None where one is no number,
    or for anything else: half a list would leave orders out.
    """
    if isinstance(value, str):
        value = [piece for piece in value.split(",", MAX_LISTED) if piece.strip()]
    if not isinstance(value, list) or len(value) > MAX_LISTED:
        return None
    numbers = [read_id(item.strip() if isinstance(item, str) else item) for item in value]
    if None in numbers:
        return None
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def _read_word(word: str) -> SubscriptionStatus | None:
    status = read_subscription_status(word)
    if status is not None:
        return status
    match read_order_status(word):
        case OrderStatus.PENDING | OrderStatus.IN_PROGRESS | OrderStatus.PROCESSING:
            return SubscriptionStatus.ACTIVE
        case OrderStatus.CANCELED:
            return SubscriptionStatus.CANCELED
        case _:
            return None

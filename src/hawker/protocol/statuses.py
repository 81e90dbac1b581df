"""The status words of the protocol, exact where we write them, forgiving where we read them."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """Statuses of an order, spelled as clients compare them."""

    PENDING = "Pending"
    IN_PROGRESS = "In progress"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    PARTIAL = "Partial"
    CANCELED = "Canceled"


class RefillStatus(StrEnum):
    """Statuses of a refill."""

    PENDING = "Pending"
    IN_PROGRESS = "In progress"
    COMPLETED = "Completed"
    REJECTED = "Rejected"


class SubscriptionStatus(StrEnum):
    """Statuses of a subscription."""

    ACTIVE = "Active"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    EXPIRED = "Expired"
    CANCELED = "Canceled"


def _squeezed(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalpha())


_ORDER_WORDS: dict[str, OrderStatus] = {
    **{_squeezed(status): status for status in OrderStatus},
    # What some panels write instead.
    "cancelled": OrderStatus.CANCELED,
    "cancel": OrderStatus.CANCELED,
    "refunded": OrderStatus.CANCELED,
    "complete": OrderStatus.COMPLETED,
    "partiallycompleted": OrderStatus.PARTIAL,
    "inprocess": OrderStatus.PROCESSING,
}

_REFILL_WORDS: dict[str, RefillStatus] = {
    **{_squeezed(status): status for status in RefillStatus},
    "inprocess": RefillStatus.IN_PROGRESS,
    "processing": RefillStatus.IN_PROGRESS,
    "complete": RefillStatus.COMPLETED,
    "canceled": RefillStatus.REJECTED,
    "cancelled": RefillStatus.REJECTED,
    "error": RefillStatus.REJECTED,
}


def read_order_status(text: str) -> OrderStatus | None:
    """The order status a panel means by `text`, in any case and spacing; None for a word we do not know."""
    return _ORDER_WORDS.get(_squeezed(text))


def read_refill_status(text: str) -> RefillStatus | None:
    """The refill status a panel means by `text`; None for a word we do not know."""
    return _REFILL_WORDS.get(_squeezed(text))


_SUBSCRIPTION_WORDS: dict[str, SubscriptionStatus] = {
    **{_squeezed(status): status for status in SubscriptionStatus},
    "cancelled": SubscriptionStatus.CANCELED,
    "complete": SubscriptionStatus.COMPLETED,
}


def read_subscription_status(text: str) -> SubscriptionStatus | None:
    """The subscription status a panel means by `text`; None for a word we do not know."""
    return _SUBSCRIPTION_WORDS.get(_squeezed(text))

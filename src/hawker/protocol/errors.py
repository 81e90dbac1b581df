"""Every error text of API v2, in one table. Clients match on substrings: wording is contract."""

from typing import ClassVar

from hawker.core.errors import Refusal

TEXTS: dict[str, str] = {
    "invalid_key": "Invalid API key",
    "incorrect_request": "Incorrect request",
    "incorrect_parameter": "Incorrect {name}",
    "incorrect_service": "Incorrect service ID",
    "incorrect_order": "Incorrect order ID",
    "refill_not_found": "Refill not found",
    "not_enough_funds": "Not enough funds on balance",
    "quantity_below": "Quantity less than minimal {minimum}",
    "quantity_above": "Quantity more than maximum {maximum}",
    "incorrect_quantity": "Incorrect quantity",
    "incorrect_link": "Incorrect link",
    "active_order": "You have active order with this link. Please wait until order being completed.",
    "refill_disabled": "Refill is disabled for this service",
    "refill_too_early": "The order was completed or refill was requested less than 24 hours ago",
    "refill_over": "Refill days are over",
    "refill_running": "The refill task is not completed for this order",
    "order_not_completed": "The order is not completed",
    "cancel_disabled": "Cancel is disabled for this service",
    "order_completed": "The order is already completed",
    "too_many_ids": "No more than 100 IDs are allowed",
    "too_many_requests": "Too many requests",
    "body_too_large": "Incorrect request: the body is too large",
    # Read by retry classifiers as worth another try, because of the word "temporarily".
    "unavailable": "Service temporarily unavailable, please try again later",
}

MEANINGS: dict[str, str] = {
    "invalid_key": "The key is missing, wrong, revoked or expired, or its scope does not allow this action",
    "incorrect_request": "No such action, or the request cannot be read without doubt",
    "incorrect_parameter": "The parameter of that name is missing or breaks its rule",
    "incorrect_service": "There is no such service, or it is not on sale",
    "incorrect_order": "You have no such order",
    "refill_not_found": "You have no such refill",
    "not_enough_funds": "The balance does not cover the charge",
    "quantity_below": "Below the service's min",
    "quantity_above": "Above the service's max",
    "incorrect_quantity": "The quantity is missing or not a whole number",
    "incorrect_link": "The link is missing, neither an http(s) address nor a handle, or not taken by the service",
    "active_order": "The service allows one active order per link",
    "refill_disabled": "The service offers none",
    "refill_too_early": "Too early; ask again later",
    "refill_over": "The time for refills is over",
    "refill_running": "An earlier refill is still running",
    "order_not_completed": "Only a completed order can be refilled",
    "cancel_disabled": "The service offers none",
    "order_completed": "The order has ended, as completed, partial or canceled",
    "too_many_ids": "The whole list is refused",
    "too_many_requests": "HTTP 429: wait for as many seconds as Retry-After says",
    "body_too_large": "HTTP 413",
    "unavailable": "HTTP 503: nothing was done; try again in a moment",
}
"""What each text says to a customer, by the same codes."""


def text_of(refusal: Refusal) -> str:
    """The wire text of a refusal."""
    return TEXTS[refusal.code].format(**refusal.values)


class InvalidKey(Refusal):
    """The key is missing, unknown, disabled, expired or not allowed here."""

    code: ClassVar[str] = "invalid_key"


class IncorrectRequest(Refusal):
    """The request as a whole cannot be read."""

    code: ClassVar[str] = "incorrect_request"


class IncorrectParameter(Refusal):
    """The parameter `name` is missing or breaks its rule."""

    code: ClassVar[str] = "incorrect_parameter"


class IncorrectService(Refusal):
    """There is no such service, or it is not offered to this customer."""

    code: ClassVar[str] = "incorrect_service"


class IncorrectOrder(Refusal):
    """There is no such order of this customer."""

    code: ClassVar[str] = "incorrect_order"


class RefillNotFound(Refusal):
    """There is no such refill of this customer."""

    code: ClassVar[str] = "refill_not_found"


class RefillDisabled(Refusal):
    """The service offers no refill."""

    code: ClassVar[str] = "refill_disabled"


class RefillTooEarly(Refusal):
    """Less than 24 hours have passed since the order's end or its last refill."""

    code: ClassVar[str] = "refill_too_early"


class RefillOver(Refusal):
    """The days in which the service offers a refill are over."""

    code: ClassVar[str] = "refill_over"


class RefillRunning(Refusal):
    """A refill of the order is under way."""

    code: ClassVar[str] = "refill_running"


class OrderNotCompleted(Refusal):
    """The order has not been delivered, so there is nothing to refill."""

    code: ClassVar[str] = "order_not_completed"


class CancelDisabled(Refusal):
    """The service offers no cancel."""

    code: ClassVar[str] = "cancel_disabled"


class OrderCompleted(Refusal):
    """The order has ended: there is nothing left to cancel."""

    code: ClassVar[str] = "order_completed"


class IncorrectQuantity(Refusal):
    """The quantity is missing or not a whole number."""

    code: ClassVar[str] = "incorrect_quantity"


class QuantityBelow(Refusal):
    """The quantity is under the service's `minimum`."""

    code: ClassVar[str] = "quantity_below"


class QuantityAbove(Refusal):
    """The quantity is over the service's `maximum`."""

    code: ClassVar[str] = "quantity_above"


class IncorrectLink(Refusal):
    """The link is missing, malformed or refused by the service."""

    code: ClassVar[str] = "incorrect_link"


class ActiveOrder(Refusal):
    """The service takes one order for a link at a time, and one is not finished."""

    code: ClassVar[str] = "active_order"


class TooManyIds(Refusal):
    """A list of more than 100 ids; it is refused whole, never cut."""

    code: ClassVar[str] = "too_many_ids"

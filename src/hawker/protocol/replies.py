"""Replies of API v2 as ready bytes: compact JSON, keys and types exactly as the seed shows them.

Rendered by hand where a batch renders thousands, by msgspec elsewhere; both give the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from hawker.core.errors import Refusal
from hawker.core.money import format_micros
from hawker.protocol.errors import TEXTS, text_of
from hawker.protocol.params import read_whole
from hawker.protocol.statuses import RefillStatus

_encode = msgspec.json.Encoder().encode
_CONSTANT_ERRORS = {code: _encode({"error": text}) for code, text in TEXTS.items() if "{" not in text}


@dataclass(frozen=True, slots=True)
class OfferedService:
    """One row of the `services` answer. `rate` is text: it prints as the operator entered it."""

    service: int
    name: str
    type: str
    category: str
    rate: str
    minimum: int
    maximum: int
    refill: bool
    cancel: bool
    dripfeed: bool


def error_reply(refusal: Refusal) -> bytes:
    """`{"error":"…"}`: the one key, nothing beside it."""
    return _CONSTANT_ERRORS.get(refusal.code) or _encode({"error": text_of(refusal)})


def plain_error_reply(code: str) -> bytes:
    """The error object of a text without numbers."""
    return _CONSTANT_ERRORS[code]


def services_reply(services: Iterable[OfferedService]) -> bytes:
    """The `services` array, keys in the order of tests/wire/seed-api.txt, then `dripfeed`."""
    return _encode(
        [
            {
                "service": service.service,
                "name": service.name,
                "type": service.type,
                "category": service.category,
                "rate": service.rate,
                "min": str(service.minimum),
                "max": str(service.maximum),
                "refill": service.refill,
                "cancel": service.cancel,
                "dripfeed": service.dripfeed,
            }
            for service in services
        ]
    )


def order_reply(order_id: int) -> bytes:
    """`{"order":23501}`."""
    return b'{"order":%d}' % order_id


def balance_reply(balance_micros: int, currency: str) -> bytes:
    """`{"balance":"100.84292","currency":"USD"}`."""
    return f'{{"balance":"{format_micros(balance_micros)}","currency":"{currency}"}}'.encode()


def status_object(
    *,
    charge_micros: int,
    start_count: int | None,
    status: str,
    remains: int,
    currency: str,
    extra: Mapping[str, str | Sequence[str]] | None = None,
) -> str:
    """One order's status as JSON text; every value is a string, `start_count` is "0" until known.

    `extra` follows the usual five keys, where an order is bought through others: strings, and lists of
    order numbers as strings.
    """
    more = f",{_encode(extra)[1:-1].decode()}" if extra else ""
    return (
        f'{{"charge":"{format_micros(charge_micros)}","start_count":"{start_count or 0}",'
        f'"status":"{status}","remains":"{remains}","currency":"{currency}"{more}}}'
    )


def statuses_reply(ids: Sequence[str], objects: Mapping[str, str]) -> bytes:
    """The object of many statuses, keyed by each id as it was asked; ids without one are incorrect."""
    missing = _CONSTANT_ERRORS["incorrect_order"].decode()
    members = [f"{_key(asked)}:{objects.get(asked, missing)}" for asked in ids]
    return f"{{{','.join(members)}}}".encode()


def listed_object(
    *,
    order: int,
    service: int,
    link: str,
    quantity: int,
    status: str,
    created: str,
    parent: int | None,
    request_id: str | None,
) -> str:
    """One order of the list as JSON text: what was ordered around what `status` answers of it.

    Numbers are numbers where other replies have them so (`order`, `service`), everything else is a string, as in
    `status`. `parent` stands with the orders of a drip-feed or subscription only, `request_id` where one was given.
    """
    ordered = {"order": order, "service": service, "link": link, "quantity": str(quantity)}
    after: dict[str, str | int] = {"created": created}
    if parent is not None:
        after["parent"] = parent
    if request_id is not None:
        after["request_id"] = request_id
    return f"{_encode(ordered)[:-1].decode()},{status[1:-1]},{_encode(after)[1:].decode()}"


def listed_reply(objects: Sequence[str]) -> bytes:
    """`[{"order":23501,…},…]`."""
    return f"[{','.join(objects)}]".encode()


def refill_reply(refill_id: int) -> bytes:
    """`{"refill":"1"}`: of one order a text, as the seed shows it."""
    return b'{"refill":"%d"}' % refill_id


def refills_reply(answers: Mapping[str, int | Refusal]) -> bytes:
    """`[{"order":1,"refill":1},{"order":3,"refill":{"error":"…"}}]`, by each id as it was asked."""
    return _encode([{"order": _id(asked), "refill": _or_error(answer)} for asked, answer in answers.items()])


def refill_status_reply(status: RefillStatus) -> bytes:
    """`{"status":"Completed"}`."""
    return _encode({"status": status.value})


def refill_statuses_reply(ids: Sequence[str], found: Mapping[str, RefillStatus]) -> bytes:
    """`[{"refill":1,"status":"Completed"},{"refill":3,"status":{"error":"…"}}]`; ids without a status are not there."""
    missing = {"error": TEXTS["refill_not_found"]}
    return _encode([{"refill": _id(asked), "status": found.get(asked, missing)} for asked in ids])


def cancels_reply(answers: Mapping[str, Refusal | None]) -> bytes:
    """`[{"order":9,"cancel":{"error":"…"}},{"order":2,"cancel":1}]`, by each id as it was asked.

    1 says that the cancel was asked for; the outcome shows in the order's status.
    """
    return _encode([{"order": _id(asked), "cancel": _or_error(refusal or 1)} for asked, refusal in answers.items()])


def _or_error(answer: int | Refusal) -> int | dict[str, str]:
    return {"error": text_of(answer)} if isinstance(answer, Refusal) else answer


def _id(asked: str) -> int | str:
    """An id as arrays show it: a number, unless what was asked is none."""
    number = read_whole(asked)
    return asked if number is None else number


def _key(asked: str) -> str:
    # Digits need no escaping; whatever else was asked is somebody's text and is encoded as such.
    return f'"{asked}"' if asked.isascii() and asked.isalnum() else _encode(asked).decode()
